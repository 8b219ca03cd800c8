"""Strategies as people write them run from their own files, without freqtrade.

freqtrade's own example strategies are under another licence than this project. They are read from an
installed freqtrade, or from the folder that CANDLED_FREQTRADE_TEMPLATES names; without either, their test
is left out.
"""

import importlib.util
import os
import warnings
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from pandas.errors import Pandas4Warning
from strategy_fakes import Candles, Predictions, made_candles

from daemon.strategy.compat.enums import RunMode
from daemon.strategy.hooks import Hooks
from daemon.strategy.loader import load_strategy
from daemon.strategy.ports import bind

IDIOMS = Path(__file__).parent / "idioms"
META = {"pair": "ETH/USDT", "tf": "5m"}
FREQTRADES = ["FreqaiExampleStrategy", "FreqaiExampleHybridStrategy", "freqai_test_classifier"]


def connected(name, paths, config, **predicted):
    config["freqai"]["feature_parameters"] |= {"include_timeframes": ["5m"], "include_corr_pairlist": []}
    strategy = load_strategy(name, paths=paths, config=config)
    frames = {(pair, tf): made_candles(60, 60) for pair in ("ETH/USDT", "BTC/USDT") for tf in ("5m", "1h")}
    bind(strategy, predictions=Predictions(**predicted), candles=Candles(frames))
    hooks = Hooks(strategy)
    hooks.bot_start()
    return hooks


def wave(rows=400):
    return 0.02 * np.sin(np.arange(rows) / 10)


def features_of(hooks):
    made = hooks.expand_all(made_candles(), 10, META), hooks.expand_basic(made_candles(), META)
    frames = [*made, hooks.standard(made_candles(), {"pair": "ETH/USDT"})]
    return [name for frame in frames for name in frame.columns if name.startswith("%")]


def test_a_regression_strategy_with_everything_in_it_runs(config):
    columns = {"&-s_close": wave(), "&-s_close_mean": 0.0, "&-s_close_std": 0.01, "do_predict": 1}
    hooks = connected("Everyday", [IDIOMS], config, **columns)
    strategy = hooks.strategy.instance
    assert features_of(hooks) == [
        "%-rsi-period",
        "%-bb_width-period",
        "%-pct-change",
        "%-tf",
        "%-hour_of_day",
    ]
    assert hooks.targets(made_candles(), META)["&-s_close"].notna().sum() == 400 - 12 - 11
    frame = hooks.populate(made_candles(), {"pair": "ETH/USDT"})
    assert (frame["enter_long"] == 1).sum() == (wave() > 0.0125).sum() > 0
    assert (frame["exit_long"] == 1).sum() == (wave() < 0).sum()
    assert {"rsi_1h", "btc_usdt_rsi_1h", "slow_hours", "above"} <= set(frame.columns)
    assert strategy.started_in is RunMode.DRY_RUN
    assert strategy.protections == [{"method": "CooldownPeriod", "stop_duration_candles": 7}]
    assert strategy.names()[:3] == (True, True, "dry_run")
    noon = datetime(2024, 1, 1, 12, tzinfo=UTC)
    assert strategy.custom_exit("ETH/USDT", None, noon, 1.0, 0.0) is True
    assert strategy.custom_stoploss("ETH/USDT", None, noon, 1.0, 0.05) == pytest.approx(0.0285714285)


def test_a_classifier_with_a_helper_module_and_former_names_runs(config):
    classes = np.where(wave() > 0, "up", "down")
    hooks = connected("TwoClasses", [IDIOMS], config, **{"&s-up_or_down": classes})
    assert features_of(hooks) == ["%-momentum-period"]
    assert set(hooks.targets(made_candles(), META)["&s-up_or_down"]) == {"up", "down"}
    assert hooks.class_names == ("down", "up")
    frame = hooks.populate(made_candles(), {"pair": "ETH/USDT"})
    assert (frame["enter_long"] == 1).sum() == (classes == "up").sum()
    assert frame.loc[frame["enter_long"] == 1, "enter_tag"].unique().tolist() == ["up"]
    assert (frame["exit_long"] == 1).sum() == (classes == "down").sum()


def template_folders():
    named = os.environ.get("CANDLED_FREQTRADE_TEMPLATES")
    if named:
        return [Path(folder) for folder in named.split(os.pathsep)]
    spec = importlib.util.find_spec("freqtrade")
    return [Path(spec.origin).parent / "templates"] if spec and spec.origin else []


def has(name):
    return any(
        f"class {name}(" in file.read_text("utf-8")
        for folder in template_folders()
        for file in folder.glob("*.py")
    )


@pytest.mark.parametrize("name", FREQTRADES)
def test_freqtrades_own_examples_run_unmodified(name, config):
    if not has(name):
        pytest.skip("freqtrade's example strategies are not on this machine")
    columns = {"&-s_close": wave(), "do_predict": 1, "&s-up_or_down": np.where(wave() > 0, "up", "down")}
    hooks = connected(name, template_folders(), config, **columns)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Pandas4Warning)  # theirs: dt.dayofweek
        assert len(features_of(hooks)) >= 8
        targets = hooks.targets(made_candles(), META)
    assert any(column.startswith("&") for column in targets.columns)
    frame = hooks.populate(made_candles(), {"pair": "ETH/USDT"})
    assert 0 < (frame["enter_long"] == 1).sum() < len(frame)
    assert set(frame["enter_tag"]) <= {"long", "short", ""}
