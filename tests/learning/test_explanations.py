"""SHAP values and importances of every model that has them."""

import re
from dataclasses import replace

import numpy as np
import pytest

from daemon.core.errors import ConfigError, Refused
from daemon.core.pair import Pair
from daemon.core.schema import FeatureSchema
from daemon.learning.explain import explanations
from daemon.learning.head import Head
from daemon.learning.importance import importance_page, importance_pages
from daemon.learning.job import Target, TrainingJob
from daemon.learning.live import LiveModel
from daemon.learning.models.port import Explains, FitOptions, Rows
from daemon.learning.models.registry import model_class, model_names
from daemon.learning.options import PipelineOptions
from daemon.learning.pipeline import LabelScaling, prepared
from daemon.learning.steps.port import Points

NAMES = ("%-a", "%-b", "%-c", "%-d", "%-e")
QUICK = {"Catboost": {"iterations": 20, "rsm": 1.0}, "LightGBM": {"feature_fraction": 1.0}}
EXPLAINING = [
    name for name in model_names() if not name.endswith("MultiTarget") and not name.startswith("SKLearn")
]


def rows(classes, seed=0):
    random = np.random.default_rng(seed)
    features = np.asfortranarray(random.standard_normal((400, len(NAMES))).astype(np.float32))
    signal = features[:, 2] + 0.2 * random.standard_normal(400)
    labels = np.digitize(signal, np.linspace(-0.5, 0.5, classes - 1)) if classes else signal
    return Rows(features, labels, np.ones(400))


def fitted(name, classes):
    try:
        cls = model_class(name)
    except ConfigError as exc:
        pytest.skip(str(exc))
    parameters = QUICK.get(name[:8], {"n_estimators": 20})
    options = FitOptions(parameters=parameters, seed=1, threads=1, classes=classes)
    return cls.fit(rows(classes), None, options)


@pytest.mark.parametrize("name", [name for name in EXPLAINING if name.endswith("Regressor")])
def test_contributions_sum_to_the_prediction(name):
    model, features = fitted(name, 0), rows(0, seed=1).features
    found = model.explained(features, 0)
    assert found.shape == (400, len(NAMES) + 1)
    assert found.sum(axis=1) == pytest.approx(model.predict(features), abs=2e-5)
    assert np.abs(found[:, :-1]).mean(axis=0).argmax() == 2


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", [name for name in EXPLAINING if name.endswith("Classifier")])
def test_contributions_sum_to_the_score_that_the_probabilities_are_made_of(name, classes):
    model, features = fitted(name, classes), rows(classes, seed=1).features
    shares = model.predict(features)
    scores = np.stack([model.explained(features, code).sum(axis=1) for code in range(classes)], axis=1)
    # Of two classes some libraries have one score: that of the other is its negative, and the softmax doubles it.
    single = classes == 2 and not name.startswith("Catboost")
    powers = np.exp(scores / 2 if single else scores)
    assert powers / powers.sum(axis=1, keepdims=True) == pytest.approx(shares, abs=2e-5)


@pytest.mark.parametrize("name", EXPLAINING)
def test_the_feature_that_decides_is_the_most_important(name):
    found = fitted(name, 2 if name.endswith("Classifier") else 0).importances()
    assert found.shape == (len(NAMES),)
    assert found.argmax() == 2
    assert (found >= 0).all()


@pytest.mark.parametrize("name", EXPLAINING)
def test_there_is_no_explanation_of_a_row_with_a_gap(name):
    row = np.full((1, len(NAMES)), np.nan, np.float32)
    with pytest.raises(Refused, match="cannot take row 0, column 0"):
        fitted(name, 2 if name.endswith("Classifier") else 0).explained(row, 0)


def test_a_class_that_was_never_seen_has_no_score():
    cls = model_class("XGBoostClassifier")
    given = rows(2)
    options = FitOptions(parameters={"n_estimators": 5}, seed=1, threads=1, classes=3)
    model = cls.fit(given, None, options)
    with pytest.raises(Refused, match="never saw the class"):
        model.explained(given.features[:1], 2)


def test_a_forest_of_scikit_learn_does_not_explain_itself():
    assert not isinstance(fitted("SKLearnRandomForestClassifier", 2), Explains)


@pytest.mark.parametrize("components", [False, True])
def test_columns_behind_the_pipeline_have_names(components):
    random = np.random.default_rng(0)
    features = random.standard_normal((200, len(NAMES))).astype(np.float32)
    features[:, 1] = 7
    points = Points(features, features[:, 0].astype(float), np.ones(200))
    pipeline = prepared(points, PipelineOptions(principal_component_analysis=components), 1).pipeline
    names = pipeline.names(NAMES)
    assert len(names) == pipeline.transform(features).shape[1]
    assert names[0] == ("component 1" if components else "%-a")
    assert "%-b" not in names


def test_the_page_shows_the_best_and_the_worst_in_order():
    page = importance_page(NAMES, np.array([0.1, 0.5, 0.0, 0.3, 0.2]), 2, "A & B").decode()
    shown = re.findall(r'text-anchor="end">([^<]+)<', page)
    assert shown == ["%-b", "%-d", "%-c", "%-a"]
    assert "<title>A &amp; B</title>" in page
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_a_name_cannot_smuggle_markup_into_the_page():
    page = importance_page(["%-<script>"], np.array([1.0]), 5, "x").decode()
    assert "%-&lt;script&gt;" in page
    assert "<script" not in page


@pytest.fixture
def job():
    return TrainingJob(
        pair="BTC/USDT",
        targets=(Target(name="&-s_close/5m"),),
        features=NAMES,
        model="CatboostRegressor",
        parameters={},
        test_size=0.0,
        horizon=0,
        weight_factor=0.0,
        seed=1,
        threads=1,
        file_stem="cb_btc_1",
    )


class HeadOf:
    def __init__(self, model, target):
        self.model, self.target = model, target


def test_pages_are_made_where_they_are_asked_for(job):
    heads = [HeadOf(fitted("CatboostRegressor", 0), job.targets[0])]
    assert importance_pages(job, heads, NAMES) == {}
    pages = importance_pages(replace(job, plot_feature_importances=3), heads, NAMES)
    assert list(pages) == ["cb_btc_1--s_close_5m.html"]
    assert pages["cb_btc_1--s_close_5m.html"].count(b"<rect") == 6


def test_a_model_without_importances_gets_no_page(job):
    heads = [HeadOf(object(), job.targets[0])]
    assert importance_pages(replace(job, plot_feature_importances=3), heads, NAMES) == {}


def live(name="CatboostRegressor", classes=(), **steps):
    """A live model of one target, whose label goes from 10 to 30."""
    given = rows(len(classes))
    scaling = None if classes else LabelScaling(10.0, 30.0)
    made = prepared(
        Points(np.ascontiguousarray(given.features), given.labels, given.weights), PipelineOptions(**steps), 1
    )
    cls = model_class(name)
    options = FitOptions(parameters={"n_estimators": 20}, seed=1, threads=1, classes=len(classes))
    model = cls.fit(Rows(np.asfortranarray(made.points.features), given.labels, given.weights), None, options)
    target = Target(name="&-a", classes=classes)
    return LiveModel(
        pair=Pair("A/USDT"),
        name="m",
        window_end_ms=0,
        heads=(Head(target=target, label_mean=0.0, label_std=1.0, scaling=scaling, model=model),),
        schema=FeatureSchema(NAMES),
        pipeline=made.pipeline,
        metrics={},
    )


ROW = np.array([0.5, -1.0, 0.8, 0.1, -0.3], np.float32)


@pytest.mark.parametrize("components", [False, True])
def test_an_explanation_is_in_the_labels_own_unit(components):
    model = live(principal_component_analysis=components)
    (found,) = explanations(model, ROW)
    assert found.said == model.values(ROW)["&-a"]
    assert found.total == pytest.approx(found.said, rel=1e-9)
    assert found.expected + found.contributions.sum() == pytest.approx(found.total)
    assert 10 < found.expected < 30
    if components:
        assert found.names[0] == "component 1"
    else:
        assert found.names == NAMES
        assert found.values.tolist() == ROW.tolist()
        assert found.names[np.abs(found.contributions).argmax()] == "%-c"


def test_of_classes_the_likeliest_is_explained():
    model = live("CatboostClassifier", classes=("down", "flat", "up"))
    (found,) = explanations(model, ROW)
    said = model.values(ROW)
    assert (found.said, found.probability) == (said["&-a"], said[said["&-a"]])
    assert found.said == "up"
    changed = model.pipeline.transform(ROW[None, :])
    scores = [model.heads[0].model.explained(changed, code).sum() for code in range(3)]
    assert found.total == pytest.approx(scores[2])
    assert np.exp(scores[2]) / np.exp(scores).sum() == pytest.approx(found.probability)


def test_what_is_not_the_prediction_is_not_shown_as_its_explanation():
    model = live()

    class Linked:
        def predict(self, features):
            return np.exp(model.heads[0].model.predict(features))

        def importances(self):
            return np.ones(len(NAMES))

        def explained(self, features, code):
            return model.heads[0].model.explained(features, code)

    linked = replace(model, heads=(replace(model.heads[0], model=Linked()),))
    with pytest.raises(Refused, match="link function"):
        explanations(linked, ROW)


def test_a_library_without_shap_values_is_named():
    model = live("SKLearnRandomForestClassifier", classes=("down", "up"))
    with pytest.raises(Refused, match="SKLearnRandomForestClassifier has no exact SHAP values"):
        explanations(model, ROW)
