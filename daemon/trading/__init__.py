"""From a strategy's columns to signals."""
