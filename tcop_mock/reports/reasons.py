"""Reasons of results in the words of the command line: what is missing, and which flag provides it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcop_mock.domain.contract import Prerequisite

if TYPE_CHECKING:
    from tcop_mock.domain.contract import MissingPrerequisite
    from tcop_mock.domain.verdict import ClauseResult

_TEXTS = {
    Prerequisite.AUTH: "needs auth: put the receiver's USER:PASSWORD@ into the target",
    Prerequisite.SPECIAL_CHARACTER_CREDENTIALS: (
        "needs a user or password with @ : / %, blanks or signs beyond ASCII, which are the ones that get lost"
    ),
    Prerequisite.HTTP: "needs http: an app in this process has no connections",
    Prerequisite.OBSERVER: "needs observer: give --run CMD, --observe-url, --observe-cmd or --downstream",
    Prerequisite.OPEN_INCIDENTS: (
        "needs to see what is open: give --observe-open, or have the receiver forward to /pagerduty of --downstream"
    ),
    Prerequisite.DOWNSTREAM: (
        "needs downstream: give --run CMD, or --downstream HOST:PORT and have the receiver forward there"
    ),
    Prerequisite.PAGERDUTY: "the receiver forwards nothing to /pagerduty",
    Prerequisite.WECOM: "the receiver forwards nothing to /wecom",
    Prerequisite.DINGTALK_OR_FEISHU: "the receiver forwards nothing to /dingtalk or /feishu",
    Prerequisite.RESTART: "needs restart: give --run CMD, or --restart-cmd, a command that restarts the receiver",
    Prerequisite.RUN: "needs run: give --run CMD, which starts the receiver",
    Prerequisite.TEMPLATE: "needs template: give --template FILE, the text that is in the console",
    Prerequisite.PROFILE: "holds in profile {} only",
    Prerequisite.HTTP_REQUESTS: ("needs a receiver: a {} is asked about bodies that have been parsed, nothing else"),
    Prerequisite.TCOP_BODIES: "is about TCOP's own callbacks, and --template writes others",
    Prerequisite.SOCKET: (
        "needs a socket: the target is an HTTP client, which writes its requests itself; serve the app and give its URL"
    ),
    Prerequisite.PARALLEL_REQUESTS: "needs many requests at once, and --pace sends one after the other",
    Prerequisite.REQUESTS_AT_ONCE: "sends {} requests at once, and --jobs allows {}",
    Prerequisite.PARALLEL_CALLS: (
        "needs many requests at once, and one thread calls an app in this process; serve it and give its URL"
    ),
    Prerequisite.VISIBLE_EFFECT: (
        "a plain alarm that was answered 2xx has no effect that is to be seen within --effect-timeout {}; "
        "does --observe-all choose what the receiver did, and does it name the alarm's object?"
    ),
    Prerequisite.FORWARDED_EFFECT: (
        "a plain alarm that was answered 2xx has no effect that is to be seen at --downstream "
        "within --effect-timeout {}; {}"
    ),
    Prerequisite.VISIBLE_INCIDENT: "a plain alarm that fires shows no open incident; is --observe-open right?",
    Prerequisite.CAUGHT_CALL: (
        "needs a call of the receiver to our services: {}; --observe-sql, --observe-log and --observe-url "
        "show what it keeps"
    ),
    Prerequisite.FORWARDING: "nothing came to --downstream; {}",
    Prerequisite.TIME: "not finished within --max-time",
}


def reason_text(result: ClauseResult) -> str:
    """Return why a result is what it is: the reason that it has, or the words for its missing precondition."""
    return result.reason or (missing_text(result.missing) if result.missing else "")


def missing_text(missing: MissingPrerequisite) -> str:
    """Return a missing precondition in words."""
    return _TEXTS[missing.kind].format(*missing.details)
