"""Why a model says what it says of one row: its library's exact SHAP values, in the label's own unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from daemon.core.errors import Refused
from daemon.learning.models.port import Explains

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from daemon.learning.head import Head
    from daemon.learning.live import LiveModel

_SLACK = 1e-4
"""Of a label's range: XGBoost computes in float32. An objective with a link function is farther off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One prediction of one target, taken apart.

    Attributes:
        target: its name.
        said: the prediction: a number in the label's unit, or the likeliest class.
        probability: of that class; NaN for regression.
        expected: what the model says when it knows no feature: its mean over the training rows.
        total: expected value and contributions together: the prediction, or for classes the class's raw score, of
            which the probabilities are made (log-odds).
        names: of the columns behind the pipeline: features, or principal components.
        contributions: float64[k], what each adds to the expected value.
        values: float32[k], the columns before they were scaled: a feature's own value; scaled for components.
    """

    target: str
    said: float | str
    probability: float
    expected: float
    total: float
    names: tuple[str, ...]
    contributions: NDArray[np.float64]
    values: NDArray[np.float32]


def explanations(model: LiveModel, row: NDArray[np.float32]) -> list[Explanation]:
    """Take a prediction apart, target by target.

    Args:
        model: which predicts.
        row: float32[features] in the schema's order, all finite.

    Raises:
        Refused: the model's library has no SHAP values, or they are not those of its predictions.
    """
    if not model.heads:
        raise Refused(
            f"{model.name} is of a model class in FreqAI's manner: candled asks it for predictions, and does not know "
            "how it makes them"
        )
    names = model.pipeline.names(model.schema.names)
    changed = model.pipeline.transform(row[None, :])
    own = dict(zip(model.schema.names, row, strict=True))
    values = np.array([own.get(name, changed[0, i]) for i, name in enumerate(names)], np.float32)
    return [_explained(head, changed, names, values) for head in model.heads]


def _explained(
    head: Head, changed: NDArray[np.float32], names: tuple[str, ...], values: NDArray[np.float32]
) -> Explanation:
    target = head.target
    if not isinstance(head.model, Explains):
        raise Refused(
            f"target {target.name!r}: {type(head.model).__name__} has no exact SHAP values of its library's own; "
            "CatBoost, LightGBM and XGBoost have"
        )
    out = head.out(changed)
    code = int(out[0].argmax()) if target.classes else 0
    found = head.model.explained(changed, code)[0]
    said: float | str
    if head.scaling is None:
        said, probability = target.classes[code], float(out[0, code])
        expected, parts = float(found[-1]), found[:-1]
    else:
        said, probability = float(head.scaling.inverse(out)[0]), float("nan")
        half = (head.scaling.high - head.scaling.low) / 2
        expected, parts = float(head.scaling.inverse(found[-1:])[0]), found[:-1] * half
        if abs(expected + float(parts.sum()) - said) > 2 * half * _SLACK:
            raise Refused(
                f"target {target.name!r}: the objective passes the trees' sum through a link function; "
                "SHAP values are those of the sum, not of the prediction"
            )
    return Explanation(
        target=target.name,
        said=said,
        probability=probability,
        expected=expected,
        total=expected + float(parts.sum()),
        names=names,
        contributions=parts,
        values=values,
    )
