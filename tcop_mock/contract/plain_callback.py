"""The plain callback of a run: found by trial where the receiver does not take the usual one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.contract.case_factory import PLAIN_SHAPE
from tcop_mock.contract.case_pattern import common_pattern
from tcop_mock.domain.callback import Form
from tcop_mock.domain.delivery import RETRY_LATER_STATUSES, Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.contract.case_factory import CaseFactory
    from tcop_mock.domain.delivery import Attempt
    from tcop_mock.domain.shape import Shape

_FORMS = (Form.DOCUMENTED, Form.OBSERVED)


class PlainCallback(NamedTuple):
    """Which callbacks of the catalogue are the plain ones of a run."""

    shape_id: str = PLAIN_SHAPE
    form: Form = Form.DOCUMENTED

    def __str__(self) -> str:
        return self.shape_id if self.form is Form.DOCUMENTED else f"{self.shape_id} ({self.form} form)"


class Trial(NamedTuple):
    """What became of the callbacks of every shape."""

    plain: PlainCallback | None
    """The first that did; ``None`` if none did."""
    pattern: str = ""
    """What those that did not have in common."""


def is_refused(attempt: Attempt) -> bool:
    """Return whether a plain callback was answered and not accepted, so that another one may be."""
    return attempt.outcome is Outcome.REJECTED and attempt.status not in RETRY_LATER_STATUSES


def candidates(catalog: Catalog, form: Form) -> list[PlainCallback]:
    """Return the callbacks that may be plain ones: metrics first, and only what can be resolved."""
    shapes: list[Shape] = sorted(catalog, key=lambda shape: (not shape.metrics, shape.id != PLAIN_SHAPE))
    return [PlainCallback(shape.id, form) for shape in shapes if shape.can_resolve and not shape.unpublished]


async def try_candidates(
    catalog: Catalog,
    make_factory: Callable[[PlainCallback], CaseFactory],
    find_working: Callable[[Sequence[CaseFactory]], Awaitable[list[bool]]],
) -> Trial:
    """Try the callbacks of every shape, as documented, then as observed, until some work.

    Args:
        catalog: the shapes.
        make_factory: returns the factory of a plain callback.
        find_working: returns which of these work: are accepted, or have an effect.
    """
    for form in _FORMS:
        tried = candidates(catalog, form)
        factories = [make_factory(plain) for plain in tried]
        works = await find_working(factories)
        if any(works):
            cases = [factory.plain_case() for factory in factories]
            failed = [case for case, is_working in zip(cases, works, strict=True) if not is_working]
            working = [case for case, is_working in zip(cases, works, strict=True) if is_working]
            return Trial(tried[works.index(True)], common_pattern(failed, working).strip())
    return Trial(None)
