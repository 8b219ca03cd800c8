"""W4: what the record of predictions costs as it grows: one append per candle for all pairs, one look per pair,
and the folding of the journal into a snapshot.

  python benchmarks/history.py [--rows 1000 105000] [--pairs 50] [--vs-peer]

105,000 rows are a year of five-minute candles.
"""

import pickle
import tempfile
import time
from pathlib import Path

import meters
import numpy as np
import pandas as pd

from daemon.core.pair import Pair
from daemon.state.folder import StateFolder
from daemon.state.history import HistoryRow, PredictionHistory

STEP_MS = 300_000
START_MS = 1_700_000_100_000
LABEL = "&-s_close"
HIDDEN = frozenset({"model", "abstention", "late", "high_price", "low_price", "close_price"})


def past(pairs, rows):
    """FreqAI's file of so many predictions for each pair."""
    rng = np.random.default_rng(7)
    dates = pd.to_datetime(START_MS + STEP_MS * np.arange(rows, dtype=np.int64), unit="ms", utc=True)
    names = (
        LABEL,
        f"{LABEL}_mean",
        f"{LABEL}_std",
        "do_predict",
        "DI_values",
        "high_price",
        "low_price",
        "close_price",
    )
    return {
        pair: pd.DataFrame({**{n: rng.standard_normal(rows) for n in names}, "date_pred": dates})
        for pair in pairs
    }


def row(pair, at_ms, rng):
    values = {
        LABEL: rng.standard_normal(),
        f"{LABEL}_mean": 0.001,
        f"{LABEL}_std": 0.01,
        "do_predict": 1.0,
        "DI_values": float("nan"),
        "high_price": 101.5,
        "low_price": 99.5,
        "close_price": 100.25,
        "late": 0.0,
        "model": "sub-train-C00_1767225600",
        "abstention": "",
    }
    return HistoryRow(pair=pair, candle_ms=at_ms, values=values)


def measure(rows, n, ticks=60):
    pairs = [Pair(f"C{i:02d}/USDT") for i in range(n)]
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory(prefix="candled-bench-") as name:
        folder = StateFolder(Path(name) / "bench")
        with folder.acquire(START_MS):
            folder.historic_predictions.write_bytes(pickle.dumps(past([str(p) for p in pairs], rows)))
            history = PredictionHistory.open(folder)
            history.compact()
            next_ms = START_MS + rows * STEP_MS
            append, window = [], []
            before = meters.written_bytes()
            for tick in range(ticks):
                made = [row(pair, next_ms + tick * STEP_MS, rng) for pair in pairs]
                started = time.process_time()
                history.append(made)
                append.append(1e3 * (time.process_time() - started) / n)
            appended = meters.written_bytes() - before
            seen = next_ms + STEP_MS * np.arange(ticks - 999, ticks, dtype=np.int64)
            for _ in range(5):
                for pair in pairs:
                    started = time.process_time()
                    history.window(pair, seen, HIDDEN)
                    window.append(1e3 * (time.process_time() - started))
            started, before = time.process_time(), meters.written_bytes()
            history.compact()
            compaction = {
                "cpu_s": round(time.process_time() - started, 3),
                "written_mb": round((meters.written_bytes() - before) / 2**20, 1),
            }
            history.close()
            del history
            started = time.process_time()
            again = PredictionHistory.open(folder)
            opened = round(time.process_time() - started, 3)
            assert again.last_ms(pairs[0]) == next_ms + (ticks - 1) * STEP_MS
            return {
                "rows": rows,
                "pairs": n,
                "append_cpu_ms_per_pair": meters.summary(append, 4),
                "window_cpu_ms_per_pair": meters.summary(window, 4),
                "written_bytes_per_pair_and_tick": round(appended / ticks / n, 1),
                "compaction": compaction,
                "open_cpu_s": opened,
                "rss_mb_after_open": meters.rss_mb(),
            }


def main():
    parser = meters.arguments(__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[1000, 105_000])
    parser.add_argument("--pairs", type=int, default=50)
    given = parser.parse_args()
    figures = {"workload": "W4 history", "runs": [measure(rows, given.pairs) for rows in given.rows]}
    if given.vs_peer:
        theirs = meters.peer(given.peer_scripts, "history.py", "--rows", *given.rows, "--pairs", given.pairs)[
            "runs"
        ]
        figures["peer"] = theirs
        figures["ratios"] = [
            {
                "rows": ours["rows"],
                "append": round(ours["append_cpu_ms_per_pair"]["p50"] / peer["append_cpu_ms"]["p50"], 4),
                "attach": round(ours["window_cpu_ms_per_pair"]["p50"] / peer["attach_ms"]["p50"], 4),
            }
            for ours, peer in zip(figures["runs"], theirs, strict=True)
        ]
    meters.emit(figures)


if __name__ == "__main__":
    main()
