"""The sample of the truth checks at the start, and the gate that it opens."""

import json
import threading
from types import SimpleNamespace

import pytest
from desk import BASE, NOW_MS, PAIRS, STRATEGIES

from daemon.config import load_settings
from daemon.core.clock import FakeClock
from daemon.core.market import CandleRequest
from daemon.core.words import UNEXAMINED
from daemon.features.columns import ReadColumns
from daemon.features.findings import Fault, Finding, TruthFindings
from daemon.market.simulated import SimulatedMarket
from daemon.runtime.recipe import feature_plan
from daemon.runtime.truth import TruthGate, anew, sampled

BTC = PAIRS[0]
LEAK = TruthFindings(findings=(Finding(fault=Fault.LABEL, place="BTC/USDT 5m", hook="hook", column="%-&x"),))


def test_nothing_opens_a_gate_that_has_no_sample():
    gate = TruthGate()
    assert gate.reason == gate.examined() == UNEXAMINED


@pytest.mark.parametrize(("found", "reason"), [(TruthFindings(), ""), (LEAK, LEAK.reason)])
def test_the_sample_is_taken_once_and_says_whether_the_gate_opens(found, reason):
    taken, gate = [], TruthGate()
    gate.sample = lambda: taken.append(1) or found
    assert gate.reason == UNEXAMINED
    assert [gate.examined(), gate.examined(), gate.reason] == [reason] * 3
    assert taken == [1]


def test_a_sample_that_was_told_to_stop_opens_nothing():
    gate = TruthGate()
    gate.sample = lambda: None
    assert gate.examined() == gate.reason == UNEXAMINED


@pytest.fixture
def sample(tmp_path):
    """sample(strategy, stop, beat): the sample of a strategy on simulated candles."""

    def taken(strategy, stop, beat):
        document = {
            "timeframe": "5m",
            "stake_currency": "USDT",
            "strategy": strategy,
            "strategy_path": str(STRATEGIES),
            "user_data_dir": str(tmp_path),
            "exchange": {"name": "simulated", "pair_whitelist": [str(BTC)]},
            "freqai": {
                "identifier": "one",
                "train_period_days": 1,
                "feature_parameters": {"include_timeframes": ["5m"], "include_corr_pairlist": []},
            },
        }
        path = tmp_path / "config.json"
        path.write_text(json.dumps(document), "utf-8")
        settings, clock = load_settings([path], env={}), FakeClock(NOW_MS)
        market = SimulatedMarket(pairs=PAIRS, seed=7, clock=clock, base=BASE)

        def frame_of(key):
            request = CandleRequest(key=key, since_ms=NOW_MS - 700 * BASE.ms, limit=700)
            return market.fetch([request], 1.0)[0]

        return sampled(
            anew(settings, clock),
            feature_plan(settings),
            SimpleNamespace(pair=BTC, reads=ReadColumns(), labels=[]),
            frame_of=frame_of,
            pairs=[BTC],
            extra_returns={},
            clock=clock,
            stop=stop,
            beat=beat,
        )

    return taken


def test_a_sample_shows_that_it_makes_progress(sample):
    beats = []
    assert sample("EntersAlways", threading.Event(), lambda: beats.append(1)) == TruthFindings()
    assert len(beats) > 3 * 6


def test_a_sample_ends_between_two_cuts_when_it_is_told_to_stop(sample):
    stop, beats = threading.Event(), []

    def beat():
        beats.append(1)
        if len(beats) == 3:
            stop.set()

    assert sample("EntersAlways", stop, beat) is None
    assert len(beats) == 3
