"""A ledger compared with the receiver's records."""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from ledger_samples import Rows, callback_body, jsonl, ledger_row, recording_line

from tcop_mock.callbacks.generator import Generator
from tcop_mock.catalog.data_files import read_schema
from tcop_mock.catalog.loader import Catalog
from tcop_mock.domain.callback import Form, State
from tcop_mock.domain.callback_view import NotificationKey, key_from_body
from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.load import AttemptRecord, DeliveryRecord, ScheduledCallback
from tcop_mock.errors import UsageError
from tcop_mock.load.ledger import ledger_entry, ledger_line, read_ledger
from tcop_mock.load.reconcile import read_received_items, reconcile

if TYPE_CHECKING:
    from tcop_mock.domain.ledger import Differences, Reconciliation

LEDGER = Draft202012Validator(read_schema("ledger"))
_LIFE = [
    ledger_row("a"),
    ledger_row("b", state="repeated", started_s=2.0, ended_s=2.5),
    ledger_row("c", started_s=3.0, ended_s=3.5),
]


def compared(ledger: Rows, received: Rows, most: int = 20) -> Reconciliation:
    """Return what comes of a ledger and what a receiver has."""
    entries = read_ledger(io.BytesIO(jsonl(ledger)), "ledger.jsonl")
    items = read_received_items(io.BytesIO(jsonl(received)), "received.jsonl")
    return reconcile(entries, items, "ledger.jsonl", most)


def sessions(found: Differences) -> list[str]:
    """Return the sessions that are reported."""
    return [one.session_id for one in found.examples]


@pytest.mark.parametrize(
    "received",
    [
        [callback_body("a"), callback_body("b"), callback_body("c")],
        [{"sessionId": "a"}, {"session": "b", "object": "ins-1", "state": "repeated"}, {"session_id": "c"}],
        [
            recording_line(callback_body("a")),
            recording_line(None, method="GET"),
            recording_line(callback_body("b")),
            recording_line(callback_body("c")),
        ],
        [recording_line(callback_body(name), **{"as": "json"}) for name in "abc"]
        + [recording_line(None, **{"as": "slack"})],
        [{"version": 1, "url": "http://127.0.0.1:1/"}] + [recording_line(callback_body(name)) for name in "abc"],
        [{"object": "ins-1"}],
        [{"unInstanceId": "ins-1", "state": state} for state in ("firing", "repeated")],
    ],
    ids=["bodies", "ids", "recording", "forwarded", "printed", "objects", "objects with states"],
)
def test_what_is_all_there_agrees(received: Rows) -> None:
    """Bodies, ids, recordings, what stand-ins took, objects alone: each is enough."""
    found = compared(_LIFE, received)
    assert found.is_consistent
    assert (found.notifications, found.alarms, found.acked, found.unacked) == (3, 1, 3, 0)
    assert found.read_stats.requests + found.read_stats.effects + found.read_stats.skipped == len(received)


def test_what_was_acked_and_is_not_there_is_lost() -> None:
    """An acked notification without a record is lost; one that was given up or never sent is not."""
    ledger = [*_LIFE, ledger_row("d", outcome="timed_out", attempts=4), ledger_row("e", outcome="dropped", attempts=0)]
    found = compared(ledger, [callback_body("a"), callback_body("c")])
    assert sessions(found.lost) == ["b"]
    assert not found.is_consistent
    assert (found.notifications, found.acked) == (5, 3)


def test_an_object_that_is_not_named_is_lost() -> None:
    """Where a receiver names objects only, those with an acked notification must be named, each state by itself."""
    ledger = [ledger_row("a"), ledger_row("b", object="ins-2"), ledger_row("c", state="resolved")]
    found = compared(ledger, [{"objId": "ins-1", "state": "firing"}, {"object": "ins-3"}, {"object": "ins-3"}])
    assert sorted(sessions(found.lost)) == ["b", "c"]
    [unknown] = found.unknown.examples
    assert (unknown.object_id, unknown.session_id, unknown.received_count) == ("ins-3", "", 2)


def test_attempts_explain_requests_and_not_effects() -> None:
    """Requests up to the number of attempts are expected, one more is not; one effect is expected for all attempts."""
    ledger = [ledger_row("a", attempts=2), ledger_row("b", attempts=2), ledger_row("c", attempts=2)]
    came = [
        *[recording_line(callback_body("a"))] * 2,
        *[recording_line(callback_body("b"))] * 3,
        *[callback_body("c")] * 2,
    ]
    found = compared(ledger, came)
    assert [(one.session_id, one.attempts, one.received_count) for one in found.duplicated.examples] == [
        ("b", 2, 3),
        ("c", 2, 2),
    ]
    assert found.unknown.notifications == found.lost.notifications == found.out_of_order.notifications == 0


def test_what_was_given_up_and_is_there_is_counted() -> None:
    """A receiver that takes and is too slow to say so disagrees with nobody."""
    found = compared([ledger_row("a", outcome="timed_out", attempts=4)], [recording_line(callback_body("a"))] * 4)
    assert (found.is_consistent, found.unacked) == (True, 1)


def test_out_of_order_is_what_cannot_be_explained() -> None:
    """A notification behind one that began when it had ended; what was under way together may come in any order."""
    found = compared(_LIFE, [callback_body("c"), callback_body("a"), callback_body("b")])
    assert sessions(found.out_of_order) == ["a", "b"]
    together = [ledger_row("a", ended_s=9.0), ledger_row("b", started_s=6.0, ended_s=6.5)]
    assert compared(together, [callback_body("b"), callback_body("a")]).is_consistent
    apart = [ledger_row("a"), ledger_row("b", alarm="policy-2/x/ins-1", started_s=6.0, ended_s=6.5)]
    assert compared(apart, [callback_body("b"), callback_body("a")]).is_consistent


def test_what_nobody_sent_is_unknown() -> None:
    """Sessions that no line of the ledger has, with the object they are about."""
    found = compared(
        [ledger_row("a")],
        [callback_body("a"), callback_body("x", "ins-9"), recording_line(callback_body("y", "ins-9"))],
    )
    assert [(one.object_id, one.session_id, one.attempts) for one in found.unknown.examples] == [
        ("ins-9", "x", 0),
        ("ins-9", "y", 0),
    ]
    assert found.unknown.objects == 1


def test_differences_are_counted_whole_and_reported_in_part() -> None:
    """All differences are counted; examples are limited to N objects with ten notifications each."""
    ledger = [ledger_row(f"{thing}-{n}", object=f"ins-{thing}") for thing in range(3) for n in range(12)]
    found = compared(ledger, [], most=2)
    assert (found.lost.notifications, found.lost.objects, len(found.lost.examples)) == (36, 3, 20)


def test_a_body_without_a_session_is_known_by_its_bytes() -> None:
    """Templates and broken bodies have a hash for a name, in the ledger and in the recording."""
    for body in (b"no JSON", b"[1]", b'{"content":"x"}', b"\xff\xfe"):
        text = {"body": body.decode()} if body.isascii() else {"body_base64": base64.b64encode(body).decode()}
        row = {key: value for key, value in recording_line(None).items() if key != "body"} | text
        line = json.loads(ledger_line(ledger_entry(DeliveryRecord(ScheduledCallback(0.0, body), ()))))
        assert line["session"].startswith("sha256:")
        assert (line["outcome"], line["attempts"], line["alarm"]) == ("dropped", 0, line["session"])
        assert compared([line | {"outcome": "acked", "attempts": 1}], [row]).is_consistent


@pytest.mark.parametrize("form", [Form.DOCUMENTED, Form.EVENTBRIDGE, Form.CLOUDEVENTS])
def test_identities_are_those_of_the_generator(form: Form) -> None:
    """A body has the session, the object and, except in CloudEvents, the state of its callback."""
    shapes = Catalog.load().match("cvm/basic-monitoring" if form is Form.DOCUMENTED else "antiddos/events")
    generator = Generator(7, form=form)
    states = (State.FIRING, State.RESOLVED) if form is Form.DOCUMENTED else (State.FIRING,)
    alarm = generator.alarm(shapes[0])
    for state in states:
        callback_ = generator.callback(alarm, state)
        reported = key_from_body(callback_.to_bytes())
        assert reported.session_id == callback_.session_id
        if form is not Form.CLOUDEVENTS:
            assert reported.state == state
            assert reported.object_id in alarm.dimensions.values()
            assert reported.alarm_key.startswith(alarm.policy_id) == (form is Form.DOCUMENTED)
            assert reported.alarm_key.endswith(reported.object_id)


def test_a_repeat_is_reported_from_a_firing() -> None:
    """The age of a body tells a repeat from a firing; without an object its dimensions name it."""
    [shape] = Catalog.load().match("cvm/basic-monitoring")
    generator = Generator(7)
    alarm = generator.alarm(shape, required_state=State.REPEATED)
    assert key_from_body(generator.callback(alarm, State.REPEATED, 2).to_bytes()).state == State.REPEATED
    odd = {"sessionId": "s", "alarmObjInfo": {"dimensions": {"vip": "10.0.0.1", "vport": 443}}}
    assert key_from_body(json.dumps(odd).encode()) == ("vip=10.0.0.1,vport=443", "vip=10.0.0.1,vport=443", "s", "")


def test_an_entry_says_what_its_script_says() -> None:
    """Names of the script are the ledger's; times and outcome are those of the first and the last push."""
    due = ScheduledCallback(0.0, b"{}", "alarm", "ins-1", "resolved", "s")
    pushes = (AttemptRecord(0.0, 0.5, 5.5, Outcome.TIMED_OUT), AttemptRecord(6.5, 6.5, 6.75, Outcome.ACKED, 200))
    line = ledger_line(ledger_entry(DeliveryRecord(due, pushes)))
    LEDGER.validate(json.loads(line))
    [(number, read)] = read_ledger(io.BytesIO(line.encode()), "x")
    assert number == 1
    assert read == ledger_entry(DeliveryRecord(due, pushes))
    assert read.key == NotificationKey("alarm", "ins-1", "s", "resolved")
    assert (read.outcome, read.attempts, read.started_s, read.ended_s) == ("acked", 2, 0.5, 6.75)


@pytest.mark.parametrize(
    "line, complaint",
    [
        (b"{", "ledger.jsonl:2: is not JSON, and has no end: was its writer stopped?"),
        (b"{\n", "ledger.jsonl:2: is not JSON; write one JSON object a line"),
        (b"[" * 100_000 + b"\n", "ledger.jsonl:2: is not JSON; write one JSON object a line"),
        (b"7\n", "ledger.jsonl:2: is not a JSON object; write one a line"),
        (b"\xff\n", "ledger.jsonl:2: is not UTF-8 (byte 0)"),
        (jsonl([ledger_row("a")]), "ledger.jsonl:2: session 'a' stands in line 1, too; reconcile one run at a time"),
        (jsonl([ledger_row("b", version=2)]), "ledger.jsonl:2: version: is 2, not 1"),
        (jsonl([ledger_row("b", outcome="ackd")]), 'ledger.jsonl:2: outcome: is "ackd", not '),
        (jsonl([ledger_row("b", attempts=-1)]), "ledger.jsonl:2: attempts: is -1, less than 0"),
        (jsonl([ledger_row("b", attempts=10**30)]), "ledger.jsonl:2: attempts: "),
        (jsonl([ledger_row("b", started_s=float("nan"))]), "ledger.jsonl:2: started_s: nan is not a JSON number"),
        (jsonl([ledger_row("b", ended_s=10**400)]), "ledger.jsonl:2: ended_s: "),
        (jsonl([ledger_row("")]), "ledger.jsonl:2: session: "),
        (jsonl([ledger_row("b", sesion="b")]), "ledger.jsonl:2: 'sesion' "),
    ],
)
def test_a_ledger_that_cannot_be_read_is_reported_by_its_line(line: bytes, complaint: str) -> None:
    """File, line, key and what is wrong, in one line."""
    stream = io.BytesIO(jsonl([ledger_row("a")]) + line)
    with pytest.raises(UsageError) as raised:
        reconcile(read_ledger(stream, "ledger.jsonl"), [], "ledger.jsonl", 1)
    assert str(raised.value).startswith(complaint)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "row, complaint",
    [
        ({"id": 7}, "r:1: has no id; a line holds a body, or sessionId, "),
        ({"object": "ins-1", "state": "open"}, "r:1: state 'open' is none of firing, repeated, resolved"),
        (
            {**recording_line(None), "body": None, "body_base64": "ä"},
            "r:1: body_base64 is not base64; is it a recording of",
        ),
        (
            {**recording_line(None), "body": None, "body_base64": 7},
            "r:1: body_base64 is not base64; is it a recording of",
        ),
    ],
)
def test_what_a_receiver_has_is_reported_by_its_line(row: dict[str, Any], complaint: str) -> None:
    """A line that names no notification is not a difference: it cannot be read."""
    with pytest.raises(UsageError) as raised:
        list(read_received_items(io.BytesIO(jsonl([row])), "r"))
    assert str(raised.value).startswith(complaint)


def test_a_line_without_end_is_not_read_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line longer than any body is rejected by its length."""
    monkeypatch.setattr("tcop_mock.load.ledger._MAX_LINE_BYTES", 100)
    with pytest.raises(UsageError, match=r"^r:2: is longer than "):
        list(read_received_items(io.BytesIO(b"\n" + b"x" * 102), "r"))


def test_half_a_pair_of_surrogates_is_stored_as_an_escape() -> None:
    """Text that UTF-8 cannot encode is compared, and shown as an escape."""
    found = compared([ledger_row("\ud800")], [{"session": "\ud800", "object": "\udfff"}, {"object": "\udfff"}])
    assert found.lost.notifications == 0
    assert [one.object_id for one in found.unknown.examples] == ["\\udfff"]


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "version": st.sampled_from([1, 1.0, 2, True, "1"]),
            "outcome": st.sampled_from(["acked", "dropped", "none", 1]),
            "attempts": st.sampled_from([0, 1, 1.0, -1, 1.5, 10**7, None]),
            "started_s": st.sampled_from([0, 1, 1.5, -1e13, "0"]),
            "state": st.sampled_from(["", "firing", "open"]),
            "alarm": st.sampled_from(["", "x", None]),
            "more": st.just(1),
        },
    )
)
def test_the_reader_takes_what_the_schema_takes(changed: dict[str, Any]) -> None:
    """Nothing more and nothing less, though most lines never see the schema."""
    row = ledger_row("s") | changed
    try:
        read = len(list(read_ledger(io.BytesIO(jsonl([row])), "x")))
    except UsageError:
        read = 0
    assert read == LEDGER.is_valid(row)
