"""The ``candled`` section: what FreqAI has no word for."""

import datetime as dt
import os
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, SecretStr, model_validator

from daemon.config.fields import PathField, Section, described

LogRoom = Literal["market", "strategy", "features", "learning", "state", "trading", "runtime", "interface"]
LogLevel = Literal["debug", "info", "warning", "error"]
NotifyEvent = Literal[
    "start", "stop", "trade", "model_late", "candle_late", "gate", "error", "daily_summary", "strategy"
]
NOTIFY_EVENTS: tuple[NotifyEvent, ...] = get_args(NotifyEvent)


class SimulatedSettings(Section):
    """The embedded exchange (``exchange.name`` is ``simulated``)."""

    seed: int = described(1, "Seed of the random market: the same seed gives the same candles.", ge=0)
    speed: float = described(60.0, "Speed of the market; 1 is real time.", unit="market s per real s", gt=0)
    start: Annotated[dt.date, Field(strict=False)] = described(
        dt.date(2026, 1, 1),
        "First day (UTC) of the random market's present. A replay starts with its candles, a market in real "
        "time (speed 1) now.",
    )
    replay: PathField | None = described(
        None, "Folder of freqtrade's feather files; their candles are replayed instead of the random market."
    )

    @property
    def start_ms(self) -> int:
        """Midnight UTC of ``start``, milliseconds since the epoch."""
        return (self.start - dt.date(1970, 1, 1)).days * 86_400_000


class TrainingSettings(Section):
    """The process that trains models."""

    threads: int | None = described(
        None, "Threads of a training; left out: one fewer than the machine has cores, at least 1.", ge=1
    )
    max_minutes: float = described(
        60.0,
        "Longest training; one that takes longer is ended and its pair backs off.",
        unit="real min",
        gt=0,
    )
    max_memory_mb: int | None = described(
        None,
        "Most memory that a training may take; one that takes more is ended and its pair backs off. Left out: half of "
        "the machine's.",
        unit="MB",
        ge=64,
    )
    nice: int = described(10, "Priority of a training: 0 as the daemon, 19 lowest.", ge=0, le=19)

    @property
    def thread_count(self) -> int:
        """``threads``, or its default on this machine (the cores that this process may use)."""
        return self.threads or max(1, len(os.sched_getaffinity(0)) - 1)

    @property
    def max_bytes(self) -> int:
        """``max_memory_mb``, or its default on this machine, in bytes."""
        if self.max_memory_mb is not None:
            return self.max_memory_mb * 1_000_000
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


class HealthSettings(Section):
    """Health and metrics over HTTP."""

    port: int | None = described(
        None, "Where `/live`, `/ready` and `/metrics` are served. Left out: nowhere.", ge=1, le=65535
    )
    host: str = described(
        "127.0.0.1",
        "Address to listen on; whoever can reach it can read the figures.",
        pattern=r"^[0-9a-fA-F.:]+$",
    )


class NotifySettings(Section):
    """Messages to people."""

    urls: Annotated[tuple[SecretStr, ...], Field(strict=False)] = described(
        (),
        "Where messages go, each an address of Apprise: `tgram://TOKEN/CHAT`, `mailto://USER:PASSWORD@HOST`, "
        "`discord://ID/TOKEN`, `jsons://HOST/PATH` (a webhook)... Needs the extra `notify`.",
    )
    urls_file: PathField | None = described(
        None, "File that holds `urls`, one in a line, instead of themselves."
    )
    events: Annotated[tuple[NotifyEvent, ...], Field(strict=False)] = described(
        NOTIFY_EVENTS, f"Which messages are sent: {', '.join(f'`{name}`' for name in NOTIFY_EVENTS)}."
    )
    pause_s: float = described(
        30.0, "Shortest time between two messages; what happens meanwhile comes in one.", unit="real s", ge=1
    )
    summary_at: str = described(
        "00:00",
        "Time of day (UTC, of the market) of the daily summary.",
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$",
    )

    @model_validator(mode="after")
    def _file_is_read(self) -> Self:
        # `load_settings` puts the addresses in the place of their file; one that is left would be ignored.
        if self.urls_file is not None:
            raise ValueError("addresses in files are read by load_settings only")
        return self


class RetrainSettings(Section):
    """When live skill asks for a training."""

    skill_share: float = described(
        0.0,
        "A model is trained anew when its live skill falls below this share of its skill on the test rows. 0: never.",
        ge=0,
        le=1,
    )
    min_predictions: int = described(
        144, "Judged predictions of the live model before its skill says anything.", unit="predictions", ge=2
    )


class RiskSettings(Section):
    """Limits that no strategy can move; what they have found is kept in the ledger."""

    max_stake_per_pair: float | None = described(
        None, "Most that the trades of one pair may bind. Stake currency. Left out: no limit.", gt=0
    )
    max_stake: float | None = described(
        None, "Most that all trades may bind together. Stake currency. Left out: no limit.", gt=0
    )
    max_daily_loss: float | None = described(
        None,
        "Loss of a day (UTC), as a share of what the account was worth at its start, after which nothing is entered "
        "until the day is over. Left out: no limit.",
        gt=0, le=1,
    )  # fmt: skip
    max_drawdown: float | None = described(
        None,
        "Loss from the account's highest worth, as a share of it, after which nothing is entered until "
        "`candled resume --risk`. Left out: no limit.",
        gt=0, le=1,
    )  # fmt: skip
    max_orders_per_minute: int | None = described(
        None, "Most orders that are sent within a minute of market time; exits count, but are never held back. Left "
        "out: no limit.", unit="orders", ge=1,
    )  # fmt: skip


class CandledSettings(Section):
    """candled's own settings."""

    simulated: SimulatedSettings = described(SimulatedSettings(), "The embedded exchange.")
    training: TrainingSettings = described(TrainingSettings(), "The process that trains models.")
    health: HealthSettings = described(HealthSettings(), "Health and metrics over HTTP.")
    notify: NotifySettings = described(NotifySettings(), "Messages to people.")
    retrain: RetrainSettings = described(RetrainSettings(), "When live skill asks for a training.")
    risk: RiskSettings = described(RiskSettings(), "Limits that no strategy can move.")
    skill_window: int = described(
        288, "Newest predictions with a known label that live skill is measured on.", unit="predictions", ge=2
    )
    grace_s: float = described(
        2.0, "Wait after a candle's close before it is fetched.", unit="market s", ge=0, le=60
    )
    patience_s: float = described(
        100.0,
        "A thread, or the training process, that makes no progress for so long is taken to hang: the process is replaced, "
        "for a thread the daemon ends, to be started again.",
        unit="real s",
        ge=5,
    )
    max_disk_gb: float | None = described(
        None, "Most that all models may take; the oldest ones go first, never a live one.", unit="GB", gt=0
    )
    keep_predictions_days: float | None = described(
        None,
        "How long predictions stay on record. Older ones are dropped when the record is written anew (docs/state.md), of "
        "each pair never one that the strategy, live statistics or live skill look at. Left out: all stay.",
        unit="market days",
        gt=0,
        le=100_000,
    )
    keep_candles_days: float | None = described(
        None,
        "How long candles stay in the candle files; those that trainings need always do. Left out: all stay.",
        unit="market days",
        gt=0,
        le=100_000,
    )
    log_format: Literal["auto", "text", "json"] = described(
        "auto",
        "Log lines: `text`, `json` (one object per line), or `auto`: the live view on a terminal, else text.",
    )
    log_levels: dict[LogRoom, LogLevel] = described(
        {},
        f"Level by part of the program, `info` where left out: {', '.join(f'`{name}`' for name in get_args(LogRoom))}.",
    )
