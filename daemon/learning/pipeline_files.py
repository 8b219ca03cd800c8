"""A fitted pipeline as files: small arrays in one JSON document, large matrices as ``.npy`` beside it.

The same pipeline gives the same bytes, and reading them executes nothing: a matrix is taken only if its header
promises exactly the float32 numbers that follow.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.core.errors import Corrupt
from daemon.learning.pipeline import FeaturePipeline, LabelScaling, Pipeline
from daemon.learning.steps.components import Components
from daemon.learning.steps.dbscan import Dbscan
from daemon.learning.steps.dissimilarity import Dissimilarity
from daemon.learning.steps.scaling import Scaling, Varying
from daemon.learning.steps.svm import OneClassSvm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from daemon.learning.steps.port import Detector, Transform

DOCUMENT = "pipeline"
"""Part that every pipeline has."""
_TRANSFORMS: Mapping[str, type[Transform]] = {step.name: step for step in (Varying, Scaling, Components)}
_DETECTORS: Mapping[str, type[Detector]] = {step.name: step for step in (OneClassSvm, Dissimilarity, Dbscan)}


def pipeline_files(pipeline: Pipeline) -> dict[str, bytes]:
    """Contents by file name ending: ``pipeline.json``, and where needed ``pca.npy`` and ``trained.npy``.

    ``trained`` are the training rows as the dissimilarity index and DBSCAN compare with them, what repeats in them
    once (`daemon.learning.steps.layers`). Both take the same rows, because the index removes none: they are written
    once.
    """
    steps: list[dict[str, Any]] = []
    arrays: dict[str, NDArray[np.float32]] = {}
    for step in (*pipeline.features.transforms, *pipeline.features.detectors):
        values, large = step.saved()
        steps.append({"name": step.name, **values})
        arrays |= large
    scalings = [None if label is None else [label.low, label.high] for label in pipeline.labels]
    document = {"steps": steps, "labels": scalings}
    files = {f"{DOCUMENT}.json": json.dumps(document, sort_keys=True).encode()}
    return files | {f"{name}.npy": _npy(array) for name, array in arrays.items()}


def read_pipeline(parts: Mapping[str, bytes], own: Sequence[type[Transform]] = ()) -> Pipeline:
    """The inverse of `pipeline_files`.

    Args:
        parts: contents by file name ending without its suffix: ``pipeline``, ``pca``, ``trained``.
        own: steps of the user's own that may be among them.

    Raises:
        Corrupt: they are not a pipeline.
    """
    try:
        document: Mapping[str, Any] = json.loads(parts[DOCUMENT])
        steps = document["steps"] if "steps" in document else _first_format(document)
        names = {step["name"] for step in steps}
        transforms = {**{step.name: step for step in own}, **_TRANSFORMS}
        wanted = {"pca"} & names | ({"trained"} if names & {"di", "dbscan"} else set())
        arrays = {name: _matrix(parts[name]) for name in wanted}
        features = FeaturePipeline(
            tuple(transforms[s["name"]].restored(s, arrays) for s in steps if s["name"] in transforms),
            tuple(_DETECTORS[s["name"]].restored(s, arrays) for s in steps if s["name"] not in transforms),
        )
        # Before there could be several targets it was one, "label".
        scalings = document["labels"] if "labels" in document else [document["label"]]
        labels = tuple(None if each is None else LabelScaling(*map(float, each)) for each in scalings)
    except KeyError as exc:
        raise Corrupt(f"the pipeline lacks something: {exc}") from exc
    except (ValueError, TypeError, OverflowError) as exc:
        raise Corrupt(f"not a pipeline: {exc!r}") from exc
    return Pipeline(features, labels)


def _first_format(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The steps of a document as candled wrote it when a pipeline could have no others."""
    return [
        {"name": "const", "kept": document["kept"]},
        {"name": "scaler", "low": document["low"], "high": document["high"]},
    ]


def _npy(array: NDArray[np.float32]) -> bytes:
    stream, array = io.BytesIO(), np.ascontiguousarray(array, "<f4")
    np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(array))
    return b"".join((stream.getvalue(), array.data))


def _matrix(data: bytes) -> NDArray[np.float32]:
    """A float32 matrix over the bytes themselves, without a copy; whether it is finite is for the steps to say.

    Raises:
        ValueError: the bytes are not one.
    """
    stream = io.BytesIO(data)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("not a matrix in npy format 1.0")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    start = stream.tell()
    if len(shape) != 2 or fortran or dtype != np.dtype("<f4") or shape[0] * shape[1] * 4 != len(data) - start:
        raise ValueError(f"not a float32 matrix: {shape} {dtype}")
    return np.frombuffer(data, "<f4", offset=start).reshape(shape)
