"""Wishes of people, from process to process."""

import pytest

from daemon.core.pair import Pair
from daemon.state.folder import StateFolder
from daemon.state.requests import TrainingRequests, request_training, requested_trainings

A, B = Pair("A/USDT"), Pair("B/USDT:USDT")


@pytest.fixture
def place(tmp_path):
    return StateFolder(tmp_path / "mine")


def test_a_wish_waits_for_a_daemon_in_a_folder_that_no_daemon_has_made_yet(place):
    request_training(place, [B, A], 5)
    assert requested_trainings(StateFolder(place.path)) == (A, B)


def test_nothing_was_asked_for(place):
    assert requested_trainings(place) == ()
    assert TrainingRequests(place).take() == ()


def test_each_wish_is_handed_out_once(place):
    heard = TrainingRequests(place)
    request_training(place, [A], 5)
    assert heard.take() == (A,)
    assert heard.take() == ()
    request_training(place, [A, B], 6)
    assert heard.take() == (B,)


def test_a_wish_stays_on_the_disk_until_it_is_settled(place):
    request_training(place, [A], 5)
    assert TrainingRequests(place).take() == (A,)  # killed here
    again = TrainingRequests(place)
    assert again.take() == (A,)
    again.settle()
    assert requested_trainings(place) == ()
    assert TrainingRequests(place).take() == ()


def test_a_wish_that_was_settled_can_be_made_again(place):
    heard = TrainingRequests(place)
    for _ in range(2):
        request_training(place, [A], 5)
        assert heard.take() == (A,)
        heard.settle()


def test_what_came_in_between_is_not_settled_unheard(place):
    heard = TrainingRequests(place)
    request_training(place, [A], 5)
    heard.take()
    request_training(place, [B], 5)
    heard.settle()
    assert heard.take() == (B,)


def test_a_wish_that_cannot_be_deleted_is_not_granted_for_ever(place):
    (place.requests / "train-A%2FUSDT.json").mkdir(parents=True)
    heard = TrainingRequests(place)
    assert heard.take() == (A,)
    heard.settle()
    assert heard.take() == ()


def test_other_files_are_nobodys_wish(place):
    place.requests.mkdir(parents=True)
    for name in ("train-nonsense.json", "train-.json", ".train-A%2FUSDT.json.1-1.tmp", "notes.txt"):
        (place.requests / name).write_text("")
    assert requested_trainings(place) == ()


def test_a_place_that_cannot_be_written_is_an_error(place):
    place.path.write_text("a file stands where the folder is needed")
    with pytest.raises(OSError, match="Not a directory"):
        request_training(place, [A], 5)
