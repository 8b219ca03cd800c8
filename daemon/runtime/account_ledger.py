"""The ledger of the account that the settings name: opened, claimed, and (a new one on paper) given its money."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from daemon.core.errors import ConfigError
from daemon.state import atomic
from daemon.trading.ledger_files import open_ledger

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.config import Settings
    from daemon.trading.ledger import Ledger

ACCOUNT = "account"
"""Fact: whose trades a ledger holds."""
BEGINNING = "dry_run_wallet"


def opened_ledger(settings: Settings, now_ms: int) -> Ledger:
    """The ledger of this account; a new dry-run account gets its money.

    Raises:
        ConfigError: it belongs to another exchange or currency, or is damaged without a backup.
    """
    path = settings.ledger_file
    atomic.make_folder(path.parent)
    ledger = open_ledger(path, now_ms, set_aside)
    try:
        _claim(ledger, path, settings)
        if settings.dry_run and not ledger.deposits():
            wallet = settings.dry_run_wallet
            amounts = wallet if isinstance(wallet, dict) else {settings.stake_currency: wallet}
            with ledger.together():
                for currency, amount in amounts.items():
                    ledger.deposit(currency, Decimal(str(amount)), now_ms, BEGINNING)
    except BaseException:
        ledger.close()
        raise
    return ledger


def set_aside(path: Path) -> Path:
    """Where a damaged file goes."""
    return atomic.set_aside(path, path.parent / "set-aside")


def _claim(ledger: Ledger, path: Path, settings: Settings) -> None:
    """Let nobody mix the trades of two markets."""
    mine = account_of_settings(settings)
    known = ledger.get(ACCOUNT)
    if known is None:
        ledger.put(ACCOUNT, mine)
    elif known != mine:
        raise ConfigError(
            f"{path} holds the trades of {known}, and this configuration trades on {mine}: choose another "
            "freqai.identifier, or name another file in db_url"
        )


def account_of_settings(settings: Settings) -> str:
    """What tells this account from all others."""
    name = settings.exchange.name
    simulated = settings.candled.simulated
    if name == "simulated":
        made_of = simulated.replay.resolve().name if simulated.replay else f"seed {simulated.seed}"
        name = f"{name} ({made_of})"
    kind = "dry run" if settings.dry_run else "live"
    return f"{name}, {kind}, {settings.stake_currency}, {settings.freqai.identifier}"
