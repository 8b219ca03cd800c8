from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from desk import BASE, NOW_MS, PAIRS

from daemon.core.errors import Refused
from daemon.core.market import CandleKey
from daemon.core.prediction import Abstention, Prediction, Reason
from daemon.core.schema import FeatureSchema
from daemon.core.timeframe import Timeframe
from daemon.features.compute import BlockComputer
from daemon.features.plan import BlockKey, FeaturePlan, Hook
from daemon.features.store import FeatureStore
from daemon.learning.head import Head
from daemon.learning.job import Target
from daemon.learning.live import LiveModel
from daemon.learning.models.user import UserClass
from daemon.learning.pipeline import FeaturePipeline, LabelScaling
from daemon.learning.steps.port import Verdict
from daemon.learning.steps.scaling import Scaling, Varying
from daemon.runtime.forecaster import Forecaster

BTC, ETH, SOL = PAIRS
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
QUARTER = Timeframe("15m")


class SumModel:
    """Predicts the sum of the scaled features."""

    def predict(self, features):
        return features.sum(axis=1, dtype=np.float64)


def model_for(schema, pair=SOL, window_end_ms=NOW_MS - HOUR_MS, name="sub-train-SOL_1", detectors=()):
    rows = np.stack([np.zeros(len(schema), np.float32), np.full(len(schema), 200.0, np.float32)])
    return LiveModel(
        pair=pair,
        name=name,
        window_end_ms=window_end_ms,
        heads=(
            Head(
                target=Target(name="&-s_close"),
                label_mean=0.001,
                label_std=0.02,
                scaling=LabelScaling(-0.1, 0.1),
                model=SumModel(),
            ),
        ),
        schema=schema,
        pipeline=FeaturePipeline((Varying.fit(rows), Scaling.fit(rows)), detectors),
        metrics={},
    )


class Desk:
    """A forecaster over the simulated market, with what it reads within reach."""

    def __init__(self, hooks, plan, candles, *, strategy="Plain", days=20, expiration_ms=DAY_MS):
        self.hidden = {}  # series -> open time from which on its candles are not there
        self.plan, self.candles, self.days = plan, candles, days
        self.models = {}
        self.features = FeatureStore(plan, BlockComputer(hooks(strategy), plan, 256), self.frame)
        self.forecaster = Forecaster(
            features=self.features, models=self.models, frame_of=self.frame, expiration_ms=expiration_ms
        )

    def frame(self, key):
        return self.candles(key, NOW_MS, self.days).between(0, self.hidden.get(key, NOW_MS) - 1)

    def schema(self, pair=SOL):
        for key in self.plan.blocks(pair):
            self.features.advance(key, NOW_MS)
        return self.features.live_row(pair, NOW_MS).schema

    def outcome(self, pair=SOL, close_ms=NOW_MS, *, late=False):
        self.forecaster.advance([pair], close_ms)
        return self.forecaster.outcome(pair, close_ms, late=late)


@pytest.fixture
def desk(hooks, plan, candles):
    def built(**options):
        return Desk(hooks, plan, candles, **options)

    return built


@pytest.fixture
def ready(desk):
    made = desk()
    made.models[SOL] = model_for(made.schema())
    return made


def why(outcome):
    assert isinstance(outcome, Abstention)
    assert (outcome.values, outcome.candle_ms) == ({}, NOW_MS - BASE.ms)
    return outcome.reason, outcome.detail


def test_a_prediction_is_the_models_answer_to_the_live_row(ready):
    found = ready.outcome(late=True)
    row = ready.features.live_row(SOL, NOW_MS)
    assert np.isnan(found.di)
    assert replace(found, di=0.0) == Prediction(
        pair=SOL,
        candle_ms=NOW_MS - BASE.ms,
        values=ready.models[SOL].values(row.values),
        model="sub-train-SOL_1",
        late=True,
        di=0.0,
    )
    assert np.isfinite(found.values["&-s_close"])
    assert (found.values["&-s_close_mean"], found.values["&-s_close_std"]) == (0.001, 0.02)


class Objects:
    """A detector that finds every row an outlier, and its index 1.5."""

    def __init__(self, name, di=None):
        self.name, self._di = name, di

    def judge(self, rows):
        return Verdict(np.ones(len(rows), bool), self._di)


@pytest.mark.parametrize(
    ("names", "code"), [(("di",), 0), (("svm", "di"), -1), (("svm", "di", "dbscan"), -2)]
)
def test_an_outlier_is_an_abstention_that_keeps_what_is_known(desk, names, code):
    made = desk()
    detectors = tuple(Objects(name, np.array([1.5]) if name == "di" else None) for name in names)
    made.models[SOL] = model_for(made.schema(), detectors=detectors)
    found = made.outcome(late=True)
    row = made.features.live_row(SOL, NOW_MS)
    assert found == Abstention(
        pair=SOL,
        candle_ms=NOW_MS - BASE.ms,
        reason=Reason.OUTLIER,
        detail=", ".join(names),
        late=True,
        values=made.models[SOL].values(row.values),
        di=1.5,
        objections=len(names),
    )
    assert found.do_predict == code  # FreqAI: 1 less each detector that objects


def test_a_pair_without_a_model(desk):
    assert why(desk().outcome()) == (Reason.NO_MODEL, "")


def test_a_pair_without_its_candle(ready):
    ready.hidden[CandleKey(SOL, BASE)] = NOW_MS - BASE.ms
    assert why(ready.outcome()) == (Reason.MISSING_CANDLE, "")


def test_a_pair_whose_longer_candle_is_missing(ready, desk):
    fresh = desk()
    fresh.models |= ready.models
    fresh.hidden[CandleKey(SOL, QUARTER)] = NOW_MS - QUARTER.ms
    assert why(fresh.outcome()) == (Reason.MISSING_CANDLE, "SOL/USDT 15m")


def test_a_correlated_pair_whose_candle_is_missing(ready, desk):
    fresh = desk()
    fresh.models |= ready.models
    fresh.hidden[CandleKey(BTC, BASE)] = NOW_MS - BASE.ms
    assert why(fresh.outcome()) == (Reason.MISSING_CORRELATED, "BTC/USDT 5m")


def test_a_correlated_pair_that_has_no_candle_at_all(ready, desk):
    fresh = desk()
    fresh.models |= ready.models
    fresh.hidden[CandleKey(BTC, BASE)] = 0
    assert why(fresh.outcome()) == (Reason.MISSING_CORRELATED, "BTC/USDT 5m")


@pytest.mark.parametrize(("older_ms", "expired"), [(0, False), (BASE.ms, True)])
def test_a_model_expires_when_it_is_older_than_the_limit(ready, older_ms, expired):
    ready.models[SOL] = replace(ready.models[SOL], window_end_ms=NOW_MS - DAY_MS - older_ms)
    found = ready.outcome()
    if expired:
        assert why(found) == (Reason.EXPIRED, "24.1 hours old")
        assert found.do_predict == 2
    else:
        assert isinstance(found, Prediction)


def test_a_model_never_expires_where_that_is_switched_off(ready, desk):
    lasting = desk(expiration_ms=None)
    lasting.models[SOL] = replace(ready.models[SOL], window_end_ms=0)
    assert isinstance(lasting.outcome(), Prediction)


def test_a_model_trained_on_later_candles_does_not_predict(ready):
    ready.models[SOL] = replace(ready.models[SOL], window_end_ms=NOW_MS + BASE.ms)
    assert why(ready.outcome(late=True)) == (Reason.LATE, "the model was trained on later candles")


def test_what_is_in_doubt_of_a_model_is_of_its_predictions(ready):
    ready.models[SOL] = replace(ready.models[SOL], doubt="of another strategy")
    assert ready.outcome().doubt == "of another strategy"


def test_a_model_whose_window_ends_with_the_candle_predicts(ready):
    ready.models[SOL] = replace(ready.models[SOL], window_end_ms=NOW_MS)
    assert isinstance(ready.outcome(), Prediction)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (lambda names: names[1:], "new ['%-rsi-period_10_SOL/USDT_5m'] (1 in all)"),
        (lambda names: (*names, "%-gone"), "missing ['%-gone'] (1 in all)"),
        (lambda names: names[::-1], "same names in another order"),
    ],
)
def test_a_model_of_other_features_does_not_predict(ready, changed, words):
    schema = FeatureSchema(tuple(changed(ready.models[SOL].schema.names)))
    ready.models[SOL] = replace(ready.models[SOL], schema=schema)
    reason, detail = why(ready.outcome())
    assert reason is Reason.SCHEMA
    assert words in detail


def test_a_feature_that_is_no_finite_number_is_named(desk):
    made = desk(strategy="Dividing")
    made.models[SOL] = model_for(made.schema())
    assert why(made.outcome()) == (Reason.NAN_FEATURE, "%-infinite_gen_SOL/USDT_5m and 7 more")


def test_a_row_that_the_model_refuses_is_an_abstention(ready, monkeypatch):
    """A finite feature may be so far off that scaling makes an infinite one of it."""

    def refuses(features):
        raise Refused("a model cannot take row 0, column 3: inf")

    monkeypatch.setattr(ready.models[SOL].heads[0].model, "predict", refuses)
    assert why(ready.outcome()) == (Reason.NAN_FEATURE, "a model cannot take row 0, column 3: inf")


def test_a_pair_too_young_for_its_features(hooks, candles):
    plan = FeaturePlan(base=BASE, timeframes=(BASE,), correlated=(), periods=(10,), shifts=0)
    made = Desk(hooks, plan, candles)
    made.models[SOL] = model_for(made.schema())
    young = Desk(hooks, plan, candles, days=0.5)
    young.models |= made.models
    assert why(young.outcome()) == (Reason.WARM_UP, "SOL/USDT 5m: too few earlier candles")


def test_a_hook_that_raises_stops_only_the_pairs_that_need_its_block(desk):
    made = desk(strategy="RaisesForEth")
    made.models |= {pair: model_for(made.schema(pair), pair) for pair in (BTC, SOL)}
    made.models[ETH] = made.models[SOL]
    faults = made.forecaster.advance(list(PAIRS), NOW_MS)
    assert {key.pair for key in faults} == {ETH}
    outcomes = {pair: made.forecaster.outcome(pair, NOW_MS, late=False) for pair in PAIRS}
    reason, detail = why(outcomes.pop(ETH))
    assert reason is Reason.STRATEGY
    assert "teaching.py" in detail
    assert "not with this pair" in detail
    assert all(isinstance(outcome, Prediction) for outcome in outcomes.values())


def test_each_block_that_is_done_is_told(hooks, candles):
    plan = FeaturePlan(base=BASE, timeframes=(BASE,), correlated=(ETH,), periods=(10,), shifts=0)
    made, beats = Desk(hooks, plan, candles, strategy="RaisesForEth"), []
    forecaster = Forecaster(
        features=made.features,
        models={},
        frame_of=made.frame,
        expiration_ms=None,
        beat=lambda: beats.append(len(made.features._blocks)),
    )
    forecaster.advance([SOL], NOW_MS)
    assert beats == list(range(1, len(plan.blocks(SOL)) + 1))


def test_a_correlated_pair_whose_hook_raises_stops_those_that_use_it(hooks, candles):
    plan = FeaturePlan(base=BASE, timeframes=(BASE,), correlated=(ETH,), periods=(10,), shifts=0)
    made = Desk(hooks, plan, candles, strategy="RaisesForEth")
    faults = made.forecaster.advance([SOL], NOW_MS)
    assert set(faults) == {BlockKey(ETH, BASE, Hook.EXPAND)}
    assert why(made.forecaster.outcome(SOL, NOW_MS, late=False))[0] is Reason.STRATEGY


def test_a_fault_is_over_when_the_hook_works_again(ready, monkeypatch):
    hooks = ready.features._computer._hooks

    def broken(frame, metadata):
        raise ValueError("for now")

    monkeypatch.setattr(hooks, "_expand_basic", broken)
    ready.features._blocks.clear()
    assert why(ready.outcome())[0] is Reason.STRATEGY
    monkeypatch.undo()
    assert isinstance(ready.outcome(), Prediction)


def test_two_features_of_one_name_are_the_strategys_fault(desk):
    made = desk(strategy="Doubled")
    made.models[SOL] = model_for(FeatureSchema(("%-change",)))
    reason, detail = why(made.outcome())
    assert reason is Reason.STRATEGY
    assert "two columns named '%-change'" in detail


def test_forgotten_rows_leave_the_newest_candle_predictable(ready):
    before = ready.outcome()
    ready.forecaster.forget_before(NOW_MS - BASE.ms)
    assert ready.outcome().values == before.values


def test_what_a_users_model_class_raises_is_an_abstention_with_its_place(ready):
    class Raises:
        def predict(self, features):
            raise ValueError("no")

    user = UserClass(
        name="Mine",
        cls=Raises,
        freqai=False,
        classifies=False,
        file=Path("mine.py"),
        digest="a",
        fault=lambda exc: f"mine.py:3: {exc}",
    )
    model = ready.models[SOL]
    ready.models[SOL] = replace(model, heads=(replace(model.heads[0], model=Raises(), user=user),))
    assert why(ready.outcome()) == (Reason.STRATEGY, "mine.py:3: no")
