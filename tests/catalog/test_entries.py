"""Every shipped entry, tested by being there."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tcop_mock._data import data_root, walk
from tcop_mock.catalog import SCHEMA, contradictions, parse_shape
from tcop_mock.entries import check_entry, read_entry, read_schema
from tcop_mock.model.shape import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = data_root("payload_catalog")
TABLES = {name: read_entry(file, SCHEMA, check=False) for name, file in walk(FOLDER, ".toml")}
BUILT_IN = {"account.app_id", "account.uin", "region"}
FIELD = re.compile(r"\{([^{}]+)\}")
CHINESE = re.compile(r"[\u4e00-\u9fff]")

each_entry = pytest.mark.parametrize("name, table", TABLES.items(), ids=TABLES)


def references(node: Any) -> Iterator[str]:  # noqa: ANN401 - a node of the entry's tree
    """Yield the paths that templates name."""
    if isinstance(node, str):
        yield from FIELD.findall(node)
    elif isinstance(node, dict) and node.keys() == {"value"}:
        yield node["value"]
    elif isinstance(node, dict):
        for child in node.values():
            yield from references(child)


def used(table: dict[str, Any]) -> set[str]:
    """Return the paths that an entry's templates name."""
    observed = table.get("observed", {})
    trees = [table["dimensions"], table.get("dimensions_zh", {}), observed.get("dimensions", {})]
    trees += [message["value"] for message in observed.get("additionalMsg", ())]
    return {path for tree in trees for path in references(tree)}


def declared(values: dict[str, Any]) -> set[str]:
    """Return the paths that a table of values offers."""
    paths = set()
    for name, spec in values.items():
        options = spec.get("from", [""])
        if isinstance(options[0], dict):
            paths |= {f"{name}.{key}" for key in set.intersection(*map(set, options))}
        else:
            paths.add(name)
    return paths


def at(table: Any, path: str) -> Any:  # noqa: ANN401 - any TOML value
    """Return what a dotted path of ``assumed`` points at."""
    for key in path.split("."):
        table = table[int(key)] if isinstance(table, list) else table[key]
    return table


def translations(node: Any, path: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 - as above
    """Yield each text in Chinese with its path."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        if str(key).endswith("_zh") and key != "observedUnit_zh" and isinstance(child, str):
            yield f"{path}{key}", child
        yield from translations(child, f"{path}{key}.")


def test_the_catalogue_is_complete() -> None:
    """60 shapes of metric alarms, and the events of 16 products in 17 entries: Direct Connect has two forms."""
    kinds = Counter(table["kind"] for table in TABLES.values())
    products = {table["product"]["productName"] for table in TABLES.values() if "product" in table}

    assert kinds == {"metric": 60, "event": 17}
    assert len(products) == 16


def test_every_metric_and_every_event_is_there() -> None:
    """652 metrics and 116 events are known; the newer form of CVM has the metrics of the older."""
    metrics = {name: table["metrics"] for name, table in TABLES.items() if "metrics" in table}
    copies = metrics.pop("cvm/basic-monitoring-named")

    assert sum(map(len, metrics.values())) == 652
    assert copies == metrics["cvm/basic-monitoring"]
    assert sum(len(table.get("events", ())) for table in TABLES.values()) == 116


@each_entry
def test_an_entry_keeps_its_schema(name: str, table: dict[str, Any]) -> None:
    """What users' entries are held to holds for ours."""
    check_entry(name, table, SCHEMA)


@each_entry
def test_an_entry_contradicts_itself_nowhere(name: str, table: dict[str, Any]) -> None:
    """Thresholds leave room on both sides, networks are networks, Chinese templates replace existing ones."""
    assert list(contradictions(parse_shape(name, table))) == []


@each_entry
def test_templates_name_what_is_declared_and_nothing_declared_is_idle(name: str, table: dict[str, Any]) -> None:
    """A value that nothing names, or a name that nothing declares, is a mistake."""
    named = used(table)

    assert named - BUILT_IN <= declared(table.get("values", {})), name
    assert set(table.get("values", {})) == {path.partition(".")[0] for path in named - BUILT_IN}, name


@each_entry
def test_names_are_drawn_from_pools_that_exist(name: str, table: dict[str, Any]) -> None:
    """A pool that is not there would be told to the user of ours, not to us."""
    pools = tomllib.loads((FOLDER / "_pools" / "names.toml").read_text(encoding="utf-8"))

    named = {spec["of"] for spec in table.get("values", {}).values() if spec["generator"] == "name"}

    assert named <= set(pools), name


@each_entry
def test_no_shipped_value_is_drawn_by_faker(name: str, table: dict[str, Any]) -> None:
    """Faker is an extra and draws other things in each version; shipped entries need neither."""
    assert [spec for spec in table.get("values", {}).values() if spec["generator"] == "faker"] == [], name


@each_entry
def test_assumptions_point_at_keys_that_are_there(name: str, table: dict[str, Any]) -> None:
    """An assumption about a key that moved would mark another fact as a guess."""
    for path in table.get("assumed", ()):
        assert at(table, path) is not None, (name, path)


@each_entry
@pytest.mark.parametrize(
    "list_name, phrase, key",
    [
        ("metrics", "threshold: ours", "calcValue"),
        ("metrics", "range: ours", "range"),
        ("metrics", "name: from API name", "metricName"),
        ("metrics", "zh ours", "metricShowName_zh"),
        ("metrics", "for this metric ours", "namespace"),
        ("events", "recovery: ours", "recoverable"),
        ("events", "name: from event name", "eventName"),
        ("events", "en ours", "eventShowName"),
        ("events", "zh ours", "eventShowName_zh"),
    ],
)
def test_what_a_source_calls_ours_is_assumed_and_nothing_else(
    name: str, table: dict[str, Any], list_name: str, phrase: str, key: str
) -> None:
    """`source` and `assumed` tell the same story."""
    told = {f"{list_name}.{i}.{key}" for i, item in enumerate(table.get(list_name, ())) if phrase in item["source"]}
    assumed = {path for path in table.get("assumed", ()) if re.fullmatch(rf"{list_name}\.\d+\.{key}", path)}
    if key == "metricName":  # some are named after a sibling that a callback was captured of
        told |= {
            f"metrics.{i}.metricName"
            for i, item in enumerate(table.get("metrics", ()))
            if item["source"].startswith("name: after ")
        }

    assert told == assumed, name


@each_entry
def test_names_are_unique_within_an_entry(name: str, table: dict[str, Any]) -> None:
    """A metric or an event is chosen by name, so no name is there twice."""
    for list_name, key in (("metrics", "metricName"), ("events", "eventName")):
        names = [item[key] for item in table.get(list_name, ())]
        assert len(set(names)) == len(names), (name, list_name)


@each_entry
def test_texts_in_chinese_are_in_chinese(name: str, table: dict[str, Any]) -> None:
    """A `_zh` text that is no translation would only repeat the other and hide that one is missing."""
    for path, text in translations(table):
        assert CHINESE.search(text), (name, path)


@each_entry
def test_the_dimensions_of_no_page_are_assumed(name: str, table: dict[str, Any]) -> None:
    """An entry without a sample says of each dimension that no page prints that it is ours, and of no other kind."""
    if "sample" in table:
        return
    assumed = {path.partition(".")[2] for path in table["assumed"] if path.startswith("dimensions.")}

    assert {"objId", "objName"} <= assumed or assumed == {"unInstanceId", "objDetail"}, name


@each_entry
def test_a_placeholder_leaves_its_dimension_assumed(name: str, table: dict[str, Any]) -> None:
    """Where a page prints xxx, what we draw is our guess and told as one."""
    sample = table.get("sample", {"dimensions": {}})
    hidden = {f"dimensions.{key}" for key, value in sample["dimensions"].items() if value == PLACEHOLDER}

    assert hidden <= set(table.get("assumed", ())), name


@each_entry
def test_a_percentage_stays_within_a_hundred(name: str, table: dict[str, Any]) -> None:
    """Utilisations and rates end at 100; only what is used of a request may be more."""
    for metric in table.get("metrics", ()):
        if metric["unit"] == "%" and "_request" not in metric["metricName"]:
            assert metric["range"] == [0, 100], (name, metric["metricName"])


@each_entry
def test_what_is_counted_has_no_decimals(name: str, table: dict[str, Any]) -> None:
    """There is no half connection and no half packet."""
    counts = {"Count", "Times", "Packets/sec", "Count/s", "Count/min", "Times/sec", "Times/min", "Requests/min"}
    for metric in table.get("metrics", ()):
        assert metric["unit"] not in counts or "decimals" not in metric, (name, metric["metricName"])


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
    """The format's page cannot teach what the schema refuses."""
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    table = tomllib.loads(readme.split("```toml\n")[1].split("```")[0])

    check_entry("README.md", table, SCHEMA)

    assert list(contradictions(parse_shape("acme/queue", table))) == []
    assert used(table) == declared(table["values"])


def test_the_readme_lists_the_generators_of_the_schema() -> None:
    """Page and schema know the same generators with the same parameters."""
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", readme, flags=re.MULTILINE)
    shown = {generator: set(re.findall(r"`(\w+)`", cell)) for generator, cell in rows}
    defs = read_schema(SCHEMA)["$defs"]

    known = defs["value"]["properties"]["generator"]["enum"]

    assert shown == {generator: set(defs[generator]["properties"]) - {"generator"} for generator in known}
