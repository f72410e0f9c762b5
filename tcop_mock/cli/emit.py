"""``tcop-mock emit``: callbacks on standard output and nothing else."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from tcop_mock.cli.drawing import drawing_options
from tcop_mock.cli.options import common_options
from tcop_mock.errors import UsageError

if TYPE_CHECKING:
    from tcop_mock.cli.drawing import Drawing
    from tcop_mock.cli.options import Common


@click.command("emit")
@click.argument("pattern", metavar="ID|GLOB")
@click.option("-n", "count", type=click.IntRange(min=1), default=1, show_default=True, help="Alarms of each shape.")
@drawing_options
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "ndjson"]),
    help="Of standard output.  [default: json for one body, else ndjson]",
)
@click.option("--pretty", is_flag=True, help="Indent; for one body.")
@common_options
def emit_command(  # noqa: PLR0913 - one parameter an option
    pattern: str, count: int, form: str | None, *, pretty: bool, drawing: Drawing, common: Common
) -> None:
    """Write callbacks of a shape to standard output: one body, or one a line.

    The same seed gives the same bytes, on every machine.
    """
    shapes = common.catalog().match(pattern)
    many = count > 1 or len(shapes) > 1 or drawing.lifecycle is not None
    if many and (form == "json" or pretty) and not common.as_json:
        raise UsageError("several bodies go one a line: leave --format json and --pretty out, or use --json")
    drawing.rehearse(shapes, common.seed, count)
    drawn = drawing.callbacks(shapes, common.seed, count)
    common.tell(f"seed {common.seed}")
    if common.as_json:
        callbacks = [{"shape": one.shape.id, "state": one.state, "body": one.tree} for one in drawn]
        document = {"version": 1, "seed": common.seed, "callbacks": callbacks}
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    out = sys.stdout.buffer
    for one in drawn:
        text = json.dumps(one.tree, ensure_ascii=False, indent=2).encode() if pretty else one.body()
        out.write(text + b"\n")
