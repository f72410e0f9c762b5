"""``export``: the corpus as files."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from tcop_mock.callbacks.json_schemas import accept_schema
from tcop_mock.callbacks.sampling import forms_of
from tcop_mock.callbacks.validator import CallbackValidator
from tcop_mock.catalog.data_files import read_schema
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.mutators import load_mutators
from tcop_mock.domain.shape import AlarmKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from commands import RunCommand

CATALOG = Catalog.load()


def test_shapes_are_given_in_one_text_or_several(tcop: RunCommand, tmp_path: Path) -> None:
    """Shapes are given in one text or in several, and a shape of two globs is written once."""
    (one, other) = (tmp_path / "one", tmp_path / "other")
    options = ("--lang", "en", "--form", "documented", "--seed", "7", "-q")
    assert tcop("export", str(one), "--shapes", "cvm/events,antiddos/*,cvm/events", *options).exit_code == 0
    assert tcop("export", str(other), "--shapes", "cvm/events", "--shapes", "antiddos/*", *options).exit_code == 0
    assert (one / "manifest.json").read_bytes() == (other / "manifest.json").read_bytes()


def content(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return bytes and time of change of all files below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def manifest_of(folder: Path) -> Any:
    """Return a folder's manifest, which keeps its schema and lists what is there with its hash."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    Draft202012Validator(read_schema("export-manifest")).validate(manifest)
    listed = {row["path"]: row["sha256"] for row in manifest["files"]}
    there = {path: hashlib.sha256(raw).hexdigest() for path, (raw, _) in content(folder).items()}
    assert there | {"manifest.json": ""} == listed | {"manifest.json": ""}
    return manifest


@pytest.mark.proof
def test_the_whole_corpus(tcop: RunCommand, tmp_path: Path) -> None:
    """Every shape in each state and form; callbacks are valid, mutations are what they say, schemas are there."""
    folder = tmp_path / "corpus"
    done = tcop("export", str(folder), "--lang", "zh")
    manifest = manifest_of(folder)
    assert done.stdout == f"{folder}: {len(manifest['files']) + 1} files written, 0 unchanged\n"
    assert (manifest["seed"], manifest["profile"]) == (1, "2023")
    judge = CallbackValidator(CATALOG, load_profile())
    rows = {
        kind: [row for row in manifest["files"] if row["kind"] == kind] for kind in ("callback", "mutation", "schema")
    }
    for row in rows["callback"][::5]:  # that all are valid is what test_validate.py holds
        raw = (folder / row["path"]).read_bytes()
        verdict = judge.validate(raw)
        assert verdict.problems == ()
        assert row["shape"] in (verdict.shape, *verdict.also_fits)
    expected = sum(
        len(forms_of(shape)) * (1 + (shape.kind is AlarmKind.METRIC) + shape.can_resolve) for shape in CATALOG
    )
    assert len(rows["callback"]) == expected
    assert {row["mutator"] for row in rows["mutation"]} == {
        mutator.name for mutator in load_mutators().values() if "2023" in (mutator.profiles or ("2023",))
    }
    for row in rows["mutation"]:
        valid = judge.validate((folder / row["path"]).read_bytes()).is_valid
        assert row["wanted"] in {"accept" if valid else "reject", "either"}
    assert len(rows["schema"]) == 2 * len(CATALOG)
    accept = json.loads((folder / "schemas/accept/cvm/events.schema.json").read_bytes())
    assert accept == accept_schema(CATALOG.get("cvm/events"))


def export(tcop: RunCommand, folder: Path, *arguments: str) -> str:
    """Export a part of the corpus; return what was said."""
    done = tcop("export", str(folder), "--shapes", "cvm/*", *arguments, "-q")
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout.removeprefix(f"{folder}: ").strip()


@pytest.mark.proof
def test_a_second_export_changes_nothing(tcop: RunCommand, tmp_path: Path) -> None:
    """The same call writes the same bytes, and touches no file."""
    export(tcop, tmp_path / "a")
    before = content(tmp_path / "a")
    assert export(tcop, tmp_path / "a") == f"0 files written, {len(before)} unchanged"
    assert content(tmp_path / "a") == before
    export(tcop, tmp_path / "b")
    assert {path: raw for path, (raw, _) in content(tmp_path / "b").items()} == {
        path: raw for path, (raw, _) in before.items()
    }


@pytest.mark.proof
def test_a_folder_is_mended(tcop: RunCommand, tmp_path: Path) -> None:
    """Missing and changed files are written again, as after an interrupted export."""
    export(tcop, tmp_path)
    before = {path: raw for path, (raw, _) in content(tmp_path).items()}
    lost = [path for path in sorted(before) if path != "manifest.json"][5:15]
    for path in lost[1:]:
        (tmp_path / path).unlink()
    (tmp_path / lost[0]).write_text("edited", encoding="utf-8")
    assert export(tcop, tmp_path).startswith("10 files written")
    assert {path: raw for path, (raw, _) in content(tmp_path).items()} == before


def test_what_does_not_belong_any_more_is_removed(tcop: RunCommand, tmp_path: Path) -> None:
    """Files of the last export only, and not those that somebody edited or put there."""
    export(tcop, tmp_path)
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    edited = tmp_path / "callbacks" / "documented" / "zh" / "cvm" / "events" / "firing.json"
    edited.write_text("edited", encoding="utf-8")
    done = tcop("export", str(tmp_path), "--shapes", "cvm/*", "--lang", "en", "--form", "documented")
    assert "kept callbacks/documented/zh/cvm/events/firing.json: it is outdated, but was edited" in done.stderr
    assert " files removed" in done.stdout
    assert {path.name for path in (tmp_path / "callbacks").iterdir()} == {"documented"}
    rest = {path for path in content(tmp_path) if "/zh/" in path or path == "mine.txt"}
    assert rest == {"mine.txt", "callbacks/documented/zh/cvm/events/firing.json"}
    gone = json.loads((tmp_path / "manifest.json").read_bytes())
    missing = gone["files"][1]["path"]
    (tmp_path / missing).unlink()
    gone["files"].append({"path": "never/there", "sha256": "0" * 64})
    gone["files"].append({"path": "../mine.txt", "sha256": hashlib.sha256(b"mine").hexdigest()})
    (tmp_path / "manifest.json").write_text(json.dumps(gone), encoding="utf-8")
    assert "removed" not in export(tcop, tmp_path, "--lang", "en", "--form", "documented")


def test_what_never_recovers_has_no_resolved_callback(tcop: RunCommand, tmp_path: Path) -> None:
    """Events that only fire are reported once."""
    assert tcop("export", str(tmp_path), "--shapes", "antiddos/*", "-q").exit_code == 0
    rows = [row for row in manifest_of(tmp_path)["files"] if row["kind"] == "callback"]
    assert {row["state"] for row in rows} == {"firing"}


def test_json_is_the_manifest(tcop: RunCommand, tmp_path: Path) -> None:
    """Standard output is the manifest and nothing else; another seed and profile are in it."""
    done = tcop("export", str(tmp_path), "--shapes", "cvm/events", "--seed", "7", "--profile", "2025", "--json")
    assert done.document == manifest_of(tmp_path)
    assert (done.document["seed"], done.document["profile"]) == (7, "2025")


@pytest.mark.parametrize("foreign", ["notes.txt", "manifest.json"])
def test_a_foreign_folder_is_refused(tcop: RunCommand, tmp_path: Path, foreign: str) -> None:
    """A folder that holds anything else is not touched, whatever its manifest is."""
    for text in (
        "",
        "[]",
        '{"tool": {"name": "other"}, "version": 1}',
        '{"tool": {"name": "tcop-mock"}, "version": 2}',
    ):
        (tmp_path / foreign).write_text(text, encoding="utf-8")
        done = tcop("export", str(tmp_path))
        assert done.exit_code == 2
        assert done.error_message == (
            f"{str(tmp_path)!r} is neither empty nor an earlier export (it has no manifest.json of ours); name another"
        )
        assert content(tmp_path).keys() == {foreign}


def test_what_cannot_be_exported_is_refused(tcop: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in place of the folder, shapes without the form, a disk that refuses: one line, code 2."""
    file = tmp_path / "file"
    file.write_bytes(b"")
    assert tcop("export", str(file)).error_message == f"{str(file)!r} is a file; name a folder"
    done = tcop("export", str(tmp_path / "new"), "--shapes", "cvm/basic*", "--form", "eventbridge")
    assert done.error_message == "no shape of 'cvm/basic*' has a form eventbridge"
    assert not (tmp_path / "new").exists()
    done = tcop("export", str(file / "below"), "--shapes", "cvm/events")
    assert (done.exit_code, "cannot be" in done.error_message) == (2, True)

    inside = Path.iterdir

    def refuse(folder: Path) -> Iterator[Path]:
        if folder == tmp_path:
            raise PermissionError(13, "Permission denied")
        return inside(folder)

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert tcop("export", str(tmp_path)).error_message == f"{str(tmp_path)!r} cannot be read: Permission denied"


@pytest.mark.skipif(os.name == "nt", reason="folders have no such rights there")
def test_a_name_that_is_taken_is_reported(tcop: RunCommand, tmp_path: Path) -> None:
    """A folder where a file should go is reported by its name."""
    (tmp_path / "a" / "README.md").mkdir(parents=True)
    done = tcop("export", str(tmp_path / "a" / "README.md"), "--shapes", "cvm/events")
    assert done.exit_code == 0
    (tmp_path / "a" / "README.md" / "README.md").unlink()
    (tmp_path / "a" / "README.md" / "README.md").mkdir()
    done = tcop("export", str(tmp_path / "a" / "README.md"), "--shapes", "cvm/events")
    assert done.exit_code == 2
    assert "is a folder; name a file" in done.error_message
