"""Fast checks of schemas: the same judgement as ``jsonschema``."""

from __future__ import annotations

import itertools
import json
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.json_schemas import accept_schema, documented_schema, inline_refs, open_schema
from tcop_mock.callbacks.rendering import BodyRenderer
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.schema_check import SchemaChecker, compile_match, iter_violations, validator
from tcop_mock.domain.callback import Form

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.catalog.schema_check import Checker

CATALOG = Catalog.load()
SHAPES = ["cvm/basic-monitoring", "mysql/events", "cdn/domain"]
SCALARS: list[Any] = [None, True, False, 0, 1, -1, 1.0, 1.5, float("nan"), "", "a", "ab", "1"]
VALUES: list[Any] = [*SCALARS, [], ["a"], [1, "a"], {}, {"a": 1}, {"a": "a", "b": 2}, {"b": True}]
SCHEMAS: list[Any] = [
    True,
    False,
    {},
    {"title": "any"},
    *({"type": name} for name in ("array", "boolean", "integer", "null", "number", "object", "string")),
    {"type": ["string", "integer"]},
    {"const": 1},
    {"const": True},
    {"const": None},
    {"enum": ["a", "b"]},
    {"enum": [0, "a", False]},
    {"pattern": "^a"},
    {"minLength": 1, "maxLength": 1},
    {"minimum": 1},
    {"items": {"type": "string"}},
    {"properties": {"a": {"type": "string"}}, "required": ["a"]},
    {"properties": {"a": True}, "additionalProperties": False},
    {"properties": {"a": True}, "additionalProperties": {"type": "boolean"}},
    {"allOf": [{"type": "string"}, {"minLength": 2}]},
    {"anyOf": [{"type": "string"}, {"minimum": 1}]},
    {"if": {"type": "string"}, "then": {"minLength": 1}, "else": {"minimum": 1}},
    {"if": {"type": "string"}, "then": {"minLength": 1}},
    {"if": {"type": "string"}},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=json.dumps)
def test_each_keyword_means_what_it_means_to_jsonschema(schema: Any) -> None:
    """Any value; 1 is not true, and 1.0 is an integer."""
    match = compile_match(schema)
    assert match is not None
    expected = Draft202012Validator(schema)
    assert [match(value) for value in VALUES] == [expected.is_valid(value) for value in VALUES]


@pytest.mark.parametrize("schema", [{"multipleOf": 2}, {"enum": [[]]}, {"items": {"$ref": "#"}}])
def test_what_is_not_known_is_left_to_jsonschema(schema: Any) -> None:
    """A schema with another keyword has no fast check, and the same violations."""
    assert compile_match(schema) is None
    assert list(SchemaChecker(schema).violations(3)) == list(iter_violations(validator(schema), 3))


def edits(tree: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield each object of a tree with each of its keys."""
    for key, child in tree.items():
        yield tree, key
        if isinstance(child, dict):
            yield from edits(child)


@cache
def schemas_of(shape_id: str) -> list[tuple[SchemaChecker, Checker]]:
    """Return the schemas of a shape, as both check them."""
    shape = CATALOG.get(shape_id)
    schemas = [
        inline_refs(accept_schema(shape)),
        documented_schema(shape),
        documented_schema(shape, Form.OBSERVED),
        inline_refs(open_schema(shape.kind.value)),
    ]
    return [(SchemaChecker(schema), validator(schema)) for schema in schemas]


@settings(max_examples=20, deadline=None)
@given(
    shape_id=st.sampled_from(SHAPES),
    seed=st.integers(0, 100),
    changes=st.lists(st.tuples(st.integers(0, 40), st.sampled_from(VALUES) | st.just(edits)), max_size=2),
)
def test_bodies_are_checked_as_by_jsonschema(shape_id: str, seed: int, changes: list[tuple[int, Any]]) -> None:
    """Bodies as drawn, and with keys misspelt and values changed: the same violations are found, or none."""
    tree = json.loads(BodyRenderer(Generator(seed), CATALOG.get(shape_id)).body(0))
    for number, value in changes:
        for parent, key in itertools.islice(list(edits(tree)), number, number + 1):
            if value is edits:
                parent[f"{key}X"] = parent.pop(key)
            else:
                parent[key] = value
    for checker, expected in schemas_of(shape_id):
        assert list(checker.violations(tree)) == list(iter_violations(expected, tree))
