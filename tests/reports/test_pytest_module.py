"""Findings as tests: they run as they stand, fail on the broken receiver and pass on a mended one."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from judging import judged
from receivers import CREDENTIALS, in_thread, through_sink
from verdicts import EXCHANGE, FAILED, LISTED, RAN, SHOWN, verdict

from tcop_mock.domain.contract import Call, Offer
from tcop_mock.reports.pytest_export import pytest_module, pytest_of
from tcop_mock.server.demo_receivers import careful, guarded, hasty
from tcop_mock.server.http_server import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from receivers import Opening

    from tcop_mock.domain.verdict import Exchange
    from tcop_mock.server.http_server import Received


def _telling(request: Received) -> Reply:
    """Let everybody in and tell all that was shown, a trace included."""
    shown = f"Traceback (most recent call last)\n{request.headers}"
    return Reply(200, shown.encode(), (("X-Seen", request.header("authorization")),))


def _moved(request: Received) -> Reply:
    return replace(careful(request), status=302) if b'"recoverTime":"0"' in request.body else careful(request)


BROKEN: dict[str, tuple[Opening, Opening, tuple[str, ...]]] = {
    "bodies": (through_sink(lambda: hasty), through_sink(lambda: careful), ("TCM1*", "TCM3*", "TCM4*")),
    "credentials": (
        through_sink(lambda: _telling, CREDENTIALS),
        through_sink(lambda: guarded(careful, CREDENTIALS), CREDENTIALS),
        ("TCM2*", "TCM408", "TCM106"),
    ),
    "statuses": (through_sink(lambda: _moved), through_sink(lambda: careful), ("TCM104", "TCM302")),
}


def run(module: str, folder: Path, url: str) -> tuple[int, str]:
    """Run a module in a pytest of its own that knows nothing of ours."""
    file = folder / "test_findings.py"
    file.write_text(module, encoding="utf-8")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE", "PYTEST"))}
    done = subprocess.run(  # noqa: S603 - it is ours
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", str(file)],
        cwd=folder,
        env=env | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "TCOP_MOCK_TARGET": url},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.proof
@pytest.mark.parametrize("name", BROKEN)
def test_they_fail_on_the_broken_receiver_and_pass_on_the_mended_one(name: str, tmp_path: Path) -> None:
    """Each finding is a test that fails where it was found, and passes where the receiver keeps the clause."""
    broken, mended, clauses = BROKEN[name]
    with in_thread(broken) as url:
        verdict_ = judged(url, clauses)
        findings = [finding for result in verdict_.results for finding in result.findings]
        assert findings
        module = pytest_module(verdict_)
        code, said = run(module, tmp_path, url)
    skipped = module.count("pytest.mark.skip")
    assert code == 1, said
    assert f"{len(findings) - skipped} failed" in said
    assert "passed" not in said
    with in_thread(mended) as url:
        code, said = run(module, tmp_path, url)
    assert code == 0, said
    assert f"{len(findings) - skipped} passed" in said
    assert not any(secret in module for secret in CREDENTIALS.traces() if len(secret) > 5)


def module_of(exchange: Exchange, *expect: Call) -> str:
    """Return the module of one finding with this exchange, whose clause expects this."""
    clause = replace(FAILED.clause, expect=expect or FAILED.clause.expect)
    return pytest_of(replace(FAILED, clause=clause), replace(SHOWN, exchanges=(exchange,)))


def test_a_request_is_written_as_it_was_sent() -> None:
    """Method, query, segments, chunks, cuts and offers are told where they are not the usual ones."""
    push = replace(
        EXCHANGE.case.push, method="PUT", query="a=1", chunked=True, segments=(2, 3), cut=4, body=b"0123456789"
    )
    case = replace(EXCHANGE.case, push=push, offer=Offer.EMPTY_PASSWORD, besides=("413",))
    text = module_of(replace(EXCHANGE, case=case, url="http://h/x?y=2&a=1"))
    ast.parse(text)
    for line in (
        "TARGET = os.environ.get(\"TCOP_MOCK_TARGET\") or 'http://h/x?y=2'",
        "method='PUT',",
        "query='a=1',",
        "body=b'2\\r\\n01\\r\\n3\\r\\n234\\r\\n3\\r\\n567\\r\\n2\\r\\n89\\r\\n0\\r\\n\\r\\n',",
        "chunked=True,",
        "cut=4,",
        "offer='empty-password',",
        "if is_one_of(answer, ['413']):",
        "status(answer, allow=['2xx'])",
    ):
        assert line in text
    plain = replace(push, chunked=False, body=b"x" * 5_000)
    text = module_of(replace(EXCHANGE, case=replace(case, push=plain)))
    assert "segments=(2, 3)," in text
    assert 'body=unpacked("' in text
    assert len(text) < 10_000


def test_secrets_in_the_address_have_to_be_given() -> None:
    """Where the URL holds credentials or a key, the module has no target of its own."""
    for exchange in (replace(EXCHANGE, authorized=True), replace(EXCHANGE, url="http://h/?key=***")):
        assert "TCOP_MOCK_TARGET\") or ''" in module_of(exchange)


def test_what_a_request_does_not_show_is_skipped_with_a_reason() -> None:
    """A finding that takes more than one request, or a judge of the user's own, is skipped; a known one may fail."""
    story = replace(SHOWN, reproduce=replace(SHOWN.reproduce, replay=""))
    known = replace(SHOWN, known=LISTED)
    of = replace(verdict(replace(FAILED, findings=(story, known))), ran=RAN)
    text = pytest_module(of)
    assert f"@pytest.mark.skip(reason='a single request does not show it: {story.reproduce.cli}')" in text
    assert "@pytest.mark.xfail(reason='known since 2026-11-01')" in text
    assert pytest_of(FAILED, story) == ""
    assert module_of(EXCHANGE, Call("a_judge_of_mine")) == ""
    assert ast.parse(pytest_module(verdict())).body


def test_it_says_what_it_needs(tmp_path: Path) -> None:
    """Without a target the tests fail with the name of the variable."""
    code, said = run(module_of(replace(EXCHANGE, authorized=True)), tmp_path, "")
    assert code == 1
    assert "set TCOP_MOCK_TARGET to the receiver's URL" in said
