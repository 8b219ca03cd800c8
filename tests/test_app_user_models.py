"""The whole daemon with model classes of a user's own: found, trained in their process, live, restarted, edited."""

import json
import threading
from pathlib import Path

import pytest
import typer
from desk import BASE, NOW_MS, PAIRS, STRATEGIES
from typer.testing import CliRunner

from daemon import app
from daemon.cli import config as config_command
from daemon.config import load_settings
from daemon.core.clock import FastClock
from daemon.core.errors import ConfigError, Refused, StrategyError
from daemon.core.prediction import Reason
from daemon.learning.models import examples
from daemon.learning.models.checks import CHECKS
from daemon.learning.models.registry import forget
from daemon.market.simulated import SimulatedMarket
from daemon.runtime import user_models
from daemon.runtime.explain import explained
from daemon.runtime.status_file import read_status
from daemon.state.artifacts import ArtifactStore
from daemon.state.folder import StateFolder
from daemon.state.history import PredictionHistory

pytestmark = pytest.mark.usefixtures("unhurried_stop")
FILES = STRATEGIES.parent / "user_models"
PAIR = PAIRS[1]


@pytest.fixture(autouse=True)
def forgotten():
    yield
    for name in ("Pooled", "PlainRidge", "CandledRidge", "Fails"):
        forget(name)


@pytest.fixture
def settings(tmp_path):
    def made(model, freqai=None, **changes):
        document = {
            "timeframe": "5m",
            "stake_currency": "USDT",
            "strategy": "Plain",
            "strategy_path": str(STRATEGIES),
            "user_data_dir": str(tmp_path / "user_data"),
            "freqaimodel": model,
            "exchange": {"name": "simulated", "pair_whitelist": [str(PAIR)]},
            "freqai": {
                "identifier": "one",
                "train_period_days": 1,
                "live_retrain_hours": 12,
                "feature_parameters": {
                    "include_timeframes": ["5m"],
                    "indicator_periods_candles": [10],
                    "label_period_candles": 12,
                },
                **(freqai or {}),
            },
            **changes,
        }
        path = tmp_path / "config.json"
        path.write_text(json.dumps(document), "utf-8")
        return load_settings([path], env={})

    return made


def run(chosen, now_ms, enough=None, ticks=None):
    stop = threading.Event()

    def show(figures):
        if enough is not None and enough(figures):
            stop.set()

    clock = FastClock(now_ms, 500.0)
    market = SimulatedMarket(pairs=PAIRS, seed=7, clock=clock, base=BASE)
    assert app.run(chosen, stop, app.Options(ticks=ticks, show=show, clock=clock, market=market)) == 0
    return read_status(StateFolder(chosen.identifier_folder).status)


def predicted(figures):
    return all("values" in pair for pair in figures["pairs"].values())


def failed(figures):
    return figures["failed_trainings"] > 0


def last_ms(chosen):
    return int(record(chosen)["date_pred"].iloc[-1].timestamp() * 1000)


def record(chosen):
    return PredictionHistory.read(StateFolder(chosen.identifier_folder)).frame(PAIR)


def test_only_a_model_of_ours_is_imported_without_what_a_users_may_want(settings, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(user_models, "import_lean", asked.append)
    user_models.import_model(settings("LightGBMRegressor"))
    user_models.import_model(settings("Pooled", freqaimodel_path=str(FILES)))
    folder = tmp_path / "user_data" / "freqaimodels"
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text("class LightGBMRegressor: ...", "utf-8")
    user_models.import_model(settings("LightGBMRegressor"))
    assert asked == ["LightGBMRegressor"]


@pytest.mark.slow
def test_a_users_file_is_trained_there_again_after_a_restart_gone_on_from_and_edited(settings, tmp_path):
    folder = tmp_path / "user_data" / "freqaimodels"
    folder.mkdir(parents=True)
    file = folder / "regressors.py"
    file.write_bytes((FILES / "regressors.py").read_bytes())
    asked = {
        "continual_learning": True,
        "model_training_parameters": {"iterations": 5},
        "extra_returns_per_train": {"mine": 7.0},
    }
    chosen = settings("Pooled", freqai=asked)
    figures = run(chosen, NOW_MS, predicted)
    assert (figures["trainings"], figures["failed_trainings"]) == (1, 0)
    last = record(chosen).iloc[-1]
    assert last["do_predict"] == 1
    assert 1 <= last["trees"] <= 5
    assert (last["whose"], last["went_on"], last["mine"]) == (str(PAIR), 0, 7)
    store = ArtifactStore(StateFolder(chosen.identifier_folder))
    first = store.newest(PAIR)
    assert first.metadata["model_class"] == "Pooled"
    assert {path.suffix for path in first.files.values()} == {".json", ".cbm", ".skops"}
    with pytest.raises(Refused, match="FreqAI's manner"):
        explained(chosen, PAIR, None)

    # Half a day later: it predicts from the first candle on, and is trained again, from where it was.
    before = len(record(chosen))
    figures = run(chosen, last_ms(chosen) + 13 * 3_600_000, lambda figures: figures["trainings"] == 1)
    # What a busy machine has not caught up with when the new model is there is older than that.
    assert set(figures["abstention_reasons"]) <= {Reason.LATE}
    assert record(chosen).iloc[before]["model"] == first.name
    second = store.newest(PAIR)
    assert second.metadata["continued_from"] == first.name
    assert second.metadata["extra_returns"]["went_on"] == 1

    file.write_text(file.read_text("utf-8") + "\n# another version\n", "utf-8")
    now_ms = last_ms(chosen) + 2 * BASE.ms
    figures = run(chosen, now_ms, lambda figures: figures["trainings"] == 1 and predicted(figures))
    third = store.newest(PAIR)
    assert third.metadata["model_digest"] != first.metadata["model_digest"] == second.metadata["model_digest"]
    assert third.metadata["recipe"] != second.metadata["recipe"]
    assert third.metadata["continued_from"] == ""
    served = record(chosen)
    served = served[served["date_pred"].astype("int64") >= now_ms]
    assert second.name not in set(served["model"])


def test_what_fit_raises_fails_the_training_with_its_place_and_the_daemon_goes_on(settings, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "fails.py").write_text(
        "from freqtrade.freqai.base_models.BaseRegressionModel import BaseRegressionModel\n"
        "class Fails(BaseRegressionModel):\n"
        "    def fit(self, data_dictionary, dk, **kwargs):\n"
        "        print('said')\n"
        "        raise RuntimeError('out of luck')\n",
        "utf-8",
    )
    chosen = settings("Fails", freqaimodel_path=str(folder))
    figures = run(chosen, NOW_MS, lambda figures: failed(figures) and figures["ticks"] > 1)
    assert figures["trainings"] == 0
    shown = json.dumps(figures["pairs"][str(PAIR)])
    assert "fails.py:5: RuntimeError: out of luck" in shown


@pytest.mark.parametrize(
    ("name", "text", "error", "words"),
    [
        ("Nowhere", "x = 1\n", ConfigError, "no file in .* has a class of that name"),
        ("Fails", "class Fails(\n", StrategyError, r"bad\.py:1: SyntaxError"),
        (
            "Fails",
            "import absent_module\nclass Fails: ...\n",
            StrategyError,
            r"bad\.py:1: .*needs the module",
        ),
        ("Fails", "class Fails: ...\n", StrategyError, "is no model: derive it from"),
    ],
)
def test_a_bad_file_ends_the_start_before_anything_is_written(settings, tmp_path, name, text, error, words):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "bad.py").write_text(text, "utf-8")
    with pytest.raises(error, match=words):
        app.run(settings(name, freqaimodel_path=str(folder)), threading.Event())
    assert not (tmp_path / "user_data").exists()


def test_the_example_that_ships_is_put_to_the_checks_from_the_command_line(settings, tmp_path):
    settings("CandledRidge", freqaimodel_path=str(Path(examples.__file__).parent))
    command = typer.Typer()
    command.command()(config_command.model)
    found = CliRunner().invoke(command, ["-c", str(tmp_path / "config.json")])
    assert found.exit_code == 0
    lines = found.stdout.splitlines()
    assert len(lines) == len(CHECKS)
    assert all(line.startswith("ok  ") for line in lines)
    settings("PlainRidge", freqaimodel_path=str(FILES))
    found = CliRunner().invoke(command, ["-c", str(tmp_path / "config.json")])
    assert "in FreqAI's manner" in str(found.exception)


def test_the_check_of_the_configuration_looks_at_the_file(settings, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "bad.py").write_text("class Fails: ...\n", "utf-8")
    settings("Fails", freqaimodel_path=str(folder))
    command = typer.Typer()
    command.command()(config_command.check)
    found = CliRunner().invoke(command, ["-c", str(tmp_path / "config.json")])
    assert isinstance(found.exception, StrategyError)
    assert "bad.py: Fails is no model" in str(found.exception)
