"""Findings as a module of tests for pytest, which send what the receiver got wrong and want what the clause wants.

The module stands alone: it needs pytest and the standard library, and sends over a socket of its own, because HTTP
clients refuse half of what clauses send. Texts go into it as Python literals only, whoever wrote them.
"""

from __future__ import annotations

import base64
import gzip
import re
from typing import TYPE_CHECKING, Any

from tcop_mock._version import __version__
from tcop_mock.contract.assertions import TRACE
from tcop_mock.domain.target import MASK
from tcop_mock.reports.findings import standing
from tcop_mock.reports.pytest_template import TEMPLATE
from tcop_mock.reports.summary import TOOL
from tcop_mock.reports.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tcop_mock.domain.verdict import ClauseResult, Exchange, Finding, Verdict

_MOST_CHARS = 300
_MOST_READABLE_BYTES = 2_000
"""A longer body is packed."""
_DEADLINE_S = 5.0
"""Of all profiles."""
_JUDGES = frozenset(
    {"acked", "alive", "bounded", "in_time", "no_echo", "no_trace", "quick", "ret_code", "status"},
)
"""Those that the template has."""


def pytest_module(verdict: Verdict) -> str:
    """Return all findings of a verdict as tests, in the order of the clauses.

    A known finding is expected to fail. One that a single request does not show is a test that is skipped: its reason
    says what shows it.
    """
    pairs = [(result, finding) for result in verdict.results for finding in result.findings]
    return _module(pairs, verdict.ran.deadline_s if verdict.ran else _DEADLINE_S)


def pytest_of(result: ClauseResult, finding: Finding) -> str:
    """Return a module of one finding's test; nothing where a single request does not show it."""
    return "" if _unshown(result, finding) else _module([(result, finding)], _DEADLINE_S)


def _module(pairs: Sequence[tuple[ClauseResult, Finding]], deadline_s: float) -> str:
    above = TEMPLATE.substitute(
        written_by=f"Written by {TOOL} {__version__}.",
        target=repr(next((_target(finding.exchanges[0]) for _, finding in pairs if finding.exchanges), "")),
        deadline_s=repr(deadline_s),
        trace=repr(TRACE.pattern),
    )
    tests = ("\n".join(_test(number, *pair)) for number, pair in enumerate(pairs, start=1))
    return "\n\n\n".join([above.rstrip("\n"), *tests]) + "\n"


def _target(exchange: Exchange) -> str:
    """Return the receiver's URL; nothing where it has secrets, which have to come from the environment."""
    query = exchange.case.push.query
    url = exchange.url.removesuffix(query).rstrip("?&") if query else exchange.url
    return "" if exchange.authorized or MASK in url else url


def _test(number: int, result: ClauseResult, finding: Finding) -> Iterator[str]:
    clause = result.clause
    unshown = _unshown(result, finding)
    if unshown:
        yield f"@pytest.mark.skip(reason={_literal(unshown)})"
    elif not finding.counts:
        yield f"@pytest.mark.xfail(reason={_literal(standing(finding))})"
    yield f"def test_{re.sub(r'[^A-Za-z0-9]', '_', clause.id)}_{number}():"
    yield f"    {_literal(f'{clause.id}: {finding.title}')}"
    if unshown:
        return
    exchange = finding.exchanges[0]
    yield "    answer = send("
    yield from (f"        {name}={value}," for name, value in _request(exchange))
    yield "    )"
    if exchange.case.besides:
        yield f"    if is_one_of(answer, {list(exchange.case.besides)!r}):"
        yield "        return"
    for call in clause.expect:
        yield f"    {call.name}(answer{_params(call.params)})"


def _unshown(result: ClauseResult, finding: Finding) -> str:
    """Say why a single request and its answer do not show a finding, and what does; empty: they do."""
    known = all(call.name in _JUDGES for call in result.clause.expect)
    if known and finding.exchanges and finding.reproduce.replay:
        return ""
    return f"a single request does not show it: {one_line(finding.reproduce.cli, _MOST_CHARS)}"


def _request(exchange: Exchange) -> Iterator[tuple[str, str]]:
    """Yield what the request differs in from a plain one, as Python source."""
    push, offer = exchange.case.push, exchange.case.offer
    if push.method != "POST":
        yield "method", repr(push.method)
    if push.query:
        yield "query", repr(push.query)
    yield "headers", repr(list(push.headers))
    yield "body", _bytes(push.framed())
    if push.segments and not push.chunked:
        yield "segments", repr(push.segments)
    if push.chunked:
        yield "chunked", "True"
    if push.cut is not None:
        yield "cut", repr(push.cut)
    yield "offer", repr(offer.value)


def _params(params: Mapping[str, Any]) -> str:
    return "".join(f", {name}={value!r}" for name, value in params.items())


def _bytes(body: bytes) -> str:
    if len(body) <= _MOST_READABLE_BYTES:
        return repr(body)
    return f'unpacked("{base64.b64encode(gzip.compress(body, mtime=0)).decode()}")'


def _literal(text: str) -> str:
    """Return a text as a Python literal that is printable and cannot be left."""
    return repr(one_line(text, _MOST_CHARS))
