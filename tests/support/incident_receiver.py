"""A receiver that keeps incidents and sends notices, optionally with one bug."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from tcop_mock.domain.delivery import OutgoingRequest
from tcop_mock.domain.target import Target
from tcop_mock.server.demo_receivers import correct_receiver
from tcop_mock.server.messages import ReceivedRequest, Reply
from tcop_mock.transport.http1 import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.domain.delivery import Transport
    from tcop_mock.domain.target import Credentials

_BEIJING = timezone(timedelta(hours=8))
_MAX_TRIES = 200
_DAY_S = 86_400.0
_HOLDS_THE_LINE = frozenset({"stops-at-what-is-rejected", "gives-up-after-20-s"})
"""Bugs and habits that send no message before the one before it was taken or given up."""
_TRIES_ONCE_AND_SAYS_SO = frozenset({"knows-what-it-could-not-forward", "forgets-a-push-that-failed"})
"""A bug and a habit: a push whose message is not taken is not acknowledged."""
_NO_TIMES = ("0", 0, "", None)
_RETRY_PAUSE_S = 0.1
_NOTIFIES_ALWAYS = frozenset({"forwards-each-attempt", "looks-before-it-writes", "remembers-ten", "remembers-for-5-s"})
"""Bugs that send a notice even if no incident changes."""

_FAILS_AT: dict[str, Callable[[dict[str, Any]], bool]] = {
    "fails-without-a-region": lambda alarm: "region" not in alarm["alarmObjInfo"],
    "fails-at-text-for-the-duration": lambda alarm: isinstance(alarm.get("durationTime"), str),
    "fails-at-emoji": lambda alarm: any(sign > "\uffff" for sign in alarm["alarmPolicyInfo"]["policyName"]),
    "fails-at-a-percent-sign": lambda alarm: "%" in alarm["alarmPolicyInfo"]["policyName"],
    "fails-at-an-empty-value": lambda alarm: alarm["alarmPolicyInfo"]["conditions"].get("currentValue") == "",
}
"""Bugs that end the work behind the response with an exception."""


def describe_alarm(alarm: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a notice about an alarm, in order."""
    info, conditions = alarm["alarmObjInfo"], alarm["alarmPolicyInfo"]["conditions"]
    dimensions = info["dimensions"]
    metric_or_event = conditions.get("metricShowName") or conditions.get("eventShowName")
    names = [dimensions.get(key) for key in ("objName", "objId", "unInstanceId")]
    state = "resolved" if str(alarm.get("alarmStatus")) == "0" else "firing"
    return {
        "state": state,
        "what": metric_or_event,
        "object": next(filter(None, names), json.dumps(dimensions)),
        "policy": alarm["alarmPolicyInfo"]["policyName"],
        "since": _parse_beijing_time(time_of(alarm, "firstOccurTime")),
    }


def time_of(alarm: dict[str, Any], name: str) -> Any:
    """Return a time of a callback, which the oldest ones have inside the policy."""
    return alarm.get(name, alarm["alarmPolicyInfo"].get(name))


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
        one_by_one: whether it sends one message at a time.
        time_limit_s: of a request to the downstream service.
        credentials: the credentials that it wants.
        burst: how many messages it sends before it pauses.
        pause_s: how long it pauses then.
    """

    bug: str = ""
    forward: Callable[[IncidentReceiver, dict[str, Any], dict[str, Any]], tuple[str, dict[str, Any]]] | None = None
    delay_s: float = 0.0
    forwards_before_reply: bool = False
    transport: Callable[[Target], Transport] = HttpTransport
    one_by_one: bool = False
    time_limit_s: float = 10.0
    credentials: Credentials | None = None
    burst: int = 1
    pause_s: float = 0.0
    downstream: str = ""
    sent_count: int = 0
    notices: list[dict[str, Any]] = field(default_factory=list)
    _notice_texts: list[str] = field(default_factory=list, repr=False)
    """The notices as JSON, each encoded once: it is asked for them some hundred times."""
    _incident_texts: dict[int, tuple[dict[str, Any], str, str]] = field(default_factory=dict, repr=False)
    incidents: dict[str, dict[str, Any]] = field(default_factory=dict)
    closed_keys: set[str] = field(default_factory=set)
    tasks: set[asyncio.Task[bool]] = field(default_factory=set)
    seen_at_s: dict[str, float] = field(default_factory=dict)
    line: asyncio.Lock = field(default_factory=asyncio.Lock)
    shared_object: dict[str, Any] = field(default_factory=dict)
    is_ending: bool = False
    is_cold: bool = True

    async def __call__(self, received: ReceivedRequest) -> Reply:
        """Respond to a callback, or show the state."""
        if received.method == "GET":
            return self._state() if received.path.startswith("/state") else Reply(404)
        is_busy = self.bug == "is-busy-while-it-forwards" and self.tasks and len(self.notices) > 2
        if self.is_ending or is_busy:
            return Reply(200 if self.bug == "acks-while-it-ends" else 503)
        reply = self._check(received)
        alarm = json.loads(received.body) if reply.status == 200 else self._read_rejected(received.body)
        if reply.status == 200 and self.bug == "cuts-at-1-kib" and len(received.body) > 1024:
            return reply
        if "alarmPolicyInfo" not in alarm:
            return await self._answer_other_body(alarm, reply)
        if self.bug == "reads-latin-1":
            alarm = json.loads(received.body.decode("latin-1"))
        shortcut = self._reject_known(alarm) or self._shortcut_reply(alarm, reply)
        if shortcut is not None:
            return shortcut
        task = asyncio.create_task(self._process(alarm))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return reply if await self._is_forwarded(task, alarm) else Reply(503)

    async def _is_forwarded(self, task: asyncio.Task[bool], alarm: dict[str, Any]) -> bool:
        """Return whether the alarm may be acknowledged, as far as its forwarding is waited for."""
        if not self.forwards_before_reply or await task or self.bug not in _TRIES_ONCE_AND_SAYS_SO:
            return True
        if self.bug != "knows-what-it-could-not-forward":
            self.seen_at_s.pop(alarm["sessionId"], None)
            self.incidents.pop(self.key(alarm), None)
        return False

    def end(self) -> None:
        """Lose what a bug keeps in memory; all else is where the next process finds it."""
        self.is_cold = True
        if self.bug == "has-its-queue-in-memory":
            for task in self.tasks:
                task.cancel()
        if self.bug == "forgets-what-is-open":
            self.incidents.clear()
        if self.bug == "has-all-in-memory":
            self.notices.clear()
            self.incidents.clear()

    async def _answer_other_body(self, alarm: dict[str, Any], reply: Reply) -> Reply:
        """Return the reply to a body that is not an alarm."""
        if reply.status == 200 and not alarm:
            await self._meet_verification()
            return reply
        if reply.status == 400 and self.bug == "accepts-broken-bodies":
            return Reply(200)
        return Reply(400) if reply.status == 200 else reply

    def _check(self, received: ReceivedRequest) -> Reply:
        """Return the reply to a request, by its credentials and its body."""
        if self.credentials and received.header("authorization") != f"Basic {self.credentials.token().reveal()}":
            return Reply(401)
        return correct_receiver(received)

    def _read_rejected(self, body: bytes) -> dict[str, Any]:
        """Return what a receiver makes of a rejected body that acts before it checks; an empty alarm if nothing."""
        if self.bug == "writes-what-it-rejects":
            self.notices.append({"rejected": body.decode("utf-8", "replace")})
        if self.bug != "acts-before-it-checks":
            return {}
        try:
            value, _ = json.JSONDecoder().raw_decode(body.decode("utf-8", "replace"))
        except ValueError:
            return {}
        alarm: dict[str, Any] = value[0] if isinstance(value, list) else value
        return alarm

    async def _meet_verification(self) -> None:
        """Do what a bug does with a body that is not an alarm."""
        if self.bug == "audits-the-verification":
            self.notices.append({"verified": True})
        if self.bug == "opens-on-verification":
            self.incidents["verification"] = {"status": "open", "object": None}
        if self.bug == "forwards-the-verification":
            target = Target.parse(f"{self.downstream}/slack/services/T/B/x")
            await self.transport(target)(OutgoingRequest(b'{"text": "undefined is undefined"}'), deadline_s=10.0)

    def _reject_known(self, alarm: dict[str, Any]) -> Reply | None:
        """Return the rejection of known sessions or alarms, for bugs that reject them."""
        if self.bug in {"conflicts", "breaks-on-retries"} and alarm["sessionId"] in self.seen_at_s:
            return Reply(409 if self.bug == "conflicts" else 500)
        firing = str(alarm.get("alarmStatus")) == "1"
        known_keys = {"breaks-on-repeats": self.incidents if firing else (), "breaks-on-ended": self.closed_keys}.get(
            self.bug, ()
        )
        return Reply(500) if self.key(alarm) in known_keys else None

    def _state(self) -> Reply:
        """Return the notices and incidents as JSON."""
        if self.bug == "hides-its-state":
            return Reply(404)
        if len(self.notices) < len(self._notice_texts):
            self._notice_texts.clear()
        self._notice_texts += map(json.dumps, self.notices[len(self._notice_texts) :])
        incidents = "" if self.bug == "opens-nothing" else ", ".join(map(self._incident_text, self.incidents.values()))
        state = f'{{"notices": [{", ".join(self._notice_texts)}], "incidents": [{incidents}]}}'
        text = "{}" if self.bug == "shows-nothing" else state
        return Reply(200, text.encode(), (("Content-Type", "application/json"),))

    def _incident_text(self, incident: dict[str, Any]) -> str:
        """Return an incident as JSON; of one that is known only the status may have changed."""
        status = incident["status"]
        known = self._incident_texts.get(id(incident))
        if known is None or known[0] is not incident or known[1] != status:
            known = self._incident_texts[id(incident)] = (incident, status, json.dumps(incident))
        return known[2]

    def _shortcut_reply(self, alarm: dict[str, Any], reply: Reply) -> Reply | None:
        """Return the reply to alarms that a bug drops or rejects."""
        is_event, is_resolved = alarm.get("alarmType") == "event", str(alarm.get("alarmStatus")) == "0"
        is_tke = alarm["alarmPolicyInfo"]["policyType"].startswith("k8s")
        is_cvm = alarm["alarmPolicyInfo"]["policyType"].startswith("cvm")
        if self.bug == "drops-the-first-after-a-start" and self.is_cold:
            self.is_cold = False
            return reply
        if self.bug == "drops-cvm" and is_cvm:
            return reply
        if self.bug in {"knows-text-only", "knows-numbers-only"}:
            known_type = str if self.bug == "knows-text-only" else int
            if not isinstance(alarm.get("alarmStatus"), known_type):
                return reply
        if (
            (self.bug == "drops-tke" and is_tke)
            or (self.bug == "drops-events" and is_event)
            or (self.bug == "drops-metrics" and not is_event)
        ):
            return reply
        refused_kind = {"refuses-events": True, "refuses-metrics": False}.get(self.bug)
        if refused_kind is is_event:
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
            "since": time_of(alarm, "firstOccurTime"),
        }
        if self.bug == "merges-policies-of-events" and "eventName" in conditions:
            del parts["policy"]
        if self.bug == "merges-events" and "eventName" in conditions:
            del parts["what"]
        if self.bug == "merges-instances-of-events" and "eventName" in conditions:
            parts["object"] = None
        if self.bug == "merges-by-object-id":
            parts["object"] = info["dimensions"].get("objId")
        if self.bug == "merges-instances":
            parts["object"] = info.get("namespace")
        for name in ("account", "region", "policy", "what", "since"):
            if self.bug == f"key-without-{name}":
                del parts[name]
        if self.bug == "key-with-the-hour":
            parts["since"] = parts["since"][:13]
        if self.bug == "key-with-session":
            parts["session"] = alarm["sessionId"]
        return json.dumps(parts, sort_keys=self.bug != "keeps-the-order-of-keys")

    async def _process(self, alarm: dict[str, Any]) -> bool:
        """Act on a callback; return whether all that it forwards was accepted."""
        await asyncio.sleep(self.delay_s)
        if self.bug in _FAILS_AT and _FAILS_AT[self.bug](alarm):
            return True
        if self.bug == "loses-in-a-burst" and len(self.tasks) > 4:
            return True
        is_known = self._remembers(alarm["sessionId"])
        if self.bug == "looks-before-it-writes":
            await asyncio.sleep(0.02)
        self._remember(alarm["sessionId"])
        if is_known and self.bug != "forwards-each-attempt":
            return True
        if self.bug == "shares-the-object":
            self.shared_object = alarm["alarmObjInfo"]
            await asyncio.sleep(0.002)
            alarm = {**alarm, "alarmObjInfo": self.shared_object}
        is_resolved = self._is_resolved(alarm)
        statuses = {key: incident["status"] for key, incident in self.incidents.items() if key != self.key(alarm)}
        if self.bug == "writes-the-whole-list-back" and is_resolved:
            await asyncio.sleep(0.01)
            for key, status in statuses.items():
                self.incidents[key]["status"] = status
        if (self._close if is_resolved else self._open)(alarm) or self.bug in _NOTIFIES_ALWAYS:
            notice = self._notice(alarm)
            self.notices += [notice] * (2 if self.bug == "notifies-twice" else 1)
            if self.forward:
                return await self._forward_notice(alarm, notice)
        return True

    def _is_resolved(self, alarm: dict[str, Any]) -> bool:
        if self.bug == "takes-recover-time-for-the-state":
            return time_of(alarm, "recoverTime") not in _NO_TIMES
        if self.bug == "takes-the-unknown-for-a-resolve":
            return str(alarm.get("alarmStatus")) != "1"
        return str(alarm.get("alarmStatus")) == "0"

    def _remembers(self, session_id: str) -> bool:
        """Return whether a session was seen, as far as the memory of a bug goes."""
        age_s = asyncio.get_running_loop().time() - self.seen_at_s.get(session_id, -_DAY_S)
        return age_s < (5 if self.bug == "remembers-for-5-s" else _DAY_S)

    def _remember(self, session_id: str) -> None:
        self.seen_at_s.pop(session_id, None)
        self.seen_at_s[session_id] = asyncio.get_running_loop().time()
        if self.bug == "remembers-ten":
            for oldest in list(self.seen_at_s)[:-10]:
                del self.seen_at_s[oldest]

    def _close(self, alarm: dict[str, Any]) -> bool:
        """Close the incident of a resolve; return whether there was one."""
        key = self.key(alarm)
        incident = self.incidents.get(key)
        if self.bug == "closes-by-the-text-of-dimensions" and incident is not None:
            sent, stored = (json.dumps(one["alarmObjInfo"]["dimensions"]) for one in (alarm, incident["alarm"]))
            incident = incident if sent == stored else None
        is_without_time = time_of(alarm, "recoverTime") in _NO_TIMES
        if self.bug == "ignores-resolves" or (self.bug == "wants-a-recover-time" and is_without_time):
            return False
        if self.bug == "forwards-each-resolve":
            self.incidents.pop(key, None)
            return True
        if self.bug != "forgets-resolves":
            self.closed_keys.add(key)
        if self._close_others(alarm):
            return True
        if incident is not None and incident["status"] == "open":
            incident["status"] = "closed"
            return True
        if self.bug == "opens-orphans":
            self.incidents[key] = {"status": "open", **describe_alarm(alarm), "alarm": alarm}
        return False

    def _close_others(self, alarm: dict[str, Any]) -> bool:
        """Close what a bug takes for incidents of the same alarm; return whether it has that bug."""
        policy, about = alarm["alarmPolicyInfo"]["policyName"], alarm["alarmObjInfo"]["dimensions"].get("objId", "")
        is_same: dict[str, Callable[[dict[str, Any]], bool]] = {
            "closes-all-of-a-policy": lambda other: other["policy"] == policy,
            "closes-by-the-beginning-of-an-id": lambda other: (
                other["alarm"]["alarmObjInfo"]["dimensions"].get("objId", "").startswith(about)
            ),
        }
        for other in filter(is_same.get(self.bug, lambda _other: False), self.incidents.values()):
            other["status"] = "closed"
        return self.bug in is_same

    def _open(self, alarm: dict[str, Any]) -> bool:
        """Open an incident unless one is open or has ended; return whether it was opened."""
        key = self.key(alarm)
        if self.bug == "reopens-at-a-late-repeat" and key in self.incidents:
            self.incidents[key]["status"] = "open"
            return False
        if key in self.closed_keys and self.bug != "reopens-what-is-over":
            return False
        if self.incidents.get(key, {}).get("status") == "open":
            return False
        is_over = self.bug == "forgets-at-once" and len(self.incidents) > 1
        self.incidents[key] = {"status": "closed" if is_over else "open", **describe_alarm(alarm), "alarm": alarm}
        return True

    def _notice(self, alarm: dict[str, Any]) -> dict[str, Any]:
        """Return the notice about an alarm."""
        notice = describe_alarm(alarm)
        if self.bug == "reads-utc":
            notice["since"] = time_of(alarm, "firstOccurTime").replace(" ", "T") + "+00:00"
        if self.bug == "takes-the-unknown-for-a-resolve":
            notice["state"] = "resolved" if self._is_resolved(alarm) else "firing"
        start = datetime.fromisoformat(notice["since"])
        if self.bug == "reads-noon-as-midnight":
            notice["since"] = start.replace(hour=start.hour % 12).isoformat()
        if self.bug == "reads-the-day-only":
            notice["since"] = start.replace(hour=0, minute=0, second=0).isoformat()
        if self.bug == "swaps-month-and-day" and start.day <= 12:
            notice["since"] = start.replace(month=start.day, day=start.month).isoformat()
        if self.bug == "shifts-twice":
            start = datetime.strptime(time_of(alarm, "firstOccurTime"), "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - the bug
            notice["since"] = str(start + timedelta(hours=8))
        if notice["state"] == "resolved" and time_of(alarm, "recoverTime") not in _NO_TIMES:
            self._show_end(notice, start, datetime.fromisoformat(_parse_beijing_time(time_of(alarm, "recoverTime"))))
        return notice

    def _show_end(self, notice: dict[str, Any], start: datetime, end: datetime) -> None:
        """Add the end of an alarm to its notice, or what a bug takes for it."""
        if self.bug == "has-a-clock-of-twelve-hours":
            notice |= {"since": f"{start:%Y-%m-%d %I:%M:%S}", "recovered_at": f"{end:%Y-%m-%d %I:%M:%S}"}
        elif self.bug == "writes-a-clock-of-twelve-hours":
            notice |= {"since": f"{start:%Y-%m-%d %I:%M:%S %p}", "recovered_at": f"{end:%Y-%m-%d %I:%M:%S %p}"}
        elif self.bug == "writes-the-week-year":
            notice |= {"since": f"{start:%G-%m-%d %H:%M:%S}", "recovered_at": f"{end:%G-%m-%d %H:%M:%S}"}
        elif self.bug == "shows-the-arrival-as-the-end":
            notice["recovered_at"] = datetime.now(_BEIJING).isoformat(timespec="seconds")
        elif self.bug == "shifts-twice":
            notice["recovered_at"] = f"{end + timedelta(hours=8):%Y-%m-%d %H:%M:%S}"
        elif self.bug == "shows-the-start-as-the-end":
            notice["recovered_at"] = start.isoformat()
        elif self.bug == "shows-the-time-of-receipt":
            notice |= {"received_at": str(datetime.now(_BEIJING)), "closed_at": str(datetime.now(_BEIJING))}
        else:
            notice["recovered_at"] = end.isoformat()

    async def _forward_notice(self, alarm: dict[str, Any], notice: dict[str, Any]) -> bool:
        assert self.forward
        if self.bug == "forwards-nothing" or (self.bug == "forwards-nothing-later" and len(self.notices) > 2):
            return True
        path, message = self.forward(self, alarm, notice)
        push = OutgoingRequest(json.dumps(message, ensure_ascii=False).encode())
        async with self.line if self.bug in _HOLDS_THE_LINE else contextlib.nullcontext():
            return await self._push(Target.parse(f"{self.downstream}{path}"), push)

    async def _push(self, target: Target, push: OutgoingRequest) -> bool:
        """Send a message until it is taken; give up after 20 s unless a bug does not. Return whether it was taken."""
        if self.bug == "stops-at-what-is-rejected":
            tries = 1_000_000
        else:
            tries = (
                1
                if self.bug in {"forgets-what-was-refused", "loses-what-hangs", *_TRIES_ONCE_AND_SAYS_SO}
                else _MAX_TRIES
            )
        for _ in range(tries):
            async with self.line if self.one_by_one else contextlib.nullcontext():
                if self.sent_count and self.sent_count % self.burst == 0:
                    await asyncio.sleep(self.pause_s)
                self.sent_count += 1
                attempt = await self.transport(target)(push, deadline_s=self.time_limit_s)
            answer = json.loads(attempt.body) if attempt.body.startswith(b"{") else {}
            code = answer.get("errcode") or answer.get("code")
            if attempt.accepted and (not code or self.bug == "reads-no-errcode"):
                return True
            await asyncio.sleep(_RETRY_PAUSE_S)
        return False
