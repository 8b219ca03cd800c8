"""The command line: one command per file.

Commands import what they need when they run: ``candled status`` must not wait for the model libraries.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading

import typer

from daemon import __version__
from daemon.cli import (
    backup,
    check,
    config,
    control,
    doctor,
    explain,
    models,
    predictions,
    profit,
    queue,
    run,
    service,
    status,
    trades,
    train,
)
from daemon.core.errors import CandledError, ConfigError, FolderInUse

log = logging.getLogger(__name__)

EXIT_ERROR, EXIT_IN_USE, EXIT_CONFIG = 1, 75, 78
"""As in sysexits.h: EX_TEMPFAIL and EX_CONFIG; systemd does not restart on the latter."""

FLUSH_S = 2.0
"""What the last output may take to leave at the end of a command."""

app = typer.Typer(
    name="candled",
    help="Keeps one fresh machine-learning model per trading pair and predicts on every closed candle.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("status")(status.status)
app.command("queue")(queue.queue)
app.command("models")(models.models)
app.command("explain")(explain.explain)
app.command("check")(check.check)
app.command("train")(train.train)
app.command("predictions")(predictions.predictions)
app.command("trades")(trades.trades)
app.command("orders")(trades.orders)
app.command("balance")(trades.balance)
app.command("profit")(profit.profit)
app.command("enter")(control.enter)
app.command("exit")(control.leave)
app.command("settle")(control.settle)
app.command("pause")(control.pause)
app.command("resume")(control.resume)
app.command("stop")(control.stop)
app.command("reconcile")(control.reconcile)
app.command("unlock")(control.unlock)
app.command("reload")(control.reload)
app.command("doctor")(doctor.doctor)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.add_typer(config.app, name="config")
app.add_typer(service.app, name="service")


def _version(value: bool) -> None:
    if value:
        print(f"candled {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    pass


def main() -> None:
    """Entry point: errors that were raised on purpose become one message and their exit status.

    The process ends without tearing Python down. A thread that still runs (one that hangs, one of a library's own,
    which Python need not know of) may hold the lock of a stream that Python wants while it does so: that ends the
    process by SIGABRT, although everything is put away.
    """
    status = _status()
    if threading.active_count() > 1:  # and one of them may hold that lock for ever
        flushing = threading.Thread(target=_flush, daemon=True)
        flushing.start()
        flushing.join(FLUSH_S)
    else:
        status = _flush() or status
    os._exit(status)


def _flush() -> int:
    """Let the last words out; exit status: 0, or what tells that they are lost."""
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):  # none that was closed from the start
            stream.flush()
    except (BrokenPipeError, ValueError):  # the reader of our output has seen enough
        return 0
    except OSError as exc:
        with contextlib.suppress(OSError, ValueError):
            print(f"candled: the output cannot be written: {exc.strerror}", file=sys.stderr, flush=True)
        return EXIT_ERROR
    return 0


def _status() -> int:
    try:
        app()
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    except ConfigError as exc:
        return _told(exc, EXIT_CONFIG)
    except FolderInUse as exc:
        return _told(exc, EXIT_IN_USE)
    except CandledError as exc:
        return _told(exc, EXIT_ERROR)
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
    except Exception:  # the root of the main thread
        log.critical("bug", exc_info=True)
        return EXIT_ERROR
    return 0


def _told(exc: CandledError, status: int) -> int:
    from daemon.runtime.logs import to_journal, with_priority  # noqa: PLC0415  only those who fail wait for it

    text = f"candled: {exc}"
    print(with_priority(text, logging.ERROR) if to_journal() else text, file=sys.stderr)
    return status
