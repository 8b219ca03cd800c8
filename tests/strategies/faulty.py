"""Strategies for tests with the mistakes that users make."""

import pandas as pd
from teaching import Plain


class Doubled(Plain):
    """Two features of one name, as pd.concat makes them."""

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        dataframe["%-change"] = dataframe["close"].pct_change()
        return pd.concat([dataframe, dataframe[["%-change"]]], axis=1)


class DoubledTarget(Plain):
    """Two targets of one name."""

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        dataframe = super().set_freqai_targets(dataframe, metadata, **kwargs)
        return pd.concat([dataframe, dataframe[["&-s_close"]]], axis=1)


class Unclassed(Plain):
    """A class target that never has a value."""

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        dataframe["&s-kind"] = pd.Series([None] * len(dataframe), dtype=object)
        return dataframe
