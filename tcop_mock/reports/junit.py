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
from tcop_mock.domain.contract import Level
from tcop_mock.domain.verdict import Result
from tcop_mock.reports.findings import broken, headline, stale, standing
from tcop_mock.reports.summary import counts, judged_a_must, rows
from tcop_mock.reports.text import MOST_REASON_CHARS, escaped, named, one_line, sentence, tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from tcop_mock.domain.load import Held
    from tcop_mock.domain.load_summary import LoadSummary
    from tcop_mock.domain.verdict import ClauseResult, Verdict


SUITE = "tcop-mock"

"""Name of the suite, and of what its classes begin with."""

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
        cases.append(Case(f"{SUITE}.run", "a must clause is judged", 0.0, "error", "unjudged", message, message))
    said = [f"{tally(verdict)}. {sentence(verdict, fail_on)}", *(f"Assumed: {text}" for text in verdict.assumptions)]
    said += [f"Stale: {text}" for text in stale(verdict)]
    about = {name.lower().replace(" ", "-"): value for name, value in rows(verdict)} | {"fail-on": fail_on.value}
    return suite_document(cases, about, said, started)


def suite_document(cases: list[Case], about: Mapping[str, str], said: Iterable[str], started: datetime) -> bytes:
    """Return cases as one suite of JUnit XML in UTF-8.

    Args:
        cases: in the order in which they are listed; texts of theirs are printable.
        about: properties of the suite, beside our version.
        said: lines of its output.
        started: as for :func:`junit_document`.
    """
    root = ET.Element("testsuites", {"name": SUITE, **_numbers(cases)})
    stamp = started.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    suite = ET.SubElement(
        root,
        "testsuite",
        {"name": SUITE, "package": SUITE, "id": "0", "hostname": "localhost", "timestamp": stamp, **_numbers(cases)},
    )
    suite.set("skipped", str(sum(case.tag == "skipped" for case in cases)))
    table = ET.SubElement(suite, "properties")
    for name, value in {"version": __version__, **about}.items():
        ET.SubElement(table, "property", {"name": name, "value": one_line(value, MOST_REASON_CHARS)})
    for case in cases:
        _write_case(suite, case)
    ET.SubElement(suite, "system-out").text = "\n".join(map(escaped, said))
    ET.SubElement(suite, "system-err").text = _NOTHING
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _case(result: ClauseResult, fail_on: Level) -> Case:
    clause = result.clause
    case = Case(f"{SUITE}.{clause.level}", named(clause), result.duration_s, type=clause.level.value)
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


def _write_case(suite: ET.Element, case: Case) -> None:
    element = ET.SubElement(
        suite, "testcase", {"classname": case.classname, "name": case.name, "time": f"{case.time_s:.3f}"}
    )
    if case.tag:
        ET.SubElement(element, case.tag, {"message": case.message, "type": case.type}).text = case.text


def objectives_junit(load: LoadSummary, held: Iterable[Held], started: datetime) -> bytes:
    """Return what a load was held to as JUnit XML; of a load without objectives, a suite without a case.

    Args:
        load: what it came to; its assumptions and notes are the suite's output.
        held: the objectives and what came of each.
        started: when the load began, with its time zone.
    """
    plan = load.plan
    cases = [_objective_case(one) for one in held]
    about = {
        "target": str(plan.target),
        "profile": plan.profile,
        "seed": str(plan.seed),
        "load": plan.title,
        "interrupted": "yes" if load.interrupted else "no",
    }
    said = [f"{load.attempts} attempts in {load.elapsed_s:.1f} s, {load.acked} acked", *load.notes]
    return suite_document(cases, about, [*said, *(f"Assumed: {text}" for text in plan.assumptions)], started)


def _objective_case(held: Held) -> Case:
    case = Case(f"{SUITE}.slo", held.objective.text, 0.0, type="slo")
    if held.kept:
        return case
    return case._replace(tag="failure", message=f"measured: {held.measured}", text=held.sentence)
