"""The Containerfile, held against the project: a build needs an engine and a registry, so each of its words is checked here."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from daemon.cli import app

ROOT = Path(__file__).parents[2]
FILE = ROOT / "systemd" / "Containerfile"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture
def stages():
    """The instructions of each stage: pairs of their word and the rest, comments and line ends gone."""
    lines = [line for line in FILE.read_text().splitlines() if not line.startswith("#")]
    text = re.sub(r"\\\n", " ", "\n".join(lines))
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        word, rest = line.split(maxsplit=1)
        if word == "FROM":
            found.append([])
        found[-1].append((word, " ".join(rest.split())))
    return found


@pytest.fixture
def image(stages):
    """The last stage: what is run."""
    return dict(stages[-1])


def test_both_stages_have_one_python_that_the_project_takes(stages):
    bases = {dict(stage)["FROM"].split()[0] for stage in stages}
    assert len(bases) == 1
    version = bases.pop().split(":")[1].removesuffix("-slim")
    assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]


def test_it_installs_what_the_lock_says_with_every_extra_and_the_makefiles_uv(stages):
    script = dict(stages[0])["RUN"]
    assert re.search(r"uv==\S+", script)[0] in (ROOT / "Makefile").read_text()
    sync = shlex.split(script.split("&&")[-1])
    assert "--locked" in sync
    assert {sync[i + 1] for i, word in enumerate(sync) if word == "--extra"} == set(
        PROJECT["optional-dependencies"]
    )
    assert "VIRTUAL_ENV=/opt/candled" in sync
    copied = " ".join(rest for word, rest in stages[0] if word == "COPY").split()
    assert {
        "pyproject.toml",
        "uv.lock",
        PROJECT["readme"],
        *PROJECT["license-files"],
        "daemon",
        "systemd",
    } < set(copied)
    assert "." not in copied
    assert dict(stages[1])["COPY"] == "--from=build /opt/candled /opt/candled"


def test_it_runs_as_a_user_who_owns_the_state_alone(image):
    uid, gid = image["USER"].split(":")
    commands = [shlex.split(command) for command in image["RUN"].split("&&")]
    assert ["groupadd", "--gid", gid, "candled"] in commands
    assert commands[1][:5] == ["useradd", "--uid", uid, "--gid", gid]
    assert commands[2] == ["install", "-d", "-o", uid, "-g", gid, "-m", "0700", image["VOLUME"]]
    assert image["WORKDIR"] == image["VOLUME"]
    assert int(uid)


def test_nothing_is_written_beside_the_code(image):
    assert {"PYTHONDONTWRITEBYTECODE=1", "MPLCONFIGDIR=/tmp"} <= set(image["ENV"].split())


def test_its_commands_are_candleds(image):
    program, *none = json.loads(image["ENTRYPOINT"])
    assert program == "/opt/candled/bin/candled"
    assert not none
    run = json.loads(image["CMD"])
    checked = json.loads(image["HEALTHCHECK"].partition("CMD ")[2])
    assert checked[0] == program
    for command, *options in (run, checked[1:]):
        known = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
        assert all(option in known for option in options if option.startswith("-"))
    assert image["STOPSIGNAL"] == "SIGTERM"
