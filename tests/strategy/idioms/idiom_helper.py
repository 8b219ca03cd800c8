"""A helper module beside a strategy, itself a user of freqtrade's names."""

from freqtrade.exchange import timeframe_to_seconds

LOOK_AHEAD = timeframe_to_seconds("5m") // 100


def momentum(dataframe, period):
    import freqtrade.vendor.qtpylib.indicators as qtpylib  # noqa: PLC0415 - as strategies do it

    return qtpylib.roc(dataframe["close"], period)
