"""``candled trades``, ``candled orders``, ``candled balance``: what the ledger holds."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from daemon.cli.options import DEFAULT_CONFIG, ConfigFiles, print_table, settings_of
from daemon.cli.trading import figures_of, ledger_of, money, number, when
from daemon.core.words import counted

Json = Annotated[bool, typer.Option("--json", help="Print JSON, exact.")]


def trades(
    trade: Annotated[int | None, typer.Argument(help="Only this one, with its orders.")] = None,
    config: ConfigFiles = DEFAULT_CONFIG,
    every: Annotated[bool, typer.Option("--all", help="Closed ones, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Newest that are shown.")] = 30,
    as_json: Json = False,
) -> None:
    """Show open trades, their profit and why closed ones were closed; the daemon may run or not."""
    from daemon.core.errors import ConfigError  # noqa: PLC0415
    from daemon.runtime.trading_report import trade_figures  # noqa: PLC0415

    settings = settings_of(config)
    now = {row["trade"]: row for row in figures_of(settings).get("open", [])}
    with ledger_of(settings) as ledger:
        try:
            records = (
                [ledger.trade(trade)]
                if trade is not None
                else list(ledger.trades(is_open=None if every else True))
            )
        except KeyError:
            raise ConfigError(f"no trade {trade}; see candled trades --all") from None
    rows = [trade_figures(record) for record in records[-limit:]]
    for row in rows:
        if row["trade"] in now and row["closed_ms"] is None:
            live = now[row["trade"]]
            row |= {name: live[name] for name in ("price", "open_profit", "open_profit_ratio")}
    if trade is None:
        _tell_cut(limit, len(records), "trade")
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    if not rows:
        print("no open trades; --all shows closed ones" if not every else "no trades yet")
        return
    _print(rows)
    if trade is not None:
        _print_orders(rows[0]["orders"])


def orders(
    config: ConfigFiles = DEFAULT_CONFIG,
    every: Annotated[bool, typer.Option("--all", help="Those that have ended, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Newest that are shown.")] = 30,
    as_json: Json = False,
) -> None:
    """Show orders that the exchange has or may have; the daemon may run or not."""
    from daemon.runtime.trading_report import order_figures  # noqa: PLC0415

    settings = settings_of(config)
    with ledger_of(settings) as ledger:
        found = ledger.orders() if every else ledger.orders(unsettled=True)
    rows = [order_figures(order) for order in found[-limit:]]
    _tell_cut(limit, len(found), "order")
    if as_json:
        print(json.dumps(rows, indent=1))
    elif not rows:
        print("no open orders; --all shows those that have ended" if not every else "no orders yet")
    else:
        _print_orders(rows)


def balance(config: ConfigFiles = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Show the account, by the ledger or (live, while the daemon runs) as the exchange told it last."""
    from rich.table import Table  # noqa: PLC0415

    from daemon.runtime.trading_report import balances_figures  # noqa: PLC0415

    settings = settings_of(config)
    shown = figures_of(settings)
    balances: dict[str, Any] = shown.get("balances") or {}
    if not balances:
        with ledger_of(settings) as ledger:
            balances = balances_figures(ledger.wallet())
    if as_json:
        print(json.dumps({"balances": balances, "worth": shown.get("worth")}, indent=1))
        return
    table = Table("currency", "free", "in orders", "total", box=None)
    for currency, each in balances.items():
        table.add_row(currency, *(number(each[name]) for name in ("free", "used", "total")))
    print_table(table)
    if shown.get("worth"):
        print(f"worth {number(shown['worth'], 2)} {settings.stake_currency} at the prices of now")


def _tell_cut(shown: int, there: int, noun: str) -> None:
    """Nobody shall take the newest for all."""
    if there > shown:
        print(f"the newest {shown} of {counted(there, noun)}; --limit {there} shows all", file=sys.stderr)


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table  # noqa: PLC0415

    table = Table(
        "trade",
        "pair",
        "opened",
        "amount",
        "bought at",
        "now / sold at",
        "profit",
        "stop",
        "closed",
        "why",
        box=None,
    )
    for row in rows:
        # What an open trade would earn depends on a price, and only a running daemon knows one.
        priced = row["closed_ms"] is not None or row.get("open_profit") is not None
        ratio = row.get("open_profit_ratio", row["profit_ratio"])
        profit = row.get("open_profit", row["profit"])
        table.add_row(
            str(row["trade"]),
            row["pair"],
            when(row["opened_ms"]),
            number(row["amount"] if row["closed_ms"] is None else row["bought"]),
            number(row["open_rate"]),
            number(row.get("price") or row["close_rate"]),
            f"{money(profit)} ({ratio:+.2%})" if row["open_rate"] and priced else "",
            number(row["stop"]) if row["closed_ms"] is None else "",
            when(row["closed_ms"]),
            row["exit_detail"] or row["enter_tag"],
        )
    print_table(table)


def _print_orders(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table  # noqa: PLC0415

    table = Table(
        "order",
        "trade",
        "pair",
        "leg",
        "type",
        "amount",
        "filled",
        "price",
        "average",
        "state",
        "sent",
        "why",
        box=None,
    )
    for row in rows:
        table.add_row(
            row["order"],
            str(row["trade"]),
            row["pair"],
            row["leg"],
            f"{row['side']} {row['type']}",
            number(row["amount"]),
            number(row["filled"]),
            number(row["price"] or row["stop_price"]),
            number(row["average"]),
            row["state"],
            when(row["sent_ms"]),
            row["detail"] or row["reason"],
        )
    print_table(table)
