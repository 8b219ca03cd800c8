"""Names of prediction models."""

import difflib

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


def available_model(name: str) -> str:
    """The name itself.

    Raises:
        ValueError: no such model in this version.
    """
    if name in AVAILABLE:
        return name
    if name in _FREQAI:
        raise ValueError(f"must be a model of this version: {', '.join(AVAILABLE)}")
    near = difflib.get_close_matches(name, [*AVAILABLE, *_FREQAI], 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"must name a model; {hint}This version has {', '.join(AVAILABLE)}")
