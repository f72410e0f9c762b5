"""The last line of a check that looked at no effects: the command with which it would."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from tcop_mock.cli.framework_detection import detect_apps
from tcop_mock.domain.contract import Prerequisite
from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.reports.text import pluralize

if TYPE_CHECKING:
    from pathlib import Path

    from tcop_mock.domain.verdict import Verdict

_ANY = "CMD"


def effects_hint(verdict: Verdict, path: str, folder: Path) -> str:
    """Return the command that runs the clauses about effects and the process, and their number; empty if all ran.

    Args:
        verdict: the results.
        path: the path of the receiver.
        folder: where its source may be.
    """
    unseen = sum(
        result.status is ClauseStatus.NOT_RUN
        and result.missing is not None
        and result.missing.kind in {Prerequisite.OBSERVER, Prerequisite.DOWNSTREAM, Prerequisite.RUN}
        for result in verdict.results
    )
    if not unseen:
        return ""
    start = next(filter(None, (found.run for found in detect_apps(folder))), _ANY)
    command = f"tcop-mock check {shlex.quote(path)} --run {shlex.quote(start)}"
    return f"Next: {command}  (runs {pluralize(unseen, 'more clause')}, about effects)"
