"""Model classes of numbers, written as FreqAI's users write them."""

import logging
from pathlib import Path
from typing import Any

import datasieve.transforms as ds
import numpy as np
from catboost import CatBoostRegressor, Pool
from datasieve.pipeline import Pipeline
from datasieve.transforms import SKLearnWrapper
from datasieve.transforms.base_transform import BaseTransform
from freqtrade.freqai.base_models.BaseRegressionModel import BaseRegressionModel
from freqtrade.freqai.base_models.FreqaiMultiOutputRegressor import FreqaiMultiOutputRegressor
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from sklearn.ensemble import ExtraTreesRegressor, VotingRegressor
from sklearn.linear_model import Ridge
from sklearn.preprocessing import QuantileTransformer, RobustScaler, StandardScaler

logger = logging.getLogger(__name__)


class PlainRidge(BaseRegressionModel):
    def fit(self, data_dictionary: dict, dk: FreqaiDataKitchen, **kwargs) -> Any:
        model = Ridge(**self.model_training_parameters)
        return model.fit(
            data_dictionary["train_features"],
            data_dictionary["train_labels"],
            sample_weight=data_dictionary["train_weights"],
        )


class Pooled(BaseRegressionModel):
    """CatBoost's pools, early stopping, files in dk.data_path, extra returns."""

    def fit(self, data_dictionary: dict, dk: FreqaiDataKitchen, **kwargs) -> Any:
        train = Pool(
            data=data_dictionary["train_features"],
            label=data_dictionary["train_labels"],
            weight=data_dictionary["train_weights"],
        )
        test = None
        if self.freqai_info.get("data_split_parameters", {}).get("test_size", 0.1) != 0:
            test = Pool(data_dictionary["test_features"], data_dictionary["test_labels"])
        start = self.get_init_model(dk.pair)
        model = CatBoostRegressor(
            allow_writing_files=True,
            train_dir=Path(dk.data_path),
            verbose=0,
            **self.model_training_parameters,
        )
        model.fit(train, eval_set=test, init_model=start)
        dk.data["extra_returns_per_train"]["trees"] = model.tree_count_
        dk.data["extra_returns_per_train"]["whose"] = dk.pair
        dk.data["extra_returns_per_train"]["went_on"] = float(start is not None)
        return model


class Halved(BaseTransform):
    """A step of the user's own, with something learnt."""

    def __init__(self, **kwargs):
        self.by = kwargs.get("by", 2)

    def fit(self, X, y=None, sample_weight=None, feature_list=None, **kwargs):
        self.middle = X.mean(axis=0)
        return X, y, sample_weight, feature_list

    def transform(self, X, y=None, sample_weight=None, feature_list=None, outlier_check=False, **kwargs):
        return (X - self.middle) / self.by, y, sample_weight, feature_list


class Piped(BaseRegressionModel):
    """Pipelines of its own; the threads of the first as FreqAI hands them over, the second as in its examples."""

    def fit(self, data_dictionary, dk, **kwargs):
        return Ridge().fit(data_dictionary["train_features"], data_dictionary["train_labels"])

    def define_data_pipeline(self, threads=-1) -> Pipeline:
        return Pipeline(
            [
                ("var", ds.VarianceThreshold(threshold=0)),
                ("qt", SKLearnWrapper(QuantileTransformer(output_distribution="normal", n_quantiles=50))),
                ("half", Halved(by=2)),
                ("pca", ds.PCA(n_components=0.95)),
                ("svm", ds.SVMOutlierExtractor(nu=0.5, shuffle=False)),
                ("di", ds.DissimilarityIndex(di_threshold=1.5, n_jobs=threads)),
                ("dbscan", ds.DBSCAN(n_jobs=threads)),
                ("noise", ds.Noise(sigma=0.01)),
            ]
        )

    def define_label_pipeline(self) -> Pipeline:
        return Pipeline([("ss", SKLearnWrapper(StandardScaler())), ("rs", SKLearnWrapper(RobustScaler()))])


class Ensemble(BaseRegressionModel):
    """Two libraries in one of scikit-learn's ensembles, for several targets."""

    def fit(self, data_dictionary, dk, **kwargs):
        estimator = VotingRegressor(
            [
                ("trees", ExtraTreesRegressor(n_estimators=5, max_depth=4)),
                ("boosted", CatBoostRegressor(iterations=5, verbose=0, allow_writing_files=False)),
            ]
        )
        model = FreqaiMultiOutputRegressor(estimator=estimator)
        y = data_dictionary["train_labels"]
        params = [{} for _ in range(y.shape[1])]
        return model.fit(
            X=data_dictionary["train_features"],
            y=y,
            sample_weight=data_dictionary["train_weights"],
            fit_params=params,
        )


class OwnWay(PlainRidge):
    """Its own train and predict, as far as rows and pipelines are concerned."""

    def __init__(self, **kwargs):
        super().__init__(config=kwargs["config"])
        self.shift = self.config["freqai"]["train_period_days"] * 0.0

    def train(self, unfiltered_df, pair, dk, **kwargs):
        logger.info("from %s", unfiltered_df["date"].iloc[0].strftime("%Y-%m-%d"))
        newest = unfiltered_df["date"].iloc[-1]
        model = super().train(unfiltered_df, pair, dk, **kwargs)
        dk.data["newest"] = newest.isoformat()
        return model

    def predict(self, unfiltered_df, dk, **kwargs):
        frame, accepted = super().predict(unfiltered_df, dk, **kwargs)
        frame["&-s_close"] += self.shift + 1000.0 * (dk.data["newest"] > "2000")
        doubtful = np.abs(dk.data_dictionary["prediction_features"].iloc[:, 0].to_numpy()) > 3
        dk.do_predict = np.where(doubtful, 0, accepted)
        return frame, dk.do_predict
