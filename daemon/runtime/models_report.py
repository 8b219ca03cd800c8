"""The models of a state folder as people compare them: read from the disk, whether a daemon runs or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daemon.core.errors import CandledError, Corrupt
from daemon.runtime.queue_report import market_now_ms
from daemon.runtime.status_file import read_status
from daemon.state.artifacts import ArtifactStore
from daemon.state.folder import StateFolder
from daemon.state.pair_dictionary import PairDictionary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.config import Settings
    from daemon.core.pair import Pair


def models_report(settings: Settings, pair: Pair | None = None) -> list[dict[str, Any]]:
    """One row per model on the disk, pair by pair in the whitelist's order, the newest first.

    Args:
        settings: which state folder and pairs.
        pair: only this one's.

    Returns:
        JSON values: pair, name, live (whether it is the one that predicts), age_ms, trained_ms, model_class, rows,
        features, reason; metrics (by target, on the test rows) and skill (by target, live, with ``n`` judged
        predictions, as of the daemon's last figures; empty before any was judged); or, for a folder that cannot be
        read, pair, name, live and error.
    """
    folder = StateFolder(settings.identifier_folder)
    store, entries = ArtifactStore(folder), PairDictionary.read(folder).entries
    now_ms, shown = market_now_ms(folder), _shown(folder)
    rows = []
    for each in settings.pairs if pair is None else (pair,):
        entry = entries.get(each)
        live = "" if entry is None else entry.data_path
        skill = shown.get(str(each), {}).get("model_skill", {})
        for name in store.names_of(each):
            known = {"pair": str(each), "name": name, "live": name == live}
            rows.append(known | _row(store, name, now_ms) | {"skill": skill.get(name, {})})
    return rows


def _row(store: ArtifactStore, name: str, now_ms: int) -> dict[str, Any]:
    try:
        found = store.metadata(name)
    except CandledError as exc:  # deleted meanwhile by the daemon, or damaged
        return {"error": str(exc)}
    return {
        "trained_ms": int(found["trained_timestamp"]) * 1000,
        "age_ms": max(0, now_ms - int(found["trained_timestamp"]) * 1000),  # see `queue_report`
        "model_class": found.get("model_class", ""),
        "rows": found.get("rows", 0),
        "features": len(found.get("training_features_list", ())),
        "reason": found.get("reason", ""),
        "metrics": _by_target(found),
    }


def _by_target(metadata: Mapping[str, Any]) -> dict[str, Any]:
    metrics = dict(metadata.get("metrics", {}))
    if "label" in metadata:  # written when a model had one target
        return {metadata["label"]: metrics} if metrics else {}
    return metrics


def _shown(folder: StateFolder) -> dict[str, Any]:
    try:
        pairs = read_status(folder.status).get("pairs", {})
    except Corrupt:
        return {}
    return pairs if isinstance(pairs, dict) else {}
