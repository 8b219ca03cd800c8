"""The configuration as a strategy sees it in ``self.config``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daemon.config.files import merged
from daemon.config.redaction import masked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from daemon.config.settings import Settings

# What freqtrade asks every user for or fills in, so that strategies read it without a default of their own. What a
# strategy may set by an attribute is not among them: it would win over the strategy.
_FREQTRADE_DEFAULTS = {
    "margin_mode": "",
    "candle_type_def": "spot",
    "internals": {},
}
_OF_SETTINGS = (
    "dry_run",
    "trading_mode",
    "freqaimodel",
    "bot_name",
    "tradable_balance_ratio",
    "amend_last_stake_amount",
    "last_stake_amount_min_ratio",
    "dry_run_wallet",
    "cancel_open_orders_on_exit",
    "custom_price_max_distance_ratio",
    "initial_state",
)


def strategy_view(document: dict[str, Any], settings: Settings, files: Sequence[Path]) -> dict[str, Any]:
    """The user's document over the defaults; secrets are empty texts, folders are paths.

    Args:
        document: the merged document as the user wrote it.
        settings: what it means.
        files: where it was read from.
    """
    # A label horizon that nobody set must stay a KeyError in the strategy: 0 would be the present itself.
    unset = {"feature_parameters": {"label_period_candles"}}
    freqai = settings.freqai.model_dump(mode="json", exclude_none=True, exclude=unset)
    parameters = settings.freqai.feature_parameters
    defaults = {
        **_FREQTRADE_DEFAULTS,
        **{key: getattr(settings, key) for key in _OF_SETTINGS},
        "entry_pricing": settings.entry_pricing.model_dump(mode="json"),
        "exit_pricing": settings.exit_pricing.model_dump(mode="json"),
        "exchange": {"pair_blacklist": [], "ccxt_config": {}, "ccxt_async_config": {}},
        "freqai": freqai,
    }
    meant = {
        "timeframe": str(settings.timeframe),
        "user_data_dir": settings.user_data_dir,
        "datadir": settings.data_folder,
        "config_files": [str(path) for path in files],
        "exchange": {"name": settings.exchange.name},
        "freqai": {
            "purge_old_models": settings.freqai.purge_old_models,
            "feature_parameters": {"include_timeframes": [str(tf) for tf in parameters.include_timeframes]},
        },
    }
    return merged(merged(defaults, _without_null(masked(document, ""))), meant)


def _without_null(document: dict[str, Any]) -> dict[str, Any]:
    """The document without the keys that were given as ``null``, which means "not given"."""
    return {
        key: _without_null(value) if isinstance(value, dict) else value
        for key, value in document.items()
        if value is not None
    }
