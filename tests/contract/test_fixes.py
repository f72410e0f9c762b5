"""The fixes: files match their schema, samples compile, and runnable ones work."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import re
import shutil
import sqlite3
import subprocess
from collections import OrderedDict
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI, HTTPException, Request, Response
from flask import Flask, request

from tcop_mock.callbacks.generator import Generator
from tcop_mock.catalog.data_files import data_root, iter_files, read_entry
from tcop_mock.catalog.loader import Catalog
from tcop_mock.contract.clauses import FIX_SCHEMA, FRAMEWORK_NAMES, LANGUAGE_BY_FRAMEWORK, Fix, load_clauses, load_fixes
from tcop_mock.domain.callback import State
from tcop_mock.domain.delivery import OutgoingRequest
from tcop_mock.domain.shape import AlarmKind
from tcop_mock.domain.target import Target
from tcop_mock.transport.asgi import AsgiTransport

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

FILES = dict(iter_files(data_root("contracts") / "fixes", ".toml"))
FIXES = dict(zip(FILES, load_fixes(), strict=True))
PYTHON = [
    (name, language)
    for name, fix in FIXES.items()
    for language in fix.samples
    if language == "python" or LANGUAGE_BY_FRAMEWORK.get(language) == "python"
]
BROKEN = [b"", b"{", b"[]", b"null", b'"x"', b"[" * 100_000, b'{"a":"\xff"}']


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
def test_every_fix_keeps_its_schema(file: Traversable) -> None:
    """A fix file matches its schema."""
    read_entry(file, FIX_SCHEMA, check=True)


def test_every_clause_has_a_fix() -> None:
    """Every clause has a sample, and every sample is for an existing clause."""
    fixed = {code for fix in FIXES.values() for code in fix.clauses}
    assert fixed == {clause.code for clause in load_clauses()}


@pytest.mark.parametrize("fix", FIXES.values(), ids=FIXES)
@pytest.mark.parametrize("framework", LANGUAGE_BY_FRAMEWORK)
def test_every_framework_has_a_sample(fix: Fix, framework: str) -> None:
    """Each fix has a sample for each framework or its language."""
    [(name, sample)] = fix.samples_for(framework).items()
    assert name in FRAMEWORK_NAMES
    assert sample.strip()
    assert max(map(len, sample.splitlines())) <= 124


@pytest.mark.parametrize("name, language", PYTHON)
def test_python_samples_compile(name: str, language: str) -> None:
    """Python samples compile."""
    compile(FIXES[name].samples[language], f"{name}.{language}", "exec")


@pytest.mark.proof
@pytest.mark.skipif(shutil.which("node") is None, reason="needs node, to read JavaScript")
@pytest.mark.parametrize("name", FIXES)
def test_javascript_samples_are_javascript(name: str) -> None:
    """If node is installed, it accepts the syntax of JavaScript samples."""
    [sample] = FIXES[name].samples_for("express").values()
    done = subprocess.run(["node", "--check", "-"], input=sample.encode(), capture_output=True, check=False)
    assert done.stderr == b""


@pytest.mark.skipif(shutil.which("gofmt") is None, reason="needs gofmt, to read Go")
@pytest.mark.parametrize("name", FIXES)
def test_go_samples_are_go(name: str) -> None:
    """If gofmt is installed, it changes nothing in Go samples."""
    [sample] = FIXES[name].samples_for("go").values()
    done = subprocess.run(["gofmt"], input=sample.encode(), capture_output=True, check=False)
    assert (done.stderr, done.stdout.decode().strip()) == (b"", sample.strip())


def _run(name: str, language: str, **names: Any) -> dict[str, Any]:
    exec(FIXES[name].samples[language], names)  # noqa: S102 - it is ours
    return names


def _tree(shape: str = "cvm/basic-monitoring", state: State = State.FIRING, serial: int = 0) -> Any:
    generator = Generator(7)
    alarm = generator.alarm(Catalog.load().get(shape), serial, required_state=State.RESOLVED)
    return generator.callback(alarm, state).to_dict()


def test_flask_refuses_broken_bodies() -> None:
    """The sample responds 400 to each malformed body and 200 to a callback."""
    app, stored = Flask("app"), list[Any]()
    _run("refuse-broken-bodies", "flask", app=app, request=request, json=json, store=stored.append)
    client = app.test_client()
    assert {client.post("/alarm", data=body).status_code for body in BROKEN} == {400}
    assert client.post("/alarm", data=json.dumps(_tree())).status_code == 200
    assert client.post("/alarm", data=b"{}", environ_overrides={"CONTENT_LENGTH": "9"}).status_code == 400
    assert stored == [_tree()]


def test_fastapi_refuses_broken_bodies() -> None:
    """The sample responds 400 to each malformed body and 200 to a callback."""
    app, stored = FastAPI(), list[Any]()
    names = {"Request": Request, "HTTPException": HTTPException, "json": json}
    _run("refuse-broken-bodies", "fastapi", app=app, store=stored.append, **names)
    assert {_status(app, body) for body in BROKEN} == {400}
    assert _status(app, json.dumps(_tree()).encode()) == 200
    assert stored == [_tree()]


def _status(app: Any, body: bytes, *headers: tuple[str, str]) -> int | None:
    target = Target.parse("app:app/alarm")
    with AsgiTransport(app, target, max_body_bytes=1000, clock=lambda: 0.0) as post:
        return asyncio.run(post(OutgoingRequest(body, headers=headers), deadline_s=20.0)).status


RIGHT = ("Authorization", "Basic b3BzOmE6YnDDpA==")
WRONG = [
    ("Authorization", "Basic b3BzOmE6Yg=="),
    ("Authorization", "Bearer x"),
    ("Authorization", "Basic !"),
    ("Authorization", "Basic"),
    ("Authorization", "Basic b3BzOmE6YnDDpA"),
    ("Authorization", "Basic b3Bz"),
    ("Authorization", "Basic //46/w=="),
    ("Authorization", "Basic p\xe4ssw\xf6rter"),
    ("Authorization", "Bearer b3BzOmE6YnDDpA=="),
    ("Authorization", "Basic " + "YTpi" * 2048),
    ("X", "y"),
]


def test_flask_checks_credentials_first() -> None:
    """The sample accepts only the valid pair, including a colon and UTF-8."""
    app = Flask("app")
    _run(
        "check-credentials-first",
        "flask",
        app=app,
        request=request,
        hmac=hmac,
        base64=base64,
        USER="ops",
        PASSWORD="a:bpä",
    )
    app.post("/alarm")(lambda: "fine")
    client = app.test_client()
    assert client.post("/alarm", headers=[RIGHT]).status_code == 200
    assert {client.post("/alarm", headers=[wrong]).status_code for wrong in WRONG} == {401}


def test_fastapi_checks_credentials_first() -> None:
    """The sample accepts only the valid pair, like Flask's."""
    app = FastAPI()
    names = {"Request": Request, "Response": Response, "hmac": hmac, "base64": base64}
    _run("check-credentials-first", "fastapi", app=app, USER="ops", PASSWORD="a:bpä", **names)
    app.post("/alarm")(lambda: "fine")
    assert _status(app, b"", RIGHT) == 200
    assert {_status(app, b"", wrong) for wrong in WRONG} == {401}


def test_flask_answers_with_a_fixed_text() -> None:
    """The sample repeats nothing of the exception, in a text that no browser renders."""
    app = Flask("app")
    _run("answer-fixed-text", "flask", app=app)

    @app.post("/alarm")
    def receive() -> str:
        raise ValueError("<b>")

    response = app.test_client().post("/alarm")
    assert (response.status_code, response.text) == (400, "refused\n")
    assert response.mimetype == "text/plain"


def test_every_callback_is_read() -> None:
    """The sample reads each shape in each state, and the mutations of clauses."""
    read = _run("read-leniently", "python")["read"]
    generator = Generator(7)
    for shape in Catalog.load():
        fields = read(generator.callback(generator.alarm(shape), State.FIRING).to_dict())
        assert fields["firing"] is (shape.kind is not AlarmKind.CLS)
        assert (fields["what"] != "unknown") is bool(shape.metrics or shape.events)
        assert (fields["object"] != "{}") is (shape.kind is not AlarmKind.CLS)
    assert read(_tree(state=State.RESOLVED) | {"alarmStatus": 0, "recoverTime": 0})["recovered"] is None
    assert read({"alarmStatus": 1})["firing"] is True


def test_an_alarm_is_one_incident() -> None:
    """The sample handles retries, repeats, resolves and late firings as the clauses require."""
    sample = _run("one-incident-an-alarm", "python", json=json, hashlib=hashlib)
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE pushes (session TEXT PRIMARY KEY)")
    database.execute("CREATE TABLE incidents (key TEXT PRIMARY KEY, status TEXT)")
    one, other = _tree(), _tree(serial=1)

    def states() -> list[str]:
        return sorted(status for (status,) in database.execute("SELECT status FROM incidents"))

    for alarm in (one, one, one | {"sessionId": "again"}, other):
        sample["take"](database, alarm)
    assert states() == ["open", "open"]
    sample["take"](database, one | {"alarmStatus": "0", "sessionId": "over"})
    sample["take"](database, one | {"sessionId": "late"})
    assert states() == ["closed", "open"]
    sample["take"](database, one | {"sessionId": "new", "firstOccurTime": "2030-01-01 00:00:00"})
    assert states() == ["closed", "open", "open"]
    database.close()


def test_what_is_kept_has_a_limit_and_logs_show_no_credentials() -> None:
    """The sample knows the newest sessions, and masks the header of a request that is logged."""
    sample = _run("run-for-months", "python", OrderedDict=OrderedDict, logging=logging, re=re)
    assert [sample["is_known"](session) for session in ("a", "b", "a", *map(str, range(10_000)), "a")] == [
        *(False, False, True),
        *[False] * 10_001,
    ]
    record = logging.makeLogRecord({"msg": "from %s", "args": ({"Authorization": "Basic YTpi"},)})
    assert sample["WithoutCredentials"]().filter(record)
    assert record.getMessage() == "from {'Authorization': 'Basic ***'}"


def test_times_are_beijing_s() -> None:
    """The sample parses a time as UTC+8."""
    instant = _run("beijing-time", "python", timezone=timezone, timedelta=timedelta, datetime=datetime)["instant"]
    assert instant("2025-01-01 08:00:00") == datetime(2025, 1, 1, tzinfo=UTC)


def test_messages_are_whole_and_within_limits() -> None:
    """The message shows state, metric and object, mentions nobody and stays within the limit."""
    sample = _run("write-for-the-reader", "python", json=json)
    text = json.loads(sample["message"](1, "cpu_usage", "<@all> 告警" * 1000, None))["text"]["content"]
    assert text.startswith("[FIRING] cpu_usage\n&lt;")
    assert "<@all>" not in text
    assert len(text.encode()) <= 2048
    event = json.loads(sample["event"](0, "cpu_usage", "x" * 2000, "k" * 300, "R" * 32))
    assert (event["event_action"], len(event["payload"]["summary"]), len(event["dedup_key"])) == ("resolve", 1024, 255)


def test_the_answer_of_2019() -> None:
    """The sample repeats the sessionId."""
    app = Flask("app")
    _run("answer-of-2019", "flask", app=app, request=request, store=lambda _: None)
    assert app.test_client().post("/alarm", data=json.dumps(_tree())).json == {
        "sessionId": _tree()["sessionId"],
        "retCode": 0,
    }
