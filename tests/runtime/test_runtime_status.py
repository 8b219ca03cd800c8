import json
import threading
from dataclasses import replace
from decimal import Decimal

import pytest
from desk import BASE, DAY_MS, NOW_MS, PAIRS

from daemon.config import load_settings
from daemon.core.candles import CandleFrame
from daemon.core.clock import FakeClock
from daemon.core.errors import ConfigError, Corrupt, StrategyError
from daemon.core.market import CandleKey
from daemon.core.pair import Pair
from daemon.core.prediction import Abstention, Prediction, Reason
from daemon.core.timeframe import Timeframe
from daemon.features.columns import ReadColumns
from daemon.features.compute import SPAN, BlockComputer
from daemon.features.plan import BlockKey, FeaturePlan, Hook
from daemon.features.store import FeatureStore
from daemon.market.feed import Feed
from daemon.market.store import CandleStore
from daemon.runtime import preparation, queue_report
from daemon.runtime.runner import Runner
from daemon.runtime.scores import PairScores
from daemon.runtime.status_file import FRESH_S, Published, read_status, status, write_status
from daemon.runtime.tally import Tally
from daemon.runtime.trading_report import standing
from daemon.state import atomic, queue
from daemon.state.folder import StateFolder
from daemon.state.pair_dictionary import PairDictionary
from daemon.state.queue import PairEntry, QueueState
from daemon.trading.messages import DeskView, OpenTrade

BTC, ETH, SOL = PAIRS
HOUR_MS = 3_600_000


class Prices:
    def price(self, pair):
        return {BTC: 90_000.0}.get(pair)


def figures(tally, **parts):
    given = {"base": Timeframe("5m"), "models": {}, "entries": {}, "scores": lambda _: PairScores(), **parts}
    return status(
        state="running", clock=FakeClock(NOW_MS, 5.0), tally=tally, pairs=PAIRS, feed=Prices(), **given
    )


def ticked(tally, *outcomes):
    tally.tick(
        close_ms=NOW_MS, outcomes=outcomes, signals=[], late=False, skipped=0, seconds=0.1, missing=["x"]
    )


def test_the_status_shows_each_pairs_price_queue_and_newest_outcome():
    tally = Tally(FakeClock(NOW_MS))
    ticked(
        tally,
        Prediction(pair=BTC, candle_ms=NOW_MS - BASE.ms, values={"&-s_close": 0.5}, model="m1"),
        Abstention(pair=ETH, candle_ms=NOW_MS - BASE.ms, reason=Reason.EXPIRED, detail="30.0 hours old"),
    )
    entries = {BTC: PairEntry(state=QueueState.BACKING_OFF, attempts=2, last_error="it was so")}
    found = figures(tally, entries=entries)
    assert (found["state"], found["now_ms"], found["speed"]) == ("running", NOW_MS, 5.0)
    assert (found["ticks"], found["predictions"], found["abstention_reasons"]) == (1, 1, {"expired": 1})
    candle = {"candle_ms": NOW_MS - BASE.ms}
    assert found["pairs"] == {
        "BTC/USDT": {
            "price": 90_000.0,
            "queue": "backing off",
            "attempts": 2,
            "last_error": "it was so",
            "reason": "first",
            "late": False,
            "values": {"&-s_close": 0.5},
            **candle,
        },
        "ETH/USDT": {"price": None, "reason": "expired", "detail": "30.0 hours old", **candle},
        "SOL/USDT": {"price": None},
    }


def test_the_status_shows_live_skill_once_there_is_any():
    scored = PairScores(
        rolling={"&-a": {"n": 3.0, "ic": 0.123456789}},
        models={"m1": {"&-a": {"n": 2.0, "ic": 0.5}}},
        known_ms=NOW_MS,
    )
    tally = Tally(FakeClock(NOW_MS))
    found = figures(tally, scores=lambda pair: scored if pair == BTC else PairScores())["pairs"]
    assert found[BTC]["skill"] == {"&-a": {"n": 3.0, "ic": 0.12346}}
    assert found[BTC]["model_skill"] == {"m1": {"&-a": {"n": 2.0, "ic": 0.5}}}
    assert found[BTC]["skill_known_ms"] == NOW_MS
    assert "skill" not in found[ETH]


def test_a_status_is_read_as_it_was_written(tmp_path):
    found = figures(Tally(FakeClock(NOW_MS)))
    write_status(tmp_path / "status.json", found)
    assert read_status(tmp_path / "status.json") == json.loads(json.dumps(found))


def test_figures_are_made_anew_when_something_has_happened_or_they_are_old():
    clock = FakeClock(NOW_MS)
    tally, published = Tally(clock), Published(clock)
    assert published.again("running", tally.changes) is None  # there are none yet
    published.put(figures(tally), tally.changes)

    clock.advance(1000)
    known = published.again("running", tally.changes)
    assert known is not None
    assert known["now_ms"] == NOW_MS + 1000
    assert published() == (known, 0.0)  # whoever asks whether the daemon lives is told that it was looked at
    assert published.again("stopping", tally.changes) is None

    happenings = (
        lambda: ticked(tally),
        lambda: tally.training_began(BTC),
        tally.training_stopped,
        lambda: tally.training_ended(failed=True),
    )
    for happens in happenings:
        happens()
        assert published.again("running", tally.changes) is None
        published.put(figures(tally), tally.changes)
        assert published.again("running", tally.changes) is not None

    clock.advance(int(FRESH_S * 1000))
    assert published.again("running", tally.changes) is None


def test_of_trading_prices_alone_make_no_figures_anew():
    view = DeskView(gates={"*": ("paused",)})
    trade = OpenTrade(
        record="a trade", price=Decimal(5), profit=Decimal(1), profit_ratio=Decimal(1), amount=Decimal(1)
    )
    one = replace(view, trades=(trade,))
    moved = replace(one, at_ms=NOW_MS, worth=Decimal(9), trades=(replace(trade, price=Decimal(6)),))
    assert standing(moved) == standing(one)
    happened = [
        view,
        *(replace(one, **{name: "x"}) for name in ("gates", "paused", "trouble", "orders", "closed")),
    ]
    assert all(standing(each) != standing(one) for each in happened)


def test_where_no_daemon_ran_there_is_no_status(tmp_path):
    assert read_status(tmp_path / "status.json") == {}


@pytest.mark.parametrize("content", [b"", b'{"state": ', b"\xff\xfe", b"[1, 2]", b"3"])
def test_what_no_daemon_wrote_is_no_status(tmp_path, content):
    (tmp_path / "status.json").write_bytes(content)
    with pytest.raises(Corrupt, match=r"status\.json"):
        read_status(tmp_path / "status.json")


def test_a_disk_that_is_full_stops_no_daemon(tmp_path):
    write_status(tmp_path / "absent" / "status.json", {"state": "running"})
    assert not list(tmp_path.iterdir())


def test_an_abandoned_training_is_neither_good_nor_failed():
    tally = Tally(FakeClock(NOW_MS))
    tally.training_began(BTC)
    assert tally.snapshot()["training"] == "BTC/USDT"
    tally.training_stopped()
    found = tally.snapshot()
    assert (found["training"], found["trainings"], found["failed_trainings"]) == ("", 0, 0)


def test_trainings_of_the_last_hour_are_counted_and_older_ones_forgotten():
    clock = FakeClock(NOW_MS)
    tally = Tally(clock)
    clock.advance(3_600_000)
    for _ in range(1_200):
        tally.training_began(BTC)
        tally.training_ended(failed=False, seconds=1.0)
    assert tally.snapshot()["trainings_per_hour"] == 1_200
    clock.advance(3_600_000)
    tally.training_began(BTC)
    tally.training_ended(failed=False, seconds=1.0)
    assert tally.snapshot()["trainings_per_hour"] == 1
    assert len(tally._trained_at_s) == 1
    assert tally.snapshot()["trainings"] == 1_201


def test_an_exit_in_a_strategy_ends_the_daemon_and_not_only_its_thread(caplog):
    class Exits:
        def step(self):
            raise SystemExit(3)

    stop = threading.Event()
    runner = Runner("engine", Exits(), clock=FakeClock(), stop=stop, idle_s=1.0)
    runner.start()
    runner.join(60)
    assert stop.is_set()
    assert isinstance(runner.failure, SystemExit)


# --- the queue -------------------------------------------------------------------------------------------------


@pytest.fixture
def report(tmp_path, monkeypatch):
    """report(entries, **freqai): the rows of `candled queue` at NOW_MS, by pair."""

    def made(entries, **freqai):
        document = {
            "timeframe": "5m",
            "stake_currency": "USDT",
            "strategy": "Mine",
            "user_data_dir": str(tmp_path / "user_data"),
            "exchange": {"name": "simulated", "pair_whitelist": [str(pair) for pair in PAIRS]},
            "freqai": {
                "identifier": "one",
                "train_period_days": 30,
                "feature_parameters": {"include_timeframes": ["5m"]},
                **freqai,
            },
        }
        path = tmp_path / "config.json"
        path.write_text(json.dumps(document), "utf-8")
        settings = load_settings([path], env={})
        folder = StateFolder(settings.identifier_folder)
        folder.path.mkdir(parents=True, exist_ok=True)
        if entries:
            PairDictionary.open(folder).update_all(entries)
        write_status(folder.status, {"now_ms": NOW_MS, "speed": 60.0})
        return queue_report.queue_report(settings)

    return made


def trained(age_ms, **more):
    return PairEntry(
        **{
            "state": QueueState.IDLE,
            "trained_timestamp": (NOW_MS - age_ms) // 1000,
            "data_path": "sub-train-X_1",
            **more,
        }
    )


def test_a_model_newer_than_the_time_that_was_told_is_new(report):
    row = next(row for row in report({BTC: trained(-HOUR_MS)}) if row["pair"] == "BTC/USDT")
    assert row["age_ms"] == 0


def test_a_queue_of_new_pairs_is_in_the_whitelists_order(report):
    rows = report({})
    assert [(row["pair"], row["place"], row["state"]) for row in rows] == [
        ("BTC/USDT", 1, "queued"),
        ("ETH/USDT", 2, "queued"),
        ("SOL/USDT", 3, "queued"),
    ]
    assert {row["age_ms"] for row in rows} == {row["expires_in_ms"] for row in rows} == {None}


def test_pairs_that_wait_come_first_in_the_order_of_their_turn(report):
    rows = report(
        {
            BTC: trained(HOUR_MS),
            ETH: trained(2 * HOUR_MS, state=QueueState.QUEUED),
            SOL: trained(3 * HOUR_MS, state=QueueState.QUEUED),
        }
    )
    assert [(row["pair"], row["place"]) for row in rows] == [
        ("SOL/USDT", 1),
        ("ETH/USDT", 2),
        ("BTC/USDT", None),
    ]


def test_a_pair_that_backs_off_has_no_place_until_its_time_has_come(report):
    entry = queue.failed(PairEntry(state=QueueState.TRAINING), "no candles", NOW_MS - 30_000)
    (waiting,) = [row for row in report({BTC: entry}) if row["pair"] == "BTC/USDT"]
    assert (waiting["place"], waiting["not_before_ms"]) == (None, NOW_MS + 30_000)
    assert (waiting["attempts"], waiting["last_error"]) == (1, "no candles")
    over = queue.failed(PairEntry(state=QueueState.TRAINING), "no candles", NOW_MS - 60_000)
    assert "BTC/USDT" in [row["pair"] for row in report({BTC: over}) if row["place"] is not None]


@pytest.mark.parametrize(
    ("freqai", "expires_in_ms"),
    [({}, 23 * HOUR_MS), ({"expiration_hours": 0.5}, -HOUR_MS // 2), ({"expiration_hours": 0}, None)],
)
def test_a_model_expires_by_market_time_or_never(report, freqai, expires_in_ms):
    rows = {row["pair"]: row for row in report({BTC: trained(HOUR_MS)}, **freqai)}
    assert (rows["BTC/USDT"]["age_ms"], rows["BTC/USDT"]["expires_in_ms"]) == (HOUR_MS, expires_in_ms)


# --- preparation -----------------------------------------------------------------------------------------------

WIDE = FeaturePlan(
    base=BASE,
    timeframes=(BASE, Timeframe("15m"), Timeframe("1h")),
    correlated=(BTC,),
    periods=(10,),
    shifts=2,
)


@pytest.mark.parametrize("warm_up", [32, 512])
def test_candles_reach_back_to_what_the_oldest_training_row_needs(hooks, warm_up):
    keys = WIDE.candle_keys([SOL])
    store = FeatureStore(WIDE, BlockComputer(hooks(), WIDE, warm_up), lambda key: CandleFrame.empty())
    spare = {key: [] for key in WIDE.blocks(SOL)}
    for now_ms in range(
        NOW_MS, NOW_MS + SPAN * HOUR_MS, HOUR_MS + 4 * BASE.ms + 137_000
    ):  # all places in a span
        since = preparation.candles_since(keys, WIDE, now_ms, DAY_MS, warm_up)
        first_close_ms = BASE.floor(now_ms) - DAY_MS + BASE.ms
        for key, candles in spare.items():
            needed_ms = store.oldest_needed_ms(key, first_close_ms)
            candles.append((needed_ms - since[key.candles]) / key.timeframe.ms)
    assert all(
        0 <= min(candles) < 20 for candles in spare.values()
    )  # enough at any time, and no more than that


class Served:
    """A feed that has what it is given."""

    def __init__(self, frame_of):
        self.frame = frame_of


def test_the_warm_up_is_the_longest_that_any_timeframe_needs(hooks, plan, candles):
    computer = BlockComputer(hooks(), plan, preparation.FIRST_GUESS)
    found = preparation.strategy_warm_up(computer, plan, SOL, Served(candles))
    assert found.candles in {64, 128, 256}
    assert found.unsettled == ()


@pytest.mark.parametrize("warm_up", [32, 512])
def test_candles_reach_back_to_what_features_of_features_need(hooks, warm_up):
    keys, now_ms = WIDE.candle_keys([SOL]), NOW_MS + 5 * HOUR_MS + 137_000
    computer = BlockComputer(hooks("ReadsExpanded"), WIDE, warm_up, ReadColumns(standard=True))
    store = FeatureStore(WIDE, computer, lambda key: CandleFrame.empty())
    since = preparation.candles_since(keys, WIDE, now_ms, DAY_MS, warm_up, nested=True)
    standard = BlockKey(SOL, BASE, Hook.STANDARD)
    first_ms = store.oldest_needed_ms(standard, BASE.floor(now_ms) - DAY_MS + BASE.ms)
    for key in WIDE.expanded(SOL):
        assert store.oldest_needed_ms(key, first_ms + BASE.ms) >= since[key.candles]


def test_the_trial_finds_what_hooks_read_and_measures_them_on_it(hooks, plan, candles, caplog):
    caplog.set_level("INFO")
    loaded = hooks("ReadsForTargets")
    tried = preparation.tried_strategy(
        loaded,
        BlockComputer(loaded, plan, 64),
        plan,
        pairs=(SOL,),
        model="CatboostRegressor",
        feed=Served(candles),
    )
    assert tried.reads == ReadColumns(standard=True, targets=True)
    assert [label.name for label in tried.labels] == ["&-beyond"]
    assert tried.warm_up in {128, 256}
    (said,) = [r.fields for r in caplog.records if r.getMessage() == "hooks_read_features"]
    assert said == {"standard": True, "targets": True}


def test_what_is_known_of_a_strategy_is_not_measured_again(hooks, plan, candles, caplog):
    caplog.set_level("INFO")

    def tried(known=None, frame_of=candles, pairs=(SOL,), name="Plain"):
        loaded = hooks(name)
        loaded.calls = []
        feature, loaded.expand_all = (
            loaded.expand_all,
            lambda *given: loaded.calls.append(1) or feature(*given),
        )
        found = preparation.tried_strategy(
            loaded,
            BlockComputer(loaded, plan, 64),
            plan,
            pairs=pairs,
            model="CatboostRegressor",
            feed=Served(frame_of),
            known=known,
        )
        return found, len(loaded.calls)

    first, calls = tried()
    assert calls > 0
    assert first.measured.tails == {"5m": 2048, "15m": 512}
    again, calls = tried(first.measured)
    assert calls == 0
    assert (again.warm_up, again.reads, again.measured) == (first.warm_up, first.reads, first.measured)
    assert [label.name for label in again.labels] == ["&-s_close"]  # the targets are tried all the same
    assert [r.fields for r in caplog.records if r.getMessage() == "warm_up_known"] == [
        {"candles": first.warm_up}
    ]
    assert tried(first.measured, pairs=(BTC,))[1] > 0
    short = tried(frame_of=lambda key: candles(key)[-600:])[0].measured
    assert short.tails == {"5m": 256, "15m": 256}
    assert tried(short)[1] > 0  # there are more candles now
    assert tried(first.measured, frame_of=lambda key: candles(key)[-600:])[1] == 0
    assert tried(name="Unsettled")[0].measured is None  # every start tells of it


def test_features_that_never_settle_are_named(hooks, plan, candles, caplog):
    caplog.set_level("WARNING")
    computer = BlockComputer(hooks("Unsettled"), plan, preparation.FIRST_GUESS)
    preparation.strategy_warm_up(computer, plan, SOL, Served(candles))
    named = [r.fields["features"] for r in caplog.records if r.getMessage() == "features_never_settle"]
    assert named == [["%-volume_so_far_gen"]] * 2  # on either timeframe


@pytest.mark.parametrize("without", [{"5m", "15m"}, {"15m"}])
def test_where_there_is_nothing_to_measure_on_the_first_guess_stays(hooks, plan, candles, without):
    def frame_of(key):
        return CandleFrame.empty() if key.timeframe in without else candles(key)

    computer = BlockComputer(hooks(), plan, preparation.FIRST_GUESS)
    found = preparation.strategy_warm_up(computer, plan, SOL, Served(frame_of))
    assert found.candles == preparation.FIRST_GUESS


def test_history_is_fetched_for_every_series_and_what_is_missing_is_said(market, tmp_path, plan, caplog):
    caplog.set_level("INFO")
    clock = FakeClock(NOW_MS)
    keys = plan.candle_keys([SOL])
    feed = Feed(
        market=type(market)(pairs=PAIRS, seed=7, clock=clock, base=BASE),
        store=CandleStore(tmp_path, atomic.write_atomic, atomic.set_aside),
        keys=keys,
        clock=clock,
    )
    seen = []
    preparation.fetch_history(
        feed,
        keys,
        plan,
        now_ms=NOW_MS,
        train_period_ms=DAY_MS,
        warm_up=64,
        stop=threading.Event(),
        progress=lambda *given: seen.append(given),
    )
    since = preparation.candles_since(keys, plan, NOW_MS, DAY_MS, 64)
    for key in keys:
        times = feed.frame(key).open_ms
        assert (int(times[0]), int(times[-1])) == (since[key], key.timeframe.newest_closed(NOW_MS))
    assert {key for key, _, _ in seen} == set(keys)
    (fetched,) = [r.fields for r in caplog.records if r.getMessage() == "candles_fetched"]
    assert fetched["candles"] == sum(len(feed.frame(key)) for key in keys)
    assert "missing" not in fetched


def test_the_targets_are_tried_on_real_candles(hooks, plan, candles):
    computer = BlockComputer(hooks(), plan, 64)
    (label,) = preparation.strategy_labels(hooks(), computer, plan, SOL, Served(candles))
    assert label.name == "&-s_close"
    assert len(label.numbers) == min(len(candles(CandleKey(SOL, BASE))), preparation.MEASURED_ON)


def test_a_strategy_that_fails_with_one_pair_is_tried_on_the_next(hooks, plan, candles, caplog):
    pairs = (Pair("ETH/USDT"), SOL)
    computer = BlockComputer(hooks("RaisesForEth"), plan, 64)
    tried = preparation.tried_strategy(
        hooks("RaisesForEth"), computer, plan, pairs=pairs, model="CatboostRegressor", feed=Served(candles)
    )
    assert [label.name for label in tried.labels] == ["&-s_close"]
    assert tried.warm_up >= 64
    assert [r.fields["pair"] for r in caplog.records if r.getMessage() == "strategy_failed_on_trial"] == [
        pairs[0]
    ]


def test_a_strategy_that_fails_with_every_pair_is_refused(hooks, plan, candles):
    computer = BlockComputer(hooks("Classes"), plan, 64)
    with pytest.raises(StrategyError, match="does not fit CatboostRegressor"):
        preparation.tried_strategy(
            hooks("Classes"), computer, plan, pairs=(SOL,), model="CatboostRegressor", feed=Served(candles)
        )


def test_an_exchange_without_candles_is_named(hooks, plan):
    computer = BlockComputer(hooks(), plan, 64)
    with pytest.raises(ConfigError, match="no 5m candles of SOL/USDT"):
        preparation.tried_strategy(
            hooks(),
            computer,
            plan,
            pairs=(SOL,),
            model="CatboostRegressor",
            feed=Served(lambda key: CandleFrame.empty()),
        )
