"""The list of commands and the top-level help, rendered without click, which is slow to import."""

from __future__ import annotations

import shutil
import textwrap

COMMANDS = {
    "list": ("catalog_commands", "List the shapes of the catalogue, or its mutators; check your own entries."),
    "show": ("catalog_commands", "Show one shape: dimensions, metrics or events, sources; or a JSON Schema."),
    "emit": ("catalog_commands", "Print callbacks."),
    "validate": ("catalog_commands", "Check bodies: print their shapes, problems and deviations."),
    "learn": ("catalog_commands", "Draft entries from captured callbacks, or report drift from existing ones."),
    "diff": ("catalog_commands", "Compare bodies: what a repeat or a resolve changes, or your capture and ours."),
    "export": ("catalog_commands", "Write callbacks, mutated callbacks, schemas and a manifest to files."),
    "send": ("delivery_commands", "Deliver a callback as TCOP does: deadline, retries, BasicAuth."),
    "replay": ("delivery_commands", "Send recorded or captured requests again, or the requests of a clause."),
    "check": ("contract_commands", "Check a receiver against the contract."),
    "load": ("load_commands", "Send many callbacks: a constant rate, stages, or an alarm storm."),
    "reconcile": ("delivery_commands", "Compare the ledger of a load with the receiver's records."),
    "listen": ("delivery_commands", "Receive and validate callbacks; record them, and fail on demand."),
    "console": (
        "console_commands",
        "Show the conversation of callbacks on a local page, live.",
    ),
    "explain": ("contract_commands", "Explain a clause: requirement, source, and how to fix a receiver."),
    "demo": ("contract_commands", "Check a built-in receiver with planted bugs, then the corrected one."),
    "doctor": ("setup_commands", "Diagnose the way to a receiver: DNS, TLS, time, credentials, clock."),
    "init": ("setup_commands", "Write settings, a test and a CI job for the receiver in this folder."),
    "config": ("setup_commands", "Show every setting and where its value came from."),
    "completion": ("setup_commands", "Print the completion script for a shell."),
}
"""The module of ``tcop_mock.cli`` that defines each command, and the summary of the command."""
MAX_COLUMNS = 100
_MIN_COLUMNS = 50
_OPTIONS = {"--version": "Print the version and exit.", "-h, --help": "Print this help and exit."}
_SUMMARY = "Realistic TCOP alarm callbacks, delivered as TCOP delivers them, and a contract test for their receivers."
_CODES = (
    "Exit codes: 0 kept, 1 broken or not accepted, 2 usage, 3 target unusable, 4 internal error, "
    "130 interrupted (143 by SIGTERM, 129 by SIGHUP)."
)


def main_help(width: int | None = None) -> str:
    """Return the top-level help, by default in the width of the terminal."""
    if width is None:
        width = max(min(shutil.get_terminal_size().columns, MAX_COLUMNS) - 2, _MIN_COLUMNS)
    parts = [
        "Usage: tcop-mock [OPTIONS] COMMAND [ARGS]...",
        _indented(_SUMMARY, width),
        "Options:\n" + _table(_OPTIONS, width),
        "Commands:\n" + _table({name: summary for name, (_, summary) in COMMANDS.items()}, width),
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
