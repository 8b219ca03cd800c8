"""Which model of each pair a start serves, and what it says about those that it cannot serve."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from daemon.core.errors import Corrupt, Refused
from daemon.state import queue
from daemon.state.queue import QueueState
from daemon.state.report import Damage, damage, relative

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from daemon.core.pair import Pair
    from daemon.state.artifacts import Artifact, ArtifactStore
    from daemon.state.folder import StateFolder
    from daemon.state.queue import PairEntry


logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The models of a start.

    Attributes:
        artifacts: pair -> its newest intact model; a pair without one is absent.
        entries: pair -> its entry in the queue, where it has to change.
        damages: model folders that are not what was written, or not for this candled.
    """

    artifacts: Mapping[Pair, Artifact]
    entries: Mapping[Pair, PairEntry]
    damages: tuple[Damage, ...]


def served_models(
    folder: StateFolder, store: ArtifactStore, entries: Mapping[Pair, PairEntry], now_ms: int, *, touch: bool
) -> Served:
    """Verify the live model of every pair; where it fails, the newest intact one before it takes its place.

    Its pair then goes to the head of the queue, as does one whose models are all gone. Trainings that the
    daemon's end interrupted keep their place.

    Args:
        folder: where.
        store: its model folders.
        entries: of the pair dictionary.
        now_ms: market time, ms UTC.
        touch: set damaged folders aside; without, nothing on the disk is changed.
    """
    artifacts: dict[Pair, Artifact] = {}
    changed: dict[Pair, PairEntry] = {}
    damages: list[Damage] = []
    for pair, before in entries.items():
        entry = queue.interrupted(before) if before.state is QueueState.TRAINING else before
        if entry.data_path:
            artifact = _newest(folder, store, pair, entry.data_path, damages, touch=touch)
            entry = _entry(entry, artifact, now_ms)
            if artifact is not None:
                artifacts[pair] = artifact
        if entry != before:
            changed[pair] = entry
    return Served(artifacts=artifacts, entries=changed, damages=tuple(damages))


def _newest(
    folder: StateFolder, store: ArtifactStore, pair: Pair, live: str, damages: list[Damage], *, touch: bool
) -> Artifact | None:
    for name in _candidates(store, pair, live):
        try:
            return _opened(store, name, pair)
        except Refused as exc:
            damages.append(_told(Damage(file=name, fault=relative(exc, folder), remedy="left as it is")))
        except Corrupt as exc:
            if name in store.names():
                damages.append(damage(folder.path / name, exc, folder, touch=touch))
            else:
                gone = Damage(file=name, fault=relative(exc, folder), remedy="an older model is looked for")
                damages.append(_told(gone))
    return None


def _candidates(store: ArtifactStore, pair: Pair, live: str) -> Iterator[str]:
    """The live model, then the pair's others, newest first: those are looked for only if somebody asks for them."""
    yield live
    yield from (name for name in store.names_of(pair) if name != live)


def _told(found: Damage) -> Damage:
    logger.warning("model_not_served", extra={"fields": found.fields()})
    return found


def _opened(store: ArtifactStore, name: str, pair: Pair) -> Artifact:
    artifact = store.open(name)
    if artifact.pair != pair:
        raise Refused(f"{artifact.path} is a model of {artifact.pair}, not of {pair}")
    return artifact


def _entry(entry: PairEntry, artifact: Artifact | None, now_ms: int) -> PairEntry:
    if artifact is None:
        return queue.without_model(entry, now_ms, "its model is damaged or gone")
    if artifact.name == entry.data_path:
        return entry
    older = replace(
        entry, data_path=artifact.name, model_filename=artifact.stem, trained_timestamp=artifact.trained_s
    )
    why = "its newest model is damaged or gone"
    return queue.queued(older, now_ms, urgent=why, reason=f"{queue.Cause.MISSING}: {why}")
