"""``candled config``: check a configuration, describe what may stand in one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from daemon.cli.options import DEFAULT_CONFIG, ConfigFiles, settings_of
from daemon.core.words import counted

if TYPE_CHECKING:
    from daemon.config import Settings

app = typer.Typer(help="Check the configuration, or print what may stand in it.", no_args_is_help=True)


@app.command()
def check(config: ConfigFiles = DEFAULT_CONFIG) -> None:
    """Read the configuration, the strategy and the model's class; say what is wrong with them, or what will be done."""
    from daemon.market.simulated import SimulatedMarket  # noqa: PLC0415  keeps `candled --help` quick
    from daemon.runtime.user_models import use_model  # noqa: PLC0415
    from daemon.runtime.world import strategy_folders  # noqa: PLC0415
    from daemon.strategy.loader import load_strategy  # noqa: PLC0415
    from daemon.trading.live_checks import check_supported  # noqa: PLC0415
    from daemon.trading.rules import trade_rules  # noqa: PLC0415

    settings = settings_of(config)
    if settings.exchange.name != SimulatedMarket.name:
        from daemon.market.ccxt_client import check_known  # noqa: PLC0415  a second, for those who need it

        check_known(settings.exchange.name)
    use_model(settings)
    strategy = load_strategy(settings.strategy, paths=strategy_folders(settings), config=settings.raw)
    trade_rules(settings, strategy.instance)
    if not settings.dry_run:
        check_supported(settings.exchange.name)
    for warning in settings.warnings:
        typer.echo(f"warning: {warning}")
    typer.echo(f"OK: {_summary(settings)}")


@app.command()
def model(config: ConfigFiles = DEFAULT_CONFIG) -> None:
    """Put the configured model class to the checks that every model of candled passes; nothing is written."""
    from daemon.core.errors import ConfigError  # noqa: PLC0415  as above
    from daemon.learning.models.checks import CHECKS, failures  # noqa: PLC0415
    from daemon.learning.models.registry import model_class  # noqa: PLC0415
    from daemon.runtime.user_models import use_model  # noqa: PLC0415

    settings = settings_of(config)
    user = use_model(settings)
    if user is not None and user.freqai:
        raise ConfigError(
            f"{user.name} is in FreqAI's manner: every training of it makes sure that it predicts the same when it is "
            "read again, and of one row what it predicts within a batch; the checks are for classes that derive from "
            "daemon.learning.models.UserModel"
        )
    wrong = failures(model_class(settings.freqaimodel), settings.freqai.model_training_parameters)
    for name in CHECKS:
        typer.echo(f"FAILED  {name}: {wrong[name]}" if name in wrong else f"ok      {name}")
    raise typer.Exit(1 if wrong else 0)


@app.command()
def schema() -> None:
    """Print the JSON Schema (draft 2020-12) of the configuration file, for editors and checks."""
    from daemon.config.reference import config_schema  # noqa: PLC0415  keeps `candled --help` quick

    typer.echo(json.dumps(config_schema(), indent=2))


def _summary(settings: Settings) -> str:
    correlated = len(settings.feature_pairs) - len(settings.pairs)
    more = f" and {correlated} correlated" if correlated else ""
    return (
        f"{counted(len(settings.pairs), 'pair')}{more} on {settings.exchange.name}, "
        f"{' '.join(settings.freqai.feature_parameters.include_timeframes)}, "
        f"{settings.strategy} with {settings.freqaimodel}, state in {settings.identifier_folder}"
    )
