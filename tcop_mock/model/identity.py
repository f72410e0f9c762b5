"""What tells a notification from all others, as far as its body shows it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.model.alarm import State
from tcop_mock.model.told import Told

if TYPE_CHECKING:
    from collections.abc import Mapping

_HASH_CHARS = 32


class Identity(NamedTuple):
    """One notification of one alarm. Its retries have the same one, a repeat and the resolve have others."""

    alarm: str
    """Policy, metric or event, and object, with slashes between them."""
    object: str
    """``objId``; of events ``unInstanceId``; else the dimensions."""
    session: str
    """``sessionId``; of CloudEvents ``id``; of what has neither, a hash of the body: ``sha256:...``."""
    state: str
    """``firing``, ``repeated`` or ``resolved``; empty where the body is no callback of TCOP's."""


def identity_of(body: bytes) -> Identity:
    """Return the identity of a body; whatever the bytes are, nothing is raised."""
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError):
        tree = None
    return identity_in(tree if isinstance(tree, dict) else {}, body)


def identity_in(tree: Mapping[str, Any], body: bytes) -> Identity:
    """Return the identity of a body whose tree is known."""
    told = Told(tree)
    session = session_in(tree) or f"sha256:{hashlib.sha256(body).hexdigest()[:_HASH_CHARS]}"
    where = object_in(told.dimensions) or _dimensions(told)
    alarm = "/".join(filter(None, (str(told.policy.get("policyId") or ""), told.name, where)))
    return Identity(alarm or session, where or session, session, _state(told))


def session_in(tree: Mapping[str, Any]) -> str:
    """Return the session id of a body, or an empty text."""
    return _text(tree.get("sessionId")) or (_text(tree.get("id")) if "specversion" in tree else "")


def object_in(table: Mapping[str, Any]) -> str:
    """Return the id of an object from its dimensions, or an empty text."""
    return _text(table.get("objId")) or _text(table.get("unInstanceId"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _dimensions(told: Told) -> str:
    return ",".join(f"{key}={value}" for key, value in told.dimensions.items())


def _state(told: Told) -> str:
    if "alarmStatus" not in told.tree:
        return ""
    if told.resolved:
        return State.RESOLVED
    return State.REPEATED if told.duration_s else State.FIRING
