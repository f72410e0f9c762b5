"""The command line's first page, and the list of its verbs: told without click, which takes seven Pythons to load."""

from __future__ import annotations

import shutil
import textwrap

VERBS = {
    "list": ("catalogue", "List the shapes of the catalogue, or the mutators; check your own entries."),
    "show": ("catalogue", "Show one shape: dimensions, metrics or events, sources; or its JSON Schemas."),
    "emit": ("catalogue", "Write callbacks to standard output."),
    "validate": ("catalogue", "Say what a body is, what is wrong with it, what deviates."),
    "export": ("catalogue", "Write callbacks, changed ones, schemas and a manifest to files."),
    "send": ("delivery", "Deliver a callback as TCOP does: deadline, retries, BasicAuth."),
    "replay": ("delivery", "Send again what was recorded, captured or judged."),
    "check": ("contract", "Judge a receiver by the contract."),
    "load": ("load", "Send many callbacks: alarm storms, at the speed of the machine."),
    "reconcile": ("delivery", "Compare what was delivered with what the receiver has."),
    "listen": ("delivery", "Receive callbacks, tell and record them, misbehave on request."),
    "explain": ("contract", "Explain a clause: what it demands, by which source, and how to keep it."),
    "demo": ("contract", "Judge a built-in receiver with planted bugs, then the corrected one."),
    "doctor": ("setup", "Look at the way to a receiver: DNS, TLS, time, credentials, clock."),
    "init": ("setup", "Write settings, a test and a CI job for the receiver in this folder."),
    "config": ("setup", "Show every setting and where its value came from."),
    "completion": ("setup", "Print the script that lets bash, zsh or fish complete."),
}
"""Of each verb the module of ``tcop_mock.cli.verbs`` that has it, by its name in capitals, and a word on it."""
MOST_COLUMNS = 100
_LEAST_COLUMNS = 50
_OPTIONS = {"--version": "Show the version and exit.", "-h, --help": "Show this message and exit."}
_SUMMARY = "Realistic TCOP alarm callbacks, delivered as TCOP delivers them, and a contract test for their receivers."
_CODES = "Exit codes: 0 kept, 1 broken or not accepted, 2 usage, 3 target unusable, 4 our fault, 130 interrupted."


def page(width: int | None = None) -> str:
    """Return the help of the command line as a whole; in the terminal's width, where none is given."""
    if width is None:
        width = max(min(shutil.get_terminal_size().columns, MOST_COLUMNS) - 2, _LEAST_COLUMNS)
    parts = [
        "Usage: tcop-mock [OPTIONS] COMMAND [ARGS]...",
        _indented(_SUMMARY, width),
        "Options:\n" + _table(_OPTIONS, width),
        "Commands:\n" + _table({name: summary for name, (_, summary) in VERBS.items()}, width),
        _indented(_CODES, width),
    ]
    return "\n\n".join(parts) + "\n"


def _indented(text: str, width: int) -> str:
    return textwrap.fill(text, width, initial_indent="  ", subsequent_indent="  ")


def _table(rows: dict[str, str], width: int) -> str:
    column = max(map(len, rows)) + 4
    return "\n".join(
        textwrap.fill(text, width, initial_indent=f"  {name}".ljust(column), subsequent_indent=" " * column)
        for name, text in rows.items()
    )
