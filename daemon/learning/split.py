"""Which rows train and which judge, and how much each weighs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from daemon.core.errors import Refused

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitOptions:
    """How rows are divided; names and meaning are FreqAI's where it has them.

    Attributes:
        test_size: share of the rows that judges; 0: none.
        horizon: candles that a label looks ahead; so many rows between training and test are left out.
        shuffle: draw the test rows at random instead of taking the newest.
        shuffle_after_split: shuffle training and test rows, each among themselves.
        reverse: train on what would be the test and test on what would be the training.
        seed: for the shuffling.
        train_size: share of the rows that trains, rounded down as scikit-learn does; None: all that the test
            leaves. Without a test it is not looked at, as in FreqAI.
    """

    test_size: float
    horizon: int
    shuffle: bool = False
    shuffle_after_split: bool = False
    reverse: bool = False
    seed: int = 1
    train_size: float | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """Indices of the rows that train and of those that judge, int64 each, in the order in which they are used."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]


def split(rows: int, options: SplitOptions) -> Split:
    """Divide rows, oldest first.

    A random draw leaves nothing out: every row has test rows beside it, so to purge them would be to purge all.
    Its metrics flatter, for labels of neighbours overlap.

    Raises:
        Refused: nothing would be left to train on.
    """
    if options.shuffle and options.test_size:
        # The generator and the order of scikit-learn's train_test_split, which FreqAI calls.
        order = np.random.RandomState(options.seed).permutation(rows).astype(np.int64)
        train_rows, test_rows = _sizes(rows, options.test_size, options.train_size)
        older, newer = order[test_rows : test_rows + train_rows], order[:test_rows]
    else:
        oldest, newest = split_by_time(rows, options.test_size, options.horizon, options.train_size)
        older, newer = (np.arange(part.start, part.stop, dtype=np.int64) for part in (oldest, newest))
    # Without a test there is nothing to reverse.
    train, test = (newer, older) if options.reverse and len(newer) else (older, newer)
    if not len(train):
        raise Refused(f"{rows} rows leave none to train on; lower data_split_parameters.test_size")
    if options.shuffle_after_split:
        generator = np.random.default_rng(options.seed)
        train, test = generator.permutation(train), generator.permutation(test)
    return Split(train, test)


def _sizes(rows: int, test_size: float, train_size: float | None) -> tuple[int, int]:
    """How many rows train and how many judge, as scikit-learn counts them."""
    test = math.ceil(rows * test_size)
    if train_size is None or not test:
        return rows - test, test
    train = math.floor(rows * train_size)
    return train, min(test, rows - train)  # 1 - 0.7 is a little more than 0.3


def split_by_time(
    rows: int, test_size: float, purge: int, train_size: float | None = None
) -> tuple[slice, slice]:
    """The oldest rows train, the newest judge, and the rows between them whose label looks into the test go.

    Purging follows López de Prado, *Advances in Financial Machine Learning* (2018), section 7.4.1: a training
    row whose label is computed from prices of the test period would let the model see what it is judged on.

    Args:
        rows: how many there are, oldest first.
        test_size: share that judges, rounded up to whole rows as scikit-learn does; 0: no test.
        purge: rows before the test that neither train nor judge: the label's horizon in candles.
        train_size: see `SplitOptions`; the rows that it leaves out are the oldest. scikit-learn would leave out the
            newest, and the model would be stale.

    Returns:
        Slices of the training and of the test rows.

    Raises:
        Refused: nothing would be left to train on.
    """
    wanted, test = _sizes(rows, test_size, train_size)
    stop = rows - test - (purge if test else 0)
    start = max(0, stop - wanted)
    if stop - start < 1:
        raise Refused(
            f"{rows} rows leave none to train on: {test} judge and {purge} are purged between; "
            "lengthen freqai.train_period_days or lower data_split_parameters.test_size"
        )
    return slice(start, stop), slice(rows - test, rows)


def recency_weights(rows: int, factor: float) -> NDArray[np.float64]:
    """FreqAI's exponential weights: the newest row weighs 1, older ones less.

    Args:
        rows: how many, oldest first.
        factor: FreqAI's ``weight_factor``, the share of the rows over which the weight falls to 1/e; 0: all 1.
    """
    if factor <= 0:
        return np.ones(rows)
    return np.exp(-np.arange(rows, dtype=np.float64) / (factor * rows))[::-1].copy()
