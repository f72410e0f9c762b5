"""``tcop-mock replay``: what was kept is sent again, byte for byte."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from tcop_mock.callbacks.generator import Generator
from tcop_mock.cli.delivering import Delivering, Parcel, with_delivering
from tcop_mock.cli.drawing import parse_edit
from tcop_mock.cli.options import read_input, with_common
from tcop_mock.contract.builders import BUILDERS
from tcop_mock.contract.case_factory import CaseFactory
from tcop_mock.contract.clauses import find_clause, load_clauses
from tcop_mock.errors import UsageError
from tcop_mock.inputs.edits import apply_edits, shift_times
from tcop_mock.inputs.reader import read_requests

if TYPE_CHECKING:
    from tcop_mock.cli.options import Common
    from tcop_mock.inputs.requests import InputRequest

_BEIJING = timezone(timedelta(hours=8))
_MAX_WARNINGS = 20
_LONG_PAUSE_S = 60.0
_CASE = re.compile(r"(TCM\d{3})(?:/(\d+))?", re.IGNORECASE)


@with_common
@with_delivering
def replay(  # noqa: PLR0913 - click hands them in one by one
    source: str,
    *,
    now: bool,
    sets: tuple[str, ...],
    unset: tuple[str, ...],
    delivering: Delivering,
    common: Common,
) -> int:
    """Send again what listen --record, check, emit, a HAR, a capture or a curl line holds; or a case of a clause.

    Exit code 0: all accepted, 1: not.
    """
    case = _CASE.fullmatch(source)
    if case and not Path(source).exists():
        parcels = _of_clause(case, delivering, common)
    else:
        parcels = _of_file(source, delivering, common)
    if sets or unset:
        edits = list(map(parse_edit, sets))
        parcels = [one._replace(body=apply_edits(one.body, edits, unset, one.name or source)) for one in parcels]
    if now:
        bodies, unmoved = shift_times([one.body for one in parcels], datetime.now(_BEIJING).replace(tzinfo=None))
        if unmoved:
            common.tell(f"warning: {source}: times that cannot be shifted stay as they are: {unmoved} (--now)")
        parcels = [one._replace(body=body) for one, body in zip(parcels, bodies, strict=True)]
    return delivering.run([parcels], common)


def _of_file(source: str, delivering: Delivering, common: Common) -> list[Parcel]:
    requests, warnings = read_requests(read_input(source), source)
    for warning in warnings[:_MAX_WARNINGS]:
        common.tell(f"warning: {source}: {warning}")
    if len(warnings) > _MAX_WARNINGS:
        common.tell(f"warning: {source}: {len(warnings) - _MAX_WARNINGS} more parts are not sent")
    first = next((one.received_at for one in requests if one.received_at), None)
    parcels = [_parcel(one, source, first, delivering) for one in requests]
    pause_s = max(one.at_s for one in parcels) * (delivering.time_scale or 0.0)
    if pause_s > _LONG_PAUSE_S:
        pause = str(timedelta(seconds=round(pause_s)))
        common.tell(
            f"warning: {source}: the last request is sent {pause} after the first: a smaller --time-scale ends sooner"
        )
    return parcels


def _parcel(request: InputRequest, source: str, first: datetime | None, delivering: Delivering) -> Parcel:
    at_s = (request.received_at - first).total_seconds() if request.received_at and first else 0.0
    like = request.to_outgoing(delivering.target.credentials)
    return Parcel(f"{source} {request.location}".rstrip(), request.body, max(0.0, at_s), request.headers, like)


def _of_clause(case: re.Match[str], delivering: Delivering, common: Common) -> list[Parcel]:
    """Return the requests of a clause as check sends them: the same bytes, methods, segments and credentials."""
    clause = find_clause(load_clauses(), case[1])
    generator = Generator(common.seed, wire_format=common.profile.wire_format)
    headers = delivering.rules.headers
    shop = CaseFactory(common.catalog(), generator, clause.code, delivering.target.credentials, headers)
    play = BUILDERS[clause.builder.name](shop, **clause.builder.params)
    cases = [one for scene in play.groups for one in scene.cases]
    if case[2]:
        number = int(case[2])
        if not 0 < number <= len(cases):
            raise UsageError(
                f"{clause.code} has {len(cases)} cases; write {clause.code}/1 to {clause.code}/{len(cases)}"
            )
        cases = [cases[number - 1]]
    return [
        Parcel(f"{clause.code} {one.title}", one.request.body, headers=one.request.headers, like=one.request)
        for one in cases
    ]
