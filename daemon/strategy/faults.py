"""Where in a user's files an error came from."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from daemon.core.errors import CandledError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def describe_fault(exc: BaseException, files: Iterable[Path], fallback: Path | str) -> str:
    """``file:line: what happened``: the deepest line of the user's files that the error passed through.

    Args:
        exc: what was raised.
        files: the user's files.
        fallback: the place to name if the error passed through none of them.
    """
    own = {str(file) for file in files}
    if isinstance(exc, SyntaxError) and exc.filename is not None:
        return f"{exc.filename}:{exc.lineno}: {type(exc).__name__}: {exc.msg}"
    lines = [
        f"{frame.f_code.co_filename}:{line}"
        for frame, line in traceback.walk_tb(exc.__traceback__)
        if frame.f_code.co_filename in own
    ]
    place = lines[-1] if lines else str(fallback)
    text = str(exc)
    if isinstance(exc, CandledError):  # these say by themselves what is wrong
        return f"{place}: {text}" if lines else text
    return f"{place}: {type(exc).__name__}: {text}" if text else f"{place}: {type(exc).__name__}"
