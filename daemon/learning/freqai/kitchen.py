"""What a model file of FreqAI's users calls ``dk``: one training's or one prediction's rows and what is known of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from daemon.core.errors import Refused
from daemon.learning.freqai.pipeline import Pipeline
from daemon.learning.split import SplitOptions, recency_weights, split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["FreqaiDataKitchen"]

_NO_SPLIT = SplitOptions(test_size=0.0, horizon=0)


class FreqaiDataKitchen:
    """FreqAI's ``dk``, with what concerns one model; candles, folders and the queue are the daemon's.

    Attributes:
        data: what is kept with the model: ``labels_mean``, ``labels_std``, ``extra_returns_per_train``, and what the
            user's code puts there (JSON values).
        data_dictionary: the rows of a training, or of a prediction (``prediction_features``).
        data_path: a folder for files that ``fit`` writes; it is gone after the training.
    """

    def __init__(
        self,
        config: dict[str, Any],
        live: bool = True,
        pair: str = "",
        *,
        rows: SplitOptions = _NO_SPLIT,
        threads: int = 1,
    ) -> None:
        self.config = config
        self.freqai_config: dict[str, Any] = config.get("freqai", {})
        self.live = live
        self.pair = pair
        self.thread_count = threads
        self.keras = False
        self.data: dict[str, Any] = {
            "extra_returns_per_train": dict(self.freqai_config.get("extra_returns_per_train", {}))
        }
        self.data_dictionary: dict[str, Any] = {}
        self.data_path = Path()
        self.full_path = Path()
        self.model_filename = ""
        self.label_list: list[str] = []
        self.training_features_list: list[str] = []
        self.unique_classes: dict[str, list[str]] = {}
        self.unique_class_list: list[str] = []
        self.feature_pipeline = Pipeline()
        self.label_pipeline = Pipeline()
        self.DI_values: NDArray[np.float64] = np.empty(0)
        self.do_predict: NDArray[np.int64] = np.empty(0, np.int64)
        self.train_dates: Any = pd.Series(dtype="datetime64[ns, UTC]")
        self._rows = rows

    def find_features(self, dataframe: pd.DataFrame) -> None:
        """Note which columns are features."""
        self.training_features_list = [name for name in dataframe.columns if "%" in name]

    def find_labels(self, dataframe: pd.DataFrame) -> None:
        """Note which columns are targets."""
        self.label_list = [name for name in dataframe.columns if "&" in name]

    def filter_features(
        self,
        unfiltered_df: pd.DataFrame,
        training_feature_list: list[str],
        label_list: list[str] | None = None,
        training_filter: bool = True,
    ) -> tuple[pd.DataFrame, Any]:
        """Features and labels of the rows that have all of them; with ``training_filter`` off, of every row."""
        features = unfiltered_df[training_feature_list].replace([np.inf, -np.inf], np.nan)
        lacking = features.isna().any(axis=1)
        if not training_filter:
            self.do_predict = np.where(lacking, 0, 1)
            return features.fillna(0), []
        labels = unfiltered_df[label_list or []]
        whole = ~(lacking | labels.isna().any(axis=1))
        if "date" in unfiltered_df:
            self.train_dates = unfiltered_df["date"][whole]
        return features[whole], labels[whole]

    def make_train_test_datasets(
        self, filtered_dataframe: pd.DataFrame, labels: pd.DataFrame
    ) -> dict[str, Any]:
        """Divide the rows as the configuration asks; those whose label looks into the test are left out.

        Raises:
            Refused: nothing is left to train on.
        """
        parts = split(len(labels), self._rows)
        weights = self.set_weights_higher_recent(len(labels))
        train_labels = labels.iloc[parts.train]
        self._note_classes(train_labels)
        return self.build_data_dictionary(
            filtered_dataframe.iloc[parts.train],
            filtered_dataframe.iloc[parts.test],
            train_labels,
            labels.iloc[parts.test],
            weights[parts.train],
            weights[parts.test],
        )

    def build_data_dictionary(  # noqa: PLR0917  FreqAI's
        self,
        train_df: pd.DataFrame,
        test_df: pd.DataFrame,
        train_labels: pd.DataFrame,
        test_labels: pd.DataFrame,
        train_weights: Any,
        test_weights: Any,
    ) -> dict[str, Any]:
        """The rows of a training under FreqAI's names."""
        self.data_dictionary = {
            "train_features": train_df,
            "test_features": test_df,
            "train_labels": train_labels,
            "test_labels": test_labels,
            "train_weights": train_weights,
            "test_weights": test_weights,
            "train_dates": self.train_dates,
        }
        return self.data_dictionary

    def set_weights_higher_recent(self, num_weights: int) -> NDArray[np.float64]:
        """float64[n], the newest row's weight is 1; see ``weight_factor``."""
        parameters: Mapping[str, Any] = self.freqai_config.get("feature_parameters", {})
        return recency_weights(num_weights, float(parameters.get("weight_factor", 0)))

    def fit_labels(self) -> None:
        """Note mean and standard deviation of the training labels; 0 for each class."""
        labels = self.data_dictionary["train_labels"]
        numbers = [name for name in labels.columns if pd.api.types.is_numeric_dtype(labels[name])]
        classes = dict.fromkeys(self.unique_class_list, 0.0)
        self.data["labels_mean"] = {name: float(labels[name].mean()) for name in numbers} | classes
        self.data["labels_std"] = {name: float(labels[name].std(ddof=0)) for name in numbers} | classes

    def _note_classes(self, labels: pd.DataFrame) -> None:
        """The classes of the training rows: no others can be predicted, and their order is that of codes."""
        self.unique_classes = {
            name: list(pd.unique(labels[name]))
            for name in labels.columns
            if not pd.api.types.is_numeric_dtype(labels[name])
        }
        self.unique_class_list = [each for found in self.unique_classes.values() for each in found]

    def refuse_constant(self) -> None:
        """Nothing is learnt from a target that is the same in every training row.

        Raises:
            Refused: there is one.
        """
        labels = self.data_dictionary["train_labels"]
        for name in labels.columns:
            if labels[name].nunique() < 2:
                raise Refused(
                    f"target {name!r} is the same in every training row: nothing can be learnt from it"
                )
