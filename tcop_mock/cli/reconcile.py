"""``tcop-mock reconcile``: what was delivered, beside what the receiver says it has."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, BinaryIO

import click

from tcop_mock.cli.options import with_common
from tcop_mock.errors import UsageError
from tcop_mock.load.ledger import read_ledger
from tcop_mock.load.reconcile import read_received_items
from tcop_mock.load.reconcile import reconcile as reconciled
from tcop_mock.reports.json import write_json
from tcop_mock.reports.reconciliation import reconciliation_document, reconciliation_lines

if TYPE_CHECKING:
    from tcop_mock.cli.options import Common

_DIFFERS = 1
_STDIN = "-"


@with_common
def reconcile(ledger: str, received: str, *, limit: int, common: Common) -> int:
    """Compare the LEDGER of a load with what the receiver says it has, RECEIVED.

    Exit code 0: they agree, 1: they differ.
    """
    if ledger == received == _STDIN:
        raise UsageError("standard input can be one of the two only: name a file for the other")
    with ExitStack() as stack:
        first, second = (_opened(name, stack) for name in (ledger, received))
        names = [name if name != _STDIN else "standard input" for name in (ledger, received)]
        found = reconciled(read_ledger(first, names[0]), read_received_items(second, names[1]), names[0], limit)
    if common.as_json:
        write_json(reconciliation_document(found, *names), sys.stdout)
    else:
        for line in reconciliation_lines(found, *names):
            click.echo(line)
    return 0 if found.is_consistent else _DIFFERS


def _opened(name: str, stack: ExitStack) -> BinaryIO:
    if name == _STDIN:
        return sys.stdin.buffer
    try:
        return stack.enter_context(open(name, "rb"))  # noqa: PTH123 - a name that is no path is told by the system
    except OSError as problem:
        raise UsageError(f"file {name!r} cannot be read: {problem.strerror}") from None
