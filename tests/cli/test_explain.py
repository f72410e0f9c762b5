"""``explain``: a clause in full."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tcop_mock.contract.clauses import FRAMEWORK_NAMES, fixes_for, load_clauses

if TYPE_CHECKING:
    from commands import RunCommand

    from tcop_mock.domain.contract import Clause

CLAUSES = load_clauses()


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.code)
def test_every_clause_is_explained(tcop: RunCommand, clause: Clause) -> None:
    """Requirement, source, reason and remedy of a clause are reported in full, within 80 columns."""
    done = tcop("explain", clause.code)
    assert done.stdout.startswith(f"{clause.code} {clause.slug} [{clause.level}]\n")
    assert done.stdout.index("\nHolds\n") < done.stdout.index(":\n\n  ")
    for text in (clause.requirement, clause.source, clause.why, clause.fix):
        assert " ".join(text.split()) in " ".join(done.stdout.split())
    needs = f"Needs {', '.join(sorted(clause.prerequisites))}." if clause.prerequisites else "Needs only the target."
    assert needs in " ".join(done.stdout.split())
    prose = done.stdout.partition("\nHolds\n")[0]
    assert all(len(line) <= 80 or " " not in line.strip() for line in prose.splitlines())
    assert (done.exit_code, done.stderr) == (0, "")


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.code)
def test_json_is_the_clause(tcop: RunCommand, clause: Clause) -> None:
    """With --json one versioned document has the clause in full."""
    document = tcop("explain", clause.code, "--json").document
    assert document["version"] == 1
    reported = document["clause"]
    assert reported == {
        "code": clause.code,
        "slug": clause.slug,
        "level": clause.level.value,
        "profiles": list(clause.profiles),
        "needs": sorted(clause.prerequisites),
        "requirement": clause.requirement,
        "source": clause.source,
        "why": clause.why,
        "fix": clause.fix,
        "fixes": [{"title": fix.title, "samples": dict(fix.samples)} for fix in fixes_for(clause)],
    }


@pytest.mark.parametrize(
    "code, framework, head", [("TCM201", "go", "  Go"), ("TCM302", "django", "  Python (Flask, FastAPI, Django)")]
)
def test_samples_of_one_framework(tcop: RunCommand, code: str, framework: str, head: str) -> None:
    """--framework prints one sample per fix: that of the framework, or that of its language."""
    done = tcop("explain", code, "--framework", framework)
    assert [line for line in done.stdout.splitlines() if line.strip() in FRAMEWORK_NAMES.values()] == [head]
    [fix] = tcop("explain", code, "--framework", framework, "--json").document["clause"]["fixes"]
    assert len(fix["samples"]) == 1


def test_an_unknown_framework_is_refused(tcop: RunCommand) -> None:
    """The error lists the known frameworks."""
    done = tcop("explain", "TCM302", "--framework", "rails")
    assert done.exit_code == 2
    assert "'flask', 'fastapi', 'django', 'express', 'spring', 'go'" in done.stderr


@pytest.mark.parametrize("name", ["recover-time-zero", "tcm302", "TCM302-recover-time-zero"])
def test_a_clause_goes_by_three_names(tcop: RunCommand, name: str) -> None:
    """Code, slug and both together name the same clause, in any case."""
    assert tcop("explain", name).stdout == tcop("explain", "TCM302").stdout


def test_a_clause_of_some_profiles_names_them(tcop: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clause that holds in some profiles only says in which."""
    assert "In every profile. Needs only the target." in tcop("explain", "TCM302").stdout
    some = replace(CLAUSES[0], profiles=("2019-ack", "2023"))
    monkeypatch.setattr("tcop_mock.cli.clauses.load_clauses", lambda: (some,))
    assert "In profile 2019-ack, 2023. Needs only the target." in tcop("explain", some.code).stdout


@pytest.mark.parametrize(
    "name, hint",
    [
        ("recover-time", "did you mean 'recover-time-zero' or 'recovers-after-outage'?"),
        ("zzz", "`tcop-mock check --list` shows all clauses"),
    ],
)
def test_an_unknown_clause_is_refused(tcop: RunCommand, name: str, hint: str) -> None:
    """A clause that is not there gives one line with the nearest that are, or how to list them, and code 2."""
    done = tcop("explain", name)
    assert (done.exit_code, done.error_message) == (2, f"unknown clause '{name}'; {hint}")
