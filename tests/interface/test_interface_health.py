import json
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from daemon.interface import health
from daemon.interface.metrics import registry
from daemon.interface.server import HealthServer

SYSTEMD = Path(__file__).parents[2] / "systemd"
HOUR_MS = 3_600_000


def figures(**changes):
    """What a daemon shows that is well, with changes."""
    return {
        "state": "running",
        "now_ms": 100 * HOUR_MS,
        "timeframe_ms": 300_000,
        "expiration_ms": 24 * HOUR_MS,
        "ticks": 7,
        "late": 1,
        "skipped": 2,
        "predictions": 12,
        "abstentions": 2,
        "abstention_reasons": {"no model": 2},
        "trainings": 3,
        "failed_trainings": 1,
        "training_seconds": [3, 12.5],
        "stages": {"fetch": [7, 0.7], "features": [7, 2.1]},
        "tick_ms": {"idle": {"n": 7, "p50": 10.0, "p99": 20.0}, "training": {"n": 0}},
        "last_tick": {
            "close_ms": 100 * HOUR_MS - 60_000,
            "handled_ms": 100 * HOUR_MS - 58_000,
            "seconds": 0.1,
        },
        "events": [("info", "fill", 9), ("info", "order", 5), ("warning", "no_prediction", 4)],
        "pairs": {
            "BTC/USDT": {
                "window_end_ms": 99 * HOUR_MS,
                "queue": "idle",
                "attempts": 0,
                "skill": {"&-s_close": {"ic": 0.25}},
            }
        },
        "trading": {
            "gates": {},
            "open": [],
            "orders": 1,
            "worth": "1012.5",
            "closed": 4,
            "closed_profit": "12.5",
            "balances": {"USDT": {"free": "1000", "used": "12.5"}},
        },
        **changes,
    }


def test_a_daemon_that_is_well_is_live_and_ready():
    assert health.deaths(figures(), 1.0) == []
    assert health.obstacles(figures(), 1.0) == []


@pytest.mark.parametrize(
    ("changes", "age_s", "reason"),
    [
        ({}, 31.0, "nothing has moved for 31 s"),
        ({"state": "stopping"}, 1.0, "the daemon is stopping"),
        ({"last_tick": {}}, 1.0, "no candle was handled yet"),
        (
            {"now_ms": 100 * HOUR_MS + 540_001},
            1.0,
            "the newest candle closed 10 min ago, one comes every 5 min",
        ),
        ({"pairs": {"ETH/USDT": {}}}, 1.0, "ETH/USDT: no model"),
        (
            {"pairs": {"ETH/USDT": {"window_end_ms": 70 * HOUR_MS}}},
            1.0,
            "ETH/USDT: the model is 30.0 hours old and predicts no more",
        ),
        ({"trading": {"gates": {"*": ["paused by hand"]}}}, 1.0, "nothing is entered: paused by hand"),
        ({"entries_blocked": "%-x looks ahead"}, 1.0, "nothing is entered: %-x looks ahead"),
        ({"unsaved": True}, 1.0, "nothing is entered: predictions cannot be written to the disk"),
    ],
)
def test_what_makes_a_daemon_unfit_is_said(changes, age_s, reason):
    assert health.obstacles(figures(**changes), age_s) == [reason]


def test_a_gate_that_is_closed_for_one_pair_keeps_only_that_pair_out():
    assert health.obstacles(figures(trading={"gates": {"BTC/USDT": ["locked"]}}), 1.0) == []


def test_without_an_expiry_no_model_is_too_old():
    old = {"ETH/USDT": {"window_end_ms": 0}}
    assert health.obstacles(figures(pairs=old, expiration_ms=None), 1.0) == []


class Served:
    def __init__(self, folder):
        self.now = figures(), 1.0
        self.server = HealthServer(
            "127.0.0.1", 0, lambda: self.now, registry(lambda: self.now, folder, {"version": "1"})
        )

    def get(self, path, method="GET"):
        request = urllib.request.Request(f"http://127.0.0.1:{self.server.port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as exc:
            return exc.code, exc.read().decode()

    def values(self):
        """Metric and labels -> value."""
        found = {}
        for family in text_string_to_metric_families(self.get("/metrics")[1]):
            for sample in family.samples:
                found[sample.name, *sorted(sample.labels.values())] = sample.value
        return found


@pytest.fixture
def served(tmp_path):
    made = Served(tmp_path)
    yield made
    made.server.close()


def test_live_and_ready_answer_by_status_and_say_why(served):
    assert served.get("/live") == (200, '{"live": true, "reasons": []}\n')
    assert served.get("/ready")[0] == 200
    served.now = figures(pairs={"ETH/USDT": {}}), 1.0
    assert served.get("/live")[0] == 200
    status, body = served.get("/ready")
    assert (status, json.loads(body)) == (503, {"ready": False, "reasons": ["ETH/USDT: no model"]})
    served.now = figures(), 60.0
    assert served.get("/live")[0] == 503


def test_a_daemon_that_starts_is_alive_but_not_ready(served):
    served.now = {}, 600.0
    assert served.get("/live")[0] == 200
    assert served.get("/ready")[0] == 503
    assert "candled_disk_free_bytes" in served.get("/metrics")[1]


def test_nothing_but_looking_is_allowed(served):
    assert served.get("/live", method="POST")[0] == 405
    assert served.get("/metrics", method="DELETE")[0] == 405
    assert served.get("/etc/passwd")[0] == 404


def test_a_client_that_says_nothing_keeps_nobody_waiting(served):
    with socket.create_connection(("127.0.0.1", served.server.port)):
        assert served.get("/live")[0] == 200


@pytest.mark.parametrize(
    "why", [{"trading": {**figures()["trading"], "gates": {"*": ["paused"]}}}, {"unsaved": True}]
)
def test_the_gate_is_shown_closed_whatever_closed_it(served, why):
    served.now = figures(**why), 1.0
    assert served.values()["candled_gate_open",] == 0


def test_metrics_are_the_figures(served):
    found = served.values()
    assert found["candled_candles_total",] == 7
    assert found["candled_candle_delay_seconds",] == 2
    assert found["candled_candle_age_seconds",] == 60
    assert found["candled_tick_seconds_sum", "features"] == 2.1
    assert found["candled_tick_percentile_seconds", "99", "no"] == 0.02
    assert found["candled_abstentions_total", "no model"] == 2
    assert found["candled_model_age_seconds", "BTC/USDT"] == 3600
    assert found["candled_model_skill", "&-s_close", "BTC/USDT", "ic"] == 0.25
    assert found["candled_queue_pairs", "idle"] == 1
    assert found["candled_trainings_total", "failed"] == 1
    assert found["candled_training_seconds_sum",] == 12.5
    assert found["candled_events_total", "no_prediction", "warning"] == 4
    assert ("candled_events_total", "fill", "info") not in found
    assert found["candled_orders_total",] == 5
    assert found["candled_fills_total",] == 9
    assert found["candled_gate_open",] == 1
    assert found["candled_balance", "USDT"] == 1012.5
    assert found["candled_ready",] == 1
    assert found["process_resident_memory_bytes",] > 1e6


def test_every_metric_that_rules_and_dashboard_speak_of_is_there(served):
    names = {name for name, *_ in served.values()}
    for file in ("prometheus-rules.yml", "grafana-dashboard.json"):
        spoken = set(re.findall(r"\b(?:candled|process)_[a-z_]+", (SYSTEMD / file).read_text()))
        assert spoken - names == set(), file


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian's package prometheus)"
)
@pytest.mark.parametrize(
    "words", [("check", "rules", "prometheus-rules.yml"), ("test", "rules", "prometheus-rules.test.yml")]
)
def test_promtool_finds_nothing_wrong_with_the_alerts(words):
    done = subprocess.run(["promtool", *words], cwd=SYSTEMD, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian's package prometheus)"
)
def test_promtool_finds_nothing_wrong_with_the_metrics(served):
    text = served.get("/metrics")[1]
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
