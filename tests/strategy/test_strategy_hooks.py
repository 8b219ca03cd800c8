"""The boundary to a strategy's code."""

from datetime import UTC, datetime

import pandas as pd
import pytest
from strategy_fakes import Candles, Predictions, made_candles

from daemon.core.errors import StrategyError
from daemon.strategy.hooks import Hooks

META = {"pair": "ETH/USDT", "tf": "5m"}


def test_hooks_return_the_frames_of_the_strategy(sound):
    hooks = Hooks(sound())
    frame = made_candles(20)
    assert hooks.expand_basic(frame.copy(), META)["%-change"].notna().sum() == 19
    assert hooks.targets(frame.copy(), META)["&-next"].iloc[0] == frame["close"].iloc[1]
    assert hooks.expand_all(frame.copy(), 10, META).equals(frame)
    assert hooks.standard(frame.copy(), META).equals(frame)


def test_the_period_and_the_metadata_reach_the_hook(sound):
    body = """
        def feature_engineering_expand_all(self, dataframe, period, metadata, **kwargs):
            dataframe["%-seen"] = f"{period} {metadata['pair']} {metadata['tf']} {metadata['period']}"
            return dataframe
        """
    seen = Hooks(sound(body)).expand_all(made_candles(3), 14, META)["%-seen"]
    assert set(seen) == {"14 ETH/USDT 5m 14"}


def test_hooks_of_the_time_before_metadata_are_called_too(sound):
    body = """
        def feature_engineering_expand_all(self, dataframe, period, **kwargs):
            dataframe["%-period"] = period
            return dataframe
        """
    assert set(Hooks(sound(body)).expand_all(made_candles(3), 14, META)["%-period"]) == {14}


def test_what_a_hook_raises_is_reported_with_file_line_hook_pair_and_timeframe(sound, tmp_path):
    body = """
        def feature_engineering_standard(self, dataframe, metadata, **kwargs):
            dataframe["%-x"] = self.deeper(dataframe)
            return dataframe
        def deeper(self, dataframe):
            return dataframe["absent"]
        """
    with pytest.raises(StrategyError) as error:
        Hooks(sound(body)).standard(made_candles(3), META)
    place = f"{tmp_path / 'strategy.py'}:16"
    assert str(error.value) == f"{place}: KeyError: 'absent' [feature_engineering_standard ETH/USDT 5m]"
    assert isinstance(error.value.__cause__, KeyError)


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("None", "returned nothing: end it with `return dataframe`"),
        ("dataframe['close']", "returned Series instead of a DataFrame"),
        ("dataframe.dropna().iloc[1:]", "returned 19 rows for 20 candles: it must keep every row"),
    ],
)
@pytest.mark.parametrize(
    "hook", ["feature_engineering_expand_basic", "set_freqai_targets", "populate_exit_trend"]
)
def test_a_hook_that_does_not_return_its_frame_is_told(sound, tmp_path, returned, said, hook):
    hooks = Hooks(sound(f"def {hook}(self, dataframe, metadata, **kwargs):\n    return {returned}\n"))
    call = {
        "feature_engineering_expand_basic": hooks.expand_basic,
        "set_freqai_targets": hooks.targets,
        "populate_exit_trend": hooks.populate,
    }[hook]
    with pytest.raises(StrategyError) as error:
        call(made_candles(20), META)
    assert str(error.value) == f"{tmp_path / 'strategy.py'}:12: {hook} ETH/USDT 5m: {said}"


def test_targets_without_a_target_are_told(sound):
    body = "def set_freqai_targets(self, dataframe, metadata, **kwargs):\n    return dataframe\n"
    with pytest.raises(StrategyError, match=r"set_freqai_targets ETH/USDT 5m: made no target.*'&'"):
        Hooks(sound(body)).targets(made_candles(3), META)


def test_indicators_entries_and_exits_come_in_order(sound, bound):
    body = """
        def populate_indicators(self, dataframe, metadata):
            return self.freqai.start(dataframe, metadata, self)
        def populate_entry_trend(self, dataframe, metadata):
            dataframe.loc[dataframe["&-next"] > 0, ["enter_long", "enter_tag"]] = (1, "up")
            return dataframe
        def populate_exit_trend(self, dataframe, metadata):
            dataframe["exit_long"] = 1 - dataframe["enter_long"]
            return dataframe
        """
    frame = bound(sound(body), predictions=Predictions(**{"&-next": [-1.0, 0.0, 1.0]})).populate(
        made_candles(3), {"pair": "ETH/USDT"}
    )
    assert frame["enter_long"].fillna(0).tolist() == [0, 0, 1]
    assert frame["enter_tag"].tolist() == ["", "", "up"]
    assert frame["exit_tag"].tolist() == ["", "", ""]
    assert frame["exit_long"].iloc[2] == 0


def test_signals_of_the_former_interface_get_their_present_names(sound, bound):
    body = """
        def populate_buy_trend(self, dataframe, metadata):
            dataframe.loc[:, ["buy", "buy_tag"]] = (1, "cheap")
            return dataframe
        def populate_sell_trend(self, dataframe, metadata):
            dataframe["sell"] = 0
            return dataframe
        """
    frame = bound(sound(body)).populate(made_candles(2), {"pair": "ETH/USDT"})
    assert frame["enter_long"].tolist() == [1, 1]
    assert frame["enter_tag"].tolist() == ["cheap", "cheap"]
    assert frame["exit_long"].tolist() == [0, 0]


def test_bot_start_and_bot_loop_start_are_called_and_their_errors_reported(sound, bound):
    body = """
        def bot_start(self, **kwargs):
            self.started = self.dp.current_whitelist()
        def bot_loop_start(self, current_time, **kwargs):
            raise RuntimeError(f"at {current_time:%H:%M}")
        """
    strategy = sound(body)
    hooks = bound(strategy)
    hooks.bot_start()
    assert strategy.instance.started == ["ETH/USDT"]
    with pytest.raises(StrategyError, match=r"strategy\.py:15: RuntimeError: at 12:30 \[bot_loop_start\]"):
        hooks.bot_loop_start(datetime(2024, 1, 1, 12, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    "method", ["get_pair_dataframe", "get_analyzed_dataframe", "historic_ohlcv", "ohlcv"]
)
def test_a_feature_hook_may_not_read_other_candles(sound, bound, method):
    body = f"""
        def feature_engineering_standard(self, dataframe, metadata, **kwargs):
            self.dp.{method}("BTC/USDT", "5m")
            return dataframe
        """
    source = Candles()
    with pytest.raises(
        StrategyError,
        match=r"strategy\.py:13: self\.dp\.\w+ is not open to feature_engineering_standard",
    ):
        bound(sound(body), source).standard(made_candles(3), META)
    assert source.asked == []


def test_targets_and_signals_may_read_other_candles_also_after_a_feature_hook_failed(sound, bound):
    body = """
        def feature_engineering_standard(self, dataframe, metadata, **kwargs):
            raise ValueError
        def set_freqai_targets(self, dataframe, metadata, **kwargs):
            dataframe["&-btc"] = self.dp.get_pair_dataframe("BTC/USDT", "5m")["close"]
            return dataframe
        """
    frame = made_candles(3)
    hooks = bound(sound(body), Candles({("BTC/USDT", "5m"): frame}))
    with pytest.raises(StrategyError):
        hooks.standard(made_candles(3), META)
    pd.testing.assert_series_equal(
        hooks.targets(made_candles(3), META)["&-btc"], frame["close"], check_names=False
    )


def test_class_names_are_known_once_the_targets_were_made(sound, bound):
    body = """
        def set_freqai_targets(self, dataframe, metadata, **kwargs):
            self.freqai.class_names = ["down", "up"]
            dataframe["&s-move"] = "up"
            return dataframe
        """
    strategy = sound(body)
    hooks = bound(strategy)
    assert hooks.class_names == ()
    hooks.targets(made_candles(3), META)
    assert hooks.class_names == ("down", "up")
    assert bound(strategy).class_names == ("down", "up")  # bound anew, it does not forget


def test_candles_that_the_strategy_reads_are_listed(sound, bound):
    body = """
        def informative_pairs(self):
            return [("BTC/USDT", "1d"), ("BTC/USDT", "1h", "spot")]
        @informative("1h")
        def hourly(self, dataframe, metadata):
            return dataframe
        @informative("4h", "{base}/BTC")
        def against_bitcoin(self, dataframe, metadata):
            return dataframe
        """
    assert bound(sound(body)).candles_read(["ETH/USDT"]) == [
        ("BTC/USDT", "1d"),
        ("BTC/USDT", "1h"),
        ("ETH/BTC", "4h"),
        ("ETH/USDT", "1h"),
    ]


def test_overridden_hooks_are_known(sound):
    hooks = Hooks(sound())
    assert hooks.overrides("feature_engineering_expand_basic")
    assert not hooks.overrides("feature_engineering_expand_all")
