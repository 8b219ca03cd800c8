"""What the model files of FreqAI's users import, by the names that they import it by.

Only the import statements of model files see these (`daemon.strategy.modules`); nothing of FreqAI or DataSieve is
installed or imported.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_DETECTORS = "daemon.learning.freqai.detectors"
_INTERFACE = "daemon.learning.freqai.interface"
_KITCHEN = "daemon.learning.freqai.kitchen"
_MULTI = "daemon.learning.freqai.multioutput"
_PIPELINE = "daemon.learning.freqai.pipeline"
_TRANSFORMS = "daemon.learning.freqai.transforms"

# What FreqAI or DataSieve call it -> the module of ours and the names in it; no names: all.
_SOURCES: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = MappingProxyType(
    {
        "freqtrade.freqai": (),
        "freqtrade.freqai.base_models": (),
        "freqtrade.freqai.base_models.BaseClassifierModel": ((_INTERFACE, ("BaseClassifierModel",)),),
        "freqtrade.freqai.base_models.BaseRegressionModel": ((_INTERFACE, ("BaseRegressionModel",)),),
        "freqtrade.freqai.base_models.FreqaiMultiOutputClassifier": (
            (_MULTI, ("FreqaiMultiOutputClassifier",)),
        ),
        "freqtrade.freqai.base_models.FreqaiMultiOutputRegressor": (
            (_MULTI, ("FreqaiMultiOutputRegressor",)),
        ),
        "freqtrade.freqai.data_drawer": ((_INTERFACE, ("FreqaiDataDrawer",)),),
        "freqtrade.freqai.data_kitchen": ((_KITCHEN, ()),),
        "freqtrade.freqai.freqai_interface": ((_INTERFACE, ("IFreqaiModel",)),),
        # Where the base classes stood in FreqAI's first versions.
        "freqtrade.freqai.prediction_models": (),
        "freqtrade.freqai.prediction_models.BaseClassifierModel": ((_INTERFACE, ("BaseClassifierModel",)),),
        "freqtrade.freqai.prediction_models.BaseRegressionModel": ((_INTERFACE, ("BaseRegressionModel",)),),
        "freqtrade.freqai.tensorboard": (),
        "datasieve": (),
        "datasieve.pipeline": ((_PIPELINE, ()),),
        "datasieve.transforms": ((_TRANSFORMS, ()), (_DETECTORS, ())),
        "datasieve.transforms.base_transform": ((_TRANSFORMS, ("BaseTransform",)),),
        "datasieve.utils": ((_TRANSFORMS, ("remove_outliers",)),),
    }
)
UNSUPPORTED: Mapping[str, str] = MappingProxyType(
    {
        "freqtrade.freqai.RL": "reinforcement learning",
        "freqtrade.freqai.prediction_models.ReinforcementLearner": "reinforcement learning",
        "freqtrade.freqai.base_models.BasePyTorch": "networks of PyTorch in a user's own class",
        "freqtrade.freqai.torch": "networks of PyTorch in a user's own class",
    }
)
"""Beginnings of modules' names -> what candled does not have."""


@cache
def model_modules() -> Mapping[str, ModuleType]:
    """Every module that candled has for model files, by its full name."""
    modules: dict[str, ModuleType] = {}
    for name, sources in _SOURCES.items():
        module = ModuleType(name, "candled's own, for model files.")
        exported: dict[str, object] = {}
        for source, names in sources:
            origin = import_module(source)
            exported |= {public: getattr(origin, public) for public in names or origin.__all__}
        module.__dict__.update(exported, __all__=sorted(exported), __path__=[])
        modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent in modules and not hasattr(modules[parent], child):
            setattr(modules[parent], child, module)
    modules["freqtrade.freqai.tensorboard"].__dict__.update(
        TBLogger=None, LightGBMCallback=None, __getattr__=_tensorboard
    )
    return MappingProxyType(modules)


def _tensorboard(name: str) -> Any:
    """XGBoost takes callbacks of a class of its own only; it is imported for those who ask."""
    if name != "TBCallback" or importlib.util.find_spec("xgboost") is None:
        raise AttributeError(name)
    return import_module("daemon.learning.freqai.native.xgboost").TensorBoardCallback
