"""JUnit report of a load."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

from junitparser import Failure, JUnitXml
from scenario_samples import PLAN, SUMMARY, load_result

from tcop_mock.domain.load import LoadModel
from tcop_mock.domain.load_summary import Bucket, Distribution
from tcop_mock.load.slo import evaluate, parse_objectives
from tcop_mock.reports.junit import load_junit
from tcop_mock.reports.load_html import load_html
from tcop_mock.reports.load_json import load_document


def test_each_objective_is_a_case() -> None:
    """A broken objective is a failure with the measurement; assumptions and notes are the output of the suite."""
    load = replace(SUMMARY, interrupted=True, notes=("this machine could not keep up \x1b",))
    held = evaluate(parse_objectives(["p99<500ms,errors<50%"], LoadModel.SCRIPT), load)
    written = load_junit(load_result(load, held))
    [suite] = JUnitXml.fromstring(written)
    broken, kept = suite
    assert (broken.name, kept.name, kept.result) == ("p99<500ms", "errors<50%", [])
    [failure] = broken.result
    assert isinstance(failure, Failure)
    assert (failure.message, failure.text) == ("measured: 2 s", "p99<500ms: broken, 2 s")
    assert (suite.tests, suite.failures, suite.errors) == (2, 1, 0)
    root = ET.fromstring(written)  # noqa: S314 - ours
    about = {one.get("name"): one.get("value") for one in root.iter("property")}
    assert about["target"] == "http://***@127.0.0.1:8080/hook"
    assert (about["load"], about["seed"], about["interrupted"]) == ("zone-outage", "42", "yes")
    out = (root.findtext("testsuite/system-out") or "").splitlines()
    assert out[0] == "120 attempts in 60.0 s, 100 acked"
    assert out[1:] == ["this machine could not keep up \\x1b", f"Assumed: {PLAN.assumptions[0]}"]
    assert b"7Kq2" not in written


def test_a_load_without_objectives_has_no_case() -> None:
    """A load without objectives has an empty suite."""
    [suite] = JUnitXml.fromstring(load_junit(load_result()))
    assert suite.tests == 0


def test_an_objective_that_is_inconclusive_is_skipped() -> None:
    """Its case does not fail; what load held back stands in the reason."""
    load = replace(SUMMARY, is_held_back=True, service_times=Distribution((Bucket(0.02, 100),), 0.02, 2.0))
    held = evaluate(parse_objectives(["p99<500ms"], LoadModel.SCRIPT), load)
    [suite] = JUnitXml.fromstring(load_junit(load_result(load, held)))
    assert (suite.tests, suite.failures, suite.skipped) == (1, 0, 1)
    [case] = suite
    [skipped] = case.result
    assert skipped.message.startswith("measured: 2 s; 20 ms from the actual starts, because this tool held")
    rendered = load_html(load_result(load, held))
    assert "0 of 1 objective kept, 1 inconclusive; 100 of 120 attempts acked" in rendered
    assert '<span class="result error">inconclusive</span>' in rendered
    assert load_document(load_result(load, held))["objectives"][0]["kept"] is None
