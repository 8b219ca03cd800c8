"""The market, the pairs and the configuration that several rooms' tests share."""

from pathlib import Path

from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe

STRATEGIES = Path(__file__).parent / "strategies"
DAY_MS = 86_400_000
NOW_MS = 1_767_225_600_000  # 2026-01-01 00:00 UTC
PAIRS = tuple(Pair(text) for text in ("BTC/USDT", "ETH/USDT", "SOL/USDT"))
BASE = Timeframe("5m")


def strategy_config(**feature_parameters):
    parameters = {
        "include_timeframes": ["5m", "15m"],
        "include_corr_pairlist": ["BTC/USDT"],
        "indicator_periods_candles": [10],
        "include_shifted_candles": 1,
        "label_period_candles": 12,
    }
    return {
        "timeframe": "5m",
        "stake_currency": "USDT",
        "dry_run": True,
        "exchange": {"pair_whitelist": [str(pair) for pair in PAIRS]},
        "freqai": {"enabled": True, "feature_parameters": {**parameters, **feature_parameters}},
    }
