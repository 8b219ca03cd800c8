import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from daemon.cli import app
from daemon.runtime import service

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.json"


def called(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A configuration with a key and a strategy of the user's own."""
    monkeypatch.chdir(tmp_path)
    strategies = tmp_path / "user_data" / "strategies"
    (strategies / "parts").mkdir(parents=True)
    (strategies / "mine.py").write_text("# a strategy\n")
    (strategies / "parts" / "more.py").write_text("# its module\n")
    (strategies / "notes.txt").write_text("not code\n")
    models = tmp_path / "user_data" / "freqaimodels"
    models.mkdir()
    (models / "ensemble.py").write_text("# a model\n")
    document = {
        "timeframe": "5m",
        "stake_currency": "USDT",
        "strategy": "Mine",
        "exchange": {"name": "binance", "key": "k" * 20, "secret": "s" * 20, "pair_whitelist": ["BTC/USDT"]},
        "freqai": {
            "enabled": True,
            "identifier": "mine",
            "train_period_days": 10,
            "feature_parameters": {"label_period_candles": 12},
        },
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(document))
    return path


def install(config, root, *more):
    result = called(
        "service",
        "install",
        "main",
        "-c",
        config,
        "--root",
        root,
        "--program",
        "/opt/candled/bin/candled",
        *more,
    )
    assert result.exit_code == 0, result.output + str(result.exception)


def test_the_example_is_installed_as_it_stands(tmp_path):
    install(EXAMPLE, tmp_path)
    assert (tmp_path / "etc/candled/main.json").read_bytes() == EXAMPLE.read_bytes()
    unit = (tmp_path / "etc/systemd/system/candled@.service").read_text()
    assert "ExecStart=/opt/candled/bin/candled run" in unit
    assert not (tmp_path / "etc/systemd/system/candled@main.service.d").exists()


def test_keys_lie_in_files_that_only_root_reads_and_reach_the_daemon_as_credentials(config, tmp_path):
    install(config, tmp_path)
    etc = tmp_path / "etc/candled"
    for path in etc.rglob("*"):
        if path.is_file() and path.suffix not in {".key", ".secret"}:
            assert b"kkkk" not in path.read_bytes()
            assert b"ssss" not in path.read_bytes()
    assert (etc / "main.key").read_text() == "k" * 20
    assert stat.S_IMODE((etc / "main.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((etc / "main.json").stat().st_mode) == 0o644
    lines = (tmp_path / "etc/systemd/system/candled@main.service.d/instance.conf").read_text()
    assert f"LoadCredential=exchange_secret:{etc / 'main.secret'}" in lines


def test_a_users_strategies_are_copied_and_named_to_the_daemon(config, tmp_path):
    install(config, tmp_path)
    copied = tmp_path / "etc/candled/main/strategy"
    found = sorted(str(path.relative_to(copied)) for path in copied.rglob("*") if path.is_file())
    assert found == ["mine.py", "parts/more.py"]
    lines = (tmp_path / "etc/systemd/system/candled@main.service.d/instance.conf").read_text()
    assert f"Environment=CANDLED__STRATEGY_PATH={copied}" in lines
    assert (tmp_path / "etc/candled/main/freqaimodel/ensemble.py").exists()
    assert f"Environment=CANDLED__FREQAIMODEL_PATH={tmp_path / 'etc/candled/main/freqaimodel'}" in lines


def test_addresses_of_messages_are_secrets_too(config, tmp_path):
    document = json.loads(config.read_text())
    document["candled"] = {"notify": {"urls": ["tgram://123:token/1", "jsons://example.org/x"]}}
    config.write_text(json.dumps(document))
    install(config, tmp_path)
    etc = tmp_path / "etc/candled"
    assert (etc / "main.notify_urls").read_text() == "tgram://123:token/1\njsons://example.org/x"
    assert stat.S_IMODE((etc / "main.notify_urls").stat().st_mode) == 0o600
    assert "token" not in (etc / "main.json").read_text()
    lines = (tmp_path / "etc/systemd/system/candled@main.service.d/instance.conf").read_text()
    assert f"LoadCredential=notify_urls:{etc / 'main.notify_urls'}" in lines


def test_a_secret_that_is_no_key_of_the_exchange_is_refused_by_name(config, tmp_path):
    document = json.loads(config.read_text())
    document["exchange"]["ccxt_config"] = {"password": "hunter2!"}
    config.write_text(json.dumps(document))
    result = called("service", "install", "main", "-c", config, "--root", tmp_path, "--program", "/opt/c")
    assert "exchange.ccxt_config.password" in str(result.exception)
    assert not (tmp_path / "etc").exists()


def test_a_users_own_service_reads_a_configuration_that_nobody_else_reads(config, tmp_path):
    install(config, tmp_path / "root", "--user")
    home = tmp_path / "root" / Path.home().relative_to("/")
    path = home / ".config/candled/main.json"
    assert path.read_bytes() == config.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "%E/candled/%i.json" in (home / ".config/systemd/user/candled@.service").read_text()


def test_uninstall_leaves_configuration_keys_and_other_instances(config, tmp_path):
    install(config, tmp_path)
    result = called("service", "install", "main2", "-c", EXAMPLE, "--root", tmp_path, "--program", "/opt/c")
    assert result.exit_code == 0
    result = called("service", "uninstall", "main", "--root", tmp_path)
    units = tmp_path / "etc/systemd/system"
    assert (units / "candled@.service").exists()
    assert not (units / "candled@main.service.d").exists()
    assert str(tmp_path / "etc/candled/main.key") in result.output
    assert "main2" not in result.output


def test_nothing_of_an_earlier_installation_has_its_say(config, tmp_path):
    install(config, tmp_path)
    old = tmp_path / "user_data/strategies/mine.py"
    old.rename(old.with_name("renamed.py"))
    install(config, tmp_path)
    copied = tmp_path / "etc/candled/main/strategy"
    assert sorted(path.name for path in copied.glob("*.py")) == ["renamed.py"]
    units = tmp_path / "etc/systemd/system"
    assert (units / "candled@main.service.d/instance.conf").exists()
    shutil.rmtree(tmp_path / "user_data")
    install(EXAMPLE, tmp_path)
    assert not (units / "candled@main.service.d/instance.conf").exists()
    assert not list(copied.rglob("*.py"))
    assert (tmp_path / "etc/candled/main.key").exists()


def test_a_program_that_the_hardened_service_cannot_read_is_refused():
    with pytest.raises(service.ConfigError, match="/home/me/venv/bin/candled lies in /home"):
        service.check_readable(Path("/home/me/venv/bin/candled"))


def test_a_name_that_would_lead_out_of_the_folder_is_refused(tmp_path):
    result = called("service", "install", "../x", "-c", EXAMPLE, "--root", tmp_path, "--program", "/opt/c")
    assert "cannot be named" in str(result.exception)


def test_restarts_are_spaced_out_where_systemd_can(tmp_path):
    places = service.Places.of(service.Scope.SYSTEM, tmp_path, Path("/home/me"))
    paths = {
        version: [
            file.path.name
            for file in service.planned(
                "main",
                places,
                program=Path("/opt/c"),
                document={},
                verbatim=b"{}",
                code={},
                systemd_version=version,
            )
        ]
        for version in (252, 254)
    }
    assert "backoff.conf" in paths[254]
    assert "backoff.conf" not in paths[252]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
class TestSystemd:
    def analyzed(self, *words, folder="/tmp"):
        colourless = {"SYSTEMD_COLORS": "0", "SYSTEMD_EMOJI": "0", "XDG_RUNTIME_DIR": str(folder)}
        env = {**os.environ, **colourless}
        return subprocess.run(
            ["systemd-analyze", *map(str, words)], capture_output=True, text=True, check=False, env=env
        )

    @pytest.mark.parametrize("scope", service.Scope)
    def test_the_units_are_sound(self, scope, tmp_path):
        unit = tmp_path / "candled@main.service"
        unit.write_text(service.unit_text(scope, Path("/bin/true")))
        checked = self.analyzed(
            "verify", *(["--user"] if scope is service.Scope.USER else []), unit, folder=tmp_path
        )
        assert (checked.returncode, checked.stderr) == (0, "")

    def test_the_systems_unit_is_exposed_as_little_as_may_be(self):
        rated = self.analyzed(
            "security", "--offline=true", "--threshold=15", ROOT / "systemd/candled@.service"
        )
        assert rated.returncode == 0, rated.stdout
