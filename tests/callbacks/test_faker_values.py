"""``generator = "faker"``: values of users' own entries that Faker draws."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tcop_mock.callbacks import faker_values
from tcop_mock.callbacks.generator import Generator
from tcop_mock.callbacks.json_schemas import emit_schema
from tcop_mock.callbacks.rendering import BodyRenderer
from tcop_mock.callbacks.sample_check import sample_matches
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
    """Return what is said of an entry that cannot be drawn, without the file's name."""
    shape = entry(folder, params)
    with pytest.raises(EntryError) as caught:
        Generator(1).alarm(shape)
    return str(caught.value).removeprefix(f"{folder / 'host.toml'}: ")


def test_a_provider_draws_the_same_for_the_same_seed(tmp_path: Path) -> None:
    """The seed decides all that is drawn, the value agrees with itself, and many different ones come."""
    shape = entry(tmp_path, 'provider = "hostname"')

    drawn = dimensions(shape)

    assert drawn == dimensions(shape) != dimensions(shape, seed=2)
    assert all(one["objName"] == f"host {one['host']}" for one in drawn)
    assert len({one["host"] for one in drawn}) > 32


def test_two_values_of_one_provider_differ(tmp_path: Path) -> None:
    """Each value has its own chance: two people of an alarm are not always the same one."""
    other = 'other = { generator = "faker", provider = "user_name" }'
    text = ENTRY.format(params='provider = "user_name"').replace("[dimensions]", f"{other}\n[dimensions]")
    text = text.replace("host {host}", "{other}")
    (tmp_path / "host.toml").write_text(text, encoding="utf-8")

    drawn = dimensions(Catalog.load(tmp_path).get("host"))

    assert any(one["host"] != one["objName"] for one in drawn)


def test_names_are_in_the_language_of_the_account(tmp_path: Path) -> None:
    """English by itself is American, Chinese that of the mainland."""
    shape = entry(tmp_path, 'provider = "name"')

    assert all(one["host"].isascii() for one in dimensions(shape))
    assert not any(one["host"].isascii() for one in dimensions(shape, lang=Lang.ZH))


def test_a_locale_holds_for_both_languages(tmp_path: Path) -> None:
    """What is said to be Japanese is Japanese whatever the account's language."""
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
    """A number stays a number by itself and is text inside a text, in alarms, in bodies and in their schema."""
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
            "Faker provider 'date_object' gives 'date'; choose one that gives a text, a number, true or false",
        ),
        (
            'provider = "random_element", args = { elements = ["a", 1] }',
            "Faker provider 'random_element' gives values of several types: integer, string",
        ),
        (
            'provider = "pystr", args = { min_chars = 1025, max_chars = 1025 }',
            "Faker provider 'pystr' gives a text of 1025 characters; 1024 are the most",
        ),
        (
            r'provider = "random_element", args = { elements = ["a\u001f"] }',
            "Faker provider 'random_element' gives a text with U+001F or U+FDD0 to U+FDD2, which are kept for",
        ),
    ],
)
def test_what_cannot_be_drawn_is_told_with_file_key_and_provider(tmp_path: Path, params: str, problem: str) -> None:
    """One line says where the provider is named, which one it is, and what is wrong with it."""
    told = refusal(tmp_path, params)

    assert told.startswith(f"values.host: {problem}")
    assert "\n" not in told


def test_who_has_no_faker_is_told_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faker is an extra: only who names it needs it."""
    faker_values._faker.cache_clear()
    monkeypatch.setitem(sys.modules, "faker", None)

    assert refusal(tmp_path, 'provider = "hostname"') == (
        "values.host: Faker provider 'hostname' needs Faker, which is not installed: pip install \"tcop-mock[faker]\""
    )
