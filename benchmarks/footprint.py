"""W6: memory of the daemon at rest with 50 pairs, and how it grows over simulated days.

  PEER_PYTHON=... python benchmarks/footprint.py [--pairs 50] [--soak-pairs 4] [--days 30]

At rest: the settings of W1, every pair with its own model in memory. Growth: few pairs at a reduced load (a strategy
of the tests with few features, one timeframe and period, five days of training window), 288 candles a day with one retrain and all housekeeping, so that
what is held turns over several times; the slope is that of least squares through the daily figures after the first
third, and the highest figure of each third shows whether a level rises.
"""

import resource
import sys
from pathlib import Path

import inside
import meters
import numpy as np

from daemon.runtime.housekeeping import Housekeeping

STRATEGIES = Path(__file__).resolve().parent.parent / "tests" / "strategies"
LIGHT = {
    "include_timeframes": ["5m"],
    "include_corr_pairlist": [],
    "indicator_periods_candles": [10],
    "include_shifted_candles": 1,
    **inside.OUTLIERS,
}


def rss_kb():
    with Path("/proc/self/statm").open() as stat:
        return int(stat.read().split()[1]) * resource.getpagesize() / 1024


def at_rest(pairs, peer_scripts):
    found = {"pairs": pairs, "imports": meters.rss_mb()}
    options = {"model": "LightGBMRegressor", "model_training_parameters": inside.LIGHTGBM}
    with inside.inside(peer_scripts, pairs=pairs, features=inside.OUTLIERS, **options) as daemon:
        found["candles_read"] = meters.rss_mb()
        daemon.share_the_model()
        found["models"] = meters.rss_mb()
        for _ in range(12):
            daemon.tick()
        found["after_ticks"] = meters.rss_mb()
        frames = [frame for files in daemon.parts.market._files.values() for frame in files.values()]
        recording = sum(frame.values.nbytes + frame.open_ms.nbytes for frame in frames)
        found["of_it_the_replayed_recording"] = round(recording / 2**20)
    return found


def soak(pairs, days, peer_scripts):
    daily = []
    with inside.inside(
        peer_scripts,
        pairs=pairs,
        strategy="Plain",
        strategy_path=STRATEGIES,
        features=LIGHT,
        train_period_days=5,
        model_training_parameters={"iterations": 50},
    ) as daemon:
        parts = daemon.parts
        housekeeping = Housekeeping(parts.history, parts.scorer, None)
        daemon.share_the_model()
        for day in range(days):
            for _ in range(288):
                daemon.tick()
                while housekeeping.step():
                    pass
            daemon.retrained(parts.settings.pairs[day % pairs])
            daily.append(rss_kb())
            print(f"day {day + 1}: {daily[-1] / 1024:.1f} MB", file=sys.stderr)
    third = days // 3
    later = np.array(daily[third:])
    slope, level = np.polyfit(np.arange(len(later)), later, 1)
    noise = float((later - (slope * np.arange(len(later)) + level)).std())
    return {
        "pairs": pairs,
        "days": days,
        "rss_mb": [round(kb / 1024, 1) for kb in daily],
        "highest_mb_of_each_third": [
            round(max(daily[i * third : (i + 1) * third]) / 1024, 1) for i in range(3)
        ],
        "slope_kb_per_day": round(float(slope), 1),
        "noise_kb": round(noise, 1),
        # Standard error of the slope of a line through points with this scatter.
        "slope_error_kb_per_day": round(noise / float(np.arange(len(later)).std() * len(later) ** 0.5), 1),
    }


def main():
    parser = meters.arguments(__doc__)
    parser.add_argument("--pairs", type=int, default=50)
    parser.add_argument("--soak-pairs", type=int, default=4)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--child", choices=["rest", "soak"], help="measure one of both in this process")
    given = parser.parse_args()
    if given.child == "rest":
        meters.emit(at_rest(given.pairs, given.peer_scripts))
    elif given.child == "soak":
        meters.emit(soak(given.soak_pairs, given.days, given.peer_scripts))
    else:
        sizes = ["--pairs", given.pairs, "--soak-pairs", given.soak_pairs, "--days", given.days]
        sizes += ["--peer-scripts", given.peer_scripts]
        figures = {"workload": "W6 footprint"}
        figures |= {part: meters.child(__file__, "--child", part, *sizes) for part in ("rest", "soak")}
        meters.emit(figures)


if __name__ == "__main__":
    main()
