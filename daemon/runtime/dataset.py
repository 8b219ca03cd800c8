"""From candles and feature blocks to what a training process is fed with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.core.errors import Refused, StrategyError
from daemon.core.market import CandleKey
from daemon.features.labels import LabelKind, window_labels
from daemon.learning.job import TrainingJob
from daemon.learning.options import PipelineOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from daemon.core.candles import CandleFrame
    from daemon.core.pair import Pair
    from daemon.features.labels import LabelColumn
    from daemon.features.store import FeatureStore
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
        weight_factor: recency weighting, 0: off.
        seed: ``data_split_parameters.random_state``, or our default.
        threads: the library's threads.
        shuffle: ``data_split_parameters.shuffle``.
        shuffle_after_split: see FreqAI.
        reverse_train_test_order: see FreqAI.
        pipeline: steps between features and model.
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


@dataclass(frozen=True, slots=True)
class DataSet:
    """One training, ready to be fed to the training process."""

    job: TrainingJob
    features: NDArray[np.float32]
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
    if rows.start >= rows.stop:
        raise Refused(f"{pair}: no candles in the training window")
    give_way()
    label = fitting_label(window_labels(hooks, features, pair, window, give_way), options.model)
    numbers, classes = _coded(label, options.label_period_candles)
    horizon = max(options.label_period_candles, _unknown_tail(label))
    matrix = features.matrix(pair, window.open_ms[rows], give_way)
    window_end_ms = int(window.open_ms[-1]) + base.ms
    job = TrainingJob(
        pair=str(pair),
        label=label.name,
        classes=classes,
        features=matrix.schema.names,
        model=options.model,
        parameters=dict(options.parameters),
        test_size=options.test_size,
        horizon=horizon,
        weight_factor=options.weight_factor,
        seed=options.seed,
        threads=options.threads,
        shuffle=options.shuffle,
        shuffle_after_split=options.shuffle_after_split,
        reverse_train_test_order=options.reverse_train_test_order,
        pipeline=options.pipeline,
        file_stem=f"cb_{pair.coin.lower()}_{window_end_ms // 1000}",
    )
    return DataSet(job, matrix.values, numbers[rows], int(window.open_ms[0]), window_end_ms)


def fitting_label(columns: Sequence[LabelColumn], model: str) -> LabelColumn:
    """The one target that a model of this kind can learn.

    Raises:
        StrategyError: there are several, or it is of the other kind.
    """
    if len(columns) > 1:
        raise StrategyError(
            f"set_freqai_targets makes {len(columns)} targets ({', '.join(c.name for c in columns)}), "
            f"{model} learns one: keep one column that begins with '&'"
        )
    label = columns[0]
    wants_classes = model.endswith("Classifier")
    if wants_classes != (label.kind is LabelKind.CLASS):
        kind, other = ("text", "Regressor") if wants_classes else ("numbers", "Classifier")
        raise StrategyError(
            f"target {label.name!r} does not fit {model}, which learns {kind}: "
            f"change the target, or set freqaimodel to Catboost{other}"
        )
    return label


def _coded(label: LabelColumn, horizon: int) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Numbers as they are; classes as codes in the sorted order of their names, NaN where unknown.

    ``np.where(later > now, "up", "down")`` gives the newest candles a class although nobody knows it yet, because
    a comparison with NaN is false. What lies within the label's horizon of the end is not learnt from.
    """
    if label.kind is LabelKind.NUMBER:
        return label.numbers, ()
    names = label.class_names
    if not names:
        raise Refused(f"label {label.name!r} has no value in the whole training window")
    codes = np.searchsorted(np.array(names), label.classes).astype(np.float64)
    codes[~label.known] = np.nan
    codes[len(codes) - min(horizon, len(codes)) :] = np.nan
    return codes, names


def _unknown_tail(label: LabelColumn) -> int:
    """Candles at the end without a label: how far the label really looks ahead."""
    known = np.flatnonzero(label.known)
    return len(label.known) - 1 - int(known[-1]) if len(known) else 0
