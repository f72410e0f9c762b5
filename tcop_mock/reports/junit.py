"""JUnit XML reports of a check and of a load. There is no single standard; they meet these requirements.

- ``junit-10.xsd`` of Jenkins' xUnit plugin: completely.
- Windy Road's ``JUnit.xsd`` (Ant): everything inside ``testsuite``, so a test case has at most one result,
  ``properties`` come first, ``system-out`` and ``system-err`` last. It allows no attributes of ``testsuites``, but
  dorny/test-reporter reads ``time`` there.
- GitLab shows the text of a result but not its attributes, so the text is complete. Of cases with the same class and
  name it keeps the first.
- EnricoMi/publish-unit-test-result fails on an output element without text.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock._version import __version__
from tcop_mock.domain.contract import Level
from tcop_mock.domain.load import ObjectiveStatus
from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.reports.findings import baseline_status, clause_details, stale_entries, summary_line
from tcop_mock.reports.summary import any_must_checked, is_gating, reason_text, run_metadata
from tcop_mock.reports.text import (
    MAX_REASON_CHARS,
    clause_label,
    count_summary,
    escape_unsafe,
    one_line,
    overall_sentence,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from tcop_mock.domain.load import ObjectiveResult
    from tcop_mock.domain.load_summary import LoadResult
    from tcop_mock.domain.verdict import ClauseResult, Verdict


SUITE = "tcop-mock"
"""Name of the suite, and prefix of its class names."""

_WIDTH = 100

_EMPTY = "\n"

_TAGS = ("failure", "error", "skipped")


class JUnitCase(NamedTuple):
    """One test case."""

    classname: str
    name: str
    time_s: float
    tag: str = ""
    """``failure``, ``error``, ``skipped``, or empty if it passed."""
    type: str = ""
    message: str = ""
    text: str = ""


def junit_document(verdict: Verdict, *, fail_on: Level, started: datetime) -> bytes:
    """Return a verdict as JUnit XML in UTF-8.

    A broken clause that does not count (``fail_on``) is ``skipped`` with the message ``should clause broken: ...`` and
    the whole finding as its text. JUnit has no fourth result: ``failure`` would fail a build that our exit code passes,
    and all readers hide the output of a passed case, but list a skipped one with its message. The same holds for a
    clause that is inconclusive and does not count. A run without a checked must clause has an extra error, because
    readers show a suite of skipped cases as passed.

    Args:
        verdict: result of the run.
        fail_on: clauses down to this level decide the result of the run.
        started: start of the run, with its time zone; written in UTC, to the second, as Ant does.
    """
    cases = [_clause_case(result, fail_on) for result in verdict.results]
    if not any_must_checked(verdict):
        message = overall_sentence(verdict, Level.MUST)
        cases.append(
            JUnitCase(f"{SUITE}.run", "a must clause is checked", 0.0, "error", "inconclusive", message, message)
        )
    notes = [
        f"{count_summary(verdict)}. {overall_sentence(verdict, fail_on)}",
        *(f"Note: {text}" for text in verdict.notes),
        *(f"Assumed: {text}" for text in verdict.assumptions),
    ]
    notes += [f"Stale: {text}" for text in stale_entries(verdict)]
    properties = {name.lower().replace(" ", "-"): value for name, value in run_metadata(verdict)} | {
        "fail-on": fail_on.value
    }
    return suite_document(cases, properties, notes, started)


def suite_document(
    cases: list[JUnitCase], properties: Mapping[str, str], notes: Iterable[str], started: datetime
) -> bytes:
    """Return cases as one suite of JUnit XML in UTF-8.

    Args:
        cases: cases in their order, with printable texts.
        properties: properties of the suite in addition to our version.
        notes: lines of the output of the suite.
        started: as for :func:`junit_document`.
    """
    root = ET.Element("testsuites", {"name": SUITE, **_totals(cases)})
    timestamp = started.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    suite = ET.SubElement(
        root,
        "testsuite",
        {"name": SUITE, "package": SUITE, "id": "0", "hostname": "localhost", "timestamp": timestamp, **_totals(cases)},
    )
    suite.set("skipped", str(sum(case.tag == "skipped" for case in cases)))
    properties_element = ET.SubElement(suite, "properties")
    for name, value in {"version": __version__, **properties}.items():
        ET.SubElement(properties_element, "property", {"name": name, "value": one_line(value, MAX_REASON_CHARS)})
    for case in cases:
        _write_case(suite, case)
    ET.SubElement(suite, "system-out").text = "\n".join(map(escape_unsafe, notes))
    ET.SubElement(suite, "system-err").text = _EMPTY
    ET.indent(root)
    xml: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return xml + b"\n"


def _clause_case(result: ClauseResult, fail_on: Level) -> JUnitCase:
    clause = result.clause
    case = JUnitCase(f"{SUITE}.{clause.level}", clause_label(clause), result.duration_s, type=clause.level.value)
    reason = one_line(reason_text(result), MAX_REASON_CHARS)
    if result.status is ClauseStatus.PASS:
        return case
    if result.status is ClauseStatus.NOT_RUN:
        return case._replace(tag="skipped", type=ClauseStatus.NOT_RUN.value, message=reason, text=reason)
    if result.status is ClauseStatus.KNOWN:
        text = "\n".join(map(str, clause_details(result, _WIDTH)))
        baseline_text = one_line(baseline_status(result.findings[0]), MAX_REASON_CHARS)
        return case._replace(
            tag="skipped", type=ClauseStatus.KNOWN.value, message=f"{baseline_text}: {summary_line(result)}", text=text
        )
    if result.status is ClauseStatus.ERROR:
        problem_text, case = "inconclusive", case._replace(tag="error", message=reason, text=reason)
    else:
        text = "\n".join(map(str, clause_details(result, _WIDTH)))
        problem_text, case = "broken", case._replace(tag="failure", message=summary_line(result), text=text)
    if is_gating(clause.level, fail_on):
        return case
    return case._replace(tag="skipped", message=f"{clause.level} clause {problem_text}: {case.message}")


def _totals(cases: list[JUnitCase]) -> dict[str, str]:
    """Return the counts. As readers expect, the time is the sum of the cases, although clauses run concurrently."""
    failures, errors, _ = (str(sum(case.tag == tag for case in cases)) for tag in _TAGS)
    time = f"{sum(case.time_s for case in cases):.3f}"
    return {"tests": str(len(cases)), "failures": failures, "errors": errors, "time": time}


def _write_case(suite: ET.Element, case: JUnitCase) -> None:
    element = ET.SubElement(
        suite, "testcase", {"classname": case.classname, "name": case.name, "time": f"{case.time_s:.3f}"}
    )
    if case.tag:
        ET.SubElement(element, case.tag, {"message": case.message, "type": case.type}).text = case.text


def load_junit(result: LoadResult) -> bytes:
    """Return the objectives of a load as JUnit XML: one case per objective.

    Assumptions and notes of the load are the output of the suite.
    """
    load, plan = result.summary, result.summary.plan
    cases = [_objective_case(one) for one in result.objectives]
    properties = {
        "target": str(plan.target),
        "profile": plan.profile,
        "seed": str(plan.seed),
        "load": plan.title,
        "interrupted": "yes" if load.interrupted else "no",
    }
    notes = [f"{load.attempts} attempts in {load.elapsed_s:.1f} s, {load.acked} acked", *load.notes]
    return suite_document(
        cases, properties, [*notes, *(f"Assumed: {text}" for text in plan.assumptions)], result.started_at
    )


def _objective_case(held: ObjectiveResult) -> JUnitCase:
    case = JUnitCase(f"{SUITE}.slo", held.objective.text, 0.0, type="slo")
    if held.is_met:
        return case
    tag = "skipped" if held.status is ObjectiveStatus.INCONCLUSIVE else "failure"
    return case._replace(tag=tag, message=f"measured: {held.measurement}", text=held.summary)
