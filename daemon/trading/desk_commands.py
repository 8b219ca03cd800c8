"""What humans ask of the running desk."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from daemon.core.errors import CandledError, Refused, Retryable
from daemon.core.words import counted
from daemon.trading import pauses
from daemon.trading.desk_settling import OwnersWord
from daemon.trading.ledger_files import RESTORED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from daemon.core.pair import Pair
    from daemon.trading.desk_entries import DeskEntries
    from daemon.trading.desk_exits import DeskExits
    from daemon.trading.desk_settling import DeskSettling
    from daemon.trading.desk_truth import DeskTruth
    from daemon.trading.ledger import Ledger
    from daemon.trading.look import Look
    from daemon.trading.messages import Command
    from daemon.trading.records import TradeRecord

_LEAST, _MOST, _DIGITS = Decimal("1e-18"), Decimal(10**15), 28
"""Numbers that a human gives: sums of others are no amounts of money, or not exact any more."""


class DeskCommands:
    """Does them, in the desk's thread.

    Args:
        ledger: where trades and pauses are.
        entries: enters.
        exits: leaves.
        settling: closes by hand.
        truth: reconciles.
        pairs: the whitelist.
        may_enter: whether ``force_entry_enable`` allows `enter`.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        entries: DeskEntries,
        exits: DeskExits,
        settling: DeskSettling,
        truth: DeskTruth,
        pairs: Sequence[Pair],
        may_enter: bool,
    ) -> None:
        self._ledger = ledger
        self._entries = entries
        self._exits = exits
        self._settling = settling
        self._truth = truth
        self._pairs = tuple(pairs)
        self._may_enter = may_enter
        self._waiting: list[Command] = []
        self._deeds: dict[str, Callable[[Mapping[str, Any], Look], Mapping[str, Any]]] = {
            "enter": self._enter,
            "exit": self._exit,
            "settle": self._settle,
            "pause": self._pause,
            "resume": self._resume,
            "stop": self._stop,
            "reconcile": self._reconcile,
            "unlock": self._unlock,
        }

    def take(self, pairs: Sequence[Pair], *, may_enter: bool) -> None:
        """Go by another whitelist from now on, and by whether `enter` is allowed."""
        self._pairs, self._may_enter = tuple(pairs), may_enter

    def put(self, command: Command) -> None:
        """Take a command, which waits for the next look."""
        self._waiting.append(command)

    def obey(self, look: Look) -> None:
        """Do what was asked for, in order.

        Raises:
            Retryable: the ledger cannot be written; the command that was being done, and those behind it, still wait.
        """
        while self._waiting:
            command = self._waiting[0]
            answer: Mapping[str, Any] | CandledError
            try:
                answer = self._done(command, look)
            except Retryable:
                raise
            except CandledError as exc:
                answer = exc
            self._waiting.pop(0)
            command.answer.put(answer)

    def give_up(self, error: CandledError) -> None:
        """Answer all that wait with an error."""
        while self._waiting:
            self._waiting.pop(0).answer.put(error)

    def _done(self, command: Command, look: Look) -> Mapping[str, Any]:
        """Do a command; the answer has ``text`` for people.

        Raises:
            Refused: it cannot be done; nothing has changed.
            Retryable: the ledger cannot be written.
        """
        deed = self._deeds.get(command.do)
        if deed is None:
            raise Refused(f"no command {command.do!r}; there are {', '.join(self._deeds)}")
        return deed(command.arguments, look)

    def pairs(self) -> tuple[Pair, ...]:
        """Pairs whose prices the waiting commands need."""
        entered = {
            str(each.arguments.get("pair", "")).lower() for each in self._waiting if each.do == "enter"
        }
        return tuple(pair for pair in self._pairs if str(pair).lower() in entered)

    def _enter(self, arguments: Mapping[str, Any], look: Look) -> Mapping[str, Any]:
        if not self._may_enter:
            raise Refused("entries by command are not allowed; set force_entry_enable to true to allow them")
        text = str(arguments.get("pair", ""))
        pair = next((pair for pair in self._pairs if str(pair).lower() == text.lower()), None)
        if pair is None:
            raise Refused(f"{text!r} is not in exchange.pair_whitelist; there are {', '.join(self._pairs)}")
        trade = self._entries.force(
            pair,
            look,
            price=_amount(arguments.get("price"), "price"),
            stake=_amount(arguments.get("stake"), "stake"),
            tag=str(arguments.get("tag") or "force_entry"),
        )
        return _told(trade, f"{pair}: trade {trade.trade_id} begun")

    def _exit(self, arguments: Mapping[str, Any], look: Look) -> Mapping[str, Any]:
        wanted = str(arguments.get("trade", ""))
        trades = self._ledger.trades(is_open=True)
        if wanted.lower() != "all":
            trades = tuple(t for t in trades if wanted in (str(t.trade_id), str(t.pair)))
            if not trades:
                raise Refused(f"no open trade {wanted!r}; see candled trades")
        if not trades:
            return {"text": "no trade is open", "trades": []}
        for trade in trades:
            self._exits.force(trade, look)
        numbers = [trade.trade_id for trade in trades]
        return {
            "text": f"leaving {', '.join(f'trade {trade.trade_id} {trade.pair}' for trade in trades)}",
            "trades": numbers,
        }

    def _settle(self, arguments: Mapping[str, Any], look: Look) -> Mapping[str, Any]:
        wanted, price = str(arguments.get("trade", "")), _amount(arguments.get("price"), "price")
        written_off, at_ms = arguments.get("written_off") is True, arguments.get("at_ms")
        trades = [each for each in self._ledger.trades(is_open=True) if str(each.trade_id) == wanted]
        if not trades:
            raise Refused(f"no open trade {wanted!r}; see candled trades")
        if (price is None) is not written_off:
            raise Refused(
                "tell what has become of it: either the price of the sale, or that it is written off"
            )
        if at_ms is not None and not isinstance(at_ms, int):
            raise Refused(f"at_ms {at_ms!r} is not a time in milliseconds")
        if at_ms is not None and written_off:
            raise Refused("of what is written off nothing was sold: leave out when")
        orders_ended = arguments.get("orders_ended") is True
        word = OwnersWord(price=price, at_ms=at_ms, orders_ended=orders_ended)
        closed = self._settling.settle(trades[0], word, look)
        return {
            "text": f"trade {closed.trade_id} {closed.pair} is closed: {closed.exit_detail}",
            "trade": closed.trade_id,
        }

    def _pause(self, arguments: Mapping[str, Any], look: Look) -> Mapping[str, Any]:
        pauses.pause(self._ledger, str(arguments.get("why") or "candled pause"), look.now_ms)
        return {"text": "paused: nothing is entered until candled resume; open trades are looked after"}

    def _resume(self, arguments: Mapping[str, Any], look: Look) -> Mapping[str, Any]:
        pauses.resume(self._ledger)
        done = ["entries are allowed again"]
        if arguments.get("risk"):
            self._entries.reset_risk()
            done.append("limits of risk begin anew")
        if arguments.get("settled"):
            settled = self._ledger.settle_contradictions(look.now_ms)
            self._ledger.put(RESTORED, None)
            done.append(f"{counted(len(settled), 'contradiction')} settled")
            self._truth.soon()
        return {"text": "; ".join(done)}

    def _stop(self, arguments: Mapping[str, Any], look: Look) -> Mapping[str, Any]:
        if not arguments.get("exit_all"):
            raise Refused("stop without exit_all is a signal to the process")
        self._ledger.put(pauses.EXIT_ALL, value=True)
        pauses.pause(self._ledger, "candled stop --exit-all", look.now_ms)
        trades = self._ledger.trades(is_open=True)
        for trade in trades:
            self._exits.force(trade, look)
        return {
            "text": f"selling {counted(len(trades), 'open trade')}, then the daemon stops",
            "trades": [t.trade_id for t in trades],
        }

    def _unlock(self, arguments: Mapping[str, Any], look: Look) -> Mapping[str, Any]:
        wanted = str(arguments.get("pair", ""))
        locks = [
            lock for lock in self._ledger.locks(look.now_ms) if wanted.lower() in ("all", lock.pair.lower())
        ]
        if not locks and wanted.lower() != "all":
            raise Refused(f"{wanted!r} is not locked; candled status tells why nothing is entered")
        self._ledger.lift(locks)
        named = [f"{each.pair} ({each.reason})" if each.reason else each.pair for each in locks]
        return {"text": f"{counted(len(locks), 'lock')} lifted{': ' * bool(named)}{', '.join(named)}"}

    def _reconcile(self, arguments: Mapping[str, Any], look: Look) -> Mapping[str, Any]:
        del arguments, look
        self._truth.soon()
        self._truth.look()
        obstacles = self._truth.obstacles
        return {"text": "; ".join(obstacles) or "ledger and exchange agree", "obstacles": list(obstacles)}


def _told(trade: TradeRecord, text: str) -> Mapping[str, Any]:
    order = trade.orders[-1]
    shown = f"{text}: {order.intent.side} {order.intent.amount} at {order.intent.price or 'the market'}, {order.state}"
    return {"text": shown + (f" ({order.detail})" if order.detail else ""), "trade": trade.trade_id}


def _amount(value: Any, name: str) -> Decimal | None:
    """A number above 0 that a human gave, and that sums stay exact with.

    Raises:
        Refused: it is none.
    """
    if value in (None, ""):
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        found = Decimal(0)
    if not (found.is_finite() and found > 0):
        raise Refused(f"{name} {value!r} is not a number above 0")
    if not _LEAST <= found < _MOST or len(found.as_tuple().digits) > _DIGITS:
        raise Refused(
            f"{name} {value!r}: it must lie between {_LEAST:f} and {_MOST:f}, in {_DIGITS} digits at most"
        )
    return found
