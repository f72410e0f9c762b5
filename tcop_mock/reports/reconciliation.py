"""Reports of ``reconcile``: lines, and the document (``contracts/schemas/reconcile-report.schema.json``)."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.reports.json import VERSION
from tcop_mock.reports.text import one_line, pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.domain.ledger import Difference, Differences, Reconciliation

_MAX_CHARS = 120


class _DifferenceKind(NamedTuple):
    """One kind of difference, and its description."""

    key: str
    description: str


_DIFFERENCE_KINDS = (
    _DifferenceKind("lost", "acknowledged, but not received"),
    _DifferenceKind("duplicated", "received more often than the attempts explain"),
    _DifferenceKind("out_of_order", "received after a later one of the same alarm"),
    _DifferenceKind("unknown", "received, but not in the ledger"),
)


def reconciliation_document(reconciliation: Reconciliation, ledger: str, received: str) -> dict[str, Any]:
    """Return the document of ``reconcile --json``."""
    return {
        "version": VERSION,
        "ledger": ledger,
        "received": received,
        "agrees": reconciliation.is_consistent,
        "notifications": reconciliation.notifications,
        "alarms": reconciliation.alarms,
        "acked": reconciliation.acked,
        "probes": reconciliation.probes,
        "requests": reconciliation.read_stats.requests,
        "effects": reconciliation.read_stats.effects,
        "passed_over": reconciliation.read_stats.skipped,
        "unacked": reconciliation.unacked,
        **{kind.key: _differences_document(getattr(reconciliation, kind.key)) for kind in _DIFFERENCE_KINDS},
    }


def _differences_document(differences: Differences) -> dict[str, Any]:
    return {
        "notifications": differences.notifications,
        "objects": differences.objects,
        "examples": [
            {
                "object": object_id,
                "notifications": [
                    {
                        "alarm": one.alarm_key,
                        "session": one.session_id,
                        "state": one.state,
                        "attempts": one.attempts,
                        "times": one.received_count,
                    }
                    for one in group
                ],
            }
            for object_id, group in groupby(differences.examples, key=attrgetter("object_id"))
        ],
    }


def reconciliation_lines(reconciliation: Reconciliation, ledger: str, received: str) -> Iterator[str]:
    """Yield the lines that ``reconcile`` prints."""
    sent_text = (
        f"{pluralize(reconciliation.notifications, 'notification')} of {pluralize(reconciliation.alarms, 'alarm')}"
    )
    probe_text = f"; {reconciliation.probes} of them the probe before the load" if reconciliation.probes else ""
    yield f"{_printable(ledger)}: {sent_text}, {reconciliation.acked} acked{probe_text}"
    read_stats = reconciliation.read_stats
    received_texts = (
        [pluralize(read_stats.requests, "request")] if read_stats.requests or not read_stats.effects else []
    )
    received_texts += [pluralize(read_stats.effects, "effect")] if read_stats.effects else []
    received_texts += [f"{pluralize(read_stats.skipped, 'line')} without a callback"] if read_stats.skipped else []
    yield f"{_printable(received)}: {', '.join(received_texts)}"
    for kind in _DIFFERENCE_KINDS:
        differences: Differences = getattr(reconciliation, kind.key)
        name = kind.key.replace("_", " ")
        if not differences.notifications:
            yield f"{name}: 0"
            continue
        objects_text = f"of {pluralize(differences.objects, 'object')}"
        yield f"{name}: {differences.notifications} {objects_text}, {kind.description}"
        yield from _difference_lines(differences)
    if reconciliation.unacked:
        yield f"not acknowledged, but received: {reconciliation.unacked}"
    yield (
        "The ledger and the receiver agree." if reconciliation.is_consistent else "The ledger and the receiver differ."
    )


def _difference_lines(differences: Differences) -> Iterator[str]:
    shown_objects = 0
    for object_id, group in groupby(differences.examples, key=attrgetter("object_id")):
        shown_objects += 1
        yield f"  {_printable(object_id) or 'no object known'}: {', '.join(map(_describe_difference, group))}"
    if shown_objects < differences.objects:
        yield f"  … {pluralize(differences.objects - shown_objects, 'more object')} (--limit N)"


def _describe_difference(difference: Difference) -> str:
    name = _printable(" ".join(filter(None, (difference.state, difference.session_id)))) or "by its object"
    if not difference.received_count:
        return name
    attempts = f" of {pluralize(difference.attempts, 'attempt')}" if difference.attempts else ""
    return f"{name} ({difference.received_count}x{attempts})"


def _printable(text: str) -> str:
    return one_line(text, _MAX_CHARS)
