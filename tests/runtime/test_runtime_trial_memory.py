import json
import sys
from dataclasses import replace
from types import ModuleType

import pytest
from desk import PAIRS, STRATEGIES, strategy_config

from daemon.config import load_settings
from daemon.features.columns import ReadColumns
from daemon.runtime.preparation import Measured
from daemon.runtime.trial_memory import TrialMemory, trial_key
from daemon.state.folder import StateFolder
from daemon.state.trial_file import TrialFile

MEASURED = Measured(
    pair=PAIRS[0], warm_up=256, reads=ReadColumns(standard=True), tails={"5m": 2048, "1h": 512}
)


@pytest.fixture
def file(tmp_path):
    return TrialFile(StateFolder(tmp_path))


def test_the_next_start_recalls_what_was_measured(file):
    assert TrialMemory(file, "key").recall() is None
    TrialMemory(file, "key").remember(MEASURED)
    assert TrialMemory(file, "key").recall() == MEASURED


def test_what_was_measured_otherwise_is_not_recalled(file):
    TrialMemory(file, "key").remember(MEASURED)
    assert TrialMemory(file, "another").recall() is None


def test_only_what_is_new_is_written(file):
    first = TrialMemory(file, "key")
    first.remember(None)
    assert file.read() == {}
    first.remember(MEASURED)
    second, written = TrialMemory(file, "key"), []
    second.recall()
    file.write = written.append
    second.remember(MEASURED)
    assert written == []
    second.remember(replace(MEASURED, warm_up=512))
    assert [each["warm_up"] for each in written] == [512]


@pytest.mark.parametrize(
    "changes",
    [
        {"warm_up": 255},
        {"warm_up": 256.0},
        {"warm_up": True},
        {"warm_up": None},
        {"pair": "BTC"},
        {"pair": 1},
        {"reads": []},
        {"reads": {}},
        {"tails": ["5m"]},
        {"tails": {"5m": "2048"}},
    ],
)
def test_a_document_of_another_form_is_not_believed(file, changes):
    memory = TrialMemory(file, "key")
    memory.remember(MEASURED)
    file.write({**file.read(), **changes})
    assert TrialMemory(file, "key").recall() is None


@pytest.fixture
def settings(tmp_path):
    """settings(section, key=value): settings in which a section has other values."""

    def made(section=None, **changes):
        document = strategy_config()
        document |= {"strategy": "Plain", "strategy_path": str(STRATEGIES), "user_data_dir": str(tmp_path)}
        document["exchange"] |= {"name": "binance", "key": "hunter2hunter2"}
        document["freqai"] |= {"identifier": "one", "train_period_days": 1}
        (document if section is None else document[section]).update(changes)
        path = tmp_path / "config.json"
        path.write_text(json.dumps(document), "utf-8")
        return load_settings([path], env={})

    return made


def test_strategy_settings_and_libraries_make_another_key(settings, monkeypatch):
    known = trial_key(settings(), "digest")
    assert trial_key(settings(), "digest") == known
    others = [
        trial_key(settings(), "another"),
        trial_key(settings("freqai", feature_parameters={"include_timeframes": ["5m"]}), "digest"),
        trial_key(settings(stake_amount=5), "digest"),
    ]
    monkeypatch.setitem(sys.modules, "no_library", None)  # as one that must not be imported
    assert trial_key(settings(), "digest") == known
    library = ModuleType("a_library")
    library.__version__ = "1"
    monkeypatch.setitem(sys.modules, "a_library", library)
    others.append(trial_key(settings(), "digest"))
    library.__version__ = "2"
    others.append(trial_key(settings(), "digest"))
    assert len({known, *others}) == 6


def test_a_secret_makes_no_other_key(settings):
    assert trial_key(settings(), "digest") == trial_key(settings("exchange", key="swordfish99"), "digest")
