"""The Faker provider of TCOP callbacks."""

from __future__ import annotations

import doctest
import importlib
import json
import sys

import pytest

pytest.importorskip("faker", reason="an extra")

from dataclasses import replace

from faker import Faker

from tcop_mock import faker_provider
from tcop_mock.callbacks.lint_rules import sample_matches
from tcop_mock.catalog.loader import Catalog
from tcop_mock.errors import UnknownNameError, UsageError
from tcop_mock.faker_provider import TcopProvider

CATALOG = Catalog.load()
METHODS = [name for name in vars(TcopProvider) if not name.startswith("_")]


def fake(seed: int = 7) -> Faker:
    """Return a new Faker with our provider."""
    faker = Faker()
    faker.seed_instance(seed)
    faker.add_provider(TcopProvider)
    return faker


def test_doctests_of_the_provider_pass() -> None:
    """The examples in the docstrings are correct."""
    names = {"fake": fake(), "Catalog": Catalog}

    done = doctest.testmod(faker_provider, extraglobs=names, optionflags=doctest.ELLIPSIS)

    assert (done.failed, done.attempted > 15) == (0, True)


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_decides_every_value(method: str) -> None:
    """Only Faker's random decides the values, whatever the process generated before."""
    one, other = fake(), fake()
    values = [getattr(one, method)() for _ in range(20)]

    assert values == [getattr(other, method)() for _ in range(20)]
    assert len({str(value) for value in values}) > 5
    assert values != [getattr(fake(8), method)() for _ in range(20)]


def test_every_method_has_the_prefix() -> None:
    """All methods begin with ``tcop_``, because Faker has one name space for all providers."""
    assert all(name.startswith("tcop_") for name in METHODS)


def test_a_callback_has_the_requested_properties() -> None:
    """The body has the shape, state, form and language of the arguments."""
    shape = CATALOG.get("redis/legacy")

    plain = fake().tcop_callback("redis/l*", state="resolved")
    observed = fake().tcop_callback("redis/legacy", state="repeated", form="observed", lang="zh")

    assert sample_matches(shape, plain["alarmObjInfo"]["dimensions"])
    assert plain["alarmStatus"] == "0"
    assert observed["alarmPolicyInfo"]["policyTypeCName"] == shape.policy.name.zh
    assert "policyDetailURL" in json.dumps(observed)


def test_a_body_is_the_callback_in_bytes() -> None:
    """Bytes and tree are the same callback."""
    assert json.loads(fake().tcop_body("cvm/*")) == fake().tcop_callback("cvm/*")


def test_a_custom_shape_can_be_passed() -> None:
    """A custom catalogue needs no registration."""
    own = replace(CATALOG.get("cdn/domain"), id="acme/domain", namespace="qce/acme")

    assert fake().tcop_callback(own)["alarmObjInfo"]["namespace"] == "qce/acme"


def test_only_shapes_with_the_state_are_chosen() -> None:
    """Repeated callbacks of any shape are of metrics, because events never repeat."""
    faker = fake()

    assert {faker.tcop_callback(state="repeated")["alarmType"] for _ in range(40)} == {"metric"}


@pytest.mark.parametrize(
    "asked, error, message",
    [
        ({"shape": "cvm/event"}, UnknownNameError, "unknown shape 'cvm/event'; did you mean 'cvm/events'"),
        ({"state": "resolve"}, UnknownNameError, "unknown state 'resolve'; did you mean 'resolved'?"),
        ({"form": "xml"}, UnknownNameError, "unknown form 'xml'; one of documented, observed, eventbridge, cloud"),
        ({"lang": "fr"}, UnknownNameError, "unknown language 'fr'; one of en, zh"),
        (
            {"shape": "*/events", "state": "repeated"},
            UsageError,
            "no shape '*/events' has repeated callbacks in the form doc",
        ),
        ({"shape": "cvm/events", "state": "repeated"}, UsageError, "no repeated callback: event alarms never repeat"),
    ],
)
def test_unknown_names_are_errors(asked: dict[str, str], error: type[UsageError], message: str) -> None:
    """The error suggests similar names; nothing else is generated instead."""
    with pytest.raises(error) as caught:
        fake().tcop_callback(**asked)
    assert message in str(caught.value)


def test_without_faker_the_import_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faker is an optional dependency; the error names the extra."""
    monkeypatch.delitem(sys.modules, "tcop_mock.faker_provider")
    monkeypatch.setitem(sys.modules, "faker.providers", None)

    with pytest.raises(ImportError, match=r'^tcop_mock.faker_provider needs Faker: pip install "tcop-mock\[faker\]"$'):
        importlib.import_module("tcop_mock.faker_provider")
