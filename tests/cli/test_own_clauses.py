"""``--clause-files``: a team's own clauses in addition to the built-in ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conforming_receivers import SERVERS
from receiver_factories import in_thread

if TYPE_CHECKING:
    from pathlib import Path

    from commands import RunCommand

TEXT = """
level = "must"
requirement = "Our gateway answers with 202."
source = "the handbook of our gateway"
why = "The dashboard counts nothing else."
fix = "Answer 202."

[requests]
builder = "every_shape"
shapes = ["cvm/basic*"]

[[expect]]
assertion = "status"
allow = ["202"]
"""


@pytest.fixture
def files(tmp_path: Path) -> str:
    """Return a glob of the team's clauses."""
    (tmp_path / "ACME101-answers-202.toml").write_text(TEXT, encoding="utf-8")
    return str(tmp_path / "*.toml")


def test_own_clauses_are_listed_and_explained(tcop: RunCommand, files: str) -> None:
    """Own clauses are listed with the built-in ones, and explained by slug."""
    listed = tcop("check", "--list", "--clause-files", files).stdout.splitlines()
    assert "ACME101  must    answers-202" in listed
    assert listed[0].startswith("TCM101")
    assert "Our gateway answers with 202." in tcop("explain", "answers-202", "--clause-files", files).stdout


def test_own_clauses_are_checked(tcop: RunCommand, files: str) -> None:
    """The command of a finding names the clause files, so that it can be reproduced."""
    with in_thread(SERVERS["answers-200"]) as url:
        done = tcop("check", url, "--clause-files", files, "--clauses", "acme*,TCM104", "--json", "--seed", "7")
    assert done.exit_code == 1
    ours, own = done.document["clauses"]
    assert (ours["code"], ours["result"], own["code"], own["result"]) == ("TCM104", "pass", "ACME101", "fail")
    assert own["findings"][0]["title"].endswith("answered 200")
    assert f"--clause-files '{files}'" in own["findings"][0]["reproduce"]["cli"]


def test_all_problems_are_reported_at_once(tcop: RunCommand, files: str, tmp_path: Path) -> None:
    """One line per problem, and exit code 2."""
    (tmp_path / "ACME101-answers-202.toml").write_text(TEXT.replace("level", "levl"), encoding="utf-8")
    (tmp_path / "ACME102-b.toml").write_text(TEXT.replace('"every_shape"', '"every_shap"'), encoding="utf-8")
    done = tcop("check", "--list", "--clause-files", files)
    assert (done.exit_code, done.stdout) == (2, "")
    assert [line.startswith(f"tcop-mock: {tmp_path}") for line in done.stderr.splitlines()] == [True] * 3
