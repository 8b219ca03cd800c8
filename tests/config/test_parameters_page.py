"""docs/parameters.md against the settings and the tests that it names."""

import json
import re
from pathlib import Path

import pytest

from daemon.config.freqai import DataSplitParameters, FeatureParameters, FreqaiSettings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "parameters.md").read_text("utf-8")
ROWS = {
    cells[0].strip("`").rpartition(".")[2]: cells
    for cells in (
        [cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if "`: `test_" in line
    )
}
NOT_AUDITED = {"indicator_max_period_candles", "stratify"}
"""Without effect, as the configuration's page says: FreqAI has dropped the one, a file cannot hold the other."""


@pytest.mark.parametrize("model", [FeatureParameters, DataSplitParameters])
def test_every_parameter_is_on_the_page(model):
    assert set(model.model_fields) - NOT_AUDITED <= ROWS.keys()


def test_defaults_are_those_of_the_settings():
    fields = FreqaiSettings.model_fields | FeatureParameters.model_fields | DataSplitParameters.model_fields
    known = {name: cells[1].strip("`") for name, cells in ROWS.items() if name in fields}
    assert known == {name: json.dumps(fields[name].default) for name in known}
    assert len(known) == 29


@pytest.mark.parametrize("name", ROWS)
def test_the_test_that_a_line_names_is_there(name):
    file, function = re.findall(r"`([^`]+)`", ROWS[name][-1])
    assert f"def {function}(" in (ROOT / "tests" / file).read_text("utf-8")
