"""Address and credentials of a receiver, how connections to it are opened, and the masking of secrets.

TCOP's own form is ``domain or IP[:port][/path]`` (alarm callback page, 2023-08-07, directions, step 3), so a target
without a scheme is taken as http.
"""

from __future__ import annotations

import base64
import hmac
import html
import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from typing import final
from urllib.parse import quote, unquote, urlsplit

from tcop_mock.errors import UsageError

MASK = "***"

_SECRET_HEADER = re.compile(
    r"authori[sz]ation|cookie|token|secret|passw|credential|signature|session|jwt|csrf|api[-_]?key|access[-_]?key"
    r"|auth[-_]?key|(?<!idempotency)(?:^|[-_])(?:auth|key|sig|sign)(?:$|[-_])",
    re.IGNORECASE,
)
"""Parts of header names that stand for credentials."""

_QUERY_SECRET = re.compile(
    r"(?<=[?&])((?:key|access_token|token|secret|sign|sig|password|routing_key)=)[^&#]+", re.IGNORECASE
)

"""Query parameters that carry a secret, such as the key of a chat robot."""


@final
class Secret:
    """A string whose ``repr``, ``str``, ``format``, pickle and traceback show ``***``.

    Only ``reveal()`` returns the string. Pickling deliberately loses it: the unpickled secret reveals ``***``.
    A copy is the secret itself.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the secret string. Use it for requests, never for output."""
        return self._text

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return (Secret, (MASK,))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_encode_utf8(self._text), _encode_utf8(other._text))

    def __hash__(self) -> int:
        return hash((Secret, self._text))


@dataclass(frozen=True, slots=True)
class Credentials:
    """User and password of HTTP Basic authentication (RFC 7617), percent-decoded."""

    user: Secret
    password: Secret
    encoding: str = "utf-8"
    """Character encoding of the token; the text must be encodable in it."""

    def token(self) -> Secret:
        """Return the base64 of ``user:password``, as sent after ``Basic`` in the header."""
        text = f"{self.user.reveal()}:{self.password.reveal()}"
        pair = _encode_utf8(text) if self.encoding == "utf-8" else text.encode(self.encoding)
        return Secret(base64.b64encode(pair).decode("ascii"))

    def leak_patterns(self) -> tuple[str, ...]:
        """Return every form in which these credentials could leak, longest first. For masking only.

        The base64 token; user and password, each plain, percent-encoded, and escaped as in JSON and HTML.
        """
        spellings = {self.token().reveal(), *_spellings(self.user.reveal()), *_spellings(self.password.reveal())}
        return tuple(sorted(spellings - {""}, key=lambda spelling: (-len(spelling), spelling)))

    def mask(self, text: str) -> str:
        """Return the text with every form of these credentials masked.

        A short one, which prose may hold by chance, is masked only where it stands for a credential: in a pair, in a
        URL, in quotes, behind a name such as ``password``, or alone on its line. A pair is masked first.
        """
        text = self.mask_pair(text)
        for spelling in _longest_first(self.password):
            text = text.replace(spelling, MASK) if len(spelling) >= _MIN_TEXT_CHARS else _mask_short(text, spelling)
        for spelling in _longest_first(self.user):
            text = _mask_short(text, spelling)
        return text

    def mask_leaks(self, text: str) -> str:
        """Return the text without the token and without every string that can only be the password.

        A password that could also be a word or a number is masked only in ``user:password``, in a URL, in quotes
        after the user, or after a name such as ``password=``. A user alone is not a secret.
        """
        text = self._mask_token(text)
        for password in _longest_first(self.password):
            if _is_like_no_word(password):
                text = _mask_word(text, password) if len(password) < _MIN_LONG_CHARS else text.replace(password, MASK)
                continue
            secret = re.escape(password)
            for user in _longest_first(self.user):
                text = _mask_word(text, user, f"(?::|%3[Aa]){secret}")
                text = re.sub(rf"(([\"']){re.escape(user)}\2[,:]\s*[\"']){secret}(?=[\"'])", _keep, text)
            text = re.sub(rf"({_PASSWORD_NAMES}[\"'\\]*\s*[:=]\s*[\"'\\]*){secret}(?!\w)", _keep, text)
            text = re.sub(rf"(//[^/@\s]*:){secret}(?=@)", _keep, text)
        return text

    def mask_pair(self, text: str) -> str:
        """Return the text with the base64 token and ``user:password`` masked."""
        text = self._mask_token(text)
        for user in _longest_first(self.user) or ("",):
            for password in _longest_first(self.password):
                text = _mask_word(text, user, rf"(?:[ \t]*:[ \t]*|%3[Aa]){re.escape(password)}")
        return text

    def _mask_token(self, text: str) -> str:
        token = self.token().reveal()
        for spelling in (quote(token, safe=""), token):
            text = text.replace(spelling, MASK)
        unpadded = token.rstrip("=")
        return text.replace(unpadded, MASK) if len(unpadded) >= _MIN_TEXT_CHARS else _mask_word(text, unpadded)


_MIN_TEXT_CHARS = 6
"""A secret of this length is masked everywhere, also inside a word."""

_MIN_WORD_CHARS = 4
"""A secret of this length is masked as a whole word; a shorter one only in the position of a credential."""

_MIN_LONG_CHARS = 8
"""A mixture of letters and other characters of this length occurs nowhere by chance, also not inside a word."""

_MIN_UNIFORM_CHARS = 16
"""The same for letters alone, or digits alone."""

_PASSWORD_NAMES = r"(?i:pass(?:word|wd|phrase)?|pwd|pw|secret)"  # noqa: S105 - names of fields

_FIELD_NAMES = r"(?:pass(?:word|wd|phrase)?|pwd|pw|secret|user(?:[-_ ]?name)?|login|credentials?)"
"""Names before a credential in messages."""


def _spellings(text: str) -> set[str]:
    """Return a text as is, percent-encoded, and escaped as in JSON and HTML."""
    encoded = quote(_encode_utf8(text), safe="")
    json_spellings = (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    return {text, encoded, encoded.lower(), *json_spellings, html.escape(text)}


def _is_like_no_word(password: str) -> bool:
    """Return whether a password cannot be a word of prose or a number."""
    is_mixed = any(map(str.isalpha, password)) and not all(map(str.isalpha, password))
    return len(password) >= (_MIN_TEXT_CHARS if is_mixed else _MIN_UNIFORM_CHARS)


def _longest_first(secret: Secret) -> tuple[str, ...]:
    return tuple(sorted(_spellings(secret.reveal()) - {""}, key=len, reverse=True))


def _mask_short(text: str, spelling: str) -> str:
    """Mask one spelling of a user or a short password: as a word or, if it is very short, by its position."""
    if len(spelling) >= _MIN_WORD_CHARS:
        return _mask_word(text, spelling)
    secret = re.escape(spelling)
    labelled = rf"({_FIELD_NAMES}[\"'\\>]*\s*(?:[:=]|is\b|was\b)?\s*[\"'\\]*){secret}(?!\w)"
    text = re.sub(labelled, _keep, text, flags=re.IGNORECASE)
    text = re.sub(rf"(\\?[\"'`]){secret}(?=\\?[\"'`])", _keep, text)
    text = re.sub(rf"(//){secret}(?=[:@])|(//[^/@\s]*:){secret}(?=@)", _keep, text)
    return re.sub(rf"^(\s*){secret}(?=\s*$)", _keep, text, flags=re.MULTILINE)


_WORD_START = r"(?:(?<![^\W_])|(?<=\\[abfnrtv])|(?<=\\x[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2}))"
"""No letter or digit stands before, but that of an escape may."""


def _mask_word(text: str, word: str, rest: str = "") -> str:
    """Mask a word and the pattern ``rest`` after it, unless a letter or digit adjoins them."""
    before = _WORD_START if word[:1].isalnum() else ""
    after = r"(?![^\W_])" if rest or word[-1:].isalnum() else ""
    return re.sub(f"{before}{re.escape(word)}{rest}{after}", MASK, text)


def _keep(match: re.Match[str]) -> str:
    """Return the text before a secret, and the mask."""
    return f"{next((group for group in match.groups() if group is not None), '')}{MASK}"


def is_secret_header(name: str) -> bool:
    """Return whether the name of a header means that its value is a credential."""
    return _SECRET_HEADER.search(name) is not None


def mask_query_secrets(url: str) -> str:
    """Return a URL, or a path with a query, with the secrets in its query masked. For display only."""
    return _QUERY_SECRET.sub(rf"\g<1>{MASK}", url)


def _encode_utf8(text: str) -> bytes:
    """Encode as UTF-8 without errors, because the message of an error would contain the text."""
    return text.encode("utf-8", "surrogatepass")


_PORTS = {"http": 80, "https": 443}

_MAX_PORT = 65_535

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

_NETLOC = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{1,5}))?")

_APP = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?:\(\))?", re.ASCII)

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"

_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")

_ZONE = re.compile(r"[A-Za-z0-9._~-]+")

_FORBIDDEN_CHARS = re.compile(r"[\x00-\x20\x7f\ud800-\udfff]")


class Parser(StrEnum):
    """Targets that parse a body instead of receiving a request: only acceptance is visible."""

    MODEL = "model"
    """A class, or a callable that raises: ``module:callable``."""
    SCHEMA = "schema"
    """A JSON Schema file."""


@dataclass(frozen=True, slots=True)
class Target:
    """Address of a receiver. The credentials are never shown; every other part may be printed."""

    scheme: str
    host: str
    """As used to connect: an IPv6 address has no brackets."""
    port: int
    path: str
    """Request target: the path, at least ``/``, and the query if there is one."""
    credentials: Credentials | None = field(default=None, repr=False)
    app: str = ""
    """``module:app`` of an app in this process; empty for a URL."""
    parser: Parser | None = None
    """Kind of parser that ``app`` names; ``None`` for an app or a URL."""

    @classmethod
    def parse(cls, text: str) -> Target:
        """Parse a target.

        Raises:
            UsageError: the target is invalid. The message says what is wrong and never contains the userinfo.
        """
        userinfo, url, redacted = _split_userinfo(text.strip())
        is_url = _SCHEME.match(text.strip()) is not None
        del text  # no frame of ours may hold the userinfo when this raises
        if _FORBIDDEN_CHARS.search(url) or (userinfo and _FORBIDDEN_CHARS.search(userinfo.reveal())):
            raise _target_error(redacted, "blanks and control characters must be percent-encoded")
        try:
            parts = urlsplit(url)
        except ValueError:  # the message of ValueError would quote the URL
            raise _target_error(redacted, "its host is not a valid name or address") from None
        if parts.scheme not in _PORTS:
            raise _target_error(redacted, f"the scheme must be http or https, not {parts.scheme!r}")
        app = None if is_url else _APP.fullmatch(parts.netloc)
        ends_early = "@" in f"{parts.path}{parts.query}{parts.fragment}"
        host, port = ("localhost", None) if app else _parse_netloc(redacted, parts.netloc, ends_early=ends_early)
        return cls(
            scheme=parts.scheme,
            host=host,
            port=port or _PORTS[parts.scheme],
            path=_percent_encode((parts.path or "/") + (f"?{parts.query}" if parts.query else "")),
            credentials=None if userinfo is None else _parse_credentials(redacted, userinfo),
            app=parts.netloc if app else "",
        )

    @classmethod
    def for_parser(cls, parser: Parser, name: str) -> Target:
        """Return the target for a model or a schema."""
        return cls("http", "localhost", _PORTS["http"], "/", app=name, parser=parser)

    def path_with(self, query: str) -> str:
        """Return the request target with an additional query, if it is not empty."""
        return f"{self.path}{'&' if '?' in self.path else '?'}{query}" if query else self.path

    @property
    def is_on_this_machine(self) -> bool:
        """Whether it is an app in this process, or has a loopback address."""
        if self.app or self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ip_address(self.host.partition("%")[0]).is_loopback
        except ValueError:
            return False

    @property
    def authority(self) -> str:
        """Value of the ``Host`` header: host, and the port unless it is the scheme's default.

        The zone of an IPv6 address is not sent (RFC 6874, section 4).
        """
        return self._netloc(self.host.partition("%")[0])

    @property
    def url(self) -> str:
        """URL without userinfo; for an app, its name and the path."""
        if self.app:
            return self.app + ("" if self.path == "/" else self.path)
        return f"{self.scheme}://{self._netloc(self.host.replace('%', '%25'))}{self.path}"

    def _netloc(self, host: str) -> str:
        host = f"[{host}]" if ":" in host else host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        url = mask_query_secrets(self.url)
        if not self.credentials:
            return url
        return f"{MASK}@{url}" if self.app else url.replace("://", f"://{MASK}@", 1)


def _split_userinfo(text: str) -> tuple[Secret | None, str, str]:
    """Return the userinfo, the URL without it, and the part of the URL that messages may show.

    A password with an unescaped ``/``, ``?`` or ``#`` ends the authority too early, so messages show nothing before
    the last ``@``, wherever it is.
    """
    scheme, _, rest = (text if _SCHEME.match(text) else f"http://{text}").partition("://")
    end = min((at for at in (rest.find(mark) for mark in "/?#") if at >= 0), default=len(rest))
    userinfo, at, netloc = rest[:end].rpartition("@")
    _, has_at_sign, tail = rest.rpartition("@")
    redacted = f"{scheme}://{MASK}@{tail}" if has_at_sign else f"{scheme}://{rest}"
    return (Secret(userinfo) if at else None), f"{scheme}://{netloc}{rest[end:]}", redacted


def _parse_netloc(redacted: str, netloc: str, *, ends_early: bool) -> tuple[str, int | None]:
    """Return host and port; ``ends_early`` means that an ``@`` follows, so a password may have been cut."""
    match = _NETLOC.fullmatch(netloc)
    if match is None and ends_early:
        raise _target_error(redacted, "/, ? and # in a user or password must be percent-encoded")
    if match is None:
        raise _target_error(
            redacted, "HOST must be a name, an IPv4 address or an [IPv6 address], and PORT a number up to 65535"
        )
    port = None if match["port"] is None else int(match["port"])
    if port is not None and not 0 < port <= _MAX_PORT:
        raise _target_error(redacted, f"the port must be a number from 1 to {_MAX_PORT}")
    if not match["host"]:
        raise _target_error(redacted, "the host is missing")
    host = _normalize_ipv6(match["host"]) if match["host"].startswith("[") else _normalize_name(match["host"])
    if host is None:
        raise _target_error(redacted, "its host is not a valid name or address")
    return host, port


def _normalize_ipv6(bracketed: str) -> str | None:
    address, percent, zone = bracketed[1:-1].partition("%25")
    if "%" in address or (percent and not _ZONE.fullmatch(zone)):
        return None
    try:
        IPv6Address(address)
    except ValueError:
        return None
    return f"{address.lower()}%{zone}" if percent else address.lower()


def _normalize_name(host: str) -> str | None:
    try:
        host = host.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    return host.lower() if _NAME.fullmatch(host) else None


def _parse_credentials(redacted: str, userinfo: Secret) -> Credentials:
    user, password = (_decode_secret(part) for part in userinfo.reveal().partition(":")[::2])
    if user is None or password is None:
        raise _target_error(redacted, "the percent-encoding of its user or password is not UTF-8")
    if ":" in user.reveal():
        raise _target_error(redacted, "a user name cannot contain a colon (RFC 7617, section 2)")
    return Credentials(user, password)


def _decode_secret(part: str) -> Secret | None:
    try:
        return Secret(unquote(part, errors="strict"))
    except UnicodeDecodeError:
        return None


def _percent_encode(path: str) -> str:
    return "".join(char if char.isascii() else quote(char) for char in path)


def _target_error(redacted: str, problem: str) -> UsageError:
    return UsageError(
        f"{redacted!r} is not a usable target: {problem}; write [http://][USER:PASSWORD@]HOST[:PORT][/PATH]"
    )


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """Options of curl by the same names; the defaults are those of the system."""

    cacert: str = ""
    """PEM file of the authorities that are trusted, in place of the system's."""
    cert: str = ""
    """PEM file of the client's certificate."""
    key: str = ""
    """PEM file of its private key; empty: it is in the file of the certificate."""
    addresses: tuple[tuple[str, int, str], ...] = ()
    """Host name, port, and the address to connect to."""

    def address_of(self, host: str, port: int) -> str:
        """Return the address given for a host and port, or the host itself."""
        return next(
            (address for name, its_port, address in self.addresses if (name, its_port) == (host.lower(), port)), host
        )


DEFAULTS = ConnectionOptions()
