"""A receiver that keeps incidents and sends notices, optionally with one bug."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from tcop_mock.domain.delivery import OutgoingRequest
from tcop_mock.domain.target import Target
from tcop_mock.server.demo_receivers import correct_receiver
from tcop_mock.server.http_server import ReceivedRequest, Reply
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.domain.delivery import Transport

_BEIJING = timezone(timedelta(hours=8))
_MAX_TRIES = 200
_RETRY_PAUSE_S = 0.1
_NOTIFIES_ALWAYS = frozenset({"forwards-each-attempt", "looks-before-it-writes"})
"""Bugs that send a notice even if no incident changes."""


def describe_alarm(alarm: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a notice about an alarm, in order."""
    info, conditions = alarm["alarmObjInfo"], alarm["alarmPolicyInfo"]["conditions"]
    dimensions = info["dimensions"]
    metric_or_event = conditions.get("metricShowName") or conditions.get("eventShowName")
    names = [dimensions.get(key) for key in ("objName", "objId", "unInstanceId")]
    state = "resolved" if str(alarm["alarmStatus"]) == "0" else "firing"
    return {
        "state": state,
        "what": metric_or_event,
        "object": next(filter(None, names), json.dumps(dimensions)),
        "policy": alarm["alarmPolicyInfo"]["policyName"],
        "since": _parse_beijing_time(alarm["firstOccurTime"]),
    }


def _parse_beijing_time(text: str) -> str:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=_BEIJING).isoformat()


@dataclass
class IncidentReceiver:
    """Keeps incidents, writes notices and forwards them.

    Args:
        bug: name of its bug; empty: none.
        forward: returns the path and the body to post for a notice.
        delay_s: delay of its work after the response.
        forwards_before_reply: whether it forwards before it responds.
        transport: returns the transport to a URL to which it forwards.
    """

    bug: str = ""
    forward: Callable[[IncidentReceiver, dict[str, Any], dict[str, Any]], tuple[str, dict[str, Any]]] | None = None
    delay_s: float = 0.0
    forwards_before_reply: bool = False
    transport: Callable[[Target], Transport] = HttpTransport
    downstream: str = ""
    notices: list[dict[str, Any]] = field(default_factory=list)
    incidents: dict[str, dict[str, Any]] = field(default_factory=dict)
    sessions: set[str] = field(default_factory=set)
    closed_keys: set[str] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __call__(self, received: ReceivedRequest) -> Reply:
        """Respond to a callback, or show the state."""
        if received.method == "GET":
            return self._state() if received.path.startswith("/state") else Reply(404)
        reply = correct_receiver(received)
        alarm = json.loads(received.body) if reply.status == 200 else {}
        if "alarmPolicyInfo" not in alarm:
            return Reply(400) if reply.status == 200 else reply
        shortcut = self._reject_known(alarm) or self._shortcut_reply(alarm, reply)
        if shortcut is not None:
            return shortcut
        task = asyncio.create_task(self._process(alarm))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        if self.forwards_before_reply:
            await task
        return reply

    def _reject_known(self, alarm: dict[str, Any]) -> Reply | None:
        """Return the rejection of known sessions or alarms, for bugs that reject them."""
        if self.bug in {"conflicts", "breaks-on-retries"} and alarm["sessionId"] in self.sessions:
            return Reply(409 if self.bug == "conflicts" else 500)
        firing = str(alarm["alarmStatus"]) == "1"
        known_keys = {"breaks-on-repeats": self.incidents if firing else (), "breaks-on-ended": self.closed_keys}.get(
            self.bug, ()
        )
        return Reply(500) if self.key(alarm) in known_keys else None

    def _state(self) -> Reply:
        """Return the notices and incidents as JSON."""
        if self.bug == "hides-its-state":
            return Reply(404)
        state = {"notices": self.notices, "incidents": list(self.incidents.values())}
        visible_state = {"shows-nothing": {}, "opens-nothing": {**state, "incidents": []}}.get(self.bug, state)
        return Reply(200, json.dumps(visible_state).encode(), (("Content-Type", "application/json"),))

    def _shortcut_reply(self, alarm: dict[str, Any], reply: Reply) -> Reply | None:
        """Return the reply to alarms that a bug drops or rejects."""
        is_event, is_resolved = alarm.get("alarmType") == "event", str(alarm["alarmStatus"]) == "0"
        is_tke = alarm["alarmPolicyInfo"]["policyType"].startswith("k8s")
        if (self.bug == "drops-tke" and is_tke) or (self.bug == "drops-events" and is_event):
            return reply
        if self.bug == "refuses-events" and is_event:
            return Reply(422)
        is_unknown = is_resolved and self.key(alarm) not in self.incidents
        return Reply(404) if self.bug == "refuses-orphans" and is_unknown else None

    def key(self, alarm: dict[str, Any]) -> str:
        """Return the identity of an alarm."""
        info, policy = alarm["alarmObjInfo"], alarm["alarmPolicyInfo"]
        conditions = policy["conditions"]
        parts = {
            "account": info.get("appId"),
            "region": info.get("region"),
            "policy": policy.get("policyId"),
            "object": info["dimensions"],
            "what": conditions.get("metricName") or conditions.get("eventName"),
            "since": alarm["firstOccurTime"],
        }
        if self.bug == "merges-by-object-id":
            parts["object"] = info["dimensions"].get("objId")
        if self.bug == "merges-instances":
            parts["object"] = info.get("namespace")
        for name in ("account", "region", "policy", "what", "since"):
            if self.bug == f"key-without-{name}":
                del parts[name]
        if self.bug == "key-with-session":
            parts["session"] = alarm["sessionId"]
        return json.dumps(parts, sort_keys=True)

    async def _process(self, alarm: dict[str, Any]) -> None:
        await asyncio.sleep(self.delay_s)
        if self.bug == "loses-in-a-burst" and len(self.tasks) > 4:
            return
        is_known = alarm["sessionId"] in self.sessions
        if self.bug == "looks-before-it-writes":
            await asyncio.sleep(0.02)
        self.sessions.add(alarm["sessionId"])
        if is_known and self.bug != "forwards-each-attempt":
            return
        is_resolved = str(alarm["alarmStatus"]) == "0"
        if (self._close if is_resolved else self._open)(alarm) or self.bug in _NOTIFIES_ALWAYS:
            notice = self._notice(alarm)
            self.notices += [notice] * (2 if self.bug == "notifies-twice" else 1)
            if self.forward:
                await self._forward_notice(alarm, notice)

    def _close(self, alarm: dict[str, Any]) -> bool:
        """Close the incident of a resolve; return whether there was one."""
        key = self.key(alarm)
        incident = self.incidents.get(key)
        if self.bug == "ignores-resolves":
            return False
        if self.bug != "forgets-resolves":
            self.closed_keys.add(key)
        if self.bug == "closes-all-of-a-policy":
            for other in self.incidents.values():
                if other["policy"] == alarm["alarmPolicyInfo"]["policyName"]:
                    other["status"] = "closed"
            return True
        if incident is not None and incident["status"] == "open":
            incident["status"] = "closed"
            return True
        if self.bug == "opens-orphans":
            self.incidents[key] = {"status": "open", **describe_alarm(alarm), "alarm": alarm}
        return False

    def _open(self, alarm: dict[str, Any]) -> bool:
        """Open an incident unless one is open or has ended; return whether it was opened."""
        key = self.key(alarm)
        if key in self.closed_keys and self.bug != "reopens-what-is-over":
            return False
        if self.incidents.get(key, {}).get("status") == "open":
            return False
        self.incidents[key] = {"status": "open", **describe_alarm(alarm), "alarm": alarm}
        return True

    def _notice(self, alarm: dict[str, Any]) -> dict[str, Any]:
        """Return the notice about an alarm."""
        notice = describe_alarm(alarm)
        if self.bug == "reads-utc":
            notice["since"] = alarm["firstOccurTime"].replace(" ", "T") + "+00:00"
        if self.bug == "shifts-twice":
            start = datetime.strptime(alarm["firstOccurTime"], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - the bug
            notice["since"] = str(start + timedelta(hours=8))
        return notice

    async def _forward_notice(self, alarm: dict[str, Any], notice: dict[str, Any]) -> None:
        assert self.forward
        if self.bug == "forwards-nothing":
            return
        path, message = self.forward(self, alarm, notice)
        target = Target.parse(f"{self.downstream}{path}")
        push = OutgoingRequest(json.dumps(message, ensure_ascii=False).encode())
        for _ in range(1 if self.bug == "forgets-what-was-refused" else _MAX_TRIES):
            attempt = await self.transport(target)(push, deadline_s=10.0)
            answer = json.loads(attempt.body) if attempt.body.startswith(b"{") else {}
            if attempt.accepted and (not answer.get("errcode") or self.bug == "reads-no-errcode"):
                return
            await asyncio.sleep(_RETRY_PAUSE_S)


def wecom_message(
    receiver: IncidentReceiver, alarm: dict[str, Any], notice: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return path and body of a message to a WeCom group robot."""
    name = str(notice["object"]).replace("<", "&lt;")
    state = "" if receiver.bug == "shows-no-state" else f"**{notice['state'].upper()}** "
    text = f"{state}{notice['what']} of {name[:1000]}\nPolicy: {notice['policy']}\nSince: {notice['since']}"
    if receiver.bug == "mentions-everybody":
        text = text.replace("&lt;", "<")
    if receiver.bug == "cuts-nothing":
        text += name * 5
    if receiver.bug == "shows-undefined":
        text += f"\nNode: {alarm['alarmObjInfo']['dimensions'].get('node')}"
    if receiver.bug == "names-no-object":
        text = f"{state}{notice['what']}\nPolicy: {notice['policy']}"
    if receiver.bug == "names-no-metric":
        text = f"{state}{name}\nPolicy: {notice['policy']}"
    if receiver.bug == "leaves-placeholders":
        text += "\n{{ region }}"
    path = "/wecom/cgi-bin/webhook/send" + ("" if receiver.bug == "has-no-key" else "?key=k")
    return path, {"msgtype": "markdown", "markdown": {"content": text}}


def pagerduty_event(
    receiver: IncidentReceiver, alarm: dict[str, Any], notice: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return path and body of a PagerDuty event."""
    severity = "fatal" if receiver.bug == "invents-severities" else "critical"
    key = receiver.key(alarm)
    if receiver.bug == "dedup-by-session":
        key = alarm["sessionId"]
    if receiver.bug == "dedup-by-policy":
        key = str(alarm["alarmPolicyInfo"].get("policyId"))
    summary = f"{notice['what']} of {notice['object']}"
    event = {
        "routing_key": "R" * 32,
        "event_action": "resolve" if notice["state"] == "resolved" else "trigger",
        "dedup_key": hashlib.sha256(key.encode()).hexdigest(),
        "payload": {
            "summary": summary if receiver.bug == "cuts-no-summary" else summary[:1000],
            "source": str(notice["object"])[:200],
            "severity": severity,
            "custom_details": notice,
        },
    }
    if receiver.bug == "no-dedup-key":
        del event["dedup_key"]
    return "/pagerduty/v2/enqueue", event
