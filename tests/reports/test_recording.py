"""Lines of ``listen`` about a request."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from jsonschema import Draft202012Validator

from tcop_mock.callbacks.generator import Generator, LifecyclePoint
from tcop_mock.callbacks.rendering import BodyRenderer
from tcop_mock.callbacks.validator import CallbackValidator
from tcop_mock.catalog.data_files import read_schema
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.callback import State
from tcop_mock.reports.recording import Record, Recording
from tcop_mock.server.messages import ReceivedRequest

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

REQUEST = ReceivedRequest("POST", "/hook", (("host", "x"),), b"{}", 0.0)
RECORD = Record(
    request=REQUEST,
    received_at="2026-11-23T22:31:05.123456+08:00",
    auth="none",
    service="webhook",
    status=200,
    fault=None,
    note="",
    result=None,
)


def test_a_body_with_many_problems_does_not_fill_the_screen() -> None:
    """Twelve issues are listed, and the others are counted."""
    catalog = Catalog.load()
    tree = json.loads(
        BodyRenderer(Generator(1), catalog.get("cvm/basic-monitoring"), LifecyclePoint(State.FIRING)).body(0)
    )
    conditions = tree["alarmPolicyInfo"]["conditions"]
    conditions |= {key: [] for key in conditions}
    verdict = CallbackValidator(catalog, load_profile()).validate(json.dumps(tree).encode())
    request, *notes, rest = RECORD._replace(result=verdict).lines(quiet=False)
    assert request == "22:31:05.123 POST /hook 200"
    assert len(notes) == 12
    assert rest == "  … 1 more note; tcop-mock validate shows all"


def test_a_record_is_one_line_of_json() -> None:
    """Quotes, line ends and half a surrogate pair are kept, secrets are masked; the line can be read again."""
    request = ReceivedRequest(
        "POST",
        "/pagerduty/v2/enqueue?key=hidden",
        (("authorization", "Basic hidden"), ("x-é", 'a"b')),
        '{"routing_key": "hidden", "text": "飞书\u2028\\n"}'.encode(),
        0.0,
    )
    line = RECORD._replace(request=request, service="pagerduty", note="trigger \ud800").to_json()
    assert "hidden" not in line
    assert line.endswith("}\n")
    record = json.loads(line.encode())
    Draft202012Validator(read_schema("recording")).validate(record)
    assert record["headers"] == [["authorization", "***"], ["x-é", 'a"b']]
    assert json.loads(record["body"]) == {"routing_key": "***", "text": "飞书\u2028\n"}
    assert record["note"] == "trigger \ud800"


def test_a_synced_recording_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each batch is synchronised once; without the option never."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    for is_synced in (True, False):
        recording = Recording(tmp_path / "r.jsonl", is_synced=is_synced)
        recording.write("1\n2\n")
        recording.close()
    assert (tmp_path / "r.jsonl").read_text() == "1\n2\n" * 2
    assert len(synced) == 1
