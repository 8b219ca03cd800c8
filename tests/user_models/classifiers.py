"""Model classes of classes, written as FreqAI's users write them."""

import numpy as np
import pandas as pd
from freqtrade.freqai.base_models.BaseClassifierModel import BaseClassifierModel
from freqtrade.freqai.base_models.FreqaiMultiOutputClassifier import FreqaiMultiOutputClassifier
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import LabelEncoder
from sklearn.tree import DecisionTreeClassifier


class Encoded(BaseClassifierModel):
    """Codes of its own in fit, names again in predict."""

    def fit(self, data_dictionary, dk: FreqaiDataKitchen, **kwargs):
        X = data_dictionary["train_features"].to_numpy()
        y = data_dictionary["train_labels"].to_numpy()[:, 0]
        codes = LabelEncoder().fit_transform(y)
        model = RandomForestClassifier(n_estimators=10, max_depth=4)
        return model.fit(X, codes, sample_weight=data_dictionary["train_weights"])

    def predict(self, unfiltered_df, dk, **kwargs):
        dk.find_features(unfiltered_df)
        features, _ = dk.filter_features(unfiltered_df, dk.training_features_list, training_filter=False)
        features, outliers, _ = dk.feature_pipeline.transform(features, outlier_check=True)
        names = sorted(dk.data["labels_std"])
        shares = self.model.predict_proba(features.to_numpy())
        pred_df = pd.DataFrame(shares, columns=names)
        pred_df[dk.label_list[0]] = np.array(names)[shares.argmax(axis=1)]
        dk.DI_values = np.zeros(len(features))
        dk.do_predict = outliers
        return pred_df, outliers


class Trees(BaseClassifierModel):
    """Several targets of classes."""

    def fit(self, data_dictionary, dk, **kwargs):
        model = FreqaiMultiOutputClassifier(estimator=DecisionTreeClassifier(max_depth=3))
        return model.fit(X=data_dictionary["train_features"], y=data_dictionary["train_labels"])
