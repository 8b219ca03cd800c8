"""Which steps a user's own model class puts into its pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.learning.models.registry import user_class
from daemon.learning.models.user import UserModel

if TYPE_CHECKING:
    from daemon.learning.options import PipelineOptions
    from daemon.learning.steps.port import Transform


def own_transforms(model: str, options: PipelineOptions) -> tuple[type[Transform], ...]:
    """Kinds of the steps that change features, in order; empty where the class is none of a user's.

    Raises:
        StrategyError: the user's hook raised.
    """
    user = user_class(model)
    if user is None or not issubclass(user.cls, UserModel):
        return ()
    with user.guarded():
        return tuple(user.cls.feature_pipeline(options))
