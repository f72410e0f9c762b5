"""Reports in files: all of one or none."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tcop_mock.errors import UsageError


def check_writable(path: str) -> None:
    """Look before the work whether a report can be written after it.

    Raises:
        UsageError: the folder is not there or cannot be written to, or the path is a folder.
    """
    folder = Path(path).absolute().parent
    if not folder.is_dir():
        raise UsageError(f"report {path!r}: folder {str(folder)!r} is not there; make it first")
    if Path(path).is_dir():
        raise UsageError(f"report {path!r} is a folder; name a file")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"report {path!r}: no permission to write into {str(folder)!r}")


def write_atomically(path: str, data: bytes) -> None:
    """Write a file whole: beside its place first, then moved there.

    Raises:
        UsageError: it cannot be written.
    """
    place = Path(path).absolute()
    try:
        with tempfile.NamedTemporaryFile(dir=place.parent, prefix=f".{place.name}.", delete=False) as beside:
            beside.write(data)
        Path(beside.name).chmod(0o644)
        Path(beside.name).replace(place)
    except OSError as problem:
        raise UsageError(f"report {path!r} cannot be written: {problem.strerror or problem}") from None
