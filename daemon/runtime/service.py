"""What a service is made of: unit, configuration, keys and the user's own code, each as a file in its place.

Nothing is written or started here; `candled service` does that.
"""

from __future__ import annotations

import enum
import importlib.resources
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.config.exchange import SECRETS
from daemon.config.layers import NOTIFY_CREDENTIAL
from daemon.config.redaction import is_secret_name
from daemon.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

UNIT = "candled@.service"
_PROGRAM = "/opt/candled/bin/candled"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_CLOSED = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - closed to the service, not used
"""What the hardened unit does not see: ProtectHome= and PrivateTmp=."""
_CODE = (".py", ".json")
_STEPS_FROM = 254
"""Version of systemd from which on restarts may be spaced out more and more (RestartSteps=)."""


class Scope(enum.StrEnum):
    """Whose service manager runs the service."""

    SYSTEM = "system"
    USER = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the parts of services lie.

    Attributes:
        scope: whose manager.
        units: folder of units.
        configurations: folder of the configurations.
        state: folder of the state folders, as `systemd` gives it to the service.
    """

    scope: Scope
    units: Path
    configurations: Path
    state: Path

    @classmethod
    def of(cls, scope: Scope, root: Path, home: Path) -> Places:
        """The places of a scope below ``root``; ``home`` is the user's own folder."""
        if scope is Scope.SYSTEM:
            return cls(
                scope=scope,
                units=root / "etc/systemd/system",
                configurations=root / "etc/candled",
                state=root / "var/lib/candled",
            )
        home = root / home.relative_to(home.anchor)
        return cls(
            scope=scope,
            units=home / ".config/systemd/user",
            configurations=home / ".config/candled",
            state=home / ".local/state/candled",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedFile:
    """A file that belongs to a service.

    Attributes:
        path: where.
        content: what.
        mode: permissions.
    """

    path: Path
    content: bytes
    mode: int = 0o644


def service_name(text: str) -> str:
    """The name, if an instance may have it.

    Raises:
        ConfigError: it may not.
    """
    if not _NAME.fullmatch(text):
        raise ConfigError(
            f"a service cannot be named {text!r}: take letters, digits, '_' and '-', as in 'main'"
        )
    return text


def check_readable(*paths: Path) -> None:
    """Make sure that the hardened unit of the system sees the program and its Python.

    Raises:
        ConfigError: it does not.
    """
    for path in paths:
        for folder in _CLOSED:
            if path.is_relative_to(folder):
                raise ConfigError(
                    f"{path} lies in {folder}, which is closed to the hardened service: make a virtual environment in "
                    "/opt/candled with the system's Python, install candled there, and call its `candled service`"
                )


def unit_text(scope: Scope, program: Path) -> str:
    """The unit, with the path of this installation's ``candled``.

    Raises:
        ConfigError: the unit that ships was changed.
    """
    text = _unit_file(scope).read_text("utf-8")
    if _PROGRAM not in text:
        raise ConfigError(
            f"{_unit_file(scope)}: it does not start {_PROGRAM}; take the unit that ships with candled"
        )
    return text.replace(_PROGRAM, str(program))


def planned(
    name: str,
    places: Places,
    *,
    program: Path,
    document: Mapping[str, Any],
    verbatim: bytes | None,
    code: Mapping[str, Sequence[Path]],
    systemd_version: int,
) -> tuple[PlacedFile, ...]:
    """Every file of one service.

    Args:
        name: of the instance.
        places: where they go.
        program: path of ``candled``.
        document: the configuration, all files of it merged, secrets included.
        verbatim: its file as it stands, where it is only one; it is kept, comments and all, if it holds no secret or
            nobody else may read it.
        code: folders of the user's own code by the key that names them (``strategy_path``, ``freqaimodel_path``).
        systemd_version: of the manager.

    Raises:
        ConfigError: a secret has no place but the configuration, which everybody may read.
    """
    files = [PlacedFile(path=places.units / UNIT, content=unit_text(places.scope, program).encode())]
    if systemd_version >= _STEPS_FROM:
        text = "[Service]\nRestartSteps=8\nRestartMaxDelaySec=10min\n"
        files.append(PlacedFile(path=places.units / f"{UNIT}.d" / "backoff.conf", content=text.encode()))
    configuration = places.configurations / f"{name}.json"
    lines: list[str] = []
    if places.scope is Scope.USER:
        content = verbatim if verbatim is not None else _encoded(document)
        files.append(PlacedFile(path=configuration, content=content, mode=0o600))
    else:
        plain, secrets = _separated(document)
        content = verbatim if verbatim is not None and not secrets else _encoded(plain)
        files.append(PlacedFile(path=configuration, content=content))
        for credential, secret in secrets.items():
            path = places.configurations / f"{name}.{credential.removeprefix('exchange_')}"
            files.append(PlacedFile(path=path, content=secret.encode(), mode=0o600))
            lines.append(f"LoadCredential={credential}:{path}")
    for key, folders in code.items():
        target = places.configurations / name / key.removesuffix("_path")
        copied = list(_copied(folders, target))
        files += copied
        if copied:
            lines.append(f"Environment=CANDLED__{key.upper()}={target}")
    if lines:
        text = "[Service]\n" + "\n".join(lines) + "\n"
        files.append(PlacedFile(path=drop_in(name, places), content=text.encode()))
    return tuple(files)


def left_over(name: str, places: Places, files: Sequence[PlacedFile]) -> list[Path]:
    """What an earlier installation put where these files go, and this one does not: it would still have its say.

    Keys and configurations are not among them; they have none unless a unit names them.
    """
    wanted = {file.path for file in files}
    copies = places.configurations / name
    placed = {drop_in(name, places), *_code_files(copies / "strategy"), *_code_files(copies / "freqaimodel")}
    return sorted(path for path in placed - wanted if path.is_file())


def drop_in(name: str, places: Places) -> Path:
    """The file with what is peculiar to one instance."""
    return places.units / f"candled@{name}.service.d" / "instance.conf"


def _unit_file(scope: Scope) -> Path:
    """The unit that ships: in the package, or, in a checkout, beside it."""
    inner = Path(UNIT) if scope is Scope.SYSTEM else Path("user") / UNIT
    package = Path(str(importlib.resources.files("daemon")))
    for folder in (package / "systemd", package.parent / "systemd"):
        if (folder / inner).is_file():
            return folder / inner
    raise ConfigError(f"the unit {inner} is missing from this installation of candled; install it again")


def _encoded(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=4, ensure_ascii=False) + "\n").encode()


def _separated(document: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The document without its keys and addresses, and these by the name of the credential that hands them over."""
    plain: dict[str, Any] = json.loads(json.dumps(document))
    exchange = plain.get("exchange")
    kept = exchange if isinstance(exchange, dict) else {}
    secrets = {f"exchange_{key}": str(kept.pop(key)) for key in SECRETS if kept.get(key)}
    candled = plain.get("candled")
    notify = candled.get("notify") if isinstance(candled, dict) else None
    if isinstance(notify, dict) and notify.get("urls"):
        secrets[NOTIFY_CREDENTIAL] = "\n".join(notify.pop("urls"))
    for place in _secret_places(plain, ()):
        raise ConfigError(
            f"{'.'.join(place)} holds a secret, and everybody on the machine may read a service's configuration: "
            "put it into a file of its own where there is a key for that, or install with --user"
        )
    return plain, secrets


def _secret_places(node: object, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        here = (*above, str(key))
        if isinstance(value, dict):
            yield from _secret_places(value, here)
        elif isinstance(value, str | list) and value and is_secret_name(str(key), above[-1] if above else ""):
            yield here


def _copied(folders: Sequence[Path], target: Path) -> Iterator[PlacedFile]:
    """The user's code of several folders in one; the first folder wins, as it does when it is looked for."""
    seen: set[Path] = set()
    for folder in folders:
        for path in _code_files(folder):
            inner = path.relative_to(folder)
            if inner not in seen:
                seen.add(inner)
                yield PlacedFile(path=target / inner, content=path.read_bytes())


def _code_files(folder: Path) -> Iterator[Path]:
    """Sources and parameters below a folder; none where there is no such folder."""
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        hidden = any(part.startswith((".", "__pycache__")) for part in path.relative_to(folder).parts)
        if path.suffix in _CODE and path.is_file() and not hidden:
            yield path
