"""freqtrade's enumerations: strategies compare ``config["runmode"]`` and others with them.

The values are part of the interface; they stand in configurations and in databases.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Self

__all__ = [
    "NON_UTIL_MODES",
    "OPTIMIZE_MODES",
    "TRADE_MODES",
    "CandleType",
    "ExitType",
    "HyperoptState",
    "MarginMode",
    "MarketDirection",
    "OrderTypeValues",
    "PriceType",
    "RunMode",
    "SignalDirection",
    "SignalTagType",
    "SignalType",
    "State",
    "TradingMode",
]


class RunMode(StrEnum):
    """What the program is doing."""

    LIVE = "live"
    DRY_RUN = "dry_run"
    BACKTEST = "backtest"
    HYPEROPT = "hyperopt"
    UTIL_EXCHANGE = "util_exchange"
    UTIL_NO_EXCHANGE = "util_no_exchange"
    PLOT = "plot"
    WEBSERVER = "webserver"
    OTHER = "other"


TRADE_MODES = [RunMode.LIVE, RunMode.DRY_RUN]
OPTIMIZE_MODES = [RunMode.BACKTEST, RunMode.HYPEROPT]
NON_UTIL_MODES = TRADE_MODES + OPTIMIZE_MODES


class TradingMode(StrEnum):
    """Kind of market that is traded."""

    SPOT = "spot"
    MARGIN = "margin"
    FUTURES = "futures"


class MarginMode(StrEnum):
    """What backs a leveraged position."""

    CROSS = "cross"
    ISOLATED = "isolated"
    NONE = ""


class CandleType(StrEnum):
    """What the candles show."""

    SPOT = "spot"
    FUTURES = "futures"
    MARK = "mark"
    INDEX = "index"
    PREMIUMINDEX = "premiumIndex"
    FUNDING_RATE = "funding_rate"
    OPEN_INTEREST = "open_interest"

    @classmethod
    def from_string(cls, value: str) -> Self:
        """The type of that name; spot for an empty text."""
        return cls(value or "spot")

    @classmethod
    def get_default(cls, trading_mode: str) -> Self:
        """The candles that are traded on in a mode."""
        return cls("futures" if trading_mode == "futures" else "spot")


class SignalType(StrEnum):
    """Columns that hold signals."""

    ENTER_LONG = "enter_long"
    EXIT_LONG = "exit_long"
    ENTER_SHORT = "enter_short"
    EXIT_SHORT = "exit_short"


class SignalTagType(StrEnum):
    """Columns that hold the reasons of signals."""

    ENTER_TAG = "enter_tag"
    EXIT_TAG = "exit_tag"


class SignalDirection(StrEnum):
    """Side of a trade."""

    LONG = "long"
    SHORT = "short"


class OrderTypeValues(StrEnum):
    """How an order is filled."""

    limit = "limit"
    market = "market"


class PriceType(StrEnum):
    """Price that triggers a stop-loss on the exchange."""

    LAST = "last"
    MARK = "mark"
    INDEX = "index"


class ExitType(Enum):
    """Why a trade was closed."""

    ROI = "roi"
    STOP_LOSS = "stop_loss"
    STOPLOSS_ON_EXCHANGE = "stoploss_on_exchange"
    TRAILING_STOP_LOSS = "trailing_stop_loss"
    LIQUIDATION = "liquidation"
    EXIT_SIGNAL = "exit_signal"
    FORCE_EXIT = "force_exit"
    EMERGENCY_EXIT = "emergency_exit"
    CUSTOM_EXIT = "custom_exit"
    PARTIAL_EXIT = "partial_exit"
    SOLD_ON_EXCHANGE = "sold_on_exchange"
    NONE = ""

    def __str__(self) -> str:
        return self.value


class MarketDirection(Enum):
    """The user's own opinion of the market."""

    LONG = "long"
    SHORT = "short"
    EVEN = "even"
    NONE = "none"

    def __str__(self) -> str:
        return self.value


class HyperoptState(Enum):
    """Stage of an optimisation."""

    STARTUP = 1
    DATALOAD = 2
    INDICATORS = 3
    OPTIMIZE = 4

    def __str__(self) -> str:
        return self.name.lower()


class State(Enum):
    """What the bot is doing."""

    RUNNING = 1
    PAUSED = 2
    STOPPED = 3
    RELOAD_CONFIG = 4

    def __str__(self) -> str:
        return self.name.lower()
