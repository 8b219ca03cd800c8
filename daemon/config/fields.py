"""What the sections of the configuration are made of."""

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    SecretStr,
    WithJsonSchema,
    model_validator,
)

from daemon.core.pair import Pair
from daemon.core.timeframe import Timeframe

# What freqtrade's examples and ours put where a key belongs, and what `redacted` leaves of one.
_PLACEHOLDER = re.compile(r"\s*|\*+|x{3,}|<.*>|your[_ -].*|change[_ -]?me", re.IGNORECASE)


class Section(BaseModel):
    """An object of the configuration file: frozen, typed, without unknown keys.

    ``null`` stands for "not given", as in freqtrade's own minimal configuration. Validation errors never
    carry the values, because a value may be a secret.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, document: Any) -> Any:
        if not isinstance(document, dict):
            return document
        return {k: v for k, v in document.items() if v is not None or k not in cls.model_fields}


def _pair(value: object) -> Pair:
    if not isinstance(value, str):
        raise ValueError('must be a pair in quotes, such as "BTC/USDT"')  # noqa: TRY004 - pydantic's protocol
    if re.search(r"[*+?()\[\]^|\\]", value):
        raise ValueError("must be one pair, such as 'BTC/USDT': patterns are not expanded in this version")
    try:
        return Pair(value)
    except ValueError:
        raise ValueError("must be written as BASE/QUOTE, for example 'BTC/USDT'") from None


def _timeframe(value: object) -> Timeframe:
    if not isinstance(value, str):
        raise ValueError('must be a timeframe in quotes, such as "5m"')  # noqa: TRY004 - pydantic's protocol
    try:
        return Timeframe(value)
    except ValueError:
        raise ValueError("must be a number and s, m, h, d or w, for example '5m'") from None


def _path(value: object) -> object:
    if not isinstance(value, str | Path) or not str(value).strip():
        raise ValueError("must be a path in quotes")
    return Path(value).expanduser()


def _secret(value: object) -> object:
    if isinstance(value, SecretStr):
        return value
    if isinstance(value, str):
        # A placeholder would be sent to the exchange as if it were a key, and be refused there.
        return None if _PLACEHOLDER.fullmatch(value) else value.strip()
    return value


def given_secret(value: object) -> bool:
    """Whether a value of the document is a secret, not its placeholder."""
    return isinstance(value, str) and _secret(value) is not None


def described(default: Any, description: str, *, unit: str | None = None, **limits: Any) -> Any:
    """A field with its line of documentation; ``default`` ``...`` makes it required.

    Args:
        default: value where the file has none, already of the field's type.
        description: one line for the user.
        unit: unit of the number, which error messages and the documentation name.
        limits: pydantic's ``gt``, ``ge``, ``lt``, ``le``, ``pattern``, ``strict``, ...
    """
    return Field(
        default, description=description, json_schema_extra={"unit": unit} if unit else None, **limits
    )


PairField = Annotated[
    Pair, PlainValidator(_pair), WithJsonSchema({"type": "string", "examples": ["BTC/USDT"]})
]
TimeframeField = Annotated[
    Timeframe,
    PlainValidator(_timeframe),
    WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]*[smhdw]$", "examples": ["5m"]}),
]
PathField = Annotated[Path, PlainValidator(_path), WithJsonSchema({"type": "string", "format": "path"})]
SecretField = Annotated[SecretStr | None, BeforeValidator(_secret)]
PairTuple = Annotated[tuple[PairField, ...], Field(strict=False)]
TimeframeTuple = Annotated[tuple[TimeframeField, ...], Field(strict=False)]
