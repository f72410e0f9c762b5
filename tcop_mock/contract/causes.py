"""The clause whose fix ends a failure: it is another one where the failure has the cause of that one."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from tcop_mock.contract.case_pattern import distinguishing_trait
from tcop_mock.domain.contract import CredentialVariant, Phase, SendOrder
from tcop_mock.domain.delivery import AUTH_REJECTION_STATUSES, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tcop_mock.domain.contract import Clause, ClauseTest, RequestCase
    from tcop_mock.domain.delivery import Attempt

_LATE, _MISREAD, _REDIRECT, _TYPE, _SIZE = "TCM102", "TCM203", "TCM104", "TCM111", "TCM315"
_BY_STATUS = {
    **dict.fromkeys((301, 302, 303, 307, 308), _REDIRECT),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: _TYPE,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: _SIZE,
}
_BY_TRAIT = {"resolved": "TCM302", "event alarms": "TCM307"}
"""What all failed callbacks of the catalogue are, and no other; any other product is unknown to the receiver."""
_UNKNOWN_PRODUCT, _CATALOGUE = "TCM306", "TCM101"
_WHERE_LATE_IS_LATE = frozenset({Phase.MAIN, Phase.MALFORMED_INPUT, Phase.AUTH})
"""Elsewhere a late answer has the cause that the clause is about: a slow client, a service that hangs."""
_ABOUT_TIME = frozenset(
    {"answered_in_time", "body_bounded", "is_alive", "within_share_of_deadline"},
)


def fix_code(clause: Clause, case: RequestCase, attempt: Attempt, test: ClauseTest | None) -> str:
    """Return the code of the clause whose fix ends a failure, by the answer to its request.

    Args:
        clause: the clause that failed.
        case: the request.
        attempt: its answer.
        test: all that the clause sends.
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
    return _BY_STATUS.get(attempt.status or 0, clause.code) if case.request.method == "POST" else clause.code


def fix_code_of_pattern(clause: Clause, failed: Sequence[RequestCase], passed: Sequence[RequestCase]) -> str:
    """Return the code of the clause whose fix ends failures of the catalogue, by what the callbacks have in common."""
    trait = distinguishing_trait(failed, passed) if clause.code == _CATALOGUE else None
    if trait is None:
        return clause.code
    key, value = trait
    return _BY_TRAIT.get(value, clause.code if key in {"state", "type"} else _UNKNOWN_PRODUCT)
