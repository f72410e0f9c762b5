"""The head of a request, as it stands before the body."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tcop_mock.model.delivery import Push
    from tcop_mock.model.target import Target


def request_head(target: Target, push: Push) -> bytes:
    """Return it, with the blank line at its end.

    Nothing here raises, so that no traceback shows the credentials that it holds in the clear.
    """
    fields = {
        "host": ("Host", target.authority),
        "content-length": push.framing,
        # RFC 9112, 9.6: "close" is said by who will not use the connection again
        "connection": ("Connection", "keep-alive" if push.keeps else "close"),
    }
    if push.credentials is not None:
        fields["authorization"] = ("Authorization", f"Basic {push.credentials.token().reveal()}")
    fields |= {name.lower(): (name, value) for name, value in push.headers}
    start = f"{push.method} {target.path_with(push.query)} HTTP/1.1"
    lines = [start, *(f"{name}: {value}" for name, value in fields.values())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
