"""Our side of the parity with FreqAI: features, labels, split, pipeline and predictions for a case, through the daemon's own parts."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from daemon.core.market import CandleKey
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe
from daemon.features.compute import BlockComputer
from daemon.features.labels import window_labels
from daemon.features.plan import FeaturePlan
from daemon.features.store import FeatureStore
from daemon.learning.models.port import FitOptions, Rows
from daemon.learning.models.registry import model_class
from daemon.learning.options import PipelineOptions
from daemon.learning.pipeline import LabelScaling, prepared
from daemon.learning.split import SplitOptions, recency_weights, split
from daemon.learning.steps.port import Points
from daemon.runtime.preparation import FIRST_GUESS, tried_strategy
from daemon.strategy.hooks import Hooks
from daemon.strategy.loader import load_strategy

FREQAI_NAMES = {
    "use_SVM_to_remove_outliers": "use_svm",
    "DI_threshold": "di_threshold",
    "use_DBSCAN_to_remove_outliers": "use_dbscan",
}
"""FreqAI's names of steps that have another one in `PipelineOptions`."""


class Frames:
    """Candles of every series, as of a moment; what `tried_strategy` takes for a feed."""

    def __init__(self, frames, until_ms):
        self._frames, self.until_ms = frames, until_ms

    def frame(self, key):
        return self._frames[key].between(0, key.timeframe.newest_closed(self.until_ms))


def plan_of(case):
    return FeaturePlan(
        base=Timeframe(case["timeframes"][0]),
        timeframes=tuple(Timeframe(text) for text in case["timeframes"]),
        correlated=tuple(Pair(text) for text in case["correlated"]),
        periods=tuple(case["periods"]),
        shifts=case["shifts"],
    )


def hooks_of(case):
    parameters = {
        "include_timeframes": case["timeframes"],
        "include_corr_pairlist": case["correlated"],
        "indicator_periods_candles": case["periods"],
        "include_shifted_candles": case["shifts"],
        "label_period_candles": case["label_period_candles"],
    }
    config = {
        "timeframe": case["timeframes"][0],
        "stake_currency": "USDT",
        "exchange": {"pair_whitelist": [case["pair"]]},
        "freqai": {"enabled": True, "feature_parameters": parameters},
    }
    return Hooks(load_strategy(case["strategy"], paths=[Path(case["strategy_file"]).parent], config=config))


def features(case, frames):
    """Names, rows and labels of a training as of its end, and the rows of the candles after it."""
    plan, hooks, pair = plan_of(case), hooks_of(case), Pair(case["pair"])
    then, now = Frames(frames, case["train_end_ms"]), Frames(frames, case["later_end_ms"])
    computer = BlockComputer(hooks, plan, FIRST_GUESS)
    tried = tried_strategy(hooks, computer, plan, pairs=[pair], model="LightGBMRegressor", feed=then)
    computer.warm_up, computer.reads = tried.warm_up, tried.reads
    base = CandleKey(pair, plan.base)
    store = FeatureStore(plan, computer, then.frame)
    window = then.frame(base).between(case["train_first_ms"], case["train_end_ms"])
    matrix = store.matrix(pair, window.open_ms)
    (label,) = window_labels(hooks, store, pair, window, lambda: None)
    opens = now.frame(base).between(case["train_end_ms"], case["later_end_ms"]).open_ms
    later = FeatureStore(plan, computer, now.frame).matrix(pair, opens)
    return {
        "names": list(matrix.schema.names),
        "label": label.name,
        "warm_up": tried.warm_up,
        "reads": {"standard": tried.reads.standard, "targets": tried.reads.targets},
        "train_open_ms": window.open_ms,
        "train_values": matrix.values,
        "labels": label.numbers,
        "later_open_ms": opens,
        "later_values": later.values,
    }


def rows(case, values, labels):
    """Rows that are whole, how they are split and weighed; nothing is purged, as in FreqAI."""
    kept = np.flatnonzero(np.isfinite(values).all(axis=1) & np.isfinite(labels))
    divided = split(len(kept), SplitOptions(test_size=case["test_size"], horizon=0))
    weights = recency_weights(len(kept), case["weight_factor"])
    return {
        "kept": kept,
        "train_rows": kept[divided.train],
        "test_rows": kept[divided.test],
        "train_weights": weights[divided.train],
        "test_weights": weights[divided.test],
    }


def training(case, wanted, mine):
    """One model: what the pipeline made and removed, and what is predicted for later rows.

    Args:
        case: the settings.
        wanted: model, parameters and feature_parameters in FreqAI's words; its own test_size.
        mine: what `features` found.
    """
    case = {**case, "test_size": wanted.get("test_size", case["test_size"])}
    divided = rows(case, mine["train_values"], mine["labels"])
    train, test = (
        points(mine["train_values"], mine["labels"], divided[f"{part}_rows"], divided[f"{part}_weights"])
        for part in ("train", "test")
    )
    later = mine["later_values"]
    options = {FREQAI_NAMES.get(name, name): value for name, value in wanted["feature_parameters"].items()}
    made = prepared(train, PipelineOptions(**options, outlier_protection_percentage=100.0), seed=1)
    scaling = LabelScaling.fit(made.points.labels)
    judged_test = made.pipeline.judge(test.features)
    tested = replace(test, features=judged_test.features).only(judged_test.inlier)
    fit = FitOptions(parameters=wanted["parameters"], seed=1, threads=1)
    tests = _rows(tested, scaling) if len(tested) else None
    model = model_class(wanted["model"]).fit(_rows(made.points, scaling), tests, fit)
    judged = made.pipeline.judge(later)
    objections = np.sum(list(judged.outlier.values()), axis=0, dtype=np.int64)
    return {
        "train": made.points.features,
        "kept_weights": made.points.weights,
        "train_labels": scaling.transform(made.points.labels),
        "label_mean_std": np.array([train.labels.mean(), train.labels.std()]),
        "later": judged.features,
        "predictions": scaling.inverse(model.predict(judged.features)),
        "do_predict": 1 - objections if judged.outlier else np.ones(len(later), np.int64),
        "di": judged.di,
        "removed": len(train) - len(made.points),
    }


def points(values, labels, which, weights):
    return Points(np.ascontiguousarray(values[which], np.float32), labels[which], weights)


def _rows(given, scaling):
    return Rows(np.asfortranarray(given.features), scaling.transform(given.labels), given.weights)
