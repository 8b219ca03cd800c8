import logging

import pytest
from local_exchange import PAIRS, LocalExchange

from daemon.core.candles import CandleFrame
from daemon.core.errors import RateLimited, Retryable
from daemon.core.market import CandleKey, CandleRequest
from daemon.core.timeframe import Timeframe
from daemon.market.silence import BANNED, TOO_MANY

HANGING = ("hang", "stall")
BROKEN = ("unavailable", "reset", *HANGING, "truncated", "cut", "page")


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_answer_is_asked_for_again(exchange, connect, request_of, wrong_rows, fault):
    market = connect(exchange, **({"timeout": 1000} if fault in HANGING else {}))
    market.pairs()
    exchange.script(fault)
    request = request_of()
    frame = market.fetch([request], 60.0)[0]
    assert len(frame) == 100
    assert wrong_rows(request, frame) == []
    first, *again = [seen.fault for seen in exchange.asked()]
    assert (first, {*again}) == (fault, {""})  # once, unless a busy machine answers too late


def test_a_hanging_server_is_given_up_in_time_for_a_second_try(exchange, connect, request_of):
    market = connect(exchange)  # ccxt itself would wait for a minute
    exchange.script("hang")
    assert len(market.fetch([request_of()], 8.0)[0]) == 100


@pytest.mark.parametrize("fault", BROKEN)
def test_what_stays_broken_is_a_passing_fault(exchange, market, request_of, fault):
    exchange.script(*[fault] * 20)
    answer = market.fetch([request_of()], 0.6)[0]
    assert type(answer) is Retryable


@pytest.mark.parametrize("fault", ["too_many", "ban"])
def test_nobody_speaks_while_told_to_wait(exchange, market, request_of, wrong_rows, fault):
    market.fetch([request_of(str(pair)) for pair in PAIRS], 60.0)  # connections stand
    exchange.script("", "", fault)
    requests = [request_of(str(pair)) for pair in PAIRS] * 3
    answers = market.fetch(requests, 60.0)
    assert [wrong_rows(request, frame) for request, frame in zip(requests, answers, strict=True)] == [[]] * 24
    assert len(exchange.told) == 1
    assert exchange.too_early() == []
    assert max(seen.at_s for seen in exchange.asked()) > exchange.told[0].until_s


@pytest.mark.parametrize(("fault", "wait_s"), [("too_many", 300), ("ban", 1200)])
def test_without_a_header_the_default_is_kept(exchange, market, request_of, monkeypatch, fault, wait_s):
    monkeypatch.setattr("daemon.market.silence._FIRST_WAIT_S", {TOO_MANY: 300.0, BANNED: 1200.0})
    exchange.retry_after = None
    exchange.script(fault)
    answer = market.fetch([request_of()], 2.0)[0]
    assert isinstance(answer, RateLimited)
    assert wait_s / 2 < answer.wait_s <= wait_s
    again = market.fetch([request_of("ETH/USDT")], 1.0)[0]
    assert isinstance(again, RateLimited)
    assert 0 < again.wait_s <= answer.wait_s
    assert len(exchange.asked()) == 1


def test_after_the_silence_they_leave_one_by_one(exchange, connect, request_of):
    market = connect(exchange, rateLimit=500)  # 200 ms between two pages
    market.pairs()
    exchange.script("too_many")
    market.fetch([request_of(str(pair), candles=2) for pair in PAIRS[:6]], 60.0)
    until_s = exchange.told[0].until_s
    after = [seen.at_s for seen in exchange.asked() if seen.at_s > until_s]
    assert len(after) > 2  # all six, unless a busy machine took long to say no
    # One may have had its turn when the silence began.
    assert after[-1] - until_s >= (len(after) - 2) * 0.2 - 0.05


def test_a_silence_beyond_the_budget_is_not_waited_for(exchange, market, request_of):
    exchange.retry_after = 3600
    exchange.script("ban")
    assert isinstance(market.fetch([request_of()], 600.0)[0], RateLimited)


def test_silence_holds_for_every_kind_of_request(exchange, connect):
    market = connect(exchange)
    exchange.kinds, exchange.storm = ("ban",), 1.0
    exchange.retry_after = 3600
    market.now_ms()
    with pytest.raises(RateLimited, match="silence"):
        market.pairs()
    assert len(exchange.requests) == 1


def test_an_empty_answer_is_served_as_it_is(exchange, market, request_of):
    exchange.script("empty")
    assert len(market.fetch([request_of()], 60.0)[0]) == 0


@pytest.mark.parametrize("fault", ["gap", "dispute", "disorder"])
def test_what_is_left_out_is_there_when_asked_again(exchange, market, request_of, wrong_rows, fault):
    exchange.script(fault)
    request = request_of()
    frame, whole = (market.fetch([request], 60.0)[0] for _ in range(2))
    assert len(frame) < len(whole) == 100
    assert wrong_rows(request, frame) == wrong_rows(request, whole) == []
    assert (market.rows.rejected > 0) == (fault != "gap")


def test_a_row_that_is_served_twice_is_one(exchange, market, request_of, wrong_rows):
    exchange.script("duplicate")
    request = request_of()
    frame = market.fetch([request], 60.0)[0]
    assert len(frame) == 100
    assert wrong_rows(request, frame) == []
    assert market.rows.rejected == 0


def test_unsound_rows_never_get_out(exchange, market, request_of, wrong_rows):
    exchange.script(*["rotten"] * 60)
    request = request_of(candles=20)
    for frame in market.fetch([request] * 60, 60.0):
        assert len(frame) == 19
        assert wrong_rows(request, frame) == []
    assert market.rows.rejected == 60


def test_candles_of_the_future_never_get_out(market, request_of):
    market.fetch([request_of()], 60.0)
    market._time._offset_ms -= 3_600_000
    frame = market.fetch([request_of()], 60.0)[0]
    assert frame.open_ms[-1] <= market.now_ms() + 5_000
    assert market.rows.rejected == 12


def test_a_late_revision_is_served_as_the_exchange_has_it(exchange, market, request_of, wrong_rows):
    exchange.script("revision")
    request = request_of()
    first, second = (market.fetch([request], 60.0)[0] for _ in range(2))
    assert wrong_rows(request, first) == [int(first.open_ms[-2])]
    assert wrong_rows(request, second) == []


def test_an_answer_without_one_sound_row_is_a_passing_fault(exchange, market, request_of):
    exchange.script(*["rotten"] * 50)
    answer = market.fetch([request_of(candles=1)], 2.0)[0]
    assert type(answer) is Retryable
    assert "no sound candle" in str(answer)


def test_a_streak_of_unsound_answers_is_logged_at_its_ends(exchange, market, request_of, caplog):
    exchange.script("rotten", "rotten", "dispute", "", "")
    with caplog.at_level(logging.INFO, "daemon.market"):
        for _ in range(5):
            market.fetch([request_of()], 60.0)
    assert [record.message for record in caplog.records] == ["candles_rejected", "candles_sound_again"]
    assert caplog.records[0].fields["key"] == "BTC/USDT 5m"


@pytest.mark.parametrize("fault", BROKEN)
def test_markets_that_come_broken_are_asked_for_again(exchange, connect, fault):
    exchange.script(fault, path="exchangeInfo")
    assert connect(exchange, **({"timeout": 500} if fault in HANGING else {})).pairs() == frozenset(PAIRS)


def test_an_exchange_without_markets_is_not_believed(exchange, connect, monkeypatch):
    monkeypatch.setattr("daemon.market.ccxt_market._MARKETS_BUDGET_S", 2.0)
    exchange.candles.pairs.clear()
    with pytest.raises(Retryable, match="none"):
        connect(exchange).pairs()


def test_no_candle_is_judged_before_the_exchanges_time_is_known(exchange, connect, request_of):
    market = connect(exchange)
    exchange.script(*["reset"] * 50, path="time")
    answer = market.fetch([request_of()], 3.0)[0]
    assert isinstance(answer, Retryable)
    assert "time of binance" in str(answer)
    assert not exchange.asked()


def test_a_time_that_came_broken_is_asked_for_again(exchange, connect, request_of, wrong_rows):
    market = connect(exchange)
    exchange.script("reset", "truncated", path="time")
    request = request_of()
    assert wrong_rows(request, market.fetch([request], 60.0)[0]) == []
    assert market.now_ms() == pytest.approx(exchange.clock.now_ms(), abs=60_000)  # ours is a year off


def test_a_refused_question_for_the_time_tells_it_all_the_same(exchange, connect):
    market = connect(exchange)
    exchange.script("unavailable", path="time")
    assert market.now_ms() == pytest.approx(exchange.clock.now_ms(), abs=60_000)  # ours is a year off


def newest_of_all(exchange, candles):
    """Requests for the newest candles of all pairs, in three lengths."""
    now_ms = exchange.clock.now_ms()
    return [
        CandleRequest(
            key=CandleKey(pair, timeframe),
            since_ms=timeframe.floor(now_ms) - candles * timeframe.ms,
            limit=1000,
        )
        for pair in PAIRS
        for timeframe in map(Timeframe, ("1m", "5m", "1h"))
    ]


@pytest.mark.slow
def test_the_storm(connect, caplog):
    caplog.set_level(logging.CRITICAL)
    with LocalExchange(days=2, storm=0.25, seed=3) as exchange:
        market = connect(exchange, timeout=600)
        market.pairs()
        served = []
        while len(exchange.requests) < 300 or len(served) < 100:
            # The newest closed candle may be one that the exchange will revise.
            now_ms, requests = exchange.clock.now_ms(), newest_of_all(exchange, 40)
            for request, answer in zip(requests, market.fetch(requests, 2.0), strict=True):
                assert isinstance(answer, (CandleFrame, Retryable))
                if isinstance(answer, CandleFrame):
                    settled_ms = request.key.timeframe.newest_closed(now_ms) - 1
                    served.append((request.key, answer.between(0, settled_ms)))
        assert exchange.too_early() == []
        assert len(exchange.told) >= 3
        assert {seen.fault for seen in exchange.requests} >= set(exchange.kinds)

        exchange.storm = 0.0
        requests = newest_of_all(exchange, 100)
        true = {}
        for request, frame in zip(requests, market.fetch(requests, 60.0), strict=True):
            truth = exchange.truth(*request.key)
            wanted = truth.between(request.since_ms, int(truth.open_ms[-1]))
            assert frame[: len(wanted)].values.tolist() == wanted.values.tolist()
            true[request.key] = dict(zip(wanted.open_ms.tolist(), wanted.values.tolist(), strict=True))
        for key, frame in served:
            assert [true[key][ms] for ms in frame.open_ms.tolist()] == frame.values.tolist()
