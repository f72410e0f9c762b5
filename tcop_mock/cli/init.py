"""``tcop-mock init``: what a project needs to judge its receiver, written once and never over anything."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from tcop_mock.cli import starters
from tcop_mock.cli.frameworks import FRAMEWORKS, Found, find_receivers
from tcop_mock.cli.options import with_common
from tcop_mock.cli.settings_file import SettingsFile, find_file
from tcop_mock.errors import UsageError
from tcop_mock.reports.json import VERSION, write_json
from tcop_mock.reports.text import escape_unsafe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tcop_mock.cli.options import Common


class Draft(NamedTuple):
    """A file to write."""

    path: str
    text: str


@with_common
def init(*, framework: str | None, ci: str, dry_run: bool, common: Common) -> int:
    """Write settings, a test and a CI job for the receiver in the current folder."""
    here = Path.cwd()
    found = _receiver(find_receivers(here), framework, common)
    drafts = list(_drafts(here, found, ci))
    _require_free(here, drafts)
    if not dry_run:
        _write_all(here, drafts)
    if common.as_json:
        name, files = found.framework.name, [{"path": path, "text": text} for path, text in drafts]
        document = {"version": VERSION, "framework": name, "target": found.target, "written": not dry_run}
        write_json(document | {"files": files}, sys.stdout)
        return 0
    for path, text in drafts:
        click.echo(f"would write {path}" if dry_run else f"wrote {path}")
        if dry_run:
            click.echo("".join(f"  {line}\n" for line in text.splitlines()), nl=False)
    return 0


def _receiver(found: Sequence[Found], asked: str | None, common: Common) -> Found:
    """Return the receiver that files are written for."""
    named = [one for one in found if one.framework.name == asked] if asked else list(found)
    chosen = named[0] if named else Found(FRAMEWORKS[asked or "other"])
    others = [one.framework.title for one in found if one.framework is not chosen.framework]
    also = f" ({', '.join(others)} as well: --framework takes another)" if others and not asked else ""
    common.tell(f"receiver: {chosen.framework.title}, {escape_unsafe(chosen.target)}{also}")
    return chosen


def _drafts(here: Path, found: Found, ci: str) -> Iterator[Draft]:
    yield Draft(starters.SETTINGS, starters.settings(found))
    test, install = "", _install(here, found)
    if found.framework.in_process:
        folder = "tests" if (here / "tests").is_dir() or not (here / "test").is_dir() else "test"
        test, conftest = f"{folder}/{starters.TEST}", f"{folder}/conftest.py"
        taken = os.path.lexists(here / conftest)
        if not taken:
            yield Draft(conftest, starters.conftest(found))
        yield Draft(test, starters.test_module(found, with_fixture=taken))
    if ci == "github":
        yield Draft(starters.GITHUB, starters.workflow(found, install, test))
    elif ci == "gitlab":
        yield Draft(starters.GITLAB, starters.gitlab(found, install, test))


def _install(here: Path, found: Found) -> str:
    if not found.framework.python:
        return ""
    if (here / "requirements.txt").is_file():
        return "-r requirements.txt"
    return "." if (here / "pyproject.toml").is_file() else found.framework.name


def _require_free(here: Path, drafts: Sequence[Draft]) -> None:
    """Refuse to write over anything, and beside settings that the new file would hide.

    Raises:
        UsageError: names all files that are in the way.
    """
    there = [draft.path for draft in drafts if os.path.lexists(here / draft.path)]
    if there:
        raise UsageError(
            f"nothing is written, because there is {', '.join(there)} already; move away what is in the way"
        )
    settings = _settings_of(here)
    if settings:
        raise UsageError(f"nothing is written: {settings.path} has settings already, which {drafts[0].path} would hide")


def _settings_of(here: Path) -> SettingsFile | None:
    file = find_file(here, os.environ)
    return file if file and file.path.parent == here else None


def _write_all(here: Path, drafts: Sequence[Draft]) -> None:
    """Write all files, or none.

    Raises:
        UsageError: one cannot be written; what was written before it is taken back.
    """
    written: list[Path] = []
    for draft in drafts:
        place = here / draft.path
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("x", encoding="utf-8", newline="\n") as file:
                written.append(place)
                file.write(draft.text)
        except OSError as problem:
            for one in written:
                one.unlink(missing_ok=True)
            where = os.path.relpath(problem.filename, here) if problem.filename else draft.path
            raise UsageError(f"nothing is written: {where!r} cannot be: {problem.strerror or problem}") from None
