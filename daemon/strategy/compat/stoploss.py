"""Conversions of stop prices for `custom_stoploss`, equal to freqtrade's."""

from __future__ import annotations

__all__ = ["stoploss_from_absolute", "stoploss_from_open"]


def stoploss_from_open(
    open_relative_stop: float, current_profit: float, is_short: bool = False, leverage: float = 1.0
) -> float:
    """Stop relative to the current price, from a stop relative to the entry price.

    Args:
        open_relative_stop: wanted stop as a ratio of the entry price: -0.05 is 5 % below it, 0.02 is 2 %
            above. With leverage, the ratio of the stake.
        current_profit: present profit as a ratio.
        is_short: whether the trade is short.
        leverage: leverage of the trade.

    Returns:
        A ratio of the current price, at least 0; 0 where the wanted stop lies beyond the current price.
    """
    side = -1 if is_short else 1
    price_now = 1 + side * current_profit / leverage  # in entry prices
    if price_now == 0:
        return 1  # nothing is left to be lost
    stop = 1 + side * open_relative_stop / leverage
    return max(side * (1 - stop / price_now) * leverage, 0.0)


def stoploss_from_absolute(
    stop_rate: float, current_rate: float, is_short: bool = False, leverage: float = 1.0
) -> float:
    """Stop relative to the current price, from a stop price.

    Returns:
        A ratio of the current price, at least 0; 0 where ``stop_rate`` lies beyond the current price.
    """
    if current_rate == 0:
        return 1
    distance = 1 - stop_rate / current_rate
    return max(-distance if is_short else distance, 0.0) * leverage
