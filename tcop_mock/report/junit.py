"""JUnit XML, as CI systems read it. There is no one standard; this keeps to what these demand.

- Jenkins' xUnit plugin, ``junit-10.xsd``: wholly.
- Windy Road's ``JUnit.xsd`` (Ant): all of ``testsuite``, thus at most one result in a test case, ``properties`` first,
  ``system-out`` and ``system-err`` last. It allows ``testsuites`` no attributes, where
  dorny/test-reporter reads ``time``.
- GitLab shows the text of a result and nothing of its attributes, so the text says all; of cases with the same class
  and name it keeps the first.
- EnricoMi/publish-unit-test-result fails on an output element without text.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock._version import __version__
from tcop_mock.model.clause import Level
from tcop_mock.model.verdict import Result
from tcop_mock.report.facts import rows
from tcop_mock.report.findings import broken, headline, stale, standing
from tcop_mock.report.ruling import counts, judged_a_must
from tcop_mock.report.safe import escaped, one_line
from tcop_mock.report.words import MOST_REASON_CHARS, named, sentence, tally

if TYPE_CHECKING:
    from datetime import datetime

    from tcop_mock.model.verdict import ClauseResult, Verdict

_SUITE = "tcop-mock"
_WIDTH = 100
_NOTHING = "\n"
_TAGS = ("failure", "error", "skipped")


class Case(NamedTuple):
    """One test case as it is written."""

    classname: str
    name: str
    time_s: float
    tag: str = ""
    """``failure``, ``error``, ``skipped``, or nothing where it passed."""
    type: str = ""
    message: str = ""
    text: str = ""


def junit_document(verdict: Verdict, *, fail_on: Level, started: datetime) -> bytes:
    """Return a verdict as JUnit XML in UTF-8.

    A broken clause that does not count (``fail_on``) is ``skipped`` with the message ``should clause broken: ...`` and
    the whole finding as its text. Readers know no fourth result: ``failure`` would turn the build red that our exit
    code calls good, a passed case with output is folded away by all of them, and a skipped one is listed with its
    message. So is a clause that could not be judged and does not count. A run without one judged must clause has an
    error of its own, because a suite in which all is skipped is green everywhere.

    Args:
        verdict: what the run found.
        fail_on: clauses down to this level decide on the run.
        started: when the run began, with its time zone; written in UTC, to the second, as Ant does.
    """
    cases = [_case(result, fail_on) for result in verdict.results]
    if not judged_a_must(verdict):
        message = sentence(verdict, Level.MUST)
        cases.append(Case(f"{_SUITE}.run", "a must clause is judged", 0.0, "error", "unjudged", message, message))
    root = ET.Element("testsuites", {"name": _SUITE, **_numbers(cases)})
    stamp = started.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    suite = ET.SubElement(
        root,
        "testsuite",
        {"name": _SUITE, "package": _SUITE, "id": "0", "hostname": "localhost", "timestamp": stamp, **_numbers(cases)},
    )
    suite.set("skipped", str(sum(case.tag == "skipped" for case in cases)))
    _write_properties(suite, verdict, fail_on)
    for case in cases:
        _write_case(suite, case)
    said = [f"{tally(verdict)}. {sentence(verdict, fail_on)}", *(f"Assumed: {text}" for text in verdict.assumptions)]
    said += [f"Stale: {text}" for text in stale(verdict)]
    ET.SubElement(suite, "system-out").text = "\n".join(map(escaped, said))
    ET.SubElement(suite, "system-err").text = _NOTHING
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _case(result: ClauseResult, fail_on: Level) -> Case:
    clause = result.clause
    case = Case(f"{_SUITE}.{clause.level}", named(clause), result.duration_s, type=clause.level.value)
    reason = one_line(result.reason, MOST_REASON_CHARS)
    if result.result is Result.PASS:
        return case
    if result.result is Result.NOT_RUN:
        return case._replace(tag="skipped", type=Result.NOT_RUN.value, message=reason, text=reason)
    if result.result is Result.KNOWN:
        text = "\n".join(map(str, broken(result, _WIDTH)))
        since = one_line(standing(result.findings[0]), MOST_REASON_CHARS)
        return case._replace(tag="skipped", type=Result.KNOWN.value, message=f"{since}: {headline(result)}", text=text)
    if result.result is Result.ERROR:
        wrong, case = "could not be judged", case._replace(tag="error", message=reason, text=reason)
    else:
        text = "\n".join(map(str, broken(result, _WIDTH)))
        wrong, case = "broken", case._replace(tag="failure", message=headline(result), text=text)
    if counts(clause.level, fail_on):
        return case
    return case._replace(tag="skipped", message=f"{clause.level} clause {wrong}: {case.message}")


def _numbers(cases: list[Case]) -> dict[str, str]:
    """The time is the sum of the cases', as readers reckon; clauses run side by side, so the run was shorter."""
    failures, errors, _ = (str(sum(case.tag == tag for case in cases)) for tag in _TAGS)
    time = f"{sum(case.time_s for case in cases):.3f}"
    return {"tests": str(len(cases)), "failures": failures, "errors": errors, "time": time}


def _write_properties(suite: ET.Element, verdict: Verdict, fail_on: Level) -> None:
    table = ET.SubElement(suite, "properties")
    facts = ((name.lower().replace(" ", "-"), value) for name, value in rows(verdict))
    for name, value in (("version", __version__), *facts, ("fail-on", fail_on.value)):
        ET.SubElement(table, "property", {"name": name, "value": one_line(value, MOST_REASON_CHARS)})


def _write_case(suite: ET.Element, case: Case) -> None:
    element = ET.SubElement(
        suite, "testcase", {"classname": case.classname, "name": case.name, "time": f"{case.time_s:.3f}"}
    )
    if case.tag:
        ET.SubElement(element, case.tag, {"message": case.message, "type": case.type}).text = case.text
