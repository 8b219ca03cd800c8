"""Who is trained next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.pair import Pair
from daemon.state import queue
from daemon.state.queue import NEW, IllegalTransition, PairEntry, QueueState

A, B, C = (Pair(text) for text in ("A/USDT", "B/USDT", "C/USDT"))
HOUR_MS = 3_600_000
NOW = 1_732_000_000_000


def done(entry, trained_s, now_ms=NOW):
    return queue.trained(
        queue.training(entry, now_ms),
        model_filename="m",
        trained_timestamp=trained_s,
        data_path="d",
        train_seconds=1.0,
    )


def idle(trained_s):
    return done(NEW, trained_s)


def test_pairs_that_were_never_trained_come_first_in_the_whitelists_order():
    entries = {B: queue.queued(idle(1), NOW)}
    assert queue.next_pair(entries, [C, B, A], NOW) == C


def test_then_the_oldest_model():
    entries = {
        A: queue.queued(idle(300), NOW),
        B: queue.queued(idle(100), NOW),
        C: queue.queued(idle(200), NOW),
    }
    assert queue.next_pair(entries, [A, B, C], NOW) == B


def test_a_pair_with_a_young_model_does_not_wait():
    assert queue.next_pair({A: idle(100)}, [A], NOW) is None


def test_an_urgent_pair_comes_before_all_others():
    entries = {B: queue.queued(idle(300), NOW, urgent="model damaged")}
    assert queue.next_pair(entries, [A, B], NOW) == B


def test_a_failed_pair_waits_and_lets_the_others_pass():
    failed = queue.failed(queue.training(NEW, NOW), "boom", NOW)
    assert queue.next_pair({A: failed}, [A, B], NOW) == B
    assert queue.next_pair({A: failed}, [A], NOW) is None
    assert queue.next_pair({A: failed}, [A], NOW + 60_000) == A


def test_a_pair_that_fails_for_ever_does_not_come_before_those_that_were_not_tried():
    failed = queue.failed(queue.training(NEW, NOW), "boom", NOW)
    assert queue.next_pair({A: failed}, [A, B], NOW + HOUR_MS) == B


def test_back_off_doubles_up_to_six_hours():
    entry, waits = NEW, []
    for _ in range(40):
        entry = queue.failed(queue.training(entry, NOW), "boom", NOW)
        waits.append(entry.not_before_ms - NOW)
    assert waits[:4] == [60_000, 120_000, 240_000, 480_000]
    assert max(waits) == waits[-1] == 6 * HOUR_MS


def test_a_good_training_forgets_the_failures():
    entry = queue.failed(queue.training(NEW, NOW), "boom", NOW)
    entry = done(entry, 5)
    assert (entry.attempts, entry.last_error, entry.not_before_ms, entry.state) == (0, "", 0, QueueState.IDLE)


def test_a_model_is_due_when_it_is_old_enough():
    entry = idle(NOW // 1000)
    assert not queue.due(entry, NOW + HOUR_MS - 1, HOUR_MS)
    assert queue.due(entry, NOW + HOUR_MS, HOUR_MS)
    assert not queue.due(queue.queued(entry, NOW), NOW + HOUR_MS, HOUR_MS)


def test_an_interrupted_training_keeps_its_place():
    entry = queue.training(queue.queued(idle(100), NOW), NOW)
    assert queue.interrupted(entry).state is QueueState.QUEUED
    assert queue.interrupted(entry).attempts == 0
    with pytest.raises(IllegalTransition):
        queue.interrupted(idle(100))


def test_losing_its_model_puts_a_pair_at_the_head():
    entry = queue.without_model(idle(100), NOW, "model damaged")
    assert (entry.trained_timestamp, entry.data_path, entry.urgent) == (0, "", "model damaged")
    assert queue.next_pair({B: entry}, [A, B], NOW) == B


@pytest.mark.parametrize(
    "step",
    [
        lambda: queue.training(idle(1), NOW),
        lambda: queue.queued(queue.training(NEW, NOW), NOW) and queue.queued(NEW, NOW),
        lambda: queue.failed(NEW, "e", NOW),
        lambda: done(queue.training(NEW, NOW), 5),
    ],
    ids=["training an idle pair", "queueing a queued pair", "failing what never began", "training twice"],
)
def test_an_illegal_transition_raises(step):
    with pytest.raises(IllegalTransition):
        step()


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=60))
def test_no_pair_starves(outcomes):
    """However trainings end, once back-offs are over every pair gets its turn within one round."""
    entries, now = dict.fromkeys((A, B, C), NEW), NOW
    for _, fails in outcomes:
        now += 7 * HOUR_MS
        pair = queue.next_pair(entries, [A, B, C], now)
        entry = queue.training(entries[pair], now)
        entries[pair] = (
            queue.failed(entry, "x", now)
            if fails
            else queue.queued(done(entries[pair], now // 1000, now), now)
        )
    seen = set()
    for _ in range(3):
        now += 7 * HOUR_MS
        pair = queue.next_pair(entries, [A, B, C], now)
        entries[pair] = queue.failed(queue.training(entries[pair], now), "x", now)
        seen.add(pair)
    assert seen == {A, B, C}


def test_entries_are_values():
    assert PairEntry() == NEW
    with pytest.raises(AttributeError):
        NEW.attempts = 3


def why(entry, now_ms=NOW, retrain_ms=HOUR_MS, **circumstances):
    usual = {"newer_candle": True, "recipe_changed": False, "fallen": ""}
    return queue.reason_to_train(entry, now_ms, retrain_ms, **usual | circumstances)


def test_a_young_model_that_does_well_is_left_alone():
    assert why(idle(NOW // 1000)) == ""


def test_an_old_model_is_trained_anew_and_its_age_is_told():
    assert why(idle(NOW // 1000 - 5400)) == "age: 1.5 h"
    assert why(idle(NOW // 1000 - 5400), newer_candle=False) == ""


def test_a_changed_recipe_does_not_wait_for_a_candle():
    assert why(idle(NOW // 1000), newer_candle=False, recipe_changed=True) == "recipe changed"


def test_skill_that_fell_is_a_reason_if_there_is_anything_new_to_learn_from():
    assert why(idle(NOW // 1000), fallen="0.01 of 0.2") == "skill fell: 0.01 of 0.2"
    assert why(idle(NOW // 1000), fallen="0.01 of 0.2", newer_candle=False) == ""


def test_who_waits_already_needs_no_reason():
    assert why(queue.queued(idle(1), NOW), recipe_changed=True) == ""


def test_a_request_puts_an_idle_pair_before_all_others():
    asked = queue.requested(idle(300), NOW)
    assert (asked.state, asked.reason) == (QueueState.QUEUED, "requested")
    assert queue.next_pair({B: asked, C: queue.queued(idle(100), NOW)}, [A, B, C], NOW) == B
    assert queue.training(asked, NOW).reason == "requested"


def test_a_request_moves_a_waiting_pair_up():
    asked = queue.requested(queue.queued(idle(300), NOW, reason="age: 1.0 h"), NOW)
    assert asked.reason == "requested"
    assert queue.next_pair({B: asked, C: queue.queued(idle(100), NOW)}, [B, C], NOW) == B


def test_a_request_ends_a_back_off():
    failed = queue.failed(queue.training(NEW, NOW), "boom", NOW)
    asked = queue.requested(failed, NOW)
    assert queue.next_pair({A: asked}, [A], NOW) == A
    assert asked.attempts == 1


def test_a_first_training_stays_one_though_it_was_asked_for():
    assert queue.requested(NEW, NOW).reason == "first"


def test_the_reason_stays_with_the_trained_pair_and_goes_with_the_next_turn():
    entry = done(queue.queued(idle(1), NOW, reason="recipe changed"), 2)
    assert entry.reason == "recipe changed"
    assert queue.queued(entry, NOW, reason="age: 1.0 h").reason == "age: 1.0 h"


def test_a_training_without_a_recorded_reason_is_one_of_age():
    """The queue of an older candled."""
    assert queue.training(queue.queued(idle(1), NOW), NOW).reason == "age"


def test_a_lost_model_is_the_reason():
    assert queue.without_model(idle(1), NOW, "it is damaged").reason == "model missing: it is damaged"
