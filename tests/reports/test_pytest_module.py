"""Findings as tests: they fail on the broken receiver and pass on a corrected one."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from receiver_factories import CREDENTIALS, in_thread, server_factory
from run_check import check
from verdict_samples import BASELINE_ENTRY, EXCHANGE, FAILED, FINDING_WITH_EXCHANGE, RUN_INFO, make_verdict

from tcop_mock.domain.contract import CredentialVariant, Invocation
from tcop_mock.reports.pytest_export import finding_test_module, pytest_module
from tcop_mock.server.demo_receivers import buggy_receiver, correct_receiver, with_basic_auth
from tcop_mock.server.messages import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from receiver_factories import ReceiverFactory

    from tcop_mock.domain.verdict import Exchange
    from tcop_mock.server.messages import ReceivedRequest


def _telling(request: ReceivedRequest) -> Reply:
    """Let everybody in and tell all that was shown, a trace included."""
    shown = f"Traceback (most recent call last)\n{request.headers}"
    return Reply(200, shown.encode(), (("X-Seen", request.header("authorization")),))


def _moved(request: ReceivedRequest) -> Reply:
    return (
        replace(correct_receiver(request), status=302)
        if b'"recoverTime":"0"' in request.body
        else correct_receiver(request)
    )


BROKEN: dict[str, tuple[ReceiverFactory, ReceiverFactory, tuple[str, ...]]] = {
    "bodies": (
        server_factory(lambda: buggy_receiver),
        server_factory(lambda: correct_receiver),
        ("TCM1*", "TCM3*", "TCM4*"),
    ),
    "credentials": (
        server_factory(lambda: _telling, CREDENTIALS),
        server_factory(lambda: with_basic_auth(correct_receiver, CREDENTIALS), CREDENTIALS),
        ("TCM2*", "TCM408", "TCM106"),
    ),
    "statuses": (server_factory(lambda: _moved), server_factory(lambda: correct_receiver), ("TCM104", "TCM302")),
}


def run(module: str, folder: Path, url: str) -> tuple[int, str]:
    """Run a module in a pytest of its own that knows nothing of ours."""
    file = folder / "test_findings.py"
    file.write_text(module, encoding="utf-8")
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
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
        verdict_ = check(url, clauses)
        findings = [finding for result in verdict_.results for finding in result.findings]
        assert findings
        module = pytest_module(verdict_)
        code, output = run(module, tmp_path, url)
    skipped = module.count("pytest.mark.skip")
    assert code == 1, output
    assert f"{len(findings) - skipped} failed" in output
    assert "passed" not in output
    with in_thread(mended) as url:
        code, output = run(module, tmp_path, url)
    assert code == 0, output
    assert f"{len(findings) - skipped} passed" in output
    assert not any(secret in module for secret in CREDENTIALS.leak_patterns() if len(secret) > 5)


def module_of(exchange: Exchange, *expect: Invocation) -> str:
    """Return the module of one finding with this exchange, whose clause expects this."""
    clause = replace(FAILED.clause, assertions=expect or FAILED.clause.assertions)
    return finding_test_module(replace(FAILED, clause=clause), replace(FINDING_WITH_EXCHANGE, exchanges=(exchange,)))


def test_a_request_is_written_as_it_was_sent() -> None:
    """Unusual methods, queries, segments, chunks, truncations and headers are written into the test."""
    push = replace(
        EXCHANGE.case.request,
        method="PUT",
        query="a=1",
        chunked=True,
        segment_sizes=(2, 3),
        truncate_at=4,
        body=b"0123456789",
    )
    case = replace(
        EXCHANGE.case, request=push, credential_variant=CredentialVariant.EMPTY_PASSWORD, also_accept=("413",)
    )
    text = module_of(replace(EXCHANGE, case=case, url="http://h/x?y=2&a=1"))
    ast.parse(text)
    for line in (
        "TARGET = os.environ.get(\"TCOP_MOCK_TARGET\") or 'http://h/x?y=2'",
        "method='PUT',",
        "query='a=1',",
        "body=b'2\\r\\n01\\r\\n3\\r\\n234\\r\\n3\\r\\n567\\r\\n2\\r\\n89\\r\\n0\\r\\n\\r\\n',",
        "chunked=True,",
        "cut=4,",
        "credentials='empty-password',",
        "if is_one_of(answer, ['413']):",
        "status(answer, allow=['2xx'])",
    ):
        assert line in text
    plain = replace(push, chunked=False, body=b"x" * 5_000)
    text = module_of(replace(EXCHANGE, case=replace(case, request=plain)))
    assert "segments=(2, 3)," in text
    assert 'body=decompress("' in text
    assert len(text) < 10_000


def test_secrets_in_the_address_have_to_be_given() -> None:
    """Where the URL holds credentials or a key, the module has no target of its own."""
    for exchange in (replace(EXCHANGE, has_credentials=True), replace(EXCHANGE, url="http://h/?key=***")):
        assert "TCOP_MOCK_TARGET\") or ''" in module_of(exchange)


def test_what_a_request_does_not_show_is_skipped_with_a_reason() -> None:
    """A finding that takes more than one request, or a judge of the user's own, is skipped; a known one may fail."""
    story = replace(FINDING_WITH_EXCHANGE, reproduction=replace(FINDING_WITH_EXCHANGE.reproduction, replay=""))
    known = replace(FINDING_WITH_EXCHANGE, baseline_entry=BASELINE_ENTRY)
    of = replace(make_verdict(replace(FAILED, findings=(story, known))), run_info=RUN_INFO)
    text = pytest_module(of)
    assert f"@pytest.mark.skip(reason='a single request does not show it: {story.reproduction.cli}')" in text
    assert "@pytest.mark.xfail(reason='known since 2026-11-01')" in text
    assert finding_test_module(FAILED, story) == ""
    assert module_of(EXCHANGE, Invocation("a_judge_of_mine")) == ""
    assert ast.parse(pytest_module(make_verdict())).body


def test_it_says_what_it_needs(tmp_path: Path) -> None:
    """Without a target the tests fail with the name of the variable."""
    code, output = run(module_of(replace(EXCHANGE, has_credentials=True)), tmp_path, "")
    assert code == 1
    assert "set TCOP_MOCK_TARGET to the receiver's URL" in output
