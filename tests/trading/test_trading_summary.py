"""What trading has earned."""

from dataclasses import replace

import pytest
from trading_desk import BTC, ETH, T0, D, fill, intent

from daemon.trading.orders import Leg, OrderState
from daemon.trading.records import OrderRecord, TradeRecord
from daemon.trading.summary import drawdown, summary

DAY_MS = 86_400_000


def order(meant, *fills):
    return OrderRecord(
        intent=meant,
        state=OrderState.FILLED,
        reported=sum((each.amount for each in fills), D("0")),
        changed_ms=T0,
        fills=fills,
    )


def trade(number, price, *, pair=BTC, reason="roi", day=0, closed=True, fee="0"):
    """Bought at 100, sold at a price (or still there)."""
    entry, leave = intent(number, pair=pair), intent(number, pair=pair, leg=Leg.EXIT)
    at_ms = T0 + day * DAY_MS
    orders = [order(entry, fill(entry, 2 * number, "1", "100", fee, at_ms=at_ms))]
    if closed:
        orders.append(order(leave, fill(leave, 2 * number + 1, "1", price, fee, at_ms=at_ms + 1)))
    return TradeRecord(
        trade_id=number,
        pair=pair,
        opened_ms=at_ms,
        strategy="Plain",
        timeframe="5m",
        stake_currency="USDT",
        orders=tuple(orders),
        exit_reason=reason if closed else "",
        dust=D("0"),
        closed_ms=at_ms + 1 if closed else None,
    )


def test_profits_fees_and_parts():
    found = summary(
        [
            trade(1, "110", fee="0.1"),
            trade(2, "95", reason="stop_loss", pair=ETH),
            trade(3, "0", closed=False),
        ],
        currency="USDT",
        beginning=D("1000"),
        prices={BTC: D("104")},
    )
    assert (found.profit, found.ratio) == (D("4.8"), D("0.0048"))
    assert (found.closed.trades, found.closed.wins, found.open_trades, found.open_profit) == (2, 1, 1, 4)
    assert [(part.name, part.profit) for part in found.pairs] == [("BTC/USDT", D("9.8")), ("ETH/USDT", -5)]
    assert [part.name for part in found.reasons] == ["roi", "stop_loss"]
    assert found.fees == {"USDT": D("0.2")}
    assert (found.best.trade_id, found.worst.trade_id) == (1, 2)


def test_without_a_price_the_open_profit_is_unknown():
    assert summary([trade(1, "0", closed=False)], currency="USDT").open_profit is None


def test_dust_that_was_written_off_is_a_loss():
    whole = trade(1, "110")
    entry, leave = whole.orders
    sold = replace(leave, fills=(replace(leave.fills[0], amount=D("0.9")),))
    found = summary([replace(whole, orders=(entry, sold), dust=D("0.1"))], currency="USDT")
    assert found.profit == -1


def test_what_was_never_filled_or_is_in_another_currency_is_left_out():
    unfilled = replace(trade(1, "110"), orders=())
    other = replace(trade(2, "110"), stake_currency="EUR")
    found = summary([unfilled, other], currency="USDT", beginning=D("1000"))
    assert (found.closed.trades, found.profit, found.sharpe, found.first_ms) == (0, 0, None, None)


def test_the_drawdown_is_the_deepest_fall_from_the_high():
    profits = [(n, D(text)) for n, text in enumerate(["-5", "30", "-10", "5", "-25", "100"])]
    found = drawdown(profits, D("70"))
    assert (found.absolute, found.high_ms, found.low_ms) == (30, 1, 4)
    assert round(found.ratio, 6) == D("0.315789")


def test_sharpe_is_of_all_days_between_the_first_fill_and_the_last_exit():
    found = summary(
        [trade(1, "110"), trade(2, "90", day=1), trade(3, "130", day=3)], currency="USDT", beginning=D("100")
    )
    # Daily returns 0.1, -0.1, 0, 0.3.
    assert found.sharpe == pytest.approx(0.075 / 0.170782512765993 * 365**0.5)
