"""The benchmark scripts run, on candles and a strategy in the place of the peer's: a few pairs, a moment each."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from desk import STRATEGIES

ROOT = Path(__file__).parent.parent.parent
CANDLES = Path(__file__).with_name("made_candles.py")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    """A folder in the place of the peer's scripts, and one in that of the Python that has freqtrade."""
    folder = tmp_path_factory.mktemp("peer")
    shutil.copy(CANDLES, folder / "data.py")
    templates = folder / "lib" / "python3.11" / "site-packages" / "freqtrade" / "templates"
    templates.mkdir(parents=True)
    strategy = (STRATEGIES / "teaching.py").read_text("utf-8").replace("Plain", "FreqaiExampleStrategy")
    (templates / "FreqaiExampleStrategy.py").write_text(strategy)
    return folder


@pytest.fixture
def figures(peer):
    """figures(script, *options): the JSON object that a script prints last."""

    def of(script, *options):
        command = [sys.executable, ROOT / "benchmarks" / script, *options]
        if script != "skill.py":  # which has the simulated exchange's candles
            command += ["--peer-scripts", peer]
        done = subprocess.run(
            [str(part) for part in command],
            env={**os.environ, "PEER_PYTHON": str(peer / "bin" / "python"), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        printed = "\n" + done.stdout
        return json.loads(printed[printed.rindex("\n{") :])

    return of


def test_a_tick_is_made_of_its_parts(figures):
    run = figures("tick.py", "--pairs", 2, "--ticks", 12, "--training-ticks", 2)["runs"][0]
    parts = run["share_cpu_ms"]
    assert min(value for name, value in parts.items() if name not in {"rest", "hooks_percent"}) > 0
    assert parts["rest"] >= 0
    assert min(run["floors"]["hooks_cpu_ms"].values()) > 0
    assert run["training"]["trainings"] > 0


def test_a_retrain_is_split_into_the_fit_and_the_rest(figures):
    run = figures("retrain.py", "--models", "lightgbm", "--repeat", 1)["runs"][0]
    not_fit = run["not_fit_cpu_s"]
    assert min(run["fit_cpu_s"], run["bare_fit_cpu_s"], not_fit["training_process"], not_fit["daemon"]) > 0
    assert min(value for name, value in run["floors_ms"].items() if name != "predictions") > 0


def test_a_restart_predicts_in_its_first_pass(figures):
    run = figures("restart.py", "--pairs", 2, "--rows", 300, "--runs", 1)["runs"][0]["runs"][0]
    assert run["predictions_in_first_pass"] == 2
    assert 0 < run["cpu_to_predictions_s"] <= run["cpu_s"]


def test_the_footprint_grows_by_a_line_through_its_days(figures):
    found = figures("footprint.py", "--pairs", 2, "--soak-pairs", 1, "--days", 3)
    assert found["rest"]["imports"] < found["rest"]["after_ticks"]
    assert len(found["soak"]["rss_mb"]) == 3


def test_the_history_is_measured_per_pair(figures):
    run = figures("history.py", "--pairs", 2, "--rows", 500)["runs"][0]
    assert run["append_cpu_ms_per_pair"]["p50"] > 0
    assert run["written_bytes_per_pair_and_tick"] > 0


def test_the_dissimilarity_index_is_measured(figures):
    assert figures("di.py", "--rows", 300, "--columns", 20)


def test_skill_is_a_share_of_what_can_be_known(figures, tmp_path):
    found = figures("skill.py", "--keep", tmp_path / "figures.jsonl", "--seeds", 1, "--train-days", 4)
    assert 0 < found["model_ic"] < found["best_ic"] < 1
