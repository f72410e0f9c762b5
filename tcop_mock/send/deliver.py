"""Push a callback until it is accepted or the profile's attempts are used up."""

from __future__ import annotations

import json
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from tcop_mock.model.delivery import Delivery, Outcome
from tcop_mock.model.profile import Accept

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tcop_mock.model.delivery import Attempt, Post, Push
    from tcop_mock.model.profile import DeliveryRules


async def deliver(  # noqa: PLR0913 - ports are handed in one by one
    push: Push,
    *,
    post: Post,
    rules: DeliveryRules,
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]],
    time_scale: float = 1.0,
) -> Delivery:
    """Push the same bytes as often as the rules want it.

    Args:
        push: what to send.
        post: the port.
        rules: attempts, deadline, outcomes after which it is pushed again, pauses.
        clock: seconds, the port's own.
        sleep: waits out the pauses.
        time_scale: times the pauses; 0 leaves them out. The deadline is not scaled.
    """
    attempts: list[Attempt] = []
    intended_s = clock()
    for number in range(rules.attempts):
        if number:
            pause_s = _pause_s(rules.pauses_s, number) * time_scale
            intended_s = attempts[-1].ended_s + pause_s
            if pause_s:
                await sleep(pause_s)
        attempt = await post(push, deadline_s=rules.timeout_s, intended_s=intended_s)
        attempts.append(held_to(rules.accept, push, attempt))
        if attempts[-1].outcome not in rules.retry_on:
            break
    return Delivery(tuple(attempts))


def held_to(accept: Accept, push: Push, attempt: Attempt) -> Attempt:
    """Return an attempt as a profile counts it: one that was acked may still not be the answer that it wants."""
    if attempt.outcome is not Outcome.ACKED or accept is Accept.ANY_2XX:
        return attempt
    if accept is Accept.EXACTLY_200:
        wrong = "" if attempt.status == HTTPStatus.OK else f"the status is {attempt.status}, and this profile wants 200"
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


def _object(text: bytes) -> dict[str, object] | None:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict) else None


def _pause_s(pauses_s: tuple[float, ...], number: int) -> float:
    return pauses_s[min(number, len(pauses_s)) - 1] if pauses_s else 0.0
