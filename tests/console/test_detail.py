"""A JSON tree as lines."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from tcop_mock.console.detail import MAX_LINES, JsonLine, json_lines

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet="aé\u4e91"),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(alphabet="ab"), children, max_size=4),
    max_leaves=20,
)


@given(TREES)
def test_the_lines_are_the_tree(tree: object) -> None:
    """The lines of a small tree together are the tree."""
    assert json.loads("\n".join(line.text for line in json_lines(tree))) == tree


def test_each_value_has_its_path() -> None:
    """A line has the path that validate names, a closing bracket none."""
    assert json_lines({"a": [1, {"b": "x"}], "c": {}}) == [
        JsonLine(0, "{", ""),
        JsonLine(1, '"a": [', "a"),
        JsonLine(2, "1,", "a.0"),
        JsonLine(2, "{", "a.1"),
        JsonLine(3, '"b": "x"', "a.1.b"),
        JsonLine(2, "}", ""),
        JsonLine(1, "],", ""),
        JsonLine(1, '"c": {}', "c"),
        JsonLine(0, "}", ""),
    ]


def test_the_lines_are_bounded() -> None:
    """Long texts are cut, deep trees folded, and long trees end with a line that says so."""
    assert json_lines("x" * 9_000)[0].text.endswith("… (9000 characters)")
    deep: object = 1
    for _ in range(100):
        deep = [deep]
    assert [line.text for line in json_lines(deep) if "…" in line.text] == ["[…]"]
    lines = json_lines(list(range(9_000)))
    assert len(lines) == MAX_LINES + 1
    assert lines[-1].text == f"… more than {MAX_LINES} lines"
