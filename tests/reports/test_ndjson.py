"""A run as lines of JSON."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator
from verdict_samples import ERROR, FAILED, PASSED, SKIPPED, make_verdict, run_events

from tcop_mock.catalog.data_files import read_schema
from tcop_mock.errors import UsageError
from tcop_mock.reports.json import check_document, json_text
from tcop_mock.reports.ndjson import NdjsonFile, event_document, render_ndjson

if TYPE_CHECKING:
    from pathlib import Path

_OF = make_verdict(PASSED, FAILED, ERROR, *SKIPPED)


def test_each_event_keeps_its_schema() -> None:
    """Every line is closed by its schema, clauses and the report in it by theirs."""
    lines = Draft202012Validator(read_schema("check-event"))
    report = Draft202012Validator(read_schema("check-report"))
    for event in run_events(_OF):
        document = event_document(event)
        assert not list(lines.iter_errors(document))
        if document["event"] == "run-finished":
            assert not list(report.iter_errors(document["report"]))
            assert document["report"] == check_document(_OF)


def test_a_line_is_there_as_soon_as_it_is_told(tmp_path: Path) -> None:
    """After each event the file has one whole line more; what an earlier run left is gone."""
    place = tmp_path / "run.ndjson"
    place.write_text("of another run\n", encoding="utf-8")
    stream = NdjsonFile(place)
    for number, event in enumerate(run_events(_OF), start=1):
        stream(event)
        lines = place.read_text(encoding="utf-8").splitlines()
        assert len(lines) == number
        assert json.loads(lines[-1]) == json.loads(json_text(event_document(event)))
    stream.fail("it ended in tears")
    stream.close()
    last = json.loads(place.read_text(encoding="utf-8").splitlines()[-1])
    assert last == {"version": 1, "event": "run-failed", "message": "it ended in tears"}
    assert not list(Draft202012Validator(read_schema("check-event")).iter_errors(last))


def test_a_run_that_has_ended_can_be_told_so_too() -> None:
    """The lines of a verdict are those of a run, but for when clauses began."""
    told = [json.loads(line) for line in render_ndjson(_OF).splitlines()]
    assert [line["event"] for line in told] == ["run-started", *["clause-finished"] * 5, "run-finished"]
    assert told[0]["clauses"] == [line["clause"]["code"] for line in told[1:-1]]


def test_a_file_that_cannot_be_opened_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system says is told with the name of the file."""

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(UsageError, match=r"run\.ndjson' cannot be written: Permission denied"):
        NdjsonFile(tmp_path / "run.ndjson")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")  # noqa: PTH110 - a device
def test_a_full_disk_is_a_usage_error() -> None:
    """A line that cannot be written is told with the name of the file."""
    stream = NdjsonFile("/dev/full")
    with pytest.raises(UsageError, match="cannot be written: No space left"):
        stream.fail("x")
    stream.close()
