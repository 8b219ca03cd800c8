"""qtpylib's indicators against values that the original gives, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from daemon.strategy.compat import qtpylib

GOLDEN = json.loads((Path(__file__).parent / "golden" / "qtpylib.json").read_text("utf-8"))
BARS = pd.DataFrame(GOLDEN["candles"], dtype=float)


@pytest.mark.parametrize("name", sorted(GOLDEN["functions"]))
def test_values_equal_the_originals(name):
    golden = GOLDEN["functions"][name]
    given = BARS["close"] if golden["on"] == "close" else BARS.copy()
    result = pd.DataFrame(getattr(qtpylib, name)(given, *golden["arguments"]))
    for row, expected in golden["rows"].items():
        values = [np.nan if value is None else value for value in expected]
        np.testing.assert_allclose(result.iloc[int(row)].to_numpy(float), values, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", sorted(GOLDEN["functions"]))
def test_no_value_depends_on_later_candles(name):
    golden = GOLDEN["functions"][name]
    function = getattr(qtpylib, name)
    whole, start = (
        pd.DataFrame(function(bars["close"] if golden["on"] == "close" else bars, *golden["arguments"]))
        for bars in (BARS.copy(), BARS.head(10).copy())
    )
    np.testing.assert_allclose(whole.head(10).to_numpy(float), start.to_numpy(float), rtol=1e-12)


def test_crossings_of_series_arrays_and_levels():
    values = pd.Series([1.0, 2.0, 3.0, 2.0, 1.0])
    assert qtpylib.crossed_above(values, 2.0).tolist() == [False, False, True, False, False]
    assert qtpylib.crossed_below(values, 2.0).tolist() == [False, False, False, False, True]
    level = np.full(5, 1.5)
    assert qtpylib.crossed(values.to_numpy(), level).tolist() == [False, True, False, False, True]
    assert qtpylib.crossed_above(values, pd.Series(level)).tolist() == [False, True, False, False, False]


def test_a_window_longer_than_the_frame_gives_no_values():
    assert qtpylib.sma(BARS["close"], 100).isna().all()
    assert np.isnan(qtpylib.numpy_rolling_std(BARS["close"], 100)).all()


@pytest.mark.parametrize("refused", [qtpylib.vwap, qtpylib.cci])
def test_what_looks_ahead_is_refused(refused):
    with pytest.raises(ValueError, match=r"whole frame"):
        refused(BARS)


def test_pandas_objects_stay_as_they_are():
    assert not hasattr(pd.Series, "crossed_above")
