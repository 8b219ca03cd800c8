"""What is kept and told of a training, and the model that is made of it."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from daemon.learning.live import live_model
from daemon.runtime.continuation import parts_of

if TYPE_CHECKING:
    from daemon.core.pair import Pair
    from daemon.learning.job import TrainingResult
    from daemon.learning.live import LiveModel
    from daemon.runtime.dataset import DataSet
    from daemon.state.artifacts import Artifact

log = logging.getLogger(__name__)


def report(pair: Pair, result: TrainingResult, seconds: float, features: int) -> None:
    """Log a good training with its main figures, and warn where much data was lost."""
    shown = (
        "r2",
        "ic",
        "hit_rate",
        "naive_hit_rate",
        "accuracy",
        "naive_accuracy",
        "log_loss",
        "naive_log_loss",
    )
    fields: dict[str, Any] = {
        "pair": pair,
        "seconds": round(seconds, 2),
        "rows": result.rows,
        "features": features,
    }
    for label, metrics in result.metrics.items():
        whose = f"{label} " if len(result.metrics) > 1 else ""
        fields |= {f"{whose}{name}": round(metrics[name], 4) for name in shown if name in metrics}
    fields |= {"dropped": result.dropped} if result.dropped else {}
    fields |= {f"{name}_outliers": count for name, count in result.outliers.items() if count}
    fields |= {"continued": True} if result.continued else {}
    log.info("trained", extra={"fields": fields})
    if result.afresh:
        log.warning("training_begins_afresh", extra={"fields": {"pair": pair, "why": result.afresh}})
    if result.outliers_left_in:
        # A method that finds more outliers than the user allows is no judge of them, live as little as in training.
        left_in = {"pair": pair, "rows": result.rows, "would_remove": dict(result.outliers_left_in)}
        log.warning("outlier_method_left_out", extra={"fields": left_in})
    if result.dropped > (result.rows + result.test_rows) // 9:  # a tenth of all rows
        worst = {"pair": pair, "dropped": result.dropped, "features": dict(result.worst_features)}
        log.warning("many_rows_dropped", extra={"fields": worst})


def model_of(artifact: Artifact) -> LiveModel:
    """The model of an artifact, ready to predict.

    Raises:
        Corrupt: its files are whole, but do not make a model.
        ConfigError: it is of a model class that this candled does not have.
    """
    contents = {part: path.read_bytes() for part, path in parts_of(artifact).items()}
    return live_model(artifact.pair, artifact.name, artifact.metadata, contents)


def doubt_of(artifact: Artifact, strategy_digest: str, label_period_candles: int) -> str:
    """Why nothing may be entered on a model's predictions; empty if nothing speaks against that.

    Features and targets of the same names may mean something else to the strategy as it is now.
    """
    metadata = artifact.metadata
    if metadata.get("strategy_digest", strategy_digest) != strategy_digest:
        return f"{artifact.name} was trained with another version of the strategy"
    before = metadata.get("label_period_candles", label_period_candles)
    if before != label_period_candles:
        return f"{artifact.name} was trained with label_period_candles {before}"
    return ""


def training_metadata(
    data: DataSet, result: TrainingResult, *, recipe: str, strategy_digest: str, label_period_candles: int
) -> dict[str, Any]:
    """What an artifact says about itself; FreqAI's names where it has them, times in ms UTC."""
    job = data.job
    return {
        "label_list": [target.name for target in job.targets],
        "classes": {target.name: list(target.classes) for target in job.targets},
        "labels_mean": dict(result.label_mean),
        "labels_std": dict(result.label_std),
        "training_features_list": list(job.features),
        "model_class": job.model,
        "model_digest": job.model_digest,
        "model_training_parameters": dict(job.parameters),
        "seed": job.seed,
        "test_size": job.test_size,
        "train_size": job.train_size,
        "purged_candles": job.horizon,
        "weight_factor": job.weight_factor,
        "window_start_ms": data.first_ms,
        "window_end_ms": data.window_end_ms,
        "rows": result.rows,
        "test_rows": result.test_rows,
        "dropped_rows": result.dropped,
        "missing_features": dict(result.worst_features),
        "shuffle": job.shuffle,
        "shuffle_after_split": job.shuffle_after_split,
        "reverse_train_test_order": job.reverse_train_test_order,
        "pipeline": asdict(job.pipeline),
        "outliers": dict(result.outliers),
        "outliers_left_in": dict(result.outliers_left_in),
        "test_outliers": result.test_outliers,
        "metrics": {label: dict(found) for label, found in result.metrics.items()},
        "continued_from": job.start if result.continued else "",
        "extra_returns": dict(result.extra_returns),
        "seconds": dict(result.seconds),
        "recipe": recipe,
        "strategy_digest": strategy_digest,
        "label_period_candles": label_period_candles,
    }
