"""Cost of validating a body: ours, its schema alone in two implementations, and the floor, parsing it.

``python benchmarks/validate.py`` prints microseconds per body and ratios, all measured in one run.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from machine import require

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.json_schemas import accept_schema, emit_schema
from tcop_mock.callbacks.rendering import BodyRenderer
from tcop_mock.callbacks.validator import CallbackValidator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile

require("jsonschema_rs")
import jsonschema_rs  # noqa: E402 - require() says in one line what is missing

if TYPE_CHECKING:
    from collections.abc import Callable

_SHAPES = ("cvm/basic-monitoring", "clb/public-listener", "tke/container", "mysql/events")
_BODIES = 100
_ROUNDS = 3


def seconds(function: Callable[[], object]) -> float:
    """Return the best time of a round, after one warm-up round."""
    function()
    best = float("inf")
    for _ in range(_ROUNDS):
        started_s = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - started_s)
    return best


def main() -> None:
    """Print a table for each shape, and the cost of creating the schemas."""
    catalog = Catalog.load()
    callback_validator = CallbackValidator(catalog, load_profile())
    for shape_id in _SHAPES:
        shape = catalog.get(shape_id)
        bodies = BodyRenderer(Generator(1), shape).bodies(0, _BODIES)
        trees: list[Any] = [json.loads(raw) for raw in bodies]
        accept, emit = accept_schema(shape), emit_schema(shape)
        checks = {
            "json.loads (floor)": _all(json.loads, bodies),
            "jsonschema-rs, accept": _all(jsonschema_rs.validator_for(accept).is_valid, trees),
            "jsonschema-rs, emit": _all(jsonschema_rs.validator_for(emit).is_valid, trees),
            "jsonschema, accept": _all(Draft202012Validator(accept).is_valid, trees),
            "jsonschema, emit": _all(Draft202012Validator(emit).is_valid, trees),
            "validate: parse, classify, check": _all(callback_validator.validate, bodies),
        }
        cost_s = {name: seconds(function) / _BODIES for name, function in checks.items()}
        floor = cost_s["json.loads (floor)"]
        print(f"\n{shape_id:<38}{'us per body':>12}{'of the floor':>14}")
        for name, cost in cost_s.items():
            print(f"  {name:<36}{cost * 1e6:>12.1f}{cost / floor:>14.1f}")
    for name, make in (("emit", emit_schema), ("accept", accept_schema)):
        started_s = time.perf_counter()
        for shape_id in _SHAPES:
            make(catalog.get(shape_id))
        took_s = time.perf_counter() - started_s
        print(f"\ncreating the {name} schema of a shape: {1000 * took_s / len(_SHAPES):.0f} ms")


def _all(check: Callable[[Any], object], values: list[Any]) -> Callable[[], object]:
    return lambda: [check(value) for value in values]


if __name__ == "__main__":
    main()
