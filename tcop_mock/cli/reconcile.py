"""Implementation of reconcile: compare a ledger with the records of the receiver."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from tcop_mock.cli.arguments import STDIN, open_input
from tcop_mock.errors import UsageError
from tcop_mock.load.ledger import read_ledger
from tcop_mock.load.reconcile import read_received_items
from tcop_mock.load.reconcile import reconcile as compare
from tcop_mock.reports.json import write_json
from tcop_mock.reports.reconciliation import reconciliation_document, reconciliation_lines

if TYPE_CHECKING:
    from tcop_mock.cli.options import CommonOptions

_DIFFERS = 1


def reconcile(ledger: str, received: str, limit: int, common: CommonOptions) -> int:
    """Print the differences, at most ``limit`` objects of each kind; return the exit code."""
    if ledger == received == STDIN:
        raise UsageError("standard input can be one of the two only: name a file for the other")
    with open_input(ledger) as first, open_input(received) as second:
        names = [name if name != STDIN else "standard input" for name in (ledger, received)]
        found = compare(read_ledger(first, names[0]), read_received_items(second, names[1]), names[0], limit)
    if common.as_json:
        write_json(reconciliation_document(found, *names), sys.stdout)
    else:
        for line in reconciliation_lines(found, *names):
            click.echo(line)
    return 0 if found.is_consistent else _DIFFERS
