"""The clauses about processes, proved on real processes."""

from __future__ import annotations

import sys

import pytest
from process_receivers import MUTANTS, check_process
from receiver_factories import CREDENTIALS
from run_check import failed_codes

from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.reports.summary import reason_text

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="proc(5) is Linux's")


def test_no_clause_fails_a_conforming_process() -> None:
    """It is killed, stopped and measured, keeps its alarms, and passes all clauses."""
    verdict = check_process(["TCM7*"])
    assert [(item.clause.code, item.status, reason_text(item)) for item in verdict.results] == [
        (f"TCM70{number}", ClauseStatus.PASS, "") for number in range(1, 6)
    ]


@pytest.mark.proof
@pytest.mark.parametrize("name", MUTANTS)
def test_each_bug_of_a_process_is_found_by_its_clause(name: str) -> None:
    """No other clause about processes fails, and nothing shows the credentials."""
    verdict = check_process(["TCM70[345]"], MUTANTS[name])
    assert failed_codes(verdict) == {name[:6]}, list(map(reason_text, verdict.results))
    [finding] = verdict.findings
    assert (finding.reproduction.curl, finding.reproduction.requests) == ("", ())
    assert CREDENTIALS.password.reveal() not in f"{finding}"
    assert CREDENTIALS.token().reveal() not in f"{finding}"
