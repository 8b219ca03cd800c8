"""From whatever lies in the folder to the history that was acknowledged.

Every pair's rows come from the newest snapshot in which that pair is intact, and from the records of all
journals and copies since. Records carry numbers, so a file may be missing, old, torn or doubled: what is
there is put together, and a hole is seen and named.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from daemon.core.errors import Corrupt
from daemon.state.adoption import Adopted, adopt, fingerprint
from daemon.state.columns import PairColumns
from daemon.state.inventory import absent_files
from daemon.state.journal import (
    JournalFile,
    JournalHead,
    copy_path,
    journal_path,
    journal_paths,
    read_journal,
)
from daemon.state.losses import Known, after_the_last, first_record, holes, lost_tails
from daemon.state.replay import groups_of, replay
from daemon.state.report import Damage, Loss, damage, missing
from daemon.state.snapshot import Snapshot, Unsealed, publish_snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from daemon.core.pair import Pair
    from daemon.state.folder import StateFolder
    from daemon.state.records import Record

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Recovered:
    """What a start serves, and what it has to do.

    Attributes:
        pairs: the history.
        head: of the journal to go on with.
        records: what that journal holds, or should hold.
        resumable: whether journal and copy are on the disk, whole, and hold just that.
        next_sequence: number of the next record.
        generation: of the newest intact snapshot; 0 without one.
        damages: files that are not what was written.
        losses: what was acknowledged and is gone.
        fresh: whether there are records that the newest snapshot does not contain.
        settle: whether a new snapshot is wanted at once (damage, or a history taken over from FreqAI).
    """

    pairs: dict[Pair, PairColumns] = field(default_factory=dict)
    head: JournalHead
    records: list[Record] = field(default_factory=list)
    resumable: bool = False
    next_sequence: int = 0
    generation: int = 0
    damages: list[Damage] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    fresh: bool = False
    settle: bool = False


@dataclass(frozen=True, slots=True)
class _Candidate:
    snapshot: Snapshot
    hurt: frozenset[Pair]


def recover(folder: StateFolder, *, touch: bool) -> Recovered:
    """Put the history of a folder together.

    Args:
        folder: where.
        touch: set damaged files aside; without, nothing on the disk is changed.
    """
    return _Recovery(folder, touch=touch).run()


class _Recovery:
    def __init__(self, folder: StateFolder, *, touch: bool) -> None:
        self._folder = folder
        self._touch = touch
        self._damages: list[Damage] = []
        self._losses: list[Loss] = []
        self._unsealed: list[Path] = []
        self._candidates: list[_Candidate] = []
        self._journals: list[JournalFile] = []
        self._adopted: Adopted | None = None
        self._unfinished = False

    def run(self) -> Recovered:
        self._read_snapshots()
        self._finish_publication()
        self._read_journals()
        self._take_over()
        generation = max(
            (each.snapshot.seal.generation for each in self._candidates if not each.hurt), default=0
        )
        head = self._head(generation)
        records = _sorted_records(self._journals)
        pairs, known = self._base()
        groups, strange = groups_of(record for record in records if record.sequence >= known.floor)
        replay(groups, pairs)
        self._losses += holes(known, [record for record in records if record not in strange], pairs)
        self._name_missing(head, pairs)
        mine = [file for file in self._journals if file.head == head]
        self._losses += lost_tails(mine, records, pairs)
        kept = _sorted_records(mine)
        result = Recovered(
            pairs=pairs,
            head=head,
            records=kept,
            resumable=_whole(mine, self._folder, kept),
            next_sequence=max([known.next_sequence, *(record.sequence + 1 for record in records)]),
            generation=generation,
            damages=self._damages,
            losses=self._losses,
            fresh=any(record.sequence >= known.next_sequence for record in records),
            settle=bool(self._damages or self._losses or self._adopted),
        )
        self._log(result)
        return result

    def _read_snapshots(self) -> None:
        folder = self._folder
        for path in (
            folder.historic_predictions_new,
            folder.historic_predictions,
            folder.historic_predictions_backup,
        ):
            try:
                snapshot = Snapshot.open(path)
                hurt, between = snapshot.damaged()
            except FileNotFoundError:
                continue
            except Unsealed:
                self._unsealed.append(path)
                continue
            except Corrupt as exc:
                self._damaged(path, exc)
                continue
            self._candidates.append(_Candidate(snapshot, hurt))
            if hurt or between:
                what = f"rows of {', '.join(sorted(hurt))}" if hurt else "bytes that only pandas reads"
                self._damaged(path, Corrupt(f"{path} has damaged bytes: {what}"))
        self._candidates.sort(key=lambda each: each.snapshot.seal.generation, reverse=True)

    def _finish_publication(self) -> None:
        """A kill between the two renames of a new snapshot: the second is done now."""
        folder = self._folder
        self._unfinished = any(
            each.snapshot.path == folder.historic_predictions_new for each in self._candidates
        )
        if self._unfinished and self._touch:
            publish_snapshot(folder)

    def _read_journals(self) -> None:
        for path in journal_paths(self._folder):
            try:
                file = read_journal(path)
                self._check_lineage(file)
            except FileNotFoundError:
                continue
            except Corrupt as exc:
                self._damaged(path, exc)
                continue
            self._journals.append(file)
            if file.faults and not file.torn:
                stretches = ", ".join(
                    f"{each.what} at bytes {each.start} to {each.end}" for each in file.faults
                )
                self._damaged(path, Corrupt(f"{path} has damage: {stretches}"))
            elif file.head is None:
                self._damaged(path, Corrupt(f"{path} has a damaged head"))

    def _check_lineage(self, file: JournalFile) -> None:
        """A journal of another deployment, copied in by mistake, is sound but not ours."""
        known = [each.snapshot.seal.lineage for each in self._candidates]
        known += [each.head.lineage for each in self._journals if each.head is not None]
        if known and file.head is not None and file.head.lineage != known[0]:
            raise Corrupt(f"{file.path} belongs to another history")

    def _take_over(self) -> None:
        """FreqAI's file, if this folder has no history of ours yet, or one that began with that very file."""
        began = {file.head.adopted for file in self._journals if file.head is not None}
        for path in self._unsealed:
            try:
                if not (self._journals or self._candidates) or fingerprint(path) in began:
                    self._adopt(path)
                else:
                    self._damaged(path, Corrupt(f"{path} is cut off: the end that candled writes is missing"))
            except Corrupt as exc:
                self._damaged(path, exc)

    def _adopt(self, path: Path) -> None:
        whole = any(not each.hurt for each in self._candidates)
        if self._adopted is None and not whole:
            self._adopted = adopt(path)
            if (
                path == self._folder.historic_predictions_backup
                and not self._candidates
                and not self._journals
            ):
                what = "FreqAI's history is damaged or missing: what it wrote after its backup is lost"
                self._losses += after_the_last(self._adopted.pairs, what)

    def _head(self, generation: int) -> JournalHead:
        """Of the newest journal; a new one where there is none."""
        heads = [file.head for file in self._journals if file.head is not None]
        if heads and max(head.generation for head in heads) >= generation:
            return max(heads, key=lambda head: head.generation)
        lineage = self._candidates[0].snapshot.seal.lineage if self._candidates else None
        lineage = lineage or (heads[0].lineage if heads else secrets.token_hex(8))
        adopted = self._adopted.fingerprint if self._adopted and not generation else ""
        first = max((each.snapshot.seal.next_sequence for each in self._candidates), default=0)
        return JournalHead(generation=generation, lineage=lineage, first_sequence=first, adopted=adopted)

    def _base(self) -> tuple[dict[Pair, PairColumns], Known]:
        """Every pair from the newest snapshot in which it is intact."""
        began = [file.head.first_sequence for file in self._journals if file.head is not None]
        known = Known(next_sequence=max(began, default=0))
        pairs: dict[Pair, PairColumns] = {}
        for candidate in self._candidates:
            seal = candidate.snapshot.seal
            known.next_sequence = max(known.next_sequence, seal.next_sequence)
            for pair, stored in candidate.snapshot.pairs.items():
                if pair in candidate.hurt:
                    known.hurt.setdefault(pair, candidate.snapshot.span(pair))
                elif pair not in known.since:
                    pairs[pair] = PairColumns(stored)
                    known.since[pair] = seal.next_sequence
                    known.until_ms[pair] = candidate.snapshot.span(pair)[1]
        for pair, columns in (self._adopted.pairs if self._adopted else {}).items():
            if pair not in known.since:
                pairs[pair] = columns
                known.since[pair] = 0
        snapshots, adopted = [each.snapshot for each in self._candidates], self._adopted is not None
        for pair in [*known.hurt]:
            since = known.since.get(pair, first_record(pair, snapshots, self._journals, adopted=adopted))
            if since is not None:
                known.since[pair] = since
                del known.hurt[pair]
        self._losses += self._adopted.losses if self._adopted else ()
        return pairs, known

    def _name_missing(self, head: JournalHead, pairs: Mapping[Pair, PairColumns]) -> None:
        if not (self._journals or self._candidates):
            if self._damages and not self._adopted:
                what = "no snapshot and no journal can be read"
                self._losses.append(Loss(pair="", from_ms=0, to_ms=0, what=what))
            return
        snapshots = [each.snapshot for each in self._candidates]
        for path in absent_files(self._folder, snapshots, self._journals, head, unfinished=self._unfinished):
            self._missing(path)
        if not any(file.head == head for file in self._journals):
            what = "the journal and its copy are gone: predictions after the snapshot may be lost"
            self._losses += after_the_last(pairs, what)

    def _missing(self, path: Path) -> None:
        if path.name not in {each.file for each in self._damages}:
            self._damages.append(missing(path, touch=self._touch))

    def _damaged(self, path: Path, why: Corrupt) -> None:
        self._damages.append(damage(path, why, self._folder, touch=self._touch))

    def _log(self, result: Recovered) -> None:
        if not self._touch:
            return
        for loss in result.losses:
            logger.error("predictions_lost", extra={"fields": loss.fields()})
        rows = sum(map(len, result.pairs.values()))
        fields = {"pairs": len(result.pairs), "rows": rows, "generation": result.generation}
        logger.info("history_recovered", extra={"fields": fields})


def _sorted_records(files: list[JournalFile]) -> list[Record]:
    """The records of some files in order, each once; of two with one number both, for rows decide then."""
    found = {(record.sequence, record.data): record for file in files for record in file.records}
    return [found[key] for key in sorted(found)]


def _whole(files: list[JournalFile], folder: StateFolder, records: list[Record]) -> bool:
    """Whether a journal and its copy both hold just these records."""
    paths = {file.path for file in files if not file.faults and list(file.records) == records}
    if not files or files[0].head is None:
        return False
    path = journal_path(folder, files[0].head.generation)
    return paths >= {path, copy_path(path)}
