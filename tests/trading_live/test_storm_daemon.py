"""The daemon itself, live, through a storm: killed every few seconds, and then held against the exchange.

`CANDLED_LONG=1` makes it 2,000 orders (some twenty minutes).
"""

import json
import os
import random
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest
from storm_verdict import asked, count, judged
from trading_exchange import ALL_PAIRS, KEYS

from daemon.config import load_settings
from daemon.core.errors import Refused, Retryable
from daemon.runtime.control import ask
from daemon.state.folder import StateFolder

LONG = os.environ.get("CANDLED_LONG") == "1"
ORDERS, PAIRS, LONGEST_S = (2000, 24, 3000) if LONG else (40, 8, 600)
LIFE_S, BIRTH_S, EARLY, GRACE_S = (4.0, 15.0), (0.2, 3.0), 0.15, 8
TURNED_AWAY = 1  # try again later: the clock is too far off, or the exchange did not answer for long
SEED = int(os.environ.get("CANDLED_SEED", "1"))


def document(told, folder):
    """The configuration of a restless daemon: 1-minute candles, every look an occasion."""
    return {
        "timeframe": "1m",
        "stake_currency": "USDT",
        "dry_run": False,
        "max_open_trades": -1,
        "stake_amount": 80,
        "strategy": "Stormy",
        "strategy_path": str(Path(__file__).parent / "strategies"),
        "user_data_dir": str(folder / "user_data"),
        "order_types": {
            "entry": "limit",
            "exit": "limit",
            "stoploss": "market",
            "emergency_exit": "market",
            "stoploss_on_exchange": True,
            "stoploss_on_exchange_interval": 3,
        },
        "unfilledtimeout": {"entry": 4, "exit": 3, "unit": "seconds", "exit_timeout_count": 3},
        "internals": {"process_throttle_secs": 1},
        "exchange": {
            "name": told["name"],
            **KEYS,
            "ccxt_config": told["ccxt_config"],
            "ccxt_async_config": {"timeout": 700, "timeout_on_exit": 0},
            "pair_whitelist": [str(pair) for pair in ALL_PAIRS[:PAIRS]],
        },
        "freqai": {
            "enabled": True,
            "identifier": "storm",
            "train_period_days": 1,
            "live_retrain_hours": 2,
            "feature_parameters": {
                "include_timeframes": ["1m"],
                "include_corr_pairlist": [],
                "indicator_periods_candles": [10],
                "label_period_candles": 6,
            },
            "model_training_parameters": {"iterations": 5},
        },
        "candled": {"log_format": "json"},
    }


class Life:
    """One daemon of a nursery, as far as a storm deals with it."""

    def __init__(self, nursery):
        self._nursery = nursery
        self.returncode = None
        print("live", file=nursery.stdin, flush=True)
        self._pid = int(nursery.stdout.readline())

    def wait(self, within_s):
        """Its exit status; None if it still lives then."""
        if self.returncode is None and select.select([self._nursery.stdout], [], [], within_s)[0]:
            self.returncode = int(self._nursery.stdout.readline())
        return self.returncode

    def kill(self):
        os.kill(self._pid, signal.SIGKILL)
        self.wait(60)


class Storm:
    """The daemon's lives on one account."""

    def __init__(self, start, folder, told):
        self.url = told["url"]
        self.config = folder / "config.json"
        self.config.write_text(json.dumps(document(told, folder)), "utf-8")
        settings = load_settings([self.config], env={})
        self.door = StateFolder(settings.identifier_folder).control
        self.ledger = settings.ledger_file
        self.log = folder / "daemon.log"
        arguments = (GRACE_S, self.log, "run", "-c", self.config)
        self.nursery = start("storm_daemon.py", *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.random = random.Random(SEED)
        self.kills = self.turned_away = 0
        self.deadline_s = time.monotonic() + LONGEST_S

    def live(self):
        assert time.monotonic() < self.deadline_s, self.told()
        return Life(self.nursery)

    def told(self):
        return self.log.read_text("utf-8")[-6000:]

    def ask(self, do, **arguments):
        """What the desk answers; None while there is none that could."""
        try:
            return ask(self.door, {"do": do, **arguments})
        except Retryable:
            return None

    def looks(self):
        """Whether the desk looks at what it is asked."""
        try:
            self.ask("exit", trade="none")
        except Refused:
            return True
        return False

    def until(self, daemon, found):
        """Wait for something as long as the daemon lives; what it is."""
        while daemon.wait(0.2) is None:
            assert time.monotonic() < self.deadline_s, self.told()
            if (what := found()) is not None and what is not False:
                return what
        assert daemon.returncode == TURNED_AWAY, self.told()
        self.turned_away += 1
        return None

    def die(self, daemon, within_s):
        """Kill it, unless it has ended by itself."""
        if daemon.wait(self.random.uniform(*within_s)) is None:
            daemon.kill()
            self.kills += 1

    def blow(self):
        """Kill it every few seconds until there are enough orders."""
        first = self.live()
        self.until(first, lambda: count(self.ledger) > 0)
        self.die(first, LIFE_S)
        while count(self.ledger) < ORDERS:
            daemon = self.live()
            if self.random.random() < EARLY:
                self.die(daemon, BIRTH_S)
            elif self.until(daemon, self.looks):
                self.die(daemon, LIFE_S)

    def clear_up(self):
        """Fair weather: the last life comes into step, sells everything and ends."""
        asked(f"{self.url}/local/calm", "POST")
        daemon = self.live()

        def in_step():
            answer = self.ask("reconcile")
            return answer is not None and not answer["obstacles"]

        assert self.until(daemon, in_step), self.told()
        assert self.ask("stop", exit_all=True) is not None
        assert daemon.wait(self.deadline_s - time.monotonic()) == 0, self.told()


@pytest.mark.slow
@pytest.mark.timeout(LONGEST_S + 60)
def test_daemon_and_exchange_agree_to_the_last_digit_after_a_storm(start, tmp_path):
    arguments = ["--pairs", PAIRS, "--pace", 1, "--seed", SEED, "--storm", 0.08, "--by-hand", 0.1]
    exchange = start("trading_exchange.py", *arguments, "--jumpy", "--brief", "--bnb", stdout=subprocess.PIPE)
    storm = Storm(start, tmp_path, json.loads(exchange.stdout.readline()))
    storm.blow()
    storm.clear_up()
    figures = judged(storm.url, storm.ledger, kills=storm.kills, turned_away=storm.turned_away)
    assert figures["at_exchange"] > ORDERS / 2
    assert storm.kills >= 1  # how many orders fit into a life depends on the machine
    assert sum(figures["faults"].values()) > ORDERS / 4
