"""The catalogue against what the documentation prints, which ``documented.toml`` transcribes on its own."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tcop_mock.catalog import Catalog

PRINTED = tomllib.loads((Path(__file__).parent / "documented.toml").read_text(encoding="utf-8"))["shape"]
CATALOG = Catalog.load()

each_printed = pytest.mark.parametrize("printed", PRINTED, ids=[printed["id"] for printed in PRINTED])


def form(node: Any) -> Any:  # noqa: ANN401 - a node of a JSON tree
    """Return the keys in order and the JSON types of a body."""
    return [(key, form(child)) for key, child in node.items()] if isinstance(node, dict) else type(node)


def drawn_form(node: Any, values: dict[str, Any]) -> Any:  # noqa: ANN401 - a node of the entry's tree
    """Return the keys in order and the JSON types that templates give, without drawing."""
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


def test_every_shape_that_is_printed_is_in_the_catalogue_and_none_else_claims_to_be() -> None:
    """Shapes with a sample and transcribed samples are the same."""
    assert {shape.id for shape in CATALOG if shape.documented} == {printed["id"] for printed in PRINTED}


@each_printed
def test_dimensions_have_the_printed_keys_in_the_printed_order_with_the_printed_types(printed: dict[str, Any]) -> None:
    """A receiver that is built from the page reads what we draw."""
    shape = CATALOG.get(printed["id"])

    assert drawn_form(shape.dimensions, dict(shape.values)) == form(printed["dimensions"])


@each_printed
def test_the_sample_is_what_is_printed(printed: dict[str, Any]) -> None:
    """The entry repeats the documentation's example values to the letter, misprints included."""
    sample = CATALOG.get(printed["id"]).sample

    assert sample is not None
    assert sample.dimensions == printed["dimensions"]
    assert form(sample.dimensions) == form(printed["dimensions"])


@each_printed
def test_a_misprint_is_told_as_one(printed: dict[str, Any]) -> None:
    """Where the page's sample is no JSON the entry's errata say so."""
    sample = CATALOG.get(printed["id"]).sample

    assert sample is not None
    assert ("misprint" in printed) <= (not sample.agrees)


def test_the_listeners_ports_differ_in_type() -> None:
    """The public listener's vport is an integer, the private one's is text: the page prints them so."""
    ports = {printed["id"]: type(printed["dimensions"]["vport"]) for printed in PRINTED if "clb/" in printed["id"]}

    assert ports == {"clb/public-listener": int, "clb/private-listener": str}


def test_only_the_global_product_has_no_region() -> None:
    """The page: region is not returned for products that are not region-specific."""
    assert [shape.id for shape in CATALOG if not shape.regional] == ["cdn/domain"]
