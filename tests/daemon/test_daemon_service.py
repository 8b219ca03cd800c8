"""Under a service manager: a notify socket plays systemd's part."""

import contextlib
import json
import os
import random
import signal
import socket
import threading
import time
import urllib.error
import urllib.request

import pytest
from daemon_process import LONG, PATIENCE_S, assert_whole

PAIRS = ["BTC/USDT", "ETH/USDT"]
WATCHDOG_S = 20
HANG_ONCE = """
def populate_indicators(self, dataframe, metadata):
    import pathlib, threading
    asked = pathlib.Path("hang")
    if asked.exists():
        asked.unlink()
        threading.Event().wait()  # as a deadlock does
    return self.freqai.start(dataframe, metadata, self)
"""


class Manager:
    """What a daemon tells systemd."""

    def __init__(self, folder):
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.words = []
        # A socket holds ten messages, and what is sent to a full one is lost: so it is emptied at once.
        threading.Thread(target=self._hear, daemon=True).start()

    def _hear(self):
        with contextlib.suppress(OSError):
            while word := self.socket.recv(4096):
                self.words.append(word.decode())

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)  # ends the `recv` under way
        self.socket.close()

    @property
    def env(self):
        return {"NOTIFY_SOCKET": str(self.path), "WATCHDOG_USEC": str(WATCHDOG_S * 1_000_000)}

    def await_word(self, start, count=1):
        """The newest message that begins so, as soon as there are ``count`` of them."""
        deadline = time.monotonic() + PATIENCE_S
        while len(found := [word for word in [*self.words] if word.startswith(start)]) < count:
            assert time.monotonic() < deadline, f"in vain awaited: {start} {self.words}"
            time.sleep(0.02)
        return found[-1]

    def all_words(self):
        """Everything that was said up to now."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
            ours.sendto(b"that is all", str(self.path))
        self.await_word("that is all")
        return self.words[:-1]


@pytest.fixture
def manager(tmp_path):
    made = Manager(tmp_path)
    yield made
    made.close()


def test_start_ready_status_watchdog_and_stop_are_told(place, manager):
    here = place()
    daemon = here.start(**manager.env)
    manager.await_word("WATCHDOG=1", count=2)
    assert manager.words.index("READY=1") < manager.words.index("WATCHDOG=1"), "fed before it was ready"
    daemon.await_event("trained")
    status = manager.await_word("STATUS=last candle 2026-01-01T")
    assert " of 2 models fresh" in status
    assert daemon.stop() == 0
    assert manager.all_words()[-1] == "STOPPING=1"


def test_a_crash_is_followed_by_recovery(place, manager):
    here = place()
    first = here.start(**manager.env)
    first.await_event("tick", predictions=2)
    first.kill()
    before = here.record
    second = here.start(**manager.env)
    manager.await_word("READY=1", count=2)
    second.await_event("tick", predictions=2)
    assert second.stop() == 0
    after = here.record
    assert len(after) > len(before)
    assert_whole(after, PAIRS)


def test_a_wrong_configuration_ends_with_the_status_that_systemd_does_not_restart_on(place, manager):
    here = place(timeframe="5 minutes")
    daemon = here.start(**manager.env)
    assert daemon.wait() == 78
    assert manager.all_words() == []


def test_a_deadlocked_engine_is_named_with_its_stack_and_the_next_start_recovers(place, manager):
    here = place(strategy="Mine", candled__patience_s=10)
    here.mine(HANG_ONCE)
    daemon = here.start(**manager.env)
    daemon.await_event("tick", predictions=2)
    (here.folder / "hang").touch()
    assert daemon.wait() == 1
    hang = daemon.events("thread_hangs")[-1]
    assert hang["thread"] == "engine"
    assert "threading.Event().wait()" in hang["stack"]
    before = here.record
    again = here.start(**manager.env)
    again.await_event("tick", predictions=2)
    assert again.stop() == 0
    assert len(here.record) > len(before)
    assert_whole(here.record, PAIRS)


def test_a_training_process_that_was_stopped_is_replaced_while_candles_go_on(place, manager):
    here = place(candled__patience_s=10)
    daemon = here.start(**manager.env)
    daemon.await_event("tick", predictions=2)
    child = daemon.training_pid()
    os.kill(child, signal.SIGSTOP)
    failed = daemon.await_event("training_failed")
    assert "made no progress" in failed["error"]
    assert "stopped by a signal" in failed["error"]
    daemon.await_gone(child)
    trained = len(daemon.events("trained", pair=failed["pair"]))
    daemon.await_event("trained", pair=failed["pair"], count=trained + 1)  # its turn comes again
    assert daemon.stop() == 0
    assert here.status["failed_trainings"] == 1
    assert_whole(here.record, PAIRS)


def test_a_training_beyond_its_memory_is_recorded_with_the_cause_and_candles_go_on(place):
    # A training of some hundredths of a second may be over before anybody looks at its memory.
    here = place(candled__training__max_memory_mb=64, freqai__model_training_parameters=LONG)
    daemon = here.start()
    failed = daemon.await_event("training_failed")
    assert "candled.training.max_memory_mb" in failed["error"]
    daemon.await_event("tick", count=3)
    assert daemon.stop() == 0
    assert "max_memory_mb" in here.queue[failed["pair"]].last_error


def test_a_health_check_tells_a_daemon_that_lives_from_one_that_does_not(place):
    here = place()
    assert here.command("status", "--check").returncode == 1
    daemon = here.start()
    daemon.await_that((here.state / "status.json").exists, "its first figures")
    alive = here.command("status", "--check")
    assert (alive.returncode, alive.stdout[:8]) == (0, "running;")
    daemon.halt()
    old = (here.state / "status.json").stat().st_mtime - 60
    os.utime(here.state / "status.json", (old, old))
    assert here.command("status", "--check").returncode == 1
    assert "stands still" in here.command("status").stdout.replace("\n", " ")
    daemon.hear(signal.SIGCONT)
    daemon.kill()
    dead = here.command("status", "--check")
    assert (dead.returncode, dead.stdout) == (1, "does not run\n")


def free_port():
    """One below those that the kernel gives to others before the daemon has it."""
    while True:
        port = random.randint(20_000, 30_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def asked(port, path):
    """Status and body of an answer; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as exc:
        return exc.code, exc.read().decode()
    except OSError:
        return 0, ""


def test_health_is_served_from_the_start_on_and_ready_once_every_pair_has_a_model(place):
    port = free_port()
    here = place(candled__health__port=port, candled__simulated__speed=100)
    daemon = here.start()
    daemon.await_event("health_served")
    assert asked(port, "/live")[0] == 200
    status, body = asked(port, "/ready")
    assert (status, json.loads(body)["ready"]) == (503, False)
    daemon.await_that(lambda: asked(port, "/ready")[0] == 200, "readiness")
    metrics = asked(port, "/metrics")[1]
    assert 'candled_model_fresh{pair="BTC/USDT"} 1.0' in metrics
    assert 'candled_tick_seconds_count{stage="features"}' in metrics
    assert daemon.stop() == 0
    assert asked(port, "/live")[0] == 0


def test_a_port_that_is_taken_is_said_and_no_reason_not_to_run(place):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        here = place(candled__health__port=taken.getsockname()[1])
        daemon = here.start()
        daemon.await_event("tick")
        assert "candled.health.port" in daemon.events("health_not_served")[0]["remedy"]
        assert daemon.stop() == 0
