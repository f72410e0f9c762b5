"""The verb learn: drafts of entries from captures, and drift."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from tcop_mock.catalog.data_files import read_schema

if TYPE_CHECKING:
    from pathlib import Path

    from commands import CommandResult, RunCommand


def emitted(tcop: RunCommand, *arguments: str) -> list[str]:
    """Return bodies that emit prints."""
    return tcop("emit", *arguments, "-q").stdout.splitlines()


def recording(bodies: list[str]) -> bytes:
    """Return what listen records of bodies."""
    rows = [
        {
            "version": 1,
            "received": "2026-11-30T06:00:00.000+00:00",
            "method": "POST",
            "path": "/",
            "headers": [["Content-Type", "application/json"]],
            "body_base64": base64.b64encode(body.encode()).decode(),
        }
        for body in bodies
    ]
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


def test_a_recording_of_mixed_callbacks_becomes_entries(tcop: RunCommand, tmp_path: Path) -> None:
    """Drafts pass the lint; what emit makes of them is recognised, and so are the captures; nothing has drifted."""
    bodies = emitted(tcop, "[cdmv]*", "-n", "5", "--seed", "3")
    bodies += emitted(tcop, "c*", "-n", "2", "--seed", "4", "--form", "observed")
    assert len(bodies) > 200
    own = str(tmp_path / "own")
    done = tcop("learn", "-", "--to", own, stdin=recording(bodies))
    assert done.exit_code == 0
    assert all(line.startswith("draft      ") for line in done.stdout.splitlines())
    assert "left to decide" not in done.stderr
    assert tcop("list", "--lint", "--catalog", own).exit_code == 0
    drafts = [line.split()[1].rstrip(":") for line in done.stdout.splitlines()]
    made = "\n".join(line for draft in drafts[::6] for line in emitted(tcop, draft, "--catalog", own)).encode()
    for stdin in (made, "\n".join(bodies[::12]).encode()):
        assert tcop("validate", "-", "-q", "--catalog", own, stdin=stdin).exit_code == 0
    again = tcop("learn", "-", "--to", own, stdin=recording(bodies))
    assert (again.exit_code, again.stdout) == (0, "")


def test_drift_is_exit_code_1(tcop: RunCommand, tmp_path: Path) -> None:
    """A new key or another type is reported once, with the id of the entry."""
    own = str(tmp_path)
    bodies = emitted(tcop, "clb/public-listener", "-n", "3", "--seed", "1")
    assert tcop("learn", "-", "--to", own, stdin="\n".join(bodies).encode()).exit_code == 0
    changed = [body.replace('"vip"', '"zone":"z","vip"') for body in bodies]
    done = tcop("learn", "-", "--to", own, stdin="\n".join(changed).encode())
    assert (done.exit_code, done.stdout.splitlines()) == (
        1,
        ["drift      lb/clb-listener-public: dimensions.zone: is a new key"],
    )


def test_without_a_folder_callbacks_are_compared_with_the_catalogue(tcop: RunCommand, tmp_path: Path) -> None:
    """Drafts of unknown products are printed; the rest is compared with its entry."""
    known, other = emitted(tcop, "cos/bucket", "--seed", "1"), emitted(tcop, "cos/bucket", "--seed", "2")
    stranger = other[0].replace("qce/cos", "qce/acme").replace('"policyType":"COS"', '"policyType":"acme"')
    assert tcop("learn", "-", stdin=known[0].encode()).stdout == ""
    done = tcop("learn", "-", stdin=f'{known[0]}\n{stranger}\n{{"a":1}}\n'.encode())
    assert done.exit_code == 0
    assert done.stdout.startswith("# acme/acme.toml, from 1 callback\n")
    assert "1 part left out" in done.stderr
    file = tmp_path / "acme.toml"
    file.write_text(done.stdout, encoding="utf-8")
    assert tcop("list", "--lint", "--catalog", str(tmp_path)).exit_code == 0


def test_the_document_keeps_its_schema(tcop: RunCommand, tmp_path: Path) -> None:
    """The document names a file for each draft if there is a folder."""

    def kept(done: CommandResult) -> CommandResult:
        Draft202012Validator(read_schema("learn-report")).validate(done.document)
        return done

    body = emitted(tcop, "cos/bucket", "--seed", "1")[0]
    done = kept(tcop("learn", "-", "--json", "--to", str(tmp_path), stdin=body.encode()))
    [draft] = done.document["drafts"]
    assert (draft["id"], draft["bodies"]) == ("cos/cos", 1)
    assert draft["file"].endswith("cos.toml")
    changed = body.replace('"bucket"', '"zone":1,"bucket"')
    done = kept(tcop("learn", "-", "--json", "--to", str(tmp_path), stdin=changed.encode()))
    assert (done.exit_code, done.document["drafts"]) == (1, [])
    assert done.document["drift"] == [{"id": "cos/cos", "path": "dimensions.zone", "message": "is a new key"}]
    assert kept(tcop("learn", "-", "--json", stdin=changed.encode())).document["drafts"] == []


def test_an_error_of_a_draft_is_reported(tcop: RunCommand) -> None:
    """The parts that a draft lacks to pass the lint are listed as left to decide."""
    body = json.loads(emitted(tcop, "cos/bucket", "--seed", "1")[0])
    body["alarmObjInfo"]["namespace"] = "qce/acme"
    body["alarmPolicyInfo"] |= {"policyType": "acme"}
    del body["alarmPolicyInfo"]["conditions"]
    done = tcop("learn", "-", stdin=json.dumps(body).encode())
    assert done.exit_code == 0
    assert "acme/acme: left to decide: metrics: " in done.stderr


@pytest.mark.parametrize("stdin", [b'{"a":1}', b'{"specversion":"1.0","source":"cvm.cloud.tencent"}'])
def test_nothing_to_learn_is_exit_code_2(tcop: RunCommand, stdin: bytes) -> None:
    """The line says what is learned."""
    done = tcop("learn", "-", stdin=stdin)
    assert (done.exit_code, done.error_message) == (
        2,
        "-: there is nothing to learn: no callback of an alarm of metrics, events or Prometheus",
    )
