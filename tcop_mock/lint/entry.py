"""What rules are about: an entry that keeps its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.catalog import parse_shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tcop_mock.model.shape import Shape


class Entry(NamedTuple):
    """One entry, as written and as read."""

    table: Mapping[str, Any]
    """The file."""
    shape: Shape

    @classmethod
    def of(cls, shape_id: str, table: dict[str, Any], file: str = "") -> Entry:
        """Return the entry of a table that keeps its schema; ``file`` is told in errors."""
        return cls(table, parse_shape(shape_id, table, file))

    def subjects(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the metrics and events as written, each with its key: ``metrics.0``."""
        for kind in ("metrics", "events"):
            for at, row in enumerate(self.table.get(kind, ())):
                yield f"{kind}.{at}", row
