"""How a verb's outside finds its inside."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def calling(module: str, function: str) -> Callable[..., Any]:
    """Return a callback that imports a module of ``tcop_mock.cli`` and hands it what was given.

    It is imported when the verb is called, so that help costs no more than reading the verbs' outsides.
    """

    def call(**given: Any) -> Any:  # noqa: ANN401 - click's values, a verb's exit code
        return getattr(importlib.import_module(f"tcop_mock.cli.{module}"), function)(**given)

    return call
