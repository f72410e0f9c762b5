"""Messages that a stub service refused in the whole run, as findings of the clause about that service."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tcop_mock.contract.builders_effects import unique_tokens_of_body
from tcop_mock.contract.reproduce import check_command, curl_commands
from tcop_mock.domain.effects import Effect
from tcop_mock.domain.verdict import ClauseStatus, Finding, Reproduction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tcop_mock.contract.reproduce import ReproductionContext
    from tcop_mock.domain.contract import Clause, ClauseTest, RequestCase
    from tcop_mock.domain.verdict import ClauseResult
    from tcop_mock.server.downstream import ReceivedMessage

_MAX_MESSAGE_CHARS = 400


def refused_service(clause: Clause) -> str:
    """Return the service whose refusals a clause is about; empty for other clauses."""
    services = (
        str(invocation.params["service"])
        for invocation in clause.assertions
        if invocation.name == "downstream_accepts" and "service" in invocation.params
    )
    return next(services, "")


def refusal_text(service: str, reason: str) -> str:
    """Return the failure for a refused message."""
    return f"/{service} rejects a request of the receiver: {reason}"


def with_refusals(
    result: ClauseResult,
    messages: Sequence[ReceivedMessage],
    tests: Iterable[ClauseTest],
    context: ReproductionContext,
) -> ClauseResult:
    """Return the result with a finding for each reason for which a service refused messages.

    Args:
        result: the result by the clause's own requests.
        messages: all messages that its service refused.
        tests: all requests of the run; the one that a message is about reproduces it.
        context: the clause, the target and the run's seed and profile.
    """
    by_reason: dict[str, list[ReceivedMessage]] = {}
    for message in messages:
        by_reason.setdefault(refusal_text(message.service, message.note), []).append(message)
    known_causes = {finding.cause for finding in result.findings}
    new_findings = tuple(
        _finding(text, group, tests, context) for text, group in by_reason.items() if text not in known_causes
    )
    if not new_findings:
        return result
    findings = (*result.findings, *new_findings)
    return replace(result, status=ClauseStatus.FAIL, findings=findings, reason="", missing=None)


def _finding(
    text: str, messages: Sequence[ReceivedMessage], tests: Iterable[ClauseTest], context: ReproductionContext
) -> Finding:
    case = _cause_of(messages[0], tests)
    credentials = context.target.credentials
    excerpt = f"sent to /{messages[0].service}: {messages[0].text[:_MAX_MESSAGE_CHARS]}"
    count = "1 message" if len(messages) == 1 else f"{len(messages)} messages"
    about = f", first about {case.title}" if case else ""
    return Finding(
        title=f"{count} of the whole run: {text}",
        detail=f"{count}{about}: {text}",
        shape=case.shape_id if case else None,
        evidence=credentials.mask(excerpt) if credentials else excerpt,
        reproduction=Reproduction(curl_commands([case] if case else [], context), check_command(context)),
        cause=text,
    )


def _cause_of(message: ReceivedMessage, tests: Iterable[ClauseTest]) -> RequestCase | None:
    """Return the request that a message is about, if it names the alarm."""
    effect = Effect(message.text)
    return next((case for case in _cases(tests) if effect.mentions(_tokens(case))), None)


def _cases(tests: Iterable[ClauseTest]) -> Iterator[RequestCase]:
    for test in tests:
        for group in test.groups:
            yield from group.cases
        for scenario in test.effect_scenarios:
            for step in scenario.steps:
                yield from step.cases


def _tokens(case: RequestCase) -> frozenset[str]:
    """Return the ids in a callback; an empty result for other bodies."""
    try:
        return unique_tokens_of_body(case.request.body)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return frozenset()
