"""Files of a user's as text: which classes they define, which files they consist of, their digest. Nothing runs."""

from __future__ import annotations

import ast
import hashlib
import re
from typing import TYPE_CHECKING

from daemon.strategy.modules import helper_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CLASS = re.compile(rb"^class[ \t]+([A-Za-z_][A-Za-z0-9_]*)[ \t]*[(:\[]", re.MULTILINE)


def python_files(path: Path) -> list[Path]:
    """The file itself, or the files that lie in a folder, by name."""
    if path.is_file():
        return [path]
    return sorted(file for file in path.glob("*.py") if file.is_file())


def class_names(file: Path) -> list[str]:
    """Names of the classes at the top of a file, which may be broken."""
    return [found.decode() for found in _CLASS.findall(file.read_bytes())]


def digest_of(file: Path) -> str:
    """SHA-256, hexadecimal, of a file, of its helper modules and of the parameter file beside it.

    Raises:
        SyntaxError: a file does not compile.
    """
    digest = hashlib.sha256()
    parameters = file.with_suffix(".json")
    for part in [*_sources(file), *([parameters] if parameters.is_file() else [])]:
        text = part.read_bytes()
        digest.update(f"{part.name} {len(text)}\n".encode() + text)
    return digest.hexdigest()


def _sources(file: Path) -> list[Path]:
    """A strategy file and, by name, every helper module that its import statements lead to."""
    found = {file}
    waiting = [file]
    while waiting:
        source = waiting.pop()
        for dotted in _imported(source, file.parent):
            helper = helper_file(file.parent, dotted)
            if helper is not None and helper.is_file() and helper not in found:
                found.add(helper)
                waiting.append(helper)
    return [file, *sorted(found - {file})]


def _imported(source: Path, folder: Path) -> Iterator[str]:
    """Dotted names, from the folder on, of all modules that a file might import, wherever in it."""
    for node in ast.walk(ast.parse(source.read_bytes(), str(source))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = source.relative_to(folder).parts[: -node.level or None] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{module}.{alias.name}".strip(".") for alias in node.names]
            names.append(module)
        else:
            continue
        for name in names:
            parts = name.split(".") if name else []
            yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))
