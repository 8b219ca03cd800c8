"""Strategies to learn from: copy one to ``user_data/strategies`` and change it."""
