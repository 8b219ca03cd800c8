"""CatBoost's own rules: when do the test rows end a fit?"""

import catboost
import numpy as np
import pytest

from daemon.learning.models.catboost import CatboostRegressor
from daemon.learning.models.port import FitOptions, Rows


def noise(seed):
    rng = np.random.default_rng(seed)
    features = np.asfortranarray(rng.standard_normal((300, 4)).astype(np.float32))
    return Rows(features, rng.standard_normal(300), np.ones(300))


def trees(folder, **parameters):
    """How many a fit on noise keeps, with test rows that it can only get worse on."""
    model = CatboostRegressor.fit(noise(1), noise(2), FitOptions(parameters=parameters, seed=1, threads=1))
    path = folder / "model.cbm"
    path.write_bytes(model.to_bytes())
    return catboost.CatBoost().load_model(str(path)).tree_count_


@pytest.mark.parametrize("parameters", [{}, {"depth": 3}, {"verbose": 0}])
def test_by_default_every_tree_is_kept_whatever_the_test_rows_say(tmp_path, parameters):
    assert trees(tmp_path, **parameters) == 100


@pytest.mark.parametrize(
    "parameters", [{"iterations": 200}, {"n_estimators": 200}, {"eta": 0.1}, {"early_stopping_rounds": 20}]
)
def test_where_the_user_says_how_far_a_fit_goes_the_test_rows_end_it(tmp_path, parameters):
    assert trees(tmp_path, **parameters) < 60


@pytest.mark.parametrize(("parameters", "patience"), [({}, None), ({"eta": 0.1}, 50), ({"od_wait": 9}, None)])
def test_how_long_a_fit_waits_for_a_better_tree(parameters, patience):
    options = FitOptions(parameters=parameters, seed=1, threads=1)
    assert CatboostRegressor._parameters(options).get("early_stopping_rounds") == patience


@pytest.mark.parametrize("more", [{}, {"early_stopping_rounds": 5}, {"od_type": "Iter", "od_wait": 5}])
def test_without_test_rows_nothing_ends_a_fit_whatever_the_parameters_ask_for(more):
    options = FitOptions(parameters={"iterations": 7, "use_best_model": True, **more}, seed=1, threads=1)
    assert CatboostRegressor.fit(noise(1), None, options)._booster.tree_count_ == 7
