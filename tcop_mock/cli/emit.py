"""``tcop-mock emit``: callbacks on standard output and nothing else."""

from __future__ import annotations

import itertools
import json
import sys
from typing import TYPE_CHECKING, Any

from tcop_mock.cli.drawing import with_drawing
from tcop_mock.cli.options import target_of, with_common, with_headers
from tcop_mock.cli.settings import configured_target
from tcop_mock.domain.target import Target
from tcop_mock.errors import UsageError
from tcop_mock.reports.scripts import SCRIPT_FORMATS, NamedBody, request_script

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tcop_mock.cli.drawing import Drawing, Drawn
    from tcop_mock.cli.options import Common

_NEAR = "http://127.0.0.1:8080/"
"""Where scripts post to, unless they are told otherwise."""


@with_drawing
@with_common
def emit(  # noqa: PLR0913 - one parameter an option
    pattern: str,
    count: int,
    output: str | None,
    to: str | None,
    headers: tuple[str, ...],
    *,
    pretty: bool,
    drawing: Drawing,
    common: Common,
) -> None:
    """Write callbacks of a shape to standard output: one body, one a line, or what posts them.

    The same seed gives the same bytes, on every machine.
    """
    shapes = common.catalog().match(pattern)
    if output in SCRIPT_FORMATS and (common.as_json or pretty):
        raise UsageError(f"--format {output} is no JSON: leave --json and --pretty out")
    if (to or headers) and output not in SCRIPT_FORMATS:
        raise UsageError(
            f"--to and --header go with --format {'|'.join(sorted(SCRIPT_FORMATS))}; `tcop-mock send` posts at once"
        )
    many = count > 1 or len(shapes) > 1 or drawing.lifecycle is not None
    if many and (output == "json" or pretty) and not common.as_json:
        raise UsageError("several bodies go one a line: leave --format json and --pretty out, or use --json")
    drawing.rehearse(shapes, common, count)
    drawn = drawing.callbacks(shapes, common, count)
    if output in SCRIPT_FORMATS:
        letters = (NamedBody(f"{one.shape.id} {one.state}", one.body) for one in drawn)
        parts = request_script(output, letters, _receiver(to), with_headers(common.profile.delivery, headers))
    elif common.as_json:
        parts = _document(drawn, common.seed)
    else:
        parts = (_indented(one.body) if pretty else one.body + b"\n" for one in drawn)
    first = next(parts)  # what can fail has failed by now, and nothing is written
    drawing.tell_assumed(common)
    common.tell(f"seed {common.seed}")
    sys.stdout.buffer.writelines(itertools.chain([first], parts))


def _receiver(to: str | None) -> Target:
    if not to and not configured_target():
        return Target.parse(_NEAR)
    target = target_of(to, flag="--to URL")
    if target.app:
        raise UsageError(f"--to {target}: an app in this process has no address; write the URL that it is served at")
    return target


def _indented(body: bytes) -> bytes:
    return json.dumps(_tree(body), ensure_ascii=False, indent=2).encode() + b"\n"


def _tree(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(body)
    except ValueError:
        raise UsageError("a body that is no JSON is written as it is: leave --json and --pretty out") from None


def _document(drawn: Iterable[Drawn], seed: int) -> Iterator[bytes]:
    """Yield one JSON document, a line for each callback: however many there are, none waits for the next."""
    between = b'{"version": 1, "seed": %d, "callbacks": [\n' % seed
    for shape, state, body in drawn:
        _tree(body)
        head = f'{{"shape": {json.dumps(shape.id, ensure_ascii=False)}, "state": "{state}", "body": '
        yield between + head.encode() + body + b"}"
        between = b",\n"
    yield b"\n]}\n"
