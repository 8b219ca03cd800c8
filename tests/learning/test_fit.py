import sys
from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from daemon.core.clock import SystemClock
from daemon.core.errors import ConfigError, Corrupt, Refused
from daemon.core.pair import Pair
from daemon.learning import fit
from daemon.learning.evaluate import beats_naive
from daemon.learning.fit import train
from daemon.learning.job import Target, TrainingJob, TrainingResult
from daemon.learning.live import live_model
from daemon.learning.models.port import FitStopped
from daemon.learning.models.registry import model_class, model_names
from daemon.learning.options import PipelineOptions

JOB = TrainingJob(
    pair="BTC/USDT",
    targets=(Target(name="&-s_close"),),
    features=tuple(f"%-f{i}" for i in range(6)),
    model="CatboostRegressor",
    parameters={"iterations": 100, "learning_rate": 0.2},
    test_size=0.2,
    horizon=12,
    weight_factor=0.0,
    seed=1,
    threads=1,
    file_stem="cb_btc_1700000000",
)

WAY = Target(name="&s-way", classes=("down", "up"))


@pytest.fixture
def numbers():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((600, 6)).astype(np.float32)
    labels = 0.01 * features[:, 1] + 0.002 * rng.standard_normal(600)
    return features, labels


def trained(job, numbers, folder):
    features, labels = numbers
    return train(job, features, labels.reshape(len(labels), -1), folder, SystemClock().monotonic_s)


def artifact(job, result, folder):
    metadata = {
        "window_end_ms": 1_700_000_000_000,
        "label_list": [target.name for target in job.targets],
        "classes": {target.name: list(target.classes) for target in job.targets},
        "labels_mean": dict(result.label_mean),
        "labels_std": dict(result.label_std),
        "training_features_list": list(job.features),
        "model_class": job.model,
        "metrics": dict(result.metrics),
    }
    contents = {name.rsplit("_", 1)[-1].split(".")[0]: (folder / name).read_bytes() for name in result.files}
    return metadata, contents


def test_a_training_writes_a_model_that_predicts(numbers, tmp_path):
    result = trained(JOB, numbers, tmp_path)
    assert (result.rows, result.test_rows, result.dropped) == (600 - 120 - 12, 120, 0)
    assert result.metrics["&-s_close"]["r2"] > 0.5
    assert result.metrics["&-s_close"]["naive_rmse"] > result.metrics["&-s_close"]["rmse"]
    live = live_model(Pair("BTC/USDT"), "sub-train-BTC_1700000000", *artifact(JOB, result, tmp_path))
    values = live.values(np.float32([0, 2, 0, 0, 0, 0]))
    assert values["&-s_close"] == pytest.approx(0.02, abs=0.01)
    assert values["&-s_close_mean"] == pytest.approx(numbers[1][:468].mean())
    assert values["&-s_close_std"] == pytest.approx(numbers[1][:468].std())


def test_classes_come_back_by_name_with_their_probabilities(numbers, tmp_path):
    features, labels = numbers
    job = replace(JOB, model="CatboostClassifier", targets=(WAY,))
    result = trained(job, (features, (labels > 0).astype(float)), tmp_path)
    live = live_model(Pair("BTC/USDT"), "a", *artifact(job, result, tmp_path))
    values = live.values(np.float32([0, 2, 0, 0, 0, 0]))
    assert values["&s-way"] == "up"
    assert values["up"] + values["down"] == pytest.approx(1)
    assert values["up"] > 0.5
    assert result.metrics["&s-way"]["accuracy"] > result.metrics["&s-way"]["naive_accuracy"]


@pytest.mark.parametrize("name", [name for name in model_names() if not name.startswith("Catboost")])
def test_every_model_goes_the_whole_way_to_a_live_value(numbers, tmp_path, name):
    try:
        model_class(name)
    except ConfigError as exc:
        pytest.skip(str(exc))
    features, labels = numbers
    job = replace(JOB, model=name, parameters={"n_estimators": 60})
    if name.endswith("Classifier"):
        labels = (labels > 0).astype(float)
        job = replace(job, targets=(WAY,))
    result = trained(job, (features, labels), tmp_path)
    live = live_model(Pair("BTC/USDT"), "a", *artifact(job, result, tmp_path))
    high, low = (live.values(np.float32([0, x, 0, 0, 0, 0])) for x in (2, -2))
    if job.targets == (WAY,):
        assert (high["&s-way"], low["&s-way"]) == ("up", "down")
        assert high["up"] + high["down"] == pytest.approx(1)
    else:
        assert high["&-s_close"] > 0 > low["&-s_close"]
    assert all(beats_naive(found) for found in result.metrics.values())


def test_a_fit_can_be_stopped_and_leaves_no_file(numbers, tmp_path):
    with pytest.raises(FitStopped):
        train(JOB, numbers[0], numbers[1][:, None], tmp_path, SystemClock().monotonic_s, stop=lambda: True)
    assert list(tmp_path.iterdir()) == []


def test_rows_that_lack_something_are_left_out_and_counted(numbers, tmp_path):
    features, labels = (array.copy() for array in numbers)
    features[:30, 2] = np.nan
    labels[-12:] = np.nan
    result = trained(JOB, (features, labels), tmp_path)
    assert result.dropped == 30
    assert result.worst_features == {"%-f2": 30}
    assert result.rows + result.test_rows == 600 - 30 - 12 - 12


def test_a_row_lacks_something_where_a_feature_is_no_number_however_large_the_others_are(numbers):
    features = numbers[0].copy()
    features[3] = [3e38, -3e38, 1e30, 0, 1e-40, 1]
    features[4, :2] = np.inf, -np.inf
    features[5:7] = np.inf
    features[6, 5] = np.nan
    assert fit.clean_rows(JOB, features, numbers[1][:, None]).keep.tolist() == [i != 6 for i in range(600)]


def test_too_few_rows_are_refused_with_the_feature_that_is_to_blame(numbers, tmp_path):
    features = numbers[0].copy()
    features[:570, 4] = np.nan
    with pytest.raises(Refused, match=r"only 30 of 600 rows .*%-f4"):
        trained(JOB, (features, numbers[1]), tmp_path)


def test_one_class_alone_is_refused(numbers, tmp_path):
    job = replace(JOB, model="CatboostClassifier", targets=(Target(name="&s-way", classes=("up",)),))
    with pytest.raises(Refused, match="one class in every training row"):
        trained(job, (numbers[0], np.zeros(600)), tmp_path)


def test_the_same_job_writes_the_same_bytes(numbers, tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        result = trained(JOB, numbers, folder)
    for name in result.files:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_jobs_and_results_survive_the_way_to_the_process(numbers, tmp_path):
    assert TrainingJob.from_json(JOB.to_json()) == JOB
    result = trained(JOB, numbers, tmp_path)
    assert TrainingResult.from_json(result.to_json()) == result


@pytest.mark.parametrize("part", ["model", "pipeline"])
def test_an_artifact_that_lacks_a_part_is_corrupt(numbers, tmp_path, part):
    metadata, contents = artifact(JOB, trained(JOB, numbers, tmp_path), tmp_path)
    del contents[part]
    with pytest.raises(Corrupt, match="lacks something"):
        live_model(Pair("BTC/USDT"), "sub-train-BTC_1", metadata, contents)


SOME = np.float32([0, 2, 0, 0, 0, 0])
FAR = np.float32([40, -40, 40, 40, -40, 40])


def with_steps(numbers, folder, **options):
    """A training with these steps: its result and the live model."""
    job = replace(JOB, pipeline=PipelineOptions(**options))
    result = trained(job, numbers, folder)
    return result, live_model(Pair("BTC/USDT"), "a", *artifact(job, result, folder))


def files_of(job, numbers, folder):
    result = trained(job, numbers, folder)
    return result, {name: (folder / name).read_bytes() for name in result.files}


def test_without_outlier_methods_nothing_is_an_outlier(numbers, tmp_path):
    result, live = with_steps(numbers, tmp_path)
    assert (result.outliers, result.outliers_left_in, result.test_outliers) == ({}, {}, 0)
    answer = live.answer(FAR)
    assert answer.outlier_of == ()
    assert np.isnan(answer.di)
    assert answer.values == live.values(FAR)


def test_principal_components_replace_correlated_features(numbers, tmp_path):
    features, labels = numbers
    features = np.hstack([features[:, :3], features[:, :3] * np.float32(2)])
    _, live = with_steps((features, labels), tmp_path, principal_component_analysis=True)
    row = np.float32([0, 2, 0, 0, 4, 0])
    assert live.pipeline.transform(row[None]).shape == (1, 3)
    assert live.values(row)["&-s_close"] == pytest.approx(0.02, abs=0.01)


@pytest.mark.parametrize(
    ("step", "options"),
    [
        ("svm", {"use_svm": True, "svm_params": {"shuffle": False, "nu": 0.05}}),
        ("di", {"di_threshold": 0.4}),
        ("dbscan", {"use_dbscan": True, "outlier_protection_percentage": 100}),
    ],
)
def test_an_outlier_method_removes_training_rows_judges_test_rows_and_objects_live(
    numbers, tmp_path, step, options
):
    features = numbers[0].copy()
    features[::50] *= 4
    result, live = with_steps((features, numbers[1]), tmp_path, **options)
    assert result.rows == 600 - 120 - 12 - result.outliers[step]
    assert (result.outliers[step] == 0) == (step == "di")  # its training rows are their own neighbours
    assert result.test_outliers > 0
    assert result.test_rows == 120 - result.test_outliers
    far = FAR if step != "svm" else -50 * live.pipeline.detectors[0].weights.astype(np.float32)
    answer = live.answer(far)  # on the far side of the SVM's plane, or just far
    assert answer.outlier_of == (step,)
    assert answer.values == live.values(far)
    assert (answer.di > 0.4) == (step == "di")
    assert live.answer(np.zeros(6, np.float32)).outlier_of == ()


def test_svm_params_reach_the_svm(numbers, tmp_path):
    few, _ = with_steps(numbers, tmp_path, use_svm=True, svm_params={"shuffle": False, "nu": 0.02})
    many, _ = with_steps(numbers, tmp_path, use_svm=True, svm_params={"shuffle": False, "nu": 0.2})
    assert many.outliers["svm"] > few.outliers["svm"]


def test_a_method_that_would_remove_too_much_is_left_out_and_reported(numbers, tmp_path):
    options = {"use_svm": True, "svm_params": {"shuffle": False, "nu": 0.2}}
    acting, _ = with_steps(numbers, tmp_path, **options, outlier_protection_percentage=100)
    result, live = with_steps(numbers, tmp_path, **options, outlier_protection_percentage=1)
    assert result.outliers == {}
    assert result.outliers_left_in == {"svm": acting.outliers["svm"]}
    assert result.rows == 468
    assert live.answer(FAR).outlier_of == ()


def test_the_label_is_scaled_by_the_rows_that_are_left_but_its_statistics_are_of_all(numbers, tmp_path):
    features, labels = (array.copy() for array in numbers)
    features[10], labels[10] = 30, 5  # an outlier with an absurd label
    options = {"use_svm": True, "svm_params": {"shuffle": False, "nu": 0.05}}
    _, live = with_steps((features, labels), tmp_path, **options)
    assert live.heads[0].scaling.high < 1
    assert live.heads[0].label_std == pytest.approx(labels[:468].std())


def test_a_test_without_a_row_that_would_be_predicted_judges_nothing(numbers, tmp_path):
    features = numbers[0].copy()
    features[480:] += 50
    result, _ = with_steps((features, numbers[1]), tmp_path, di_threshold=0.5)
    assert (result.test_rows, result.test_outliers, result.metrics) == (0, 120, {})


@pytest.mark.parametrize("way", [False, True])
def test_what_the_fit_knows_of_the_test_rows_is_judged_as_what_is_predicted(
    way, numbers, tmp_path, monkeypatch
):
    name = "LightGBMClassifier" if way else "LightGBMRegressor"
    cls = model_class(name, classifies=way)
    job = replace(
        JOB, model=name, targets=(WAY,) if way else JOB.targets, parameters={"early_stopping_rounds": 0}
    )
    features, labels = numbers[0], numbers[1] > 0 if way else numbers[1]
    predict, asked = cls.predict, []

    def counted(self, rows):
        asked.append(len(rows))
        return predict(self, rows)

    monkeypatch.setattr(cls, "predict", counted)
    known = trained(job, (features, labels.astype(float)), tmp_path)
    assert not asked
    monkeypatch.setattr(cls, "of_test", lambda _: None)
    predicted = trained(job, (features, labels.astype(float)), tmp_path)
    assert asked == [120]
    assert known.metrics == predicted.metrics


def test_noise_changes_the_model_and_not_what_it_predicts_from(numbers, tmp_path):
    plain, quiet = with_steps(numbers, tmp_path)
    noisy, live = with_steps(numbers, tmp_path, noise_standard_deviation=0.5)
    assert noisy.metrics["&-s_close"]["r2"] < plain.metrics["&-s_close"]["r2"]
    rows = SOME[None]
    assert live.pipeline.transform(rows).tobytes() == quiet.pipeline.transform(rows).tobytes()


def test_reversed_the_oldest_rows_judge(numbers, tmp_path):
    features, labels = (array.copy() for array in numbers)
    labels[:480] = np.abs(labels[:480])  # only old labels are all positive
    result = trained(replace(JOB, reverse_train_test_order=True), (features, labels), tmp_path)
    assert (result.rows, result.test_rows) == (120, 600 - 120 - 12)
    assert result.metrics["&-s_close"]["naive_hit_rate"] == 1
    assert result.label_mean["&-s_close"] == pytest.approx(labels[480:].mean())


def test_with_a_weight_factor_new_rows_count_for_more(numbers, tmp_path):
    features, labels = numbers
    turned = (features, np.where(np.arange(600) < 240, -labels, labels))  # the market has changed
    plain = trained(replace(JOB, parameters={}), turned, tmp_path).metrics["&-s_close"]["ic"]
    weighted = trained(replace(JOB, parameters={}, weight_factor=0.1), turned, tmp_path).metrics["&-s_close"][
        "ic"
    ]
    assert weighted > plain + 0.2


def test_without_a_test_all_rows_train(numbers, tmp_path):
    result = trained(replace(JOB, test_size=0, reverse_train_test_order=True), numbers, tmp_path)
    assert (result.rows, result.test_rows, result.metrics) == (600, 0, {})


def test_a_train_size_takes_the_newest_rows_before_the_test(numbers, tmp_path):
    labels = numbers[1]
    result = trained(replace(JOB, train_size=0.25), numbers, tmp_path)
    assert (result.rows, result.test_rows) == (150, 120)
    assert result.label_mean["&-s_close"] == pytest.approx(labels[468 - 150 : 468].mean())


def test_shuffled_the_test_is_drawn_at_random_by_the_seed(numbers, tmp_path):
    features, labels = numbers
    marked = (features, np.where(np.arange(600) < 300, labels, labels + 1))  # only new labels are about 1
    ordered = trained(JOB, marked, tmp_path)
    first, second, again = (
        trained(replace(JOB, shuffle=True, seed=seed), marked, tmp_path) for seed in (1, 2, 1)
    )
    assert (first.rows, first.test_rows) == (480, 120)
    assert ordered.label_mean["&-s_close"] == pytest.approx(168 / 468, abs=0.01)
    assert first.label_mean["&-s_close"] == pytest.approx(0.5, abs=0.1)
    assert first.label_mean["&-s_close"] == again.label_mean["&-s_close"] != second.label_mean["&-s_close"]


def test_shuffled_after_the_split_the_same_rows_train_in_another_order(numbers, tmp_path):
    plain, files = files_of(JOB, numbers, tmp_path)
    made, shuffled = files_of(replace(JOB, shuffle_after_split=True), numbers, tmp_path)
    model, pipeline = "cb_btc_1700000000_model.cbm", "cb_btc_1700000000_pipeline.json"
    assert shuffled[model] != files[model]
    assert shuffled[pipeline] == files[pipeline]
    assert made.label_mean["&-s_close"] == pytest.approx(plain.label_mean["&-s_close"])


def test_every_step_at_once_writes_the_same_bytes_again(numbers, tmp_path):
    options = PipelineOptions(
        principal_component_analysis=True,
        use_svm=True,
        di_threshold=0.9,
        use_dbscan=True,
        noise_standard_deviation=0.05,
    )
    job = replace(JOB, pipeline=options, shuffle=True, shuffle_after_split=True)
    assert TrainingJob.from_json(job.to_json()) == job
    first = files_of(job, numbers, tmp_path)[1]
    assert first == files_of(job, numbers, tmp_path)[1]
    endings = [name.removeprefix("cb_btc_1700000000_") for name in first]
    assert sorted(endings) == ["model.cbm", "pca.npy", "pipeline.json", "trained.npy"]


@pytest.mark.parametrize(("wanted", "seen"), [(1, 1), (2, 2), (0, 1)])
def test_threads_of_preparation_are_capped_and_those_of_the_fit_are_not(
    numbers, tmp_path, monkeypatch, wanted, seen
):
    counts = {}

    def noting(name):
        real = getattr(fit, name)

        def noted(*given, **more):
            counts[name] = max(
                pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"
            )
            return real(*given, **more)

        monkeypatch.setattr(fit, name, noted)

    noting("prepared")
    noting("fitted_head")
    with threadpool_limits(2):
        trained(replace(JOB, preparation_threads=wanted), numbers, tmp_path)
    assert counts == {"prepared": seen, "fitted_head": 2}


def test_libraries_that_came_in_since_the_last_training_are_capped_too(numbers, tmp_path, monkeypatch):
    looked = []

    class Looks(fit.ThreadpoolController):
        def __init__(self):
            looked.append(len(sys.modules))
            super().__init__()

    monkeypatch.setattr(fit, "ThreadpoolController", Looks)
    fit._threadpools.cache_clear()
    trained(JOB, numbers, tmp_path)  # brings what only a training needs
    del looked[:]
    trained(JOB, numbers, tmp_path)
    trained(JOB, numbers, tmp_path)
    assert len(looked) <= 1
    del looked[:]
    monkeypatch.setitem(sys.modules, "brings_a_library", sys)
    trained(JOB, numbers, tmp_path)
    assert len(looked) == 1
    fit._threadpools.cache_clear()
