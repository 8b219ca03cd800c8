"""One file per model library; each imports its library lazily and alone.

What a model class of a user's own is made of is named here: ``from daemon.learning.models import UserModel``.
"""

from daemon.core.errors import Corrupt, Refused
from daemon.learning.models.port import FitOptions, FitStopped, Model, Rows, refuse_missing
from daemon.learning.models.user import UserModel
from daemon.learning.options import PipelineOptions
from daemon.learning.pipeline import LabelScaling
from daemon.learning.steps.components import Components
from daemon.learning.steps.port import Transform
from daemon.learning.steps.scaling import Scaling, Varying

__all__ = [
    "Components",
    "Corrupt",
    "FitOptions",
    "FitStopped",
    "LabelScaling",
    "Model",
    "PipelineOptions",
    "Refused",
    "Rows",
    "Scaling",
    "Transform",
    "UserModel",
    "Varying",
    "refuse_missing",
]
