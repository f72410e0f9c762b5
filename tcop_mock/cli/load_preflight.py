"""The one callback that is sent before a load, to a receiver that has to be there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tcop_mock.contract.preflight import raise_if_no_http, raise_if_unusable
from tcop_mock.domain.delivery import OutgoingRequest
from tcop_mock.domain.load import AttemptRecord, DeliveryRecord, ScheduledCallback
from tcop_mock.transport.http1 import HttpTransport
from tcop_mock.transport.protocol_probe import identify_protocol

if TYPE_CHECKING:
    from tcop_mock.domain.load import LoadPlan


def preflight(plan: LoadPlan, body: bytes) -> DeliveryRecord:
    """Send one callback, and return its notification; it is in no statistic, but the receiver has it.

    Raises:
        TargetError: the target cannot be reached, requires other credentials, or does not have that path.
    """
    post = HttpTransport(
        plan.target, max_body_bytes=plan.rules.answer_cap_bytes, insecure=plan.insecure, connection=plan.connection
    )
    push = OutgoingRequest(body, headers=plan.rules.headers, credentials=plan.target.credentials)
    attempt = asyncio.run(post(push, deadline_s=plan.rules.timeout_s))
    raise_if_no_http(asyncio.run(identify_protocol(plan.target, attempt)), plan.target)
    raise_if_unusable(attempt, plan.target)
    spent_s = attempt.duration_s
    return DeliveryRecord(
        ScheduledCallback(-spent_s, body), (AttemptRecord(-spent_s, -spent_s, 0.0, attempt.outcome, attempt.status),)
    )
