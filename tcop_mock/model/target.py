"""Where callbacks go: the URL a customer types into the console, with its userinfo taken out at once.

TCOP's own form is ``domain or IP[:port][/path]`` (alarm callback page, 2023-08-07, directions, step 3), so a target
without a scheme is taken as http.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from tcop_mock.errors import UsageError
from tcop_mock.model.secret import MASK, Credentials, Secret

_PORTS = {"http": 80, "https": 443}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HOST = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?\.?)+|\[[0-9A-Fa-f:.]+(?:%25[\w.~-]+)?\]")
_BLANK_OR_CONTROL = re.compile(r"[\x00-\x20\x7f]")


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

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read a target.

        Raises:
            UsageError: what is wrong with it and how it should look. The message never holds the userinfo.
        """
        text = text.strip()
        url = text if _SCHEME.match(text) else f"http://{text}"
        userinfo, shown = _without_userinfo(url)
        if _BLANK_OR_CONTROL.search(url):
            raise _bad(shown, "blanks and control characters must be percent-encoded")
        try:
            parts = urlsplit(shown)
            port = parts.port
        except ValueError as problem:
            raise _bad(shown, str(problem)) from None
        if parts.scheme.lower() not in _PORTS:
            raise _bad(shown, f"the scheme must be http or https, not {parts.scheme!r}")
        host = _ascii_host(shown, parts.netloc)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(
            scheme=parts.scheme.lower(),
            host=host,
            port=_PORTS[parts.scheme.lower()] if port is None else port,
            path=_percent_encoded(path),
            credentials=_credentials(shown, userinfo),
        )

    @property
    def authority(self) -> str:
        """Value of the ``Host`` header: host, and port where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL without userinfo."""
        return f"{self.scheme}://{self.authority}{self.path}"

    def __str__(self) -> str:
        mask = f"{MASK}@" if self.credentials else ""
        return f"{self.scheme}://{mask}{self.authority}{self.path}"


def _without_userinfo(url: str) -> tuple[str | None, str]:
    scheme, _, rest = url.partition("://")
    end = min((at for at in (rest.find(mark) for mark in "/?#") if at >= 0), default=len(rest))
    userinfo, at, host = rest[:end].rpartition("@")
    return (userinfo if at else None), f"{scheme}://{host}{rest[end:]}"


def _ascii_host(shown: str, netloc: str) -> str:
    host = netloc[: netloc.find("]") + 1] if netloc.startswith("[") else netloc.partition(":")[0]
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            raise _bad(shown, f"the host {host!r} is no valid domain name") from None
    if not host:
        raise _bad(shown, "it names no host")
    if not _HOST.fullmatch(host):
        raise _bad(shown, f"{host!r} is no host name and no IP address")
    return host.strip("[]").replace("%25", "%").lower()


def _credentials(shown: str, userinfo: str | None) -> Credentials | None:
    if userinfo is None:
        return None
    user, _, password = userinfo.partition(":")
    try:
        return Credentials(*(Secret(unquote(part, errors="strict")) for part in (user, password)))
    except UnicodeDecodeError:
        raise _bad(shown, "the percent-encoding of its user or password is not UTF-8") from None


def _percent_encoded(path: str) -> str:
    return "".join(char if char.isascii() else "".join(f"%{byte:02X}" for byte in char.encode()) for char in path)


def _bad(shown: str, problem: str) -> UsageError:
    return UsageError(f"{shown!r} is no usable target: {problem}; write [http://][USER:PASSWORD@]HOST[:PORT][/PATH]")
