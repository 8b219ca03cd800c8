"""Kills real processes at every call by which a ledger changes the disk: `python ledger_nursery.py FOLDER STORY EVERY`.

The library of `killer.c` is loaded before libc; each life is a fork, which dies at its n-th call, for n = 0, EVERY,
2 * EVERY, ... until one survives. Every second death leaves half a write. Prints one JSON line of figures.
"""

import ctypes
import json
import os
import shutil
import signal
import sys
import traceback
from pathlib import Path

from trading_desk import BTC, T0, D, begin, fill, intent, report

from daemon.state.atomic import set_aside
from daemon.trading.ledger import Ledger
from daemon.trading.ledger_files import RESTORED, backup_paths, make_backup, open_ledger
from daemon.trading.orders import Leg, OrderState

KILLER = ctypes.CDLL(None)
S = OrderState


def steps():
    """Writes of all kinds, each one transaction."""
    yield lambda ledger: ledger.deposit("USDT", D("1000"), T0, "beginning")
    for n in range(3):
        entry, leave = intent(n, candle_ms=T0 + n), intent(n, leg=Leg.EXIT, price="110", trade_id=n + 1)
        yield lambda ledger, o=entry: begin(ledger, o)
        yield lambda ledger, o=entry: ledger.sending(o.client_id, T0)
        yield lambda ledger, o=entry, n=n: ledger.take(
            [report(o, S.OPEN, "0.4", exchange_id=f"b{n}")], [fill(o, 10 * n, "0.4")], T0
        )
        yield lambda ledger, n=n: ledger.note(n + 1, highest=D("120"), custom={"text": "x" * 3000})
        yield lambda ledger, o=entry, n=n: ledger.take(
            [report(o, S.FILLED, "1", exchange_id=f"b{n}")], [fill(o, 10 * n + 1, "0.6")], T0
        )
        yield lambda ledger, o=leave: ledger.intend(o)
        yield lambda ledger, o=leave: ledger.sending(o.client_id, T0)
        yield lambda ledger, o=leave: ledger.cancelling(o.client_id, T0)
        yield lambda ledger, o=leave, n=n: ledger.take(
            [report(o, S.FILLED, "1", exchange_id=f"s{n}")], [fill(o, 10 * n + 2, "1", "110", "0.1")], T0
        )
        yield lambda ledger, n=n: ledger.close_trade(n + 1, T0 + n, dust=D("0"))
        yield lambda ledger, n=n: ledger.put("risk", {"orders": n})
    entry, sale = intent(3, candle_ms=T0 + 3), intent(3, leg=Leg.EXIT, amount="0.4", price="50", trade_id=4)
    yield lambda ledger: begin(ledger, entry)
    yield lambda ledger: ledger.sending(entry.client_id, T0)
    yield lambda ledger: ledger.take(
        [report(entry, S.OPEN, "0.5", exchange_id="b3")], [fill(entry, 30, "0.4")], T0
    )
    yield lambda ledger: ledger.settle(4, T0, sale, reason="settled", detail="settled: sold at 50")


def content(ledger):
    return (
        ledger.trades(),
        dict(ledger.wallet()),
        ledger.get("risk"),
        ledger.last_fill_ms(BTC),
        ledger.contradictions(),
    )


def prefixes(folder):
    """What the ledger says after each number of steps."""
    ledger = Ledger.open(folder / "reference.sqlite")
    found = [content(ledger)]
    for step in steps():
        step(ledger)
        found.append(content(ledger))
    ledger.close()
    return found


def writes(folder, acknowledge):
    """A life that opens a ledger and writes: each write is acknowledged once it has returned."""
    ledger = Ledger.open(folder / "life.sqlite")
    ledger._tables.rows("PRAGMA wal_autocheckpoint = 6")  # so that the log is folded many times in the story
    for step in steps():
        step(ledger)
        acknowledge()
    ledger.close()


def check_writes(folder, acknowledged, expected):
    ledger = Ledger.open(folder / "life.sqlite")
    found = content(ledger)
    ledger.close()
    # The one that was under way may have come through.
    assert found in expected[acknowledged : acknowledged + 2], f"{acknowledged} were acknowledged"


def prepare_recovery(folder):
    """A ledger with a story, its backup, and damage."""
    ledger = Ledger.open(folder / "life.sqlite")
    for step in steps():
        step(ledger)
    make_backup(ledger, 1, set_aside)
    begin(ledger, intent(9))
    ledger.close()
    (folder / "life.sqlite").write_bytes(b"damage" * 2000)


def recovers(folder, acknowledge):
    open_ledger(folder / "life.sqlite", 2, set_aside).close()
    acknowledge()


def check_recovers(folder, acknowledged, expected):
    ledger = open_ledger(folder / "life.sqlite", 3, set_aside)
    assert content(ledger) == expected[-1]
    assert ledger.get(RESTORED)["backup_ms"] in (1, 2)
    ledger.close()
    assert sum(path.exists() for path in backup_paths(folder / "life.sqlite")) == 2


STORIES = {
    "writes": (lambda folder: None, writes, check_writes),
    "recovers": (prepare_recovery, recovers, check_recovers),
}


def life(folder, story, calls, *, torn):
    """Fork a life that dies at a call; return how many steps it acknowledged, and whether it was killed."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 3
        try:
            KILLER.arm(ctypes.c_long(calls), int(torn))
            story(folder, lambda: os.write(writing, b"."))
            status = 0
        finally:
            if status:
                traceback.print_exc()
            os._exit(status)
    os.close(writing)
    data = b""
    while chunk := os.read(reading, 4096):
        data += chunk
    os.close(reading)
    _, status = os.waitpid(pid, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise RuntimeError(f"a life failed by itself at call {calls}: {status}")
    return len(data), os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def main(root, name, every):
    prepare, story, check = STORIES[name]
    expected = prefixes(root)
    calls, killed = 0, 0
    while True:
        folder = root / f"{name}{calls}"
        folder.mkdir()
        prepare(folder)
        acknowledged, died = life(folder, story, calls, torn=calls // every % 2 == 0)
        try:
            check(folder, acknowledged, expected)
        except BaseException as exc:
            exc.add_note(f"story {name}, killed at call {calls}, folder {folder}")
            raise
        shutil.rmtree(folder)
        killed += died
        if not died:
            break
        calls += every
    sys.stdout.write(json.dumps({"calls": calls, "killed": killed, "steps": acknowledged}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
