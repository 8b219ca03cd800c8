"""What a training is asked to do, and what comes of it: plain values that cross to the training process."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from daemon.learning.options import PipelineOptions

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is to be learnt: one column of labels.

    Attributes:
        name: the column, ``&-s_close``.
        classes: class names, by code; empty for regression.
    """

    name: str
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """One model to train.

    Attributes:
        pair: whose model it is.
        targets: what it learns, in the order of the columns of labels; each is fitted by itself.
        features: names of the columns of the matrix.
        model: name of the model class, as in ``freqaimodel``.
        parameters: the user's ``model_training_parameters``.
        test_size: share of the rows, the newest ones, that the model is judged on; 0: none.
        train_size: share of the rows that trains, the newest before the test; None: all that the test leaves.
        horizon: candles that a label looks ahead; so many rows are purged before the test rows.
        weight_factor: FreqAI's recency weighting; 0: all rows weigh the same.
        seed: of everything random in the training.
        threads: how many the library may use.
        file_stem: files of the artifact begin with it, ``cb_btc_1700000000``.
        shuffle: draw the test rows at random.
        shuffle_after_split: shuffle training and test rows, each among themselves.
        reverse_train_test_order: train on the newest rows, test on the oldest.
        pipeline: steps between features and model.
        extra_returns: ``extra_returns_per_train``, a column each beside the predictions.
        plot_feature_importances: how many features, best and worst, are plotted beside the model; 0: no plot.
        preparation_threads: how many the numerical libraries may use before the fit; 0: one.
        start: name of the artifact that the training goes on from; empty: from nothing.
        start_files: its files: part (``model``, ``pipeline``, ...) -> absolute path.
        model_file: file of the user's own model class; empty: it is one of ours.
        model_digest: of that file and its helpers.
        config: the user's configuration, for a model class in FreqAI's manner.
        open_ms: open time of each row's candle, ms UTC, for the same.
    """

    pair: str
    targets: tuple[Target, ...]
    features: tuple[str, ...]
    model: str
    parameters: Mapping[str, Any]
    test_size: float
    horizon: int
    weight_factor: float
    seed: int
    threads: int
    file_stem: str
    shuffle: bool = False
    shuffle_after_split: bool = False
    reverse_train_test_order: bool = False
    pipeline: PipelineOptions = field(default_factory=PipelineOptions)
    extra_returns: Mapping[str, float | str] = field(default_factory=dict)
    plot_feature_importances: int = 0
    train_size: float | None = None
    preparation_threads: int = 0
    start: str = ""
    start_files: Mapping[str, str] = field(default_factory=dict)
    model_file: str = ""
    model_digest: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    open_ms: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A dict of JSON values, not copied: there are thousands of them."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return values | {
            "targets": [asdict(each) for each in self.targets],
            "pipeline": asdict(self.pipeline),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TrainingJob:
        """The inverse of `to_json`."""
        targets = tuple(
            Target(name=each["name"], classes=tuple(each["classes"])) for each in values["targets"]
        )
        pipeline = PipelineOptions(**values["pipeline"])
        parts = {"targets": targets, "features": tuple(values["features"]), "pipeline": pipeline}
        return cls(**{**values, **parts})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """What a training found out; the files lie in the staging folder.

    Attributes:
        files: names of the files written.
        rows: rows that the model was fitted on.
        test_rows: rows that it was judged on.
        dropped: rows left out because a feature had no value.
        worst_features: features that most of the dropped rows lacked, with their counts.
        label_mean: by target, the mean of its label over the training rows; as in FreqAI each class has an entry,
            0, in place of its target.
        label_std: the same of its standard deviation (population).
        metrics: by target, on the test rows, ours and the naive baseline's: ``{"r2": .., "naive_mae": ..}``; empty
            without test rows.
        seconds: real seconds by stage.
        outliers: training rows removed by each outlier method.
        outliers_left_in: outlier methods that were left out, each with the rows that it would have removed, more
            than ``outlier_protection_percentage``.
        test_outliers: test rows that the model was not judged on, because live it would have abstained.
        extra_returns: columns beside the predictions, those of the job and those that the training set.
        continued: whether it went on from the model that the job names.
        afresh: why it did not, where the job names one.
    """

    files: tuple[str, ...]
    rows: int
    test_rows: int
    dropped: int
    worst_features: Mapping[str, int]
    label_mean: Mapping[str, float]
    label_std: Mapping[str, float]
    metrics: Mapping[str, Mapping[str, float]]
    seconds: Mapping[str, float] = field(default_factory=dict)
    outliers: Mapping[str, int] = field(default_factory=dict)
    outliers_left_in: Mapping[str, int] = field(default_factory=dict)
    test_outliers: int = 0
    extra_returns: Mapping[str, float | str] = field(default_factory=dict)
    continued: bool = False
    afresh: str = ""

    def to_json(self) -> dict[str, Any]:
        """A dict of JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TrainingResult:
        """The inverse of `to_json`."""
        return cls(**{**values, "files": tuple(values["files"])})
