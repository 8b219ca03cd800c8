"""From the columns that a strategy sets to signals."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from daemon.core.prediction import Prediction

if TYPE_CHECKING:
    import pandas as pd

    from daemon.core.pair import Pair
    from daemon.core.prediction import Outcome


class SignalKind(enum.StrEnum):
    """What a strategy asks for; the value is the column that asks."""

    ENTER_LONG = "enter_long"
    EXIT_LONG = "exit_long"
    ENTER_SHORT = "enter_short"
    EXIT_SHORT = "exit_short"

    @property
    def enters(self) -> bool:
        """Whether it opens a position; only such a signal can be blocked."""
        return self in (SignalKind.ENTER_LONG, SignalKind.ENTER_SHORT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One request of the strategy for one closed candle.

    Attributes:
        tag: the strategy's ``enter_tag`` or ``exit_tag``; empty if it gave none.
        blocked: why it will not be acted on; empty if nothing speaks against it.
    """

    pair: Pair
    candle_ms: int
    kind: SignalKind
    tag: str = ""
    blocked: str = ""


def signals(
    pair: Pair, analysed: pd.DataFrame, outcome: Outcome, *, recorded: bool = True, barred: str = ""
) -> list[Signal]:
    """Signals of the newest candle.

    Args:
        pair: the pair.
        analysed: the strategy's frame after populate_exit_trend; its last row is the newest closed candle.
        outcome: what the model said about that candle. Without a prediction nothing may be entered.
        recorded: whether the outcome is on the disk. What a crash could make forgotten must not trade.
        barred: why the strategy may enter nothing at all; empty if nothing speaks against it.

    Returns:
        One signal for each signal column that is set to 1. As in freqtrade, an entry and an exit of the same
        side at once cancel the entry.
    """
    asked = [kind for kind in SignalKind if _asks(_newest(analysed, kind.value))]
    blocked = barred or _obstacle(outcome, recorded=recorded)
    found = []
    for kind in asked:
        conflict = kind.enters and SignalKind(kind.value.replace("enter", "exit")) in asked
        why = ("the strategy asks to exit at the same candle" if conflict else blocked) if kind.enters else ""
        tag = _newest(analysed, "enter_tag" if kind.enters else "exit_tag")
        found.append(
            Signal(
                pair=pair,
                candle_ms=outcome.candle_ms,
                kind=kind,
                tag=tag if isinstance(tag, str) else "",
                blocked=why,
            )
        )
    return found


def _newest(analysed: pd.DataFrame, column: str) -> object:
    """The last row's cell; None without the column. Of a whole row pandas would make one type for all its cells."""
    return analysed[column].iloc[-1] if column in analysed.columns else None


def _asks(value: object) -> bool:
    """Whether a cell is 1 or true; the missing value of pandas' own types has no truth at all."""
    return isinstance(value, int | float | np.generic) and bool(value == 1)


def _obstacle(outcome: Outcome, *, recorded: bool) -> str:
    """Why nothing may be entered; empty if nothing speaks against it."""
    if not isinstance(outcome, Prediction):
        return f"{outcome.reason}: {outcome.detail}" if outcome.detail else str(outcome.reason)
    if outcome.late:
        return "the candle is late"
    if outcome.doubt:
        return outcome.doubt
    return "" if recorded else "the prediction is not on the disk yet"
