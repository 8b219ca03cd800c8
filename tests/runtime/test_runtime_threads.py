import contextlib
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from daemon.core.clock import FakeClock, FastClock, SystemClock
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe
from daemon.runtime import lifecycle
from daemon.runtime.lifecycle import Daemon
from daemon.runtime.runner import Runner
from daemon.runtime.supervision import Supervisor
from daemon.runtime.systemd import Watchdog
from daemon.runtime.tally import Tally
from daemon.runtime.ticker import Ticker
from daemon.trading.signals import Signal, SignalKind


class Counting:
    """Steps that work a few times, then have nothing to do."""

    def __init__(self, times=0, *, error=None, block=None, before=lambda: None):
        self.done = 0
        self.times = times
        self.error = error
        self.block = block
        self.before = before
        self.called = threading.Event()

    def step(self):
        self.called.set()
        if self.block is not None:
            self.before()
            self.block.wait()
        if self.error is not None:
            raise self.error
        self.done += self.done < self.times
        return self.done < self.times


def runner(steps, stop, idle_s=60.0, clock=None):
    return Runner("engine", steps, clock=clock or SystemClock(), stop=stop, idle_s=idle_s)


def test_steps_follow_each_other_while_there_is_work():
    stop, steps = threading.Event(), Counting(5)
    made = runner(steps, stop)
    made.start()
    while steps.done < 5:
        pass
    stop.set()
    made.wake.set()
    made.join(60)
    assert not made.is_alive()
    assert made.failure is None


def test_an_idle_runner_steps_again_when_woken():
    stop, steps = threading.Event(), Counting()
    made = runner(steps, stop)
    made.start()
    assert steps.called.wait(60)
    steps.called.clear()
    made.wake.set()
    assert steps.called.wait(60)
    stop.set()
    made.wake.set()
    made.join(60)


def test_an_idle_runner_looks_again_by_itself_even_if_the_wake_up_was_lost():
    stop, steps = threading.Event(), Counting()
    made = runner(steps, stop, idle_s=0.01)
    made.start()
    for _ in range(3):
        steps.called.clear()
        assert steps.called.wait(60)
    stop.set()
    made.join(60)


def test_a_bug_ends_the_thread_and_stops_the_daemon(caplog):
    stop = threading.Event()
    made = runner(Counting(error=RuntimeError("bug")), stop)
    made.start()
    made.join(60)
    assert stop.is_set()
    assert str(made.failure) == "bug"
    assert [record.getMessage() for record in caplog.records] == ["thread_died"]


def ticker(clock, grace_ms=0):
    engine, trainer = threading.Event(), threading.Event()
    made = Ticker(clock=clock, base=Timeframe("5m"), grace_ms=grace_ms, engine=engine, trainer=trainer)
    return made, engine, trainer


def test_the_engine_is_woken_after_each_close():
    clock = FastClock(0, 1500.0)  # a candle every 0.2 s
    made, engine, trainer = ticker(clock, grace_ms=30_000)
    made.start()
    wakes = []
    for _ in range(300):  # a busy machine wakes late, now and then
        assert engine.wait(60)
        engine.clear()
        wakes = [*wakes, clock.now_ms()][-3:]
        first = wakes[0] // 300_000
        in_turn = [ms // 300_000 for ms in wakes] == [first, first + 1, first + 2]
        if in_turn and all(ms % 300_000 >= 30_000 for ms in wakes):
            break
    else:
        pytest.fail(f"no three candles in a row, each after its grace: {wakes}")
    assert trainer.is_set()
    made.stop()


def test_timers_that_fall_together_take_one_thread():
    before = {*threading.enumerate()}
    made, engine, trainer = ticker(FastClock(0, 15_000.0))
    made.start()
    for _ in range(20):
        assert engine.wait(60)
        assert trainer.wait(60)
        engine.clear()
        trainer.clear()
    workers = [each.name for each in {*threading.enumerate()} - before if "Executor" in each.name]
    made.stop()
    assert len(workers) == 1


def test_a_stopped_ticker_fires_no_more():
    made, engine, _ = ticker(FastClock(0, 3000.0))
    made.start()
    assert engine.wait(60)
    made.stop()
    for _ in range(10):  # what was on its way may still come
        engine.clear()
        if not engine.wait(0.5):
            break
    else:
        pytest.fail("it fires on")
    made.stop()


def daemon(engine_steps, trainer_steps, stop, *, closings=(), finished=lambda: False, limit=None):
    clock = SystemClock()
    tally = Tally(clock, limit, stop)
    shown = []
    made = Daemon(
        runners=[
            runner(engine_steps, stop),
            Runner("trainer", trainer_steps, clock=clock, stop=stop, idle_s=60.0),
        ],
        ticker=ticker(clock)[0],
        clock=clock,
        tally=tally,
        stop=stop,
        finished=finished,
        show=lambda state: shown.append(state) or "as it is",
        closings=list(closings),
    )
    return made, tally, shown


def stopped_once(event, stop):
    """Have the daemon told to stop as soon as something has happened."""
    threading.Thread(target=lambda: event.wait(60) and stop.set(), daemon=True).start()


def hangs_soon(runner):
    """From now on the runner's thread is taken to hang in half a second, and not by what was before."""
    runner.heartbeat.beat()
    runner.patience_s = 0.5


def test_it_stops_when_told_and_puts_things_away_in_order():
    stop, closed = threading.Event(), []
    steps = Counting()
    made, _, shown = daemon(
        steps,
        Counting(),
        stop,
        closings=[
            ("history", lambda: closed.append("history")),
            ("candles", lambda: closed.append("candles")),
        ],
    )
    stopped_once(steps.called, stop)
    assert made.run() == 0
    assert closed == ["history", "candles"]
    assert shown[-1] == "stopped"


def test_a_thread_that_died_makes_the_exit_status_1(caplog):
    stop, closed = threading.Event(), []
    made, _, _ = daemon(
        Counting(error=RuntimeError("bug")),
        Counting(),
        stop,
        closings=[("history", lambda: closed.append(1))],
    )
    assert made.run() == 1
    assert closed == [1]


def test_a_thread_that_hangs_is_named_and_nothing_is_closed_under_it(caplog, monkeypatch):
    monkeypatch.setattr("daemon.runtime.lifecycle.STOP_S", 0.1)
    stop, release, closed = threading.Event(), threading.Event(), []
    steps = Counting(block=release)
    made, _, _ = daemon(steps, Counting(), stop, closings=[("history", lambda: closed.append(1))])
    stopped_once(steps.called, stop)
    assert made.run() == 1
    release.set()
    assert closed == []
    assert any(record.getMessage() == "threads_hang" for record in caplog.records)


class Hung:
    """A thread that never ends: who waits for it has waited as long as it meant to, by a clock that stands else."""

    def __init__(self, clock):
        self.name, self.ident, self.failure, self.wake = "hung", 1, None, threading.Event()
        self._clock = clock

    def join(self, seconds):
        self._clock.advance(round(seconds * 1000))

    def is_alive(self):
        return True


def test_threads_that_hang_have_together_what_a_stop_leaves_them_and_not_each():
    clock, stop = FakeClock(), threading.Event()
    stop.set()
    made = Daemon(
        runners=[Hung(clock) for _ in range(8)],
        ticker=ticker(clock)[0],
        clock=clock,
        tally=Tally(clock, None, stop),
        stop=stop,
        finished=lambda: False,
        show=str,
        closings=[],
    )
    assert made.run() == 1
    assert lifecycle.STOP_S <= clock.monotonic_s() < lifecycle.DEADLINE_S


def test_a_thread_that_makes_no_progress_is_named_with_its_stack_and_ends_the_daemon(caplog, monkeypatch):
    monkeypatch.setattr("daemon.runtime.lifecycle.WATCH_S", 0.05)
    monkeypatch.setattr("daemon.runtime.lifecycle.STOP_S", 0.1)
    # The deadline would end the test's own process.
    monkeypatch.setattr("faulthandler.dump_traceback_later", lambda *_, **__: None)
    stop, release = threading.Event(), threading.Event()
    steps = Counting(block=release, before=lambda: hangs_soon(made._runners[0]))
    made, _, _ = daemon(steps, Counting(), stop)
    assert made.run() == 1
    release.set()
    hangs = [record.fields for record in caplog.records if record.getMessage() == "thread_hangs"]
    assert len(hangs) == 1
    assert hangs[0]["thread"] == "engine"
    assert "self.block.wait()" in hangs[0]["stack"]


def test_a_thread_whose_step_beats_does_not_hang(monkeypatch):
    clock, stop = FakeClock(0), threading.Event()
    made = Runner("engine", Counting(), clock=clock, stop=stop, idle_s=1.0, patience_s=59.0)
    supervisor = Supervisor([made], clock)
    for _ in range(120):
        clock.advance(1000)
        made.heartbeat.beat()
        assert supervisor.hung() == ()
    for _ in range(60):
        clock.advance(1000)
        assert supervisor.hung() == ()
    clock.advance(1000)
    assert supervisor.hung() == ("engine",)


def test_time_in_which_the_whole_process_stood_still_is_no_threads_fault():
    clock, stop = FakeClock(0), threading.Event()
    made = Runner("engine", Counting(), clock=clock, stop=stop, idle_s=1.0, patience_s=59.0)
    supervisor = Supervisor([made], clock)
    clock.advance(3_600_000)  # SIGSTOP, or a laptop that slept
    assert supervisor.hung() == ()
    clock.advance(1000)
    assert supervisor.hung() == ()


def told(folder, monkeypatch, **env):
    """A socket that plays systemd's part, and what it has heard so far."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(folder / "notify"))
    listener.setblocking(False)
    monkeypatch.setenv("NOTIFY_SOCKET", str(folder / "notify"))
    for name, value in env.items():
        monkeypatch.setenv(name, value)

    def heard():
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(listener.recv(4096).decode())
        return found

    return listener, heard


def test_the_watchdog_is_fed_four_times_a_period(tmp_path, monkeypatch):
    listener, heard = told(tmp_path, monkeypatch, WATCHDOG_USEC="120000000", WATCHDOG_PID=str(os.getpid()))
    with listener:
        clock = FakeClock(0)
        watchdog = Watchdog(clock)
        for _ in range(120):
            watchdog.feed()
            clock.advance(1000)
        assert heard() == ["WATCHDOG=1"] * 4


def test_no_watchdog_is_fed_that_is_not_ours(tmp_path, monkeypatch):
    listener, heard = told(tmp_path, monkeypatch, WATCHDOG_USEC="120000000", WATCHDOG_PID="1")
    with listener:
        Watchdog(FakeClock(0)).feed()
        assert heard() == []


def test_systemd_is_told_of_the_state_and_not_fed_while_a_thread_hangs(tmp_path, monkeypatch):
    monkeypatch.setattr("daemon.runtime.lifecycle.WATCH_S", 0.02)
    monkeypatch.setattr("daemon.runtime.lifecycle.STOP_S", 0.1)
    monkeypatch.setattr("faulthandler.dump_traceback_later", lambda *_, **__: None)
    listener, heard = told(tmp_path, monkeypatch, WATCHDOG_USEC="400000", WATCHDOG_PID=str(os.getpid()))
    stop, release, words = threading.Event(), threading.Event(), []

    def fed():
        while "WATCHDOG=1" not in words:
            words.extend(heard())
            time.sleep(0.01)
        hangs_soon(made._runners[0])

    with listener:
        made, _, _ = daemon(Counting(block=release, before=fed), Counting(), stop)
        assert made.run() == 1
        release.set()
        words += heard()
    assert words[0] == "READY=1"
    assert "STATUS=as it is" in words
    assert "WATCHDOG=1" in words
    assert words[-1] == "STOPPING=1"


def test_the_end_of_a_replay_stops_it():
    stop = threading.Event()
    made, _, _ = daemon(Counting(), Counting(), stop, finished=lambda: True)
    assert made.run() == 0


def test_enough_ticks_stop_it():
    stop = threading.Event()
    made, tally, _ = daemon(Counting(), Counting(), stop, limit=1)
    tally.tick(close_ms=0, outcomes=[], signals=[], late=False, skipped=0, seconds=0.1, missing=[])
    assert stop.is_set()
    assert made.run() == 0


SCRIPT = """
import os, signal, sys, threading, time
from daemon.runtime import lifecycle
from daemon.runtime.lifecycle import stop_on_signals
stop = threading.Event()
reload = threading.Event()
stop_on_signals(stop, reload)
if "deadline" in sys.argv:
    lifecycle.DEADLINE_S = 0.1
print("ready", flush=True)
if "reload" in sys.argv:
    while not (reload.is_set() or stop.is_set()):
        time.sleep(0.01)
    print("reload" if reload.is_set() else "stop", flush=True)
    sys.exit()
stop.wait()
print("stopping", flush=True)
if "deadline" in sys.argv or "hang" in sys.argv:
    threading.Event().wait()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_stops_and_a_second_ends_at_once(number):
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "hang"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, number)
        assert process.stdout.readline() == "stopping\n"
        os.kill(process.pid, number)
        assert process.wait(60) == -number


def test_a_stop_that_takes_longer_than_it_may_is_ended_and_says_where_it_hung():
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "deadline"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGTERM)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert "Timeout (0:00:00.1" in said
    assert "in wait" in said


@pytest.mark.parametrize(("gone", "done"), [(False, "reload\n"), (True, "stop\n")])
def test_sighup_reloads_and_means_hang_up_where_the_terminal_is_gone(gone, done):
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "reload"], stdout=subprocess.PIPE, stderr=theirs, text=True
    ) as process:
        os.close(theirs)
        assert process.stdout.readline() == "ready\n"
        if gone:
            os.close(ours)
        os.kill(process.pid, signal.SIGHUP)
        assert process.stdout.readline() == done
    if not gone:
        os.close(ours)


def test_a_signal_is_logged_when_its_streak_begins(caplog):
    caplog.set_level("INFO")
    tally, pair = Tally(FakeClock(0)), Pair("BTC/USDT")
    given = {"close_ms": 0, "outcomes": [], "late": False, "skipped": 0, "seconds": 0.1, "missing": []}
    told = []
    for tag in ("rise", "rise", "fall", None, "fall"):
        made = [] if tag is None else [Signal(pair=pair, candle_ms=0, kind=SignalKind.ENTER_LONG, tag=tag)]
        tally.tick(**given, signals=made)
        told.append(caplog.messages.count("signal"))
    assert told == [1, 1, 2, 2, 3]


def test_a_blocked_signal_is_logged_when_its_streak_begins(caplog):
    caplog.set_level("INFO")
    tally, pair = Tally(FakeClock(0)), Pair("BTC/USDT")
    given = {"close_ms": 0, "outcomes": [], "late": False, "skipped": 0, "seconds": 0.1, "missing": []}

    def tick(*reasons):
        made = [
            Signal(pair=pair, candle_ms=0, kind=SignalKind.ENTER_LONG, blocked=reason) for reason in reasons
        ]
        tally.tick(**given, signals=made)
        told = [
            record.fields.get("why") for record in caplog.records if record.getMessage() == "signal_blocked"
        ]
        caplog.clear()
        return told

    assert tick("expired") == ["expired"]
    assert tick("expired") == []
    assert tick("late") == ["late"]
    assert tick() == []
    assert tick("late") == ["late"]


def test_the_tally_tells_idle_ticks_from_those_during_a_training():
    tally = Tally(FakeClock(0))
    given = {"close_ms": 0, "outcomes": [], "signals": [], "late": False, "skipped": 0, "missing": []}
    tally.tick(**given, seconds=0.1)
    tally.training_began("BTC/USDT")
    tally.tick(**given, seconds=0.3)
    tally.training_ended(failed=False)
    figures = tally.snapshot()
    assert figures["tick_ms"] == {
        "idle": {"n": 1, "p50": 100.0, "p99": 100.0},
        "training": {"n": 1, "p50": 300.0, "p99": 300.0},
    }
    assert (figures["ticks"], figures["trainings"], figures["training"]) == (2, 1, "")
