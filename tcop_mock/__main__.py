"""``python -m tcop_mock`` and the ``tcop-mock`` command."""

from __future__ import annotations

import sys

from tcop_mock.cli import main

if __name__ == "__main__":
    sys.exit(main())
