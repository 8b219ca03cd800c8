"""The ``exchange`` section."""

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from daemon.config.fields import PairTuple, PathField, SecretField, Section, described

SECRETS = ("key", "secret", "password", "uid", "account_id", "wallet_address", "private_key")
"""Keys of the section that hold a secret; each may be given as ``<key>_file`` instead."""

SYNONYMS = {
    "api_key": "key",
    "apiKey": "key",
    "accountId": "account_id",
    "walletAddress": "wallet_address",
    "privateKey": "private_key",
}
"""Other spellings that freqtrade knows, and the key that each stands for."""


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _patterns(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        try:
            re.compile(value)
        except re.error as exc:
            raise ValueError(f"{value!r} is not a regular expression: {exc}") from None
    return values


def _secret_file(key: str) -> Any:
    return described(None, f"File that holds `{key}`, instead of the key itself.")


class ExchangeSettings(Section):
    """Where candles come from."""

    name: Annotated[str, BeforeValidator(_lower)] = described(
        ...,
        "`simulated` (embedded, needs no network), or the id of an exchange that ccxt knows.",
        pattern=r"^[a-z0-9_]+$",
    )
    key: SecretField = described(None, "API key. Not needed for candles.")
    secret: SecretField = described(None, "API secret.")
    password: SecretField = described(None, "API passphrase, where the exchange has one.")
    uid: SecretField = described(None, "User id, where the exchange has one.")
    account_id: SecretField = described(None, "Account id, where the exchange has one.")
    wallet_address: SecretField = described(None, "Wallet address of a decentralised exchange.")
    private_key: SecretField = described(None, "Private key of a decentralised exchange.")
    key_file: PathField | None = _secret_file("key")
    secret_file: PathField | None = _secret_file("secret")
    password_file: PathField | None = _secret_file("password")
    uid_file: PathField | None = _secret_file("uid")
    account_id_file: PathField | None = _secret_file("account_id")
    wallet_address_file: PathField | None = _secret_file("wallet_address")
    private_key_file: PathField | None = _secret_file("private_key")
    ccxt_config: dict[str, Any] = described({}, "Passed to ccxt as it is.", repr=False)
    ccxt_async_config: dict[str, Any] = described(
        {}, "Passed to ccxt's asynchronous client, over `ccxt_config`.", repr=False
    )
    ccxt_sync_config: dict[str, Any] = described(
        {}, "As `ccxt_async_config`: accepted because freqtrade has it.", repr=False
    )
    pair_whitelist: PairTuple = described(
        ..., "Pairs to train and predict, in the order in which new ones are trained.", min_length=1
    )
    pair_blacklist: Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_patterns)] = described(
        (), "Regular expressions; a pair that one of them matches as a whole (case ignored) is left out."
    )

    @model_validator(mode="after")
    def _files_are_read(self) -> Self:
        # `load_settings` puts each secret in the place of its file; one that is left would be ignored.
        if any(getattr(self, f"{name}_file") is not None for name in SECRETS):
            raise ValueError("secrets in files are read by load_settings only")
        return self
