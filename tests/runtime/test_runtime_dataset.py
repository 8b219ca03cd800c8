from dataclasses import replace

import numpy as np
import pytest
from desk import BASE, DAY_MS, NOW_MS, PAIRS

from daemon.core.candles import CandleFrame
from daemon.core.errors import Refused, StrategyError
from daemon.core.market import CandleKey
from daemon.features.columns import ReadColumns
from daemon.features.compute import BlockComputer
from daemon.features.store import FeatureStore
from daemon.learning.job import Target
from daemon.learning.options import PipelineOptions
from daemon.learning.split import split_by_time
from daemon.runtime.dataset import TrainingOptions, data_set

BTC, ETH, SOL = PAIRS
OPTIONS = TrainingOptions(
    train_period_ms=2 * DAY_MS,
    label_period_candles=12,
    buffer_train_data_candles=0,
    model="CatboostRegressor",
    parameters={"iterations": 5},
    test_size=0.2,
    weight_factor=0.5,
    seed=3,
    threads=1,
)
CLASSIFIER = replace(OPTIONS, model="CatboostClassifier")
ROWS = 2 * DAY_MS // BASE.ms


@pytest.fixture
def made(hooks, plan, candles):
    """made(options, strategy, close_ms, frame_of): the data set of SOL."""

    def build(options=OPTIONS, *, strategy="Plain", close_ms=NOW_MS, frame_of=None, pair=SOL):
        frames = frame_of or (lambda key: candles(key, NOW_MS + DAY_MS // 2))
        loaded = hooks(strategy)
        return data_set(
            pair,
            close_ms,
            options,
            features=FeatureStore(plan, BlockComputer(loaded, plan, 256), frames),
            hooks=loaded,
            frame_of=frames,
            give_way=lambda: None,
        )

    return build


def test_the_window_is_the_train_period_before_the_close(made):
    found = made()
    assert (found.first_ms, found.window_end_ms) == (NOW_MS - 2 * DAY_MS, NOW_MS)
    assert found.features.shape == (ROWS, len(found.job.features))
    assert found.labels.shape == (ROWS, 1)
    assert found.job.file_stem == f"cb_sol_{NOW_MS // 1000}"


def test_nothing_later_than_the_close_is_read(made, candles):
    cut = made(frame_of=lambda key: candles(key, NOW_MS))
    found = made()  # half a day of later candles is in memory
    assert found.features.matrix().tobytes() == cut.features.matrix().tobytes()
    assert np.array_equal(found.labels, cut.labels, equal_nan=True)
    assert np.isnan(found.labels[-12:]).all()
    assert np.isfinite(found.labels[:-12]).all()  # the hook sees the candles before the window


def test_a_label_is_the_one_of_its_own_row(made, candles):
    found = made()
    close = candles(CandleKey(SOL, BASE), NOW_MS, 2).close
    assert found.labels[100] == pytest.approx(close[101:113].mean() / close[100] - 1)


def test_a_target_may_be_made_of_features(hooks, plan, candles):
    def frames(key):
        return candles(key, NOW_MS)

    def close(pair):
        return frames(CandleKey(pair, BASE)).between(NOW_MS - 2 * DAY_MS, NOW_MS).close

    loaded = hooks("ReadsForTargets")
    computer = BlockComputer(loaded, plan, 64, ReadColumns(standard=True, targets=True))
    found = data_set(
        SOL,
        NOW_MS,
        OPTIONS,
        features=FeatureStore(plan, computer, frames),
        hooks=loaded,
        frame_of=frames,
        give_way=lambda: None,
    )
    own, other = close(SOL), close(BTC)
    expected = own[12:] / own[:-12] - other[12:] / other[:-12]
    assert [target.name for target in found.job.targets] == ["&-beyond"]
    assert found.labels[:-12, 0] == pytest.approx(expected, abs=1e-12)
    assert {piece.values.dtype for piece in found.features.pieces} == {np.dtype(np.float32)}


def test_the_window_ends_with_the_newest_candle_that_is_here(made, candles):
    found = made(frame_of=lambda key: candles(key, NOW_MS - 3 * BASE.ms))
    assert found.window_end_ms == NOW_MS - 3 * BASE.ms
    assert found.first_ms == NOW_MS - 2 * DAY_MS


@pytest.mark.parametrize(("label_period", "horizon"), [(3, 12), (12, 12), (40, 40)])
def test_the_purge_covers_what_the_label_really_looks_ahead(made, hooks, label_period, horizon):
    found = made(replace(OPTIONS, label_period_candles=label_period))
    assert found.job.horizon == horizon
    known = np.flatnonzero(np.isfinite(found.labels[:, 0]))
    train, test = split_by_time(len(known), found.job.test_size, found.job.horizon)
    assert known[train][-1] + 12 < known[test][0]  # no training label sees a price of the test


def test_the_librarys_parameters_go_into_the_job(made):
    assert made().job.parameters == {"iterations": 5}


def test_buffer_candles_are_cut_off_both_ends(made):
    whole, cut = made(), made(replace(OPTIONS, buffer_train_data_candles=50))
    assert cut.features.matrix().tobytes() == whole.features.matrix()[50:-50].tobytes()
    assert np.array_equal(cut.labels, whole.labels[50:-50])
    assert cut.job.horizon == 12
    assert cut.window_end_ms == NOW_MS


@pytest.mark.parametrize("buffer", [ROWS // 2, ROWS])
def test_a_buffer_that_leaves_nothing_is_refused(made, buffer):
    with pytest.raises(
        Refused, match=rf"buffer_train_data_candles {buffer} leaves none of .* {ROWS} candles"
    ):
        made(replace(OPTIONS, buffer_train_data_candles=buffer))


def test_a_pair_without_candles_is_refused(made, candles):
    with pytest.raises(Refused, match=r"SOL/USDT: no candles in the training window"):
        made(frame_of=lambda key: candles(key, NOW_MS - 3 * DAY_MS))


@pytest.mark.parametrize("days", [3, 30])
def test_a_correlated_pair_without_candles_is_named(made, candles, days):
    def frame_of(key):
        return candles(key, NOW_MS - days * DAY_MS) if key.pair == BTC else candles(key)

    with pytest.raises(Refused, match=r"BTC/USDT 5m has no candles in the training window of SOL/USDT"):
        made(frame_of=frame_of)


def test_a_series_that_was_never_served_is_named(made, candles):
    def frame_of(key):
        return CandleFrame.empty() if key == ("BTC/USDT", "15m") else candles(key)

    with pytest.raises(Refused, match=r"BTC/USDT 15m has no candles"):
        made(frame_of=frame_of)


def test_classes_are_coded_in_the_order_of_their_names(made, candles):
    found = made(CLASSIFIER, strategy="Classes")
    close = candles(CandleKey(SOL, BASE), NOW_MS, 2).close
    up = close[12:] > close[:-12]
    assert found.job.targets[0].classes == ("down", "up")
    assert found.labels[:-12, 0].tolist() == up.astype(float).tolist()


def test_numbers_in_a_column_of_objects_are_numbers_and_no_classes(made):
    found = made(strategy="NumbersAsObjects")
    assert found.job.targets == (Target(name="&-s_close"),)
    assert np.isfinite(found.labels[:-12]).all()
    assert np.isnan(found.labels[-12:]).all()


def test_several_targets_stand_side_by_side(made):
    found = made(strategy="Mixed")
    assert found.job.targets == (
        Target(name="&-s_close"),
        Target(name="&s-hour", classes=("down", "up")),
        Target(name="&s-day", classes=("down_day", "up_day")),
    )
    assert found.labels.shape == (ROWS, 3)
    assert np.array_equal(found.labels[:, :1], made().labels, equal_nan=True)
    hour = made(CLASSIFIER, strategy="Classes")
    assert np.array_equal(found.labels[:, 1], hour.labels[:, 0], equal_nan=True)


def test_the_purge_covers_the_target_that_looks_farthest_ahead(made):
    assert made(replace(OPTIONS, label_period_candles=1), strategy="TwoTargets").job.horizon == 2


def test_candles_whose_class_nobody_knows_yet_have_none(made):
    """np.where(NaN > x, "up", "down") says "down" for the newest candles."""
    found = made(CLASSIFIER, strategy="Classes")
    assert np.isnan(found.labels[-12:]).all()


def test_ones_and_zeros_that_nobody_knows_yet_are_none(made, candles):
    found = made(strategy="Compared")
    close = candles(CandleKey(SOL, BASE), NOW_MS, 2).close
    assert found.labels[:-12, 0].tolist() == (close[12:] > close[:-12]).astype(float).tolist()
    assert np.isnan(found.labels[-12:]).all()


def test_a_class_target_without_any_value_is_refused(made):
    with pytest.raises(Refused, match=r"label '&s-kind' has no value in the whole training window"):
        made(CLASSIFIER, strategy="Unclassed")


@pytest.mark.parametrize(
    ("strategy", "options", "words"),
    [
        ("Classes", OPTIONS, "CatboostRegressor, which learns numbers: .* CatboostClassifier"),
        ("Plain", CLASSIFIER, "CatboostClassifier, which learns text: .* CatboostRegressor"),
        ("TwoTargets", CLASSIFIER, "target '&-a', '&-b' does not fit CatboostClassifier"),
        (
            "Mixed",
            replace(OPTIONS, model="SKLearnRandomForestClassifier"),
            "'&-s_close' does not fit SKLearnRandomForestClassifier, whose library .* numbers: take",
        ),
        ("SameClasses", OPTIONS, "targets '&s-hour' and '&s-day' both make a column 'down'.*name of its own"),
        ("ClassesLikeCandles", CLASSIFIER, "'&s-up_or_down' has a class 'high', .* such as 'high_class'"),
        ("NoTarget", OPTIONS, "made no target"),
        ("DoubledTarget", OPTIONS, "two columns of one name: &-s_close"),
    ],
)
def test_targets_that_do_not_fit_the_model_are_the_strategys_fault(made, strategy, options, words):
    with pytest.raises(StrategyError, match=words):
        made(options, strategy=strategy)


def test_the_job_says_all_that_decides_the_model(made):
    job = made().job
    assert (job.pair, job.targets, job.model) == (
        "SOL/USDT",
        (Target(name="&-s_close"),),
        "CatboostRegressor",
    )
    assert (job.test_size, job.weight_factor, job.seed, job.threads) == (0.2, 0.5, 3, 1)
    assert job.parameters == {"iterations": 5}
    assert job.features[0] == "%-rsi-period_10_SOL/USDT_5m"


def test_extra_returns_go_with_the_job_unless_they_would_hide_a_column(made):
    assert made(replace(OPTIONS, extra_returns={"threshold": 0.7})).job.extra_returns == {"threshold": 0.7}
    for name in ("&-s_close", "up_day"):
        with pytest.raises(StrategyError, match=f"extra_returns_per_train has '{name}'"):
            made(replace(OPTIONS, extra_returns={name: 1.0}), strategy="Mixed")


def test_the_job_says_how_many_rows_train(made):
    assert made().job.train_size is None
    assert made(replace(OPTIONS, train_size=0.5)).job.train_size == 0.5


def test_the_job_says_how_rows_are_split_and_prepared(made):
    plain = made().job
    assert (plain.shuffle, plain.shuffle_after_split, plain.reverse_train_test_order) == (False, False, False)
    assert plain.pipeline == PipelineOptions()
    pipeline = PipelineOptions(di_threshold=0.9, use_svm=True)
    job = made(
        replace(
            OPTIONS, shuffle=True, shuffle_after_split=True, reverse_train_test_order=True, pipeline=pipeline
        )
    ).job
    assert (job.shuffle, job.shuffle_after_split, job.reverse_train_test_order) == (True, True, True)
    assert job.pipeline == pipeline


def test_it_gives_way_before_each_piece_of_work(hooks, plan, candles):
    loaded, calls = hooks(), []
    data_set(
        SOL,
        NOW_MS,
        OPTIONS,
        features=FeatureStore(plan, BlockComputer(loaded, plan, 256), candles),
        hooks=loaded,
        frame_of=candles,
        give_way=lambda: calls.append(1),
    )
    assert len(calls) == 8  # hooks of blocks, targets, and what is gathered
