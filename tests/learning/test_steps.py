"""Each step by itself, against the plain formula or a library."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import DBSCAN
from sklearn.metrics import pairwise_distances, pairwise_distances_chunked

from daemon.core.errors import Refused
from daemon.learning.steps.components import Components
from daemon.learning.steps.dbscan import Dbscan
from daemon.learning.steps.dissimilarity import Dissimilarity
from daemon.learning.steps.distances import Cloud
from daemon.learning.steps.port import Points, column_major
from daemon.learning.steps.scaling import Scaling, Varying
from daemon.learning.steps.svm import OneClassSvm


def cloud_of(n, k=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (n, k)).astype(np.float32)


def paced(n, seed=0, *, lost=0.0):
    """Rows as those of three timeframes: two columns change every third row, two every twelfth; some rows are lost."""
    found = cloud_of(n, 6, seed)
    for columns, every in ((slice(2, 4), 3), (slice(4, 6), 12)):
        found[:, columns] = found[np.arange(n) // every * every, columns]
    return found[:, [4, 0, 2, 5, 1, 3]][np.random.default_rng(seed).random(n) >= lost]


@given(n=st.integers(2, 600), m=st.integers(1, 300), k=st.integers(0, 12), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_distances_are_those_of_float64_to_the_last_digit(n, m, k, seed):
    points, rows = (cloud_of(n, k, seed), cloud_of(m, k, seed + 100)) if k else (paced(n), paced(m, seed))
    rows[0] = points[-1]  # the nearest may be the same
    rows[-1] = points[0] + np.float32(1e-4)  # and nearly the same, where the fast formula knows nothing
    cloud = Cloud(points)
    every = np.sqrt(((rows[:, None].astype(np.float64) - points) ** 2).sum(axis=2))
    assert cloud.nearest(rows) == pytest.approx(every.min(axis=1), rel=1e-12, abs=0)
    assert cloud.nearest(rows[-1:])[0] == cloud.nearest(rows)[-1]


@pytest.mark.parametrize("size", [1e-30, 1e-23, 1e-20, 1.0, 1e19, 1e38])
def test_distances_that_float32_cannot_square_are_exact_as_well(size):
    points, rows = paced(300) * np.float32(size), paced(40, 1) * np.float32(size)
    cloud = Cloud(points)
    every = np.sqrt(((rows[:, None].astype(np.float64) - points) ** 2).sum(axis=2))
    nearest, radius = every.min(axis=1), float(np.median(every.min(axis=1)))
    assert cloud.nearest(rows) == pytest.approx(nearest, rel=1e-12, abs=0)
    nearer, beyond = cloud.surely(rows, radius)
    assert not (nearer & (nearest >= radius)).any()
    assert not (beyond & (nearest < radius)).any()
    assert all((near == (every[part] <= radius)).all() for part, near in cloud.within(rows, radius))


@pytest.mark.parametrize("far", [np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_row_beyond_all_bounds_is_far_from_everything_and_leaves_the_others_alone(far, at):
    cloud, rows = Cloud(paced(300)), paced(3, 1)
    usual = cloud.nearest(rows)
    rows[at, :2] = far, -far
    found, others = cloud.nearest(rows), np.arange(3) != at
    assert found[at] > 1e38
    assert found[others].tolist() == usual[others].tolist()
    assert cloud.nearest(rows[at : at + 1])[0] == found[at]


def repeated(n):
    """Every row three times in a row, and again far behind."""
    return np.concatenate((paced(n), paced(n)[: n // 2 + 1])).repeat(3, axis=0)[:n]


@pytest.mark.parametrize("made", [cloud_of, paced, repeated])
@pytest.mark.parametrize("n", [2, 256, 257, 600, 2400])
def test_the_mean_distance_counts_every_pair_once_and_no_row_with_itself(n, made):
    points = made(n)
    every = pairwise_distances(points.astype(np.float64))
    assert Cloud(points).mean() == pytest.approx(every.sum() / (n * (n - 1)), rel=1e-6)


@given(n=st.integers(2, 300), lost=st.floats(0, 0.9), often=st.integers(1, 3), seed=st.integers(0, 99))
@settings(max_examples=60)
def test_the_mean_distance_is_that_of_the_rows_that_are_left(n, lost, often, seed):
    points = np.concatenate((paced(n, seed, lost=lost), cloud_of(2, 6, seed))).repeat(often, axis=0)
    every = pairwise_distances(points.astype(np.float64))
    assert Cloud(points).mean() == pytest.approx(every.sum() / (len(points) * (len(points) - 1)), rel=1e-6)


def test_the_mean_distance_of_more_hours_than_are_looked_at_together():
    points = paced(7_000, lost=0.1)
    total = sum(chunk.sum() for chunk in pairwise_distances_chunked(points.astype(np.float64)))
    assert Cloud(points).mean() == pytest.approx(total / (len(points) * (len(points) - 1)), rel=1e-6)


@given(
    n=st.integers(1, 400), lost=st.floats(0, 0.5), seed=st.integers(0, 99), beside=st.sampled_from([1, 20])
)
@settings(max_examples=30)
def test_a_cloud_gives_back_its_points_bit_by_bit(n, lost, seed, beside):
    points = np.concatenate((paced(n, seed, lost=lost), cloud_of(1))).repeat(beside, axis=1)
    cloud = Cloud(points)
    layout, numbers = cloud.packed()
    again = Cloud.unpacked(json.loads(json.dumps(layout)), numbers)
    assert cloud.rows().tobytes() == again.rows().tobytes() == points.tobytes()
    assert again.squares.tobytes() == cloud.squares.tobytes()
    assert again.nearest(points[:1] + 1) == cloud.nearest(points[:1] + 1)
    assert cloud.rows(np.array([len(points) - 1, 0])).tobytes() == points[[-1, 0]].tobytes()


def test_detectors_saved_as_one_matrix_are_still_read():
    points = paced(300)
    step = Dissimilarity.fit(Cloud(points), 0.9)
    first = {"threshold": 0.9, "mean_distance": step.mean_distance}
    again = Dissimilarity.restored(first, {"trained": points})
    assert again.judge(points[:9] + 1).di.tolist() == step.judge(points[:9] + 1).di.tolist()


@pytest.mark.parametrize(
    "harm",
    [
        lambda layers: layers.clear(),
        lambda layers: layers.pop(),
        lambda layers: layers[0]["columns"].pop(),
        lambda layers: layers[0]["columns"].__setitem__(0, 5),
        lambda layers: layers[0]["columns"].__setitem__(0, 99),
        lambda layers: layers[1]["stretches"].pop(),
        lambda layers: layers[1]["stretches"].append(1),
        lambda layers: layers[1]["stretches"].__setitem__(slice(0, 2), [0, 6]),
        lambda layers: layers[1]["stretches"].__setitem__(slice(3, 5), [2, 4]),
        lambda layers: layers[2]["stretches"].__setitem__(0, 1 << 40),
        lambda layers: layers[2]["stretches"].__setitem__(0, -12),
    ],
)
def test_layers_that_do_not_fit_together_are_no_cloud(harm):
    layout, numbers = Cloud(paced(600)).packed()
    harm(layout["layers"])
    with pytest.raises(ValueError, match=r"."):
        Cloud.unpacked(layout, numbers)


def test_columns_that_rest_are_held_and_multiplied_once():
    cloud = Cloud(paced(600))
    assert [layer.rows.shape for layer in cloud._layers] == [(600, 2), (200, 2), (50, 2)]


def test_a_column_that_changes_between_the_others_of_its_pace_does_not_split_their_rows():
    points = paced(600)
    slow, odd = points[:, [0, 3]], points[(np.arange(600) + 6) // 12 * 12 % 600, 0]
    points = np.column_stack((odd, points, slow * 2, slow * 3))
    cloud = Cloud(points)
    assert [layer.rows.shape for layer in cloud._layers] == [(600, 2), (200, 3), (50, 6)]
    assert cloud.rows().tobytes() == points.tobytes()


@given(
    n=st.integers(20, 700),
    threshold=st.floats(0.05, 1.5),
    scale=st.sampled_from([0.5, 1, 2]),
    made=st.sampled_from([cloud_of, paced]),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_outliers_alone_are_those_of_the_index(n, threshold, scale, made, seed):
    step = Dissimilarity.fit(Cloud(made(n, seed=seed)), threshold)
    rows = made(300, seed=seed + 100) * np.float32(scale)
    assert step.outliers(rows).tolist() == step.judge(rows).outlier.tolist()


def test_few_rows_are_compared_with_the_whole_cloud_where_the_index_is_not_asked_for(monkeypatch):
    step, compared = Dissimilarity.fit(Cloud(cloud_of(3000)), 0.9), []
    nearest = Cloud.nearest
    monkeypatch.setattr(
        Cloud, "nearest", lambda cloud, rows: compared.append(len(rows)) or nearest(cloud, rows)
    )
    rows = cloud_of(1000, seed=1)
    rows[7] *= 9
    assert np.flatnonzero(step.outliers(rows)).tolist() == [7]
    assert sum(compared) < 20


def test_points_that_slow_columns_put_beyond_the_radius_are_looked_at_no_further():
    points = paced(1200)
    points[:600, [0, 3]] += 50
    cloud = Cloud(points)
    cloud._layers[0].rows[:600] = np.nan  # whatever met them would be uncertain
    rows = points[600:] + np.float32(0.01)
    rows[::2, 1] += 9
    nearer, beyond = cloud._decided(rows, 1.0)
    assert beyond.tolist() == (~nearer).tolist() == [True, False] * 300


def test_points_that_slow_columns_alone_put_near_the_radius_are_within_it():
    points = paced(600) * 100
    rows = points.copy()
    rows[:, 0] += np.float32(9.9)
    assert Cloud(points)._decided(rows, 10.0)[0].all()
    assert Cloud(points)._decided(rows, 9.8)[1].any()


def test_many_equal_rows_need_no_more_memory(monkeypatch):
    monkeypatch.setattr("daemon.learning.steps.distances._PAIRS", 100)
    points = np.repeat(cloud_of(3), 200, axis=0)
    cloud = Cloud(points)
    assert cloud.nearest(points).tolist() == [0.0] * 600
    near = np.concatenate([block for _, block in cloud.within(points, 0.0)])
    assert near.sum(axis=1).tolist() == [200] * 600


@given(n=st.integers(2, 400), radius=st.floats(0.01, 3), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_within_is_decided_as_in_float64(n, radius, seed):
    points = cloud_of(n, 4, seed)
    near = np.concatenate([block for _, block in Cloud(points).within(points, radius)])
    squares = ((points[:, None].astype(np.float64) - points) ** 2).sum(axis=2)
    assert near.tolist() == (squares <= radius * radius).tolist()


@given(n=st.integers(50, 300), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_noise_is_what_scikit_learns_dbscan_calls_noise(n, seed):
    points = cloud_of(n, 3, seed)
    points[:3] *= 4
    step, noise = Dbscan.fit(Cloud(points))
    library = DBSCAN(eps=step.radius, min_samples=step.crowd)
    assert noise.tolist() == (library.fit(points.astype(np.float64)).labels_ == -1).tolist()
    for row in cloud_of(8, 3, seed + 1) * np.float32(2):
        alone = library.fit(np.vstack([points, row]).astype(np.float64)).labels_[-1] == -1
        assert step.judge(row[None]).outlier.tolist() == [alone]


def test_dbscan_takes_equal_rows_for_a_crowd():
    points = np.zeros((60, 2), np.float32)
    step, noise = Dbscan.fit(Cloud(points))
    assert not noise.any()
    assert step.judge(np.float32([[0, 0], [0, 0.1]])).outlier.tolist() == [False, True]


def test_the_index_is_distance_over_mean_distance():
    points = np.float32([[0, 0], [3, 4]])
    step = Dissimilarity.fit(Cloud(points), 0.5)
    verdict = step.judge(np.float32([[0, 0], [0, 2.4], [0, 2.5], [10, 4]]))
    assert verdict.di == pytest.approx([0, 0.48, 0.5, 1.4])
    assert verdict.outlier.tolist() == [False, False, True, True]


def test_rows_that_are_all_the_same_have_no_index():
    with pytest.raises(Refused, match="DI_threshold"):
        Dissimilarity.fit(Cloud(np.ones((60, 2), np.float32)), 0.9)


def test_the_svm_weighs_rows_and_takes_the_users_parameters():
    points = Points(cloud_of(300), np.zeros(300), np.ones(300))
    plain = OneClassSvm.fit(points, {"shuffle": False, "nu": 0.05}, 1)
    heavier = Points(points.features, points.labels, np.linspace(0.01, 1, 300))
    assert plain.offset != OneClassSvm.fit(heavier, {"shuffle": False, "nu": 0.05}, 1).offset
    assert plain.offset != OneClassSvm.fit(points, {"shuffle": False, "nu": 0.2}, 1).offset


def test_a_shuffling_svm_is_seeded_by_the_job_or_the_user():
    points = Points(cloud_of(300), np.zeros(300), np.ones(300))

    def offset(seed, **parameters):
        return OneClassSvm.fit(points, {"nu": 0.05, **parameters}, seed).offset

    assert offset(1) == offset(1) != offset(2)
    assert offset(1, random_state=9) == offset(2, random_state=9)


@pytest.mark.parametrize("wrong", [{"nuu": 1}, {"nu": 7}, {"nu": "much"}])
def test_svm_params_that_scikit_learn_does_not_know_are_refused_in_its_words(wrong):
    points = Points(cloud_of(60), np.zeros(60), np.ones(60))
    with pytest.raises(Refused, match=r"svm_params: .*nu"):
        OneClassSvm.fit(points, wrong, 1)


def test_components_keep_999_thousandths_of_the_variance():
    rng = np.random.default_rng(0)
    rows = (rng.standard_normal((400, 3)) * [1, 0.5, 0.01]).astype(np.float32)
    turned = (rows @ np.linalg.qr(rng.standard_normal((3, 3)))[0]).astype(np.float32)
    out = Components.fit(turned).transform(turned)
    assert out.shape == (400, 2)
    assert np.abs(np.corrcoef(out.T)[0, 1]) < 1e-3


def test_constant_columns_are_left_out_and_the_others_fill_minus_one_to_one():
    rows = cloud_of(400) * np.float32([1, 1e6, 1e-6, 3, 1, 1])
    rows[:, 4] = 7
    varying = Varying.fit(rows)
    kept = varying.transform(rows)
    out = Scaling.fit(kept).transform(kept)
    assert varying.kept.tolist() == [0, 1, 2, 3, 5]
    assert out.min(axis=0) == pytest.approx([-1] * 5, abs=1e-6)
    assert out.max(axis=0) == pytest.approx([1] * 5, abs=1e-6)


def test_constants_teach_nothing_and_that_is_said():
    with pytest.raises(Refused, match="every feature is constant"):
        Varying.fit(np.ones((10, 3), np.float32))


def test_column_major_rows_are_the_same_rows():
    rows = cloud_of(600)
    turned = column_major(rows)
    assert turned.flags.f_contiguous
    assert turned.tolist() == rows.tolist()
    assert column_major(turned) is turned


def test_points_of_unequal_length_cannot_be():
    with pytest.raises(ValueError, match="same number of rows"):
        Points(cloud_of(3), np.zeros(2), np.ones(3))


def test_a_radius_that_ends_at_a_point_is_decided_exactly():
    points = cloud_of(300, 40)
    row = cloud_of(1, 40, 1)
    squares = ((row.astype(np.float64) - points) ** 2).sum(axis=1)
    cloud = Cloud(points)
    for i in range(300):
        for factor in (1 + 1e-9, 1 - 1e-9):
            ((_, near),) = cloud.within(row, float(np.sqrt(squares[i])) * factor)
            assert near[0, i] == (factor > 1)


def test_a_row_counts_itself_into_its_crowd():
    trained = Cloud(np.float32([[0], [1], [9]]))
    step = Dbscan(radius=1.5, crowd=3, trained=trained, core=np.zeros(3, bool))
    assert step.judge(np.float32([[0.5], [9.5]])).outlier.tolist() == [False, True]


@pytest.mark.parametrize("size", [1e-38, 1e-22, 1.0, 1e19, 3e38])
@pytest.mark.parametrize("heavy", [1e-30, 1.0, 1e6])
def test_the_svms_outliers_alone_are_those_of_its_decisions(size, heavy):
    rows = cloud_of(300, 200) * np.float32(size)
    weights = np.random.default_rng(0).standard_normal(200) * heavy
    wide = OneClassSvm(weights, 0.0).decisions(rows)
    for offset in (
        0.0,
        *wide[:20],
        *np.nextafter(wide[:20], np.inf),
        1e300,
    ):  # float32 does not know the sign
        step = OneClassSvm(weights, float(offset))
        assert step.outliers(rows).tolist() == step.judge(rows).outlier.tolist()


def test_the_svm_decides_few_rows_in_float64_where_outliers_alone_are_asked_for(monkeypatch):
    rows, asked, decisions = cloud_of(300, 200), [], OneClassSvm.decisions
    step = OneClassSvm(np.random.default_rng(0).standard_normal(200), 0.1)
    monkeypatch.setattr(
        OneClassSvm, "decisions", lambda step, rows: asked.append(len(rows)) or decisions(step, rows)
    )
    step.outliers(rows)
    assert sum(asked) < 30


def test_the_svms_decision_of_one_row_has_the_bits_of_the_batch():
    rows = cloud_of(300, 200)
    step = OneClassSvm(np.random.default_rng(0).standard_normal(200), 0.1)
    batch = step.decisions(rows)
    assert [step.decisions(rows[i : i + 1])[0] for i in range(300)] == batch.tolist()
