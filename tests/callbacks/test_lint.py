"""The linter of users' entries: it reports every problem with its key, and nothing about a correct entry."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.lint import LintReport, Severity, lint
from tcop_mock.callbacks.lint_rules import sample_matches
from tcop_mock.catalog.data_files import data_root
from tcop_mock.catalog.loader import Catalog
from tcop_mock.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from tcop_mock.domain.alarm import Alarm
    from tcop_mock.domain.callback import Callback, State
    from tcop_mock.domain.shape import Shape

CATALOG = Catalog.load()
SAMPLED = [pytest.param(shape, id=shape.id) for shape in CATALOG if shape.sample]


@pytest.mark.parametrize("shape", SAMPLED)
def test_agrees_is_true_exactly_if_the_sample_matches(shape: Shape) -> None:
    """`agrees` is true exactly if the shape could generate the page's sample; otherwise errata say why not."""
    assert shape.sample is not None
    assert sample_matches(shape, shape.sample.dimensions, placeholder=shape.sample.placeholder) is shape.sample.agrees
    assert bool(shape.sample.errata) or shape.sample.agrees


@pytest.mark.parametrize("shape", SAMPLED)
def test_a_missing_or_moved_key_is_detected(shape: Shape) -> None:
    """A missing dimension, an additional one and another order do not match."""
    assert shape.sample is not None
    items = list(shape.sample.dimensions.items())
    for wrong in (dict(items[1:]), dict(reversed(items)), dict(items) | {"surplus": "xxx"}):
        assert not sample_matches(shape, wrong, placeholder=True)


def test_an_id_that_is_not_the_same_twice_is_detected() -> None:
    """Two spellings of one value in one body do not match."""
    shape = CATALOG.get("cvm/storage-monitoring")
    good = {"diskid": "disk-1yukg09l", "objId": "disk-1yukg09l", "objName": "disk-1yukg09l(a/ins-i7d3ifpp)"}
    assert sample_matches(shape, good)
    assert not sample_matches(shape, good | {"objId": "disk-1yukg09m"})


def test_the_json_type_counts() -> None:
    """A port as string is not the public listener's, a port as number not the private one's."""
    shape = CATALOG.get("clb/public-listener")
    good = {
        "protocol": "https",
        "vip": "118.25.31.161",
        "vport": 443,
        "objId": "118.25.31.161#443#https",
        "objName": "web | Default-VPC | 118.25.31.161(https:443) | service:clb, product:monitor",
    }
    assert sample_matches(shape, good)
    assert not sample_matches(shape, good | {"vport": "443"})
    assert not sample_matches(shape, good | {"vport": 80})


def test_literals_other_than_text_are_compared() -> None:
    """A constant number in an entry matches only this number."""
    shape = replace(CATALOG.get("redis/legacy"), values={}, dimensions={"lane": 7, "region": "{region}"})
    assert sample_matches(shape, {"lane": 7, "region": "gz"})
    assert not sample_matches(shape, {"lane": 8, "region": "gz"})
    assert not sample_matches(shape, {"lane": "7", "region": "gz"})


def test_an_account_as_number_is_matched_as_number() -> None:
    """An integer account id matches only an integer in the format of an account."""
    shape = CATALOG.get("vpc/bandwidth-package")
    good = {
        "__region__": "gz",
        "appid": 1252068037,
        "netgroup": "bwp-43k0os16",
        "objId": "bwp-43k0os16",
        "objName": "bwp-43k0os16",
    }
    assert sample_matches(shape, good)
    assert not sample_matches(shape, good | {"appid": "1252068037"})
    assert not sample_matches(shape, good | {"__region__": "nowhere"})


def test_a_placeholder_matches_any_string() -> None:
    """An xxx of the page matches any string, but only if the sample declares placeholders."""
    shape = CATALOG.get("vpc/vpn-tunnel")
    reported = {"vpnconnid": "vpnx-lr6cpqp6", "objId": "5642", "objName": "to the office(vpnx-lr6cpqp6)"}
    hidden = reported | {"objId": "xxx"}
    assert sample_matches(shape, hidden, placeholder=True)
    assert not sample_matches(shape, hidden)


def test_a_placeholder_excuses_nothing_else() -> None:
    """Values next to placeholders must still match, and a placeholder only replaces strings."""
    tunnel, package = CATALOG.get("vpc/vpn-tunnel"), CATALOG.get("vpc/bandwidth-package")
    other = {"vpnconnid": "vpnx-lr6cpqp6", "objId": "xxx", "objName": "to the office(vpnx-00000000)"}
    assert not sample_matches(tunnel, other, placeholder=True)
    hidden = {"__region__": "xxx", "appid": 1252068037, "netgroup": "xxx", "objId": "xxx", "objName": "xxx"}
    assert sample_matches(package, hidden, placeholder=True)
    assert not sample_matches(package, hidden | {"appid": "xxx"}, placeholder=True)
    assert not sample_matches(package, hidden | {"objId": 1}, placeholder=True)


def test_a_placeholder_of_a_picked_value_is_one_of_its_type() -> None:
    """If a number is picked, a string placeholder does not match."""
    listener = CATALOG.get("clb/public-listener")
    hidden: dict[str, object] = dict.fromkeys(("protocol", "vip", "vport", "objId", "objName"), "xxx")
    assert not sample_matches(listener, hidden, placeholder=True)
    assert sample_matches(listener, hidden | {"vport": 443}, placeholder=True)


METRICS = """\
title = "Acme - queue"
title_zh = "队列"
kind = "metric"
namespace = "qce/acme"
regional = false
source = "a page of ours"
assumed = ["metrics.0.range"]
policy = { type = "acme_queue", name = "Acme - queue", name_zh = "队列" }

[values]
queue = { generator = "resource_id", prefix = "queue" }
name = { generator = "name", of = "topic" }

[dimensions]
queueId = "{queue}"
objName = "{name}"

[sample]
agrees = true
dimensions = { queueId = "queue-12345678", objName = "orders" }

[[metrics]]
metricName = "used"
metricShowName = "Used"
metricShowName_zh = "使用率"
unit = "%"
calcType = ">"
calcValue = "80"
range = [0, 100]
source = "a page of ours; range: ours"

[[metrics]]
metricName = "queue_depth"
metricShowName = "Queue depth"
metricShowName_zh = "队列深度"
unit = "Count"
source = "a page of ours"
"""
EVENTS = """\
title = "Acme - events"
title_zh = "事件"
kind = "event"
namespace = "qce/acme"
regional = true
source = "a page of ours"
policy = { type = "acme", name = "Acme", name_zh = "艾克米" }
product = { productName = "acme", productShowName = "Acme", productShowName_zh = "艾克米" }

[values]
queue = { generator = "resource_id", prefix = "queue" }

[dimensions]
unInstanceId = "{queue}"

[observed]
additionalMsg = [{ key = "queue", value = "{queue}" }]

[cloudevent]
source = "acme"
subject = "{queue}"
status = "0"
data = { queue = "{queue}" }

[[events]]
eventName = "acme_down"
eventShowName = "Acme is down"
eventShowName_zh = "艾克米不可用"
recoverable = true
cloudEventType = "acme:Down"
source = "a page of ours"

[[events]]
eventName = "acme_lost"
eventShowName = "Acme is lost"
eventShowName_zh = "艾克米丢失"
recoverable = false
cloudEventType = "acme:Lost"
source = "a page of ours"
"""


def report_of(folder: Path, text: str) -> LintReport:
    """Return the problems of one entry, ``acme/entry``."""
    (folder / "acme").mkdir(exist_ok=True)
    (folder / "acme" / "entry.toml").write_text(text, encoding="utf-8")
    return lint([folder])


def problem_lines(folder: Path, text: str) -> list[str]:
    """Return the problems of one entry, one line each."""
    return [
        f"{remark.severity} {remark.problem.key}: {remark.problem.message}"
        for remark in report_of(folder, text).findings
    ]


@pytest.mark.parametrize("text", [METRICS, EVENTS], ids=["metrics", "events"])
def test_a_correct_entry_has_no_problems(tmp_path: Path, text: str) -> None:
    """There are neither errors nor warnings."""
    assert report_of(tmp_path, text) == LintReport(1, ())


GENERATORS = '"digits" or "faker" or "hex" or "integer" or "ipv4" or "name" or one of 3 more'
IN_QUOTES = "write it as a string, in quotes"
DIFFERENCE = "keys, order, types or values differ"


@pytest.mark.parametrize(
    "old, new, remarks",
    [
        pytest.param('"Used"', "Used", ["error : is not TOML: Invalid value (at line 24, column 18)"], id="toml"),
        pytest.param(
            "regional = false", "regionl = false\nzones = 1",
            ["error : 'regionl' is an unknown key; did you mean 'regional'?", "error : 'zones' is an unknown key",
             "error : 'regional' is missing"], id="schema",
        ),
        pytest.param(
            'calcValue = "80"\nrange = [0, 100]', "",
            ["error metrics.0: 'calcType' requires 'calcValue', which is missing",
             "error metrics.0: 'calcType' requires 'range', which is missing"], id="partners",
        ),
        pytest.param('"resource_id"', '"resource"',
                     ['error values.queue.generator: is "resource", not ' + GENERATORS
                      + "; did you mean 'resource_id'?"], id="generator"),
        pytest.param('"resource_id"', '"zzz"', ['error values.queue.generator: is "zzz", not ' + GENERATORS],
                     id="other generator"),
        pytest.param("[0, 100]", "[0, inf]", ["error metrics.0.range.1: inf is not a JSON number"], id="inf"),
        pytest.param('"orders" }', "2024-05-01 }",
                     ["error sample.dimensions.objName: 2024-05-01 is a date or a time, which JSON lacks; "
                      + IN_QUOTES],
                     id="date"),
        pytest.param("[0, 100]", "[0, 80]",
                     ["error metrics.0.calcValue: range [0, 80] has values on one side of > 80 only"], id="threshold"),
        pytest.param('"name", of = "topic"', '"ipv4", network = "10.0.0.1/8"',
                     ["error values.name: network 10.0.0.1/8 has host bits set"], id="network"),
        pytest.param('of = "topic"', 'of = "topics"',
                     ["error values.name: unknown pool of names 'topics'; did you mean 'topic'?"], id="pool"),
        pytest.param('"name", of = "topic"', '"faker", provider = "zzzzzz"',
                     ["error values.name: unknown Faker provider 'zzzzzz'"], id="faker"),
        pytest.param(
            'objName = "{name}"', 'objName = "{nam} {queue.id} }"',
            ["error dimensions.objName: template '{nam} {queue.id} }' has a brace outside of a {field}",
             "error dimensions.objName: 'nam' is not a declared value; did you mean 'name' or 'region_name'?",
             "error dimensions.objName: 'queue.id' is not a declared value; did you mean 'queue'?",
             "error values.name: never used"], id="templates",
        ),
        pytest.param('"queue_depth"', '"used"', ["error metrics.1.metricName: 'used' is the name of metrics.0, too"],
                     id="twice"),
        pytest.param(
            '["metrics.0.range"]', '["metrics.0.range", "metrics.2.range", "policy.nam", "title.x"]',
            ["error assumed.1: 'metrics.2.range' is not a key of this file",
             "error assumed.2: 'policy.nam' is not a key of this file",
             "error assumed.3: 'title.x' is not a key of this file"], id="assumed",
        ),
        pytest.param("; range: ours", "",
                     ["warning metrics.0.range: is assumed, but its source does not say so"], id="source"),
        pytest.param('["metrics.0.range"]', "[]",
                     ["warning metrics.0.range: its source calls it ours, but `assumed` does not list it"], id="ours"),
        pytest.param(
            'objName = "orders" }', 'objName = "xxx" }\nplaceholder = true',
            ["warning dimensions.objName: the sample shows xxx, so its value is a guess"], id="placeholder",
        ),
        pytest.param('title_zh = "队列"\n', "",
                     ["warning title_zh: is missing: Chinese accounts get 'Acme - queue'"], id="title"),
        pytest.param('metricShowName_zh = "队列深度"\n', "",
                     ["warning metrics.1.metricShowName_zh: is missing: Chinese accounts get 'Queue depth'"],
                     id="show name"),
        pytest.param("使用率", "usage", ["warning metrics.0.metricShowName_zh: 'usage' contains no Chinese"], id="zh"),
        pytest.param("[0, 100]", "[0, 200]",
                     ["warning metrics.0.range: [0, 200] is beyond 0 to 100, and the unit is %"], id="percent"),
        pytest.param('unit = "Count"', 'unit = "Count"\ndecimals = 2',
                     ["warning metrics.1.decimals: a count in Count has no decimals"], id="halves"),
        pytest.param("agrees = true", 'agrees = false\nerrata = "none"',
                     ["error sample.agrees: is false, but the sample could have been generated"], id="agrees"),
        pytest.param("queue-12345678", "queue-1",
                     ["error sample.agrees: is true, but the sample could not have been: " + DIFFERENCE],
                     id="disagrees"),
        pytest.param(
            "[dimensions]", "\n".join(
                f'p{at} = {{ generator = "pick", from = {list(range(200))} }}' for at in (1, 2)
            ) + '\n[dimensions]\np = "{p1}{p2}"',
            ["warning sample.agrees: is not checked: picks give 40000 combinations, more than 4096"],
            id="combinations",
        ),
        pytest.param(
            'queue = { generator = "resource_id", prefix = "queue" }',
            'queue = { generator = "pick", from = ["queue-12345678", "queue-12345678"] }',
            ["warning values.queue: has only one possible value, but the id queueId depends on queue"], id="one thing",
        ),
        pytest.param(
            'objName = "{name}"\n\n[sample]\nagrees = true\ndimensions = { queueId = "queue-12345678", objName = "o',
            'zoneId = 7\nobjName = "{name}"\n\n[sample]\nagrees = true\n'
            'dimensions = { queueId = "queue-12345678", zoneId = 7, objName = "o',
            ["warning dimensions.zoneId: is an id, but the same in all alarms"], id="one id",
        ),
    ],
)  # fmt: skip  # a row is a case
def test_every_mistake_is_reported_with_its_key(tmp_path: Path, old: str, new: str, remarks: list[str]) -> None:
    """One mistake in an entry is reported completely, and nothing else is."""
    assert old in METRICS
    found = problem_lines(tmp_path, METRICS.replace(old, new, 1))
    assert found == remarks


def test_a_body_that_is_too_long_is_reported(tmp_path: Path) -> None:
    """The longest body is the observed one; receivers must accept 4 KiB."""
    [remark] = problem_lines(tmp_path, METRICS.replace('"Used"', f'"{"Used" * 1024}"'))

    assert re.fullmatch(r"warning : the observed body has [45]\d{3} bytes; receivers must accept up to 4096", remark)


def test_problems_of_several_kinds_are_reported_together(tmp_path: Path) -> None:
    """A user can fix all problems of an entry at once."""
    text = METRICS.replace("[0, 100]", "[0, 80]").replace('"topic"', '"topics"').replace('"queue_depth"', '"used"')

    assert [line.partition(": ")[0] for line in problem_lines(tmp_path, text.replace("使用率", "usage"))] == [
        "error metrics.0.calcValue",
        "error values.name",
        "error metrics.1.metricName",
        "warning metrics.0.metricShowName_zh",
    ]


@pytest.mark.parametrize(
    "old, new, remark",
    [
        ('cloudEventType = "acme:Lost"\n', "",
         "error events.1: 'cloudEventType' is missing; with [cloudevent] each event needs one"),
        ('value = "{queue}" }]', 'value = "{queu}" }]',
         "error observed.additionalMsg.0.value: 'queu' is not a declared value; did you mean 'queue'?"),
        ('subject = "{queue}"', 'subject = "{queu}"',
         "error cloudevent.subject: 'queu' is not a declared value; did you mean 'queue'?"),
        ('"acme_lost"', '"acme_down"', "error events.1.eventName: 'acme_down' is the name of events.0, too"),
        (', productShowName_zh = "艾克米"', "",
         "warning product.productShowName_zh: is missing: Chinese accounts get 'Acme'"),
    ],
)  # fmt: skip  # a row is a case
def test_entries_of_events_have_the_same_rules(tmp_path: Path, old: str, new: str, remark: str) -> None:
    """Messages, CloudEvents and products are also checked."""
    assert old in EVENTS
    assert problem_lines(tmp_path, EVENTS.replace(old, new, 1)) == [remark]


def test_every_callback_is_generated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every metric and event is generated in each form, language and state; each error is reported once."""
    drawn = set()

    def callback(self: Generator, alarm: Alarm, state: State, occurrence: int = 1) -> Callback:
        subject = alarm.metric or alarm.event
        assert subject is not None
        drawn.add((self.form.value, self.lang.value, subject.name, state.value))
        if subject.name == "acme_lost":
            raise UsageError("acme_lost is lost")
        return genuine(self, alarm, state, occurrence)

    genuine = Generator.callback
    monkeypatch.setattr(Generator, "callback", callback)

    assert problem_lines(tmp_path, METRICS) == []
    assert len(drawn) == 2 * 2 * 2 * 3
    drawn.clear()
    report = report_of(tmp_path, EVENTS)
    assert len(drawn) == 4 * 2 * (2 + 1)
    assert [remark.problem.message for remark in report.findings] == [
        "acme_lost as documented in en: acme_lost is lost"
    ]


def test_an_entry_that_replaces_another_is_reported(tmp_path: Path) -> None:
    """A warning, because it may be intended; it names the replaced entry in the order of folders."""
    first, second = tmp_path / "1", tmp_path / "2"
    for folder in (first, second):
        (folder / "cvm").mkdir(parents=True)
        (folder / "cvm" / "basic-monitoring.toml").write_text(METRICS, encoding="utf-8")

    report = lint([first, second])

    assert report.entry_count == 2
    assert [remark.severity for remark in report.findings] == [Severity.WARNING] * 2
    assert [remark.problem.message for remark in report.findings] == [
        "replaces the shipped entry with the id cvm/basic-monitoring",
        f"replaces {first / 'cvm' / 'basic-monitoring.toml'} with the id cvm/basic-monitoring",
    ]


def test_a_glob_chooses_entries(tmp_path: Path) -> None:
    """Only matching ids are read; without a match the error suggests similar ids."""
    for name in ("queue", "topic"):
        (tmp_path / f"{name}.toml").write_text("title = ", encoding="utf-8")

    assert [remark.shape_id for remark in lint([tmp_path], "q*").findings] == ["queue"]
    with pytest.raises(UnknownNameError, match="unknown entry 'queues' in these folders; did you mean 'queue'"):
        lint([tmp_path], "queues")


def test_our_own_folder_only_replaces_itself() -> None:
    """The only problem of the shipped folder as a user's folder is that it replaces the shipped entries."""
    folder = Path(str(data_root("payload_catalog")))

    report = lint([folder], "cdn/*")

    assert report.entry_count == 3
    assert len(report.findings) == report.count(Severity.WARNING) == report.entry_count
    assert all(remark.problem.message.startswith("replaces the shipped entry") for remark in report.findings)
