"""From the ledger's records to the `Trade` and `Order` objects of strategies. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from daemon.core.timeframe import Timeframe
from daemon.strategy.order import Order
from daemon.strategy.persistence import Trade
from daemon.trading.exits import ExitKind
from daemon.trading.orders import ZERO, Leg, OrderState, OrderType, Side

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from daemon.trading.broker import MarketRules
    from daemon.trading.orders import Fill
    from daemon.trading.records import OrderRecord, TradeRecord

_SIDES = {Leg.ENTRY: "buy", Leg.EXIT: "sell", Leg.STOP: "stoploss"}
_STATUS = {
    OrderState.FILLED: "closed",
    OrderState.CANCELLED: "canceled",
    OrderState.EXPIRED: "expired",
    OrderState.REJECTED: "rejected",
}
_NEVER_THERE = (OrderState.DROPPED, OrderState.ABSENT, OrderState.REJECTED)
_TICK_SIZE = 4  # ccxt's and freqtrade's name for precisions that are steps


def strategy_trade(
    record: TradeRecord, market: MarketRules, *, exchange: str = "", fee: Decimal | None = None
) -> Trade:
    """A trade as strategies see it.

    Args:
        record: the ledger's.
        market: the exchange's rules for the pair.
        exchange: its name.
        fee: the configuration's ``fee``; None: the exchange's. It stands where the fills do not tell their fee in the
            coin or the stake currency, and for what is still to be sold.
    """
    orders = [order for order in record.orders if order.state not in _NEVER_THERE or order.fills]
    closed = not record.is_open
    sums = _summed(orders, market.maker_fee if fee is None else fee, closed=closed)
    first = next((order.intent for order in orders if order.intent.leg is Leg.ENTRY), None)
    asked = first and (first.price or first.stop_price)
    open_rate = sums.open_rate or (float(asked) if asked else 0.0)
    stop = record.stop
    return Trade(
        id=record.trade_id,
        pair=str(record.pair),
        base_currency=record.pair.base,
        stake_currency=record.stake_currency,
        exchange=exchange,
        strategy=record.strategy,
        timeframe=Timeframe(record.timeframe).ms // 60_000,
        is_open=record.is_open,
        amount=float(sums.held),
        amount_requested=float(first.amount) if first else None,
        stake_amount=float(sums.held_value) if sums.bought else _asked_stake(orders),
        max_stake_amount=float(sums.bought),
        open_rate=open_rate,
        open_rate_requested=float(asked) if asked else None,
        open_trade_value=float(sums.held_value * (1 + sums.fee_open)),
        open_date=_date(record.opened_ms),
        close_date=_date(_ended_ms(record)) if closed else None,
        close_rate=sums.last_exit if closed else None,
        close_rate_requested=sums.last_exit_asked,
        close_profit=sums.ratio if sums.exited else None,
        close_profit_abs=round(float(sums.realized if closed else sums.last_profit), 8)
        if sums.exited
        else None,
        realized_profit=round(float(sums.realized), 8),
        fee_open=float(sums.fee_open),
        fee_open_cost=float(sums.bought * sums.fee_open),
        fee_open_currency=sums.fee_currency(Side.BUY),
        fee_close=float(sums.fee_close),
        fee_close_cost=float(sums.sold * sums.fee_close) if sums.sold else None,
        fee_close_currency=sums.fee_currency(Side.SELL),
        enter_tag=record.enter_tag or None,
        exit_reason=record.exit_reason or None,
        exit_order_status="closed" if closed else "",
        stop_loss=float(stop.price) if stop else 0.0,
        stop_loss_pct=stop.ratio if stop else None,
        initial_stop_loss=float(stop.initial) if stop else 0.0,
        initial_stop_loss_pct=stop.initial_ratio if stop else None,
        is_stop_loss_trailing=bool(stop and stop.trailing),
        max_rate=float(record.highest) if record.highest is not None else open_rate,
        min_rate=float(record.lowest) if record.lowest is not None else open_rate,
        amount_precision=float(market.amount_step),
        price_precision=float(market.price_step),
        precision_mode=_TICK_SIZE,
        precision_mode_price=_TICK_SIZE,
        orders=[strategy_order(order) for order in orders],
    )


def strategy_order(record: OrderRecord) -> Order:
    """An order as strategies see it; its ``trade`` is set by the trade that it is put into."""
    intent, base = record.intent, record.intent.pair.base
    asked = intent.price or intent.stop_price
    average = record.average
    ended = record.state.final
    last_ms = max((fill.at_ms for fill in record.fills), default=None)
    return Order(
        id=intent.client_id,
        order_id=record.exchange_id or intent.client_id,
        ft_trade_id=intent.trade_id,
        ft_pair=str(intent.pair),
        ft_order_side=_SIDES[intent.leg],
        ft_is_open=not ended,
        ft_amount=float(intent.amount),
        ft_price=float(asked or average or ZERO),
        ft_order_tag=intent.reason or None,
        ft_cancel_reason=(record.detail or None) if ended and record.state is not OrderState.FILLED else None,
        ft_fee_base=float(sum((f.fee for f in record.fills if f.fee_currency == base), ZERO)) or None,
        status=_STATUS.get(record.state, "canceled") if ended else "open",
        symbol=str(intent.pair),
        order_type="limit" if intent.type in (OrderType.LIMIT, OrderType.STOP_LIMIT) else "market",
        side=intent.side.value,
        price=float(intent.price) if intent.price is not None else None,
        average=float(average) if average is not None else None,
        amount=float(intent.amount),
        filled=float(record.filled),
        remaining=float(intent.amount - record.filled),
        cost=float(record.value),
        stop_price=float(intent.stop_price) if intent.stop_price is not None else None,
        order_date=_date(record.sent_ms or intent.created_ms),
        order_filled_date=_date(last_ms) if ended and last_ms is not None else None,
        order_update_date=_date(record.changed_ms),
        funding_fee=0.0,
    )


def _date(ms: int | None) -> datetime | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, tz=UTC)


def _ended_ms(record: TradeRecord) -> int | None:
    """When the last of a closed trade was sold; where nothing was, or the rest was given up later, when it was closed."""
    fills = (fill for order in record.orders for fill in order.fills)
    last = max(fills, key=lambda fill: (fill.at_ms, fill.side is Side.SELL), default=None)
    given_up = record.dust > 0 and record.exit_reason == ExitKind.SETTLED_BY_HAND
    return record.closed_ms if last is None or last.side is Side.BUY or given_up else last.at_ms


def _asked_stake(orders: list[OrderRecord]) -> float:
    """Stake of a trade whose entry has no fill yet: what it asks for."""
    return float(
        sum(
            (
                order.intent.amount * (order.intent.price or ZERO)
                for order in orders
                if order.intent.leg is Leg.ENTRY and not order.state.final
            ),
            ZERO,
        )
    )


def _summed(orders: Iterable[OrderRecord], usual_fee: Decimal, *, closed: bool) -> _Sums:
    sums = _Sums(usual_fee)
    for order in orders:
        sums.take(order)
    if closed:
        sums.write_off()
    return sums


@dataclass(slots=True)
class _Side:
    """Sums over the fills of one side: value without fees, what changed hands with them, amount after fees."""

    value: Decimal = ZERO
    net: Decimal = ZERO
    money: Decimal = ZERO
    currency: str | None = None


class _Sums:
    """freqtrade's sums over a trade's orders, in the order in which they were placed."""

    def __init__(self, usual_fee: Decimal) -> None:
        self._usual = usual_fee
        self._sides = {Side.BUY: _Side(), Side.SELL: _Side()}
        self._exits: list[tuple[Decimal, Decimal]] = []
        self.held = self.held_value = self.bought = self.bought_before_exit = self.sold = ZERO
        self.open_rate = 0.0
        self.last_exit: float | None = None
        self.last_exit_asked: float | None = None

    def take(self, order: OrderRecord) -> None:
        """One further order."""
        if order.intent.leg is not Leg.ENTRY:
            asked = order.intent.price or order.intent.stop_price
            self.last_exit_asked = float(asked) if asked else self.last_exit_asked
        if not order.fills or order.average is None:
            return
        side, price = order.intent.side, order.average
        net = sum((self._net(fill) for fill in order.fills), ZERO)
        if side is Side.BUY:
            self.held += net
            self.held_value += net * price
            self.bought += net * price
            self.open_rate = float(self.held_value / self.held) if self.held > 0 else self.open_rate
            return
        average = self.held_value / self.held if self.held > 0 else ZERO
        amount = min(net, self.held)
        self.held -= amount
        self.held_value -= average * amount
        self.sold += net * price
        self.last_exit = float(price)
        self.bought_before_exit = self.bought
        self._exits.append((net * price, average * amount))

    def write_off(self) -> None:
        """The trade is over: what it still holds was paid for, and brings nothing."""
        if self.held > 0:
            self.bought_before_exit = self.bought
            self._exits.append((ZERO, self.held_value))

    @property
    def exited(self) -> bool:
        """Whether any of it was sold or written off."""
        return bool(self._exits)

    def _net(self, fill: Fill) -> Decimal:
        """Amount of a fill after its fee, which is counted."""
        side, value = self._sides[fill.side], fill.amount * fill.price
        sign = 1 if fill.side is Side.BUY else -1
        net = fill.amount
        side.value += value
        side.money += value
        if fill.fee and fill.fee_currency == fill.pair.base:
            net -= sign * fill.fee
        elif fill.fee and fill.fee_currency == fill.pair.quote:
            side.money += sign * fill.fee
        elif fill.fee:  # BNB and the like, at its price of then, else as if it had been the usual fee
            side.money += sign * (value * self._usual if fill.fee_rate is None else fill.fee_value)
        side.currency = fill.fee_currency or side.currency
        side.net += net * fill.price
        return net

    def fee_currency(self, side: Side) -> str | None:
        """Currency in which the fees of a side were paid last."""
        return self._sides[side].currency

    @property
    def fee_open(self) -> Decimal:
        """Fee of the entries as a ratio, such that amount x price x (1 + fee) is what was paid."""
        side = self._sides[Side.BUY]
        return side.money / side.net - 1 if side.net else self._usual

    @property
    def fee_close(self) -> Decimal:
        """Fee of the exits as a ratio; as long as there are none, of the entries."""
        side = self._sides[Side.SELL]
        if side.value:
            return 1 - side.money / side.net
        return self.fee_open if self._sides[Side.BUY].currency else self._usual

    def _profit(self, received: Decimal, cost: Decimal) -> Decimal:
        return received * (1 - self.fee_close) - cost * (1 + self.fee_open)

    @property
    def realized(self) -> Decimal:
        """Profit of all exits, stake currency."""
        return sum((self._profit(received, cost) for received, cost in self._exits), ZERO)

    @property
    def last_profit(self) -> Decimal:
        """Profit of the last exit."""
        return self._profit(*self._exits[-1]) if self._exits else ZERO

    @property
    def ratio(self) -> float:
        """Profit of all exits as a ratio of all that was paid before the last one."""
        paid = self.bought_before_exit * (1 + self.fee_open)
        return float(self.realized / paid) if paid else 0.0
