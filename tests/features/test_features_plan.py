from daemon.core.market import CandleKey
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe
from daemon.features.plan import FeaturePlan, Hook

ADA, BTC, ETH = Pair("ADA/USDT"), Pair("BTC/USDT"), Pair("ETH/USDT")
FIVE, HOUR = Timeframe("5m"), Timeframe("1h")


def plan(**changes):
    given = {"base": FIVE, "timeframes": (FIVE, HOUR), "correlated": (BTC,), "periods": (10,), "shifts": 1}
    return FeaturePlan(**{**given, **changes})


def names(block):
    return ("%-day_of_week",) if block.hook is Hook.STANDARD else ("%-rsi-period_10", "%-pct-change_gen")


def test_names_and_their_order_are_freqais():
    # Read off FreqAI 2026.9 for these settings: own timeframes, then standard, then the correlated pair.
    assert plan().schema(ADA, names).names == (
        "%-rsi-period_10_ADA/USDT_5m",
        "%-pct-change_gen_ADA/USDT_5m",
        "%-rsi-period_10_shift-1_ADA/USDT_5m",
        "%-pct-change_gen_shift-1_ADA/USDT_5m",
        "%-rsi-period_10_ADA/USDT_1h",
        "%-pct-change_gen_ADA/USDT_1h",
        "%-rsi-period_10_shift-1_ADA/USDT_1h",
        "%-pct-change_gen_shift-1_ADA/USDT_1h",
        "%-day_of_week",
        "%-rsi-period_10_BTC/USDT_5m",
        "%-pct-change_gen_BTC/USDT_5m",
        "%-rsi-period_10_shift-1_BTC/USDT_5m",
        "%-pct-change_gen_shift-1_BTC/USDT_5m",
        "%-rsi-period_10_BTC/USDT_1h",
        "%-pct-change_gen_BTC/USDT_1h",
        "%-rsi-period_10_shift-1_BTC/USDT_1h",
        "%-pct-change_gen_shift-1_BTC/USDT_1h",
    )


def test_a_correlated_pair_is_not_its_own_correlated_pair():
    assert [block.pair for block in plan().blocks(BTC)] == [BTC, BTC, BTC]


def test_colons_are_dropped_from_names():
    pair = Pair("ADA/USDT:USDT")
    assert plan(correlated=(), shifts=0).schema(pair, names).names[0] == "%-rsi-period_10_ADA/USDTUSDT_5m"


def test_each_candle_series_is_fetched_once():
    keys = plan(correlated=(BTC, ETH)).candle_keys([ADA, BTC])
    assert sorted(keys) == sorted(CandleKey(p, t) for p in (ADA, BTC, ETH) for t in (FIVE, HOUR))


def test_the_base_candles_of_every_pair_are_fetched_even_if_no_feature_uses_them():
    keys = plan(timeframes=(HOUR,), correlated=()).candle_keys([ADA])
    assert CandleKey(ADA, FIVE) in keys
