"""Whether we make of the same candles what FreqAI makes: features, labels, split, weights, pipeline, predictions.

  PEER_PYTHON=... python benchmarks/parity.py --data FOLDER [--pairs SOL/USDT ...] [--days 14] [--json FILE]

FOLDER holds 5-minute candle files in freqtrade's layout (BTC_USDT-5m.feather, ...), BTC, ETH and the pairs among
them; 15m and 1h are made from those. Two strategies: freqtrade's FreqaiExampleStrategy, from PEER_PYTHON's own file,
and tests/strategies/every_hook.py. Prints one JSON object: the worst deviation of each item, its bar, whether it
holds. The exit status is 1 where a bar fails.

Models are compared on one and the same rows, ours, which FreqAI's pipeline and model are given too, and in one number
format: behind its pipeline FreqAI's rows are made float32, as ours are. A booster grown on rows that differ in the
seventh digit is another booster: scaled to [-1, 1], a few values out of millions that float64 keeps apart are one
float32, a tie between two splits falls the other way, and all later trees differ. `lightgbm.apart` shows how far apart
predictions then are, in the label's standard deviations: FreqAI from itself in the two formats (`freqai_formats`), ours
from FreqAI's float64 (`ours_float64`), and with each side's own rows (`own_rows`) ours from FreqAI, ours from FreqAI with its own
setting ``reduce_df_footprint``, and FreqAI from itself with and without that setting.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import world

from daemon.core.market import CandleKey
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe
from daemon.market.feather import candle_path, read_candles, write_candles
from daemon.market.resample import resampled

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "tests" / "parity"))
import parity_side as ours  # noqa: E402

DAY_MS = 86_400_000
BASE, OTHERS = Timeframe("5m"), (Timeframe("15m"), Timeframe("1h"))
LIGHTGBM = {
    "n_estimators": 100,
    "learning_rate": 0.1,
    "num_leaves": 31,
    "feature_fraction": 1.0,
    "max_bin": 255,
    "early_stopping_rounds": 0,
    "random_state": 1,
    "n_jobs": 1,
    "verbosity": -1,
    # Left to itself LightGBM times two orders of summation and takes the faster: ties fall now so, now so.
    "deterministic": True,
    "force_row_wise": True,
}
XGBOOST = {
    "n_estimators": 100,
    "learning_rate": 0.3,
    "max_depth": 6,
    "colsample_bylevel": 1.0,
    "max_bin": 256,
    "early_stopping_rounds": None,
    "random_state": 1,
    "n_jobs": 1,
}
FEW = {**LIGHTGBM, "n_estimators": 3}
SVM = {"use_SVM_to_remove_outliers": True, "svm_params": {"shuffle": False, "nu": 0.05}}
# Without test rows where outliers are removed: FreqAI's training fails where all of them are outliers.
TRAININGS = {
    "lightgbm": {"model": "LightGBMRegressor", "parameters": LIGHTGBM, "feature_parameters": {}},
    "xgboost": {"model": "XGBoostRegressor", "parameters": XGBOOST, "feature_parameters": {}},
    "pca": {
        "model": "LightGBMRegressor",
        "parameters": FEW,
        "feature_parameters": {"principal_component_analysis": True},
    },
    "svm": {"model": "LightGBMRegressor", "test_size": 0, "parameters": FEW, "feature_parameters": SVM},
    "di": {
        "model": "LightGBMRegressor",
        "test_size": 0,
        "parameters": FEW,
        "feature_parameters": {"DI_threshold": 0.6},
    },
    "all": {
        "model": "LightGBMRegressor",
        "test_size": 0,
        "parameters": FEW,
        "feature_parameters": {**SVM, "principal_component_analysis": True, "DI_threshold": 0.6},
    },
}
BARS = {
    "names": 0,  # names that differ, or stand elsewhere
    "values": 1e-5,  # of a column's range
    "later_values": 1e-5,
    "labels": 1e-5,
    "rows": 0,  # rows that differ
    "split": 0,
    "weights": 1e-12,
    "label_mean_std": 1e-5,  # of the label's standard deviation
    "scaled": 1e-5,  # of [-1, 1]'s half
    "components": 1e-3,  # of the same, up to their sign
    "removed": 0,  # training rows that one side removes
    "do_predict": 0,  # later rows that differ
    "di": 1e-3,  # of the index
    "predictions": 1e-4,  # of the label's standard deviation
}


def candles(folder, work, pairs, days, history_days):
    """Candles of every pair and timeframe, the same number for each; also written for the peer."""
    found, last_ms = {}, None
    for pair in pairs:
        base = read_candles(candle_path(folder, CandleKey(pair, BASE)), BASE)
        last_ms = OTHERS[-1].floor(int(base.open_ms[-1])) if last_ms is None else last_ms
        base = base.between(last_ms - (days + 1 + history_days) * DAY_MS, last_ms - BASE.ms)
        for timeframe in (BASE, *OTHERS):
            frame = base if timeframe == BASE else resampled(base, timeframe)[0]
            key = CandleKey(pair, timeframe)
            found[key] = frame
            with candle_path(work, key).open("wb") as stream:
                write_candles(frame, stream)
    return found, last_ms


def peers(work, case):
    python = os.environ.get("PEER_PYTHON")
    if not python:
        sys.exit("PEER_PYTHON is not set: name the python of a venv that has freqtrade")
    (work / "case.json").write_text(json.dumps(case))
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [python, str(HERE / "parity_peer.py"), str(work)]
    subprocess.run(command, cwd=work, check=True, env=env, stdout=subprocess.DEVNULL)
    with np.load(work / "peer.npz") as arrays:
        return {**dict(arrays), **json.loads((work / "peer.json").read_text())}


def compared(case, mine, peer):
    """Item -> worst deviation, in the unit of its bar."""
    out = {"names": _different(mine["names"], peer["features"]) + _different([mine["label"]], peer["labels"])}
    out["values"], worst = _of_range(mine["names"], mine["train_values"], peer["train_values"])
    out["later_values"], later_worst = _of_range(
        mine["names"], mine["later_values"], peer["later_values"], peer["train_values"]
    )
    known = np.isfinite(peer["label_values"])
    deviation = float(peer["label_values"][known].std())
    out["labels"] = _worst(mine["labels"], peer["label_values"]) / deviation
    rows = ours.rows(case, mine["train_values"], mine["labels"])
    out["rows"] = _different(rows["kept"].tolist(), peer["kept"].tolist())
    out["split"] = sum(_different(rows[k].tolist(), peer[k].tolist()) for k in ("train_rows", "test_rows"))
    out["weights"] = max(_worst(rows[k], peer[k]) for k in ("train_weights", "test_weights"))
    details = {"warm_up": mine["warm_up"], "reads": mine["reads"], "columns": len(mine["names"])}
    details |= {"rows": len(rows["kept"]), "worst_columns": {"values": worst, "later_values": later_worst}}
    for name, wanted in case["trainings"].items():
        found = ours.training(case, wanted, mine)
        theirs = {key.partition("/")[2]: value for key, value in peer.items() if key.startswith(f"{name}/")}
        for item, value in trained(wanted, found, theirs, deviation).items():
            out[f"{name}/{item}"] = value
        details[name] = {
            "removed": found["removed"],
            "columns": found["train"].shape[1],
            "objections": int((found["do_predict"] != 1).sum()),
        }
        if name in case["given_rows"]:
            details[name]["apart"] = apart(found["predictions"], theirs, deviation)
    return out, details


def apart(mine, theirs, deviation):
    """How far predictions are apart where the rows are not the same to the last bit."""

    def worst(a, b):
        return float(f"{_worst(a, b) / deviation:.3g}")

    own, reduced, wide = (theirs[f"{k}predictions"] for k in ("", "reduced_", "given_float64_"))
    return {
        "freqai_formats": worst(theirs["given_predictions"], wide),
        "ours_float64": worst(mine, wide),
        "own_rows": {
            "ours_freqai": worst(mine, own),
            "ours_freqai_reduced": worst(mine, reduced),
            "freqai_freqai_reduced": worst(own, reduced),
        },
    }


def trained(wanted, found, theirs, deviation):
    out = {"removed": len(np.setxor1d(found["kept_weights"], theirs["kept_weights"]))}
    out["label_mean_std"] = _worst(found["label_mean_std"], theirs["label_mean_std"]) / deviation
    out["do_predict"] = int((found["do_predict"] != theirs["do_predict"]).sum())
    components = wanted["feature_parameters"].get("principal_component_analysis", False)
    for part in ("train", "later"):
        a, b = found[part].astype(np.float64), theirs[part]
        name = f"{'components' if components else 'scaled'}/{part}"
        if a.shape != b.shape:
            out[name] = float("inf")
        else:
            signs = np.where((a * b).sum(axis=0) < 0, -1, 1) if components else 1
            out[name] = float(np.abs(a * signs - b).max())
    if wanted["feature_parameters"].get("DI_threshold"):
        out["di"] = float(np.abs(found["di"] / theirs["di"] - 1).max())
    if wanted["parameters"]["n_estimators"] > FEW["n_estimators"]:
        out["predictions"] = _worst(found["predictions"], theirs["given_predictions"]) / deviation
    return out


def _different(mine, theirs):
    return sum(a != b for a, b in zip(mine, theirs, strict=False)) + abs(len(mine) - len(theirs))


def _worst(mine, theirs):
    if mine.shape != theirs.shape or not np.array_equal(np.isnan(mine), np.isnan(theirs)):
        return float("inf")
    return float(np.nanmax(np.abs(mine - theirs), initial=0.0))


def _of_range(names, mine, theirs, ranged=None):
    """Worst deviation over the range of its column, and the three worst columns by name."""
    theirs = np.where(np.isfinite(theirs), theirs, np.nan)
    if mine.shape != theirs.shape or not np.array_equal(np.isnan(mine), np.isnan(theirs)):
        return float("inf"), {}
    ranged = theirs if ranged is None else ranged
    span = np.nanmax(ranged, axis=0) - np.nanmin(ranged, axis=0)
    off = np.nanmax(np.abs(mine - theirs), axis=0)
    share = np.divide(off, span, out=np.where(off > 0, np.inf, 0.0), where=span > 0)
    worst = np.argsort(-share, kind="stable")[:3]
    return float(share.max()), {names[i]: float(share[i]) for i in worst}


def bar_of(item):
    return next(BARS[part] for part in reversed(item.split("/")) if part in BARS)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pairs", nargs="*", default=["SOL/USDT", "BTC/USDT"])
    parser.add_argument("--days", type=int, default=14, help="of the training window")
    parser.add_argument("--json", type=Path, help="also write the JSON object here")
    given = parser.parse_args()
    correlated = ["BTC/USDT", "ETH/USDT"]
    strategies = {
        "FreqaiExampleStrategy": world.templates() / "FreqaiExampleStrategy.py",
        "EveryHook": HERE.parent / "tests" / "strategies" / "every_hook.py",
    }
    report, failed = {}, []
    with tempfile.TemporaryDirectory(prefix="candled-parity-") as name:
        work = Path(name)
        pairs = [Pair(text) for text in dict.fromkeys([*correlated, *given.pairs])]
        frames, last_ms = candles(given.data, work, pairs, given.days, history_days=60)
        for strategy, file in strategies.items():
            for pair in given.pairs:
                train_end_ms = last_ms - DAY_MS
                case = {
                    "strategy": strategy,
                    "strategy_file": str(file),
                    "pair": pair,
                    "timeframes": [BASE, *OTHERS],
                    "correlated": correlated,
                    "periods": [10, 20],
                    "shifts": 2,
                    "label_period_candles": 24,
                    "weight_factor": 0.9,
                    "test_size": 0.25,
                    "history_ms": train_end_ms - (given.days + 30) * DAY_MS,
                    "train_first_ms": train_end_ms - given.days * DAY_MS,
                    "train_end_ms": train_end_ms,
                    "later_end_ms": last_ms,
                    "trainings": TRAININGS,
                    "given_rows": ["lightgbm", "xgboost"],
                }
                mine = ours.features(case, frames)
                np.savez(work / "given.npz", **{k: mine[k] for k in ("train_values", "later_values")})
                found, details = compared(case, mine, peers(work, case))
                bad = [item for item, value in found.items() if not value <= bar_of(item)]
                failed += [f"{strategy} {pair} {item}" for item in bad]
                report[f"{strategy} {pair}"] = {
                    "worst": {item: float(f"{value:.3g}") for item, value in found.items()},
                    **details,
                }
    figures = {"bars": BARS, "cases": report, "failed": failed, "holds": not failed}
    text = json.dumps(figures, indent=1)
    print(text)
    if given.json:
        given.json.write_text(text + "\n")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
