"""What is told of users' entries: everything, each thing with its key, and nothing of an entry that is right."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.lint import LintReport, Severity, lint
from tcop_mock.catalog.data_files import data_root
from tcop_mock.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from tcop_mock.domain.alarm import Alarm, Callback, State

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
    """Return what is told of one entry, ``acme/entry``."""
    (folder / "acme").mkdir(exist_ok=True)
    (folder / "acme" / "entry.toml").write_text(text, encoding="utf-8")
    return lint([folder])


def told(folder: Path, text: str) -> list[str]:
    """Return what is told of one entry, a line each."""
    return [
        f"{remark.severity} {remark.problem.key}: {remark.problem.message}"
        for remark in report_of(folder, text).findings
    ]


@pytest.mark.parametrize("text", [METRICS, EVENTS], ids=["metrics", "events"])
def test_nothing_is_told_of_an_entry_that_is_right(tmp_path: Path, text: str) -> None:
    """Neither errors nor warnings."""
    assert report_of(tmp_path, text) == LintReport(1, ())


GENERATORS = '"digits" or "faker" or "hex" or "integer" or "ipv4" or "name" or one of 3 more'
IN_QUOTES = "write it as a text, in quotes"
DIFFERENCE = "keys, order, types or values differ"


@pytest.mark.parametrize(
    "old, new, remarks",
    [
        pytest.param('"Used"', "Used", ["error : is not TOML: Invalid value (at line 24, column 18)"], id="toml"),
        pytest.param(
            "regional = false", "regionl = false\nzones = 1",
            ["error : 'regional' is missing", "error : 'regionl' is an unknown key; did you mean 'regional'?",
             "error : 'zones' is an unknown key"], id="schema",
        ),
        pytest.param(
            'calcValue = "80"\nrange = [0, 100]', "",
            ["error metrics.0: 'calcType' is there, so 'calcValue' must be, too",
             "error metrics.0: 'calcType' is there, so 'range' must be, too"], id="partners",
        ),
        pytest.param('"resource_id"', '"resource"',
                     ['error values.queue.generator: is "resource", not ' + GENERATORS
                      + "; did you mean 'resource_id'?"], id="generator"),
        pytest.param('"resource_id"', '"zzz"', ['error values.queue.generator: is "zzz", not ' + GENERATORS],
                     id="other generator"),
        pytest.param("[0, 100]", "[0, inf]", ["error metrics.0.range.1: inf is no number of JSON's"], id="inf"),
        pytest.param('"orders" }', "2024-05-01 }",
                     ["error sample.dimensions.objName: 2024-05-01 is a date or a time, which JSON has not; "
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
            ["error dimensions.objName: template '{nam} {queue.id} }' has a brace that is no {field}",
             "error dimensions.objName: 'nam' is no declared value; did you mean 'name' or 'region_name'?",
             "error dimensions.objName: 'queue.id' is no declared value; did you mean 'queue'?",
             "error values.name: never used"], id="templates",
        ),
        pytest.param('"queue_depth"', '"used"', ["error metrics.1.metricName: 'used' is the name of metrics.0, too"],
                     id="twice"),
        pytest.param(
            '["metrics.0.range"]', '["metrics.0.range", "metrics.2.range", "policy.nam", "title.x"]',
            ["error assumed.1: 'metrics.2.range' is no key of this file",
             "error assumed.2: 'policy.nam' is no key of this file",
             "error assumed.3: 'title.x' is no key of this file"], id="assumed",
        ),
        pytest.param("; range: ours", "",
                     ["warning metrics.0.range: is assumed, and its source does not say so"], id="source"),
        pytest.param('["metrics.0.range"]', "[]",
                     ["warning metrics.0.range: its source calls it ours, and `assumed` does not name it"], id="ours"),
        pytest.param(
            'objName = "orders" }', 'objName = "xxx" }\nplaceholder = true',
            ["warning dimensions.objName: the sample shows xxx, so what is drawn is a guess"], id="placeholder",
        ),
        pytest.param('title_zh = "队列"\n', "",
                     ["warning title_zh: is missing: accounts in Chinese get 'Acme - queue'"], id="title"),
        pytest.param('metricShowName_zh = "队列深度"\n', "",
                     ["warning metrics.1.metricShowName_zh: is missing: accounts in Chinese get 'Queue depth'"],
                     id="show name"),
        pytest.param("使用率", "usage", ["warning metrics.0.metricShowName_zh: 'usage' holds no Chinese"], id="zh"),
        pytest.param("[0, 100]", "[0, 200]",
                     ["warning metrics.0.range: [0, 200] is beyond 0 to 100, and the unit is %"], id="percent"),
        pytest.param('unit = "Count"', 'unit = "Count"\ndecimals = 2',
                     ["warning metrics.1.decimals: what is counted in Count has no decimals"], id="halves"),
        pytest.param("agrees = true", 'agrees = false\nerrata = "none"',
                     ["error sample.agrees: is false, and the sample could have been drawn"], id="agrees"),
        pytest.param("queue-12345678", "queue-1",
                     ["error sample.agrees: is true, and the sample could not have been drawn: " + DIFFERENCE],
                     id="disagrees"),
        pytest.param(
            "[dimensions]", "\n".join(
                f'p{at} = {{ generator = "pick", from = {list(range(200))} }}' for at in (1, 2)
            ) + '\n[dimensions]\np = "{p1}{p2}"',
            ["warning sample.agrees: is not checked: picks give 40000 combinations, 4096 are the most"],
            id="combinations",
        ),
        pytest.param(
            'queue = { generator = "resource_id", prefix = "queue" }',
            'queue = { generator = "pick", from = ["queue-12345678", "queue-12345678"] }',
            ["warning values.queue: draws one thing only, and the id queueId is made of queue"], id="one thing",
        ),
        pytest.param(
            'objName = "{name}"\n\n[sample]\nagrees = true\ndimensions = { queueId = "queue-12345678", objName = "o',
            'zoneId = 7\nobjName = "{name}"\n\n[sample]\nagrees = true\n'
            'dimensions = { queueId = "queue-12345678", zoneId = 7, objName = "o',
            ["warning dimensions.zoneId: is an id, and the same in all alarms"], id="one id",
        ),
    ],
)  # fmt: skip  # a row is a case
def test_everything_that_is_wrong_is_told_with_its_key(tmp_path: Path, old: str, new: str, remarks: list[str]) -> None:
    """One mistake in an entry is told as what it is, in full and alone."""
    assert old in METRICS
    found = told(tmp_path, METRICS.replace(old, new, 1))
    assert found == remarks


def test_a_body_that_is_too_long_is_told(tmp_path: Path) -> None:
    """The longest body is the observed one; receivers are held to 4 KiB."""
    [remark] = told(tmp_path, METRICS.replace('"Used"', f'"{"Used" * 1024}"'))

    assert re.fullmatch(r"warning : the observed body has [45]\d{3} bytes; receivers are held to 4096", remark)


def test_problems_of_several_kinds_are_told_together(tmp_path: Path) -> None:
    """Whoever mends an entry mends it once."""
    text = METRICS.replace("[0, 100]", "[0, 80]").replace('"topic"', '"topics"').replace('"queue_depth"', '"used"')

    assert [line.partition(": ")[0] for line in told(tmp_path, text.replace("使用率", "usage"))] == [
        "error metrics.0.calcValue",
        "error values.name",
        "error metrics.1.metricName",
        "warning metrics.0.metricShowName_zh",
    ]


@pytest.mark.parametrize(
    "old, new, remark",
    [
        ('cloudEventType = "acme:Lost"\n', "",
         "error events.1: 'cloudEventType' is missing: with [cloudevent] each event has one"),
        ('value = "{queue}" }]', 'value = "{queu}" }]',
         "error observed.additionalMsg.0.value: 'queu' is no declared value; did you mean 'queue'?"),
        ('subject = "{queue}"', 'subject = "{queu}"',
         "error cloudevent.subject: 'queu' is no declared value; did you mean 'queue'?"),
        ('"acme_lost"', '"acme_down"', "error events.1.eventName: 'acme_down' is the name of events.0, too"),
        (', productShowName_zh = "艾克米"', "",
         "warning product.productShowName_zh: is missing: accounts in Chinese get 'Acme'"),
    ],
)  # fmt: skip  # a row is a case
def test_entries_of_events_are_held_to_the_same_rules(tmp_path: Path, old: str, new: str, remark: str) -> None:
    """Messages, CloudEvents and products are looked at, too."""
    assert old in EVENTS
    assert told(tmp_path, EVENTS.replace(old, new, 1)) == [remark]


def test_each_callback_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each metric and event in each form, language and state that it has; what goes wrong there is told once."""
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

    assert told(tmp_path, METRICS) == []
    assert len(drawn) == 2 * 2 * 2 * 3
    drawn.clear()
    report = report_of(tmp_path, EVENTS)
    assert len(drawn) == 4 * 2 * (2 + 1)
    assert [remark.problem.message for remark in report.findings] == [
        "acme_lost as documented in en: acme_lost is lost"
    ]


def test_an_entry_that_takes_anothers_place_is_told(tmp_path: Path) -> None:
    """It may be meant: a warning names whose place it takes, in the order in which folders are read."""
    first, second = tmp_path / "1", tmp_path / "2"
    for folder in (first, second):
        (folder / "cvm").mkdir(parents=True)
        (folder / "cvm" / "basic-monitoring.toml").write_text(METRICS, encoding="utf-8")

    report = lint([first, second])

    assert report.entry_count == 2
    assert [remark.severity for remark in report.findings] == [Severity.WARNING] * 2
    assert [remark.problem.message for remark in report.findings] == [
        "takes the place of the shipped entry of the id cvm/basic-monitoring",
        f"takes the place of {first / 'cvm' / 'basic-monitoring.toml'} of the id cvm/basic-monitoring",
    ]


def test_a_glob_chooses_entries(tmp_path: Path) -> None:
    """Only those whose id it matches are read; where none is, near misses are named."""
    for name in ("queue", "topic"):
        (tmp_path / f"{name}.toml").write_text("title = ", encoding="utf-8")

    assert [remark.shape_id for remark in lint([tmp_path], "q*").findings] == ["queue"]
    with pytest.raises(UnknownNameError, match="unknown entry 'queues' in these folders; did you mean 'queue'"):
        lint([tmp_path], "queues")


def test_our_own_folder_is_clean_but_for_taking_its_own_place() -> None:
    """The one thing to say of the shipped folder as a user's is that it is the shipped one."""
    folder = Path(str(data_root("payload_catalog")))

    report = lint([folder], "cdn/*")

    assert report.entry_count == 3
    assert len(report.findings) == report.count(Severity.WARNING) == report.entry_count
    assert all(remark.problem.message.startswith("takes the place of the shipped entry") for remark in report.findings)
