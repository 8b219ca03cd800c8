"""What lies over the files: credentials, environment, command line."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import rapidjson
from pydantic import SecretStr

from daemon.config.exchange import SECRETS, SYNONYMS
from daemon.config.fields import Section
from daemon.config.files import merged
from daemon.config.inert import inert_keys
from daemon.config.redaction import is_secret_name
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe

PREFIX = "CANDLED__"
NOTIFY_CREDENTIAL = "notify_urls"
_TEXT_TYPES = (str, SecretStr, Path, Pair, Timeframe, dt.date)


@dataclass(slots=True, kw_only=True)
class Layer:
    """A partial document, where each of its values comes from, and what was wrong with them."""

    document: dict[str, Any] = field(default_factory=dict)
    origins: dict[tuple[str, ...], str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def put(self, path: Sequence[str], value: Any, origin: str) -> None:
        """Set one value by its path."""
        nested: Any = value
        for key in reversed(path):
            nested = {key: nested}
        self.document = merged(self.document, nested)
        self.origins[tuple(path)] = origin


def override_layer(overrides: Mapping[str, Any]) -> Layer:
    """Values of the command line by dotted key; None stands for a flag that was not given."""
    layer = Layer()
    for dotted, value in overrides.items():
        if value is not None:
            shown = str(value) if isinstance(value, Path) else value
            layer.put(dotted.split("."), shown, "from the command line")
    return layer


def environment_layer(env: Mapping[str, str], root: type[Section], below: Mapping[str, Any]) -> Layer:
    """Values of ``CANDLED__SECTION__KEY`` variables; names are matched without regard to case.

    Args:
        env: the environment.
        root: the model of the whole document, which knows the right spelling of each key.
        below: the document so far, which knows the spelling of the keys that no model has.
    """
    layer = Layer()
    for name in sorted(env):
        if name.upper().startswith(PREFIX):
            path, wants_text = _spelled(name[len(PREFIX) :].split("__"), root, below)
            layer.put(path, env[name] if wants_text else _value(env[name]), f"from {name}")
    return layer


def credentials_layer(env: Mapping[str, str]) -> Layer:
    """What systemd's ``LoadCredential=`` hands over: files ``exchange_key``, ``exchange_secret``, ..., ``notify_urls``."""
    layer = Layer()
    folder = env.get("CREDENTIALS_DIRECTORY")
    for key in SECRETS if folder else ():
        path = Path(str(folder), f"exchange_{key}")
        if path.exists():
            _put_file(layer, key, path, f"credential {path.name}")
    addresses = Path(folder or ".", NOTIFY_CREDENTIAL)
    if folder and addresses.exists():
        _put_addresses(layer, addresses, f"credential {addresses.name}")
    return layer


def with_own_secrets(layer: Layer) -> Layer:
    """The layer with freqtrade's other spellings replaced, and each secret in the place of its file."""
    return _with_addresses(_with_keys(layer))


def _with_addresses(layer: Layer) -> Layer:
    """``candled.notify.urls`` in the place of their file."""
    candled = layer.document.get("candled")
    notify = candled.get("notify") if isinstance(candled, dict) else None
    named = notify.get("urls_file") if isinstance(notify, dict) else None
    if (
        not isinstance(candled, dict)
        or not isinstance(notify, dict)
        or not isinstance(named, str)
        or not named
    ):
        return layer
    own = {key: value for key, value in notify.items() if key != "urls_file"}
    out = Layer(
        document={**layer.document, "candled": {**candled, "notify": own}}, origins=dict(layer.origins)
    )
    out.problems = list(layer.problems)
    if own.get("urls"):
        out.problems.append(
            "candled.notify.urls_file: candled.notify.urls are given as well; keep one of the two"
        )
    _put_addresses(out, Path(named).expanduser(), "candled.notify.urls_file")
    return out


def _with_keys(layer: Layer) -> Layer:
    """The secrets of the exchange."""
    exchange = layer.document.get("exchange")
    if not isinstance(exchange, dict):
        return layer
    out = Layer(document={**layer.document, "exchange": dict(exchange)}, origins=dict(layer.origins))
    out.problems = list(layer.problems)
    own = out.document["exchange"]
    for other, key in SYNONYMS.items():
        if other in own:
            value = own.pop(other)
            if own.get(key) and value and own[key] != value:
                out.problems.append(
                    f"exchange.{other}: another spelling of exchange.{key}; keep one of the two"
                )
            own[key] = value or own.get(key)
    for key in SECRETS:
        named = own.get(f"{key}_file")
        if isinstance(named, str) and named:
            if own.get(key):
                out.problems.append(
                    f"exchange.{key}_file: exchange.{key} is given as well; keep one of the two"
                )
            del own[f"{key}_file"]
            _put_file(out, key, Path(named).expanduser(), f"exchange.{key}_file")
    return out


def _put_file(layer: Layer, key: str, path: Path, named_by: str) -> None:
    if text := _secret_text(layer, path, named_by):
        layer.put(("exchange", key), text, f"from {path}")


def _put_addresses(layer: Layer, path: Path, named_by: str) -> None:
    if text := _secret_text(layer, path, named_by):
        layer.put(("candled", "notify", "urls"), text.split(), f"from {path}")


def _secret_text(layer: Layer, path: Path, named_by: str) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        layer.problems.append(f"{named_by}: {path} cannot be read: {reason}")
        return ""
    if not text:
        layer.problems.append(f"{named_by}: {path} is empty; write the secret into it, or take it away")
    return text


def _spelled(parts: list[str], root: type[Section], below: Mapping[str, Any]) -> tuple[list[str], bool]:
    """The path in its right spelling, and whether its value is text whatever it looks like."""
    path: list[str] = []
    model: Any = root
    document: Any = below
    for part in parts:
        section = section_of(model)
        known = [*(document if isinstance(document, Mapping) else ())]
        if section is not None:
            known += [
                *section.model_fields,
                *inert_keys(tuple(path)),
                *(SYNONYMS if path == ["exchange"] else ()),
            ]
        fallback = part.lower() if part.isupper() or section is not None else part
        key = next((name for name in known if name.lower() == part.lower()), fallback)
        model = section.model_fields[key].annotation if section and key in section.model_fields else None
        document = document.get(key) if isinstance(document, Mapping) else None
        path.append(key)
    return path, _is_text(model) or (model is None and is_secret_name(path[-1]))


def section_of(annotation: Any) -> type[Section] | None:
    """The section that an annotation names, alone, beside None or as the entries of a list."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    found = (section_of(kind) for kind in get_args(annotation))
    return next((section for section in found if section is not None), None)


def _is_text(annotation: Any) -> bool:
    if get_origin(annotation) is Literal:
        return True
    if get_origin(annotation) is Annotated:
        return _is_text(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return all(_is_text(kind) for kind in get_args(annotation) if kind is not type(None))
    return isinstance(annotation, type) and issubclass(annotation, _TEXT_TYPES)


def _value(text: str) -> Any:
    """What a variable's text says: JSON, freqtrade's ``True``/``False``, else the text itself."""
    if text.strip().lower() in ("true", "false"):
        return text.strip().lower() == "true"
    try:
        return rapidjson.loads(text)
    except rapidjson.JSONDecodeError:
        return text
