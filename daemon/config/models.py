"""Names of prediction models."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

AVAILABLE = (
    "CatboostRegressor",
    "CatboostClassifier",
    "CatboostRegressorMultiTarget",
    "CatboostClassifierMultiTarget",
    "LightGBMRegressor",
    "LightGBMClassifier",
    "LightGBMRegressorMultiTarget",
    "LightGBMClassifierMultiTarget",
    "XGBoostRegressor",
    "XGBoostClassifier",
    "XGBoostRegressorMultiTarget",
    "XGBoostRFRegressor",
    "XGBoostRFClassifier",
    "SKLearnRandomForestClassifier",
)
"""Models of this version."""

FORESTS = ("XGBoostRFRegressor", "XGBoostRFClassifier", "SKLearnRandomForestClassifier")
"""Models whose trees do not build on each other: none can go on from another."""

# Names that FreqAI ships or shipped; somebody's config may name any of them.
_FREQAI = frozenset(
    {
        "PyTorchMLPRegressor",
        "PyTorchMLPClassifier",
        "PyTorchTransformerRegressor",
        "ReinforcementLearner",
        "ReinforcementLearner_multiproc",
    }
)


def model_fault(name: str, folders: Iterable[Path]) -> str:
    """What is wrong with the name of a model; empty if it is ours, or some file there has a class of that name.

    Args:
        name: as in ``freqaimodel``.
        folders: where the user's own model files lie.
    """
    folders = list(folders)
    if name in AVAILABLE or any(_defines(file, name) for folder in folders for file in folder.glob("*.py")):
        return ""
    looked = f"; no file in {', '.join(map(str, folders))} has a class of that name"
    if name in _FREQAI:
        return f"must be a model of this version: {', '.join(AVAILABLE)}{looked}"
    near = difflib.get_close_matches(name, [*AVAILABLE, *_FREQAI], 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"must name a model; {hint}This version has {', '.join(AVAILABLE)}{looked}"


def _defines(file: Path, name: str) -> bool:
    if not file.is_file():
        return False
    return (
        re.search(
            rf"^class[ \t]+{re.escape(name)}[ \t]*[(:\[]", file.read_text("utf-8", "replace"), re.MULTILINE
        )
        is not None
    )
