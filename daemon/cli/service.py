"""``candled service``: the daemon under systemd."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.options import DEFAULT_CONFIG, ConfigFiles, settings_of
from daemon.core.errors import CandledError

if TYPE_CHECKING:
    from daemon.runtime.service import PlacedFile, Places

app = typer.Typer(help="Run the daemon as a service of systemd.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the instance, as in candled@NAME.service.")]
User = Annotated[bool, typer.Option("--user", help="In your own service manager instead of the system's.")]
Root = Annotated[
    Path,
    typer.Option(help="Write below this folder instead of / and start nothing: for images and packages."),
]
_SLASH = Path("/")


@app.command()
def install(
    name: Name,
    config: ConfigFiles = DEFAULT_CONFIG,
    user: User = False,
    root: Root = _SLASH,
    program: Annotated[
        Path | None, typer.Option(help="Path of candled as the service will see it, instead of this one's.")
    ] = None,
    start: Annotated[bool, typer.Option(help="Enable and start it, too.")] = True,
) -> None:
    """Check the configuration, put it, the keys, your strategies and the unit in their places, and start the service."""
    from daemon.config.files import read_files  # noqa: PLC0415  keeps `candled --help` quick
    from daemon.config.layers import Layer, with_own_secrets  # noqa: PLC0415
    from daemon.runtime.service import check_readable, left_over, planned, service_name  # noqa: PLC0415
    from daemon.runtime.world import strategy_folders  # noqa: PLC0415

    settings = settings_of(config)
    places = _places(user=user, root=root)
    if program is None and not user:
        check_readable(_program(), Path(sys.executable).resolve())
    document = with_own_secrets(Layer(document=read_files(config).document)).document
    alone = len(config) == 1 and len(settings.config_files) == 1
    files = planned(
        service_name(name),
        places,
        program=program or _program(),
        document=document,
        verbatim=config[0].read_bytes() if alone else None,
        code={"strategy_path": strategy_folders(settings), "freqaimodel_path": settings.model_folders},
        systemd_version=_systemd_version(),
    )
    for file in files:
        _write(file)
        typer.echo(f"wrote {file.path}")
    for path in left_over(name, places, files):
        path.unlink()
        typer.echo(f"took away {path}, of an earlier installation")
    if not start or root != _SLASH:
        return
    _systemctl(places, "daemon-reload")
    _systemctl(places, "enable", f"candled@{name}.service")
    _systemctl(places, "restart", f"candled@{name}.service")
    typer.echo(f"candled@{name} runs; its log: journalctl {'--user ' if user else ''}-fu candled@{name}")
    if user:
        typer.echo("it ends with your last session unless you call: loginctl enable-linger")


@app.command()
def uninstall(name: Name, user: User = False, root: Root = _SLASH) -> None:
    """Stop the service and take its unit away; configuration, keys and state stay."""
    from daemon.runtime.service import UNIT, drop_in, service_name  # noqa: PLC0415

    places = _places(user=user, root=root)
    if root == _SLASH:
        _systemctl(places, "disable", "--now", f"candled@{service_name(name)}.service")
    shutil.rmtree(drop_in(service_name(name), places).parent, ignore_errors=True)
    others = [path for path in places.configurations.glob("*.json") if path.stem != name]
    if not others:  # the template serves every instance
        (places.units / UNIT).unlink(missing_ok=True)
        shutil.rmtree(places.units / f"{UNIT}.d", ignore_errors=True)
    if root == _SLASH:
        _systemctl(places, "daemon-reload")
    typer.echo(f"candled@{name} is no service any more; there remain:")
    kept = [
        places.configurations / name,
        *sorted(places.configurations.glob(f"{name}.*")),
        places.state / name,
    ]
    for path in kept:
        if path.exists():
            typer.echo(f"  {path}")


@app.command()
def status(name: Name, user: User = False) -> None:
    """What the service manager says about the service; exit status 3 if it does not run."""
    from daemon.runtime.service import service_name  # noqa: PLC0415

    wanted = "LoadState,ActiveState,SubState,StatusText,MainPID,NRestarts,ExecMainStatus,MemoryCurrent,Result"
    unit = f"candled@{service_name(name)}.service"
    answer = _systemctl(_places(user=user, root=_SLASH), "show", unit, f"--property={wanted}")
    shown = dict(line.split("=", 1) for line in answer.splitlines() if "=" in line)
    for key, value in shown.items():
        typer.echo(f"{key}: {value}")
    if shown.get("ActiveState") != "active":
        raise typer.Exit(3)


def _places(*, user: bool, root: Path) -> Places:
    from daemon.runtime.service import Places, Scope  # noqa: PLC0415

    return Places.of(Scope.USER if user else Scope.SYSTEM, root, Path.home())


def _program() -> Path:
    """This installation's own command."""
    return Path(sys.executable).parent / "candled"


def _write(file: PlacedFile) -> None:
    """Write a file whole, readable by whom it is meant for from its first byte on."""
    from daemon.state import atomic  # noqa: PLC0415

    before = os.umask(0o022)
    try:
        file.path.parent.mkdir(parents=True, exist_ok=True)
        os.umask(0o777 & ~file.mode)
        atomic.write_atomic_bytes(file.path, file.content)
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise CandledError(f"{file.path}: {reason}; the system's service wants root, yours --user") from exc
    finally:
        os.umask(before)


def _systemd_version() -> int:
    """Version of systemd; 0 where there is none."""
    program = shutil.which("systemctl")
    if program is None:
        return 0
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
    found = re.match(r"systemd (\d+)", told.stdout)
    return int(found[1]) if found else 0


def _systemctl(places: Places, *words: str) -> str:
    program = shutil.which("systemctl")
    if program is None:
        raise CandledError("there is no systemctl: this machine is not run by systemd")
    scope = ["--user"] if places.scope == "user" else []
    done = subprocess.run([program, *scope, *words], capture_output=True, text=True, check=False)  # noqa: S603 - fixed commands, checked names
    if done.returncode:
        raise CandledError(
            f"systemctl {' '.join(words)}: {done.stderr.strip() or f'status {done.returncode}'}"
        )
    return done.stdout
