"""Tests of every shipped entry; a new entry is tested automatically."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from typing import Any

import pytest

from tcop_mock.callbacks.lint import RULES, Severity
from tcop_mock.callbacks.lint_rules import LintedEntry
from tcop_mock.catalog.data_files import check_entry, data_root, iter_files, read_entry, read_schema
from tcop_mock.catalog.loader import SCHEMA

FOLDER = data_root("payload_catalog")
TABLES = {name: read_entry(file, SCHEMA, check=False) for name, file in iter_files(FOLDER, ".toml")}

each_entry = pytest.mark.parametrize("name, table", TABLES.items(), ids=TABLES)


def test_the_catalogue_is_complete() -> None:
    """60 shapes of metric alarms and events of 16 products in 17 entries: Direct Connect has two forms.

    Four more are extra: APM, RUM, Prometheus and CLS.
    """
    kinds = Counter(table["kind"] for table in TABLES.values())
    products = {table["product"]["productName"] for table in TABLES.values() if "product" in table}

    assert kinds == {"metric": 60 + 2, "event": 17, "prometheus": 1, "cls": 1}
    assert sum("extra" in table for table in TABLES.values()) == 4
    assert len(products) == 16


def test_every_metric_and_every_event_is_included() -> None:
    """There are 652 metrics and 116 events; the newer form of CVM has the metrics of the older.

    Extra shapes have metrics with assumed names.
    """
    metrics = {name: table["metrics"] for name, table in TABLES.items() if "metrics" in table and "extra" not in table}
    copies = metrics.pop("cvm/basic-monitoring-named")

    assert sum(map(len, metrics.values())) == 652
    assert copies == metrics["cvm/basic-monitoring"]
    assert sum(len(table.get("events", ())) for table in TABLES.values()) == 116


@each_entry
def test_an_entry_is_valid_by_its_schema(name: str, table: dict[str, Any]) -> None:
    """Shipped entries obey the schema of users' entries."""
    check_entry(name, table, SCHEMA)


@each_entry
def test_an_entry_passes_the_linter(name: str, table: dict[str, Any]) -> None:
    """`tcop-mock list --lint` reports nothing about shipped entries, not even a warning."""
    entry = LintedEntry.from_table(name, table)
    assert [problem for rule in RULES for problem in rule.check(entry)] == []


@each_entry
def test_no_shipped_entry_uses_faker(name: str, table: dict[str, Any]) -> None:
    """Faker is optional and changes its values with each version."""
    assert [spec for spec in table.get("values", {}).values() if spec["generator"] == "faker"] == [], name


@each_entry
def test_undocumented_dimensions_are_assumed(name: str, table: dict[str, Any]) -> None:
    """An entry without a sample lists the undocumented dimensions as assumed; extra ones have no objId and objName."""
    if "sample" in table or "extra" in table:
        return
    assumed = {path.partition(".")[2] for path in table["assumed"] if path.startswith("dimensions.")}

    assert {"objId", "objName"} <= assumed or assumed == {"unInstanceId", "objDetail"}, name


def test_the_network_metrics_of_cvm_carry_the_namespace_of_load_balancers() -> None:
    """The page's note: the namespace of CVM's network-related metrics is qce/lb."""
    metrics = TABLES["cvm/basic-monitoring"]["metrics"]

    assert {item["metricName"] for item in metrics if item.get("namespace") == "qce/lb"} == {
        "wan_intraffic",
        "wan_outtraffic",
        "wan_inpkg",
        "wan_outpkg",
        "acc_outtraffic",
        "outratio",
    }


def test_the_readme_shows_an_entry_that_works() -> None:
    """The example on the format's page is valid by the schema."""
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    table = tomllib.loads(readme.split("```toml\n")[1].split("```")[0])

    check_entry("README.md", table, SCHEMA)

    broken = [
        list(rule.check(LintedEntry.from_table("acme/queue", table)))
        for rule in RULES
        if rule.severity is Severity.ERROR
    ]
    assert broken == [[]] * len(broken)


def test_the_readme_lists_the_generators_of_the_schema() -> None:
    """The page and the schema list the same generators with the same parameters."""
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", readme, flags=re.MULTILINE)
    shown = {generator: set(re.findall(r"`(\w+)`", cell)) for generator, cell in rows}
    defs = read_schema(SCHEMA)["$defs"]

    known = defs["value"]["properties"]["generator"]["enum"]

    assert shown == {generator: set(defs[generator]["properties"]) - {"generator"} for generator in known}
