"""``tcop-mock emit``: callbacks on standard output and nothing else."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from tcop_mock.cli.drawing import with_drawing
from tcop_mock.cli.options import with_common
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from tcop_mock.cli.drawing import Drawing
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
    if common.as_json:
        callbacks = [{"shape": one.shape.id, "state": one.state, "body": json.loads(one.body)} for one in drawn]
        document = {"version": 1, "seed": common.seed, "callbacks": callbacks}
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    out = sys.stdout.buffer
    for one in drawn:
        text = json.dumps(json.loads(one.body), ensure_ascii=False, indent=2).encode() if pretty else one.body
        out.write(text + b"\n")
