"""One suite for every model."""

import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from daemon.core.errors import ConfigError, Corrupt, Refused
from daemon.learning.models.checks import CHECKS, some_rows
from daemon.learning.models.common import sealed
from daemon.learning.models.port import FitOptions, Rows
from daemon.learning.models.registry import model_class, model_names

# FreqAI's names for several targets are the plain classes: test_heads.py
MODELS = tuple(name for name in model_names() if not name.endswith("MultiTarget"))

QUICK = {
    "catboost": {"iterations": 30},
    "lightgbm": {"n_estimators": 30, "learning_rate": 0.1, "feature_fraction": 1.0},
    "xgboost": {"n_estimators": 30},
    "sklearn": {"n_estimators": 30},
}
OTHER_NAMES = {
    "catboost": [{"n_estimators": 10}, {"max_depth": 2}, {"random_state": 9}, {"verbose": 0}, {"eta": 0.1}],
    "lightgbm": [
        {"num_boost_round": 10},
        {"max_leaves": 5},
        {"random_state": 9},
        {"verbose": -1},
        {"n_jobs": 1},
        {"force_col_wise": True},
        {"verbosity": -1, "early_stopping_rounds": 0},
    ],
    "xgboost": [{"num_boost_round": 10}, {"eta": 0.2}, {"random_state": 9}, {"verbosity": 0}, {"n_jobs": 1}],
    "sklearn": [{"n_estimators": 10}, {"max_depth": 2}, {"random_state": 9}, {"verbose": 0}, {"n_jobs": 1}],
}


def library(cls):
    return cls.__module__.rsplit(".", 1)[-1]


def fitted(cls, rows=None, test=None, classes=2, stop=None, threads=1, **parameters):
    options = FitOptions(
        parameters={**QUICK[library(cls)], **parameters},
        seed=3,
        threads=threads,
        classes=classes if cls.classifies else 0,
        stop=stop,
    )
    return cls.fit(some_rows(classifies=cls.classifies) if rows is None else rows, test, options)


def some_classes(classes, n, seed):
    """Rows with a number that is never negative, or with codes of so many classes."""
    rows = some_rows(classifies=False, n=n, seed=seed)
    labels = rows.labels - rows.labels.min()
    cuts = np.linspace(0, labels.max(), classes + 1)[1:-1]
    return replace(rows, labels=np.digitize(labels, cuts) if classes else labels)


def installed(name):
    try:
        return model_class(name)
    except ConfigError as exc:
        pytest.skip(str(exc))


@pytest.fixture(params=MODELS)
def cls(request):
    return installed(request.param)


@pytest.fixture(params=[name for name in MODELS if name.endswith("Classifier")])
def classifier(request):
    return installed(request.param)


@pytest.mark.parametrize("check", CHECKS)
def test_it_keeps_the_rules_of_the_port(cls, check):
    CHECKS[check](cls, QUICK[library(cls)])


def test_it_learns(cls):
    model, rows = fitted(cls), some_rows(classifies=cls.classifies, seed=1)
    out = model.predict(rows.features)
    if cls.classifies:
        assert out.shape == (300, 2)
        assert out.sum(axis=1) == pytest.approx(np.ones(300))
        assert (out.argmax(axis=1) == rows.labels).mean() > 0.8
    else:
        assert out.shape == (300,)
        assert out.dtype == np.float64
        assert np.corrcoef(out, rows.labels)[0, 1] > 0.8


def test_its_name_says_what_it_learns(cls):
    assert cls.classifies == cls.__name__.endswith("Classifier")


def test_it_goes_on_from_a_model_unless_it_is_a_forest(cls):
    assert cls.continues == ("RF" not in cls.__name__ and "Forest" not in cls.__name__)
    if not cls.continues:
        return
    rows, start = some_rows(classifies=cls.classifies), fitted(cls)
    before = start.to_bytes()
    options = FitOptions(
        parameters=QUICK[library(cls)],
        seed=3,
        threads=1,
        classes=2 if cls.classifies else 0,
        start=cls.from_bytes(before),
    )
    one, two = (cls.fit(rows, None, options) for _ in "ab")
    assert one.to_bytes() == two.to_bytes()
    assert options.start.to_bytes() == before
    assert len(one.to_bytes()) > 1.3 * len(before)
    assert not np.array_equal(one.predict(rows.features), start.predict(rows.features))
    again = cls.from_bytes(one.to_bytes())
    assert again.predict(rows.features).tobytes() == one.predict(rows.features).tobytes()


def test_another_seed_gives_another_model(cls):
    def options(seed):
        # All of them draw rows when they are asked to: what is drawn hangs on the seed.
        drawn = (
            {"bagging_freq": 1, "bagging_fraction": 0.5} if library(cls) == "lightgbm" else {"subsample": 0.5}
        )
        drawn = {} if library(cls) == "sklearn" else drawn
        drawn |= {"bootstrap_type": "Bernoulli"} if library(cls) == "catboost" else {}
        parameters = {**QUICK[library(cls)], **drawn}
        return FitOptions(parameters=parameters, seed=seed, threads=1, classes=2 if cls.classifies else 0)

    rows = some_rows(classifies=cls.classifies)
    one, two = (cls.fit(rows, None, options(seed)).predict(rows.features) for seed in (1, 2))
    assert (one != two).any()


def test_the_number_of_threads_changes_no_bit(cls):
    rows = some_rows(classifies=cls.classifies, n=3000)
    one, two = (fitted(cls, rows=rows, threads=threads).predict(rows.features) for threads in (1, 2))
    assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"objective": "poisson"},
        {"linear_tree": True},
        {"bagging_fraction": 0.5, "bagging_freq": 1},
        {"metric": "None"},
        {"zero_as_missing": True},
    ],
)
@pytest.mark.parametrize("classes", [0, 2, 3])
def test_what_lightgbm_knows_of_its_test_rows_is_what_the_file_predicts(classes, parameters):
    cls = installed("LightGBMClassifier" if classes else "LightGBMRegressor")
    if classes:
        parameters = {name: value for name, value in parameters.items() if name != "objective"}
    rows, test = (some_classes(classes, n, seed) for n, seed in ((300, 0), (150, 1)))
    parameters = {**QUICK["lightgbm"], "early_stopping_rounds": 0, **parameters}
    options = FitOptions(parameters=parameters, seed=3, threads=1, classes=classes)
    model = cls.fit(rows, test, options)
    again = cls.from_bytes(model.to_bytes())
    assert np.array_equal(model.of_test(), again.predict(test.features))
    assert again.of_test() is None
    onward = cls.fit(rows, test, replace(options, start=again))
    assert np.array_equal(onward.of_test(), cls.from_bytes(onward.to_bytes()).predict(test.features))


@pytest.mark.parametrize("classes", [0, 2, 3])
@pytest.mark.parametrize(
    "parameters",
    [{"boosting": "dart"}, {"n_estimators": 300, "learning_rate": 0.5, "early_stopping_rounds": 3}],
)
def test_where_lightgbm_sums_otherwise_or_stopped_early_its_test_rows_are_predicted(classes, parameters):
    cls = installed("LightGBMClassifier" if classes else "LightGBMRegressor")
    rows, test = (some_classes(classes, n, seed) for n, seed in ((300, 0), (150, 1)))
    assert fitted(cls, rows, test, classes, **{"early_stopping_rounds": 0, **parameters}).of_test() is None


def test_it_leaves_nothing_in_the_working_folder(cls, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fitted(cls)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [name for name in MODELS if "RF" not in name and "Forest" not in name])
def test_test_rows_may_stop_it_early(name):
    cls = installed(name)
    # Test rows whose labels contradict the training: every further tree makes it worse.
    rows = some_rows(classifies=cls.classifies)
    test = Rows(rows.features, 1 - rows.labels if cls.classifies else -rows.labels, rows.weights)
    trees = {"iterations": 300} if library(cls) == "catboost" else {"n_estimators": 300}
    stopped = fitted(cls, test=test, **trees)
    assert len(stopped.to_bytes()) < len(fitted(cls, **trees).to_bytes()) / 2
    assert cls.from_bytes(stopped.to_bytes()).predict(rows.features).tobytes() == (
        stopped.predict(rows.features).tobytes()
    )


@pytest.mark.parametrize(
    "name", ["XGBoostRFRegressor", "XGBoostRFClassifier", "SKLearnRandomForestClassifier"]
)
def test_a_forest_is_the_same_with_and_without_test_rows(name):
    cls = installed(name)
    test = some_rows(classifies=cls.classifies, seed=4)
    assert fitted(cls, test=test).to_bytes() == fitted(cls).to_bytes()


def test_parameters_may_go_by_the_librarys_other_names(cls):
    for parameters in OTHER_NAMES[library(cls)]:
        options = FitOptions(parameters=parameters, seed=3, threads=1, classes=2 if cls.classifies else 0)
        rows = some_rows(classifies=cls.classifies)
        assert cls.fit(rows, some_rows(classifies=cls.classifies, seed=1), options).to_bytes()


def test_a_parameter_of_the_user_wins_over_ours(cls):
    trees = {"iterations": 5} if library(cls) == "catboost" else {"n_estimators": 5}
    assert len(fitted(cls, **trees).to_bytes()) < 0.8 * len(fitted(cls).to_bytes())


@pytest.mark.parametrize("name", ["LightGBMRegressor", "XGBoostRegressor"])
def test_one_parameter_by_two_names_is_refused(name):
    with pytest.raises(Refused, match="several names"):
        fitted(installed(name), n_estimators=30, num_boost_round=40)


def test_a_parameter_that_the_library_does_not_know_is_refused_in_its_words(cls):
    with pytest.raises(Refused, match="depht"):
        fitted(cls, depht=3)


@pytest.mark.parametrize("name", ["LightGBMRegressor", "XGBoostRegressor"])
def test_where_an_unknown_parameter_stands_is_said_without_the_librarys_own_places(name):
    with pytest.raises(
        Refused, match=r"^freqai\.model_training_parameters: \w+: (Unknown p|P)arameter.*depht"
    ):
        fitted(installed(name), depht=3)


def test_a_model_of_no_trees_is_refused(cls):
    trees = "iterations" if library(cls) == "catboost" else "n_estimators"
    with pytest.raises(Refused, match=r"0|positive"):
        fitted(cls, test=some_rows(classifies=cls.classifies, seed=1), **{trees: 0})


def test_a_value_that_the_library_does_not_take_is_refused(cls):
    key = "max_depth" if library(cls) != "catboost" else "depth"
    with pytest.raises(Refused, match="many"):
        fitted(cls, **{key: "many"})


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_missing_feature_never_reaches_a_model(cls, value):
    features = some_rows(classifies=cls.classifies).features.copy(order="F")
    features[7, 3] = value
    with pytest.raises(Refused, match="row 7, column 3"):
        fitted(cls).predict(features)
    with pytest.raises(Refused, match="row 7, column 3"):
        replace(some_rows(classifies=cls.classifies), features=features)


def test_features_whose_squares_are_beyond_float32_are_not_missing():
    rows = some_rows(classifies=False)
    assert len(replace(rows, features=rows.features * np.float32(1e30)).labels) == len(rows.labels)


def test_rows_weigh_what_they_weigh(cls):
    rows = some_rows(classifies=cls.classifies)
    labels = rows.labels.copy()
    labels[150:] = 1 - labels[150:] if cls.classifies else -labels[150:]
    light = Rows(rows.features, labels, np.where(np.arange(300) < 150, 1.0, 1e-3))
    plain = {
        "catboost": {"learning_rate": 0.3, "rsm": 1},
        "xgboost": {"min_child_weight": 1e-4},  # which is a sum of weights
    }
    out = fitted(cls, rows=light, **plain.get(library(cls), {})).predict(rows.features)
    said = out.argmax(axis=1) == rows.labels if cls.classifies else np.sign(out) == np.sign(rows.labels)
    assert said.mean() > 0.7  # the heavy half is right, the light one is the opposite


def test_a_flipped_bit_is_found_by_the_models_that_would_not_survive_it(cls):
    if library(cls) == "catboost":
        pytest.skip("it refuses what it cannot read; bits are the business of the artifact's checksums")
    data = fitted(cls).to_bytes()
    with pytest.raises(Corrupt):
        cls.from_bytes(data[:-1])
    for place in range(0, len(data) - 1, len(data) // 40):
        with pytest.raises(Corrupt):
            cls.from_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])


@pytest.mark.parametrize("length", [0, 3, 7, 8, 100, -1])
def test_catboost_does_not_see_a_file_that_is_cut_off(length, monkeypatch):
    cls = installed("CatboostRegressor")
    data = fitted(cls).to_bytes()
    monkeypatch.setattr("catboost.CatBoost.load_model", None)
    with pytest.raises(Corrupt, match="cut off"):
        cls.from_bytes(data[:length])


def test_three_classes_are_told_apart(classifier):
    rows = some_rows(classifies=True)
    three = Rows(rows.features, np.digitize(rows.features[:, 1], [-0.5, 0.5]), rows.weights)
    out = fitted(classifier, rows=three, classes=3).predict(rows.features)
    assert out.shape == (300, 3)
    assert (out.argmax(axis=1) == three.labels).mean() > 0.8


@pytest.mark.parametrize(
    ("name", "objective"), [("LightGBMClassifier", "regression"), ("XGBoostClassifier", "binary:logitraw")]
)
def test_an_objective_without_probabilities_is_refused(name, objective):
    cls = installed(name)
    rows = some_rows(classifies=True)
    with pytest.raises(Refused, match="probabilities"):
        fitted(cls, rows=replace(rows, features=rows.features * 3), objective=objective, learning_rate=1.0)


def test_multi_softmax_says_probabilities_all_the_same():
    cls = installed("XGBoostClassifier")
    rows = some_rows(classifies=True)
    three = Rows(rows.features, np.digitize(rows.features[:, 1], [-0.5, 0.5]), rows.weights)
    asked, usual = (
        fitted(cls, rows=three, classes=3, objective=objective).predict(rows.features)
        for objective in ("multi:softmax", "multi:softprob")
    )
    assert asked.tobytes() == usual.tobytes()


def test_lightgbm_and_xgboost_read_their_files_themselves(tmp_path):
    rows = some_rows(classifies=False)
    lightgbm, xgboost = pytest.importorskip("lightgbm"), pytest.importorskip("xgboost")
    model = fitted(installed("LightGBMRegressor"))
    (tmp_path / "model.txt").write_bytes(model.to_bytes())
    booster = lightgbm.Booster(model_file=tmp_path / "model.txt")
    assert booster.predict(rows.features) == pytest.approx(model.predict(rows.features), rel=1e-12)
    model = fitted(installed("XGBoostRegressor"))
    (tmp_path / "model.ubj").write_bytes(model.to_bytes())
    booster = xgboost.Booster(model_file=tmp_path / "model.ubj")
    assert booster.inplace_predict(rows.features) == pytest.approx(model.predict(rows.features), rel=1e-6)


def test_the_forests_file_holds_plain_arrays_only():
    data = fitted(installed("SKLearnRandomForestClassifier")).to_bytes()
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        assert {arrays[name].dtype.kind for name in arrays} <= {"i", "f"}


def test_a_forest_whose_walk_would_leave_the_arrays_is_corrupt():
    cls = installed("SKLearnRandomForestClassifier")
    with np.load(io.BytesIO(fitted(cls).to_bytes())) as arrays:
        parts = dict(arrays)
    for name, wrong in (("left", -1), ("left", 10**6), ("feature", 8), ("roots", 10**6)):
        file = io.BytesIO()
        np.savez(file, **{**parts, name: np.full_like(parts[name], wrong)})
        with pytest.raises(Corrupt, match="do not fit together"):
            cls.from_bytes(sealed(file.getvalue()))


def peer_classes():
    """What FreqAI's model of each name calls, with our defaults off."""
    lightgbm, xgboost = pytest.importorskip("lightgbm"), pytest.importorskip("xgboost")
    ensemble = pytest.importorskip("sklearn.ensemble")
    return {
        "LightGBMRegressor": lightgbm.LGBMRegressor,
        "LightGBMClassifier": lightgbm.LGBMClassifier,
        "XGBoostRegressor": xgboost.XGBRegressor,
        "XGBoostClassifier": xgboost.XGBClassifier,
        "XGBoostRFRegressor": xgboost.XGBRFRegressor,
        "XGBoostRFClassifier": xgboost.XGBRFClassifier,
        "SKLearnRandomForestClassifier": ensemble.RandomForestClassifier,
    }


PEER_PARAMETERS = {
    "lightgbm": {
        "n_estimators": 40,
        "learning_rate": 0.1,
        "num_leaves": 31,
        "feature_fraction": 0.5,
        "max_bin": 255,
        "random_state": 7,
        "n_jobs": 1,
        "verbosity": -1,
    },
    "xgboost": {
        "n_estimators": 40,
        "learning_rate": 0.3,
        "max_depth": 5,
        "colsample_bylevel": 0.5,
        "max_bin": 256,
        "random_state": 7,
        "n_jobs": 1,
    },
    "sklearn": {"n_estimators": 40, "min_samples_leaf": 1, "random_state": 7, "n_jobs": 1},
}


# XGBoost 3.4 (there is no wheel of it for Python 3.11) deprecates the two classes that FreqAI's forests are made of;
# ours are not: they set num_parallel_tree, which is what it advises.
@pytest.mark.filterwarnings("ignore:`XGBRF(Regressor|Classifier)` is deprecated:FutureWarning")
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", [name for name in MODELS if not name.startswith("Catboost")])
def test_with_the_same_parameters_it_predicts_what_freqais_model_does(name, classes):
    cls, peer = installed(name), peer_classes()[name]
    parameters = PEER_PARAMETERS[library(cls)]
    rows, later = some_rows(classifies=cls.classifies, n=800), some_rows(classifies=cls.classifies, seed=6)
    weights = np.exp(np.linspace(-2, 0, 800))
    if cls.classifies and classes == 3:
        rows = replace(rows, labels=np.digitize(rows.features[:, 1], [-0.5, 0.5]))
    options = FitOptions(parameters=parameters, seed=1, threads=1, classes=classes if cls.classifies else 0)
    ours = cls.fit(replace(rows, weights=weights), None, options).predict(later.features)
    theirs = peer(**parameters).fit(rows.features, rows.labels, sample_weight=weights)
    expected = theirs.predict_proba(later.features) if cls.classifies else theirs.predict(later.features)
    assert np.abs(ours - expected).max() < 1e-6


LEAN = """
import sys
from daemon.learning.models.registry import import_lean, model_class
for name in sys.argv[1:]:
    import_lean(name)
model = model_class("LightGBMRegressor").from_bytes(sys.stdin.buffer.read())
import numpy as np
rows = np.random.default_rng(1).normal(size=(20, model._booster.num_feature())).astype(np.float32)
print(model.predict(rows).tobytes().hex(), "sklearn" in sys.modules, "lightgbm" in sys.modules)
import lightgbm
lightgbm.LGBMRegressor(n_estimators=2, verbose=-1).fit(rows, rows[:, 0])
"""


def test_a_process_that_only_predicts_imports_lightgbm_without_scikit_learn_and_strategies_get_it_whole():
    data = fitted(installed("LightGBMRegressor")).to_bytes()
    found = {}
    for names in (
        (),
        ("LightGBMRegressor",),
        ("NoSuchModel", "SKLearnRandomForestClassifier", "LightGBMClassifier"),
    ):
        run = subprocess.run(
            [sys.executable, "-c", LEAN, *names], input=data, capture_output=True, check=True
        )
        found[names] = run.stdout.decode().split()
    usual, *lean = found.values()
    assert usual[1:] == ["True", "True"]
    assert [each[0] for each in lean] == [usual[0]] * 2
    assert [each[1:] for each in lean] == [["False", "False"]] * 2


BROKEN = """
import sys
from daemon.learning.models.registry import import_lean, model_class
sys.modules["ctypes"] = None
import_lean("LightGBMRegressor")
print("sklearn" in sys.modules, "lightgbm" in sys.modules)
model_class("LightGBMRegressor")
"""


def test_a_library_that_does_not_load_is_told_in_the_usual_way():
    installed("LightGBMRegressor")
    run = subprocess.run([sys.executable, "-c", BROKEN], capture_output=True, text=True, check=False)
    assert run.stdout.split() == ["False", "False"]
    assert "lightgbm, which LightGBMRegressor needs, does not load" in run.stderr
