import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from test_interface_health import HOUR_MS, figures

from daemon.config.own import NOTIFY_EVENTS, NotifySettings
from daemon.core.clock import FakeClock, SystemClock
from daemon.core.errors import ConfigError
from daemon.core.words import UNEXAMINED
from daemon.interface.notifications import QUIET_S, ApprisePost, Notifier

LOG = logging.getLogger("daemon.trading.desk")
SECRET = "hunter2hunter2"


class Letters:
    """A post that keeps what it is given."""

    def __init__(self):
        self.sent = []
        self.unreached = []

    def __call__(self, title, body):
        self.sent.append((title, body))
        return self.unreached


class Desk:
    def __init__(self, **settings):
        self.clock = FakeClock(100 * HOUR_MS)
        self.post = Letters()
        self.now = {}
        self.notifier = Notifier(
            NotifySettings(**settings),
            self.post,
            title="candled mine",
            secrets=frozenset({SECRET}),
            figures=lambda: (self.now, 1.0),
            clock=self.clock,
        )
        LOG.addHandler(self.notifier)
        LOG.setLevel(logging.INFO)

    def look(self, seconds=60):
        """The bodies of the messages that leave within a look."""
        self.clock.advance(seconds * 1000)
        self.notifier.look()
        found, self.post.sent = self.post.sent, []
        return [body for _, body in found]


@pytest.fixture
def desk():
    made = []

    def placed(**settings):
        made.append(Desk(**settings))
        return made[-1]

    yield placed
    for one in made:
        LOG.removeHandler(one.notifier)
        LOG.setLevel(logging.NOTSET)
        one.notifier.close()


def test_what_happens_within_a_pause_comes_in_one_message(desk):
    here = desk()
    LOG.info("ready")
    assert here.look() == ["ready"]
    LOG.info("trade_closed", extra={"fields": {"pair": "BTC/USDT", "profit": 1.5}})
    LOG.info("fill", extra={"fields": {"pair": "ETH/USDT"}})
    assert here.look(1) == []
    assert here.look(30) == ["trade closed: pair BTC/USDT, profit 1.5\nfill: pair ETH/USDT"]
    LOG.info("tick", extra={"fields": {"ms": 3}})
    assert here.look() == []


def test_a_flood_becomes_one_message_with_a_count(desk):
    here = desk()
    for number in range(5_000):
        LOG.info("trade_closed", extra={"fields": {"trade": number}})
    (body,) = here.look()
    assert len(body.splitlines()) == 21
    assert body.endswith("and 4980 more; see the log")


def test_an_error_is_told_once_a_streak_and_counted_at_its_end(desk):
    here = desk()
    for _ in range(7):
        LOG.error("desk_failed", extra={"fields": {"error": "no way"}})
    assert here.look() == ["desk failed: error no way"]
    LOG.error("desk_failed", extra={"fields": {"error": "no way"}})
    assert here.look() == []
    assert here.look(QUIET_S + 1) == ["desk failed: came 8 times, and not again for an hour"]
    LOG.error("desk_failed", extra={"fields": {"error": "no way"}})
    assert here.look() == ["desk failed: error no way"]


def test_conditions_are_told_when_they_begin_and_when_they_are_over(desk):
    here = desk()
    here.now = figures()
    assert here.look() == []
    here.now = figures(
        pairs={"BTC/USDT": {"window_end_ms": 70 * HOUR_MS}},
        trading=dict(figures()["trading"], gates={"*": ["paused"]}),
    )
    begun = here.look()
    assert begun == ["BTC/USDT: the model has expired and predicts no more\nnothing is entered: paused"]
    assert here.look() == []
    here.now = figures()
    assert here.look() == [
        "over: BTC/USDT: the model has expired and predicts no more\nover: nothing is entered: paused"
    ]


def test_that_a_strategy_is_still_to_be_examined_is_no_news(desk):
    here = desk()
    here.now = figures(entries_blocked=UNEXAMINED)
    assert here.look() == []
    here.now = figures(entries_blocked="%-x looks ahead")
    assert here.look() == ["nothing is entered: %-x looks ahead"]


def test_a_late_candle_is_told_whatever_its_age(desk):
    here = desk()
    for minutes in (11, 12, 13):
        here.now = figures(now_ms=100 * HOUR_MS + minutes * 60_000)
        assert here.look() == (["no new candle for more than two candles"] if minutes == 11 else [])


def test_the_day_is_summed_up_at_its_time(desk):
    here = desk(summary_at="06:00")
    here.now = figures(now_ms=101 * HOUR_MS, last_tick={})  # 05:00 of the fifth day
    assert here.look() == []
    before = dict(figures()["trading"])
    here.now = figures(now_ms=101 * HOUR_MS + 59 * 60_000, last_tick={})
    assert here.look() == []
    here.now = figures(
        now_ms=102 * HOUR_MS,
        last_tick={},
        ticks=295,
        predictions=300,
        trading=before | {"closed": 6, "closed_profit": "20"},
    )
    (body,) = here.look()
    assert body.startswith("daily summary: 288 candles (0 late); 288 predictions, 0 abstentions; 0 trainings")
    assert "2 trades closed with +7.50, 0 open; account 1012.50" in body
    assert here.look() == []


def test_only_chosen_events_are_told(desk):
    here = desk(events=["trade"])
    here.now = figures(pairs={"BTC/USDT": {"window_end_ms": 0}})
    LOG.info("ready")
    LOG.error("desk_failed")
    LOG.info("trade_closed")
    assert here.look() == ["trade closed"]


@pytest.mark.parametrize("event", NOTIFY_EVENTS)
def test_every_event_of_the_configuration_can_be_chosen(event):
    assert NotifySettings(events=[event]).events == (event,)


def test_no_message_shows_a_secret(desk):
    here = desk()
    LOG.error("exchange_failed", extra={"fields": {"error": f"GET /?apiKey={SECRET}&x=1 refused {SECRET}"}})
    (body,) = here.look()
    assert SECRET not in body
    assert "refused ***" in body


def test_to_log_never_waits_for_a_post_that_hangs():
    happened, hangs, free = [], threading.Event(), threading.Event()
    names = [f"error_{number}" for number in range(1000)]

    def post(_, body):
        happened.append(f"begins: {body}")
        hangs.set()
        free.wait()
        happened.append("ends")
        return []

    notifier = Notifier(
        NotifySettings(),
        post,
        title="x",
        secrets=frozenset(),
        figures=lambda: ({}, 0.0),
        clock=SystemClock(),
    )
    notifier.start()
    try:
        LOG.error("first")
        assert hangs.wait(60)
        for name in names:  # whoever waited for the post here would wait for ever
            LOG.error(name)
        happened.append("logged")
    finally:
        free.set()
        notifier.close()
        notifier._thread.join(60)
    *before, last, end = happened
    assert before == ["begins: first", "logged", "ends"]
    assert last.startswith("begins: error 800\n"), "the newest that are kept, in one message"
    assert last.endswith("and 980 more; see the log")
    assert end == "ends"


def test_a_bug_in_a_look_is_logged_once_and_the_next_message_leaves(caplog):
    sent, bug = threading.Event(), [True]

    def post(title, body):
        if "second" in body:
            sent.set()
        return []

    def figures():
        if bug:
            raise ZeroDivisionError
        return {}, 0.0

    notifier = Notifier(
        NotifySettings(pause_s=1),
        post,
        title="x",
        secrets=frozenset(),
        figures=figures,
        clock=SystemClock(),
    )
    notifier.start()
    try:
        deadline = SystemClock()
        while "messages_failed" not in caplog.messages:
            deadline.wait(sent, 0.05)
        deadline.wait(sent, 1.5)
        bug.clear()
        LOG.error("second")
        assert sent.wait(60)
    finally:
        notifier.close()
    assert caplog.messages.count("messages_failed") == 1


def test_a_place_that_cannot_be_reached_is_logged_once_without_its_address(desk, caplog):
    caplog.set_level(logging.INFO)
    here = desk()
    here.post.unreached = ["tgram (address 1)"]
    for _ in range(3):
        LOG.info("trade_closed")
        here.look()
    here.post.unreached = []
    LOG.info("trade_closed")
    here.look()
    names = [record.getMessage() for record in caplog.records if record.getMessage().startswith("messages_")]
    assert names == ["messages_not_sent", "messages_sent_again"]


@pytest.fixture
def webhook():
    """A local web server that keeps the JSON that is posted to it."""
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"json://127.0.0.1:{server.server_port}/hook?rto=60&cto=60", got  # Apprise's own patience is 4 s
    server.shutdown()
    server.server_close()


def test_a_webhook_gets_the_message(webhook):
    url, got = webhook
    assert ApprisePost([url])("candled mine", "trade closed") == []
    assert (got[0]["title"], got[0]["message"]) == ("candled mine", "trade closed")


def test_one_place_out_of_reach_keeps_no_message_from_the_others(webhook, caplog):
    url, got = webhook
    unreached = ApprisePost([f"json://user:{SECRET}@127.0.0.1:9/", url])("t", "b")
    assert unreached == ["json (address 1)"]
    assert len(got) == 1
    assert SECRET not in caplog.text


def test_an_address_that_is_none_is_named_by_its_place_only():
    with pytest.raises(ConfigError, match=r"candled.notify.urls\[1\].*nonsense://") as caught:
        ApprisePost(["json://127.0.0.1/", f"nonsense://{SECRET}"])
    assert SECRET not in str(caught.value)


def test_without_apprise_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="--extra notify"):
        ApprisePost(["json://127.0.0.1/"])
