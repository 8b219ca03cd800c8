"""A daemon in a process of its own, in a folder of its own: started, watched, hit and looked at."""

import copy
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import numpy as np
import pandas as pd

from daemon.runtime.status_file import read_status
from daemon.state.folder import StateFolder
from daemon.state.history import PredictionHistory
from daemon.state.pair_dictionary import PairDictionary

COMMAND = [sys.executable, "-m", "daemon"]
CANDLE_MS = 300_000
PATIENCE_S = 120.0
"""How long a busy machine may take for what takes a second or two on an idle one."""

CONFIG = {
    "timeframe": "5m",
    "stake_currency": "USDT",
    "dry_run": True,
    "strategy": "CandledExampleStrategy",
    "exchange": {"name": "simulated", "pair_whitelist": ["BTC/USDT", "ETH/USDT"]},
    "freqaimodel": "CatboostRegressor",
    "freqai": {
        "enabled": True,
        "identifier": "mine",
        "train_period_days": 2,
        "live_retrain_hours": 1,
        "expiration_hours": 24,
        "feature_parameters": {
            "include_timeframes": ["5m", "15m"],
            "include_corr_pairlist": ["BTC/USDT"],
            "indicator_periods_candles": [10],
            "include_shifted_candles": 1,
            "label_period_candles": 6,
        },
        "model_training_parameters": {"iterations": 10},
    },
    "candled": {"log_format": "json", "simulated": {"speed": 600}},
}

LONG = {"iterations": 1_000_000, "early_stopping_rounds": 1_000_000}
"""Parameters of a training that takes longer than any test."""


def config(**changes):
    """`CONFIG` with changes, named by their path: ``freqai__train_period_days=3``; None removes the key."""
    made = copy.deepcopy(CONFIG)
    for path, value in changes.items():
        *way, last = path.split("__")
        place = made
        for name in way:
            place = place.setdefault(name, {})
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    return made


PLAIN = """from freqtrade.strategy import IStrategy

class Plain(IStrategy):
    stoploss = -0.1

    def feature_engineering_expand_all(self, dataframe, period, metadata, **kwargs):
        dataframe["%-change-period"] = dataframe["close"].pct_change(period)
        return dataframe

    def feature_engineering_standard(self, dataframe, metadata, **kwargs):
        dataframe["%-hour"] = dataframe["date"].dt.hour
        return dataframe

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        dataframe["&-s_close"] = dataframe["close"].shift(-6) / dataframe["close"] - 1
        return dataframe

    def populate_indicators(self, dataframe, metadata):
        return self.freqai.start(dataframe, metadata, self)

    def populate_entry_trend(self, dataframe, metadata):
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

"""
"""A whole strategy; `Place.strategy` puts ``class Mine(Plain)`` behind it."""


class Daemon:
    """One running ``candled run``. Its log lines are JSON; `events` reads them while it runs."""

    def __init__(self, folder, arguments, env):
        self.log = Path(tempfile.mkstemp(prefix="log-", suffix=".jsonl", dir=folder)[1])
        with self.log.open("wb") as stream:
            self.process = subprocess.Popen(
                [*COMMAND, "run", *arguments],
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stream,
            )

    @property
    def pid(self):
        return self.process.pid

    def text(self):
        return self.log.read_text("utf-8")

    def events(self, name=None, **fields):
        """Log lines that were written so far, as dicts; with a name and fields, those that have them."""
        whole = [line for line in self.text().splitlines(keepends=True) if line.endswith("\n")]
        found = [json.loads(line) for line in whole if line.startswith("{")]
        return [
            event
            for event in found
            if name in (None, event["event"])
            and all(event.get(key) == value for key, value in fields.items())
        ]

    def await_event(self, name, *, count=1, **fields):
        """The newest such log line, as soon as there are ``count`` of them."""
        return self.await_that(
            lambda: (found := self.events(name, **fields))[count - 1 :] and found[-1], f"{name} {fields}"
        )

    def await_that(self, condition, what):
        """What ``condition`` returns once it is true; fails when the daemon ends before, or after `PATIENCE_S`."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            ended = self.process.poll() is not None
            found = condition()
            if found:
                return found
            assert not ended, f"ended with {self.process.returncode} before: {what}\n{self.text()[-3000:]}"
            assert time.monotonic() < deadline, f"in vain awaited: {what}\n{self.text()[-3000:]}"
            time.sleep(0.02)

    def training_pid(self):
        """Process id of the training process, once there is one."""
        children = Path(f"/proc/{self.pid}/task").glob("*/children")
        pids = [int(pid) for file in children for pid in _read(file).split()]
        return next((pid for pid in pids if b"training_child" in _read(f"/proc/{pid}/cmdline")), None)

    def await_gone(self, pid):
        """Wait for the end of a process that is not our child."""
        deadline = time.monotonic() + PATIENCE_S
        while Path(f"/proc/{pid}").exists():
            assert time.monotonic() < deadline, f"process {pid} is still there"
            time.sleep(0.02)

    def hear(self, number):
        self.process.send_signal(number)

    def halt(self):
        """Stop the whole process, every thread of it, until it hears SIGCONT."""
        self.hear(signal.SIGSTOP)
        threads = [*Path(f"/proc/{self.pid}/task").iterdir()]
        while any(_state(thread) in {"R", "S", "D"} for thread in threads):
            time.sleep(0.01)

    def sleep(self, candles):
        """Stop the whole process for so many candles, as a machine that sleeps does; how many it were at least."""
        seconds = candles * CANDLE_MS / 1000 / CONFIG["candled"]["simulated"]["speed"]
        self.halt()
        time.sleep(seconds)
        self.hear(signal.SIGCONT)
        return candles - 1

    def wait(self, timeout_s=PATIENCE_S):
        """Its exit status."""
        return self.process.wait(timeout_s)

    def stop(self, timeout_s=PATIENCE_S):
        """Ask it to stop; its exit status.

        That is 0 only if the stop took less than `lifecycle.DEADLINE_S`: whatever is left of the daemon then ends itself.
        """
        self.hear(signal.SIGTERM)
        return self.wait(timeout_s)

    def kill(self):
        """Take it down without a chance to do anything."""
        self.process.kill()
        self.process.wait()


def _read(file):
    """What a file of a process says; nothing once that has gone."""
    try:
        return Path(file).read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _state(thread):
    """The letter for what a thread does, of its folder below /proc; none once it is gone."""
    return _read(thread / "stat").decode().rpartition(")")[2].strip()[:1]


class Place:
    """A user's folder, with a configuration and what the daemon leaves in it."""

    def __init__(self, folder, **changes):
        self.folder = folder
        self.started = []
        self.configure(**changes)

    def configure(self, **changes):
        self.config = config(**changes)
        (self.folder / "config.json").write_text(json.dumps(self.config), "utf-8")

    def mine(self, body):
        """Put a strategy file with ``class Mine(Plain)`` where the daemon looks for one; its class has this body."""
        self.strategy(
            f"{PLAIN}\nclass Mine(Plain):\n" + textwrap.indent(textwrap.dedent(body).strip(), "    ") + "\n"
        )

    def strategy(self, source, name="mine.py"):
        """Put a strategy file where the daemon looks for one."""
        strategies = self.folder / "user_data" / "strategies"
        strategies.mkdir(parents=True, exist_ok=True)
        (strategies / name).write_text(source, "utf-8")

    def recorded(self, candles, *, halted="", after=0):
        """Put candle files to be replayed into ``recorded``; one pair has none after so many, but for the last."""
        folder = self.folder / "recorded"
        folder.mkdir()
        noise = np.random.default_rng(1)
        for pair in self.config["exchange"]["pair_whitelist"]:
            close = 100 * np.exp(np.cumsum(noise.normal(0, 0.001, candles)))
            frame = pd.DataFrame(
                {
                    "date": pd.date_range("2024-01-01", periods=candles, freq="5min", tz="UTC"),
                    "open": close,
                    "high": close * 1.001,
                    "low": close * 0.999,
                    "close": close,
                    "volume": noise.uniform(1e3, 2e3, candles),
                }
            )
            if pair == halted:
                frame = pd.concat([frame[:after], frame[-1:]], ignore_index=True)
            frame.to_feather(folder / f"{pair.replace('/', '_')}-5m.feather")

    @property
    def state(self):
        return self.folder / "user_data" / "models" / self.config["freqai"]["identifier"]

    @property
    def env(self):
        root = Path(__file__).parents[2]
        return {**os.environ, "PYTHONPATH": str(root), "COLUMNS": "200"}

    def start(self, *arguments, **env):
        daemon = Daemon(self.folder, arguments, {**self.env, **env})
        self.started.append(daemon)
        return daemon

    def run(self, *arguments):
        """Start, wait for its end; fails if that is not a good one."""
        daemon = self.start(*arguments)
        assert daemon.wait() == 0, daemon.text()
        return daemon

    def lived(self, *arguments):
        """Start, wait until every pair of the whitelist is predicted, however long trainings take, and stop."""
        daemon = self.start(*arguments)
        for pair in self.config["exchange"]["pair_whitelist"]:
            daemon.await_event("predicting", pair=pair)
        assert daemon.stop() == 0, daemon.text()
        return daemon

    def command(self, *arguments):
        """Any other command, to its end."""
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def json(self, *arguments):
        """The answer of a command that prints JSON."""
        done = self.command(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @property
    def status(self):
        """What the daemon shows, once a second; empty as long as it has shown nothing."""
        return read_status(self.state / "status.json")

    @property
    def queue(self):
        """Every pair's entry in the pair dictionary."""
        return PairDictionary.read(StateFolder(self.state)).entries

    @property
    def record(self):
        """All predictions and abstentions, in one frame; read as ``candled predictions`` does it."""
        history = PredictionHistory.read(StateFolder(self.state))
        frames = [history.frame(pair).assign(pair=str(pair)) for pair in history.pairs]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame({"pair": [], "date_pred": []})

    def end_all(self):
        for daemon in self.started:
            if daemon.process.poll() is None:
                daemon.hear(signal.SIGCONT)
                daemon.kill()


def candle_times(record, pair):
    """Open times of a pair's recorded candles, in the order of the record, ms UTC."""
    dates = record.loc[record["pair"] == pair, "date_pred"]
    return [int(date.timestamp() * 1000) for date in dates]


def assert_whole(record, pairs):
    """Every pair has every candle from the record's first to its last: once, in order, none left out."""
    first, last = (
        int(date.timestamp() * 1000) for date in (record["date_pred"].min(), record["date_pred"].max())
    )
    for pair in pairs:
        assert candle_times(record, pair) == list(range(first, last + 1, CANDLE_MS)), pair
