import numpy as np
import pytest
from desk import BASE, PAIRS

from daemon.features.checks import TAILS, measured_warm_up, unsettled_newest
from daemon.features.compute import BlockComputer, BlockRows
from daemon.features.labels import LabelKind, label_columns
from daemon.features.plan import BlockKey, Hook

KEY = BlockKey(PAIRS[2], BASE, Hook.EXPAND)


def test_the_measured_tail_reproduces_rows_that_were_not_looked_at(hooks, plan, candles, base_key):
    computer = BlockComputer(hooks(), plan, 0)
    frame = candles(base_key)[-4096:]
    found = measured_warm_up(computer, KEY, frame)
    assert found.unsettled == ()
    full = computer.call(KEY, frame)
    span = full.values[100:].max(axis=0) - full.values[100:].min(axis=0)
    for end in (2000, 3001, 4000):
        tail = computer.call(KEY, frame[end - found.candles : end])
        assert (
            np.abs(tail.values[-1] - full.values[end - 1]).max(initial=0, where=span > 0)
            <= (3e-5 * span).max()
        )


def test_shorter_than_measured_is_too_short(hooks, plan, candles, base_key):
    computer = BlockComputer(hooks(), plan, 0)
    frame = candles(base_key)[-4096:]
    found = measured_warm_up(computer, KEY, frame)
    shorter = TAILS[TAILS.index(found.candles) - 1]
    full = computer.call(KEY, frame).values
    span = np.nanmax(full, axis=0) - np.nanmin(full, axis=0)
    worst = 0.0
    for end in range(3000, 4000, 50):
        tail = computer.call(KEY, frame[end - shorter : end]).values[-1]
        worst = max(worst, float(np.nanmax(np.abs(tail - full[end - 1]) / np.where(span > 0, span, 1))))
    assert worst > 1e-5


def test_what_another_block_needs_anyway_is_not_undercut_and_a_failing_tail_is_tried_once(
    hooks, plan, candles, base_key, monkeypatch
):
    computer, tails, call = BlockComputer(hooks(), plan, 0), [], BlockComputer.call
    frame = candles(base_key)[-4096:]
    monkeypatch.setattr(BlockComputer, "call", lambda *given: tails.append(len(given[2])) or call(*given))
    needed = measured_warm_up(computer, KEY, frame).candles
    shorter = [tail for tail in TAILS if tail < needed]
    assert shorter
    assert tails == [4096, *shorter, needed, needed, needed]
    assert measured_warm_up(computer, KEY, frame, least=TAILS[-1]).candles == TAILS[-1]
    assert measured_warm_up(computer, KEY, frame[-200:], least=TAILS[-1]).candles == 64


def test_features_without_a_memory_limit_are_named(hooks, plan, candles, base_key):
    found = measured_warm_up(BlockComputer(hooks("Unsettled"), plan, 0), KEY, candles(base_key)[-4096:])
    assert found.unsettled == ("%-volume_so_far_gen",)


@pytest.mark.parametrize(("name", "kind"), [("Plain", LabelKind.NUMBER), ("Classes", LabelKind.CLASS)])
def test_labels_are_numbers_or_classes(hooks, candles, base_key, name, kind):
    (label,) = label_columns(hooks(name), PAIRS[2], candles(base_key)[-500:])
    assert label.kind is kind
    assert label.class_names == (() if kind is LabelKind.NUMBER else ("down", "up"))


def test_a_label_is_unknown_where_the_future_is(hooks, candles, base_key):
    (label,) = label_columns(hooks(), PAIRS[2], candles(base_key)[-500:])
    assert label.known[100:].tolist() == [True] * 388 + [False] * 12


def test_columns_whose_newest_row_depends_on_how_much_is_shown_are_named(candles, base_key):
    def call(frame):
        columns = [frame.close, frame.values[:, 4].cumsum(), np.full(len(frame), np.nan)]
        return BlockRows(("close", "so_far", "nothing"), np.column_stack(columns))

    frame = candles(base_key)[-500:]
    assert unsettled_newest(call, frame, 300) == ("so_far",)
    assert unsettled_newest(call, frame, 500) == ()
