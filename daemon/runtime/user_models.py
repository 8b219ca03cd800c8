"""Finding a user's model class by its name, and making it known: a strategy's way, for models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.core.errors import ConfigError
from daemon.learning.models.registry import check_library, forget, import_lean, model_class, use, user_class
from daemon.strategy.sources import class_names, python_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.config import Settings
    from daemon.learning.job import TrainingJob
    from daemon.learning.models.user import UserClass


def import_model(settings: Settings) -> None:
    """Import what predicting with a model of ours needs, and no more: for the daemon's own process, as it starts."""
    if _file_of(settings.freqaimodel, settings.model_folders) is None:
        import_lean(settings.freqaimodel)


def use_model(settings: Settings) -> UserClass | None:
    """Make the model of the settings known, and make sure that it can work; None if it is one of ours.

    Raises:
        ConfigError: there is no such model, its library is missing, or the user's file cannot be used; the message
            names file and line.
    """
    name = settings.freqaimodel
    file = _file_of(name, settings.model_folders)
    if file is None:
        forget(name)
        check_library(name)
        model_class(name)
        return None
    from daemon.runtime.user_loader import loaded  # noqa: PLC0415  scikit-learn comes with it: for users' classes only

    config = json.loads(json.dumps(settings.raw, default=str))
    user = loaded(name, file, config)
    use(user)
    return user


def use_model_of(job: TrainingJob) -> None:
    """Make the model of a job known in the training process, if it is a user's.

    Raises:
        ConfigError: the file has been edited since the daemon read it, or cannot be used any more.
    """
    known = user_class(job.model)
    if not job.model_file:
        forget(job.model)
    elif known is None or known.digest != job.model_digest:
        from daemon.runtime.user_loader import loaded  # noqa: PLC0415  scikit-learn comes with it: for users' classes only

        user = loaded(job.model, Path(job.model_file), job.config)
        if user.digest != job.model_digest:
            raise ConfigError(
                f"{job.model_file} has been edited since the start: restart candled to train with it"
            )
        use(user)


def _file_of(name: str, folders: Sequence[Path]) -> Path | None:
    """The file that defines the class, in the first of the folders that has one.

    Raises:
        ConfigError: two files of one folder define it.
    """
    for folder in folders:
        found = [file for file in python_files(folder) if name in class_names(file)]
        if len(found) > 1:
            raise ConfigError(
                f"freqaimodel: class {name!r} stands in two files, {found[0]} and {found[1]}: rename one of them"
            )
        if found:
            return found[0]
    return None
