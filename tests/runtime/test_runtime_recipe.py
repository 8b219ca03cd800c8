"""Settings -> what a training does, and the digest that has every model trained anew when they change."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from daemon.config.freqai import DataSplitParameters, FeatureParameters, FreqaiSettings
from daemon.config.own import CandledSettings
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe
from daemon.learning.models.user import UserClass
from daemon.learning.options import PipelineOptions
from daemon.runtime.recipe import (
    feature_plan,
    keep_candles_ms,
    recipe,
    retention,
    scorer_options,
    training_options,
)
from daemon.runtime.strategy_view import CANDLES
from daemon.state.retention import Retention

DEFAULTS = {"train_period_days": 30, "identifier": "test"}


def settings(split=None, freqai=None, **parameters):
    freqai = FreqaiSettings(
        **DEFAULTS,
        **(freqai or {}),
        feature_parameters=FeatureParameters(**parameters),
        data_split_parameters=DataSplitParameters(**(split or {})),
    )
    return SimpleNamespace(
        freqai=freqai,
        freqaimodel="CatboostRegressor",
        timeframe=Timeframe("5m"),
        candled=SimpleNamespace(training=SimpleNamespace(thread_count=1)),
    )


@pytest.mark.parametrize(
    ("parameter", "given", "name", "planned"),
    [
        ("include_timeframes", ["5m", "1h"], "timeframes", (Timeframe("5m"), Timeframe("1h"))),
        ("include_corr_pairlist", ["BTC/USDT"], "correlated", (Pair("BTC/USDT"),)),
        ("indicator_periods_candles", [10, 20], "periods", (10, 20)),
        ("include_shifted_candles", 2, "shifts", 2),
    ],
)
def test_a_parameter_of_the_features_reaches_the_plan_and_changes_the_recipe(parameter, given, name, planned):
    base = {"include_timeframes": ["5m"]}
    made = settings(**{**base, parameter: given})
    assert getattr(feature_plan(made), name) == planned
    assert recipe(made, "same") != recipe(settings(**base), "same")


@pytest.mark.parametrize(
    ("where", "parameter", "value", "name"),
    [
        ("features", "label_period_candles", 24, "label_period_candles"),
        ("features", "buffer_train_data_candles", 5, "buffer_train_data_candles"),
        ("features", "weight_factor", 0.9, "weight_factor"),
        ("freqai", "model_training_parameters", {"depth": 5}, "parameters"),
        ("split", "test_size", 0.25, "test_size"),
    ],
)
def test_a_parameter_reaches_the_training_and_changes_the_recipe(where, parameter, value, name):
    given = {parameter: value}
    made = settings(**given) if where == "features" else settings(**{where: given})
    assert getattr(training_options(made), name) == value
    assert recipe(made, "same") != recipe(settings(), "same")


@pytest.mark.parametrize(
    "given",
    [{"conv_width": 5}, {"reduce_df_footprint": True}, {"keras": True}, {"model_save_type": "joblib"}],
)
def test_what_speaks_of_networks_and_formats_changes_no_model_as_in_freqai(given):
    made = settings(freqai=given)
    assert training_options(made) == training_options(settings())
    assert recipe(made, "same") == recipe(settings(), "same")


def test_by_default_the_pipeline_is_freqais_default():
    options = training_options(settings())
    assert options.pipeline == PipelineOptions()
    assert options.pipeline.svm_params == {"shuffle": False, "nu": 0.01}
    assert (options.shuffle, options.shuffle_after_split, options.reverse_train_test_order) == (False,) * 3


@pytest.mark.parametrize(
    ("parameter", "value", "name"),
    [
        ("principal_component_analysis", True, "principal_component_analysis"),
        ("use_SVM_to_remove_outliers", True, "use_svm"),
        ("svm_params", {"nu": 0.1}, "svm_params"),
        ("DI_threshold", 0.9, "di_threshold"),
        ("use_DBSCAN_to_remove_outliers", True, "use_dbscan"),
        ("noise_standard_deviation", 0.05, "noise_standard_deviation"),
        ("outlier_protection_percentage", 20.0, "outlier_protection_percentage"),
    ],
)
def test_a_parameter_reaches_the_pipeline_and_changes_the_recipe(parameter, value, name):
    made = settings(**{parameter: value})
    assert training_options(made).pipeline == PipelineOptions(**{name: value})
    assert recipe(made, "same") != recipe(settings(), "same")
    assert recipe(made, "same") == recipe(settings(**{parameter: value}), "same")


@pytest.mark.parametrize("name", ["shuffle_after_split", "reverse_train_test_order"])
def test_a_parameter_of_the_split_reaches_the_training(name):
    made = settings(**{name: True})
    assert getattr(training_options(made), name) is True
    assert recipe(made, "same") != recipe(settings(), "same")


def test_shuffle_and_random_state_reach_the_training():
    made = settings({"shuffle": True, "random_state": 7, "test_size": 0})
    options = training_options(made)
    assert (options.shuffle, options.seed, options.test_size) == (True, 7, 0)
    assert recipe(made, "same") != recipe(settings(), "same")


@pytest.mark.parametrize(
    ("split", "sizes"),
    [
        ({}, (0.1, None)),
        ({"train_size": 0.6}, (0.4, 0.6)),
        ({"train_size": 0.6, "test_size": 0.1}, (0.1, 0.6)),
    ],
)
def test_train_size_reaches_the_training(split, sizes):
    options = training_options(settings(split))
    assert (options.test_size, options.train_size) == (pytest.approx(sizes[0]), sizes[1])
    assert (recipe(settings(split), "same") != recipe(settings(), "same")) == bool(split)


def test_extra_returns_reach_the_training_and_change_the_recipe():
    made = settings(freqai={"extra_returns_per_train": {"threshold": 0.7}})
    assert training_options(made).extra_returns == {"threshold": 0.7}
    assert recipe(made, "same") != recipe(settings(), "same")


def test_a_plot_reaches_the_training_and_changes_no_model():
    made = settings(plot_feature_importances=7)
    assert training_options(made).plot_feature_importances == 7
    assert recipe(made, "same") == recipe(settings(), "same")


def test_threads_of_preparation_reach_the_training_and_change_no_model():
    made = settings(freqai={"data_kitchen_thread_count": 3})
    assert training_options(made).preparation_threads == 3
    assert training_options(settings()).preparation_threads == 0
    assert recipe(made, "same") == recipe(settings(), "same")


def test_live_skill_is_measured_and_acted_on_as_the_settings_say():
    made = settings(label_period_candles=9)
    made.pairs = ("BTC/USDT",)
    made.candled = CandledSettings(skill_window=50, retrain={"skill_share": 0.25, "min_predictions": 30})
    options = scorer_options(made)
    assert (options.window, options.skill_share, options.min_predictions) == (50, 0.25, 30)
    assert (options.horizon, options.label_period_ms) == (9, 30 * 86_400_000)
    made.candled = CandledSettings()
    assert (scorer_options(made).window, scorer_options(made).skill_share) == (288, 0)


def test_continual_learning_reaches_the_training():
    assert training_options(settings(freqai={"continual_learning": True})).continual_learning is True
    assert training_options(settings()).continual_learning is False


def user(digest="a", freqai=True, **section):
    config = {"freqai": {"feature_parameters": {}, **section}}
    return UserClass(
        name="Mine",
        cls=object,
        freqai=freqai,
        classifies=False,
        file=Path("mine.py"),
        digest=digest,
        config=config,
        fault=str,
    )


def test_the_file_of_a_users_model_and_what_it_may_read_are_part_of_the_recipe():
    made = settings()
    assert recipe(made, "same", user()) == recipe(made, "same", user())
    digests = {recipe(made, "same", each) for each in (None, user(), user("b"), user(conv_width=2))}
    assert len(digests) == 4
    options = training_options(made, user())
    assert options.model_file.endswith("/mine.py")
    assert (options.model_digest, options.config) == ("a", {"freqai": {"feature_parameters": {}}})
    assert training_options(made, user(freqai=False)).config == {}


@pytest.mark.parametrize(
    ("freqai", "own", "least"),
    [
        ({}, {"skill_window": 2}, CANDLES),
        ({"fit_live_predictions_candles": 3000}, {"skill_window": 2}, 4 * 3000),
        ({}, {"skill_window": 500}, 4 * 500 + 24),
    ],
)
def test_predictions_stay_as_long_as_anything_looks_at_them(freqai, own, least):
    made = settings(freqai=freqai, label_period_candles=24)
    made.candled, made.pairs = CandledSettings(**own, keep_predictions_days=1.5), ()
    assert retention(made) == Retention(keep_ms=36 * 3_600_000, least_rows=least)


def test_all_is_kept_unless_the_user_says_otherwise():
    made = settings()
    made.candled, made.pairs = CandledSettings(), ()
    assert retention(made).keep_ms is None
    assert keep_candles_ms(made) is None
