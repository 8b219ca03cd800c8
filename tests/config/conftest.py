"""A small sound document, and a way to load it from files."""

import copy
import json

import pytest

from daemon.config import load_settings
from daemon.core.errors import ConfigError

SOUND = {
    "timeframe": "5m",
    "stake_currency": "USDT",
    "strategy": "Mine",
    "exchange": {"name": "simulated", "pair_whitelist": ["BTC/USDT", "ETH/USDT"]},
    "freqai": {
        "identifier": "one",
        "train_period_days": 30,
        "feature_parameters": {"include_timeframes": ["5m", "1h"]},
    },
}


@pytest.fixture
def document():
    return copy.deepcopy(SOUND)


@pytest.fixture
def written(tmp_path):
    """Write a document (or a text) to a file and return its path."""

    def write(content, name="config.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        return path

    return write


@pytest.fixture
def loaded(written):
    """Settings of a document, with an empty environment."""

    def load(content, **options):
        return load_settings([written(content)], **{"env": {}, **options})

    return load


@pytest.fixture
def refusal(loaded):
    """The message with which a document is refused."""

    def load(content, **options):
        with pytest.raises(ConfigError) as caught:
            loaded(content, **options)
        return str(caught.value)

    return load
