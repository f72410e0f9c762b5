"""GitHub Actions, where it is what runs us: a job's summary, annotations, and an output in which nothing is a command.

Its runner takes lines that begin with ``::`` as commands, wherever they come from. So while we print what a receiver
may have written, commands are stopped by a token that nobody can know.
"""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tcop_mock.reports.markdown import markdown_document, workflow_commands

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.domain.contract import Level
    from tcop_mock.domain.verdict import Verdict

_MOST_BYTES = 1024 * 1024
"""Of a step's summary; the runner refuses more."""


def _is_there() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


@contextmanager
def commands_stopped() -> Iterator[None]:
    """Have the runner take everything on standard output as text, until the block ends."""
    if not _is_there():
        yield
        return
    token = secrets.token_hex(16)
    click.echo(f"::stop-commands::{token}")
    try:
        yield
    finally:
        click.echo(f"::{token}::")


def told_to_github(verdict: Verdict, level: Level) -> None:
    """Append the verdict to the job's summary, and tell what is broken as annotations, where there is a job.

    The annotations are on standard error: standard output may be a document. A summary that cannot be written is told
    there and fails nothing.
    """
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        try:
            _append(Path(summary), verdict, level)
        except OSError as problem:
            click.echo(f"warning: the summary {summary!r} cannot be written: {problem.strerror}", err=True)
    if _is_there():
        for command in workflow_commands(verdict, fail_on=level):
            click.echo(command, err=True)


def _append(summary: Path, verdict: Verdict, level: Level) -> None:
    left = _MOST_BYTES - (summary.stat().st_size if summary.exists() else 0)
    texts = (markdown_document(verdict, fail_on=level, brief=brief).encode() for brief in (False, True))
    text = next(
        (text for text in texts if len(text) < left), b"tcop-mock: its report is too long for what is left here\n"
    )
    with summary.open("ab") as file:
        file.write(text)
