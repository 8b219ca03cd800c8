"""Candles and settings of the golden files: made by code, the same ones for FreqAI and for us."""

from pathlib import Path

import numpy as np

from daemon.core.candles import CandleFrame
from daemon.core.market import CandleKey
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe
from daemon.market.resample import resampled

GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).parent.parent.parent
STRATEGIES = {
    "CandledExampleStrategy": ROOT / "daemon" / "strategy" / "examples" / "candled_example.py",
    "EveryHook": ROOT / "tests" / "strategies" / "every_hook.py",
}
BASE, LONGER = Timeframe("5m"), Timeframe("15m")
PAIRS = ("ADA/USDT", "BTC/USDT")
FIRST_MS = 1_727_740_800_000  # 2024-10-01 00:00 UTC
HISTORY, WINDOW, LATER = 2_400, 600, 60
LIGHTGBM = {
    "n_estimators": 10,
    "learning_rate": 0.1,
    "num_leaves": 7,
    "feature_fraction": 1.0,
    "max_bin": 31,
    "early_stopping_rounds": 0,
    "random_state": 1,
    "n_jobs": 1,
    "verbosity": -1,
}
XGBOOST = {
    "n_estimators": 10,
    "learning_rate": 0.3,
    "max_depth": 3,
    "colsample_bylevel": 1.0,
    "max_bin": 32,
    "early_stopping_rounds": None,
    "random_state": 1,
    "n_jobs": 1,
}
SVM = {"use_SVM_to_remove_outliers": True, "svm_params": {"shuffle": False, "nu": 0.1}}


def candles():
    """Series -> candles: a walk that turns, with volumes that come in bursts; no gaps."""
    found = {}
    for i, pair in enumerate(PAIRS):
        rng = np.random.default_rng(40 + i)
        n = HISTORY + WINDOW + LATER
        steps = 0.002 * rng.standard_normal(n) + 0.001 * np.sin(np.arange(n) / 9)
        close = np.round((0.4, 60_000.0)[i] * np.exp(np.cumsum(steps)), (5, 2)[i])
        opens = np.concatenate((close[:1], close[:-1]))
        spread = 1 + 0.001 * rng.random((2, n))
        high, low = np.maximum(opens, close) * spread[0], np.minimum(opens, close) / spread[1]
        volume = np.round(1e4 * np.exp(rng.standard_normal(n)), 1)
        open_ms = FIRST_MS + BASE.ms * np.arange(n, dtype=np.int64)
        base = CandleFrame(open_ms, np.column_stack((opens, high, low, close, volume)))
        found[CandleKey(Pair(pair), BASE)] = base
        found[CandleKey(Pair(pair), LONGER)] = resampled(base, LONGER)[0]
    return found


def case(strategy):
    """What is asked of either side."""
    train_first_ms = FIRST_MS + HISTORY * BASE.ms
    train_end_ms = train_first_ms + WINDOW * BASE.ms
    few = {**LIGHTGBM, "n_estimators": 1}

    def steps(**feature_parameters):
        # Without test rows: FreqAI's training fails where all of them are outliers.
        wanted = {"model": "LightGBMRegressor", "parameters": few, "test_size": 0}
        return {**wanted, "feature_parameters": feature_parameters}

    return {
        "strategy": strategy,
        "strategy_file": str(STRATEGIES[strategy]),
        "pair": PAIRS[0],
        "timeframes": [BASE, LONGER],
        "correlated": [PAIRS[1]],
        "periods": [10],
        "shifts": 1,
        "label_period_candles": 12,
        "weight_factor": 0.9,
        "test_size": 0.2,
        "history_ms": FIRST_MS,
        "train_first_ms": train_first_ms,
        "train_end_ms": train_end_ms,
        "later_end_ms": train_end_ms + LATER * BASE.ms,
        "trainings": {
            "lightgbm": {"model": "LightGBMRegressor", "parameters": LIGHTGBM, "feature_parameters": {}},
            "xgboost": {"model": "XGBoostRegressor", "parameters": XGBOOST, "feature_parameters": {}},
            "pca": steps(principal_component_analysis=True),
            "svm": steps(**SVM),
            "di": steps(DI_threshold=0.6),
            "all": steps(principal_component_analysis=True, DI_threshold=0.6, **SVM),
        },
        "given_rows": [],
    }
