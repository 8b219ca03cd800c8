"""The whole configuration, as frozen values."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from daemon.config.exchange import ExchangeSettings
from daemon.config.fields import PathField, TimeframeField, described
from daemon.config.freqai import FreqaiSettings
from daemon.config.inert import inert_warnings, without_inert
from daemon.config.models import AVAILABLE
from daemon.config.own import CandledSettings
from daemon.config.redaction import masked, secret_values
from daemon.config.trading import TradingSettings
from daemon.config.view import strategy_view
from daemon.config.whole import base_timeframe_in_front, matches, model_folders, whole_doubts, whole_faults
from daemon.core.pair import Pair


def _spot(value: object) -> object:
    if value != "spot":
        raise ValueError('spot only in this version; set trading_mode to "spot"')
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What was read, beside the values: the document, copies of it without secrets, and remarks on it."""

    document: dict[str, Any] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict, repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    warnings: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()


class Settings(TradingSettings):
    """Everything that a user may configure.

    Built by `load_settings`; ``Settings.model_validate(document)`` takes a document as it stands in a
    file, known keys without effect included.
    """

    timeframe: TimeframeField = described(..., "Base timeframe: length of the candles that are predicted.")
    stake_currency: str = described(
        ...,
        "Currency of the account; every pair of the whitelist is quoted in it.",
        pattern=r"^[A-Za-z0-9]+$",
    )
    dry_run: bool = described(
        True, "`true`: trades are made on paper. `false`: orders go to the exchange, with real money."
    )
    trading_mode: Annotated[Literal["spot"], BeforeValidator(_spot)] = described(
        "spot", "Spot only in this version."
    )
    strategy: str = described(..., "Name of the strategy's class; also --strategy.", pattern=r"^[^\W\d]\w*$")
    strategy_path: PathField | None = described(
        None, "Folder that is searched for the strategy first, before `user_data/strategies`."
    )
    freqaimodel: str = described(
        "CatboostRegressor",
        f"Kind of model: {', '.join(f'`{name}`' for name in AVAILABLE)}, or a class of your own; see docs/models.md.",
    )
    freqaimodel_path: PathField | None = described(
        None, "Folder that is searched for your own model class first, before `user_data/freqaimodels`."
    )
    user_data_dir: PathField = described(
        Path("user_data"), "Folder of strategies, candles and state; relative to the working directory."
    )
    datadir: PathField | None = described(
        None, "Folder of the candle files; left out: `user_data/data/<exchange>`."
    )
    bot_name: str = described("candled", "Name of this daemon in logs and messages.", max_length=100)
    add_config_files: Annotated[tuple[str, ...], Field(strict=False)] = described(
        (), "More files, relative to the one that names them; what it says itself wins over them."
    )
    exchange: ExchangeSettings = described(..., "Where candles come from.")
    freqai: FreqaiSettings = described(..., "Models, their life and their training.")
    candled: CandledSettings = described(CandledSettings(), "candled's own settings.")

    _reading: _Reading = PrivateAttr(default_factory=_Reading)

    @model_validator(mode="wrap")
    @classmethod
    def _from_document(
        cls, document: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        if not isinstance(document, dict):
            return handler(document)
        # All problems at once: the checks of the whole look at what they can, even if fields are wrong.
        faults = [_detail(place, text) for place, text in whole_faults(document)]
        try:
            settings = handler(base_timeframe_in_front(without_inert(document)))
        except ValidationError as exc:
            found: list[InitErrorDetails] = [_again(error) for error in exc.errors(include_url=False)]
            raise ValidationError.from_exception_data(cls.__name__, [*found, *faults]) from None
        if faults:
            raise ValidationError.from_exception_data(cls.__name__, faults)
        context: Mapping[str, Any] = info.context or {}
        files = tuple(context.get("files", ()))
        settings._reading = _Reading(  # noqa: SLF001 - the class itself builds the instance
            document=masked(document),
            raw=strategy_view(document, settings, files),
            source=copy.deepcopy(document),
            secrets=secret_values(document),
            warnings=(
                *context.get("warnings", ()),
                *inert_warnings(document),
                *whole_doubts(document, settings.freqai),
            ),
            files=files,
        )
        return settings

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Pairs to train and predict: the whitelist without what the blacklist matches, in its order."""
        patterns = self.exchange.pair_blacklist
        return tuple(
            pair for pair in self.exchange.pair_whitelist if not any(matches(text, pair) for text in patterns)
        )

    @property
    def feature_pairs(self) -> tuple[Pair, ...]:
        """`pairs`, then the correlated pairs that are not among them: all whose candles are needed."""
        pairs = self.pairs
        more = self.freqai.feature_parameters.include_corr_pairlist
        return (*pairs, *(pair for pair in more if pair not in pairs))

    @property
    def identifier_folder(self) -> Path:
        """State folder of this deployment."""
        return self.user_data_dir / "models" / self.freqai.identifier

    @property
    def ledger_file(self) -> Path:
        """File of the trades; those of a dry run have their own."""
        if self.db_url is not None:
            return Path(self.db_url.removeprefix("sqlite:///")).expanduser()
        ending = ".dryrun.sqlite" if self.dry_run else ".sqlite"
        return self.user_data_dir / f"{self.freqai.identifier}{ending}"

    @property
    def model_folders(self) -> tuple[Path, ...]:
        """Where the file of a user's own model class is looked for, in order."""
        return model_folders(self.user_data_dir, self.freqaimodel_path)

    @property
    def data_folder(self) -> Path:
        """Folder of the candle files."""
        return self.datadir or self.user_data_dir / "data" / self.exchange.name

    @property
    def config_files(self) -> tuple[Path, ...]:
        """The files that were read, in the order of reading."""
        return self._reading.files

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user wrote and may be wrong about: one line each, to be said once."""
        return self._reading.warnings

    @property
    def secret_values(self) -> frozenset[str]:
        """Texts that must never appear in a log or a file, for filters."""
        return self._reading.secrets

    @property
    def document(self) -> dict[str, Any]:
        """A new copy of the user's merged configuration, every secret replaced by ``***``."""
        return copy.deepcopy(self._reading.document)

    @property
    def source(self) -> dict[str, Any]:
        """A new copy of the user's merged configuration as it was read, secrets included: to be read again, never shown."""
        return copy.deepcopy(self._reading.source)

    @property
    def raw(self) -> Mapping[str, Any]:
        """A new copy of the configuration as strategies see it in ``self.config``.

        It is what the user wrote, with defaults where freqtrade has some; secrets are empty texts.
        """
        return copy.deepcopy(self._reading.raw)


def redacted(settings: Settings) -> dict[str, Any]:
    """A JSON-able copy of the user's configuration with every secret replaced by ``***``."""
    return settings.document


def _detail(place: tuple[str | int, ...], text: str) -> InitErrorDetails:
    return InitErrorDetails(
        type=PydanticCustomError("whole", "{text}", {"text": text}), loc=place, input=None
    )


def _again(error: Any) -> InitErrorDetails:
    kind = InitErrorDetails(type=error["type"], loc=error["loc"], input=error["input"])
    if "ctx" in error:
        kind["ctx"] = error["ctx"]
    return kind
