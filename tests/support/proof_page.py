"""docs/proof.md: by which receivers each clause is proved, from the tables that the tests play."""

from __future__ import annotations

from typing import TYPE_CHECKING

import buggy_receivers
import desks
from honest_receivers import PROCESSES, SINKS

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
_HONEST = """
## Conforming receivers, which fail no must clause

| receiver | kind |
| --- | --- |
"""


def page() -> str:
    """Return the whole page."""
    return _HEAD + "\n".join(_mistakes()) + "\n" + _HONEST + "\n".join(_honest()) + "\n"


def bugs() -> dict[str, list[str]]:
    """Return the names of the mistakes by the code of the clause that finds them."""
    found: dict[str, list[str]] = {}
    for name in sorted({*buggy_receivers.BUGS, *desks.BUGS}):
        code, _, mistake = name.partition("-")
        found.setdefault(code, []).append(mistake.replace("-", " "))
    return found


def _mistakes() -> Iterator[str]:
    planted = bugs()
    for clause in load_clauses():
        yield f"| {clause.id} | {clause.level} | {'; '.join(planted.get(clause.code, ['–']))} |"


def _honest() -> Iterator[str]:
    yield from (f"| {name} | a separate server process (examples/receivers) |" for name in sorted(PROCESSES))
    yield from (f"| {name.replace('-', ' ')} | responses |" for name in sorted(SINKS))
    yield from (f"| {name.replace('-', ' ')} | effects |" for name in sorted(desks.HONEST))
