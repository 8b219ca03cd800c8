"""The base classes that model files of FreqAI's users derive from."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.preprocessing import MinMaxScaler

from daemon.learning.freqai import transforms as ds
from daemon.learning.freqai.detectors import DBSCAN, DissimilarityIndex, SVMOutlierExtractor
from daemon.learning.freqai.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.learning.freqai.kitchen import FreqaiDataKitchen

__all__ = ["BaseClassifierModel", "BaseRegressionModel", "FreqaiDataDrawer", "IFreqaiModel"]

NEVER_CALLED = frozenset(
    """
    start start_live start_scanning start_backtesting start_backtesting_from_historic_predictions shutdown clean_up
    extract_data_and_train_model fit_live_predictions backtesting_fit_live_predictions build_strategy_return_arrays
    set_initial_historic_predictions set_start_dry_live_date model_exists inference_timer train_timer
    track_current_candle update_metadata cache_corr_pairlist_dfs _on_stop _start_scanning
    data_cleaning_train data_cleaning_predict
    """.split()  # noqa: SIM905  a list of thirty quoted names is no easier to read
)
"""Methods of FreqAI's own class that candled does not have: to override one would have no effect."""


class FreqaiDataDrawer:
    """FreqAI's ``self.dd``: here the model that a training goes on from, and nothing else."""

    def __init__(self) -> None:
        self.model_dictionary: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"candled's self.dd has no {name!r}, only model_dictionary: predictions and metadata are the daemon's own"
        )


class IFreqaiModel:
    """What the base classes share. One object trains or predicts for one pair.

    Attributes:
        model: the fitted model, in `predict`.
    """

    classifies: bool

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.freqai_info: dict[str, Any] = config["freqai"]
        self.data_split_parameters: dict[str, Any] = self.freqai_info.get("data_split_parameters", {})
        self.model_training_parameters: dict[str, Any] = self.freqai_info.get("model_training_parameters", {})
        self.ft_params: dict[str, Any] = self.freqai_info["feature_parameters"]
        self.identifier: str = self.freqai_info.get("identifier", "")
        self.corr_pairlist: list[str] = list(self.ft_params.get("include_corr_pairlist", []))
        self.continual_learning: bool = self.freqai_info.get("continual_learning", False)
        self.activate_tensorboard = False
        self.plot_features: int = self.ft_params.get("plot_feature_importances", 0)
        self.keras = False
        self.CONV_WIDTH = 1
        self.live = True
        self.can_short = False
        self.class_names: list[str] = []
        self.model: Any = None
        self.dk: FreqaiDataKitchen | None = None
        self.dd = FreqaiDataDrawer()
        self.data_provider: Any = None
        self.tb_logger: Any = None
        self.kept: tuple[Pipeline, Pipeline] | None = None
        """Fitted pipelines of the model that a training goes on from."""

    def fit(self, data_dictionary: dict[str, Any], dk: FreqaiDataKitchen, **kwargs: Any) -> Any:
        """Fit a model on ``train_features``, ``train_labels`` and ``train_weights``; the user's to write.

        Returns:
            Something with ``predict``, and for classes ``predict_proba`` and ``classes_``.
        """
        raise NotImplementedError

    def train(self, unfiltered_df: pd.DataFrame, pair: str, dk: FreqaiDataKitchen, **kwargs: Any) -> Any:
        """Rows through the pipelines, then `fit`."""
        features, labels = dk.filter_features(
            unfiltered_df, dk.training_features_list, dk.label_list, training_filter=True
        )
        rows = dk.make_train_test_datasets(features, labels)
        dk.refuse_constant()
        dk.fit_labels()
        self._define(dk)
        rows["train_features"], rows["train_labels"], rows["train_weights"] = (
            dk.feature_pipeline.fit_transform(
                rows["train_features"], rows["train_labels"], rows["train_weights"]
            )
        )
        if len(rows["test_labels"]):
            rows["test_features"], rows["test_labels"], rows["test_weights"] = dk.feature_pipeline.transform(
                rows["test_features"], rows["test_labels"], rows["test_weights"]
            )
        self._scale_labels(rows, dk)
        return self.fit(rows, dk)

    def predict(
        self, unfiltered_df: pd.DataFrame, dk: FreqaiDataKitchen, **kwargs: Any
    ) -> tuple[pd.DataFrame, Any]:
        """Predictions of the rows, by target (and class), and for each row 1 less the number of objections."""
        dk.find_features(unfiltered_df)
        features, _ = dk.filter_features(unfiltered_df, dk.training_features_list, training_filter=False)
        changed, accepted, _ = dk.feature_pipeline.transform(features, outlier_check=True)
        dk.data_dictionary["prediction_features"] = changed
        found = self._predicted(changed, dk)
        di = dk.feature_pipeline["di"]
        dk.DI_values = di.di_values if isinstance(di, DissimilarityIndex) else np.zeros(len(features))
        dk.do_predict = accepted
        return found, dk.do_predict

    def define_data_pipeline(self, threads: int = -1) -> Pipeline:
        """Steps of the features; left as it is: those that ``feature_parameters`` ask for."""
        wanted = self.ft_params
        steps: list[tuple[str, ds.BaseTransform]] = [
            ("const", ds.VarianceThreshold(threshold=0)),
            ("scaler", ds.SKLearnWrapper(MinMaxScaler(feature_range=(-1, 1)))),
        ]
        if wanted.get("principal_component_analysis"):
            steps.append(("pca", ds.PCA(n_components=0.999)))
            steps.append(("post-pca-scaler", ds.SKLearnWrapper(MinMaxScaler(feature_range=(-1, 1)))))
        if wanted.get("use_SVM_to_remove_outliers"):
            parameters = wanted.get("svm_params", {"shuffle": False, "nu": 0.01})
            steps.append(("svm", SVMOutlierExtractor(**parameters)))
        if wanted.get("DI_threshold"):
            steps.append(("di", DissimilarityIndex(di_threshold=wanted["DI_threshold"], n_jobs=threads)))
        if wanted.get("use_DBSCAN_to_remove_outliers"):
            steps.append(("dbscan", DBSCAN(n_jobs=threads)))
        if wanted.get("noise_standard_deviation"):
            steps.append(("noise", ds.Noise(sigma=wanted["noise_standard_deviation"])))
        return Pipeline(steps)

    def define_label_pipeline(self, threads: int = -1) -> Pipeline:
        """Steps of the labels of a regression; left as it is: [-1, 1]."""
        return Pipeline([("scaler", ds.SKLearnWrapper(MinMaxScaler(feature_range=(-1, 1))))])

    def get_init_model(self, pair: str) -> Any:
        """The fitted model to go on from with ``continual_learning``; None if there is none."""
        return self.dd.model_dictionary.get(pair) if self.continual_learning else None

    def _define(self, dk: FreqaiDataKitchen) -> None:
        dk.feature_pipeline = _called(self.define_data_pipeline, dk.thread_count)
        dk.label_pipeline = _called(self.define_label_pipeline, dk.thread_count)
        if self.kept is not None:
            dk.feature_pipeline.keep(self.kept[0])
            dk.label_pipeline.keep(self.kept[1])

    def _scale_labels(self, rows: dict[str, Any], dk: FreqaiDataKitchen) -> None:
        raise NotImplementedError

    def _predicted(self, features: pd.DataFrame, dk: FreqaiDataKitchen) -> pd.DataFrame:
        raise NotImplementedError


class BaseRegressionModel(IFreqaiModel):
    """A model of numbers."""

    classifies = False

    def _scale_labels(self, rows: dict[str, Any], dk: FreqaiDataKitchen) -> None:
        rows["train_labels"], _, _ = dk.label_pipeline.fit_transform(rows["train_labels"])
        if len(rows["test_labels"]):
            rows["test_labels"], _, _ = dk.label_pipeline.transform(rows["test_labels"])

    def _predicted(self, features: pd.DataFrame, dk: FreqaiDataKitchen) -> pd.DataFrame:
        said = np.reshape(self.model.predict(features), (-1, len(dk.label_list)))
        found: pd.DataFrame = dk.label_pipeline.inverse_transform(pd.DataFrame(said, columns=dk.label_list))[
            0
        ]
        return found


class BaseClassifierModel(IFreqaiModel):
    """A model of classes."""

    classifies = True

    def _scale_labels(self, rows: dict[str, Any], dk: FreqaiDataKitchen) -> None:
        """Classes have no scale."""

    def _predicted(self, features: pd.DataFrame, dk: FreqaiDataKitchen) -> pd.DataFrame:
        said = np.reshape(self.model.predict(features), (-1, len(dk.label_list)))
        shares = np.reshape(self.model.predict_proba(features), (-1, len(self.model.classes_)))
        return pd.concat(
            [
                pd.DataFrame(said, columns=dk.label_list),
                pd.DataFrame(shares, columns=list(self.model.classes_)),
            ],
            axis=1,
        )


def _called(define: Callable[..., Any], threads: int) -> Pipeline:
    """The pipeline that the user's method defines; FreqAI's own examples leave its argument out."""
    found = define(threads=threads) if inspect.signature(define).parameters else define()
    if not isinstance(found, Pipeline):
        raise TypeError(f"{define.__name__} returned {type(found).__name__}, no datasieve.pipeline.Pipeline")
    return found
