"""The projects in ``examples/``: receivers that are not ours, with contract tests as their developers write them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECTS = Path(__file__).parents[2] / "examples"
_OTHERS = ("asyncio", "locust", "randomly", "cacheprovider", "faker", "hypothesispytest")
FEW = {"fastapi_project": "TCM104,TCM302,TCM401,TCM505", "flask_project": "TCM104,TCM302,TCM401,TCM506"}
"""Of each project's own clauses, enough to see that it works."""


def run(project: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a project's tests as its README says."""
    off = [part for name in _OTHERS for part in ("-p", f"no:{name}")]
    return subprocess.run(  # noqa: S603 - it is ours
        [sys.executable, "-m", "pytest", *off, f"--tcop-clauses={FEW[project]}", *arguments],
        cwd=PROJECTS / project,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "TCOP_MOCK_TARGET": ""},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


@pytest.mark.proof
@pytest.mark.parametrize(
    "project, arguments",
    [("fastapi_project", ["-p", "xdist", "-n", "2"]), ("flask_project", ["-p", "no:xdist"])],
)
def test_a_project_keeps_the_contract(project: str, arguments: list[str]) -> None:
    """The project's tests pass, also in two workers."""
    done = run(project, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.proof
@pytest.mark.parametrize(
    "project, clause, hints",
    [
        ("fastapi_project", "TCM505 resolve-closes", ["it is resolved: 1 open incident in place of 0", "Fix: "]),
        ("flask_project", "TCM302 recover-time-zero", ['recoverTime "0" while resolved', "Fix: Treat 0", "curl -sS"]),
    ],
)
def test_a_planted_bug_is_reported(project: str, clause: str, hints: list[str]) -> None:
    """With a bug planted, just the contract's clause about it fails, and says what to mend and how to see it again."""
    done = run(project, "--planted", "-k", "contract", "-p", "no:xdist", "--show-capture=no")
    assert done.returncode == 1, done.stdout + done.stderr
    # a resolve of TCM506 is rejected, too, and TCM101, which would report that, is not among the few
    also = ["TCM506 instance-isolation"] if clause.startswith("TCM302") else []
    assert re.findall(r"SUBFAILED\[(.*?)\]", done.stdout) == [clause, *also]
    assert [hint for hint in hints if hint not in done.stdout] == []


@pytest.mark.parametrize("project", ["fastapi_project", "flask_project"])
def test_a_project_is_set_up_in_a_few_lines(project: str) -> None:
    """The contract test is one line, and its fixtures are under ten."""
    tests = (PROJECTS / project / "tests" / "test_receiver.py").read_text(encoding="utf-8")
    assert "def test_contract(tcop_contract: Contract) -> None:\n    tcop_contract.check()\n" in tests
