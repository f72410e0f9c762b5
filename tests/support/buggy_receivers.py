"""Receivers with one mistake each: ``BUGS["TCM302-..."]`` breaks that clause and keeps every other it can keep.

Each is ``careful`` with one thing wrong. A clause has to find the mistake in its own receivers and in no honest one.
"""

from __future__ import annotations

import codecs
import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from broken_sinks import (
    AnswersWithoutEnd,
    DecodesEachChunk,
    ExitsOnMalformed,
    HoldsLastByte,
    LeavesTheRest,
    OneClientAtATime,
    ReadsOnce,
    TakesWhatComes,
)
from careful_but import (
    ABSENT,
    FAULT,
    UNPROCESSABLE,
    accepted_with,
    answering,
    at,
    changed,
    dead_after,
    formatted_twice,
    guarded_but,
    guarded_like,
    in_turn,
    keys,
    limited_to,
    needing,
    no_number,
    offered,
    one_or_busy,
    parsing_first,
    read_as_latin_1,
    recovering,
    refused_with,
    refusing,
    slow,
    split_at_every_colon,
    telling_all,
    twice_the_same_key,
    typed,
    unescaped,
    unknown_dimension,
    unknown_product,
    unquoted,
    whenever,
)
from receivers import CREDENTIALS, through_sink

from tcop_mock.server.demo_receivers import careful
from tcop_mock.server.http_server import Received, Reply, Sink

if TYPE_CHECKING:
    from collections.abc import Callable

    from receivers import Opening

    from tcop_mock.server.http_server import Handler

TOO_LATE_S = 6.0
"""Longer than TCOP waits for an answer."""
TOO_LONG_S = 1.5
"""Longer than a fifth of that."""
ACK = Reply(200, b"ok\n")
PASSWORD = CREDENTIALS.password.reveal()
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


def holds_last_byte(seconds: float) -> Opening:
    """Return a receiver whose answer is whole but for its last byte, which comes some seconds later."""
    return through_sink(partial(HoldsLastByte, seconds))


def acks_after(seconds: float) -> Opening:
    """Return a receiver that answers some seconds after each request, any number at a time."""
    return through_sink(partial(slow, seconds))


def serialises(seconds: float) -> Opening:
    """Return a receiver that works some seconds on each request, one at a time."""
    return through_sink(partial(in_turn, seconds))


def reads_first(count: int) -> Opening:
    """Return a receiver that reads some bytes of a body and leaves the rest."""
    return _of(lambda request: careful(replace(request, body=request.body[:count])))


def _of(handler: Handler, path: str = "") -> Opening:
    return through_sink(lambda: handler, path=path)


def _guarded(handler: Handler) -> Opening:
    return through_sink(lambda: handler, CREDENTIALS)


def _to_slash(request: Received, _: Reply) -> Reply | None:
    if request.method != "POST" or request.path.endswith("/"):
        return None
    return Reply(308, headers=(("Location", f"{request.path}/"),))


PAYLOAD: dict[str, Handler] = {
    "TCM101-knows-no-ckafka": refusing(lambda alarm: at(alarm, f"{INFO}.namespace") == "qce/ckafka"),
    "TCM301-status-must-be-text": typed("alarmStatus", str),
    "TCM301-status-must-be-a-number": typed("alarmStatus", int),
    "TCM301-duration-must-be-a-number": typed("durationTime", int),
    "TCM301-notify-period-must-be-a-number": typed(f"{CONDITIONS}.alarmNotifyPeriod", int),
    "TCM301-calc-value-must-be-text": typed(f"{CONDITIONS}.calcValue", str),
    "TCM301-vport-must-be-text": typed(f"{DIMENSIONS}.vport", str),
    "TCM302-zero-text-when-resolved": recovering("0", "0"),
    "TCM302-empty-text-when-resolved": recovering("0", ""),
    "TCM302-zero-number-when-resolved": recovering("0", 0),
    "TCM302-zero-number-when-firing": recovering("1", 0),
    "TCM302-empty-text-when-firing": recovering("1", ""),
    "TCM303-needs-region": needing(f"{INFO}.region"),
    "TCM303-needs-calc-value": needing(f"{CONDITIONS}.calcValue", "metric"),
    "TCM303-needs-policy-id": needing(f"{POLICY}.policyId"),
    "TCM303-needs-uin": needing(f"{INFO}.uin", "metric"),
    "TCM303-needs-app-id": needing(f"{INFO}.appId", "metric"),
    "TCM303-needs-namespace": needing(f"{INFO}.namespace", "metric"),
    "TCM304-forbids-extra-at-the-top": refusing(lambda alarm: bool(set(alarm) - TOP_KEYS), UNPROCESSABLE),
    "TCM304-forbids-extra-conditions": refusing(
        lambda alarm: bool(keys(alarm, CONDITIONS) - CONDITION_KEYS), UNPROCESSABLE
    ),
    "TCM304-forbids-extra-dimensions": refusing(unknown_dimension, UNPROCESSABLE),
    "TCM304-strips-what-is-new": refusing(
        lambda alarm: any(value is None or isinstance(value, bool) for value in alarm.values())
    ),
    "TCM304-knows-the-types-of-today": refusing(
        lambda alarm: any(isinstance(value, int) for key, value in alarm.items() if key not in TOP_KEYS)
    ),
    "TCM305-needs-one-spelling-of-the-instance-id": refusing(
        lambda alarm: (
            at(alarm, f"{POLICY}.policyType") == "cvm_device"
            and at(alarm, "alarmType") == "metric"
            and at(alarm, f"{DIMENSIONS}.unInstanceId") is ABSENT
        )
    ),
    "TCM306-refuses-unknown-products": refusing(unknown_product, UNPROCESSABLE),
    "TCM306-looks-the-product-of-events-up": refusing(
        lambda alarm: at(alarm, f"{CONDITIONS}.productName") == "quantum_relay"
    ),
    "TCM307-knows-no-events": refusing(lambda alarm: at(alarm, "alarmType") == "event"),
    "TCM308-knows-two-types": refusing(lambda alarm: at(alarm, "alarmType") not in ("metric", "event", ABSENT)),
    "TCM309-reads-ascii": changed(
        lambda request, reply: (
            FAULT if reply.status == 200 and not request.body.removeprefix(codecs.BOM_UTF8).isascii() else None
        )
    ),
    "TCM309-chokes-on-emoji": refusing(lambda alarm: any(char > "\uffff" for char in str(alarm))),
    "TCM310-builds-json-by-formatting": refusing(unescaped),
    "TCM310-builds-sql-by-formatting": refusing(unquoted),
    "TCM310-formats-twice": refusing(formatted_twice),
    "TCM311-takes-names-of-255-characters": refusing(lambda alarm: len(str(at(alarm, f"{DIMENSIONS}.objName"))) > 255),
    "TCM312-wants-the-session-first": refusing(lambda alarm: "sessionId" in alarm and next(iter(alarm)) != "sessionId"),
    "TCM312-reads-one-line": changed(
        lambda request, reply: FAULT if reply.status == 200 and b"\n" in request.body.strip() else None
    ),
    "TCM313-chokes-on-duplicate-keys": changed(twice_the_same_key),
    "TCM314-reads-values-as-numbers": refusing(no_number),
    "TCM401-acknowledges-broken-json": answering(200, "json"),
    "TCM401-breaks-on-broken-json": answering(500, "json"),
    "TCM402-acknowledges-an-empty-body": answering(200, "empty"),
    "TCM402-breaks-on-an-empty-body": answering(500, "empty"),
    "TCM403-breaks-on-an-array": answering(500, "list"),
    "TCM403-acknowledges-null": answering(200, "NoneType"),
    "TCM404-decodes-what-it-can": lambda request: careful(
        replace(request, body=request.body.decode("utf-8", "replace").encode())
    ),
    "TCM404-acknowledges-a-wrong-encoding": answering(200, "encoding"),
    "TCM404-breaks-on-a-wrong-encoding": answering(500, "encoding"),
    "TCM408-shows-its-trace": changed(telling_all),
}
"""Handlers that read a body wrongly."""

GUARDED: dict[str, Handler] = {
    "TCM201-lets-in-without-credentials": guarded_but(lambda request: not request.header("authorization")),
    "TCM202-lets-in-without-password": guarded_but(
        lambda request: request.header("authorization") != "" and offered(request)[1] == ""
    ),
    "TCM202-checks-the-user-only": guarded_but(lambda request: offered(request)[0] == CREDENTIALS.user.reveal()),
    "TCM202-lets-in-any-credentials": guarded_but(lambda request: request.header("authorization") != ""),
    "TCM202-compares-eight-characters": guarded_like(lambda pair: pair[1][:8] == PASSWORD[:8]),
    "TCM202-compares-beginnings": guarded_like(lambda pair: bool(pair[1]) and PASSWORD.startswith(pair[1])),
    "TCM202-compares-the-beginning": guarded_like(lambda pair: pair[1].startswith(PASSWORD)),
    "TCM202-ignores-case": guarded_like(lambda pair: pair[1].lower() == PASSWORD.lower()),
    "TCM202-strips": guarded_like(lambda pair: pair[1].strip() == PASSWORD),
    "TCM202-strips-the-end": guarded_like(lambda pair: pair[1].rstrip() == PASSWORD),
    "TCM202-compares-lengths": guarded_like(lambda pair: len(pair[1]) == len(PASSWORD)),
    "TCM203-splits-at-every-colon": split_at_every_colon,
    "TCM203-reads-latin-1": read_as_latin_1,
    "TCM204-parses-first": parsing_first,
    "TCM205-echoes-the-header": refused_with(lambda request: request.header("authorization")),
    "TCM205-echoes-the-password": refused_with(lambda request: f"wrong password {offered(request)[1]!r}"),
    "TCM205-greets-with-the-password": accepted_with(lambda request: f"taken with {offered(request)[1]}"),
    "TCM205-tells-the-token-as-json": refused_with(
        lambda request: json.dumps({"got": request.header("authorization")}).replace("=", "\\u003d")
    ),
    "TCM205-tells-the-token-without-padding": refused_with(lambda request: request.header("authorization").rstrip("=")),
}
"""Handlers that are careless about credentials."""

BUSY: dict[str, Callable[[], Handler]] = {
    "TCM515-serves-one-request-at-a-time": partial(in_turn, 0.1),
    "TCM515-refuses-while-it-serves": partial(one_or_busy, Reply(503)),
    "TCM515-breaks-while-it-serves": partial(one_or_busy, FAULT),
    "TCM515-limits-the-rate": partial(limited_to, 60, 0.5),
}
"""Makers of handlers that take few requests at a time."""

BUGS: dict[str, Opening] = {
    **{name: _of(handler) for name, handler in PAYLOAD.items()},
    **{name: _guarded(handler) for name, handler in GUARDED.items()},
    "TCM102-holds-the-last-byte": holds_last_byte(TOO_LATE_S),
    "TCM102-answers-late": acks_after(TOO_LATE_S),
    "TCM103-answers-in-one-and-a-half-seconds": acks_after(TOO_LONG_S),
    "TCM104-redirects-to-a-slash": _of(changed(_to_slash), path="/alarms"),
    "TCM105-answers-without-end": through_sink(AnswersWithoutEnd),
    "TCM105-answers-100-kib": _of(
        changed(lambda _, reply: Reply(200, bytes(102_400)) if reply.status == 200 else None)
    ),
    "TCM106-acknowledges-get": _of(whenever(lambda request: request.method == "GET", ACK)),
    "TCM106-takes-any-method": _of(whenever(lambda request: request.method == "PUT" and bool(request.body), ACK)),
    "TCM106-breaks-on-put": _of(whenever(lambda request: request.method == "PUT", FAULT)),
    "TCM107-answers-202": _of(changed(lambda _, reply: replace(reply, status=202) if reply.status == 200 else None)),
    "TCM108-answers-ok": _of(changed(lambda _, reply: ACK if reply.status == 200 else None)),
    "TCM108-answers-another-session": _of(
        changed(
            lambda _, reply: replace(reply, body=b'{"sessionId": "1", "retCode": 0}') if reply.status == 200 else None
        )
    ),
    "TCM108-answers-true": _of(
        changed(
            lambda _, reply: (
                replace(reply, body=reply.body.replace(b": 0", b": false")) if reply.status == 200 else None
            )
        )
    ),
    "TCM109-breaks-on-the-verification": _of(whenever(lambda request: request.body == b"{}", FAULT)),
    "TCM110-leaves-the-rest-of-what-it-refuses": through_sink(LeavesTheRest),
    "TCM111-wants-the-bare-content-type": _of(
        whenever(lambda request: request.header("content-type") != "application/json", Reply(415))
    ),
    "TCM112-breaks-on-chunks": _of(whenever(lambda request: request.header("transfer-encoding") != "", FAULT)),
    "TCM113-knows-its-bare-path-only": _of(whenever(lambda request: "?" in request.path, Reply(404))),
    "TCM114-reads-once": through_sink(ReadsOnce),
    "TCM114-decodes-each-chunk": through_sink(DecodesEachChunk),
    "TCM115-reads-one-kib": reads_first(1024),
    "TCM315-takes-32-kib": through_sink(lambda: Sink(careful, body_cap_bytes=32_768)),
    "TCM316-refuses-headers-that-it-does-not-know": _of(
        whenever(lambda request: request.header("x-alarm-source") != "", Reply(400))
    ),
    "TCM405-is-dead-after-depth": through_sink(partial(dead_after, "depth")),
    "TCM406-takes-what-comes": through_sink(TakesWhatComes),
    "TCM407-serves-one-client-at-a-time": through_sink(OneClientAtATime),
    "TCM409-is-dead-after-a-malformed-body": through_sink(partial(dead_after, "json", "encoding", "depth")),
    "TCM409-exits-on-a-malformed-body": through_sink(ExitsOnMalformed),
    **{name: through_sink(make) for name, make in BUSY.items()},
}
"""All of them, by clause and mistake."""
