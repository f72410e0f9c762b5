"""``python -m tcop_mock`` and the ``tcop-mock`` command."""

from __future__ import annotations

import sys

from tcop_mock._version import __version__


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; help and version alone are told without loading the rest."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments in (["--version"], ["--help"], ["-h"]):
        try:
            sys.stdout.write(_told(arguments[0]))
            sys.stdout.flush()
        except OSError:  # nobody reads, or the disk is full: the command line knows what to do then
            pass
        else:
            return 0
    from tcop_mock.cli import main as command_line  # noqa: PLC0415 - it loads click

    return command_line(arguments)


def _told(flag: str) -> str:
    if flag == "--version":
        return f"tcop-mock {__version__}\n"
    from tcop_mock.frontpage import page  # noqa: PLC0415 - the version needs none of it

    return page()


if __name__ == "__main__":
    sys.exit(main())
