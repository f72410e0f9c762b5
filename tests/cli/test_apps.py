"""Apps in this process as targets: ``module:app`` in place of a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from tcop_mock.catalog.data_files import read_schema

if TYPE_CHECKING:
    from pathlib import Path

    from commands import RunCommand

MODULE = """
import base64, json

def right(environ):
    return environ.get("HTTP_AUTHORIZATION") == "Basic " + base64.b64encode(b"ops:hunter2-x").decode()

def app(environ, start_response):
    print("told by the app")
    if environ["REQUEST_METHOD"] != "POST":
        start_response("405 Method Not Allowed", [("Allow", "POST")])
    elif not right(environ):
        start_response("401 Unauthorized", [("WWW-Authenticate", "Basic")])
    else:
        try:
            alarm = json.loads(environ["wsgi.input"].read().decode())
        except ValueError:
            alarm = None
        start_response("200 OK" if isinstance(alarm, dict) else "400 Bad Request", [])
    return []

async def broken(scope, receive, send):
    if scope["type"] == "http":
        alarm = json.loads((await receive())["body"])
        password = dict(scope["headers"])[b"authorization"].decode()
        raise KeyError(base64.b64decode(password.partition(" ")[2]).decode())
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the name of a module in the working directory."""
    name = f"hook_of_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    return name


def test_an_app_is_judged_as_a_url_is(tcop: RunCommand, module: str) -> None:
    """By the whole contract, with its credentials; what it prints does not get into the document."""
    done = tcop("check", f"ops:hunter2-x@{module}:app/hook", "--json", "--seed", "7")
    assert done.exit_code == 0
    assert done.document["target"] == f"***@{module}:app/hook"
    assert done.document["summary"]["failed"] == done.document["summary"]["errors"] == 0
    assert "told by the app" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_an_app_s_traceback_is_shown_without_its_password(tcop: RunCommand, module: str) -> None:
    """In the attempt, in the document, and in a finding; curl posts to where it would be served."""
    target = f"ops:hunter2-x@{module}:broken"
    send = ("send", "cvm/basic-monitoring", "--to", target, "--attempts", "1")
    text, document = tcop(*send), tcop(*send, "--json")
    check = tcop("check", target, "--clauses", "TCM101", "--seed", "7")
    assert (text.exit_code, document.exit_code, check.exit_code) == (1, 1, 1)
    assert "attempt 1: rejected 500 after " in text.stdout
    assert "  Traceback (most recent call last):" in text.stdout
    Draft202012Validator(read_schema("send-report")).validate(document.document)
    assert "Traceback" in document.document["deliveries"][0]["attempts"][0]["trace"]
    assert "KeyError: '***:***'" in check.stdout
    assert "curl -sS -i -X POST http://127.0.0.1:8000/ -u" in check.stdout
    for done in (text, document, check):
        assert "hunter2" not in done.stdout + done.stderr


def test_an_app_has_no_address_to_post_to(tcop: RunCommand, module: str) -> None:
    """What is to be posted by others needs a URL."""
    done = tcop("emit", "cvm/basic-monitoring", "--format", "curl", "--to", f"{module}:app")
    assert (done.exit_code, done.error_message) == (
        2,
        f"--to {module}:app: an app in this process has no address; write its URL",
    )
