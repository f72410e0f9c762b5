"""``tcop-mock send``: deliver callbacks as TCOP does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tcop_mock.cli.delivering import Delivering, Parcel, with_delivering
from tcop_mock.cli.drawing import DRAWING_FLAGS, Drawing, with_drawing
from tcop_mock.cli.options import on_command_line, read_input, with_common
from tcop_mock.domain.shape import Lang
from tcop_mock.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from tcop_mock.cli.options import Common


@with_drawing
@with_common
@with_delivering
def send(source: str, *, delivering: Delivering, drawing: Drawing, common: Common) -> int:
    """Deliver a callback: of the shape ID, from a FILE, or from standard input (-).

    The body goes out as one POST; a failed one is pushed again as the profile says. Exit code 0: accepted, 1: not.
    """
    given = source == "-" or Path(source).is_file()
    lives = _given(source, drawing, delivering) if given else _drawn(source, drawing, common)
    return delivering.run(lives, common, Lang(drawing.lang))


def _given(source: str, drawing: Drawing, delivering: Delivering) -> list[list[Parcel]]:
    asked = replace(drawing, lang=Drawing().lang) if delivering.end == "wecom" else drawing
    refused = set(DRAWING_FLAGS) - ({"lang"} if delivering.end == "wecom" else set())
    if asked != Drawing() and any(map(on_command_line, refused)):  # what is configured is for other calls
        raise UsageError("a body that is given is sent as it is; options that draw or change one are for an ID")
    body, name = read_input(source), "standard input" if source == "-" else source
    if not body:
        raise UsageError(f"{name} is empty: there is nothing to send")
    return [[Parcel(name, body)]]


def _drawn(source: str, drawing: Drawing, common: Common) -> list[list[Parcel]]:
    try:
        shapes = common.catalog().match(source)
    except UnknownNameError as problem:
        raise UsageError(f"{problem} ({source!r} is no file either)") from None
    lives = [
        [Parcel(f"{drawn.shape.id} {drawn.state}", drawn.body, at_s) for drawn, at_s in life]
        for life in drawing.lives(shapes, common)
    ]
    drawing.tell_assumed(common)
    common.tell(f"seed {common.seed}")
    return lives
