"""The script that checks receivers of many stacks continues if one cannot run."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

pytestmark = pytest.mark.checkout


def _load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("stacks", Path(__file__).parents[2] / "scripts" / "stacks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["stacks"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


stacks = _load_script()


def test_a_receiver_that_does_not_start_is_skipped_by_name(tmp_path: Path) -> None:
    """The other stacks are checked nevertheless."""
    running = stacks.running(stacks.Stack("any", "no-such-program {port}"), stacks.Installation(tmp_path))
    with pytest.raises(stacks.SkippedError, match=r"^there is no program 'no-such-program' here or on PATH$"):
        running.__enter__()
