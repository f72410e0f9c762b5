"""``python -m tcop_mock`` and the ``tcop-mock`` command."""

from __future__ import annotations

import sys

from tcop_mock._version import __version__


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; the version alone is told without loading the rest."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments == ["--version"]:
        sys.stdout.write(f"tcop-mock {__version__}\n")
        return 0
    from tcop_mock.cli import main as command_line  # noqa: PLC0415 - click alone takes as long as Python to start

    return command_line(arguments)


if __name__ == "__main__":
    sys.exit(main())
