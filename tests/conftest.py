"""What all tests have in common."""

import importlib.util
import os
import sysconfig
from collections.abc import Generator
from pathlib import Path

import coverage
import pytest
from hypothesis import settings

settings.register_profile(
    "repeatable",
    deadline=None,  # no test times what it tests: a machine may be busy
    max_examples=40,  # of 100: the examples are the same in each run, and the default profile looks further
    derandomize=True,  # coverage must not depend on luck; `pytest --hypothesis-profile=default` looks elsewhere
)
settings.load_profile("repeatable")

# No test, and no command that one starts, is configured by whom it runs for.
for _name in [name for name in os.environ if name.startswith("TCOP_MOCK_")]:
    del os.environ[_name]
os.environ["TCOP_MOCK_CONFIG"] = os.devnull

# Commands that tests start import the package that the tests import: from the checkout, if it is not the installed one.
_spec = importlib.util.find_spec("tcop_mock")
assert _spec is not None
assert _spec.origin is not None
_folder = Path(_spec.origin).parents[1]
if _folder != Path(sysconfig.get_path("purelib")):
    os.environ["PYTHONPATH"] = str(_folder)


MANY_CASES, MEASURED_CASES = 76, 8
"""Of a test with many cases (one for each shape, clause or mutant), coverage is measured in the first of them only."""
_unmeasured: set[str] = set()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Choose the tests in which no coverage is measured: proofs, and the later cases of tests with many."""
    cases: dict[str, list[str]] = {}
    for item in items:
        cases.setdefault(item.nodeid.partition("[")[0], []).append(item.nodeid)
    _unmeasured.update(item.nodeid for item in items if item.get_closest_marker("proof"))
    _unmeasured.update(case for many in cases.values() if len(many) > MANY_CASES for case in many[MEASURED_CASES:])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Measure no coverage in such a test, nor in the commands that it starts: measuring doubles their time."""
    measuring = coverage.Coverage.current() if item.nodeid in _unmeasured else None
    if measuring is None:
        return (yield)
    measuring.stop()
    configuration = os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
    try:
        return (yield)
    finally:
        if configuration is not None:
            os.environ["COVERAGE_PROCESS_CONFIG"] = configuration
        measuring.start()
