"""Mutators: what clauses do to bodies, by name."""

from __future__ import annotations

import json
import re

import pytest

from tcop_mock.callbacks.generator import Generator, Moment
from tcop_mock.callbacks.rendering import Bodies
from tcop_mock.callbacks.sampling import Ask
from tcop_mock.callbacks.validator import BodyJudge
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.builders import PLAYERS
from tcop_mock.contract.case_factory import PLAIN_SHAPE, Workshop
from tcop_mock.contract.clauses import load_clauses
from tcop_mock.contract.mutators import Mutator, Wanted, load_mutators

CATALOG = Catalog.load()
JUDGE = BodyJudge(CATALOG, load_profile())
MUTATORS = list(load_mutators().values())


def mutated(mutator: Mutator) -> bytes:
    """Return the body of the callback that the clause changes."""
    shape = CATALOG.get(mutator.shape or PLAIN_SHAPE)
    ask = Ask(threshold=mutator.threshold, reaching=mutator.state)
    return mutator.change(json.loads(Bodies(Generator(2), shape, Moment(mutator.state), ask=ask).body(0)))


@pytest.mark.parametrize("mutator", MUTATORS, ids=lambda mutator: mutator.name)
def test_what_a_receiver_must_take_could_have_come_from_tcop(mutator: Mutator) -> None:
    """And what it must refuse could not; so validate and check never disagree."""
    verdict = JUDGE.judge(mutated(mutator))
    assert mutator.wanted in {Wanted.TAKE if verdict.valid else Wanted.REFUSE, Wanted.EITHER}


def test_names_are_names() -> None:
    """They can be typed, and say what is done."""
    assert all(re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", mutator.name) for mutator in MUTATORS)
    assert {
        "recover-time-empty-while-firing",
        "no-region",
        "empty-body",
        "alarm-status-as-integer",
    } <= load_mutators().keys()


def test_every_body_that_a_clause_changes_can_be_had() -> None:
    """Each case of these clauses has a mutator that gives the same title, or the same bytes."""
    titles = {mutator.title for mutator in MUTATORS}
    broken = {mutated(mutator) for mutator in MUTATORS if mutator.wanted is not Wanted.TAKE}
    for clause in load_clauses():
        shop = Workshop(CATALOG, Generator(7), clause.code)
        for scene in PLAYERS[clause.play.name](shop, **clause.play.params).scenes:
            for case in scene.cases if clause.play.name in {"variants", "bodies"} else ():
                assert case.title in titles or case.push.body in broken or case.title.startswith("a plain callback")
