"""Orders for the tests of the live broker."""

from decimal import Decimal
from itertools import count

from daemon.core.pair import Pair
from daemon.trading.orders import Intent, Leg, OrderType, Side, client_id

BTC = Pair("BTC/USDT")
_attempts = count()


def intent(amount="0.002", price=None, stop=None, *, side=Side.BUY, leg=Leg.ENTRY, pair=BTC, **more):
    """An order; its type follows from the prices that it has."""
    kinds = {(False, False): OrderType.MARKET, (True, False): OrderType.LIMIT, (False, True): OrderType.STOP}
    attempt = next(_attempts)
    return Intent(
        client_id=client_id("test", pair, 0, leg, attempt),
        trade_id=1,
        pair=pair,
        leg=leg,
        side=side,
        type=kinds.get((price is not None, stop is not None), OrderType.STOP_LIMIT),
        amount=Decimal(amount),
        price=None if price is None else Decimal(price),
        stop_price=None if stop is None else Decimal(stop),
        candle_ms=0,
        attempt=attempt,
        created_ms=0,
        **more,
    )
