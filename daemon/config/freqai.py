"""The ``freqai`` section: every parameter of FreqAI's parameter table, with FreqAI's meaning."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from daemon.config.fields import PairTuple, Section, TimeframeTuple, described
from daemon.core.prediction import name_fault

# A file name on every system; without separators and "..", it cannot lead out of its folder.
_IDENTIFIER = r"^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$"


def _periods(values: tuple[int, ...]) -> tuple[int, ...]:
    if min(values, default=1) < 1:
        raise ValueError("must be periods of at least 1 (candles)")
    return values


def _kept_models(value: object) -> object:
    # FreqAI's older form: true keeps two, false keeps all.
    return {True: 2, False: 0}[value] if isinstance(value, bool) else value


def _column_names(values: dict[str, float | str]) -> dict[str, float | str]:
    for name in values:
        if fault := name_fault(name):
            raise ValueError(f"cannot be taken: {fault}")
    return values


def _enabled(value: bool) -> bool:
    if not value:
        raise ValueError("must be true: without models candled has nothing to do")
    return value


class FeatureParameters(Section):
    """``freqai.feature_parameters``: which features are made, and which rows are kept."""

    include_timeframes: TimeframeTuple = described(
        (), "Timeframes on which features are computed; the base timeframe is put in front if it is left out."
    )
    include_corr_pairlist: PairTuple = described((), "Pairs whose features every other pair gets as well.")
    indicator_periods_candles: Annotated[tuple[int, ...], Field(strict=False), AfterValidator(_periods)] = (
        described((), "Periods for which `feature_engineering_expand_all` is run.", unit="candles")
    )
    include_shifted_candles: int = described(
        0, "Features of this many candles before are added to each candle's own.", unit="candles", ge=0
    )
    label_period_candles: int = described(
        0,
        "Candles that a label looks ahead; `set_freqai_targets` reads it. 0: not set.",
        unit="candles",
        ge=0,
    )
    weight_factor: float = described(
        0.0, "Recent rows weigh more in a training: exponential, typically below 1. 0: all alike.", ge=0
    )
    indicator_max_period_candles: int | None = described(None, "Not used by FreqAI any more.", ge=0)
    principal_component_analysis: bool = described(
        False, "Replace features by the principal components that keep 99.9 % of their variance."
    )
    plot_feature_importances: int = described(
        0, "Plot the importance of this many features, best and worst, beside each model.", ge=0
    )
    DI_threshold: float = described(
        0.0, "Dissimilarity index from which on a row is an outlier; typically below 1. 0: off.", ge=0
    )
    use_SVM_to_remove_outliers: bool = described(  # noqa: N815 - FreqAI's name
        False, "A one-class SVM removes outliers from the training, and forbids predictions on them."
    )
    svm_params: dict[str, Any] = described(
        {"shuffle": False, "nu": 0.01},
        "Parameters of scikit-learn's SGDOneClassSVM; what is set here replaces the default as a whole.",
    )
    use_DBSCAN_to_remove_outliers: bool = described(  # noqa: N815 - FreqAI's name
        False, "DBSCAN removes outliers from the training, and forbids predictions on them."
    )
    noise_standard_deviation: float = described(
        0.0, "Noise added to the training features, in their normalised space (-1 to 1).", ge=0
    )
    outlier_protection_percentage: float = described(
        30.0,
        "The SVM or DBSCAN is left out of a model if it would remove more than this share of its training rows.",
        unit="%",
        ge=0,
        le=100,
    )
    reverse_train_test_order: bool = described(
        False, "Swap the two: train on the `test_size` newest rows, test on the older ones."
    )
    shuffle_after_split: bool = described(False, "Shuffle training and test rows, each by themselves.")
    buffer_train_data_candles: int = described(
        0, "Candles cut off both ends of the training data after features were made.", unit="candles", ge=0
    )


class DataSplitParameters(Section):
    """``freqai.data_split_parameters``: scikit-learn's ``train_test_split``."""

    test_size: float = described(0.1, "Share of the rows kept for the test. 0: no test.", ge=0, lt=1)
    train_size: float | None = described(
        None,
        "Share of the rows to train on, the newest before the test. Not set: all but the test.",
        gt=0,
        lt=1,
    )
    shuffle: bool = described(
        False, "Draw the test rows at random; nothing is purged then, and metrics flatter."
    )
    random_state: int | None = described(
        None, "Seed of a training: the same seed and candles give the same model.", ge=0, le=2**32 - 1
    )
    stratify: Any = described(None, "scikit-learn's parameter of that name.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.train_size is None:
            return self
        if "test_size" in self.model_fields_set and self.train_size + self.test_size > 1:
            raise ValueError("train_size and test_size must add up to at most 1")
        return self

    @property
    def test_share(self) -> float:
        """Share of the rows that judge: as scikit-learn, all that do not train where only ``train_size`` is set."""
        alone = self.train_size is not None and "test_size" not in self.model_fields_set
        return 1 - self.train_size if alone and self.train_size is not None else self.test_size


class RlSettings(Section):
    """``freqai.rl_config``: reinforcement learning."""

    train_cycles: int | None = described(None, "Training steps are this times the number of rows.", ge=1)
    max_trade_duration_candles: int | None = described(
        None, "Trades longer than this are discouraged.", unit="candles", ge=1
    )
    model_type: str | None = described(None, "Algorithm of stable-baselines3, such as `PPO`.")
    policy_type: str | None = described(None, "Policy of stable-baselines3, such as `MlpPolicy`.")
    max_training_drawdown_pct: float = described(0.8, "Largest drawdown in a training.", ge=0)
    cpu_count: int | None = described(None, "Processes of a training.", ge=1)
    model_reward_parameters: dict[str, Any] = described({}, "Read by the user's `calculate_reward`.")
    add_state_info: bool = described(False, "Add the state of the trade to the features.")
    net_arch: Any = described(None, "Layers of the network.")
    randomize_starting_position: bool = described(False, "Start each episode at a random candle.")
    drop_ohlc_from_features: bool = described(False, "Leave the raw prices out of the features.")
    progress_bar: bool = described(False, "Show the progress of a training.")


class FreqaiSettings(Section):
    """``freqai``: models, their life and their training."""

    enabled: Annotated[bool, AfterValidator(_enabled)] = described(
        True, "Must be true: candled is about models."
    )
    identifier: str = described(
        ...,
        "Name of the state folder `user_data/models/<identifier>`: letters, digits, '_', '-' and single dots, at most 100.",
        pattern=_IDENTIFIER,
        max_length=100,
    )
    train_period_days: int = described(..., "Length of the training window.", unit="days", gt=0)
    backtest_period_days: float = described(
        7.0, "Days predicted per training in a back-test.", unit="days", gt=0
    )
    live_retrain_hours: float = described(
        0.0, "Age from which a model is trained again. 0: as often as possible.", unit="hours", ge=0
    )
    expiration_hours: float = described(
        24.0,
        "Age from which a model predicts no more. 0: never. (FreqAI's default is 0.)",
        unit="hours",
        ge=0,
    )
    purge_old_models: Annotated[int, BeforeValidator(_kept_models, json_schema_input_type=int | bool)] = (
        described(2, "Models of each pair kept on disk. 0: all. true is 2.", unit="models", ge=0)
    )
    save_backtest_models: bool = described(False, "Keep the models of a back-test.")
    fit_live_predictions_candles: int = described(
        0,
        "Newest predictions of which `<target>_mean` and `_std` are taken, of classes too. 0: of the training's labels.",
        unit="candles",
        ge=0,
    )
    continual_learning: bool = described(False, "Start a training from the model before it.")
    write_metrics_to_disk: bool = described(
        False, "Write timings, load, test metrics and live skill to `metric_tracker.json`."
    )
    data_kitchen_thread_count: int | None = described(
        None,
        "Threads of the pipeline before a fit (distances, components). Left out: one; more take less time and much more CPU.",
        unit="threads",
        ge=1,
    )
    activate_tensorboard: bool = described(True, "Write TensorBoard logs, where the model can.")
    wait_for_training_iteration_on_reload: bool = described(True, "Finish a training before a reload.")
    multitarget_parallel_training: bool = described(False, "Train the targets of one pair side by side.")
    override_exchange_check: bool = described(False, "Let FreqAI run on exchanges that it advises against.")
    model_save_type: str | None = described(None, "File format of models; ours is the library's own.")
    extra_returns_per_train: Annotated[dict[str, float | str], AfterValidator(_column_names)] = described(
        {},
        "Numbers or texts by name, a column each: written to every prediction of the models trained with it.",
    )
    keras: bool = described(False, "The model is one of Keras.")
    conv_width: int = described(1, "Candles that a network sees at once.", unit="candles", ge=1)
    reduce_df_footprint: bool = described(False, "Use 32 bit numbers; ours always are.")
    feature_parameters: FeatureParameters = described(..., "Which features are made.")
    data_split_parameters: DataSplitParameters = described(
        DataSplitParameters(), "Split into training and test rows."
    )
    model_training_parameters: dict[str, Any] = described({}, "Passed to the model's library as they are.")
    rl_config: RlSettings | None = described(None, "Reinforcement learning.")
