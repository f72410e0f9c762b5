"""Credential variants that clauses send: valid, none, wrong, and near misses of the valid ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcop_mock.domain.contract import CredentialVariant
from tcop_mock.domain.target import Credentials, Secret
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

NO_CREDENTIALS = Credentials(Secret(""), Secret(""))

VARIANT_TITLES = {
    CredentialVariant.RIGHT: "the right credentials",
    CredentialVariant.NONE: "no credentials",
    CredentialVariant.WRONG_USER: "a wrong user",
    CredentialVariant.WRONG_PASSWORD: "a wrong password",
    CredentialVariant.EMPTY_PASSWORD: "an empty password",
    CredentialVariant.EMPTY_USER: "an empty user",
    CredentialVariant.NEITHER: "neither user nor password",
    CredentialVariant.USER_AS_PASSWORD: "the user as password",
    CredentialVariant.LONGER_PASSWORD: "the password and a character more",
    CredentialVariant.SHORTER_PASSWORD: "the password without its end",
    CredentialVariant.SIMILAR_PASSWORD: "the password with another last character",
    CredentialVariant.OTHER_CASE_PASSWORD: "the password in the other case",
    CredentialVariant.BLANK_BEFORE_PASSWORD: "a blank before the password",
    CredentialVariant.BLANK_AFTER_PASSWORD: "a blank after the password",
    CredentialVariant.BEARER: "the right token behind Bearer",
    CredentialVariant.MALFORMED: "an Authorization header that is not proper Basic",
}

_FAKE_PART = "tcop-mock-wrong"
_MIN_PASSWORD_CHARS = 6
"""Minimum length of a password for near misses: a shorter one could be guessed from the evidence."""
_MAX_PASSWORD_BYTES = 71
"""bcrypt, which many receivers use for passwords, ignores bytes beyond 72."""
_BASE64_GROUP_BYTES = 3
_MIN_TOKEN_CHARS = 12
_MIN_MIXED_CHARS = 8
_MIN_UNIFORM_CHARS = 16
"""A shorter one could occur in a response by chance."""
_TO_LOWER = dict(zip(range(ord("A"), ord("Z") + 1), range(ord("a"), ord("z") + 1), strict=True))
_SWAP_CASE = _TO_LOWER | {small: capital for capital, small in _TO_LOWER.items()}


def variant_exists(valid: Credentials, variant: CredentialVariant) -> bool:
    """Return whether a variant exists for these credentials: a near miss has to differ from the password."""
    if variant in _EMPTY_OR_EQUAL:
        return make_credentials(valid, variant, "") != valid
    if variant not in _NEAR_MISSES:
        return True
    password = valid.password.reveal()
    is_suitable = (
        len(password) >= _MIN_PASSWORD_CHARS and len(password.encode("utf-8", "surrogatepass")) <= _MAX_PASSWORD_BYTES
    )
    return is_suitable and _NEAR_MISSES[variant](valid) != password


def make_credentials(valid: Credentials, variant: CredentialVariant, fake_value: str) -> Credentials | None:
    """Return the credentials of a variant; ``fake_value`` replaces wrong parts."""
    if variant in _NEAR_MISSES:
        return Credentials(valid.user, Secret(_NEAR_MISSES[variant](valid)))
    return {
        CredentialVariant.RIGHT: valid if valid is not NO_CREDENTIALS else None,
        CredentialVariant.BEARER: valid if valid is not NO_CREDENTIALS else None,
        CredentialVariant.NONE: None,
        CredentialVariant.MALFORMED: None,
        CredentialVariant.WRONG_USER: Credentials(Secret(fake_value), valid.password),
        CredentialVariant.WRONG_PASSWORD: Credentials(valid.user, Secret(fake_value)),
        CredentialVariant.EMPTY_PASSWORD: Credentials(valid.user, Secret("")),
        CredentialVariant.EMPTY_USER: Credentials(Secret(""), valid.password),
        CredentialVariant.NEITHER: Credentials(Secret(""), Secret("")),
        CredentialVariant.USER_AS_PASSWORD: Credentials(valid.user, valid.user),
    }[variant]


def replayed_credentials(valid: Credentials | None, variant: CredentialVariant, name: str) -> Credentials | None:
    """Return the credentials of a finding's request, derived from the valid credentials of its new target.

    Raises:
        UsageError: the request, called ``name``, was sent with credentials and the target has none.
    """
    if variant is CredentialVariant.NONE:
        return None
    if valid is None:
        raise UsageError(f"{name} was sent with credentials: put USER:PASSWORD@ before the host in --to")
    return make_credentials(valid, variant, _FAKE_PART)


def is_near_miss(variant: CredentialVariant) -> bool:
    """Return whether a variant reveals most of the valid password."""
    return variant in _NEAR_MISSES


def curl_userinfo(variant: CredentialVariant, valid: Credentials) -> str | None:
    """Return the argument of ``curl -u`` for a shell with the variables ``TCOP_USER`` and ``TCOP_PASSWORD``."""
    if variant is CredentialVariant.SHORTER_PASSWORD:
        dropped = len(valid.password.reveal()) - len(_shorten(valid))
        return f'"$TCOP_USER:${{TCOP_PASSWORD%{"?" * dropped}}}"'
    return _SHELL_USERINFO.get(variant)


def distinctive_secrets(presented: Iterable[Credentials]) -> Iterator[str]:
    """Yield the tokens (without padding) and passwords that cannot occur in a response by chance."""
    for credentials in presented:
        token, password = credentials.token().reveal().rstrip("="), credentials.password.reveal()
        if len(token) >= _MIN_TOKEN_CHARS:
            yield token
        is_mixed = any(map(str.isalpha, password)) and not all(map(str.isalpha, password))
        if len(password) >= (_MIN_MIXED_CHARS if is_mixed else _MIN_UNIFORM_CHARS):
            yield password


def _shorten(valid: Credentials) -> str:
    """Shorten the password so that its token is a prefix of the valid token, if possible."""
    user, password = valid.user.reveal(), valid.password.reveal()
    for dropped in range(1, _BASE64_GROUP_BYTES + 1):
        if len(f"{user}:{password[:-dropped]}".encode("utf-8", "surrogatepass")) % _BASE64_GROUP_BYTES == 0:
            return password[:-dropped]
    return password[:-1]


def _change_last(valid: Credentials) -> str:
    password = valid.password.reveal()
    return f"{password[:-1]}{'!' if password.endswith('~') else '~'}"


_EMPTY_OR_EQUAL = frozenset(
    {CredentialVariant.EMPTY_USER, CredentialVariant.NEITHER, CredentialVariant.USER_AS_PASSWORD}
)
"""Variants that may be the valid credentials themselves."""
_NEAR_MISSES: dict[CredentialVariant, Callable[[Credentials], str]] = {
    CredentialVariant.LONGER_PASSWORD: lambda valid: f"{valid.password.reveal()}0",
    CredentialVariant.SHORTER_PASSWORD: _shorten,
    CredentialVariant.SIMILAR_PASSWORD: _change_last,
    CredentialVariant.OTHER_CASE_PASSWORD: lambda valid: valid.password.reveal().translate(_SWAP_CASE),
    CredentialVariant.BLANK_BEFORE_PASSWORD: lambda valid: f" {valid.password.reveal()}",
    CredentialVariant.BLANK_AFTER_PASSWORD: lambda valid: f"{valid.password.reveal()} ",
}

_SHELL_USERINFO = {
    CredentialVariant.RIGHT: '"$TCOP_USER:$TCOP_PASSWORD"',
    CredentialVariant.BEARER: '"$TCOP_USER:$TCOP_PASSWORD"',
    CredentialVariant.WRONG_USER: '"tcop-mock-stranger:$TCOP_PASSWORD"',
    CredentialVariant.WRONG_PASSWORD: '"$TCOP_USER:tcop-mock-wrong"',
    CredentialVariant.EMPTY_PASSWORD: '"$TCOP_USER:"',
    CredentialVariant.EMPTY_USER: '":$TCOP_PASSWORD"',
    CredentialVariant.NEITHER: '":"',
    CredentialVariant.USER_AS_PASSWORD: '"$TCOP_USER:$TCOP_USER"',
    CredentialVariant.LONGER_PASSWORD: '"$TCOP_USER:${TCOP_PASSWORD}0"',
    CredentialVariant.SIMILAR_PASSWORD: '"$TCOP_USER:${TCOP_PASSWORD%?}~"',
    CredentialVariant.OTHER_CASE_PASSWORD: """"$TCOP_USER:$(printf %s "$TCOP_PASSWORD" | tr 'A-Za-z' 'a-zA-Z')\"""",
    CredentialVariant.BLANK_BEFORE_PASSWORD: '"$TCOP_USER: $TCOP_PASSWORD"',
    CredentialVariant.BLANK_AFTER_PASSWORD: '"$TCOP_USER:$TCOP_PASSWORD "',
}
