"""What a receiver with incidents forwards about a notice, by service, optionally with one bug."""

from __future__ import annotations

import hashlib
import html
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from incident_receiver import IncidentReceiver


def wecom_message(
    receiver: IncidentReceiver, alarm: dict[str, Any], notice: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return path and body of a message to a WeCom group robot."""
    name = str(notice["object"]).replace("<", "&lt;")
    state = "" if receiver.bug == "shows-no-state" else f"**{notice['state'].upper()}** "
    policy = str(notice["policy"]).replace("<", "&lt;")
    text = f"{state}{notice['what']} of {name[:1000]}\nPolicy: {policy}\nSince: {notice['since']}"
    if receiver.bug in _TEXT_CHANGES:
        text = _TEXT_CHANGES[receiver.bug](text, alarm, notice)
    path = "/wecom/cgi-bin/webhook/send" + ("" if receiver.bug == "has-no-key" else "?key=k")
    kind = "memo" if receiver.bug == "invents-message-types" else "markdown"
    return path, {"msgtype": kind, "markdown": {"content": text}}


def _with_threshold(text: str, alarm: dict[str, Any], _notice: dict[str, Any]) -> str:
    conditions = alarm["alarmPolicyInfo"]["conditions"]
    return f"{text}\n阈值{conditions.get('calcValue')}" if "metricName" in conditions else text


def _with_own_words(text: str, alarm: dict[str, Any], notice: dict[str, Any]) -> str:
    return text.replace(str(notice["what"]), own_words(alarm))


def _with_other_state(text: str, _alarm: dict[str, Any], notice: dict[str, Any]) -> str:
    other = "FIRING" if notice["state"] == "resolved" else "RESOLVED"
    return text.replace(notice["state"].upper(), other, 1)


def _without_state_of_events(text: str, alarm: dict[str, Any], notice: dict[str, Any]) -> str:
    return text.replace(notice["state"].upper(), "", 1) if alarm.get("alarmType") == "event" else text


def _with_state_last(text: str, _alarm: dict[str, Any], notice: dict[str, Any]) -> str:
    state = f"**{notice['state'].upper()}** "
    return (text.removeprefix(state) + state)[:600]


def _with_value(text: str, alarm: dict[str, Any], _notice: dict[str, Any]) -> str:
    conditions = alarm["alarmPolicyInfo"]["conditions"]
    return f"{text}\nValue: {conditions.get('currentValue', '-')}{conditions.get('unit', '')}"


def _with_fixed_unit(text: str, alarm: dict[str, Any], _notice: dict[str, Any]) -> str:
    conditions = alarm["alarmPolicyInfo"]["conditions"]
    return f"{text}\nValue: {conditions.get('currentValue', '-')}{'MB' if conditions.get('unit') == '%' else '%'}"


_TEXT_CHANGES: dict[str, Callable[[str, dict[str, Any], dict[str, Any]], str]] = {
    "mentions-everybody": lambda text, _alarm, _notice: text.replace("&lt;", "<"),
    "cuts-characters": lambda text, _alarm, _notice: text.encode()[:2048].decode("utf-8", "replace"),
    "cuts-nothing": lambda text, _alarm, notice: text + str(notice["object"]).replace("<", "&lt;") * 5,
    "shows-undefined": lambda text, alarm, _: f"{text}\nNode: {alarm['alarmObjInfo']['dimensions'].get('node')}",
    "names-no-object": lambda _text, _alarm, notice: f"{notice['what']}\nPolicy: {notice['policy']}",
    "names-no-metric": lambda _text, _alarm, notice: f"{notice['object']}\nPolicy: {notice['policy']}",
    "leaves-placeholders": lambda text, _alarm, _notice: text + "\n{{ region }}",
    "shows-null-in-chinese": lambda text, _alarm, _notice: text + "\n状态null",
    "shows-null-gb": lambda text, _alarm, _notice: text + "\nTotal: nullGB",
    "shows-every-threshold": _with_threshold,
    "forwards-the-body": lambda text, alarm, _: f"{text[:12]}{json.dumps(alarm, ensure_ascii=False)[:1500]}",
    "has-own-words": _with_own_words,
    "shows-value-duration-and-region": lambda text, alarm, notice: (
        _with_value(text, alarm, notice)
        + (f"\nDuration: {alarm['durationTime']} s" if "durationTime" in alarm else "")
        + (f"\n**地域**: {alarm['alarmObjInfo']['region']}" if "region" in alarm["alarmObjInfo"] else "")
    ),
    "shows-a-fixed-unit": _with_fixed_unit,
    "shows-seconds-as-minutes": lambda text, alarm, _notice: f"{text}\n持续{alarm.get('durationTime', 0)}分钟",
    "shows-one-region": lambda text, _alarm, _notice: f"{text}\nRegion: ap-guangzhou",
    "has-a-default-region": lambda text, alarm, _notice: f"{text}\n地域：{alarm['alarmObjInfo'].get('region', '广州')}",
    "escapes-html": lambda text, _alarm, _notice: html.escape(text.replace("&lt;", "<")),
    "drops-what-is-not-ascii": lambda text, _alarm, _notice: text.encode("ascii", "ignore").decode(),
    "shows-none-about-resolves": lambda text, _alarm, notice: (
        f"{text}\nEnded: None" if notice["state"] == "resolved" else text
    ),
    "exchanges-states": _with_other_state,
    "shows-no-state-of-events": _without_state_of_events,
    "shows-the-state-last": _with_state_last,
    "shows-a-dict": lambda text, alarm, notice: (
        f"{_with_own_words(text, alarm, notice)}\n{alarm['alarmObjInfo']['dimensions']}"
    ),
}
"""What bugs and habits make of the text of a message, from the text, the callback and the notice."""


def own_words(alarm: dict[str, Any]) -> str:
    """Return a receiver's own name for a metric or an event."""
    conditions = alarm["alarmPolicyInfo"]["conditions"]
    subject = conditions.get("metricName") or conditions["eventName"]
    letters = hashlib.sha256(subject.encode()).hexdigest().translate(str.maketrans("0123456789", "ghijklmnop"))
    return f"alarm {letters}"


def dingtalk_message(
    receiver: IncidentReceiver, alarm: dict[str, Any], notice: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return path and body of a message to a DingTalk robot."""
    _, message = wecom_message(receiver, alarm, notice)
    content = message["markdown"]["content"]
    return "/dingtalk/robot/send?access_token=t", {"msgtype": "text", "text": {"content": content}}


def feishu_message(
    receiver: IncidentReceiver, alarm: dict[str, Any], notice: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return path and body of a message to a Feishu bot."""
    _, message = wecom_message(receiver, alarm, notice)
    return "/feishu/open-apis/bot/v2/hook/h", {"msg_type": "text", "content": {"text": message["markdown"]["content"]}}


def slack_message(
    receiver: IncidentReceiver, alarm: dict[str, Any], notice: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return path and body of a message to an incoming webhook of Slack."""
    _, message = wecom_message(receiver, alarm, notice)
    return "/slack/services/T/B/x", {"text": message["markdown"]["content"]}


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
    event: dict[str, Any] = {
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
    if receiver.bug == "invents-severities-for-tke" and alarm["alarmPolicyInfo"]["policyType"].startswith("k8s"):
        event["payload"]["severity"] = "fatal"
    if receiver.bug == "resolves-without-payload" and event["event_action"] == "resolve":
        del event["payload"]
    return "/pagerduty/v2/enqueue", event
