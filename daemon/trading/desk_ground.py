"""What the desk's decisions go by: rules, the exchange's filters, the account, trades as strategies see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.core.errors import ConfigError, Refused, Retryable
from daemon.trading.account import account_of
from daemon.trading.broker import rules_to_show
from daemon.trading.closed import ClosedTrades
from daemon.trading.orders import Side
from daemon.trading.prices import market_price
from daemon.trading.strategy_trades import strategy_trade
from daemon.trading.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from decimal import Decimal

    from daemon.core.pair import Pair
    from daemon.strategy.persistence import Trade
    from daemon.trading.account import Account
    from daemon.trading.broker import Balance, Broker
    from daemon.trading.callbacks import Callbacks
    from daemon.trading.ledger_reads import LedgerReader
    from daemon.trading.look import Look
    from daemon.trading.prices import Book
    from daemon.trading.records import TradeRecord
    from daemon.trading.rules import TradeRules


class Ground:
    """Gathers it; may be asked from any thread.

    Args:
        ledger: where trades are.
        broker: whose filters hold.
        rules: freqtrade's keys as they hold for the strategy.
        callbacks: of the strategy.
        balances: of the account.
        order_book: of a pair, where somebody knows it.
    """

    def __init__(
        self,
        ledger: LedgerReader,
        broker: Broker,
        *,
        rules: TradeRules,
        callbacks: Callbacks,
        balances: Callable[[], Mapping[str, Balance]],
        order_book: Callable[[Pair], Book | None],
    ) -> None:
        self._ledger = ledger
        self._broker = broker
        self.rules = rules
        self.callbacks = callbacks
        self.balances = balances
        self.order_book = order_book
        self.closed = ClosedTrades(ledger)

    def terms(self, pair: Pair) -> Terms:
        """What decisions about a pair go by."""
        return Terms(rules=self.rules, market=self._broker.rules(pair), callbacks=self.callbacks)

    def rate(self, side: Side, pair: Pair, look: Look) -> Decimal:
        """The price of an order of a side, by ``entry_pricing`` or ``exit_pricing``.

        Raises:
            Refused: the market has none now.
        """
        pricing = self.rules.entry_pricing if side is Side.BUY else self.rules.exit_pricing
        if pair not in look.quotes:
            raise Refused(f"{pair}: there is no price now")
        book = self.depth(pair) if pricing.use_order_book else None
        try:
            return market_price(side, pricing, look.quotes[pair], book)
        except Retryable as exc:
            raise Refused(f"{pair}: {exc}") from exc

    def depth(self, pair: Pair) -> Book | None:
        """Who buys and sells a pair at which price; None where nobody knows.

        Raises:
            Refused: the exchange does not tell it now.
        """
        try:
            return self.order_book(pair)
        except (Retryable, ConfigError) as exc:
            raise Refused(f"{pair}: {exc}") from exc

    def rate_or_ticker(self, side: Side, pair: Pair, look: Look) -> tuple[Decimal, str]:
        """`rate`, or best bid or ask where the order book does not tell it; and then why.

        A stop-loss and a time-out do not wait for an order book.
        """
        try:
            return self.rate(side, pair, look), ""
        except Refused as exc:
            quote = look.quotes.get(pair)
            if quote is None:
                raise
            return (quote.ask if side is Side.BUY else quote.bid), f"{exc}: judged by the ticker"

    def shown(self, trade: TradeRecord) -> Trade:
        """A trade as the strategy sees it, also of a pair that the market has no more."""
        market = rules_to_show(self._broker.rules, trade.pair)
        return strategy_trade(trade, market, exchange=self._broker.name, fee=self.rules.fee)

    def account(self, balances: Mapping[str, Balance] | None = None) -> Account:
        """The account now; ``balances``: where they were asked for before."""
        trades = self._ledger.trades(is_open=True)
        self.closed.reopened(trades)
        found = self.balances() if balances is None else balances
        return account_of(self.rules.stake_currency, found, trades, self.closed.profit)
