"""SIGTERM and SIGINT: within ten seconds, whatever is running."""

import signal

import pytest
from daemon_process import LONG, assert_whole

from daemon.runtime.lifecycle import DEADLINE_S, STOP_S

TEN_SECONDS = 10
SOON_S = 30
"""What a busy machine gets for what is promised within ten seconds; whatever hangs, hangs for ever."""
PAIRS = ["BTC/USDT", "ETH/USDT"]
HANGS = """
def {hook}:
    while True:
        pass
"""
HANGS_WHEN_ASKED = """
def populate_entry_trend(self, dataframe, metadata):
    import pathlib
    while pathlib.Path("hang").exists():
        pathlib.Path("hanging").touch()
    return dataframe
"""


def test_ten_seconds_are_what_a_stop_takes_at_most_by_the_daemons_own_clock():
    assert STOP_S < DEADLINE_S < TEN_SECONDS  # later than that it ends by itself, and not with status 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["term", "int"])
def test_a_stop_during_a_training_comes_soon_and_blames_nobody(place, number):
    here = place(freqai__model_training_parameters=LONG)
    daemon = here.start()
    daemon.await_event("tick", training="BTC/USDT")
    child = daemon.await_that(daemon.training_pid, "a training process")
    daemon.hear(number)
    assert daemon.wait(SOON_S) == 0, daemon.text()
    daemon.await_gone(child)
    assert daemon.events("stopped")
    assert_whole(here.record, PAIRS)
    entry = here.queue["BTC/USDT"]
    assert (entry.state, entry.attempts, entry.last_error) == ("queued", 0, "")


def test_a_stop_during_the_warm_up_keeps_what_was_fetched(place):
    pairs = [f"COIN{number}/USDT" for number in range(12)]
    here = place(freqai__train_period_days=600, exchange__pair_whitelist=pairs)
    daemon = here.start()
    daemon.await_event("fetching_candles")
    daemon.hear(signal.SIGTERM)
    assert daemon.wait(SOON_S) == 0, daemon.text()
    assert not daemon.events("ready"), "the download was over too soon: this test needs more candles"


def test_a_stop_between_two_candles_comes_soon(place):
    here = place(candled__simulated__speed=1.5)  # the next candle closes in 200 seconds
    daemon = here.start()
    daemon.await_event("ready")
    daemon.hear(signal.SIGTERM)
    assert daemon.wait(SOON_S) == 0, daemon.text()


def hanging(here):
    """A daemon whose strategy has begun to hang at a candle; before the daemon was ready it did not."""
    here.mine(HANGS_WHEN_ASKED)
    daemon = here.start()
    daemon.await_event("tick")
    (here.folder / "hang").touch()
    daemon.await_that((here.folder / "hanging").exists, "the strategy to hang")
    return daemon


def test_a_strategy_that_hangs_at_a_candle_does_not_hold_up_a_stop(place):
    here = place(strategy="Mine")
    daemon = hanging(here)
    daemon.hear(signal.SIGTERM)
    assert daemon.wait(SOON_S) == 1, daemon.text()
    assert daemon.events("threads_hang")
    assert_whole(here.record, PAIRS)


def test_a_second_signal_ends_it_at_once(place):
    here = place(strategy="Mine")
    daemon = hanging(here)
    daemon.hear(signal.SIGTERM)
    daemon.await_event("stopping")
    daemon.hear(signal.SIGINT)
    assert daemon.wait(SOON_S) == -signal.SIGINT
    assert not daemon.events("threads_hang"), "it was not waited for"
    assert_whole(here.record, PAIRS)


@pytest.mark.parametrize(
    "hook", ["bot_start(self, **kwargs)", "set_freqai_targets(self, dataframe, **kwargs)"]
)
def test_a_strategy_that_hangs_at_the_start_does_not_hold_up_a_stop(place, hook):
    here = place(strategy="Mine")
    here.mine(HANGS.format(hook=hook))
    daemon = here.start()
    daemon.await_event("candles_fetched")
    daemon.hear(signal.SIGTERM)
    assert daemon.wait(SOON_S) != 0
