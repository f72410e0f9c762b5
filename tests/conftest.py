"""Fixtures and limits of all tests."""

import gc
import importlib.util
import os
import sysconfig
from pathlib import Path

import branch_coverage
from hypothesis import settings

if branch_coverage.FOLDER:
    branch_coverage.start()

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


def pytest_collection_finish() -> None:
    """Let the garbage collector leave out what all tests share: it looks at ten thousand items again and again."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Write what this process has measured."""
    if branch_coverage.FOLDER:
        branch_coverage.finish()
