"""Whether a load kept its objectives, as JUnit XML: each is a case of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcop_mock.report.junit import SUITE, Case, suite_document

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tcop_mock.model.loaded import LoadSummary
    from tcop_mock.model.slo import Held


def objectives_junit(load: LoadSummary, held: Iterable[Held], started: datetime) -> bytes:
    """Return what a load was held to as JUnit XML; of a load without objectives, a suite without a case.

    Args:
        load: what it came to; its assumptions and notes are the suite's output.
        held: the objectives and what came of each.
        started: when the load began, with its time zone.
    """
    plan = load.plan
    cases = [_objective_case(one) for one in held]
    about = {
        "target": str(plan.target),
        "profile": plan.profile,
        "seed": str(plan.seed),
        "load": plan.title,
        "interrupted": "yes" if load.interrupted else "no",
    }
    said = [f"{load.attempts} attempts in {load.elapsed_s:.1f} s, {load.acked} acked", *load.notes]
    return suite_document(cases, about, [*said, *(f"Assumed: {text}" for text in plan.assumptions)], started)


def _objective_case(held: Held) -> Case:
    case = Case(f"{SUITE}.slo", held.objective.text, 0.0, type="slo")
    if held.kept:
        return case
    return case._replace(tag="failure", message=f"measured: {held.measured}", text=held.sentence)
