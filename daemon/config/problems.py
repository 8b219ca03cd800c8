"""What is wrong with a document, one line for each thing, in a trader's words."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import rapidjson

from daemon.config.exchange import SYNONYMS
from daemon.config.inert import inert_keys
from daemon.config.layers import section_of
from daemon.config.redaction import is_secret_name, masked, masked_text, secret_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import ValidationError
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from daemon.config.fields import Section

Place = tuple[str | int, ...]

_MUST = {
    "string_type": "must be text in quotes",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list in [brackets]",
    "dict_type": "must be an object in braces",
    "model_type": "must be an object in braces",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be below {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be one of {expected}",
    "too_short": "must have at least {min_length} entry",
    "date_from_datetime_parsing": "must be a date, such as 2026-01-01",
    "date_parsing": "must be a date, such as 2026-01-01",
    "date_type": "must be a date, such as 2026-01-01",
}
_LONGEST_VALUE = 60


def problem_lines(
    error: ValidationError,
    root: type[Section],
    document: Mapping[str, Any],
    origins: Mapping[tuple[str, ...], str],
) -> list[str]:
    """One line for each error: place, value (never a secret), where it came from, what is allowed."""
    secrets = secret_values(document)
    return [
        masked_text(_line(details, root, origins), secrets) for details in error.errors(include_url=False)
    ]


def _line(details: ErrorDetails, root: type[Section], origins: Mapping[tuple[str, ...], str]) -> str:
    place: Place = details["loc"]
    origin = next((text for path, text in origins.items() if path == place[: len(path)]), "")
    source = f" ({origin})" if origin else ""
    name = _dotted(place)
    if details["type"] == "extra_forbidden":
        return f"{name}: unknown key{source}{_nearest(place, root)}"
    field = _field(root, place)
    if details["type"] == "missing":
        meaning = f": {field.description}" if field is not None and field.description else ""
        return f"{name}: missing{meaning}"
    if details["type"] == "whole":
        return f"{name}: {details['msg']}"
    return f"{name}: {_shown(place, details['input'])}{source} is not allowed: {_must(details, field)}"


def _must(details: ErrorDetails, field: FieldInfo | None) -> str:
    if details["type"] == "value_error":
        return str(details["ctx"]["error"])
    if details["type"] == "string_pattern_mismatch" and field is not None:
        return f"must be: {field.description}"
    must = _MUST.get(details["type"])
    text = must.format(**details.get("ctx", {})) if must else details["msg"]
    extra = field.json_schema_extra if field is not None else None
    return f"{text} ({extra['unit']})" if isinstance(extra, dict) and "unit" in extra else text


def _shown(place: Place, value: object) -> str:
    if any(isinstance(key, str) and is_secret_name(key) for key in place):
        return "the value"
    try:
        text = str(rapidjson.dumps(masked({place[-1]: value})[str(place[-1])], default=str))
    except (TypeError, ValueError, OverflowError):
        text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def _dotted(place: Place) -> str:
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in place)
    return text.removeprefix(".") or "config"


def _nearest(place: Place, root: type[Section]) -> str:
    """A hint to the key that was meant: one of the same section, else one that belongs elsewhere."""
    *above, name = (str(key) for key in place if not isinstance(key, int))
    section = next(keys for path, keys in known_keys(root) if path == tuple(above))
    likeness = {key: difflib.SequenceMatcher(None, key.lower(), name.lower()).ratio() for key in section}
    # Of equals the first counts: a key that acts stands before one without effect.
    nearest = max(likeness, key=lambda key: likeness[key])
    if likeness[nearest] >= 0.7:
        return f"; did you mean {nearest!r}?"
    for path, keys in known_keys(root):
        if name in keys:
            home = f"belongs in {'.'.join(path)!r}" if path else "belongs to the outermost object"
            return f"; {name!r} {home}"
    return "; candled knows: " + ", ".join(sorted(section)) if len(section) <= 10 else ""


def known_keys(
    root: type[Section], above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Each section's path, and every key that may stand in it."""
    other = list(SYNONYMS) if above == ("exchange",) else []
    yield above, [*root.model_fields, *inert_keys(above), *other]
    for name, field in root.model_fields.items():
        section = section_of(field.annotation)
        if section is not None:
            yield from known_keys(section, (*above, name))


def _field(root: type[Section], place: Sequence[str | int]) -> FieldInfo | None:
    section: type[Section] | None = root
    field = None
    for key in place:
        if isinstance(key, int) or section is None:
            break
        field = section.model_fields.get(key)
        section = section_of(field.annotation) if field is not None else None
    return field
