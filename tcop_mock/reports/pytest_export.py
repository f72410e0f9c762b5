"""Export findings as a pytest module that sends the failing requests and asserts the clauses.

The module is self-contained: it needs only pytest and the standard library. It uses its own socket, because HTTP
clients refuse to send many of the requests. All texts are written as Python literals, whatever their origin.
"""

from __future__ import annotations

import base64
import gzip
import re
from typing import TYPE_CHECKING, Any

from tcop_mock._version import __version__
from tcop_mock.contract.assertions import STACK_TRACE
from tcop_mock.domain.contract import CredentialVariant
from tcop_mock.domain.target import MASK
from tcop_mock.reports.findings import baseline_status
from tcop_mock.reports.pytest_template import TEMPLATE
from tcop_mock.reports.summary import TOOL
from tcop_mock.reports.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tcop_mock.domain.verdict import ClauseResult, Exchange, Finding, Verdict

_MAX_CHARS = 300
_MAX_READABLE_BYTES = 2_000
"""A longer body is compressed."""
_DEADLINE_S = 5.0
"""The deadline of all profiles."""
_SUPPORTED_ASSERTIONS = frozenset(
    {
        "answered_in_time",
        "body_bounded",
        "has_header",
        "is_acked",
        "is_alive",
        "no_credential_echo",
        "no_stack_trace",
        "retcode_zero",
        "status",
        "within_share_of_deadline",
    }
)
"""Assertions that the template implements."""


def pytest_module(verdict: Verdict) -> str:
    """Return all findings of a verdict as tests, in the order of the clauses.

    A known finding is expected to fail. A finding that needs several requests becomes a skipped test; the reason has
    the command that reproduces it.
    """
    pairs = [(result, finding) for result in verdict.results for finding in result.findings]
    return _module(pairs, verdict.run_info.deadline_s if verdict.run_info else _DEADLINE_S)


def finding_test_module(result: ClauseResult, finding: Finding) -> str:
    """Return a module with the test of one finding; empty if a single request does not reproduce it."""
    return "" if _skip_reason(result, finding) else _module([(result, finding)], _DEADLINE_S)


def _module(pairs: Sequence[tuple[ClauseResult, Finding]], deadline_s: float) -> str:
    preamble = TEMPLATE.substitute(
        written_by=f"Written by {TOOL} {__version__}.",
        target=repr(next((_target_url(finding.exchanges[0]) for _, finding in pairs if finding.exchanges), "")),
        deadline_s=repr(deadline_s),
        trace=repr(STACK_TRACE.pattern),
    )
    tests = ("\n".join(_test(number, *pair)) for number, pair in enumerate(pairs, start=1))
    return "\n\n\n".join([preamble.rstrip("\n"), *tests]) + "\n"


def _target_url(exchange: Exchange) -> str:
    """Return the receiver's URL; empty if it has secrets, which have to come from the environment."""
    query = exchange.case.request.query
    url = exchange.url.removesuffix(query).rstrip("?&") if query else exchange.url
    return "" if exchange.has_credentials or MASK in url else url


def _test(number: int, result: ClauseResult, finding: Finding) -> Iterator[str]:
    clause = result.clause
    skip_reason = _skip_reason(result, finding)
    if skip_reason:
        yield f"@pytest.mark.skip(reason={_text_literal(skip_reason)})"
    elif not finding.is_gating:
        yield f"@pytest.mark.xfail(reason={_text_literal(baseline_status(finding))})"
    yield f"def test_{re.sub(r'[^A-Za-z0-9]', '_', clause.id)}_{number}():"
    yield f"    {_text_literal(f'{clause.id}: {finding.title}')}"
    if skip_reason:
        return
    exchange = finding.exchanges[0]
    yield "    answer = send("
    yield from (f"        {name}={value}," for name, value in _request_arguments(exchange))
    yield "    )"
    if exchange.case.also_accept:
        yield f"    if is_one_of(answer, {list(exchange.case.also_accept)!r}):"
        yield "        return"
    for assertion in clause.assertions:
        yield f"    {assertion.name}(answer{_format_parameters(assertion.params)})"


def _skip_reason(result: ClauseResult, finding: Finding) -> str:
    """Return why a single request does not reproduce a finding; empty: it does."""
    is_supported = all(call.name in _SUPPORTED_ASSERTIONS for call in result.clause.assertions)
    is_plain = not any(
        exchange.case.request.lower_case_names or exchange.case.credential_variant is CredentialVariant.BEARER
        for exchange in finding.exchanges[:1]
    )
    is_single = bool(finding.reproduction.replay) and len(finding.reproduction.requests) <= 1
    if is_supported and is_plain and finding.exchanges and is_single:
        return ""
    return f"a single request does not show it: {one_line(finding.reproduction.cli, _MAX_CHARS)}"


def _request_arguments(exchange: Exchange) -> Iterator[tuple[str, str]]:
    """Yield the differences from a plain request as Python source."""
    request, credentials = exchange.case.request, exchange.case.credential_variant
    if request.method != "POST":
        yield "method", repr(request.method)
    if request.query:
        yield "query", repr(request.query)
    yield "headers", repr(list(request.headers))
    yield "body", _bytes_literal(request.framed_body())
    if request.segment_sizes and not request.chunked:
        yield "segments", repr(request.segment_sizes)
    if request.chunked:
        yield "chunked", "True"
    if request.truncate_at is not None:
        yield "cut", repr(request.truncate_at)
    yield "credentials", repr(credentials.value)


def _format_parameters(params: Mapping[str, Any]) -> str:
    return "".join(f", {name}={value!r}" for name, value in params.items())


def _bytes_literal(body: bytes) -> str:
    if len(body) <= _MAX_READABLE_BYTES:
        return repr(body)
    return f'decompress("{base64.b64encode(gzip.compress(body, mtime=0)).decode()}")'


def _text_literal(text: str) -> str:
    """Return a text as a printable Python literal that cannot be escaped from."""
    return repr(one_line(text, _MAX_CHARS))
