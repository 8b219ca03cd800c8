"""Which rows train and which judge, and how much each weighs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from daemon.core.errors import Refused

if TYPE_CHECKING:
    from numpy.typing import NDArray


def split_by_time(rows: int, test_size: float, purge: int) -> tuple[slice, slice]:
    """The oldest rows train, the newest judge, and the rows between them whose label looks into the test go.

    Purging follows López de Prado, *Advances in Financial Machine Learning* (2018), section 7.4.1: a training
    row whose label is computed from prices of the test period would let the model see what it is judged on.

    Args:
        rows: how many there are, oldest first.
        test_size: share that judges, rounded up to whole rows as scikit-learn does; 0: no test.
        purge: rows before the test that neither train nor judge: the label's horizon in candles.

    Returns:
        Slices of the training and of the test rows.

    Raises:
        Refused: nothing would be left to train on.
    """
    test = math.ceil(rows * test_size)
    train = rows - test - (purge if test else 0)
    if train < 1:
        raise Refused(
            f"{rows} rows leave none to train on: {test} judge and {purge} are purged between; "
            "lengthen freqai.train_period_days or lower data_split_parameters.test_size"
        )
    return slice(0, train), slice(rows - test, rows)


def recency_weights(rows: int, factor: float) -> NDArray[np.float64]:
    """FreqAI's exponential weights: the newest row weighs 1, older ones less.

    Args:
        rows: how many, oldest first.
        factor: FreqAI's ``weight_factor``, the share of the rows over which the weight falls to 1/e; 0: all 1.
    """
    if factor <= 0:
        return np.ones(rows)
    return np.exp(-np.arange(rows, dtype=np.float64) / (factor * rows))[::-1].copy()
