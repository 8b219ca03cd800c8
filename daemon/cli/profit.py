"""``candled profit``: what trading has earned."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.options import DEFAULT_CONFIG, ConfigFiles, print_table, settings_of
from daemon.cli.trading import figures_of, ledger_of, money, number, when
from daemon.core.words import counted

if TYPE_CHECKING:
    from daemon.trading.summary import Part, Summary


def profit(
    config: ConfigFiles = DEFAULT_CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, exact.")] = False,
) -> None:
    """Sum up all trades: profit, fees, drawdown, Sharpe ratio, by pair and by reason of the exit."""
    from daemon.core.pair import Pair  # noqa: PLC0415
    from daemon.trading.summary import summary  # noqa: PLC0415

    settings = settings_of(config)
    shown = figures_of(settings)
    prices = {Pair(row["pair"]): Decimal(row["price"]) for row in shown.get("open", []) if row["price"]}
    with ledger_of(settings) as ledger:
        trades = ledger.trades()
        beginning = sum(
            (amount for currency, amount, _, _ in ledger.deposits() if currency == settings.stake_currency),
            Decimal(0),
        )
    found = summary(trades, currency=settings.stake_currency, beginning=beginning, prices=prices)
    if as_json:
        print(json.dumps(_document(found), indent=1))
    else:
        _print(found)


def _document(found: Summary) -> dict[str, Any]:
    return {
        "currency": found.currency,
        "beginning": str(found.beginning),
        "closed": _part(found.closed),
        "open_trades": found.open_trades,
        "profit": str(found.profit),
        "ratio": float(found.ratio),
        "open_profit": None if found.open_profit is None else str(found.open_profit),
        "fees": {currency: str(fee) for currency, fee in found.fees.items()},
        "fees_without_a_price": {currency: str(fee) for currency, fee in found.unvalued.items()},
        "drawdown": {
            "absolute": str(found.drawdown.absolute),
            "ratio": float(found.drawdown.ratio),
            "high_ms": found.drawdown.high_ms,
            "low_ms": found.drawdown.low_ms,
        },
        "sharpe": found.sharpe,
        "best": found.best.trade_id if found.best else None,
        "worst": found.worst.trade_id if found.worst else None,
        "pairs": [_part(part) for part in found.pairs],
        "reasons": [_part(part) for part in found.reasons],
        "first_ms": found.first_ms,
        "last_ms": found.last_ms,
    }


def _part(part: Part) -> dict[str, Any]:
    return {
        "name": part.name,
        "trades": part.trades,
        "wins": part.wins,
        "profit": str(part.profit),
        "mean_ratio": float(part.mean_ratio),
    }


def _print(found: Summary) -> None:
    from rich.table import Table  # noqa: PLC0415

    closed, fall = found.closed, found.drawdown
    print(
        f"{money(found.profit)} {found.currency} ({found.ratio:+.2%} of {number(found.beginning, 2)}) in "
        f"{counted(closed.trades, 'closed trade')}, {closed.wins} won; fees "
        + (", ".join(f"{number(fee)} {currency}" for currency, fee in found.fees.items()) or "none")
    )
    if found.unvalued:
        lacking = ", ".join(f"{number(fee)} {currency}" for currency, fee in found.unvalued.items())
        print(f"not in the profit, for nobody knows its price: {lacking} of the fees")
    if found.open_trades:
        worth = (
            "unknown, for no daemon runs"
            if found.open_profit is None
            else f"{money(found.open_profit)} {found.currency}"
        )
        print(f"open: {counted(found.open_trades, 'trade')}, {worth}")
    if fall.absolute:
        print(
            f"drawdown {number(fall.absolute, 2)} {found.currency} ({fall.ratio:.2%}), lowest {when(fall.low_ms)}"
        )
    if found.sharpe is not None:
        print(f"Sharpe ratio {found.sharpe:.2f} (daily profits, a year of 365 days)")
    for name, parts in (("pair", found.pairs), ("exit", found.reasons)):
        if not parts:
            continue
        table = Table(name, "trades", "won", "profit", "mean", box=None)
        for part in parts:
            table.add_row(
                part.name, str(part.trades), str(part.wins), money(part.profit), f"{part.mean_ratio:+.2%}"
            )
        print_table(table)
