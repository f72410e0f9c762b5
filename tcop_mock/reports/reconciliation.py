"""What ``reconcile`` tells: text, and the document of ``contracts/schemas/reconcile-report.schema.json``."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.reports.json import VERSION
from tcop_mock.reports.text import counted, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.domain.ledger import Difference, Differences, Reconciliation

_MOST_CHARS = 120


class _Kind(NamedTuple):
    """One way to disagree, and how it is told."""

    key: str
    says: str


_KINDS = (
    _Kind("lost", "acknowledged, and not there"),
    _Kind("duplicated", "there more often than the attempts explain"),
    _Kind("out_of_order", "there behind a later one of the same alarm"),
    _Kind("unknown", "there, and not in the ledger"),
)


def reconciliation_document(found: Reconciliation, ledger: str, received: str) -> dict[str, Any]:
    """Return what ``reconcile --json`` prints."""
    return {
        "version": VERSION,
        "ledger": ledger,
        "received": received,
        "agrees": found.agrees,
        "notifications": found.notifications,
        "alarms": found.alarms,
        "acked": found.acked,
        "requests": found.intake.requests,
        "effects": found.intake.effects,
        "passed_over": found.intake.passed_over,
        "unacked": found.unacked,
        **{kind.key: _differences(getattr(found, kind.key)) for kind in _KINDS},
    }


def _differences(found: Differences) -> dict[str, Any]:
    return {
        "notifications": found.notifications,
        "objects": found.objects,
        "told": [
            {
                "object": thing,
                "notifications": [
                    {
                        "alarm": one.alarm,
                        "session": one.session,
                        "state": one.state,
                        "attempts": one.attempts,
                        "times": one.times,
                    }
                    for one in group
                ],
            }
            for thing, group in groupby(found.told, key=attrgetter("object"))
        ],
    }


def reconciliation_lines(found: Reconciliation, ledger: str, received: str) -> Iterator[str]:
    """Yield what a person is told."""
    of_alarms = f"{counted(found.notifications, 'notification')} of {counted(found.alarms, 'alarm')}"
    yield f"{_shown(ledger)}: {of_alarms}, {found.acked} acked"
    intake = found.intake
    there = [counted(intake.requests, "request")] if intake.requests or not intake.effects else []
    there += [counted(intake.effects, "effect")] if intake.effects else []
    there += [f"{counted(intake.passed_over, 'line')} about no callback"] if intake.passed_over else []
    yield f"{_shown(received)}: {', '.join(there)}"
    for kind in _KINDS:
        differences: Differences = getattr(found, kind.key)
        name = kind.key.replace("_", " ")
        if not differences.notifications:
            yield f"{name}: 0"
            continue
        of_objects = f"of {counted(differences.objects, 'object')}"
        yield f"{name}: {differences.notifications} {of_objects}, {kind.says}"
        yield from _told(differences)
    if found.unacked:
        yield f"given up by the sender, and yet there: {found.unacked}"
    yield "The ledger and the receiver agree." if found.agrees else "The ledger and the receiver differ."


def _told(differences: Differences) -> Iterator[str]:
    objects = 0
    for thing, group in groupby(differences.told, key=attrgetter("object")):
        objects += 1
        yield f"  {_shown(thing) or 'no object known'}: {', '.join(map(_one, group))}"
    if objects < differences.objects:
        yield f"  … {counted(differences.objects - objects, 'more object')} (--limit N)"


def _one(found: Difference) -> str:
    name = _shown(" ".join(filter(None, (found.state, found.session)))) or "by its object"
    if not found.times:
        return name
    attempts = f" of {counted(found.attempts, 'attempt')}" if found.attempts else ""
    return f"{name} ({found.times}x{attempts})"


def _shown(text: str) -> str:
    return one_line(text, _MOST_CHARS)
