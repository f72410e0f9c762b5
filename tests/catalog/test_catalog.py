"""The catalogue: reading entries, looking them up, users' own folders."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tcop_mock.catalog.data_files import data_root
from tcop_mock.catalog.loader import Catalog
from tcop_mock.domain.shape import (
    AlarmKind,
    Erratum,
    Lang,
    LocalizedText,
    ObservedFields,
    Policy,
    Product,
    Sample,
    ValueSpec,
)
from tcop_mock.errors import EntryError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = """\
title = "Acme - queue"
kind = "metric"
namespace = "qce/acme"
regional = false
source = "captured callback 2024-05"
policy = { type = "acme_queue", name = "Acme - queue", name_zh = "队列" }

[values]
queue = { generator = "resource_id", prefix = "queue" }

[dimensions]
queueId = "{queue}"

[[metrics]]
metricName = "queue_depth"
metricShowName = "Queue depth"
unit = "Count"
calcType = ">"
calcValue = "1000"
range = [0, 2000]
source = "captured callback 2024-05"

[[metrics]]
metricName = "queue_state"
metricShowName = "Queue state"
unit = ""
source = "captured callback 2024-05"
"""
EVENT_ENTRY = """\
title = "Acme - events"
title_zh = "事件"
kind = "event"
namespace = "qce/acme"
regional = true
source = "ours"
assumed = ["events.0.recoverable"]
policy = { type = "acme", name = "Acme" }
product = { productName = "acme", productShowName = "Acme", productShowName_zh = "艾克米" }
dimensions = { id = "{region}" }
dimensions_zh = { id = "地域{region}" }
sample = { agrees = true, dimensions = { id = "gz" } }

[[events]]
eventName = "acme_down"
eventShowName = "Acme is down"
recoverable = true
source = "ours"
"""


@pytest.fixture(scope="module")
def shipped() -> Catalog:
    """Return the shipped catalogue."""
    return Catalog.load()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a user's folder with one entry, ``acme/queue``."""
    write(tmp_path, "acme/queue", ENTRY)
    return tmp_path


def write(folder: Path, shape_id: str, text: str) -> Path:
    """Write an entry into a folder and return its file."""
    file = folder / f"{shape_id}.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def problem_of(folder: Path) -> EntryError:
    """Return the error of loading a folder."""
    with pytest.raises(EntryError) as caught:
        Catalog.load(folder)
    return caught.value


def test_shapes_are_sorted_by_id(shipped: Catalog) -> None:
    """Every list of the catalogue has the same order."""
    ids = [shape.id for shape in shipped]

    assert ids == sorted(ids)
    assert len(shipped) == len(ids)


def test_a_shape_is_found_by_its_path(shipped: Catalog) -> None:
    """The path is the id."""
    assert shipped.get("mysql/instance").policy.type == "cdb_detail"


@pytest.mark.parametrize(
    "name, hint",
    [
        ("cvm/basic-monitorin", "did you mean 'cvm/basic-monitoring'"),
        ("private-listener", "did you mean 'clb/private-listener'"),
        ("zzz", "`tcop-mock list` shows all shapes"),
    ],
)
def test_the_error_for_an_unknown_shape_suggests_others(shipped: Catalog, name: str, hint: str) -> None:
    """The error for a wrong id suggests similar ids, or says where all are listed."""
    with pytest.raises(UnknownNameError, match=f"unknown shape '{name}'") as caught:
        shipped.get(name)

    assert hint in str(caught.value)


def test_a_glob_matches_ids(shipped: Catalog) -> None:
    """`mysql/*` matches all shapes of a product, in order."""
    assert [shape.id for shape in shipped.match("mysql/*")] == ["mysql/events", "mysql/instance", "mysql/secondary"]


def test_a_pattern_without_wildcards_is_an_id(shipped: Catalog) -> None:
    """An id is also a pattern; a wrong one gets the same suggestions."""
    assert shipped.match("tke/pod") == [shipped.get("tke/pod")]
    with pytest.raises(UnknownNameError, match="did you mean 'tke/pod'"):
        shipped.match("tke/pods")


def test_a_glob_that_matches_nothing_is_an_error(shipped: Catalog) -> None:
    """A pattern without a match is never ignored silently."""
    with pytest.raises(UnknownNameError, match=r"unknown shape 'acme/\*'"):
        shipped.match("acme/*")


def test_a_users_entry_adds_to_the_shipped_ones(shipped: Catalog, folder: Path) -> None:
    """A new product is one new file without Python."""
    catalog = Catalog.load(folder)
    shape = catalog.get("acme/queue")

    assert len(catalog) == len(shipped) + 1
    assert shape.kind is AlarmKind.METRIC
    assert shape.title == LocalizedText("Acme - queue", "Acme - queue")
    assert shape.policy == Policy("acme_queue", LocalizedText("Acme - queue", "队列"))
    assert shape.values == {"queue": ValueSpec("resource_id", {"prefix": "queue"})}
    assert shape.dimensions == {"queueId": "{queue}"}
    assert (shape.regional, shape.assumed, shape.product, shape.is_documented) == (False, (), None, False)


def test_a_metric_without_threshold_needs_no_range(folder: Path) -> None:
    """Callbacks of such metrics have no threshold fields."""
    with_threshold, without = Catalog.load(str(folder)).get("acme/queue").metrics

    assert (with_threshold.calc_type, with_threshold.calc_value, with_threshold.high) == (">", "1000", 2000)
    assert (without.calc_type, without.calc_value, without.decimals, without.namespace) == (None, None, 0, None)


def test_an_entry_of_events_is_read_completely(tmp_path: Path) -> None:
    """Product, events, Chinese templates and sample are read."""
    write(tmp_path, "events", EVENT_ENTRY)

    shape = Catalog.load(tmp_path).get("events")

    assert shape.kind is AlarmKind.EVENT
    assert shape.product == Product("acme", LocalizedText("Acme", "艾克米"))
    assert [(event.name, event.recoverable, event.source) for event in shape.events] == [("acme_down", True, "ours")]
    assert shape.events[0].show_name.for_language(Lang.EN) == "Acme is down"
    assert shape.title.for_language(Lang.ZH) == "事件"
    assert shape.dimensions_zh == {"id": "地域{region}"}
    assert shape.assumed == ("events.0.recoverable",)
    assert shape.sample is not None
    assert (shape.is_documented, shape.sample.agrees, shape.sample.errata) == (True, True, "")


OBSERVED = """
[policy]
type = "acme_queue"
name = "Acme - queue"
ename = "Acme Queue"

[observed]
dimensions = { owner = "{region}" }
showNameSuffix = " "
additionalMsg = [{ key = "owner", value = "{region}" }, { key = "note", value = "" }]

[aliases]
queueId = ["queue_id", "queueID"]

[sample]
agrees = true
placeholder = true
dimensions = { queueId = "xxx" }

[[errata]]
page = "a page"
problem = "It says otherwise."
here = "As captured."

[[metrics]]
metricName = "captured"
metricShowName = "Captured"
metricShowName_zh = "抓取"
observedShowName = "As it was "
unit = "%"
observedUnit_zh = ""
source = "ours"
"""


def test_observed_fields_are_read_completely(folder: Path) -> None:
    """Observed names, keys and messages, other spellings and errata are read."""
    head, tail = ENTRY.replace('policy = { type = "acme_queue", name = "Acme - queue", name_zh = "队列" }\n', "").split(
        "[[metrics]]", 1
    )
    write(folder, "acme/queue", f"{head}{OBSERVED}\n[[metrics]]{tail}")

    shape = Catalog.load(folder).get("acme/queue")

    assert shape.policy.ename == "Acme Queue"
    assert shape.observed == ObservedFields({"owner": "{region}"}, " ", (("owner", "{region}"), ("note", "")))
    assert shape.aliases == {"queueId": ("queue_id", "queueID")}
    assert shape.errata == (Erratum("a page", "It says otherwise.", "As captured."),)
    assert shape.sample == Sample({"queueId": "xxx"}, agrees=True, placeholder=True)
    captured, without = shape.metrics[:2]
    assert captured.observed_show_name == LocalizedText("As it was ", "抓取 ")
    assert captured.observed_unit == LocalizedText("%", "")
    assert (without.observed_show_name, without.observed_unit) == (None, None)


def test_observed_fields_are_optional(folder: Path) -> None:
    """An entry without them has none."""
    shape = Catalog.load(folder).get("acme/queue")

    assert (shape.observed, shape.aliases, shape.errata, shape.policy.ename) == (ObservedFields(), {}, (), None)


def test_a_later_folder_replaces_an_earlier_and_the_shipped_one(tmp_path: Path) -> None:
    """A user may correct a shipped entry by a file at the same path."""
    for folder, title in (("first", "first"), ("second", "second")):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, "cvm/events", ENTRY.replace("Acme - queue", title))

    catalog = Catalog.load(tmp_path / "first", tmp_path / "second")

    assert catalog.get("cvm/events").title.en == "second"


def test_files_that_are_not_entries_are_skipped(shipped: Catalog, folder: Path) -> None:
    """Readmes, pools, editors' files and hidden folders are not entries."""
    for name in ("README.md", "_draft.toml", ".queue.toml"):
        (folder / name).write_text("no entry", encoding="utf-8")
    write(folder, ".git/config", "no entry")

    assert len(Catalog.load(folder)) == len(shipped) + 1


@pytest.mark.parametrize("is_file", [False, True], ids=["missing", "a file"])
def test_a_missing_folder_is_an_error(tmp_path: Path, is_file: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """The error for a wrong `--catalog` names the path and says what to pass."""
    if is_file:
        (tmp_path / "nowhere").touch()

    with pytest.raises(UsageError, match="nowhere' does not exist; name a folder of TOML entries"):
        Catalog.load(tmp_path / "nowhere")


def test_an_unreadable_file_is_an_error(tmp_path: Path) -> None:
    """The message has the file and the system's reason."""
    (tmp_path / "gone.toml").symlink_to(tmp_path / "nowhere")

    error = problem_of(tmp_path)

    assert (error.file, error.key) == (str(tmp_path / "gone.toml"), "")
    assert error.problem == "cannot be read: No such file or directory"


def test_a_file_that_is_not_utf_8_is_an_error(tmp_path: Path) -> None:
    """The error for an entry in GBK names the first invalid byte."""
    (tmp_path / "gbk.toml").write_bytes('title = "队列"\n'.encode("gbk"))

    assert problem_of(tmp_path).problem == "is not UTF-8 (byte 9)"


def test_a_file_that_is_not_toml_is_an_error(tmp_path: Path) -> None:
    """The message has the parser's line and column."""
    write(tmp_path, "broken", "title = \n")

    assert problem_of(tmp_path).problem == "is not TOML: Invalid value (at line 1, column 9)"


@pytest.mark.parametrize(
    "text, problem",
    [
        pytest.param(f"a = {'[' * 5000}", "is not TOML: TOML inline arrays/tables are nested more than", id="parser"),
        pytest.param(f"{'a.' * 900}b = 1", "is nested more than 50 levels deep; no entry needs that", id="keys"),
        pytest.param(f"a = {'[' * 51}{']' * 51}", "is nested more than 50 levels deep", id="lists"),
    ],
)
def test_a_file_that_is_nested_too_deeply_is_an_error(tmp_path: Path, text: str, problem: str) -> None:
    """Neither the parser nor the validator runs out of stack; the message says what is wrong."""
    write(tmp_path, "deep", text)

    assert problem_of(tmp_path).problem.startswith(problem)


@pytest.mark.parametrize(
    "old, new, key, problem",
    [
        ('[dimensions]\nqueueId = "{queue}"', '[dimensions_zh]\nqueueID = "x"\n[dimensions]\nqueueId = "{queue}"',
         "dimensions_zh", "'queueID' is not a key of [dimensions]; did you mean 'queueId'?"),
        ('[dimensions]\nqueueId = "{queue}"', '[dimensions_zh]\nzzz = "x"\n[dimensions]\nqueueId = "{queue}"',
         "dimensions_zh", "'zzz' is not a key of [dimensions]"),
        ('[dimensions]\nqueueId = "{queue}"', '[aliases]\nqueueID = ["x"]\n[dimensions]\nqueueId = "{queue}"',
         "aliases", "'queueID' is not a key of [dimensions]; did you mean 'queueId'?"),
        ('[dimensions]\nqueueId = "{queue}"', '[observed.dimensions]\nqueueId = "x"\n[dimensions]\nqueueId = "{queue}"',
         "observed.dimensions", "'queueId' is already a key of [dimensions]; list only additional keys here"),
        ('"resource_id", prefix = "queue"', '"ipv4", network = "10.0.0.1/8"',
         "values.queue", "network 10.0.0.1/8 has host bits set"),
        ('"resource_id", prefix = "queue"', '"integer", low = 2, high = 1', "values.queue", "low is greater than high"),
        ("range = [0, 2000]", "range = [0, 1000]",
         "metrics.0.calcValue", "range [0, 1000] has values on one side of > 1000 only"),
        ('calcValue = "1000"', 'calcValue = "0.5"',
         "metrics.0.calcValue", "0.5 has more decimals than the metric's values (0)"),
    ],
)  # fmt: skip  # a row is a case
def test_contradictions_in_users_entries_are_errors(folder: Path, old: str, new: str, key: str, problem: str) -> None:
    """An entry that could never be generated is rejected when it is read, with file, key and reason."""
    file = write(folder, "acme/queue", ENTRY.replace(old, new))

    error = problem_of(folder)

    assert str(error) == f"{file}: {key}: {problem}"


@pytest.mark.parametrize(
    "calc_type, least, greatest",
    [(">", 0, 9), (">=", 1, 10), ("<", 1, 10), ("<=", 0, 9), ("=", 0, 10), ("!=", 0, 10)],
)
def test_a_threshold_needs_room_on_both_sides(folder: Path, calc_type: str, least: int, greatest: int) -> None:
    """In a range from 0 to 10 a threshold is valid exactly if values exist on both sides."""
    text = ENTRY.replace('">"', f'"{calc_type}"').replace("[0, 2000]", "[0, 10]")

    for limit in (least, greatest):
        write(folder, "acme/queue", text.replace('"1000"', f'"{limit}"'))
        assert Catalog.load(folder).get("acme/queue").metrics[0].calc_value == str(limit)
    for limit in (least - 1, greatest + 1):
        write(folder, "acme/queue", text.replace('"1000"', f'"{limit}"'))
        assert "has values on one side" in problem_of(folder).problem


def test_a_range_of_one_value_has_no_two_sides(folder: Path) -> None:
    """A range of one value is an error, with the operator = as well."""
    write(folder, "acme/queue", ENTRY.replace('">"', '"="').replace("[0, 2000]", "[1000, 1000]"))

    assert "has values on one side" in problem_of(folder).problem


def test_a_copy_of_the_shipped_folder_is_a_users_folder(shipped: Catalog, tmp_path: Path) -> None:
    """Shipped entries pass the checks of users' entries."""
    copy = shutil.copytree(str(data_root("payload_catalog")), tmp_path / "copy")

    assert [shape.id for shape in Catalog.load(copy)] == [shape.id for shape in shipped]
