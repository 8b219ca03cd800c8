"""Import statements as the files of users mean them: strategies, and models.

A strategy file and the helper modules beside it run with their own ``__import__``, kept in the
``__builtins__`` of their globals. So ``from freqtrade.strategy import IStrategy`` means candled's class
in these files, at import time and later inside their functions, and nowhere else: Python's tables
(``sys.modules``, ``sys.meta_path``, ``sys.path``) keep their entries, and an installed freqtrade is not
imported. The files themselves are entered in ``sys.modules`` under a name of their own, because
dataclasses and type hints look their module up there.
"""

from __future__ import annotations

import builtins
import importlib.util
import itertools
import sys
import threading
from types import ModuleType
from typing import TYPE_CHECKING, Any

from daemon.strategy.facade import facades

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_loads = itertools.count(1)


class StrategyModules:
    """The modules that one file of a user's consists of: itself and its helpers.

    Args:
        folder: where the file and its helpers lie.
        known: modules of ours that its import statements see, by full name; None: those for strategies.
        kind: what it is: ``strategy`` or ``model``.
    """

    def __init__(
        self, folder: Path, known: Mapping[str, ModuleType] | None = None, kind: str = "strategy"
    ) -> None:
        self.folder = folder
        self.kind = kind
        self._known = facades() if known is None else known
        self._roots = frozenset(name.partition(".")[0] for name in self._known)
        self.files: dict[str, Path] = {}
        """Full module name -> file, of every module that ran."""
        number = next(_loads)
        self._package = f"candled_{kind}" if number == 1 else f"candled_{kind}_{number}"
        self._lock = threading.RLock()  # functions of the strategy import in whichever thread they run
        self._builtins = {**vars(builtins), "__import__": self._import}
        root = ModuleType(self._package, f"Files of a {kind} in {folder}")
        root.__path__ = [str(folder)]
        self._modules: dict[str, ModuleType] = {self._package: root}
        sys.modules[self._package] = root

    def run(self, file: Path) -> ModuleType:
        """Run a file of the folder as a module (once)."""
        return self._load(f"{self._package}.{file.stem}", file)

    def classes(self) -> dict[str, type[Any]]:
        """Classes that the files define at their top, by name; the file that ran first wins."""
        found: dict[str, type[Any]] = {}
        for name in self.files:
            for each in vars(self._modules[name]).values() if name in self._modules else ():
                if isinstance(each, type) and each.__module__ == name:
                    found.setdefault(each.__name__, each)
        return found

    def forget(self) -> None:
        """Take the modules out of ``sys.modules``, after a failure."""
        for name in self._modules:
            sys.modules.pop(name, None)

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - the signature of __import__
        locals: Mapping[str, Any] | None = None,  # noqa: A002 - the signature of __import__
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """What ``import`` does in a strategy's files."""
        if level:
            package = (globals or {}).get("__package__") or self._package
            return self._local(importlib.util.resolve_name("." * level + name, package), fromlist or ())
        root = name.partition(".")[0]
        if root in self._roots:
            module = self._ours(name, fromlist or ())
            if module is not None:
                return module
        elif root not in sys.stdlib_module_names and helper_file(self.folder, root) is not None:
            leaf = self._local(f"{self._package}.{name}", fromlist or ())
            return leaf if fromlist else self._modules[f"{self._package}.{root}"]
        return _installed(name, globals, locals, fromlist or (), self.kind)

    def _ours(self, name: str, fromlist: Sequence[str]) -> ModuleType | None:
        """A module of ours, as ``import`` returns it; None if an installed package must answer."""
        root = name.partition(".")[0]
        module = self._known.get(name)
        absent = [each for each in fromlist if each != "*" and not hasattr(module, each)]
        if module is not None and not absent:
            return module if fromlist else self._known[root]
        if root == "technical":
            return None  # a library of its own; what we do not replace may be installed
        whose = {"strategy": "strategies"}.get(self.kind, f"{self.kind}s")
        if module is None:
            raise ModuleNotFoundError(f"candled has no module {name!r} for {whose}", name=name)
        raise ImportError(f"candled has no {name}.{absent[0]} for {whose}", name=name)

    def _local(self, full_name: str, fromlist: Sequence[str]) -> ModuleType:
        """A helper module, with those of the names in ``fromlist`` that are modules themselves."""
        parts = full_name.split(".")
        for end in range(2, len(parts) + 1):
            self._helper(".".join(parts[:end]), required=True)
        module = self._modules[full_name]
        for name in fromlist:
            if name != "*" and not hasattr(module, name):
                self._helper(f"{full_name}.{name}", required=False)
        return module

    def _helper(self, full_name: str, *, required: bool) -> None:
        if full_name in self._modules:
            return
        dotted = full_name.removeprefix(f"{self._package}.")
        file = helper_file(self.folder, dotted)
        if file is not None:
            self._load(full_name, file)
        elif required:
            raise ModuleNotFoundError(f"no module {dotted!r} in {self.folder}", name=dotted)

    def _load(self, full_name: str, file: Path) -> ModuleType:
        with self._lock:
            if full_name in self._modules:
                return self._modules[full_name]
            module = ModuleType(full_name)
            parent, _, child = full_name.rpartition(".")
            is_package = file.is_dir() or file.name == "__init__.py"
            module.__dict__.update(
                __builtins__=self._builtins,
                __file__=str(file),
                __package__=full_name if is_package else parent,
            )
            if is_package:
                module.__path__ = [str(file if file.is_dir() else file.parent)]
            self.files[full_name] = file
            self._modules[full_name] = sys.modules[full_name] = module
            try:
                if not file.is_dir():
                    code = compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
                    exec(code, module.__dict__)  # noqa: S102 - running the user's strategy is the purpose
            except BaseException:
                # A module that failed half-way must not look as if it were there.
                del self._modules[full_name], sys.modules[full_name]
                raise
            setattr(self._modules[parent], child, module)
            return module


def helper_file(folder: Path, dotted: str) -> Path | None:
    """File of a module beside a strategy: ``name.py``, ``name/__init__.py``, or a folder with modules."""
    path = folder.joinpath(*dotted.split("."))
    for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
        if file.is_file():
            return file
    return path if path.is_dir() and next(path.glob("*.py"), None) is not None else None


def _installed(
    name: str,
    globals: Mapping[str, Any] | None,  # noqa: A002 - the signature of __import__
    locals: Mapping[str, Any] | None,  # noqa: A002 - the signature of __import__
    fromlist: Sequence[str],
    kind: str,
) -> ModuleType:
    """A module of Python or of an installed package."""
    try:
        return builtins.__import__(name, globals, locals, fromlist, 0)
    except ModuleNotFoundError as exc:
        root = name.partition(".")[0]
        if exc.name is None or exc.name.partition(".")[0] != root:
            raise
        raise ModuleNotFoundError(
            f"the {kind} needs the module {name!r}: install its package into candled's environment, "
            f"for example with `pip install {root.replace('_', '-')}`",
            name=exc.name,
        ) from exc
