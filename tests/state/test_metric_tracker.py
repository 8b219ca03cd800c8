"""The file of metrics: FreqAI's form, written without taking its size in memory."""

import json
import tracemalloc

import pytest

from daemon.state.metric_tracker import MetricTracker


@pytest.mark.parametrize("pairs", [0, 1, 3])
def test_the_file_is_plain_json_in_freqais_form(folder, pairs):
    names = [f"P{number}/USDT" for number in range(pairs)]
    tracker = MetricTracker.open(folder)
    for pair in names:
        for second in (10, 20):
            tracker.note(pair, "train_time", second / 3, second)
    tracker._changed = True
    tracker.save()
    series = {"timestamp": [10, 20], "value": [3.333333, 6.666667]}
    assert json.loads(folder.metric_tracker.read_text()) == {pair: {"train_time": series} for pair in names}


def test_writing_takes_a_part_of_the_files_size(folder):
    tracker = MetricTracker.open(folder)
    for pair in range(60):
        for metric in range(4):
            for second in range(300):
                tracker.note(f"P{pair}/USDT", f"m{metric}", second / 7, second)
    tracemalloc.start()
    try:
        tracker.save()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < folder.metric_tracker.stat().st_size
