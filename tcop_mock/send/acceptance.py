"""Whether an answer that came in full and in time accepts what was pushed."""

from __future__ import annotations

import json
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from tcop_mock.model.delivery import Outcome
from tcop_mock.model.profile import Accept

if TYPE_CHECKING:
    from tcop_mock.model.delivery import Attempt, Push


def held_to(accept: Accept, push: Push, attempt: Attempt) -> Attempt:
    """Return an attempt as a profile counts it: one that was acked may still not be the answer that it wants."""
    if attempt.outcome is not Outcome.ACKED or accept is Accept.ANY_2XX:
        return attempt
    if accept is Accept.EXACTLY_200:
        wrong = "" if attempt.status == HTTPStatus.OK else f"the status is {attempt.status}, and this profile wants 200"
    elif accept is Accept.ERRCODE:
        wrong = _errcode(attempt.body)
    else:
        wrong = _not_acknowledged(push.body, attempt.body)
    return replace(attempt, outcome=Outcome.REJECTED, detail=wrong) if wrong else attempt


def _not_acknowledged(body: bytes, answer: bytes) -> str:
    """Return why an answer is not the one that the pages of 2018 and 2019 want, or an empty string."""
    said, heard = _object(body), _object(answer)
    if heard is None:
        return "the answer is no JSON object, and this profile wants sessionId and retCode"
    if heard.get("sessionId") != (said or {}).get("sessionId"):
        return "the answer does not have the callback's sessionId, and this profile wants it"
    if heard.get("retCode") != 0 or isinstance(heard["retCode"], bool):
        return "the answer's retCode is not 0"
    return ""


def _errcode(answer: bytes) -> str:
    """Return why an answer is not what a robot says when it has taken a message, or an empty string."""
    heard = _object(answer)
    if heard is None or "errcode" not in heard:
        return "the answer is no JSON object with an errcode, as a robot's is"
    if heard["errcode"] != 0 or isinstance(heard["errcode"], bool):
        return f"the robot answers errcode {heard['errcode']!r}"  # its errmsg is its own text, which may echo the key
    return ""


def _object(text: bytes) -> dict[str, object] | None:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict) else None
