"""Parameters: their values, and which of several sources counts."""

import json

import pytest

from daemon.core.errors import StrategyError
from daemon.strategy.compat.exceptions import OperationalException
from daemon.strategy.parameters import (
    BooleanParameter,
    CategoricalParameter,
    DecimalParameter,
    IntParameter,
    RealParameter,
)


@pytest.mark.parametrize(
    ("parameter", "value", "candidates"),
    [
        (IntParameter(1, 10, default=5), 5, [5]),
        (IntParameter([1, 10], default=5), 5, [5]),
        (DecimalParameter(0, 1, default=0.123456), 0.123, [0.123]),
        (DecimalParameter([0, 1], default=0.19, decimals=1), 0.2, [0.2]),
        (RealParameter(0, 1, default=0.123456), 0.123456, [0.123456]),
        (CategoricalParameter(["a", "b"], default="b"), "b", ["b"]),
        (CategoricalParameter(["a", "b"]), None, [None]),
        (BooleanParameter(default=True), True, [True]),
    ],
)
def test_a_parameter_has_its_default_and_a_range_of_it_alone(parameter, value, candidates):
    assert parameter.value == value
    assert list(parameter.range) == candidates
    assert repr(parameter) == f"{type(parameter).__name__}({value})"


def test_a_decimal_is_rounded_whenever_it_is_set():
    parameter = DecimalParameter(0, 1, default=0.5, decimals=2)
    parameter.value = 0.98765
    assert parameter.value == 0.99


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: IntParameter(1, default=5),
        lambda: IntParameter([1], default=5),
        lambda: RealParameter([1, 2], 3, default=1),
        lambda: CategoricalParameter(["only"]),
        lambda: IntParameter(1, 2, default=1, name="x"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(wrong):
    with pytest.raises(OperationalException):
        wrong()


BODY = """
    buy_a = IntParameter(1, 100, default=1)
    buy_b = IntParameter(1, 100, default=1)
    buy_c = IntParameter(1, 100, default=1)
    buy_fixed = IntParameter(1, 100, default=1, load=False)
    other = IntParameter(1, 100, default=1, space="sell")
    buy_params = {"buy_b": 2, "buy_c": 2}
    minimal_roi = {"0": 0.5}
    trailing_stop = False
    """
HEAD = "from freqtrade.strategy import IntParameter\n"


def stored(tmp_path, **params):
    (tmp_path / "strategy.json").write_text(json.dumps({"strategy_name": "S", "params": params}))


def test_the_parameter_file_goes_before_the_strategys_own_values(sound, tmp_path):
    stored(tmp_path, buy={"buy_c": 3, "buy_fixed": 3}, sell={"other": 4})
    instance = sound(BODY, head=HEAD).instance
    values = [instance.buy_a, instance.buy_b, instance.buy_c, instance.buy_fixed, instance.other]
    assert [parameter.value for parameter in values] == [1, 2, 3, 1, 4]
    assert (instance.buy_a.name, instance.buy_a.space) == ("buy_a", "buy")


def test_the_parameter_file_sets_stops_and_roi_and_the_configuration_overrides_them(sound, tmp_path, config):
    stored(
        tmp_path,
        roi={"30": 0.01, "0": 0.2},
        stoploss={"stoploss": -0.3},
        trailing={"trailing_stop": True, "trailing_stop_positive": 0.02},
        max_open_trades={"max_open_trades": -1},
    )
    config["stoploss"] = -0.2
    instance = sound(BODY, head=HEAD).instance
    assert list(instance.minimal_roi.items()) == [(0, 0.2), (30, 0.01)]
    assert instance.stoploss == -0.2
    assert (instance.trailing_stop, instance.trailing_stop_positive) == (True, 0.02)
    assert instance.max_open_trades == float("inf")


def test_a_parameter_file_of_another_strategy_is_refused(sound, tmp_path):
    (tmp_path / "strategy.json").write_text('{"strategy_name": "T", "params": {}}')
    with pytest.raises(StrategyError, match=r"strategy\.json: the parameter file names the strategy 'T'"):
        sound()


def test_a_broken_parameter_file_is_refused(sound, tmp_path):
    (tmp_path / "strategy.json").write_text('{"strategy_name": ')
    with pytest.raises(StrategyError, match=r"strategy\.json: the strategy's parameter file is not JSON"):
        sound()


def test_a_parameter_whose_space_cannot_be_told_is_refused(sound):
    with pytest.raises(StrategyError, match="'threshold': its space is not known"):
        sound("threshold = IntParameter(1, 2, default=1)\n", head=HEAD)


def test_parameters_of_one_load_do_not_reach_the_next(sound):
    first = sound(BODY, head=HEAD).instance
    first.buy_a.value = 50
    assert sound(BODY, head=HEAD).instance.buy_a.value == 1
