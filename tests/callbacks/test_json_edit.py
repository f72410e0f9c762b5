"""Edits on the typed tree of a body."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcop_mock.callbacks.json_edit import all_paths, value_at, with_value, without_value
from tcop_mock.errors import UnknownNameError

TREE: dict[str, Any] = {"alarmStatus": "1", "info": {"region": "gz", "tags": [{"key": "a"}, {"key": "b"}]}}
KEYS = st.text(alphabet="abc", min_size=1, max_size=3)
TREES = st.dictionaries(
    KEYS, st.recursive(st.integers(), lambda inner: st.dictionaries(KEYS, inner) | st.lists(inner), max_leaves=8)
)


@given(TREES, st.integers())
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
