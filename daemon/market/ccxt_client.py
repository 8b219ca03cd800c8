"""One ccxt exchange, for candles and orders: its settings, its answers as they were served, its errors as ours.

The only file that constructs a ccxt client. Importing it costs about a second, so it is imported where
an exchange is really used.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ccxt.async_support as ccxt

from daemon.core.errors import CandledError, ConfigError, RateLimited, Refused, Retryable
from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe
from daemon.market.ccxt_errors import FOREIGN, RATE_LIMITS, as_ours, said
from daemon.market.ccxt_wire import Trip, Wire
from daemon.market.silence import TOO_MANY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from daemon.core.clock import Clock
    from daemon.core.market import CandleRequest
    from daemon.market.exchange_time import ExchangeTime
    from daemon.market.silence import Silence

log = logging.getLogger(__name__)

Row = list[Any] | None
"""A candle as ccxt reads it, ``[open_ms, open, high, low, close, volume]``; None if it cannot."""

_DEFAULT_PAGE = 500
CREDENTIALS = {
    "key": "apiKey",
    "account_id": "accountId",
    "wallet_address": "walletAddress",
    "private_key": "privateKey",
}
"""Names of secrets: freqtrade's, where they are not ccxt's own, and ccxt's."""


class CcxtClient:
    """What the adapter asks of ccxt. Its coroutines run in one event loop, and raise our errors only.

    Args:
        exchange_id: as ccxt names it.
        layers: settings for ccxt's constructor, later ones win; merged, at every depth, over what ccxt
            itself says about the exchange.
        credentials: by freqtrade's names or ccxt's.
        stream: whether it shall be able to watch what happens on the account, where ccxt.pro can.
        silence: is told when the exchange refuses requests as too many.
        time: is told what the exchange's clock says; signed requests are stamped by it.
        clock: real time.

    Raises:
        ConfigError: no such exchange, one without candles, or settings that ccxt does not take.
    """

    def __init__(
        self,
        exchange_id: str,
        *,
        layers: tuple[Mapping[str, Any], ...],
        credentials: Mapping[str, str],
        silence: Silence,
        time: ExchangeTime,
        clock: Clock,
        stream: bool = False,
    ) -> None:
        secrets = {CREDENTIALS.get(name, name): value for name, value in credentials.items()}
        self.name = exchange_id
        self._silence = silence
        self._ccxt = _constructed(exchange_id, [{"enableRateLimit": True}, secrets, *layers], stream=stream)
        self._ccxt.parse_ohlcvs = self._as_served
        # Amounts and prices as the text that was served: a float would not be exact.
        self._ccxt.number = str
        # What a signed request is stamped with, whatever our own clock says.
        self._ccxt.milliseconds = time.now_ms
        self._wire = Wire(self._ccxt, silence=silence, time=time, clock=clock)
        self._time = time
        self._timeout_s = float(self._ccxt.timeout) / 1000

    def timeframes(self) -> frozenset[Timeframe]:
        """Candle lengths that ccxt knows of; calendar months and years are none."""
        return frozenset(_parsed(Timeframe, self._ccxt.timeframes or ()))

    def page_limit(self) -> int:
        """Candles per answer, as ccxt's table of features says."""
        features = self._ccxt.features or {}
        kind = str(self._ccxt.options.get("defaultType") or "spot")
        market = features.get(kind) or features.get("spot") or {}
        market = market.get("linear") or market
        return int((market.get("fetchOHLCV") or {}).get("limit") or _DEFAULT_PAGE)

    async def pairs(self, deadline_s: float) -> frozenset[Pair]:
        """Ask which pairs there are; candles can be asked for from then on.

        Args:
            deadline_s: monotonic; silence that lasts longer is not waited for. So for the other calls.
        """
        what = f"markets of {self.name}"
        trip = self.trip(deadline_s)
        await self.asked(lambda ccxt: ccxt.load_markets(True), trip, what)
        pairs = frozenset(_parsed(Pair, self._ccxt.markets or ()))
        if not pairs:
            raise Retryable(f"{what}: the answer holds none")
        return pairs

    async def rows(
        self, request: CandleRequest, limit: int, deadline_s: float, timeout_s: float
    ) -> list[Row]:
        """One page of candles, unsorted and unchecked, as served.

        Args:
            request: what is wanted.
            limit: most candles that are wanted of it now.
            deadline_s: see `pairs`.
            timeout_s: real seconds for the answer, once the request may leave.
        """
        pair, timeframe = request.key
        what = f"{timeframe} candles of {pair} on {self.name}"
        if str(pair) not in (self._ccxt.markets or ()):
            raise Refused(f"{what}: there is no such pair")
        if timeframe not in self.timeframes():
            raise Refused(f"{what}: there are none of this length")
        trip = self.trip(deadline_s, timeout_s)
        rows = await self.asked(
            lambda ccxt: ccxt.fetch_ohlcv(str(pair), str(timeframe), request.since_ms, limit), trip, what
        )
        if not isinstance(rows, list):
            raise Retryable(
                f"{what}: malformed answer: {type(rows).__name__} where a list of candles belongs"
            )
        return rows

    async def see_time(self, deadline_s: float) -> None:
        """Ask what the exchange's clock says, if it can be asked.

        Raises:
            Retryable: no answer, or one that came too slowly to tell.
        """
        self._time.begin()
        if not self._ccxt.has.get("fetchTime"):
            return
        what = f"time of {self.name}"
        trip = self.trip(deadline_s, json=False)
        time_ms = await self.asked(lambda ccxt: ccxt.fetch_time(), trip, what)
        if isinstance(time_ms, bool) or not isinstance(time_ms, (int, float)):
            raise Retryable(f"{what}: malformed answer")
        if not self._time.take(int(time_ms), trip.sent_ms, trip.received_ms):
            raise Retryable(f"{what}: the answer took {trip.received_ms - trip.sent_ms} ms")

    @property
    def ccxt(self) -> Any:
        """The ccxt client itself, for what it knows without asking anybody."""
        return self._ccxt

    def trip(self, deadline_s: float, timeout_s: float | None = None, *, json: bool = True) -> Trip:
        """The limits of one call.

        Args:
            deadline_s: monotonic; silence that lasts longer is not waited for.
            timeout_s: real seconds for the answer; None: ccxt's own ``timeout``, which no other exceeds.
            json: whether an answer that is no JSON is malformed.
        """
        longest_s = self._timeout_s if timeout_s is None else min(timeout_s, self._timeout_s)
        return Trip(deadline_s=deadline_s, timeout_s=longest_s, json=json)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._wire.close()

    async def asked(self, call: Callable[[Any], Awaitable[Any]], trip: Trip, what: str) -> Any:
        """The result of a call of ccxt; whatever it raises is raised as ours, and is the cause of that.

        Args:
            call: gets the ccxt client.
            trip: its limits; it tells afterwards how far the request has come.
            what: what is asked for, as a message begins with it.
        """
        try:
            with trip.taken():
                self._wire.open()
                answer = await call(self._ccxt)
        except CandledError:
            raise  # the wire's own
        except RATE_LIMITS as exc:
            if not self._silence.left_s:
                # The refusal stood in the body of an answer with another status.
                self._silence.ask(TOO_MANY, {}, trip.sent_s)
            raise RateLimited(f"{what}: {said(exc)}", self._silence.left_s) from exc
        except FOREIGN as exc:
            raise as_ours(exc, what) from exc
        self._silence.answered(trip.sent_s)
        return answer

    def _as_served(self, ohlcvs: Any, market: Any = None, *_unused: Any, **_also_unused: Any) -> list[Row]:
        """In the place of ccxt's own, which sorts, cuts, and fails as a whole over one unsound row."""
        if not isinstance(ohlcvs, list):
            raise TypeError(f"{type(ohlcvs).__name__} where a list of candles belongs")
        self._ccxt.number = float  # candles are no money, and nothing else runs in between
        try:
            return [self._row(row, market) for row in ohlcvs]
        finally:
            self._ccxt.number = str

    def _row(self, row: Any, market: Any) -> Row:
        try:
            parsed = self._ccxt.parse_ohlcv(row, market)
        except FOREIGN:
            return None  # the caller counts it
        return parsed if isinstance(parsed, list) else None


def check_known(exchange_id: str) -> None:
    """Whether ccxt knows an exchange of this name; nobody is asked for that.

    Raises:
        ConfigError: it does not; the nearest names.
    """
    if exchange_id not in ccxt.exchanges:
        near = difflib.get_close_matches(exchange_id, ccxt.exchanges, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "see ccxt's list of exchanges"
        raise ConfigError(f"exchange.name: ccxt knows no exchange {exchange_id!r}; {hint}")


def _constructed(exchange_id: str, layers: list[Mapping[str, Any]], *, stream: bool) -> Any:
    check_known(exchange_id)
    settings = ccxt.Exchange.deep_extend(*layers)
    try:
        client = _kind(exchange_id, stream=stream)(settings)
    except FOREIGN as exc:
        raise ConfigError(
            f"exchange.ccxt_config: ccxt's {exchange_id} does not take it: {said(exc)}"
        ) from exc
    if client.has.get("fetchOHLCV") is not True:
        raise ConfigError(f"exchange.name: {exchange_id} serves no candles through ccxt (fetchOHLCV)")
    _ask_for_less(client, settings.get("options") or {})
    return client


def _kind(exchange_id: str, *, stream: bool) -> Any:
    """The class of clients, with the means to listen where they are wanted and there."""
    if stream:
        import ccxt.pro as listening  # noqa: PLC0415 - a second of import, for those who trade only

        if exchange_id in listening.exchanges:
            return getattr(listening, exchange_id)
    return getattr(ccxt, exchange_id)


def _ask_for_less(client: Any, chosen: Mapping[str, Any]) -> None:
    """Have only those markets loaded that are wanted, unless the user chose himself.

    By default ccxt asks three hosts of Binance, and with a key for the user's coins and margin pairs as well:
    slower, and unreachable where the user has pointed only one of the hosts elsewhere.
    """
    options = client.options
    for extra in ("fetchCurrencies", "fetchMargins"):
        if extra in options and extra not in chosen:
            options[extra] = False
    markets = options.get("fetchMarkets")
    if (
        options.get("defaultType", "spot") != "spot"
        or "fetchMarkets" in chosen
        or not isinstance(markets, dict)
    ):
        return
    types = markets.get("types")
    if isinstance(types, list) and "spot" in types:
        markets["types"] = ["spot"]
    elif isinstance(types, Mapping) and "spot" in types:
        markets["types"] = {kind: kind == "spot" for kind in types}


def _parsed(kind: Callable[[str], Any], texts: Any) -> list[Any]:
    """Those of the texts that are one; exchanges list options and months, which we do not trade."""
    found = []
    for text in texts:
        try:
            found.append(kind(text))
        except ValueError:
            continue
    return found
