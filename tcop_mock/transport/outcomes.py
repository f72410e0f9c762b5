"""Outcomes of attempts that ended with an error, and the sentences that describe them.

This is the only place that maps errors to outcomes: single requests, the load engine, apps in this process, clients of
the user and Locust all call :func:`failure_from_error`.
"""

from __future__ import annotations

import errno
import socket
import ssl
from enum import Enum, auto
from typing import NamedTuple

from tcop_mock.domain.delivery import Outcome

HUNG_UP = "hung up, as asked for"
CLOSED_BY_RECEIVER = "the receiver closed the connection"
INTERRUPTED = "interrupted"
NO_HTTP_ANSWER = "no HTTP answer: it does not start with HTTP/"
BODY_DID_NOT_END = "the head of the answer came in time, its body did not end"

_LOCAL_ERRORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
_OUTCOME_BY_CLIENT_ERROR = {
    "Timeout": Outcome.TIMED_OUT,
    "TimeoutException": Outcome.TIMED_OUT,
    "HTTPConnectionClosed": Outcome.RESET_BEFORE_ANSWER,
    "EmptyResponse": Outcome.RESET_BEFORE_ANSWER,
}
"""Errors of the clients of Locust and of httpx, by class name: none of them is imported here."""
_CONNECT_ERROR, _NETWORK_ERROR, _PROTOCOL_ERROR = "ConnectError", "NetworkError", "RemoteProtocolError"
"""Further errors of httpx; the system's error is their cause."""
_CLOSED = ("disconnected", "closed connection")
"""Words of httpx for a connection that ended within a response."""


class Phase(Enum):
    """Phase of an attempt in which an error ended it."""

    CONNECTING = auto()
    """There was no connection yet."""
    WAITING = auto()
    """There was a connection, but no byte of a response."""
    HEAD = auto()
    """A part of the head of the response had arrived."""
    BODY = auto()
    """The head of the response had arrived."""


class Failure(NamedTuple):
    """How an attempt failed."""

    outcome: Outcome
    detail: str
    """One line for people; contains no credentials."""


class ResolveError(OSError):
    """The host name did not resolve."""


class InvalidResponseError(Exception):
    """The received bytes are not an HTTP/1 response."""


class HangUpRequestedError(Exception):
    """The request asks to close the connection at this point."""


def failure_from_error(error: BaseException | None, phase: Phase, deadline_s: float = 0.0) -> Failure:
    """Return the outcome of an attempt that an error ended.

    Args:
        error: the error; ``None`` and ``EOFError`` mean that the receiver closed the connection.
        phase: how far the attempt had come.
        deadline_s: the deadline of the attempt, for the sentence of a timeout.
    """
    if isinstance(error, TimeoutError):
        return Failure(Outcome.TIMED_OUT, timeout_detail(phase, deadline_s))
    if isinstance(error, HangUpRequestedError):
        return Failure(Outcome.CANCELLED, HUNG_UP)
    if error is None or isinstance(error, EOFError):
        return Failure(_disconnect_outcome(phase), CLOSED_BY_RECEIVER)
    if isinstance(error, OSError):
        return Failure(_os_error_outcome(error, phase), error_text(error))
    return Failure(_client_error_outcome(error, phase), str(error))


def timeout_detail(phase: Phase, deadline_s: float) -> str:
    """Return the sentence about an attempt whose deadline passed, with the missing part of the response."""
    if phase is Phase.BODY:
        return BODY_DID_NOT_END
    missing = "connection" if phase is Phase.CONNECTING else "answer"
    return missing_detail(missing, deadline_s)


def missing_detail(missing: str, deadline_s: float) -> str:
    """Return that something did not happen within a deadline: ``no answer inside 5 s``."""
    return f"no {missing} inside {deadline_s:g} s"


def error_text(error: OSError) -> str:
    """Return the text of a connection error: the certificate problem, if there is one, or the system's message."""
    return getattr(error, "verify_message", "") or error.strerror or str(error)


def is_local_error(error: OSError) -> bool:
    """Return whether this machine has no resources left for a connection. That is not an error of the receiver."""
    return error.errno in _LOCAL_ERRORS


def _disconnect_outcome(phase: Phase) -> Outcome:
    if phase is Phase.CONNECTING:
        return Outcome.REFUSED
    return Outcome.RESET_BEFORE_ANSWER if phase is Phase.WAITING else Outcome.RESET_IN_ANSWER


def _os_error_outcome(error: OSError, phase: Phase) -> Outcome:
    if isinstance(error, ResolveError | socket.gaierror):
        return Outcome.DNS
    if isinstance(error, ssl.SSLError):
        return Outcome.TLS
    return Outcome.REFUSED if isinstance(error, ConnectionRefusedError) else _disconnect_outcome(phase)


def _client_error_outcome(error: BaseException, phase: Phase) -> Outcome:
    names = [kind.__name__ for kind in type(error).__mro__]
    if _NETWORK_ERROR in names:
        system_error = _system_error(error)
        phase = Phase.CONNECTING if _CONNECT_ERROR in names else phase
        return _os_error_outcome(system_error, phase) if system_error else _disconnect_outcome(phase)
    if _PROTOCOL_ERROR in names and any(words in str(error) for words in _CLOSED):
        return _disconnect_outcome(phase)
    return next(filter(None, map(_OUTCOME_BY_CLIENT_ERROR.get, names)), Outcome.BAD_ANSWER)


def _system_error(error: BaseException | None) -> OSError | None:
    """Return the error of the system at the end of a chain of causes, if there is one."""
    found = None
    while error is not None:
        found = error if isinstance(error, OSError) else found
        error = error.__cause__ or error.__context__
    return found
