"""``candled config``: check a configuration, describe what may stand in one."""

import json
from pathlib import Path
from typing import Annotated

import typer

from daemon.config import Settings, load_settings
from daemon.config.reference import config_schema

app = typer.Typer(help="Check the configuration, or print what may stand in it.", no_args_is_help=True)

_Files = Annotated[
    list[Path],
    typer.Option("--config", "-c", metavar="FILE", help="Configuration file; may be given several times."),
]


@app.command()
def check(config: _Files = [Path("config.json")]) -> None:  # noqa: B006 - typer reads the default, nobody writes it
    """Read the configuration and say what is wrong with it, or what will be done."""
    settings = load_settings(config)
    for warning in settings.warnings:
        typer.echo(f"warning: {warning}")
    typer.echo(f"OK: {_summary(settings)}")


@app.command()
def schema() -> None:
    """Print the JSON Schema (draft 2020-12) of the configuration file, for editors and checks."""
    typer.echo(json.dumps(config_schema(), indent=2))


def _summary(settings: Settings) -> str:
    correlated = len(settings.feature_pairs) - len(settings.pairs)
    more = f" and {correlated} correlated" if correlated else ""
    return (
        f"{len(settings.pairs)} pairs{more} on {settings.exchange.name}, "
        f"{' '.join(settings.freqai.feature_parameters.include_timeframes)}, "
        f"{settings.strategy} with {settings.freqaimodel}, state in {settings.identifier_folder}"
    )
