import io
import json
import logging
import os
import subprocess
import sys

import pytest
from rich.console import Console

from daemon.runtime.logs import JsonFormatter, TextFormatter, set_up


@pytest.fixture
def record():
    made = logging.LogRecord("daemon.x", logging.WARNING, "x.py", 1, "tick", (), None)
    made.fields = {"pair": "BTC/USDT", "note": "two words", "counts": {"a": 1}, "empty": ""}
    return made


def test_text_has_event_and_fields(record):
    line = TextFormatter().format(record)
    assert line.endswith('WARNING tick pair=BTC/USDT note="two words" counts={"a": 1} empty=""')


def test_journal_lines_bear_their_priority(record):
    assert TextFormatter(journal=True).format(record).startswith("<4>tick ")


def stream_name(descriptor):
    """What systemd calls a stream that the journal reads."""
    told = os.fstat(descriptor)
    return f"{told.st_dev}:{told.st_ino}"


@pytest.mark.parametrize(("log_format", "start"), [("auto", "<4>tick"), ("json", '<4>{"time": ')])
def test_the_journal_is_told_the_priority_of_text_and_json(log_format, start, loggers, monkeypatch, capsys):
    monkeypatch.setenv("JOURNAL_STREAM", stream_name(2))
    set_up(log_format, verbose=False)
    logging.getLogger("daemon.x").warning("tick")
    assert capsys.readouterr().err.startswith(start)


def test_a_journal_that_only_a_parent_wrote_to_is_none_of_ours(loggers, monkeypatch, capsys):
    monkeypatch.setenv("JOURNAL_STREAM", "1:1")
    set_up("auto", verbose=False)
    logging.getLogger("daemon.x").warning("tick")
    assert " WARNING tick" in capsys.readouterr().err


def test_what_ends_a_command_is_an_error_in_the_journal(tmp_path):
    command = [sys.executable, "-m", "daemon", "run", "-c", str(tmp_path / "none.json")]
    with (tmp_path / "journal").open("w+") as journal:
        env = {**os.environ, "JOURNAL_STREAM": stream_name(journal.fileno())}
        assert subprocess.run(command, env=env, stderr=journal, check=False).returncode == 78
        journal.seek(0)
        assert journal.read().startswith("<3>candled: ")


def test_json_is_one_object_per_line(record):
    line = JsonFormatter().format(record)
    found = json.loads(line)
    assert "\n" not in line
    assert (found["event"], found["level"], found["pair"], found["counts"]) == (
        "tick",
        "warning",
        "BTC/USDT",
        {"a": 1},
    )
    assert found["time"].endswith("+00:00")


def test_a_traceback_is_kept(record):
    try:
        raise ValueError("boom")  # noqa: TRY301
    except ValueError as exc:
        record.exc_info = (type(exc), exc, exc.__traceback__)
    assert "boom" in json.loads(JsonFormatter().format(record))["traceback"]
    assert TextFormatter().format(record).splitlines()[-1] == "ValueError: boom"


@pytest.fixture
def loggers():
    names = ("", "daemon", "apscheduler")
    before = {name: (logging.getLogger(name).level, logging.getLogger(name).handlers[:]) for name in names}
    yield
    for name, (level, handlers) in before.items():
        logging.getLogger(name).setLevel(level)
        logging.getLogger(name).handlers[:] = handlers


def test_on_a_terminal_lines_go_through_the_console_unchanged(loggers):
    out = io.StringIO()
    set_up("text", verbose=False, console=Console(file=out, width=20))
    logging.getLogger("daemon.y").info(
        "tick", extra={"fields": {"where": "[bold]a long line that is not wrapped[/]"}}
    )
    assert "[bold]a long line that is not wrapped[/]" in out.getvalue()


def test_no_line_shows_a_secret(loggers, capsys):
    set_up("text", verbose=False, secrets=frozenset({"hush-hush"}))
    try:
        raise ValueError("key hush-hush is refused")  # noqa: TRY301
    except ValueError:
        logging.getLogger("daemon.w").exception(
            "asked", extra={"fields": {"url": "http://me:pw@host/?k=hush-hush"}}
        )
    written = capsys.readouterr().err
    assert "refused" in written
    assert "hush-hush" not in written
    assert "me:pw" not in written


def test_other_packages_speak_only_of_trouble(loggers, capsys):
    set_up("json", verbose=False)
    logging.getLogger("other").info("chatter")
    logging.getLogger("other").warning("trouble")
    logging.getLogger("daemon.z").debug("detail")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["trouble"]


def test_a_part_of_the_program_may_have_a_level_of_its_own(capsys):
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    rooms = [logging.getLogger(f"daemon.{room}") for room in ("market", "trading")]
    try:
        set_up("text", verbose=False, levels={"market": "debug", "trading": "error"})
        logging.getLogger("daemon.market.feed").debug("quiet_but_wanted")
        logging.getLogger("daemon.trading.desk").warning("not_wanted")
        logging.getLogger("daemon.runtime.engine").debug("not_wanted")
        logging.getLogger("daemon.runtime.engine").info("as_usual")
    finally:
        root.handlers[:] = before
        for room in rooms:
            room.setLevel(logging.NOTSET)
    text = capsys.readouterr().err
    assert "quiet_but_wanted" in text
    assert "as_usual" in text
    assert "not_wanted" not in text
