"""Write docs/openapi.json: the callbacks as OpenAPI 3.1 webhooks, with the dimensions of every shape.

``python scripts/openapi.py`` writes the file; with ``--check`` it only compares, and exits with 1 on a difference.
"""

from __future__ import annotations

import copy
import json
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

from generated import Page, main

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.json_schemas import dimensions_schema, open_schema
from tcop_mock.callbacks.sampling import supports
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.callback import Form, State

FILE = Path(__file__).parent.parent / "docs" / "openapi.json"

_STATES = {
    State.FIRING: "The alarm fires",
    State.REPEATED: "The alarm still fires",
    State.RESOLVED: "The alarm is over",
}


class Webhook(NamedTuple):
    """One webhook of the document, and the shapes that its examples show."""

    kind: str
    name: str
    summary: str
    shapes: tuple[str, ...]
    form: Form


_WEBHOOKS = (
    Webhook(
        "metric",
        "metricAlarm",
        "A metric alarm fired, is repeated, or is resolved",
        ("cvm/basic-monitoring", "cdn/domain"),
        Form.DOCUMENTED,
    ),
    Webhook(
        "event",
        "eventAlarm",
        "An event alarm; EventBridge's imitation has the same fields",
        ("cvm/events",),
        Form.DOCUMENTED,
    ),
    Webhook(
        "prometheus",
        "prometheusAlarm",
        "An alarm of Managed Service for Prometheus; no page prints it",
        ("prometheus/alerts",),
        Form.DOCUMENTED,
    ),
    Webhook("cloudevents", "cloudEvent", "A CloudEvent that EventBridge posts", ("antiddos/events",), Form.CLOUDEVENTS),
)


def page() -> str:
    """Return the whole document."""
    schemas: dict[str, Any] = {}
    webhooks: dict[str, Any] = {}
    for webhook in _WEBHOOKS:
        schema = copy.deepcopy(open_schema(webhook.kind))
        del schema["$id"], schema["$schema"]
        name = component_name(webhook.name)
        schemas[name] = _extract_definitions(schema, schema.pop("$defs"), name, schemas)
        webhooks[webhook.name] = {"post": _operation(webhook)}
    for shape in (shape for shape in Catalog.load() if shape.metrics or shape.events):
        schemas[component_name(f"{shape.id} dimensions")] = {"title": shape.title.en, **dimensions_schema(shape)}
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


def component_name(text: str) -> str:
    """Return a name of letters and digits, which generators of models take as the name of a type."""
    return "".join(word[0].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", text))


def _examples(webhook: Webhook) -> dict[str, Any]:
    """Return the named examples of a webhook: each of its shapes, in each state that the shape has."""
    examples = {}
    for shape in map(Catalog.load().get, webhook.shapes):
        for state, title in _STATES.items():
            if supports(shape, {state}, webhook.form):
                generator = Generator(1, form=webhook.form)
                value = generator.callback(generator.alarm(shape, required_state=state), state).to_dict()
                name = component_name(f"{shape.id} {state}")
                examples[name] = {"summary": f"{shape.title.en}. {title}.", "value": value}
    return examples


def _operation(webhook: Webhook) -> dict[str, Any]:
    rules = load_profile().delivery
    schema = {"$ref": f"#/components/schemas/{component_name(webhook.name)}"}
    media = {"schema": schema, "examples": _examples(webhook)}
    retry_text = (
        f"Any other status, or no response within {rules.timeout_s:g} s: the callback is retried, "
        f"up to {rules.attempts} attempts in total. "
        "Source: alarm callback page 2023-08-07; that any 2xx is a success is assumed."
    )
    return {
        "operationId": webhook.name,
        "summary": webhook.summary,
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
    text = json.dumps([schema, definitions])
    for key in definitions:
        text = text.replace(f'"#/$defs/{key}"', f'"#/components/schemas/{component_name(f"{name} {key}")}"')
    extracted, shared = json.loads(text)
    schemas |= {component_name(f"{name} {key}"): one for key, one in shared.items()}
    return dict(extracted)


PAGES = (Page(FILE, page, "what catalogue and schemas say"),)

if __name__ == "__main__":
    sys.exit(main(*PAGES))
