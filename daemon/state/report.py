"""What recovery has to say: which file was damaged, what became of it, what was lost."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from daemon.state import atomic
from daemon.state.documents import NewerFormat

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.core.errors import CandledError
    from daemon.state.folder import StateFolder

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A state file that is not what was written.

    Attributes:
        file: its name, relative to the identifier folder.
        fault: what is wrong with it.
        remedy: what was done, or would be done by a start.
        lost: whether something is lost for good (then it is named in `fault` or by a `Loss`).
    """

    file: str
    fault: str
    remedy: str
    lost: bool = False

    def fields(self) -> dict[str, Any]:
        """For the log and for ``--json``."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.file}: {self.fault}; {self.remedy}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Acknowledged predictions that no file holds any more.

    Attributes:
        pair: whose; "" if that is lost too, so any pair's may be missing.
        from_ms: open time of the first candle that may be missing, ms UTC; 0: from the beginning.
        to_ms: open time of the last one that may be missing, ms UTC; 0: up to the end.
        what: in words.
    """

    pair: str
    from_ms: int
    to_ms: int
    what: str

    def fields(self) -> dict[str, Any]:
        """For the log and for ``--json``."""
        return asdict(self)


def relative(why: Exception, folder: StateFolder) -> str:
    """A message in which files are named as they are inside the identifier folder."""
    return str(why).replace(f"{folder.path}/", "")


def damage(path: Path, why: CandledError, folder: StateFolder, *, touch: bool) -> Damage:
    """Set a damaged file aside (with ``touch``), and say so in one log line.

    A file that cannot be moved (read-only disk) stays where it is; it is not read as good either way.
    """
    fault = relative(why, folder).removeprefix(f"{path.name} ").removeprefix(f"{path.name}: ")
    name = path.relative_to(folder.path).as_posix() if path.is_relative_to(folder.path) else path.name
    remedy = "would be set aside"
    if touch:
        try:
            remedy = f"set aside as {atomic.set_aside(path, folder.set_aside).relative_to(folder.path)}"
        except OSError as exc:
            remedy = f"could not be set aside: {exc.strerror or exc}"
    report = Damage(file=name, fault=fault, remedy=remedy)
    event = "state_file_newer" if isinstance(why, NewerFormat) else "state_file_damaged"
    (logger.warning if touch else logger.debug)(event, extra={"fields": report.fields()})
    return report


def missing(path: Path, *, touch: bool) -> Damage:
    """Report a file that ought to be there; in one log line (with ``touch``)."""
    remedy = "written anew from the other files" + ("" if touch else " by the next start")
    report = Damage(file=path.name, fault="missing", remedy=remedy)
    (logger.warning if touch else logger.debug)("state_file_missing", extra={"fields": report.fields()})
    return report
