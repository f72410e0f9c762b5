"""``check --last-failed``: the clauses of an earlier report that failed or were inconclusive."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from conforming_receivers import SERVERS
from verdict_samples import ERROR, FAILED, FINDING, KNOWN, PASSED, SKIPPED, make_verdict

from tcop_mock.contract.clauses import load_clauses
from tcop_mock.domain.verdict import ClauseStatus, Reproduction
from tcop_mock.reports.json import check_document

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from commands import CommandResult, RunCommand
    from receiver_factories import ReceiverFactory

    from tcop_mock.domain.verdict import ClauseResult

ABOUT_OTHERS = replace(
    FAILED,
    findings=(
        replace(FINDING, reproduction=Reproduction("", "tcop-mock check 'http://h/a b' --clauses TCM302,TCM401")),
        replace(FINDING, reproduction=Reproduction("", "tcop-mock check http://h/")),
    ),
)


def listed(tcop: RunCommand, tmp_path: Path, *results: ClauseResult, more: tuple[str, ...] = ()) -> CommandResult:
    """Return the list of clauses that a check after a report of these results would run."""
    (tmp_path / "last.json").write_text(json.dumps(check_document(make_verdict(*results))), encoding="utf-8")
    return tcop("check", "http://127.0.0.1:9/", "--last-failed", str(tmp_path / "last.json"), "--list", *more)


def codes(done: CommandResult) -> list[str]:
    """Return the codes of a list."""
    return [line.split()[0] for line in done.stdout.splitlines()]


def test_clauses_that_failed_or_had_no_result_run(tcop: RunCommand, tmp_path: Path) -> None:
    """Failed and inconclusive clauses run; a finding about other clauses brings these along."""
    done = listed(tcop, tmp_path, *SKIPPED, PASSED, KNOWN, ABOUT_OTHERS, ERROR)
    assert codes(done) == ["TCM302", "TCM401", "TCM515"]
    assert done.stderr == f"3 of {len(load_clauses())} clauses run: those that failed in {tmp_path / 'last.json'}\n"
    assert codes(listed(tcop, tmp_path, ABOUT_OTHERS, ERROR, more=("--clauses", "TCM3*,TCM6*"))) == ["TCM302"]


def test_all_clauses_run_where_none_failed(tcop: RunCommand, tmp_path: Path) -> None:
    """All selected clauses run after a report without failures, and a line says so."""
    done = listed(tcop, tmp_path, PASSED, more=("--clauses", "TCM1*"))
    assert len(codes(done)) == 17
    assert done.stderr == f"no clause failed in {tmp_path / 'last.json'}: all selected clauses run\n"


def test_one_call_is_a_loop(
    tcop: RunCommand,
    opened: Callable[[ReceiverFactory], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The report need not exist where the call writes it; the next call has the seed of the report, or its own."""
    monkeypatch.chdir(tmp_path)
    loop = ("--last-failed", "last.json", "--report", f"json={tmp_path / 'last.json'}", "--clauses", "TCM104,TCM105")
    url = opened(SERVERS["answers-200"])
    done = tcop("check", url, *loop, "--json")
    assert done.document["summary"]["passed"] == 2
    assert done.stderr.startswith("last.json is not there yet: all selected clauses run\n")
    document = done.document
    document["clauses"][0]["result"] = ClauseStatus.FAIL
    for seed, wanted in (((), document["seed"]), (("--seed", "5"), 5)):
        (tmp_path / "last.json").write_text(json.dumps(document), encoding="utf-8")
        again = tcop("check", url, *loop, "--json", *seed).document
        assert (again["seed"], [clause["code"] for clause in again["clauses"]]) == (wanted, ["TCM104"])


@pytest.mark.parametrize(
    "content, problem",
    [
        (None, "is not there; `--report json=last.json` writes it, also in the same call"),
        ("{", "is not a report of check; write one with --report json=FILE"),
        ("[]", "is not a report of check; write one with --report json=FILE"),
        ('{"version": 1, "clauses": [{"code": "TCM101"}], "requests": 3}', "is not a report of check; write one with"),
    ],
)
def test_other_files_are_rejected(
    tcop: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, problem: str
) -> None:
    """Another file is an error of one line, before anything is sent."""
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "last.json").write_text(content, encoding="utf-8")
    done = tcop("check", "http://127.0.0.1:9/", "--last-failed", "last.json", "--report", "json=other.json")
    assert done.exit_code == 2
    assert done.error_message.startswith(f"--last-failed 'last.json' {problem}")
    done = tcop("check", "http://127.0.0.1:9/", "--last-failed", str(tmp_path))
    assert (done.exit_code, done.error_message) == (2, f"--last-failed '{tmp_path}' cannot be read: Is a directory")


def test_failed_clauses_that_are_not_selected_are_an_error(tcop: RunCommand, tmp_path: Path) -> None:
    """A run without clauses would pass."""
    done = listed(tcop, tmp_path, FAILED, more=("--skip", "TCM302"))
    assert done.exit_code == 2
    assert done.error_message.endswith(
        "last.json': none of its failed clauses is selected; see --clauses, --skip and --clause-files"
    )
