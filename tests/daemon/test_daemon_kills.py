"""kill -9 at any moment: what was acknowledged is there, once, and the next start goes on."""

import random
import time

import pandas as pd
from daemon_process import LONG, assert_whole

PAIRS = ["BTC/USDT", "ETH/USDT"]


def acknowledged(daemon):
    """Open times of the candles whose tick was logged, which comes after the record's sync."""
    candle = pd.Timedelta(minutes=5)
    return {pd.Timestamp(line["candle"]) - candle for line in daemon.events("tick")}


def lines(record):
    """The rows; a first model adds columns to all of them, so only those are compared that are always there."""
    shown = ["pair", "date_pred", "do_predict", "close_price", "model", "abstention"]
    return set(record[shown].itertuples(index=False)) if len(record) else set()


def test_kills_at_random_moments_lose_nothing_that_was_acknowledged(place):
    here = place(freqai__live_retrain_hours=0.4)  # a training is under way most of the time
    moments, before = random.Random(20260101), set()
    for turn in range(5):
        daemon = here.start()
        if turn % 3:
            daemon.await_event("ready")
            daemon.await_event("tick", count=moments.randint(1, 5))
        time.sleep(moments.uniform(0.0, 1.0))
        daemon.kill()
        if not here.state.exists():
            continue
        record = here.record
        if len(record):
            assert_whole(record, PAIRS)
        for pair in PAIRS:
            assert acknowledged(daemon) <= set(record.loc[record["pair"] == pair, "date_pred"]), pair
        assert before <= lines(record), "an acknowledged row was lost or changed"
        before = lines(record)
    last = here.start()
    last.await_event("tick", predictions=2)
    assert last.stop() == 0
    assert not last.events(level="error"), last.text()
    record = here.record
    assert_whole(record, PAIRS)
    assert before <= lines(record)
    assert (record["do_predict"] == 1).any()


def test_a_kill_in_the_middle_of_a_training_costs_the_pair_neither_its_model_nor_its_place(place):
    here = place(freqai__live_retrain_hours=100)
    here.lived()
    models = {pair: row["model"] for pair, row in here.status["pairs"].items()}
    # Another recipe has every pair trained anew; so many trees take longer than the test.
    here.configure(freqai__model_training_parameters=LONG)
    daemon = here.start()
    daemon.await_event("tick", training="BTC/USDT")
    child = daemon.await_that(daemon.training_pid, "a training process")
    daemon.await_that(lambda: here.status.get("state") == "running", "its own status")
    daemon.kill()
    daemon.await_gone(child)
    status = here.json("status")
    assert (status["pid"], "dead" in status["state"]) == (None, True)
    entry = here.queue["BTC/USDT"]
    assert (entry.state, entry.attempts) == ("training", 0)
    again = here.start()
    again.await_event("tick", count=2)
    assert again.stop() == 0, again.text()
    rows = here.record.groupby("pair").tail(2)
    assert set(rows["model"]) == set(models.values())
    assert (rows["do_predict"] == 1).all()
    entry = here.queue["BTC/USDT"]
    assert (entry.state, entry.attempts, entry.last_error) == ("queued", 0, "")
