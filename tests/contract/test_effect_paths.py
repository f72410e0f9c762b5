"""Effects that are read from a document."""

from __future__ import annotations

import jsonpath_rfc9535
import pytest

from tcop_mock.contract.observers import EffectPaths, default_paths
from tcop_mock.domain.effects import Effect
from tcop_mock.errors import ObserverError, UsageError

DOCUMENT = b'{"rows": [{"id": "\\u540d", "open": true}, "text", 7], "incidents": [{"id": "b", "status": "open"}]}'


def test_paths_choose_rows_and_incidents() -> None:
    """Each node that a JSONPath selects is one effect: texts as they are, the rest as JSON without escapes."""
    sight = EffectPaths.parse("$.rows[*]", '$.incidents[?@.status == "open"]').parse_snapshot(DOCUMENT, "x")
    assert [effect.text for effect in sight.effects] == ['{"id": "名", "open": true}', "text", "7"]
    assert sight.open_incidents == (Effect('{"id": "b", "status": "open"}'),)


def test_a_list_is_meant_as_its_items() -> None:
    """$.rows selects one list, and is understood."""
    assert EffectPaths.parse("$.rows", None).parse_snapshot(DOCUMENT, "x").count == 3


def test_without_effects_what_is_open_is_an_effect() -> None:
    """Open incidents count as effects without --observe-all; without --observe-open they are unknown."""
    assert EffectPaths.parse(None, "$.incidents[*]").parse_snapshot(DOCUMENT, "x").count == 1
    assert EffectPaths.parse("$.rows[*]", None).parse_snapshot(DOCUMENT, "x").open_incidents is None


@pytest.mark.parametrize(
    "document, is_open", [({"effects": ["a"], "open": []}, ()), ({"effects": ["a"]}, None), ([], None)]
)
def test_a_document_for_us_has_effects_and_open(document: object, is_open: object) -> None:
    """One that does not mention what is open does not tell."""
    assert default_paths(document).extract(document).open_incidents == is_open


def test_a_list_without_paths_is_the_effects() -> None:
    """Such as the rows of a table."""
    assert default_paths([]).extract([{"id": 1}, {"id": 2}]).count == 2


def test_what_is_no_path_is_reported() -> None:
    """The error names the flag, the problem and an example."""
    with pytest.raises(
        UsageError, match=r"--observe-all '\$\.x\[' is no JSONPath: .*; write for example \$\.incidents"
    ):
        EffectPaths.parse("$.x[", None)


def test_what_is_no_path_is_reported_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """jsonpath-rfc9535 2, on Python 3.12 and later, draws the place in four more lines, which are left out."""

    def draw(_: str) -> None:
        raise jsonpath_rfc9535.JSONPathError("unexpected 'x'\n  -> 'x' 1:0\n  |\n1 | x\n  | ^ unexpected 'x'\n")

    monkeypatch.setattr("jsonpath_rfc9535.compile", draw)
    with pytest.raises(UsageError) as problem:
        EffectPaths.parse("x", None)
    assert str(problem.value) == ("--observe-all 'x' is no JSONPath: unexpected 'x'; write for example $.incidents[*]")


@pytest.mark.parametrize("raw", [b"<html>", b"", b"[" * 100_000])
def test_what_is_no_json_is_reported(raw: bytes) -> None:
    """The error shows the beginning of the text."""
    with pytest.raises(ObserverError, match=r"^what it answers is not JSON: b'"):
        EffectPaths.parse("$.x", None).parse_snapshot(raw, "what it answers")
