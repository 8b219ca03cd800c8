"""candled's own examples: they run, they do not look ahead, and they give signals now and then."""

import numpy as np
import pandas as pd
import pytest
from strategy_fakes import Candles, Predictions, made_candles

from daemon.strategy.hooks import Hooks
from daemon.strategy.loader import load_strategy
from daemon.strategy.ports import bind

META = {"pair": "ETH/USDT", "tf": "5m"}
NAMES = ["CandledExampleStrategy", "CandledExampleClassifier"]


@pytest.fixture
def example(config):
    def connected(name, **predicted):
        strategy = load_strategy(name, paths=[], config=config)
        bind(strategy, predictions=Predictions(**predicted), candles=Candles())
        return Hooks(strategy)

    return connected


def features(hooks, candles):
    frames = [hooks.expand_all(candles.copy(), period, META).add_suffix(f"_{period}") for period in (10, 20)]
    frames += [hooks.expand_basic(candles.copy(), META), hooks.standard(candles.copy(), META)]
    made = pd.concat(frames, axis=1)
    return made[[name for name in made.columns if name.startswith("%")]]


@pytest.mark.parametrize("name", NAMES)
def test_features_are_numbers_once_the_longest_window_is_filled(example, name):
    made = features(example(name), made_candles())
    assert made.shape[1] >= 10
    assert np.isfinite(made.iloc[300:].to_numpy(float)).all()


@pytest.mark.parametrize("name", NAMES)
def test_features_depend_on_no_later_candle(example, name):
    candles = made_candles()
    whole, start = features(example(name), candles), features(example(name), candles.head(350))
    pd.testing.assert_frame_equal(whole.head(350), start)


@pytest.mark.parametrize("name", NAMES)
def test_a_standing_market_without_volume_breaks_nothing(example, name):
    candles = made_candles()
    flat = candles.assign(open=100.0, high=100.0, low=100.0, close=100.0, volume=0.0)
    assert not np.isinf(features(example(name), flat).to_numpy(float)).any()


def test_the_target_is_the_mean_of_the_next_closes_relative_to_now(example):
    candles = made_candles(50)
    target = example("CandledExampleStrategy").targets(candles.copy(), META)["&-s_close"]
    close = candles["close"]
    assert target.iloc[20] == pytest.approx(close.iloc[21:33].mean() / close.iloc[20] - 1)
    assert target.iloc[20:].isna().sum() == 12


def test_the_classes_say_where_the_price_stands_later_and_nothing_where_that_is_unknown(example):
    candles = made_candles(50)
    hooks = example("CandledExampleClassifier")
    target, close = hooks.targets(candles.copy(), META)["&s-up_or_down"], candles["close"]
    assert target.iloc[5] == ("up" if close.iloc[17] > close.iloc[5] else "down")
    assert target.isna().sum() == 12
    assert hooks.class_names == ("down", "up")


def test_a_prediction_above_the_usual_enters_and_the_opposite_exits(example):
    columns = {
        "&-s_close": [0.0, 0.006, 0.006, -0.001, -0.003],
        "&-s_close_mean": 0.0,
        "&-s_close_std": 0.01,
        "do_predict": [1, 1, 0, 1, 1],
    }
    frame = example("CandledExampleStrategy", **columns).populate(made_candles(5), {"pair": "ETH/USDT"})
    assert frame["enter_long"].fillna(0).tolist() == [0, 1, 0, 0, 0]
    assert frame["exit_long"].fillna(0).tolist() == [0, 0, 0, 0, 1]
    assert frame["enter_tag"].tolist() == ["", "rise predicted", "", "", ""]


def test_a_likely_class_enters_and_the_other_exits(example):
    columns = {"up": [0.5, 0.7, 0.7, 0.3], "down": [0.5, 0.3, 0.3, 0.7], "do_predict": [1, 1, 0, 1]}
    frame = example("CandledExampleClassifier", **columns).populate(made_candles(4), {"pair": "ETH/USDT"})
    assert frame["enter_long"].fillna(0).tolist() == [0, 1, 0, 0]
    assert frame["exit_long"].fillna(0).tolist() == [0, 0, 0, 1]
