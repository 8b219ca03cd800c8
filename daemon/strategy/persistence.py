"""Trades and orders, as strategies name them."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from daemon.core.errors import StrategyError
from daemon.strategy.order import Order
from daemon.strategy.trade_query import Column, Condition, TradeQuery, filtered
from daemon.strategy.trade_values import TradeValues

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daemon.strategy.ports import TradeSource

__all__ = ["LocalTrade", "Order", "Trade"]

# Field -> its value where none was given.
_DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "id": 0, "pair": "", "base_currency": "", "stake_currency": "", "exchange": "", "strategy": "",
        "timeframe": None, "is_open": True, "is_short": False, "leverage": 1.0, "trading_mode": "spot",
        "amount": 0.0, "amount_requested": None, "stake_amount": 0.0, "max_stake_amount": 0.0,
        "open_rate": 0.0, "open_rate_requested": None, "open_trade_value": None,
        "open_date": datetime.fromtimestamp(0, UTC), "close_date": None,
        "close_rate": None, "close_rate_requested": None, "close_profit": None, "close_profit_abs": None,
        "realized_profit": 0.0, "fee_open": 0.0, "fee_open_cost": None, "fee_open_currency": None,
        "fee_close": 0.0, "fee_close_cost": None, "fee_close_currency": None, "enter_tag": None,
        "exit_reason": None, "exit_order_status": None, "stop_loss": 0.0, "stop_loss_pct": None,
        "initial_stop_loss": 0.0, "initial_stop_loss_pct": None, "is_stop_loss_trailing": False,
        "min_rate": None, "max_rate": None, "liquidation_price": None, "funding_fees": 0.0, "interest_rate": 0.0,
        "amount_precision": None, "price_precision": None, "precision_mode": None, "precision_mode_price": None,
        "contract_size": 1.0, "orders": (),
    }
)  # fmt: skip


class _TradeFields(type):
    """Answers ``Trade.<field>`` on the class by a `Column`."""

    source: TradeSource | None = None
    """Where trades come from; None as long as nothing trades."""

    def __getattr__(cls, name: str) -> Column:
        if name in _DEFAULTS:
            return Column(name)
        raise AttributeError(f"candled's Trade has no {name!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomData:
    """One value that a strategy keeps with a trade."""

    ft_trade_id: int
    cd_key: str
    value: Any


class Trade(TradeValues, metaclass=_TradeFields):
    """A trade: a position from its first entry order to its last exit, with freqtrade's fields.

    A strategy is given copies: what it writes into one changes nothing but that copy, except `set_custom_data`.
    Amounts are in base currency, rates in quote currency, stakes and profits in stake currency, ratios are 0.01 for
    1 %. A partly filled order counts in ``amount`` at once, whether it has ended or not.
    """

    id: int
    is_open: bool
    stake_amount: float
    leverage: float
    close_profit: float | None
    close_profit_abs: float | None
    max_rate: float | None
    min_rate: float | None
    stop_loss_pct: float | None
    initial_stop_loss: float
    initial_stop_loss_pct: float | None
    is_stop_loss_trailing: bool

    def __init__(self, **fields: Any) -> None:
        unknown = sorted(set(fields) - set(_DEFAULTS))
        if unknown:
            raise TypeError(f"candled's Trade has no {unknown[0]!r}")
        values = {**_DEFAULTS, **fields}
        if values["open_trade_value"] is None:
            del values["open_trade_value"]
        self.__dict__.update(values)
        self.orders = list(self.orders)
        for order in self.orders:
            order.trade = self
        if "open_trade_value" not in values:
            self.open_trade_value = self.open_value(self.amount, self.open_rate)

    def __repr__(self) -> str:
        since = self.open_date_utc.strftime("%Y-%m-%d %H:%M:%S") if self.is_open else "closed"
        return (
            f"Trade(id={self.id}, pair={self.pair}, amount={self.amount:.8f}, is_short={self.is_short}, "
            f"leverage={self.leverage}, open_rate={self.open_rate:.8f}, open_since={since})"
        )

    def copied(self) -> Self:
        """A copy that may be written into."""
        twin = copy.copy(self)
        twin.orders = [copy.copy(order) for order in self.orders]
        for order in twin.orders:
            order.trade = twin
        return twin

    # what a strategy keeps with it

    def set_custom_data(self, key: str, value: Any) -> None:
        """Keep a value with the trade, under a name; it is still there after a restart.

        Raises:
            StrategyError: JSON cannot hold it.
        """
        try:
            kept = json.loads(json.dumps(value))
        except (TypeError, ValueError) as exc:
            raise StrategyError(f"set_custom_data({key!r}): JSON cannot hold it: {exc}") from exc
        _bound().keep_custom(self.id, str(key), kept)

    def get_custom_data(self, key: str, default: Any = None) -> Any:
        """The value kept under a name."""
        return _bound().custom(self.id).get(key, default)

    def get_custom_data_entry(self, key: str) -> CustomData | None:
        """The value kept under a name, as an object."""
        return next((entry for entry in self.get_all_custom_data() if entry.cd_key == key), None)

    def get_all_custom_data(self) -> list[CustomData]:
        """Everything kept with the trade."""
        kept = _bound().custom(self.id)
        return [CustomData(ft_trade_id=self.id, cd_key=key, value=value) for key, value in kept.items()]

    def delete_custom_data(self, key: str | None = None) -> None:
        """Forget the value kept under a name; None: all of them."""
        _bound().drop_custom(self.id, key)

    # queries

    @staticmethod
    def get_open_trades() -> list[Trade]:
        """Trades that are not closed."""
        return Trade.get_trades_proxy(is_open=True)

    @staticmethod
    def get_open_trade_count() -> int:
        """How many trades are not closed."""
        return len(Trade.get_open_trades())

    @staticmethod
    def get_trades(
        trade_filter: Condition | Sequence[Condition] | None = None,
        include_orders: bool = True,  # noqa: ARG004 - freqtrade's interface: orders are always there
    ) -> TradeQuery:
        """Trades that meet all conditions, oldest first."""
        conditions = [trade_filter] if isinstance(trade_filter, Condition) else list(trade_filter or ())
        return TradeQuery(filtered(_trades(None), conditions))

    @staticmethod
    def get_trades_proxy(
        *,
        pair: str | None = None,
        is_open: bool | None = None,
        open_date: datetime | None = None,
        close_date: datetime | None = None,
    ) -> list[Trade]:
        """Trades of a pair, open or closed, opened or closed after a date."""
        conditions: list[Condition] = []
        if pair:
            conditions.append(Column("pair") == pair)
        if open_date:
            conditions.append(Column("open_date") > open_date)
        if close_date:
            conditions.append(Column("close_date") > close_date)
        return filtered(_trades(is_open), conditions)

    @staticmethod
    def get_total_closed_profit() -> float:
        """Profit of all closed trades, in stake currency."""
        return sum(trade.close_profit_abs or 0.0 for trade in _trades(is_open=False))

    @staticmethod
    def total_open_trades_stakes() -> float:
        """Stake that is bound in open trades."""
        return sum(trade.stake_amount for trade in _trades(is_open=True))

    @staticmethod
    def get_trading_volume(trade_filter: Sequence[Condition] | None = None) -> float:
        """Value of all fills, in stake currency."""
        return sum(order.safe_cost for trade in Trade.get_trades(trade_filter) for order in trade.orders)

    @staticmethod
    def get_overall_performance(start_date: datetime | None = None) -> list[dict[str, Any]]:
        """Profit of closed trades by pair, best first."""
        closed = [
            trade
            for trade in _trades(is_open=False)
            if start_date is None or (trade.close_date_utc and trade.close_date_utc >= start_date)
        ]
        return _performance(closed, "pair")

    @staticmethod
    def get_best_pair(
        trade_filter: Sequence[Condition] | None = None,
    ) -> tuple[str, float, float, int] | None:
        """Pair of the greatest profit, with ratio, profit and number of closed trades."""
        closed = [trade for trade in Trade.get_trades(trade_filter) if not trade.is_open]
        for best in _performance(closed, "pair"):
            return best["pair"], best["profit_ratio"], best["profit_abs"], best["count"]
        return None

    @staticmethod
    def get_enter_tag_performance(pair: str | None = None) -> list[dict[str, Any]]:
        """Profit of closed trades by the tag of their entry, best first."""
        return _performance(Trade.get_trades_proxy(pair=pair, is_open=False), "enter_tag")

    @staticmethod
    def get_exit_reason_performance(pair: str | None = None) -> list[dict[str, Any]]:
        """Profit of closed trades by the reason of their exit, best first."""
        return _performance(Trade.get_trades_proxy(pair=pair, is_open=False), "exit_reason")

    @staticmethod
    def commit() -> None:
        """There is nothing to commit: what a strategy keeps is kept."""


LocalTrade = Trade


def use_trades(source: TradeSource | None) -> None:
    """Let queries for trades answer from a source; None: there are no trades."""
    _TradeFields.source = source


def _bound() -> TradeSource:
    if _TradeFields.source is None:
        raise StrategyError("custom data of trades: nothing trades yet")
    return _TradeFields.source


def _trades(is_open: bool | None) -> Sequence[Trade]:
    source = _TradeFields.source
    return () if source is None else source.trades(is_open)


def _performance(trades: Sequence[Trade], field: str) -> list[dict[str, Any]]:
    groups: dict[str, list[Trade]] = {}
    for trade in trades:
        groups.setdefault(getattr(trade, field) or "Other", []).append(trade)
    found = []
    for name, group in groups.items():
        profit = sum(trade.close_profit_abs or 0.0 for trade in group)
        cost = sum(
            order.safe_cost for trade in group for order in trade.orders if order.side == trade.entry_side
        )
        ratio = profit / cost if cost else 0.0
        found.append(
            {
                field: name,
                "profit_ratio": ratio,
                "profit": round(ratio * 100, 2),
                "profit_pct": round(ratio * 100, 2),
                "profit_abs": profit,
                "count": len(group),
            }
        )
    return sorted(found, key=lambda entry: -entry["profit_abs"])
