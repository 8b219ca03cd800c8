"""The configuration is read again while the daemon runs; a notify socket plays systemd's part."""

import itertools
import json
import signal
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from daemon_process import CANDLE_MS, PATIENCE_S, assert_whole, candle_times

from daemon.core.errors import Refused
from daemon.runtime.control import ask
from daemon.state.folder import StateFolder

BTC, ETH, SOL = "BTC/USDT", "ETH/USDT", "SOL/USDT"


def columns(record, pair):
    """A pair's rows of the record."""
    return record[record["pair"] == pair]


def reloaded(here, daemon, **changes):
    """Change the file, send SIGHUP; the log line that tells the outcome."""
    count = len(daemon.events("reloaded")) + 1
    here.configure(**changes)
    daemon.hear(signal.SIGHUP)
    return daemon.await_event("reloaded", count=count)


def test_the_service_manager_is_told_when_a_reload_begins_and_ends(place, tmp_path):
    here = place()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE_S)
        daemon = here.start(NOTIFY_SOCKET=str(tmp_path / "notify"))

        def heard(start):
            while not (word := manager.recv(4096).decode()).startswith(start):
                pass
            return word

        daemon.await_event("fetching_candles")
        daemon.hear(signal.SIGHUP)  # too early: it is remembered
        heard("READY=1")
        heard("RELOADING=1")
        heard("READY=1")
        daemon.hear(signal.SIGHUP)
        _, since = heard("RELOADING=1").splitlines()
        told_s = int(since.removeprefix("MONOTONIC_USEC=")) / 1e6
        assert 0 <= time.monotonic() - told_s < PATIENCE_S
        heard("READY=1")
        assert daemon.stop() == 0


def test_the_whitelist_grows_and_shrinks_while_candles_go_on(place):
    here = place(strategy="Mine")
    here.mine("""
    stoploss = -0.1

    def informative_pairs(self):
        return [(pair, "1h") for pair in self.dp.current_whitelist()]

    def populate_indicators(self, dataframe, metadata):
        assert len(self.dp.get_pair_dataframe(metadata["pair"], "1h")) > 10
        return self.freqai.start(dataframe, metadata, self)
    """)
    daemon = here.start()
    daemon.await_event("tick", predictions=2)
    grown = reloaded(here, daemon, strategy="Mine", exchange__pair_whitelist=[SOL, BTC, ETH])
    assert grown["changed"] == [f"exchange.pair_whitelist: +{SOL}"]
    daemon.await_event("pair_is_warm", pair=SOL)
    daemon.await_event("tick", predictions=3)
    shrunk = reloaded(here, daemon, strategy="Mine", exchange__pair_whitelist=[SOL, BTC])
    assert shrunk["changed"] == [f"exchange.pair_whitelist: -{ETH}"]
    before = len(daemon.events("tick", predictions=2))
    daemon.await_event("tick", count=before + 3, predictions=2)
    trained = len(daemon.events("trained", pair=ETH))
    daemon.await_that(lambda: list(here.status["pairs"]) == [SOL, BTC], "the pairs in status.json")
    reloaded(here, daemon, strategy="Mine", exchange__pair_whitelist=[SOL, BTC, ETH])
    daemon.await_event("pair_is_warm", pair=ETH)
    daemon.await_event("tick", predictions=3, count=len(daemon.events("tick", predictions=3)) + 3)
    assert daemon.stop() == 0
    assert not daemon.events("strategy_failed")
    record = here.record
    assert_whole(columns(record, BTC), [BTC])
    assert_whole(columns(record, SOL), [SOL])
    times = candle_times(record, ETH)
    gaps = [b - a for a, b in itertools.pairwise(times) if b - a != CANDLE_MS]
    assert len(gaps) == 1
    assert gaps[0] >= 3 * CANDLE_MS
    assert trained


@pytest.fixture
def webhook():
    """A local web server: its address, and the texts that are posted to it."""
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["message"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"json://127.0.0.1:{server.server_port}/very-secret-path?rto=60&cto=60", got
    server.shutdown()
    server.server_close()


def test_a_wrong_file_changes_nothing_and_a_key_that_needs_a_restart_is_named_and_stays(place, webhook):
    url, heard = webhook
    here = place()
    daemon = here.start()
    daemon.await_event("tick", predictions=2)
    reloaded(here, daemon, candled__notify={"urls": [url], "pause_s": 1})
    here.configure(freqai__live_retrain_hours="often", max_open_trade=1)
    daemon.hear(signal.SIGHUP)
    assert daemon.await_event("reload_refused")["error"].startswith("2 problems in config.json")
    asked = here.command("reload")
    assert asked.returncode == 78
    assert "nothing was reloaded: 2 problems in config.json" in asked.stderr
    daemon.await_that(lambda: "reload refused" in "".join(heard), "a message of the refusal")
    assert len(daemon.events("reloaded")) == 1
    here.configure(
        candled__notify={"urls": [url], "pause_s": 1},
        freqai__live_retrain_hours=3,
        freqai__train_period_days=3,
        candled__simulated__seed=5,
        stoploss=-0.2,
    )
    asked = here.command("reload")
    assert asked.returncode == 0, asked.stderr
    waiting = ["stoploss", "freqai.train_period_days", "candled.simulated.seed"]
    assert asked.stdout.splitlines() == [
        "freqai.live_retrain_hours: 1.0 -> 3.0",
        f"changed, but needs a restart: {', '.join(waiting)}",
    ]
    assert daemon.await_event("reload_needs_restart")["keys"] == waiting
    assert "very-secret-path" not in daemon.text()

    def kept():
        saved = json.loads((here.state / "config_config.json").read_text("utf-8"))["freqai"]
        return saved["train_period_days"], saved["live_retrain_hours"]

    daemon.await_that(
        lambda: kept() == (2, 3), "the copy of the configuration"
    )  # it is told after the answer
    daemon.await_event("tick", predictions=2, count=len(daemon.events("tick", predictions=2)) + 2)
    assert list(here.status["pairs"]) == [BTC, ETH]
    assert daemon.stop() == 0
    assert_whole(here.record, [BTC, ETH])


def asked(here, do, **arguments):
    """What the running daemon answers to a command, in words."""
    try:
        return ask(StateFolder(here.state).control, {"do": do, **arguments})["text"]
    except Refused as exc:
        return f"refused: {exc}"


def test_limits_change_and_a_pair_with_an_open_trade_is_watched_until_it_is_closed(place):
    trading = {
        "force_entry_enable": True,
        "stake_amount": 100,
        "strategy": "Mine",
        "minimal_roi": {"0": 10},
        "stoploss": -0.9,
        "candled__simulated__speed": 100,
    }
    here = place(max_open_trades=1, **trading)
    here.mine("pass")
    daemon = here.start()
    daemon.await_event("tick", predictions=2)
    assert "begun" in asked(here, "enter", pair=ETH)
    assert "max_open_trades" in asked(here, "enter", pair=BTC)
    changed = reloaded(here, daemon, max_open_trades=2, exchange__pair_whitelist=[BTC, SOL], **trading)
    assert changed["changed"] == ["max_open_trades: 1 -> 2", f"exchange.pair_whitelist: +{SOL} -{ETH}"]
    daemon.await_that(lambda: "whitelist" in asked(here, "enter", pair=ETH), "the end of entries")
    assert "begun" in asked(here, "enter", pair=BTC)
    daemon.await_event("tick", predictions=3)
    daemon.await_that(lambda: here.status["pairs"].get(ETH, {}).get("leaving"), "the pair that leaves")
    daemon.kill()
    again = here.start()
    again.await_event("pair_is_warm", pair=ETH)
    again.await_event("tick", predictions=3)
    assert "leaving" in asked(here, "exit", trade=ETH)
    again.await_that(lambda: ETH not in here.status["pairs"], "the end of the trade")
    assert [trade["pair"] for trade in here.json("trades")] == [BTC]
    assert again.stop() == 0
    assert_whole(columns(here.record, BTC), [BTC])


def test_a_command_says_that_no_daemon_runs(place):
    here = place()
    asked = here.command("reload")
    assert asked.returncode == 78
    assert "no daemon runs" in asked.stderr
