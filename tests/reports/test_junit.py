"""JUnit report, and the requirements of its readers."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from junitparser import JUnitXml
from verdict_samples import CURL, ERROR, FAILED, FINDING, PASSED, SHOULD, SKIPPED, make_clause, make_verdict

from tcop_mock import __version__
from tcop_mock.domain.contract import Level
from tcop_mock.reports.junit import junit_document
from tcop_mock.reports.summary import run_metadata

if TYPE_CHECKING:
    from pathlib import Path

    from tcop_mock.domain.verdict import ClauseResult, Verdict

_BEIJING = timezone(timedelta(hours=8))
_STARTED = datetime(2026, 11, 23, 18, 30, 59, 999_999, tzinfo=_BEIJING)
_ALL = make_verdict(*SKIPPED, PASSED, FAILED, SHOULD, ERROR)
_SHOULD_ERROR = replace(ERROR, clause=make_clause("TCM515", "burst-acks", Level.SHOULD))
_DECIMAL = re.compile(r"[0-9]+\.[0-9]{3}")
_SUITE_KEYS = ["name", "package", "id", "hostname", "timestamp", "tests", "failures", "errors", "time", "skipped"]


def document(of: Verdict, fail_on: Level = Level.MUST) -> ET.Element:
    """Return the parsed report."""
    return ET.fromstring(junit_document(of, fail_on=fail_on, started=_STARTED))  # noqa: S314 - ours


def case(result: ClauseResult, fail_on: Level = Level.MUST) -> ET.Element:
    """Return the test case of one result, in a run that checked a must clause."""
    found = document(make_verdict(PASSED, result), fail_on).findall("testsuite/testcase")[1]
    assert found.get("name") == f"{result.clause.code} {result.clause.slug}"
    return found


@pytest.mark.parametrize(
    "of", [_ALL, make_verdict(), make_verdict(*SKIPPED), make_verdict(PASSED)], ids=["all", "none", "out", "pass"]
)
def test_the_form_is_that_of_both_schemas(of: Verdict) -> None:
    """Elements, order and attributes follow junit-10.xsd of Jenkins and, below the root, JUnit.xsd of Ant."""
    root = document(of)
    assert root.tag == "testsuites"
    assert set(root.attrib) == {"name", "time", "tests", "failures", "errors"}
    (suite,) = root
    assert sorted(suite.attrib) == sorted(_SUITE_KEYS)
    properties, *cases, out, err = suite
    assert (properties.tag, out.tag, err.tag) == ("properties", "system-out", "system-err")
    for one in properties:
        assert (one.tag, list(one.attrib)) == ("property", ["name", "value"])
    for one in cases:
        assert one.tag == "testcase"
        assert list(one.attrib) == ["classname", "name", "time"]
        assert len(one) <= 1
        for result in one:
            assert result.tag in {"failure", "error", "skipped"}
            assert list(result.attrib) == ["message", "type"]
            assert not len(result)
    for text in (suite.get("time"), root.get("time"), *(one.get("time") for one in cases)):
        assert _DECIMAL.fullmatch(text or "")
    for name in ("name", "package", "hostname"):
        assert suite.get(name) == " ".join((suite.get(name) or "").split()) != ""


def test_output_elements_have_text() -> None:
    """No output element is empty: publish-unit-test-result fails on one without text."""
    for tag in ("system-out", "system-err"):
        assert document(_ALL).findtext(f"testsuite/{tag}")


def test_the_suite_has_the_metadata_of_the_run() -> None:
    """The suite has start (UTC, to the second), properties and verdict, and the target without credentials."""
    suite = document(_ALL)[0]
    assert suite.get("timestamp") == "2026-11-23T10:30:59"
    assert {one.get("name"): one.get("value") for one in suite.iter("property")} == {
        "version": __version__,
        "target": "http://***@127.0.0.1:8080/alarm",
        "profile": "2023",
        "seed": "42",
        "fail-on": "must",
        "checked-by": dict(run_metadata(_ALL))["Checked by"],
        "libraries": dict(run_metadata(_ALL))["Libraries"],
    }
    assert suite.findtext("system-out") == (
        "6 clauses: 1 passed, 2 failed, 1 inconclusive, 2 not run. Broken: 1 must clause. "
        "Broken but not counted: 1 should clause.\n"
        "Assumed: Any status from 200 to 299 is success: the page does not say what is.\n"
        "Assumed: 重试间隔没有文档说明。"
    )


def test_the_numbers_are_those_of_the_cases() -> None:
    """The counts of suite and root match the cases; the time is the sum of the cases."""
    root = document(_ALL)
    suite = root[0]
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped", "time")] == [
        "6",
        "1",
        "1",
        "3",
        "3.250",
    ]
    assert [root.get(name) for name in ("tests", "failures", "errors", "time")] == ["6", "1", "1", "3.250"]


def test_a_passed_clause_is_an_empty_case() -> None:
    """A passed clause is an empty test case with class, name and time."""
    passed = document(make_verdict(PASSED)).find("testsuite/testcase")
    assert passed is not None
    assert passed.attrib == {"classname": "tcop-mock.must", "name": "TCM101 accepts-catalogue", "time": "0.250"}
    assert len(passed) == 0


def test_a_broken_clause_is_a_failure_with_everything() -> None:
    """The message is the title of the finding; the text has evidence, fix and the whole command."""
    failure = case(FAILED).find("failure")
    assert failure is not None
    assert failure.attrib == {"message": FINDING.title, "type": "must"}
    for part in ("Fix: Treat 0", "< 系统错误", f"\n{CURL}\n"):
        assert part in (failure.text or "")


def test_more_findings_are_counted_in_the_message() -> None:
    """A clause with several findings has the title of the first one, and the number of the others."""
    failure = case(replace(FAILED, findings=(FINDING,) * 3)).find("failure")
    assert failure is not None
    assert failure.get("message") == f"{FINDING.title} (and 2 more findings)"


def test_a_failure_without_finding_has_its_requirement() -> None:
    """A failed clause without findings has its requirement as message."""
    failure = case(replace(FAILED, findings=())).find("failure")
    assert failure is not None
    assert failure.get("message") == FAILED.clause.requirement


@pytest.mark.parametrize(
    "result, fail_on, tag, kind, message",
    [
        (ERROR, Level.MUST, "error", "must", "not finished within --max-time"),
        (SKIPPED[0], Level.MUST, "skipped", "not-run", "needs auth: put USER:PASSWORD@ into the target"),
        (SHOULD, Level.MUST, "skipped", "should", f"should clause broken: {FINDING.title}"),
        (SHOULD, Level.SHOULD, "failure", "should", FINDING.title),
        (
            _SHOULD_ERROR,
            Level.MUST,
            "skipped",
            "should",
            "should clause inconclusive: not finished within --max-time",
        ),
        (_SHOULD_ERROR, Level.SHOULD, "error", "should", "not finished within --max-time"),
    ],
)
def test_only_counting_clauses_fail(result: ClauseResult, fail_on: Level, tag: str, kind: str, message: str) -> None:
    """A failure that does not decide the result is skipped, with the problem as message and the details as text."""
    (rendered,) = case(result, fail_on)
    assert (rendered.tag, rendered.get("type"), rendered.get("message")) == (tag, kind, message)
    assert rendered.text


def test_a_run_without_a_checked_must_clause_fails() -> None:
    """A run without a checked must clause has an extra error, because a suite of skipped cases counts as passed."""
    root = document(make_verdict(*SKIPPED))
    *_, added = root.iter("testcase")
    assert added.get("classname") == "tcop-mock.run"
    error = added.find("error")
    assert error is not None
    assert error.get("message") == "Inconclusive: no must clause was checked."
    assert (root[0].get("tests"), root[0].get("errors"), root[0].get("skipped")) == ("3", "1", "2")


def test_class_and_name_are_unique() -> None:
    """Class and name are unique, because GitLab keeps only the first of equal cases."""
    keys = [(one.get("classname"), one.get("name")) for one in document(_ALL).iter("testcase")]
    assert len(set(keys)) == len(keys) == 6


def test_junitparser_reads_the_report(tmp_path: Path) -> None:
    """junitparser, the base of publish-unit-test-result, reads the same counts, results and texts."""
    file = tmp_path / "junit.xml"
    file.write_bytes(junit_document(_ALL, fail_on=Level.MUST, started=_STARTED))
    report = JUnitXml.fromfile(str(file))
    (suite,) = report
    assert (suite.tests, suite.failures, suite.errors, suite.skipped, suite.time) == (6, 1, 1, 3, 3.25)
    results = {one.name: [(type(rendered).__name__, rendered.message) for rendered in one.result] for one in suite}
    assert results["TCM101 accepts-catalogue"] == []
    assert results["TCM302 recover-time-zero"] == [("Failure", FINDING.title)]
    assert results["TCM105 response-bounded"] == [("Skipped", f"should clause broken: {FINDING.title}")]
    assert results["TCM515 burst-acks"] == [("Error", "not finished within --max-time")]
    assert (report.tests, report.failures, report.errors) == (6, 1, 1)
