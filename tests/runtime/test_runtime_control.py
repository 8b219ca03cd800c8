"""The control socket: who may talk, what is answered, and what a broken talk costs (nothing)."""

import json
import socket
import stat
import threading

import pytest

from daemon.core.errors import ConfigError, Refused, Retryable
from daemon.runtime import control
from daemon.runtime.control import ControlServer, ask


@pytest.fixture
def serve(tmp_path, monkeypatch):
    monkeypatch.setattr(
        control, "READ_S", 60.0
    )  # a busy machine may take its time between two lines of a test
    servers = []

    def made(handle=dict, path=None):
        servers.append(ControlServer(path or tmp_path / "control.sock", handle))
        return servers[-1]

    yield made
    for server in servers:
        server.close()


def raw(path, data):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as talker:
        talker.settimeout(60)
        talker.connect(str(path))
        try:
            talker.sendall(data)
            talker.shutdown(socket.SHUT_WR)
            with talker.makefile("rb") as answer:
                return json.loads(answer.read() or "{}")
        except (BrokenPipeError, ConnectionResetError):  # hung up on, before or after it was heard
            return {}


def test_a_request_is_answered(serve, tmp_path):
    serve(lambda request: {"twice": request["n"] * 2})
    assert ask(tmp_path / "control.sock", {"n": 21}) == {"ok": True, "twice": 42}


def test_the_socket_is_its_owners_alone(serve, tmp_path):
    serve()
    assert stat.S_IMODE((tmp_path / "control.sock").stat().st_mode) == 0o600


def test_another_user_hears_nothing(serve, tmp_path, monkeypatch):
    serve()
    monkeypatch.setattr(control, "_uid_of", lambda talker: 12345)
    assert raw(tmp_path / "control.sock", b"{}\n") == {}


def test_a_refusal_comes_with_its_words(serve, tmp_path):
    def handle(request):
        raise Refused("trade 7 is not there")

    serve(handle)
    with pytest.raises(Refused, match="trade 7 is not there"):
        ask(tmp_path / "control.sock", {})


def test_a_bug_in_a_command_is_answered_and_logged(serve, tmp_path, caplog):
    serve(lambda request: request["nothing"])
    with pytest.raises(Refused, match="KeyError"):
        ask(tmp_path / "control.sock", {})
    assert "control_request_failed" in caplog.text
    with pytest.raises(Refused, match="KeyError"):
        ask(tmp_path / "control.sock", {})


@pytest.mark.parametrize("data", [b"no json\n", b"[1]\n", b"x" * (control.LONGEST_LINE + 10)])
def test_what_is_no_request_is_refused(serve, tmp_path, data):
    serve()
    answer = raw(tmp_path / "control.sock", data)
    assert not answer["ok"]


def test_a_talk_that_breaks_off_harms_nobody(serve, tmp_path):
    serve()
    for data in (b"", b'{"half":'):
        raw(tmp_path / "control.sock", data)
    assert ask(tmp_path / "control.sock", {"still": "there"})["still"] == "there"


def test_silent_talkers_do_not_keep_others_out(serve, tmp_path):
    serve()
    silent = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(control.TALKERS - 1)]
    for each in silent:
        each.connect(str(tmp_path / "control.sock"))
    assert ask(tmp_path / "control.sock", {})["ok"]
    for each in silent:
        each.close()


def test_a_slow_answer_ends_in_doubt_not_in_a_claim(serve, tmp_path):
    free = threading.Event()
    serve(lambda request: {"waited": free.wait(60)})
    with pytest.raises(Retryable, match="may have been done"):
        ask(tmp_path / "control.sock", {}, timeout_s=0.2)
    free.set()


def test_where_nobody_listens_the_answer_is_none(serve, tmp_path):
    assert ask(tmp_path / "control.sock", {}) is None
    server = serve()
    server.close()
    assert ask(tmp_path / "control.sock", {}) is None
    assert not (tmp_path / "control.sock").exists()


def test_what_a_dead_process_left_is_replaced(serve, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(tmp_path / "control.sock"))
    assert ask(tmp_path / "control.sock", {}) is None
    serve()
    assert ask(tmp_path / "control.sock", {})["ok"]


def test_a_path_longer_than_an_address_works(serve, tmp_path):
    deep = tmp_path.joinpath(*["a-rather-long-name-of-a-folder"] * 6)
    deep.mkdir(parents=True)
    serve(path=deep / "control.sock")
    assert ask(deep / "control.sock", {})["ok"]


def test_a_socket_that_cannot_be_made_names_path_and_remedy(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot listen.*user_data_dir"):
        ControlServer(tmp_path / "missing" / "control.sock", dict)
