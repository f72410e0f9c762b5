"""Write docs/proof.md: by which receivers each clause is proved, from the tables that the tests play.

``python scripts/proof.py`` writes the file; with ``--check`` it writes nothing and exits with 1 when it differs.
"""

from __future__ import annotations

import sys
from pathlib import Path

from generated import write_or_check

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from proof_page import page  # noqa: E402 - it lies with the tests

if __name__ == "__main__":
    sys.exit(write_or_check(ROOT / "docs" / "proof.md", page, "what the tests play", __doc__))
