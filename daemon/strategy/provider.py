"""What a strategy finds under ``self.dp``, ``self.wallets`` and ``self.freqai``."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from daemon.core.clock import SystemClock
from daemon.core.errors import StrategyError
from daemon.strategy.compat.enums import RunMode
from daemon.strategy.compat.timeframes import timeframe_to_msecs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pandas import DataFrame

    from daemon.core.clock import Clock
    from daemon.strategy.ports import AccountSource, CandleSource, MarketSource, PredictionSource

__all__ = ["DataProvider", "FreqaiDoor", "Wallets"]

log = logging.getLogger(__name__)

_CANDLE_TYPES = ("", "spot", "futures")
_NOT_SERVED = frozenset(
    [
        "funding_rate",
        "trades",
        "get_producer_df",
        "get_producer_pairs",
        "check_delisting",
    ]
)


class _FeatureHook(threading.local):
    """Name of the feature hook that this thread is in; empty outside of one."""

    name: str = ""


feature_hook = _FeatureHook()


class DataProvider:
    """Candles of any pair, for signals, targets and callbacks.

    Feature hooks are refused: a feature is a function of the frame that the hook is given, so that
    training, live and back-test rows are the same.
    """

    def __init__(
        self, config: Mapping[str, Any], source: CandleSource | None = None, clock: Clock | None = None
    ) -> None:
        self._config = config
        self._source = source
        self._clock = clock or SystemClock()
        self._sent_in_ms = 0
        self._sent: set[str] = set()
        self._market: MarketSource | None = None

    def __getattr__(self, name: str) -> NoReturn:
        if name in _NOT_SERVED:
            raise StrategyError(f"self.dp.{name} is not served by this version of candled")
        raise AttributeError(f"candled's data provider has no {name!r}")

    def get_pair_dataframe(
        self, pair: str, timeframe: str | None = None, candle_type: str | None = ""
    ) -> DataFrame:
        """Closed candles of a pair, oldest first; empty if it has none. The frame may be written into.

        Raises:
            StrategyError: called from a feature hook, or for other candles than those traded on.
        """
        source = self._open("get_pair_dataframe")
        if (candle_type or "") not in _CANDLE_TYPES:
            raise StrategyError(f"self.dp.get_pair_dataframe: {candle_type!r} candles are not served")
        return source.candles(pair, timeframe or self._config["timeframe"]).copy(deep=False)

    def historic_ohlcv(self, pair: str, timeframe: str, candle_type: str | None = "") -> DataFrame:
        """See `get_pair_dataframe`."""
        return self.get_pair_dataframe(pair, timeframe, candle_type)

    def ohlcv(
        self,
        pair: str,
        timeframe: str | None = None,
        copy: bool = True,  # noqa: ARG002 - pandas copies on write
        candle_type: str | None = "",
    ) -> DataFrame:
        """See `get_pair_dataframe`."""
        return self.get_pair_dataframe(pair, timeframe, candle_type)

    def get_analyzed_dataframe(self, pair: str, timeframe: str) -> tuple[DataFrame, datetime]:
        """The frame that the strategy made last for a pair, and when (UTC); empty and 1970 if none yet."""
        frame, moment = self._open("get_analyzed_dataframe").analyzed(pair, timeframe)
        return frame.copy(deep=False), moment

    def current_whitelist(self) -> list[str]:
        """Pairs that are traded."""
        return list(self._bound("current_whitelist").whitelist())

    @property
    def available_pairs(self) -> list[tuple[str, str]]:
        """Pairs that are traded, with the base timeframe."""
        return [(pair, self._config["timeframe"]) for pair in self.current_whitelist()]

    @property
    def runmode(self) -> RunMode:
        """What the daemon is doing: dry-run, live or back-test."""
        return RunMode(self._config.get("runmode", RunMode.OTHER))

    def send_msg(self, message: str, *, always_send: bool = False) -> None:
        """Send a message to the user: the log. The same message only once per candle."""
        length_ms = timeframe_to_msecs(self._config["timeframe"])
        candle_ms = self._clock.now_ms() // length_ms * length_ms
        if candle_ms != self._sent_in_ms:
            self._sent_in_ms, self._sent = candle_ms, set()
        if always_send or message not in self._sent:
            self._sent.add(message)
            log.info("strategy message", extra={"fields": {"message": str(message)}})

    def use_market(self, market: MarketSource | None) -> None:
        """Answer `orderbook`, `ticker` and `market` from there."""
        self._market = market

    def orderbook(self, pair: str, maximum: int) -> dict[str, Any]:
        """``bids`` and ``asks`` of a pair, each a list of [price, amount], best first, at most ``maximum`` of them."""
        return dict(self._present("orderbook").order_book(pair, maximum))

    def ticker(self, pair: str) -> dict[str, Any]:
        """``bid``, ``ask`` and ``last`` price of a pair now; empty if there is none."""
        return dict(self._present("ticker").ticker(pair))

    def market(self, pair: str) -> dict[str, Any] | None:
        """The exchange's rules for a pair, as ccxt names them; None if it does not trade it."""
        found = self._present("market").market(pair)
        return None if found is None else dict(found)

    def _present(self, method: str) -> MarketSource:
        """The market as it is now, which no feature and no signal of a past candle may depend on."""
        if feature_hook.name:
            raise StrategyError(
                f"self.dp.{method} is not open to {feature_hook.name}: a past candle has no such value"
            )
        if self._market is None:
            raise StrategyError(f"self.dp.{method} is not served here: nothing trades")
        return self._market

    def _open(self, method: str) -> CandleSource:
        if feature_hook.name:
            raise StrategyError(
                f"self.dp.{method} is not open to {feature_hook.name}: a feature may depend on the candles of its "
                "own frame only (list the pair in include_corr_pairlist, the timeframe in include_timeframes)"
            )
        return self._bound(method)

    def _bound(self, method: str) -> CandleSource:
        if self._source is None:
            raise StrategyError(f"self.dp.{method}: there are no candles yet; use it from bot_start on")
        return self._source


class Wallet(NamedTuple):
    """What the account holds of one currency."""

    currency: str
    free: float = 0.0
    used: float = 0.0
    total: float = 0.0


class Wallets:
    """The account: amounts in each currency's own units.

    Where nothing trades (tests of a strategy, commands), it is the dry run's account before its first trade.
    """

    def __init__(self, config: Mapping[str, Any], account: AccountSource | None = None) -> None:
        self._config = config
        self._account = account

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"candled's wallets have no {name!r}")

    def get_all_balances(self) -> dict[str, Wallet]:
        """Every currency that the account holds."""
        if self._account is not None:
            return {
                currency: Wallet(currency, free, used, free + used)
                for currency, (free, used) in self._account.balances().items()
            }
        if self._config.get("dry_run", True) is False:
            raise StrategyError("self.wallets: the account is not known before trading has begun")
        wallet = self._config.get("dry_run_wallet", 1000)
        amounts = wallet if isinstance(wallet, dict) else {self._config["stake_currency"]: wallet}
        return {name: Wallet(name, float(amount), 0.0, float(amount)) for name, amount in amounts.items()}

    def get_total(self, currency: str) -> float:
        """Balance of a currency."""
        return self._of(currency).total

    def get_free(self, currency: str) -> float:
        """What is not bound in orders."""
        return self._of(currency).free

    def get_used(self, currency: str) -> float:
        """What is bound in orders."""
        return self._of(currency).used

    def get_owned(self, pair: str, base_currency: str) -> float:  # noqa: ARG002 - freqtrade's interface
        """Balance of the coin that is held."""
        return self.get_total(base_currency)

    def get_starting_balance(self) -> float:
        """Stake currency that the account began with."""
        if self._account is not None:
            return self._account.starting_balance()
        capital = self._config.get("available_capital")
        return float(capital) if capital is not None else self._tradable()

    def get_total_stake_amount(self) -> float:
        """Stake currency that may be traded with, bound or free."""
        return self.get_starting_balance() if self._account is None else self._account.total_stake_amount()

    def get_available_stake_amount(self) -> float:
        """Stake currency that a new trade may use."""
        if self._account is not None:
            return self._account.available_stake_amount()
        return min(self.get_total_stake_amount(), self.get_free(self._config["stake_currency"]))

    def get_trade_stake_amount(self, pair: str, max_open_trades: float, update: bool = True) -> float:  # noqa: ARG002 - freqtrade's interface
        """Stake that a new trade would have, stake currency."""
        if self._account is not None:
            return self._account.trade_stake_amount()
        stake = self._config.get("stake_amount", "unlimited")
        share = self.get_available_stake_amount() / max_open_trades if max_open_trades else 0.0
        return share if stake == "unlimited" else float(stake)

    def _tradable(self) -> float:
        ratio = float(self._config.get("tradable_balance_ratio", 0.99))
        return self.get_free(self._config["stake_currency"]) * ratio

    def _of(self, currency: str) -> Wallet:
        return self.get_all_balances().get(currency, Wallet(currency))


class FreqaiDoor:
    """``self.freqai``: the strategy's way to its predictions.

    Attributes:
        class_names: the classes, where the strategy names them in `set_freqai_targets`.
    """

    def __init__(self, predictions: PredictionSource | None = None) -> None:
        self._predictions = predictions
        self.class_names: list[str] = []

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"candled's self.freqai has no {name!r}: it has `start` and `class_names`")

    def start(self, dataframe: DataFrame, metadata: dict[str, Any], strategy: object) -> DataFrame:  # noqa: ARG002 - freqtrade's interface
        """The frame with the predictions for each of its candles.

        Added: a column per target, ``<target>_mean`` and ``<target>_std``, class probabilities,
        ``do_predict`` (1: use it) and ``DI_values``.
        """
        if self._predictions is None:
            raise StrategyError(
                "self.freqai.start: there are no predictions yet; call it in populate_indicators"
            )
        return self._predictions.attach(metadata["pair"], dataframe)
