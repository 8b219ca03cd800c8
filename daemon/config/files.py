"""Configuration files: JSON as freqtrade accepts it, several of them merged."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, cast

import rapidjson

from daemon.config.redaction import MASK, is_secret_name
from daemon.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_MODE = rapidjson.PM_COMMENTS | rapidjson.PM_TRAILING_COMMAS
_SHOWN_WIDTH = 100
_ENTRY = re.compile(r"""["']?(\w+)["']?\s*:\s*""")


@dataclass(slots=True, kw_only=True)
class Reading:
    """What several files say together, and what was wrong with them."""

    document: dict[str, Any] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    doubled_keys: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_files(paths: Sequence[Path]) -> Reading:
    """Read and merge the files as freqtrade does.

    A later file wins over an earlier one, key by key through all levels; lists are replaced. A file's
    ``add_config_files`` (paths relative to its own folder) give what it does not say itself. The path
    ``-`` is standard input.
    """
    reading = Reading()
    for path in paths:
        reading.document = merged(reading.document, _with_added(path, reading, ()))
    return reading


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """A new document with the keys of both; ``above`` wins, objects are merged."""
    out = dict(below)
    for key, value in above.items():
        old = out.get(key)
        out[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return out


def _with_added(path: Path, reading: Reading, chain: tuple[Path, ...]) -> dict[str, Any]:
    if path.absolute() in chain:
        reading.problems.append(
            f"{path}: add_config_files leads back to this file; take it out of one of them"
        )
        return {}
    try:
        document = _document(path, reading)
    except ConfigError as exc:
        reading.problems.append(str(exc))
        return {}
    reading.files.append(path)
    names = document.pop("add_config_files", None) or []
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        reading.problems.append(f"{path}: add_config_files: must be a list of paths in quotes")
        return document
    added: dict[str, Any] = {}
    for name in names:
        added = merged(added, _with_added(path.parent / name, reading, (*chain, path.absolute())))
    return merged(added, document)


def _document(path: Path, reading: Reading) -> dict[str, Any]:
    raw = _bytes(path)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        raise ConfigError(f"{path}: line {line} is not UTF-8 text; save the file in UTF-8") from exc
    decoder = _Decoder()
    try:
        document = decoder(text)
    except (rapidjson.JSONDecodeError, RecursionError) as exc:
        raise ConfigError(_syntax_error(path, text, str(exc))) from None
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: the whole file must be one object {{ ... }}")
    reading.doubled_keys += [
        f"{path}: the key {key!r} is given twice in one object; the last one counts"
        for key in dict.fromkeys(decoder.doubled)
    ]
    return document


def _bytes(path: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except FileNotFoundError:
        remedy = "write one (start from config.example.json), or name yours with -c"
        raise ConfigError(f"{path}: there is no such file; {remedy}") from None
    except IsADirectoryError:
        raise ConfigError(
            f"{path}: this is a folder; name a file in it, such as {path / 'config.json'}"
        ) from None
    except PermissionError:
        raise ConfigError(
            f"{path}: not readable by this user; change its owner or mode (chmod u+r)"
        ) from None
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror or exc}") from exc


class _Decoder(rapidjson.Decoder):
    """Notes keys that stand twice in one object: JSON lets the last one win in silence."""

    def __init__(self) -> None:
        self.doubled: list[str] = []

    def __new__(cls) -> Self:
        return cast("Self", super().__new__(cls, parse_mode=_MODE))

    def start_object(self) -> list[tuple[str, Any]]:
        return []

    def end_object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        out = dict(pairs)
        if len(out) != len(pairs):
            names = [key for key, _ in pairs]
            self.doubled += [key for key in out if names.count(key) > 1]
        return out


def _syntax_error(path: Path, text: str, message: str) -> str:
    match = re.fullmatch(r"Parse error at offset (\d+): (.*)", message, re.DOTALL)
    if match is None:
        return f"{path}: {message}"
    # The offset counts bytes of UTF-8.
    before = text.encode()[: int(match[1])].decode(errors="ignore")
    row, column = before.count("\n"), len(before) - (before.rfind("\n") + 1)
    lines = text.splitlines() or [""]
    reason = match[2]
    if reason.startswith("Invalid encoding"):
        reason = "A text must close its quotes on its own line, and special characters need a backslash."
    elif reason.startswith("Unspecific"):
        reason = "A comment is not closed."
    # A line may be the whole file: only the part around the fault is shown.
    left = max(0, column - _SHOWN_WIDTH // 2)
    part = slice(left, left + _SHOWN_WIDTH)
    shown = [
        f"    {n + 1:>4} | {_without_secret(lines, n)[part]}" for n in (row - 1, row) if 0 <= n < len(lines)
    ]
    pointer = f"         | {' ' * (column - left)}^"
    return "\n".join([f"{path}: line {row + 1}, column {column + 1}: {reason}", *shown, pointer])


def _without_secret(lines: list[str], n: int) -> str:
    """Line ``n`` up to the value of the first secret in it, and nothing of a value that goes on from above."""
    above = [line for line in lines[:n] if line.strip()]
    last = list(_ENTRY.finditer(above[-1])) if above else []
    if last and is_secret_name(last[-1][1]) and not above[-1][last[-1].end() :].strip():
        return MASK
    for entry in _ENTRY.finditer(lines[n]):
        if is_secret_name(entry[1]):
            return lines[n][: entry.end()] + MASK
    return lines[n]
