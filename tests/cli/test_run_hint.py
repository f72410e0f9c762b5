"""The last line of a check that looked at no effects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tcop_mock.cli.framework_detection import FRAMEWORKS, DetectedApp
from tcop_mock.cli.run_hint import effects_hint
from tcop_mock.contract.clauses import load_clauses
from tcop_mock.domain.contract import MissingPrerequisite, Prerequisite
from tcop_mock.domain.verdict import ClauseResult, ClauseStatus, Verdict

if TYPE_CHECKING:
    from pathlib import Path

FASTAPI = "from fastapi import FastAPI\napi = FastAPI()\n"


def verdict_of(*kinds: Prerequisite | None) -> Verdict:
    """Return a verdict with a clause for each precondition that is missing; ``None``: a clause that passed."""
    results = tuple(
        ClauseResult(clause, ClauseStatus.NOT_RUN, missing=MissingPrerequisite(kind))
        if kind
        else ClauseResult(clause, ClauseStatus.PASS)
        for clause, kind in zip(load_clauses(), kinds, strict=False)
    )
    return Verdict("http://h/", "2023", 1, (), results)


def test_the_command_fits_the_receiver_in_the_folder(tmp_path: Path) -> None:
    """With the path of the target, and how many clauses it makes run."""
    verdict = verdict_of(None, Prerequisite.OBSERVER, Prerequisite.DOWNSTREAM, Prerequisite.AUTH)
    assert effects_hint(verdict, "/alarms", tmp_path) == (
        "Next: tcop-mock check /alarms --run CMD  (runs 2 more clauses, about effects)"
    )
    (tmp_path / "service.py").write_text(FASTAPI)
    assert effects_hint(verdict, "/alarms", tmp_path) == (
        "Next: tcop-mock check /alarms --run 'uvicorn service:api --port {port}'  (runs 2 more clauses, about effects)"
    )


def test_there_is_none_where_effects_were_looked_at(tmp_path: Path) -> None:
    """Nor where something else is missing."""
    assert effects_hint(verdict_of(None, Prerequisite.AUTH), "/", tmp_path) == ""


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_each_framework_is_started_in_the_foreground(name: str) -> None:
    """With the port in its command, or in the variable that it reads."""
    command = DetectedApp(FRAMEWORKS[name], "m:create()").run
    assert "&" not in command
    assert "{port}" in command or name in {"aiohttp", "express", "go", "other"}
