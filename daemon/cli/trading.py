"""What the commands about trading share: the ledger to read, the daemon to ask, numbers as people read them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from daemon.cli.options import utc
from daemon.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

    from daemon.config import Settings
    from daemon.trading.ledger_reads import LedgerReader


@contextlib.contextmanager
def ledger_of(settings: Settings) -> Iterator[LedgerReader]:
    """The ledger, to read; the daemon may run or not.

    Raises:
        ConfigError: nothing was traded yet.
    """
    from daemon.trading.ledger_reads import LedgerReader  # noqa: PLC0415

    ledger = LedgerReader.open(settings.ledger_file)
    try:
        yield ledger
    finally:
        ledger.close()


def ask_daemon(
    settings: Settings, request: Mapping[str, Any], longest_s: float = 35.0
) -> dict[str, Any] | None:
    """The running daemon's answer, within so many seconds; None if none runs.

    Raises:
        Refused: it said no.
        Retryable: it did not answer in time.
    """
    from daemon.runtime.control import ask  # noqa: PLC0415
    from daemon.state.folder import StateFolder  # noqa: PLC0415

    return ask(StateFolder(settings.identifier_folder).control, request, longest_s)


def must_run(answer: dict[str, Any] | None, settings: Settings) -> dict[str, Any]:
    """The answer.

    Raises:
        ConfigError: no daemon runs.
    """
    if answer is None:
        raise ConfigError(
            f"no daemon runs on {settings.identifier_folder}: only a running one can send orders; start it with "
            "candled run"
        )
    return answer


def figures_of(settings: Settings) -> dict[str, Any]:
    """What the running daemon showed last of trading; empty if none runs."""
    from daemon.core.errors import Corrupt  # noqa: PLC0415
    from daemon.runtime.status_file import read_status  # noqa: PLC0415
    from daemon.state.folder import StateFolder  # noqa: PLC0415

    folder = StateFolder(settings.identifier_folder)
    if folder.holder() is None:
        return {}
    with contextlib.suppress(Corrupt):
        found: dict[str, Any] = read_status(folder.status).get("trading", {})
        return found
    return {}


def number(value: Decimal | str | None, digits: int = 8) -> str:
    """A number without the zeros at its end; empty for none."""
    from decimal import Decimal  # noqa: PLC0415

    if value is None or value == "":
        return ""
    text = f"{Decimal(value):.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(value: Decimal | str | None) -> str:
    """An amount of stake currency, with its sign."""
    from decimal import Decimal  # noqa: PLC0415

    return "" if value is None else f"{Decimal(value):+.2f}"


def when(time_ms: int | None) -> str:
    """A moment; empty for none."""
    return "" if time_ms is None else utc(time_ms)
