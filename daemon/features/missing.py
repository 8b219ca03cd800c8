"""Which features have no value, how often, and which have always the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.features.compute import BlockRows


@dataclass(frozen=True, slots=True)
class Emptiness:
    """What is lacking in the rows of a block.

    Attributes:
        missing: column -> share of rows without a value, 0 to 1; only those above 0, the largest first.
        constant: columns that have one value throughout, and tell a model nothing.
    """

    missing: Mapping[str, float]
    constant: tuple[str, ...]


def emptiness(rows: BlockRows, warm_up: int) -> Emptiness:
    """Count what is lacking behind the warm-up.

    Args:
        rows: a block's rows over a history, computed from its first candle on.
        warm_up: rows at the beginning that are left out: no value is owed there.
    """
    values = rows.values[min(warm_up, len(rows.values) // 2) :]
    if not len(values):
        return Emptiness({}, ())
    lacking = np.isnan(values)
    shares = lacking.mean(axis=0)
    missing = {rows.names[i]: float(shares[i]) for i in np.argsort(-shares, kind="stable") if shares[i]}
    same = [
        name
        for name, column, absent in zip(rows.names, values.T, lacking.T, strict=True)
        if not absent.all() and (column[~absent] == column[~absent][0]).all()
    ]
    return Emptiness(missing, tuple(same))
