"""Two receivers of TCOP callbacks for ``tcop-mock demo``: a typical first version, and a correct one.

Both log each callback in one line. Each line of the buggy receiver marked as planted has a mistake of receivers in
production; the correct one keeps the whole contract.
"""

from __future__ import annotations

import hmac
import json
import logging
from codecs import BOM_UTF8
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tcop_mock.domain.alarm import BEIJING, TIME_FORMAT
from tcop_mock.domain.callback_view import CallbackView
from tcop_mock.domain.effects import Effect, EffectSnapshot
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tcop_mock.domain.target import Credentials
    from tcop_mock.server.messages import Handler

_log = logging.getLogger(__name__)


def buggy_receiver(request: ReceivedRequest) -> Reply:
    """Receive like a typical first version, written from the one documented sample."""
    if request.method != "POST":
        return Reply(405, b"POST only\n", (("Allow", "POST"),))
    try:
        alarm = json.loads(request.body)
    except ValueError:
        return Reply(200, b"ignored\n")  # planted, TCM401: 2xx stops the retries, so the alarm is lost
    resolved = str(alarm["alarmStatus"]) == "0"
    # planted, TCM302: the time of a resolved alarm may be 0, "0" or ""
    time = alarm["recoverTime" if resolved else "firstOccurTime"]
    occurred_at = datetime.strptime(time, TIME_FORMAT).replace(tzinfo=BEIJING)
    region = alarm["alarmObjInfo"]["region"]  # planted, TCM303: CDN and other global products have no region
    object_name = alarm["alarmObjInfo"]["dimensions"]["objName"]
    conditions = alarm["alarmPolicyInfo"]["conditions"]
    metric = conditions["metricName"]  # planted, TCM307: events have eventName instead
    _log.info(
        "%s at %s: %r of %r in %r", "resolved" if resolved else "firing", occurred_at, metric, object_name, region
    )
    return Reply(200, b"ok\n")


def correct_receiver(request: ReceivedRequest) -> Reply:
    """Receive as the contract requires: reject bodies that are not callbacks, accept every callback of TCOP."""
    if request.method != "POST":
        return Reply(405, b"POST only\n", (("Allow", "POST"),))
    try:
        alarm = json.loads(request.body.removeprefix(BOM_UTF8).decode())  # loads() itself would guess UTF-16 and UTF-32
    except (ValueError, RecursionError):
        return Reply(400, b"the body is not JSON in UTF-8\n")
    if not isinstance(alarm, dict):
        return Reply(400, b"the body is not a JSON object\n")
    if _log.isEnabledFor(logging.INFO):
        _log_callback(alarm)
    receipt = f'{{"sessionId": {json.dumps(alarm.get("sessionId"))}, "retCode": 0}}'  # required in 2019, ignored later
    return Reply(200, receipt.encode(), (("Content-Type", "application/json"),))


def _log_callback(alarm: dict[str, Any]) -> None:
    callback = CallbackView(alarm)
    _log.info(
        "%s at %s: %r of %r in %r",
        "resolved" if callback.is_resolved else "firing",
        callback.recovered_at if callback.is_resolved else callback.first_occurred_at,  # 0, "0" or "": unknown
        callback.conditions.get("metricName", callback.conditions.get("eventName")),
        callback.dimensions.get("objName"),
        callback.object_info.get("region", "all regions"),
    )


@dataclass(slots=True)
class ActingReceiver:
    """A receiver of the demo that acts on what it acknowledges: it sends messages and keeps open incidents.

    Args:
        answer: answers a request.
        is_correct: whether it acts as the contract requires, or has the mistakes that are marked as planted.
    """

    answer: Callable[[ReceivedRequest], Reply]
    is_correct: bool
    messages: list[Effect] = field(default_factory=list)
    open_incidents: dict[str, Effect] = field(default_factory=dict)
    _sessions: set[str] = field(default_factory=set)

    def __call__(self, request: ReceivedRequest) -> Reply:
        """Answer a request, and act on a callback that is acknowledged."""
        reply = self.answer(request)
        with suppress(ValueError):  # an acknowledged body that is not JSON has no effect
            if reply.status == HTTPStatus.OK:
                self._act(json.loads(request.body))
        return reply

    def observe(self, _token: str) -> EffectSnapshot:
        """Return the messages and the open incidents, as an observer shows them."""
        return EffectSnapshot(tuple(self.messages), tuple(self.open_incidents.values()))

    def _act(self, alarm: dict[str, Any]) -> None:
        callback, session = CallbackView(alarm), str(alarm.get("sessionId"))
        if self.is_correct and session in self._sessions:  # planted, TCM501: a retry is forwarded, too
            return
        self._sessions.add(session)
        message = Effect(json.dumps(alarm, ensure_ascii=False))
        self.messages.append(message)
        key = json.dumps([callback.policy.get("policyId"), callback.object_keys, alarm.get("firstOccurTime")])
        if not callback.is_resolved:
            self.open_incidents[key] = message
        elif self.is_correct:  # planted, TCM505: a resolve closes nothing
            self.open_incidents.pop(key, None)


def with_basic_auth(handler: Handler, credentials: Credentials) -> Handler:
    """Return ``handler`` behind HTTP Basic authentication (RFC 7617), which is checked first."""
    expected = credentials.token().reveal().encode()

    def authenticate(request: ReceivedRequest) -> Reply | Awaitable[Reply]:
        scheme, _, token = request.header("authorization").partition(" ")
        if scheme.lower() != "basic" or not hmac.compare_digest(token.strip().encode(), expected):
            return Reply(401, b"unauthorized\n", (("WWW-Authenticate", 'Basic realm="alarms", charset="UTF-8"'),))
        return handler(request)

    return authenticate
