"""Metadata of the run in every report."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from jsonschema import Draft202012Validator
from verdict_samples import ERROR, FAILED, PASSED, RUN_INFO, SKIPPED, make_verdict

from tcop_mock import __version__
from tcop_mock.catalog.data_files import read_schema
from tcop_mock.catalog.loader import Catalog
from tcop_mock.reports.console import render_text
from tcop_mock.reports.json import check_document, json_text
from tcop_mock.reports.summary import LIBRARIES, catalogue_sha256, run_metadata, skipped_clauses, tool_document

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

_OWN = """\
title = "Acme"
kind = "event"
namespace = "qce/acme"
regional = false
source = "ours"
assumed = []
[policy]
type = "acme"
name = "Acme"
[product]
productName = "acme"
productShowName = "Acme"
[dimensions]
id = "x"
[[events]]
eventName = "e"
eventShowName = "E"
recoverable = true
source = "ours"
"""


def own_catalogue(folder: Path) -> Catalog:
    """Return the shipped shapes and one from a user's folder."""
    (folder / "acme").mkdir(parents=True)
    (folder / "acme" / "queue.toml").write_text(_OWN, encoding="utf-8")
    return Catalog.load(folder)


def test_the_tool_document_has_all_versions() -> None:
    """The document has the versions of tcop-mock, Python, the system and each installed library."""
    tool = tool_document()
    assert (tool["name"], tool["version"]) == ("tcop-mock", __version__)
    assert tool["python"].startswith("CPython 3.")
    assert tool["platform"].split()
    assert tool["libraries"]["click"] == importlib.metadata.version("click")
    assert set(tool["libraries"]) == set(LIBRARIES)


def test_a_missing_library_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing library is left out."""
    monkeypatch.setattr("tcop_mock.reports.summary.LIBRARIES", ("no-such-library-of-anybody",))
    assert tool_document.__wrapped__()["libraries"] == {}


def test_the_hash_is_of_the_content_of_the_catalogue(tmp_path: Path) -> None:
    """The hash does not depend on the paths of files; one more shape or one other word changes it."""
    shipped = catalogue_sha256(Catalog.load())
    here, there = (catalogue_sha256(own_catalogue(tmp_path / name)) for name in ("here", "there"))
    assert shipped == catalogue_sha256(Catalog.load())
    assert here == there != shipped
    shutil.rmtree(tmp_path / "here")
    first, *others = Catalog.load()
    assert catalogue_sha256([replace(first, namespace="qce/other"), *others]) != shipped


def test_skipped_clauses_are_grouped_by_reason() -> None:
    """Skipped clauses are grouped by reason; inconclusive clauses are not among them."""
    other = replace(SKIPPED[0], reason="another reason")
    rendered = skipped_clauses((SKIPPED[0], ERROR, other, SKIPPED[1], PASSED))
    assert rendered == [(SKIPPED[0].reason, ("TCM201", "TCM202")), ("another reason", ("TCM201",))]


def test_a_run_has_time_and_catalogue() -> None:
    """Start (UTC), duration and catalogue are in the valid document and in the text report."""
    shapes = tuple(Catalog.load())
    of = replace(make_verdict(PASSED, FAILED, *SKIPPED), run_info=replace(RUN_INFO, shapes=shapes))
    document = json.loads(json_text(check_document(of)))
    assert not list(Draft202012Validator(read_schema("check-report")).iter_errors(document))
    assert (document["started"], document["duration_s"]) == ("2026-11-23T10:30:59Z", 12.25)
    assert document["catalogue"] == {"sha256": catalogue_sha256(shapes), "shapes": len(shapes)}
    rendered = dict(run_metadata(of))
    assert rendered["Catalogue"] == f"{len(shapes)} shapes, sha256 {catalogue_sha256(shapes)[:12]}"
    assert rendered["Started"] == "2026-11-23T10:30:59Z, took 12.2 s"
    text = " ".join(render_text(of).split())
    assert all(part in text for part in (rendered["Checked by"], rendered["Catalogue"], rendered["Started"]))
