"""Implausible values of known metrics."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.json_tree import with_value
from tcop_mock.callbacks.validator import implausible_values
from tcop_mock.catalog.loader import Catalog
from tcop_mock.domain.callback import State

CONDITIONS = "alarmPolicyInfo.conditions"
CVM = Catalog.load().get("cvm/basic-monitoring")
GENERATOR = Generator(1)
ALARM = GENERATOR.alarm(CVM, metric="cpu_usage")
BODY = GENERATOR.callback(ALARM, State.RESOLVED).to_dict()

ODD = {
    "another unit": (f"{CONDITIONS}.unit", "MB", 'is "MB"; the unit of cpu_usage is "%"'),
    "a fraction of another unit": (
        f"{CONDITIONS}.currentValue",
        "987654",
        'is "987654", far outside the range of cpu_usage (0 to 100 %)',
    ),
    "less than nothing": (f"{CONDITIONS}.calcValue", -1, "is -1, far outside the range of cpu_usage (0 to 100 %)"),
    "another duration": ("durationTime", 7, "is 7; from firstOccurTime to recoverTime it is "),
}


@pytest.mark.parametrize("path, value, message", ODD.values(), ids=ODD)
def test_an_implausible_value_is_reported_with_its_path(path: str, value: object, message: str) -> None:
    """The message has the value and the expectation."""
    [note] = implausible_values(CVM, with_value(BODY, path, value))
    assert note.path == path
    assert note.message.startswith(message)


@pytest.mark.parametrize(
    "path, value",
    [
        (f"{CONDITIONS}.metricName", "brand_new"),
        (f"{CONDITIONS}.unit", 5),
        (f"{CONDITIONS}.currentValue", ""),
        (f"{CONDITIONS}.currentValue", "high"),
        (f"{CONDITIONS}.currentValue", "Infinity"),
        (f"{CONDITIONS}.currentValue", True),
        (f"{CONDITIONS}.currentValue", 999.5),
        ("alarmPolicyInfo", []),
        ("recoverTime", "0"),
        ("recoverTime", None),
        ("recoverTime", "2001-01-01 00:00:00"),
        ("durationTime", "long"),
    ],
)
def test_unknown_metrics_are_not_checked(path: str, value: object) -> None:
    """Unknown metrics and values of other types are reported elsewhere."""
    assert list(implausible_values(CVM, with_value(BODY, path, value))) == []


def test_times_inside_the_policy_are_read() -> None:
    """The oldest English pages have the times there."""
    times = {key: BODY[key] for key in ("firstOccurTime", "recoverTime")} | {"durationTime": 7}
    policy = BODY["alarmPolicyInfo"] | times
    [note] = implausible_values(CVM, {"alarmPolicyInfo": policy})
    assert note.path == "alarmPolicyInfo.durationTime"


def test_a_metric_without_a_threshold_has_no_range() -> None:
    """Its entry has no range."""
    metric = replace(CVM.metrics[0], calc_type=None, calc_value=None)
    body = with_value(with_value(BODY, f"{CONDITIONS}.currentValue", "1e30"), f"{CONDITIONS}.metricName", metric.name)
    body = with_value(body, f"{CONDITIONS}.unit", metric.unit.en)
    body = with_value(body, f"{CONDITIONS}.calcUnit", metric.unit.en)
    assert list(implausible_values(replace(CVM, metrics=(metric,)), body)) == []
