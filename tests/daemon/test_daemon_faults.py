"""What goes wrong inside stays where it went wrong: the other pairs, the candles and the queue go on."""

import contextlib
import os
import re
import signal
import time

import pytest
from daemon_process import assert_whole

PAIRS = ["BTC/USDT", "ETH/USDT"]
RAISES = """
def {hook}(self, dataframe, metadata, **kwargs):
    if metadata["pair"] == "ETH/USDT":
        raise {error}
    return super().{hook}(dataframe, metadata=metadata, **kwargs)
"""


def test_a_pair_whose_features_raise_abstains_and_backs_off_alone(place):
    here = place(strategy="Mine")
    here.mine(RAISES.format(hook="feature_engineering_standard", error="KeyError('absent')"))
    daemon = here.start()
    daemon.await_event("training_failed", pair="ETH/USDT")
    daemon.await_event("predicting", pair="BTC/USDT")
    assert daemon.stop() == 0
    record, row = here.record, here.queue["ETH/USDT"]
    assert_whole(record, PAIRS)
    reasons = record.loc[record["pair"] == "ETH/USDT", "abstention"]
    assert all(re.search(r"mine\.py:\d+: KeyError", reason) for reason in reasons)
    assert row.state == "backing off"
    assert row.attempts >= 1
    assert re.search(r"mine\.py:\d+: KeyError: 'absent'", row.last_error)
    assert "ETH/USDT" in row.last_error


def test_a_pair_whose_targets_raise_is_not_trained_and_the_other_is(place):
    here = place(strategy="Mine")
    here.mine(RAISES.format(hook="set_freqai_targets", error="ValueError('no target')"))
    daemon = here.start()
    daemon.await_event("training_failed", pair="ETH/USDT", count=2)
    daemon.await_event("predicting", pair="BTC/USDT")
    assert daemon.stop() == 0
    row = here.queue["ETH/USDT"]
    assert (row.state, row.attempts >= 2) == ("backing off", True)
    assert here.queue["BTC/USDT"].attempts == 0


def test_a_pair_whose_entries_raise_has_no_signals_but_predictions(place):
    here = place(strategy="Mine")
    here.mine(RAISES.format(hook="populate_entry_trend", error="ZeroDivisionError('by zero')"))
    daemon = here.start()
    for pair in PAIRS:
        daemon.await_event("predicting", pair=pair)
    assert daemon.stop() == 0
    (told,) = daemon.events("strategy_failed")  # once for the whole streak
    assert told["pair"] == "ETH/USDT"
    assert re.search(r"mine\.py:\d+: ZeroDivisionError", told["error"])
    assert_whole(here.record, PAIRS)


def test_a_strategy_that_calls_sys_exit_is_never_taken_in_silence(place):
    here = place(strategy="Mine")
    here.mine(RAISES.format(hook="populate_entry_trend", error="SystemExit(3)"))
    daemon = here.start()
    told = daemon.await_that(
        lambda: daemon.events("strategy_failed") or daemon.events("thread_died"), "a word"
    )
    assert "mine.py" in str(told)
    if daemon.events("thread_died"):
        assert daemon.wait() == 1  # a service manager starts it again
    else:
        assert daemon.stop() == 0
    assert_whole(here.record, PAIRS)


def halted_amid_training(here, daemon):
    """Process id of the training process, halted while it owes an answer; None when it was between two trainings.

    It fills its staging folder at the end of a training, and a training takes some hundredths of a second: so it is
    halted first and looked at then.
    """
    pid = daemon.training_pid()
    if pid is None or not any((here.state / "staging").glob("*")):
        return None
    os.kill(pid, signal.SIGSTOP)
    looks = []
    for _ in range(3):  # what the daemon had an answer for is published, and what it asks for next has left
        time.sleep(0.3)
        looks.append({folder.name: [*folder.iterdir()] for folder in (here.state / "staging").iterdir()})
    if looks == looks[:1] * 3 and [*looks[0].values()] == [[]]:
        return pid
    os.kill(pid, signal.SIGCONT)
    return None


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV], ids=["kill", "segv"])
def test_a_training_process_that_dies_is_recorded_and_the_next_pair_gets_another(place, number):
    here = place()
    daemon = here.start()
    first = daemon.await_that(lambda: halted_amid_training(here, daemon), "a training under way")
    os.kill(first, number)
    with contextlib.suppress(ProcessLookupError):
        os.kill(first, signal.SIGCONT)  # a halted process hears of nothing but SIGKILL
    told = daemon.await_event("training_failed")
    pair = told["pair"]
    assert number.name in told["error"]
    trained = {name: len(daemon.events("trained", pair=name)) for name in PAIRS}
    other = next(name for name in PAIRS if name != pair)
    daemon.await_event("trained", pair=other, count=trained[other] + 1)
    assert daemon.training_pid() not in {None, first}
    daemon.await_event("trained", pair=pair, count=trained[pair] + 1)  # its turn comes again
    assert daemon.stop() == 0, daemon.text()[-3000:]
    status = here.status
    assert status["failed_trainings"] == 1
    assert here.queue[pair].attempts == 0
    assert_whole(here.record, PAIRS)


def test_a_model_that_is_too_old_predicts_no_more_and_the_reason_is_shown(place):
    once = {"strategy": "Mine", "freqai__live_retrain_hours": 100}
    here = place(**once, freqai__expiration_hours=1000)
    here.mine("""
        def populate_entry_trend(self, dataframe, metadata):
            dataframe["enter_long"] = 1
            return dataframe
    """)
    daemon = here.start()
    daemon.await_event("signal", pair="BTC/USDT", signal="enter_long")
    here.configure(
        **once, freqai__expiration_hours=1.5
    )  # now: how long the first signal takes is the machine's affair
    daemon.hear(signal.SIGHUP)
    assert daemon.await_event("reloaded")["changed"] == ["freqai.expiration_hours: 1000.0 -> 1.5"]
    blocked = daemon.await_event("no_prediction", pair="BTC/USDT", reason="expired")

    def refused():
        told = daemon.events("signal_blocked", pair="BTC/USDT")
        return [line for line in told if line["why"].startswith("expired")]

    daemon.await_that(refused, "an entry that an expired model blocks")
    assert daemon.stop() == 0
    record = here.record
    expired = record["abstention"].astype(str).str.startswith("expired")
    since = record.loc[expired & (record["pair"] == "BTC/USDT"), "date_pred"].min()
    assert since is not None
    entries = [line["candle"] for line in daemon.events("signal", pair="BTC/USDT", signal="enter_long")]
    assert max(entries) < f"{since:%Y-%m-%dT%H:%M:%S}Z"
    assert "hours old" in blocked["detail"]
    assert here.status["pairs"]["BTC/USDT"]["reason"] == "expired"
    assert_whole(record, PAIRS)


def test_the_first_pair_alone_raising_does_not_keep_the_others_from_starting(place):
    here = place(strategy="Mine", exchange__pair_whitelist=["ETH/USDT", "BTC/USDT"])
    here.mine(RAISES.format(hook="feature_engineering_standard", error="KeyError('absent')"))
    daemon = here.start()
    daemon.await_event("predicting", pair="BTC/USDT")
    assert daemon.stop() == 0


def test_a_pair_whose_candles_have_ended_leaves_the_others_their_turn(place):
    here = place(
        exchange__pair_whitelist=["BTC/USDT", "ETH/USDT"],
        freqai__live_retrain_hours=0.5,
        candled__simulated__replay="recorded",
    )
    here.recorded(2500, halted="ETH/USDT", after=2125)  # the replay begins after some 2,110
    daemon = here.start()
    daemon.await_event("no_prediction", pair="ETH/USDT", reason="missing candle")
    daemon.await_event("tick", count=len(daemon.events("tick")) + 7)  # now its model is due, and the oldest
    daemon.await_event("trained", pair="BTC/USDT", count=len(daemon.events("trained", pair="BTC/USDT")) + 2)
    assert daemon.stop() == 0
