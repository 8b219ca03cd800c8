import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from daemon.cli.config import app
from daemon.core.errors import ConfigError

runner = CliRunner()


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


@pytest.fixture
def document(document):
    return {**document, "strategy": "CandledExampleStrategy"}


def test_check_says_ok_and_what_will_be_done(written, document):
    document["fiat_display_currency"] = "USD"
    result = runner.invoke(app, ["check", "-c", str(written(document))])
    assert result.exit_code == 0
    warning, verdict = result.output.splitlines()
    assert warning.startswith("warning: fiat_display_currency has no effect")
    assert verdict.startswith(
        "OK: 2 pairs on simulated, 5m 1h, CandledExampleStrategy with CatboostRegressor"
    )


def test_check_merges_several_files(written, document):
    more = written({"exchange": {"pair_whitelist": ["SOL/USDT"]}}, "more.json")
    result = runner.invoke(app, ["check", "-c", str(written(document)), "-c", str(more)])
    assert "OK: 1 pair on simulated" in result.output


def test_check_lets_the_error_through_for_the_exit_code(written):
    result = runner.invoke(app, ["check", "-c", str(written("{}"))])
    assert isinstance(result.exception, ConfigError)
    assert "timeframe: missing" in str(result.exception)


def test_check_misses_the_models_library(written, document, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    result = runner.invoke(
        app, ["check", "-c", str(written({**document, "freqaimodel": "LightGBMRegressor"}))]
    )
    assert isinstance(result.exception, ConfigError)
    assert "pip install '.[lightgbm]'" in str(result.exception)


def test_check_knows_that_there_is_no_such_strategy(written, document):
    result = runner.invoke(
        app, ["check", "-c", str(written({**document, "strategy": "CandledExampleStrateg"}))]
    )
    assert isinstance(result.exception, ConfigError)
    assert "nearest: CandledExampleStrategy" in str(result.exception)


def test_check_knows_rules_of_trading_that_do_not_fit(written, document):
    no_end = {**document, "stake_amount": "unlimited", "max_open_trades": -1}
    result = runner.invoke(app, ["check", "-c", str(written(no_end))])
    assert isinstance(result.exception, ConfigError)
    assert "max_open_trades" in str(result.exception)


def test_check_knows_the_names_of_exchanges(written, document):
    exchange = {**document["exchange"], "name": "binanse"}
    result = runner.invoke(app, ["check", "-c", str(written({**document, "exchange": exchange}))])
    assert isinstance(result.exception, ConfigError)
    assert "no exchange 'binanse'; did you mean binance" in str(result.exception)


def test_check_knows_that_an_exchange_is_not_traded_on(written, document):
    exchange = {**document["exchange"], "name": "kraken", "key": "a", "secret": "b"}
    result = runner.invoke(
        app, ["check", "-c", str(written({**document, "dry_run": False, "exchange": exchange}))]
    )
    assert isinstance(result.exception, ConfigError)
    assert "live trading on kraken is not supported" in str(result.exception)


def test_schema_prints_json():
    result = runner.invoke(app, ["schema"])
    assert json.loads(result.output)["properties"]["timeframe"]["type"] == "string"


def test_the_command_stays_light():
    script = "import sys, daemon.cli.config; print([m for m in ('numpy', 'pandas', 'catboost', 'ccxt') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"
