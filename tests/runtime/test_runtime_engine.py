import logging

import pandas as pd
import pytest
from desk import BASE, NOW_MS, PAIRS
from hypothesis import given, settings
from hypothesis import strategies as st
from runtime_desk import EngineDesk

from daemon.core.market import CandleKey
from daemon.state.history import HistoryRow

BTC, ETH, SOL = PAIRS
YEAR = 105_120  # candles


@pytest.fixture
def desk(tmp_path):
    return EngineDesk(tmp_path / "one")


@pytest.fixture
def events(caplog):
    caplog.set_level(logging.DEBUG, logger="daemon.runtime")
    return lambda name: [r.fields for r in caplog.records if r.getMessage() == name]


def test_a_first_start_begins_with_the_newest_candle(desk):
    assert desk.tick()
    assert desk.recorded() == [(1, False, "")]
    assert desk.engine.handled_ms == NOW_MS + BASE.ms


def test_nothing_is_asked_before_the_grace_is_over(desk):
    desk.tick()
    desk.passes(candles=1, ms=-1001)  # 1.999 s behind the close
    assert not desk.engine.step()
    desk.passes(ms=1)
    assert desk.engine.step()
    assert desk.candles() == [1, 2]


def test_doubled_wake_ups_change_nothing(desk):
    for _ in range(3):
        assert desk.tick()
        assert not desk.engine.step()
        assert not desk.engine.step()
    assert desk.candles() == [1, 2, 3]
    assert desk.tally.snapshot()["ticks"] == desk.feed.updates == 3  # and the exchange is not asked in vain


def test_lost_wake_ups_cost_no_candle_and_only_the_newest_may_trade(desk):
    desk.tick()
    desk.tick(candles=3)
    assert desk.recorded() == [(1, False, ""), (2, True, ""), (3, True, ""), (4, False, "")]
    assert desk.entries() == [(pair, count) for count in (1, 4) for pair in PAIRS]


def test_a_laptop_that_slept_three_hours_predicts_every_candle_once_and_trades_the_last(desk):
    desk.tick()
    desk.tick(candles=36)
    for pair in PAIRS:
        assert desk.candles(pair) == list(range(1, 38))
        assert [late for _, late, _ in desk.recorded(pair)] == [False, *[True] * 35, False]
    assert [count for _, count in desk.entries()] == [1] * 3 + [37] * 3
    assert desk.tally.snapshot()["skipped"] == 0


def test_a_clock_that_was_set_back_handles_nothing_twice(desk):
    desk.tick()
    desk.tick()
    desk.clock.set(NOW_MS - 10 * BASE.ms)
    assert not desk.engine.step()
    desk.clock.set(desk.feed.exchange_ms)
    assert not desk.engine.step()
    desk.tick()
    assert desk.candles() == [1, 2, 3]


def test_a_clock_that_was_set_a_year_ahead_handles_only_candles_that_exist(desk):
    desk.tick()
    desk.clock.set(NOW_MS + YEAR * BASE.ms)
    desk.feed.exchange_ms += BASE.ms
    assert desk.engine.step()
    assert not desk.engine.step()
    desk.clock.set(desk.feed.exchange_ms)
    desk.tick()
    assert desk.recorded() == [(1, False, ""), (2, True, ""), (3, False, "")]


def test_an_outage_passes_no_candle_over(desk):
    desk.tick()
    desk.feed.down = True
    for _ in range(4):
        assert not desk.tick()
    assert desk.candles() == [1]
    desk.feed.down = False
    assert desk.tick()
    assert desk.recorded() == [(1, False, ""), *((n, True, "") for n in (2, 3, 4, 5)), (6, False, "")]


def test_after_an_outage_a_candle_that_came_within_its_time_may_still_trade(desk):
    desk.feed.down = True
    desk.tick()
    desk.feed.down = False
    desk.passes(ms=60_000)
    assert desk.engine.step()
    assert desk.entries() == [(pair, 1) for pair in PAIRS]


def test_a_candle_as_old_as_its_own_length_is_late_and_asks_the_strategy_nothing(desk):
    desk.feed.down = True
    desk.tick()
    desk.feed.down = False
    desk.feed.exchange_ms = desk.feed.exchange_ms + BASE.ms - 3001  # the next one has not closed there
    desk.clock.set(NOW_MS + 2 * BASE.ms)
    assert desk.engine.step()
    assert desk.recorded() == [(1, True, "")]
    assert desk.hooks.called == []


def test_an_older_candle_never_trades_although_the_newest_is_missing(desk):
    """The clock is set back between the question for candles and the answer."""
    desk.tick()
    desk.feed.hidden = {(ETH, NOW_MS + 2 * BASE.ms)}
    served = desk.feed.update

    def set_back_meanwhile(*asked):
        report = served(*asked)
        desk.clock.set(NOW_MS + 2 * BASE.ms + 3000)
        return report

    desk.feed.update = set_back_meanwhile
    desk.tick(candles=2)
    assert [entry for entry in desk.entries() if entry[0] == ETH] == [(ETH, 1)]


def test_a_pair_without_its_candle_abstains_and_the_others_go_on(desk):
    desk.tick()
    desk.feed.silent = {ETH}
    desk.tick()
    desk.feed.silent = set()
    desk.tick()
    assert [why for _, _, why in desk.recorded(ETH)] == ["", "missing candle", ""]
    assert desk.candles(ETH) == desk.candles(BTC) == [1, 2, 3]
    assert [entry for entry in desk.entries() if entry[1] == 2] == [(BTC, 2), (SOL, 2)]


def test_a_stretch_that_no_pair_has_is_counted_as_skipped(desk):
    desk.tick()
    desk.feed.hidden = {(pair, NOW_MS + n * BASE.ms) for pair in PAIRS for n in (1, 2)}
    desk.tick(candles=3)
    assert desk.candles() == [1, 4]
    assert desk.tally.snapshot()["skipped"] == 2


def test_a_restart_goes_on_where_the_record_ends(desk):
    desk.tick()
    again = desk.restarted()
    assert not again.engine.step()
    again.tick(candles=3)
    assert again.recorded() == [(1, False, ""), (2, True, ""), (3, True, ""), (4, False, "")]


def test_a_restart_completes_a_candle_that_only_some_pairs_have_on_record(desk):
    desk.tick()
    rows = [HistoryRow(pair=pair, candle_ms=NOW_MS + BASE.ms, values={"late": 0.0}) for pair in (BTC, SOL)]
    desk.history.append(rows)
    again = desk.restarted()
    again.tick(candles=2)
    assert [again.candles(pair) for pair in PAIRS] == [[1, 2, 3]] * 3
    assert [pair for pair, close_ms, _ in again.forecaster.asked if close_ms == NOW_MS + 2 * BASE.ms] == [ETH]


def test_a_pair_that_came_to_the_whitelist_begins_with_the_newest_recorded_candle(desk):
    first = desk.restarted(pairs=(BTC, ETH))
    for _ in range(3):
        first.tick()
    again = first.restarted(pairs=PAIRS)
    again.tick()
    assert again.candles(SOL) == [3, 4]
    assert again.candles(BTC) == [1, 2, 3, 4]


def test_a_strategy_that_raises_stops_only_its_pair_and_is_logged_once_per_streak(desk, events):
    desk.hooks.faults = {ETH: "mine.py:7: ZeroDivisionError"}
    desk.tick()
    desk.tick()
    assert {pair for pair, _ in desk.entries()} == {BTC, SOL}
    assert desk.candles(ETH) == [1, 2]
    assert events("strategy_failed") == [{"pair": ETH, "error": "mine.py:7: ZeroDivisionError"}]
    desk.hooks.faults = {}
    desk.tick()
    assert events("strategy_recovered") == [{"pair": ETH}]
    desk.hooks.faults = {ETH: "mine.py:7: ZeroDivisionError"}
    desk.tick()
    assert len(events("strategy_failed")) == 2


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda frame: frame.drop(columns="date"), "without the column 'date'"),
        (lambda frame: frame.iloc[::-1].reset_index(drop=True), "ends at 2025-12-31 19:55:00"),
        (lambda frame: frame.iloc[:-1], "instead of at the newest candle, 2026-01-01 00:00:00"),
        (lambda frame: frame.assign(date=0), "ends at 0"),
        (lambda frame: pd.concat([frame, frame[["enter_long"]]], axis=1), "two columns named 'enter_long'"),
    ],
)
def test_a_frame_that_no_signal_can_be_read_from_is_the_strategys_fault(desk, events, fault, words):
    desk.hooks.faults = {ETH: fault}
    desk.tick()
    (failed,) = events("strategy_failed")
    assert failed["pair"] == ETH
    assert failed["error"].startswith("mine.py: populate_* [ETH/USDT]: ")
    assert words in failed["error"]
    assert {pair for pair, _ in desk.entries()} == {BTC, SOL}
    assert set(desk.frames.kept) == {BTC, SOL}


def test_two_columns_of_one_name_that_are_no_signals_do_not_matter(desk):
    desk.hooks.faults = {ETH: lambda frame: pd.concat([frame, frame[["close"]]], axis=1)}
    desk.tick()
    assert {pair for pair, _ in desk.entries()} == set(PAIRS)


def test_a_stop_ends_a_catch_up_between_two_candles_and_the_rest_is_due_later(desk):
    desk.tick()
    handled = []

    def stop_at_the_second():
        handled.append(1)
        if len(handled) == 2:
            desk.stop.set()

    desk.forecaster.before = stop_at_the_second
    desk.tick(candles=10)
    assert desk.candles() == [1, 2, 3]
    again = desk.restarted()
    again.engine.step()
    assert again.candles() == list(range(1, 12))


def test_the_strategy_is_examined_when_predictions_are_recorded_and_before_it_may_enter(desk):
    seen = []

    def examined():
        seen.append((desk.candles(), len(desk.hooks.called)))
        return "looks ahead"

    desk.verdict = examined
    desk.tick()
    assert seen == [([1], 0)]
    assert len(desk.hooks.called) == 3
    assert {signal.blocked for signal in desk.tally.recent_signals()} == {"looks ahead"}


def test_the_strategy_is_examined_while_no_candle_is_due_and_not_while_candles_are_caught_up(desk):
    seen = []
    desk.verdict = lambda: seen.append(desk.candles()) or ""
    desk.tick()
    desk.passes(candles=0.5)
    assert not desk.engine.step()
    assert seen == [[1], [1]]
    desk.tick(candles=4)
    assert seen[2:] == [[1, 2, 3, 4, 5]]


def test_trainings_give_way_while_a_candle_is_handled_and_only_then(desk):
    desk.between_ticks.set()
    seen = []
    desk.forecaster.before = lambda: seen.append(desk.between_ticks.is_set())
    desk.tick()
    assert seen == [False]
    assert desk.between_ticks.is_set()
    desk.feed.down = True
    desk.tick()
    assert desk.between_ticks.is_set()


def test_a_bug_in_a_tick_does_not_leave_trainings_waiting(desk):
    def bug():
        raise RuntimeError("bug")

    desk.forecaster.before = bug
    with pytest.raises(RuntimeError, match="bug"):
        desk.tick()
    assert desk.between_ticks.is_set()


def test_a_row_holds_the_prediction_the_candle_and_the_model(desk):
    desk.tick()
    (row,) = desk.history.frame(BTC).to_dict("records")
    assert row.pop("date_pred") == pd.Timestamp(NOW_MS, unit="ms", tz="UTC")
    assert pd.isna(row.pop("DI_values"))
    assert row == {
        "&-s_close": 0.01,
        "do_predict": 1.0,
        "high_price": 102.0,
        "low_price": 99.0,
        "close_price": 101.0,
        "late": 0.0,
        "model": "m1",
        "abstention": "",
    }


def test_a_row_without_its_candle_has_no_prices(desk):
    desk.feed.silent = {ETH}
    desk.tick()
    (row,) = desk.history.frame(ETH).to_dict("records")
    assert (row["do_predict"], row["model"], row["abstention"]) == (0.0, "", "missing candle")
    assert pd.isna(row["close_price"])


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("time passes"), st.floats(0.01, 8.0)),
        st.tuples(st.just("clock is set"), st.integers(-30, 30)),
        st.tuples(st.just("clock is right again"), st.none()),
        st.tuples(st.just("step"), st.integers(1, 3)),
        st.tuples(st.just("outage"), st.booleans()),
        st.tuples(st.just("silent"), st.sets(st.sampled_from(PAIRS))),
        st.tuples(st.just("hidden"), st.tuples(st.sampled_from(PAIRS), st.integers(1, 60))),
        st.tuples(st.just("kill"), st.none()),
    ),
    max_size=25,
)


def moved(desk, what, by):
    if what == "time passes":
        desk.passes(candles=by)
    elif what == "clock is set":
        desk.clock.set(desk.feed.exchange_ms + by * BASE.ms)
    elif what == "clock is right again":
        desk.clock.set(desk.feed.exchange_ms)
    elif what == "step":
        for _ in range(by):
            desk.engine.step()
    elif what == "outage":
        desk.feed.down = by
    elif what == "silent":
        desk.feed.silent = by
    elif what == "hidden":
        desk.feed.hidden.add((by[0], NOW_MS + by[1] * BASE.ms))
    else:
        return desk.restarted()
    return desk


@settings(max_examples=40, deadline=None)
@given(moves=MOVES)
def test_whatever_happens_each_pair_and_candle_is_handled_once_in_order_and_none_is_left_out(
    tmp_path_factory, moves
):
    desk = EngineDesk(tmp_path_factory.mktemp("engine"))
    desk.tick()
    desks = [desk]
    for what, by in moves:
        desk = moved(desk, what, by)
        desks += [desk] if desk is not desks[-1] else []
    # All is well again at last.
    desk.feed.down, desk.feed.silent = False, set()
    desk.clock.set(desk.feed.exchange_ms)
    desk.tick()
    for pair in PAIRS:
        times = desk.candles(pair)
        assert times == sorted(set(times))
        exist = {
            (ms - NOW_MS) // BASE.ms + 1 for ms in desk.feed.frame(CandleKey(pair, BASE)).open_ms.tolist()
        }
        assert set(times) >= {count for count in exist if count >= 1}
        signalled = [ms for each in desks for of, ms in each.hooks.called if of == pair]
        assert signalled == sorted(set(signalled))
    assert desk.candles(BTC) == desk.candles(ETH) == desk.candles(SOL)
