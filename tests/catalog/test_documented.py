"""The catalogue against the documentation, which ``documented.toml`` transcribes independently."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tcop_mock.callbacks.lint_rules import sample_matches
from tcop_mock.catalog.loader import Catalog
from tcop_mock.domain.shape import PLACEHOLDER

PRINTED = tomllib.loads((Path(__file__).parent / "documented.toml").read_text(encoding="utf-8"))["shape"]
CATALOG = Catalog.load()

PAGE = "alarm callback page 2023-08-07"
OFFICIAL = [printed for printed in PRINTED if printed["source"] == PAGE]

each_printed = pytest.mark.parametrize(
    "printed", PRINTED, ids=[f"{at}-{printed['id']}" for at, printed in enumerate(PRINTED)]
)


def form(node: Any) -> Any:
    """Return the keys in order and the JSON types of a body."""
    return [(key, form(child)) for key, child in node.items()] if isinstance(node, dict) else type(node)


def drawn_form(node: Any, values: dict[str, Any]) -> Any:
    """Return the keys in order and the JSON types of templates, without generating values."""
    if not isinstance(node, dict):
        return type(node)
    if node.keys() != {"value"}:
        return [(key, drawn_form(child, values)) for key, child in node.items()]
    name, *keys = node["value"].split(".")
    if name == "account":
        return {"app_id": int, "uin": str}[keys[0]]
    if keys:
        (found,) = {type(option[keys[0]]) for option in values[name].params["from"]}
        return found
    return int if values[name].generator == "integer" else str


def test_exactly_the_documented_shapes_have_a_sample() -> None:
    """Shapes with a sample and transcribed samples are the same."""
    assert {shape.id for shape in CATALOG if shape.is_documented} == {printed["id"] for printed in PRINTED}


@each_printed
def test_dimensions_have_the_documented_keys_order_and_types(printed: dict[str, Any]) -> None:
    """A receiver built from the page can read our callbacks."""
    shape = CATALOG.get(printed["id"])

    assert drawn_form(shape.dimensions, dict(shape.values)) == form(printed["dimensions"])


@each_printed
def test_the_sample_is_the_documented_one(printed: dict[str, Any]) -> None:
    """The entry repeats the documented example values exactly, including misprints."""
    sample = CATALOG.get(printed["id"]).sample

    assert sample is not None
    assert sample.dimensions == printed["dimensions"]
    assert form(sample.dimensions) == form(printed["dimensions"])


@each_printed
def test_the_sample_matches_or_errata_say_why_not(printed: dict[str, Any]) -> None:
    """The shape could generate the page's sample; otherwise errata give the reason."""
    shape = CATALOG.get(printed["id"])

    assert shape.sample is not None
    drawable = sample_matches(shape, printed["dimensions"], placeholder=shape.sample.placeholder)
    assert drawable is shape.sample.agrees
    assert drawable or shape.sample.errata


@each_printed
def test_a_misprint_has_errata(printed: dict[str, Any]) -> None:
    """If the page's sample is not valid JSON, the entry's errata say so."""
    sample = CATALOG.get(printed["id"]).sample

    assert sample is not None
    assert ("misprint" in printed) <= bool(sample.errata)


@each_printed
def test_placeholders_are_declared_where_they_are_printed(printed: dict[str, Any]) -> None:
    """An xxx of the page is declared as a placeholder, and nothing else is."""
    sample = CATALOG.get(printed["id"]).sample

    assert sample is not None
    assert sample.placeholder is (PLACEHOLDER in printed["dimensions"].values())


def test_every_heading_of_the_page_has_its_entry() -> None:
    """The official page has 42 headings with a block; one block is printed twice, so there are 41 shapes."""
    assert len(OFFICIAL) == 42
    assert len({printed["id"] for printed in OFFICIAL}) == 41


def test_three_blocks_are_headed_workload_and_the_third_is_the_nodes() -> None:
    """The page prints the workload's block twice and the node's under the same heading."""
    headed = [printed for printed in OFFICIAL if printed["heading"] == "TKE (metric v2.0) - workload"]

    assert [printed["id"] for printed in headed] == ["tke/workload", "tke/workload", "tke/node"]
    assert headed[0] == headed[1]


def test_ids_are_strings_unless_printed_as_numbers() -> None:
    """The public listener's vport is an integer, the private one's is a string, as the page prints them."""
    numbers = {
        (printed["id"], key)
        for printed in PRINTED
        for key, value in printed["dimensions"].items()
        if isinstance(value, int)
    }

    assert numbers == {
        ("clb/public-listener", "vport"),
        ("clb/public-server-port", "vpcId"),
        ("vpc/bandwidth-package", "appid"),
    }


def test_only_the_global_product_has_no_region() -> None:
    """Documented: region is not returned for products that are not region-specific."""
    global_shapes = [shape.id for shape in CATALOG if not (shape.regional or shape.unpublished)]
    assert global_shapes == ["cdn/domain", "cdn/project", "cdn/province-isp"]
