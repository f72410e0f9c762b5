"""Bodies per second on one core, against the floor (orjson.dumps of a constant body) and against peers.

usage: python benchmarks/generate.py

All rows of a table are measured in turn, several times, and the best of each is printed. The ratios matter.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import time
from typing import TYPE_CHECKING, Any

from machine import require

from tcop_mock.callbacks.compiler import CompiledShape
from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.json_tree import with_value
from tcop_mock.callbacks.rendering import BodyRenderer
from tcop_mock.catalog.loader import Catalog
from tcop_mock.domain.callback import State
from tcop_mock.domain.shape import Lang

require("orjson", "faker", "mimesis", "polyfactory")
import orjson  # noqa: E402 - require() says in one line what is missing
from faker import Faker  # noqa: E402 - as above
from mimesis import Field, Locale  # noqa: E402 - as above
from polyfactory.factories import DataclassFactory  # noqa: E402 - as above

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tcop_mock.domain.shape import Shape

    BodyFunction = Callable[[], int]
    """Generates some bodies and returns how many."""

_ROUNDS = 3
_MIN_S = 0.1
_BLOCKS = 16 * 256
_BODIES_PER_CALL = 300
_WARM_UP_CALLS = 16
_SHAPES = ("cvm/basic-monitoring", "clb/public-listener", "tke/pod", "cvm/events")


def per_second(functions: dict[str, BodyFunction]) -> dict[str, float]:
    """Return the best rate of each function over several rounds, in which they take turns."""
    best = dict.fromkeys(functions, 0.0)
    for function in functions.values():
        for _ in range(_WARM_UP_CALLS):  # compile everything that is compiled once per policy
            function()
    for _ in range(_ROUNDS):
        for name, function in functions.items():
            made, started_s = 0, time.perf_counter()
            while (took_s := time.perf_counter() - started_s) < _MIN_S:
                made += function()
            best[name] = max(best[name], made / took_s)
    return best


def ours(shape: Shape) -> dict[str, BodyFunction]:
    """Return our ways to generate a body, fastest first."""
    generator = Generator(1)
    block, one = BodyRenderer(generator, shape), BodyRenderer(generator, shape)
    edited = BodyRenderer(generator, shape, edit=lambda tree: with_value(tree, "alarmPolicyInfo.policyName", "édité"))
    starts, serials, edits, calls = (itertools.count(0, step) for step in (_BLOCKS, 1, 1, 1))

    def callback() -> int:
        alarm = generator.alarm(shape, next(calls) % 65_536)
        return len(generator.callback(alarm, State.FIRING).to_bytes()) and 1

    return {
        "block path": lambda: len(block.bodies(next(starts) % 65_536, _BLOCKS)),
        "document path": lambda: len([one.body(next(serials) % 65_536) for _ in range(_BODIES_PER_CALL)]),
        "document path, edited": lambda: len([edited.body(next(edits) % 65_536) for _ in range(_BODIES_PER_CALL)]),
        "Callback.body()": callback,
    }


def dumps(body: bytes) -> dict[str, BodyFunction]:
    """Return functions that serialize the same body repeatedly."""
    tree = json.loads(body)
    return {
        "orjson, constant (floor)": lambda: len([orjson.dumps(tree) for _ in range(_BODIES_PER_CALL)]),
        "json, constant": lambda: len([json.dumps(tree) for _ in range(_BODIES_PER_CALL)]),
    }


@dataclasses.dataclass
class Conditions:
    """The conditions of a body, as a user of polyfactory would declare them."""

    metricName: str
    metricShowName: str
    calcType: str
    calcValue: str
    calcUnit: str
    currentValue: str
    historyValue: str
    unit: str
    period: str
    periodNum: str
    alarmNotifyType: str
    alarmNotifyPeriod: int


@dataclasses.dataclass
class PolicyInfo:
    """The policy of a body."""

    policyId: str
    policyType: str
    policyName: str
    policyTypeCName: str
    conditions: Conditions


@dataclasses.dataclass
class Dimensions:
    """The dimensions of a body."""

    unInstanceId: str
    objId: str
    objName: str


@dataclasses.dataclass
class ObjInfo:
    """The object of a body."""

    region: str
    namespace: str
    appId: str
    uin: str
    dimensions: Dimensions


@dataclasses.dataclass
class Body:
    """A body."""

    sessionId: str
    alarmStatus: str
    alarmType: str
    alarmObjInfo: ObjInfo
    alarmPolicyInfo: PolicyInfo
    firstOccurTime: str
    durationTime: int
    recoverTime: str


class BodyFactory(DataclassFactory[Body]):
    """Generates bodies field by field."""


def _filled(
    text: Callable[[str], str], ip: Callable[[], str], uuid: Callable[[], str], words: Callable[[], str]
) -> Any:  # noqa: ANN401 - a tree of JSON
    """Return a CVM body with generated fields; ``?`` and ``#`` of a mask are a letter and a digit."""
    return {
        "sessionId": text("????????????????????????"),
        "alarmStatus": "1",
        "alarmType": "metric",
        "alarmObjInfo": {
            "region": "gz",
            "namespace": "qce/cvm",
            "appId": text("125#######"),
            "uin": text("1000########"),
            "dimensions": {
                "unInstanceId": text("ins-????????"),
                "objId": uuid(),
                "objName": f"{ip()}#{text('######')}",
            },
        },
        "alarmPolicyInfo": _filled_policy(text, words),
        "firstOccurTime": text("2025-03-1# 07:1#:2#"),
        "durationTime": 0,
        "recoverTime": "0",
    }


def _filled_policy(text: Callable[[str], str], words: Callable[[], str]) -> dict[str, Any]:
    return {
        "policyId": text("policy-????????"),
        "policyType": "cvm_device",
        "policyName": words(),
        "policyTypeCName": "CVM - basic monitoring",
        "conditions": {
            "metricName": "cpu_usage",
            "metricShowName": "CPU utilization",
            "calcType": ">",
            "calcValue": "95",
            "calcUnit": "%",
            "currentValue": text("9#.##"),
            "historyValue": text("8#.##"),
            "unit": "%",
            "period": "60",
            "periodNum": "1",
            "alarmNotifyType": "continuousAlarm",
            "alarmNotifyPeriod": 300,
        },
    }


def peers() -> dict[str, BodyFunction]:
    """Return other libraries' ways to generate a CVM body."""
    fake, field = Faker(), Field(Locale.EN, seed=1)
    Faker.seed(1)

    def with_faker() -> int:
        tree = _filled(fake.bothify, fake.ipv4_private, fake.uuid4, lambda: f"{fake.word()} {fake.word()}")
        return len(json.dumps(tree)) and 1

    def with_mimesis() -> int:
        tree = _filled(
            lambda mask: str(field("random.generate_string_by_mask", mask=mask, char="?", digit="#")),
            lambda: str(field("internet.ip_v4")),
            lambda: str(field("cryptographic.uuid")),
            lambda: f"{field('text.word')} {field('text.word')}",
        )
        return len(json.dumps(tree)) and 1

    def with_polyfactory() -> int:
        return len(json.dumps(dataclasses.asdict(BodyFactory.build()))) and 1

    return {
        "mimesis, field by field": with_mimesis,
        "Faker, field by field": with_faker,
        "polyfactory, dataclasses": with_polyfactory,
    }


def mixed(catalog: Catalog) -> dict[str, BodyFunction]:
    """Return our ways to generate bodies of all shapes in turn: one block of each."""
    generator = Generator(1)
    streams = [BodyRenderer(generator, shape) for shape in catalog]
    trees = [json.loads(stream.body(0)) for stream in streams]
    starts, serials = itertools.count(0, _BLOCKS), itertools.count()

    def block() -> int:
        first = next(starts) % 65_536
        return sum(len(stream.bodies(first, _BLOCKS)) for stream in streams)

    def document() -> int:
        serial = next(serials) % 65_536
        return len([stream.body(serial) for stream in streams])

    return {
        "block path": block,
        "document path": document,
        "orjson, constant (floor)": lambda: len([orjson.dumps(tree) for tree in trees]),
    }


def rows(title: str, rates: dict[str, float]) -> Iterator[str]:
    """Yield the lines of a table: rate and ratio to the floor."""
    floor = rates["orjson, constant (floor)"]
    yield f"\n{title:<34}{'bodies/s':>12}{'of the floor':>14}"
    for name, rate in sorted(rates.items(), key=lambda row: -row[1]):
        yield f"  {name:<32}{rate:>12,.0f}{rate / floor:>14.3f}"


def compile_times(catalog: Catalog, read_s: float) -> Iterator[str]:
    """Yield the costs before the first body: reading the catalogue, compiling all of it, the slowest shapes."""
    yield f"\nreading the catalogue of {len(catalog)} shapes: {1000 * read_s:.0f} ms"
    cost_s = {}
    for shape in catalog:
        started_s = time.perf_counter()
        CompiledShape(shape)
        BodyRenderer(Generator(2, Lang.ZH), shape).body(0)
        cost_s[shape.id] = time.perf_counter() - started_s
    slowest = sorted(cost_s, key=lambda shape_id: -cost_s[shape_id])[:3]
    listing = ", ".join(f"{shape_id} {1000 * cost_s[shape_id]:.1f} ms" for shape_id in slowest)
    yield f"compiling all and generating one of each: {1000 * sum(cost_s.values()):.0f} ms ({listing})"


def block_path_of_all(catalog: Catalog) -> Iterator[str]:
    """Yield the slowest, the median and the fastest shape; each is measured once."""
    rates: list[tuple[float, str]] = []
    for shape in catalog:
        stream = BodyRenderer(Generator(1), shape)
        stream.bodies(0, _BLOCKS)
        started_s = time.perf_counter()
        made = len(stream.bodies(_BLOCKS, _BLOCKS))
        rates.append((made / (time.perf_counter() - started_s), shape.id))
    rates.sort()
    yield f"\nblock path of all {len(rates)} shapes{'bodies/s':>14}"
    for name, (rate, shape_id) in {"slowest": rates[0], "median": rates[len(rates) // 2], "fastest": rates[-1]}.items():
        yield f"  {name:<8} {shape_id:<24}{rate:>12,.0f}"


def main() -> None:
    """Print all tables."""
    started_s = time.perf_counter()
    catalog = Catalog.load()
    for line in compile_times(catalog, time.perf_counter() - started_s):
        print(line)
    for shape_id in _SHAPES:
        shape = catalog.get(shape_id)
        body = BodyRenderer(Generator(1), shape).body(0)
        functions = ours(shape) | dumps(body) | (peers() if shape_id == _SHAPES[0] else {})
        for line in rows(f"{shape_id}, {len(body)} bytes", per_second(functions)):
            print(line)
    for line in rows("all shapes mixed", per_second(mixed(catalog))):
        print(line)
    for line in block_path_of_all(catalog):
        print(line)


if __name__ == "__main__":
    main()
