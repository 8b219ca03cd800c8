"""W1: one tick, from a closed candle at the exchange to the strategy's signals for every pair, models trained.

  PEER_PYTHON=... python benchmarks/tick.py [--pairs 4 16 50] [--ticks 36] [--training-ticks 0] [--vs-peer]

A tick is `Engine.step`: fetching from a replay, features, predictions, their record with its fsync, and the strategy's
populate_* on 999 candles. As in the peer's script, one pair is trained and every other has a copy of its model. CPU
counts; ticks are a multiple of 12, so that each hour's candles are among them in their true share, and the mean is
compared. With --training-ticks so many more are handled while a thread trains pair after pair.
"""

import os
import threading
import time

import inside
import meters

from daemon.features.plan import Hook
from daemon.state import queue

FEATURES = ("expand_all", "expand_basic", "standard")


def one(daemon):
    wall, cpu = time.perf_counter(), time.thread_time()
    daemon.tick()
    return time.perf_counter() - wall, time.thread_time() - cpu


def handled(daemon, ticks, pause_s=0.0):
    """CPU of the engine's thread and wall time of so many ticks, milliseconds."""
    taken = []
    for _ in range(ticks):
        taken.append([1e3 * seconds for seconds in one(daemon)])
        time.sleep(pause_s)
    wall, cpu = zip(*taken, strict=True)
    mean = round(sum(cpu) / len(cpu), 1)
    return {"cpu_ms": {"mean": mean, **meters.summary(cpu, 1)}, "wall_ms": meters.summary(wall, 1)}


def shares(daemon, ticks):
    """What ticks are made of: CPU milliseconds per tick."""
    engine, parts, spent = daemon.engine, daemon.parts, {}
    for owner, name in (
        (engine._feed, "update"),
        (engine._forecaster, "advance"),
        (engine._forecaster, "outcome"),
        (engine._history, "append"),
        (parts.hooks, "populate"),
        (parts.view, "attach"),
        *((parts.hooks, hook) for hook in FEATURES),
    ):
        inside.timed(owner, name, spent)
    total = sum(one(daemon)[1] for _ in range(ticks))
    hooks = sum(spent[hook] for hook in FEATURES)
    populate = spent["populate"] - spent["attach"]
    found = {
        "fetch": spent["update"],
        "feature_hooks": hooks,
        "features_around_them": spent["advance"] - hooks,
        "populate_hooks": populate,
        "prediction_columns": spent["attach"],
        "pipeline_and_model": spent["outcome"],
        "record": spent["append"],
    }
    found["rest"] = total - sum(found.values())
    per_tick = {name: round(1e3 * value / ticks, 1) for name, value in found.items()}
    return per_tick | {"hooks_percent": round(100 * (hooks + populate) / total)}


def hook_floor(daemon):
    """The strategy's own hooks, each called as often as a tick must call it, on the shortest sufficient tail; CPU ms."""
    parts, hooks, features, populate = daemon.parts, daemon.parts.hooks, {}, {}
    for name in FEATURES:
        inside.timed(hooks, name, features)
    total = 0.0
    for key in dict.fromkeys(key for pair in parts.settings.pairs for key in parts.plan.blocks(pair)):
        features.clear()
        frame = parts.feed.frame(key.candles)[-daemon.computer.warm_up - 1 :].to_pandas()
        metadata = {"pair": str(key.pair), "tf": str(key.timeframe)}
        if key.hook is Hook.STANDARD:
            hooks.standard(frame, metadata)
        else:
            for period in parts.plan.periods:
                hooks.expand_all(frame.copy(), period, metadata)
            hooks.expand_basic(frame, metadata)
        total += sum(features.values()) * parts.plan.base.ms / key.timeframe.ms
    inside.timed(hooks, "populate", populate)
    inside.timed(parts.view, "attach", populate)
    for pair in parts.settings.pairs:
        hooks.populate(parts.view.frame(pair), {"pair": str(pair)})
    return {
        "features": round(1e3 * total, 1),
        "populate": round(1e3 * (populate["populate"] - populate["attach"]), 1),
    }


def fsync_ms(folder, times=20):
    """What this disk takes to make 8 kB of an appended file safe; wall time, for that is waiting."""
    taken = []
    with (folder / "fsync").open("wb", buffering=0) as file:
        for _ in range(times):
            file.write(b"x" * 8000)
            started = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(1e3 * (time.perf_counter() - started))
    return meters.summary(taken, 2)


def while_training(daemon, ticks):
    """Ticks beside a thread that trains one pair after the other, without end."""
    parts, trainings = daemon.parts, []

    def train():
        while not daemon.stop.is_set():
            pair = parts.settings.pairs[0]
            entry = parts.book.entry(pair)
            if entry.state is queue.QueueState.IDLE:
                parts.book.update(pair, queue.queued(entry, daemon.clock.ms, reason="benchmark"))
            daemon.trainer.step()
            trainings.append(pair)

    thread = threading.Thread(target=train, name="trainer")
    thread.start()
    time.sleep(2.0)  # until there is a training under way
    found = handled(daemon, ticks, pause_s=0.3)
    daemon.stop.set()
    thread.join()
    daemon.stop.clear()
    return found | {"trainings": len(trainings)}


def measure(pairs, ticks, training_ticks, peer_scripts):
    imported = meters.rss_mb()
    with inside.inside(
        peer_scripts,
        pairs=pairs,
        model="LightGBMRegressor",
        features=inside.OUTLIERS,
        model_training_parameters=inside.LIGHTGBM,
    ) as daemon:
        assembled = meters.rss_mb()
        daemon.share_the_model()
        handled(daemon, 2)
        figures = {"pairs": pairs, "ticks": ticks, "idle": handled(daemon, ticks)}
        figures["rss_mb"] = {"imports": imported, "candles_read": assembled, "after_ticks": meters.rss_mb()}
        if training_ticks:
            figures["idle_paced"] = handled(daemon, training_ticks, pause_s=0.3)
        if training_ticks:
            figures["training"] = while_training(daemon, training_ticks)
        figures["share_cpu_ms"] = shares(daemon, 12)
        floors = {"hooks_cpu_ms": hook_floor(daemon), "fsync_wall_ms": fsync_ms(daemon.parts.folder.path)}
        return figures | {"floors": floors}


def compared(ours, theirs):
    """Our mean against the peer's median: its ticks are all alike."""
    peer_ms = 1e3 * theirs["tick_cpu_s"]["p50"]
    floor_ms = sum(ours["floors"]["hooks_cpu_ms"].values())
    return {
        "pairs": ours["pairs"],
        "cpu": round(ours["idle"]["cpu_ms"]["mean"] / peer_ms, 4),
        "floor_of_hooks": round(floor_ms / peer_ms, 4),
        "without_the_strategys_hooks": round(
            sum(ms for name, ms in ours["share_cpu_ms"].items() if "hooks" not in name) / peer_ms, 4
        ),
        "rss": round(ours["rss_mb"]["after_ticks"] / theirs["rss_mb"]["after"], 2),
    }


def main():
    parser = meters.arguments(__doc__)
    parser.add_argument("--pairs", type=int, nargs="*", default=[4, 16, 50])
    parser.add_argument("--ticks", type=int, default=36)
    parser.add_argument("--training-ticks", type=int, default=0)
    parser.add_argument("--peer-ticks", type=int, default=3)
    parser.add_argument("--child", action="store_true", help="measure one number of pairs in this process")
    given = parser.parse_args()
    if given.child:
        meters.emit(measure(given.pairs[0], given.ticks, given.training_ticks, given.peer_scripts))
        return
    figures = {"workload": "W1 tick", "runs": [], "peer": [], "ratios": []}
    options = ["--ticks", given.ticks, "--training-ticks", given.training_ticks]
    options += ["--peer-scripts", given.peer_scripts]
    for pairs in given.pairs:  # the peer's and ours in turn, each in a process of its own
        if given.vs_peer:
            theirs = meters.peer(given.peer_scripts, "tick.py", "--pairs", pairs, "--ticks", given.peer_ticks)
            figures["peer"].append(theirs["runs"][0])
        ours = meters.child(__file__, "--child", "--pairs", pairs, *options)
        figures["runs"].append(ours)
        if given.vs_peer:
            figures["ratios"].append(compared(ours, theirs["runs"][0]))
    meters.emit(figures)


if __name__ == "__main__":
    main()
