import re
from pathlib import Path

from daemon.config.problems import known_keys
from daemon.config.reference import DIALECT, config_schema, markdown, with_tables
from daemon.config.settings import Settings

PAGE = Path(__file__).parents[2] / "docs/configuration.md"


def objects(schema):
    """Every object of the schema that lists its keys."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


def test_the_schema_is_self_contained_and_names_its_dialect():
    schema = config_schema()
    assert schema["$schema"] == DIALECT
    assert "$ref" not in str(schema)


def test_every_key_of_the_schema_has_a_description():
    sections = list(objects(config_schema()))
    assert len(sections) > 9
    for section in sections:
        for name, entry in section["properties"].items():
            assert entry.get("description"), name


def test_the_schema_has_every_key_that_is_accepted_and_refuses_others():
    for section in objects(config_schema()):
        assert section["additionalProperties"] is False
    top, *_ = objects(config_schema())
    for path, keys in known_keys(Settings):
        section = top
        for name in path:
            entry = section["properties"][name]
            kinds = [entry, *entry.get("anyOf", ())]
            kinds += [kind["items"] for kind in kinds if "items" in kind]
            section = next(kind for kind in kinds if "properties" in kind)
        assert set(section["properties"]) == set(keys)


def test_the_page_shows_the_present_tables():
    page = PAGE.read_text("utf-8")
    assert page == with_tables(page), "run: python -m daemon.config.reference"


def test_every_key_of_the_schema_stands_on_the_page():
    named = set(re.findall(r"`(?:exchange\.)?([\w$]+)`", markdown()))
    for section in objects(config_schema()):
        assert set(section["properties"]) <= named
