"""Service level objectives: what a load is held to, and whether it was kept."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Objective:
    """One bound of ``--slo``."""

    text: str
    """As it was written: ``p99<500ms``."""
    name: str
    """What is measured."""
    relation: str
    """``<``, ``<=``, ``=``, ``>=`` or ``>``."""
    bound: float
    """Seconds of a time, 0 to 1 of a share, else the number."""
    is_share: bool = False
    """Whether a share of all is meant, where a count could be."""


@dataclass(frozen=True, slots=True)
class Held:
    """One objective and what came of it."""

    objective: Objective
    kept: bool
    measured: str
    """What was measured, in words: ``612 ms``, ``7 of 2000 (0.35%)``, or why nothing was."""

    @property
    def sentence(self) -> str:
        """What is told of it."""
        return f"{self.objective.text}: {'kept' if self.kept else 'broken'}, {self.measured}"
