"""Push a callback until it is accepted or the profile's attempts are used up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcop_mock.model.delivery import Delivery

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
        attempts.append(await post(push, deadline_s=rules.timeout_s, intended_s=intended_s))
        if attempts[-1].outcome not in rules.retry_on:
            break
    return Delivery(tuple(attempts))


def _pause_s(pauses_s: tuple[float, ...], number: int) -> float:
    return pauses_s[min(number, len(pauses_s)) - 1] if pauses_s else 0.0
