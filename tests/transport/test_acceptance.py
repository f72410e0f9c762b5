"""Responses that accept a push."""

from __future__ import annotations

import pytest

from tcop_mock.domain.delivery import Attempt, Outcome
from tcop_mock.domain.profile import Accept
from tcop_mock.transport.delivery import apply_acceptance


def acked(status: int, body: bytes) -> Attempt:
    """Return an attempt whose answer came in full."""
    return Attempt(Outcome.ACKED, 0.0, 0.0, 1.0, status=status, body=body)


@pytest.mark.parametrize(
    "accept, status, answer, wrong",
    [
        (Accept.ANY_2XX, 204, b"", ""),
        (Accept.EXACTLY_200, 200, b"", ""),
        (Accept.EXACTLY_200, 202, b"", "the status is 202, and this profile wants 200"),
        (Accept.RET_CODE, 200, b'{"sessionId": "abc", "retCode": 0}', ""),
        (Accept.RET_CODE, 201, b'{"retCode": 0, "sessionId": "abc", "more": 1}', ""),
        (Accept.RET_CODE, 200, b"ok", "the answer is not a JSON object, and this profile wants sessionId and retCode"),
        (Accept.RET_CODE, 200, b"[]", "the answer is not a JSON object, and this profile wants sessionId and retCode"),
        (
            Accept.RET_CODE,
            200,
            b'{"sessionId": "abd", "retCode": 0}',
            "the answer does not have the callback's sessionId, and this profile wants it",
        ),
        (Accept.RET_CODE, 200, b'{"sessionId": "abc", "retCode": 1}', "the answer's retCode is not 0"),
        (Accept.RET_CODE, 200, b'{"sessionId": "abc", "retCode": false}', "the answer's retCode is not 0"),
        (Accept.RET_CODE, 200, b'{"sessionId": "abc"}', "the answer's retCode is not 0"),
        (Accept.ERRCODE, 200, b'{"errcode": 0, "errmsg": "ok"}', ""),
        (
            Accept.ERRCODE,
            200,
            b'{"errcode": 45009, "errmsg": "?"}',
            "the robot answers errcode 45009",
        ),
        (Accept.ERRCODE, 200, b'{"errcode": false}', "the robot answers errcode False"),
        (Accept.ERRCODE, 200, b"{}", "the answer is not a JSON object with an errcode, as a robot's is"),
        (Accept.ERRCODE, 200, b"ok", "the answer is not a JSON object with an errcode, as a robot's is"),
    ],
)
def test_each_profile_counts_answers_as_its_pages_say(accept: Accept, status: int, answer: bytes, wrong: str) -> None:
    """An answer that the profile does not want is a failed push, and the attempt says why."""
    attempt = apply_acceptance(accept, b'{"sessionId":"abc"}', acked(status, answer))
    assert attempt.outcome is (Outcome.REJECTED if wrong else Outcome.ACKED)
    assert attempt.detail == wrong


@pytest.mark.parametrize("accept", Accept)
def test_what_failed_is_not_made_better(accept: Accept) -> None:
    """An attempt that was not acked stays as it is, whatever its profile wants."""
    timed_out = Attempt(Outcome.TIMED_OUT, 0.0, 0.0, 5.0)
    assert apply_acceptance(accept, b"{}", timed_out) is timed_out


def test_a_body_without_a_session_wants_none_back() -> None:
    """A body that is not a callback is accepted without a sessionId in the answer."""
    assert apply_acceptance(Accept.RET_CODE, b"x", acked(200, b'{"retCode":0}')).outcome is Outcome.ACKED
