import threading

import numpy as np
import pytest
from market_desk import BTC, ETH, FIVE, START_MS, Desk, key
from scripted_market import DOWN

from daemon.core.clock import FakeClock
from daemon.core.errors import ConfigError, RateLimited, Refused
from daemon.core.pair import Pair

BTC5 = key("BTC/USDT", "5m")
BTCH = key("BTC/USDT", "1h")


def assert_same(frame, truth):
    np.testing.assert_array_equal(frame.open_ms, truth.open_ms)
    np.testing.assert_array_equal(frame.values, truth.values)


def assert_true(desk, keys=None):
    for k in keys or desk.keys:
        assert_same(desk.feed.frame(k), desk.truth(k))


def test_warm_up_fetches_all_keys_from_since_to_now(desk):
    report = desk.warm_up()
    assert not report.missing
    assert report.appended[BTC5] == 288
    assert_true(desk)


def test_warm_up_leaves_everything_on_disk(desk):
    desk.warm_up()
    for k in desk.keys:
        assert_same(desk.store.read(k), desk.truth(k))


def test_warm_up_goes_page_by_page(desk):
    desk.market.page_limit = 50
    desk.warm_up()
    assert_true(desk)
    assert max(request.limit for request in desk.market.asked) == 50


def test_second_start_fetches_only_what_is_new(desk):
    desk.warm_up()
    desk.market.asked.clear()
    desk.clock.advance(3 * FIVE.ms)
    again = desk.restarted()
    report = again.warm_up()
    assert report.appended == {BTC5: 3, key("ETH/USDT", "5m"): 3}
    assert max(request.limit for request in desk.market.asked) <= 3 + 2 + 1
    assert_true(again)


def test_second_start_leaves_the_files_that_lack_little_for_later(desk):
    desk.warm_up()
    stored = len(desk.store.read(BTC5))
    again = desk.restarted()
    again.clock.advance(5 * FIVE.ms)
    again.warm_up()
    assert len(again.feed.frame(BTC5)) == stored + 5
    assert len(desk.store.read(BTC5)) == stored
    again.feed.flush()
    assert len(desk.store.read(BTC5)) == stored + 5
    third = desk.restarted()
    third.clock.advance(stored // 19 * FIVE.ms)
    third.warm_up()
    assert len(desk.store.read(BTC5)) == len(third.feed.frame(BTC5)) == stored + 5 + stored // 19


def test_start_fetches_candles_older_than_the_file_and_holes_inside_it(desk):
    whole = desk.truth(BTC5)
    rows = np.r_[100:150, 170:280]
    desk.store.write(BTC5, type(whole)(whole.open_ms[rows].copy(), whole.values[rows].copy()))
    report = desk.warm_up()
    assert report.gaps == 0
    assert_true(desk)
    assert_same(desk.store.read(BTC5), whole)


def test_file_keeps_candles_older_than_needed(desk):
    desk.warm_up()
    later = desk.restarted()
    later.since_ms = START_MS - 3_600_000
    later.warm_up()
    later.tick()
    later.feed.flush()
    assert len(later.feed.frame(BTC5)) == 13
    assert len(later.store.read(BTC5)) == 289


def test_candles_of_the_file_that_lie_in_the_future_are_not_shown_and_not_lost(desk):
    desk.warm_up()
    desk.clock.set(START_MS - 7_200_000)
    back = desk.restarted()
    back.warm_up()
    assert back.feed.frame(BTC5).open_ms[-1] == START_MS - 7_200_000 - FIVE.ms
    back.tick()
    back.feed.flush()
    assert len(back.store.read(BTC5)) == 288


def test_damaged_file_is_set_aside_and_fetched_again(desk, events):
    desk.warm_up()
    desk.store.path(BTC5).write_bytes(b"ARROW1 not quite")
    again = desk.restarted()
    again.warm_up()
    assert "candle_file_damaged" in events()
    assert_same(again.store.read(BTC5), desk.truth(BTC5))


def test_update_appends_exactly_the_newest_closed_candle(desk):
    desk.warm_up()
    report = desk.tick()
    assert report.appended == {BTC5: 1, key("ETH/USDT", "5m"): 1}
    assert report.requests == 2
    assert_true(desk)


def test_candle_in_progress_never_enters(desk):
    desk.warm_up()
    for part in (0.01, 0.5, 0.999):
        desk.clock.set(START_MS + int(FIVE.ms * part))
        desk.feed.update(START_MS, 2.0)
        desk.feed.flush()
        assert desk.feed.frame(BTC5).open_ms[-1] == START_MS - FIVE.ms
        assert desk.store.read(BTC5).open_ms[-1] == START_MS - FIVE.ms


def test_candle_that_closed_after_the_tick_is_left_for_the_next_one(desk):
    desk.warm_up()
    desk.clock.set(START_MS + 5 * FIVE.ms)
    desk.feed.update(START_MS + 2 * FIVE.ms, 2.0)
    assert desk.feed.frame(BTC5).open_ms[-1] == START_MS + FIVE.ms


def test_market_time_decides_what_is_closed(desk):
    desk.warm_up()
    desk.market.lag_ms = 60_000
    report = desk.tick(budget_s=0.1)
    assert BTC5 in report.missing
    assert desk.feed.frame(BTC5).open_ms[-1] == START_MS - FIVE.ms


def test_after_downtime_update_fetches_page_by_page_what_was_missed(desk):
    desk.warm_up()
    desk.market.page_limit = 40
    report = desk.tick(candles=150)
    assert not report.missing
    assert report.appended[BTC5] == 150
    assert_true(desk)


def test_candle_that_is_served_late_is_asked_for_again_within_the_budget(desk):
    desk.warm_up()
    desk.market.newest_lag[BTC5] = 2
    report = desk.tick(budget_s=10.0)
    assert not report.missing
    assert_true(desk)


def test_nobody_waits_for_a_pair_that_is_halted(desk):
    desk.warm_up()
    desk.market.hidden |= {(BTC5, START_MS + i * FIVE.ms) for i in range(100)}
    desk.tick(budget_s=4.0)
    before_s = desk.clock.monotonic_s()
    desk.market.asked.clear()
    report = desk.tick(budget_s=4.0)
    assert list(report.missing) == [BTC5]
    assert desk.clock.monotonic_s() == before_s
    assert sum(request.key == BTC5 for request in desk.market.asked) == 1


def test_hole_holds_newer_candles_back_then_becomes_a_gap(desk, events):
    desk.warm_up()
    hole = (BTC5, START_MS + FIVE.ms)
    desk.market.hidden.add(hole)
    desk.tick()
    first = desk.tick(candles=2)
    assert "missing" in first.missing[BTC5]
    assert desk.feed.frame(BTC5).open_ms[-1] == START_MS
    second = desk.tick()
    assert second.gaps == 1
    assert not second.missing
    assert desk.feed.gaps() == {BTC5: [(hole[1], hole[1])]}
    assert desk.feed.frame(BTC5).open_ms[-1] == START_MS + 3 * FIVE.ms
    asked = [
        r
        for r in desk.market.asked
        if r.key == BTC5 and r.since_ms <= hole[1] < r.since_ms + r.limit * FIVE.ms
    ]
    assert len(asked) >= 3
    assert events().count("candle_gap") == 1


def test_many_holes_become_gaps_in_the_same_update(desk):
    desk.warm_up()
    for i in (1, 4, 5, 9, 14):
        desk.market.hidden.add((BTC5, START_MS + i * FIVE.ms))
    desk.tick(candles=20)
    report = desk.tick()
    assert report.gaps == 4
    assert not report.missing
    assert len(desk.feed.gaps()[BTC5]) == 4


def test_hole_that_is_filled_in_time_leaves_no_trace(desk):
    desk.warm_up()
    desk.market.hidden.add((BTC5, START_MS))
    desk.tick(candles=2)
    desk.market.hidden.clear()
    report = desk.tick()
    assert report.gaps == 0
    assert not desk.feed.gaps()
    assert_true(desk)


def test_gap_that_is_served_later_is_inserted(desk, events):
    desk.warm_up()
    desk.market.hidden |= {(BTC5, START_MS), (BTC5, START_MS + FIVE.ms)}
    for _ in range(5):
        desk.tick()
    assert desk.feed.gaps() == {BTC5: [(START_MS, START_MS + FIVE.ms)]}
    desk.market.hidden.clear()
    reports = [desk.tick() for _ in range(12)]
    assert not desk.feed.gaps()
    assert "candle_gap_filled" in events()
    assert START_MS in [report.changed.get(BTC5) for report in reports]
    assert_true(desk)
    desk.feed.flush()
    assert_same(desk.store.read(BTC5), desk.truth(BTC5))


def test_old_gap_costs_ever_fewer_requests(desk):
    desk.warm_up()
    desk.market.hidden.add((BTC5, START_MS))
    for _ in range(4):
        desk.tick()
    desk.market.asked.clear()
    for _ in range(100):
        desk.tick()
    extra = sum(r.key == BTC5 for r in desk.market.asked) - 100
    assert 3 <= extra <= 8


def test_gap_longer_than_a_window_of_time_is_passed(desk):
    desk.warm_up()
    desk.market.window = True
    desk.market.page_limit = 10
    for i in range(25):
        desk.market.hidden.add((BTC5, START_MS + i * FIVE.ms))
    desk.tick(candles=40)
    for _ in range(8):
        desk.tick()
    assert desk.feed.frame(BTC5).open_ms[-1] == FIVE.newest_closed(desk.clock.now_ms())
    assert {ms for first, last in desk.feed.gaps()[BTC5] for ms in range(first, last + 1, FIVE.ms)} == {
        START_MS + i * FIVE.ms for i in range(25)
    }


def test_history_that_begins_later_is_no_gap(desk, events):
    for i in range(40):
        desk.market.hidden.add((BTC5, desk.since_ms + i * FIVE.ms))
    report = desk.warm_up()
    assert report.gaps == 0
    assert not desk.feed.gaps()
    assert desk.feed.frame(BTC5).open_ms[0] == desk.since_ms + 40 * FIVE.ms
    assert "candle_history_begins_later" in events()


def test_hole_in_history_is_recorded_during_the_warm_up(desk):
    hole_ms = desk.since_ms + 40 * FIVE.ms
    desk.market.hidden.add((BTC5, hole_ms))
    report = desk.warm_up()
    assert report.gaps == 1
    assert desk.feed.gaps() == {BTC5: [(hole_ms, hole_ms)]}
    assert len(desk.feed.frame(BTC5)) == 287


def test_late_revision_is_taken_in_memory_and_file_and_logged_with_old_and_new(desk, caplog):
    desk.warm_up()
    newest_ms = START_MS - FIVE.ms
    old = desk.feed.frame(BTC5).values[-1].copy()
    before = desk.feed.frame(BTC5)
    desk.market.altered[BTC5, newest_ms] = 1.5
    report = desk.tick()
    assert report.revisions == 1
    assert report.changed == {BTC5: newest_ms}
    record = next(r for r in caplog.records if r.message == "candle_revised")
    assert record.fields["old"] == old.tolist()
    assert record.fields["new"][4] == pytest.approx(1.5 * old[4])
    assert desk.feed.frame(BTC5).values[-2, 4] == pytest.approx(1.5 * old[4])
    assert before.values[-1, 4] == old[4], "a frame taken before does not change"
    desk.feed.flush()
    assert desk.store.read(BTC5).values[-2, 4] == pytest.approx(1.5 * old[4])
    assert desk.tick().revisions == 0


def test_disagreement_of_timeframes_is_counted_and_logged_once_per_streak(desk, events):
    desk.warm_up()
    hours = [START_MS, START_MS + BTCH.timeframe.ms]
    for hour_ms in hours:
        desk.market.altered[BTCH, hour_ms] = 1.01
    reports = [desk.tick() for _ in range(12 * 4)]
    assert sum(report.disagreements for report in reports) == desk.feed.disagreements == 2
    assert events().count("candles_disagree") == 1
    assert events().count("candles_agree_again") == 1


def test_outage_is_logged_once_and_ends_with_all_candles(desk, events):
    desk.warm_up()
    desk.market.errors = dict.fromkeys(desk.keys, DOWN)
    for _ in range(5):
        report = desk.tick()
        assert report.missing[BTC5] == str(DOWN)
    desk.market.errors = {}
    assert not desk.tick().missing
    assert_true(desk)
    assert events().count("candles_unavailable") == 1
    assert events().count("candles_available_again") == 1


def test_refused_key_is_missing_and_spoils_no_other(desk, events):
    desk.warm_up()
    desk.market.errors[BTC5] = Refused("delisted")
    for _ in range(3):
        report = desk.tick()
    assert report.missing == {BTC5: "delisted"}
    assert events().count("candles_refused") == 1
    assert_true(desk, [key("ETH/USDT", "5m")])


def test_warm_up_names_all_that_the_market_does_not_trade(market, store, clock, keys):
    extra = [key("FOO/USDT", "5m"), key("BAR/USDT", "5m")]
    with pytest.raises(ConfigError, match="BAR/USDT, FOO/USDT"):
        Desk(market, store, keys + extra, clock, START_MS).warm_up()
    with pytest.raises(ConfigError, match="7m"):
        Desk(market, store, [key("BTC/USDT", "7m")], clock, START_MS).warm_up()


def test_warm_up_stops_at_a_refused_key(desk):
    desk.market.errors[BTC5] = Refused("no such market")
    with pytest.raises(ConfigError, match="BTC/USDT 5m"):
        desk.warm_up()


class StoppingClock(FakeClock):
    """Sets an event after some waits, and remembers how long they were."""

    def __init__(self, now_ms, stop, after):
        super().__init__(now_ms)
        self.stop, self.after, self.waits = stop, after, []

    def wait(self, event, timeout_s):
        if timeout_s > 0:
            self.waits.append(timeout_s)
            if len(self.waits) >= self.after:
                self.stop.set()
        return event.is_set()


def test_warm_up_without_network_pauses_ever_longer_until_stopped(market, store, keys, events):
    stop = threading.Event()
    clock = StoppingClock(START_MS, stop, after=12)
    market.errors = dict.fromkeys(keys, DOWN)
    report = Desk(market, store, keys, clock, START_MS - 86_400_000).warm_up(stop)
    assert clock.waits == sorted(clock.waits)
    assert clock.waits[0] < 1 < clock.waits[-1] == 60
    assert set(report.missing) == set(keys)
    assert events().count("candles_unavailable") == 1


def test_warm_up_waits_for_the_list_of_pairs(desk, events):
    desk.market.pairs_errors = [DOWN, DOWN, DOWN]
    assert not desk.warm_up().missing
    assert events().count("market_unreachable") == 1
    assert events().count("market_reached") == 1


def test_warm_up_keeps_silent_as_long_as_the_exchange_asks_for(market, store, keys):
    stop = threading.Event()
    clock = StoppingClock(START_MS, stop, after=1)
    market.errors = dict.fromkeys(keys, RateLimited("too many requests", wait_s=33.0))
    Desk(market, store, keys, clock, START_MS - 86_400_000).warm_up(stop)
    assert clock.waits == [33.0]


def test_warm_up_that_is_stopped_keeps_what_it_has(desk):
    desk.market.page_limit = 20
    stop = threading.Event()
    desk.warm_up(stop, lambda _key, done, _total: stop.set() if done > 60 else None)
    held = desk.store.read(BTC5)
    assert 0 < len(held) < 288
    assert_same(held, desk.feed.frame(BTC5))


def test_warm_up_ends_although_a_pair_is_halted(desk):
    desk.market.newest_lag[BTC5] = 10**6
    report = desk.warm_up()
    assert list(report.missing) == [BTC5]
    assert len(desk.feed.frame(BTC5)) == 287


def test_progress_counts_up_to_the_whole(desk):
    seen = []
    desk.market.page_limit = 100
    desk.warm_up(progress=lambda k, done, total: seen.append((k, done, total)))
    btc = [(done, total) for k, done, total in seen if k == BTC5]
    assert btc[0] == (0, 288)
    assert btc[-1] == (288, 288)
    assert btc == sorted(btc)


def test_price_is_that_of_the_candle_in_progress(desk):
    assert desk.feed.price(BTC) is None
    desk.warm_up()
    desk.tick()
    desk.clock.advance(150_000)
    desk.feed.update(START_MS + FIVE.ms, 1.0)
    desk.tick()
    in_progress = desk.market.truth.fetch([desk.market.asked[-2]], 1.0)[0]
    assert desk.feed.price(BTC) == in_progress.close[-1]
    assert desk.feed.price(Pair("XXX/USDT")) is None


def test_file_is_written_now_and_then_not_at_every_candle(desk):
    desk.warm_up()
    written = desk.store.path(BTC5).stat().st_ino
    for _ in range(200):
        desk.tick()
    assert desk.store.path(BTC5).stat().st_ino == written
    for _ in range(60):
        desk.tick()
    assert len(desk.store.read(BTC5)) > 288 + 250
    assert_same(
        desk.restarted().store.read(BTC5).between(0, START_MS - 1), desk.truth(BTC5).between(0, START_MS - 1)
    )


def test_disk_that_cannot_be_written_stops_nothing(desk, events):
    desk.warm_up()
    full = OSError(28, "No space left on device")

    def refuse(_path, _writer):
        raise full

    real, desk.store._write_atomic = desk.store._write_atomic, refuse
    desk.tick()
    desk.feed.flush()
    desk.feed.flush()
    assert events().count("candle_file_not_written") == 1
    desk.store._write_atomic = real
    desk.feed.flush()
    assert "candle_files_written_again" in events()
    assert_same(desk.store.read(BTC5), desk.truth(BTC5))


def test_memory_does_not_grow_with_uptime(desk, store):
    desk.since_ms = START_MS - 6 * 3_600_000
    desk.warm_up()
    longest = 0
    for _ in range(40):
        desk.tick(candles=200)
        longest = max(longest, len(desk.feed.frame(BTC5)))
    assert longest < 72 * 1.25 + 1024 + 2 * 256
    desk.feed.flush()
    assert len(store.read(BTC5)) == 72 + 40 * 200


SOL5, SOLH = key("SOL/USDT", "5m"), key("SOL/USDT", "1h")


def joined(desk):
    """The desk's feed with the series of a pair that joined while it runs."""
    desk.warm_up()
    desk.market.truth.list_too([SOL5.pair])
    beside = desk.feed.beside([SOL5, SOLH])
    beside.warm_up(dict.fromkeys([SOL5, SOLH], desk.since_ms), threading.Event())
    desk.tick(3)
    desk.feed.join(beside)
    return desk


def test_series_that_join_come_whole_and_go_on_with_the_others(desk, events):
    desk.warm_up()
    desk.market.truth.list_too([SOL5.pair])
    with pytest.raises(KeyError):
        desk.feed.frame(SOL5)
    joined(desk)
    assert SOL5 in desk.feed
    assert desk.feed.price(SOL5.pair) == desk.feed.frame(SOL5).close[-1]
    assert desk.tick().appended[SOL5] == 4
    desk.tick(13)
    assert_true(desk, [*desk.keys, SOL5, SOLH])
    assert "candles_disagree" not in events()


def test_series_that_leave_are_asked_for_no_more_and_stay_readable(desk):
    joined(desk)
    desk.tick()
    desk.feed.keep(desk.keys)
    held = desk.feed.frame(SOL5)
    desk.market.asked.clear()
    report = desk.tick(2)
    assert {request.key.pair for request in desk.market.asked} == {BTC, "ETH/USDT"}
    assert not {SOL5, SOLH} & report.missing.keys()
    assert SOL5 not in desk.feed
    assert_same(desk.feed.frame(SOL5), held)
    assert_same(desk.store.read(SOL5), held)


def test_series_that_left_an_hour_ago_take_no_memory(desk):
    joined(desk)
    desk.feed.keep(desk.keys)
    desk.clock.advance(3_500_000)
    desk.tick()
    assert len(desk.feed.frame(SOL5))
    desk.clock.advance(200_000)
    desk.tick()
    for left in (SOL5, SOLH):
        with pytest.raises(KeyError):
            desk.feed.frame(left)
    joined(desk)
    desk.clock.advance(3_700_000)
    desk.tick()
    assert_true(desk, [*desk.keys, SOL5, SOLH])


def test_series_that_come_back_catch_up(desk):
    joined(desk)
    desk.feed.keep(desk.keys)
    desk.tick(5)
    desk.feed.keep([*desk.keys, SOL5, SOLH])
    desk.tick()
    assert_true(desk, [*desk.keys, SOL5, SOLH])


def test_what_agreed_before_a_series_joined_is_not_compared_again(desk):
    desk.warm_up()
    before = dict(desk.feed._agreement._next_ms)
    joined(desk)
    assert {k: desk.feed._agreement._next_ms[k] for k in before} == before | {
        k: v for k, v in desk.feed._agreement._next_ms.items() if k in before and v > before[k]
    }


def test_memory_holds_little_more_than_was_asked_for(desk):
    asked = 288
    desk.warm_up()
    for _ in range(160):
        desk.tick(5)
    held = [len(desk.feed.frame(key(pair, "5m"))) for pair in (BTC, ETH)]
    assert all(asked <= length <= asked + 400 for length in held)
