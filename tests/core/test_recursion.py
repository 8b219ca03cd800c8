"""The recursive filter is scipy's, without scipy's import."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.signal import lfilter

from daemon.core.recursion import recursion


@pytest.mark.parametrize(("gain", "decay"), [(1.0, 0.97), (0.5, 0.5), (1 / 14, 13 / 14), (0.3, -0.8)])
@pytest.mark.parametrize("n", [0, 1, 1000])
def test_it_is_scipys_bit_for_bit(gain, decay, n):
    values = np.random.default_rng(3).normal(size=n)
    expected, _ = lfilter([gain], [1.0, -decay], values, zi=[decay * 0.7])
    found = recursion(values, gain=gain, decay=decay, before=0.7)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, expected)


def test_what_is_missing_stays_missing_from_there_on():
    found = recursion(np.array([1.0, np.nan, 1.0]), gain=1.0, decay=0.5, before=0.0)
    assert np.isnan(found).tolist() == [False, True, True]


def test_a_daemon_starts_without_the_parts_of_scipy_that_cost_a_second():
    code = "import sys, daemon.app, daemon.strategy.compat.qtpylib; print('scipy.signal' in sys.modules, 'scipy.stats' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]
