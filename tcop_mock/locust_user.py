"""A Locust user that sends callbacks: run ``locust -f`` on this file, or import ``TcopUser`` into your own.

It sends notifications like TCOP: different bodies, a total deadline, the profile's retries, or its share of a scenario.
Environment variables hold the settings, the same on each machine; see docs/locust.md.

Locust records each POST as ``attempt``, and each notification by its state. The time of a notification runs from its
due time to its acknowledgement, retries included. A notification without an acknowledgement is a failure.
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
from tcop_mock.load.locust import HttpResult, LocustSettings, LocustWorker

if TYPE_CHECKING:
    from locust.env import Environment

_ATTEMPT = "attempt"
_REQUEST_TYPES = {_ATTEMPT: "POST"}


class LostError(Exception):
    """All attempts of a notification failed; the message is the last outcome."""


class TcopUser(FastHttpUser):
    """Sends one notification at a time, so the number of users limits the notifications in flight."""

    max_retries = 0
    max_redirects = 0
    _workers: ClassVar[dict[int, LocustWorker]] = {}
    """Workers by index: all users of a process share one worker."""

    def __init__(self, environment: Environment) -> None:
        settings = LocustSettings.from_environ(os.environ, self.host or environment.host)
        target = settings.target
        self.host = environment.host = (
            f"{target.scheme}://{target.authority}"  # without the password, because Locust's pages show it
        )
        super().__init__(environment)
        index = max(0, getattr(environment.runner, "worker_index", 0))
        if index not in self._workers:
            self._workers[index] = LocustWorker(settings, index)
        self._worker = self._workers[index]
        self._path = target.path

    def wait_time(self) -> float:
        """Return the wait before the next notification; a scenario has its own schedule."""
        settings = self._worker.settings
        return 0.0 if settings.scenario or not settings.rate else 1 / settings.rate

    @task
    def deliver(self) -> None:
        """Send the next notification at its time."""
        callback = self._worker.next_callback()
        if callback is None:
            raise StopUser
        gevent.sleep(max(0.0, callback.at_s - time.perf_counter()))
        delivery = self._worker.deliver(callback, self._send, gevent.sleep)
        last = delivery.attempts[-1]
        lost = None if delivery.is_acked else LostError(last.outcome.value)
        self._report(f"notification {callback.state}".rstrip(), last.ended_s - callback.at_s, lost)

    def _send(self, body: bytes) -> HttpResult:
        result, started_s = HttpResult(0, TimeoutError()), time.perf_counter()
        worker, is_reported = self._worker, False
        with (
            gevent.Timeout(worker.rules.timeout_s, exception=False),
            self.client.request(
                "POST",
                self._path,
                name=_ATTEMPT,
                data=body,  # type: ignore[arg-type]  # bytes are sent unchanged
                headers=worker.headers(),
                allow_redirects=False,
                catch_response=True,
            ) as response,
        ):
            error, headers = getattr(response, "error", None), tuple(response.headers or ())
            result = HttpResult(
                response.status_code, error, response.content or b"", headers, time.perf_counter() - started_s
            )
            outcome, is_reported = worker.outcome_of(result), True
            if outcome is Outcome.ACKED:
                response.success()
            else:
                response.failure(outcome.value)
        if not is_reported:  # the deadline passed inside the client, which then reports nothing to Locust
            self._report(_ATTEMPT, time.perf_counter() - started_s, LostError(Outcome.TIMED_OUT.value))
        return result

    def _report(self, name: str, elapsed_s: float, lost: LostError | None) -> None:
        self.environment.events.request.fire(
            request_type=_REQUEST_TYPES.get(name, "TCOP"),
            name=name,
            response_time=1000 * elapsed_s,
            response_length=0,
            exception=lost,
            context={},
        )
