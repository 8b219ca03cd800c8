"""What several model libraries need alike: parameters over defaults, sealed bytes, checked probabilities."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.core.errors import Corrupt, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

_SEAL = b"candled-crc32:"
_SEAL_BYTES = len(_SEAL) + 9  # eight hexadecimal digits and a line feed


def over_defaults(
    own: Mapping[str, Any], given: Mapping[str, Any], aliases: Iterable[set[str]]
) -> dict[str, Any]:
    """The user's parameters over our defaults.

    Args:
        own: our defaults.
        given: the user's, in the library's words.
        aliases: names that speak of the same thing: if the user gives any of a set, ours of that set go.
    """
    kept = dict(own)
    for names in aliases:
        if names & given.keys():
            for name in names & kept.keys():
                del kept[name]
    return {**kept, **given}


def taken(parameters: dict[str, Any], names: set[str]) -> Any:
    """Take a parameter out by any of its names; None if it has none of them.

    Raises:
        Refused: it goes by two names with two values.
    """
    found = {name: parameters.pop(name) for name in sorted(names & parameters.keys())}
    if len({repr(value) for value in found.values()}) > 1:
        raise Refused(f"one parameter by several names: {', '.join(f'{k} {v!r}' for k, v in found.items())}")
    return next(iter(found.values()), None)


def sealed(data: bytes) -> bytes:
    """The bytes with their checksum behind them.

    XGBoost and LightGBM abort the whole process on some damaged files, where no ``except`` can help: so nothing
    damaged may reach them. Both, and numpy, pass over what stands behind the model: a sealed file is still theirs.
    """
    return data + _SEAL + b"%08x\n" % zlib.crc32(data)


def unsealed(data: bytes, library: str) -> bytes:
    """The inverse of `sealed`.

    Raises:
        Corrupt: these are not the bytes that were sealed.
    """
    model = data[:-_SEAL_BYTES]
    if sealed(model) != data:
        raise Corrupt(f"not a {library} model: the checksum at its end is missing or wrong")
    return model


def checked_numbers(out: NDArray[Any]) -> NDArray[np.float64]:
    """Float64[n], one number per row.

    Raises:
        Refused: the objective gives something else.
    """
    if out.ndim != 1 or not np.isfinite(out).all():
        raise Refused("the objective does not give one number per row")
    return np.asarray(out, np.float64)


def checked_shares(out: NDArray[Any], classes: int) -> NDArray[np.float64]:
    """Float64[n, classes], probabilities, of what a library gives for classes.

    Args:
        out: [n], probabilities of code 1 of two classes, or [n, classes].
        classes: how many there are.

    Raises:
        Refused: the objective gives something else.
    """
    shares = np.asarray(out, np.float64)
    if shares.ndim == 1 and classes == 2:
        shares = np.column_stack((1 - shares, shares))
    if shares.shape != (len(out), classes) or not ((shares >= 0) & (shares <= 1)).all():
        raise Refused(f"the objective does not give probabilities of {classes} classes")
    return shares


def one_output(raw: NDArray[np.float64], code: int, *, classifies: bool) -> NDArray[np.float64]:
    """Float64[n, k + 1], SHAP values of one output.

    Args:
        raw: [n, k + 1] of the one raw score there is, a regression's or that of code 1 of two classes, or
            [n, outputs, k + 1].
        code: whose; where there is one raw score, that of code 0 is its negative.
        classifies: whether outputs are classes.
    """
    if raw.ndim == 3:
        return raw[:, code]
    return -raw if classifies and code == 0 else raw


def in_short(error: Exception) -> str:
    """A library's message on one line, without its stack trace."""
    return " ".join(str(error).split("Stack trace")[0].split())[:300]
