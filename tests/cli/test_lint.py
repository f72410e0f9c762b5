"""``list --lint``: problems of users' entries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jsonschema import Draft202012Validator

from tcop_mock.catalog.data_files import read_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest
    from commands import RunCommand

ENTRY = """
title = "Acme - queue"
title_zh = "队列"
kind = "metric"
namespace = "qce/acme"
regional = true
source = "ours"
policy = { type = "acme_queue", name = "Acme - queue", name_zh = "队列" }
values = { queue = { generator = "resource_id", prefix = "queue" } }
dimensions = { objId = "{queue}" }
[[metrics]]
metricName = "queue_depth"
metricShowName = "Queue depth"
metricShowName_zh = "队列深度"
unit = "Count"
source = "ours"
"""
WARNED = ENTRY.replace('title_zh = "队列"\n', "")
WRONG = WARNED.replace('"{queue}"', '"{queu}"')


def entry(folder: Path, text: str, name: str = "queue") -> Path:
    """Write an entry and return its file."""
    file = folder / f"{name}.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_an_entry_that_is_right_is_counted_and_nothing_else(tcop: RunCommand, tmp_path: Path) -> None:
    """Standard output is for what is wrong."""
    entry(tmp_path, ENTRY)
    assert tcop("list", "--lint", "--catalog", str(tmp_path)) == (0, "", "0 errors and 0 warnings in 1 entry\n")


def test_problems_are_reported_one_a_line_as_compilers_do(tcop: RunCommand, tmp_path: Path) -> None:
    """File, severity, key, problem; the remedy stands below; errors give exit code 1."""
    file = entry(tmp_path, WRONG)
    entry(tmp_path, ENTRY, "other")
    done = tcop("list", "--lint", "--catalog", str(tmp_path))
    assert done.stdout.splitlines() == [
        f"{file}: error: dimensions.objId: 'queu' is not a declared value; did you mean 'queue'?",
        "  fix: declare it in [values], or name another",
        f"{file}: error: values.queue: never used",
        "  fix: use it in a template, or remove it",
        f"{file}: warning: title_zh: is missing: Chinese accounts get 'Acme - queue'",
        "  fix: add the text",
    ]
    assert (done.exit_code, done.stderr) == (1, "2 errors and 1 warning in 2 entries\n")


def test_warnings_alone_are_no_failure(tcop: RunCommand, tmp_path: Path) -> None:
    """Exit code 0; quiet leaves the count out, not the warnings."""
    entry(tmp_path, WARNED)
    done = tcop("list", "--lint", "--catalog", str(tmp_path), "--quiet")
    assert (done.exit_code, done.stderr, len(done.stdout.splitlines())) == (0, "", 2)


def test_a_problem_without_remedy_and_key_has_one_line(tcop: RunCommand, tmp_path: Path) -> None:
    """Control characters of an entry are printed as escapes."""
    file = entry(tmp_path, "title = \x01")
    done = tcop("list", "--lint", "--catalog", str(tmp_path))
    assert done.stdout == f"{file}: error: is not TOML: Invalid value (at line 1, column 9)\n"
    entry(tmp_path, ENTRY.replace('"{queue}"', r'"{queue} {\u202e}"'))
    assert r"template '{queue} {\u202e}' has" in tcop("list", "--lint", "--catalog", str(tmp_path)).stdout


def test_the_document_keeps_its_schema(tcop: RunCommand, tmp_path: Path) -> None:
    """--json prints one document, and nothing on standard error."""
    file = entry(tmp_path, WRONG)
    done = tcop("list", "--lint", "--json", "--catalog", str(tmp_path))
    Draft202012Validator(read_schema("lint-report")).validate(done.document)
    assert (done.exit_code, done.stderr) == (1, "")
    assert done.document["summary"] == {"errors": 2, "warnings": 1}
    assert done.document["findings"][0] == {
        "file": str(file),
        "shape": "queue",
        "severity": "error",
        "key": "dimensions.objId",
        "problem": "'queu' is not a declared value; did you mean 'queue'?",
        "fix": "declare it in [values], or name another",
    }


def test_without_a_folder_there_is_nothing_to_check(tcop: RunCommand) -> None:
    """Shipped entries are checked by our tests."""
    done = tcop("list", "--lint")
    assert (done.exit_code, done.error_message) == (
        2,
        "--lint checks your own entries: name their folder with --catalog DIR",
    )


def test_mutators_and_lint_exclude_each_other(tcop: RunCommand, tmp_path: Path) -> None:
    """The two flags together are a usage error."""
    entry(tmp_path, ENTRY)
    done = tcop("list", "--lint", "--mutators", "--catalog", str(tmp_path))
    assert (done.exit_code, done.error_message.partition(":")[0]) == (2, "--mutators and --lint exclude each other")


def test_an_empty_folder_and_a_glob_without_match_are_reported(tcop: RunCommand, tmp_path: Path) -> None:
    """A check of nothing must not look like a check that found nothing."""
    done = tcop("list", "--lint", "--catalog", str(tmp_path))
    assert (done.exit_code, done.error_message.partition(";")[0]) == (2, f"--catalog {str(tmp_path)!r} has no entry")
    entry(tmp_path, ENTRY)
    done = tcop("list", "queues", "--lint", "--catalog", str(tmp_path))
    assert (done.exit_code, done.error_message) == (2, "unknown entry 'queues' in these folders; did you mean 'queue'?")


def test_a_folder_that_cannot_be_read_is_reported(
    tcop: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unreadable folder below the given one is reported."""

    def forbidden(folder: Path) -> Iterator[Path]:
        if folder.name == "zzz":
            raise PermissionError(13, "Permission denied", str(folder))
        return listing(folder)

    listing = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", forbidden)  # chmod would not keep root out
    entry(tmp_path, ENTRY)
    (tmp_path / "zzz").mkdir()
    done = tcop("list", "--lint", "--catalog", str(tmp_path))
    reported = f"--catalog: {str(tmp_path / 'zzz')!r} cannot be read: Permission denied"
    assert (done.exit_code, done.error_message) == (2, reported)
