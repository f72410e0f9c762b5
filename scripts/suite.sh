#!/usr/bin/env bash
# Run the tests against the installed wheel, in a folder without the sources: what passes here is what users get.
# Branch coverage is measured there. Then run the tests that need the checkout, in the checkout. The plugin is off,
# because its tests start runs of their own.
# usage: scripts/suite.sh PYTHON [argument of pytest]...
set -euo pipefail

sources=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
shift
unset PYTHONPATH

elsewhere=$(mktemp -d)
trap 'rm -rf "$elsewhere"' EXIT
for kept in tests examples scripts docs README.md pyproject.toml; do cp -R "$sources/$kept" "$elsewhere"; done

cd "$elsewhere"
"$python" - <<'PROOF'
import sys
import sysconfig
from pathlib import Path

import tcop_mock

package = Path(tcop_mock.__file__).parent
if package.parent != Path(sysconfig.get_path("purelib")):
    sys.exit(f"tcop_mock is not the installed one: {package}")
print(f"tcop_mock under test: {package}")
PROOF
"$python" -m coverage erase --data-file="$sources/.coverage"
"$python" -m coverage run --data-file="$sources/.coverage" -m pytest -p no:tcop_mock -m "not checkout" "$@"

cd "$sources"
"$python" -m coverage combine --quiet
"$python" -m coverage report
grep -rlZ --include='test_*.py' 'mark\.checkout' tests | xargs -0 "$python" -m pytest -p no:tcop_mock -m checkout
