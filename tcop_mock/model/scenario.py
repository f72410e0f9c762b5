"""A storm as it is written down: which alarms fire when, how they repeat and when they are over.

Times are seconds of the storm, from its beginning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tcop_mock.model.alarm import Notify


@dataclass(frozen=True, slots=True)
class Group:
    """Alarms that have something in common."""

    title: str
    shapes: tuple[str, ...]
    """Ids or globs of the catalogue; the alarms are dealt to them in turn."""
    alarms: int
    within_s: float
    """The first firings fall into so long a time, each by chance."""
    start_s: float = 0.0
    """When that begins."""
    metric: str | None = None
    event: str | None = None
    notify: Notify | None = None
    """How unresolved alarms are told again; ``None``: once."""
    period_s: int | None = None
    """Statistical period of the policies; ``None``: drawn."""
    period_num: int | None = None
    """How many breaching periods it takes to fire; ``None``: drawn."""
    lasts_s: tuple[float, float] | None = None
    """How long an alarm lasts, at least and at the most, each by chance."""
    over_s: float | None = None
    """When what is behind all of them is over. Without this and ``lasts_s``, they outlive the scenario."""
    lives: int = 1
    """How often each of them fires."""
    between_s: tuple[float, float] = (0.0, 0.0)
    """How long it is resolved before it fires again; the policy's periods at the least."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A storm. Read from one file of ``contracts/scenarios/``, or from a user's own."""

    name: str
    title: str
    source: str
    assumed: Mapping[str, str]
    """What no source says: names of the groups' keys and a sentence each."""
    groups: tuple[Group, ...]
    region: str = ""
    """Short code of the region that all alarms are of; empty: each policy's own."""
    ends_s: float | None = None
    """After which nothing is told; ``None``: when the last alarm is over."""
    file: str = ""
    """Where a user's own was read from; empty for a shipped one."""

    @property
    def where(self) -> str:
        """How an error names it."""
        return self.file or self.name

    @property
    def alarms(self) -> int:
        """How many alarms it has."""
        return sum(group.alarms for group in self.groups)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """The sentences of ``assumed``; printed in every report."""
        return tuple(self.assumed.values())
