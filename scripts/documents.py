"""Write docs/documents.md, the reference of the JSON documents and files: each key with its type and meaning.

``python scripts/documents.py`` writes the file; with ``--check`` it only compares, and exits with 1 on a difference.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generated import Page, code_span, escape_markdown, main, markdown_row

from tcop_mock.catalog.data_files import data_root, iter_files

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = Path(__file__).parent.parent / "docs" / "documents.md"

_HEAD = """\
# JSON documents and files

<!-- Written by scripts/documents.py from contracts/schemas/; change that and run `make docs`. -->

This page lists the output of `--json`, the files that tcop-mock reads or writes, and the common fields of TCOP's
bodies. Each document has a JSON Schema (2020-12) in `contracts/schemas/`, which is also in the installed package. The
schemas are more precise than these tables. Schemas of our documents are closed: no other keys are allowed. Schemas of
TCOP's bodies are open.

`a[]` is each item of a list, `a.*` each value of a table with arbitrary keys. A key without *always* may be missing.
*then* means: always, if the object exists and has the type named above it.
"""
_SUFFIX = ".schema.json"


def page() -> str:
    """Return the whole page."""
    files = iter_files(data_root("contracts") / "schemas", _SUFFIX)
    schemas = {name: json.loads(file.read_text(encoding="utf-8")) for name, file in files}
    return "\n".join([_HEAD, *(line for name, schema in schemas.items() for line in _document(name, schema))])


def _document(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"## {name}\n"
    yield _sentence(schema["title"]) + "\n"
    if "description" in schema:
        yield _sentence(schema["description"]) + "\n"
    yield "| key | type | always | description |\n| --- | --- | --- | --- |"
    yield from _rows(schema, "", schema.get("$defs", {}), "always")
    yield ""


def _sentence(text: str) -> str:
    sentence = text.replace("<", "&lt;")
    return sentence if sentence.endswith(".") else f"{sentence}."


def _rows(schema: dict[str, Any], prefix: str, definitions: dict[str, Any], always_text: str) -> Iterator[str]:
    """Yield a row for each key of an object, followed by the rows of its children."""
    required = schema.get("required", [])
    for key, subschema in schema.get("properties", {}).items():
        resolved = _resolve(subschema, definitions)
        mark = always_text if key in required else ""
        yield markdown_row(code_span(prefix + key), _type(resolved, definitions), mark, _description(resolved))
        yield from _nested_rows(resolved, prefix + key, definitions)


def _nested_rows(schema: dict[str, Any], path: str, definitions: dict[str, Any]) -> Iterator[str]:
    yield from _rows(schema, f"{path}.", definitions, "always")
    for alternative in _alternatives(schema):
        yield from _rows(_resolve(alternative, definitions), f"{path}.", definitions, "then")
    for key, suffix in (("items", "[]"), ("additionalProperties", ".*")):
        for one in (schema, *(_resolve(alternative, definitions) for alternative in _alternatives(schema))):
            if isinstance(one.get(key), dict):
                yield from _nested_rows(_resolve(one[key], definitions), path + suffix, definitions)


def _resolve(schema: Any, definitions: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - a part of a schema
    """Return a schema with its ``$ref`` replaced by the definition."""
    if not isinstance(schema, dict):
        return {}
    reference = schema.get("$ref", "")
    if not reference:
        return schema
    return _resolve(definitions[reference.rpartition("/")[2]], definitions) | {
        key: value for key, value in schema.items() if key != "$ref"
    }


def _alternatives(schema: dict[str, Any]) -> list[Any]:
    return [*schema.get("oneOf", ()), *schema.get("anyOf", ())]


def _type(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "const" in schema:
        return code_span(json.dumps(schema["const"], ensure_ascii=False))
    if "enum" in schema:
        return ", ".join(code_span(json.dumps(value, ensure_ascii=False)) for value in schema["enum"])
    declared = schema.get("type", [])
    types = [declared] if isinstance(declared, str) else list(declared)
    types += [_type(_resolve(way, definitions), definitions) for way in _alternatives(schema)]
    return " or ".join(dict.fromkeys(filter(None, types))) or "any"


def _description(schema: dict[str, Any]) -> str:
    pattern = f"pattern {code_span(schema['pattern'])}" if "pattern" in schema else ""
    return "; ".join(filter(None, [escape_markdown(schema.get("description", "")).rstrip("."), pattern]))


PAGES = (Page(FILE, page, "what contracts/schemas/ says"),)

if __name__ == "__main__":
    sys.exit(main(*PAGES))
