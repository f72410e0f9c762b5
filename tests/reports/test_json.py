"""JSON documents and their schemas."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from verdict_samples import (
    BASELINE_ENTRY,
    CLI,
    CURL,
    ERROR,
    FAILED,
    FINDING,
    KNOWN,
    PASSED,
    RUN_INFO,
    SHOULD,
    SKIPPED,
    make_verdict,
)

from tcop_mock.catalog.data_files import read_schema
from tcop_mock.catalog.loader import Catalog
from tcop_mock.domain.delivery import Attempt, Delivery, Outcome
from tcop_mock.domain.verdict import BaselineSummary
from tcop_mock.reports.baseline import fingerprint
from tcop_mock.reports.json import check_document, deliveries_document, json_text, shapes_document, write_json
from tcop_mock.reports.summary import tool_document
from tcop_mock.reports.text import UNSAFE_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Callable

_NAMES = ["check-report", "lint-report", "load-report", "send-report", "shape-list"]
_ALL = make_verdict(*SKIPPED, PASSED, FAILED, SHOULD, ERROR)
_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)
_ATTEMPTS = st.builds(
    Attempt,
    outcome=st.sampled_from(Outcome),
    intended_s=st.just(0.0),
    started_s=st.floats(min_value=100, max_value=200),
    ended_s=st.floats(min_value=200, max_value=300),
    connected_s=st.none() | st.just(150.0),
    status=st.none() | st.integers(min_value=100, max_value=999),
    received_bytes=st.integers(min_value=0),
    body_truncated=st.booleans(),
)


def problems(document: dict[str, Any], schema: str) -> list[str]:
    """Return the schema violations of a document."""
    return [
        error.message
        for error in Draft202012Validator(read_schema(schema)).iter_errors(json.loads(json_text(document)))
    ]


@pytest.mark.parametrize("name", _NAMES)
def test_the_schemas_are_schemas(name: str) -> None:
    """Each schema is valid by the metaschema of 2020-12."""
    Draft202012Validator.check_schema(read_schema(name))


def _objects(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [found for item in schema for found in _objects(item)]
    if not isinstance(schema, dict):
        return []
    return [schema] * ("properties" in schema and schema.get("type") == "object") + [
        found for item in schema.values() for found in _objects(item)
    ]


@pytest.mark.parametrize("name", _NAMES)
def test_the_schemas_are_closed(name: str) -> None:
    """Every object lists and requires each of its keys, and allows no others."""
    objects = _objects(read_schema(name))
    assert objects
    for one in objects:
        assert one["additionalProperties"] is False
        assert one["required"] == list(one["properties"])


def test_a_verdict_as_json() -> None:
    """The document of a check has exactly these keys and values."""
    document = check_document(make_verdict(FAILED, ERROR))
    assert problems(document, "check-report") == []
    assert document == {
        "version": 1,
        "tool": tool_document(),
        "target": "http://***@127.0.0.1:8080/alarm",
        "profile": "2023",
        "seed": 42,
        "assumptions": [
            "Any status from 200 to 299 is success: the page does not say what is.",
            "重试间隔没有文档说明。",
        ],
        "started": None,
        "duration_s": None,
        "catalogue": None,
        "clauses": [
            {
                "code": "TCM302",
                "slug": "recover-time-zero",
                "level": "must",
                "result": "fail",
                "reason": "",
                "findings": [
                    {
                        "title": FINDING.title,
                        "detail": FINDING.detail,
                        "shape": "cvm/basic-monitoring",
                        "evidence": FINDING.evidence,
                        "fix": {"clause": "TCM302", "text": FAILED.clause.fix},
                        "reproduce": {"curl": CURL, "cli": CLI, "replay": None, "pytest": None, "requests": []},
                        "fingerprint": fingerprint("TCM302", FINDING.title),
                        "known": None,
                    }
                ],
            },
            {
                "code": "TCM515",
                "slug": "burst-acks",
                "level": "must",
                "result": "error",
                "reason": "not finished within --max-time",
                "findings": [],
            },
        ],
        "not_run": [],
        "baseline": None,
        "summary": {"passed": 0, "failed": 1, "errors": 1, "not_run": 0, "known": 0},
        "conclusion": "Broken: 1 must clause.",
        "notes": [],
    }


def test_the_document_of_every_result_is_valid() -> None:
    """A run with all kinds of results has a valid document, whose summary adds up."""
    of = replace(
        _ALL,
        results=(*_ALL.results, KNOWN),
        run_info=RUN_INFO,
        baseline=BaselineSummary("known.json", 2, (BASELINE_ENTRY,)),
    )
    document = check_document(of)
    assert problems(document, "check-report") == []
    dates = {"first_seen": "2026-11-01", "expires": None}
    assert document["clauses"][-1]["findings"][0]["known"] == {**dates, "counts": False}
    stale = {"clause": "TCM105", "fingerprint": "0123456789abcdef", "title": "", **dates}
    assert document["baseline"] == {"path": "known.json", "listed": 2, "stale": [stale]}
    assert document["not_run"] == [{"reason": SKIPPED[0].reason, "clauses": ["TCM201", "TCM202"]}]
    assert document["summary"] == {"passed": 1, "failed": 2, "errors": 1, "not_run": 2, "known": 1}


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["clauses"][0].update(result="passed"),
        lambda document: document["clauses"][0].update(result="pass"),
        lambda document: document["clauses"][0].update(findings=[]),
        lambda document: document.update(version=2),
        lambda document: document.update(extra=1),
    ],
)
def test_the_schema_rejects_other_documents(change: Callable[[dict[str, Any]], None]) -> None:
    """The schema rejects a wrong result, a failure without findings, a pass with one, another version or key."""
    document = check_document(make_verdict(FAILED))
    change(document)
    assert problems(document, "check-report") != []


ACKED = {
    "outcome": "acked",
    "status": 200,
    "started_s": 1.123457,
    "duration_s": 0.376543,
    "connected": True,
    "bytes": 70,
    "truncated": True,
    "trace": "",
}


def test_deliveries_as_json() -> None:
    """Times of attempts count from the first attempt of the delivery, to the microsecond."""
    refused = Attempt(Outcome.REFUSED, intended_s=7.0, started_s=7.0, ended_s=7.0000014)
    acked = Attempt(
        Outcome.ACKED,
        intended_s=8.0,
        started_s=8.1234567,
        ended_s=8.5,
        connected_s=8.2,
        status=200,
        received_bytes=70,
        body_truncated=True,
    )
    rendered = [("a firing", 0, Delivery((refused, acked))), ("a resolve", 300, Delivery(()))]
    document = deliveries_document(
        rendered, target="http://h/", profile="2021-verify", seed=7, assumptions=["a guess"], probe=Delivery((acked,))
    )
    assert problems(document, "send-report") == []
    assert document == {
        "version": 1,
        "target": "http://h/",
        "profile": "2021-verify",
        "seed": 7,
        "assumptions": ["a guess"],
        "probe": {"accepted": True, "attempts": [{**ACKED, "started_s": 0.0}]},
        "deliveries": [
            {
                "name": "a firing",
                "at_s": 0,
                "accepted": True,
                "attempts": [
                    {
                        "outcome": "refused",
                        "status": None,
                        "started_s": 0.0,
                        "duration_s": 0.000001,
                        "connected": False,
                        "bytes": 0,
                        "truncated": False,
                        "trace": "",
                    },
                    ACKED,
                ],
            },
            {"name": "a resolve", "at_s": 300, "accepted": False, "attempts": []},
        ],
    }


@given(st.lists(_ATTEMPTS, max_size=3))
def test_the_document_of_every_delivery_is_valid(attempts: list[Attempt]) -> None:
    """The document of a delivery is valid for every outcome of its attempts."""
    attempts.sort(key=lambda attempt: attempt.started_s)
    rendered = [("shape", 0.0, Delivery(tuple(attempts)))]
    document = deliveries_document(rendered, target="http://h/", profile="2023", seed=7, assumptions=[], probe=None)
    assert problems(document, "send-report") == []


def test_the_catalogue_as_json() -> None:
    """The document of the whole catalogue is valid and keeps the order of the shapes."""
    catalog = Catalog.load()
    document = shapes_document(catalog)
    assert problems(document, "shape-list") == []
    assert [shape["id"] for shape in document["shapes"]] == [shape.id for shape in catalog]


def test_a_shape_as_json() -> None:
    """The document of a shape lists its metrics and events, and the keys that no source prints."""
    shape = Catalog.load().get("cvm/basic-monitoring")
    (document,) = shapes_document([shape])["shapes"]
    assert document == {
        "id": "cvm/basic-monitoring",
        "title": shape.title.en,
        "title_zh": shape.title.zh,
        "kind": "metric",
        "namespace": "qce/cvm",
        "policy_type": shape.policy.type,
        "regional": True,
        "metrics": [metric.name for metric in shape.metrics],
        "events": [],
        "documented": True,
        "source": shape.source,
        "assumed": list(shape.assumed),
        "forms": ["documented", "observed"],
        "aliases": {},
        "optional": [],
        "retired": None,
        "extra": None,
        "in_object_info": False,
        "alert": {},
        "observed": {"dimensions": {"deviceName": "{name}"}, "show_name_suffix": " ", "additional_msg": []},
        "cloudevents": None,
        "sample": {
            "dimensions": {
                "unInstanceId": "ins-aoaaah55",
                "objId": "94f1133c-46cf-4c61-a4c1-d928183aba47",
                "objName": "172.21.30.15#588789",
            },
            "agrees": True,
            "errata": "",
            "placeholder": False,
        },
        "errata": [
            {"page": erratum.page, "problem": erratum.problem, "here": erratum.here} for erratum in shape.errata
        ],
    }


def test_an_event_shape_as_json() -> None:
    """The document of an event shape has its forms, messages and CloudEvents, and no sample if no page prints one."""
    (document,) = shapes_document([Catalog.load().get("antiddos/events")])["shapes"]
    assert document["forms"] == ["documented", "observed", "eventbridge", "cloudevents"]
    assert document["observed"]["additional_msg"][0] == {"key": "Ip", "value": "{ip}"}
    assert document["cloudevents"]["subject"] == "{ip}"
    assert document["cloudevents"]["data"]["Appid"] == {"value": "account.app_id"}
    assert document["sample"] is None


@given(_TEXT, st.booleans())
def test_json_loses_nothing_but_lone_surrogates(text: str, ascii_only: bool) -> None:  # noqa: FBT001 - hypothesis
    """Any text is read back unchanged from the JSON; a lone surrogate becomes its escape as text."""
    written = json_text({"text": text, text: 1}, ascii_only=ascii_only)
    expected = "".join(f"\\u{ord(char):04x}" if "\ud800" <= char <= "\udfff" else char for char in text)
    back = json.loads(written)
    assert (back["text"] == expected and back[expected] == 1) or expected == "text"
    assert written.isascii() >= ascii_only


@given(_TEXT)
def test_json_cannot_act_on_a_terminal(text: str) -> None:
    """A document contains only visible characters and our own line breaks."""
    written = json_text(check_document(make_verdict(replace(FAILED, findings=(replace(FINDING, evidence=text),)))))
    assert not UNSAFE_CHARACTERS.search(written.replace("\n", ""))
    assert written.endswith("}\n")


@pytest.mark.parametrize("encoding, chinese", [("utf-8", "云"), ("ascii", r"\u4e91"), ("cp1252", r"\u4e91")])
def test_json_is_written_in_any_encoding(encoding: str, chinese: str) -> None:
    """Chinese is escaped only if the encoding of the stream is not a Unicode one."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    write_json({"name": "云\ud800"}, stream)
    stream.flush()
    assert raw.getvalue() == f'{{\n  "name": "{chinese}\\\\ud800"\n}}\n'.encode()
