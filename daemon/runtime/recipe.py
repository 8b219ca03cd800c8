"""What the settings say to each part: features, engine, trainer; and the digest that names a model's recipe."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from daemon.features.plan import FeaturePlan
from daemon.learning.options import PipelineOptions
from daemon.runtime.dataset import TrainingOptions
from daemon.runtime.engine_options import EngineOptions
from daemon.runtime.scorer import LOOK_BACK, ScorerOptions
from daemon.runtime.strategy_view import CANDLES
from daemon.runtime.trainer import TrainerOptions
from daemon.state.retention import Retention

if TYPE_CHECKING:
    from daemon.config import Settings
    from daemon.config.freqai import FeatureParameters
    from daemon.learning.models.user import UserClass

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
DEFAULT_SEED = 1
_NO_PART = {"threads", "preparation_threads", "plot_feature_importances", "model_file"}
"""Options of a training that change no bit of its model."""
_OF_USERS = {"model_digest", "config"}
"""Options that only a user's own model class has."""


def feature_plan(settings: Settings) -> FeaturePlan:
    """The part of the settings that decides which features there are."""
    parameters = settings.freqai.feature_parameters
    return FeaturePlan(
        base=settings.timeframe,
        timeframes=parameters.include_timeframes,
        correlated=parameters.include_corr_pairlist,
        periods=parameters.indicator_periods_candles,
        shifts=parameters.include_shifted_candles,
    )


def training_options(settings: Settings, user: UserClass | None = None) -> TrainingOptions:
    """The part of the settings that decides what a training does; ``user`` is the user's own model class."""
    freqai, parameters = settings.freqai, settings.freqai.feature_parameters
    seed = freqai.data_split_parameters.random_state
    return TrainingOptions(
        train_period_ms=freqai.train_period_days * DAY_MS,
        label_period_candles=parameters.label_period_candles,
        buffer_train_data_candles=parameters.buffer_train_data_candles,
        model=settings.freqaimodel,
        parameters=freqai.model_training_parameters,
        test_size=freqai.data_split_parameters.test_share,
        train_size=freqai.data_split_parameters.train_size,
        weight_factor=parameters.weight_factor,
        seed=DEFAULT_SEED if seed is None else seed,
        threads=settings.candled.training.thread_count,
        shuffle=freqai.data_split_parameters.shuffle,
        shuffle_after_split=parameters.shuffle_after_split,
        reverse_train_test_order=parameters.reverse_train_test_order,
        pipeline=pipeline_options(parameters),
        extra_returns=freqai.extra_returns_per_train,
        plot_feature_importances=parameters.plot_feature_importances,
        preparation_threads=freqai.data_kitchen_thread_count or 0,
        continual_learning=freqai.continual_learning,
        model_file="" if user is None else str(user.file.resolve()),
        model_digest="" if user is None else user.digest,
        config=user.config if user is not None and user.freqai else {},
    )


def pipeline_options(parameters: FeatureParameters) -> PipelineOptions:
    """The steps between features and model."""
    return PipelineOptions(
        principal_component_analysis=parameters.principal_component_analysis,
        use_svm=parameters.use_SVM_to_remove_outliers,
        svm_params=dict(parameters.svm_params),
        di_threshold=parameters.DI_threshold,
        use_dbscan=parameters.use_DBSCAN_to_remove_outliers,
        noise_standard_deviation=parameters.noise_standard_deviation,
        outlier_protection_percentage=parameters.outlier_protection_percentage,
    )


def recipe(settings: Settings, strategy_digest: str, user: UserClass | None = None) -> str:
    """SHA-256 of all that decides what a model is, but for the candles."""
    training = training_options(settings, user)
    left_out = _NO_PART | _OF_USERS
    parts: dict[str, Any] = {
        "strategy": strategy_digest,
        "plan": repr(feature_plan(settings)),
        "training": {name: getattr(training, name) for name in training.__slots__ if name not in left_out}
        | {"pipeline": asdict(training.pipeline)},
    }
    if user is not None:  # whose code may read any key of the section
        parts["user"] = [user.digest, training.config.get("freqai")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def trainer_options(
    settings: Settings, strategy_digest: str, user: UserClass | None = None
) -> TrainerOptions:
    """The part of the settings that decides when which pair is trained, and what is kept."""
    most_gb = settings.candled.max_disk_gb
    return TrainerOptions(
        pairs=settings.pairs,
        training=training_options(settings, user),
        retrain_ms=int(settings.freqai.live_retrain_hours * HOUR_MS),
        keep_models=settings.freqai.purge_old_models,
        max_disk_bytes=None if most_gb is None else int(most_gb * 1e9),
        recipe=recipe(settings, strategy_digest, user),
        strategy_digest=strategy_digest,
    )


def scorer_options(settings: Settings) -> ScorerOptions:
    """The part of the settings that decides how predictions are judged, and when that asks for a training."""
    return ScorerOptions(
        pairs=settings.pairs,
        base=settings.timeframe,
        window=settings.candled.skill_window,
        horizon=settings.freqai.feature_parameters.label_period_candles,
        label_period_ms=settings.freqai.train_period_days * DAY_MS,
        skill_share=settings.candled.retrain.skill_share,
        min_predictions=settings.candled.retrain.min_predictions,
    )


def retention(settings: Settings) -> Retention:
    """The part of the settings that decides how long predictions stay: never shorter than anything looks at them."""
    freqai, judged = settings.freqai, scorer_options(settings)
    return Retention(
        keep_ms=_days_ms(settings.candled.keep_predictions_days),
        least_rows=max(
            CANDLES,
            # Statistics, too, are of predictions: a pair that often abstains has them among older rows.
            LOOK_BACK * freqai.fit_live_predictions_candles,
            LOOK_BACK * judged.window + judged.horizon,
        ),
    )


def keep_candles_ms(settings: Settings) -> int | None:
    """How long candles stay in the candle files, ms; None: for ever."""
    return _days_ms(settings.candled.keep_candles_days)


def engine_options(settings: Settings) -> EngineOptions:
    """The part of the settings that decides which candles are handled, and when."""
    return EngineOptions(
        pairs=settings.pairs,
        base=settings.timeframe,
        grace_ms=int(settings.candled.grace_s * 1000),
        keep_ms=settings.freqai.train_period_days * DAY_MS + settings.timeframe.ms,
        expiration_ms=expiration_ms(settings),
    )


def expiration_ms(settings: Settings) -> int | None:
    """Age at which a model predicts no more; None: never."""
    hours = settings.freqai.expiration_hours
    return int(hours * HOUR_MS) if hours else None


def _days_ms(days: float | None) -> int | None:
    return None if days is None else int(days * DAY_MS)
