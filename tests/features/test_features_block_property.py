"""However candles come in, a block holds what one sweep over the same candles gives, to the last bit."""

import numpy as np
import pytest
from desk import BASE, PAIRS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.core.candles import CandleFrame
from daemon.features.block import Block
from daemon.features.compute import SPAN, BlockComputer
from daemon.features.plan import BlockKey, Hook

KEY = BlockKey(PAIRS[2], BASE, Hook.EXPAND)
WARM_UP, FIRST = 48, 300
"""Candles of warm-up, and the first row that is wanted: its history is there."""

steps = st.lists(
    st.fixed_dictionaries(
        {
            "more": st.integers(0, 220),  # candles that close; a step may cross from one span into the next
            "late": st.lists(
                st.integers(1, 40), max_size=3
            ),  # of these, counted from the end, some do not come yet
            "arrive": st.booleans(),  # what was late comes in
            "forget": st.sampled_from([0, 0, 0, 50, 400]),  # rows from the newest on that are kept; 0: all
            "back": st.sampled_from([0, 0, 0, 30, 250]),  # older rows that a training wants
        }
    ),
    min_size=1,
    max_size=8,
)
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Life:
    """A block and the candles that it is shown; the first ones and the newest always come."""

    def __init__(self, whole, computer):
        self.whole, self.computer = whole, computer
        self.block = Block(KEY, computer)
        self.end, self.missing = FIRST + 1, set()
        self.oldest_ms = int(whole.open_ms[FIRST])

    def frame(self):
        here = [i for i in range(self.end) if i not in self.missing]
        return CandleFrame(self.whole.open_ms[here], self.whole.values[here])

    def play(self, step):
        before = self.end
        self.end = min(len(self.whole), self.end + step["more"])
        if step["arrive"]:
            # What is missing before the oldest row stays so: a block watches the candles of its rows, not those before.
            self.missing = {i for i in self.missing if self.whole.open_ms[i] < self.oldest_ms}
        self.missing |= {self.end - 1 - i for i in step["late"] if self.end - 1 - i >= before}
        frame = self.frame()
        view = self.block.extend(frame, self.oldest_ms)
        if step["back"]:
            self.oldest_ms -= min(step["back"], (self.oldest_ms - int(frame.open_ms[0])) // BASE.ms) * BASE.ms
            view = self.block.reach_back(frame, self.oldest_ms)
        if step["forget"]:
            self.block.forget_before(int(frame.open_ms[-1]) - step["forget"] * BASE.ms)
            view = self.block.view
            self.oldest_ms = int(view.open_ms[0])
        return frame, view

    def swept(self, frame):
        """Times and rows of one sweep over the same candles."""
        first = int(np.searchsorted(frame.open_ms, self.oldest_ms))
        rows = self.computer.rows(KEY, frame, first, len(frame))
        return frame.open_ms[first:], rows


@pytest.fixture
def life(hooks, plan, candles, base_key):
    """life(): a new one; hooks keep nothing between calls."""
    computer, whole = BlockComputer(hooks(), plan, WARM_UP), candles(base_key)[-(SPAN + 700) :]
    return lambda: Life(whole, computer)


@quick
@given(story=steps)
def test_rows_appended_in_any_order_are_those_of_one_sweep(life, story):
    life = life()
    for step in story:
        frame, view = life.play(step)
        times, rows = life.swept(frame)
        assert view.names == rows.names
        assert view.open_ms.tolist() == times.tolist()
        assert view.values.tobytes() == rows.values.tobytes()


@quick
@given(story=steps, revised=st.integers(1, 60), factor=st.floats(0.9, 1.1))
def test_a_revision_leaves_rows_as_they_were_seen_and_later_rows_know_it(life, story, revised, factor):
    life = life()
    for step in story:
        _, seen = life.play(step)
    life.play({"more": 0, "late": [], "arrive": True, "forget": 0, "back": 0})
    seen = life.block.extend(life.frame(), life.oldest_ms)
    kept = seen.values.tobytes()
    values = life.whole.values.copy()
    values[life.end - revised] *= factor  # prices of one candle alike: it stays a candle
    life.whole = CandleFrame(life.whole.open_ms, values)
    life.end = min(len(life.whole), life.end + 5)
    view = life.block.extend(life.frame(), life.oldest_ms)
    assert view.values[: len(seen)].tobytes() == kept
    _, rows = life.swept(life.frame())
    assert view.values[len(seen) :].tobytes() == rows.values[len(seen) :].tobytes()
