"""Checks and completions that need more than one key.

They read the document as the user wrote it, right or wrong, so that their findings stand in the same
message as those of single keys; what is wrong in itself is passed over here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe

T = TypeVar("T")
Fault = tuple[tuple[str | int, ...], str]


def whole_faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    """Place and text of everything that does not fit together."""
    yield from _timeframe_faults(document)
    yield from _pair_faults(document)


def base_timeframe_in_front(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the base timeframe among ``include_timeframes``, as FreqAI completes it."""
    base, listed = (
        document.get("timeframe"),
        _at(document, "freqai", "feature_parameters", "include_timeframes"),
    )
    if (
        not isinstance(base, str)
        or not isinstance(listed, list | tuple | type(None))
        or base in (listed or ())
    ):
        return document
    parameters = _at(document, "freqai", "feature_parameters")
    if not isinstance(parameters, Mapping):
        return document
    completed = {**parameters, "include_timeframes": [base, *(listed or ())]}
    return {**document, "freqai": {**document["freqai"], "feature_parameters": completed}}


def whole_doubts(document: Mapping[str, Any]) -> Iterator[str]:
    """What is allowed but probably not meant."""
    listed = _at(document, "freqai", "feature_parameters", "include_timeframes")
    if isinstance(listed, list | tuple) and listed and document.get("timeframe") not in listed:
        yield (
            "freqai.feature_parameters.include_timeframes lacks the base timeframe "
            f"{document.get('timeframe')!r}; it is put in front"
        )
    expiry, retrain = (
        _at(document, "freqai", key) or 0 for key in ("expiration_hours", "live_retrain_hours")
    )
    if 0 < expiry < retrain:
        yield (
            f"freqai.expiration_hours ({expiry:g}) is below freqai.live_retrain_hours ({retrain:g}): "
            "models expire before they are trained again, and predictions pause in between"
        )


def matches(pattern: str, pair: str) -> bool:
    """Whether a regular expression of the blacklist matches the pair: as a whole, case ignored."""
    return re.fullmatch(pattern, pair, re.IGNORECASE) is not None


def _timeframe_faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    base = _sound(Timeframe, document.get("timeframe"))
    place = ("freqai", "feature_parameters", "include_timeframes")
    for i, timeframe in _sounds(Timeframe, _at(document, *place)):
        if base is not None and timeframe.ms < base.ms:
            yield (*place, i), f"{timeframe} is not allowed: must not be shorter than the timeframe {base}"


def _pair_faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    stake = document.get("stake_currency")
    whitelist, blacklist = (_at(document, "exchange", f"pair_{kind}list") for kind in ("white", "black"))
    corr_place = ("freqai", "feature_parameters", "include_corr_pairlist")
    pairs, correlated = _sounds(Pair, whitelist), _sounds(Pair, _at(document, *corr_place))
    for place, listed in ((("exchange", "pair_whitelist"), pairs), (corr_place, correlated)):
        for i, pair in listed:
            if ":" in pair:
                yield (
                    (*place, i),
                    f"{pair} is not allowed: spot only in this version; write {pair.split(':')[0]}",
                )
    for i, pair in pairs:
        if isinstance(stake, str) and pair.quote.upper() != stake.upper():
            yield (
                ("exchange", "pair_whitelist", i),
                f"{pair} is not allowed: must be quoted in stake_currency {stake}",
            )
    patterns = [p for p in blacklist if isinstance(p, str)] if isinstance(blacklist, list | tuple) else []
    if pairs and all(any(_safely_matches(p, pair) for p in patterns) for _, pair in pairs):
        yield ("exchange", "pair_blacklist"), "leaves no pair of the whitelist; take a pattern out of it"


def _safely_matches(pattern: str, pair: str) -> bool:
    try:
        return matches(pattern, pair)
    except re.error:
        return False


def _at(document: Any, *path: str) -> Any:
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
