"""A forest of decision trees as plain arrays: read, written and evaluated with numpy alone."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.core.errors import Corrupt, Refused
from daemon.learning.models.common import sealed, unsealed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_ROWS_AT_ONCE = 1024
"""Rows that go through the trees together: bounds the memory of a large batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """Trees that say how likely each class is; the forest says the mean.

    A row goes left where ``row[feature] <= threshold``. Children stand behind their parent; a leaf is its own
    child, so a walk may stay there.

    Attributes:
        roots: int64[trees], the node that each tree begins with.
        feature: int32[nodes], column that a node asks for.
        threshold: float32[nodes].
        left: int32[nodes], next node.
        right: int32[nodes], next node.
        leaf_shares: float64[nodes, classes], probabilities by class code at a leaf, zeros elsewhere.
        depth: int64[], steps from the root to the deepest leaf.
        width: int64[], columns that a row has.
    """

    roots: NDArray[np.int64]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    leaf_shares: NDArray[np.float64]
    depth: NDArray[np.int64]
    width: NDArray[np.int64]

    @classmethod
    def of_trees(cls, trees: Sequence[Any], codes: NDArray[np.int64], classes: int) -> Forest:
        """Of scikit-learn's ``tree_`` objects.

        Args:
            trees: in the order in which their probabilities are summed.
            codes: class code of each column of the trees' values.
            classes: how many codes there are; those that ``codes`` lacks have probability 0.
        """
        sizes = np.array([tree.node_count for tree in trees])
        roots = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int64)
        own = np.arange(sizes.sum(), dtype=np.int32)
        start = np.repeat(roots, sizes)
        left = np.concatenate([tree.children_left for tree in trees])
        right = np.concatenate([tree.children_right for tree in trees])
        leaf = left < 0
        values = np.concatenate([tree.value[:, 0, :] for tree in trees])
        shares = np.zeros((len(own), classes))
        shares[:, codes] = values / values.sum(axis=1, keepdims=True)
        shares[~leaf] = 0
        return cls(
            roots=roots,
            feature=np.where(leaf, 0, np.concatenate([tree.feature for tree in trees])).astype(np.int32),
            threshold=_float32_floor(np.concatenate([tree.threshold for tree in trees])),
            left=np.where(leaf, own, left + start).astype(np.int32),
            right=np.where(leaf, own, right + start).astype(np.int32),
            leaf_shares=shares,
            depth=np.int64(max(tree.max_depth for tree in trees)) + np.zeros((), np.int64),
            width=np.int64(trees[0].n_features) + np.zeros((), np.int64),
        )

    def shares(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Float64[n, classes] probabilities of float32[n, width], all finite.

        Raises:
            Refused: the rows have another width.
        """
        if features.shape[1] != int(self.width):
            raise Refused(
                f"rows of {features.shape[1]} columns, but the forest learnt from {int(self.width)}"
            )
        starts = range(0, len(features), _ROWS_AT_ONCE)
        parts = [self._shares(np.ascontiguousarray(features[i : i + _ROWS_AT_ONCE])) for i in starts]
        return np.concatenate(parts) if parts else np.empty((0, self.leaf_shares.shape[1]))

    def _shares(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """All rows through all trees, one level at a time."""
        node = np.repeat(self.roots[:, None], len(rows), axis=1)
        index = np.arange(len(rows))
        for _ in range(int(self.depth)):
            goes_left = rows[index, self.feature[node]] <= self.threshold[node]
            node = np.where(goes_left, self.left[node], self.right[node])
        # Summed tree by tree: numpy's sum goes other ways for one row than for many, and so to other bits.
        total = np.zeros((len(rows), self.leaf_shares.shape[1]))
        for leaves in node:
            total += self.leaf_shares[leaves]
        return total / len(self.roots)

    def to_bytes(self) -> bytes:
        """As numpy's ``.npz``; the same forest gives the same bytes."""
        file = io.BytesIO()
        np.savez_compressed(file, **{field.name: getattr(self, field.name) for field in fields(self)})
        return sealed(file.getvalue())

    @classmethod
    def from_bytes(cls, data: bytes) -> Forest:
        """The inverse of `to_bytes`.

        Raises:
            Corrupt: the bytes are not a forest.
        """
        try:
            with np.load(io.BytesIO(unsealed(data, "forest")), allow_pickle=False) as arrays:
                forest = cls(**{field.name: arrays[field.name] for field in fields(cls)})
            forest.check()
        except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile) as exc:
            raise Corrupt(f"not a forest: {exc}") from exc
        return forest

    def check(self) -> None:
        """Make sure that a walk stays within the arrays.

        Raises:
            ValueError: it would not.
        """
        nodes = len(self.feature)
        own = np.arange(nodes)
        onward = all((child >= own).all() and (child < nodes).all() for child in (self.left, self.right))
        columns = ((self.feature >= 0) & (self.feature < self.width)).all()
        rooted = len(self.roots) > 0 and ((self.roots >= 0) & (self.roots < nodes)).all()
        shaped = len(self.threshold) == nodes and self.leaf_shares.shape[:1] == (nodes,)
        if not (onward and columns and rooted and shaped and 0 <= int(self.depth) <= nodes):
            raise ValueError("its arrays do not fit together")


def _float32_floor(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 not above each: ``x <= t`` is the same question for every float32 ``x``."""
    near = thresholds.astype(np.float32)
    return np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near).astype(np.float32)
