"""The exception of an app in this process, in a few lines: the user's own frames, and what was raised."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIBRARY_FOLDERS = tuple(
    {str(Path(path)) for name in ("stdlib", "platstdlib", "purelib", "platlib") if (path := sysconfig.get_path(name))}
)
_PACKAGE_FOLDER = str(Path(__file__).parents[1])
_LIBRARY_PARTS = frozenset({"site-packages", "dist-packages"})
_MAX_FRAMES = 8
_MAX_LIBRARY_FRAMES = 3
_MAX_EXCEPTIONS = 4
_MAX_MESSAGE_CHARS = 2_000


def error_text(problem: BaseException) -> str:
    """Return the traceback of an exception with the last frames of the user's own code.

    The frames of libraries are left out. If all frames are of libraries, the last few are shown.
    """
    return "\n".join(line for one in _chain(problem) for line in _lines_of(one)).strip()


def error_line(problem: BaseException) -> str:
    """Return an exception and its place in one line: ``ValueError: no time (receive, line 14 of receiver.py)``."""
    cause = _unwrapped(problem)
    message = " ".join("".join(traceback.format_exception_only(cause)).split())[:_MAX_MESSAGE_CHARS]
    frames = [one for one in traceback.extract_tb(cause.__traceback__) if _is_own(one.filename)]
    if not frames:
        return message
    return f"{message} ({frames[-1].name}, line {frames[-1].lineno} of {Path(frames[-1].filename).name})"


def _chain(problem: BaseException) -> list[BaseException]:
    """Return an exception after those that led to it, as Python prints them."""
    chain = [_unwrapped(problem)]
    while len(chain) < _MAX_EXCEPTIONS:
        last = chain[-1]
        earlier = last.__cause__ or (None if last.__suppress_context__ else last.__context__)
        if earlier is None or earlier in chain:
            break
        chain.append(_unwrapped(earlier))
    return chain[::-1]


def _unwrapped(problem: BaseException) -> BaseException:
    """Return the only exception of a group; task groups of frameworks wrap what they raise."""
    while isinstance(problem, BaseExceptionGroup) and len(problem.exceptions) == 1:
        problem = problem.exceptions[0]
    return problem


def _lines_of(problem: BaseException) -> Iterator[str]:
    frames = traceback.extract_tb(problem.__traceback__)
    shown = [one for one in frames if _is_own(one.filename)][-_MAX_FRAMES:] or frames[-_MAX_LIBRARY_FRAMES:]
    hidden_count = len(frames) - len(shown)
    if shown:
        yield "Traceback (most recent call last):"
        if hidden_count:
            yield f"  ({hidden_count} of {len(frames)} frames are not shown)"
        yield from "".join(traceback.format_list(shown)).splitlines()
    message = "".join(traceback.format_exception_only(problem)).rstrip()
    yield message if len(message) <= _MAX_MESSAGE_CHARS else f"{message[:_MAX_MESSAGE_CHARS]}…"


def _is_own(filename: str) -> bool:
    """Return whether a file is the user's: no part of a library, of Python, or of tcop-mock."""
    path = Path(filename)
    if filename.startswith("<") or _LIBRARY_PARTS & set(path.parts):
        return False
    return not any(path.is_relative_to(folder) for folder in (*_LIBRARY_FOLDERS, _PACKAGE_FOLDER))
