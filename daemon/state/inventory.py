"""Which files a history must have, and so which of them are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.state.journal import copy_path, journal_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from daemon.state.folder import StateFolder
    from daemon.state.journal import JournalFile, JournalHead
    from daemon.state.snapshot import Snapshot


def absent_files(
    folder: StateFolder,
    snapshots: Sequence[Snapshot],
    journals: Sequence[JournalFile],
    head: JournalHead,
    *,
    unfinished: bool,
) -> list[Path]:
    """Files that are not there and ought to be.

    Args:
        folder: where.
        snapshots: those that could be opened, newest first.
        journals: those that could be read.
        head: of the newest journal.
        unfinished: whether a new snapshot lies beside the main one's name, where a kill left it.
    """
    files = {file.path: file for file in journals}
    main, backup = folder.historic_predictions, folder.historic_predictions_backup
    absent = []
    if (snapshots or head.generation) and not (main.exists() or unfinished):
        absent.append(main)
    # Until there is a backup, the journals are kept from the very first on.
    if snapshots and not (backup.exists() or journal_path(folder, 0) in files):
        absent.append(backup)
    older = [
        journal_path(folder, number)
        for number in range(_oldest(folder, snapshots, journals, head), head.generation)
    ]
    absent += [path for path in older if path not in files]
    path = journal_path(folder, head.generation)
    for each, twin in ((path, copy_path(path)), (copy_path(path), path)):
        # A kill between the creation of the two leaves one of them empty, and nothing is missing.
        if each not in files and (twin not in files or files[twin].records):
            absent.append(each)
    return absent


def _oldest(
    folder: StateFolder, snapshots: Sequence[Snapshot], journals: Sequence[JournalFile], head: JournalHead
) -> int:
    """Generation of the oldest journal that is kept, so that the backup could replace the snapshot."""
    if not snapshots:
        return min((file.head.generation for file in journals if file.head is not None), default=0)
    oldest = snapshots[-1]
    alone = len(snapshots) == 1 and oldest.path != folder.historic_predictions_backup
    # The first snapshot has no backup but the journal before it; one that lost its backup stands alone.
    return 0 if alone and oldest.seal.generation == 1 else min(oldest.seal.generation, head.generation)
