"""Write docs/openapi.json: the callbacks as OpenAPI 3.1 webhooks, with the dimensions of every shape.

``python scripts/openapi.py`` writes the file; with ``--check`` it only compares, and exits with 1 on a difference.
"""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

from generated import Page, main

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.json_schemas import dimensions_schema, open_schema
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.alarm import Form, State

FILE = Path(__file__).parent.parent / "docs" / "openapi.json"

_WEBHOOKS = {
    "metric": (
        "metricAlarm",
        "A metric alarm fired, is repeated, or is resolved",
        "cvm/basic-monitoring",
        Form.DOCUMENTED,
    ),
    "event": (
        "eventAlarm",
        "An event alarm; EventBridge's imitation has the same fields",
        "cvm/events",
        Form.DOCUMENTED,
    ),
    "cloudevents": ("cloudEvent", "A CloudEvent that EventBridge posts", "antiddos/events", Form.CLOUDEVENTS),
}


def page() -> str:
    """Return the whole document."""
    schemas: dict[str, Any] = {}
    webhooks: dict[str, Any] = {}
    for kind, (name, summary, shape_id, form) in _WEBHOOKS.items():
        schema = copy.deepcopy(open_schema(kind))
        del schema["$id"], schema["$schema"]
        schemas[name] = _extract_definitions(schema, schema.pop("$defs"), name, schemas)
        webhooks[name] = {"post": _operation(name, summary, shape_id, form)}
    for shape in Catalog.load():
        schemas[f"dimensions.{shape.id.replace('/', '.')}"] = {"title": shape.title.en, **dimensions_schema(shape)}
    document = {
        "openapi": "3.1.1",
        "info": {
            "title": "Alarm callbacks of Tencent Cloud Observability Platform, as a receiver sees them",
            "version": "1",
            "summary": "Not an official document. It covers documented and captured callbacks.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "webhooks": webhooks,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic", "description": "From USER:PASSWORD@ in the callback URL."}
            },
        },
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _operation(name: str, summary: str, shape_id: str, form: Form) -> dict[str, Any]:
    generator = Generator(1, form=form)
    example = generator.callback(generator.alarm(Catalog.load().get(shape_id)), State.FIRING).to_dict()
    rules = load_profile().delivery
    media = {"schema": {"$ref": f"#/components/schemas/{name}"}, "example": example}
    retry_text = (
        f"Any other status, or no response within {rules.timeout_s:g} s: the callback is retried, "
        f"up to {rules.attempts} attempts in total. "
        "Source: alarm callback page 2023-08-07; that any 2xx is a success is assumed."
    )
    return {
        "operationId": name,
        "summary": summary,
        "security": [{}, {"basic": []}],
        "requestBody": {"required": True, "content": {"application/json": media}},
        "responses": {
            "2XX": {"description": "The callback was received; TCOP ignores the body of the response."},
            "default": {"description": retry_text},
        },
    }


def _extract_definitions(
    schema: dict[str, Any], definitions: dict[str, Any], name: str, schemas: dict[str, Any]
) -> dict[str, Any]:
    """Move the definitions of a schema to the components of the document, and return the schema."""
    text = json.dumps([schema, definitions]).replace("#/$defs/", f"#/components/schemas/{name}.")
    extracted, shared = json.loads(text)
    schemas |= {f"{name}.{key}": one for key, one in shared.items()}
    return dict(extracted)


PAGES = (Page(FILE, page, "what catalogue and schemas say"),)

if __name__ == "__main__":
    sys.exit(main(*PAGES))
