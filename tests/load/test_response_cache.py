"""The response cache parses responses like h11."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tcop_mock.domain.delivery import Outcome
from tcop_mock.load.connection import HeadCache, ResponseCache
from tcop_mock.transport.http1 import ResponseReader
from tcop_mock.transport.outcomes import InvalidResponseError

CAP = 65_536
PARTS = [
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 204 No Content\r\n",
    b"HTTP/1.1 304 \r\n",
    b"HTTP/1.1 503\r\n",
    b"HTTP/1.0 200 OK\r\n",
    b"HTTP/1.1 100 Continue\r\n",
    b"HTTP/1.1 999 X\r\n",
    b"http/1.1 200 OK\r\n",
    b"Content-Length: 2\r\n",
    b"content-length:2\r\n",
    b"Content-Length: 2, 2\r\n",
    b"Content-Length: +2\r\n",
    b"Content-Length: 99999999999\r\n",
    b"Content-Length : 2\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Connection: Keep-Alive, close\r\n",
    b"Keep-Alive: timeout=5\r\n",
    b"X: \xff\t y \r\n",
    b"X: a\x00b\r\n",
    b"X: a\x01b\r\n",
    b"X:\r\n",
    b" folded\r\n",
    b"no colon\r\n",
    b": no name\r\n",
    b"X: bare\nline feed\r\n",
    b"\n",
]


def read_by_h11(head: bytes, body: bytes) -> ResponseReader | None:
    """Return the answer that h11 reads, or nothing where it refuses it."""
    answer = ResponseReader("POST", CAP)
    with contextlib.suppress(InvalidResponseError):
        answer.feed(head + body)
        return answer
    return None


@settings(max_examples=400)
@given(st.sampled_from(PARTS[:8]), st.lists(st.sampled_from(PARTS[8:]), max_size=5), st.binary(max_size=3))
@example(b"http/1.1 200 OK\r\n", [b"Content-Length: 2\r\n"], b"")
def test_no_head_is_read_otherwise(start: bytes, fields: list[bytes], noise: bytes) -> None:
    """Each head that the cache accepts is read by h11 with the same status, length and reuse."""
    head = b"".join([start, *fields]) + noise + b"\r\n"
    plain = HeadCache(CAP)[head]
    if plain is None:
        return
    answer = read_by_h11(head, b"x" * plain.body_bytes)
    assert answer is not None
    assert (answer.status, answer.is_complete, answer.is_reusable) == (plain.status, True, True)
    assert len(answer.body) == plain.body_bytes
    assert plain.outcome is Outcome.from_status(answer.status)
    short = read_by_h11(head, b"x" * (plain.body_bytes - 1))
    assert not plain.body_bytes or (short is not None and not short.is_complete)


@pytest.mark.parametrize(
    "head, length",
    [
        (b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n", 2),
        (b"HTTP/1.1 200 OK\r\ndate: x\r\ncontent-length: 15\r\n\r\n", 15),
        (b"HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n", 0),
    ],
)
def test_the_usual_heads_are_read(head: bytes, length: int) -> None:
    """Heads of usual servers are read without h11."""
    plain = HeadCache(CAP)[head]
    assert plain is not None
    assert plain.body_bytes == length


def test_a_body_over_the_cap_is_left_to_the_parser() -> None:
    """Its end is not waited for."""
    assert HeadCache(1)[b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"] is None


def test_what_is_remembered_is_bounded() -> None:
    """A receiver whose heads are all different, or very long, takes no memory."""
    heads = HeadCache(CAP)
    for number in range(2000):
        assert heads[b"HTTP/1.1 200 OK\r\nX: %d\r\nContent-Length: 0\r\n\r\n" % number] is not None
    assert len(heads) <= 512
    before = len(heads)
    assert heads[b"HTTP/1.1 200 OK\r\nX: %s\r\nContent-Length: 0\r\n\r\n" % (b"x" * 9000)] is not None
    assert len(heads) == before


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


@pytest.mark.parametrize("body, left", [(b"", 2), (b"o", 1), (b"ok", 0), (b"ok!", -1)])
def test_how_much_of_an_answer_is_still_to_come(body: bytes, left: int) -> None:
    """Less than nothing, where something came behind it; the same the second time, when it is remembered."""
    answers = ResponseCache(CAP)
    for _ in range(2):
        assert answers[OK + body] == (200, left, Outcome.ACKED)


@pytest.mark.parametrize("data", [OK[:-1], b"\r\n", b"HTTP/1.0 200 OK\r\n\r\n"], ids=["piece", "blank", "http-1.0"])
def test_what_is_not_plain_is_left_to_the_parser(data: bytes) -> None:
    """A head that has not come whole, too."""
    answers = ResponseCache(CAP)
    assert answers[data] is None
    assert answers[data] is None


def test_remembered_answers_are_bounded() -> None:
    """Numbered and long responses do not grow the cache beyond its limit."""
    answers = ResponseCache(CAP)
    for number in range(2000):
        assert answers[OK + b"%02d" % (number % 100) + b"%d" % number] is not None
    assert len(answers) <= 512
    before = len(answers)
    assert answers[b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000] == (200, 0, Outcome.ACKED)
    assert len(answers) == before
