"""What a receiver in this process logs while a contract is played: a few lines of hundreds, so that findings show."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_RECORDS = 10
_PYTESTS_OWN = "_pytest.logging"
_log = logging.getLogger(__name__)


class _Few(logging.Filter):
    """Passes the first records, and counts the others."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = self.held_back = 0

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - logging's signature
        """Say whether a record is shown."""
        if self.passed < _MOST_RECORDS:
            self.passed += 1
            return True
        self.held_back += 1
        return False


@contextmanager
def few_logs() -> Iterator[None]:
    """Have pytest show only the first records that are logged inside, and how many others there were."""
    filters = [(handler, _Few()) for handler in logging.getLogger().handlers if _is_pytests(handler)]
    for handler, few in filters:
        handler.addFilter(few)
    try:
        yield
    finally:
        for handler, few in filters:
            handler.removeFilter(few)
        held_back = max((few.held_back for _, few in filters), default=0)
        if held_back:
            _log.warning("%d more records were logged while the contract was played", held_back)


def _is_pytests(handler: logging.Handler) -> bool:
    return any(kind.__module__ == _PYTESTS_OWN for kind in type(handler).__mro__)
