"""Model classes in FreqAI's manner: trained, saved, read again, asked."""

import importlib.util
import io
import json
import logging
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from daemon.core.clock import SystemClock
from daemon.core.errors import ConfigError, Corrupt, Refused, StrategyError
from daemon.core.pair import Pair
from daemon.learning.explain import explanations
from daemon.learning.fit import train
from daemon.learning.freqai.skops_bytes import skops_bytes, skops_value
from daemon.learning.job import Target, TrainingJob
from daemon.learning.live import live_model
from daemon.learning.models.common import sealed
from daemon.learning.models.registry import forget, use
from daemon.runtime.user_loader import loaded

FILES = Path(__file__).parent.parent / "user_models"
BTC = Pair("BTC/USDT")
CLOSE, RANGE = Target(name="&-s_close"), Target(name="&-s_range")
WAY = Target(name="&s-way", classes=("down", "up"))
SIZE = Target(name="&s-size", classes=("big", "small"))
ROWS = 400
JOB = TrainingJob(
    pair=str(BTC),
    targets=(CLOSE,),
    features=tuple(f"%-f{i}_5m" for i in range(6)),
    model="",
    parameters={},
    test_size=0.2,
    horizon=12,
    weight_factor=0.0,
    seed=1,
    threads=1,
    file_stem="cb_btc_1700000000",
    open_ms=tuple(range(1_700_000_000_000, 1_700_000_000_000 + ROWS * 300_000, 300_000)),
)


def rows():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((ROWS, 6)).astype(np.float32)
    return features, 0.01 * features[:, 1] + 0.002 * rng.standard_normal(ROWS)


@pytest.fixture
def model(tmp_path):
    """model(name, file, ...) -> result, live model, parts, metadata; of a training in this process."""
    names = []

    def made(name, file, targets=(CLOSE,), *, freqai=None, parameters=None, features=(), text=None, **job):
        config = {
            "freqai": {
                "identifier": "one",
                "train_period_days": 30,
                "feature_parameters": dict(features),
                "model_training_parameters": parameters or {},
                **(freqai or {}),
            }
        }
        path = FILES / file
        if text is not None:
            path = tmp_path / file
            path.write_text(text, "utf-8")
        user = loaded(name, path, config)
        use(user)
        names.append(name)
        wanted = replace(JOB, model=name, targets=targets, model_digest=user.digest, **job)
        matrix, signal = rows()
        columns = {
            CLOSE: signal,
            RANGE: -signal,
            WAY: (signal > 0).astype(float),
            SIZE: (np.abs(signal) < 0.005).astype(float),
        }
        labels = np.stack([columns[target] for target in targets], axis=1)
        folder = tmp_path / f"{name}-{len(names)}"
        folder.mkdir()
        result = train(wanted, matrix, labels, folder, SystemClock().monotonic_s)
        parts = {
            path.name.rsplit("_", 1)[-1].split(".")[0]: path.read_bytes()
            for path in folder.iterdir()
            if path.suffix != ".html"
        }
        metadata = {
            "window_end_ms": 1_700_000_000_000,
            "label_list": [target.name for target in targets],
            "classes": {target.name: list(target.classes) for target in targets},
            "training_features_list": list(wanted.features),
            "model_class": name,
            "model_digest": user.digest,
            "labels_mean": dict(result.label_mean),
            "labels_std": dict(result.label_std),
            "metrics": dict(result.metrics),
            "extra_returns": dict(result.extra_returns),
        }
        return result, live_model(BTC, "a", metadata, parts), parts, metadata, folder

    yield made
    for name in names:
        forget(name)


def test_a_plain_estimator_learns_is_judged_and_read_again(model):
    result, live, parts, _, _ = model("PlainRidge", "regressors.py", parameters={"alpha": 0.1})
    assert result.metrics["&-s_close"]["r2"] > 0.9
    assert result.test_rows == 80
    assert set(parts) == {"model", "model-1", "pipeline", "data"}
    features, signal = rows()
    assert np.corrcoef(live.predicted(features)["&-s_close"], signal)[0, 1] > 0.9
    said = live.answer(features[3])
    assert said.values["&-s_close"] == pytest.approx(signal[3], abs=0.01)
    assert said.values["&-s_close_mean"] == pytest.approx(signal[:308].mean())
    assert said.outlier_of == ()
    assert np.isnan(said.di)


def test_the_same_training_writes_the_same_bytes(model):
    for name, file, target in (
        ("PlainRidge", "regressors.py", CLOSE),
        ("Piped", "regressors.py", CLOSE),
        ("Encoded", "classifiers.py", WAY),
    ):
        one, two = (model(name, file, (target,))[2] for _ in "ab")
        assert one == two


def test_pools_early_stopping_files_and_extra_returns(model):
    result, live, parts, _, folder = model("Pooled", "regressors.py", parameters={"iterations": 20})
    assert result.extra_returns["trees"] <= 20
    assert live.answer(rows()[0][0]).values["whose"] == "BTC/USDT"
    assert {path.suffix for path in folder.iterdir()} == {
        ".json",
        ".cbm",
        ".skops",
    }  # nothing that fit wrote itself
    assert json.loads(parts["model"]) == {"class": "CatBoostRegressor", "kind": "catboost", "part": "model-1"}


def test_a_pipeline_of_its_own_judges_live_rows_with_the_same_fitted_steps(model):
    result, live, _, _, _ = model("Piped", "regressors.py")
    assert set(result.outliers) == {"svm", "di", "dbscan"}
    assert result.outliers["svm"] > 0
    assert result.rows < 308
    features, signal = rows()
    assert np.corrcoef(live.predicted(features)["&-s_close"], signal)[0, 1] > 0.8
    far = live.answer(np.full(6, 50, np.float32))
    assert "svm" in far.outlier_of
    assert far.di > 0


def test_configured_outlier_methods_act_without_a_pipeline_of_its_own(model):
    asked = {"DI_threshold": 0.9, "principal_component_analysis": True, "use_SVM_to_remove_outliers": True}
    result, live, _, _, _ = model("PlainRidge", "regressors.py", features=asked)
    assert set(result.outliers) == {"svm", "di"}
    far = live.answer(np.full(6, 90, np.float32))
    assert "di" in far.outlier_of
    assert far.di > 0.9


def test_several_targets_by_an_ensemble_of_two_libraries(model):
    result, live, parts, _, _ = model("Ensemble", "regressors.py", (CLOSE, RANGE))
    assert set(parts) == {"model", "model-1", "model-2", "pipeline", "data"}
    assert set(result.metrics) == {"&-s_close", "&-s_range"}
    said = live.answer(rows()[0][3]).values
    assert said["&-s_close"] * said["&-s_range"] < 0
    assert "&-s_range_std" in said


def test_train_and_predict_may_be_its_own(model):
    _, live, _, _, _ = model("OwnWay", "regressors.py")
    features, _ = rows()
    assert live.answer(features[3]).values["&-s_close"] == pytest.approx(1000, abs=1)
    assert live.answer(np.full(6, 30, np.float32)).outlier_of == ("predict",)


def test_codes_of_its_own_become_names_again(model):
    result, live, _, _, _ = model("Encoded", "classifiers.py", (WAY,))
    assert result.metrics["&s-way"]["accuracy"] > 0.8
    features, signal = rows()
    said = live.answer(features[int(np.argmax(signal))]).values
    assert said["&s-way"] == "up"
    assert said["up"] + said["down"] == pytest.approx(1)
    assert live.numbers == ("down", "up")


def test_several_targets_of_classes(model):
    result, live, _, _, _ = model("Trees", "classifiers.py", (WAY, SIZE))
    assert set(result.metrics) == {"&s-way", "&s-size"}
    said = live.answer(rows()[0][3]).values
    assert said["&s-size"] in SIZE.classes
    assert said["big"] + said["small"] == pytest.approx(1)


def test_a_class_that_the_training_rows_lack_has_probability_zero(model):
    three = replace(WAY, classes=("down", "flat", "up"))
    matrix, _ = rows()
    _, live, _, _, _ = model("Encoded", "classifiers.py", (WAY,))
    user_live = replace(live, targets=(three,))
    user_live.predictor.targets = (three,)
    assert user_live.answer(matrix[3]).values["flat"] == 0


def test_continual_learning_hands_the_old_model_over_and_keeps_its_scale(model):
    _, live, parts, _, folder = model("Pooled", "regressors.py", parameters={"iterations": 10})
    files = {path.name.rsplit("_", 1)[-1].split(".")[0]: str(path) for path in folder.iterdir()}
    result, again, _, _, _ = model(
        "Pooled",
        "regressors.py",
        parameters={"iterations": 10},
        freqai={"continual_learning": True},
        start="a",
        start_files=files,
    )
    assert result.continued
    assert result.extra_returns["went_on"] == 1
    assert again.predictor.model.tree_count_ > live.predictor.model.tree_count_
    scaler, kept = (each.predictor.pipelines[0]["scaler"]._skl.scale_ for each in (live, again))
    assert np.array_equal(scaler, kept)
    assert parts


def test_without_continual_learning_there_is_no_model_to_go_on_from(model):
    result, _, _, _, _ = model("Pooled", "regressors.py", parameters={"iterations": 5})
    assert result.extra_returns["went_on"] == 0
    assert not result.continued


def test_what_it_learnt_from_is_purged_as_everywhere(model):
    result, _, _, _, _ = model("PlainRidge", "regressors.py")
    assert result.rows == ROWS - 80 - 12


def test_importances_are_plotted_where_the_estimator_has_some(model):
    _, _, _, _, folder = model(
        "Pooled", "regressors.py", parameters={"iterations": 5}, plot_feature_importances=3
    )
    assert "%-f1_5m" in (folder / "cb_btc_1700000000--s_close.html").read_text("utf-8")
    _, _, _, _, folder = model("PlainRidge", "regressors.py", plot_feature_importances=3)
    assert not list(folder.glob("*.html"))


def test_a_prediction_is_not_explained_and_the_reason_is_told(model):
    _, live, _, _, _ = model("PlainRidge", "regressors.py")
    with pytest.raises(Refused, match="FreqAI's manner"):
        explanations(live, rows()[0][0])


HEAD = """
from freqtrade.freqai.base_models.BaseRegressionModel import BaseRegressionModel
from sklearn.linear_model import Ridge
class Bad(BaseRegressionModel):
"""
FIT = "    def fit(self, data_dictionary, dk, **kwargs):\n"


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (FIT + "        raise RuntimeError('no')\n", StrategyError, r"bad\.py:6: RuntimeError: no"),
        (FIT + "        exit()\n", StrategyError, r"bad\.py:6: SystemExit"),
        (FIT + "        return None\n", StrategyError, "fit returned None"),
        (FIT + "        return object()\n", Refused, "builtins.object cannot be saved"),
        (FIT + "        return Ridge()\n", StrategyError, "NotFittedError"),
        (
            FIT + "        dk.data['mine'] = object()\n        return Ridge().fit([[1], [2]], [1, 2])\n",
            Refused,
            "dk.data cannot be saved",
        ),
        (
            FIT
            + "        dk.data['extra_returns_per_train']['a'] = [1]\n"
            + "        return Ridge().fit(data_dictionary['train_features'], data_dictionary['train_labels'])\n",
            StrategyError,
            "must be a finite number or a text",
        ),
        (
            FIT
            + "        dk.data['extra_returns_per_train']['close'] = 1.0\n"
            + "        return Ridge().fit(data_dictionary['train_features'], data_dictionary['train_labels'])\n",
            StrategyError,
            "bad.py: Bad: extra_returns_per_train: 'close' is a column of the record or of the candles",
        ),
        (
            FIT
            + "        return Ridge().fit(data_dictionary['train_features'], data_dictionary['train_labels'])\n"
            + "    def predict(self, unfiltered_df, dk, **kwargs):\n"
            + "        frame, accepted = super().predict(unfiltered_df, dk)\n"
            + "        return frame.rename(columns={'&-s_close': 'x'}), accepted\n",
            StrategyError,
            "no column '&-s_close'",
        ),
        (
            FIT
            + "        self.seen = 0\n"
            + "        return Ridge().fit(data_dictionary['train_features'], data_dictionary['train_labels'])\n"
            + "    def predict(self, unfiltered_df, dk, **kwargs):\n"
            + "        frame, accepted = super().predict(unfiltered_df, dk)\n"
            + "        return frame * float('nan'), accepted\n",
            StrategyError,
            "not a finite number",
        ),
        (
            FIT
            + "        return Ridge().fit(data_dictionary['train_features'], data_dictionary['train_labels'])\n"
            + "    def predict(self, unfiltered_df, dk, **kwargs):\n"
            + "        frame, accepted = super().predict(unfiltered_df, dk)\n"
            + "        return frame - frame.mean(), accepted\n",
            Refused,
            "another value for one row than within a batch",
        ),
        (
            FIT
            + "        return Ridge()\n"
            + "    def define_data_pipeline(self, threads=-1):\n"
            + "        from datasieve.pipeline import Pipeline\n"
            + "        from datasieve.transforms import DBSCAN, SVMOutlierExtractor\n"
            + "        steps = [('svm', SVMOutlierExtractor(nu=1.0)), ('dbscan', DBSCAN())]\n"
            + "        steps[0][1]._skl.predict = lambda X: -1 + 0 * X[:, 0]\n"
            + "        return Pipeline(steps)\n",
            Refused,
            "step 'svm' removed every training row",
        ),
        (
            FIT + "        self.dd.historic_predictions['BTC/USDT']\n",
            StrategyError,
            "only model_dictionary",
        ),
        (
            FIT + "        return Ridge().fit([[1]], [1])\n"
            "    def define_data_pipeline(self, threads=-1):\n        return 5\n",
            StrategyError,
            "returned int",
        ),
    ],
)
def test_what_a_bad_class_does_fails_its_training_with_place_and_words(model, body, error, words):
    with pytest.raises(error, match=words):
        model("Bad", "bad.py", text=HEAD + body)


@pytest.mark.parametrize(
    ("library", "ranker", "called"),
    [
        ("catboost", "CatBoostRanker", "CatBoost"),
        ("lightgbm", "LGBMRanker", "LightGBM"),
        ("xgboost", "XGBRanker", "XGBoost"),
    ],
)
def test_a_librarys_class_that_cannot_be_read_again_is_refused_with_those_that_can(
    model, library, ranker, called
):
    body = FIT + f"        import {library}\n        return {library}.{ranker}()\n"
    with pytest.raises(Refused, match=f"a {ranker} cannot be saved; of {called}'s classes .*Regressor"):
        model("Bad", "bad.py", text=HEAD + body)


def test_a_constant_target_is_refused(model, monkeypatch):
    matrix, _ = rows()
    monkeypatch.setattr(f"{__name__}.rows", lambda: (matrix, np.ones(ROWS)))
    with pytest.raises(Refused, match="the same in every training row"):
        model("PlainRidge", "regressors.py")


def test_an_estimator_of_the_files_own_is_saved_by_its_own_bytes(model):
    text = """
import numpy as np
from freqtrade.freqai.base_models.BaseRegressionModel import BaseRegressionModel
class Mean:
    def __init__(self, value): self.value = value
    def predict(self, X): return np.full(len(X), self.value)
    def to_bytes(self): return str(self.value).encode()
    @classmethod
    def from_bytes(cls, data): return cls(float(data))
class Own(BaseRegressionModel):
    def fit(self, data_dictionary, dk, **kwargs):
        return Mean(float(data_dictionary["train_labels"].mean().iloc[0]))
"""
    _, live, parts, _, _ = model("Own", "own_mean.py", text=text)
    assert json.loads(parts["model"])["kind"] == "own"
    assert live.answer(rows()[0][0]).values["&-s_close"] == pytest.approx(rows()[1][:308].mean())
    with pytest.raises(Refused, match=r"to_bytes\(self\)"):
        model("Own", "own_mean.py", text=text.replace("def to_bytes", "def bytes_of"))


def test_a_model_of_another_version_of_the_file_is_not_served(model):
    _, _, parts, metadata, _ = model("PlainRidge", "regressors.py")
    with pytest.raises(ConfigError, match="another version of"):
        live_model(BTC, "a", {**metadata, "model_digest": "0" * 64}, parts)
    forget("PlainRidge")
    with pytest.raises(ConfigError, match="not loaded"):
        live_model(BTC, "a", metadata, parts)


def test_bytes_that_are_no_model_are_corrupt(model):
    _, _, parts, metadata, _ = model("PlainRidge", "regressors.py")
    for part in ("model", "model-1", "pipeline"):
        with pytest.raises(Corrupt):
            live_model(BTC, "a", metadata, {**parts, part: parts[part][:-9] + b"x"})


def freqtrades_models():
    """Where FreqAI's own model files lie, if freqtrade is on this machine; they are read, not imported."""
    named = os.environ.get("CANDLED_FREQTRADE_MODELS")
    if named:
        return Path(named)
    spec = importlib.util.find_spec("freqtrade")
    return Path(spec.origin).parent / "freqai" / "prediction_models" if spec and spec.origin else None


@pytest.mark.filterwarnings("ignore:`XGBRF(Regressor|Classifier)` is deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
@pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names:UserWarning")
@pytest.mark.parametrize(
    ("name", "targets"),
    [
        ("LightGBMRegressor", (CLOSE,)),
        ("LightGBMClassifier", (WAY,)),
        ("LightGBMRegressorMultiTarget", (CLOSE, RANGE)),
        ("LightGBMClassifierMultiTarget", (WAY, SIZE)),
        ("XGBoostRegressor", (CLOSE,)),
        ("XGBoostRegressorMultiTarget", (CLOSE, RANGE)),
        ("XGBoostClassifier", (WAY,)),
        ("XGBoostRFRegressor", (CLOSE,)),
        ("XGBoostRFClassifier", (WAY,)),
    ],
)
def test_freqais_own_model_files_run_unmodified(model, name, targets):
    folder = freqtrades_models()
    if folder is None:
        pytest.skip("freqtrade is not on this machine")
    parameters = {"n_estimators": 20}
    if name.startswith("LightGBM"):
        parameters["verbosity"] = -1
    result, live, _, _, _ = model(name, folder / f"{name}.py", targets, parameters=parameters)
    assert set(result.metrics) == {target.name for target in targets}
    said = live.answer(rows()[0][3]).values
    for target in targets:
        found = result.metrics[target.name]
        assert found["r2"] > 0.3 if not target.classes else found["accuracy"] > 0.8
        assert target.name in said
    if "RF" not in name and "Forest" not in name:
        _, _, _, _, folder_of = model(name, folder / f"{name}.py", targets, parameters=parameters)
        files = {path.name.rsplit("_", 1)[-1].split(".")[0]: str(path) for path in folder_of.iterdir()}
        again, _, _, _, _ = model(
            name,
            folder / f"{name}.py",
            targets,
            parameters=parameters,
            freqai={"continual_learning": True},
            start="a",
            start_files=files,
        )
        assert again.continued


@pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names:UserWarning")
def test_the_one_of_freqais_files_that_cannot_predict_names_of_classes_fails_its_training(model):
    """It fits on the names of the classes and then takes its predictions for codes: in FreqAI it fails, too."""
    folder = freqtrades_models()
    if folder is None:
        pytest.skip("freqtrade is not on this machine")
    name = "SKLearnRandomForestClassifier"
    with pytest.raises(StrategyError, match=r"SKLearnRandomForestClassifier\.py:\d+: ValueError: y contains"):
        model(name, folder / f"{name}.py", (WAY,), parameters={"n_estimators": 20})


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("PyTorchMLPRegressor", "networks of PyTorch"),
        ("PyTorchTransformerRegressor", "networks of PyTorch"),
        ("ReinforcementLearner", "reinforcement learning"),
    ],
)
def test_freqais_networks_are_refused_by_name(name, words):
    folder = freqtrades_models()
    if folder is None:
        pytest.skip("freqtrade is not on this machine")
    with pytest.raises(StrategyError, match=rf"{name}\.py:\d+: freqtrade\..*{words}"):
        loaded(name, folder / f"{name}.py", {})


class Planted:
    """A class that no list names."""


@pytest.mark.parametrize(
    "planted", [Planted(), os.system, logging.getLogger("x")], ids=["own", "os", "logger"]
)
def test_what_would_not_be_read_again_is_not_written(planted):
    with pytest.raises(Refused, match="the pipeline cannot be saved"):
        skops_bytes({"steps": [planted]}, "the pipeline")


def test_a_file_that_names_another_type_is_corrupt():
    data = skops_bytes({"steps": [Ridge()]}, "the pipeline")
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        schema = file.read("schema.json").decode()
    for name, module in (("system", "os"), ("Popen", "subprocess"), ("Unpickler", "pickle")):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as target:
            changed = schema.replace('"Ridge"', f'"{name}"').replace("sklearn.linear_model._ridge", module)
            target.writestr("schema.json", changed)
        with pytest.raises(Corrupt, match=f"holds {module}.{name}, which is not to be trusted"):
            skops_value(sealed(out.getvalue()))
