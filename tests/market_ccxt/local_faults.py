"""What can go wrong on the way of an answer, by name."""

import asyncio
import json

from aiohttp import web

# Before any candle is looked at: these befall every path.
HTTP_FAULTS = ("too_many", "ban", "unavailable", "reset", "hang", "stall", "truncated", "cut", "page")
# In the candles of an answer that is otherwise well.
ROW_FAULTS = ("empty", "gap", "duplicate", "dispute", "disorder", "rotten", "revision")
FAULTS = HTTP_FAULTS + ROW_FAULTS

ROTTEN = (
    lambda row: None,
    lambda row: row[:4],
    lambda row: "candle",
    lambda row: [row[0], None, *row[2:]],
    lambda row: [row[0], "NaN", *row[2:]],
    lambda row: [row[0], row[1], "Infinity", *row[3:]],
    lambda row: [row[0], row[1], row[3], row[2] + "1", *row[4:]],
    lambda row: [row[0], "-1.0", *row[2:]],
    lambda row: [row[0], *row[1:4], "abc", *row[5:]],
    lambda row: [None, *row[1:]],
    lambda row: [row[0] + 1, *row[1:]],
    lambda row: [row[0] + 10**10 - 10**10 % 604_800_000, *row[1:]],
    lambda row: {"open": row[1]},
)
"""Ways in which one row can be unsound."""


def spoiled(fault, rows, rng, newest_closed_ms):
    """The rows with one of ROW_FAULTS in them."""
    rows = list(rows)
    if fault == "empty" or not rows:
        return []
    i = int(rng.integers(len(rows)))
    if fault == "gap":
        del rows[i : i + int(rng.integers(1, 4))]
    elif fault == "duplicate":
        rows.insert(i, rows[i])
    elif fault == "dispute":
        rows.insert(i, altered(rows[i]))
    elif fault == "disorder" and len(rows) > 2:
        j = (i + 1 + int(rng.integers(len(rows) - 1))) % len(rows)
        rows[i], rows[j] = rows[j], rows[i]
    elif fault == "rotten":
        rows[i] = ROTTEN[int(rng.integers(len(ROTTEN)))](rows[i])
    elif fault == "revision":
        rows = [altered(row) if row[0] == newest_closed_ms else row for row in rows]
    return rows


def altered(row):
    """A row that might be a candle, but is not the true one."""
    return [*row[:5], f"{float(row[5]) * 0.9 + 1:.8f}", *row[6:]]


async def suffer(fault, request, body, retry_after):
    """The answer to a request that one of HTTP_FAULTS befalls."""
    text = json.dumps(body)
    if fault in {"too_many", "ban"}:
        status = 429 if fault == "too_many" else 418
        headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}
        return web.json_response({"code": -1003, "msg": "Too many requests."}, status=status, headers=headers)
    if fault == "unavailable":
        return web.Response(status=503, text="<html>no server is available</html>", content_type="text/html")
    if fault == "page":
        return web.Response(text="<html>are you human?</html>", content_type="text/html")
    if fault == "cut":
        return web.Response(text=text[: len(text) // 2], content_type="application/json")
    if fault in {"stall", "truncated"}:
        response = web.StreamResponse(headers={"Content-Length": str(len(text))})
        response.content_type = "application/json"
        await response.prepare(request)
        await response.write(text[: len(text) // 2].encode())
        if fault == "stall":
            await asyncio.sleep(3600)  # cancelled when the client gives up
        request.transport.close() if request.transport else None
        return response
    if fault == "hang":
        await asyncio.sleep(3600)  # cancelled when the client gives up
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
