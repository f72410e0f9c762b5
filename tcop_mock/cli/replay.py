"""The work of replay."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from tcop_mock.callbacks.classifier import find_nested_callback
from tcop_mock.callbacks.generator import Generator
from tcop_mock.cli.arguments import read_input
from tcop_mock.cli.emit import parse_edit
from tcop_mock.cli.send import Deliverer, DeliveryItem
from tcop_mock.contract.builders import BUILDERS
from tcop_mock.contract.case_factory import CaseFactory
from tcop_mock.contract.clauses import find_clause, load_clauses
from tcop_mock.contract.credentials import replayed_credentials
from tcop_mock.contract.reproduce import replayed_cases
from tcop_mock.errors import UsageError
from tcop_mock.inputs.reader import read_requests
from tcop_mock.inputs.requests import apply_edits, shift_times

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tcop_mock.cli.options import CommonOptions
    from tcop_mock.cli.target_options import DeliveryOptions
    from tcop_mock.domain.target import Credentials
    from tcop_mock.inputs.requests import InputRequest

_MAX_WARNINGS = 20
_LONG_PAUSE_S = 60.0
_BEIJING = timezone(timedelta(hours=8))
_CASE = re.compile(r"(TCM\d{3})(?:/(\d+))?", re.IGNORECASE)


def replay(  # noqa: PLR0913 - one parameter an option
    source: str,
    *,
    now: bool,
    sets: tuple[str, ...],
    unset: tuple[str, ...],
    delivery: DeliveryOptions,
    common: CommonOptions,
) -> int:
    """Send the requests of a file or of a clause again; return the exit code."""
    deliverer = Deliverer.build(delivery, common)
    case = _CASE.fullmatch(source)
    if case and not Path(source).exists():
        items, is_sent_once = _clause_requests(case, deliverer, common), True
    else:
        items, is_sent_once = _file_requests(source, deliverer, common)
    if sets or unset:
        edits = list(map(parse_edit, sets))
        items = [one._replace(body=apply_edits(one.body, edits, unset, one.name or source)) for one in items]
    if now:
        bodies, unmoved = shift_times([one.body for one in items], datetime.now(_BEIJING).replace(tzinfo=None))
        if unmoved:
            common.info(f"warning: {source}: times that cannot be shifted stay as they are: {unmoved} (--now)")
        items = [one._replace(body=body) for one, body in zip(items, bodies, strict=True)]
    if not is_sent_once:
        return deliverer.run([items])
    # one after the other, because a request may need the connection of the one before it
    return deliverer.sending_as_check(delivery.attempts or 1).run([[item] for item in items])


def _file_requests(source: str, deliverer: Deliverer, common: CommonOptions) -> tuple[list[DeliveryItem], bool]:
    """Return the requests of a file, and whether each is sent once, as check did, because the file is its report."""
    requests, unsent = read_requests(read_input(source), source)
    warnings = [*unsent, *_warnings_of_wrapped(requests)]
    for warning in warnings[:_MAX_WARNINGS]:
        common.info(f"warning: {source}: {warning}")
    if len(warnings) > _MAX_WARNINGS:
        common.info(f"warning: {source}: {len(warnings) - _MAX_WARNINGS} more warnings are not shown")
    first = next((request.received_at for request in requests if request.received_at), None)
    items = [_file_item(request, source, first, deliverer.target.credentials) for request in requests]
    pause_s = max(item.at_s for item in items) * (deliverer.time_scale or 0.0)
    if pause_s > _LONG_PAUSE_S:
        pause = timedelta(seconds=round(pause_s))
        common.info(f"warning: {source}: the last request is sent {pause} after the first; lower --time-scale")
    return items, any(request.reproduced for request in requests)


def _warnings_of_wrapped(requests: Iterable[InputRequest]) -> Iterator[str]:
    """Yield a warning for each body in which a log, a queue or a gateway has wrapped a callback: it is sent whole."""
    for request in requests:
        place = None if request.reproduced else find_nested_callback(request.parsed.tree)
        if place:
            location = f"{request.location}: " if request.location else ""
            yield f"{location}{place!r} holds an alarm callback; the whole body is sent, so cut out the callback"


def _file_item(
    request: InputRequest, source: str, first: datetime | None, credentials: Credentials | None
) -> DeliveryItem:
    at_s = (request.received_at - first).total_seconds() if request.received_at and first else 0.0
    name = f"{source} {request.location}".rstrip()
    if request.reproduced is None:
        return DeliveryItem(name, request.body, max(0.0, at_s), request.headers, request.to_outgoing(credentials))
    outgoing = request.to_outgoing(replayed_credentials(credentials, request.reproduced.credential_variant, name))
    return DeliveryItem(name, request.body, max(0.0, at_s), outgoing.headers, outgoing, request.reproduced.is_asserted)


def _clause_requests(case: re.Match[str], deliverer: Deliverer, common: CommonOptions) -> list[DeliveryItem]:
    """Return the requests of a clause as check sends them: the same bytes, methods, segments and credentials."""
    clause = find_clause(load_clauses(), case[1])
    generator = Generator(common.seed, wire_format=common.profile.wire_format)
    credentials, headers = deliverer.target.credentials, deliverer.rules.headers
    factory = CaseFactory(common.catalog(), generator, clause.code, credentials, headers)
    test = BUILDERS[clause.builder.name](factory, **clause.builder.params)
    cases = [one for group in test.groups for one in group.cases]
    if not any(replayed_cases(one, test) for one in cases if one.is_asserted):
        raise UsageError(
            f"requests of {clause.code} show nothing one by one; run `tcop-mock check TARGET --clauses {clause.code}`"
        )
    if case[2]:
        number = int(case[2])
        if not 0 < number <= len(cases):
            raise UsageError(
                f"{clause.code} has {len(cases)} cases; write {clause.code}/1 to {clause.code}/{len(cases)}"
            )
        cases = list(replayed_cases(cases[number - 1], test)) or [cases[number - 1]]
    return [
        DeliveryItem(
            f"{clause.code} {one.title}",
            one.request.body,
            headers=one.request.headers,
            request=one.request,
            is_asserted=one.is_asserted or len(cases) == 1,
        )
        for one in cases
    ]
