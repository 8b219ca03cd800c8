"""Out-of-sample skill on real candles: our CatBoost defaults beside FreqAI's, and what the fits cost.

  PEER_PYTHON=... python benchmarks/skill_real.py --data FOLDER --keep FILE [--windows 60] [--train-days 30]

FOLDER holds 5-minute candle files in freqtrade's layout; 15m and 1h are made from those. For each of eight pairs and
each window: both sides train on the same --train-days before a day's start and predict the day's 288 candles, which
neither has seen. The score is Spearman's rank correlation (IC) of the predictions with the label of
FreqaiExampleStrategy (read from freqtrade's own file, beside PEER_PYTHON). --strategy takes another one.

Figures go to --keep as they come; a study that was ended goes on. Prints one JSON object. --parameters changes our
side (JSON), for tuning on windows other than the reported ones: see docs/skill.md.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import skill_fits
import world
from skill_fits import DAY, HORIZON

from daemon.core.market import CandleKey
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe
from daemon.market.feather import candle_path, read_candles
from daemon.market.resample import resampled

ROOT = Path(__file__).resolve().parent.parent
TIMEFRAMES = [Timeframe(text) for text in ("5m", "15m", "1h")]
PAIRS = [Pair(f"{coin}/USDT") for coin in ("BTC", "ETH", "SOL", "XRP", "DOGE", "LINK", "ATOM", "LTC")]
TUNED_ON = 60
"""Days after the first full training window that are for tuning; windows for the report begin after them."""
SIDES = ("candled", "freqai", "whole")


def candles(folder):
    """Candles of every pair and timeframe, and the end of the last whole day."""
    found, last_ms = {}, None
    for pair in PAIRS:
        base = read_candles(candle_path(folder, CandleKey(pair, TIMEFRAMES[0])), TIMEFRAMES[0])
        last_ms = Timeframe("1d").floor(int(base.open_ms[-1])) if last_ms is None else last_ms
        base = base.between(0, last_ms - 1)
        for timeframe in TIMEFRAMES:
            key = CandleKey(pair, timeframe)
            found[key] = base if timeframe == TIMEFRAMES[0] else resampled(base, timeframe)[0]
    return found, last_ms


def case(given, until_ms):
    own = ROOT / "daemon" / "strategy" / "examples" / "candled_example.py"
    theirs = given.strategy == "FreqaiExampleStrategy"
    return {
        "strategy": given.strategy,
        "strategy_file": str(world.templates() / "FreqaiExampleStrategy.py" if theirs else own),
        "pair": str(PAIRS[0]),
        "timeframes": [str(timeframe) for timeframe in TIMEFRAMES],
        "correlated": [],
        "periods": [10, 20],
        "shifts": 0,
        "label_period_candles": HORIZON,
        "until_ms": until_ms,
    }


def starts(days, given):
    """First day of each window, counted from the first candle: after the tuning days, evenly over the rest."""
    first = given.train_days + 5  # the longest feature's warm-up
    if given.tune:
        return list(range(first, first + TUNED_ON, max(1, TUNED_ON // given.windows)))[: given.windows]
    spread = np.linspace(first + TUNED_ON, days - 2, given.windows)
    return [int(day) for day in spread]


def study(given, made, kept):
    """Every window that is not on the file yet."""
    days = min(len(open_ms) for open_ms, *_ in made.values()) // DAY
    all_days = starts(days, given)
    whole = set(all_days[:: max(1, len(all_days) // given.whole)])
    for day in all_days:
        for pair, (_, rows, labels, _) in made.items():
            begin, now = (day - given.train_days) * DAY, day * DAY
            known = labels[begin:now].copy()
            known[-HORIZON:] = np.nan  # of prices that are not there yet
            for side in given.sides:
                if side == "whole" and day not in whole:
                    continue
                name = f"candled {given.parameters}" if side == "candled" and given.parameters else side
                key = f"{given.strategy} {given.train_days} {given.test_size} {day} {pair} {name}"
                if key in kept:
                    continue
                predict, prepare_s, fit_s, trees = skill_fits.fitted(
                    side,
                    rows[begin:now],
                    known,
                    test_size=given.test_size,
                    weight_factor=0.9,
                    parameters=json.loads(given.parameters or "{}") if side == "candled" else {},
                )
                out, truth = predict(rows[now : now + DAY]), labels[now : now + DAY]
                naive = float(np.nanmean(known))
                kept.add(
                    key,
                    {
                        "day": day,
                        "pair": str(pair),
                        "side": name,
                        "ic": skill_fits.spearman(out, truth),
                        "sse": float(((out - truth) ** 2).sum()),
                        "sst": float(((naive - truth) ** 2).sum()),
                        "fit_s": round(fit_s, 4),
                        "prepare_s": round(prepare_s, 4),
                        "trees": trees,
                        "features": rows.shape[1],
                    },
                )


def figures(rows, ours, theirs="freqai"):
    """Mean IC of both sides over the windows that both have, their difference, and the CPU."""
    table = {
        side: {(row["day"], row["pair"]): row for row in rows if row["side"] == side}
        for side in (ours, theirs)
    }
    both = sorted(table[ours].keys() & table[theirs].keys())
    days = sorted({day for day, _ in both if sum(each == day for each, _ in both) == len(PAIRS)})
    if not days:
        return {"windows": 0}

    def values(side, name):
        return np.array([[table[side][day, str(pair)][name] for pair in PAIRS] for day in days])

    ic = {side: values(side, "ic") for side in (ours, theirs)}
    fit = {side: values(side, "fit_s") for side in (ours, theirs)}
    difference = ic[ours] - ic[theirs]

    def skill(side):
        return {
            "mean_ic": round(float(ic[side].mean()), 5),
            "mean_ic_95": skill_fits.interval(ic[side], np.mean),
            "r2": round(1 - float(values(side, "sse").sum() / values(side, "sst").sum()), 5),
            "cpu_s_per_fit": round(float(fit[side].mean()), 3),
            "trees": round(float(values(side, "trees").mean()), 1),
        }

    return {
        "windows": len(days),
        "fits_of_a_side": difference.size,
        "candled": skill(ours),
        "freqai": skill(theirs),
        "difference_of_mean_ic": round(float(difference.mean()), 5),
        "difference_95": skill_fits.interval(difference, np.mean),
        "by_pair": dict(zip(map(str, PAIRS), np.round(difference.mean(axis=0), 4).tolist(), strict=True)),
        "cpu_ratio": round(float(fit[ours].sum() / fit[theirs].sum()), 4),
        "cpu_ratio_95": skill_fits.interval(
            np.stack([fit[ours], fit[theirs]], axis=1), lambda drawn: drawn[:, 0].sum() / drawn[:, 1].sum()
        ),
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--keep", type=Path, required=True, help="file of figures, one JSON object a line")
    parser.add_argument("--strategy", default="FreqaiExampleStrategy")
    parser.add_argument("--windows", type=int, default=60)
    parser.add_argument("--train-days", type=int, default=30)
    parser.add_argument("--test-size", type=float, default=0.33)
    parser.add_argument(
        "--whole", type=int, default=5, help="windows in which FreqAI's side is fitted in full"
    )
    parser.add_argument("--sides", nargs="+", default=list(SIDES), choices=SIDES)
    parser.add_argument(
        "--tune", action="store_true", help="the first days' windows instead of the reported ones"
    )
    parser.add_argument("--parameters", default="", help="our side's model_training_parameters, JSON")
    given = parser.parse_args()
    frames, until_ms = candles(given.data)
    kept = skill_fits.Kept(given.keep)
    base = min(len(frames[CandleKey(pair, TIMEFRAMES[0])]) for pair in PAIRS)
    made = skill_fits.history(case(given, until_ms), frames, PAIRS, base // DAY * DAY)
    study(given, made, kept)
    ours = f"candled {given.parameters}" if given.parameters else "candled"
    wanted = f"{given.strategy} {given.train_days} {given.test_size} "
    rows = [row for row in kept.rows if row["key"].startswith(wanted)]
    wanted_days = set(starts(base // DAY, given))
    print(json.dumps(figures([row for row in rows if row["day"] in wanted_days], ours), indent=1))


if __name__ == "__main__":
    main()
