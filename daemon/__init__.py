"""candled: one fresh machine-learning model per trading pair, a prediction for every closed candle."""

__version__ = "0.1.0"
