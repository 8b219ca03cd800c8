"""Holes in the numbered records: which pairs miss which candles."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from daemon.core.pair import Pair
from daemon.state.report import Loss

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from daemon.state.columns import PairColumns
    from daemon.state.journal import JournalFile
    from daemon.state.records import Record
    from daemon.state.snapshot import Snapshot


@dataclass(slots=True, kw_only=True)
class Known:
    """What snapshots and journals say of themselves.

    Attributes:
        next_sequence: number up to which there were records: of the newest snapshot whose index could be
            read, or of the newest journal's beginning.
        since: pair -> number of the first record that its snapshot does not contain.
        until_ms: pair -> last candle in its snapshot, ms.
        hurt: pair -> first and last candle in ms, where every snapshot's rows of it are damaged, and it came up before
            the first record that is known.
    """

    next_sequence: int
    since: dict[Pair, int] = field(default_factory=dict)
    until_ms: dict[Pair, int] = field(default_factory=dict)
    hurt: dict[Pair, tuple[int, int]] = field(default_factory=dict)

    @property
    def floor(self) -> int:
        """Number of the first record that any pair needs."""
        return 0 if self.hurt or not self.since else min(self.since.values())


def first_record(
    pair: Pair, snapshots: Iterable[Snapshot], journals: Iterable[JournalFile], *, adopted: bool
) -> int | None:
    """Number of the first record that a pair can be in; None if that is not known.

    It came up after every snapshot that does not have it, or after the beginning of all records, where FreqAI's history
    (if it began with one) is there and does not have it.
    """
    found = [each.seal.next_sequence for each in snapshots if pair not in each.pairs]
    heads = [file.head for file in journals if file.head is not None]
    if any(not head.generation and (adopted or not head.adopted) for head in heads):
        found.append(0)
    return max(found, default=None)


def holes(known: Known, records: list[Record], pairs: Mapping[Pair, PairColumns]) -> list[Loss]:
    """What is gone: pairs whose rows no snapshot has, and numbers since the snapshot that no journal has.

    A record says for which candles it is, not (without its payload) for which pairs; so every pair that
    was there at the time is named, from the candle after its last known one before the hole to the one
    before the next.
    """
    found = [
        Loss(pair=pair, from_ms=first_ms, to_ms=last_ms, what="its rows are damaged in every snapshot")
        for pair, (first_ms, last_ms) in sorted(known.hurt.items())
    ]
    # Where a pair is lost in every snapshot, its loss is named above; the numbers that matter are the others'.
    first = min(known.since.values(), default=known.next_sequence if known.hurt else 0)
    for start, end in _absent(first, known.next_sequence, [record.sequence for record in records]):
        before = [record.last_ms for record in records if record.sequence < start]
        after = [record.first_ms for record in records if record.sequence > end]
        names: list[str] = sorted(pair for pair in pairs if known.since.get(pair, first) <= end) or [""]
        what = f"{end - start + 1} ticks are in no journal"
        for pair in names:
            from_ms = max([known.until_ms.get(Pair(pair), 0) if pair else 0, *before])
            found.append(Loss(pair=pair, from_ms=from_ms, to_ms=min(after, default=0), what=what))
    return found


def lost_tails(
    files: Iterable[JournalFile], records: list[Record], pairs: Mapping[Pair, PairColumns]
) -> list[Loss]:
    """Records at a journal's end that were acknowledged and that no file has whole.

    A broken end of the journal itself proves nothing: a kill or a power cut came before the
    acknowledgement. But the copy is written after that, so whatever begins there was acknowledged. Without
    a copy, a record of full length with a wrong checksum is taken for an acknowledged one.
    """
    files = list(files)
    known = max((record.sequence for record in records), default=-1)
    copies = [file for file in files if file.is_copy]
    for file in copies or [file for file in files if not file.torn]:
        fault = file.faults[-1] if file.faults else None
        last = max((record.sequence for record in file.records), default=-1)
        if fault is not None and fault.end == file.size and last + fault.traces > known:
            return after_the_last(pairs, "the last ticks of the journal and of its copy are damaged")
    return []


def after_the_last(pairs: Mapping[Pair, PairColumns], what: str) -> list[Loss]:
    """Losses of unknown length behind the newest row of every pair."""
    return [
        Loss(pair=pair, from_ms=(columns.last_ms or 0) + 1, to_ms=0, what=what)
        for pair, columns in sorted(pairs.items())
    ]


def _absent(first: int, end: int, sequences: list[int]) -> list[tuple[int, int]]:
    """First and last of every stretch of numbers that is missing from ``first`` on, up to ``end`` at least."""
    gaps, expected = [], first
    for number in [*sorted(set(sequences)), end]:
        if number > expected:
            gaps.append((expected, number - 1))
        expected = max(expected, number + 1)
    return gaps
