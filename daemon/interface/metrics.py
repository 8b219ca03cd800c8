"""The daemon's figures as Prometheus metrics, made when they are asked for."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from daemon.interface import health

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from prometheus_client.metrics_core import Metric

    Figures = Callable[[], tuple[Mapping[str, Any], float]]


def registry(figures: Figures, folder: Path, labels: Mapping[str, str]) -> CollectorRegistry:
    """Everything that `/metrics` shows.

    Args:
        figures: the newest figures of the daemon, and how many real seconds old they are.
        folder: the state folder, whose disk is watched.
        labels: of ``candled_info``: version, identifier, exchange...
    """
    made = CollectorRegistry()
    ProcessCollector(registry=made)  # resident memory, processor time, open files
    made.register(_Figures(figures, folder, labels))
    return made


class _Figures(Collector):
    def __init__(self, figures: Figures, folder: Path, labels: Mapping[str, str]) -> None:
        self._figures = figures
        self._folder = folder
        self._labels = labels

    def describe(self) -> list[Metric]:
        return []  # the figures may not be there yet when the collector is registered

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("candled", "What runs here.", value=dict(self._labels))
        yield _gauge("candled_disk_free_bytes", "Free on the disk of the state folder.", self._free())
        figures, age_s = self._figures()
        if not figures:
            return
        yield _gauge("candled_live", "Whether the daemon lives.", not health.deaths(figures, age_s))
        yield _gauge("candled_ready", "Whether it is fit to trade.", not health.obstacles(figures, age_s))
        yield from _candles(figures)
        yield from _predictions(figures)
        yield from _models(figures)
        yield from _trainings(figures)
        yield from _events(figures)
        yield from _trading(figures.get("trading") or {}, gate_open=not any(health.closed_gates(figures)))

    def _free(self) -> float:
        try:
            return float(shutil.disk_usage(self._folder).free)
        except OSError:
            return float("nan")


def _candles(figures: Mapping[str, Any]) -> Iterator[Metric]:
    yield _counter("candled_candles", "Closed candles handled.", figures["ticks"])
    yield _counter("candled_candles_late", "Candles handled too late to trade on.", figures["late"])
    yield _counter("candled_candles_skipped", "Candles that no pair had.", figures["skipped"])
    last = figures["last_tick"]
    if last:
        delay_s = (last["handled_ms"] - last["close_ms"]) / 1000
        age_s = (figures["now_ms"] - last["close_ms"]) / 1000
        yield _gauge(
            "candled_candle_delay_seconds", "From its close to its end, newest candle, market time.", delay_s
        )
        yield _gauge("candled_candle_age_seconds", "Since the newest candle closed, market time.", age_s)
    yield _gauge("candled_timeframe_seconds", "Length of a candle.", figures["timeframe_ms"] / 1000)
    ticks = SummaryMetricFamily("candled_tick_seconds", "Real time of a candle by stage.", labels=["stage"])
    for stage, (count, seconds) in figures["stages"].items():
        ticks.add_metric([stage], count, seconds)
    yield ticks
    spread = GaugeMetricFamily(
        "candled_tick_percentile_seconds",
        "Real time of the newest candles.",
        labels=["training", "percentile"],
    )
    for name, training in (("idle", "no"), ("training", "yes")):
        for key, percentile in (("p50", "50"), ("p99", "99")):
            if key in figures["tick_ms"][name]:
                spread.add_metric([training, percentile], figures["tick_ms"][name][key] / 1000)
    yield spread


def _predictions(figures: Mapping[str, Any]) -> Iterator[Metric]:
    yield _counter("candled_predictions", "Predictions made.", figures["predictions"])
    reasons = CounterMetricFamily("candled_abstentions", "Candles without a prediction.", labels=["reason"])
    for reason, count in figures["abstention_reasons"].items():
        reasons.add_metric([reason], count)
    yield reasons


def _models(figures: Mapping[str, Any]) -> Iterator[Metric]:
    ages = GaugeMetricFamily(
        "candled_model_age_seconds", "Since the end of its window, market time.", labels=["pair"]
    )
    fit = GaugeMetricFamily("candled_model_fresh", "Whether the pair's model may predict.", labels=["pair"])
    skill = GaugeMetricFamily(
        "candled_model_skill", "Live skill over the newest predictions.", labels=["pair", "target", "metric"]
    )
    limit_ms = figures["expiration_ms"]
    for pair, row in figures["pairs"].items():
        age_ms = figures["now_ms"] - row["window_end_ms"] if "window_end_ms" in row else None
        if age_ms is not None:
            ages.add_metric([pair], age_ms / 1000)
        fit.add_metric([pair], age_ms is not None and (limit_ms is None or age_ms <= limit_ms))
        for target, metrics in (row.get("skill") or {}).items():
            for name, value in metrics.items():
                skill.add_metric([pair, target, name], value)
    yield from (ages, fit, skill)


def _trainings(figures: Mapping[str, Any]) -> Iterator[Metric]:
    queue = GaugeMetricFamily(
        "candled_queue_pairs", "Pairs by their state in the training queue.", labels=["state"]
    )
    attempts = GaugeMetricFamily(
        "candled_training_failures_in_a_row", "Failed trainings since a good one.", labels=["pair"]
    )
    states: dict[str, int] = dict.fromkeys(("idle", "queued", "training", "backing off"), 0)
    for pair, row in figures["pairs"].items():
        if "queue" in row:
            states[row["queue"]] = states.get(row["queue"], 0) + 1
            attempts.add_metric([pair], row["attempts"])
    for state, count in states.items():
        queue.add_metric([state], count)
    yield from (queue, attempts)
    ended = CounterMetricFamily("candled_trainings", "Trainings that ended.", labels=["outcome"])
    ended.add_metric(["good"], figures["trainings"])
    ended.add_metric(["failed"], figures["failed_trainings"])
    yield ended
    lasted = SummaryMetricFamily("candled_training_seconds", "Real time of a good training.")
    lasted.add_metric([], *figures["training_seconds"])
    yield lasted


def _events(figures: Mapping[str, Any]) -> Iterator[Metric]:
    events = CounterMetricFamily(
        "candled_events", "Warnings and errors in the log.", labels=["level", "event"]
    )
    counted = {"order": 0, "fill": 0}
    for level, event, count in figures["events"]:
        if event in counted:
            counted[event] = count
        else:
            events.add_metric([level, event], count)
    yield events
    yield _counter("candled_orders", "Orders sent since the start.", counted["order"])
    yield _counter("candled_fills", "Executions since the start.", counted["fill"])


def _trading(trading: Mapping[str, Any], *, gate_open: bool) -> Iterator[Metric]:
    """Nothing where there is no trading yet."""
    if not trading:
        return
    yield _gauge("candled_gate_open", "Whether anything may be entered.", gate_open)
    yield _gauge("candled_open_trades", "Trades that are open.", len(trading["open"]))
    yield _gauge("candled_open_orders", "Orders that the exchange has, or may have.", trading["orders"])
    yield _gauge("candled_account_worth", "The account, stake currency.", float(trading["worth"]))
    yield _gauge(
        "candled_closed_profit",
        "What closed trades have earned, stake currency.",
        float(trading["closed_profit"]),
    )
    yield _counter("candled_closed_trades", "Trades that were closed.", trading["closed"])
    held = GaugeMetricFamily("candled_balance", "The account by currency.", labels=["currency"])
    for currency, balance in trading["balances"].items():
        held.add_metric([currency], float(balance["free"]) + float(balance["used"]))
    yield held


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=float(value))


def _counter(name: str, words: str, value: float) -> Metric:
    return CounterMetricFamily(name, words, value=float(value))
