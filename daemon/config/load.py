"""From files, credentials, environment and command line to settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from daemon.config.files import merged, read_files
from daemon.config.layers import Layer, credentials_layer, environment_layer, override_layer, with_own_secrets
from daemon.config.problems import problem_lines
from daemon.config.settings import Settings
from daemon.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def load_settings(
    paths: Sequence[Path],
    *,
    env: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Read and check the configuration.

    Args:
        paths: configuration files; a later one wins over an earlier one, key by key.
        env: environment, by default that of the process. ``CANDLED__SECTION__KEY`` variables win over the
            credentials in ``$CREDENTIALS_DIRECTORY``, and those over the files.
        overrides: values by dotted key (``candled.simulated.speed``) that win over everything; a value
            of None is passed over.

    Raises:
        ConfigError: with every problem, one line each.
    """
    env = os.environ if env is None else env
    if not paths:
        raise ConfigError("no configuration file; name one with -c (start from config.example.json)")
    names = ", ".join(str(path) for path in paths)
    reading = read_files(paths)
    if reading.problems:
        raise _error(names, reading.problems)
    document, origins, problems = _overlaid(reading.document, env, overrides or {})
    context = {"files": reading.files, "warnings": reading.doubled_keys}
    try:
        settings = Settings.model_validate(document, context=context)
    except ValidationError as exc:
        # The original error holds the values; it must not appear in a traceback.
        raise _error(names, [*problems, *problem_lines(exc, Settings, document, origins)]) from None
    if problems:
        raise _error(names, problems)
    return settings


def _overlaid(
    below: dict[str, Any], env: Mapping[str, str], overrides: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[tuple[str, ...], str], list[str]]:
    """The document of all layers, where its values come from, and what was wrong with the layers."""
    layers = [with_own_secrets(Layer(document=below)), credentials_layer(env)]
    below = merged(layers[0].document, layers[1].document)
    layers += [with_own_secrets(environment_layer(env, Settings, below))]
    layers += [with_own_secrets(override_layer(overrides))]
    document: dict[str, Any] = {}
    origins: dict[tuple[str, ...], str] = {}
    problems: list[str] = []
    for layer in layers:
        document = merged(document, layer.document)
        origins.update(layer.origins)
        problems += layer.problems
    return document, origins, problems


def _error(names: str, problems: list[str]) -> ConfigError:
    if len(problems) == 1:
        return ConfigError(problems[0] if problems[0].startswith(names) else f"{names}: {problems[0]}")
    return ConfigError(
        f"{len(problems)} problems in {names}:\n" + "\n".join(f"  {line}" for line in problems)
    )
