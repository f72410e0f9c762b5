"""docs/proof.md: by which receivers each clause is proved, from the tables that the tests play."""

from __future__ import annotations

from typing import TYPE_CHECKING

import buggy_receivers
import desks
from honest_receivers import PROCESSES, SERVERS

from tcop_mock.contract.clauses import load_clauses

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = """\
# How the clauses are proved

<!-- Written by scripts/proof.py from the tables that the tests play; change those and run `make docs`. -->

Each clause is proved twice. A receiver that has exactly one mistake breaks the clause of that mistake; a receiver that
keeps the contract, in whatever honest way, breaks none. The tests in `tests/contract` play every row of
these tables.

## Mistakes, and the clauses that find them

| clause | level | found in a receiver that otherwise keeps the contract and ... |
| --- | --- | --- |
"""
_CONFORMING_HEAD = """
## Honest receivers, which break no must clause

| receiver | what it is |
| --- | --- |
"""


def page() -> str:
    """Return the whole page."""
    return _HEAD + "\n".join(_mutants()) + "\n" + _CONFORMING_HEAD + "\n".join(_conforming()) + "\n"


def mistakes_by_code() -> dict[str, list[str]]:
    """Return the names of the mistakes by the code of the clause that finds them."""
    mistakes: dict[str, list[str]] = {}
    for name in sorted({*buggy_receivers.MUTANTS, *desks.MUTANTS}):
        code, _, mistake = name.partition("-")
        mistakes.setdefault(code, []).append(mistake.replace("-", " "))
    return mistakes


def _mutants() -> Iterator[str]:
    mistakes = mistakes_by_code()
    for clause in load_clauses():
        yield f"| {clause.id} | {clause.level} | {'; '.join(mistakes.get(clause.code, ['–']))} |"


def _conforming() -> Iterator[str]:
    yield from (f"| {name} | a server in a process of its own (examples/receivers) |" for name in sorted(PROCESSES))
    yield from (f"| {name.replace('-', ' ')} | an answer |" for name in sorted(SERVERS))
    yield from (f"| {name.replace('-', ' ')} | effects |" for name in sorted(desks.CONFORMING))
