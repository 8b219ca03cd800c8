"""The base class of strategies: what a user's file inherits from as ``freqtrade.strategy.IStrategy``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from daemon.strategy.callbacks import TradingCallbacks
from daemon.strategy.compat.enums import MarketDirection
from daemon.strategy.compat.timeframes import timeframe_to_next_date
from daemon.strategy.locks import PairLocks
from daemon.strategy.provider import DataProvider, FreqaiDoor, Wallets

if TYPE_CHECKING:
    from datetime import datetime

    from pandas import DataFrame

__all__ = ["IStrategy"]


class IStrategy(TradingCallbacks):
    """A strategy: features, targets, signals and, where wanted, trading callbacks.

    A strategy must override `set_freqai_targets`, at least one ``feature_engineering_*`` hook,
    `populate_indicators` (which returns ``self.freqai.start(dataframe, metadata, self)``) and the entry
    signals. Frames have one row per closed candle, oldest first, with the columns ``date`` (open time,
    UTC), ``open``, ``high``, ``low``, ``close`` (quote currency) and ``volume`` (base currency). A hook
    may write into the frame that it is given, and returns it with the same number of rows.

    Args:
        config: the user's configuration as plain dicts; a copy that belongs to the strategy.
    """

    INTERFACE_VERSION: int = 3

    timeframe: str
    stoploss: float
    max_open_trades: float
    minimal_roi: ClassVar[dict[Any, float]] = {}
    use_custom_roi: bool = False
    trailing_stop: bool = False
    trailing_stop_positive: float | None = None
    trailing_stop_positive_offset: float = 0.0
    trailing_only_offset_is_reached: bool = False
    use_custom_stoploss: bool = False
    can_short: bool = False
    order_types: ClassVar[dict[str, Any]] = {
        "entry": "limit",
        "exit": "limit",
        "stoploss": "limit",
        "stoploss_on_exchange": False,
        "stoploss_on_exchange_interval": 60,
    }
    order_time_in_force: ClassVar[dict[str, str]] = {"entry": "GTC", "exit": "GTC"}
    process_only_new_candles: bool = True
    use_exit_signal: bool
    exit_profit_only: bool
    exit_profit_offset: float
    ignore_roi_if_entry_signal: bool
    position_adjustment_enable: bool = False
    max_entry_position_adjustment: int = -1
    ignore_buying_expired_candle_after: int = 0
    disable_dataframe_checks: bool = False
    startup_candle_count: int = 0
    protections: ClassVar[list[dict[str, Any]]] = []
    plot_config: ClassVar[dict[str, Any]] = {}
    market_direction: MarketDirection = MarketDirection.NONE
    stake_currency: str

    # What the daemon hands to the strategy; until it is bound they answer with an error that says so.
    dp: DataProvider
    wallets: Wallets
    freqai: FreqaiDoor
    freqai_info: dict[str, Any]

    # The strategy's file and its text.
    __file__: str = ""
    __source__: str = ""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.freqai_info = config.get("freqai", {})
        self.freqai = FreqaiDoor()
        self.dp = DataProvider(config)
        self.wallets = Wallets(config)

    # --- features and targets -------------------------------------------------------------------

    def feature_engineering_expand_all(
        self,
        dataframe: DataFrame,
        period: int,  # noqa: ARG002 - the interface
        metadata: dict[str, Any],  # noqa: ARG002 - the interface
        **kwargs: Any,  # noqa: ARG002 - the interface
    ) -> DataFrame:
        """Features for every period, timeframe, shift and correlated pair of the configuration.

        Columns that begin with ``%`` are features. ``metadata`` holds ``pair`` and ``tf``.
        """
        return dataframe

    def feature_engineering_expand_basic(
        self,
        dataframe: DataFrame,
        metadata: dict[str, Any],  # noqa: ARG002 - the interface
        **kwargs: Any,  # noqa: ARG002 - the interface
    ) -> DataFrame:
        """Features for every timeframe, shift and correlated pair, but not for every period."""
        return dataframe

    def feature_engineering_standard(
        self,
        dataframe: DataFrame,
        metadata: dict[str, Any],  # noqa: ARG002 - the interface
        **kwargs: Any,  # noqa: ARG002 - the interface
    ) -> DataFrame:
        """Features of the base timeframe that are not multiplied, such as the hour of the day."""
        return dataframe

    def set_freqai_targets(
        self,
        dataframe: DataFrame,
        metadata: dict[str, Any],  # noqa: ARG002 - the interface
        **kwargs: Any,  # noqa: ARG002 - the interface
    ) -> DataFrame:
        """Targets: columns that begin with ``&``. They alone may look ahead."""
        return dataframe

    # --- signals --------------------------------------------------------------------------------

    def populate_indicators(
        self,
        dataframe: DataFrame,
        metadata: dict[str, Any],  # noqa: ARG002 - the interface
    ) -> DataFrame:
        """Columns that the signals need; the predictions come from ``self.freqai.start``."""
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Entries: 1 in the column ``enter_long`` (or ``enter_short``), a reason in ``enter_tag``."""
        return self.populate_buy_trend(dataframe, metadata)

    def populate_buy_trend(
        self,
        dataframe: DataFrame,
        metadata: dict[str, Any],  # noqa: ARG002 - the interface
    ) -> DataFrame:
        """Former name of `populate_entry_trend`, with the column ``buy``."""
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Exits: 1 in the column ``exit_long`` (or ``exit_short``), a reason in ``exit_tag``."""
        return self.populate_sell_trend(dataframe, metadata)

    def populate_sell_trend(
        self,
        dataframe: DataFrame,
        metadata: dict[str, Any],  # noqa: ARG002 - the interface
    ) -> DataFrame:
        """Former name of `populate_exit_trend`, with the column ``sell``."""
        return dataframe

    def informative_pairs(self) -> list[tuple[str, ...]]:
        """More candles that the strategy reads by ``self.dp``: (pair, timeframe) tuples."""
        return []

    def version(self) -> str | None:
        """The strategy's own version, for the records."""
        return None

    def get_strategy_name(self) -> str:
        """Name of the strategy's class."""
        return type(self).__name__

    # --- pair locks -----------------------------------------------------------------------------

    def lock_pair(self, pair: str, until: datetime, reason: str | None = None, side: str = "*") -> None:
        """Allow no entry for ``pair`` until the first candle that opens after then (UTC)."""
        PairLocks.lock_pair(pair, timeframe_to_next_date(self.timeframe, until), reason, side=side)

    def unlock_pair(self, pair: str) -> None:
        """Lift the locks of ``pair``."""
        PairLocks.unlock_pair(pair)

    def unlock_reason(self, reason: str) -> None:
        """Lift the locks that were set for ``reason``."""
        PairLocks.unlock_reason(reason)

    def is_pair_locked(self, pair: str, *, candle_date: datetime | None = None, side: str = "*") -> bool:
        """Whether ``pair`` may not be entered at the close of the candle ``candle_date`` (else: now)."""
        moment = timeframe_to_next_date(self.timeframe, candle_date) if candle_date else None
        return PairLocks.is_pair_locked(pair, moment, side)
