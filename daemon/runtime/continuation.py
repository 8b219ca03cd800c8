"""Which model a training goes on from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from daemon.core.errors import Corrupt, Refused
from daemon.learning.continuation import mismatch

if TYPE_CHECKING:
    from daemon.learning.job import TrainingJob
    from daemon.learning.live import LiveModel
    from daemon.state.artifacts import Artifact, ArtifactStore


def part_of(file: str) -> str:
    """The part of a model that a file of its artifact holds: ``model-1`` of ``cb_btc_1700000000_model-1.cbm``."""
    return file.rsplit("_", 1)[-1].split(".", maxsplit=1)[0]


def continued(
    job: TrainingJob, present: LiveModel | None, artifacts: ArtifactStore
) -> tuple[TrainingJob, str]:
    """The job, told to go on from the pair's present model if it can.

    Returns:
        The job; and why it begins afresh although there is a model, empty if it does not.
    """
    if present is None:
        return job, ""
    try:
        artifact: Artifact = artifacts.open(present.name)
    except (Corrupt, Refused) as exc:
        return job, f"the present model cannot be read: {exc}"
    why = mismatch(artifact.metadata, job)
    if why:
        return job, f"{artifact.name} is not gone on from: {why}"
    files = {part_of(name): str(path.resolve()) for name, path in artifact.files.items()}
    return replace(job, start=artifact.name, start_files=files), ""
