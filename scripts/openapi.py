"""Write docs/openapi.json: the callbacks as webhooks of OpenAPI 3.1, with the dimensions of every shape.

``python scripts/openapi.py`` writes the file; with ``--check`` it writes nothing and exits with 1 when it differs.
"""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

from generated import write_or_check

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.json_schemas import dimensions_schema, open_schema
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.alarm import Form, State

FILE = Path(__file__).parent.parent / "docs" / "openapi.json"

_WEBHOOKS = {
    "metric": (
        "metricAlarm",
        "A metric alarm fired, is told again, or is resolved",
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
            "summary": "Not an official document: what is documented and what was captured, both.",
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
        f"Anything else, or no answer within {rules.timeout_s:g} s: the callback is pushed again, "
        f"{rules.attempts} times in all. Source: alarm callback page 2023-08-07; that any 2xx counts is assumed."
    )
    return {
        "operationId": name,
        "summary": summary,
        "security": [{}, {"basic": []}],
        "requestBody": {"required": True, "content": {"application/json": media}},
        "responses": {
            "2XX": {"description": "The callback arrived; the body is not looked at."},
            "default": {"description": retry_text},
        },
    }


def _extract_definitions(
    schema: dict[str, Any], definitions: dict[str, Any], name: str, schemas: dict[str, Any]
) -> dict[str, Any]:
    """Return a schema whose definitions are components of the document; puts them there."""
    text = json.dumps([schema, definitions]).replace("#/$defs/", f"#/components/schemas/{name}.")
    extracted, shared = json.loads(text)
    schemas |= {f"{name}.{key}": one for key, one in shared.items()}
    return dict(extracted)


if __name__ == "__main__":
    sys.exit(write_or_check(FILE, page, "what catalogue and schemas say", __doc__))
