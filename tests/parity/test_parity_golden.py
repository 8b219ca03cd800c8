"""What FreqAI 2026.9 made of the same candles (benchmarks/parity_golden.py), held without freqtrade."""

import json

import numpy as np
import parity_case
import parity_side
import pytest

# Of a column's range: rows begin their warm-up at a span, FreqAI's at the first candle of the history.
VALUES = 1e-5


@pytest.fixture(scope="module", params=parity_case.STRATEGIES)
def both(request):
    """(case, ours, FreqAI's)."""
    case = parity_case.case(request.param)
    file = parity_case.GOLDEN / f"{request.param}.npz"
    with np.load(file) as arrays:
        golden = {**dict(arrays), **json.loads(file.with_suffix(".json").read_text("utf-8"))}
    return case, parity_side.features(case, parity_case.candles()), golden


@pytest.fixture(scope="module")
def trained(both):
    """trained(name): what a training of the case made, each made once."""
    case, mine, _ = both
    made = {}

    def of(name):
        if name not in made:
            made[name] = parity_side.training(case, case["trainings"][name], mine)
        return made[name]

    return of


def test_names_and_their_order(both):
    _, mine, golden = both
    assert mine["names"] == golden["features"]
    assert [mine["label"]] == golden["labels"]


@pytest.mark.parametrize("part", ["train", "later"])
def test_values(both, part):
    _, mine, golden = both
    assert mine[f"{part}_open_ms"].tolist() == golden[f"{part}_open_ms"].tolist()
    off = np.abs(mine[f"{part}_values"][golden[f"{part}_shown"]] - golden[f"{part}_values"])
    span = np.where(golden["span"] > 0, golden["span"], 1.0)
    assert np.isfinite(off).all()
    assert (off / span).max() <= VALUES


def test_labels(both):
    _, mine, golden = both
    known = np.isfinite(golden["label_values"])
    assert np.array_equal(np.isfinite(mine["labels"]), known)
    off = np.abs(mine["labels"][known] - golden["label_values"][known])
    assert off.max() <= VALUES * golden["label_values"][known].std()


def test_rows_split_and_weights(both):
    case, mine, golden = both
    found = parity_side.rows(case, mine["train_values"], mine["labels"])
    for part in ("kept", "train_rows", "test_rows"):
        assert found[part].tolist() == golden[part].tolist()
    for part in ("train_weights", "test_weights"):
        assert found[part] == pytest.approx(golden[part], rel=1e-12)


@pytest.mark.parametrize("name", ["lightgbm", "xgboost", "pca", "svm", "di", "all"])
def test_which_rows_train_and_which_predictions_are_trusted(both, trained, name):
    pytest.importorskip("xgboost" if name == "xgboost" else "lightgbm")
    found, (_, _, golden) = trained(name), both
    # Weights grow from row to row: they say which rows are left.
    assert found["kept_weights"] == pytest.approx(golden[f"{name}/kept_weights"], rel=1e-12)
    assert found["label_mean_std"] == pytest.approx(golden[f"{name}/label_mean_std"], rel=1e-6)
    assert found["do_predict"].tolist() == golden[f"{name}/do_predict"].tolist()


@pytest.mark.parametrize("name", ["di", "all"])
def test_the_dissimilarity_index(both, trained, name):
    pytest.importorskip("lightgbm")
    found, (_, _, golden) = trained(name), both
    assert found["di"] == pytest.approx(golden[f"{name}/di"], rel=1e-3)


@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_predictions(both, trained, name):
    library = pytest.importorskip(name)
    if name == "xgboost" and not library.__version__.startswith("3.2."):
        pytest.skip(
            "the golden predictions are of XGBoost 3.2: later ones grow other trees from the same rows"
        )
    found, (_, mine, golden) = trained(name), both
    off = np.abs(found["predictions"] - golden[f"{name}/predictions"])
    assert off.max() <= 1e-4 * np.nanstd(mine["labels"])
    assert np.ptp(golden[f"{name}/predictions"]) > 0.1 * np.nanstd(mine["labels"])


def test_the_golden_files_hold_decisions_of_both_kinds(both):
    _, _, golden = both
    for name in ("svm", "di", "all"):
        assert len(set(golden[f"{name}/do_predict"].tolist())) > 1
