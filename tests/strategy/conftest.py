"""Strategies written on the spot, and connected."""

import textwrap

import pytest
from strategy_fakes import Candles, Predictions

from daemon.strategy.hooks import Hooks
from daemon.strategy.loader import load_strategy
from daemon.strategy.ports import bind

SOUND = """
    stoploss = -0.1
    timeframe = "5m"
    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        dataframe["%-change"] = dataframe["close"].pct_change()
        return dataframe
    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        dataframe["&-next"] = dataframe["close"].shift(-1)
        return dataframe
"""


@pytest.fixture
def folder(tmp_path):
    """folder(**files): a folder of Python files, by stem."""

    def written(**files):
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(textwrap.dedent(text), encoding="utf-8")
        return tmp_path

    return written


@pytest.fixture
def config():
    return {
        "timeframe": "5m",
        "stake_currency": "USDT",
        "dry_run": True,
        "freqai": {"enabled": True, "feature_parameters": {"label_period_candles": 12}},
    }


@pytest.fixture
def load(folder, config):
    """load(text, ...): the strategy of class S in a file of that text."""

    def loaded(text, name="S", **files):
        return load_strategy(name, paths=[folder(strategy=text, **files)], config=config)

    return loaded


@pytest.fixture
def sound(load):
    """sound(body, head): a complete strategy with more methods in it, and lines before it."""

    def loaded(body="", head="", **files):
        text = "from freqtrade.strategy import IStrategy, informative\n" + textwrap.dedent(head)
        text += "class S(IStrategy):\n" + SOUND + textwrap.indent(textwrap.dedent(body).lstrip("\n"), "    ")
        return load(text, **files)

    return loaded


@pytest.fixture
def bound():
    """bound(strategy, candles, predictions): its hooks, connected."""

    def connected(strategy, candles=None, predictions=None, clock=None):
        bind(
            strategy,
            predictions=predictions or Predictions(),
            candles=candles or Candles(),
            clock=clock,
        )
        return Hooks(strategy)

    return connected
