"""Whether a trade is to be closed now, and why: freqtrade's rules in freqtrade's order. Pure but for the callbacks."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from daemon.core.errors import StrategyError
from daemon.trading.orders import Leg
from daemon.trading.stops import first_stop, moved_stop

if TYPE_CHECKING:
    from daemon.strategy.persistence import Trade
    from daemon.trading.callbacks import Callbacks
    from daemon.trading.records import StopState, TradeRecord
    from daemon.trading.rules import TradeRules
    from daemon.trading.terms import Terms

MINUTE_MS = 60_000


class ExitKind(enum.StrEnum):
    """Which rule closes a trade; the value is freqtrade's word for it, where it has one."""

    EXIT_SIGNAL = "exit_signal"
    CUSTOM_EXIT = "custom_exit"
    STOP_LOSS = "stop_loss"
    ROI = "roi"
    TRAILING_STOP_LOSS = "trailing_stop_loss"
    STOPLOSS_ON_EXCHANGE = "stoploss_on_exchange"
    PARTIAL_EXIT = "partial_exit"
    FORCE_EXIT = "force_exit"
    EMERGENCY_EXIT = "emergency_exit"
    SOLD_ON_EXCHANGE = "sold_on_exchange"
    SETTLED_BY_HAND = "settled_by_hand"

    @property
    def protective(self) -> bool:
        """Whether it keeps a loss small or was commanded: no callback that raises may hold it back."""
        return self in _PROTECTIVE


_PROTECTIVE = frozenset(
    {
        ExitKind.STOP_LOSS,
        ExitKind.TRAILING_STOP_LOSS,
        ExitKind.STOPLOSS_ON_EXCHANGE,
        ExitKind.EMERGENCY_EXIT,
        ExitKind.FORCE_EXIT,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitDecision:
    """A rule wants the trade closed.

    Attributes:
        kind: which rule.
        reason: what the trade's ``exit_reason`` becomes: the kind, or the strategy's own word.
        detail: which rule with which value, for the trade's record.
    """

    kind: ExitKind
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitLook:
    """The signals of the newest candle for a pair that is held, and the price now.

    Attributes:
        rate: what the position would be sold at, by ``exit_pricing``, quote currency.
        now_ms: market time, ms UTC.
        enter: whether the entry signal stands.
        leave: whether the exit signal stands.
        exit_tag: the strategy's, empty if none.
    """

    rate: Decimal
    now_ms: int
    enter: bool = False
    leave: bool = False
    exit_tag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitCheck:
    """What a look at an open trade found.

    Attributes:
        stop: where the stop-loss stands now; to be noted.
        highest: highest price seen; to be noted.
        lowest: lowest one.
        exits: what wants the trade closed, the first in rank first; try the next where one is not confirmed.
        faults: what callbacks did wrong, with file and line.
    """

    stop: StopState
    highest: Decimal
    lowest: Decimal
    exits: tuple[ExitDecision, ...] = ()
    faults: tuple[str, ...] = ()


def check_exits(record: TradeRecord, trade: Trade, look: ExitLook, terms: Terms) -> ExitCheck:
    """Look at an open trade that holds something.

    Args:
        record: the ledger's.
        trade: the same as the strategy sees it (`strategy_trade`).
        look: prices and signals.
        terms: the rules, the exchange's precision, ``custom_stoploss``, ``custom_exit`` and ``custom_roi``.
    """
    rules, callbacks = terms.rules, terms.callbacks
    rate, faults = float(look.rate), []
    open_rate = Decimal(str(trade.open_rate))
    highest = max(look.rate, record.highest or open_rate)
    lowest = min(look.rate, record.lowest or open_rate)
    trade = trade.copied()
    trade.max_rate, trade.min_rate = float(highest), float(lowest)
    stop = record.stop or first_stop(trade.open_rate, rules, terms.market)
    stop, fault = moved_stop(stop, trade, rate, now_ms=look.now_ms, terms=terms)
    faults.append(fault)
    _show(trade, stop)
    profit = trade.calc_profit_ratio(rate)
    hit = _stop_hit(record, stop, look.rate, profit, rules)
    roi: ExitDecision | None = None
    if not (look.enter and rules.ignore_roi_if_entry_signal):
        roi, fault = _roi(trade, profit, look.now_ms, rules, callbacks)
        faults.append(fault)
    asked, fault = _asked(trade, look, profit, rules, callbacks)
    faults.append(fault)
    trailing = hit is not None and hit.kind is ExitKind.TRAILING_STOP_LOSS
    ranked = (asked, None if trailing else hit, roi, hit if trailing else None)
    return ExitCheck(
        stop=stop,
        highest=highest,
        lowest=lowest,
        exits=tuple(decision for decision in ranked if decision is not None),
        faults=tuple(filter(None, faults)),
    )


def roi_reached(minutes: int, rules: TradeRules, custom: float | None = None) -> tuple[int, float] | None:
    """The profit that counts after some minutes, and the minutes of its entry; None if none counts yet.

    Args:
        minutes: since the trade was opened.
        rules: ``minimal_roi``.
        custom: the strategy's own; the lower of the two counts.
    """
    passed = [entry for entry in rules.minimal_roi if entry[0] <= minutes]
    found = passed[-1] if passed else None
    if custom is not None and (found is None or custom < found[1]):
        return minutes, custom
    return found


def _show(trade: Trade, stop: StopState) -> None:
    """Put the present stop into the strategy's trade."""
    trade.stop_loss, trade.stop_loss_pct = float(stop.price), stop.ratio
    trade.initial_stop_loss, trade.initial_stop_loss_pct = float(stop.initial), stop.initial_ratio
    trade.is_stop_loss_trailing = stop.trailing


def _stop_hit(
    record: TradeRecord, stop: StopState, rate: Decimal, profit: float, rules: TradeRules
) -> ExitDecision | None:
    if stop.price < rate:
        return None
    # While a stop order lies at the exchange, the exchange acts; not beyond its limit, where it could no longer.
    kinds = rules.order_types
    limit = Decimal(str(kinds.stoploss_on_exchange_limit_ratio)) if kinds.stoploss == "limit" else Decimal(0)
    if record.alive(Leg.STOP) and rate > stop.price * limit:
        return None
    kind = ExitKind.TRAILING_STOP_LOSS if stop.trailing else ExitKind.STOP_LOSS
    first = f", at first {stop.initial:f}" if stop.trailing else ""
    return ExitDecision(
        kind=kind,
        reason=kind.value,
        detail=f"{kind}: price {rate:f} <= stop {stop.price:f} ({stop.rule} {stop.ratio:g}{first}), profit {profit:.4%}",
    )


def _roi(
    trade: Trade, profit: float, now_ms: int, rules: TradeRules, callbacks: Callbacks
) -> tuple[ExitDecision | None, str]:
    minutes = int((now_ms / 1000 - trade.open_date_utc.timestamp()) // 60)
    custom, fault = None, ""
    if rules.use_custom_roi:
        try:
            custom = callbacks.custom_roi(
                trade,
                now_ms=now_ms,
                trade_duration=minutes,
                entry_tag=trade.enter_tag,
                side=trade.trade_direction,
            )
        except StrategyError as exc:
            fault = str(exc)
    found = roi_reached(minutes, rules, custom)
    if found is None or not profit > found[1]:
        return None, fault
    rule = "custom_roi" if custom is not None and found == (minutes, custom) else f"minimal_roi[{found[0]}]"
    return (
        ExitDecision(
            kind=ExitKind.ROI,
            reason=ExitKind.ROI.value,
            detail=f"roi: profit {profit:.4%} > {found[1]:.4%} ({rule}) after {minutes} min",
        ),
        fault,
    )


def _asked(
    trade: Trade, look: ExitLook, profit: float, rules: TradeRules, callbacks: Callbacks
) -> tuple[ExitDecision | None, str]:
    """What the strategy asks for: its exit signal, else its callback."""
    if not rules.use_exit_signal:
        return None, ""
    if look.leave and not look.enter:
        if rules.exit_profit_only and not profit > rules.exit_profit_offset:
            return None, ""
        kind = ExitKind.EXIT_SIGNAL
        tag = f" {look.exit_tag!r}" if look.exit_tag else ""
        detail = f"exit_signal: the strategy's exit signal{tag}, profit {profit:.4%}"
        return ExitDecision(kind=kind, reason=look.exit_tag or kind.value, detail=detail), ""
    try:
        reason = callbacks.custom_exit(
            trade, now_ms=look.now_ms, current_rate=float(look.rate), current_profit=profit
        )
    except StrategyError as exc:
        return None, str(exc)
    if reason is None:
        return None, ""
    detail = f"custom_exit: the strategy said {reason!r}, profit {profit:.4%}"
    return ExitDecision(kind=ExitKind.CUSTOM_EXIT, reason=reason, detail=detail), ""
