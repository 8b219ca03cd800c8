"""Checks and completions that need more than one key.

They read the document as the user wrote it, right or wrong, so that their findings stand in the same
message as those of single keys; what is wrong in itself is passed over here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from daemon.config.fields import given_secret
from daemon.config.models import FORESTS, model_fault
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe

if TYPE_CHECKING:
    from daemon.config.freqai import FreqaiSettings

T = TypeVar("T")
Fault = tuple[tuple[str | int, ...], str]

_FEATURES = ("freqai", "feature_parameters")
_TIMEFRAMES = (*_FEATURES, "include_timeframes")
_CORRELATED = (*_FEATURES, "include_corr_pairlist")
_WHITELIST = ("exchange", "pair_whitelist")
# Lists whose entries name models or features: the same name twice would collide.
_LIVE_KEYS = (("key", "secret"), ("wallet_address", "private_key"))
_SETS = (_WHITELIST, _CORRELATED, _TIMEFRAMES, (*_FEATURES, "indicator_periods_candles"))


def whole_faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    """Place and text of everything that does not fit together."""
    yield from _doubled(document)
    yield from _timeframe_faults(document)
    yield from _pair_faults(document)
    yield from _live_faults(document)
    yield from _model_faults(document)


def model_folders(user_data_dir: Path, freqaimodel_path: Path | None) -> tuple[Path, ...]:
    """Where the file of a user's own model class is looked for, in order."""
    folders = (freqaimodel_path, user_data_dir / "freqaimodels")
    return tuple(folder for folder in folders if folder is not None)


def whole_doubts(document: Mapping[str, Any], freqai: FreqaiSettings) -> Iterator[str]:
    """What is allowed but probably not meant."""
    base, listed = document.get("timeframe"), _at(document, _TIMEFRAMES)
    if listed and base not in listed:
        yield f"{'.'.join(_TIMEFRAMES)} lacks the base timeframe {base!r}; it is put in front"
    model = document.get("freqaimodel")
    if freqai.continual_learning and model in FORESTS:
        yield (
            f"freqai.continual_learning has no effect on {model}: the trees of a forest do not build on each other, "
            "every training begins afresh"
        )
    expiry, retrain = freqai.expiration_hours, freqai.live_retrain_hours
    if 0 < expiry < retrain:
        yield (
            f"freqai.expiration_hours ({expiry:g}) is below freqai.live_retrain_hours ({retrain:g}): "
            "models expire before they are trained again, and predictions pause in between"
        )


def base_timeframe_in_front(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the base timeframe among ``include_timeframes``, as FreqAI completes it."""
    base, listed = document.get("timeframe"), _at(document, _TIMEFRAMES) or []
    parameters = _at(document, _FEATURES)
    if not isinstance(parameters, Mapping) or not isinstance(listed, list | tuple) or base in listed:
        return document
    # Only sound entries are shifted: else the places in messages would not be the user's own.
    if len(_sounds(Timeframe, [base, *listed])) != len(listed) + 1:
        return document
    completed = {**parameters, "include_timeframes": [base, *listed]}
    return {**document, "freqai": {**document["freqai"], "feature_parameters": completed}}


def matches(pattern: str, pair: str) -> bool:
    """Whether a regular expression of the blacklist matches the pair: as a whole, case ignored."""
    return re.fullmatch(pattern, pair, re.IGNORECASE) is not None


def _doubled(document: Mapping[str, Any]) -> Iterator[Fault]:
    for place in _SETS:
        listed = _at(document, place)
        entries = [v for v in listed if isinstance(v, str | int)] if isinstance(listed, list | tuple) else []
        for entry in dict.fromkeys(v for v in entries if entries.count(v) > 1):
            yield place, f"{entry} is named {entries.count(entry)} times; name it once"


def _timeframe_faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    base = _sound(Timeframe, document.get("timeframe"))
    for i, timeframe in _sounds(Timeframe, _at(document, _TIMEFRAMES)):
        if base is not None and timeframe.ms < base.ms:
            yield (*_TIMEFRAMES, i), f"{timeframe} is not allowed: must not be shorter than timeframe {base}"


def _pair_faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    pairs = _sounds(Pair, _at(document, _WHITELIST))
    for place, listed in (_WHITELIST, pairs), (_CORRELATED, _sounds(Pair, _at(document, _CORRELATED))):
        for i, pair in listed:
            if ":" in pair:
                spot = pair.split(":")[0]
                yield (*place, i), f"{pair} is not allowed: spot only in this version; write {spot}"
    stake = document.get("stake_currency")
    for i, pair in pairs:
        if isinstance(stake, str) and pair.quote.upper() != stake.upper():
            yield (*_WHITELIST, i), f"{pair} is not allowed: must be quoted in stake_currency {stake}"
    blacklist = _at(document, ("exchange", "pair_blacklist"))
    patterns = [p for p in blacklist if isinstance(p, str)] if isinstance(blacklist, list | tuple) else []
    if pairs and all(any(_safely_matches(pattern, pair) for pattern in patterns) for _, pair in pairs):
        yield ("exchange", "pair_blacklist"), "leaves no pair of the whitelist; take a pattern out of it"


def _live_faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    """Real money: what must be there before a daemon may send an order, and what would be misunderstood."""
    if document.get("dry_run") is not False:
        return
    exchange = document.get("exchange")
    exchange = exchange if isinstance(exchange, Mapping) else {}
    if str(exchange.get("name", "")).lower() == "simulated":
        yield ("dry_run",), "the simulated exchange takes no real orders; set dry_run to true"
        return
    if exchange.get("demo_trading"):
        yield (
            ("exchange", "demo_trading"),
            "there is no demo mode: with dry_run false, orders would be real; set dry_run to true",
        )
    if not any(all(given_secret(exchange.get(key)) for key in keys) for keys in _LIVE_KEYS):
        yield (
            ("exchange",),
            "live trading (dry_run false) needs key and secret, or wallet_address and private_key",
        )


def _model_faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    name = document.get("freqaimodel")
    paths = {key: document.get(key) for key in ("user_data_dir", "freqaimodel_path")}
    user_data, own = (
        Path(value).expanduser() if isinstance(value, str | Path) and str(value).strip() else None
        for value in paths.values()
    )
    if isinstance(name, str):
        fault = model_fault(name, model_folders(user_data or Path("user_data"), own))
        if fault:
            yield ("freqaimodel",), fault


def _safely_matches(pattern: str, pair: str) -> bool:
    try:
        return matches(pattern, pair)
    except re.error:
        return False


def _at(document: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        document = document.get(key) if isinstance(document, Mapping) else None
    return document


def _sounds(kind: Callable[[str], T], values: Any) -> list[tuple[int, T]]:
    if not isinstance(values, list | tuple):
        return []
    found = ((i, _sound(kind, value)) for i, value in enumerate(values))
    return [(i, value) for i, value in found if value is not None]


def _sound(kind: Callable[[str], T], value: Any) -> T | None:
    try:
        return kind(value) if isinstance(value, str) else None
    except ValueError:
        return None
