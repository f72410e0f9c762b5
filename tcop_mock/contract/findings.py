"""Findings of a clause: one for each distinct cause of its failures.

A finding names the clause whose fix ends it. That is another clause if the failure has the cause of that one.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.contract.case_pattern import common_pattern, distinguishing_trait, matching_values
from tcop_mock.contract.clauses import find_clause, load_clauses
from tcop_mock.contract.credentials import is_near_miss
from tcop_mock.contract.reproduce import (
    APP_URL,
    ReproductionContext,
    check_command,
    curl_commands,
    replay_command,
    shown_cases,
)
from tcop_mock.domain.contract import CredentialVariant, Phase, SendMode, SendOrder
from tcop_mock.domain.delivery import AUTH_REJECTION_STATUSES, Outcome
from tcop_mock.domain.target import MASK, mask_query_secrets
from tcop_mock.domain.verdict import Exchange, Finding, ReproducedRequest, Reproduction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tcop_mock.domain.contract import Clause, ClauseTest, EffectScenarioResult, RequestCase, StepResult
    from tcop_mock.domain.delivery import Attempt, OutgoingRequest
    from tcop_mock.domain.target import Target

_LATE, _MISREAD, _REDIRECT, _TYPE, _SIZE = "TCM102", "TCM203", "TCM104", "TCM111", "TCM315"
_FIX_BY_STATUS = {
    **dict.fromkeys((301, 302, 303, 307, 308), _REDIRECT),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: _TYPE,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: _SIZE,
}
_FIX_BY_TRAIT = {"resolved": "TCM302", "event alarms": "TCM307"}
"""Fixes by the trait that all failed callbacks of the catalogue have and no other has."""
_UNKNOWN_PRODUCT_FIX, _CATALOGUE_FIX = "TCM306", "TCM101"
_WHERE_LATE_IS_LATE = frozenset({Phase.MAIN, Phase.MALFORMED_INPUT, Phase.AUTH})
"""Elsewhere a late answer has the cause that the clause is about: a slow client, a service that hangs."""
_ABOUT_TIME = frozenset(
    {"answered_in_time", "body_bounded", "is_alive", "within_share_of_deadline"},
)
_MAX_REQUEST_CHARS = 200
"""The whole body stands in the curl line."""
_MAX_RESPONSE_CHARS = 1500
_MAX_TRACE_CHARS = 2000
_MAX_NAMED_CASES = 12
_MAX_EXCHANGES = 12
_MAX_EFFECTS = 3
_MAX_EFFECT_CHARS = 400
_UNREPORTED_VARIANTS = frozenset({CredentialVariant.BEARER, CredentialVariant.MALFORMED})


def fix_code(clause: Clause, case: RequestCase, attempt: Attempt, test: ClauseTest | None) -> str:
    """Return the code of the clause whose fix ends a failure, by the answer to its request.

    Args:
        clause: the clause that failed.
        case: the request.
        attempt: its answer.
        test: the requests of the clause.
    """
    is_plain_turn = test is None or (
        test.send_order is not SendOrder.BURST and not any(group.background for group in test.groups)
    )
    if attempt.outcome is Outcome.TIMED_OUT:
        is_about_time = any(one.name in _ABOUT_TIME for one in clause.assertions)
        is_late = is_plain_turn and clause.phase in _WHERE_LATE_IS_LATE and not is_about_time
        return _LATE if is_late and case.request.method == "POST" else clause.code
    if (
        attempt.status in AUTH_REJECTION_STATUSES
        and case.request.credentials
        and case.credential_variant is CredentialVariant.RIGHT
        and not clause.code.startswith("TCM2")
    ):
        return _MISREAD
    return _FIX_BY_STATUS.get(attempt.status or 0, clause.code) if case.request.method == "POST" else clause.code


def fix_code_of_pattern(clause: Clause, failed: Sequence[RequestCase], passed: Sequence[RequestCase]) -> str:
    """Return the code of the clause whose fix ends failures of the catalogue, by what the callbacks have in common."""
    trait = distinguishing_trait(failed, passed) if clause.code == _CATALOGUE_FIX else None
    if trait is None:
        return clause.code
    key, value = trait
    return _FIX_BY_TRAIT.get(value, clause.code if key in {"state", "type"} else _UNKNOWN_PRODUCT_FIX)


class Failure(NamedTuple):
    """Failure of one attempt."""

    case: RequestCase
    attempt: Attempt
    text: str
    scenario: EffectScenarioResult | None = None
    """The scenario whose last request the case is."""
    cause: str = ""
    """Cause that it shares with other failures, if that is not the text."""

    @property
    def title(self) -> str:
        """The title that identifies it in its clause."""
        return self.scenario.scenario.title if self.scenario else self.case.title


def failures_of(case: RequestCase, attempt: Attempt, text: str) -> Iterator[Failure]:
    """Yield the failures of an attempt: the text of the assertion, or each reason of a parser."""
    if attempt.parse_errors:
        yield from (Failure(case, attempt, reason.message, cause=reason.cause) for reason in attempt.parse_errors)
    else:
        yield Failure(case, attempt, text)


def findings(
    failures: Sequence[Failure],
    asserted_count: int,
    context: ReproductionContext,
    passed: Sequence[RequestCase] = (),
) -> tuple[Finding, ...]:
    """Return one finding per distinct cause, each shown by its first case.

    Args:
        failures: failures in the order of the cases.
        asserted_count: number of cases with a result.
        context: the clause, the target and the run's seed and profile.
        passed: the cases that did not fail, to find the traits of the failed ones.
    """
    groups: dict[str, list[Failure]] = {}
    for failure in failures:
        groups.setdefault(failure.cause or failure.text, []).append(failure)
    return tuple(_finding(group, asserted_count, context, passed) for group in groups.values())


def _finding(
    group: Sequence[Failure], asserted_count: int, context: ReproductionContext, passed: Sequence[RequestCase]
) -> Finding:
    first, text = group[0], group[0].text
    pattern = common_pattern([failure.case for failure in group], passed)
    suffix = f" and {len(group) - 1} more" if len(group) > 1 else ""
    titles = [failure.title for failure in group[:_MAX_NAMED_CASES]]
    more_names = f", and {len(group) - len(titles)} more" if len(group) > len(titles) else ""
    frequency = _frequency(group, asserted_count, context.test)
    cases = _reproduced_cases(first, context)
    return Finding(
        title=f"{first.title}{suffix}: {text}",
        detail=f"{frequency}: {text}. {pattern}{'; '.join(titles)}{more_names}",
        shape=first.case.shape_id,
        evidence=_failure_evidence(first, context),
        reproduction=Reproduction(
            curl_commands(cases, context, first.attempt),
            check_command(context),
            "" if first.scenario else replay_command(first.case, context),
            () if context.target.parser or first.scenario else tuple(_reproduced_requests(cases, context.target)),
        ),
        extent=f"{frequency}. {pattern}".rstrip(),
        cause=text if first.attempt.parse_errors else first.cause or text,
        fix_clause=_fix_clause(group, context, passed),
        cases=() if any(failure.attempt.status is None for failure in group) else tuple(other.title for other in group),
        exchanges=tuple(itertools.islice(_exchanges_of(group, context.target), _MAX_EXCHANGES)),
    )


def _fix_clause(group: Sequence[Failure], context: ReproductionContext, passed: Sequence[RequestCase]) -> Clause:
    """Return the clause whose fix ends the failures; the context's own one where it is its own cause."""
    clause, first = context.clause, group[0]
    if not clause.is_built_in or context.target.parser:
        return clause
    code = fix_code(clause, first.case, first.attempt, context.test)
    if code == clause.code and first.scenario is None:
        code = fix_code_of_pattern(clause, [failure.case for failure in group], passed)
    return clause if code == clause.code else find_clause(load_clauses(), code)


def _frequency(failures: Sequence[Failure], asserted_count: int, test: ClauseTest | None) -> str:
    """Return the number of failed cases in words: ``41 of 60 shapes (41 of 61 cases), first cvm/events``."""
    case_count = f"{len(failures)} of {asserted_count} cases"
    failed_shapes = {failure.case.shape_id for failure in failures}
    if test is None or len(failed_shapes) == 1:
        return case_count
    cases = [case for group in test.groups for case in group.cases if case.is_asserted]
    sent_shapes = (
        {case.shape_id for case in cases} | {scenario.shape_id for scenario in test.effect_scenarios} | failed_shapes
    )
    return f"{len(failed_shapes)} of {len(sent_shapes)} shapes ({case_count}), first {failures[0].case.shape_id}"


def _exchanges_of(failures: Sequence[Failure], target: Target) -> Iterator[Exchange]:
    for failure in failures:
        if failure.scenario is None:
            yield exchange_of(failure.case, failure.attempt, target)
            continue
        for step_result in failure.scenario.step_results:
            for case, attempt in zip(
                step_result.step.cases, step_result.attempts, strict=False
            ):  # a restart: one case, many attempts
                yield exchange_of(case, attempt, target)


def exchange_of(case: RequestCase, attempt: Attempt, target: Target) -> Exchange:
    """Return a request and its answer, with no spelling of the credentials that were shown or are right."""
    credential_pairs = [credentials for credentials in (case.request.credentials, target.credentials) if credentials]

    def masked(text: str) -> str:
        for credentials in credential_pairs:
            text = credentials.mask(text)
        return text

    return Exchange(
        _masked_url(case, target),
        replace(case, request=replace(case.request, credentials=None)),
        replace(
            attempt,
            headers=tuple((masked(name), masked(value)) for name, value in attempt.headers),
            body=masked(attempt.body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape"),
            detail=masked(attempt.detail),
            traceback=masked(attempt.traceback),
        ),
        has_credentials=case.request.credentials is not None,
    )


def _reproduced_requests(cases: Sequence[RequestCase], target: Target) -> Iterator[ReproducedRequest]:
    """Yield the requests that show a finding; nothing if a report cannot hold one: it masks Authorization."""
    if any(case.credential_variant in _UNREPORTED_VARIANTS or case.request.lower_case_names for case in cases):
        return
    for case in cases:
        variant = case.credential_variant if case.request.credentials else CredentialVariant.NONE
        request = replace(case.request, credentials=None)
        yield ReproducedRequest(_masked_url(case, target), request, variant, is_asserted=case.is_asserted)


def _reproduced_cases(failure: Failure, context: ReproductionContext) -> Sequence[RequestCase]:
    """Return the cases that show a failure when they are sent one by one; empty if that does not show it."""
    if failure.scenario is None:
        return shown_cases(failure.case, context)
    steps = [step_result.step for step_result in failure.scenario.step_results]
    if any(step.send_mode is not SendMode.SEQUENTIAL or step.downstream_fault for step in steps):
        return ()
    return [case for step in steps for case in step.cases]


def _masked_url(case: RequestCase, target: Target) -> str:
    path = target.path_with(case.request.query)
    return mask_query_secrets(f"{APP_URL if target.app else target.url.removesuffix(target.path)}{path}")


def _failure_evidence(failure: Failure, context: ReproductionContext) -> str:
    target = context.target
    values = matching_values(failure.case, failure.attempt, _control_of(failure.case, context.test))
    request_text = evidence(failure.case, failure.attempt, target, values)
    if failure.scenario is None:
        return request_text
    lines = [_step_summary(effect_text) for effect_text in failure.scenario.step_results]
    effects = failure.scenario.step_results[-1].after.effects[-_MAX_EFFECTS:]
    lines += [
        f"seen{f' at {effect.location}' if effect.location else ''}: {effect.text[:_MAX_EFFECT_CHARS]}"
        for effect in effects
    ]
    effect_text = "\n".join(lines)
    return f"{request_text}\n{target.credentials.mask(effect_text) if target.credentials else effect_text}"


def _control_of(case: RequestCase, test: ClauseTest | None) -> RequestCase | None:
    """Return the control of a case: the same request without what its clause changes."""
    groups = test.groups if test else ()
    return next((group.control for group in groups if any(other is case for other in group.cases)), None)


def _step_summary(step_result: StepResult) -> str:
    statuses = ", ".join(str(attempt.status or attempt.outcome) for attempt in step_result.attempts[:_MAX_NAMED_CASES])
    open_count = "" if step_result.after.open_incidents is None else f", {step_result.after.open_count} open"
    effect_count = "1 effect" if step_result.after.count == 1 else f"{step_result.after.count} effects"
    return f"{step_result.step.title}: answered {statuses}; {effect_count}{open_count}"


def evidence(case: RequestCase, attempt: Attempt, target: Target, values: Sequence[str] = ()) -> str:
    """Show a request (``>``) and its answer (``<``), bounded, without credentials.

    Args:
        case: the request.
        attempt: its answer.
        target: the receiver.
        values: parts of the body that are shown behind its beginning.
    """
    request = case.request
    sent_body = request.body if request.truncate_at is None else request.body[: request.truncate_at]
    body_lines = _quote(">", sent_body, _MAX_REQUEST_CHARS)
    if len(sent_body) > _MAX_REQUEST_CHARS:
        body_lines += [f"> … {escaped}" for escaped in values]
    if target.parser:
        return "\n".join([*body_lines, *_parser_lines(attempt)])
    lines = [f"> {request.method} {mask_query_secrets(target.path_with(request.query))} HTTP/1.1"]
    fields = replace(request, credentials=None).header_fields(target.authority, keep_alive=request.keep_alive)
    if request.credentials:
        name = "authorization" if request.lower_case_names else "Authorization"
        fields.append((name, f"{request.auth_scheme} {MASK} ({case.credential_variant} credentials)"))
    lines += [f"> {name}: {_shorten(value)}" for name, value in fields]
    lines += [">", *body_lines, *_framing_remarks(request)]
    response = "\n".join(_response_lines(attempt))
    if request.credentials:
        is_secret = is_near_miss(case.credential_variant)
        response = request.credentials.mask(response) if is_secret else request.credentials.mask_pair(response)
    return "\n".join([*lines, mask_credentials(response, target)])


def _shorten(value: str) -> str:
    return value if len(value) <= _MAX_REQUEST_CHARS else f"{value[:_MAX_REQUEST_CHARS]}… ({len(value)} bytes in all)"


def _framing_remarks(request: OutgoingRequest) -> Iterator[str]:
    """Yield how a body was sent, where that differs from one write after the head."""
    count = sum(1 for _ in request.body_segments()) if request.segment_sizes else 1
    sizes = f" of {request.segment_sizes[0]} bytes" if len(request.segment_sizes) == 1 and count > 1 else ""
    if request.chunked:
        yield f"> (the body was sent in {count} {'chunk' if count == 1 else f'chunks{sizes}'})"
    elif request.segment_sizes:
        segments = "segment of its own" if count == 1 else f"{count} segments{sizes}"
        yield f"> (the body was sent in {'a ' if count == 1 else ''}{segments}, after the head)"
    if request.truncate_at is not None:
        promised = next(
            value
            for name, value in reversed(request.header_fields("", keep_alive=False))
            if name.lower() == "content-length"
        )
        sent = len(request.body[: request.truncate_at])
        yield f"> ({sent} of {promised} bytes of the body were sent; then the sender closed its side)"
    if request.reuse_connection:
        yield "> (sent on the connection of the request before it)"


def _parser_lines(attempt: Attempt) -> Iterator[str]:
    yield from (f"< {reason.message}" for reason in attempt.parse_errors)
    if not attempt.parse_errors:
        yield "< taken" if attempt.accepted else f"outcome: {attempt.outcome}"
    if attempt.detail:
        yield f"detail: {attempt.detail}"


def mask_credentials(text: str, target: Target) -> str:
    """Replace every spelling of the target's credentials."""
    return target.credentials.mask(text) if target.credentials else text


def _response_lines(attempt: Attempt) -> Iterator[str]:
    if attempt.status is None:
        yield "< (no answer)"
    else:
        yield f"< HTTP/1.1 {attempt.status}"
        yield from (f"< {name}: {value}" for name, value in attempt.headers)
        yield "<"
        yield from _quote("<", attempt.body, _MAX_RESPONSE_CHARS)
    yield f"outcome: {attempt.outcome} after {attempt.duration_s:.3f} s"
    if attempt.detail:
        yield f"detail: {attempt.detail}"
    yield from attempt.traceback[-_MAX_TRACE_CHARS:].splitlines()


def _quote(prefix: str, body: bytes, max_chars: int) -> list[str]:
    text = body.decode("utf-8", "backslashreplace")
    if len(text) > max_chars:
        text = f"{text[:max_chars]}… ({len(body)} bytes in all)"
    return [f"{prefix} {line}" for line in text.split("\n")]
