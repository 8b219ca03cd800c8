"""The fitted pipelines of a model in FreqAI's manner as bytes, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daemon.core.errors import Corrupt, Refused
from daemon.learning.freqai import detectors, transforms
from daemon.learning.freqai.pipeline import Pipeline
from daemon.learning.freqai.skops_bytes import skops_bytes, skops_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.learning.freqai.transforms import BaseTransform

_OURS: dict[str, type[BaseTransform]] = {
    name: getattr(module, name)
    for module in (transforms, detectors)
    for name in module.__all__
    if isinstance(getattr(module, name), type)
}


def pipelines_bytes(features: Pipeline, labels: Pipeline, types: Mapping[str, type[Any]]) -> bytes:
    """Both pipelines as one file.

    Args:
        features: fitted.
        labels: fitted, or empty.
        types: classes that the user's files define, by name; their steps are saved by their attributes.

    Raises:
        Refused: a step holds what cannot be saved; the message names it.
    """
    both = {"features": _saved(features, types), "labels": _saved(labels, types)}
    return skops_bytes(both, "the pipeline")


def pipelines_of(data: bytes, types: Mapping[str, type[Any]]) -> tuple[Pipeline, Pipeline]:
    """The inverse of `pipelines_bytes`.

    Raises:
        Corrupt: these are not its bytes.
    """
    found = skops_value(data)
    try:
        return _restored(found["features"], types), _restored(found["labels"], types)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise Corrupt(f"not a user's pipeline: {exc!r}") from exc


def _saved(pipeline: Pipeline, types: Mapping[str, type[Any]]) -> dict[str, Any]:
    steps = []
    for name, step in pipeline.steps:
        kind = type(step)
        if kind not in (_OURS.get(kind.__name__), types.get(kind.__name__)):
            raise Refused(
                f"the pipeline's step {name!r} cannot be saved: its class {kind.__name__} is none of "
                "datasieve.transforms, and stands at the top of no file of the model"
            )
        steps.append([name, kind.__name__, step.saved()])
    return {
        "steps": steps,
        "features_in": [str(each) for each in pipeline.features_in],
        "labels": [str(each) for each in pipeline.label_list],
        "frames": pipeline.pandas_types,
        "fitparams": pipeline.fitparams,
    }


def _restored(found: Mapping[str, Any], types: Mapping[str, type[Any]]) -> Pipeline:
    steps = [
        (name, (types.get(kind) or _OURS[kind]).restored(values)) for name, kind, values in found["steps"]
    ]
    pipeline = Pipeline(steps, found["fitparams"])
    pipeline.features_in, pipeline.label_list = list(found["features_in"]), list(found["labels"])
    pipeline.pandas_types = bool(found["frames"])
    return pipeline
