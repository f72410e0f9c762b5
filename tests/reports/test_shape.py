"""Lines and document of one shape."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.sampling import forms_of
from tcop_mock.catalog.loader import Catalog
from tcop_mock.domain.callback import State
from tcop_mock.domain.shape import LocalizedText
from tcop_mock.reports.json import shapes_document
from tcop_mock.reports.shape import shape_document, shape_lines
from tcop_mock.reports.text import display_width

if TYPE_CHECKING:
    from tcop_mock.domain.shape import Shape

CATALOG = Catalog.load()
GENERATOR = Generator(7)

each_shape = pytest.mark.parametrize("shape", list(CATALOG), ids=[shape.id for shape in CATALOG])


def example(shape: Shape) -> dict[str, Any]:
    """Return a callback of a shape."""
    return GENERATOR.callback(GENERATOR.alarm(shape), State.FIRING).to_dict()


def page(shape: Shape) -> list[str]:
    """Return the lines of a shape."""
    return list(shape_lines(shape, example(shape)))


def unwrapped(*lines: str) -> str:
    """Join lines without blanks: prose is wrapped at blanks, and Chinese between any two characters."""
    return "".join("".join(lines).split())


@each_shape
def test_the_lines_have_everything_about_a_shape(shape: Shape) -> None:
    """The lines have every fact, name, spelling, erratum and assumption of the entry."""
    text = unwrapped(*page(shape))
    rendered = [shape.id, shape.title.zh, shape.policy.type, shape.namespace, *shape.dimensions, *forms_of(shape)]
    rendered += [*(metric.name for metric in shape.metrics), *(event.name for event in shape.events)]
    rendered += [word for key, others in shape.aliases.items() for word in (key, *others)]
    rendered += [*shape.observed.dimensions, *(key for key, _ in shape.observed.additional_msg)]
    rendered += [metric.observed_show_name.en for metric in shape.metrics if metric.observed_show_name]
    rendered += [word for erratum in shape.errata for word in (erratum.page, erratum.problem, erratum.here)]
    rendered += [path for path in shape.assumed if not path.startswith(("metrics.", "events."))]
    rendered += [shape.source, *([shape.sample.errata] if shape.sample else ["no page prints a sample"])]
    rendered += [shape.cloud_event.source, shape.cloud_event.subject] if shape.cloud_event else []
    assert [word for word in rendered if unwrapped(word) not in text] == []


@each_shape
def test_the_lines_fit_a_terminal(shape: Shape) -> None:
    """Prose and tables fit into 80 columns; only a JSON text, which cannot be wrapped, may be wider."""
    wide = [line for line in page(shape) if display_width(line) > 80]
    assert [line for line in wide if not line.lstrip().startswith('"')] == []


@each_shape
def test_a_document_is_a_row_of_the_list_in_full(shape: Shape) -> None:
    """The document has metrics and events with all their facts."""
    document = json.loads(json.dumps(shape_document(shape, {"any": "body"})))
    [row] = json.loads(json.dumps(shapes_document([shape])))["shapes"]
    rendered = document["shape"]
    assert (document["version"], document["example"]) == (1, {"any": "body"})
    assert {**rendered, "metrics": row["metrics"], "events": row["events"]} == row
    assert [metric["metricName"] for metric in rendered["metrics"]] == row["metrics"]
    assert [event["eventName"] for event in rendered["events"]] == row["events"]


def test_captured_texts_of_metrics_are_in_the_document() -> None:
    """The document has show names and units as captured, in both languages, or null."""
    metrics = shape_document(CATALOG.get("cvm/basic-monitoring"), {})["shape"]["metrics"]
    assert metrics[0]["observedShowName"] is None
    assert metrics[1]["observedShowName"] == {"en": "MemoryUtilization ", "zh": "内存利用率 "}
    assert metrics[0]["range"] == [0, 100]


def test_a_metric_has_its_threshold_and_assumptions() -> None:
    """A note follows in the same line if it fits, otherwise in the next line."""
    lines = page(CATALOG.get("cvm/basic-monitoring"))
    at = lines.index("  lan_intraffic               > 500 Mbps       Private inbound bandwidth")
    assert lines[at + 1] == "      (assumed: calcType, calcValue)"
    assert "  cpu_usage                   > 95 %           CPU utilization (assumed: range)" in lines


def test_a_metric_with_long_words_takes_several_lines() -> None:
    """A long text is wrapped below the line of the name."""
    shape = CATALOG.get("cvm/basic-monitoring")
    long = replace(shape.metrics[0], show_name=LocalizedText("word " * 20, "x"), calc_type=None)
    lines = page(replace(shape, metrics=(long,)))
    at = lines.index("  cpu_usage                   no threshold")
    assert lines[at + 1] == "      " + " ".join(["word"] * 15)
    assert lines[at + 2] == "      " + " ".join(["word"] * 5) + " (assumed: range)"


def test_captured_units_are_shown_with_and_without_a_captured_name() -> None:
    """Blanks and empty texts are visible."""
    shape = CATALOG.get("cvm/basic-monitoring")
    name, unit = LocalizedText("As it was ", "原样 "), LocalizedText("", "%")
    metrics = (
        replace(shape.metrics[0], observed_show_name=name, observed_unit=unit),
        replace(shape.metrics[1], observed_show_name=None, observed_unit=unit),
    )
    text = "\n".join(page(replace(shape, metrics=metrics)))
    assert f"cpu_usage{' ' * 19}'As it was ' ('原样 '), unit '' ('%')" in text
    assert f"mem_usage{' ' * 19}unit '' ('%')" in text


def test_unsafe_characters_of_an_entry_are_escaped() -> None:
    """Control characters of an entry are escaped, because it may come from another person."""
    shape = replace(CATALOG.get("cdn/domain"), title=LocalizedText("a\x1b[2Jb", "c"))
    assert page(shape)[0] == r"cdn/domain: a\x1b[2Jb (c)"


def test_other_spellings_of_a_key_are_listed() -> None:
    """Each key with aliases is a line."""
    shape = next(shape for shape in CATALOG if shape.aliases)
    lines = page(shape)
    assert "aliases: other spellings in pages or captures" in lines
    assert all(any(line.strip().startswith(key) for line in lines) for key in shape.aliases)
