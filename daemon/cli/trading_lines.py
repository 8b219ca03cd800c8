"""How trading stands in a few lines, for ``candled status`` and the live view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daemon.cli.trading import money, number
from daemon.core.words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST = 6
"""Open trades that are listed."""


def trading_lines(figures: Mapping[str, Any]) -> list[str]:
    """Profit and account, open trades, what is wrong, and why nothing is entered.

    Args:
        figures: ``trading`` of ``status.json``; may be empty.
    """
    if not figures.get("at_ms"):
        return []
    trades = figures["open"]
    open_profit = sum(float(trade["open_profit"] or 0) for trade in trades)
    parts = [
        f"worth {number(figures['worth'], 2)}",
        f"{counted(figures['closed'], 'closed trade')} {money(figures['closed_profit'])}",
        f"{len(trades)} open {money(str(open_profit))}",
    ]
    if figures["orders"]:
        parts.append(counted(figures["orders"], "order"))
    lines = ["  ·  ".join(parts)]
    lines += [_trade(trade) for trade in trades[:MOST]]
    if len(trades) > MOST:
        lines.append(f"  and {len(trades) - MOST} more: candled trades")
    if figures["trouble"]:
        lines.append(f"trouble: {figures['trouble']}")
    lines += [
        f"no entries{'' if pair == '*' else f' in {pair}'}: {'; '.join(reasons)}"
        for pair, reasons in figures["gates"].items()
    ]
    return lines


def _trade(trade: Mapping[str, Any]) -> str:
    leaving = f", leaving: {trade['exit_reason']}" if trade["exit_reason"] else ""
    stop = f", stop {number(trade['stop'])}" if trade["stop"] else ""
    if trade["open_rate"] is None:
        return f"  {trade['trade']} {trade['pair']}: waits for its entry"
    return (
        f"  {trade['trade']} {trade['pair']}: {number(trade['amount'])} bought at {number(trade['open_rate'])}, "
        f"now {number(trade['price'])} ({trade['open_profit_ratio']:+.2%}){stop}{leaving}"
    )
