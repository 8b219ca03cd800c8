"""From a user's config.json to frozen settings."""

from daemon.config.exchange import ExchangeSettings
from daemon.config.freqai import DataSplitParameters, FeatureParameters, FreqaiSettings
from daemon.config.load import load_settings
from daemon.config.own import CandledSettings, SimulatedSettings, TrainingSettings
from daemon.config.settings import Settings, redacted

__all__ = [
    "CandledSettings",
    "DataSplitParameters",
    "ExchangeSettings",
    "FeatureParameters",
    "FreqaiSettings",
    "Settings",
    "SimulatedSettings",
    "TrainingSettings",
    "load_settings",
    "redacted",
]
