"""A look at a whole identifier folder: what is intact, what is lost, what a start would serve."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.core.errors import Corrupt, Refused
from daemon.state import atomic, documents
from daemon.state.artifacts import ArtifactStore
from daemon.state.history import PredictionHistory
from daemon.state.models import Served, served_models
from daemon.state.pair_dictionary import PairDictionary
from daemon.state.report import Damage, damage, relative

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from daemon.core.pair import Pair
    from daemon.state.artifacts import Artifact
    from daemon.state.folder import StateFolder
    from daemon.state.report import Loss

HEALTHY, REPAIRABLE, LOST = 0, 1, 2
"""Exit statuses: nothing to report; damage that a start repairs without loss; something is gone for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The state of a folder.

    Attributes:
        intact: files and model folders that are what was written, in alphabetical order.
        damages: the others.
        losses: predictions that no file holds any more.
        serves: pair -> what a start serves: ``rows``, ``first_ms``, ``last_ms``, ``sha256`` of its
            history, ``model``, ``trained_ms`` and, where asked for, ``predictions`` (a digest).
        repaired: whether the damage was repaired.
    """

    intact: tuple[str, ...]
    damages: tuple[Damage, ...]
    losses: tuple[Loss, ...]
    serves: Mapping[str, Mapping[str, Any]]
    repaired: bool

    @property
    def status(self) -> int:
        """Exit status: `HEALTHY`, `REPAIRABLE` (or repaired), `LOST`."""
        if self.losses or any(each.lost for each in self.damages):
            return LOST
        return REPAIRABLE if self.damages else HEALTHY

    def document(self) -> dict[str, Any]:
        """All of it as JSON values; the same folder gives the same document."""
        return {
            "status": ("healthy", "repaired" if self.repaired else "repairable", "lost")[self.status],
            "intact": list(self.intact),
            "damaged": [each.fields() for each in self.damages],
            "lost": [each.fields() for each in self.losses],
            "serves": {pair: dict(each) for pair, each in self.serves.items()},
        }


def diagnose(
    folder: StateFolder,
    now_ms: int,
    *,
    repair: bool = False,
    predictions: Callable[[Artifact], str] | None = None,
) -> Diagnosis:
    """Check every file of a folder.

    Args:
        folder: which; with ``repair`` the caller holds its lock.
        now_ms: market time, ms UTC.
        repair: do what a start would do: set damaged files aside, rebuild, fall back.
        predictions: digest of a model's predictions on a fixed frame.
    """
    before = _files(folder)
    history = PredictionHistory.open(folder) if repair else PredictionHistory.read(folder)
    book = PairDictionary.open(folder) if repair else PairDictionary.read(folder)
    store = ArtifactStore(folder)
    served = served_models(folder, store, book.entries, now_ms, touch=repair)
    damages = [*history.damages, *book.damages, *served.damages]
    damages += _other_models(folder, store, damages, touch=repair)
    damages += _documents(folder, touch=repair)
    serves = {
        str(pair): _serves(pair, history, served, predictions)
        for pair in sorted({*history.pairs, *book.entries})
    }
    if repair:
        book.update_all(served.entries)
        store.clear_staging()
        history.close()
    harmed = {each.file.partition("/")[0] for each in damages}
    return Diagnosis(
        intact=tuple(name for name in before if name not in harmed),
        damages=tuple(damages),
        losses=history.losses,
        serves=serves,
        repaired=repair,
    )


def _files(folder: StateFolder) -> list[str]:
    """What a state folder consists of, but for lock, socket, staging, set-aside files and leftovers of a kill."""
    beside = {
        path.name
        for path in (
            folder.lock,
            folder.staging,
            folder.set_aside,
            folder.predictions,
            folder.requests,
            folder.control,
        )
    }
    leftovers = {path.name for path in atomic.temporaries(folder.path)}
    return sorted(path.name for path in folder.path.iterdir() if path.name not in beside | leftovers)


def _other_models(
    folder: StateFolder, store: ArtifactStore, known: list[Damage], *, touch: bool
) -> list[Damage]:
    """Damage of models that no start looks at, because a newer one is intact."""
    found = []
    for name in store.names():
        if any(each.file == name for each in known):
            continue
        try:
            store.open(name)
        except Corrupt as exc:
            found.append(damage(folder.path / name, exc, folder, touch=touch))
        except Refused as exc:
            found.append(Damage(file=name, fault=relative(exc, folder), remedy="left as it is"))
    return found


def _documents(folder: StateFolder, *, touch: bool) -> list[Damage]:
    """Copies of the configuration, figures: files without a checksum, which the daemon writes anew."""
    found = []
    for path in (*sorted(folder.path.glob("config_*.json")), folder.status, folder.metric_tracker):
        try:
            documents.read_object(path)
        except FileNotFoundError:
            continue
        except Corrupt as exc:
            found.append(damage(path, exc, folder, touch=touch))
    return found


def _serves(
    pair: Pair, history: PredictionHistory, served: Served, predictions: Callable[[Artifact], str] | None
) -> dict[str, Any]:
    artifact = served.artifacts.get(pair)
    found: dict[str, Any] = {
        "rows": history.rows(pair),
        **_digest(pair, history),
        "model": artifact.name if artifact else None,
        "trained_ms": artifact.trained_s * 1000 if artifact else None,
    }
    if predictions is not None:
        found["predictions"] = predictions(artifact) if artifact else None
    return found


def _digest(pair: Pair, history: PredictionHistory) -> dict[str, Any]:
    """First and last candle of a pair and SHA-256 over its rows, whatever files they lie in."""
    frame = history.frame(pair)
    times = frame.pop("date_pred").astype("int64").to_numpy()
    digest = hashlib.sha256(times.astype("<i8").tobytes())
    for name in sorted(map(str, frame)):
        values = frame[name].to_numpy()
        digest.update(name.encode())
        if values.dtype.kind == "f":
            # Of the many NaNs that there are, one.
            digest.update(np.where(np.isnan(values), np.nan, values).astype("<f8").tobytes())
        else:
            digest.update("\0".join(values).encode())
    first_ms, last_ms = (int(times[0]), int(times[-1])) if len(times) else (None, None)
    return {"first_ms": first_ms, "last_ms": last_ms, "sha256": digest.hexdigest()}
