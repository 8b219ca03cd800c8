"""W5: from process start to the first full set of predictions, with models and history on disk.

  PEER_PYTHON=... python benchmarks/restart.py [--pairs 4 50] [--rows 10000 105000] [--runs 3] [--vs-peer]
      [--model LightGBMRegressor]

`cpu_to_predictions_s` is the CPU that `candled run` has used when the predictions of all pairs are on the disk, `cpu_s` that
of the whole process with `--candles 1`: the truth checks that come next and the stop included. Candles come from files
through the replay exchange; reading those is in both figures.

The peer's figure is that of its whole process, too: imports, its stand-in exchange, and two passes, for its first one
hands out zeros.
"""

import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import inside
import meters
import pandas as pd
import world

from daemon.state.folder import StateFolder
from daemon.state.history import PredictionHistory


def status(folder):
    command = [sys.executable, "-m", "daemon", "status", "--json", "-c", str(folder / "config.json")]
    return json.loads(subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout)


def trained(folder):
    """Give every pair a model and a prediction: one is trained, the others have copies."""
    here = Path.cwd()
    daemon = inside.Inside(folder / "config.json")
    try:
        daemon.share_the_model()
        daemon.tick()
    finally:
        daemon.close()
        os.chdir(here)


def lengthened(folder, rows):
    """Give every pair so many rows of history: the oldest row, dated backwards."""
    state = StateFolder(folder / "user_data/models/bench")
    history = PredictionHistory.read(state)
    frames = {}
    for pair in history.pairs:
        frame = history.frame(pair)
        short = rows - len(frame)
        older = pd.concat([frame.iloc[:1]] * short, ignore_index=True)
        step = pd.Timedelta(minutes=5)
        older["date_pred"] = pd.date_range(end=frame["date_pred"].iloc[0] - step, periods=short, freq=step)
        frames[str(pair)] = pd.concat([older, frame], ignore_index=True)
    for file in state.path.glob("historic_predictions*"):
        file.unlink()
    state.historic_predictions.write_bytes(pickle.dumps(frames))
    del history
    with state.acquire(0):
        PredictionHistory.open(state).close()


def measured(folder, pairs):
    figure = folder / "first_record"
    figure.unlink(missing_ok=True)
    command = [sys.executable, str(Path(__file__).parent / "first_record.py"), str(figure)]
    command += ["run", "--no-view", "-c", str(folder / "config.json"), "--candles", "1"]
    started = time.monotonic()
    with (folder / "measured.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stderr=log)
        _, code, used = os.wait4(
            process.pid, 0
        )  # the daemon's own figures, its training process not among them
    wall, found = time.monotonic() - started, status(folder)
    to_predictions_s, rows = map(float, figure.read_text().split()) if figure.exists() else (0.0, 0)
    # The other pairs have copies of the first one's model, to which their candles may look odd: predicted all the same.
    outliers = found["abstention_reasons"].get("outlier", 0)
    if code or not found["predictions"] + outliers == rows == pairs:
        sys.exit(f"not all of {pairs} pairs were predicted:\n{(folder / 'measured.log').read_text()[-2000:]}")
    return {
        "cpu_to_predictions_s": round(to_predictions_s, 2),
        "cpu_s": round(used.ru_utime + used.ru_stime, 2),
        "wall_s": round(wall, 2),
        "predictions_in_first_pass": found["predictions"],
        "outliers": outliers,
        "peak_rss_mb": used.ru_maxrss // 1024,
    }


def laid_down(folder, pairs, rows, model, peer_scripts):
    as_peers = {"features": inside.OUTLIERS, "model_training_parameters": inside.LIGHTGBM}
    options = as_peers if model == "LightGBMRegressor" else {}
    world.build(folder, peer_scripts, pairs=pairs, model=model, **options)
    trained(folder)
    lengthened(folder, rows)


def workload(pairs, rows, runs, model, peer_scripts):
    with tempfile.TemporaryDirectory(prefix="candled-bench-") as name:
        folder = Path(name)
        # In a process of its own: the peak memory of a process begins with what the one that started it had.
        maker = multiprocessing.get_context("spawn").Process(
            target=laid_down, args=(folder, pairs, rows, model, peer_scripts)
        )
        maker.start()
        maker.join()
        if maker.exitcode:
            sys.exit("nothing to start from: see above")
        return {
            "pairs": pairs,
            "rows": rows,
            "model": model,
            "runs": [measured(folder, pairs) for _ in range(runs)],
        }


def main():
    parser = meters.arguments(__doc__)
    parser.add_argument("--pairs", type=int, nargs="*", default=[4, 50])
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 105_000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument(
        "--model",
        default="LightGBMRegressor",
        help="the peer's is LightGBM with DI and SVM; another one is without",
    )
    given = parser.parse_args()
    os.environ.setdefault("PYTHONPATH", str(Path(__file__).resolve().parent.parent))
    os.environ.pop(
        "PYTHONDONTWRITEBYTECODE", None
    )  # else every start would compile what an installation has compiled
    theirs = meters.peer(given.peer_scripts, "restart.py", "--runs", given.runs) if given.vs_peer else None
    figures = {
        "workload": "W5 restart",
        "runs": [
            workload(pairs, rows, given.runs, given.model, given.peer_scripts)
            for pairs, rows in zip(given.pairs, given.rows, strict=True)
        ],
    }
    if theirs is not None:
        figures["peer"] = theirs
        least = min(run["cpu_s"] for run in theirs["runs"])
        for name in ("cpu_to_predictions_s", "cpu_s"):
            ours = min(run[name] for run in figures["runs"][0]["runs"])
            figures[f"ratio_{name.removesuffix('_s')}"] = round(ours / least, 3)
    meters.emit(figures)


if __name__ == "__main__":
    main()
