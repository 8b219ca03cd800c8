"""The steps together: what is left of the training rows, what a row is told, what lies on the disk."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.core.errors import Corrupt, Refused
from daemon.learning.options import PipelineOptions
from daemon.learning.pipeline import LabelScaling, Pipeline, prepared
from daemon.learning.pipeline_files import pipeline_files, read_pipeline
from daemon.learning.steps.port import Points
from daemon.learning.steps.svm import OneClassSvm

SVM = {"use_svm": True, "svm_params": {"shuffle": False, "nu": 0.1}}
OPTIONS = {
    "plain": PipelineOptions(),
    "pca": PipelineOptions(principal_component_analysis=True),
    "svm": PipelineOptions(**SVM),
    "di": PipelineOptions(di_threshold=0.5),
    "dbscan": PipelineOptions(use_dbscan=True, outlier_protection_percentage=100),
    "all": PipelineOptions(
        principal_component_analysis=True,
        di_threshold=0.5,
        use_dbscan=True,
        outlier_protection_percentage=100,
        **SVM,
    ),
}


def some_rows(n=300, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n, 4)) @ rng.standard_normal((4, 9)) + 0.2 * rng.standard_normal((n, 9))
    rows[::29] *= 3
    rows[:, 5] = 2
    return rows.astype(np.float32)


def points_of(rows):
    # The row's number as label, and as weight: what must stay together can be told.
    return Points(rows, np.arange(len(rows)), weight_of(np.arange(len(rows))))


def weight_of(row):
    return 1 - row / 1000


@pytest.fixture(params=OPTIONS)
def options(request):
    return OPTIONS[request.param]


@pytest.fixture
def parts(options):
    """The files of a pipeline as they are read, by part."""
    pipeline = Pipeline(prepared(points_of(some_rows()), options, 1).pipeline, (LabelScaling(-0.1, 1 / 3),))
    return {name.split(".")[0]: data for name, data in pipeline_files(pipeline).items()}


@given(
    n=st.integers(60, 200),
    seed=st.integers(0, 50),
    name=st.sampled_from([*OPTIONS]),
    noise=st.sampled_from([0.0, 0.1]),
)
@settings(max_examples=30, deadline=None)
def test_features_labels_and_weights_stay_together(n, seed, name, noise):
    rows = some_rows(n, seed)
    made = prepared(points_of(rows), replace(OPTIONS[name], noise_standard_deviation=noise), 1)
    kept = made.points.labels
    assert made.points.weights.tolist() == weight_of(kept).tolist()
    assert len(kept) == n - sum(made.removed.values())
    assert np.all(np.diff(kept) > 0)
    clean = made.pipeline.transform(rows)[kept]
    assert np.abs(made.points.features - clean).max() <= (0 if noise == 0 else 10 * noise)


def test_one_row_gives_the_bits_that_it_gives_within_a_batch(options):
    pipeline = prepared(points_of(some_rows()), options, 1).pipeline
    rows = some_rows(500, seed=4)
    batch = pipeline.judge(rows)
    for i in (0, 17, 255, 256, 499):
        one = pipeline.judge(rows[i : i + 1])
        assert one.features[0].tobytes() == batch.features[i].tobytes()
        assert one.di.tobytes() == batch.di[i : i + 1].tobytes()
        assert {name: flag[0] for name, flag in one.outlier.items()} == {
            name: flag[i] for name, flag in batch.outlier.items()
        }
    assert pipeline.transform(rows).tobytes() == batch.features.tobytes()


def test_inliers_alone_are_those_of_the_whole_judgement(options):
    pipeline = prepared(points_of(some_rows()), options, 1).pipeline
    rows = some_rows(500, seed=4)
    rows[::9] *= 5
    features, inlier = pipeline.inliers(rows)
    judged = pipeline.judge(rows)
    assert features.tobytes() == judged.features.tobytes()
    assert inlier.tolist() == judged.inlier.tolist()


def test_a_pipeline_survives_its_files_to_the_last_bit(options):
    pipeline = Pipeline(prepared(points_of(some_rows()), options, 1).pipeline, (LabelScaling(-0.1, 1 / 3),))
    files = pipeline_files(pipeline)
    again = read_pipeline({name.split(".")[0]: data for name, data in files.items()})
    assert pipeline_files(again) == files
    rows = some_rows(200, seed=4)
    one, other = pipeline.features.judge(rows), again.features.judge(rows)
    assert one.features.tobytes() == other.features.tobytes()
    assert one.di.tobytes() == other.di.tobytes()
    assert {n: f.tolist() for n, f in one.outlier.items()} == {
        n: f.tolist() for n, f in other.outlier.items()
    }
    assert again.labels == pipeline.labels


def test_the_same_rows_and_seed_give_the_same_files(options):
    first, second = (
        pipeline_files(Pipeline(prepared(points_of(some_rows()), options, 1).pipeline, (None,))) for _ in "ab"
    )
    assert first == second


def test_only_what_needs_them_writes_the_training_rows_and_only_once():
    sizes = {}
    for name, options in OPTIONS.items():
        made = prepared(points_of(some_rows()), options, 1)
        sizes[name] = {
            part: len(data) for part, data in pipeline_files(Pipeline(made.pipeline, (None,))).items()
        }
    assert {name: sorted(files) for name, files in sizes.items()} == {
        "plain": ["pipeline.json"],
        "pca": ["pca.npy", "pipeline.json"],
        "svm": ["pipeline.json"],
        "di": ["pipeline.json", "trained.npy"],
        "dbscan": ["pipeline.json", "trained.npy"],
        "all": ["pca.npy", "pipeline.json", "trained.npy"],
    }
    assert sizes["di"]["trained.npy"] == 128 + 300 * 8 * 4  # float32 of the columns that vary, and a header


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"kept": [0], "low": ["x"], "high": [1], "label": null}', b"\xff"]
)
def test_a_file_that_is_no_pipeline_is_corrupt(data):
    with pytest.raises(Corrupt):
        read_pipeline({"pipeline": data})


@pytest.mark.parametrize("options", ["all"], indirect=True)
@pytest.mark.parametrize("part", ["pca", "trained"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: None,
        lambda data: b"",
        lambda data: data[:-4],
        lambda data: data + b"\0\0\0\0",
        lambda data: data[128:],
        lambda data: data.replace(b"<f4", b"|O8"),
        lambda data: data[:-4] + np.float32(np.nan).tobytes(),
        lambda data: data[:128] + b"PK",
    ],
)
def test_a_damaged_matrix_is_corrupt(parts, part, damage):
    damaged = damage(parts.pop(part))
    with pytest.raises(Corrupt):
        read_pipeline(parts | ({} if damaged is None else {part: damaged}))


@pytest.mark.parametrize("options", ["all"], indirect=True)
@pytest.mark.parametrize(
    ("step", "change"),
    [
        (1, {"low": [1]}),
        (2, {"mean": [0.0]}),
        (4, {"weights": "x"}),
        (5, {"mean_distance": 0}),
        (5, {"name": "unknown"}),
        (6, {"others": [10_000], "cores": []}),
    ],
)
def test_a_step_that_does_not_fit_is_corrupt(parts, step, change):
    document = json.loads(parts["pipeline"])
    document["steps"][step] |= change
    with pytest.raises(Corrupt):
        read_pipeline(parts | {"pipeline": json.dumps(document).encode()})


def test_a_pipeline_of_the_first_format_is_still_read():
    data = b'{"high": [3.0, 2.0], "kept": [0, 2], "label": [-1.0, 1.0], "low": [1.0, 0.0]}'
    pipeline = read_pipeline({"pipeline": data})
    assert pipeline.features.transform(np.float32([[2, 9, 2]])).tolist() == [[0, 1]]
    assert pipeline.labels == (LabelScaling(-1, 1),)


@pytest.mark.parametrize(("percentage", "acts"), [(5, False), (30, True)])
def test_a_method_that_would_remove_too_much_is_left_out_for_good(percentage, acts):
    rows = some_rows()
    options = PipelineOptions(**SVM, outlier_protection_percentage=100)
    count = prepared(points_of(rows), options, 1).removed["svm"]
    assert 0.05 < count / 300 < 0.3
    made = prepared(points_of(rows), replace(options, outlier_protection_percentage=percentage), 1)
    assert made.removed == ({"svm": count} if acts else {})
    assert made.left_out == ({} if acts else {"svm": count})
    assert len(made.points) == 300 - count * acts
    assert list(made.pipeline.judge(rows).outlier) == (["svm"] if acts else [])


def test_noise_is_the_seeds_and_touches_training_rows_only():
    rows = some_rows(2000)
    plain = prepared(points_of(rows), PipelineOptions(), 1)
    made = [
        prepared(points_of(rows), PipelineOptions(noise_standard_deviation=0.05), seed) for seed in (1, 1, 2)
    ]
    noise = made[0].points.features - plain.points.features
    assert noise.std() == pytest.approx(0.05, rel=0.05)
    assert abs(noise.mean()) < 0.002
    assert made[0].points.features.tobytes() == made[1].points.features.tobytes()
    assert made[0].points.features.tobytes() != made[2].points.features.tobytes()
    assert made[0].pipeline.transform(rows).tobytes() == plain.pipeline.transform(rows).tobytes()


def test_no_training_row_is_removed_by_the_dissimilarity_index():
    made = prepared(points_of(some_rows()), PipelineOptions(di_threshold=1e-6), 1)
    assert made.removed == {"di": 0}
    assert made.pipeline.judge(some_rows()).di.tolist() == [0] * 300


def test_when_no_row_is_left_that_is_said(monkeypatch):
    monkeypatch.setattr(OneClassSvm, "outliers", lambda self, rows: np.ones(len(rows), bool))
    with pytest.raises(Refused, match=r"removed every training row: \{'svm': 300\}"):
        prepared(points_of(some_rows()), OPTIONS["all"], 1)
    assert len(prepared(points_of(some_rows()), PipelineOptions(**SVM), 1).points) == 300


def test_a_saved_pipeline_needs_no_scikit_learn(tmp_path):
    made = prepared(points_of(some_rows()), OPTIONS["all"], 1)
    for name, data in pipeline_files(Pipeline(made.pipeline, (None,))).items():
        (tmp_path / name).write_bytes(data)
    code = f"""
import sys, pathlib, numpy as np
sys.modules["sklearn"] = None  # an import raises
from daemon.learning.live import read_pipeline
pipeline = read_pipeline({{p.stem: p.read_bytes() for p in pathlib.Path({str(tmp_path)!r}).iterdir()}})
print(pipeline.features.judge(np.ones((1, 9), np.float32)).di[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == made.pipeline.judge(np.ones((1, 9), np.float32)).di[0]
