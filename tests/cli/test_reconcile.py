"""``reconcile``: a ledger compared with the receiver's records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator
from ledger_samples import callback_body, jsonl, ledger_row, recording_line

from tcop_mock.catalog.data_files import read_schema

if TYPE_CHECKING:
    from pathlib import Path

    from commands import RunCommand

REPORT = Draft202012Validator(read_schema("reconcile-report"))


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    """Give a ledger of four notifications of two objects."""
    rows = [
        ledger_row("a"),
        ledger_row("b", state="resolved", started_s=2.0, ended_s=2.5),
        ledger_row("c", object="ins-2", alarm="policy-1/cpu_usage/ins-2"),
        ledger_row("d", object="ins-2", alarm="policy-1/mem_usage/ins-2", outcome="timed_out", attempts=4),
    ]
    file = tmp_path / "ledger.jsonl"
    file.write_bytes(jsonl(rows))
    return str(file)


def test_what_agrees_is_reported(tcop: RunCommand, ledger: str) -> None:
    """Code 0, a line a kind, and what was given up and is there."""
    came = jsonl([recording_line(callback_body(name)) for name in "abcd"] + [recording_line(None, method="GET")])
    done = tcop("reconcile", ledger, "-", stdin=came)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{ledger}: 4 notifications of 3 alarms, 3 acked",
        "standard input: 4 requests, 1 line without a callback",
        "lost: 0",
        "duplicated: 0",
        "out of order: 0",
        "unknown: 0",
        "not acknowledged, but received: 1",
        "The ledger and the receiver agree.",
    ]


def test_differences_are_reported_by_object(tcop: RunCommand, ledger: str, tmp_path: Path) -> None:
    """Code 1; each kind with its objects and notifications, escaped, as many as are asked for."""
    file = tmp_path / "received.jsonl"
    came = [
        callback_body("b"),
        callback_body("b"),
        callback_body("a"),
        callback_body("\x1b[31m", "ins-8"),
        {"object": "ins-9"},
    ]
    file.write_bytes(jsonl(came))
    done = tcop("reconcile", ledger, str(file), "--limit", "1")
    assert (done.exit_code, done.stderr) == (1, "")
    assert done.stdout.splitlines()[1:] == [
        f"{file}: 5 effects",
        "lost: 1 of 1 object, acknowledged, but not received",
        "  ins-2: firing c",
        "duplicated: 1 of 1 object, received more often than the attempts explain",
        "  ins-1: resolved b (2x of 1 attempt)",
        "out of order: 1 of 1 object, received after a later one of the same alarm",
        "  ins-1: firing a (1x of 1 attempt)",
        "unknown: 2 of 2 objects, received, but not in the ledger",
        "  ins-8: \\x1b[31m (1x)",
        "  … 1 more object (--limit N)",
        "The ledger and the receiver differ.",
    ]
    assert "  ins-9: by its object (1x)" in tcop("reconcile", ledger, str(file)).stdout.splitlines()


def test_the_document_keeps_its_schema(tcop: RunCommand, ledger: str, tmp_path: Path) -> None:
    """One versioned document, closed, with the same numbers."""
    file = tmp_path / "received.jsonl"
    file.write_bytes(jsonl([callback_body("a"), callback_body("x")]))
    done = tcop("reconcile", ledger, str(file), "--json")
    REPORT.validate(done.document)
    assert done.exit_code == 1
    assert [done.document[kind]["notifications"] for kind in ("lost", "unknown", "duplicated")] == [2, 1, 0]
    [lost, _] = done.document["lost"]["examples"]
    assert lost == {
        "object": "ins-1",
        "notifications": [
            {"alarm": "policy-1/cpu_usage/ins-1", "session": "b", "state": "resolved", "attempts": 1, "times": 0}
        ],
    }


def test_nothing_agrees_with_nothing(tcop: RunCommand, tmp_path: Path) -> None:
    """An empty file has been read: no notification, no request."""
    file = tmp_path / "empty.jsonl"
    file.touch()
    done = tcop("reconcile", str(file), "-")
    assert (done.exit_code, done.stdout.splitlines()[1]) == (0, "standard input: 0 requests")


@pytest.mark.parametrize(
    "ledger_name, complaint",
    [
        ("-", "standard input can be one of the two only: name a file for the other"),
        ("nosuch.jsonl", "file 'nosuch.jsonl' cannot be read: No such file or directory"),
        ("/", "file '/' cannot be read: Is a directory"),
    ],
)
def test_a_file_that_is_not_there_is_refused(tcop: RunCommand, ledger_name: str, complaint: str) -> None:
    """Code 2 and one line."""
    done = tcop("reconcile", ledger_name, "-")
    assert (done.exit_code, done.error_message) == (2, complaint)


def test_a_line_that_cannot_be_read_is_refused(tcop: RunCommand, ledger: str) -> None:
    """Code 2 with file and line; the rest is not reported."""
    done = tcop("reconcile", ledger, "-", stdin=b'{"sessionId": "a"}\n\nnothing\n')
    assert (done.exit_code, done.error_message) == (2, "standard input:3: is not JSON; write one JSON object a line")
