"""Parsers in place of receivers: ``check --model`` and ``check --schema``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tcop_mock.catalog.profiles import load_profile

if TYPE_CHECKING:
    from commands import CommandResult, RunCommand

MODULE = """
import time

def parse(body):
    print("told by the parser")
    return body["alarmObjInfo"]["region"]

def careful(body):
    if not isinstance(body.get("sessionId"), str):
        raise ValueError("no session")

def pondering(body):
    if body["alarmObjInfo"].get("namespace") not in ("qce/cvm", None):
        time.sleep(6)

def nothing(body):
    raise ValueError("\\x1b[2J not today")
"""
STATUS = {"properties": {"alarmStatus": {"type": "string"}}, "type": "object"}


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the name of a module in the working directory, beside a schema."""
    name = f"parser_of_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "alarm.schema.json").write_text(json.dumps(STATUS), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def _failed(done: CommandResult) -> dict[str, list[str]]:
    rows = [row for row in done.document["clauses"] if row["result"] == "fail"]
    return {row["code"]: [finding["title"] for finding in row["findings"]] for row in rows}


@pytest.mark.proof
def test_a_parser_that_takes_all_keeps_the_contract_of_bodies(tcop: RunCommand, module: str) -> None:
    """Clauses about payloads pass; whatever needs a receiver is not run, and says so."""
    done = tcop("check", "--model", f"{module}:careful", "--json", "--seed", "7")
    assert done.exit_code == 0
    results = {row["code"]: row for row in done.document["clauses"]}
    passed = {code for code, row in results.items() if row["result"] == "pass"}
    assert passed == {f"TCM{number}" for number in (101, 115, *range(301, 313), 314, 315, 317, 318, 320, 321)}
    assert results["TCM102"]["reason"] == (
        "needs a receiver: a model is asked about bodies that have been parsed, nothing else"
    )
    assert done.document["target"] == f"{module}:careful"


def test_a_parser_that_hangs_is_reported_as_late(
    tcop: RunCommand, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body whose parsing takes longer than the deadline has no answer; the report is written as for receivers."""
    hurried = load_profile()
    hurried = replace(hurried, delivery=replace(hurried.delivery, timeout_s=1.5))
    monkeypatch.setattr("tcop_mock.catalog.profiles.load_profile", lambda _name: hurried)
    done = tcop(
        "check",
        "--model",
        f"{module}:pondering",
        "--clauses",
        "TCM306",
        "--json",
        "--seed",
        "7",
        "--report",
        "json=r.json",
    )
    assert list(_failed(done)) == ["TCM306"]
    assert "outcome: timed_out" in done.document["clauses"][0]["findings"][0]["evidence"]
    assert json.loads(Path("r.json").read_text(encoding="utf-8")) == done.document


@pytest.mark.proof
def test_a_finding_is_a_cause_over_shapes_forms_and_states(tcop: RunCommand, module: str) -> None:
    """Rejections with one cause are one finding, with the exception and a command that repeats it."""
    done = tcop("check", "--model", f"{module}:parse", "--json", "--seed", "7")
    assert done.exit_code == 1
    assert set(_failed(done)) == {"TCM101", "TCM303", "TCM320"}
    [finding] = done.document["clauses"][0]["findings"]
    assert finding["title"].startswith("cdn/domain firing and 17 more: broke with KeyError: 'region'")
    assert "cdn/domain repeated" in finding["detail"]
    assert "cdn/domain firing (observed)" in finding["detail"]
    assert f"raised in parse, line 6 of {module}.py" in finding["evidence"]
    assert finding["reproduce"]["cli"].startswith(f"tcop-mock check --model {module}:parse --clauses TCM101 ")
    assert "told by the parser" in done.stderr


def test_a_schema_is_checked_by_what_it_would_refuse(tcop: RunCommand, module: str) -> None:
    """Path and message of what a receiver's own schema has against callbacks."""
    assert module
    done = tcop("check", "--schema", "alarm.schema.json", "--json", "--seed", "7")
    [title] = _failed(done)["TCM301"]
    assert title.endswith("alarmStatus as integer and 2 more: refused: alarmStatus: is an integer, not a string")
    assert "TCM403" in {row["code"] for row in done.document["clauses"] if row["result"] == "pass"}


def test_a_schema_that_takes_any_root_is_reported(tcop: RunCommand, tmp_path: Path) -> None:
    """A schema that accepts any root fails TCM403, with the accepted body as evidence."""
    (tmp_path / "any.json").write_text("true", encoding="utf-8")
    done = tcop("check", "--schema", str(tmp_path / "any.json"), "--clauses", "TCM403", "--json", "--seed", "7")
    assert list(_failed(done)) == ["TCM403"]
    assert "< taken" in done.document["clauses"][0]["findings"][0]["evidence"]


def test_a_refusal_is_seen_again_by_its_command(tcop: RunCommand, module: str, tmp_path: Path) -> None:
    """The line that a finding shows runs as it stands and raises what was reported."""
    done = tcop("check", "--model", f"{module}:parse", "--clauses", "TCM303", "--json", "--seed", "7")
    command = done.document["clauses"][0]["findings"][0]["reproduce"]["curl"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    again = subprocess.run(  # noqa: S603 - it is ours
        ["/bin/sh", "-c", command], cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, check=False
    )
    assert again.returncode == 1
    assert again.stderr.endswith(b"KeyError: 'region'\n")


def test_a_parser_that_takes_nothing_is_reported_by_the_first_clause(tcop: RunCommand, module: str) -> None:
    """The other clauses stand on a plain callback, and are errors that say why; nothing moves the cursor."""
    call = ("check", "--model", f"{module}:nothing", "--clauses", "TCM101,TCM309", "--seed", "7")
    screen, full = tcop(*call), tcop(*call, "-v")
    assert (screen.exit_code, full.exit_code) == (1, 1)
    assert "ERROR 1 clause: inconclusive because of TCM101\n" in screen.stdout
    assert "a plain one is refused with ValueError: [2J not today (TCM101)" in " ".join(full.stdout.split())
    assert "\x1b" not in screen.stdout + full.stdout


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--model", "m:f", "--schema", "s"], "--model and --schema: one target at a time; leave out the "),
        (["http://x/", "--model", "m:f"], "TARGET and --model: one target at a time; leave out the others"),
        (
            ["--model", "m:f", "--report", "pytest=x.py"],
            "--report pytest: a model gets no requests; take json, text or html",
        ),
        (["--model", "no_such_module:f"], "no_such_module:f is not a parser: ModuleNotFoundError: No module named "),
        (["--schema", "no-such.json"], "schema file 'no-such.json' cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be_checked_is_reported_in_a_line(
    tcop: RunCommand, module: str, arguments: list[str], complaint: str
) -> None:
    """Two targets, and parsers that are not there, are mistakes of the call."""
    assert module
    done = tcop("check", *arguments, "--seed", "7")
    assert done.exit_code == 2
    assert done.error_message.startswith(complaint)


def test_a_target_of_the_environment_is_for_other_calls(
    tcop: RunCommand, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who names a parser need not unset the variable that holds the receiver."""
    monkeypatch.setenv("TCOP_MOCK_TARGET", "http://ops:hunter2-x@127.0.0.1:9/")
    done = tcop("check", "--model", f"{module}:careful", "--clauses", "TCM302", "--json", "--seed", "7")
    assert (done.exit_code, done.document["target"]) == (0, f"{module}:careful")
    assert "hunter2" not in done.stdout + done.stderr
