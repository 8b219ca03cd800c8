import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from daemon.core.errors import Refused
from daemon.learning.split import SplitOptions, recency_weights, split, split_by_time


@given(rows=st.integers(1, 5000), size=st.floats(0, 0.99), purge=st.integers(0, 300))
def test_no_training_label_looks_into_the_test(rows, size, purge):
    try:
        train, test = split_by_time(rows, size, purge)
    except Refused:
        assert rows - np.ceil(rows * size) - purge < 1
        return
    assert train.start == 0
    assert test.stop == rows
    assert train.stop + (purge if test.stop > test.start else 0) == test.start
    assert (test.stop - test.start) == int(np.ceil(rows * size))


@given(
    rows=st.integers(1, 400),
    size=st.floats(0, 0.9),
    horizon=st.integers(0, 30),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_no_row_both_trains_and_judges(rows, size, horizon, flags):
    shuffle, after, reverse = flags
    options = SplitOptions(
        test_size=size, horizon=horizon, shuffle=shuffle, shuffle_after_split=after, reverse=reverse
    )
    try:
        made = split(rows, options)
    except Refused:
        return
    used = np.concatenate([made.train, made.test])
    assert len(np.unique(used)) == len(used) == rows - (horizon if len(made.test) and not shuffle else 0)
    assert used.min() >= 0
    assert used.max() < rows


def test_without_a_test_all_rows_train():
    made = split(100, SplitOptions(test_size=0.0, horizon=20, reverse=True, shuffle=True))
    assert made.train.tolist() == list(range(100))
    assert not len(made.test)


def test_reversed_the_newest_rows_train_and_the_gap_is_still_between():
    made = split(100, SplitOptions(test_size=0.3, horizon=5, reverse=True))
    assert made.train.tolist() == list(range(70, 100))
    assert made.test.tolist() == list(range(65))


def test_a_random_draw_is_scikit_learns():
    made = split(10, SplitOptions(test_size=0.3, horizon=3, shuffle=True, seed=4))
    train, test = train_test_split(np.arange(10), test_size=0.3, shuffle=True, random_state=4)
    assert (made.train.tolist(), made.test.tolist()) == (train.tolist(), test.tolist())


def test_shuffled_after_the_split_each_part_keeps_its_rows():
    plain = split(200, SplitOptions(test_size=0.25, horizon=5))
    made = split(200, SplitOptions(test_size=0.25, horizon=5, shuffle_after_split=True, seed=2))
    for part in ("train", "test"):
        assert getattr(made, part).tolist() != getattr(plain, part).tolist()
        assert sorted(getattr(made, part)) == getattr(plain, part).tolist()
    other = split(200, SplitOptions(test_size=0.25, horizon=5, shuffle_after_split=True, seed=3))
    assert made.train.tolist() != other.train.tolist()


def test_nothing_to_train_on_is_refused():
    with pytest.raises(Refused, match="leave none to train on"):
        split(3, SplitOptions(test_size=0.9, horizon=0, shuffle=True))


def test_weights_are_freqais():
    # FreqAI 2026.9, set_weights_higher_recent(5) with weight_factor 0.9.
    expected = [0.4111123, 0.51341712, 0.64118039, 0.8007374, 1.0]
    assert recency_weights(5, 0.9) == pytest.approx(expected, rel=1e-7)
    assert recency_weights(3, 0.0).tolist() == [1, 1, 1]


@given(
    rows=st.integers(2, 500), test=st.floats(0.05, 0.5), train=st.floats(0.05, 0.5), seed=st.integers(0, 9)
)
def test_a_random_draw_with_a_train_size_is_scikit_learns(rows, test, train, seed):
    try:
        given_train, given_test = train_test_split(
            np.arange(rows), test_size=test, train_size=train, shuffle=True, random_state=seed
        )
    except ValueError:  # a part would be empty, or both together too large
        return
    options = SplitOptions(test_size=test, train_size=train, horizon=0, shuffle=True, seed=seed)
    made = split(rows, options)
    assert (made.train.tolist(), made.test.tolist()) == (given_train.tolist(), given_test.tolist())


@pytest.mark.parametrize("train", [0.3, 0.5, 0.7, 0.9])
def test_a_train_size_alone_leaves_the_rest_to_the_test_as_in_scikit_learn(train):
    made = split(1000, SplitOptions(test_size=1 - train, train_size=train, horizon=0))
    given_train, given_test = train_test_split(np.arange(1000), train_size=train, shuffle=False)
    assert (made.train.tolist(), made.test.tolist()) == (given_train.tolist(), given_test.tolist())


def test_with_a_train_size_the_oldest_rows_go_unused():
    made = split(100, SplitOptions(test_size=0.2, train_size=0.5, horizon=5))
    assert made.train.tolist() == list(range(25, 75))
    assert made.test.tolist() == list(range(80, 100))


def test_a_train_size_that_leaves_no_room_for_the_purge_is_cut():
    made = split(100, SplitOptions(test_size=0.2, train_size=0.8, horizon=5))
    assert made.train.tolist() == list(range(75))


def test_without_a_test_a_train_size_is_not_looked_at():
    assert len(split(100, SplitOptions(test_size=0, train_size=0.5, horizon=5)).train) == 100
