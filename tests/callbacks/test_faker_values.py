"""``generator = "faker"``: values from Faker in users' entries."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tcop_mock.callbacks import faker_values
from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.json_schemas import emit_schema
from tcop_mock.callbacks.lint_rules import sample_matches
from tcop_mock.callbacks.rendering import BodyRenderer
from tcop_mock.catalog.loader import Catalog
from tcop_mock.domain.shape import Lang
from tcop_mock.errors import EntryError

if TYPE_CHECKING:
    from pathlib import Path

    from tcop_mock.domain.shape import Shape

pytest.importorskip("faker", reason="an extra")

ENTRY = """\
title = "Acme - host"
kind = "metric"
namespace = "qce/acme"
regional = false
source = "ours"
policy = {{ type = "acme_host", name = "Acme - host" }}

[values]
host = {{ generator = "faker", {params} }}

[dimensions]
host = {{ value = "host" }}
objName = "host {{host}}"

[[metrics]]
metricName = "load"
metricShowName = "Load"
unit = ""
source = "ours"
"""


def entry(folder: Path, params: str) -> Shape:
    """Return the shape of an entry with one value from Faker."""
    (folder / "host.toml").write_text(ENTRY.format(params=params), encoding="utf-8")
    return Catalog.load(folder).get("host")


def dimensions(shape: Shape, seed: int = 1, lang: Lang = Lang.EN) -> list[dict[str, Any]]:
    """Return the dimensions of an alarm of each of 64 policies."""
    generator = Generator(seed, lang)
    return [dict(generator.alarm(shape, serial).dimensions) for serial in range(64)]


def refusal(folder: Path, params: str) -> str:
    """Return the error of an invalid entry, without the file's name."""
    shape = entry(folder, params)
    with pytest.raises(EntryError) as caught:
        Generator(1).alarm(shape)
    return str(caught.value).removeprefix(f"{folder / 'host.toml'}: ")


def test_a_seed_decides_the_values_of_a_provider(tmp_path: Path) -> None:
    """The seed decides all values, a value is the same wherever it is used, and many different ones occur."""
    shape = entry(tmp_path, 'provider = "hostname"')

    drawn = dimensions(shape)

    assert drawn == dimensions(shape) != dimensions(shape, seed=2)
    assert all(one["objName"] == f"host {one['host']}" for one in drawn)
    assert len({one["host"] for one in drawn}) > 32


def test_two_values_of_one_provider_differ(tmp_path: Path) -> None:
    """Each value has its own random numbers: two persons of an alarm are not always the same."""
    other = 'other = { generator = "faker", provider = "user_name" }'
    text = ENTRY.format(params='provider = "user_name"').replace("[dimensions]", f"{other}\n[dimensions]")
    text = text.replace("host {host}", "{other}")
    (tmp_path / "host.toml").write_text(text, encoding="utf-8")

    drawn = dimensions(Catalog.load(tmp_path).get("host"))

    assert any(one["host"] != one["objName"] for one in drawn)


def test_names_are_in_the_language_of_the_account(tmp_path: Path) -> None:
    """The defaults are American English and mainland Chinese."""
    shape = entry(tmp_path, 'provider = "name"')

    assert all(one["host"].isascii() for one in dimensions(shape))
    assert not any(one["host"].isascii() for one in dimensions(shape, lang=Lang.ZH))


def test_a_locale_holds_for_both_languages(tmp_path: Path) -> None:
    """A Japanese locale gives Japanese values whatever the account's language."""
    shape = entry(tmp_path, 'provider = "kana_name", locale = "ja_JP"')

    assert [one["host"] for one in dimensions(shape)] == [one["host"] for one in dimensions(shape, lang=Lang.ZH)]


@pytest.mark.parametrize(
    "params, kind, json_type",
    [
        ('provider = "random_int", args = { min = 5, max = 7 }', int, "integer"),
        ('provider = "pyfloat", args = { min_value = 0, max_value = 1 }', float, "number"),
        ('provider = "random_element", args = { elements = [1, 2.5] }', int | float, "number"),
        ('provider = "pybool"', bool, "boolean"),
        ('provider = "word"', str, "string"),
    ],
)
def test_a_value_keeps_its_json_type(tmp_path: Path, params: str, kind: type, json_type: str) -> None:
    """A number is a number on its own and text inside a string, in alarms, in bodies and in their schema."""
    shape = entry(tmp_path, params)

    drawn = dimensions(shape)
    body = json.loads(BodyRenderer(Generator(1), shape).body(0))["alarmObjInfo"]["dimensions"]
    schema = emit_schema(shape)["properties"]["alarmObjInfo"]["properties"]["dimensions"]["properties"]["host"]

    assert all(isinstance(one["host"], kind) for one in drawn)
    assert all(one["objName"].removeprefix("host ").lower() == str(one["host"]).lower() for one in drawn)
    assert body == drawn[0]
    assert schema["type"] == json_type
    assert all(sample_matches(shape, one) for one in drawn)
    assert not sample_matches(shape, drawn[0] | {"host": None})


@pytest.mark.parametrize(
    "params, problem",
    [
        ('provider = "hostnam"', "unknown Faker provider 'hostnam'; did you mean 'hostname'"),
        ('provider = "qqqqqqqqqqqqqqqq"', "unknown Faker provider 'qqqqqqqqqqqqqqqq'"),
        ('provider = "seed_instance"', "unknown Faker provider 'seed_instance'"),
        ('provider = "name", locale = "zh_CH"', "Faker has no locale 'zh_CH'; did you mean 'zh_CN'"),
        ('provider = "hostname", args = { levels = "x" }', "Faker provider 'hostname' fails: TypeError("),
        ('provider = "hostname", args = { depth = 1 }', "Faker provider 'hostname' fails: TypeError("),
        (
            'provider = "date_object"',
            "Faker provider 'date_object' returns 'date'; choose one that returns a string, a number, true or false",
        ),
        (
            'provider = "random_element", args = { elements = ["a", 1] }',
            "Faker provider 'random_element' returns values of several types: integer, string",
        ),
        (
            'provider = "pystr", args = { min_chars = 1025, max_chars = 1025 }',
            "Faker provider 'pystr' returns a string of 1025 characters; the maximum is 1024",
        ),
        (
            r'provider = "random_element", args = { elements = ["a\u001f"] }',
            "Faker provider 'random_element' returns a string with U+001F or U+FDD0 to U+FDD2, which are reserved for",
        ),
    ],
)
def test_an_error_names_file_key_and_provider(tmp_path: Path, params: str, problem: str) -> None:
    """One line says where the provider is used, which one it is, and what is wrong."""
    message = refusal(tmp_path, params)

    assert message.startswith(f"values.host: {problem}")
    assert "\n" not in message


def test_without_faker_the_error_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faker is an optional dependency that only entries with Faker values need."""
    faker_values._faker.cache_clear()
    monkeypatch.setitem(sys.modules, "faker", None)

    assert refusal(tmp_path, 'provider = "hostname"') == (
        "values.host: Faker provider 'hostname' needs Faker, which is not installed: pip install \"tcop-mock[faker]\""
    )
