"""A short life of a state folder, and what must be true of it afterwards, however it ended."""

from dataclasses import replace

import numpy as np

from daemon.core.pair import Pair
from daemon.state import atomic, queue
from daemon.state.artifacts import ArtifactStore
from daemon.state.history import HistoryRow, PredictionHistory
from daemon.state.models import served_models
from daemon.state.pair_dictionary import PairDictionary

PAIRS = tuple(Pair(text) for text in ("BTC/USDT", "ETH/USDT", "BTC/EUR"))
MINUTES_5 = 300_000


def rows(n):
    return [
        HistoryRow(
            pair=pair,
            candle_ms=n * MINUTES_5,
            values={
                "&-s_close": n + place / 10,
                "do_predict": 1.0,
                "abstention": "" if n % 3 else "late",
                "model": f"m{n}",
            },
        )
        for place, pair in enumerate(PAIRS)
    ]


def live(folder, seed, acknowledge, ticks):
    """Predict, train, publish, fold, purge.

    ``acknowledge(kind, number)`` is called after what it names was acknowledged: a tick, or the training
    that ended at that second.
    """
    random = np.random.default_rng(seed)
    history, book, store = PredictionHistory.open(folder), PairDictionary.open(folder), ArtifactStore(folder)
    store.clear_staging()
    first = (history.last_ms(PAIRS[0]) or 0) // MINUTES_5 + 1
    for n in range(first, first + ticks):
        assert history.append(rows(n)).saved
        acknowledge("tick", n)
        happens = random.random()
        if happens < 0.15:
            history.compact()
        elif happens < 0.4:
            train(store, book, PAIRS[int(random.integers(len(PAIRS)))], n * 300, acknowledge)
    history.close()


def train(store, book, pair, trained_s, acknowledge):
    entry = book.entry(pair)
    if entry.state is queue.QueueState.IDLE:
        entry = queue.queued(entry, trained_s * 1000)
    elif entry.state is queue.QueueState.TRAINING:
        entry = queue.interrupted(entry)
    entry = queue.training(entry, trained_s * 1000)
    book.update(pair, entry)
    staging, stem = store.new_staging(), f"cb_{pair.base.lower()}_{trained_s}"
    for name in ("model.cbm", "pipeline.npz"):
        # As the training process writes: neither fsynced nor renamed.
        fd = atomic.os.open(staging / f"{stem}_{name}", atomic.os.O_WRONLY | atomic.os.O_CREAT)
        atomic.os.write(fd, f"{pair} {trained_s} {name}".encode() * 20)
        atomic.os.close(fd)
    name = store.publish(staging, pair=pair, trained_s=trained_s, metadata={}).name
    entry = queue.trained(
        entry, model_filename=stem, trained_timestamp=trained_s, data_path=name, train_seconds=1.0
    )
    book.update(pair, entry)
    acknowledge("training", trained_s)
    store.purge(pair, keep=2, live=name)


def start(folder):
    """What a start does; returns the history, the entries and the models that are served."""
    history, book, store = PredictionHistory.open(folder), PairDictionary.open(folder), ArtifactStore(folder)
    store.clear_staging()
    served = served_models(folder, store, book.entries, 0, touch=True)
    book.update_all(served.entries)
    return history, book, served


def check(folder, acknowledged, attempted):
    """Start, and hold what is served against what was acknowledged.

    Args:
        folder: the state folder.
        acknowledged: (kind, number) pairs.
        attempted: number of the last tick that may have been begun.
    """
    history, book, served = start(folder)
    ticks = [number for kind, number in acknowledged if kind == "tick"]
    assert history.losses == (), history.losses
    for place, pair in enumerate(PAIRS):
        frame = history.frame(pair)
        numbers = (frame["date_pred"].astype("int64") // MINUTES_5).tolist()
        assert numbers == list(range(1, len(numbers) + 1)), "a tick is missing or doubled"
        assert len(numbers) >= max(ticks, default=0), "an acknowledged tick is lost"
        assert len(numbers) <= attempted
        if numbers:
            np.testing.assert_array_equal(frame["&-s_close"], np.array(numbers) + place / 10)
            assert frame["model"].tolist() == [f"m{n}" for n in numbers]
    assert served.damages == (), served.damages
    trained = [number for kind, number in acknowledged if kind == "training"]
    newest = max((entry.trained_timestamp for entry in book.entries.values()), default=0)
    assert newest >= max(trained, default=0), "an acknowledged model is lost"
    for pair, artifact in served.artifacts.items():
        content = artifact.files[f"{artifact.stem}_model.cbm"].read_bytes()
        assert content == f"{pair} {artifact.trained_s} model.cbm".encode() * 20
    again, _, _ = start(folder)
    assert again.damages == (), "the first start left damage behind"
    assert replace(book.entry(PAIRS[0])) == PairDictionary.read(folder).entry(PAIRS[0])
