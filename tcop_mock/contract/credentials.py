"""Credentials that clauses offer to a receiver: the right ones, none, wrong ones, and near misses of the right ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcop_mock.domain.contract import Offer
from tcop_mock.domain.target import Credentials, Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

NOBODY = Credentials(Secret(""), Secret(""))

TITLES = {
    Offer.RIGHT: "the right credentials",
    Offer.NONE: "no credentials",
    Offer.WRONG_USER: "a wrong user",
    Offer.WRONG_PASSWORD: "a wrong password",
    Offer.EMPTY_PASSWORD: "an empty password",
    Offer.LONGER_PASSWORD: "the password and a character more",
    Offer.SHORTER_PASSWORD: "the password without its end",
    Offer.SIMILAR_PASSWORD: "the password with another last character",
    Offer.OTHER_CASE_PASSWORD: "the password in the other case",
    Offer.BLANK_BEFORE_PASSWORD: "a blank before the password",
    Offer.BLANK_AFTER_PASSWORD: "a blank after the password",
}

_LEAST_CHARS = 6
"""Of a password that is shortened: less than that tells nothing of it where it is shown."""
_MOST_BYTES = 71
"""bcrypt, which honest receivers keep passwords with, sees no more than 72."""
_BASE64_BYTES = 3
_LEAST_TOKEN_CHARS = 12
_LEAST_MIXED_CHARS = 8
_LEAST_CHARS_ALIKE = 16
"""A shorter one could stand in an answer by chance."""
_UPPER = dict(zip(range(ord("A"), ord("Z") + 1), range(ord("a"), ord("z") + 1), strict=True))
_SWAP = _UPPER | {small: capital for capital, small in _UPPER.items()}


def can_offer(right: Credentials, offer: Offer) -> bool:
    """Whether there is such an offer beside the right credentials: a near miss has to differ, and to be seen to."""
    if offer not in _NEAR_MISSES:
        return True
    password = right.password.reveal()
    long_enough = len(password) >= _LEAST_CHARS and len(password.encode("utf-8", "surrogatepass")) <= _MOST_BYTES
    return long_enough and _NEAR_MISSES[offer](right) != password


def offering(right: Credentials, offer: Offer, sentinel: str) -> Credentials | None:
    """Return what is offered; what is made up is ``sentinel``."""
    if offer in _NEAR_MISSES:
        return Credentials(right.user, Secret(_NEAR_MISSES[offer](right)))
    return {
        Offer.RIGHT: right if right is not NOBODY else None,
        Offer.NONE: None,
        Offer.WRONG_USER: Credentials(Secret(sentinel), right.password),
        Offer.WRONG_PASSWORD: Credentials(right.user, Secret(sentinel)),
        Offer.EMPTY_PASSWORD: Credentials(right.user, Secret("")),
    }[offer]


def is_near_miss(offer: Offer) -> bool:
    """Whether what is offered shows most of the right password."""
    return offer in _NEAR_MISSES


def userpass(offer: Offer, right: Credentials) -> str | None:
    """Return what ``curl -u`` is given in a shell where ``TCOP_USER`` and ``TCOP_PASSWORD`` hold the right ones."""
    if offer is Offer.SHORTER_PASSWORD:
        cut = len(right.password.reveal()) - len(_shorter(right))
        return f'"$TCOP_USER:${{TCOP_PASSWORD%{"?" * cut}}}"'
    return _IN_A_SHELL.get(offer)


def unmistakable(shown: Iterable[Credentials]) -> Iterator[str]:
    """Yield the tokens (without padding) and passwords that stand in no answer by chance."""
    for credentials in shown:
        token, password = credentials.token().reveal().rstrip("="), credentials.password.reveal()
        if len(token) >= _LEAST_TOKEN_CHARS:
            yield token
        mixed = any(map(str.isalpha, password)) and not all(map(str.isalpha, password))
        if len(password) >= (_LEAST_MIXED_CHARS if mixed else _LEAST_CHARS_ALIKE):
            yield password


def _shorter(right: Credentials) -> str:
    """Cut the password where its token, too, is the beginning of the right one, if it can be cut so."""
    user, password = right.user.reveal(), right.password.reveal()
    for cut in range(1, _BASE64_BYTES + 1):
        if len(f"{user}:{password[:-cut]}".encode("utf-8", "surrogatepass")) % _BASE64_BYTES == 0:
            return password[:-cut]
    return password[:-1]


def _similar(right: Credentials) -> str:
    password = right.password.reveal()
    return f"{password[:-1]}{'!' if password.endswith('~') else '~'}"


_NEAR_MISSES: dict[Offer, Callable[[Credentials], str]] = {
    Offer.LONGER_PASSWORD: lambda right: f"{right.password.reveal()}0",
    Offer.SHORTER_PASSWORD: _shorter,
    Offer.SIMILAR_PASSWORD: _similar,
    Offer.OTHER_CASE_PASSWORD: lambda right: right.password.reveal().translate(_SWAP),
    Offer.BLANK_BEFORE_PASSWORD: lambda right: f" {right.password.reveal()}",
    Offer.BLANK_AFTER_PASSWORD: lambda right: f"{right.password.reveal()} ",
}

_IN_A_SHELL = {
    Offer.RIGHT: '"$TCOP_USER:$TCOP_PASSWORD"',
    Offer.WRONG_USER: '"tcop-mock-stranger:$TCOP_PASSWORD"',
    Offer.WRONG_PASSWORD: '"$TCOP_USER:tcop-mock-wrong"',
    Offer.EMPTY_PASSWORD: '"$TCOP_USER:"',
    Offer.LONGER_PASSWORD: '"$TCOP_USER:${TCOP_PASSWORD}0"',
    Offer.SIMILAR_PASSWORD: '"$TCOP_USER:${TCOP_PASSWORD%?}~"',
    Offer.OTHER_CASE_PASSWORD: """"$TCOP_USER:$(printf %s "$TCOP_PASSWORD" | tr 'A-Za-z' 'a-zA-Z')\"""",
    Offer.BLANK_BEFORE_PASSWORD: '"$TCOP_USER: $TCOP_PASSWORD"',
    Offer.BLANK_AFTER_PASSWORD: '"$TCOP_USER:$TCOP_PASSWORD "',
}
