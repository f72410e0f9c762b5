"""Mutators: the changes of clauses to bodies, by name."""

from __future__ import annotations

import json
import re

import pytest

from tcop_mock.callbacks.generator import Generator, LifecyclePoint
from tcop_mock.callbacks.rendering import BodyRenderer
from tcop_mock.callbacks.sampling import AlarmOptions
from tcop_mock.callbacks.validator import CallbackValidator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.builders import BUILDERS
from tcop_mock.contract.case_factory import PLAIN_SHAPE, CaseFactory
from tcop_mock.contract.clauses import load_clauses
from tcop_mock.contract.mutators import ExpectedReaction, Mutator, load_mutators

CATALOG = Catalog.load()
VALIDATOR = CallbackValidator(CATALOG, load_profile())
MUTATORS = list(load_mutators().values())


def mutated(mutator: Mutator) -> bytes:
    """Return the body of the callback that the clause changes."""
    shape = CATALOG.get(mutator.shape or PLAIN_SHAPE)
    ask = AlarmOptions(has_threshold=mutator.has_threshold, required_state=mutator.state)
    return mutator.change(
        json.loads(BodyRenderer(Generator(2), shape, LifecyclePoint(mutator.state), options=ask).body(0))
    )


@pytest.mark.parametrize("mutator", MUTATORS, ids=lambda mutator: mutator.name)
def test_only_bodies_to_accept_are_valid(mutator: Mutator) -> None:
    """Bodies that a receiver must accept are valid and others are not, so validate and check agree."""
    verdict = VALIDATOR.validate(mutated(mutator))
    assert mutator.expected_reaction in {
        ExpectedReaction.ACCEPT if verdict.is_valid else ExpectedReaction.REJECT,
        ExpectedReaction.EITHER,
    }


def test_names_are_easy_to_type() -> None:
    """Names are lower-case words joined by dashes, and describe the change."""
    assert all(re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", mutator.name) for mutator in MUTATORS)
    assert {
        "recover-time-empty-while-firing",
        "no-region",
        "empty-body",
        "alarm-status-as-integer",
    } <= load_mutators().keys()


def test_every_body_that_a_clause_changes_can_be_had() -> None:
    """Each case of these clauses has a mutator with the same title or the same bytes."""
    titles = {mutator.title for mutator in MUTATORS}
    broken = {mutated(mutator) for mutator in MUTATORS if mutator.expected_reaction is not ExpectedReaction.ACCEPT}
    for clause in load_clauses():
        factory = CaseFactory(CATALOG, Generator(7), clause.code)
        for group in BUILDERS[clause.builder.name](factory, **clause.builder.params).groups:
            for case in group.cases if clause.builder.name in {"mutations", "raw_bodies"} else ():
                assert case.title in titles or case.request.body in broken or case.title.startswith("a plain callback")
