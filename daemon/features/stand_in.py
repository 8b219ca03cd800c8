"""The world that a strategy is examined in: candles up to a moment, and predictions that are made up.

The predictions are a fixed function of a candle's time, so that whatever changes with later candles is the
strategy's own doing.
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from daemon.core.candles import CandleFrame
from daemon.core.errors import StrategyError
from daemon.core.market import CandleKey
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe
from daemon.features.compute import BlockRows
from daemon.features.labels import LabelKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from daemon.features.labels import LabelColumn
    from daemon.strategy.hooks import Hooks

SIGNALS = ("enter_long", "exit_long", "enter_short", "exit_short")


class Stage:
    """Candles and predictions for a strategy under examination: both of its ports.

    Args:
        frame_of: all candles; raises KeyError for a series that is not fetched.
        pairs: the whitelist.

    Attributes:
        until_ms: moment up to which candles are closed and shown, ms UTC; None: all.
        labels: the targets that predictions are made up for.
        extra: extra returns, by name.
        features: features that begin with ``%%``: full name -> values, for the open times of a frame.
    """

    def __init__(self, frame_of: Callable[[CandleKey], CandleFrame], pairs: Sequence[Pair]) -> None:
        self._frame_of = frame_of
        self._pairs = pairs
        self.until_ms: int | None = None
        self.labels: Sequence[LabelColumn] = ()
        self.extra: Mapping[str, float | str] = {}
        self.features: Callable[[NDArray[np.int64]], Mapping[str, NDArray[np.float64]]] | None = None

    def candles(self, pair: str, timeframe: str) -> pd.DataFrame:
        """See `CandleSource`: a longer candle is shown from its own close on.

        Raises:
            StrategyError: the series is not fetched.
        """
        try:
            key = CandleKey(Pair(pair), Timeframe(timeframe))
            frame = self._frame_of(key)
        except (KeyError, ValueError) as exc:
            raise StrategyError(
                f"the strategy asks for candles of {pair} {timeframe}, which are not fetched"
            ) from exc
        if self.until_ms is not None:
            frame = frame.between(0, key.timeframe.newest_closed(self.until_ms))
        return frame.to_pandas()

    def analyzed(self, pair: str, timeframe: str) -> tuple[pd.DataFrame, datetime]:  # noqa: ARG002 - the port
        """See `CandleSource`: nothing was analysed before."""
        return CandleFrame.empty().to_pandas(), datetime.fromtimestamp(0, UTC)

    def whitelist(self) -> list[str]:
        """See `CandleSource`."""
        return [str(pair) for pair in self._pairs]

    def attach(self, pair: str, frame: pd.DataFrame) -> pd.DataFrame:  # noqa: ARG002 - the port
        """See `PredictionSource`."""
        open_ms = frame["date"].dt.as_unit("ms").astype("int64").to_numpy()
        added: dict[str, object] = {}
        if self.features is not None:
            added.update(self.features(open_ms))
        for label in self.labels:
            added.update(_predicted(label, open_ms))
        added["do_predict"] = np.where(_chance("do_predict", open_ms) < 0.9, 1.0, 0.0)
        added["DI_values"] = _chance("DI_values", open_ms)
        added.update(self.extra)
        kept = [name for name in frame.columns if not str(name).startswith("&") and name not in added]
        columns = pd.Index(list(added), dtype=object)  # see CandleFrame.to_pandas
        predictions = pd.DataFrame(added, index=frame.index).set_axis(columns, axis=1)
        return pd.concat([frame[kept], predictions], axis=1)


class SignalRows:
    """The strategy's frames as rows of numbers: candles in, everything that ``populate_*`` made out.

    Attributes:
        words: texts and other objects that the frames hold, by the number that stands for each.
        numbers: the other way round.
    """

    def __init__(self, hooks: Hooks, stage: Stage, pair: Pair, base: Timeframe) -> None:
        self._hooks = hooks
        self._stage = stage
        self._pair = pair
        self._base = base
        self.words: dict[float, str] = {}
        self.numbers: dict[str, float] = {}

    def __call__(self, frame: CandleFrame) -> BlockRows:
        """Rows of the frame that the hooks make of these candles, at the close of the last one.

        Raises:
            StrategyError: a hook raised.
        """
        self._stage.until_ms = int(frame.open_ms[-1]) + self._base.ms
        try:
            made = self._hooks.populate(frame.to_pandas(), {"pair": str(self._pair)})
        finally:
            self._stage.until_ms = None
        columns: dict[str, NDArray[np.float64]] = {}
        for i, name in enumerate(map(str, made.columns)):
            if name not in SIGNALS and name not in columns:
                columns[name] = self._column(made.iloc[:, i])
        for name in SIGNALS:  # absent, 0 and NaN are the same: no signal
            asked = self._column(made[name]) if name in made.columns else np.zeros(len(made))
            columns[name] = (asked == 1).astype(np.float64)
        return BlockRows(tuple(columns), np.column_stack(list(columns.values())))

    def _column(self, series: pd.Series) -> NDArray[np.float64]:
        dtype = series.dtype
        if pd.api.types.is_datetime64_any_dtype(dtype):
            stamps = series.dt.as_unit("ms")
            times: NDArray[np.float64] = stamps.astype("int64").to_numpy(np.float64)
            times[stamps.isna().to_numpy()] = np.nan
            return times
        if pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype):
            return series.to_numpy(np.float64, na_value=np.nan)
        return np.array([self._number(value) for value in series], np.float64)

    def _number(self, value: object) -> float:
        if isinstance(value, int | float):
            return float(value)
        text = "" if value is None or value is pd.NA or value is pd.NaT else str(value)
        if text not in self.numbers:
            # Far from any price, so that a column of numbers and texts keeps them apart.
            self.numbers[text] = 1e300 * (1 + len(self.numbers) / 1e6)
            self.words[self.numbers[text]] = text
        return self.numbers[text]


def _predicted(label: LabelColumn, open_ms: NDArray[np.int64]) -> dict[str, object]:
    """The columns of one target: values as wide as the target's own."""
    chance = _chance(label.name, open_ms)
    if label.kind is LabelKind.NUMBER:
        known = label.numbers[label.known]
        mean, std = (float(known.mean()), float(known.std())) if len(known) else (0.0, 1.0)
        return {
            label.name: mean + std * (4 * chance - 2),
            f"{label.name}_mean": mean,
            f"{label.name}_std": std,
        }
    classes = label.class_names or ("",)
    made: dict[str, object] = {
        label.name: np.array(classes, dtype=object)[(chance * len(classes)).astype(int)],
        f"{label.name}_mean": 0.0,
        f"{label.name}_std": 0.0,
    }
    shares = np.stack([_chance(f"{label.name} {name}", open_ms) + 1e-6 for name in classes])
    shares /= shares.sum(axis=0)
    for name, share in zip(classes, shares, strict=True):
        made |= {name: share, f"{name}_mean": 1 / len(classes), f"{name}_std": 0.2}
    return made


def _chance(name: str, open_ms: NDArray[np.int64]) -> NDArray[np.float64]:
    """A number from 0 to 1 for each candle: always the same one for a name and a time (SplitMix64)."""
    start = zlib.crc32(name.encode()) * 0x9E3779B97F4A7C15 % 2**64
    x = open_ms.astype(np.uint64) + np.uint64(start)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)).astype(np.float64) / 2.0**53
