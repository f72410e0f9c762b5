"""Where callbacks go: the URL a customer types into the console, with its userinfo taken out at once.

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
from ipaddress import IPv6Address
from typing import final
from urllib.parse import quote, unquote, urlsplit

from tcop_mock.errors import UsageError

MASK = "***"

SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})
"""Headers whose values are secrets, in lower case."""

_QUERY_SECRET = re.compile(
    r"(?<=[?&])((?:key|access_token|token|secret|sign|sig|password|routing_key)=)[^&#]+", re.IGNORECASE
)

"""Names under which robots' addresses and others carry a secret in the query."""


@final
class Secret:
    """A text whose ``repr``, ``str``, ``format``, pickle and traceback show ``***``.

    Only ``reveal()`` gives the text. A pickled secret is lost on purpose: what comes back reveals ``***``.
    A copy is the secret itself.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself; for the wire, never for an output."""
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

    def token(self) -> Secret:
        """Return the base64 of ``user:password`` as it stands after ``Basic`` in the header."""
        pair = _encode_utf8(f"{self.user.reveal()}:{self.password.reveal()}")
        return Secret(base64.b64encode(pair).decode("ascii"))

    def leak_patterns(self) -> tuple[str, ...]:
        """Return every spelling under which these credentials could leak, longest first. For masking only.

        The base64 token; and user and password plain, percent-encoded, and escaped as JSON and HTML do it.
        """
        spellings = {self.token().reveal()}
        for text in (self.user.reveal(), self.password.reveal()):
            encoded = quote(_encode_utf8(text), safe="")
            json_spellings = (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
            spellings |= {text, encoded, encoded.lower(), *json_spellings, html.escape(text)}
        return tuple(sorted(spellings - {""}, key=lambda spelling: (-len(spelling), spelling)))

    def mask(self, text: str) -> str:
        """Return a text in which no spelling of these credentials is left."""
        for pattern in self.leak_patterns():
            text = text.replace(pattern, MASK)
        return text


def mask_query_secrets(url: str) -> str:
    """Return a URL, or a path with a query, with the secrets in its query masked. For showing only."""
    return _QUERY_SECRET.sub(rf"\g<1>{MASK}", url)


def _encode_utf8(text: str) -> bytes:
    """Encode as UTF-8 and never fail: the error would carry the text."""
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
    """What can be judged in place of a receiver: it says whether it takes a body, and is asked nothing else."""

    MODEL = "model"
    """A class or a callable that raises: ``module:callable``."""
    SCHEMA = "schema"
    """The file of a JSON Schema."""


@dataclass(frozen=True, slots=True)
class Target:
    """A receiver's address. ``credentials`` never show; every other part may be printed."""

    scheme: str
    host: str
    """As it is dialled: an IPv6 address has no brackets here."""
    port: int
    path: str
    """Request target: the path, at least ``/``, with the query where there is one."""
    credentials: Credentials | None = field(default=None, repr=False)
    app: str = ""
    """``module:app`` of an app in this process, which nobody dials."""
    parser: Parser | None = None
    """What ``app`` names, where it is no app but takes bodies that have been parsed."""

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read a target.

        Raises:
            UsageError: what is wrong with it and how it should look. The message never holds the userinfo.
        """
        userinfo, url, redacted = _split_userinfo(text.strip())
        is_url = _SCHEME.match(text.strip()) is not None
        del text  # so that no frame of ours holds the userinfo when this raises
        if _FORBIDDEN_CHARS.search(url) or (userinfo and _FORBIDDEN_CHARS.search(userinfo.reveal())):
            raise _target_error(redacted, "blanks and control characters must be percent-encoded")
        try:
            parts = urlsplit(url)
        except ValueError:  # its message would quote the URL
            raise _target_error(redacted, "its host is no valid name or address") from None
        if parts.scheme not in _PORTS:
            raise _target_error(redacted, f"the scheme must be http or https, not {parts.scheme!r}")
        app = None if is_url else _APP.fullmatch(parts.netloc)
        host, port = ("localhost", None) if app else _parse_netloc(redacted, parts.netloc)
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
        """Return the target that a model or a schema is."""
        return cls("http", "localhost", _PORTS["http"], "/", app=name, parser=parser)

    def path_with(self, query: str) -> str:
        """Return the request target with more in its query, where there is more."""
        return f"{self.path}{'&' if '?' in self.path else '?'}{query}" if query else self.path

    @property
    def authority(self) -> str:
        """Value of the ``Host`` header: host, and port where it is not the scheme's own.

        The zone of an IPv6 address is nobody's business but ours (RFC 6874, section 4).
        """
        return self._netloc(self.host.partition("%")[0])

    @property
    def url(self) -> str:
        """The URL without userinfo; of an app, its name and the path."""
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
    """Split into the userinfo, the URL without it, and what a message may show of it.

    A password with a bare ``/``, ``?`` or ``#`` ends the authority too early, so a message shows nothing before the
    last ``@``, wherever that stands.
    """
    scheme, _, rest = (text if _SCHEME.match(text) else f"http://{text}").partition("://")
    end = min((at for at in (rest.find(mark) for mark in "/?#") if at >= 0), default=len(rest))
    userinfo, at, netloc = rest[:end].rpartition("@")
    _, has_at_sign, tail = rest.rpartition("@")
    redacted = f"{scheme}://{MASK}@{tail}" if has_at_sign else f"{scheme}://{rest}"
    return (Secret(userinfo) if at else None), f"{scheme}://{netloc}{rest[end:]}", redacted


def _parse_netloc(redacted: str, netloc: str) -> tuple[str, int | None]:
    match = _NETLOC.fullmatch(netloc)
    if match is None:
        raise _target_error(
            redacted, "HOST[:PORT] is a name, an IPv4 address or an [IPv6 address], and a number up to 65535"
        )
    port = None if match["port"] is None else int(match["port"])
    if port is not None and not 0 < port <= _MAX_PORT:
        raise _target_error(redacted, f"the port must be a number from 1 to {_MAX_PORT}")
    if not match["host"]:
        raise _target_error(redacted, "it names no host")
    host = _normalize_ipv6(match["host"]) if match["host"].startswith("[") else _normalize_name(match["host"])
    if host is None:
        raise _target_error(redacted, "its host is no valid name or address")
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
        raise _target_error(redacted, "a user name cannot hold a colon (RFC 7617, section 2)")
    return Credentials(user, password)


def _decode_secret(part: str) -> Secret | None:
    try:
        return Secret(unquote(part, errors="strict"))
    except UnicodeDecodeError:
        return None


def _percent_encode(path: str) -> str:
    return "".join(char if char.isascii() else quote(char) for char in path)


def _target_error(redacted: str, problem: str) -> UsageError:
    return UsageError(f"{redacted!r} is no usable target: {problem}; write [http://][USER:PASSWORD@]HOST[:PORT][/PATH]")
