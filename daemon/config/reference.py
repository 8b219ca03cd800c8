"""The configuration described: as a JSON Schema, and as the tables of ``docs/configuration.md``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.config.exchange import SYNONYMS
from daemon.config.inert import EXCHANGE, NOT_ACTING, TOP_LEVEL, Inert
from daemon.config.reloading import reloads
from daemon.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

DIALECT = "https://json-schema.org/draft/2020-12/schema"
RELOADS = "↻"
"""Mark of a key that `candled reload` applies."""
START, END = "<!-- tables: start -->", "<!-- tables: end -->"


def config_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the configuration file, all sections in place."""
    schema = Settings.model_json_schema()
    definitions = schema.pop("$defs")
    out: dict[str, Any] = _inlined(schema, definitions)
    out = {"$schema": DIALECT, **out, "title": "candled configuration"}
    exchange = out["properties"]["exchange"]["properties"]
    for other, key in SYNONYMS.items():
        exchange[other] = {**exchange[key], "description": f"Another spelling of `{key}`."}
    for path, inert in TOP_LEVEL.items():
        out["properties"][path[-1]] = {"description": _without_effect(inert)}
    for path, inert in EXCHANGE.items():
        exchange[path[-1]] = {"description": _without_effect(inert)}
    return out


def markdown() -> str:
    """The tables of every section's keys, in Markdown."""
    schema = config_schema()
    parts = [_table(path, section) for path, section in _sections(schema, ())]
    inert = {".".join(path): entry for path, entry in (*TOP_LEVEL.items(), *EXCHANGE.items())}
    rows = [f"| `{name}` | {entry.why} |" for name, entry in sorted(inert.items())]
    head = "### Keys of freqtrade without effect in this version\n\n| Key | Why |\n|---|---|\n"
    return "\n\n".join([*parts, head + "\n".join(rows)])


def with_tables(page: str) -> str:
    """The page with the text between its two markers replaced by the present tables."""
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n\n{markdown()}\n\n{END}{after}"


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    """The schema with each reference replaced by what it stands for: easier to read, and to walk."""
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = definitions[node["$ref"].rpartition("/")[2]]
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    return {
        key: _inlined(value, definitions)
        for key, value in node.items()
        if key != "title" or not isinstance(value, str)
    }


def _without_effect(inert: Inert) -> str:
    return f"No effect in this version: {inert.why}."


def _sections(
    schema: dict[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    yield path, schema
    for name, entry in schema["properties"].items():
        kinds = (entry, *entry.get("anyOf", ()))
        for section in (*kinds, *(kind["items"] for kind in kinds if "items" in kind)):
            if "properties" in section:
                yield from _sections(section, (*path, name))


def _table(path: tuple[str, ...], section: dict[str, Any]) -> str:
    title = f"`{'.'.join(path)}`" if path else "The outermost object"
    rows = ["| Key | Type | Default | Meaning |", "|---|---|---|---|"]
    for name, entry in section["properties"].items():
        if not entry.get("description", "").startswith("No effect"):
            default = "**required**" if name in section.get("required", ()) else _default(entry)
            rows.append(f"| `{name}` | {_type(entry)} | {default} | {_meaning((*path, name), entry)} |")
    return f"### {title}\n\n" + "\n".join(rows)


def _meaning(path: tuple[str, ...], entry: dict[str, Any]) -> str:
    text = str(entry.get("description", ""))
    if "unit" in entry:
        text += f" Unit: {entry['unit']}."
    if reloads(".".join(path)):
        text += f" {RELOADS}"
    if path in NOT_ACTING:
        text += f" *Accepted, without effect in this version: {NOT_ACTING[path].why}.*"
    return text


def _type(entry: dict[str, Any]) -> str:
    kinds = [kind for kind in entry.get("anyOf", [entry]) if kind.get("type") != "null"]
    if len(kinds) > 1:
        return " or ".join(_type(kind) for kind in kinds)
    if "properties" in kinds[0]:
        return "object, below"
    if "items" in kinds[0]:
        return f"list of {_type(kinds[0]['items'])}"
    if "enum" in kinds[0]:
        return " or ".join(f"`{json.dumps(value)}`" for value in kinds[0]["enum"])
    if "const" in kinds[0]:
        return f"`{json.dumps(kinds[0]['const'])}`"
    return str(kinds[0].get("type", "any"))


def _default(entry: dict[str, Any]) -> str:
    if "properties" in entry:
        return ""
    default = entry.get("default")
    return "" if default is None else f"`{json.dumps(default)}`"


if __name__ == "__main__":
    PAGE = Path("docs/configuration.md")
    PAGE.write_text(with_tables(PAGE.read_text("utf-8")), "utf-8")
