from dataclasses import replace

import pandas as pd
import pytest

from daemon.core.pair import Pair
from daemon.core.prediction import Abstention, Prediction, Reason
from daemon.trading.signals import Signal, SignalKind, signals

PAIR = Pair("BTC/USDT")


def predicted(*, late=False):
    return Prediction(pair=PAIR, candle_ms=300_000, values={"&-s_close": 0.01}, model="m", late=late)


def abstained(reason=Reason.EXPIRED, detail=""):
    return Abstention(pair=PAIR, candle_ms=300_000, reason=reason, detail=detail)


def frame(**last):
    return pd.DataFrame([dict.fromkeys(last, 0), last])


def test_the_newest_rows_columns_are_the_signals():
    found = signals(PAIR, frame(enter_long=1, enter_tag="dip"), predicted())
    assert found == [Signal(pair=PAIR, candle_ms=300_000, kind=SignalKind.ENTER_LONG, tag="dip")]


@pytest.mark.parametrize("value", [0, float("nan"), None, pd.NA, "1"])
def test_anything_but_one_is_no_signal(value):
    assert signals(PAIR, frame(enter_long=value), predicted()) == []


def test_a_signal_of_an_older_candle_is_none():
    assert signals(PAIR, pd.DataFrame({"enter_long": [1, 0]}), predicted()) == []


@pytest.mark.parametrize("reason", list(Reason))
def test_without_a_prediction_nothing_is_entered(reason):
    (found,) = signals(PAIR, frame(enter_long=1), abstained(reason, "why"))
    assert found.blocked == f"{reason}: why"


def test_nothing_is_entered_on_a_prediction_in_doubt_and_exits_go_on():
    doubted = replace(predicted(), doubt="m was trained with another version of the strategy")
    entry, leave = signals(PAIR, frame(enter_long=1, exit_short=1), doubted)
    assert entry.blocked == "m was trained with another version of the strategy"
    assert leave.blocked == ""


def test_a_late_candle_enters_nothing():
    (found,) = signals(PAIR, frame(enter_short=1), predicted(late=True))
    assert found.blocked == "the candle is late"


def test_what_is_not_on_the_disk_enters_nothing():
    (found,) = signals(PAIR, frame(enter_long=1), predicted(), recorded=False)
    assert found.blocked == "the prediction is not on the disk yet"


def test_an_exit_is_never_blocked():
    (found,) = signals(PAIR, frame(exit_long=1, exit_tag="top"), abstained())
    assert (found.kind, found.tag, found.blocked) == (SignalKind.EXIT_LONG, "top", "")


def test_an_exit_at_the_same_candle_cancels_the_entry():
    entry, leave = signals(PAIR, frame(enter_long=1, exit_long=1), predicted())
    assert entry.blocked == "the strategy asks to exit at the same candle"
    assert leave.blocked == ""


def test_an_exit_of_the_other_side_cancels_nothing():
    found = signals(PAIR, frame(enter_long=1, exit_short=1), predicted())
    assert [signal.blocked for signal in found] == ["", ""]


def test_a_barred_strategy_exits_and_enters_nothing():
    found = signals(PAIR, frame(enter_long=1, exit_short=1), predicted(), barred="looks ahead")
    assert {signal.kind: signal.blocked for signal in found} == {
        SignalKind.ENTER_LONG: "looks ahead",
        SignalKind.EXIT_SHORT: "",
    }
