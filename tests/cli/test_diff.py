"""``diff``: each body compared with the one before it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from tcop_mock.catalog.data_files import read_schema

if TYPE_CHECKING:
    from pathlib import Path

    from commands import RunCommand

CVM = "cvm/basic-monitoring"


@pytest.fixture
def captured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write two bodies that differ in one type, one addition and one removal, and work in their folder."""
    (tmp_path / "a.json").write_text('{"x": "443", "y": [1], "z": "\\u202e"}', encoding="utf-8")
    (tmp_path / "b.json").write_text('{"y": [1, {"k": null}],\n "x": 443}', encoding="utf-8")
    monkeypatch.chdir(tmp_path)


def test_a_lifecycle_shows_what_changes(tcop: RunCommand, tmp_path: Path) -> None:
    """Each callback is compared with the one before it; the alarm's identity does not differ."""
    bodies = tcop("emit", CVM, "--seed", "1", "--lifecycle", "fire,repeat,resolve").stdout
    (tmp_path / "life.ndjson").write_text(bodies, encoding="utf-8")
    done = tcop("diff", str(tmp_path / "life.ndjson"))
    assert done.exit_code == 1
    heads = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert [head.partition(" -> ")[0].rpartition(", ")[2] for head in heads] == ["line 1", "line 2"]
    assert '  changed  alarmStatus: "1" -> "0"' in done.stdout
    assert "alarmObjInfo" not in done.stdout


@pytest.mark.usefixtures("captured")
def test_two_files_are_compared(tcop: RunCommand) -> None:
    """Each difference is one line with path, kind and values; text that could change the terminal is escaped."""
    done = tcop("diff", "a.json", "b.json")
    assert (done.exit_code, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        "a.json -> b.json: 3 differences",
        '  type     x: string "443" -> number 443',
        '  added    y.1: {"k": null}',
        '  removed  z: "\\u202e"',
    ]


@pytest.mark.usefixtures("captured")
def test_the_document_keeps_its_schema(tcop: RunCommand) -> None:
    """With --json the values are JSON, and a missing value has no key."""
    schema = read_schema("diff-report")
    Draft202012Validator.check_schema(schema)
    document = tcop("diff", "a.json", "b.json", "b.json", "--json").document
    Draft202012Validator(schema).validate(document)
    first, second = document["comparisons"]
    assert first == {
        "a": "a.json",
        "b": "b.json",
        "differences": [
            {"path": "x", "kind": "type", "a": "443", "b": 443},
            {"path": "y.1", "kind": "added", "b": {"k": None}},
            {"path": "z", "kind": "removed", "a": "\u202e"},
        ],
    }
    assert second["differences"] == []


@pytest.mark.usefixtures("captured")
def test_equal_bodies_are_reported(tcop: RunCommand) -> None:
    """The exit code is 0, and one line says so."""
    done = tcop("diff", "a.json", "a.json")
    assert (done.exit_code, done.stdout) == (0, "a.json -> a.json: no differences\n")


@pytest.mark.usefixtures("captured")
def test_another_whole_value_is_one_difference(tcop: RunCommand, tmp_path: Path) -> None:
    """A body that is not an object differs as a whole."""
    (tmp_path / "c.json").write_text("[]", encoding="utf-8")
    (tmp_path / "d.json").write_text("1", encoding="utf-8")
    assert "  type     (the whole body): array [] -> number 1\n" in tcop("diff", "c.json", "d.json").stdout


@pytest.mark.usefixtures("captured")
def test_what_cannot_be_compared_is_refused(tcop: RunCommand, tmp_path: Path) -> None:
    """One body, and a body that is not JSON, end with code 2 and a line that names the file."""
    (tmp_path / "cut.json").write_text('{"x": ', encoding="utf-8")
    for files, message in (
        (["a.json"], "a.json: there is one body only; give two files, or a file with several bodies"),
        (["a.json", "cut.json"], "cut.json: the body is not JSON: it is cut off at character 6"),
        (["a.json", "none.json"], "file 'none.json' cannot be read: No such file or directory"),
    ):
        done = tcop("diff", *files)
        assert (done.exit_code, done.error_message) == (2, message)


@pytest.mark.usefixtures("captured")
def test_what_is_no_body_is_skipped_and_reported(tcop: RunCommand, tmp_path: Path) -> None:
    """Entries of a HAR file that are not callbacks are left out, with a line each."""
    request = {"method": "GET", "url": "http://h/", "headers": []}
    post = request | {"method": "POST", "postData": {"mimeType": "application/json", "text": '{"x": "443"}'}}
    entries = [{"request": one, "startedDateTime": "2026-11-30T00:00:00Z"} for one in (request, post)]
    (tmp_path / "c.har").write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}), encoding="utf-8")
    done = tcop("diff", "c.har", "a.json")
    assert done.exit_code == 1
    assert "c.har: " in done.stderr
    assert "was skipped" in done.stderr
    assert done.stdout.startswith("c.har, entry 2 -> a.json: 2 differences\n")
