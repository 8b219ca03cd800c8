"""What a strategy sees: frames of candles, its own analysed frames, and prediction columns."""

from __future__ import annotations

import contextlib
import threading
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from daemon.core.candles import CandleFrame
from daemon.core.errors import StrategyError
from daemon.core.market import CandleKey
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe
from daemon.features.labels import LabelKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from daemon.features.labels import LabelColumn
    from daemon.state.history import PredictionHistory

CANDLES = 999
"""Rows of the frame that populate_indicators gets, as many as freqtrade has from one request to Binance."""


class StrategyView:
    """The strategy's window on the daemon: candles in, prediction columns added.

    Inside, "no prediction" is NaN or an empty text; here, at the strategy's door, it becomes what FreqAI
    hands out: 0 in the label and in ``do_predict``, so that comparisons written for FreqAI mean the same.

    Args:
        frame_of: candles in memory; raises KeyError for a series that is not fetched.
        history: predictions on record.
        pairs: the whitelist.
        base: timeframe of predictions.
    """

    def __init__(
        self,
        *,
        frame_of: Callable[[CandleKey], CandleFrame],
        history: PredictionHistory,
        pairs: Sequence[Pair],
        base: Timeframe,
    ) -> None:
        self._frame_of = frame_of
        self._history = history
        self._pairs = pairs
        self._supposed = threading.local()
        self._base = base
        self._columns = _columns(())
        self._features: Callable[[Pair, NDArray[np.int64]], Mapping[str, NDArray[np.float64]]] | None = None
        self._analysed: dict[str, tuple[pd.DataFrame, datetime]] = {}

    def expect(
        self, labels: Sequence[LabelColumn], extra_returns: Mapping[str, float | str] | None = None
    ) -> None:
        """Have the columns of these targets and extra returns from now on, also before any model predicts them."""
        extra = {name: "" if isinstance(value, str) else 0.0 for name, value in (extra_returns or {}).items()}
        self._columns = {**_columns(labels), **extra}

    def show(self, features: Callable[[Pair, NDArray[np.int64]], Mapping[str, NDArray[np.float64]]]) -> None:
        """Have these features, by name, in what `attach` returns from now on: `FeatureStore.handed_on`."""
        self._features = features

    def frame(self, pair: Pair) -> pd.DataFrame:
        """A new frame of the newest base candles."""
        return self._frame_of(CandleKey(pair, self._base))[-CANDLES:].to_pandas()

    def keep(self, pair: Pair, analysed: pd.DataFrame) -> None:
        """Remember the strategy's frame for ``dp.get_analyzed_dataframe``."""
        closed_ms = int(analysed["date"].iloc[-1].timestamp() * 1000) + self._base.ms
        self._analysed[pair] = (analysed, datetime.fromtimestamp(closed_ms / 1000, UTC))

    def attach(self, pair: str, frame: pd.DataFrame) -> pd.DataFrame:
        """``frame`` plus, for its dates, the prediction columns and the features that begin with ``%%``: what ``self.freqai.start`` returns.

        Args:
            pair: the pair.
            frame: candles with a ``date`` column, any length; columns that begin with ``&`` are replaced.
        """
        open_ms = frame["date"].to_numpy("datetime64[ms]").view(np.int64)
        columns = self._columns
        known = self._history.window(Pair(pair), open_ms, _OWN - columns.keys())
        added: dict[str, NDArray[Any]] = {}
        if self._features is not None and len(frame):
            added.update(self._features(Pair(pair), open_ms))
        for name, nothing in columns.items():
            values = known.get(name)
            added[name] = np.full(len(frame), nothing) if values is None else _filled(values)
        for name, values in known.items():  # columns of an earlier strategy, extra returns of a model
            if name not in added:
                added[name] = _filled(values)
        replaced = [name for name in frame.columns if str(name).startswith("&") or name in added]
        kept = frame.drop(columns=replaced) if replaced else frame
        parts = [kept, *_frames(added, frame.index)]
        made = pd.concat(parts, axis=1, ignore_index=True)
        # Python strings again, as in `CandleFrame.to_pandas`: joined by name, pandas would make them an Arrow index.
        made.columns = pd.Index([name for part in parts for name in part.columns], dtype=object)
        return made

    def candles(self, pair: str, timeframe: str) -> pd.DataFrame:
        """Closed candles for ``dp.get_pair_dataframe``.

        Raises:
            StrategyError: the daemon does not fetch that pair and timeframe.
        """
        return self._frame(pair, timeframe)[-CANDLES:].to_pandas()

    def analyzed(self, pair: str, timeframe: str) -> tuple[pd.DataFrame, datetime]:
        """The strategy's newest analysed frame and its candle's close; an empty frame before the first."""
        if timeframe == self._base and pair in self._analysed:
            return self._analysed[pair]
        return CandleFrame.empty().to_pandas(), datetime.fromtimestamp(0, UTC)

    def whitelist(self) -> list[str]:
        """The pairs, in the configured order."""
        return [str(pair) for pair in getattr(self._supposed, "pairs", self._pairs)]

    def take(self, pairs: Sequence[Pair]) -> None:
        """Have another whitelist from now on; called from any thread."""
        self._pairs = pairs

    @contextlib.contextmanager
    def supposing(self, pairs: Sequence[Pair]) -> Iterator[None]:
        """Meanwhile, in this thread alone: as if these were the whitelist; to ask a strategy what it would read."""
        self._supposed.pairs = pairs
        try:
            yield
        finally:
            del self._supposed.pairs

    def _frame(self, pair: str, timeframe: str) -> CandleFrame:
        try:
            return self._frame_of(CandleKey(Pair(pair), Timeframe(timeframe)))
        except (KeyError, ValueError) as exc:
            raise StrategyError(
                f"the strategy asks for candles of {pair} {timeframe}, which are not fetched: add the pair to "
                "exchange.pair_whitelist or freqai.feature_parameters.include_corr_pairlist, and the timeframe to "
                "freqai.feature_parameters.include_timeframes"
            ) from exc


_OWN = frozenset({"model", "abstention", "late", "high_price", "low_price", "close_price"})
"""Columns of the record that FreqAI does not hand to strategies under these names, or only in part."""


def _columns(labels: Sequence[LabelColumn]) -> dict[str, float | str]:
    """Prediction columns, each with what stands for "nothing" in it."""
    columns: dict[str, float | str] = {}
    for label in labels:
        names = [label.name, *label.class_names]
        for name in names:
            columns[name] = "" if name == label.name and label.kind is LabelKind.CLASS else 0.0
        columns.update({f"{name}_{end}": 0.0 for name in names for end in ("mean", "std")})
    return {**columns, "do_predict": 0.0, "DI_values": 0.0}


def _frames(columns: Mapping[str, NDArray[Any]], index: pd.Index) -> Iterator[pd.DataFrame]:
    """The columns in their order; neighbours of one type as one array, which is what pandas joins fastest."""
    for _, group in groupby(columns.items(), key=lambda item: item[1].dtype):
        names, arrays = zip(*group, strict=True)
        # An index of Python strings, as in `CandleFrame.to_pandas`.
        yield pd.DataFrame(np.stack(arrays).T, index, pd.Index(names, dtype=object), copy=False)


def _filled(values: np.ndarray) -> np.ndarray:
    return np.nan_to_num(values, nan=0.0) if values.dtype.kind == "f" else values
