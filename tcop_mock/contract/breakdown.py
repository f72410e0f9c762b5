"""A receiver that one request broke for good: which request it was, and what is no finding of other clauses."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.contract.assertions import describe_response
from tcop_mock.contract.clause_outcome import NAMED_CLAUSES, NOBODYS_STATUSES, Exclusion
from tcop_mock.contract.findings import Failure
from tcop_mock.domain.delivery import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tcop_mock.contract.clause_outcome import ClauseOutcome
    from tcop_mock.domain.contract import ClauseTest, RequestCase
    from tcop_mock.domain.delivery import Attempt, OutgoingRequest, Transport


_GONE = frozenset({Outcome.REFUSED, Outcome.RESET_BEFORE_ANSWER})
_CATALOGUE = "TCM101"
"""The clause whose requests are callbacks as the catalogue has them."""


class SentRequest(NamedTuple):
    """A request and its attempt."""

    request: OutgoingRequest
    attempt: Attempt


@dataclass(slots=True)
class RequestLog:
    """A transport that keeps what was sent, in the order in which the attempts ended.

    Args:
        transport: sends a request.
    """

    transport: Transport
    sent: list[SentRequest] = field(default_factory=list, init=False)

    async def __call__(
        self, request: OutgoingRequest, *, deadline_s: float, intended_s: float | None = None
    ) -> Attempt:
        """Send once; see :class:`tcop_mock.domain.delivery.Transport`."""
        attempt = await self.transport(request, deadline_s=deadline_s, intended_s=intended_s)
        self.sent.append(SentRequest(request, attempt))
        return attempt


class Breakdown(NamedTuple):
    """The request after which the receiver accepts nothing."""

    code: str
    """Of the clause that sent it."""
    case: RequestCase
    attempt: Attempt
    later: tuple[Attempt, ...]
    """The attempts that ended after it."""
    plain: Attempt
    """That of a plain callback, sent alone afterwards."""

    def without_consequences(self, outcome: ClauseOutcome, reporter: str) -> ClauseOutcome:
        """Return an outcome in which all that happened after the request is left out.

        Args:
            outcome: of any clause.
            reporter: the code of the clause that reports the breakdown.
        """
        later = {id(attempt) for attempt in self.later}
        if self.attempt.status is None and reporter != self.code:  # it ended the receiver: that is all there is to say
            later.add(id(self.attempt))
        consequences = [failure for failure in outcome.failures if id(failure.attempt) in later]
        titles = {failure.title for failure in consequences}
        skipped = [
            exclusion._replace(reason=NAMED_CLAUSES.sub(f"({reporter})", exclusion.reason))
            if exclusion.failure and id(exclusion.failure.attempt) in later
            else exclusion
            for exclusion in outcome.skipped
        ]
        skipped += [
            Exclusion(failure.title, f"{failure.title}: {failure.text} ({reporter})", failure)
            for failure in consequences
        ]
        return replace(
            outcome,
            failures=tuple(failure for failure in outcome.failures if failure.title not in titles),
            skipped=tuple(skipped),
            asserted=outcome.asserted - titles,
            rerun=outcome.rerun - titles,
        )

    def failure(self, plain_case: RequestCase | None) -> Failure:
        """Return what the reporting clause reports.

        Args:
            plain_case: the plain callback; ``None``: the clause that sent the request reports it.
        """
        answer = describe_response(self.plain)
        if plain_case:
            text = f"{answer}, as all callbacks since {self.case.title!r} of {self.code}"
            return Failure(plain_case, self.plain, text, cause=f"{answer} since one request")
        text = f"{describe_response(self.attempt)}, and all callbacks after it are {answer}"
        return Failure(self.case, self.attempt, text)


def is_broken(plain: Attempt) -> bool:
    """Return whether an answer to a plain callback is one of a receiver that is broken or gone, not busy or slow."""
    if plain.outcome in _GONE:
        return True
    status = plain.status or HTTPStatus.OK
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR and status not in NOBODYS_STATUSES


def is_suspect(sent: Sequence[SentRequest]) -> bool:
    """Return whether the receiver accepted nothing since it broke for the first time after its last good answer."""
    for one in reversed(sent):
        if one.attempt.accepted:
            return False
        if is_broken(one.attempt):
            return True
    return False


def find_breakdown(
    sent: Sequence[SentRequest], tests: Mapping[tuple[str, int], ClauseTest], plain: Attempt
) -> Breakdown | None:
    """Return the request that broke the receiver; nothing if no case was sent when it broke.

    Several may have been in flight. Of these, it is the one that is least like a callback.

    Args:
        sent: all requests of the run, in the order in which their attempts ended.
        tests: what the clauses send.
        plain: the answer to a plain callback afterwards.
    """
    last_good = max((index for index, one in enumerate(sent) if one.attempt.accepted), default=-1)
    rejected = (index for index, one in enumerate(sent) if index > last_good and one.attempt.status == plain.status)
    first_bad = next(rejected, None)
    if last_good < 0 or first_bad is None:
        return None
    since_s, until_s = sent[last_good].attempt.started_s, sent[first_bad].attempt.ended_s
    cases = _cases_by_request(tests)
    candidates = [
        (one.attempt.status != plain.status, *_likeness(*cases[key]), index)
        for index, one in enumerate(sent)
        if (key := _key(one.request)) in cases
        and (index == first_bad or (one.attempt.ended_s > since_s and one.attempt.started_s < until_s))
    ]
    if not candidates:
        return None
    index = min(candidates)[-1]
    code, case = cases[_key(sent[index].request)]
    later = tuple(one.attempt for one in sent[last_good + 1 :] if one is not sent[index])
    return Breakdown(code, case, sent[index].attempt, later, plain)


def _likeness(code: str, case: RequestCase) -> tuple[bool, bool]:
    """Return whether a request has the form of a callback, and whether it is one of the catalogue."""
    request = case.request
    is_malformed = request.method != "POST" or request.truncate_at is not None or not _is_object(request.body)
    return not is_malformed, code == _CATALOGUE


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def _key(request: OutgoingRequest) -> tuple[str, str, bytes, int | None]:
    return request.method, request.query, request.body, request.truncate_at


def _cases_by_request(
    tests: Mapping[tuple[str, int], ClauseTest],
) -> dict[tuple[str, str, bytes, int | None], tuple[str, RequestCase]]:
    cases: dict[tuple[str, str, bytes, int | None], tuple[str, RequestCase]] = {}
    for (code, _), test in tests.items():
        for case in _cases_of(test):
            cases.setdefault(_key(case.request), (code, case))
    return cases


def _cases_of(test: ClauseTest) -> Iterable[RequestCase]:
    return (case for group in test.groups for case in group.cases)
