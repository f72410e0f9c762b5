"""Write docs/proof.md: the receivers that prove each clause, from the tables of the tests.

``python scripts/proof.py`` writes the file; with ``--check`` it only compares, and exits with 1 on a difference.
"""

from __future__ import annotations

import sys
from pathlib import Path

from generated import Page, main

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from proof_page import page  # noqa: E402 - it is part of the tests

PAGES = (Page(ROOT / "docs" / "proof.md", page, "what the tables of the tests give"),)

if __name__ == "__main__":
    sys.exit(main(*PAGES))
