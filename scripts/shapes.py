"""Write docs/shapes.md, the reference of the catalogue: each shape with its dimensions and its metrics or events.

``python scripts/shapes.py`` writes the file; with ``--check`` it only compares, and exits with 1 on a difference.
"""

from __future__ import annotations

import json
import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generated import Page, code_span, escape_markdown, main, markdown_row

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.sampling import forms_of
from tcop_mock.catalog.loader import Catalog
from tcop_mock.domain.callback import Form, State
from tcop_mock.domain.callback_view import CallbackView

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.domain.shape import Shape

FILE = Path(__file__).parent.parent / "docs" / "shapes.md"

_HEAD = """\
# Shapes

<!-- Written by scripts/shapes.py from payload_catalog/; change that and run `make docs`. -->

A shape describes the callbacks of one product. The catalogue has {shapes} shapes with {metrics} metrics and {events}
events. `tcop-mock list` finds shapes; `tcop-mock show ID` prints one in full.

- Dimensions are the keys of `alarmObjInfo.dimensions` in their order in callbacks, with their JSON type and the values
  of one alarm (`--seed 1`). Keys that occur only in captured callbacks are marked *observed*. For APM and RUM these
  keys stand in `alarmObjInfo` itself, for Prometheus in its `tags`, and for CLS they are the whole body.
- *unpublished* shapes are not published alarm callbacks of TCOP: no page prints them, or another service sends them.
  Globs such as `*` leave them out; `emit`, `send` and `load` make them by their id. The clause TCM320 posts them.
"""
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


def page() -> str:
    """Return the whole page."""
    shapes = list(Catalog.load())
    counts = {
        "shapes": len(shapes),
        "metrics": len({(shape.policy.type, metric.name) for shape in shapes for metric in shape.metrics}),
        "events": len({(shape.policy.type, event.name) for shape in shapes for event in shape.events}),
    }
    return "\n".join([_HEAD.format(**counts), *_products(shapes)])


def _products(shapes: list[Shape]) -> Iterator[str]:
    for product, product_shapes in groupby(shapes, key=lambda shape: shape.id.partition("/")[0]):
        yield f"## {product}\n"
        for shape in product_shapes:
            yield from _shape(shape)


def _shape(shape: Shape) -> Iterator[str]:
    yield f"### {shape.id}\n"
    yield f"{escape_markdown(shape.title.en)} · {escape_markdown(shape.title.zh)}\n"
    names = {"namespace": shape.namespace, "policy type": shape.policy.type}
    sent = [f"{label} {code_span(name) if name else 'not sent'}" for label, name in names.items()]
    yield f"- {', '.join(sent)}, region {'sent' if shape.regional else 'not sent'}"
    yield f"- {shape.kind} alarms; forms {', '.join(forms_of(shape))}"
    if shape.unpublished:
        yield f"- unpublished: {escape_markdown(shape.unpublished)}"
    if shape.retired:
        yield f"- retired: from {shape.retired} on TCOP has no such policies; `check` does not post them"
    if shape.optional:
        yield f"- optional dimensions: {', '.join(map(code_span, shape.optional))}"
    yield f"- source: {escape_markdown(shape.source)}"
    yield from _assumed(shape)
    yield "\n| dimension | JSON type | example |\n| --- | --- | --- |"
    documented = dict(_leaves(_dimensions(shape, Form.DOCUMENTED)))
    for key, value in documented.items():
        yield _dimension(key, value, "")
    for key, value in _leaves(_dimensions(shape, Form.OBSERVED)) if Form.OBSERVED in forms_of(shape) else ():
        if key not in documented:
            yield _dimension(key, value, ", observed")
    yield ""
    yield from _metrics(shape)
    yield from _events(shape)


def _assumed(shape: Shape) -> Iterator[str]:
    other_paths = [path for path in shape.assumed if not path.startswith(("metrics.", "events."))]
    if other_paths:
        yield f"- assumed: {', '.join(map(code_span, other_paths))}"


def _dimensions(shape: Shape, form: Form) -> dict[str, Any]:
    generator = Generator(1, form=form)
    body = generator.callback(generator.alarm(shape), State.FIRING).to_dict()
    return dict(CallbackView(body).object_keys) or body


def _leaves(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _dimension(key: str, value: Any, note: str) -> str:  # noqa: ANN401 - any JSON scalar
    text = value if isinstance(value, str) else json.dumps(value)
    return markdown_row(code_span(key), _TYPES[type(value)] + note, code_span(text))


def _metrics(shape: Shape) -> Iterator[str]:
    if shape.metrics:
        yield "| metric | name | threshold | assumed |\n| --- | --- | --- | --- |"
        for index, metric in enumerate(shape.metrics):
            threshold = (
                f"{metric.calc_type} {metric.calc_value} {metric.unit.en}".rstrip() if metric.calc_type else "none"
            )
            names = f"{escape_markdown(metric.show_name.en)} · {escape_markdown(metric.show_name.zh)}"
            yield markdown_row(
                code_span(metric.name), names, escape_markdown(threshold), _assumed_of(shape, f"metrics.{index}.")
            )
        yield ""


def _events(shape: Shape) -> Iterator[str]:
    if shape.events:
        yield "| event | name | resolves | assumed |\n| --- | --- | --- | --- |"
        for index, event in enumerate(shape.events):
            names = f"{escape_markdown(event.show_name.en)} · {escape_markdown(event.show_name.zh)}"
            recovery_text = "yes" if event.recoverable else "no"
            yield markdown_row(code_span(event.name), names, recovery_text, _assumed_of(shape, f"events.{index}."))
        yield ""


def _assumed_of(shape: Shape, prefix: str) -> str:
    return ", ".join(path.removeprefix(prefix) for path in shape.assumed if path.startswith(prefix))


PAGES = (Page(FILE, page, "what the catalogue says"),)

if __name__ == "__main__":
    sys.exit(main(*PAGES))
