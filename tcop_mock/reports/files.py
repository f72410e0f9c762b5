"""A report on disk: whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from tcop_mock.errors import UsageError


def require_writable(path: str | Path, *, what: str = "report") -> Path:
    """Return where a report will lie, links followed. Worth asking before a run, not after it.

    Raises:
        UsageError: the folder is missing or not writable, or a folder has that name.
    """
    given = Path(path)
    place = given if _is_special(given) else given.resolve()  # /dev/stdout leads to names that are no files
    if place.is_dir():
        raise UsageError(f"{what} {str(path)!r} is a folder; name a file")
    if not place.parent.is_dir():
        raise UsageError(f"{what} {str(path)!r}: there is no folder {str(place.parent)!r}; create it first")
    asked = place if _is_special(place) else place.parent
    if not os.access(asked, os.W_OK):
        raise UsageError(f"{what} {str(path)!r}: {str(asked)!r} is not writable")
    return place


def write_report(path: str | Path, content: bytes, *, what: str = "report") -> None:
    """Write a report so that whoever looks sees the old one or the whole new one.

    It is written beside its place first, with the rights the process gives to new files, and then moved. What is no
    regular file (``/dev/stdout``, a pipe) cannot be replaced and is written to.

    Raises:
        UsageError: as :func:`require_writable`, or the writing failed (disk full).
    """
    place = require_writable(path, what=what)
    if _is_special(place):
        place.write_bytes(content)
        return
    draft = place.with_name(f".{place.name}.{secrets.token_hex(4)}.tmp")
    try:
        with draft.open("xb") as file:
            file.write(content)
        draft.replace(place)
    except OSError as problem:
        draft.unlink(missing_ok=True)
        raise UsageError(f"{what} {str(path)!r} cannot be written: {problem.strerror or problem}") from None


def _is_special(place: Path) -> bool:
    return place.exists() and not place.is_file() and not place.is_dir()
