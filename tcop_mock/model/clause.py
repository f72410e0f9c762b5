"""A clause: one obligation of a receiver. Read from one file of ``contracts/clauses/``."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tcop_mock.model.target import Parser


class Level(StrEnum):
    """How binding a clause is (RFC 2119)."""

    MUST = "must"
    SHOULD = "should"
    MAY = "may"


class Need(StrEnum):
    """What has to be there for a clause to be run; otherwise it is reported not-run."""

    AUTH = "auth"
    """The target's userinfo says which credentials the receiver wants."""
    ODD_CREDENTIALS = "odd-credentials"
    """They hold signs that have to be percent-encoded in the URL."""
    HTTP = "http"
    """The receiver has connections of its own: it is no app in this process."""
    OBSERVER = "observer"
    """What the receiver does behind its answers can be seen."""
    OPEN = "open"
    """It can be seen which incidents are open."""
    DOWNSTREAM = "downstream"
    """The receiver forwards to our ends."""
    PAGERDUTY = "pagerduty"
    """It forwards to PagerDuty's."""
    WECOM = "wecom"
    """It forwards to WeCom's."""
    RESTART = "restart"
    """It can be restarted."""
    TEMPLATE = "template"
    """The user's own notification template is there."""


EFFECT_NEEDS = frozenset({Need.OBSERVER, Need.OPEN, Need.DOWNSTREAM, Need.PAGERDUTY, Need.WECOM, Need.RESTART})
"""What clauses about effects need, to see them or to do something to the receiver meanwhile."""


class Stage(StrEnum):
    """When a clause is played. Stages follow each other in this order; the clauses of one are played side by side."""

    MAIN = "main"
    EFFECTS = "effects"
    """Stories of alarms, and what the receiver makes of them."""
    ABUSE = "abuse"
    """Broken input: after ``MAIN``, so that a receiver that dies of it takes no other clause with it."""
    LAST = "last"
    """After broken input: is the receiver still alive?"""
    DEPTH = "depth"
    """Input that stops parsers of some kinds, and a look whether the receiver is alive after that, too."""
    DRIP = "drip"
    """A sender that drips, and nobody else beside."""
    BURST = "burst"
    """Alone, because it would make every other answer late."""
    AUTH = "auth"
    """Wrong credentials: after all that needs the right ones, because a receiver may lock out who offers wrong ones."""
    PATIENCE = "patience"
    """Stories in which something may be told late: at the end, because it may be waited for until the run is over."""


@dataclass(frozen=True, slots=True)
class Call:
    """A player or a judge by name, with its parameters."""

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    own: Any = None
    """What an entry point of another package gives, where the name is none of ours."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One obligation of a receiver."""

    code: str
    """``TCM`` and three digits; never changes its meaning, is never reused. Own clauses have letters of their own."""
    slug: str
    level: Level
    profiles: tuple[str, ...]
    """Profiles in which it holds; empty: in all."""
    needs: frozenset[Need]
    stage: Stage
    requirement: str
    source: str
    why: str
    fix: str
    play: Call
    expect: tuple[Call, ...]
    parsers: frozenset[Parser] = frozenset()
    """Parsers of bodies that it is about, too: of those, only what becomes of a parsed body can be judged."""

    @property
    def id(self) -> str:
        """Code and slug: ``TCM302-recover-time-zero``."""
        return f"{self.code}-{self.slug}"
