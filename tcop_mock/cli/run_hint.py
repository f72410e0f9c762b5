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

    from tcop_mock.cli.framework_detection import DetectedApp
    from tcop_mock.domain.verdict import Verdict

_START = {
    "fastapi": "uvicorn {app} --port {{port}}",
    "starlette": "uvicorn {app} --port {{port}}",
    "flask": "flask --app {app} run --port {{port}}",
    "django": "python manage.py runserver --noreload {{port}}",
    "aiohttp": "python main.py",
    "express": "npm start",
    "go": "go run .",
    "spring": "./mvnw spring-boot:run -Dspring-boot.run.arguments=--server.port={{port}}",
}
"""Commands that start a receiver, by its framework; those without a port read PORT."""
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
    start = next(filter(None, map(start_command, detect_apps(folder))), _ANY)
    command = f"tcop-mock check {shlex.quote(path)} --run {shlex.quote(start)}"
    return f"Next: {command}  (runs {pluralize(unseen, 'more clause')}, about effects)"


def start_command(found: DetectedApp) -> str:
    """Return the command that starts a receiver in the foreground; empty if its framework does not tell."""
    pattern = _START.get(found.framework.name, "")
    return pattern.format(app=found.app.removesuffix("()") or "main:app")
