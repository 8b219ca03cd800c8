import json

import pytest

from daemon.state.folder import StateFolder
from daemon.state.trial_file import TrialFile

DOCUMENT = {"key": "ab" * 32, "warm_up": 256, "reads": {"standard": False}}


@pytest.fixture
def folder(tmp_path):
    return StateFolder(tmp_path)


def test_what_was_written_is_read_by_the_next_process(folder):
    assert TrialFile(folder).read() == {}
    TrialFile(folder).write({"warm_up": 32})
    TrialFile(folder).write(DOCUMENT)
    assert TrialFile(folder).read() == DOCUMENT


def test_nothing_that_was_changed_is_believed(folder, caplog):
    TrialFile(folder).write(DOCUMENT)
    content = folder.strategy_trial.read_bytes()
    for at in range(len(content)):
        broken = bytearray(content)
        broken[at] ^= 1 << (at % 8)
        folder.strategy_trial.write_bytes(broken)
        assert TrialFile(folder).read() in ({}, DOCUMENT)  # the latter where a blank became another
    folder.strategy_trial.write_text(json.dumps(DOCUMENT), "utf-8")  # without a checksum
    assert TrialFile(folder).read() == {}
    folder.strategy_trial.write_bytes(content.replace(b"256", b"255"))
    assert TrialFile(folder).read() == {}
    assert {record.message for record in caplog.records} == {"trial_not_read"}


def test_a_file_that_cannot_be_written_or_read_is_told_and_stops_nothing(folder, caplog):
    folder.strategy_trial.mkdir()
    TrialFile(folder).write(DOCUMENT)
    assert TrialFile(folder).read() == {}
    assert [record.message for record in caplog.records] == ["trial_not_written", "trial_not_read"]
