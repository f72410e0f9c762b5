"""Receivers with one bug each: ``MUTANTS["TCM302-..."]`` breaks that clause and keeps all others that it can.

Each is ``correct_receiver`` with one bug. A clause fails for its own mutants and for no conforming receiver.
"""

from __future__ import annotations

import base64
import codecs
import hmac
import json
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from broken_servers import (
    AnswersWithoutEnd,
    ChangesLaterReplies,
    CountsCharacters,
    DecodesEachChunk,
    ExitsOnMalformed,
    HoldsLastByte,
    LeavesTheRest,
    OneClientAtATime,
    ReadsNamesInOneCase,
    ReadsOnce,
    SendsMoreThanItAnnounces,
    TakesWhatComes,
    TrustsTheConnection,
)
from correct_receiver_variants import (
    INTERNAL_ERROR,
    MISSING,
    UNPROCESSABLE,
    accepted_with,
    answering_malformed,
    breaks_json_formatting,
    breaks_second_formatting,
    breaks_sql,
    busy_while_serving,
    dead_after,
    expecting,
    guarded_breaking,
    guarded_comparing,
    guarded_except,
    has_null_dimension,
    has_unknown_dimension,
    has_unknown_product,
    has_unreadable_number,
    html_reply,
    keys_at,
    parse_before_auth,
    presented_credentials,
    rate_limited,
    reject_duplicate_keys,
    rejected_with,
    rejecting,
    rejecting_recover_time,
    replying_when,
    requiring,
    requiring_type,
    show_traceback,
    slow,
    slow_one_at_a_time,
    split_at_every_colon,
    value_at,
    with_changed_reply,
)
from receiver_factories import CREDENTIALS, server_factory

from tcop_mock.server.demo_receivers import correct_receiver
from tcop_mock.server.http_server import HttpServer
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from receiver_factories import ReceiverFactory

    from tcop_mock.server.messages import Handler

AFTER_DEADLINE_S = 6.0
"""Longer than TCOP waits for a response."""
SLOW_S = 1.5
"""Longer than a fifth of the deadline."""
ACK_REPLY = Reply(200, b"ok\n")
USER, PASSWORD = CREDENTIALS.user.reveal(), CREDENTIALS.password.reveal()
POLICY, CONDITIONS, INFO = "alarmPolicyInfo", "alarmPolicyInfo.conditions", "alarmObjInfo"
DIMENSIONS = "alarmObjInfo.dimensions"
TOP_KEYS = {
    "sessionId",
    "alarmStatus",
    "alarmType",
    "alarmObjInfo",
    "alarmPolicyInfo",
    "firstOccurTime",
    "durationTime",
    "recoverTime",
}
CONDITION_KEYS = {
    "metricName",
    "metricShowName",
    "calcType",
    "calcValue",
    "calcUnit",
    "currentValue",
    "historyValue",
    "unit",
    "period",
    "periodNum",
    "alarmNotifyType",
    "alarmNotifyPeriod",
    "productName",
    "productShowName",
    "eventName",
    "eventShowName",
}


def holds_last_byte(seconds: float) -> ReceiverFactory:
    """Return a receiver that sends the last byte of its response some seconds late."""
    return server_factory(partial(HoldsLastByte, seconds))


def acks_after(seconds: float) -> ReceiverFactory:
    """Return a receiver that responds some seconds after each request, concurrently."""
    return server_factory(partial(slow, seconds))


def serialises(seconds: float) -> ReceiverFactory:
    """Return a receiver that needs some seconds per request and serves one at a time."""
    return server_factory(partial(slow_one_at_a_time, seconds))


def reads_first(count: int) -> ReceiverFactory:
    """Return a receiver that reads at most some bytes of a body."""
    return _unguarded(lambda request: correct_receiver(replace(request, body=request.body[:count])))


def _unguarded(handler: Handler, path: str = "") -> ReceiverFactory:
    return server_factory(lambda: handler, path=path)


def _guarded(handler: Handler) -> ReceiverFactory:
    return server_factory(lambda: handler, CREDENTIALS)


def _lenient_pair(token: str, encoding: str) -> str:
    """Decode a token; return a pair if it is not base64."""
    try:
        pair = base64.b64decode(token, validate=True)
    except ValueError:
        return ":"
    return pair.decode(encoding)


def _redirect_to_slash(request: ReceivedRequest, _: Reply) -> Reply | None:
    if request.method != "POST" or request.path.endswith("/"):
        return None
    return Reply(308, headers=(("Location", f"{request.path}/"),))


PAYLOAD_MUTANTS: dict[str, Handler] = {
    "TCM101-rejects-CKafka": rejecting(lambda alarm: value_at(alarm, f"{INFO}.namespace") == "qce/ckafka"),
    "TCM301-status-must-be-text": requiring_type("alarmStatus", str),
    "TCM301-status-must-be-a-number": requiring_type("alarmStatus", int),
    "TCM301-notify-period-of-an-event-must-be-a-number": rejecting(
        lambda alarm: (
            value_at(alarm, "alarmType") == "event"
            and not str(value_at(alarm, f"{CONDITIONS}.alarmNotifyPeriod")).isdecimal()
        )
    ),
    "TCM301-duration-must-be-a-number": requiring_type("durationTime", int),
    "TCM301-notify-period-must-be-a-number": requiring_type(f"{CONDITIONS}.alarmNotifyPeriod", int),
    "TCM301-calc-value-must-be-text": requiring_type(f"{CONDITIONS}.calcValue", str),
    "TCM301-vport-must-be-text": requiring_type(f"{DIMENSIONS}.vport", str),
    "TCM302-zero-text-when-resolved": rejecting_recover_time("0", "0"),
    "TCM302-empty-text-when-resolved": rejecting_recover_time("0", ""),
    "TCM302-zero-number-when-resolved": rejecting_recover_time("0", 0),
    "TCM302-zero-number-when-firing": rejecting_recover_time("1", 0),
    "TCM302-empty-text-when-firing": rejecting_recover_time("1", ""),
    "TCM303-needs-region": requiring(f"{INFO}.region"),
    "TCM303-needs-calc-value": requiring(f"{CONDITIONS}.calcValue", "metric"),
    "TCM303-needs-policy-id": requiring(f"{POLICY}.policyId"),
    "TCM303-needs-uin": requiring(f"{INFO}.uin", "metric"),
    "TCM303-needs-app-id": requiring(f"{INFO}.appId", "metric"),
    "TCM303-needs-namespace": requiring(f"{INFO}.namespace", "metric"),
    "TCM304-rejects-unknown-keys-at-the-top": rejecting(lambda alarm: bool(set(alarm) - TOP_KEYS), UNPROCESSABLE),
    "TCM304-rejects-unknown-conditions": rejecting(
        lambda alarm: bool(keys_at(alarm, CONDITIONS) - CONDITION_KEYS), UNPROCESSABLE
    ),
    "TCM304-rejects-unknown-dimensions": rejecting(has_unknown_dimension, UNPROCESSABLE),
    "TCM304-rejects-unknown-keys-with-null-or-booleans": rejecting(
        lambda alarm: any(value is None or isinstance(value, bool) for value in alarm.values())
    ),
    "TCM304-rejects-unknown-keys-with-numbers": rejecting(
        lambda alarm: any(isinstance(value, int) for key, value in alarm.items() if key not in TOP_KEYS)
    ),
    "TCM305-needs-one-spelling-of-the-instance-id": rejecting(
        lambda alarm: (
            value_at(alarm, f"{POLICY}.policyType") == "cvm_device"
            and value_at(alarm, "alarmType") == "metric"
            and value_at(alarm, f"{DIMENSIONS}.unInstanceId") is MISSING
        )
    ),
    "TCM306-rejects-unknown-products": rejecting(has_unknown_product, UNPROCESSABLE),
    "TCM306-rejects-unknown-products-of-events": rejecting(
        lambda alarm: value_at(alarm, f"{CONDITIONS}.productName") == "quantum_relay"
    ),
    "TCM307-rejects-events": rejecting(lambda alarm: value_at(alarm, "alarmType") == "event"),
    "TCM308-rejects-unknown-alarm-types": rejecting(
        lambda alarm: value_at(alarm, "alarmType") not in ("metric", "event", MISSING)
    ),
    "TCM320-needs-dimensions": rejecting(lambda alarm: value_at(alarm, DIMENSIONS) is MISSING),
    "TCM320-rejects-callbacks-of-CLS": rejecting(lambda alarm: "LogsetID" in alarm),
    "TCM304-rejects-alarmLevel": rejecting(lambda alarm: value_at(alarm, "alarmLevel") == "Serious"),
    "TCM309-decodes-ASCII": with_changed_reply(
        lambda request, reply: (
            INTERNAL_ERROR if reply.status == 200 and not request.body.removeprefix(codecs.BOM_UTF8).isascii() else None
        )
    ),
    "TCM309-rejects-emoji": rejecting(lambda alarm: any(char > "\uffff" for char in str(alarm))),
    "TCM310-formats-JSON-by-hand": rejecting(breaks_json_formatting),
    "TCM310-formats-SQL-by-hand": rejecting(breaks_sql),
    "TCM310-formats-a-text-twice": rejecting(breaks_second_formatting),
    "TCM311-rejects-names-over-255-characters": rejecting(
        lambda alarm: len(str(value_at(alarm, f"{DIMENSIONS}.objName"))) > 255
    ),
    "TCM312-needs-sessionId-as-the-first-key": rejecting(
        lambda alarm: "sessionId" in alarm and next(iter(alarm)) != "sessionId"
    ),
    "TCM312-reads-one-line-only": with_changed_reply(
        lambda request, reply: INTERNAL_ERROR if reply.status == 200 and b"\n" in request.body.strip() else None
    ),
    "TCM313-rejects-duplicate-keys": with_changed_reply(reject_duplicate_keys),
    "TCM314-rejects-null-dimensions": rejecting(has_null_dimension),
    "TCM314-parses-all-values-as-numbers": rejecting(has_unreadable_number),
    "TCM317-needs-policyTypeCName": rejecting(lambda alarm: value_at(alarm, f"{POLICY}.policyTypeCName") == ""),
    "TCM317-divides-by-durationTime-of-events": rejecting(
        lambda alarm: value_at(alarm, "alarmType") == "event" and value_at(alarm, "durationTime") == 0
    ),
    "TCM318-needs-policyType": requiring(f"{POLICY}.policyType"),
    "TCM318-needs-lower-case-keys": rejecting(
        lambda alarm: any("key" not in item for item in alarm.get("additionalMsg") or ())
    ),
    "TCM319-rejects-CloudEvents": rejecting(lambda alarm: "specversion" in alarm, UNPROCESSABLE),
    "TCM321-parses-thresholds-as-integers": rejecting(
        lambda alarm: "." in str(value_at(alarm, f"{CONDITIONS}.calcValue")), UNPROCESSABLE
    ),
    "TCM321-needs-currentValue": rejecting(
        lambda alarm: value_at(alarm, f"{CONDITIONS}.currentValue") == "", UNPROCESSABLE
    ),
    "TCM401-accepts-malformed-JSON": answering_malformed(200, "json"),
    "TCM401-answers-500-to-malformed-JSON": answering_malformed(500, "json"),
    "TCM402-accepts-an-empty-body": answering_malformed(200, "empty"),
    "TCM402-answers-500-to-an-empty-body": answering_malformed(500, "empty"),
    "TCM403-answers-500-to-an-array": answering_malformed(500, "list"),
    "TCM403-accepts-null": answering_malformed(200, "NoneType"),
    "TCM404-ignores-decoding-errors": lambda request: correct_receiver(
        replace(request, body=request.body.decode("utf-8", "replace").encode())
    ),
    "TCM404-accepts-a-wrong-encoding": answering_malformed(200, "encoding"),
    "TCM404-answers-500-to-a-wrong-encoding": answering_malformed(500, "encoding"),
    "TCM408-answers-with-a-traceback": with_changed_reply(show_traceback),
    "TCM410-shows-the-object-in-HTML": with_changed_reply(
        lambda request, reply: (
            html_reply(f"<p>{value_at(json.loads(request.body), f'{DIMENSIONS}.objName')}</p>")
            if reply.status == 200 and b"<img" in request.body
            else None
        )
    ),
    "TCM410-echoes-a-malformed-body-as-HTML": with_changed_reply(
        lambda request, reply: (
            replace(reply, body=b"not JSON: " + request.body, headers=(("Content-Type", "text/html"),))
            if reply.status == HTTPStatus.BAD_REQUEST
            else None
        )
    ),
}
"""Handlers with a bug in reading bodies."""

GUARDED_MUTANTS: dict[str, Handler] = {
    "TCM201-accepts-missing-credentials": (guarded_except(lambda request: not request.header("authorization"))),
    "TCM202-accepts-an-empty-password": (
        guarded_except(
            lambda request: request.header("authorization") != "" and presented_credentials(request)[1] == ""
        )
    ),
    "TCM202-lets-in-who-has-no-name-and-no-password": guarded_except(
        lambda request: request.header("authorization") == "Basic Og=="
    ),
    "TCM202-checks-the-password-only": guarded_comparing(lambda pair: pair[1] == PASSWORD and pair[0] in ("", USER)),
    "TCM202-takes-the-user-as-password": guarded_comparing(lambda pair: pair in ((USER, USER), (USER, PASSWORD))),
    "TCM202-checks-the-user-only": (
        guarded_except(lambda request: presented_credentials(request)[0] == CREDENTIALS.user.reveal())
    ),
    "TCM202-accepts-any-credentials": (guarded_except(lambda request: request.header("authorization") != "")),
    "TCM202-compares-8-characters": (guarded_comparing(lambda pair: pair[1][:8] == PASSWORD[:8])),
    "TCM202-accepts-any-prefix-of-the-password": (
        guarded_comparing(lambda pair: bool(pair[1]) and PASSWORD.startswith(pair[1]))
    ),
    "TCM202-accepts-text-after-the-password": (guarded_comparing(lambda pair: pair[1].startswith(PASSWORD))),
    "TCM202-ignores-upper-and-lower-case": (guarded_comparing(lambda pair: pair[1].lower() == PASSWORD.lower())),
    "TCM202-strips-the-password": (guarded_comparing(lambda pair: pair[1].strip() == PASSWORD)),
    "TCM202-strips-the-end-of-the-password": (guarded_comparing(lambda pair: pair[1].rstrip() == PASSWORD)),
    "TCM202-compares-lengths": (guarded_comparing(lambda pair: len(pair[1]) == len(PASSWORD))),
    "TCM203-splits-at-every-colon": (split_at_every_colon),
    "TCM203-decodes-Latin-1": expecting(USER, PASSWORD, "latin-1"),
    "TCM203-compares-the-percent-encoded-text": expecting(quote(USER, safe=""), quote(PASSWORD, safe="")),
    "TCM203-cuts-the-password-at-its-last-colon": expecting(USER, PASSWORD.rpartition(":")[2]),
    "TCM204-parses-before-it-authenticates": (parse_before_auth),
    "TCM205-echoes-the-header": (rejected_with(lambda request: request.header("authorization"))),
    "TCM205-echoes-the-password": (
        rejected_with(lambda request: f"wrong password {presented_credentials(request)[1]!r}")
    ),
    "TCM205-shows-the-password-when-it-accepts": (
        accepted_with(lambda request: f"taken with {presented_credentials(request)[1]}")
    ),
    "TCM205-echoes-the-token-in-JSON": (
        rejected_with(lambda request: json.dumps({"got": request.header("authorization")}).replace("=", "\\u003d"))
    ),
    "TCM205-echoes-the-token-without-padding": (
        rejected_with(lambda request: request.header("authorization").rstrip("="))
    ),
    "TCM206-accepts-a-scheme-alone": guarded_except(lambda request: request.header("authorization").strip() == "Basic"),
    "TCM206-answers-500-to-a-scheme-alone": guarded_breaking(lambda header: header.split(" ")[1]),
    "TCM206-answers-500-to-invalid-Base64": guarded_breaking(
        lambda header: base64.b64decode(header.partition(" ")[2], validate=True)
    ),
    "TCM206-answers-500-to-wrong-padding": guarded_breaking(
        lambda header: base64.b64decode(header.partition(" ")[2].encode())
    ),
    "TCM206-answers-500-to-a-token-without-a-colon": guarded_breaking(
        lambda header: _lenient_pair(header.partition(" ")[2], "latin-1").index(":")
    ),
    "TCM206-answers-500-to-invalid-UTF-8": guarded_breaking(
        lambda header: _lenient_pair(header.partition(" ")[2], "utf-8")
    ),
    "TCM209-answers-500-to-non-ASCII-text": guarded_breaking(lambda header: hmac.compare_digest(header, "Basic")),
    "TCM207-accepts-any-scheme": guarded_except(
        lambda request: request.header("authorization").partition(" ")[2] == CREDENTIALS.token().reveal()
    ),
    "TCM208-answers-500-to-a-long-header": guarded_breaking(lambda header: b"short"[len(header) // 4096 * 5]),
}
"""Handlers that check credentials wrongly."""

BUSY_MUTANTS: dict[str, Callable[[], Handler]] = {
    "TCM515-serves-one-request-at-a-time": partial(slow_one_at_a_time, 0.1),
    "TCM515-answers-503-while-it-serves-another": partial(busy_while_serving, Reply(503)),
    "TCM515-answers-500-while-it-serves-another": partial(busy_while_serving, INTERNAL_ERROR),
    "TCM515-limits-the-rate": partial(rate_limited, 60, 0.5),
}
"""Functions that return a handler which takes few requests at a time."""

MUTANTS: dict[str, ReceiverFactory] = {
    **{name: _unguarded(handler) for name, handler in PAYLOAD_MUTANTS.items()},
    **{name: _guarded(handler) for name, handler in GUARDED_MUTANTS.items()},
    "TCM102-delays-the-last-byte": holds_last_byte(AFTER_DEADLINE_S),
    "TCM102-answers-late": acks_after(AFTER_DEADLINE_S),
    "TCM103-answers-after-1.5-s": acks_after(SLOW_S),
    "TCM104-redirects-to-a-slash": _unguarded(with_changed_reply(_redirect_to_slash), path="/alarms"),
    "TCM105-answers-without-end": server_factory(AnswersWithoutEnd),
    "TCM105-answers-with-100-KiB": _unguarded(
        with_changed_reply(lambda _, reply: Reply(200, bytes(102_400)) if reply.status == 200 else None)
    ),
    "TCM106-accepts-GET": _unguarded(replying_when(lambda request: request.method == "GET", ACK_REPLY)),
    "TCM106-accepts-any-method": _unguarded(
        replying_when(lambda request: request.method == "PUT" and bool(request.body), ACK_REPLY)
    ),
    "TCM106-answers-500-to-PUT": _unguarded(replying_when(lambda request: request.method == "PUT", INTERNAL_ERROR)),
    "TCM107-answers-202": _unguarded(
        with_changed_reply(lambda _, reply: replace(reply, status=202) if reply.status == 200 else None)
    ),
    "TCM108-answers-OK": _unguarded(with_changed_reply(lambda _, reply: ACK_REPLY if reply.status == 200 else None)),
    "TCM108-answers-with-another-session": _unguarded(
        with_changed_reply(
            lambda _, reply: replace(reply, body=b'{"sessionId": "1", "retCode": 0}') if reply.status == 200 else None
        )
    ),
    "TCM108-answers-false-as-retCode": _unguarded(
        with_changed_reply(
            lambda _, reply: (
                replace(reply, body=reply.body.replace(b": 0", b": false")) if reply.status == 200 else None
            )
        )
    ),
    "TCM109-answers-500-to-the-verification": _unguarded(
        replying_when(lambda request: request.body == b"{}", INTERNAL_ERROR)
    ),
    "TCM110-leaves-rejected-bodies-unread": server_factory(LeavesTheRest),
    "TCM110-sends-more-than-its-Content-Length": server_factory(SendsMoreThanItAnnounces),
    "TCM210-trusts-the-connection": server_factory(TrustsTheConnection, CREDENTIALS),
    "TCM110-counts-characters": server_factory(CountsCharacters),
    "TCM110-repeats-the-first-session-of-a-connection": server_factory(
        lambda: ChangesLaterReplies(lambda first, usual: first if b"sessionId" in first else usual)
    ),
    "TCM111-rejects-Content-Type-with-a-charset": _unguarded(
        replying_when(lambda request: request.header("content-type") != "application/json", Reply(415))
    ),
    "TCM112-answers-500-to-chunked-bodies": _unguarded(
        replying_when(lambda request: request.header("transfer-encoding") != "", INTERNAL_ERROR)
    ),
    "TCM113-rejects-a-query-string": _unguarded(replying_when(lambda request: "?" in request.path, Reply(404))),
    "TCM114-reads-the-socket-once": server_factory(ReadsOnce),
    "TCM114-decodes-each-part-alone": server_factory(DecodesEachChunk),
    "TCM115-reads-1-KiB-only": reads_first(1024),
    "TCM116-reads-header-names-in-one-case": server_factory(ReadsNamesInOneCase),
    "TCM117-answers-retCode-1-on-a-reused-connection": server_factory(
        lambda: ChangesLaterReplies(lambda _, usual: usual.replace(b'"retCode": 0', b'"retCode": 1'))
    ),
    "TCM315-rejects-bodies-over-32-KiB": server_factory(lambda: HttpServer(correct_receiver, max_body_bytes=32_768)),
    "TCM316-rejects-unknown-headers": _unguarded(
        replying_when(lambda request: request.header("x-alarm-source") != "", Reply(400))
    ),
    "TCM405-dies-after-a-deeply-nested-body": server_factory(partial(dead_after, "depth")),
    "TCM406-accepts-incomplete-bodies": server_factory(TakesWhatComes),
    "TCM407-serves-one-client-at-a-time": server_factory(OneClientAtATime),
    "TCM409-dies-after-a-malformed-body": server_factory(partial(dead_after, "json", "encoding", "depth")),
    "TCM409-exits-on-a-malformed-body": server_factory(ExitsOnMalformed),
    **{name: server_factory(make) for name, make in BUSY_MUTANTS.items()},
}
"""All mutants, by clause and bug."""
