"""Candles in: exchanges, the feed that keeps them complete, the candle files."""
