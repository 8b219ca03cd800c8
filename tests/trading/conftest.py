"""Fixtures of the trading tests."""

import pytest

from daemon.trading.ledger import Ledger


@pytest.fixture
def ledger(tmp_path):
    found = Ledger.open(tmp_path / "example.sqlite")
    yield found
    found.close()
