"""Known misreadings of credentials, which a receiver accepts in place of the right ones."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, quote_plus

from tcop_mock.contract.findings import Failure
from tcop_mock.contract.preflight import CredentialsRejectedError
from tcop_mock.domain.target import Credentials, Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tcop_mock.domain.contract import RequestCase
    from tcop_mock.domain.delivery import OutgoingRequest, Transport

_JAVASCRIPT_SAFE = "!'()*"
"""Characters that ``encodeURIComponent`` of JavaScript leaves as they are."""


class Misreading(NamedTuple):
    """Wrong credentials that a receiver with a known bug accepts as the right ones."""

    title: str
    """Description of them, worded to follow "takes"."""
    presented: Credentials


_PERCENT_ENCODED = "them percent-encoded, as they stand in a URL"
_CHANGES: tuple[tuple[str, Callable[[str], str]], ...] = (
    (_PERCENT_ENCODED, lambda text: quote(text, safe="", errors="surrogatepass")),
    (_PERCENT_ENCODED, lambda text: quote(text, safe=_JAVASCRIPT_SAFE, errors="surrogatepass")),
    ("them with + for each blank", lambda text: text.replace(" ", "+")),
    ("them with + for each blank", lambda text: quote_plus(text, safe="", errors="surrogatepass")),
)
_CUTS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("the password cut at its last colon", lambda password: password.rpartition(":")[2]),
    ("the password cut at its last colon", lambda password: password.rpartition(":")[0]),
    ("the password cut at its first colon", lambda password: password.partition(":")[0]),
)
_ENCODINGS = {"latin-1": "them in Latin-1", "gbk": "them in GBK"}


def known_misreadings(valid: Credentials) -> Iterator[Misreading]:
    """Yield the known misreadings of these credentials, each with another token than the right one."""
    sent = {valid.token()}
    for misreading in _all_misreadings(valid):
        token = misreading.presented.token()
        if token not in sent:
            sent.add(token)
            yield misreading


async def find_misreading(
    request: OutgoingRequest, valid: Credentials, *, transport: Transport, deadline_s: float
) -> str | None:
    """Send a request with each known misreading of its credentials until one is accepted.

    Args:
        request: a request whose right credentials were rejected.
        valid: these credentials.
        transport: sends a request.
        deadline_s: deadline of one attempt.

    Returns:
        The title of the misreading; ``None`` if the receiver accepts none.
    """
    for misreading in known_misreadings(valid):
        attempt = await transport(replace(request, credentials=misreading.presented), deadline_s=deadline_s)
        if attempt.accepted:
            return misreading.title
    return None


async def misread_failure(
    case: RequestCase,
    rejection: CredentialsRejectedError,
    *,
    transport: Transport,
    deadline_s: float,
    limit_s: float,
) -> Failure:
    """Return the failure of a receiver that rejects the right credentials and takes a known misreading of them.

    Args:
        case: a callback with the right credentials, which was rejected.
        rejection: its answer.
        transport: sends a request.
        deadline_s: deadline of one attempt.
        limit_s: time limit of all attempts together.

    Raises:
        CredentialsRejectedError: it accepts no known misreading, or not in time.
    """
    valid = case.request.credentials
    assert valid is not None  # noqa: S101 - nothing else is rejected for its credentials
    try:
        async with asyncio.timeout(limit_s):
            title = await find_misreading(case.request, valid, transport=transport, deadline_s=deadline_s)
    except TimeoutError:
        raise rejection from None
    if title is None and ":" in valid.password.reveal():
        hint = "; a receiver that cuts them at another colon than the first rejects the right ones, too (TCM203)"
        raise CredentialsRejectedError(f"{rejection}{hint}", rejection.attempt)
    if title is None:
        raise rejection
    return Failure(case, rejection.attempt, f"answered {rejection.attempt.status}, and takes {title}")


def _all_misreadings(valid: Credentials) -> Iterator[Misreading]:
    user, password = valid.user.reveal(), valid.password.reveal()
    for title, change in _CHANGES:
        yield Misreading(title, Credentials(Secret(change(user)), Secret(change(password))))
    for title, cut in _CUTS if ":" in password else ():
        yield Misreading(title, Credentials(valid.user, Secret(cut(password))))
    for encoding, title in _ENCODINGS.items():
        presented = replace(valid, encoding=encoding)
        if _is_encodable(f"{user}:{password}", encoding):
            yield Misreading(title, presented)


def _is_encodable(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
