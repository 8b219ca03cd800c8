"""One file per model library; each imports its library lazily and alone.

What a model class of a user's own is made of is named here: ``from daemon.learning.models import UserModel``.
"""

from daemon.core.errors import Corrupt, Refused
from daemon.learning.models.port import FitOptions, FitStopped, Rows
from daemon.learning.models.user import UserModel

__all__ = ["Corrupt", "FitOptions", "FitStopped", "Refused", "Rows", "UserModel"]
