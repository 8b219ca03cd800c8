"""``candled predictions``: the record of predictions."""

from __future__ import annotations

import enum
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.options import DEFAULT_CONFIG, ConfigFiles, settings_of
from daemon.core.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd


class Format(enum.StrEnum):
    """How predictions are printed."""

    TABLE = "table"
    CSV = "csv"
    PARQUET = "parquet"


def predictions(
    pair: Annotated[str | None, typer.Argument(help="Only this pair.")] = None,
    config: ConfigFiles = DEFAULT_CONFIG,
    format: Annotated[Format, typer.Option(help="parquet needs --output.")] = Format.TABLE,  # noqa: A002
    last: Annotated[
        int | None, typer.Option(min=1, help="Newest rows per pair; 20 in a table, else all.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File, instead of the terminal.")
    ] = None,
) -> None:
    """Print predictions that were made live, with what the strategy got: labels, do_predict, and why there is none."""
    from daemon.state.folder import StateFolder  # noqa: PLC0415
    from daemon.state.history import PredictionHistory  # noqa: PLC0415

    settings = settings_of(config)
    if format is Format.PARQUET and output is None:
        raise ConfigError("--format parquet writes a file: name it with --output")
    history = PredictionHistory.read(StateFolder(settings.identifier_folder))
    if pair is not None and pair not in history.pairs:
        known = ", ".join(history.pairs) or "none yet"
        raise ConfigError(
            f"no predictions of {pair!r} in {settings.identifier_folder}; there are some of: {known}"
        )
    rows = last or (20 if format is Format.TABLE else None)
    chosen = [known for known in history.pairs if pair in (None, str(known))]
    _print(_together({str(known): history.frame(known, rows) for known in chosen}), format, output)


def _together(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415

    if not frames:
        return pd.DataFrame({"date_pred": [], "pair": []})
    parts = [frame.assign(pair=pair) for pair, frame in frames.items()]
    whole = pd.concat(parts, ignore_index=True)
    return whole[
        ["date_pred", "pair", *(name for name in whole.columns if name not in ("date_pred", "pair"))]
    ]


def _print(frame: pd.DataFrame, format: Format, output: Path | None) -> None:  # noqa: A002
    if format is Format.PARQUET:
        frame.to_parquet(output)
    elif format is Format.CSV:
        frame.to_csv(output or sys.stdout, index=False)
    else:
        text = frame.to_string(index=False)
        if output is None:
            print(text)
        else:
            output.write_text(text + "\n", "utf-8")
