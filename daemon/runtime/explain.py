"""``candled explain``: a prediction made again from the artifact and the stored candles, and taken apart.

Nothing of a running daemon is needed or touched: files are read, and nothing is written.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.core.errors import ConfigError, Refused
from daemon.core.market import CandleKey
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe
from daemon.features.compute import SPAN, BlockComputer
from daemon.features.store import FeatureStore
from daemon.learning.explain import explanations
from daemon.market.feed import Feed
from daemon.market.store import CandleStore
from daemon.runtime.preparation import FIRST_GUESS
from daemon.runtime.recipe import feature_plan
from daemon.runtime.strategy_view import StrategyView
from daemon.runtime.training_record import model_of
from daemon.runtime.user_models import use_model
from daemon.runtime.world import candle_folder, market_clock, market_of, recorded_ms, strategy_folders
from daemon.state.artifacts import ArtifactStore
from daemon.state.folder import StateFolder
from daemon.state.history import PredictionHistory
from daemon.state.pair_dictionary import PairDictionary
from daemon.strategy.hooks import Hooks
from daemon.strategy.loader import load_strategy
from daemon.strategy.ports import bind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from daemon.config import Settings
    from daemon.core.candles import CandleFrame
    from daemon.core.clock import Clock
    from daemon.features.plan import FeaturePlan
    from daemon.learning.live import LiveModel
    from daemon.state.artifacts import Artifact

FETCH_S = 60.0
"""Longest time that candles are fetched which no file holds yet, real seconds."""

Frames = dict[CandleKey, "CandleFrame"]


@dataclass(frozen=True, slots=True)
class _Subject:
    """Which prediction is explained, by which model, and what is to be said about the choice."""

    candle_ms: int
    artifact: Artifact
    recorded: Mapping[str, float | str]
    remarks: tuple[str, ...]


def explained(settings: Settings, pair: Pair, candle_ms: int | None) -> dict[str, Any]:
    """Take the prediction for a candle apart.

    Args:
        settings: which state folder, strategy and market.
        pair: the pair.
        candle_ms: open time of the candle, ms UTC; None: the newest one that was predicted on.

    Returns:
        JSON values: pair, candle_ms, model, remarks, components (whether the columns are principal components) and
        targets: for each target said, probability, expected, total, recorded (None without one) and features, each
        with name, value and contribution, the largest contribution first.

    Raises:
        ConfigError: there is no such candle, model or prediction.
        Refused: the features do not fit the model, or it has no SHAP values.
    """
    folder = StateFolder(settings.identifier_folder)
    history, book = PredictionHistory.read(folder), PairDictionary.read(folder)
    subject = _subject(
        pair, candle_ms, settings=settings, history=history, store=ArtifactStore(folder), book=book
    )
    use_model(settings)
    model = model_of(subject.artifact)
    clock = market_clock(settings, recorded_ms(settings, history, book))
    row = _row(settings, subject, model, history, clock)
    shown = [
        {
            "target": each.target,
            "said": each.said,
            "probability": each.probability if np.isfinite(each.probability) else None,
            "expected": each.expected,
            "total": each.total,
            "recorded": subject.recorded.get(each.target),
            "features": [
                {
                    "name": each.names[i],
                    "value": float(each.values[i]),
                    "contribution": float(each.contributions[i]),
                }
                for i in np.argsort(-np.abs(each.contributions), kind="stable")
            ],
        }
        for each in explanations(model, row)
    ]
    return {
        "pair": str(pair),
        "candle_ms": subject.candle_ms,
        "model": subject.artifact.name,
        "remarks": list(subject.remarks),
        "components": any(step.name == "pca" for step in model.pipeline.transforms),
        "targets": shown,
    }


def _subject(
    pair: Pair,
    candle_ms: int | None,
    *,
    settings: Settings,
    history: PredictionHistory,
    store: ArtifactStore,
    book: PairDictionary,
) -> _Subject:
    made = _predictions(history, pair)
    if candle_ms is None:
        if not made:
            raise ConfigError(f"{pair}: no prediction on record yet; name a candle with --candle")
        candle_ms = max(made)
    if candle_ms % settings.timeframe.ms:
        raise ConfigError(f"--candle: no {settings.timeframe} candle opens at that time")
    recorded, remarks = made.get(candle_ms, {}), []
    name, live = str(recorded.get("model", "")), book.entry(pair).data_path
    if not recorded:
        remarks.append("there is no prediction of this candle on record: this is what the live model says")
    elif name not in store.names_of(pair):
        remarks.append(
            f"the model that predicted, {name}, is not on the disk any more (freqai.purge_old_models): "
            "this is what the live model says"
        )
        recorded = {}
    chosen = name if recorded else live
    if not chosen:
        raise ConfigError(f"{pair} has no model yet")
    artifact = store.open(chosen)
    if artifact.trained_s * 1000 > candle_ms + settings.timeframe.ms:
        remarks.append("that model was trained on later candles: it would not have been asked")
    return _Subject(candle_ms, artifact, recorded, tuple(remarks))


def _predictions(history: PredictionHistory, pair: Pair) -> dict[int, dict[str, float | str]]:
    """Recorded predictions by open time, without abstentions."""
    frame = history.frame(pair)
    if "model" not in frame:
        return {}
    frame = frame[frame["model"] != ""]
    times = frame["date_pred"].astype("int64").tolist()
    rows = frame.drop(columns="date_pred").to_dict("records")
    return {ms: {str(k): v for k, v in row.items()} for ms, row in zip(times, rows, strict=True)}


def _row(
    settings: Settings, subject: _Subject, model: LiveModel, history: PredictionHistory, clock: Clock
) -> NDArray[np.float32]:
    """The features of the candle, made as the daemon makes them."""
    plan, pair = feature_plan(settings), model.pair
    strategy = load_strategy(settings.strategy, paths=strategy_folders(settings), config=settings.raw)
    hooks, frames = Hooks(strategy), Frames()
    view = StrategyView(
        frame_of=frames.__getitem__, history=history, pairs=settings.pairs, base=settings.timeframe
    )
    bind(strategy, predictions=view, candles=view, clock=clock)
    warm_up = int(subject.artifact.metadata.get("warm_up", FIRST_GUESS))
    beside = [
        CandleKey(Pair(other), Timeframe(length)) for other, length in hooks.candles_read([*settings.pairs])
    ]
    keys = list(dict.fromkeys([*plan.candle_keys((pair,)), *beside]))
    frames.update(
        _frames(settings, keys, plan=plan, candle_ms=subject.candle_ms, warm_up=warm_up, clock=clock)
    )
    hooks.bot_start()
    features = FeatureStore(plan, BlockComputer(hooks, plan, warm_up), frames.__getitem__)
    matrix = features.matrix(pair, np.array([subject.candle_ms], np.int64))
    if matrix.schema != model.schema:
        raise Refused(
            f"the strategy makes other features now than {model.name} was trained on: "
            f"{model.schema.difference(matrix.schema)}"
        )
    row: NDArray[np.float32] = matrix.values[0]
    lacking = np.flatnonzero(~np.isfinite(row))
    if len(lacking):
        raise Refused(
            f"{len(lacking)} features of this candle have no value, the first is {matrix.schema.names[lacking[0]]}"
        )
    return row


def _frames(
    settings: Settings,
    keys: Sequence[CandleKey],
    *,
    plan: FeaturePlan,
    candle_ms: int,
    warm_up: int,
    clock: Clock,
) -> Frames:
    """Candles up to the close of the first key's one, from the files; what none holds yet is fetched, and not stored.

    A running daemon writes its candles now and then: the newest may be in its memory alone.
    """
    store = CandleStore(candle_folder(settings), lambda _path, _writer: None, lambda path: path)
    close_ms = candle_ms + plan.base.ms
    newest = {key: key.timeframe.newest_closed(close_ms) for key in keys}
    since = {key: newest[key] - (SPAN + warm_up + plan.shifts + 1) * key.timeframe.ms for key in keys}
    stored = {key: store.read(key) for key in keys}
    if any(not len(frame.between(newest[key], newest[key])) for key, frame in stored.items()):
        feed = fetched(settings, store, keys, since, clock)
        stored = {key: feed(key) for key in keys}
    frames = {key: frame.between(since[key], newest[key]) for key, frame in stored.items()}
    base = frames[keys[0]]
    if not len(base) or base.open_ms[-1] != candle_ms:
        raise ConfigError(
            f"the candle is neither in {store.folder} nor does {settings.exchange.name} serve it"
        )
    return frames


def fetched(
    settings: Settings,
    store: CandleStore,
    keys: Sequence[CandleKey],
    since: Mapping[CandleKey, int],
    clock: Clock,
) -> Callable[[CandleKey], CandleFrame]:
    """Candles of the files and, where these lack some, of the exchange; nothing is stored."""
    stop, market = threading.Event(), market_of(settings, clock)
    timer = threading.Timer(FETCH_S, stop.set)
    timer.daemon = True
    timer.start()
    try:
        feed = Feed(market=market, store=store, keys=keys, clock=clock)
        feed.warm_up(since, stop)
    finally:
        timer.cancel()
        market.close()
    return feed.frame
