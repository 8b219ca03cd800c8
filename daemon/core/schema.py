"""The names and the order of features."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class FeatureSchema:
    """Names of the columns of a feature matrix, in order.

    Two schemas are equal when every name and the order are; a model predicts only on its own.

    Raises:
        ValueError: a name occurs twice.
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse a name that stands for two columns."""
        if len(set(self.names)) != len(self.names):
            doubled = sorted({name for name in self.names if self.names.count(name) > 1})
            raise ValueError(f"feature names occur twice: {doubled[:5]}")

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the names in order, hexadecimal."""
        return hashlib.sha256("\n".join(self.names).encode()).hexdigest()

    def difference(self, other: FeatureSchema) -> str:
        """One line that tells how ``other`` differs, for messages."""
        missing = [name for name in self.names if name not in set(other.names)]
        added = [name for name in other.names if name not in set(self.names)]
        if not missing and not added:
            return "same names in another order"
        return f"missing {missing[:3]} ({len(missing)} in all), new {added[:3]} ({len(added)} in all)"
