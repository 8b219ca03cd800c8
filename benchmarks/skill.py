"""How much of what can be known our default CatBoost learns, on the simulated exchange.

  python benchmarks/skill.py --keep FILE [--seeds 10] [--train-days 30]

The candles hold a structure whose best possible prediction is known (docs/simulated-exchange.md). For each seed and each
of eight pairs: train on --train-days, predict the 14 days after them, which the model has not seen, and compare its R2
with that of the best prediction on the same candles. --strategy: BusyMarket (5 features that see the structure) or
CandledExampleStrategy with the settings of config.example.json (434 features).

Figures go to --keep as they come; a study that was ended goes on. Prints one JSON object. --parameters (JSON) changes
what is trained, for tuning on seeds other than the reported ones: see docs/skill.md.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import skill_fits
from skill_fits import DAY, HORIZON

from daemon.core.clock import FakeClock
from daemon.core.market import CandleKey, CandleRequest
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe
from daemon.market.simulated import ORIGIN_MS, SimulatedMarket

HERE = Path(__file__).resolve().parent
TIMEFRAMES = [Timeframe(text) for text in ("5m", "15m", "1h")]
PAIRS = [Pair(f"{coin}/USDT") for coin in ("BTC", "ETH", "SOL", "XRP", "DOGE", "LINK", "ATOM", "LTC")]
LEAD_DAYS = 30
"""Candles before the training window: rows of hours need a measured warm-up of up to 512 of them."""
TESTED_DAYS = 14
REPORTED, TUNED = 1000, 1
"""First seed of the report, and of tuning."""
CASES = {
    # What the structure shows in, and little else.
    "BusyMarket": {
        "strategy_file": HERE / "strategies" / "busy_market.py",
        "timeframes": ["5m"],
        "correlated": [],
        "periods": [2, 6, 24],
        "shifts": 0,
    },
    # config.example.json as it is: five features in six know nothing of the structure.
    "CandledExampleStrategy": {
        "strategy_file": HERE.parent / "daemon" / "strategy" / "examples" / "candled_example.py",
        "timeframes": [str(timeframe) for timeframe in TIMEFRAMES],
        "correlated": ["BTC/USDT", "ETH/USDT"],
        "periods": [10, 20],
        "shifts": 2,
    },
}


def candles(market, until_ms):
    """Everything from the origin on, as the exchange serves it."""
    found = {}
    for pair in PAIRS:
        for timeframe in TIMEFRAMES:
            key, parts, since_ms = CandleKey(pair, timeframe), [], ORIGIN_MS
            while since_ms < until_ms:
                (page,) = market.fetch([CandleRequest(key=key, since_ms=since_ms, limit=1000)], 60.0)
                page = page.between(since_ms, until_ms - timeframe.ms)
                parts.append(page)
                since_ms = int(page.open_ms[-1]) + timeframe.ms
            found[key] = type(parts[0])(
                np.concatenate([part.open_ms for part in parts]),
                np.concatenate([part.values for part in parts]),
            )
    return found


def best(market, pair, open_ms):
    """The best prediction of the strategy's label: the mean of the next 24 closes, relative to this one."""
    return np.mean([market.expected_return(pair, open_ms, ahead) for ahead in range(1, HORIZON + 1)], axis=0)


def study(given, seed, kept):
    days = LEAD_DAYS + given.train_days + TESTED_DAYS
    until_ms = ORIGIN_MS + days * 86_400_000
    wanted = {
        pair: f"{given.strategy} {given.train_days} {seed} {pair} {given.parameters or 'defaults'}"
        for pair in PAIRS
    }
    if all(key in kept for key in wanted.values()):
        return
    market = SimulatedMarket(pairs=PAIRS, seed=seed, clock=FakeClock(until_ms))
    made = skill_fits.history(
        {
            **CASES[given.strategy],
            "strategy": given.strategy,
            "pair": str(PAIRS[0]),
            "label_period_candles": HORIZON,
            "until_ms": until_ms,
        },
        candles(market, until_ms),
        PAIRS,
        (given.train_days + TESTED_DAYS) * DAY,
    )
    for pair, (open_ms, rows, labels, _) in made.items():
        now = given.train_days * DAY
        known = labels[:now].copy()
        known[-HORIZON:] = np.nan
        predict, _, fit_s, trees = skill_fits.fitted(
            "candled",
            rows[:now],
            known,
            test_size=given.test_size,
            weight_factor=0.0,
            parameters=json.loads(given.parameters or "{}"),
        )
        tested = slice(now, len(labels) - HORIZON)
        out, truth, known_best = predict(rows[tested]), labels[tested], best(market, pair, open_ms[tested])
        kept.add(
            wanted[pair],
            {
                "strategy": given.strategy,
                "train_days": given.train_days,
                "seed": seed,
                "pair": str(pair),
                "parameters": given.parameters or "defaults",
                "model_sse": float(((out - truth) ** 2).mean()),
                "best_sse": float(((known_best - truth) ** 2).mean()),
                "sst": float((truth**2).mean()),
                "best_power": float((known_best**2).mean()),
                "distance": float(((out - known_best) ** 2).mean()),
                "ic": skill_fits.spearman(out, truth),
                "best_ic": skill_fits.spearman(known_best, truth),
                "fit_s": round(fit_s, 4),
                "trees": trees,
                "features": rows.shape[1],
            },
        )


def figures(rows):
    """Pooled over all pairs and seeds: R2 of both, their ratio with an interval, and the same from the known best."""
    if not rows:
        return {"fits": 0}
    names = ("model_sse", "best_sse", "sst", "best_power", "distance", "ic", "best_ic", "fit_s", "trees")
    # Returns of pairs differ in size: each pair and seed weighs alike once divided by its label's power.
    table = np.array([[row[name] for name in names] for row in rows])
    table[:, :5] /= table[:, 2:3].copy()
    seeds = [row["seed"] for row in rows]
    blocks = np.array([table[[each == seed for each in seeds]].mean(axis=0) for seed in sorted(set(seeds))])

    def of_r2(drawn):
        model, optimum = 1 - drawn[:, 0].mean(), 1 - drawn[:, 1].mean()
        return model / optimum

    def of_distance(drawn):
        return 1 - drawn[:, 4].mean() / drawn[:, 3].mean()

    mean = dict(zip(names, blocks.mean(axis=0), strict=True))
    return {
        "seeds": len(blocks),
        "fits": len(rows),
        "best_r2": round(1 - mean["best_sse"], 4),
        "model_r2": round(1 - mean["model_sse"], 4),
        "share_of_best_r2": round(float(of_r2(blocks)), 3),
        "share_of_best_r2_95": skill_fits.interval(blocks, of_r2),
        "share_by_distance": round(float(of_distance(blocks)), 3),
        "share_by_distance_95": skill_fits.interval(blocks, of_distance),
        "best_ic": round(mean["best_ic"], 4),
        "model_ic": round(mean["ic"], 4),
        "trees": round(mean["trees"], 1),
        "cpu_s_per_fit": round(mean["fit_s"], 3),
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", type=Path, required=True, help="file of figures, one JSON object a line")
    parser.add_argument("--strategy", default="BusyMarket", choices=CASES)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--train-days", type=int, default=30)
    parser.add_argument("--test-size", type=float, default=0.1)
    parser.add_argument("--tune", action="store_true", help="other seeds than the reported ones")
    parser.add_argument("--parameters", default="", help="model_training_parameters, JSON")
    given = parser.parse_args()
    kept = skill_fits.Kept(given.keep)
    first = TUNED if given.tune else REPORTED
    seeds = range(first, first + given.seeds)
    for seed in seeds:
        study(given, seed, kept)
    rows = [
        row
        for row in kept.rows
        if row["seed"] in seeds
        and row["strategy"] == given.strategy
        and row["train_days"] == given.train_days
        and row["parameters"] == (given.parameters or "defaults")
    ]
    print(json.dumps(figures(rows), indent=1))


if __name__ == "__main__":
    main()
