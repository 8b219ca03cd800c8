"""From candles and feature blocks to what a training process is fed with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from daemon.core.errors import Refused
from daemon.core.market import CandleKey
from daemon.features.labels import window_labels
from daemon.learning.job import TrainingJob
from daemon.learning.options import PipelineOptions
from daemon.runtime.targets import check_targets, coded, unknown_tail

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from daemon.core.candles import CandleFrame
    from daemon.core.pair import Pair
    from daemon.features.gathering import Gathering
    from daemon.features.store import FeatureStore
    from daemon.learning.job import Target
    from daemon.strategy.hooks import Hooks


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """What a training needs from the settings; names and meaning are FreqAI's where it has them.

    Attributes:
        train_period_ms: length of the training window.
        label_period_candles: how far labels look ahead; so many rows are purged before the test rows.
        buffer_train_data_candles: candles cut off both ends of the window.
        model: ``freqaimodel``.
        parameters: ``model_training_parameters``.
        test_size: ``data_split_parameters.test_size``.
        train_size: ``data_split_parameters.train_size``; None: all rows that the test leaves.
        weight_factor: recency weighting, 0: off.
        seed: ``data_split_parameters.random_state``, or our default.
        threads: the library's threads.
        shuffle: ``data_split_parameters.shuffle``.
        shuffle_after_split: see FreqAI.
        reverse_train_test_order: see FreqAI.
        pipeline: steps between features and model.
        extra_returns: ``extra_returns_per_train``.
        plot_feature_importances: see FreqAI; it changes no model.
        preparation_threads: ``data_kitchen_thread_count``; 0: not set.
        continual_learning: go on from the pair's present model.
        model_file: file of the user's own model class; empty: it is one of ours.
        model_digest: of that file and its helpers.
        config: the user's configuration, for a model class in FreqAI's manner; empty for others.
    """

    train_period_ms: int
    label_period_candles: int
    buffer_train_data_candles: int
    model: str
    parameters: Mapping[str, Any]
    test_size: float
    weight_factor: float
    seed: int
    threads: int
    shuffle: bool = False
    shuffle_after_split: bool = False
    reverse_train_test_order: bool = False
    pipeline: PipelineOptions = field(default_factory=PipelineOptions)
    extra_returns: Mapping[str, float | str] = field(default_factory=dict)
    plot_feature_importances: int = 0
    preparation_threads: int = 0
    continual_learning: bool = False
    train_size: float | None = None
    model_file: str = ""
    model_digest: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DataSet:
    """One training, ready to be fed to the training process.

    Attributes:
        job: what to train.
        features: of n rows, to be laid out by the training process.
        labels: float64[n, targets], NaN where a target is not known.
        first_ms: open time of the window's first candle, ms UTC.
        window_end_ms: close of its last one.
    """

    job: TrainingJob
    features: Gathering
    labels: NDArray[np.float64]
    first_ms: int
    window_end_ms: int


def data_set(
    pair: Pair,
    close_ms: int,
    options: TrainingOptions,
    *,
    features: FeatureStore,
    hooks: Hooks,
    frame_of: Callable[[CandleKey], CandleFrame],
    give_way: Callable[[], None],
) -> DataSet:
    """The training data of one pair as of a candle's close.

    The window ends at the newest candle that the pair has at ``close_ms``; nothing later is read. ``give_way`` is
    called before each piece of work that takes more than a few milliseconds.

    Raises:
        StrategyError: a hook raised, or the targets do not fit the model.
        Refused: the pair has no candles in the window, or its target no value there.
    """
    base = features.plan.base
    frame = frame_of(CandleKey(pair, base))
    first_ms = close_ms - options.train_period_ms
    window = frame.between(first_ms, close_ms - base.ms)
    cut = options.buffer_train_data_candles
    rows = slice(cut, len(window) - cut)
    if not len(window):
        raise Refused(f"{pair}: no candles in the training window")
    if rows.start >= rows.stop:
        raise Refused(
            f"{pair}: freqai.feature_parameters.buffer_train_data_candles {cut} leaves none of the training window's "
            f"{len(window)} candles, for it cuts off both ends; lower it, or lengthen freqai.train_period_days"
        )
    give_way()
    columns = window_labels(hooks, features, pair, window, give_way)
    check_targets(columns, options.model, options.extra_returns)
    labels, targets = coded(columns, options.label_period_candles)
    gathered, schema = features.gathering(pair, window.open_ms[rows], give_way)
    window_end_ms = int(window.open_ms[-1]) + base.ms
    job = _job(
        pair,
        options,
        targets=targets,
        features=schema.names,
        horizon=max(options.label_period_candles, unknown_tail(columns)),
        open_ms=tuple(window.open_ms[rows].tolist()) if options.config else (),
        window_end_ms=window_end_ms,
    )
    return DataSet(job, gathered, labels[rows], int(window.open_ms[0]), window_end_ms)


def _job(
    pair: Pair,
    options: TrainingOptions,
    *,
    targets: tuple[Target, ...],
    features: tuple[str, ...],
    horizon: int,
    open_ms: tuple[int, ...],
    window_end_ms: int,
) -> TrainingJob:
    """What the training process is told beside the numbers."""
    return TrainingJob(
        pair=str(pair),
        targets=targets,
        features=features,
        model=options.model,
        parameters=dict(options.parameters),
        test_size=options.test_size,
        train_size=options.train_size,
        horizon=horizon,
        weight_factor=options.weight_factor,
        seed=options.seed,
        threads=options.threads,
        shuffle=options.shuffle,
        shuffle_after_split=options.shuffle_after_split,
        reverse_train_test_order=options.reverse_train_test_order,
        pipeline=options.pipeline,
        extra_returns=dict(options.extra_returns),
        plot_feature_importances=options.plot_feature_importances,
        preparation_threads=options.preparation_threads,
        model_file=options.model_file,
        model_digest=options.model_digest,
        config=options.config,
        open_ms=open_ms,
        file_stem=f"cb_{pair.coin.lower()}_{window_end_ms // 1000}",
    )
