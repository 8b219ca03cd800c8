import threading
import time

import numpy as np
import pytest
from local_exchange import PAIRS, START_MS

from daemon.core.candles import CandleFrame
from daemon.core.clock import FakeClock, SystemClock
from daemon.core.errors import ConfigError, Refused, Retryable
from daemon.core.market import CandleKey, CandleRequest
from daemon.core.timeframe import Timeframe
from daemon.market.ccxt_market import CcxtMarket


def binance(**config):
    return CcxtMarket(exchange_id="binance", ccxt_config=config, ccxt_async_config={}, clock=FakeClock())


def test_every_candle_equals_the_truth_to_the_last_digit(exchange, market):
    for timeframe in (Timeframe("1m"), Timeframe("5m"), Timeframe("1h")):
        truth = {pair: exchange.truth(pair, timeframe) for pair in PAIRS}
        pages = {pair: [] for pair in PAIRS}
        since_ms = {pair: int(truth[pair].open_ms[0]) for pair in PAIRS}
        while since_ms:
            requests = [
                CandleRequest(key=CandleKey(pair, timeframe), since_ms=ms, limit=market.page_limit)
                for pair, ms in since_ms.items()
            ]
            for request, frame in zip(requests, market.fetch(requests, 60.0), strict=True):
                pair = request.key.pair
                pages[pair].append(frame)
                since_ms[pair] = int(frame.open_ms[-1]) + timeframe.ms
                if len(frame) < market.page_limit:
                    del since_ms[pair]
        for pair in PAIRS:
            n = len(truth[pair])
            open_ms = np.concatenate([page.open_ms for page in pages[pair]])
            values = np.concatenate([page.values for page in pages[pair]])
            assert open_ms[:n].tolist() == truth[pair].open_ms.tolist()
            assert values[:n].tolist() == truth[pair].values.tolist()
            assert len(open_ms) > n  # the candle in progress comes last
    assert market.rows.rejected == 0


def test_longer_candles_are_what_their_parts_say(exchange):
    minutes, hours = exchange.truth(PAIRS[0], "1m"), exchange.truth(PAIRS[0], "1h")
    parts = minutes.between(int(hours.open_ms[5]), int(hours.open_ms[5]) + 59 * 60_000)
    assert hours.values[5, 1] == parts.values[:, 1].max()
    assert hours.values[5, 4] == pytest.approx(parts.values[:, 4].sum(), rel=1e-12)


def test_the_candle_in_progress_comes_last(exchange, market, request_of):
    frame = market.fetch([request_of(candles=3)], 60.0)[0]
    assert len(frame) == 3
    assert frame.open_ms[-1] <= exchange.clock.now_ms() < frame.open_ms[-1] + 300_000


def test_never_more_than_asked_for(exchange, market, request_of):
    request = request_of(candles=50)
    frame = market.fetch([CandleRequest(key=request.key, since_ms=request.since_ms, limit=7)], 60.0)[0]
    assert len(frame) == 7
    assert frame.open_ms[0] == request.since_ms


def test_nothing_yet_is_an_empty_answer(exchange, market, request_of):
    later = CandleRequest(key=request_of().key, since_ms=exchange.clock.now_ms() + 10**9, limit=10)
    assert len(market.fetch([later], 60.0)[0]) == 0


def test_a_failing_request_does_not_spoil_the_others(market, request_of):
    answers = market.fetch([request_of(), request_of("NO/USDT"), request_of("ETH/USDT")], 60.0)
    assert isinstance(answers[0], CandleFrame)
    assert isinstance(answers[1], Refused)
    assert isinstance(answers[2], CandleFrame)


def test_a_pair_that_the_exchange_no_longer_knows_is_refused(exchange, market, request_of):
    del exchange.candles.pairs["BTCUSDT"]
    answer = market.fetch([request_of()], 60.0)[0]
    assert isinstance(answer, Refused)
    assert len(exchange.asked()) == 1


def test_a_timeframe_that_the_exchange_lacks_is_refused(exchange, market, request_of):
    assert isinstance(market.fetch([request_of(timeframe="7m")], 60.0)[0], Refused)
    assert not exchange.asked()


def test_pairs_and_timeframes(market):
    assert market.pairs() == frozenset(PAIRS)
    assert {"1m", "5m", "1h", "1w"} <= market.timeframes()
    assert "1M" not in market.timeframes()
    assert (market.name, market.page_limit) == ("binance", 1000)


def test_now_is_the_exchanges_and_not_ours(exchange, connect):
    market = connect(exchange, clock=FakeClock(START_MS - 10**10))
    before_ms = exchange.clock.now_ms()
    assert before_ms <= market.now_ms() <= exchange.clock.now_ms()
    assert len(exchange.asked("time")) == 1


def test_markets_are_asked_for_once(exchange, market):
    market.pairs()
    assert len(exchange.asked("exchangeInfo")) == 1


def test_a_new_pair_is_seen_within_the_hour(exchange, connect):
    clock = FakeClock(START_MS)
    market = connect(exchange, clock=clock)
    assert "NEW/USDT" not in market.pairs()
    exchange.candles.pairs["NEWUSDT"] = "NEW/USDT"
    clock.advance(3_601_000)
    assert "NEW/USDT" in market.pairs()


def test_markets_that_are_not_told_again_are_the_known_ones_and_asked_for_once_a_minute(
    exchange, connect, monkeypatch
):
    clock = FakeClock(START_MS)
    market = connect(exchange, clock=clock)
    assert market.pairs() == frozenset(PAIRS)
    clock.advance(3_601_000)
    monkeypatch.setattr("daemon.market.ccxt_market._MARKETS_BUDGET_S", 0.2)
    exchange.script(*["reset"] * 50, path="exchangeInfo")
    assert market.pairs() == market.pairs() == frozenset(PAIRS)
    while not market._load._task.done():  # nobody waits for it any more, but it is under way
        time.sleep(0.01)
    asked = len(exchange.asked("exchangeInfo"))
    market.pairs()
    assert len(exchange.asked("exchangeInfo")) == asked
    clock.advance(60_000)
    market.pairs()
    while not market._load._task.done():
        time.sleep(0.01)
    assert len(exchange.asked("exchangeInfo")) > asked


def test_without_network_every_place_holds_a_passing_fault(exchange, market, request_of):
    requests = [request_of(), request_of("ETH/USDT")]
    exchange.stop()
    exchange.stop = lambda: None
    answers = market.fetch(requests, 1.0)
    assert [type(answer) for answer in answers] == [Retryable, Retryable]


def test_pairs_of_an_exchange_that_cannot_be_reached(monkeypatch):
    monkeypatch.setattr("daemon.market.ccxt_market._MARKETS_BUDGET_S", 2.0)
    monkeypatch.setattr("daemon.market.ccxt_market._MARGIN_S", 60.0)
    market = binance(urls={"api": {"public": "http://127.0.0.1:9/api/v3"}})
    with pytest.raises(Retryable, match=r"127\.0\.0\.1:9"):
        market.pairs()
    market.close()


def test_a_server_that_hangs_in_the_middle_does_not_hold_the_caller(exchange, market, request_of):
    exchange.script(*["stall"] * 9)
    answer = market.fetch([request_of()], 0.7)[0]
    assert isinstance(answer, Retryable)


def test_close_ends_a_fetch_under_way(exchange, connect, request_of):
    market = connect(exchange)
    market.pairs()
    exchange.script(*["hang"] * 3)
    answers = []
    thread = threading.Thread(target=lambda: answers.extend(market.fetch([request_of()] * 3, 100.0)))
    thread.start()
    while len(exchange.asked()) < 3:
        thread.join(0.01)
    market.close()
    thread.join(60)
    assert [str(answer) for answer in answers] == ["binance is closed"] * 3


def test_a_closed_market_answers_with_a_passing_fault(market, request_of):
    market.close()
    market.close()
    assert isinstance(market.fetch([request_of()], 1.0)[0], Retryable)
    with pytest.raises(Retryable, match="closed"):
        market.pairs()
    assert market.now_ms() > 0
    assert not [thread for thread in threading.enumerate() if thread.name == "market"]


def test_fetch_may_be_called_from_several_threads(market, request_of, wrong_rows):
    requests = [request_of(str(pair)) for pair in PAIRS]
    answers = [[], [], [], []]
    threads = [
        threading.Thread(target=lambda into=into: into.extend(market.fetch(requests, 60.0)))
        for into in answers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for into in answers:
        assert [wrong_rows(request, frame) for request, frame in zip(requests, into, strict=True)] == [[]] * 8


def test_an_unknown_exchange_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match=r"binanse.*binance"):
        CcxtMarket(exchange_id="binanse", ccxt_config={}, ccxt_async_config={}, clock=FakeClock())


def test_an_exchange_without_candles_is_a_configuration_error():
    with pytest.raises(ConfigError, match="no candles"):
        CcxtMarket(exchange_id="btcbox", ccxt_config={}, ccxt_async_config={}, clock=FakeClock())


def test_settings_that_ccxt_does_not_take():
    with pytest.raises(ConfigError, match="ccxt_config"):
        binance(options="fast")


def test_settings_are_merged_at_every_depth():
    market = CcxtMarket(
        exchange_id="binance",
        ccxt_config={"urls": {"api": {"public": "http://a"}}, "options": {"x": {"y": 1}}, "rateLimit": 7},
        ccxt_async_config={"options": {"x": {"z": 2}}, "rateLimit": 8},
        clock=FakeClock(),
        credentials={"key": "K", "secret": "S"},
    )
    client = market._client._ccxt
    assert client.urls["api"]["public"] == "http://a"
    assert client.urls["api"]["private"].startswith("https://")
    assert client.options["x"] == {"y": 1, "z": 2}
    assert client.options["defaultType"] == "spot"
    assert (client.rateLimit, client.enableRateLimit) == (8, True)
    assert (client.apiKey, client.secret) == ("K", "S")
    market.close()


@pytest.mark.parametrize(
    ("options", "types"),
    [
        ({}, ["spot"]),
        ({"defaultType": "swap"}, ["spot", "linear", "inverse"]),
        ({"fetchMarkets": {"types": ["linear"]}}, ["linear"]),
    ],
)
def test_only_wanted_markets_are_loaded(options, types):
    market = binance(options=options)
    assert market._client._ccxt.options["fetchMarkets"]["types"] == types
    market.close()


def test_the_pace_is_kept(exchange, connect, request_of):
    market = connect(exchange, rateLimit=250)
    market.pairs()
    began_s = time.monotonic()  # before the first, which a busy machine may delay more than the last
    market.fetch([request_of(str(pair), candles=2) for pair in PAIRS], 60.0)
    # ccxt's cost of a page is 0.4.
    assert exchange.asked()[-1].at_s - began_s >= 7 * 0.1 - 0.05


class SetClock(SystemClock):
    """A system clock that can be set."""

    by_ms = 0

    def now_ms(self):
        return super().now_ms() + self.by_ms


def test_a_system_clock_that_is_set_stops_no_request_and_is_seen_through(exchange, request_of, connect):
    clock = SetClock()
    market = connect(exchange, clock=clock)
    market.now_ms()
    for by_ms in (-3_600_000, 7_200_000):
        clock.by_ms = by_ms
        assert isinstance(market.fetch([request_of()], 60.0)[0], CandleFrame)
        assert market.now_ms() == pytest.approx(exchange.clock.now_ms(), abs=60_000)  # ours is hours off
    assert len(exchange.asked("time")) == 3


def test_a_pair_is_gone_when_two_answers_lack_it_a_minute_apart(exchange, connect, monkeypatch):
    clock, told = FakeClock(START_MS), [{*PAIRS}, {PAIRS[0]}, {*PAIRS}, {PAIRS[0]}, {PAIRS[0]}]
    market = connect(exchange, clock=clock)

    async def pairs(_deadline_s):
        return frozenset(told.pop(0))

    monkeypatch.setattr(market._client, "pairs", pairs)
    assert market.pairs() == frozenset(PAIRS)
    for wait_s, expected in ((3_600, PAIRS), (60, PAIRS), (3_600, PAIRS), (59, PAIRS), (1, PAIRS[:1])):
        clock.advance(wait_s * 1000)
        assert market.pairs() == frozenset(expected), told
    assert not told


def test_whoever_doubts_markets_that_are_not_told_does_not_wait_for_them_again_at_once(
    exchange, connect, monkeypatch
):
    clock, tries = FakeClock(START_MS), []
    market = connect(exchange, clock=clock)
    assert market.pairs() == frozenset(PAIRS)

    async def pairs(_deadline_s):
        tries.append(1)
        raise Refused("no")

    monkeypatch.setattr(market._client, "pairs", pairs)
    clock.advance(3_600_000)
    assert market.pairs() == frozenset(PAIRS)
    market.doubt_pairs()
    assert market.pairs() == frozenset(PAIRS)
    assert len(tries) == 1
