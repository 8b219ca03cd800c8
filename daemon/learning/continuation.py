"""``continual_learning``: a training that goes on from the pair's present model.

FreqAI hands the old model to the library and fits a new pipeline: from then on the old trees see features on
another scale than the one that they were grown on, and their sum is taken for a label on another scale. Here a
training that goes on keeps the transforms and the label's scale of the model that it goes on from, so its trees mean
what they meant. Only the outlier methods are fitted anew: they speak of the window, not of the trees.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.core.errors import Corrupt
from daemon.learning.models.port import CannotContinue
from daemon.learning.models.registry import model_class, model_part
from daemon.learning.pipeline_files import read_pipeline
from daemon.learning.user_steps import own_transforms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.learning.job import TrainingJob
    from daemon.learning.models.port import Model
    from daemon.learning.pipeline import LabelScaling
    from daemon.learning.steps.port import Transform


@dataclass(frozen=True, slots=True)
class StartHead:
    """What one target goes on from: the fitted model, and the scale that its trees sum to."""

    scaling: LabelScaling | None
    model: Model


@dataclass(frozen=True, slots=True)
class Start:
    """What a training goes on from.

    Attributes:
        transforms: the scale that the trees were grown on.
        heads: one for each target.
    """

    transforms: tuple[Transform, ...]
    heads: tuple[StartHead, ...]


def start_of(job: TrainingJob) -> Start:
    """Read what a job is to go on from.

    Raises:
        CannotContinue: the models are of a kind that nothing can go on from, or the files are gone.
    """
    classes = [model_class(job.model, classifies=bool(target.classes)) for target in job.targets]
    for cls in classes:
        if not cls.continues:
            raise CannotContinue(f"{cls.__name__} has no fit that goes on from a model")
    try:
        parts = {part: Path(path).read_bytes() for part, path in job.start_files.items()}
        pipeline = read_pipeline(parts, own_transforms(job.model, job.pipeline))
        models = [cls.from_bytes(parts[model_part(i)]) for i, cls in enumerate(classes)]
        heads = tuple(StartHead(*each) for each in zip(pipeline.labels, models, strict=True))
    except (OSError, KeyError, ValueError, Corrupt) as exc:
        raise CannotContinue(f"{job.start} cannot be read: {exc}") from exc
    return Start(pipeline.features.transforms, heads)


def mismatch(metadata: Mapping[str, Any], job: TrainingJob) -> str:
    """Why a training cannot go on from a model; empty if it can.

    Args:
        metadata: of the model's artifact.
        job: the training.
    """
    classes = {target.name: list(target.classes) for target in job.targets}
    now = {
        "model_class": job.model,
        "model_digest": job.model_digest,
        "label_list": list(classes),
        "classes": classes,
        "training_features_list": list(job.features),
        "model_training_parameters": dict(job.parameters),
    }
    words = {
        "model_class": "it is of another model class",
        "model_digest": "the file of its model class has been edited",
        "label_list": "it has other targets",
        "classes": "its targets have other classes",
        "training_features_list": "it has other features",
        "model_training_parameters": "it has other model_training_parameters",
    }
    for key, value in now.items():
        if metadata.get(key, "" if key == "model_digest" else None) != value:
            return words[key]
    components = "principal_component_analysis"
    before = metadata.get("pipeline", {}).get(components, False)
    return "" if before == asdict(job.pipeline)[components] else f"{components} was switched"
