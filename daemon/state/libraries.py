"""Which versions of which libraries a model was made with: for people who look at it years later."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_LIBRARIES = (
    "candled",
    "catboost",
    "lightgbm",
    "numpy",
    "pandas",
    "scikit-learn",
    "scipy",
    "torch",
    "xgboost",
)


@functools.cache
def library_versions() -> Mapping[str, str]:
    """Python's version, and those of the libraries that are installed, by name."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return MappingProxyType(found)
