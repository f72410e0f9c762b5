"""``list`` and ``show``: the content of the catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from tcop_mock.callbacks.json_schemas import accept_schema, emit_schema
from tcop_mock.catalog.data_files import data_root, read_schema
from tcop_mock.catalog.loader import Catalog
from tcop_mock.contract.mutators import load_mutators
from tcop_mock.reports.shape import shape_document, shape_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from commands import RunCommand

CATALOG = Catalog.load()
CVM = CATALOG.get("cvm/basic-monitoring")
IDS = [shape.id for shape in CATALOG]
KEYS = (
    "id title title_zh kind namespace policy_type regional metrics events documented source assumed forms aliases "
    "optional retired unpublished in_object_info alert observed cloudevents sample errata"
)
QUEUE = """
title = "Acme - queue"
kind = "metric"
namespace = "qce/acme"
regional = true
source = "a capture of ours"
assumed = ["namespace"]
[policy]
type = "acme_queue"
name = "Acme - queue"
[values]
queue = { generator = "resource_id", prefix = "queue" }
[dimensions]
objId = "{queue}"
[[metrics]]
metricName = "queue_depth"
metricShowName = "Queue depth"
unit = "Count"
source = "a capture of ours"
"""


@pytest.fixture
def own(tmp_path: Path) -> str:
    """Return a folder with an entry of the user's, ``acme/queue``, without sample and threshold."""
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "queue.toml").write_text(QUEUE, encoding="utf-8")
    return str(tmp_path)


def test_list_names_every_shape(tcop: RunCommand) -> None:
    """Each shape has a line that begins with its id; their number goes to standard error."""
    done = tcop("list")
    assert [line.split()[0] for line in done.stdout.splitlines()] == IDS
    unsampled = sum(not (shape.is_documented or shape.unpublished) for shape in CATALOG)
    unpublished = sum(bool(shape.unpublished) for shape in CATALOG)
    notes = (
        f"? = no page prints a sample of it: {unsampled}; + = no published callback, left out of globs: {unpublished}"
    )
    assert (done.exit_code, done.stderr) == (0, f"{len(IDS)} shapes; {notes}\n")


def test_list_takes_a_glob(tcop: RunCommand) -> None:
    """A glob shows the shapes whose id it matches, and quiet says nothing else."""
    done = tcop("list", "cvm/*", "--quiet")
    assert [line.split()[0] for line in done.stdout.splitlines()] == [name for name in IDS if name.startswith("cvm/")]
    assert (done.exit_code, done.stderr) == (0, "")


def test_list_json_is_the_documented_document(tcop: RunCommand) -> None:
    """--json prints one versioned document with the fields of each shape, and nothing else."""
    done = tcop("list", "--json")
    assert list(done.document) == ["version", "shapes"]
    assert done.document["version"] == 1
    assert [shape["id"] for shape in done.document["shapes"]] == IDS
    assert all(" ".join(shape) == KEYS for shape in done.document["shapes"])
    assert (done.exit_code, done.stderr) == (0, "")


def test_list_marks_what_no_page_prints(tcop: RunCommand, own: str) -> None:
    """An own entry without a sample is listed, with a question mark that standard error explains."""
    done = tcop("list", "acme/*", "--catalog", own)
    assert (done.exit_code, done.stdout) == (0, "acme/queue ? metric  Acme - queue\n")
    assert done.stderr == "1 shapes; ? = no page prints a sample of it: 1\n"


def test_show_prints_what_is_known_of_a_shape(tcop: RunCommand) -> None:
    """The page of a shape is standard output, the seed of its example is reported on standard error."""
    done = tcop("show", CVM.id, "--seed", "7")
    assert done.stdout.splitlines() == list(shape_lines(CVM, tcop("emit", CVM.id, "--seed", "7").bodies[0]))
    assert (done.exit_code, done.stderr) == (0, "seed 7\n")


def test_show_json_is_one_document(tcop: RunCommand) -> None:
    """--json prints the whole shape and an example callback as one document."""
    done = tcop("show", CVM.id, "--json", "--seed", "7")
    assert done.document == shape_document(CVM, tcop("emit", CVM.id, "--seed", "7").bodies[0])
    assert (done.exit_code, done.stderr) == (0, "")


def test_show_says_what_is_assumed(tcop: RunCommand, own: str) -> None:
    """Paths without a source, and a metric without a threshold, are marked."""
    done = tcop("show", "acme/queue", "--catalog", own)
    assert "assumed: not in any source\n  namespace\n" in done.stdout
    assert "no threshold" in done.stdout


def test_an_own_entry_replaces_a_shipped_one(tcop: RunCommand, tmp_path: Path) -> None:
    """A file at the path of a shipped entry takes its place."""
    shipped = (data_root("payload_catalog") / "cdn" / "domain.toml").read_text(encoding="utf-8")
    (tmp_path / "cdn").mkdir()
    (tmp_path / "cdn" / "domain.toml").write_text(shipped.replace("CDN - domain", "ours", 1), encoding="utf-8")
    assert tcop("list", "cdn/domain", "--catalog", str(tmp_path), "-q").stdout.endswith("  ours\n")


BROKEN = {
    "unknown key": (
        QUEUE.replace("namespace =", "namespcae =").encode(),
        "'namespcae' is an unknown key; did you mean",
    ),
    "no TOML": (b"title = ", "is not TOML"),
    "no UTF-8": (b"title = '\xff'", "is not UTF-8 (byte 9)"),
    "wrong type": (QUEUE.replace("= true", '= "yes"').encode(), "regional: is a string, not a boolean"),
    "wrong word": (QUEUE.replace('"metric"', '"metrics"').encode(), 'kind: is "metrics", not "metric" or'),
    "nested": (
        QUEUE.replace("prefix", "refix").encode(),
        "values.queue: 'refix' is an unknown key; did you mean 'prefix'?",
    ),
    "contradiction": (
        f'{QUEUE}calcType = ">"\ncalcValue = "5"\nrange = [9, 10]\n'.encode(),
        "metrics.0.calcValue: range [9, 10] has values on one side of > 5 only",
    ),
}


@pytest.mark.parametrize("content, problem", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("command", ["list", "show x", "emit x", "send x --to h", "check h", "demo"])
def test_an_invalid_entry_is_reported(
    tcop: RunCommand, tmp_path: Path, command: str, content: bytes, problem: str
) -> None:
    """A catalogue entry that does not keep the format ends every command: file, key and problem in one line, code 2."""
    (tmp_path / "x.toml").write_bytes(content)
    done = tcop(*command.split(), "--catalog", str(tmp_path))
    assert done.error_message.startswith(f"{tmp_path / 'x.toml'}: {problem}")
    assert done.exit_code == 2


@pytest.mark.parametrize(
    "folder, problem", [("nosuch", "does not exist"), ("file", "is a file"), ("empty", "no entry")]
)
def test_a_catalogue_must_be_a_folder_of_entries(tcop: RunCommand, tmp_path: Path, folder: str, problem: str) -> None:
    """A folder that is not there, that is a file, or that holds no entry is reported and nothing is listed."""
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    done = tcop("list", "--catalog", str(tmp_path / folder))
    assert f"{tmp_path / folder}" in done.error_message
    assert problem in done.error_message
    assert done.exit_code == 2


def test_a_folder_that_cannot_be_read_is_reported(tcop: RunCommand, own: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without permission to read it ends the command, and the line names it."""

    def forbidden(folder: Path) -> Iterator[Path]:
        if folder == Path(own):
            raise PermissionError(13, "Permission denied", str(folder))
        return listing(folder)

    listing = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", forbidden)  # chmod would not keep root out
    done = tcop("list", "--catalog", own)
    assert (done.exit_code, done.error_message) == (2, f"--catalog: {own!r} cannot be read: Permission denied")


def test_an_entry_that_cannot_be_read_is_reported(tcop: RunCommand, own: str) -> None:
    """An entry that cannot be read (here: a link to nowhere) ends the command, and the line names it."""
    link = Path(own) / "link.toml"
    link.symlink_to("nowhere")
    done = tcop("list", "--catalog", own)
    assert (done.exit_code, done.error_message) == (2, f"{link}: cannot be read: No such file or directory")


@pytest.mark.parametrize("which, expected", [("emit", emit_schema), ("accept", accept_schema)])
def test_show_prints_a_schema(tcop: RunCommand, which: str, expected: Any) -> None:
    """``show ID --schema`` prints it as JSON and nothing else."""
    done = tcop("show", CVM.id, "--schema", which)
    assert done.document == expected(CVM)
    assert (done.exit_code, done.stderr) == (0, "")


def test_show_prints_the_schema_of_a_profile(tcop: RunCommand) -> None:
    """The emit schema is that of the profile's generation."""
    schema = tcop("show", CVM.id, "--schema", "emit", "--profile", "2025").document
    assert schema["properties"]["alarmStatus"] == {"enum": [1, 0]}
    assert "alertId" in schema["required"]


def test_mutators_are_listed(tcop: RunCommand) -> None:
    """Each mutator has its clause and the expected reaction; GLOB selects them."""
    document = tcop("list", "--mutators", "--json").document
    Draft202012Validator(read_schema("mutator-list")).validate(document)
    assert [row["name"] for row in document["mutators"]] == list(load_mutators())
    rows = [line.split() for line in tcop("list", "em*", "--mutators").stdout.splitlines()]
    assert all(row[0].startswith("em") for row in rows)
    assert ["emoji", "TCM309", "accept"] in rows
    assert ["empty-body", "TCM402", "either"] in rows
    assert ["body-of-a-form", "TCM401", "reject"] in [
        line.split() for line in tcop("list", "body-of*", "--mutators").stdout.splitlines()
    ]
    assert ["empty-current-value", "TCM314", "either"] in rows
    assert tcop("list", "--mutators").stderr.endswith(
        " mutators; a receiver must accept the body, reject it, or may do either\n"
    )
    assert tcop("list", "emojo", "--mutators").error_message == "unknown mutator 'emojo'; did you mean 'emoji'?"


def test_show_says_what_is_retired_and_optional(tcop: RunCommand) -> None:
    """The month from which TCOP has no such policies, and the keys that a page lacks."""
    assert "2022-09: TCOP has no such policies any more" in tcop("show", "redis/instance-1min").stdout
    assert "projectid: some page or capture has no such key" in tcop("show", "cdn/domain").stdout
    shapes = tcop("list", "--json").document["shapes"]
    assert {shape["id"]: shape["retired"] for shape in shapes if shape["retired"]} == {
        "redis/instance-1min": "2022-09",
        "tdsql-mysql/legacy": "2021-07",
    }
