"""W7: the whole daemon over 30 simulated days, 50 pairs, a retrain of every pair each day, as fast as it goes.

  python benchmarks/soak.py [--pairs 50] [--days 30] [--step 1] [--metrics]

It is `candled run` with all its threads, on the simulated exchange, but for the clock: market time moves on by one
candle as soon as the engine asks to sleep, and at the end of each day it waits for the trainer to have nothing left
to do. What is reduced is the work per tick and training, not their number: a strategy of three features, 5m only, a
window of three days, 20 trees. Predictions and candles are kept for as many days as the configuration says, so that
the disk is bounded, too. What is kept for days is a ring that fills first: so the daemon whose days are measured is
started on what another one left after a week, with --metrics on a full `metric_tracker.json`. Each simulated day memory,
open files, threads, files and the time of a tick are measured, that as a multiple of a fixed piece of work done beside it:
machines that others share are faster in one hour than in the next. The line through the days from the second on must
not rise by more than its own noise.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `candled run` does, before numpy comes in
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

import argparse
import json
import logging
import sys
import tempfile
import threading
import time
from pathlib import Path

import meters
import numpy as np
import pandas as pd

from daemon import app
from daemon.config import load_settings
from daemon.core.clock import SystemClock
from daemon.runtime.allocators import keep_memory_level
from daemon.state.folder import StateFolder
from daemon.state.metric_tracker import KEPT

DAY = 288
KEPT_DAYS = 5
"""Of predictions and candles; more is kept where something looks at more."""
WEEK, WEEKS_STEP = 7, 12
"""Days of the daemon before, and candles at once: the rings are full, and have been emptied for the first time."""
NOISE = 2
"""Standard errors: a line that rises by less a day is level."""
HARDLY = 0.01
"""Rise over all days that is none, of all but the memory."""
REST_S = 2
"""Until the training process is at rest and has given back what trainings have left free in its heap."""
YARD = np.linspace(1, 2, 600)
MISSED = 0.05
"""A saw is looked at once a day, between two of its peaks."""
COINS = [
    "BTC",
    "ETH",
    "SOL",
    "XRP",
    "DOGE",
    "LINK",
    "ATOM",
    "LTC",
    "AVAX",
    "DOT",
    "TRX",
    "NEAR",
    "BNB",
    "ADA",
]
STRATEGY = """
import numpy as np
from freqtrade.strategy import IStrategy


class Soak(IStrategy):
    timeframe = "5m"
    minimal_roi = {"0": 0.02}
    stoploss = -0.05

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        dataframe["%-volume"] = np.log(dataframe["volume"].to_numpy())
        return dataframe

    def feature_engineering_standard(self, dataframe, metadata, **kwargs):
        dataframe["%-body"] = dataframe["close"].to_numpy() / dataframe["open"].to_numpy()
        return dataframe

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        dataframe["&-s_close"] = dataframe["close"].shift(-12) / dataframe["close"] - 1
        return dataframe

    def populate_indicators(self, dataframe, metadata):
        return self.freqai.start(dataframe, metadata, self)

    def populate_entry_trend(self, dataframe, metadata):
        sure = dataframe["do_predict"].to_numpy() == 1
        dataframe["enter_long"] = sure & (dataframe["&-s_close"].to_numpy() > 0.001)
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        sure = dataframe["do_predict"].to_numpy() == 1
        dataframe["exit_long"] = sure & (dataframe["&-s_close"].to_numpy() < 0)
        return dataframe
"""


def settings_in(folder, pairs, *, metrics):
    coins = [*COINS, *(f"C{number:02}" for number in range(pairs))][:pairs]
    (folder / "soak_strategy.py").write_text(STRATEGY)
    config = {
        "timeframe": "5m",
        "stake_currency": "USDT",
        "stake_amount": 100,
        "max_open_trades": 20,
        "dry_run": True,
        "dry_run_wallet": 10_000,
        "strategy": "Soak",
        "strategy_path": str(folder),
        "user_data_dir": str(folder / "user_data"),
        "freqaimodel": "LightGBMRegressor",
        "exchange": {"name": "simulated", "pair_whitelist": [f"{coin}/USDT" for coin in coins]},
        "freqai": {
            "enabled": True,
            "identifier": "soak",
            "train_period_days": 3,
            "live_retrain_hours": 24,
            "expiration_hours": 72,
            "write_metrics_to_disk": metrics,
            "feature_parameters": {
                "include_timeframes": ["5m"],
                "include_corr_pairlist": [],
                "label_period_candles": 12,
                "include_shifted_candles": 1,
                "indicator_periods_candles": [14],
                "DI_threshold": 5.0,
            },
            "data_split_parameters": {"test_size": 0.2},
            "model_training_parameters": {"n_estimators": 20},
        },
        "candled": {
            "training": {"threads": 1},
            "simulated": {"speed": 2},
            "keep_predictions_days": KEPT_DAYS,
            "keep_candles_days": KEPT_DAYS,
        },
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    return load_settings([folder / "config.json"])


class SoakClock(SystemClock):
    """Market time that moves on by a candle as soon as the engine asks to sleep; others sleep shortly.

    Args:
        start_ms: market time at the beginning.
        step_ms: so much each time, whole candles.
        stop: waiting for it is no sleep.
        after_candle: called in the engine's thread before the next candle.
    """

    HOUSEKEEPING_S = 0.5

    def __init__(self, start_ms, step_ms, stop, after_candle):
        self.ms = start_ms
        self.step_ms = step_ms
        self.stop = stop
        self.after_candle = after_candle
        self.trainer_idle = threading.Event()

    def now_ms(self):
        return self.ms

    def wait(self, event, timeout_s):
        who = threading.current_thread().name
        if event is self.stop or event.is_set():
            return super().wait(event, timeout_s)
        if who == "engine":
            self.after_candle()
            self.ms += self.step_ms
            return False
        if who == "trainer":
            self.trainer_idle.set()
        return super().wait(event, min(timeout_s, 0.1 if who == "trainer" else self.HOUSEKEEPING_S))


class Days(logging.Handler):
    """Hears of ticks and trainings by the daemon's own log; measures everything at the end of each day."""

    def __init__(self, folder, days, minutes, stop, probe=lambda _: None):
        super().__init__(logging.INFO)
        self.folder, self.days, self.stop, self.probe = folder, days, stop, probe
        self.until_s = time.monotonic() + 60 * minutes
        self.rows, self.ticks_ms, self.cpu_ms, self.yardstick_ms = [], [], [], []
        self.candles, self.events = 0, {}
        self.clock = self.cpu_s = None
        self.process_cpu_s = meters.cpu_s()

    def emit(self, record):
        self.events[record.msg] = self.events.get(record.msg, 0) + 1
        if record.msg == "tick":
            self.candles += 1
            if not record.fields.get("late"):
                self.ticks_ms.append(record.fields["ms"])
        elif record.levelno >= logging.ERROR:
            print(record.getMessage(), getattr(record, "fields", ""), record.exc_info, file=sys.stderr)

    def after_candle(self):
        cpu_s = time.thread_time()
        if self.cpu_s is not None:
            self.cpu_ms.append(1e3 * (cpu_s - self.cpu_s))
        self.yardstick_ms.append(yardstick_ms())
        if self.candles >= DAY:
            self.clock.trainer_idle.clear()
            self.clock.trainer_idle.wait(600)
            time.sleep(REST_S)
            self.probe(len(self.rows) + 1)
            self.rows.append(self.measured())
            self.candles, self.ticks_ms, self.cpu_ms, self.yardstick_ms = 0, [], [], []
            print(json.dumps(self.rows[-1]), file=sys.stderr)
            if len(self.rows) == self.days or time.monotonic() > self.until_s:
                self.stop.set()
        self.cpu_s = time.thread_time()

    def measured(self):
        cpu_s, user_data = meters.cpu_s(), self.folder / "user_data"
        state = StateFolder(user_data / "models" / "soak").path
        files = [path for path in state.rglob("*") if path.is_file()]
        record = [path for path in files if path.name.startswith("historic_predictions")]
        models = [path for path in files if path.parent.name.startswith("sub-train")]
        metrics = [path for path in files if path.name == "metric_tracker.json"]
        row = {
            "day": len(self.rows) + 1,
            "rss_kb": memory_kb("self", "Rss"),
            "anonymous_kb": memory_kb("self", "Anonymous"),
            "record_in_memory_kb": round(record_bytes(Assembly.made.history) / 1024),
            "exchange_kb": round(exchange_bytes(Assembly.made.market) / 1024),
            "training_pss_kb": sum(memory_kb(pid, "Pss") for pid in children()),
            # Never `gc.get_objects`: it holds tuples that other threads are still making, which then fail.
            "blocks": sys.getallocatedblocks(),
            "open_files": count("/proc/self/fd"),
            "threads": count("/proc/self/task"),
            "record_kb": kb(record),
            "ledger_kb": kb(user_data.glob("*.sqlite*")),
            "models_kb": kb(models),
            "metrics_kb": kb(metrics),
            "other_state_kb": kb({*files} - {*record} - {*models} - {*metrics}),
            "state_files": len(files),
            "candles_kb": kb((user_data / "data").rglob("*.feather")),
            "tick_wall_ms": meters.summary(self.ticks_ms, 1),
            "wake_up_cpu_ms": {
                "mean": round(float(np.mean(self.cpu_ms)), 1),
                **meters.summary(self.cpu_ms, 1),
            },
            "yardstick_cpu_ms": round(float(np.median(self.yardstick_ms)), 3),
            "daemon_cpu_s": round(cpu_s - self.process_cpu_s, 1),
            "events": self.events,
        }
        self.process_cpu_s, self.events = meters.cpu_s(), {}
        return row


def yardstick_ms():
    """CPU of a fixed piece of work like a tick's: how fast the machine is just now, which others share."""
    start = time.thread_time()
    frame = pd.DataFrame(dict.fromkeys("abcdefgh", YARD))
    for name in "abcdefgh":
        frame[f"{name}_mean"] = frame[name].rolling(14).mean()
    json.dumps(frame.tail(20).to_dict("records"))
    return 1e3 * (time.thread_time() - start)


def memory_kb(pid, name):
    with Path(f"/proc/{pid}/smaps_rollup").open() as rollup:
        return next(int(line.split()[1]) for line in rollup if line.startswith(f"{name}:"))


def children():
    found = []
    for task in Path("/proc/self/task").iterdir():
        found += (task / "children").read_text().split()
    return found


def count(folder):
    return sum(1 for _ in Path(folder).iterdir())


def kb(paths):
    return round(sum(path.stat().st_size for path in paths) / 1024)


def record_bytes(history):
    """What the resident rows take; the room beside them is not touched yet, and takes none."""
    return sum(
        pair._used * (8 + sum(column.array.itemsize for column in pair._columns.values()))
        for pair in list(history._pairs.values())
    )


def exchange_bytes(market):
    """What the simulated exchange itself keeps of its candles."""
    pairs = [chunk for chunks in market._chunks.values() for chunk in chunks._cache.values()]
    return sum(part.nbytes for chunk in [*pairs, *market._factor._cache.values()] for part in chunk)


class Assembly(app._Assembly):
    """The daemon's own, known to the benchmark."""

    made = None

    def __init__(self, *args):
        super().__init__(*args)
        Assembly.made = self


def line(values):
    """The line through a day's figures: slope per day, its standard error, and where it begins and ends."""
    days, values = np.arange(len(values)), np.asarray(values, float)
    slope, level = np.polyfit(days, values, 1)
    scatter = np.std(values - slope * days - level, ddof=2)
    return {
        "slope_per_day": round(float(slope), 4),
        "standard_error": round(float(scatter / (days.std() * len(days) ** 0.5)), 4),
        "first_two_days": round(float(values[:2].mean()), 1),
        "last_two_days": round(float(values[-2:].mean()), 1),
        "most": round(float(values.max()), 1),
    }


def summed_up(rows):
    """From the second day on, what must stay level from the first, what when it is full, and whether it did."""
    rows = rows[1:]
    # Not "rss": pages of libraries' files are in it, which the system takes back and gives as it likes.
    memory_kb = [row["anonymous_kb"] - row["record_in_memory_kb"] - row["exchange_kb"] for row in rows]
    level = {
        "memory_kb": line(memory_kb),
        "memory_kb_second_half": line(memory_kb[len(memory_kb) // 2 :]),
        "training_process_kb": line([row["training_pss_kb"] for row in rows]),
        **{
            name: line([row[name] for row in rows])
            for name in ("blocks", "open_files", "threads", "models_kb", "state_files")
        },
        "tick_wall_p50": line([row["tick_wall_ms"]["p50"] / row["yardstick_cpu_ms"] for row in rows]),
        "tick_wall_p99": line([row["tick_wall_ms"]["p99"] / row["yardstick_cpu_ms"] for row in rows]),
        "wake_up_cpu_mean": line([row["wake_up_cpu_ms"]["mean"] / row["yardstick_cpu_ms"] for row in rows]),
    }
    told = {
        "tick_wall_ms_p50": line([row["tick_wall_ms"]["p50"] for row in rows]),
        "tick_wall_ms_p99": line([row["tick_wall_ms"]["p99"] for row in rows]),
        "wake_up_cpu_ms_mean": line([row["wake_up_cpu_ms"]["mean"] for row in rows]),
        "yardstick_cpu_ms": line([row["yardstick_cpu_ms"] for row in rows]),
    }
    rings = {
        name: filled([row[name] for row in rows])
        for name in ("record_kb", "candles_kb", "record_in_memory_kb", "metrics_kb", "other_state_kb")
    }
    grows = {
        name: line([row[name] for row in rows])
        for name in (
            "rss_kb",
            "ledger_kb",  # the account: no trade is ever dropped
        )
    }
    verdict = {name: is_level(name, found, len(rows)) for name, found in level.items()}
    verdict |= {
        name: found["most_before"] * (1 + MISSED) >= found["most_last"] for name, found in rings.items()
    }
    return {
        "level": level,
        "rings": rings,
        "grows_by_design": grows,
        "with_the_machines_speed": told,
        "verdict": verdict,
        "passed": all(verdict.values()),
    }


def is_level(name, found, days):
    slope = found["slope_per_day"]
    hardly = slope * days <= HARDLY * found["first_two_days"] and not name.startswith("memory")
    return slope <= NOISE * found["standard_error"] or hardly


def filled(values):
    """A ring is a saw: the most of the last third of the days, and of those before."""
    third = max(1, len(values) // 3)
    return {"most_before": max(values[:-third] or values), "most_last": max(values[-third:])}


def lived(folder, pairs, days, *, step=1, metrics=False, minutes=1e9, probe=lambda _: None):
    """What was measured at the end of each day; a daemon that ran in the folder before is gone on from."""
    keep_memory_level()
    known_names()
    at, here = folder / "market_time_ms", Path.cwd()
    os.chdir(folder)
    settings, stop = settings_in(folder, pairs, metrics=metrics), threading.Event()
    heard = Days(folder, days, minutes, stop, probe)
    now_ms = int(at.read_text()) if at.exists() else app.market_clock(settings, 0).now_ms()
    start_ms = now_ms // 300_000 * 300_000 + 10_000
    app._Assembly = Assembly
    heard.clock = clock = SoakClock(start_ms, step * 300_000, stop, heard.after_candle)
    logging.getLogger("daemon").setLevel(logging.INFO)
    logging.getLogger().addHandler(heard)
    try:
        status = app.run(settings, stop, app.Options(clock=clock))
    finally:
        os.chdir(here)
        logging.getLogger().removeHandler(heard)
    assert status == 0, f"the daemon ended with status {status}"
    at.write_text(str(clock.ms))
    return heard.rows


def fill_metrics(folder):
    """As many values of each metric as are ever kept, which would take a daemon weeks, and those of trainings years."""
    state = StateFolder(folder / "user_data" / "models" / "soak")
    found = json.loads(state.metric_tracker.read_text())
    for series in (each for metrics in found.values() for each in metrics.values()):
        for name, values in series.items():
            series[name] = values[:1] * (KEPT - len(values)) + values
    state.metric_tracker.write_text(json.dumps(found))


def known_names():
    """Python's own table of names doubles once in a process' life, when some 16,000 have come in, gone or not.

    A live daemon's timers bring in a dozen a minute, so that its first day has that behind it. Market time that flies
    would have it in the third week: two megabytes, once, in the midst of what is measured.
    """
    names = [sys.intern(f"name {number}") for number in range(100_000)]
    names.clear()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=50)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--step", type=int, default=1, help="candles that close at once")
    parser.add_argument(
        "--minutes", type=float, default=1e9, help="end with the day in which so many are over"
    )
    parser.add_argument(
        "--metrics", action="store_true", help="with write_metrics_to_disk, which is off by default"
    )
    parser.add_argument("--folder", type=Path, help="one daemon's days alone, on what lies there")
    given = parser.parse_args()
    if given.days < WEEK:
        parser.error(f"--days {given.days}: at least {WEEK}, there is a line to be drawn through them")
    same = {"step": given.step, "metrics": given.metrics, "minutes": given.minutes}
    if given.folder:
        meters.emit({"daily": lived(given.folder, given.pairs, given.days, **same)})
        return
    with tempfile.TemporaryDirectory(prefix="candled-soak-") as name:
        week = ["--folder", name, "--pairs", given.pairs, "--days", WEEK, "--step", WEEKS_STEP]
        meters.child(__file__, *week, *["--metrics"] * given.metrics)
        if given.metrics:
            fill_metrics(Path(name))
        daily = lived(Path(name), given.pairs, given.days, **same)
    asked = {"workload": "W7 soak", "pairs": given.pairs, "days": len(daily), "candles_at_once": given.step}
    asked |= {"metrics_written": given.metrics}
    meters.emit(asked | summed_up(daily) | {"daily": daily})


if __name__ == "__main__":
    main()
