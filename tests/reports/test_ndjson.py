"""NDJSON report."""

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


def test_each_event_is_valid() -> None:
    """Every line is valid, and so are the clauses and the report in it."""
    lines = Draft202012Validator(read_schema("check-event"))
    report = Draft202012Validator(read_schema("check-report"))
    for event in run_events(_OF):
        document = event_document(event)
        assert not list(lines.iter_errors(document))
        if document["event"] == "run-finished":
            assert not list(report.iter_errors(document["report"]))
            assert document["report"] == check_document(_OF)


def test_a_line_is_written_at_once(tmp_path: Path) -> None:
    """Each event adds one complete line; the lines of an earlier run are removed."""
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


def test_a_finished_run_can_be_rendered() -> None:
    """The lines of a verdict are those of a run, without the starts of clauses."""
    rendered = [json.loads(line) for line in render_ndjson(_OF).splitlines()]
    assert [line["event"] for line in rendered] == ["run-started", *["clause-finished"] * 5, "run-finished"]
    assert rendered[0]["clauses"] == [line["clause"]["code"] for line in rendered[1:-1]]


def test_a_file_that_cannot_be_opened_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the file and the reason."""

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(UsageError, match=r"run\.ndjson' cannot be written: Permission denied"):
        NdjsonFile(tmp_path / "run.ndjson")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")  # noqa: PTH110 - a device
def test_a_full_disk_is_a_usage_error() -> None:
    """The error about a line that cannot be written names the file."""
    stream = NdjsonFile("/dev/full")
    with pytest.raises(UsageError, match="cannot be written: No space left"):
        stream.fail("x")
    stream.close()
