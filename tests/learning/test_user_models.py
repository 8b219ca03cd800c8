"""The base class of a user's own models, the example that ships, and the check suite."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from daemon.core.clock import SystemClock
from daemon.core.errors import ConfigError, Refused, StrategyError
from daemon.core.pair import Pair
from daemon.learning.explain import explanations
from daemon.learning.fit import train
from daemon.learning.job import Target, TrainingJob
from daemon.learning.live import live_model
from daemon.learning.models import Corrupt, LabelScaling, UserModel
from daemon.learning.models import examples as example_package
from daemon.learning.models.checks import CHECKS, failures, some_rows
from daemon.learning.models.registry import (
    counterpart,
    forget,
    learns_classes,
    model_class,
    use,
    user_class,
)
from daemon.runtime.user_loader import loaded
from daemon.runtime.user_models import _file_of

EXAMPLE = Path(example_package.__file__).parent / "candled_ridge.py"
CLOSE = Target(name="&-s_close")
JOB = TrainingJob(
    pair="BTC/USDT",
    targets=(CLOSE,),
    features=tuple(f"%-f{i}_5m" for i in range(8)),
    model="CandledRidge",
    parameters={"alpha": 0.5},
    test_size=0.2,
    horizon=12,
    weight_factor=0.5,
    seed=1,
    threads=1,
    file_stem="cb_btc_1700000000",
)


@pytest.fixture
def own(tmp_path):
    """own(name, text): a user's class, made known; the example if there is no text."""
    names = []

    def made(name="CandledRidge", text=None):
        file = tmp_path / "own_model.py"
        file.write_text(EXAMPLE.read_text("utf-8") if text is None else text, "utf-8")
        user = loaded(name, file, {})
        use(user)
        names.append(name)
        return user

    yield made
    for name in names:
        forget(name)


def trained(user, folder, **changes):
    rows = some_rows(classifies=False)
    job = replace(JOB, model_digest=user.digest, **changes)
    features, labels = np.ascontiguousarray(rows.features), 0.01 * rows.labels[:, None]
    folder.mkdir()
    result = train(job, features, labels, folder, SystemClock().monotonic_s)
    metadata = {
        "window_end_ms": 1_700_000_000_000,
        "label_list": [target.name for target in job.targets],
        "classes": {target.name: list(target.classes) for target in job.targets},
        "training_features_list": list(job.features),
        "model_class": job.model,
        "model_digest": user.digest,
        "labels_mean": dict(result.label_mean),
        "labels_std": dict(result.label_std),
        "metrics": dict(result.metrics),
    }
    parts = {path.name.rsplit("_", 1)[-1].split(".")[0]: path.read_bytes() for path in folder.iterdir()}
    return result, live_model(Pair("BTC/USDT"), "a", metadata, parts), metadata, parts


def test_the_example_passes_every_check(own):
    assert failures(own().cls, {"alpha": 0.5}) == {}


def test_the_example_learns_with_its_own_pipelines_and_is_read_again(own, tmp_path):
    result, live, _, _ = trained(own(), tmp_path / "one")
    assert result.metrics["&-s_close"]["r2"] > 0.8
    assert {path.suffix for path in (tmp_path / "one").iterdir()} == {".json"}
    assert [step.name for step in live.pipeline.transforms] == ["const", "scaler"]
    scaling = live.heads[0].scaling
    assert (scaling.low + scaling.high) / 2 == pytest.approx(live.heads[0].label_mean, rel=0.2, abs=1e-3)
    assert live.answer(some_rows(classifies=False).features[0]).values.keys() >= {
        "&-s_close",
        "&-s_close_mean",
    }


def test_the_class_on_the_page_passes_every_check(own):
    page = (Path(__file__).parent.parent.parent / "docs" / "models.md").read_text("utf-8")
    text = page.split("```python\n", 1)[1].split("```", 1)[0]
    assert failures(own(name="Nearest", text=text).cls) == {}


def test_an_explanation_of_it_is_refused_by_its_name(own, tmp_path):
    _, live, _, _ = trained(own(), tmp_path / "one")
    with pytest.raises(Refused, match="CandledRidge has no exact SHAP values"):
        explanations(live, some_rows(classifies=False).features[0])


STEP = """
import numpy as np
from daemon.learning.models import Varying
class Doubled:
    name = "doubled"
    def __init__(self, by): self.by = by
    @classmethod
    def fit(cls, rows): return cls(2.0)
    def transform(self, rows): return rows * np.float32(self.by)
    def saved(self): return {"by": self.by}, {}
    @classmethod
    def restored(cls, values, arrays): return cls(float(values["by"]))
"""


def test_a_step_of_its_own_is_fitted_saved_and_read_again(own, tmp_path):
    text = EXAMPLE.read_text("utf-8").replace("class CandledRidge", STEP + "\n\nclass CandledRidge", 1)
    user = own(text=text.replace("return (Varying, Scaling)", "return (Varying, Scaling, Doubled)"))
    _, live, _, _ = trained(user, tmp_path / "one")
    assert [step.name for step in live.pipeline.transforms] == ["const", "scaler", "doubled"]
    assert np.abs(live.pipeline.transform(some_rows(classifies=False).features)).max() == pytest.approx(
        2, rel=0.3
    )


def test_outlier_methods_follow_a_pipeline_of_its_own(own, tmp_path):
    pipeline = replace(JOB.pipeline, di_threshold=0.8)
    _, live, _, _ = trained(own(), tmp_path / "one", pipeline=pipeline)
    assert live.answer(np.full(8, 90, np.float32)).outlier_of == ("di",)


def test_what_the_pipeline_hook_raises_is_told_with_its_place(own, tmp_path):
    text = EXAMPLE.read_text("utf-8").replace("return (Varying, Scaling)", "raise KeyError('no')")
    with pytest.raises(StrategyError, match=r"own_model\.py:\d+: KeyError"):
        trained(own(text=text), tmp_path / "one")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("alpha = float(parameters", "alpha = wrong(parameters", r"own_model\.py:\d+: NameError"),
        ("return cls(weights, mean", "return (weights, mean", "fit returned tuple"),
        (
            "return LabelScaling.standard(labels)",
            "raise ValueError('scale')",
            r"own_model\.py:\d+: ValueError: scale",
        ),
        ("return json.dumps(", "return wrong(", r"own_model\.py:\d+: NameError"),
        (
            "return np.asarray(products.sum(axis=1)",
            "return np.asarray(products",
            "must return finite numbers of shape",
        ),
    ],
)
def test_what_its_methods_do_wrong_fails_the_training_with_its_place(own, tmp_path, old, new, words):
    text = EXAMPLE.read_text("utf-8")
    assert old in text
    with pytest.raises(StrategyError, match=words):
        trained(own(text=text.replace(old, new)), tmp_path / "one")


def test_what_predict_raises_live_is_an_error_of_the_users(own, tmp_path):
    _, live, _, _ = trained(own(), tmp_path / "one")
    live.heads[0].model.weights = None
    with pytest.raises(StrategyError, match=r"own_model\.py:\d+: TypeError"):
        live.answer(some_rows(classifies=False).features[0])


def test_what_a_step_of_its_own_raises_live_is_an_error_of_the_users(own, tmp_path):
    text = EXAMPLE.read_text("utf-8").replace("class CandledRidge", STEP + "\n\nclass CandledRidge", 1)
    user = own(text=text.replace("return (Varying, Scaling)", "return (Varying, Scaling, Doubled)"))
    _, live, _, _ = trained(user, tmp_path / "one")
    live.pipeline.transforms[2].by = "two"
    with pytest.raises(StrategyError, match=r"own_model\.py:\d+: ValueError"):
        live.answer(some_rows(classifies=False).features[0])


def test_an_edited_file_is_another_model(own, tmp_path):
    _, _, metadata, parts = trained(own(), tmp_path / "one")
    own(text=EXAMPLE.read_text("utf-8") + "\n# edited\n")
    with pytest.raises(ConfigError, match="another version of"):
        live_model(Pair("BTC/USDT"), "a", metadata, parts)


def test_scales_of_a_label_go_there_and_back():
    labels = np.array([1.0, 2.0, 6.0])
    for scaling in (LabelScaling.fit(labels), LabelScaling.standard(labels), LabelScaling.none()):
        assert scaling.inverse(scaling.transform(labels)) == pytest.approx(labels)
    assert LabelScaling.standard(labels).transform(labels).std() == pytest.approx(1)
    assert LabelScaling.none().transform(labels) == pytest.approx(labels)
    with pytest.raises(Refused, match="in every training row"):
        LabelScaling.standard(np.ones(3))


def test_a_users_class_is_known_by_its_name_and_wins_over_ours(own):
    user = own(
        name="XGBoostRFRegressor",
        text=EXAMPLE.read_text("utf-8").replace("CandledRidge", "XGBoostRFRegressor"),
    )
    assert user_class("XGBoostRFRegressor") is user
    assert model_class("XGBoostRFRegressor") is user.cls
    assert not learns_classes("XGBoostRFRegressor")
    assert counterpart("XGBoostRFRegressor", classifies=True) is None


class Wrong(UserModel):
    """Breaks what `broken` names."""

    suffix = "a"
    broken = ""
    calls = 0

    def __init__(self, mean=0.0):
        self.mean = mean

    @classmethod
    def fit(cls, train, test, options):
        if cls.broken == "fit leaves its rows as they are":
            train.weights[:] = 2
        Wrong.calls += 1
        return cls(float(train.labels.mean()) + (Wrong.calls if "same seed" in cls.broken else 0))

    def predict(self, features):
        if self.broken != "a missing feature is refused" and not np.isfinite(features).all():
            raise Refused("a feature is missing")
        if self.broken == "predict leaves the model untouched":
            self.mean += 1
        count = len(features)
        mean = self.mean + (features.mean() if "one row" in self.broken else 0)
        return np.full(count + (self.broken == "answers"), mean, np.float64)

    def to_bytes(self):
        data = b"mean " + str(self.mean).encode()
        return b"\x80" + data if "pickle" in self.broken else data

    @classmethod
    def from_bytes(cls, data):
        if cls.broken == "damaged bytes are corrupt":
            return cls()
        if not data.removeprefix(b"\x80").startswith(b"mean ") or len(data) < 8:
            raise Corrupt("no mean")
        try:
            value = float(data.removeprefix(b"\x80")[5:])
        except ValueError as exc:
            raise Corrupt("no mean") from exc
        return cls(value + (1 if "saved and read" in cls.broken else 0))


@pytest.mark.parametrize(
    "broken",
    [
        "answers",
        "fit leaves its rows as they are",
        "same seed same bytes",
        "saved and read it predicts the same",
        "its bytes are no pickle",
        "damaged bytes are corrupt",
        "one row as within a batch",
        "a missing feature is refused",
        "predict leaves the model untouched",
    ],
)
def test_the_suite_finds_a_class_that_breaks_a_rule(broken, monkeypatch):
    assert broken in CHECKS
    monkeypatch.setattr(Wrong, "broken", broken)
    assert broken in failures(Wrong)


def test_a_class_that_says_it_stops_must_stop(monkeypatch):
    monkeypatch.setattr(Wrong, "stops", True)
    assert "went on to its end" in failures(Wrong)["it stops when it is told"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("class Own(UserModel): ...\n", r"own_model\.py:2: Own lacks fit, from_bytes, predict, to_bytes"),
        ("Own = 5\nclass Other: ...\n", "Own is no class"),
        ("class Own(Base): ...\n", "Own has no fit"),
        (
            "class Own(Base):\n    def fit(self, data_dictionary): ...\n",
            r"own_model\.py:3: Own\.fit must take",
        ),
        (
            "class Own(Base):\n    def fit(self, data_dictionary, dk): ...\n    def fit_live_predictions(self): ...\n",
            r"own_model\.py:4: Own\.fit_live_predictions: candled does not call",
        ),
        ("from freqtrade.freqai.RL.Base5ActionRLEnv import Base5ActionRLEnv\n", "reinforcement learning"),
        ("import torch.nn\nfrom freqtrade.freqai.torch import x\n", "networks of PyTorch"),
        (
            "class Own(Base):\n    def __init__(self, **kwargs): raise ValueError('no key')\n    fit = print\n",
            r"own_model\.py:3: ValueError: no key",
        ),
        (
            "from freqtrade.freqai.utils import x\n",
            "candled has no module 'freqtrade.freqai.utils' for models",
        ),
        (
            "from datasieve.transforms import Absent\n",
            "candled has no datasieve.transforms.Absent for models",
        ),
    ],
)
def test_a_bad_class_is_refused_with_file_and_line(own, text, words):
    if "Base)" in text:
        text = (
            "from freqtrade.freqai.base_models.BaseRegressionModel import BaseRegressionModel as Base\n"
            + text
        )
    elif "UserModel" in text:
        text = "from daemon.learning.models import UserModel\n" + text
    with pytest.raises(StrategyError, match=words):
        own(name="Own", text=text)


def test_helper_modules_count_to_the_digest_and_nothing_is_left_in_the_tables_of_python(tmp_path, own):
    (tmp_path / "their_helper.py").write_text("ALPHA = 1\n", "utf-8")
    text = EXAMPLE.read_text("utf-8").replace(
        "import json\n", "import json\nfrom their_helper import ALPHA\n"
    )
    first = own(text=text).digest
    (tmp_path / "their_helper.py").write_text("ALPHA = 2\n", "utf-8")
    assert own(text=text).digest != first
    assert not {"their_helper", "freqtrade", "datasieve"} & sys.modules.keys()


def test_two_files_of_one_folder_with_the_same_class_are_refused(tmp_path):
    for name in ("a.py", "b.py"):
        shutil.copy(EXAMPLE, tmp_path / name)
    with pytest.raises(ConfigError, match=r"stands in two files, .*a\.py and .*b\.py"):
        _file_of("CandledRidge", [tmp_path])
    (tmp_path / "b.py").unlink()
    assert _file_of("CandledRidge", [tmp_path / "absent", tmp_path]) == tmp_path / "a.py"
