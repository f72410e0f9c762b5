"""Content of docs/proof.md: the receivers that prove each clause, from the tables of the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import incident_receivers
import mutant_receivers
import process_receivers
from conforming_receivers import PROCESSES, SERVERS

from tcop_mock.contract.clauses import load_clauses

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = """\
# How the clauses are proved

<!-- Written by scripts/proof.py from the tables of the tests; change those and run `make docs`. -->

Each clause is proved twice. A receiver with exactly one bug fails the clause about that bug. A conforming receiver,
however it works, fails no must clause. The tests in `tests/contract` run every row of these tables.

## Bugs, and the clauses that find them

| clause | level | bug of an otherwise conforming receiver |
| --- | --- | --- |
"""
_CONFORMING_HEAD = """
## Conforming receivers, which fail no must clause

| receiver | kind |
| --- | --- |
"""


def page() -> str:
    """Return the whole page."""
    return _HEAD + "\n".join(_mutants()) + "\n" + _CONFORMING_HEAD + "\n".join(_conforming()) + "\n"


def bugs_by_code() -> dict[str, list[str]]:
    """Return the names of the bugs by the code of the clause that finds them."""
    bugs: dict[str, list[str]] = {}
    for name in sorted({*mutant_receivers.MUTANTS, *incident_receivers.MUTANTS, *process_receivers.MUTANTS}):
        code, _, bug = name.partition("-")
        bugs.setdefault(code, []).append(bug.replace("-", " "))
    return bugs


def _mutants() -> Iterator[str]:
    bugs = bugs_by_code()
    for clause in load_clauses():
        yield f"| {clause.id} | {clause.level} | {'; '.join(bugs.get(clause.code, ['–']))} |"


def _conforming() -> Iterator[str]:
    yield from (f"| {name} | a separate server process (examples/receivers) |" for name in sorted(PROCESSES))
    yield from (f"| {name.replace('-', ' ')} | responses |" for name in sorted(SERVERS))
    yield "| a script on http.server that forwards to WeCom | a process that the run ends and measures |"
    yield from (f"| {name.replace('-', ' ')} | effects |" for name in sorted(incident_receivers.CONFORMING))
