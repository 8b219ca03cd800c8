"""Which model a training goes on from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from daemon.core.errors import Corrupt, Refused
from daemon.learning.continuation import mismatch
from daemon.learning.importance import PAGE

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.learning.job import TrainingJob
    from daemon.learning.live import LiveModel
    from daemon.state.artifacts import Artifact, ArtifactStore


def parts_of(artifact: Artifact) -> dict[str, Path]:
    """The files of a model by part: ``model-1`` -> ``cb_btc_1700000000_model-1.cbm``; without the plots beside it."""
    return {
        name.rsplit("_", 1)[-1].split(".", maxsplit=1)[0]: path
        for name, path in artifact.files.items()
        if not name.endswith(PAGE)
    }


def continued(
    job: TrainingJob, present: LiveModel | None, artifacts: ArtifactStore
) -> tuple[TrainingJob, str]:
    """The job, told to go on from the pair's present model if it can.

    Returns:
        The job; and why it begins afresh although there is a model, empty if it does not.
    """
    if present is None:
        return job, ""
    if present.doubt:
        return job, f"{present.name} is not gone on from: {present.doubt}"
    try:
        artifact: Artifact = artifacts.open(present.name)
    except (Corrupt, Refused) as exc:
        return job, f"the present model cannot be read: {exc}"
    why = mismatch(artifact.metadata, job)
    if why:
        return job, f"{artifact.name} is not gone on from: {why}"
    files = {part: str(path.resolve()) for part, path in parts_of(artifact).items()}
    return replace(job, start=artifact.name, start_files=files), ""
