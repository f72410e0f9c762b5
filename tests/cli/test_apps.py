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
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder whose modules can be imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    return tmp_path


@pytest.fixture
def module(in_folder: Path) -> str:
    """Give the name of a module in the working directory."""
    name = f"hook_of_{in_folder.name.replace('-', '_')}"
    (in_folder / f"{name}.py").write_text(MODULE, encoding="utf-8")
    return name


def test_an_app_is_checked_as_a_url_is(tcop: RunCommand, module: str) -> None:
    """An app is checked by the whole contract with its credentials; its output does not enter the document."""
    done = tcop("check", f"ops:hunter2-x@{module}:app/hook", "--json", "--seed", "7")
    assert done.exit_code == 0
    assert done.document["target"] == f"***@{module}:app/hook"
    assert done.document["summary"]["failed"] == done.document["summary"]["errors"] == 0
    assert "told by the app" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_an_app_s_traceback_is_shown_without_its_password(tcop: RunCommand, module: str) -> None:
    """Attempt, document and finding show it; the curl line names the address at which the app would be served."""
    target = f"ops:hunter2-x@{module}:broken"
    send = ("send", "cvm/basic-monitoring", "--to", target, "--attempts", "1")
    text, document = tcop(*send), tcop(*send, "--json")
    check = tcop("check", target, "--clauses", "TCM101", "--seed", "7", "-v")
    assert (text.exit_code, document.exit_code, check.exit_code) == (1, 1, 1)
    assert "attempt 1: rejected 500 after " in text.stdout
    assert "  Traceback (most recent call last):" in text.stdout
    Draft202012Validator(read_schema("send-report")).validate(document.document)
    assert "Traceback" in document.document["deliveries"][0]["attempts"][0]["trace"]
    assert "KeyError: '***'" in check.stdout
    assert "curl -sS -i -X POST http://127.0.0.1:8000/ -u" in check.stdout
    for done in (text, document, check):
        assert "hunter2" not in done.stdout + done.stderr


NO_APPS = """
from aiohttp import web

aio = web.Application()
def create_app(): return None
def asgi2(scope): return None
def handler(alarm): return None
async def sick(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "Traceback:\\n  ^^^^\\nKeyError: 'DSN'\\n"})
"""


@pytest.mark.parametrize("verb", ["check", "send"])
@pytest.mark.parametrize(
    "attribute, reported",
    [
        ("create_app", "is a callable without arguments, perhaps a factory of the app; write {}:create_app()"),
        ("asgi2", "is an ASGI 2 app"),
        ("aio", "is an app of aiohttp, which is neither ASGI nor WSGI"),
        ("handler", "takes one argument, so it is no ASGI or WSGI app; --model {}:handler checks a callable"),
        ("nosuch", "is not an app: AttributeError: module '{}' has no attribute 'nosuch'"),
        ("sick", "the app did not start up: KeyError: 'DSN'"),
    ],
)
def test_what_is_no_app_is_no_finding(
    tcop: RunCommand, in_folder: Path, verb: str, attribute: str, reported: str
) -> None:
    """One line with the likely cause; an app that does not start shows the last line of its traceback."""
    name = f"noapps_{in_folder.name.replace('-', '_')}"
    (in_folder / f"{name}.py").write_text(NO_APPS, encoding="utf-8")
    target = f"{name}:{attribute}/alarm"
    call = (verb, target) if verb == "check" else (verb, "cvm/basic-monitoring", "--to", target)
    done = tcop(*call)
    assert done.exit_code == (3 if attribute == "sick" else 2)
    assert reported.format(name) in done.stderr.splitlines()[-1]
    assert "^^^^" not in done.stderr
    if attribute == "sick":
        assert "^^^^" in tcop(*call, "--debug").stderr


@pytest.mark.parametrize(
    "source, reported",
    [
        ("import sys\nsys.exit(3)\n", "it ends the process when it is imported"),
        ("def load():\n    return {}['DSN']\n\napp = load()\n", "KeyError: 'DSN' (load, line 2 of "),
    ],
)
def test_a_module_that_cannot_be_imported_says_where(
    tcop: RunCommand, in_folder: Path, source: str, reported: str
) -> None:
    """The last line of the traceback, with its place."""
    name = f"sick_{in_folder.name.replace('-', '_')}"
    (in_folder / f"{name}.py").write_text(source, encoding="utf-8")
    done = tcop("check", f"{name}:app")
    assert done.exit_code == 2
    assert reported in done.error_message


def test_a_clause_that_needs_threads_says_so(tcop: RunCommand, module: str) -> None:
    """A WSGI app is called in one thread, so nothing comes at once."""
    done = tcop("check", f"ops:hunter2-x@{module}:app", "--clauses", "TCM101,TCM515", "--json")
    results = {one["code"]: (one["result"], one["reason"]) for one in done.document["clauses"]}
    assert results["TCM101"] == ("pass", "")
    assert results["TCM515"] == (
        "not-run",
        "needs many requests at once, and one thread calls an app in this process; serve it and give its URL",
    )


def test_an_app_has_no_address_to_post_to(tcop: RunCommand, module: str) -> None:
    """A script for another tool needs a URL; an app has none."""
    done = tcop("emit", "cvm/basic-monitoring", "--format", "curl", "--to", f"{module}:app")
    assert (done.exit_code, done.error_message) == (
        2,
        f"--to {module}:app: an app in this process has no address; write its URL",
    )
