"""Baseline: known, new, expired and stale findings."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator
from verdict_samples import ERROR, FAILED, FINDING, FINDING_WITH_EXCHANGE, PASSED, SKIPPED, make_verdict, run_events

from tcop_mock.catalog.data_files import read_schema
from tcop_mock.domain.contract import Level
from tcop_mock.domain.verdict import (
    BaselineEntry,
    BaselineSummary,
    ClauseFinished,
    ClauseResult,
    ClauseStatus,
    RunFinished,
    Verdict,
)
from tcop_mock.errors import UsageError
from tcop_mock.reports.baseline import BaselineFilter, fingerprint
from tcop_mock.reports.baseline_file import baseline_document, read_baseline, write_baseline
from tcop_mock.reports.console import render_text
from tcop_mock.reports.findings import baseline_status
from tcop_mock.reports.formats import format_names, render
from tcop_mock.reports.junit import junit_document
from tcop_mock.reports.summary import OverallResult, overall_result

if TYPE_CHECKING:
    from pathlib import Path

    from tcop_mock.domain.verdict import RunEvent

TODAY = date(2026, 11, 28)
_STARTED = datetime(2026, 11, 28, tzinfo=UTC)
OTHER = replace(FINDING_WITH_EXCHANGE, title="another: answered 404", cause="answered 404", cases=("another",))
MARK = fingerprint("TCM302", "answered 500")
KNOWN = BaselineEntry(MARK, "TCM302", date(2026, 11, 1), "answered 500", cases=FINDING_WITH_EXCHANGE.cases)
BROKEN = replace(FAILED, findings=(FINDING_WITH_EXCHANGE,))
GONE = BaselineEntry("0" * 16, "TCM101", date(2026, 10, 1), "answered 418")


def compared(result: ClauseResult, *known: BaselineEntry, adopting: bool = False) -> ClauseResult:
    """Return a result filtered by these known findings."""
    return BaselineFilter(known, TODAY, add_new=adopting).filter_result(result)


def test_a_known_finding_does_not_fail_the_run() -> None:
    """A clause with only known findings is known; the contract is kept, except for these."""
    of = BaselineFilter([KNOWN], TODAY, path="b.json").filter_verdict(make_verdict(PASSED, BROKEN))
    assert [one.status for one in of.results] == [ClauseStatus.PASS, ClauseStatus.KNOWN]
    assert of.results[1].findings[0].baseline_entry == KNOWN
    assert overall_result(of, Level.MUST) is OverallResult.KEPT
    text = render_text(of)
    assert "KNOWN TCM302" in text
    assert "(known since\n  2026-11-01)" in text or "(known since 2026-11-01)" in " ".join(text.split())
    assert (
        "2 clauses: 1 passed, 0 failed, 0 inconclusive, 0 not run, 1 known. "
        "The contract is kept, except for known findings." in text
    )
    assert (
        overall_result(BaselineFilter([KNOWN], TODAY).filter_verdict(make_verdict(BROKEN)), Level.MUST)
        is OverallResult.KEPT
    )


def test_a_known_finding_does_not_hide_a_new_one() -> None:
    """A clause with a known and a new finding is broken, and the new finding comes first."""
    result = compared(replace(BROKEN, findings=(FINDING_WITH_EXCHANGE, OTHER)), KNOWN)
    assert result.status is ClauseStatus.FAIL
    assert [(one.cause, one.is_gating) for one in result.findings] == [("answered 404", True), ("answered 500", False)]
    assert "known since 2026-11-01" in render_text(make_verdict(result))


def test_a_known_cause_in_new_cases_counts() -> None:
    """A known cause counts in cases that the baseline does not list, and the report names them."""
    result = compared(BROKEN, replace(KNOWN, cases=FINDING_WITH_EXCHANGE.cases[:1]))
    assert result.status is ClauseStatus.FAIL
    assert result.findings[0].new_cases == FINDING_WITH_EXCHANGE.cases[1:]
    text = " ".join(render_text(make_verdict(result)).split())
    assert 'known since 2026-11-01, but not in 1 case: recoverTime "0" while resolved' in text


@pytest.mark.parametrize("cases", [(), tuple(f"case {number}" for number in range(7))])
def test_many_new_cases_are_counted(cases: tuple[str, ...]) -> None:
    """Reports name a few of many new cases; an entry without cases is known in all cases."""
    result = compared(replace(BROKEN, findings=(replace(FINDING_WITH_EXCHANGE, cases=cases),)), KNOWN)
    assert result.status is (ClauseStatus.FAIL if cases else ClauseStatus.KNOWN)
    text = " ".join(render_text(make_verdict(result)).split())
    assert ("but not in 7 cases, 5 of which are: case 0; case 1;" in text) is bool(cases)


@pytest.mark.parametrize("expires, result", [(date(2026, 11, 29), ClauseStatus.KNOWN), (TODAY, ClauseStatus.FAIL)])
def test_an_expired_finding_counts_again(expires: date, result: ClauseStatus) -> None:
    """An expired finding fails the run and the report says why; before its date, the report shows the date."""
    found = compared(BROKEN, replace(KNOWN, expires=expires))
    assert found.status is result
    rendered = f", until {expires}" if result is ClauseStatus.KNOWN else f", but only until {expires}: it counts again"
    text = " ".join(render_text(replace(make_verdict(found), baseline=BaselineSummary("b", 1))).split())
    assert f"known since 2026-11-01{rendered}" in text


@pytest.mark.parametrize(
    "one, other, same",
    [
        ("the same push: 3 effects in place of 1", "the same push: 2 effects in place of 1", True),
        ("3 of 20 acknowledged alarms have no effect", "12 of 20 acknowledged alarms have no effect", True),
        ("answered 500", "answered 404", False),
        ("answered after more than 2.5 s", "answered after more than 1.25 s", True),
        ("\ud800", "\ud801", False),
    ],
)
def test_the_fingerprint_is_of_the_cause(one: str, other: str, *, same: bool) -> None:
    """Counts and times do not change a fingerprint; the status and the clause do."""
    assert (fingerprint("TCM501", one) == fingerprint("TCM501", other)) is same
    assert fingerprint("TCM501", one) != fingerprint("TCM502", one)


def test_numbered_cases_are_one_case() -> None:
    """Numbered cases are one case in a baseline."""
    burst = replace(FINDING_WITH_EXCHANGE, cases=("callback 3 of 200 in a burst", "callback 7 of 200 in a burst"))
    result = compared(replace(BROKEN, findings=(burst,)), adopting=True)
    assert result.findings[0].baseline_entry is not None
    assert result.findings[0].baseline_entry.cases == ("callback # of 200 in a burst",)


def test_a_finding_without_a_cause_is_identified_by_its_title() -> None:
    """A finding without a cause is identified by its title."""
    assert compared(FAILED).findings[0].fingerprint == fingerprint("TCM302", FINDING.title)


def test_events_are_filtered() -> None:
    """A listener receives filtered results; other events are unchanged."""
    heard: list[RunEvent] = []
    listen = BaselineFilter([KNOWN], TODAY, path="b.json").wrap_listener(heard.append)
    of = make_verdict(PASSED, BROKEN)
    for event in run_events(of):
        listen(event)
    results = {event.result.clause.code: event.result.status for event in heard if isinstance(event, ClauseFinished)}
    assert results == {"TCM101": ClauseStatus.PASS, "TCM302": ClauseStatus.KNOWN}
    assert isinstance(heard[-1], RunFinished)
    assert heard[-1].verdict.baseline == BaselineSummary("b.json", 1)
    assert len(heard) == len(list(run_events(of)))
    again = BaselineFilter([KNOWN], TODAY, path="b.json").filter_verdict(heard[-1].verdict)
    assert again == heard[-1].verdict


@pytest.mark.parametrize(
    "result, is_stale",
    [
        (PASSED, True),
        (replace(PASSED, reason="left out: something"), False),
        (replace(PASSED, status=ClauseStatus.FAIL, findings=(OTHER,)), True),
        (replace(ERROR, clause=PASSED.clause), False),
        (replace(SKIPPED[0], clause=PASSED.clause), False),
        (BROKEN, False),
    ],
    ids=["passed", "passed in part", "broken otherwise", "inconclusive", "not run", "not chosen"],
)
def test_an_entry_without_a_finding_is_stale(result: ClauseResult, *, is_stale: bool) -> None:
    """An entry is stale if its clause was checked without that finding; every report lists it."""
    of = BaselineFilter([GONE], TODAY).filter_verdict(make_verdict(result))
    assert of.baseline is not None
    assert of.baseline.stale_entries == ((GONE,) if is_stale else ())
    line = "TCM101 answered 418 was not found"
    assert (line in render_text(of).replace("\n  ", " ")) is is_stale
    assert (line.encode() in junit_document(of, fail_on=Level.MUST, started=_STARTED)) is is_stale


def listed(of: Verdict, *known: BaselineEntry, update: bool = False, prune: bool = False) -> list[BaselineEntry]:
    """Return the entries of a baseline after a run."""
    comparison = BaselineFilter(known, TODAY, add_new=update)
    return comparison.entries_to_write(comparison.filter_verdict(of), update=update, prune=prune)


def test_an_update_adds_new_findings_and_keeps_the_rest() -> None:
    """Update adds new findings with the date of today; known ones keep date and note, and get new cases."""
    before = replace(KNOWN, cases=FINDING_WITH_EXCHANGE.cases[:1], note="ours", expires=date(2027, 1, 1))
    after = listed(
        make_verdict(PASSED, replace(BROKEN, findings=(FINDING_WITH_EXCHANGE, OTHER))), before, GONE, update=True
    )
    assert [one.clause for one in after] == ["TCM101", "TCM302", "TCM302"]
    assert after[0] == GONE
    assert replace(before, cases=FINDING_WITH_EXCHANGE.cases) in after
    [new] = [one for one in after if one.cause == "answered 404"]
    assert (new.first_seen, new.expires, new.title, new.cases) == (TODAY, None, OTHER.title, OTHER.cases)


def test_an_update_does_not_renew_expired_entries() -> None:
    """Update does not change an expired entry: it stays in the file and counts."""
    old = replace(KNOWN, expires=date(2026, 11, 2))
    assert listed(make_verdict(BROKEN), old, update=True) == [old]
    assert compared(BROKEN, old, adopting=True).status is ClauseStatus.FAIL


def test_a_prune_removes_stale_entries() -> None:
    """Prune removes only entries of clauses that were checked; the others may still be broken."""
    assert listed(make_verdict(PASSED, BROKEN), KNOWN, GONE, prune=True) == [KNOWN]
    assert listed(make_verdict(BROKEN), KNOWN, GONE, prune=True) == [GONE, KNOWN]
    assert listed(make_verdict(PASSED, BROKEN), KNOWN, GONE) == [GONE, KNOWN]


def test_a_baseline_is_read_back_from_its_file(tmp_path: Path) -> None:
    """A written baseline follows its schema and is read back unchanged, also with hostile texts."""
    hostile = "\x1b[31m\u202e</script>::error::"
    known = [replace(KNOWN, note=hostile, expires=date(2027, 1, 1)), replace(GONE, title=hostile)]
    write_baseline(str(tmp_path / "b.json"), known)
    assert read_baseline(str(tmp_path / "b.json")) == known
    assert not list(Draft202012Validator(read_schema("baseline")).iter_errors(baseline_document(known)))
    assert "\x1b" not in (tmp_path / "b.json").read_text(encoding="utf-8")
    assert [file.name for file in tmp_path.iterdir()] == ["b.json"]


def test_a_baseline_can_be_written_by_hand(tmp_path: Path) -> None:
    """Fingerprint, clause and date are enough for an entry."""
    row = {"fingerprint": MARK, "clause": "TCM302", "first_seen": "2026-11-01"}
    (tmp_path / "b.json").write_text(json.dumps({"version": 1, "findings": [row]}), encoding="utf-8")
    [known] = read_baseline(str(tmp_path / "b.json"))
    assert compared(BROKEN, known).status is ClauseStatus.KNOWN


ROW = '{"fingerprint": "0123456789abcdef", "clause": "TCM302", "first_seen": "2026-11-01"'
WRONG = {
    "{": "is not JSON: ",
    "\xff": "is not JSON",
    "[]": "the document is a list, not an object",
    '{"version": 2, "findings": []}': "version is 2, not 1",
    '{"version": 1}': "findings is missing",
    '{"version": 1, "findings": [{}]}': "findings.0.",
    f'{{"version": 1, "findings": [{ROW}, "expire": null}}]}}': "findings.0.expire is an unknown key; did you mean",
    f'{{"version": 1, "findings": [{ROW}, "expires": "soon"}}]}}': "findings.0.expires",
    f'{{"version": 1, "findings": [{ROW}, "expires": "2026-02-30"}}]}}': "'2026-02-30' is not a date; write one",
    f'{{"version": 1, "findings": [{ROW}}}, {ROW}}}]}}': "lists the fingerprint 0123456789abcdef twice",
}


@pytest.mark.parametrize("text, problem", WRONG.items(), ids=range(len(WRONG)))
def test_a_file_that_is_not_a_baseline_is_rejected(text: str, problem: str, tmp_path: Path) -> None:
    """The message is one line with file, key and problem."""
    place = tmp_path / "b.json"
    place.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError) as raised:
        read_baseline(str(place))
    assert problem in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "b.json" in str(raised.value)


def test_a_file_that_cannot_be_read_is_rejected(tmp_path: Path) -> None:
    """The message about a missing file names the option that writes it; a folder is rejected."""
    with pytest.raises(UsageError, match="is not there; --baseline-update writes it"):
        read_baseline(str(tmp_path / "b.json"))
    with pytest.raises(UsageError, match="cannot be read: "):
        read_baseline(str(tmp_path))


@pytest.mark.parametrize("kind", sorted(set(format_names()) - {"har"}))
def test_every_format_marks_known_findings(kind: str) -> None:
    """Every format marks known findings; as pytest tests they are expected failures."""
    of = BaselineFilter([KNOWN, GONE], TODAY, path="b.json").filter_verdict(make_verdict(PASSED, BROKEN))
    rendered = render(kind, of, fail_on=Level.MUST).decode()
    assert "2026-11-01" in rendered
    assert kind == "pytest" or "answered 418" in rendered or GONE.fingerprint in rendered


def test_a_new_finding_has_no_baseline_status() -> None:
    """A finding without a baseline entry has no baseline status."""
    assert baseline_status(FINDING_WITH_EXCHANGE) == ""


def test_an_unknown_format_is_rejected() -> None:
    """The message names the unknown format and the closest one."""
    with pytest.raises(UsageError, match="unknown report format 'htlm'; did you mean 'html'"):
        render("htlm", make_verdict(), fail_on=Level.MUST)
