"""TCOP as a user of Locust: ``locust -f`` this file, or a file of your own with ``from ... import TcopUser``.

It tells notifications as TCOP does: bodies that are all different, a total deadline, the profile's retries; or plays
its share of a storm. What it is to do stands in the environment, alike on each machine; see docs/locust.md.

Locust counts each POST as ``attempt``, and each notification by its state, from when it was due to its ack, retries
included; one that is given up is a failure.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, ClassVar

try:
    import gevent
    from locust import FastHttpUser, task
    from locust.exception import StopUser
except ModuleNotFoundError as missing:
    raise ImportError('tcop_mock.locust_user needs Locust: pip install "tcop-mock[locust]"') from missing

from tcop_mock.domain.delivery import Outcome
from tcop_mock.load.locust import Heard, Orders, Swarm

if TYPE_CHECKING:
    from locust.env import Environment

_ATTEMPT = "attempt"
_KIND = {_ATTEMPT: "POST"}


class LostError(Exception):
    """A notification of which every attempt failed; tells how the last one ended."""


class TcopUser(FastHttpUser):
    """Tells one notification at a time; as many users as there may be notifications under way."""

    max_retries = 0
    max_redirects = 0
    _swarms: ClassVar[dict[int, Swarm]] = {}
    """By worker: all users of a process tell one share."""

    def __init__(self, environment: Environment) -> None:
        orders = Orders.of(os.environ, self.host or environment.host)
        target = orders.target
        self.host = environment.host = f"{target.scheme}://{target.authority}"  # without the password: pages show it
        super().__init__(environment)
        index = max(0, getattr(environment.runner, "worker_index", 0))
        if index not in self._swarms:
            self._swarms[index] = Swarm(orders, index)
        self._swarm = self._swarms[index]
        self._path = target.path

    def wait_time(self) -> float:
        """Return how long to wait before the next one: a storm has times of its own."""
        orders = self._swarm.orders
        return 0.0 if orders.scenario or not orders.rate else 1 / orders.rate

    @task
    def tell(self) -> None:
        """Tell what is due next."""
        due = self._swarm.next()
        if due is None:
            raise StopUser
        gevent.sleep(max(0.0, due.at_s - time.perf_counter()))
        notified = self._swarm.tell(due, self._send, gevent.sleep)
        last = notified.pushes[-1]
        lost = None if notified.acked else LostError(last.outcome.value)
        self._fire(f"notification {due.state}".rstrip(), last.ended_s - due.at_s, lost)

    def _send(self, body: bytes) -> Heard:
        heard, started_s = Heard(0, TimeoutError()), time.perf_counter()
        swarm, told = self._swarm, False
        with (
            gevent.Timeout(swarm.rules.timeout_s, exception=False),
            self.client.request(
                "POST",
                self._path,
                name=_ATTEMPT,
                data=body,  # type: ignore[arg-type]  # bytes go out as they are
                headers=swarm.headers(),
                allow_redirects=False,
                catch_response=True,
            ) as answer,
        ):
            error, headers = getattr(answer, "error", None), tuple(answer.headers or ())
            heard = Heard(answer.status_code, error, answer.content or b"", headers, time.perf_counter() - started_s)
            outcome, told = swarm.outcome_of(heard), True
            if outcome is Outcome.ACKED:
                answer.success()
            else:
                answer.failure(outcome.value)
        if not told:  # the deadline passed inside the client, which then tells Locust of nothing
            self._fire(_ATTEMPT, time.perf_counter() - started_s, LostError(Outcome.TIMED_OUT.value))
        return heard

    def _fire(self, name: str, spent_s: float, lost: LostError | None) -> None:
        self.environment.events.request.fire(
            request_type=_KIND.get(name, "TCOP"),
            name=name,
            response_time=1000 * spent_s,
            response_length=0,
            exception=lost,
            context={},
        )
