"""A folder of files that we wrote: brought up to date without touching what is not ours.

The manifest goes first, so that an export which is cut short leaves a folder that the next one knows as its own.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.errors import UsageError
from tcop_mock.report.corpus import MANIFEST, TOOL, json_bytes
from tcop_mock.report.files import write_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tcop_mock.report.corpus import CorpusFile


class Synced(NamedTuple):
    """What became of a folder."""

    written: int
    unchanged: int
    removed: int
    kept: tuple[str, ...]
    """Files of the last export that do not belong any more and were edited since."""


def require_ours(folder: Path) -> None:
    """See to it that a folder can be exported into: it is not there, empty, or an earlier export.

    Raises:
        UsageError: it is a file, it cannot be read, or it holds other things.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{str(folder)!r} is a file; name a folder")
        if folder.is_dir() and any(folder.iterdir()) and _listed(folder) is None:
            raise UsageError(
                f"{str(folder)!r} is neither empty nor an earlier export (it has no {MANIFEST} of ours); name another"
            )
    except OSError as problem:
        raise UsageError(f"{str(folder)!r} cannot be read: {problem.strerror}") from None


def sync(folder: Path, files: Sequence[CorpusFile], manifest: dict[str, Any]) -> Synced:
    """Write what differs, remove what the last export wrote and this one does not; touch nothing else.

    Raises:
        UsageError: as :func:`require_ours`, or something cannot be written.
    """
    require_ours(folder)
    now = {file.path for file in files}
    try:
        before = _listed(folder) or {}
        folder.mkdir(parents=True, exist_ok=True)
        removed, kept = _removed(folder, {path: digest for path, digest in before.items() if path not in now})
        written = sum(
            _written(folder / path, content)
            for path, content in [(MANIFEST, json_bytes(manifest)), *((file.path, file.content) for file in files)]
        )
    except OSError as problem:
        raise UsageError(f"{problem.filename or str(folder)!r} cannot be written: {problem.strerror}") from None
    return Synced(written, len(files) + 1 - written, removed, kept)


def _written(place: Path, content: bytes) -> bool:
    """Write a file that is not there or differs; say whether it was."""
    if place.is_file() and place.read_bytes() == content:
        return False
    place.parent.mkdir(parents=True, exist_ok=True)
    write_report(place, content)
    return True


def _removed(folder: Path, stale: dict[str, str]) -> tuple[int, tuple[str, ...]]:
    """Remove files of the last export, and folders that are empty then; keep those that somebody edited."""
    gone, kept = 0, []
    for path, digest in stale.items():
        place = folder / path
        if not place.is_file():
            continue
        if hashlib.sha256(place.read_bytes()).hexdigest() != digest:
            kept.append(path)
            continue
        place.unlink()
        gone += 1
        for parent in place.relative_to(folder).parents:
            if parent.name and not any((folder / parent).iterdir()):
                (folder / parent).rmdir()
    return gone, tuple(kept)


def _listed(folder: Path) -> dict[str, str] | None:
    """Return path and hash of what the manifest lists, where there is one of ours; never a path out of the folder."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        if manifest["tool"]["name"] != TOOL or manifest["version"] != 1:
            return None
        listed = {str(row["path"]): str(row["sha256"]) for row in manifest["files"]}
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None
    return {path: digest for path, digest in listed.items() if _is_inside(path)}


def _is_inside(path: str) -> bool:
    parts = PurePosixPath(path)
    return not parts.is_absolute() and ".." not in parts.parts
