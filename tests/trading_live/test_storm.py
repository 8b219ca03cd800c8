"""A storm at an exchange in a process of its own, and the trader killed every few seconds.

The verdict is the exchange's own book against the ledger: every order, every execution, every balance, exactly.
`CANDLED_LONG=1` makes it 2,000 orders.
"""

import json
import os
import random
import subprocess
import time

import pytest
from storm_verdict import asked, count, judged

LONG = os.environ.get("CANDLED_LONG") == "1"
ORDERS, EVERY_S, LONGEST_S = (2000, (2.0, 6.0), 3600) if LONG else (40, (2.0, 6.0), 600)
SEED = int(os.environ.get("CANDLED_SEED", "1"))


def weathered(start, tmp_path, url, settings):
    """Trade through the storm; return how often the trader was killed."""
    kills, rng, deadline_s = 0, random.Random(SEED), time.monotonic() + LONGEST_S
    ledger, log, calm = tmp_path / "ledger.sqlite", tmp_path / "trader.log", False
    while True:
        with log.open("a") as stream:
            arguments = (settings, ledger, ORDERS, SEED + kills)
            trader = start("storm_trader.py", *arguments, stdout=subprocess.PIPE, stderr=stream)
        trader.stdout.readline()  # its first look begins
        try:
            # Once the last order is there, the weather clears up and the trader may finish.
            code = trader.wait(180 if calm else rng.uniform(*EVERY_S))
        except subprocess.TimeoutExpired:
            assert not calm, log.read_text()[-3000:]
            trader.kill()
            trader.wait()
            kills += 1
        else:
            assert code == 0, log.read_text()[-3000:]
            return kills
        assert time.monotonic() < deadline_s, log.read_text()[-3000:]
        if count(ledger) >= ORDERS:
            asked(f"{url}/local/calm", "POST")
            calm = True


@pytest.mark.slow
@pytest.mark.timeout(LONGEST_S + 60)
def test_ledger_and_exchange_agree_to_the_last_digit_after_a_storm(start, tmp_path):
    arguments = ["--pace", 60, "--seed", SEED, "--storm", 0.15, "--by-hand", 0.3, "--jumpy", "--bnb"]
    exchange = start("trading_exchange.py", *arguments, stdout=subprocess.PIPE)
    told = json.loads(exchange.stdout.readline())
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps(told), "utf-8")
    kills = weathered(start, tmp_path, told["url"], settings)
    figures = judged(told["url"], tmp_path / "ledger.sqlite", kills=kills)
    assert figures["at_exchange"] > ORDERS / 2
    assert kills >= 1  # how many orders fit into a life depends on the machine
    assert sum(figures["faults"].values()) > ORDERS / 8  # some 16 of 40: the weather is random
