"""fit_live_predictions_candles; the golden numbers are those of FreqAI 2026.9's own fit_live_predictions."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from desk import BASE, NOW_MS, PAIRS
from runtime_desk import EngineDesk

from daemon.core.errors import Refused
from daemon.core.prediction import Abstention, Prediction, Reason
from daemon.core.schema import FeatureSchema
from daemon.features.compute import BlockComputer
from daemon.features.store import FeatureStore
from daemon.learning.head import Head
from daemon.learning.job import Target
from daemon.learning.live import LiveModel
from daemon.learning.pipeline import FeaturePipeline, LabelScaling
from daemon.runtime.live_statistics import LiveStatistics
from daemon.state.folder import StateFolder
from daemon.state.history import HistoryRow, PredictionHistory

SOL = PAIRS[2]
FIRST_MS = NOW_MS - 1000 * BASE.ms
FREQAI = {
    30: {
        "&-rise": (0.0012495275241512433, 0.007278618863507708),
        "down": (0.46732133722688823, 0.27851112841665976),
        "up": (0.5326786627731116, 0.2785111284166597),
    },
    31: {
        "&-rise": (0.0018245030706415138, 0.007484441335281288),
        "down": (0.4686228253757372, 0.2791301523268801),
        "up": (0.5313771746242628, 0.2791301523268801),
    },
    39: {
        "&-rise": (0.002159223134171774, 0.007287727014960283),
        "down": (0.49425987103298247, 0.2861009385279702),
        "up": (0.5057401289670175, 0.2861009385279702),
    },
}
"""Of 25 candles, before the candle of each number; `Rise` and `Way` made what it was given."""


class Rise:
    """Says a wave; the feature is the number of the candle."""

    def predict(self, features):
        i = features[:, 0].astype(np.float64)
        return 0.01 * np.sin(0.7 * i) + 1e-4 * i


class Way:
    """The probabilities of "down" and "up"."""

    def predict(self, features):
        up = 0.5 + 0.4 * np.cos(0.9 * features[:, 0].astype(np.float64))
        return np.column_stack((1 - up, up))


class Numbered:
    """Features: the number of the candle, NaN where the test says so."""

    plan = SimpleNamespace(base=BASE)

    def __init__(self):
        self.unknown, self.fault, self.schema = set(), None, FeatureSchema(("%-n",))

    def matrix(self, pair, open_ms):
        if self.fault:
            raise self.fault
        numbers = (open_ms - FIRST_MS) // BASE.ms
        values = np.where(np.isin(numbers, list(self.unknown)), np.nan, numbers).astype(np.float32)
        return SimpleNamespace(values=values[:, None], schema=self.schema)


MODEL = LiveModel(
    pair=SOL,
    name="sub-train-SOL_1",
    window_end_ms=FIRST_MS,
    heads=(
        Head(
            target=Target(name="&-rise"),
            label_mean=7.0,
            label_std=8.0,
            scaling=LabelScaling(-1.0, 1.0),
            model=Rise(),
        ),
        Head(
            target=Target(name="&s-way", classes=("down", "up")),
            label_mean=0.0,
            label_std=0.0,
            scaling=None,
            model=Way(),
        ),
    ),
    schema=FeatureSchema(("%-n",)),
    pipeline=FeaturePipeline(()),
    metrics={},
)


class Desk:
    def __init__(self, path, candles=25, model=MODEL):
        self.path, self.candles = path, candles
        self.history = PredictionHistory.open(StateFolder(path))
        self.features, self.model = Numbered(), model
        self.statistics = self.fresh()

    def fresh(self):
        return LiveStatistics(
            self.candles,
            history=self.history,
            features=self.features,
            models={SOL: self.model},
            frame_of=lambda key: SimpleNamespace(open_ms=FIRST_MS + np.arange(40) * BASE.ms),
        )

    def outcome(self, number):
        values = self.model.values(np.float32([number]))
        return Prediction(
            pair=SOL, candle_ms=FIRST_MS + number * BASE.ms, values=values, model=self.model.name
        )

    def lives(self, first, stop):
        """The candles are handled as the engine does; the outcome of each."""
        outcomes = [self.statistics.added(self.outcome(number)) for number in range(first, stop)]
        self.record(*outcomes)
        return dict(zip(range(first, stop), outcomes, strict=True))

    def record(self, *outcomes):
        rows = [HistoryRow(pair=SOL, candle_ms=each.candle_ms, values=each.values) for each in outcomes]
        assert self.history.append(rows).saved


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def found(outcome):
    return {name: (outcome.values[f"{name}_mean"], outcome.values[f"{name}_std"]) for name in FREQAI[30]}


def close(one, other):
    return all(one[name] == pytest.approx(other[name], rel=1e-12) for name in FREQAI[30])


@pytest.mark.parametrize("recorded", [30, 25, 3, 0])
def test_they_are_freqais_whether_on_record_or_made_up_in_front_of_it(desk, recorded):
    desk.record(*[desk.outcome(number) for number in range(30 - recorded, 30)])
    outcomes = desk.lives(30, 40)
    for number, numbers in FREQAI.items():
        assert close(found(outcomes[number]), numbers)
    assert outcomes[30].values["&-rise"] == desk.outcome(30).values["&-rise"]
    assert outcomes[30].values["&s-way"] == desk.outcome(30).values["&s-way"]


def test_what_is_made_up_is_not_recorded(desk):
    desk.lives(30, 32)
    assert desk.history.rows(SOL) == 2


def test_a_restart_goes_on_with_the_same_numbers(desk):
    desk.record(*[desk.outcome(number) for number in range(30)])
    desk.lives(30, 35)
    later = desk.fresh().added(desk.outcome(35))
    assert repr(later) == repr(desk.lives(35, 36)[35])  # from Python 3.13 on, NaN in a dataclass equals none


def test_candles_without_a_prediction_do_not_count(desk):
    desk.record(*[desk.outcome(number) for number in range(30)])
    nothing = Abstention(pair=SOL, candle_ms=FIRST_MS + 30 * BASE.ms, reason=Reason.EXPIRED)
    assert desk.statistics.added(nothing) is nothing
    desk.record(nothing)
    assert close(found(desk.statistics.added(desk.outcome(30))), FREQAI[30])
    assert close(found(desk.fresh().added(desk.outcome(30))), FREQAI[30])


def test_an_outliers_prediction_counts(desk):
    desk.record(*[desk.outcome(number) for number in range(30)])
    plain = desk.outcome(30)
    outlier = Abstention(pair=SOL, candle_ms=plain.candle_ms, reason=Reason.OUTLIER, values=plain.values)
    assert close(found(desk.statistics.added(outlier)), FREQAI[30])
    assert close(found(desk.statistics.added(desk.outcome(31))), FREQAI[31])


def test_rows_that_lack_a_feature_are_not_made_up(desk):
    desk.features.unknown = {29}
    mean = np.mean([desk.outcome(number).values["&-rise"] for number in range(5, 29)])
    assert desk.lives(30, 31)[30].values["&-rise_mean"] == pytest.approx(mean, rel=1e-12)


@pytest.mark.parametrize("fault", ["refused", "other schema"])
def test_with_nothing_to_go_on_the_trainings_statistics_stand(desk, fault):
    if fault == "refused":
        desk.features.fault = Refused("no candles")
    else:
        desk.features.schema = FeatureSchema(("%-other",))
    outcomes = desk.lives(30, 32)
    assert (outcomes[30].values["&-rise_mean"], outcomes[30].values["&-rise_std"]) == (7.0, 8.0)
    assert outcomes[31].values["&-rise_mean"] == outcomes[30].values["&-rise"]
    assert outcomes[31].values["&-rise_std"] == 0.0


def test_an_extra_return_of_the_same_name_stays(tmp_path):
    desk = Desk(tmp_path, model=replace(MODEL, extra_returns={"&-rise_std": 0.5}))
    values = desk.lives(30, 31)[30].values
    assert values["&-rise_std"] == 0.5
    assert values["&-rise_mean"] == pytest.approx(FREQAI[30]["&-rise"][0])


def test_they_begin_with_what_the_model_says_of_the_real_candles_before(tmp_path, hooks, plan, candles):
    features = FeatureStore(plan, BlockComputer(hooks(), plan, 256), lambda key: candles(key, NOW_MS))
    times = np.arange(NOW_MS - 11 * BASE.ms, NOW_MS, BASE.ms)
    matrix = features.matrix(SOL, times)
    model = replace(MODEL, schema=matrix.schema)
    statistics = LiveStatistics(
        10,
        history=PredictionHistory.open(StateFolder(tmp_path)),
        features=features,
        models={SOL: model},
        frame_of=lambda key: candles(key, NOW_MS),
    )
    says = [model.values(row) for row in matrix.values]
    outcome = Prediction(pair=SOL, candle_ms=int(times[-1]), values=says[-1], model="m")
    mean = np.mean([values["&-rise"] for values in says[:-1]])
    assert statistics.added(outcome).values["&-rise_mean"] == pytest.approx(mean, rel=1e-9)


def test_the_engine_records_and_hands_on_what_they_add(tmp_path):
    class Adding:
        def added(self, outcome):
            return replace(outcome, values={**outcome.values, "&-s_close_mean": 0.25})

    made = EngineDesk(tmp_path, statistics=Adding())
    made.tick()
    assert made.history.frame(SOL)["&-s_close_mean"].tolist() == [0.25]
    assert made.tally.outcome(SOL).values["&-s_close_mean"] == 0.25
