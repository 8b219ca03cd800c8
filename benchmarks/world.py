"""A folder with everything that a daemon needs to run on the peer's own candles: config, candles, strategy."""

import importlib.util
import json
import os
import sys
from pathlib import Path

TIMEFRAMES = ["5m", "15m", "1h"]


def market_data(peer_scripts):
    """The peer's candle generator, a module."""
    spec = importlib.util.spec_from_file_location("peer_market_data", peer_scripts / "data.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build(
    folder,
    peer_scripts,
    *,
    pairs,
    days=75,
    strategy="FreqaiExampleStrategy",
    strategy_path=None,
    speed=300,
    model="CatboostRegressor",
    features=None,
    threads=1,
    **freqai,
):
    """Candles of BTC, ETH and so many coins, and a config over them; the path of the config.

    FreqaiExampleStrategy is read from the freqtrade installation that PEER_PYTHON names, from its own file.
    ``features`` are feature parameters over those below, ``freqai`` other keys of that section.
    """
    data = market_data(peer_scripts)
    data.write_market(data.make_market(pairs, days), folder / "candles")
    config = {
        "timeframe": "5m",
        "stake_currency": "USDT",
        "strategy": strategy,
        "strategy_path": str(strategy_path or templates()),
        "freqaimodel": model,
        "exchange": {"name": "simulated", "pair_whitelist": data.pair_names(pairs)},
        "freqai": {
            "enabled": True,
            "identifier": "bench",
            "train_period_days": 30,
            "live_retrain_hours": 1000,
            "expiration_hours": 0,
            "feature_parameters": {
                "include_timeframes": TIMEFRAMES,
                "include_corr_pairlist": data.corr_names(),
                "label_period_candles": 20,
                "include_shifted_candles": 2,
                "weight_factor": 0.9,
                "indicator_periods_candles": [10, 20],
                **(features or {}),
            },
            "data_split_parameters": {"test_size": 0.33},
            "model_training_parameters": {"iterations": 100},
            **freqai,
        },
        "candled": {
            "training": {"threads": threads},
            "simulated": {"speed": speed, "replay": str(folder / "candles")},
        },
    }
    path = folder / "config.json"
    path.write_text(json.dumps(config, indent=1))
    return path


def templates():
    """The folder of freqtrade's own example strategies, beside PEER_PYTHON's packages."""
    python = os.environ.get("PEER_PYTHON")
    if not python:
        sys.exit("PEER_PYTHON is not set: the strategy of the comparison is read from freqtrade's own file")
    return next(Path(python).parent.parent.glob("lib/python3*/site-packages/freqtrade/templates"))
