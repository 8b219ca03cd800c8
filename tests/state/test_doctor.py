"""The doctor sees every file and says what a start would serve."""

import json

import pytest

from daemon.core.pair import Pair
from daemon.state import queue
from daemon.state.artifacts import ArtifactStore
from daemon.state.doctor import HEALTHY, LOST, REPAIRABLE, diagnose
from daemon.state.history import PredictionHistory
from daemon.state.models import served_models
from daemon.state.pair_dictionary import PairDictionary

BTC, ETH = Pair("BTC/USDT"), Pair("ETH/USDT")
T = 1_732_000_000
NOW_MS = T * 1000


@pytest.fixture
def models(folder):
    """Two models of BTC, one of ETH, all in the dictionary; returns their names."""
    store, book = ArtifactStore(folder), PairDictionary.open(folder)
    names = []
    for pair, trained_s in ((BTC, T), (BTC, T + 300), (ETH, T)):
        staging, stem = store.new_staging(), f"cb_{pair.base.lower()}_{trained_s}"
        (staging / f"{stem}_model.cbm").write_bytes(b"model" * 50)
        names.append(store.publish(staging, pair=pair, trained_s=trained_s, metadata={}).name)
        entry = book.entry(pair)
        entry = queue.training(queue.queued(entry, 0) if entry.data_path else entry, 0)
        entry = queue.trained(
            entry, model_filename=stem, trained_timestamp=trained_s, data_path=names[-1], train_seconds=1.0
        )
        book.update(pair, entry)
    return names


@pytest.fixture
def lived(folder, filled, models):
    filled((1, 10), True, (10, 20), True, (20, 25))
    folder.save_config("config.json", {"a": 1})
    return folder


def test_a_healthy_folder(lived):
    found = diagnose(lived, NOW_MS)
    assert found.status == HEALTHY
    assert found.damages == ()
    assert set(found.intact) == {
        path.name
        for path in lived.path.iterdir()
        if path.name not in {"staging", "set-aside", "candled.lock"}
    }
    assert found.serves[BTC]["rows"] == 24
    assert found.serves[BTC]["model"] == "sub-train-BTC_1732000300"
    assert found.serves[BTC]["trained_ms"] == (T + 300) * 1000


def test_it_says_the_same_every_time_and_changes_nothing(lived):
    lived.historic_predictions.write_bytes(b"rubbish")
    before = {path: path.stat().st_mtime_ns for path in lived.path.rglob("*")}
    first, second = (json.dumps(diagnose(lived, NOW_MS).document()) for _ in range(2))
    assert first == second
    assert {path: path.stat().st_mtime_ns for path in lived.path.rglob("*")} == before


def test_the_digest_does_not_depend_on_where_the_rows_lie(lived):
    before = diagnose(lived, NOW_MS).serves
    PredictionHistory.open(lived).compact()
    assert diagnose(lived, NOW_MS).serves == before


def test_repairable_then_repaired_then_healthy(lived):
    lived.historic_predictions.write_bytes(b"rubbish")
    lived.pair_dictionary.unlink()
    (lived.path / "config_config.json").write_bytes(b"{")
    healthy_serves = diagnose(lived, NOW_MS).serves
    found = diagnose(lived, NOW_MS, repair=True)
    assert found.status == REPAIRABLE
    assert found.document()["status"] == "repaired"
    assert {each.file for each in found.damages} >= {"historic_predictions.pkl", "config_config.json"}
    again = diagnose(lived, NOW_MS)
    assert (again.status, again.serves) == (HEALTHY, healthy_serves)


def test_what_is_lost_is_named(lived):
    for path in lived.path.glob("historic_predictions.journal-000002*"):
        path.unlink()
    found = diagnose(lived, NOW_MS)
    assert found.status == LOST
    assert {loss.pair for loss in found.losses} >= {BTC, ETH}


@pytest.mark.parametrize("which", [0, 1, 2])
def test_every_models_damage_is_seen_even_where_no_start_looks(lived, models, which):
    next((lived.path / models[which]).glob("*_model.cbm")).write_bytes(b"x")
    found = diagnose(lived, NOW_MS)
    assert found.status == REPAIRABLE
    assert [each.file for each in found.damages] == [models[which]]
    assert found.serves[BTC]["model"] == models[0 if which == 1 else 1]
    assert found.serves[ETH]["model"] == (None if which == 2 else models[2])


def test_predictions_are_asked_of_the_models_that_are_served(lived):
    found = diagnose(lived, NOW_MS, predictions=lambda artifact: f"digest of {artifact.name}")
    assert found.serves[ETH]["predictions"] == "digest of sub-train-ETH_1732000000"


class TestServedModels:
    def served(self, folder, touch=True):
        book = PairDictionary.open(folder)
        return served_models(folder, ArtifactStore(folder), book.entries, NOW_MS, touch=touch)

    def test_live_models_are_served_and_nothing_changes(self, folder, models):
        found = self.served(folder)
        assert {pair: each.name for pair, each in found.artifacts.items()} == {BTC: models[1], ETH: models[2]}
        assert (found.entries, found.damages) == ({}, ())

    def test_other_models_are_looked_for_only_where_the_live_one_fails(self, folder, models):
        asked = []

        class Counting(ArtifactStore):
            def names_of(self, pair):
                asked.append(pair)
                return super().names_of(pair)

        store, book = Counting(folder), PairDictionary.open(folder)
        served_models(folder, store, book.entries, NOW_MS, touch=False)
        assert asked == []  # each time it would read what all models say of themselves
        next((folder.path / models[1]).glob("*_model.cbm")).write_bytes(b"x")
        found = served_models(folder, store, book.entries, NOW_MS, touch=False)
        assert (asked, found.artifacts[BTC].name) == ([BTC], models[0])

    def test_the_model_before_a_damaged_one_serves_and_its_pair_is_trained_first(self, folder, models):
        next((folder.path / models[1]).glob("*_model.cbm")).write_bytes(b"x")
        found = self.served(folder)
        assert found.artifacts[BTC].name == models[0]
        assert found.entries[BTC].trained_timestamp == T
        assert (
            queue.next_pair({**dict.fromkeys([ETH], queue.NEW), **found.entries}, [ETH, BTC], NOW_MS) == BTC
        )
        assert (folder.set_aside / models[1]).is_dir()

    def test_a_model_of_another_pair_is_not_served(self, folder, models):
        book = PairDictionary.open(folder)
        entry = queue.training(queue.queued(book.entry(ETH), 0), 0)
        book.update(
            ETH,
            queue.trained(
                entry, model_filename="x", trained_timestamp=T, data_path=models[0], train_seconds=1
            ),
        )
        found = self.served(folder)
        assert found.artifacts[ETH].name == models[2]
        assert (folder.path / models[0]).is_dir()

    def test_a_pair_whose_models_are_all_gone_waits_for_a_training(self, folder, models):
        next((folder.path / models[2]).glob("*_model.cbm")).unlink()
        found = self.served(folder)
        assert ETH not in found.artifacts
        assert found.entries[ETH].data_path == ""
        assert found.entries[ETH].urgent

    def test_a_newer_format_is_left_and_an_older_model_serves(self, folder, models):
        path = next((folder.path / models[1]).glob("*_metadata.json"))
        path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": 9}))
        found = self.served(folder)
        assert found.artifacts[BTC].name == models[0]
        assert "format 9" in found.damages[0].fault
        assert path.exists()

    def test_an_interrupted_training_keeps_its_place(self, folder, models):
        book = PairDictionary.open(folder)
        book.update(ETH, queue.training(queue.queued(book.entry(ETH), 5), 6))
        found = self.served(folder)
        assert found.entries[ETH].state is queue.QueueState.QUEUED
        assert found.artifacts[ETH].name == models[2]
