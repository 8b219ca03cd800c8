"""Which settings may change while the daemon runs, and what a newly read configuration changes of the running one."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from daemon.config.problems import problem_lines
from daemon.config.settings import Settings
from daemon.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RELOADED = (
    "exchange.pair_whitelist",
    "exchange.pair_blacklist",
    "max_open_trades",
    "stake_amount",
    "tradable_balance_ratio",
    "available_capital",
    "amend_last_stake_amount",
    "last_stake_amount_min_ratio",
    "protections",
    "force_entry_enable",
    "freqai.live_retrain_hours",
    "freqai.expiration_hours",
    "freqai.purge_old_models",
    "candled.notify",
    "candled.retrain",
    "candled.risk",
    "candled.max_disk_gb",
    "candled.training.max_minutes",
    "candled.training.max_memory_mb",
)
"""Keys and whole sections that `candled reload` applies: who is traded, how much, who hears of it, and when models
are trained. What decides how an open trade is left, and what a model is, changes with a restart only."""

_READ_ONLY = ("add_config_files",)
"""Keys that matter to the reading alone; what they lead to was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One key whose value is another one; values as JSON has them, secrets masked."""

    key: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded:
    """What a newly read configuration comes to.

    Attributes:
        settings: the running ones, with what may change as it was read.
        changed: what that was.
        restart: keys that were changed, too, and stay as they are until a restart.
    """

    settings: Settings
    changed: tuple[Change, ...]
    restart: tuple[str, ...]


def reloads(key: str) -> bool:
    """Whether a dotted key may change while the daemon runs."""
    return any(key == name or key.startswith(f"{name}.") for name in RELOADED)


def reloaded(running: Settings, read: Settings) -> Reloaded:
    """Hold a newly read configuration against the running one.

    Raises:
        ConfigError: what may change does not fit to what may not.
    """
    before, after = dict(_values(running)), dict(_values(read))
    differing = [
        key for key in {**before, **after} if before.get(key) != after.get(key) and key not in _READ_ONLY
    ]
    changed = [key for key in differing if reloads(key)]
    return Reloaded(
        settings=_mixed(running, read, changed) if changed else running,
        changed=tuple(
            Change(key=key, old=_shown(before.get(key)), new=_shown(after.get(key))) for key in changed
        ),
        restart=tuple(key for key in differing if not reloads(key)),
    )


def _values(section: BaseModel, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every key's value by its dotted key; a section that is not there has none."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _values(value, f"{place}{name}.")
        else:
            yield f"{place}{name}", value


def _mixed(running: Settings, read: Settings, keys: list[str]) -> Settings:
    """The running configuration with these keys as they were read, checked as a whole again."""
    document, source = running.source, read.source
    for key in keys:
        _copy(key.split("."), source, document)
    context = {"files": running.config_files}
    try:
        return Settings.model_validate(document, context=context)
    except ValidationError as exc:
        lines = problem_lines(exc, Settings, document, {})
        raise ConfigError(
            "what may change while the daemon runs does not fit to what needs a restart; restart the daemon:\n"
            + "\n".join(f"  {line}" for line in lines)
        ) from None


def _copy(path: list[str], source: Mapping[str, Any], target: dict[str, Any]) -> None:
    """Have the same at a path, or nothing where the source has nothing."""
    *way, last = path
    there: Any = source
    for name in way:
        there = there.get(name) if isinstance(there, dict) else None
        if not isinstance(target.get(name), dict):
            target[name] = {}
        target = target[name]
    if isinstance(there, dict) and last in there:
        target[last] = copy.deepcopy(there[last])
    else:
        target.pop(last, None)


def _shown(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_shown(item) for item in value]
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    return value if value is None or isinstance(value, bool | int | float) else str(value)
