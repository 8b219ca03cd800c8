"""``candled doctor``, ``backup`` and ``restore`` as they are typed."""

import json
import os
import shutil

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from daemon.cli.backup import backup, restore
from daemon.cli.doctor import doctor, predictions_digest
from daemon.config import load_settings
from daemon.core.clock import SystemClock
from daemon.core.errors import ConfigError, FolderInUse
from daemon.core.pair import Pair
from daemon.learning.fit import train
from daemon.learning.job import Target, TrainingJob
from daemon.learning.models.examples import candled_ridge
from daemon.learning.models.registry import forget
from daemon.runtime.user_models import use_model
from daemon.state.artifacts import ArtifactStore
from daemon.state.atomic import set_aside
from daemon.state.folder import StateFolder
from daemon.state.history import PredictionHistory
from daemon.state.requests import request_training
from daemon.trading.ledger import LedgerReader
from daemon.trading.ledger_files import RESTORED, open_ledger

T = 1_732_000_000
app = typer.Typer()
for command in (doctor, backup, restore):
    app.command()(command)


@pytest.fixture
def config(tmp_path, folder):
    """A configuration of the folder."""
    document = {
        "timeframe": "5m",
        "stake_currency": "USDT",
        "strategy": "CandledExampleStrategy",
        "user_data_dir": str(tmp_path),
        "exchange": {"name": "simulated", "pair_whitelist": ["BTC/USDT", "ETH/USDT"]},
        "freqai": {
            "identifier": folder.path.name,
            "train_period_days": 30,
            "feature_parameters": {"include_timeframes": ["5m"]},
        },
    }
    (tmp_path / "config.json").write_text(json.dumps(document))
    return ["-c", str(tmp_path / "config.json")]


def run(*arguments):
    result = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_healthy_folder(config, folder, filled):
    filled((1, 30), close=True)
    result = run("doctor", *config)
    assert result.exit_code == 0
    assert "BTC/USDT: 29 predictions from 1970-01-01 00:05 to 1970-01-01 02:25, no model" in result.stdout
    assert result.stdout.endswith("0 damaged\n")


def test_damage_is_named_repaired_and_gone(config, folder, filled):
    filled((1, 30), True, (30, 40), True, (40, 45))
    folder.historic_predictions.write_bytes(b"rubbish")
    assert run("doctor", *config).exit_code == 1
    result = run("doctor", *config, "--repair")
    assert result.exit_code == 1
    assert "damaged  historic_predictions.pkl: is cut off" in result.stdout
    assert "repaired: " in result.stdout
    assert run("doctor", *config).exit_code == 0


def test_what_is_lost_is_told_with_its_time(config, folder, filled):
    filled((1, 30), True, (30, 40))
    for path in folder.path.glob("*.journal-000001*"):
        path.unlink()
    result = run("doctor", *config)
    assert result.exit_code == 2
    assert "lost     ETH/USDT, from 1970-01-01 02:25 to the end" in result.stdout


def test_json_is_the_same_every_time(config, folder, filled):
    filled((1, 30), close=True)
    first, second = (run("doctor", *config, "--json").stdout for _ in range(2))
    assert first == second
    assert json.loads(first)["serves"]["BTC/USDT"]["rows"] == 29


def test_repair_leaves_a_running_daemon_alone(config, folder):
    with folder.acquire(0), pytest.raises(FolderInUse):
        run("doctor", *config, "--repair")


def test_nothing_to_examine_is_said(config, folder):
    folder.path.rmdir()
    with pytest.raises(ConfigError, match="nothing to examine"):
        run("doctor", *config)


def test_a_backup_and_back(config, folder, filled, tmp_path):
    filled((1, 30), close=True)
    result = run("backup", tmp_path / "b.tar", *config)
    assert "b.tar: " in result.stdout
    folder.historic_predictions.unlink()
    result = run("restore", tmp_path / "b.tar", *config)
    assert "example.before-restore" in result.stdout
    assert PredictionHistory.open(StateFolder(folder.path)).rows(Pair("BTC/USDT")) == 29


def published(store, seed, model="CatboostRegressor", parameters=None, digest=""):
    """An artifact of BTC/USDT, trained on 300 rows."""
    features = np.random.default_rng(0).standard_normal((300, 3)).astype(np.float32)
    job = TrainingJob(
        pair="BTC/USDT",
        targets=(Target(name="&-s_close"),),
        features=("%-a", "%-b", "%-c"),
        model=model,
        parameters={"iterations": 5} if parameters is None else parameters,
        test_size=0.2,
        horizon=2,
        weight_factor=0.0,
        seed=seed,
        threads=1,
        file_stem=f"cb_btc_{T}",
    )
    staging = store.new_staging()
    result = train(job, features, features[:, :1] * (seed * 1.0), staging, SystemClock().monotonic_s)
    metadata = {
        "window_end_ms": T * 1000,
        "label_list": ["&-s_close"],
        "classes": {"&-s_close": []},
        "labels_mean": result.label_mean,
        "labels_std": result.label_std,
        "training_features_list": list(job.features),
        "model_class": job.model,
        "model_digest": digest,
        "metrics": dict(result.metrics),
    }
    return store.publish(staging, pair=Pair("BTC/USDT"), trained_s=T, metadata=metadata)


def test_the_digest_of_a_model_is_that_of_its_predictions(folder):
    store = ArtifactStore(folder)
    digests = [predictions_digest(published(store, seed)) for seed in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]
    assert len(digests[0]) == 64


def test_a_model_of_the_users_own_class_is_loaded_for_its_digest(config, folder, tmp_path):
    (tmp_path / "freqaimodels").mkdir()
    shutil.copy(candled_ridge.__file__, tmp_path / "freqaimodels")
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"freqaimodel": "CandledRidge"}))
    user = use_model(load_settings([path]))
    published(ArtifactStore(folder), 1, "CandledRidge", {}, user.digest)
    forget("CandledRidge")  # as in a process of its own
    served = json.loads(run("doctor", *config, "--json").stdout)["serves"]["BTC/USDT"]
    assert len(served["predictions"]) == 64, served
    forget("CandledRidge")


def test_the_ledger_goes_into_the_archive_and_comes_back(config, folder, tmp_path):
    path = tmp_path / f"{folder.path.name}.dryrun.sqlite"
    ledger = open_ledger(path, 1, set_aside)
    ledger.put("risk", {"orders": 3})
    run("backup", *config, tmp_path / "state.tar")
    ledger.put("risk", {"orders": 4})
    ledger.close()
    result = run("restore", *config, tmp_path / "state.tar")
    assert f"{path} is as" in result.stdout
    ledger = LedgerReader.open(path)
    assert ledger.get("risk") == {"orders": 3}
    assert ledger.get(RESTORED)["fault"] == "put back by hand"
    ledger.close()
    assert not (folder.path / "ledger.dryrun.sqlite").exists()
    assert not list(tmp_path.glob(".ledger-copy*"))


def test_the_doctor_looks_at_the_ledger(config, folder, tmp_path):
    path = tmp_path / f"{folder.path.name}.dryrun.sqlite"
    open_ledger(path, 1, set_aside).close()
    result = run("doctor", *config)
    assert result.exit_code == 0
    assert f"{path.name}: 0 trades, {path.stem}.backup-1.sqlite of 1970-01-01" in result.stdout
    path.write_bytes(b"damage" * 1000)
    result = run("doctor", *config)
    assert result.exit_code == 2
    assert "file is not a database; a start puts its newest backup in its place" in result.stdout
    assert run("doctor", "--repair", *config).exit_code == 2
    assert run("doctor", *config).exit_code == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes for others")
def test_what_root_leaves_in_a_services_folder_belongs_to_the_service(config, folder, filled, tmp_path):
    daemons = 12345
    ledger = tmp_path / f"{folder.path.name}.dryrun.sqlite"
    open_ledger(ledger, 1, set_aside).close()
    filled((1, 30), close=True)
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, daemons, daemons)
    run("backup", *config, tmp_path / "state.tar")
    ledger.write_bytes(b"damage" * 1000)
    for path in folder.path.glob("*.pkl"):
        path.write_bytes(b"damage")
    request_training(folder, [Pair("BTC/USDT")], 1)
    assert run("doctor", "--repair", *config).exit_code == 2

    def of_root():
        return [str(path) for path in tmp_path.rglob("*") if path.stat().st_uid != daemons]

    assert list((folder.path / "set-aside").iterdir())
    assert not of_root()
    run("restore", *config, tmp_path / "state.tar")
    assert not of_root()
