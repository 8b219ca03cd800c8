"""What both studies of skill share: features of a whole history, a window's fit on either side, kept figures."""

import json
import sys
import time
from pathlib import Path

import catboost
import numpy as np
from scipy.stats import rankdata

from daemon.core.market import CandleKey
from daemon.features.compute import BlockComputer
from daemon.features.labels import label_columns
from daemon.features.store import FeatureStore
from daemon.learning.models.catboost import CatboostRegressor
from daemon.learning.models.port import FitOptions, Rows
from daemon.learning.options import PipelineOptions
from daemon.learning.pipeline import LabelScaling, prepared
from daemon.learning.split import SplitOptions, recency_weights, split
from daemon.learning.steps.port import Points
from daemon.runtime.preparation import FIRST_GUESS, tried_strategy

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests" / "parity"))
from parity_side import Frames, hooks_of, plan_of

DAY = 288
"""Candles of a day."""
HORIZON = 24
"""Candles that the label looks ahead."""
SEED = 1


def history(case, frames, pairs, candles):
    """Features and label of every candle of the pairs, each as of its own close.

    One pass over the whole history gives the bits that a training at any time would gather: rows are a function of
    the candles before them and of fixed spans.

    Args:
        case: the settings, in the words of `parity_side`.
        frames: candles by series.
        pairs: whose history.
        candles: how many of the newest base candles.

    Returns:
        By pair: open times int64[n], rows float32[n, features], label float64[n] (NaN at the end), names.
    """
    plan, hooks = plan_of(case), hooks_of(case)
    feed = Frames(frames, case["until_ms"])
    computer = BlockComputer(hooks, plan, FIRST_GUESS)
    tried = tried_strategy(hooks, computer, plan, pairs=pairs[:1], model="CatboostRegressor", feed=feed)
    computer.warm_up, computer.reads = tried.warm_up, tried.reads
    store = FeatureStore(plan, computer, feed.frame)
    found = {}
    for pair in pairs:
        frame = feed.frame(CandleKey(pair, plan.base))
        kept = frame[-candles:]
        matrix = store.matrix(pair, kept.open_ms)
        (label,) = label_columns(hooks, pair, frame)
        found[pair] = kept.open_ms, matrix.values, label.numbers[-candles:], matrix.schema.names
    return found


def fitted(side, rows, labels, *, test_size, weight_factor, parameters):
    """One training of a side on a window whose newest labels are not known yet.

    `whole` is FreqAI's CatboostRegressor: nothing purged, CatBoost's own defaults, the test rows as `eval_set`. CatBoost
    grows 1000 trees and keeps them up to the one that is best on the test. `freqai` is the same but ends 100 trees behind
    the best: mostly the same trees, for a tenth of the time. `candled` is `CatboostRegressor` with our defaults under
    ``parameters``. All go through the same pipeline (constant columns, scaling of features and label), which
    benchmarks/parity.py holds to FreqAI's.

    Returns:
        A function from raw rows to predictions, CPU seconds of preparation and of the fit, number of trees.
    """
    whole = np.flatnonzero(np.isfinite(rows).all(axis=1) & np.isfinite(labels))
    rows, labels = rows[whole], labels[whole]
    horizon = HORIZON if side == "candled" else 0
    divided = split(len(rows), SplitOptions(test_size=test_size, horizon=horizon))
    weights = recency_weights(len(rows), weight_factor)
    started = time.process_time()
    train = Points(np.ascontiguousarray(rows[divided.train]), labels[divided.train], weights[divided.train])
    made = prepared(train, PipelineOptions(), SEED)
    scaling = LabelScaling.fit(made.points.labels)

    def part(features, which):
        return Rows(np.asfortranarray(features), scaling.transform(labels[which]), weights[which])

    learnt = part(made.points.features, divided.train)
    tested = part(made.pipeline.transform(rows[divided.test]), divided.test) if len(divided.test) else None
    ready = time.process_time()
    if side == "candled":
        model = CatboostRegressor.fit(learnt, tested, FitOptions(parameters=parameters, seed=SEED, threads=1))
        trees = model._booster.tree_count_
    else:
        model = _peers(learnt, tested, {} if side == "whole" else {"od_type": "Iter", "od_wait": 100})
        trees = model.tree_count_
    done = time.process_time()

    def predict(values):
        return scaling.inverse(np.asarray(model.predict(made.pipeline.transform(values)), np.float64))

    return predict, ready - started, done - ready, trees


def _peers(learnt, tested, parameters):
    """FreqAI's fit: the library's defaults, thread count and seed aside, which are set for a fair clock."""
    model = catboost.CatBoostRegressor(
        **{
            "allow_writing_files": False,
            "logging_level": "Silent",
            "thread_count": 1,
            "random_seed": SEED,
            **parameters,
        }
    )
    pools = [
        None if given is None else catboost.Pool(given.features, given.labels, weight=given.weights)
        for given in (learnt, tested)
    ]
    return model.fit(pools[0], eval_set=pools[1])


def spearman(a, b):
    """Rank correlation; 0 where one of them is constant."""
    ranks = rankdata(a) - (len(a) + 1) / 2, rankdata(b) - (len(b) + 1) / 2
    size = np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum())
    return float(ranks[0] @ ranks[1] / size) if size else 0.0


class Kept:
    """Figures on a file, one JSON object a line: a study that was ended goes on where it stood."""

    def __init__(self, path):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text().splitlines() if path.exists() else []
        self.rows = [json.loads(line) for line in lines if line.endswith("}")]
        self._known = {row["key"] for row in self.rows}

    def __contains__(self, key):
        return key in self._known

    def add(self, key, figures):
        row = {"key": key, **figures}
        self.rows.append(row)
        self._known.add(key)
        with self.path.open("a") as stream:
            stream.write(json.dumps(row) + "\n")


def interval(blocks, statistic, *, draws=10_000, seed=1):
    """Bootstrap over blocks that are drawn whole: 95 % percentile interval of a statistic.

    Args:
        blocks: [blocks, ...], what the statistic is made of, block by block.
        statistic: from [blocks, ...] to a number.
        draws: how many.
        seed: of the draw.
    """
    generator = np.random.default_rng(seed)
    found = [statistic(blocks[generator.integers(0, len(blocks), len(blocks))]) for _ in range(draws)]
    return [round(float(value), 5) for value in np.quantile(found, [0.025, 0.975])]
