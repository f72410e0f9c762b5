"""Report files: checks paths before a run, and writes files atomically."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from tcop_mock.errors import UsageError


def require_writable(path: str | Path, *, label: str = "report") -> Path:
    """Return the path of a report, with links resolved. Call it before a run, not after it.

    Raises:
        UsageError: the folder is missing or not writable, or the path is a folder.
    """
    given_path = Path(path)
    # /dev/stdout resolves to a name that is not a file
    resolved = given_path if _is_special(given_path) else given_path.resolve()
    if resolved.is_dir():
        raise UsageError(f"{label} {str(path)!r} is a folder; name a file")
    if not resolved.parent.is_dir():
        raise UsageError(f"{label} {str(path)!r}: there is no folder {str(resolved.parent)!r}; create it first")
    checked_path = resolved if _is_special(resolved) else resolved.parent
    if not os.access(checked_path, os.W_OK):
        raise UsageError(f"{label} {str(path)!r}: {str(checked_path)!r} is not writable")
    return resolved


def write_report(path: str | Path, content: bytes, *, label: str = "report") -> None:
    """Write a report atomically: other processes see the old file or the complete new one.

    A temporary file in the same folder replaces the report. A path that is not a regular file (``/dev/stdout``, a pipe)
    cannot be replaced and is written directly.

    Raises:
        UsageError: as :func:`require_writable`, or writing failed (disk full).
    """
    destination = require_writable(path, label=label)
    if _is_special(destination):
        try:
            destination.write_bytes(content)
        except BrokenPipeError:
            raise  # the reader of our output left
        except OSError as problem:
            raise _write_error(path, label, problem) from None
        return
    temporary = destination.with_name(f".{destination.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
        temporary.replace(destination)
    except OSError as problem:
        temporary.unlink(missing_ok=True)
        raise _write_error(path, label, problem) from None


def _write_error(path: str | Path, label: str, problem: OSError) -> UsageError:
    return UsageError(f"{label} {str(path)!r} cannot be written: {problem.strerror or problem}")


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()
