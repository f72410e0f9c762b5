"""JSON trees of bodies, by path: edits and differences."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcop_mock.callbacks.json_tree import (
    Difference,
    all_paths,
    differences,
    json_type,
    value_at,
    with_value,
    without_value,
)
from tcop_mock.errors import UnknownNameError

TREE: dict[str, Any] = {"alarmStatus": "1", "info": {"region": "gz", "tags": [{"key": "a"}, {"key": "b"}]}}
KEYS = st.text(alphabet="abc", min_size=1, max_size=3)
EDITED_TREES = st.dictionaries(
    KEYS, st.recursive(st.integers(), lambda inner: st.dictionaries(KEYS, inner) | st.lists(inner), max_leaves=8)
)


@given(EDITED_TREES, st.integers())
def test_every_path_can_be_set_and_removed(tree: dict[str, Any], value: int) -> None:
    """A set value is at its path, a removed one is gone, and the original tree is unchanged."""
    before = repr(tree)
    for path in all_paths(tree):
        assert value_at(with_value(tree, path, value), path) == value
        assert len(list(all_paths(without_value(tree, path)))) < len(list(all_paths(tree)))
    assert repr(tree) == before


@pytest.mark.parametrize(
    "path, hint",
    [
        ("alarmstatus", "did you mean 'alarmStatus'"),
        ("info.regoin", "did you mean 'info.region'"),
        ("info.tags.2", "unknown path 'info.tags.2' in the body"),
        ("info.tags.x", "unknown path"),
        ("info.region.code", "did you mean 'info.region'"),
        ("nowhere.at.all", "unknown path"),
    ],
)
def test_unknown_paths_are_errors_with_near_misses(path: str, hint: str) -> None:
    """The error for an unknown path suggests the most similar one of the body."""
    for edit in (partial(with_value, value=1), without_value, value_at):
        with pytest.raises(UnknownNameError) as caught:
            edit(TREE, path=path)
        assert hint in str(caught.value)


def test_a_new_key_is_added_only_on_request() -> None:
    """`create` adds the last key of a path in an object, and nothing else."""
    assert with_value(TREE, "info.zone", 3, create=True)["info"]["zone"] == 3
    assert with_value(TREE, "info.tags.0", 3, create=True)["info"]["tags"] == [3, {"key": "b"}]
    with pytest.raises(UnknownNameError):
        with_value(TREE, "info.tags.9", 3, create=True)
    with pytest.raises(UnknownNameError):
        with_value(TREE, "fresh.zone", 3, create=True)


SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2)
TREES = st.recursive(
    SCALARS, lambda tree: st.lists(tree, max_size=3) | st.dictionaries(st.text("xy"), tree, max_size=3), max_leaves=8
)


@pytest.mark.parametrize(
    "a, b, found",
    [
        ({"x": 1, "y": 2}, {"y": 2, "x": 1}, []),
        ({"x": {"y": "a"}}, {"x": {"y": "b"}}, [Difference("x.y", "changed", "a", "b")]),
        ({"x": "443"}, {"x": 443}, [Difference("x", "type", "443", 443)]),
        ({"x": 1}, {"x": True}, [Difference("x", "type", 1, b=True)]),
        ({"x": None}, {}, [Difference("x", "removed", None)]),
        ({}, {"x": None}, [Difference("x", "added")]),
        ({"x": [1, 2]}, {"x": [1]}, [Difference("x.1", "removed", 2)]),
        ({"x": [1]}, {"x": [3, 2]}, [Difference("x.0", "changed", 1, 3), Difference("x.1", "added", b=2)]),
        ({"x": {}}, {"x": []}, [Difference("x", "type", {}, [])]),
        (1, 2.5, [Difference("", "changed", 1, 2.5)]),
        (1, 1.0, []),
        ({"b": 1, "a": 1}, {"c": 1, "a": 2}, [
            Difference("b", "removed", 1), Difference("a", "changed", 1, 2), Difference("c", "added", b=1)
        ]),
    ],
)  # fmt: skip
def test_a_difference_has_path_kind_and_values(a: Any, b: Any, found: list[Difference]) -> None:
    """Each value that is added, removed, changed or of another type is one difference, in the order of the bodies."""
    assert list(differences(a, b)) == found


def test_each_json_type_has_a_name() -> None:
    """A boolean is not a number, and null is a type of its own."""
    values: list[Any] = [None, True, 1, 1.5, "a", [], {}]
    assert [json_type(value) for value in values] == [
        "null", "boolean", "number", "number", "string", "array", "object",
    ]  # fmt: skip


@given(TREES)
def test_a_tree_has_no_difference_to_its_copy(tree: Any) -> None:
    """Equal trees have no differences."""
    assert list(differences(tree, copy.deepcopy(tree))) == []


@given(TREES, TREES)
def test_the_way_back_has_the_same_places(a: Any, b: Any) -> None:
    """From the second tree to the first, the same paths differ, with the values swapped."""
    there, back = list(differences(a, b)), list(differences(b, a))
    assert sorted(one.path for one in there) == sorted(one.path for one in back)
    swapped = {"added": "removed", "removed": "added", "changed": "changed", "type": "type"}
    assert {(one.path, one.kind) for one in there} == {(one.path, swapped[one.kind]) for one in back}
    assert bool(there) == (not _same(a, b))


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return type(a) is type(b) and bool(a == b)
