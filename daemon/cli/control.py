"""Commands to the running daemon: ``enter``, ``exit``, ``settle``, ``pause``, ``resume``, ``stop``, ``reconcile``, ``unlock``, ``reload``."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.options import DEFAULT_CONFIG, ConfigFiles, settings_of, time_ms
from daemon.cli.trading import ask_daemon, must_run
from daemon.core.errors import ConfigError, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.config import Settings
    from daemon.trading.ledger import Ledger

RELOAD_S = 70.0
"""Longest wait for the outcome of a reload: the daemon may have to ask the exchange whether it trades a pair."""


def enter(
    pair: Annotated[str, typer.Argument(help="A pair of the whitelist.")],
    config: ConfigFiles = DEFAULT_CONFIG,
    stake: Annotated[str | None, typer.Option(help="Stake currency; left out: by stake_amount.")] = None,
    price: Annotated[str | None, typer.Option(help="Limit; left out: by entry_pricing.")] = None,
    tag: Annotated[str | None, typer.Option(help="The trade's enter_tag.")] = None,
) -> None:
    """Enter a pair now, if no gate is closed; force_entry_enable must be true."""
    settings = settings_of(config)
    request = {"do": "enter", "pair": pair, "stake": stake, "price": price, "tag": tag}
    print(must_run(ask_daemon(settings, request), settings)["text"])


def leave(
    trade: Annotated[str, typer.Argument(help="A trade's number, a pair, or all.")],
    config: ConfigFiles = DEFAULT_CONFIG,
) -> None:
    """Leave a trade, or all: sell what it holds, cancel what it waits for."""
    settings = settings_of(config)
    print(must_run(ask_daemon(settings, {"do": "exit", "trade": trade}), settings)["text"])


def settle(
    trade: Annotated[int, typer.Argument(help="A trade's number.")],
    config: ConfigFiles = DEFAULT_CONFIG,
    price: Annotated[
        str | None, typer.Option(help="What each coin has brought, after fees, in stake currency.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="When they were sold, as 2026-01-31T12:05, UTC; left out: now.")
    ] = None,
    written_off: Annotated[
        bool, typer.Option("--written-off", help="Instead of a price: what the trade holds is lost.")
    ] = False,
    orders_ended: Annotated[
        bool,
        typer.Option("--orders-ended", help="You have seen at the exchange that its orders are over."),
    ] = False,
) -> None:
    """Close a trade whose pair the exchange has no more, as you say; candled sells nothing, and it cannot be undone."""
    settings = settings_of(config)
    request = {
        "do": "settle",
        "trade": trade,
        "price": price,
        "at_ms": None if at is None else time_ms(at, "--at"),
        "written_off": written_off,
        "orders_ended": orders_ended,
    }
    print(must_run(ask_daemon(settings, request), settings)["text"])


def pause(config: ConfigFiles = DEFAULT_CONFIG) -> None:
    """Enter nothing until candled resume, also after a restart; open trades are looked after."""
    settings = settings_of(config)
    answer = ask_daemon(settings, {"do": "pause"})
    if answer is not None:
        print(answer["text"])
        return
    from daemon.trading import pauses  # noqa: PLC0415

    _write(settings, lambda ledger, now_ms: pauses.pause(ledger, "candled pause", now_ms))
    print("no daemon runs; the next start enters nothing until candled resume")


def resume(
    config: ConfigFiles = DEFAULT_CONFIG,
    risk: Annotated[bool, typer.Option("--risk", help="Limits of candled.risk begin anew.")] = False,
    settled: Annotated[
        bool,
        typer.Option(
            "--settled",
            help="A human has looked at reported contradictions, or at what a restored ledger lacks.",
        ),
    ] = False,
) -> None:
    """Allow entries again."""
    settings = settings_of(config)
    answer = ask_daemon(settings, {"do": "resume", "risk": risk, "settled": settled})
    if answer is not None:
        print(answer["text"])
        return
    if risk or settled:
        must_run(None, settings)
    from daemon.trading import pauses  # noqa: PLC0415

    _write(settings, lambda ledger, _: pauses.resume(ledger))
    print("no daemon runs; the next start may enter again")


def stop(
    config: ConfigFiles = DEFAULT_CONFIG,
    exit_all: Annotated[
        bool, typer.Option("--exit-all", help="Sell everything first; nothing is entered meanwhile.")
    ] = False,
) -> None:
    """Stop the daemon; trades stay open unless --exit-all is given."""
    from daemon.state.folder import StateFolder  # noqa: PLC0415

    settings = settings_of(config)
    if exit_all:
        answer = must_run(ask_daemon(settings, {"do": "stop", "exit_all": True}), settings)
        print(answer["text"])
        return
    holder = StateFolder(settings.identifier_folder).holder()
    if holder is None or not holder.pid:
        raise ConfigError(f"no daemon runs on {settings.identifier_folder}")
    os.kill(holder.pid, signal.SIGTERM)
    print(f"process {holder.pid} is told to stop")


def unlock(
    pair: Annotated[str, typer.Argument(help="A pair, or all.")], config: ConfigFiles = DEFAULT_CONFIG
) -> None:
    """Lift the locks of a pair, or all: what a protection or the strategy has barred may be entered again."""
    settings = settings_of(config)
    print(must_run(ask_daemon(settings, {"do": "unlock", "pair": pair}), settings)["text"])


def reload(config: ConfigFiles = DEFAULT_CONFIG) -> None:
    """Have the running daemon read its configuration again; exit status 78 if that is wrong, and nothing has changed."""
    try:
        settings = settings_of(config)
        answer = must_run(ask_daemon(settings, {"do": "reload"}, RELOAD_S), settings)
    except (ConfigError, Refused) as exc:
        raise ConfigError(f"nothing was reloaded: {exc}") from exc
    for line in answer["changed"]:
        print(line)
    if answer["warming"]:
        print(f"warming up, see candled status: {', '.join(answer['warming'])}")
    if answer["restart"]:
        print(f"changed, but needs a restart: {', '.join(answer['restart'])}")
    if not answer["changed"] and not answer["restart"]:
        print("nothing has changed")


def reconcile(config: ConfigFiles = DEFAULT_CONFIG) -> None:
    """Hold the ledger against the exchange now."""
    settings = settings_of(config)
    print(must_run(ask_daemon(settings, {"do": "reconcile"}), settings)["text"])


def _write(settings: Settings, change: Callable[[Ledger, int], None]) -> None:
    """Change the ledger while no daemon runs: the state folder is held meanwhile."""
    from daemon.core.clock import SystemClock  # noqa: PLC0415
    from daemon.runtime.account_ledger import opened_ledger  # noqa: PLC0415
    from daemon.state.folder import StateFolder  # noqa: PLC0415

    now_ms = SystemClock().now_ms()
    with StateFolder(settings.identifier_folder).acquire(now_ms):
        ledger = opened_ledger(settings, now_ms)
        try:
            change(ledger, now_ms)
        finally:
            ledger.close()
