"""docs/openapi.json is a document that generators of models accept."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from tcop_mock.catalog.loader import Catalog

pytestmark = pytest.mark.checkout

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text(encoding="utf-8"))
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]


def media_of(webhook: str) -> dict[str, Any]:
    """Return the media type of a webhook's body."""
    media: dict[str, Any] = DOCUMENT["webhooks"][webhook]["post"]["requestBody"]["content"]["application/json"]
    return media


def test_a_component_has_the_name_of_a_type() -> None:
    """Names are letters and digits in CamelCase, and differ in more than their case."""
    assert [name for name in SCHEMAS if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name)] == []
    assert len({name.lower() for name in SCHEMAS}) == len(SCHEMAS)


def test_every_shape_has_a_component() -> None:
    """The dimensions of each shape with metrics or events are a component; labels of Prometheus are the user's."""
    with_subjects = [shape for shape in Catalog.load() if shape.metrics or shape.events]
    assert sum(name.endswith("Dimensions") for name in SCHEMAS) == len(with_subjects)


def test_every_reference_resolves() -> None:
    """A reference names a component of the document."""
    references = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(DOCUMENT)))
    assert references
    assert references <= {f"#/components/schemas/{name}" for name in SCHEMAS}


@pytest.mark.parametrize("webhook", DOCUMENT["webhooks"])
def test_a_webhook_has_named_examples_that_its_schema_accepts(webhook: str) -> None:
    """The examples have names and summaries, and are valid; the schema rejects an example without its first key."""
    media = media_of(webhook)
    validator = jsonschema_rs.Draft202012Validator({**media["schema"], "components": {"schemas": SCHEMAS}})
    assert media["examples"]
    for name, example in media["examples"].items():
        assert re.fullmatch(r"[A-Z][A-Za-z0-9]*", name)
        assert example["summary"]
        validator.validate(example["value"])
        first, *rest = example["value"]
        assert not validator.is_valid({key: example["value"][key] for key in rest}), first
