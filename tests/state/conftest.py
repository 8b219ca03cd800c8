"""Fixtures of the state folder's tests."""

import numpy as np
import pytest
from disk import recorded as record_disk

from daemon.core.pair import Pair
from daemon.state.folder import StateFolder
from daemon.state.history import HistoryRow, PredictionHistory

MINUTES_5 = 300_000
PAIRS = tuple(Pair(text) for text in ("BTC/USDT", "ETH/USDT", "BTC/EUR"))


@pytest.fixture
def folder(tmp_path):
    """A state folder that exists and that nobody holds."""
    found = StateFolder(tmp_path / "models" / "example")
    found.path.mkdir(parents=True)
    return found


@pytest.fixture
def recorded():
    """recorded(module, ...): see `disk.recorded`."""
    return record_disk


@pytest.fixture
def tick():
    """tick(n): rows of candle n for all pairs; every value follows from n and the pair."""

    def made(n, pairs=PAIRS):
        return [
            HistoryRow(
                pair=pair,
                candle_ms=n * MINUTES_5,
                values={
                    "&-s_close": n + place / 10,
                    "&-s_close_mean": 0.25,
                    "do_predict": 1.0,
                    "abstention": "" if n % 7 else "outlier",
                    "model": f"sub-train-{pair.base}_{n // 20}",
                },
            )
            for place, pair in enumerate(pairs)
        ]

    return made


@pytest.fixture
def filled(folder, tick):
    """filled(first, last, ...): a history with some ticks; True among the numbers folds it into a snapshot."""

    def made(*stretches, close=False):
        history = PredictionHistory.open(folder)
        for stretch in stretches:
            if stretch is True:
                assert history.compact()
                continue
            for n in range(*stretch):
                assert history.append(tick(n)).saved
        if close:
            history.close()
        return history

    return made


@pytest.fixture
def served(folder):
    """served(history): candle numbers of the first pair; asserts that every value is the one that was written."""

    def checked(history):
        numbers = None
        for place, pair in enumerate(PAIRS):
            frame = history.frame(pair)
            found = (
                (frame["date_pred"].astype("int64") // MINUTES_5).to_numpy() if len(frame) else np.empty(0)
            )
            np.testing.assert_array_equal(frame["&-s_close"], found + place / 10)
            assert [model.rpartition("_")[2] for model in frame["model"]] == [
                str(int(n) // 20) for n in found
            ]
            assert [reason == "outlier" for reason in frame["abstention"]] == [n % 7 == 0 for n in found]
            assert numbers is None or list(numbers) == list(found)
            numbers = found
        return [int(n) for n in numbers]

    return checked
