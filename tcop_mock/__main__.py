"""``python -m tcop_mock`` and the ``tcop-mock`` command."""

from __future__ import annotations

import sys

from tcop_mock._version import __version__


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; ``--help`` and ``--version`` load nothing else."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments in (["--version"], ["--help"], ["-h"]):
        try:
            sys.stdout.write(_answer(arguments[0]))
            sys.stdout.flush()
        except (OSError, AttributeError):  # a closed pipe, a full disk, no output at all: the command line handles it
            pass
        else:
            return 0
    from tcop_mock.cli.main import main as command_line  # noqa: PLC0415 - it loads click

    return command_line(arguments)


def _answer(flag: str) -> str:
    if flag == "--version":
        return f"tcop-mock {__version__}\n"
    from tcop_mock.cli.main_help import main_help  # noqa: PLC0415 - not needed for the version

    return main_help()


if __name__ == "__main__":
    sys.exit(main())
