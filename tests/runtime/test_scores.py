"""What predictions turned out to be worth: planted predictions, whose worth is known."""

import numpy as np
import pytest

from daemon.features.labels import LabelColumn, LabelKind
from daemon.runtime.scores import fallen_skill, scores

N, STEP = 400, 300_000
TIMES = np.arange(N, dtype=np.int64) * STEP
HORIZON = 12


def numbers(seed=0, tail=HORIZON):
    truth = np.random.default_rng(seed).normal(0.0, 1.0, N)
    truth[N - tail :] = np.nan
    return LabelColumn("&-a", LabelKind.NUMBER, truth, np.empty(0, "U1"))


def record(said, model="m1", late=0.0, **columns):
    made_by = np.full(N, model, dtype=object) if isinstance(model, str) else model
    return {"&-a": said, "model": made_by, "late": np.broadcast_to(np.float64(late), (N,)).copy(), **columns}


def found(column, recorded, window=288, means=None, horizon=HORIZON):
    return scores([column], recorded, TIMES, horizon=horizon, window=window, means=means or {})


def test_perfect_predictions_have_perfect_skill():
    column = numbers()
    rolling = found(column, record(np.nan_to_num(column.numbers))).rolling["&-a"]
    assert (rolling["n"], rolling["hit_rate"]) == (288, 1)
    assert rolling["ic"] == pytest.approx(1)
    assert rolling["r2"] == pytest.approx(1)


def test_noise_has_none():
    random = np.random.default_rng(1).normal(0.0, 1.0, N)
    rolling = found(numbers(), record(random)).rolling["&-a"]
    assert abs(rolling["ic"]) < 0.15
    assert rolling["r2"] < 0


def test_a_prediction_counts_when_its_label_is_known_and_not_before():
    assert found(numbers(), record(np.zeros(N)), window=N).rolling["&-a"]["n"] == N - HORIZON
    assert found(numbers(), record(np.zeros(N))).known_ms == TIMES[N - HORIZON - 1]
    # A target that looks farther ahead than the settings say is judged by where its values end.
    assert found(numbers(tail=30), record(np.zeros(N)), window=N).rolling["&-a"]["n"] == N - 30


def test_late_predictions_and_abstentions_do_not_count():
    late = np.zeros(N)
    late[:100] = 1
    model = np.full(N, "m1", dtype=object)
    model[100:150] = ""
    rolling = found(numbers(), record(np.zeros(N), model=model, late=late), window=N).rolling["&-a"]
    assert rolling["n"] == N - HORIZON - 150


def test_only_the_newest_predictions_are_in_the_window():
    column = numbers()
    said = -np.nan_to_num(column.numbers)
    said[N - HORIZON - 50 :] *= -1
    assert found(column, record(said), window=50).rolling["&-a"]["ic"] == pytest.approx(1)
    assert found(column, record(said), window=100).rolling["&-a"]["ic"] < 0.5


def test_each_prediction_is_judged_once_by_the_model_that_made_it():
    column = numbers()
    model = np.where(np.arange(N) < 200, "old", "new").astype(object)
    said = np.where(np.arange(N) < 200, -1, 1) * np.nan_to_num(column.numbers)
    models = found(column, record(said, model=model), window=N).models
    assert list(models) == ["new", "old"]
    assert models["old"]["&-a"]["ic"] == pytest.approx(-1)
    assert models["new"]["&-a"]["ic"] == pytest.approx(1)
    assert models["old"]["&-a"]["n"] + models["new"]["&-a"]["n"] == N - HORIZON


def test_the_baseline_is_each_models_own_mean_of_its_training_labels():
    column = numbers()
    naive = np.full(N, 5.0)
    rolling = found(column, record(naive, **{"&-a_mean": naive})).rolling["&-a"]
    assert rolling["r2"] == pytest.approx(0)
    rolling = found(column, record(naive, **{"&-a_mean": naive}), means={"m1": {"&-a": 0.0}}).rolling["&-a"]
    assert rolling["r2"] < -10


def classes(truth):
    return LabelColumn("&s", LabelKind.CLASS, np.empty(0), truth)


def test_classes_are_judged_by_their_probabilities():
    up = np.random.default_rng(0).random(N) < 0.5
    truth = np.where(up, "up", "down")
    sure = record(np.zeros(N), **{"&s": truth.astype(object), "up": up * 0.8 + 0.1, "down": 0.9 - up * 0.8})
    rolling = found(classes(truth), sure).rolling["&s"]
    assert (rolling["n"], rolling["accuracy"]) == (288, 1)
    assert rolling["log_loss"] == pytest.approx(-np.log(0.9))
    assert rolling["naive_log_loss"] == pytest.approx(np.log(2), abs=0.02)


def test_a_class_is_not_believed_within_the_horizon():
    """``np.where(later > now, "up", "down")`` says "down" of candles whose future nobody knows."""
    truth = np.full(N, "up", dtype="U4")
    truth[-HORIZON:] = "down"
    said = record(np.zeros(N), up=np.full(N, 0.9), down=np.full(N, 0.1))
    assert found(classes(truth), said).rolling["&s"]["accuracy"] == 1


def test_a_class_that_only_older_candles_had_is_a_class():
    truth = np.full(2 * N, "up", dtype="U4")
    truth[:N] = "down"
    said = record(np.zeros(N), up=np.full(N, 0.1), down=np.full(N, 0.9))
    assert found(classes(truth), said).rolling["&s"]["accuracy"] == 0


def test_nothing_is_known_of_what_was_not_predicted():
    assert found(numbers(), {}).rolling == {}
    assert found(numbers(), record(np.full(N, np.nan))).rolling == {}
    assert found(classes(np.full(N, "up")), record(np.zeros(N))).rolling == {}


TEST = {"&-a": {"ic": 0.2}}


@pytest.mark.parametrize(
    ("live", "share", "words"),
    [
        ({"n": 200, "ic": 0.09}, 0.5, "&-a 0.090 live, 0.200 in training, 200 predictions"),
        ({"n": 200, "ic": 0.11}, 0.5, ""),
        ({"n": 99, "ic": -0.5}, 0.5, ""),
        ({"n": 200, "ic": -0.5}, 0.0, ""),
    ],
)
def test_skill_has_fallen_when_enough_predictions_say_so(live, share, words):
    assert fallen_skill({"&-a": live}, TEST, share=share, least=100) == words


def test_a_model_that_was_worth_nothing_is_only_asked_to_be_no_worse():
    bad = {"&-a": {"ic": -0.3}}
    assert fallen_skill({"&-a": {"n": 200, "ic": 0.01}}, bad, share=1.0, least=100) == ""
    assert fallen_skill({"&-a": {"n": 200, "ic": -0.01}}, bad, share=1.0, least=100)


def test_a_model_without_a_test_cannot_fall():
    assert fallen_skill({"&-a": {"n": 200, "ic": -0.5}}, {}, share=1.0, least=100) == ""
