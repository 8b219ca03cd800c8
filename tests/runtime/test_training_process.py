import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from daemon.core.clock import SystemClock
from daemon.core.errors import Refused
from daemon.features.gathering import NOWHERE, Gathering, Piece
from daemon.learning.fit import train
from daemon.learning.job import Target, TrainingJob
from daemon.runtime.training_process import TrainingFailed, TrainingProcess, TrainingStopped
from daemon.strategy.sources import digest_of

JOB = TrainingJob(
    pair="BTC/USDT",
    targets=(Target(name="&-s_close"),),
    features=tuple(f"%-f{i}" for i in range(5)),
    model="CatboostRegressor",
    parameters={"iterations": 20},
    test_size=0.2,
    horizon=5,
    weight_factor=0.0,
    seed=1,
    threads=1,
    file_stem="cb_btc_1700000000",
)
ENDLESS = replace(JOB, parameters={"iterations": 1_000_000, "early_stopping_rounds": 1_000_000})


class LaidOut(TrainingProcess):
    """Takes features that are laid out already, as a matrix."""

    def run(self, job, features, labels, folder):
        return super().run(job, Gathering.of(features), labels, folder)


@pytest.fixture
def stop():
    return threading.Event()


@pytest.fixture
def amid():
    """What is done, once, while a training is seen to run."""
    return []


@pytest.fixture
def process(stop, amid):
    made = LaidOut(threads=1, nice=5, stop=stop, clock=SystemClock(), beat=lambda: amid and amid.pop()())
    yield made
    made.close()


@pytest.fixture
def numbers():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((800, 5)).astype(np.float32)
    return features, features[:, :1].astype(np.float64)


def test_one_process_serves_many_jobs(process, numbers, tmp_path):
    first = process.run(JOB, *numbers, tmp_path)
    pid = process.pid
    second = process.run(JOB, *numbers, tmp_path)
    assert (first.rows, first.metrics) == (second.rows, second.metrics)
    assert process.pid == pid
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(first.files)


def test_several_targets_go_through_the_shared_memory(process, numbers, tmp_path):
    features, _ = numbers
    job = replace(JOB, targets=(Target(name="&-a"), Target(name="&s-b", classes=("down", "up"))))
    labels = np.stack([features[:, 1], features[:, 0] > 0], axis=1).astype(np.float64)
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    result = process.run(job, features, labels, there)
    own = train(job, features, labels, here, SystemClock().monotonic_s)
    assert replace(result, seconds={}) == replace(own, seconds={})
    for name in own.files:
        assert (here / name).read_bytes() == (there / name).read_bytes()


def test_features_are_laid_out_by_the_process_and_what_another_training_left_is_not_seen(
    process, numbers, tmp_path
):
    features, labels = numbers
    table = np.concatenate([features[:, :2], np.full((800, 1), np.nan, np.float32)], axis=1)
    at = np.arange(800)
    at[50:60] = NOWHERE
    pieces = (
        Piece(table[:, :2], at, range(1, 2)),
        Piece(features[:, 2:].copy(), np.arange(800) // 3, range(1)),
    )
    made = Gathering(pieces)
    folders = [tmp_path / name for name in ("gathered", "laid out", "shorter", "gathered again")]
    for folder in folders:
        folder.mkdir()
    few = made.trimmed(), labels, folders[0]
    result = TrainingProcess.run(process, JOB, *few)
    assert result.dropped == 11  # and the first row, which has none before it
    process.run(JOB, made.matrix(), labels, folders[1])
    process.run(JOB, features[:400], labels[:400], folders[2])
    TrainingProcess.run(process, JOB, made, labels, folders[3])
    for name in result.files:
        first, laid_out, shorter, again = ((folder / name).read_bytes() for folder in folders)
        assert first == laid_out == again != shorter


def test_the_shared_memory_is_given_back_after_a_training(process, numbers, tmp_path):
    process.run(JOB, *numbers, tmp_path)
    assert os.fstat(process._child._memory).st_blocks == 0


def test_it_works_where_a_thousand_files_are_open(process, numbers, tmp_path):
    with Path(os.devnull).open("rb") as file:
        others = [os.dup(file.fileno()) for _ in range(1024)]  # select() takes no descriptor above 1023
        try:
            assert process.run(JOB, *numbers, tmp_path).files
        finally:
            for descriptor in others:
                os.close(descriptor)


def test_what_lies_in_the_working_folder_is_not_imported(process, numbers, tmp_path, monkeypatch):
    here = tmp_path / "here"
    for name in ("daemon", "numpy"):
        here.joinpath(name).mkdir(parents=True)
        here.joinpath(name, "__init__.py").touch()
    monkeypatch.chdir(here)
    assert process.run(JOB, *numbers, tmp_path).rows > 0


def test_it_runs_at_low_priority(process, numbers, tmp_path):
    process.run(JOB, *numbers, tmp_path)
    assert os.getpriority(os.PRIO_PROCESS, process.pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 5)
    assert os.sched_getscheduler(process.pid) == os.SCHED_BATCH


def test_what_cannot_be_trained_is_refused_and_the_next_job_runs(process, numbers, tmp_path):
    features, labels = numbers
    with pytest.raises(Refused, match=r"the label is 1\.0 in every training row"):
        process.run(JOB, features, np.ones_like(labels), tmp_path)
    assert process.run(JOB, features, labels, tmp_path).rows > 0


@pytest.mark.parametrize(("number", "cause"), [(signal.SIGKILL, "memory runs out"), (signal.SIGSEGV, "")])
def test_a_process_that_dies_is_named_and_replaced(process, amid, numbers, tmp_path, number, cause):
    process.run(JOB, *numbers, tmp_path)
    dead = process.pid
    amid.append(lambda: os.kill(dead, number))
    with pytest.raises(TrainingFailed, match=f"{signal.Signals(number).name}.*{cause}"):
        process.run(ENDLESS, *numbers, tmp_path)
    assert process.run(JOB, *numbers, tmp_path).rows > 0
    assert process.pid != dead


def test_a_process_that_died_while_idle_is_replaced(process, numbers, tmp_path):
    process.run(JOB, *numbers, tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert process.run(JOB, *numbers, tmp_path).rows > 0


def test_a_stop_abandons_a_training(process, amid, numbers, tmp_path, stop):
    process.run(JOB, *numbers, tmp_path)
    pid = process.pid
    amid.append(stop.set)
    with pytest.raises(TrainingStopped):
        process.run(ENDLESS, *numbers, tmp_path)
    assert not Path(f"/proc/{pid}").exists()


def test_a_training_that_never_ends_is_ended(stop, numbers, tmp_path):
    process = LaidOut(threads=1, nice=5, stop=stop, clock=SystemClock(), longest_s=0.5)
    with pytest.raises(TrainingFailed, match="longer than"):
        process.run(ENDLESS, *numbers, tmp_path)
    assert process.pid is None


def test_a_bug_in_a_training_is_reported_and_the_process_lives_on(process, numbers, tmp_path):
    with pytest.raises(TrainingFailed, match="FileNotFoundError"):
        process.run(JOB, *numbers, tmp_path / "absent")
    assert process.run(JOB, *numbers, tmp_path).rows > 0


def test_it_dies_with_its_parent(tmp_path):
    """A parent that is killed takes the training process with it, in the middle of a training."""
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys, threading, numpy as np\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_training_process import ENDLESS, LaidOut\n"
        "from daemon.core.clock import SystemClock\n"
        "from pathlib import Path\n"
        "p = LaidOut(threads=1, nice=5, stop=threading.Event(), clock=SystemClock())\n"
        "x = np.random.default_rng(0).standard_normal((800, 5)).astype('f4')\n"
        "threading.Thread(target=lambda: p.run(ENDLESS, x, x[:, :1].astype('f8'), Path('.')), daemon=True).start()\n"
        "while p.pid is None: pass\n"
        "print(p.pid, flush=True)\n"
        "threading.Event().wait()\n"
    )
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as parent:
        child = int(parent.stdout.readline())
        os.pidfd_open(child)
        parent.kill()
    for _ in range(1200):
        if not lives(child):
            break
        SystemClock().wait(threading.Event(), 0.05)
    else:
        pytest.fail("the training process outlived its parent")


def lives(pid):
    """Whether a process is there, and no zombie that nobody has buried yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def users(tmp_path, fit):
    """A job of a user's model class whose fit is as given."""
    file = tmp_path / "theirs.py"
    file.write_text(
        "from freqtrade.freqai.base_models.BaseRegressionModel import BaseRegressionModel\n"
        "from sklearn.linear_model import Ridge\n"
        f"class Theirs(BaseRegressionModel):\n    def fit(self, rows, dk):\n        {fit}\n",
        "utf-8",
    )
    config = {"freqai": {"feature_parameters": {}}}
    return replace(JOB, model="Theirs", model_file=str(file), model_digest=digest_of(file), config=config)


def test_a_users_class_is_run_in_the_process_and_not_once_its_file_has_been_edited(
    process, numbers, tmp_path
):
    fit = "print('out'); return Ridge().fit(rows['train_features'], rows['train_labels'])"
    job = users(tmp_path, fit)
    assert process.run(job, *numbers, tmp_path).metrics["&-s_close"]["r2"] > 0.9
    Path(job.model_file).write_text("raise SystemExit\n", "utf-8")
    assert process.run(job, *numbers, tmp_path).rows > 0  # what was read at the start goes on
    process.close()
    users(tmp_path, fit + "  # edited")
    with pytest.raises(Refused, match="has been edited since the start: restart candled"):
        process.run(job, *numbers, tmp_path)
    assert process.run(JOB, *numbers, tmp_path).rows > 0


def test_a_stop_ends_a_users_fit_that_asks_nobody(process, numbers, tmp_path, stop):
    job = users(tmp_path, "open(dk.config['freqai']['begun'], 'w').close()\n        while True: pass")
    begun = tmp_path / "begun"
    job = replace(job, config={"freqai": {"feature_parameters": {}, "begun": str(begun)}})
    done = threading.Event()

    def watch():
        while not begun.exists() and not done.wait(0.05):
            pass
        stop.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    with pytest.raises(TrainingStopped):
        process.run(job, *numbers, tmp_path)
    done.set()
    watcher.join()
    assert begun.exists()
    assert process.pid is None


def test_a_users_fit_that_kills_its_process_is_told_as_such(process, numbers, tmp_path):
    job = users(tmp_path, "import os; os.abort()")
    with pytest.raises(TrainingFailed, match="SIGABRT"):
        process.run(job, *numbers, tmp_path)


def test_a_users_model_that_puts_another_stdin_in_place_costs_no_process(process, numbers, tmp_path):
    fit = "import sys; sys.stdin = open('/dev/null'); return Ridge().fit(rows['train_features'], rows['train_labels'])"
    process.run(users(tmp_path, fit), *numbers, tmp_path)
    pid = process.pid
    SystemClock().wait(threading.Event(), 0.5)
    process.run(users(tmp_path, fit), *numbers, tmp_path)
    assert process.pid == pid


def test_a_process_at_rest_gives_back_what_a_training_has_left_free(process, numbers, tmp_path):
    # What is kept of it lies between what is free, as it does after real trainings, so that no free() gives any back.
    pieces = "pieces = [bytes(2000) for _ in range(50_000)]; type(self).kept = pieces[::20]"
    fit = "return Ridge().fit(rows['train_features'], rows['train_labels'])"
    process.run(users(tmp_path, fit), *numbers, tmp_path)
    before = own_mb(process.pid)
    process.run(users(tmp_path, f"{pieces}; {fit}"), *numbers, tmp_path)
    for _ in range(1200):
        if own_mb(process.pid) < before + 40:
            break
        SystemClock().wait(threading.Event(), 0.05)
    else:
        pytest.fail(f"{own_mb(process.pid)} MB at rest, {before} MB before")


def own_mb(pid):
    fields = dict(line.split(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) // 1024


def test_a_process_that_was_stopped_is_noticed_ended_and_replaced(stop, numbers, tmp_path):
    made = LaidOut(threads=1, nice=5, stop=stop, clock=SystemClock(), patience_s=4.0)
    made.run(JOB, *numbers, tmp_path)
    pid = made.pid
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(TrainingFailed, match=r"made no progress for \d+ s \(it was stopped by a signal\)"):
        made.run(JOB, *numbers, tmp_path)
    assert made.run(JOB, *numbers, tmp_path).rows
    assert made.pid != pid
    made.close()


def test_a_training_that_works_is_not_taken_to_hang_however_long_it_takes(stop, numbers, tmp_path):
    beats = []
    made = LaidOut(
        threads=1,
        nice=5,
        stop=stop,
        clock=SystemClock(),
        patience_s=2.5,
        longest_s=6.0,
        beat=lambda: beats.append(1),
    )
    with pytest.raises(TrainingFailed, match="max_minutes"):
        made.run(ENDLESS, *numbers, tmp_path)
    assert len(beats) >= 2
    made.close()


def test_a_training_that_takes_too_much_memory_is_ended_with_the_cause(stop, numbers, tmp_path):
    made = LaidOut(threads=1, nice=5, stop=stop, clock=SystemClock(), most_bytes=100_000_000)
    with pytest.raises(TrainingFailed, match=r"took \d+ MB, more than 100 MB .*max_memory_mb"):
        made.run(ENDLESS, *numbers, tmp_path)
    made.close()


def test_the_kernel_would_end_the_training_before_the_daemon(process, numbers, tmp_path):
    process.run(JOB, *numbers, tmp_path)
    assert int(Path(f"/proc/{process.pid}/oom_score_adj").read_text()) == 500
