"""Sends the requests of one clause and checks its assertions."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.contract.assertions import (
    BUSY_MACHINE,
    RATE_LIMITED,
    TOO_SLOW,
    AssertionContext,
    cancelled_reason,
    inconclusive_reason,
    matches_status,
)
from tcop_mock.contract.clause_outcome import ClauseOutcome, Exclusion, main_case, refusal
from tcop_mock.contract.clauses import assertion_of
from tcop_mock.contract.findings import Failure, failures_of
from tcop_mock.contract.limits import Rank, RequestSlots
from tcop_mock.contract.machine_load import share_of_others
from tcop_mock.contract.plan import is_about_answer_time, is_about_timing
from tcop_mock.contract.preflight import backoff_s
from tcop_mock.domain.contract import CredentialVariant, Level, SendOrder
from tcop_mock.domain.delivery import AUTH_REJECTION_STATUSES, RETRY_LATER_STATUSES, Attempt, Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from tcop_mock.contract.machine_load import LoadSample, MachineLoad
    from tcop_mock.domain.contract import CaseGroup, Clause, ClauseTest, RequestCase
    from tcop_mock.domain.delivery import OutgoingRequest, Transport

BODY_TIMEOUT_S, LATE_BODY_TIMEOUT_S = 0.25, 0.05
"""Maximum time in seconds for a response body after a late head, if the assertions need only the head."""
_BACKGROUND_DEADLINE_S = 3600.0
_BACKGROUND_HEAD_START_S = 0.2
"""The background request is in flight for this time before the cases are sent."""
_UNASSERTED_DEADLINE_S = 1.0
"""Seconds to wait for the response to a case without assertions."""
_MIN_LATE = 3
"""Number of late answers that is not an accident."""
MAX_REPETITION_S = 10.0
"""Maximum time in seconds to repeat one case alone: 24 repetitions of a slow response would take minutes."""
_MAX_UNANSWERED = 12
"""After this number of cases without a response, the other cases of the clause are not sent."""
_MAX_UNANSWERED_SEQUENTIAL = 2
_MAX_BACKOFFS = 10
"""Maximum number of waits in a run after a response 429 or 503."""
_SESSION = re.compile(rb'("sessionId"\s*:\s*")([^"\\]{8,})(")')
"""The session id of a body. It is replaced in repetitions, because receivers may answer 409 to a known one."""
_UNANSWERED_OUTCOMES = frozenset({Outcome.TIMED_OUT, Outcome.RESET_BEFORE_ANSWER})


class CaseResult(NamedTuple):
    """One case and its attempt."""

    case: RequestCase
    attempt: Attempt
    is_late_alone: bool = False
    """Whether it is late for no other reason than itself."""


class _ControlResult(NamedTuple):
    """The attempt of a control."""

    attempt: Attempt
    is_fired_first: bool = False
    """Whether it was accepted only after its firing had been sent."""
    is_late_alone: bool = False


@dataclass(slots=True)
class _ClauseProgress:
    """Results of a clause, also while its requests are in flight."""

    groups: list[list[CaseResult]] = field(default_factory=list)
    """The results of each group."""
    exclusions: dict[str, Exclusion] = field(default_factory=dict)
    late_alone: set[str] = field(default_factory=set)
    """Titles of cases that are late, or their control, for no other reason than themselves."""
    rank: Rank = field(default_factory=Rank)
    notes: list[str] = field(default_factory=list)
    """Notes of a passed clause for the reader."""


def _rank(clause: Clause, test: ClauseTest) -> Rank:
    """Return how late a clause has its turn: what matters most first, and what has a result soonest."""
    case_count = sum(len(group.cases) for group in test.groups)
    return Rank(not is_about_timing(clause), clause.level is not Level.MUST, case_count)


@dataclass(slots=True)
class RequestRunner:
    """Runs clauses against one receiver, with a limited number of requests in flight.

    Args:
        transport: sends a request.
        sleep: coroutine that pauses.
        deadline_s: deadline of one attempt.
        context: context of assertions.
        in_flight: maximum number of requests in flight.
        max_unanswered: after this number of cases without a response the rest of a clause is not sent.
        backoffs_left: remaining number of requests that are sent again after a response 429 or 503.
        all_refused: why no case with a control has a result: the receiver accepts no callback of the catalogue.
        body_timeout_s: maximum time in seconds for a response body if the assertions need only the head.
        slots: limits the requests in flight.
        machine_load: measures whether other programs make the receiver late.
    """

    transport: Transport
    sleep: Callable[[float], Awaitable[None]]
    deadline_s: float
    context: AssertionContext
    in_flight: int
    max_unanswered: int = _MAX_UNANSWERED
    backoffs_left: int = 0
    all_refused: str = ""
    body_timeout_s: float = BODY_TIMEOUT_S
    slots: RequestSlots | None = field(default=None, repr=False)
    machine_load: MachineLoad | None = None
    _slots: RequestSlots = field(init=False, repr=False)
    _unanswered: Counter[str] = field(init=False, repr=False)
    _progress: dict[str, _ClauseProgress] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._slots = self.slots or RequestSlots(self.in_flight)
        self._unanswered = Counter()
        self._progress = {}

    def sequential(self) -> RequestRunner:
        """Return a runner with one request in flight that waits and retries after 429 and 503."""
        return replace(
            self, in_flight=1, slots=None, max_unanswered=_MAX_UNANSWERED_SEQUENTIAL, backoffs_left=_MAX_BACKOFFS
        )

    async def run(self, clause: Clause, test: ClauseTest) -> ClauseOutcome:
        """Send all case groups of a clause and check the assertions."""
        full_response = needs_full_response(clause)
        self._unanswered[clause.code] = 0
        progress = self._progress[clause.code] = _ClauseProgress(rank=_rank(clause, test))

        async def run_group(group: CaseGroup) -> None:
            if self._unanswered[clause.code] >= self.max_unanswered:
                return
            results: list[CaseResult] = []
            progress.groups.append(results)
            sent = await self._send_control(clause, group.control, full_response=full_response)
            if group.control and sent is None:
                return
            reason = self._control_failed(group, test, sent, full_response=full_response)
            reason = reason or await self._negative_control_accepted(clause, group)
            if reason is None:
                is_fired_first = group.any_accepted or bool(sent and sent.is_fired_first)
                await self._send_with_background(clause, group, test, results, is_fired_first=is_fired_first)
                reason = self._none_accepted(group, results) or await self._auth_checked(clause, group, results)
            if reason:
                results.clear()
                if sent and sent.is_late_alone and sent.attempt.outcome is Outcome.TIMED_OUT:
                    progress.late_alone |= {case.title for case in group.cases}
                progress.exclusions |= {case.title: reason._replace(title=case.title) for case in group.cases}

        if test.send_order is SendOrder.CONCURRENT and self.in_flight > 1:
            await asyncio.gather(*map(run_group, test.groups))
        else:
            for group in test.groups:
                await run_group(group)
        return self.outcome_so_far(clause, test)

    def outcome_so_far(self, clause: Clause, test: ClauseTest) -> ClauseOutcome:
        """Return the outcome of the cases that have a result, in their order."""
        progress = self._progress.get(clause.code, _ClauseProgress())
        cases = itertools.chain.from_iterable(group.cases for group in test.groups)
        order = {case.title: number for number, case in enumerate(cases)}
        results = itertools.chain.from_iterable(progress.groups)
        case_results = sorted(results, key=lambda result: order.get(result.case.title, 0))
        failures: list[Failure] = []
        inconclusive: dict[str, str] = {}
        late_alone = set(progress.late_alone)
        is_often_late = self._slots.late_alone >= _MIN_LATE
        for index, (case, attempt, is_late_alone) in enumerate(case_results):
            if not case.is_asserted:
                continue
            if is_late_alone and (attempt.outcome is Outcome.TIMED_OUT or is_about_answer_time(clause)):
                late_alone.add(case.title)
            previous = case_results[index - 1] if case.request.reuse_connection and index else None
            for text, is_inconclusive in self._failures_of(clause, test, case, attempt, previous):
                if is_inconclusive:
                    inconclusive[case.title] = text
                else:
                    failures += failures_of(case, attempt, text)
        answered_titles = frozenset(case.title for case, _, _ in case_results if case.is_asserted)
        asserted_cases = [case for group in test.groups for case in group.cases if case.is_asserted]
        all_titles = [case.title for case in asserted_cases]
        return ClauseOutcome(
            failures=tuple(failures),
            inconclusive=tuple(inconclusive.values()),
            skipped=tuple(progress.exclusions.values()),
            asserted=answered_titles - inconclusive.keys(),
            not_sent=frozenset(all_titles) - answered_titles - progress.exclusions.keys(),
            too_slow=frozenset(case.title for case, attempt, _ in case_results if _is_given_up(attempt))
            | {title for title, exclusion in progress.exclusions.items() if exclusion.reason == TOO_SLOW},
            rerun=(
                (frozenset(all_titles) - answered_titles)
                | inconclusive.keys()
                | {failure.title for failure in failures}
            )
            - (late_alone if is_often_late else set()),
            main_title=main_case(asserted_cases),
            notes=tuple(progress.notes),
        )

    async def repeat(
        self, clause: Clause, test: ClauseTest, failure: Failure, times: int
    ) -> tuple[int, Failure | None]:
        """Send the case of a failure again with no other request in flight, in new sessions.

        Returns:
            The number of attempts, and the last attempt's failure; None if the failure never occurred again.
        """
        deadline_s, spent_s = self.deadline_s * test.deadline_factor, 0.0
        for number in range(1, times + 1):
            case = replace(failure.case, request=in_new_session(failure.case.request, number))
            attempt = await self._send(clause, case, deadline_s, full_response=needs_full_response(clause))
            texts = [
                text for text, is_inconclusive in self._failures_of(clause, test, case, attempt) if not is_inconclusive
            ]
            for repeated in (again for text in texts for again in failures_of(case, attempt, text)):
                if repeated.text == failure.text:
                    return number, repeated
            spent_s += attempt.duration_s
            if spent_s >= MAX_REPETITION_S:
                return number, None
        return times, None

    def _failures_of(
        self,
        clause: Clause,
        test: ClauseTest,
        case: RequestCase,
        attempt: Attempt,
        previous: CaseResult | None = None,
    ) -> Iterator[tuple[str, bool]]:
        """Yield the failures of an attempt; ``True`` with a reason why the attempt is inconclusive.

        Args:
            clause: the clause.
            test: its test.
            case: the request.
            attempt: its answer.
            previous: the case before it on the same connection.
        """
        context = self.context._replace(
            unique_secrets=test.unique_secrets, deadline_s=self.deadline_s, request_body=case.request.body
        )
        if previous:
            context = context._replace(
                previous_request_body=previous.case.request.body, previous_response_body=previous.attempt.body
            )
        if matches_status(attempt.status, case.also_accept):
            return
        for invocation in clause.assertions:
            assertion = assertion_of(invocation)
            inconclusive_text = inconclusive_reason(assertion, attempt, context)
            message = None if inconclusive_text else assertion.check(attempt, context, **invocation.params)
            is_rate_limited = attempt.status == HTTPStatus.TOO_MANY_REQUESTS and test.send_order is not SendOrder.BURST
            if inconclusive_text or (message and is_rate_limited):
                yield inconclusive_text or RATE_LIMITED, True
            elif message:
                yield message, False

    async def _send_control(
        self, clause: Clause, control: RequestCase | None, *, full_response: bool
    ) -> _ControlResult | None:
        """Send a control, unless there is none, or other requests had no response while it waited for its slot.

        A rejected resolve is sent again after its firing: its alarm was unknown to the receiver.
        """
        if control is None:
            return None
        async with self._slots.taken(self._rank_of(clause)) as holder:
            if self._unanswered[clause.code] >= self.max_unanswered:
                return None
            attempt = await self._send_with_backoff(control, self.deadline_s, full_response=full_response)
        is_fired_first = False
        if control.firing and _is_refusal_of_the_unknown(attempt):
            await self.transport(control.firing, deadline_s=self.deadline_s)
            attempt = await self._send(clause, control, self.deadline_s, full_response=full_response)
            is_fired_first = attempt.accepted
        self._unanswered[clause.code] += attempt.outcome in _UNANSWERED_OUTCOMES and attempt.status is None
        return _ControlResult(attempt, is_fired_first, holder.is_late_alone)

    def _control_failed(
        self, group: CaseGroup, test: ClauseTest, control: _ControlResult | None, *, full_response: bool
    ) -> Exclusion | None:
        """Return why the cases of a group prove nothing if its control is not accepted."""
        if group.control is None or control is None:
            return None
        attempt = control.attempt
        if attempt.outcome is Outcome.ACKED if full_response else attempt.accepted:
            return None
        if test.send_order is SendOrder.BURST and attempt.status == HTTPStatus.TOO_MANY_REQUESTS:
            return None  # a burst is there to find out that it is too many
        exclusion = refusal("", group.control, attempt)
        return exclusion._replace(reason=self.all_refused) if self.all_refused else exclusion

    async def _negative_control_accepted(self, clause: Clause, group: CaseGroup) -> Exclusion | None:
        """Send the negative control of a group; return why its cases prove nothing if it is accepted."""
        case = group.negative_control
        if case is None:
            return None
        attempt = await self._send(clause, case, self.deadline_s, full_response=False)
        if not attempt.accepted:
            return None
        reason = f"{case.title} is let in (TCM201, TCM202)"
        return Exclusion("", reason, Failure(case, attempt, f"answered {attempt.status}"))

    @staticmethod
    def _none_accepted(group: CaseGroup, results: Sequence[CaseResult]) -> Exclusion | None:
        """Return why a group is inconclusive: at least one case should be accepted, and none is."""
        if not group.any_accepted or not results or any(attempt.accepted for _, attempt, _ in results):
            return None
        given_up = next((attempt for _, attempt, _ in results if attempt.outcome is Outcome.CANCELLED), None)
        return refusal("", group.cases[0], given_up or results[0].attempt)

    async def _auth_checked(self, clause: Clause, group: CaseGroup, results: Sequence[CaseResult]) -> Exclusion | None:
        """Return why the cases of a group prove nothing if they are rejected, but not for their credentials."""
        rejected = next((attempt for _, attempt, _ in results if not attempt.accepted), None)
        if group.auth_probe is None or rejected is None or rejected.status in AUTH_REJECTION_STATUSES:
            return None
        probe = await self._send(clause, group.auth_probe, self.deadline_s, full_response=False)
        return refusal("", group.cases[0], rejected) if probe.status in AUTH_REJECTION_STATUSES else None

    async def _send_with_background(
        self, clause: Clause, group: CaseGroup, test: ClauseTest, results: list[CaseResult], *, is_fired_first: bool
    ) -> None:
        if group.background is None:
            await self._send_all(clause, group, test, results, is_fired_first=is_fired_first)
            return
        background = asyncio.ensure_future(self.transport(group.background.request, deadline_s=_BACKGROUND_DEADLINE_S))
        try:
            await self.sleep(_BACKGROUND_HEAD_START_S)
            await self._send_all(clause, group, test, results, is_fired_first=is_fired_first)
        finally:
            background.cancel()
            await asyncio.wait({background})

    async def _send_all(
        self, clause: Clause, group: CaseGroup, test: ClauseTest, results: list[CaseResult], *, is_fired_first: bool
    ) -> None:
        """Send the cases of a group; add each to the results when it has ended."""
        deadline_s, full_response = self.deadline_s * test.deadline_factor, needs_full_response(clause)
        if test.send_order is SendOrder.SEQUENTIAL:
            for case in group.cases:
                attempt = await self._send(clause, case, deadline_s, full_response=full_response)
                results.append(CaseResult(case, attempt))
            return
        if test.send_order is SendOrder.BURST:
            await self._send_bursts(clause, group, test, results)
            return

        async def send_one(case: RequestCase) -> None:
            async with self._slots.taken(self._rank_of(clause)) as holder:
                if self._unanswered[clause.code] >= self.max_unanswered:
                    return
                if is_fired_first and case.firing:
                    await self.transport(case.firing, deadline_s=self.deadline_s)
                attempt = await self._send_with_backoff(case, deadline_s, full_response=full_response)
                is_unanswered = attempt.status is None or full_response
                self._unanswered[clause.code] += is_unanswered and attempt.outcome in _UNANSWERED_OUTCOMES
                results.append(CaseResult(case, attempt, holder.is_late_alone))

        await asyncio.gather(*map(send_one, group.cases))

    async def _send_bursts(self, clause: Clause, group: CaseGroup, test: ClauseTest, results: list[CaseResult]) -> None:
        """Send the cases of a group within a short time; once more if late answers are the only failures.

        A short stall of the machine makes answers late, too. Other failures count at once. The second burst has other
        sessions, and starts when the receiver has processed the first one.
        """
        before = await self._load_sample()
        await self._send_burst(group.cases, test, results)
        late_count = sum(attempt.outcome is Outcome.TIMED_OUT for _, attempt, _ in results)
        if not late_count or any(
            attempt.outcome not in {Outcome.ACKED, Outcome.TIMED_OUT} for _, attempt, _ in results
        ):
            return
        plain = replace(group.cases[0], request=in_new_session(group.cases[0].request, len(group.cases)))
        if (await self._send(clause, plain, self.deadline_s, full_response=False)).status is None:
            results[:] = _without_those_late_for_others(results, share_of_others(before, await self._load_sample()))
            return
        repeated: list[CaseResult] = []
        cases = [replace(case, request=in_new_session(case.request, number)) for number, case in enumerate(group.cases)]
        before = await self._load_sample()
        await self._send_burst(cases, test, repeated)
        results[:] = _without_those_late_for_others(repeated, share_of_others(before, await self._load_sample()))
        note = f"{late_count} of {len(cases)} callbacks were late in a first burst; the result is that of a second one"
        self._progress[clause.code].notes.append(note)

    async def _load_sample(self) -> LoadSample | None:
        return await self.machine_load.sample() if self.machine_load else None

    async def _send_burst(self, cases: Sequence[RequestCase], test: ClauseTest, results: list[CaseResult]) -> None:
        deadline_s, step_s = self.deadline_s * test.deadline_factor, test.burst_duration_s / len(cases)

        async def send_one(index: int, case: RequestCase) -> None:
            results.append(CaseResult(case, await self._send_after(index * step_s, case, deadline_s)))

        await asyncio.gather(*(send_one(index, case) for index, case in enumerate(cases)))

    def _rank_of(self, clause: Clause) -> Rank:
        progress = self._progress.get(clause.code)
        return progress.rank if progress else Rank()

    async def _send(self, clause: Clause, case: RequestCase, deadline_s: float, *, full_response: bool) -> Attempt:
        async with self._slots.taken(self._rank_of(clause)):
            return await self._send_with_backoff(case, deadline_s, full_response=full_response)

    async def _send_with_backoff(self, case: RequestCase, deadline_s: float, *, full_response: bool) -> Attempt:
        if not case.is_asserted:
            deadline_s = min(deadline_s, _UNASSERTED_DEADLINE_S)
        request = case.request if full_response else replace(case.request, body_timeout_s=self.body_timeout_s)
        attempt = await self.transport(request, deadline_s=deadline_s)
        if (
            attempt.status in RETRY_LATER_STATUSES
            and self.backoffs_left
            and case.credential_variant is CredentialVariant.RIGHT
        ):
            self.backoffs_left -= 1
            await self.sleep(backoff_s(attempt))
            attempt = await self.transport(request, deadline_s=deadline_s)
        return attempt

    async def _send_after(self, delay_s: float, case: RequestCase, deadline_s: float) -> Attempt:
        await self.sleep(delay_s)
        return await self.transport(case.request, deadline_s=deadline_s)


def _without_those_late_for_others(results: Sequence[CaseResult], share: float) -> list[CaseResult]:
    """Return the results; late ones have no result if other programs took a share of the processor time for it."""
    if not share:
        return list(results)
    detail = f"{BUSY_MACHINE}{share:.0%} of this machine's processor time: check again when it has less to do"
    return [
        one._replace(attempt=replace(one.attempt, outcome=Outcome.CANCELLED, detail=detail))
        if one.attempt.outcome is Outcome.TIMED_OUT
        else one
        for one in results
    ]


def _is_given_up(attempt: Attempt) -> bool:
    return attempt.outcome is Outcome.CANCELLED and cancelled_reason(attempt) == TOO_SLOW


def needs_full_response(clause: Clause) -> bool:
    """Return whether a clause is about the body of the answer, or its end."""
    return any(assertion_of(invocation).needs_full_response for invocation in clause.assertions)


def _is_refusal_of_the_unknown(attempt: Attempt) -> bool:
    """Return whether a receiver may have rejected a resolve because the alarm is unknown to it."""
    status = attempt.status
    return (
        status is not None
        and HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        and status not in AUTH_REJECTION_STATUSES | RETRY_LATER_STATUSES
    )


def in_new_session(request: OutgoingRequest, number: int) -> OutgoingRequest:
    """Return a callback with another session id of the same length; other requests stay as they are."""

    def renumber(match: re.Match[bytes]) -> bytes:
        return match[1] + match[2][:-4] + b"%04d" % number + match[3]

    return replace(request, body=_SESSION.sub(renumber, request.body, count=1))
