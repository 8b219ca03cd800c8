"""Secrets: which values of a document are some, and copies without them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

MASK = "***"

# Names under which freqtrade, ccxt and exchanges keep something that opens an account or a door.
_NAME = re.compile(
    r"secret|passw|passphrase|pwd|token|api_?key|private_?key|access_?key|credential|authorization|cookie"
    r"|mnemonic|signature|bearer|wallet_?address|account_?id|chat_?id|webhook_?url|two_?fa"
    r"|^key$|^uid$|^login$|^headers$",
    re.IGNORECASE,
)
# Whoever knows one of these may speak in the user's name.
_URLS = {("webhook", "url"), ("notify", "urls")}
_USER_INFO = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_QUERY = re.compile(r"(?<=[?&])(\w*(?:key|token|secret|signature|passw)\w*)=[^&\s]+", re.IGNORECASE)
# A part of an address that may be a token or a password; a host has dots.
_TOKEN = re.compile(r"(?<![^/@:?&=])[^/@:?&=\s.]{8,}(?![^/@:?&=])")
# A shorter secret occurs in innocent text by chance; it is masked in its own place only.
_LEAST_LENGTH = 6


def is_secret_name(name: str, section: str = "") -> bool:
    """Whether a value of this name, in a section of that name, is a secret."""
    if name.endswith("_file"):
        return False
    return bool(_NAME.search(name)) or (section, name) in _URLS


def secret_values(document: Any, section: str = "") -> frozenset[str]:
    """Every secret text in the document that is long enough to be recognised elsewhere."""
    return frozenset(v for v in _secrets(document, section, hidden=False) if len(v) >= _LEAST_LENGTH)


def masked_text(text: str, secrets: frozenset[str]) -> str:
    """The text with each of the secrets, and the credentials of every URL, masked."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _QUERY.sub(rf"\1={MASK}", _USER_INFO.sub(MASK, text))


def masked(document: Any, mask: str = MASK) -> Any:
    """A deep copy of the document, as JSON types, with ``mask`` in the place of every secret."""
    secrets = secret_values(document)
    return _copy(document, "", lambda text: masked_text(text, secrets), mask)


def _secrets(node: Any, section: str, *, hidden: bool) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _secrets(value, str(key), hidden=hidden or is_secret_name(str(key), section))
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _secrets(value, section, hidden=hidden)
    elif hidden and isinstance(node, str | int | float) and not isinstance(node, bool):
        text = str(node)
        yield text
        # An address that is a secret: whoever speaks of it may show a part alone, as in "no answer from /TOKEN".
        yield from (part for part in _TOKEN.findall(text.partition("://")[2]) if part != "localhost")


def _copy(node: Any, section: str, shown: Callable[[str], str], mask: str) -> Any:
    if isinstance(node, Mapping):
        return {
            str(key): _hidden(value, mask)
            if is_secret_name(str(key), section)
            else _copy(value, str(key), shown, mask)
            for key, value in node.items()
        }
    if isinstance(node, list | tuple):
        return [_copy(value, section, shown, mask) for value in node]
    if node is None or isinstance(node, bool | int | float):
        return node
    return shown(str(node))


def _hidden(node: Any, mask: str) -> Any:
    if isinstance(node, Mapping):
        return {str(key): _hidden(value, mask) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_hidden(value, mask) for value in node]
    # Whether there is a secret at all may be shown; so may a flag (ccxt's `requiredCredentials`).
    return node if node is None or isinstance(node, bool) or node == "" else mask
