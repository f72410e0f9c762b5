"""The endless stream of bodies."""

from __future__ import annotations

import itertools
import json
from collections import Counter

import pytest
from load_samples import CATALOG

from tcop_mock.callbacks.generator import POLICIES_IN_ROTATION, Generator
from tcop_mock.callbacks.json_schemas import emit_schema
from tcop_mock.callbacks.rendering import BodyRenderer
from tcop_mock.catalog.schema_check import validator, worst_violation
from tcop_mock.errors import UnknownNameError
from tcop_mock.load.schedule import mixed_bodies, weighted_shapes

CVM, CDB = "cvm/basic-monitoring", "clb/private-listener"


def taken(count: int, *mix: tuple[str, float], seed: int = 1, process: int = 0) -> list[bytes]:
    """Return the first bodies of a mix."""
    return list(itertools.islice(mixed_bodies(Generator(seed), weighted_shapes(CATALOG, mix), worker=process), count))


def test_every_body_is_another_alarms() -> None:
    """No two of 20,000 bodies have the same session."""
    bodies = taken(20_000, (CVM, 1.0))
    assert len({json.loads(body)["sessionId"] for body in bodies}) == 20_000


def test_every_body_is_true() -> None:
    """Each could have come from TCOP, by the schema of its shape; neighbours are of different policies."""
    checker = validator(emit_schema(CATALOG.get(CVM)))
    trees = [json.loads(body) for body in taken(64, (CVM, 1.0))]
    assert [worst_violation(checker, tree) for tree in trees] == [None] * 64
    assert len({tree["alarmPolicyInfo"]["policyId"] for tree in trees[:16]}) == 16


def test_shapes_come_by_weight() -> None:
    """Three quarters are of the one with weight 3."""
    bodies = taken(8000, (CVM, 3.0), (CDB, 1.0))
    types = Counter(json.loads(body)["alarmPolicyInfo"]["policyType"] for body in bodies)
    assert types["cvm_device"] / 8000 == pytest.approx(0.75, abs=0.03)


def test_without_a_mix_every_shape_comes() -> None:
    """All published shapes have a weight by default; a glob divides its weight among its shapes."""
    assert {shape.id for shape, _ in weighted_shapes(CATALOG, ())} == {
        shape.id for shape in CATALOG if not shape.unpublished
    }
    shares = weighted_shapes(CATALOG, [("cvm/*", 2.0), (CDB, 1.0)])
    assert sum(weight for shape, weight in shares if shape.id.startswith("cvm/")) == pytest.approx(2.0)
    with pytest.raises(UnknownNameError):
        weighted_shapes(CATALOG, [("nosuch/*", 1.0)])


def test_processes_do_not_draw_each_others() -> None:
    """Two processes of one load have no body in common; the same process has the same again."""
    first, second = taken(5000, (CVM, 1.0)), taken(5000, (CVM, 1.0), process=1)
    assert not set(first) & set(second)
    assert first == taken(5000, (CVM, 1.0))


def test_the_first_alarms_of_a_policy_have_a_serial() -> None:
    """Bodies of one policy are those of the whole sequence, across blocks and for any number."""
    bodies = BodyRenderer(Generator(3), CATALOG.get(CVM))
    assert bodies.for_policy(5, 100, 300) == [
        bodies.body(5 + POLICIES_IN_ROTATION * number) for number in range(100, 400)
    ]
    assert not set(bodies.for_policy(5, 1 << 40, 300)) & set(bodies.for_policy(5, 0, 300))
