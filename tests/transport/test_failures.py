"""The outcomes of errors, and their messages."""

from __future__ import annotations

import socket
import ssl

import pytest

from tcop_mock.domain.delivery import Outcome
from tcop_mock.transport.outcomes import (
    HangUpRequestedError,
    InvalidResponseError,
    Phase,
    ResolveError,
    failure_from_error,
    is_local_error,
)

CLOSED = "the receiver closed the connection"


class HTTPConnectionClosed(Exception):  # noqa: N818 - the name in geventhttpclient
    """Has the name of an error of the Locust client."""


@pytest.mark.parametrize(
    "error, phase, outcome, detail",
    [
        (TimeoutError(), Phase.CONNECTING, Outcome.TIMED_OUT, "no connection inside 5 s"),
        (TimeoutError(), Phase.WAITING, Outcome.TIMED_OUT, "no answer inside 5 s"),
        (TimeoutError(), Phase.HEAD, Outcome.TIMED_OUT, "no answer inside 5 s"),
        (TimeoutError(), Phase.BODY, Outcome.TIMED_OUT, "the head of the answer came in time, its body did not end"),
        (HangUpRequestedError(), Phase.WAITING, Outcome.CANCELLED, "hung up, as asked for"),
        (None, Phase.WAITING, Outcome.RESET_BEFORE_ANSWER, CLOSED),
        (EOFError(), Phase.HEAD, Outcome.RESET_IN_ANSWER, CLOSED),
        (EOFError(), Phase.BODY, Outcome.RESET_IN_ANSWER, CLOSED),
        (ResolveError("x does not resolve: why"), Phase.CONNECTING, Outcome.DNS, "x does not resolve: why"),
        (socket.gaierror(-2, "Name unknown"), Phase.WAITING, Outcome.DNS, "Name unknown"),
        (ssl.SSLError(1, "wrong version"), Phase.CONNECTING, Outcome.TLS, "wrong version"),
        (ssl.SSLError(1, "bad record"), Phase.BODY, Outcome.TLS, "bad record"),
        (OSError(113, "No route to host"), Phase.CONNECTING, Outcome.REFUSED, "No route to host"),
        (ConnectionRefusedError(111, "Connection refused"), Phase.WAITING, Outcome.REFUSED, "Connection refused"),
        (ConnectionResetError(104, "Reset"), Phase.WAITING, Outcome.RESET_BEFORE_ANSWER, "Reset"),
        (BrokenPipeError(32, "Broken pipe"), Phase.BODY, Outcome.RESET_IN_ANSWER, "Broken pipe"),
        (InvalidResponseError("no HTTP answer"), Phase.HEAD, Outcome.BAD_ANSWER, "no HTTP answer"),
        (HTTPConnectionClosed("gone"), Phase.WAITING, Outcome.RESET_BEFORE_ANSWER, "gone"),
    ],
)
def test_an_error_has_one_outcome_and_one_sentence(
    error: BaseException | None, phase: Phase, outcome: Outcome, detail: str
) -> None:
    """The outcome depends on the error and on how far the attempt had come; the sentence names what was missing."""
    assert failure_from_error(error, phase, 5.0) == (outcome, detail)


def test_exhausted_resources_are_reported_apart_from_refusals() -> None:
    """Too many open files is a problem of this machine; a refused connection is not."""
    assert is_local_error(OSError(24, "Too many open files"))
    assert not is_local_error(ConnectionRefusedError(111, "Connection refused"))
