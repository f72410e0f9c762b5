#!/usr/bin/env bash
# Run the tests against the installed wheel, in a folder without the sources: what passes here is what users get.
# Branch coverage is measured there, but not for the tests marked proof: they take long, and reach no other lines.
# Then run the tests that need the checkout, in the checkout. The plugin is off, because its tests start runs of their
# own.
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
# Without the plugins that pytest finds by itself: it would import our package itself then, and it would not be measured.
run_tests() { "$python" -m pytest --disable-plugin-autoload -p xdist -p pytest_httpserver -m "$@"; }
export BRANCH_COVERAGE="$elsewhere/.coverage"
mkdir "$BRANCH_COVERAGE"
failed=0
run_tests "not checkout and not proof" "$@" || failed=$?
"$python" -m slipcover --merge "$BRANCH_COVERAGE"/*.json --out "$sources/.coverage.json" \
  --branch --skip-covered --fail-under 100 || failed=$?
unset BRANCH_COVERAGE
run_tests "not checkout and proof" "$@" || failed=$?
((failed == 0)) || exit "$failed"

cd "$sources"
grep -rlZ --include='test_*.py' 'mark\.checkout' tests | xargs -0 "$python" -m pytest -p no:tcop_mock -m checkout
