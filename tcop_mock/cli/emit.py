"""``tcop-mock emit``: callbacks on standard output and nothing else."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from tcop_mock.cli.drawing import with_drawing
from tcop_mock.cli.options import with_common
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tcop_mock.cli.drawing import Drawing, Drawn
    from tcop_mock.cli.options import Common


@with_drawing
@with_common
def emit(  # noqa: PLR0913 - one parameter an option
    pattern: str, count: int, output: str | None, *, pretty: bool, drawing: Drawing, common: Common
) -> None:
    """Write callbacks of a shape to standard output: one body, or one a line.

    The same seed gives the same bytes, on every machine.
    """
    shapes = common.catalog().match(pattern)
    many = count > 1 or len(shapes) > 1 or drawing.lifecycle is not None
    if many and (output == "json" or pretty) and not common.as_json:
        raise UsageError("several bodies go one a line: leave --format json and --pretty out, or use --json")
    drawing.rehearse(shapes, common, count)
    drawn = drawing.callbacks(shapes, common, count)
    common.tell(f"seed {common.seed}")
    out = sys.stdout.buffer
    if common.as_json:
        out.writelines(_document(drawn, common.seed))
        return
    for one in drawn:
        text = json.dumps(json.loads(one.body), ensure_ascii=False, indent=2).encode() if pretty else one.body
        out.write(text + b"\n")


def _document(drawn: Iterable[Drawn], seed: int) -> Iterator[bytes]:
    """Yield one JSON document, a line for each callback: however many there are, none waits for the next."""
    yield b'{"version": 1, "seed": %d, "callbacks": [' % seed
    between = b"\n"
    for shape, state, body in drawn:
        head = f'{{"shape": {json.dumps(shape.id, ensure_ascii=False)}, "state": "{state}", "body": '
        yield between + head.encode() + body + b"}"
        between = b",\n"
    yield b"\n]}\n"
