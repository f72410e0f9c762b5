"""The Python API: ``tcop_mock.check``, ``tcop_mock.send``, ``tcop_mock.validate`` and their async forms."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import pkgutil
import shlex
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import apps
import pytest
from receiver_factories import in_thread, server_factory
from verdict_samples import ERROR, FAILED, KNOWN, PASSED, SHOULD, SKIPPED, make_verdict

import tcop_mock
import tcop_mock.testing
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.observation import DownstreamAddress
from tcop_mock.domain.contract import Level, Prerequisite
from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.effects import EffectSnapshot
from tcop_mock.domain.verdict import ClauseStatus, RunFinished, RunStarted, Verdict
from tcop_mock.server.demo_receivers import buggy_receiver, correct_receiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tcop_mock.domain.verdict import RunEvent


@pytest.fixture
def url() -> Iterator[str]:
    """Give the URL of a receiver that keeps the contract."""
    with in_thread(server_factory(lambda: correct_receiver)) as address:
        yield address


def make_callback() -> tcop_mock.Callback:
    """Return a callback of a firing alarm."""
    generator = tcop_mock.Generator(7)
    alarm = generator.alarm(tcop_mock.Catalog.load().get("cvm/basic-monitoring"))
    return generator.callback(alarm, tcop_mock.State.FIRING)


@pytest.mark.proof
def test_one_line_checks_a_receiver(url: str) -> None:
    """A fresh interpreter prints True for a receiver that keeps the contract."""
    code = f"import tcop_mock; print(tcop_mock.check({url!r}, clauses='TCM103,TCM104'.split(',')).passed)"
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == "True\n"


def test_the_api_is_made_of_functions() -> None:
    """No module of the package hides ``check``, ``send`` or ``validate`` after all of them are imported."""
    modules = {module.name for module in pkgutil.iter_modules(tcop_mock.__path__)}
    functions = {"check", "check_async", "send", "send_all", "send_all_async", "send_async", "validate"}
    assert not modules & functions
    importlib.import_module("tcop_mock.contract.runner")
    assert all(callable(getattr(tcop_mock, name)) for name in functions)


def test_a_bug_is_a_finding() -> None:
    """A failed clause makes the verdict fail and has findings; on_event gets all events of the run."""
    events: list[RunEvent] = []
    with in_thread(server_factory(lambda: buggy_receiver)) as address:
        verdict = tcop_mock.check(address, clauses=["TCM302", "TCM103"], skip="TCM103", seed=5, on_event=events.append)
    assert (verdict.passed, verdict.failed, verdict.seed) == (False, True, 5)
    assert [result.clause.code for result in verdict.results] == ["TCM302"]
    assert "recoverTime" in verdict.findings[0].title
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunFinished)


@pytest.mark.parametrize(
    "results, fail_on, passed, failed",
    [
        ((PASSED,), Level.MUST, True, False),
        ((PASSED, FAILED), Level.MUST, False, True),
        ((PASSED, SHOULD), Level.MUST, True, False),
        ((PASSED, SHOULD), Level.SHOULD, False, True),
        ((PASSED, KNOWN), Level.SHOULD, True, False),
        ((PASSED, ERROR), Level.MUST, False, False),
        (SKIPPED, Level.MUST, False, False),
    ],
)
def test_a_verdict_passes_or_fails_or_neither(
    results: tuple[Any, ...], fail_on: Level, *, passed: bool, failed: bool
) -> None:
    """Clauses down to ``fail_on`` decide; without a must clause that has a result a run neither passes nor fails."""
    verdict = replace(make_verdict(*results), fail_on=fail_on)
    assert (verdict.passed, verdict.failed) == (passed, failed)


@pytest.mark.parametrize("target", ["apps:wsgi", apps.wsgi, apps.asgi, lambda alarm: alarm["alarmObjInfo"]])
def test_apps_and_callables_are_targets(target: object) -> None:
    """An app by name, an ASGI or WSGI app and a callable are checked in this process."""
    verdict = tcop_mock.check(target, clauses="TCM302", fail_on="may", profile=load_profile())
    assert verdict.passed
    assert verdict.fail_on is Level.MAY


def test_a_callable_is_not_asked_about_http() -> None:
    """Clauses about HTTP are not run on a callable, and the missing precondition is a value."""
    verdict = tcop_mock.check(lambda alarm: alarm["alarmObjInfo"], clauses=["TCM102", "TCM104", "TCM401"])
    missing = {result.clause.code: result.missing and result.missing.kind for result in verdict.results}
    assert missing == {"TCM102": None, "TCM104": Prerequisite.HTTP_REQUESTS, "TCM401": Prerequisite.HTTP_REQUESTS}


def test_a_model_is_checked_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``parser`` the target names a model, which takes parsed bodies."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "api_models.py").write_text("def parse(body):\n    return body['alarmObjInfo']\n", encoding="utf-8")
    assert tcop_mock.check("api_models:parse", parser="model", clauses="TCM302").passed


@pytest.mark.proof
def test_effects_are_observed(url: str) -> None:
    """A function is an observer, an observer stays one, and a downstream address opens our stub services."""

    class Blind:
        async def observe(self, token: str) -> EffectSnapshot:
            del token
            return EffectSnapshot()

    def show_nothing(_token: str) -> object:
        return {"effects": []}

    observers: tuple[Any, ...] = (Blind(), show_nothing)
    for observer in observers:
        verdict = tcop_mock.check(url, clauses="TCM501", observer=observer, effect_timeout_s=0.1)
        assert [result.missing and result.missing.kind for result in verdict.results] == [Prerequisite.VISIBLE_EFFECT]
    verdict = tcop_mock.check(url, clauses="TCM520", downstream="127.0.0.1:0", effect_timeout_s=0.1)
    [missing] = [result.missing for result in verdict.results]
    assert missing is not None
    assert missing.kind is Prerequisite.FORWARDED_EFFECT
    assert missing.details == ("0.1s", "does the receiver forward there?")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"clauses": "TCM99"}, "unknown clause 'TCM99'"),
        ({"clauses": "TCM103", "skip": "TCM1*"}, "skip leaves no clause to check"),
        ({"profile": "1999"}, "unknown profile '1999'"),
        ({"fail_on": "never"}, "fail_on 'never': write 'must', 'should', 'may'"),
        ({"parser": "yaml"}, "parser 'yaml': write 'model', 'schema'"),
        ({"observer": 7}, "observer is of type int; give a callable"),
        ({"downstream": "here"}, "downstream 'here': write HOST:PORT"),
        ({"target": 7}, "the target is of type int; give a URL"),
        ({"target": lambda: None}, "the target is a callable without arguments"),
        ({"target": "ftp://x/"}, "the scheme must be http or https"),
    ],
)
def test_wrong_arguments_are_usage_errors(arguments: dict[str, Any], message: str) -> None:
    """Each wrong argument raises UsageError, whose message names it and what to write."""
    with pytest.raises(tcop_mock.UsageError) as raised:
        tcop_mock.check(**({"target": "http://127.0.0.1:9/"} | arguments))
    assert message in str(raised.value)


def test_an_address_may_leave_out_the_host() -> None:
    """``:9100`` is a port of this machine, and an IPv6 address has brackets."""
    assert DownstreamAddress.parse(":9100", "downstream") == ("127.0.0.1", 9100)
    assert DownstreamAddress.parse("[::1]:9100", "downstream") == ("::1", 9100)


def test_a_target_that_is_not_there_is_an_error() -> None:
    """A refused connection raises TargetError from check, and is an attempt of a delivery."""
    with pytest.raises(tcop_mock.TcopMockError, match="cannot be reached"):
        tcop_mock.check("http://127.0.0.1:9/", clauses="TCM103")
    delivery = tcop_mock.send(b"{}", "http://127.0.0.1:9/", attempts=2, time_scale=0.0)
    assert [attempt.outcome for attempt in delivery.attempts] == [Outcome.REFUSED] * 2


def test_everything_works_inside_a_running_loop(url: str) -> None:
    """Both forms work in a coroutine, with a receiver on another loop."""
    events: list[object] = []

    async def use() -> tuple[Verdict, Verdict, Verdict, bool, bool]:
        delivery = await tcop_mock.send_async("{}", url)
        return (
            tcop_mock.check(url, clauses="TCM104"),
            await tcop_mock.check_async(url, clauses="TCM104", on_event=events.append),
            await tcop_mock.check_async(url, clauses="TCM104"),
            delivery.accepted,
            tcop_mock.send({}, url, attempts=1).accepted,
        )

    blocking, reported, awaited, *accepted = asyncio.run(use())
    assert blocking.passed
    assert reported.passed
    assert awaited.passed
    assert accepted == [True, True]
    assert events


def test_ctrl_c_ends_a_check() -> None:
    """An interrupt while the check waits is raised, and its event loop ends."""

    def interrupting(_alarm: object) -> None:
        signal.raise_signal(signal.SIGINT) if threading.current_thread() is threading.main_thread() else None
        threading.Thread(target=signal.pthread_kill, args=(threading.main_thread().ident, signal.SIGINT)).start()

    with pytest.raises(KeyboardInterrupt):
        tcop_mock.check(interrupting, clauses="TCM101")


def test_send_delivers_callbacks_and_bodies() -> None:
    """A callback, an object and a text are sent; headers replace those of the profile; order is kept."""
    callback = make_callback()
    seen: list[tuple[str, bytes]] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append((environ["CONTENT_TYPE"], environ["wsgi.input"].read()))
        start_response("200 OK", [])
        return []

    deliveries = tcop_mock.send_all([callback, {"a": "é"}, "text"], app, headers={"content-type": "text/plain"})
    assert all(delivery.accepted for delivery in deliveries)
    assert seen == [("text/plain", callback.to_bytes()), ("text/plain", '{"a":"é"}'.encode()), ("text/plain", b"text")]
    assert tcop_mock.send(callback, app, timeout_s=0.5).accepted


def test_validate_classifies_bodies() -> None:
    """Callbacks, objects, texts and bytes are validated, by a catalogue and a profile."""
    catalog = tcop_mock.Catalog.load()
    callback = make_callback()
    for body in (callback, callback.to_dict(), callback.to_bytes(), callback.to_bytes().decode()):
        result = tcop_mock.validate(body)
        assert (result.is_valid, result.shape) == (True, "cvm/basic-monitoring")
    assert not tcop_mock.validate(b"\xff", profile="2025").is_valid
    assert not tcop_mock.validate("[]", catalog=catalog).is_valid
    with pytest.raises(tcop_mock.UsageError, match="unknown profile"):
        tcop_mock.validate("{}", profile="x")


def test_results_without_a_clause_are_errors(url: str) -> None:
    """A run that reaches its time limit leaves the rest inconclusive: neither passed nor failed."""
    verdict = tcop_mock.check(apps.wsgi, clauses="TCM101", max_time_s=0.05)
    assert {result.status for result in verdict.results} == {ClauseStatus.ERROR}
    assert (verdict.passed, verdict.failed) == (False, False)
    del url


def test_the_names_of_the_plugin_are_loaded_when_they_are_used() -> None:
    """Each public name of tcop_mock.testing exists."""
    for name in tcop_mock.testing.__all__:
        assert getattr(tcop_mock.testing, name) is not None


def forwarding_app(url: str) -> object:
    """Return an app that forwards each session once, and a callback without one not at all."""
    seen: set[str] = set()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        alarm = json.loads(environ["wsgi.input"].read())
        if alarm["sessionId"] not in seen:
            seen.add(alarm["sessionId"])
            text = {"msgtype": "text", "text": {"content": f"firing: {alarm['alarmPolicyInfo']['policyId']}"}}
            with contextlib.suppress(OSError):
                urllib.request.urlopen(url, json.dumps(text).encode(), timeout=3).read()  # noqa: S310 - http
        start_response("200 OK", [])
        return [b"ok"]

    return app


WECOM_URL = "http://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k"


@pytest.mark.parametrize("catch, status", [(True, ClauseStatus.PASS), (False, ClauseStatus.NOT_RUN)])
def test_the_calls_of_an_app_are_effects(catch: bool, status: ClauseStatus) -> None:  # noqa: FBT001 - one of two
    """Calls are caught without further arguments; ``catch=False`` leaves them alone."""
    app = forwarding_app(WECOM_URL) if catch else apps.wsgi
    [result] = tcop_mock.check(app, clauses="TCM501", catch=catch, seed=5).results
    assert result.status is status


def test_a_host_that_is_not_caught_is_noted() -> None:
    """The note names the argument that catches the host; with it the calls are effects."""
    app = forwarding_app("http://alerts.example.com/")
    verdict = tcop_mock.check(app, clauses="TCM501", seed=5)
    assert "refused: catch_hosts alerts.example.com=json answers" in verdict.notes[0]
    again = forwarding_app("http://alerts.example.com/")
    caught = tcop_mock.check(again, clauses="TCM501", catch_hosts=["alerts.example.com=json"], seed=5)
    assert (caught.passed, caught.notes) == (True, ())
    with pytest.raises(tcop_mock.UsageError, match=r"^catch_hosts 'h': write HOST=KIND"):
        tcop_mock.check(again, catch_hosts=["h"])


def test_without_tls_calls_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra ``run`` is not installed."""
    monkeypatch.setitem(sys.modules, "trustme", None)
    [result] = tcop_mock.check(apps.wsgi, clauses="TCM501", seed=5).results
    assert result.status is ClauseStatus.NOT_RUN


def test_a_receiver_is_started_and_ended() -> None:
    """Its target is a path, and it ends with the run."""
    verdict = tcop_mock.check("/alarm", run=shlex.join([sys.executable, "-E", "-S", "-c", STARTED]), clauses="TCM304")
    assert verdict.passed
    with contextlib.closing(socket.socket()) as other:
        assert other.connect_ex(("127.0.0.1", int(urlsplit(verdict.target).port or 0))) != 0
    with pytest.raises(tcop_mock.UsageError, match=r"^run starts a receiver on this machine, but TARGET is http://h/"):
        tcop_mock.check("http://h/", run="x")
    with pytest.raises(tcop_mock.UsageError, match=r"^run names no program"):
        tcop_mock.check("/", run="")


STARTED = """\
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
