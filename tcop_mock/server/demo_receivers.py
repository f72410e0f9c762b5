"""Two receivers of TCOP callbacks, for ``tcop-mock demo``: what a first version looks like, and the same one put right.

Both read a callback and tell it in one line of the log. Put them side by side: each line of ``hasty`` that is marked as
planted is a mistake of receivers that run in production; ``careful`` keeps the whole contract.
"""

from __future__ import annotations

import hmac
import inspect
import json
import logging
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from tcop_mock.server.http_server import ReceivedRequest, Reply

if TYPE_CHECKING:
    from tcop_mock.domain.target import Credentials
    from tcop_mock.server.http_server import Handler

_BEIJING = timezone(timedelta(hours=8))
_log = logging.getLogger(__name__)


def buggy_receiver(request: ReceivedRequest) -> Reply:
    """Receive as a first version does: written from the one sample that the documentation prints."""
    if request.method != "POST":
        return Reply(405, b"POST only\n", (("Allow", "POST"),))
    try:
        alarm = json.loads(request.body)
    except ValueError:
        return Reply(200, b"ignored\n")  # planted, TCM401: the 2xx stops the retries, and the alarm is lost
    resolved = str(alarm["alarmStatus"]) == "0"
    # planted, TCM302: the time of a resolved alarm may be 0, "0" or ""
    occurred_at = _parse_time(alarm["recoverTime" if resolved else "firstOccurTime"])
    region = alarm["alarmObjInfo"]["region"]  # planted, TCM303: CDN and other global products have none
    object_name = alarm["alarmObjInfo"]["dimensions"]["objName"]
    conditions = alarm["alarmPolicyInfo"]["conditions"]
    metric = conditions["metricName"]  # planted, TCM307: events have eventName instead
    _log.info(
        "%s at %s: %r of %r in %r", "resolved" if resolved else "firing", occurred_at, metric, object_name, region
    )
    return Reply(200, b"ok\n")


def correct_receiver(request: ReceivedRequest) -> Reply:
    """Receive as the contract wants it: refuse what is no callback, accept every callback that TCOP may send."""
    if request.method != "POST":
        return Reply(405, b"POST only\n", (("Allow", "POST"),))
    try:
        alarm = json.loads(request.body.decode("utf-8-sig"))  # loads() itself would guess UTF-16 and UTF-32
    except (ValueError, RecursionError):
        return Reply(400, b"the body is no JSON text in UTF-8\n")
    if not isinstance(alarm, dict):
        return Reply(400, b"the body is no JSON object\n")
    resolved = alarm.get("alarmStatus") in ("0", 0)
    try:
        occurred_at = _parse_time(alarm.get("recoverTime" if resolved else "firstOccurTime"))
    except (ValueError, TypeError):
        occurred_at = None  # 0, "0" or "": not told
    region = _object_at(alarm, "alarmObjInfo").get("region", "all regions")
    object_name = _object_at(_object_at(alarm, "alarmObjInfo"), "dimensions").get("objName")
    conditions = _object_at(_object_at(alarm, "alarmPolicyInfo"), "conditions")
    subject = conditions.get("metricName", conditions.get("eventName"))
    _log.info(
        "%s at %s: %r of %r in %r", "resolved" if resolved else "firing", occurred_at, subject, object_name, region
    )
    receipt = {"sessionId": alarm.get("sessionId"), "retCode": 0}  # the contract of 2019 wants it, later ones ignore it
    return Reply(200, json.dumps(receipt).encode(), (("Content-Type", "application/json"),))


def with_basic_auth(handler: Handler, credentials: Credentials) -> Handler:
    """Return ``handler`` behind HTTP Basic authentication (RFC 7617), which is checked before anything else."""
    expected = credentials.token().reveal().encode()

    async def authenticate(request: ReceivedRequest) -> Reply:
        scheme, _, token = request.header("authorization").partition(" ")
        if scheme.lower() != "basic" or not hmac.compare_digest(token.strip().encode(), expected):
            return Reply(401, b"who are you?\n", (("WWW-Authenticate", 'Basic realm="alarms", charset="UTF-8"'),))
        reply = handler(request)
        return await reply if inspect.isawaitable(reply) else reply

    return authenticate


def _parse_time(text: Any) -> datetime:  # noqa: ANN401 - whatever stands in the body
    """Read a time of TCOP: Beijing time without offset."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=_BEIJING)


def _object_at(alarm: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the object under a key, or an empty one where there is none."""
    value = alarm.get(key)
    return value if isinstance(value, dict) else {}
