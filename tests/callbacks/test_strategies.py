"""Hypothesis strategies of callbacks: they draw what TCOP could send, and shrink to the smallest body."""

from __future__ import annotations

import importlib
import json
import sys
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("hypothesis", reason="an extra")

from hypothesis import HealthCheck, Phase, find, given, settings

from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.validator import CallbackValidator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.domain.callback import State
from tcop_mock.domain.shape import without_unpublished
from tcop_mock.errors import UnknownNameError, UsageError
from tcop_mock.strategies import bodies, callbacks

if TYPE_CHECKING:
    from typing import Any

    from tcop_mock.domain.callback import Callback

QUICK = settings(
    max_examples=15,
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
VALIDATOR = CallbackValidator(Catalog.load())


@QUICK
@given(callbacks(states=("firing", "repeated", "resolved"), forms=("documented", "observed")))
def test_each_callback_could_have_come_from_tcop(callback: Callback) -> None:
    """Every drawn callback is valid, in all shapes, states, languages and forms."""
    assert VALIDATOR.validate(callback.to_bytes()).problems == ()


def smallest(condition: Any, *globs: str, **options: Any) -> dict[str, Any]:
    """Return the body to which a failure shrinks."""
    return find(bodies(*globs, **options), condition, settings=QUICK)


def test_a_failure_shrinks_to_the_smallest_body() -> None:
    """A failure shrinks to the shape with the shortest body, in its first state and language, always the same."""
    generator = Generator(0)
    sizes = {
        shape.id: len(generator.callback(generator.alarm(shape, 0), State.FIRING).to_bytes())
        for shape in without_unpublished(Catalog.load().match("c*/*"))
    }
    found = find(callbacks("c*/*"), lambda _callback: True, settings=QUICK)
    assert (found.alarm.shape_id, found.state, found.alarm.lang) == (min(sizes, key=sizes.__getitem__), "firing", "en")
    assert found.alarm.serial == 0
    resolved = smallest(lambda body: body["alarmStatus"] == "0", "cvm/basic-monitoring")
    assert resolved == smallest(lambda body: body["alarmStatus"] != "1", "cvm/basic-monitoring")


def test_what_is_drawn_can_be_chosen() -> None:
    """Shapes, states, languages, forms, the profile and a catalogue, by name; shapes without a state are left out."""
    body = smallest(lambda _body: True, "cvm/basic-monitoring", states=["resolved"], langs=["zh"], profile="2019-ack")
    assert body["alarmStatus"] == 0
    assert any(ord(char) > 0x4E00 for char in json.dumps(body, ensure_ascii=False))
    with pytest.raises(UsageError, match=r"^no shape that matches cvm/events has such a state or form$"):
        callbacks("cvm/events", states=["repeated"])
    with pytest.raises(UnknownNameError, match="unknown state 'fire'"):
        callbacks(states=["fire"])
    with pytest.raises(UnknownNameError, match="unknown shape 'nosuch/x'"):
        callbacks("nosuch/x", catalog=Catalog.load())


def test_without_hypothesis_the_import_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The import error is one line."""
    monkeypatch.delitem(sys.modules, "tcop_mock.strategies")
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(ImportError, match=r'^tcop_mock.strategies needs Hypothesis: pip install "tcop-mock\[hyp'):
        importlib.import_module("tcop_mock.strategies")
