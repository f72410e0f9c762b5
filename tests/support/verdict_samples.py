"""Sample clauses, results, verdicts and run events, for tests of the reports."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from tcop_mock.domain.contract import Clause, Invocation, Level, Phase, RequestCase
from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.verdict import (
    BaselineEntry,
    ClauseFinished,
    ClauseResult,
    ClauseStarted,
    ClauseStatus,
    Exchange,
    Finding,
    ReproducedRequest,
    Reproduction,
    RunEvent,
    RunFinished,
    RunInfo,
    RunStarted,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

CURL = """curl -sS -i -X POST http://127.0.0.1:8080/alarm -H 'Content-Type: application/json' -d @- <<'TCOP_BODY'
{"sessionId":"x","alarmPolicyInfo":{"policyName":"华南地区核心交易系统数据库主节点"},"recoverTime":"0"}
TCOP_BODY"""
CLI = "tcop-mock check http://127.0.0.1:8080/alarm --clauses TCM302 --seed 42 --profile 2023"
FINDING = Finding(
    title='recoverTime "0" while firing and 3 more: answered 500, where the contract wants 2xx',
    detail='4 of 6 cases: answered 500, where the contract wants 2xx. recoverTime "0" while firing; 实例名称很长的时候',
    shape="cvm/basic-monitoring",
    evidence="""> POST /alarm HTTP/1.1
>
> {"recoverTime":"0"}
< HTTP/1.1 500
<
< 系统错误
outcome: rejected after 0.003 s""",
    reproduction=Reproduction(CURL, CLI),
)

REPLAY = "tcop-mock replay TCM302/4 --to http://127.0.0.1:8080/alarm --attempts 1 --seed 42 --profile 2023"
EXCHANGE = Exchange(
    "http://127.0.0.1:8080/alarm",
    RequestCase('recoverTime "0" while firing', OutgoingRequest(b'{"recoverTime":"0"}'), "cvm/basic-monitoring"),
    Attempt(
        Outcome.REJECTED,
        101.5,
        101.5,
        101.503,
        first_byte_s=101.502,
        status=500,
        body="系统错误".encode(),
        headers=(("Content-Type", "text/plain"), ("Location", "/elsewhere")),
    ),
)
FINDING_WITH_EXCHANGE = replace(
    FINDING,
    reproduction=Reproduction(CURL, CLI, REPLAY, (ReproducedRequest(EXCHANGE.url, EXCHANGE.case.request),)),
    cause="answered 500",
    cases=('recoverTime "0" while firing', 'recoverTime "0" while resolved'),
    exchanges=(EXCHANGE,),
)
"""The finding with its request and response, as after a run."""


def make_clause(code: str, slug: str, level: Level = Level.MUST) -> Clause:
    """Return a clause with realistic texts."""
    return Clause(
        code=code,
        slug=slug,
        level=level,
        profiles=(),
        prerequisites=frozenset(),
        phase=Phase.MAIN,
        requirement='recoverTime 0, "0" and "" are taken while firing and while resolved.',
        source="alarm callback page, 2023-08-07: 0 until the alarm is resolved",
        why="Parsing it as a date answers 500 to firing alarms; those incidents never close, and nobody learns of it.",
        fix='Treat 0, "0" and "" as "not known" before you parse.',
        builder=Invocation("mutations"),
        assertions=(Invocation("status", {"allow": ["2xx"]}),),
    )


PASSED = ClauseResult(make_clause("TCM101", "accepts-catalogue"), ClauseStatus.PASS, duration_s=0.25)
FAILED = ClauseResult(
    make_clause("TCM302", "recover-time-zero"), ClauseStatus.FAIL, findings=(FINDING,), duration_s=1.5
)
SHOULD = replace(FAILED, clause=make_clause("TCM105", "response-bounded", Level.SHOULD))
BASELINE_ENTRY = BaselineEntry("0123456789abcdef", "TCM105", date(2026, 11, 1), "answered 500")
KNOWN = replace(
    SHOULD,
    status=ClauseStatus.KNOWN,
    findings=(replace(FINDING, fingerprint=BASELINE_ENTRY.fingerprint, baseline_entry=BASELINE_ENTRY),),
)
ERROR = ClauseResult(make_clause("TCM515", "burst-acks"), ClauseStatus.ERROR, reason="not finished within --max-time")
SKIPPED = tuple(
    ClauseResult(make_clause(code, slug), ClauseStatus.NOT_RUN, reason="needs auth: put USER:PASSWORD@ into the target")
    for code, slug in (("TCM201", "auth-missing-401"), ("TCM202", "auth-wrong-401"))
)
ASSUMPTIONS = ("Any status from 200 to 299 is success: the page does not say what is.", "重试间隔没有文档说明。")


RUN_INFO = RunInfo(datetime(2026, 11, 23, 18, 30, 59, tzinfo=timezone(timedelta(hours=8))), 100.0, 12.25, 5.0)
"""Run info of a run of 12 s without catalogue data."""


def failed_result(finding_count: int) -> ClauseResult:
    """Return a failed clause with a number of findings."""
    return replace(FAILED, findings=(FINDING_WITH_EXCHANGE,) * finding_count)


def make_verdict(*results: ClauseResult, target: str = "http://***@127.0.0.1:8080/alarm") -> Verdict:
    """Return a verdict of these results."""
    return Verdict(target, "2023", 42, ASSUMPTIONS, results)


def run_events(verdict: Verdict) -> Iterator[RunEvent]:
    """Yield the events of a run with this verdict: the skipped clauses first, as in a real run."""
    yield RunStarted(verdict.target, verdict.profile, verdict.seed, tuple(result.clause for result in verdict.results))
    run_results = [result for result in verdict.results if result.status is not ClauseStatus.NOT_RUN]
    yield from (ClauseFinished(result) for result in verdict.results if result.status is ClauseStatus.NOT_RUN)
    yield from (ClauseStarted(result.clause) for result in run_results)
    yield from (ClauseFinished(result) for result in run_results)
    yield RunFinished(verdict)
