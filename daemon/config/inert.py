"""Known keys without effect in this version: the one table of them, and the warnings it gives.

A key leaves this table in the same change that makes it act.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

KeyPath = tuple[str, ...]


def _off(value: object) -> bool:
    """Whether a value switches nothing on: in freqtrade, too, it would do nothing."""
    if isinstance(value, Mapping) and value.get("enabled") is False:
        return True
    return value in (None, False, 0, "", [], {})


@dataclass(frozen=True, slots=True)
class Inert:
    """Why a key has no effect, and for which values there is nothing to tell."""

    why: str
    quiet: Callable[[Any], bool] = _off


def _always(_: object) -> bool:
    return True


def _never(_: object) -> bool:
    return False


def _unless(*values: object) -> Callable[[Any], bool]:
    return lambda value: value is None or value in values


def _static_list_only(value: object) -> bool:
    return value in (None, [], [{"method": "StaticPairList"}])


_SERVICE = Inert("there is no such service yet")
_MESSAGES = Inert("messages are sent by candled.notify, whose urls know Telegram, Discord and webhooks")
_BACKTEST = Inert("there is no back-test yet")
_HYPEROPT = Inert("there is no hyperopt")
_CLIENT = Inert("settings of the client go to exchange.ccxt_config", _never)

_MESSAGE_KEYS = "telegram webhook discord"
_SERVICE_KEYS = "api_server external_message_consumer coingecko"
_BACKTEST_KEYS = """
timerange backtest_breakdown backtest_cache export exportfilename backtest_directory enable_protections
position_stacking strategy_list timeframe_detail freqai_backtest_live_models
lookahead_analysis_exportfilename startup_candle
"""
_HYPEROPT_KEYS = """
hyperopt hyperopt_path epochs early_stop spaces analyze_per_epoch print_all hyperopt_jobs
hyperopt_random_state hyperopt_min_trades hyperopt_loss disableparamexport
"""

TOP_LEVEL: Mapping[KeyPath, Inert] = {
    **{(key,): _MESSAGES for key in _MESSAGE_KEYS.split()},
    **{(key,): _SERVICE for key in _SERVICE_KEYS.split()},
    **{(key,): _BACKTEST for key in _BACKTEST_KEYS.split()},
    **{(key,): _HYPEROPT for key in _HYPEROPT_KEYS.split()},
    ("fiat_display_currency",): Inert("amounts are shown in the stake currency"),
    ("proxy_coin",): Inert("spot only in this version"),
    ("liquidation_buffer",): Inert("spot only in this version", _always),
    ("liquidation_warn_ratio",): Inert("spot only in this version", _always),
    ("minimum_trade_amount",): Inert("it belongs to freqtrade's look-ahead analysis", _always),
    ("targeted_trade_amount",): Inert("it belongs to freqtrade's look-ahead analysis", _always),
    ("skip_wallet_history_migration",): Inert("there is no history of freqtrade's to migrate", _always),
    ("$schema",): Inert("it is for editors", _always),
    ("margin_mode",): Inert("spot only in this version"),
    ("process_only_new_candles",): Inert("each candle is handled once, when it has closed", _unless(True)),
    ("pairlists",): Inert("the pairs are those of exchange.pair_whitelist", _static_list_only),
    ("reduce_df_footprint",): Inert("features always are 32 bit numbers", _always),
    ("disable_dataframe_checks",): Inert("what a strategy returns is always checked"),
    ("recursive_strategy_search",): Inert("a strategy lies directly in its folder"),
    ("dataformat_ohlcv",): Inert("candles are stored as feather files", _unless("feather")),
    ("dataformat_trades",): Inert("trades are not downloaded", _always),
    ("download_trades",): Inert("trades are not downloaded"),
    ("orderflow",): Inert("trades are not downloaded"),
    ("new_pairs_days",): Inert("the history that training needs is downloaded", _never),
    ("log_config",): Inert("logs go to standard output; see candled.log_format", _never),
    ("logfile",): Inert("logs go to standard output; see candled.log_format"),
    ("verbosity",): Inert("see candled.log_format"),
    ("experimental",): Inert("freqtrade has dropped it"),
    ("edge",): Inert("freqtrade has dropped it"),
    ("ask_strategy",): Inert("freqtrade has dropped it for exit_pricing"),
    ("bid_strategy",): Inert("freqtrade has dropped it for entry_pricing"),
}
"""Keys of freqtrade that no model of ours has: removed before the models see the document."""

EXCHANGE: Mapping[KeyPath, Inert] = {
    ("exchange", "log_responses"): Inert("answers of the exchange are not logged"),
    ("exchange", "enable_ws"): Inert("candles are fetched by requests"),
    ("exchange", "unknown_fee_rate"): Inert("fees are kept in the currency in which they were paid"),
    ("exchange", "outdated_offset"): Inert("see candled.grace_s", _never),
    ("exchange", "markets_refresh_interval"): Inert("markets are loaded at the start", _never),
    ("exchange", "use_public_trades"): Inert("trades are not downloaded"),
    ("exchange", "skip_pair_validation"): Inert("pairs are always checked"),
    ("exchange", "skip_open_order_update"): Inert("open orders are always asked for at the start"),
    ("exchange", "demo_trading"): Inert("there is no demo mode; use dry_run"),
    ("exchange", "only_from_ccxt"): _CLIENT,
    ("exchange", "block_bad_exchanges"): Inert("no exchange is refused by name", _always),
    ("exchange", "_ft_has_params"): _CLIENT,
}
"""The same, of freqtrade's ``exchange`` section."""

NOT_ACTING: Mapping[KeyPath, Inert] = {
    ("internals", "heartbeat_interval"): Inert("see candled status", _always),
    ("internals", "sd_notify"): Inert("systemd is told whenever it asks", _always),
    ("order_types", "stoploss_price_type"): Inert("spot only in this version"),
    ("freqai", "multitarget_parallel_training"): Inert(
        "targets are fitted one after the other, each with all threads of candled.training.thread_count"
    ),
    ("freqai", "keras"): Inert("there are no Keras models"),
    ("freqai", "conv_width"): Inert(
        "only a network sees several candles at once, and there is none yet", _unless(1)
    ),
    ("freqai", "rl_config"): Inert("there is no reinforcement learning yet"),
    ("freqai", "model_save_type"): Inert("models are saved in their library's own format"),
    ("freqai", "feature_parameters", "indicator_max_period_candles"): Inert("FreqAI has dropped it, too"),
    ("freqai", "data_split_parameters", "stratify"): Inert(
        "it takes one value per row, which a configuration cannot hold"
    ),
    # In FreqAI, too, these do nothing here: a back-test's, TensorBoard's (needs torch).
    ("freqai", "backtest_period_days"): Inert("there is no back-test yet", _always),
    ("freqai", "save_backtest_models"): Inert("there is no back-test yet", _always),
    ("freqai", "activate_tensorboard"): Inert("there is no TensorBoard yet", _always),
    ("freqai", "wait_for_training_iteration_on_reload"): Inert(
        "a reload ends no training and waits for none", _always
    ),
    ("freqai", "override_exchange_check"): Inert("no exchange is refused by name", _always),
    ("freqai", "reduce_df_footprint"): Inert("features always are 32 bit numbers", _always),
}
"""Keys that our models have (typed and checked), but that nothing reads yet."""


def inert_keys(section: KeyPath) -> tuple[str, ...]:
    """Known keys of a section that its model does not have."""
    return tuple(path[-1] for path in (*TOP_LEVEL, *EXCHANGE) if path[:-1] == section)


def inert_warnings(document: Mapping[str, Any]) -> tuple[str, ...]:
    """One line for each key of the document that its user may expect to act, in the document's order."""
    table = {**TOP_LEVEL, **EXCHANGE, **NOT_ACTING}
    return tuple(
        f"{'.'.join(path)} has no effect in this version: {table[path].why}"
        for path, value in _entries(document, ())
        if path in table and not table[path].quiet(value)
    )


def without_inert(document: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the document without the keys that no model has."""
    kept = {key: value for key, value in document.items() if (key,) not in TOP_LEVEL}
    exchange = kept.get("exchange")
    if isinstance(exchange, dict):
        kept["exchange"] = {k: v for k, v in exchange.items() if ("exchange", k) not in EXCHANGE}
    return kept


def _entries(document: Mapping[str, Any], above: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    for key, value in document.items():
        yield (*above, key), value
        if isinstance(value, Mapping):
            yield from _entries(value, (*above, key))
