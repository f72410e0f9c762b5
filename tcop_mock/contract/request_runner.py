"""Sends the requests of one clause and checks its assertions."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.contract.assertions import (
    RATE_LIMITED,
    AssertionContext,
    describe_response,
    inconclusive_reason,
    matches_status,
)
from tcop_mock.contract.clause_outcome import ClauseOutcome
from tcop_mock.contract.clauses import assertion_of
from tcop_mock.contract.findings import failures_of
from tcop_mock.domain.contract import CredentialVariant, SendOrder
from tcop_mock.domain.delivery import AUTH_REJECTION_STATUSES, RETRY_LATER_STATUSES, Attempt, Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from tcop_mock.contract.findings import Failure
    from tcop_mock.domain.contract import CaseGroup, Clause, ClauseTest, RequestCase
    from tcop_mock.domain.delivery import Transport

_BODY_TIMEOUT_S = 0.25
"""How long a response body may take after its head if the assertions need only the head."""
_BACKGROUND_DEADLINE_S = 3600.0
_BACKGROUND_HEAD_START_S = 0.2
"""The background request is in flight for this time before the cases are sent."""
_UNASSERTED_DEADLINE_S = 1.0
"""How long to wait for the response to a case without assertions."""
_MAX_UNANSWERED = 12
"""After this number of cases without a response, the other cases of the clause are not sent."""
_MAX_UNANSWERED_SEQUENTIAL = 2
_MAX_BACKOFFS = 10
"""How often in a run a response 429 or 503 is waited out."""
_DEFAULT_BACKOFF_S = 1.0
_MAX_BACKOFF_S = 5.0
_UNANSWERED_OUTCOMES = frozenset({Outcome.TIMED_OUT, Outcome.RESET_BEFORE_ANSWER})


class CaseResult(NamedTuple):
    """One case and its attempt."""

    case: RequestCase
    attempt: Attempt


@dataclass(slots=True)
class RequestRunner:
    """Runs clauses against one receiver, with a limited number of requests in flight.

    Args:
        transport: sends a request.
        sleep: pauses.
        deadline_s: of one attempt.
        context: what assertions may know.
        in_flight: how many requests may be under way at once.
        max_unanswered: after this number of cases without a response the rest of a clause is not sent.
        backoffs_left: how often a request is sent again after a response 429 or 503.
    """

    transport: Transport
    sleep: Callable[[float], Awaitable[None]]
    deadline_s: float
    context: AssertionContext
    in_flight: int
    max_unanswered: int = _MAX_UNANSWERED
    backoffs_left: int = 0
    _semaphore: asyncio.Semaphore = field(init=False, repr=False)
    _unanswered: Counter[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._semaphore = asyncio.Semaphore(self.in_flight)
        self._unanswered = Counter()

    def sequential(self) -> RequestRunner:
        """Return a runner with one request in flight that waits and retries after 429 and 503."""
        return replace(self, in_flight=1, max_unanswered=_MAX_UNANSWERED_SEQUENTIAL, backoffs_left=_MAX_BACKOFFS)

    async def run(self, clause: Clause, test: ClauseTest) -> ClauseOutcome:
        """Send all case groups of a clause and check the assertions."""
        full_response = any(assertion_of(invocation).needs_full_response for invocation in clause.assertions)
        self._unanswered[clause.code] = 0
        case_results: list[CaseResult] = []
        skipped: dict[str, str] = {}
        for group in test.groups:
            if self._unanswered[clause.code] >= self.max_unanswered:
                break
            reason = await self._control_failed(
                clause, group, test, full_response=full_response
            ) or await self._negative_control_accepted(group)
            results = (
                [] if reason else await self._send_with_background(clause, group, test, full_response=full_response)
            )
            if group.any_accepted and results and not any(attempt.accepted for _, attempt in results):
                reason = f"{group.cases[0].title}: {_describe_attempt(results[0].attempt)} (TCM101)"
            reason = reason or await self._auth_checked(group, results)
            if reason:
                skipped |= {case.title: reason for case in group.cases}
            else:
                case_results += results
        return self._assert_results(clause, test, case_results, skipped)

    def _assert_results(
        self, clause: Clause, test: ClauseTest, case_results: Sequence[CaseResult], skipped: Mapping[str, str]
    ) -> ClauseOutcome:
        assertions = [(assertion_of(invocation), invocation.params) for invocation in clause.assertions]
        context = self.context._replace(unique_secrets=test.unique_secrets, deadline_s=self.deadline_s)
        failures: list[Failure] = []
        inconclusive: dict[str, str] = {}
        for index, (case, attempt) in enumerate(case_results):
            if not case.is_asserted:
                continue
            context = context._replace(request_body=case.request.body)
            if case.request.reuse_connection and index:  # the case before it in its group opened the connection
                previous = case_results[index - 1]
                context = context._replace(
                    previous_request_body=previous.case.request.body, previous_response_body=previous.attempt.body
                )
            for assertion, params in () if matches_status(attempt.status, case.also_accept) else assertions:
                inconclusive_text = inconclusive_reason(assertion, attempt, context)
                message = None if inconclusive_text else assertion.check(attempt, context, **params)
                if (
                    message
                    and attempt.status == HTTPStatus.TOO_MANY_REQUESTS
                    and test.send_order is not SendOrder.BURST
                ):
                    inconclusive_text = RATE_LIMITED
                if inconclusive_text:
                    inconclusive[case.title] = inconclusive_text
                elif message:
                    failures += failures_of(case, attempt, message)
        answered_titles = frozenset(case.title for case, _ in case_results if case.is_asserted)
        all_titles = frozenset(case.title for group in test.groups for case in group.cases if case.is_asserted)
        return ClauseOutcome(
            failures=tuple(failures),
            inconclusive=tuple(inconclusive.values()),
            skipped=tuple(skipped.values()),
            asserted=answered_titles - inconclusive.keys(),
            not_sent=all_titles - answered_titles - skipped.keys(),
            rerun=all_titles - answered_titles | inconclusive.keys() | {failure.title for failure in failures},
        )

    async def _control_failed(
        self, clause: Clause, group: CaseGroup, test: ClauseTest, *, full_response: bool
    ) -> str | None:
        """Send the control of a group; return why its cases prove nothing if the control is not accepted."""
        if group.control is None:
            return None
        attempt = await self._send(group.control, self.deadline_s, full_response=full_response)
        self._unanswered[clause.code] += attempt.outcome in _UNANSWERED_OUTCOMES and attempt.status is None
        if attempt.outcome is Outcome.ACKED if full_response else attempt.accepted:
            return None
        if test.send_order is SendOrder.BURST and attempt.status == HTTPStatus.TOO_MANY_REQUESTS:
            return None  # a burst is there to find out that it is too many
        if attempt.outcome is Outcome.TIMED_OUT:
            return f"{group.control.title} is not answered inside the deadline (TCM102)"
        return f"{group.control.title}: {_describe_attempt(attempt)} (TCM101)"

    async def _negative_control_accepted(self, group: CaseGroup) -> str | None:
        """Send the negative control of a group; return why its cases prove nothing if it is accepted."""
        if (
            group.negative_control is None
            or not (await self._send(group.negative_control, self.deadline_s, full_response=False)).accepted
        ):
            return None
        return f"{group.negative_control.title} is let in (TCM201, TCM202)"

    async def _auth_checked(self, group: CaseGroup, results: Sequence[CaseResult]) -> str | None:
        """Return why the cases of a group prove nothing if they are rejected, but not for their credentials."""
        rejected = next((attempt for _, attempt in results if not attempt.accepted), None)
        if group.auth_probe is None or rejected is None or rejected.status in AUTH_REJECTION_STATUSES:
            return None
        probe = await self._send(group.auth_probe, self.deadline_s, full_response=False)
        return (
            f"{group.cases[0].title}: {_describe_attempt(rejected)} (TCM101)"
            if probe.status in AUTH_REJECTION_STATUSES
            else None
        )

    async def _send_with_background(
        self, clause: Clause, group: CaseGroup, test: ClauseTest, *, full_response: bool
    ) -> list[CaseResult]:
        if group.background is None:
            return await self._send_all(clause, group, test, full_response=full_response)
        background = asyncio.ensure_future(self.transport(group.background.request, deadline_s=_BACKGROUND_DEADLINE_S))
        try:
            await self.sleep(_BACKGROUND_HEAD_START_S)
            return await self._send_all(clause, group, test, full_response=full_response)
        finally:
            background.cancel()
            await asyncio.wait({background})

    async def _send_all(
        self, clause: Clause, group: CaseGroup, test: ClauseTest, *, full_response: bool
    ) -> list[CaseResult]:
        deadline_s = self.deadline_s * test.deadline_factor
        if test.send_order is SendOrder.SEQUENTIAL:
            return [
                CaseResult(case, await self._send(case, deadline_s, full_response=full_response))
                for case in group.cases
            ]
        if test.send_order is SendOrder.BURST:
            step_s = test.burst_duration_s / len(group.cases)
            burst = [self._send_after(index * step_s, case, deadline_s) for index, case in enumerate(group.cases)]
            return [
                CaseResult(*result_fields)
                for result_fields in zip(group.cases, await asyncio.gather(*burst), strict=True)
            ]

        async def send_one(case: RequestCase) -> CaseResult | None:
            async with self._semaphore:
                if self._unanswered[clause.code] >= self.max_unanswered:
                    return None
                attempt = await self._send_with_backoff(case, deadline_s, full_response=full_response)
                self._unanswered[clause.code] += attempt.outcome in _UNANSWERED_OUTCOMES and attempt.status is None
                return CaseResult(case, attempt)

        return [result for result in await asyncio.gather(*map(send_one, group.cases)) if result]

    async def _send(self, case: RequestCase, deadline_s: float, *, full_response: bool) -> Attempt:
        async with self._semaphore:
            return await self._send_with_backoff(case, deadline_s, full_response=full_response)

    async def _send_with_backoff(self, case: RequestCase, deadline_s: float, *, full_response: bool) -> Attempt:
        if not case.is_asserted:
            deadline_s = min(deadline_s, _UNASSERTED_DEADLINE_S)
        request = case.request if full_response else replace(case.request, body_timeout_s=_BODY_TIMEOUT_S)
        attempt = await self.transport(request, deadline_s=deadline_s)
        if (
            attempt.status in RETRY_LATER_STATUSES
            and self.backoffs_left
            and case.credential_variant is CredentialVariant.RIGHT
        ):
            self.backoffs_left -= 1
            await self.sleep(_backoff_s(attempt))
            attempt = await self.transport(request, deadline_s=deadline_s)
        return attempt

    async def _send_after(self, delay_s: float, case: RequestCase, deadline_s: float) -> Attempt:
        await self.sleep(delay_s)
        return await self.transport(case.request, deadline_s=deadline_s)


def _backoff_s(attempt: Attempt) -> float:
    """Return how long to wait before a retry: the Retry-After of the response, limited."""
    retry_after = next((value for name, value in attempt.headers if name.lower() == "retry-after"), "")
    return min(float(retry_after), _MAX_BACKOFF_S) if retry_after.isdecimal() else _DEFAULT_BACKOFF_S


def _describe_attempt(attempt: Attempt) -> str:
    if attempt.parse_errors:
        return attempt.parse_errors[0].message
    return describe_response(attempt)
