"""Error messages for mistakes in an entry."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from tcop_mock.catalog import data_files
from tcop_mock.catalog.data_files import check_entry, data_root, read_entry, read_schema
from tcop_mock.catalog.loader import SCHEMA
from tcop_mock.catalog.schema_check import validator
from tcop_mock.errors import EntryError

if TYPE_CHECKING:
    from pathlib import Path

METRIC_ENTRY = data_root("payload_catalog") / "clb" / "public-listener.toml"
EVENT_ENTRY = data_root("payload_catalog") / "mysql" / "events.toml"


def error_message(tmp_path: Path, text: str) -> str:
    """Return the error message for an entry, without the file's name."""
    file = tmp_path / "entry.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(EntryError) as caught:
        read_entry(file, SCHEMA, check=True)
    return str(caught.value).removeprefix(f"{file}: ")


@pytest.mark.parametrize(
    "pattern, replacement, message",
    [
        ("metricShowName =", "metricShowname =",
         "metrics.0: 'metricShowname' is an unknown key; did you mean 'metricShowName'"),
        ("assumed = .*?\n]", "zzz = 1", "'zzz' is an unknown key (One product's shape"),
        ("namespace = .*\n", "", "'namespace' is missing"),
        ('"qce/lb"', '"QCE/LB"', 'namespace: is "QCE/LB", which does not match ^[a-z0-9_]+(/[a-z0-9_]+)+$ (lower case'),
        ('calcValue = "(.*?)"', r"calcValue = \1",
         "metrics.0.calcValue: is an integer, not a string (the threshold as the wire writes it: a number in"),
        ("calcValue = .*\n", "", "metrics.0: 'calcType' requires 'calcValue', which is missing"),
        ("range = .*\n", "", "metrics.0: 'calcType' requires 'range', which is missing"),
        ("calcType = .*\n", "", "metrics.0: 'calcValue' requires 'calcType', which is missing"),
        ('calcType = ">"', 'calcType = "gt"', 'metrics.0.calcType: is "gt", not ">" or ">=" or "<" or "<=" or "="'),
        ('"ipv4"', '"ipv5"', 'values.vip.generator: is "ipv5", not "digits" or "faker" or "hex" or "integer" '),
        ('network = "', 'net = "', "values.vip: 'net' is an unknown key; did you mean 'network'? (ipv4 generates"),
        (', of = "instance"', "", "values.name: 'of' is missing (name picks from a pool of names; it needs of)"),
        ('kind = "metric"', 'kind = "metrics"', 'kind: is "metrics", not "metric" or "event"'),
        ('kind = "metric"', 'kind = ["metric"]', 'kind: is [\'metric\'], not "metric" or "event"'),
        ('kind = "metric"', 'kind = "event"', "'product' is missing (an entry of kind \"event\" has [product]"),
        ("regional = true", 'regional = "yes"', "regional: is a string, not a boolean (true or false: "),
        ("vip = ", "region = ", "values: 'region' is not allowed (the name of a value is lower_case; "),
        ('"{vip}"', '["{vip}"]', "dimensions.vip: is a list, not a string or "),
        ("errata = ", "# errata = ", "sample: 'errata' is missing (a sample that does not agree has errata)"),
        ("errata = ", "placeholder = 1\nerrata = ", "sample.placeholder: is an integer, not a boolean (true: a value "),
        (r"\[policy\]", '[aliases]\nvip = "VIP"\n[policy]',
         "aliases.vip: is a string, not a list (a list of the other spellings)"),
        (r"\[policy\]", '[observed]\nsuffix = " "\n[policy]', "observed: 'suffix' is an unknown key"),
        (r"\[policy\]", '[[errata]]\npage = "a page"\nproblem = "x"\n[policy]',
         "errata.0: 'here' is missing (one erratum: page, problem and how this entry handles it)"),
        (r"\[policy\]", '[observed]\nadditionalMsg = [{ key = "ip" }]\n[policy]',
         "observed.additionalMsg.0: 'value' is missing (one message: a table with key and value)"),
        (r"\[0, ", "[0, 1, ", "metrics.0.range: has 3 items, more than 2 ([lowest, highest] plausible value"),
    ],
)  # fmt: skip  # a row is a case
def test_an_error_has_the_key_and_the_remedy(tmp_path: Path, pattern: str, replacement: str, message: str) -> None:
    """The message has the key, the problem in the terms of the format, and the expected value."""
    text = METRIC_ENTRY.read_text(encoding="utf-8")
    wrong = re.sub(pattern, replacement, text, count=1, flags=re.DOTALL if "*?" in pattern else 0)
    assert wrong != text

    assert error_message(tmp_path, wrong).startswith(message)


def test_pick_has_at_most_256_items(tmp_path: Path) -> None:
    """A random byte selects the item, so a 257th item would never be used."""
    text = METRIC_ENTRY.read_text(encoding="utf-8")

    def picking(count: int) -> str:
        lines = text.splitlines(keepends=True)
        at = next(at for at, line in enumerate(lines) if line.startswith("name = {"))
        lines[at] = f'name = {{ generator = "pick", from = {list(range(count))} }}\n'
        return "".join(lines)

    read = tmp_path / "read.toml"
    read.write_text(picking(256), encoding="utf-8")
    assert len(read_entry(read, SCHEMA, check=True)["values"]["name"]["from"]) == 256
    assert error_message(tmp_path, picking(257)) == (
        "values.name.from: has 257 items, more than 256 (a list of values to pick from, at most 256)"
    )


@pytest.mark.parametrize(
    "old, new, key",
    [
        ("CLB - ", r"CLB \ufdd0 ", "title"),
        ('"{vip}"', r'"{vip}\ufdd1"', "dimensions.vip"),
        ('vip      = "{vip}"', r'"v\ufdd2" = "{vip}"', "dimensions.v\ufdd2"),
        ('source = "name: ', r'source = "\ufdd0name: ', "metrics.0.source"),
    ],
)
def test_marker_characters_are_errors(tmp_path: Path, old: str, new: str, key: str) -> None:
    """Bodies are split at these characters, so no text and no key of an entry may contain them."""
    text = METRIC_ENTRY.read_text(encoding="utf-8")
    assert old in text

    assert error_message(tmp_path, text.replace(old, new, 1)) == (
        f"{key}: contains U+FDD0, U+FDD1 or U+FDD2, which Unicode reserves for internal use; remove it"
    )


def test_metrics_in_an_entry_of_events_are_errors(tmp_path: Path) -> None:
    """An entry is about metrics or about events."""
    metric = '\n[[metrics]]\nmetricName = "a"\nmetricShowName = "a"\nunit = ""\nsource = "ours"\n'

    assert error_message(tmp_path, EVENT_ENTRY.read_text(encoding="utf-8") + metric) == (
        'metrics: is not allowed (only an entry of kind "metric" has metrics)'
    )


def test_a_long_value_does_not_hide_the_problem(tmp_path: Path) -> None:
    """A message is one line: a long value is cut, and the expected value remains visible."""
    long = "x" * 5000
    message = error_message(tmp_path, METRIC_ENTRY.read_text(encoding="utf-8").replace('"qce/lb"', f'"{long}!"'))

    assert message.startswith("namespace: is 'xxx")
    assert "(lower case" in message
    assert len(message) < 300


def test_a_long_key_does_not_hide_the_problem(tmp_path: Path) -> None:
    """A long key is cut in the middle, and the problem remains visible."""
    message = error_message(tmp_path, f"{'x' * 5000} = 1\n" + METRIC_ENTRY.read_text(encoding="utf-8"))

    assert message.startswith("'xxx")
    assert "x' is an unknown key (One product's shape" in message
    assert len(message) < 400


def test_a_schema_without_descriptions_gives_plain_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Schemas without descriptions, and `false` for forbidden keys, also give messages."""
    schema: dict[str, Any] = {"properties": {"never": False}, "required": ["always"]}
    monkeypatch.setattr(data_files, "_validator", lambda _name: validator(schema))

    with pytest.raises(EntryError, match=r"^file: False schema does not allow 1$"):
        check_entry("file", {"never": 1, "always": 1}, "any")
    with pytest.raises(EntryError, match=r"^file: 'always' is missing$"):
        check_entry("file", {}, "any")


def test_an_unchecked_entry_is_only_read(tmp_path: Path) -> None:
    """Our tests check shipped files, so that run time need not."""
    file = tmp_path / "entry.toml"
    file.write_text("anything = 1\n", encoding="utf-8")

    assert read_entry(file, SCHEMA, check=False) == {"anything": 1}


def test_the_schema_is_a_schema() -> None:
    """The schema is valid by JSON Schema 2020-12."""
    Draft202012Validator.check_schema(read_schema(SCHEMA))


def test_the_schema_is_closed() -> None:
    """An undescribed key is an error wherever tables have fixed keys."""
    schema = read_schema(SCHEMA)
    tables = [schema, *schema["properties"].values(), *schema["$defs"].values()]

    open_tables = [
        table
        for table in tables
        if "required" in table and "additionalProperties" not in table and "generator" not in table["properties"]
    ]

    assert open_tables == []
