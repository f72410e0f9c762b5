"""What a wait that was in vain says."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from tcop_mock.report.safe import counted, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tcop_mock.testing.captured import Captured, Where

_MOST_SHOWN = 10
_MOST_CHARS = 300


def not_so_many(
    count: int, timeout: float, where: Where | None, found: Sequence[Captured], all_: Sequence[Captured]
) -> str:
    """Return what was waited for, and what has come, bounded; the newest last."""
    wanted = f"{counted(count, 'callback')}{f' where {_told(where)}' if where is not None else ''}"
    came = (
        f"{len(found)} came" if where is None else f"{len(found)} came, and {counted(len(all_) - len(found), 'other')}"
    )
    lines = [f"waited {timeout:g} s for {wanted}; {came}{':' if all_ else ''}"]
    if len(all_) > _MOST_SHOWN:
        lines.append(f"  … {counted(len(all_) - _MOST_SHOWN, 'earlier one')}")
    lines += [f"  {'*' if one in found else '-'} {one!r}" for one in all_[-_MOST_SHOWN:]]
    return "\n".join(lines)


def _told(where: Where) -> str:
    if not callable(where):
        return one_line(" and ".join(f"{path} == {value!r}" for path, value in where.items()), _MOST_CHARS)
    try:
        source = " ".join(inspect.getsource(where).split())
    except (OSError, TypeError):
        source = repr(where)
    return one_line(f"`{source}`", _MOST_CHARS)
