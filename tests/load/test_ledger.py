"""Writing the ledger."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from receiver_factories import in_thread, server_factory

from tcop_mock.callbacks.generator import Generator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.callback_view import key_from_body
from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.load import AttemptRecord, DeliveryRecord, LoadModel, LoadPlan, ScheduledCallback, Stage
from tcop_mock.domain.target import Target
from tcop_mock.errors import UsageError
from tcop_mock.load.ledger import Ledger
from tcop_mock.load.run import LoadRun
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from pathlib import Path

_PUSHED = AttemptRecord(0.0, 0.0, 0.5, Outcome.ACKED, 200)
_COUNT = 5


def test_a_line_is_written_for_each_notification(tmp_path: Path) -> None:
    """One after the other; attempts are counted by alarm, also where no file is wanted."""
    file = tmp_path / "ledger.jsonl"
    file.write_text("an older one\n", encoding="utf-8")
    kept, counted = Ledger(str(file)), Ledger(None)
    for ledger in (kept, counted):
        ledger(
            DeliveryRecord(
                ScheduledCallback(0.0, b"{}", "x", "ins-1", "firing", "s1", alarm_number=1), (_PUSHED, _PUSHED)
            )
        )
        ledger(
            DeliveryRecord(ScheduledCallback(1.0, b"{}", "x", "ins-1", "resolved", "s2", alarm_number=1), (_PUSHED,))
        )
        ledger(DeliveryRecord(ScheduledCallback(1.0, b"{}", "y", "ins-2", "firing", "s3", alarm_number=3), ()))
        ledger(DeliveryRecord(ScheduledCallback(1.0, b"{}"), (_PUSHED,)))
        ledger.close()
        assert ledger.attempts == {0: 1, 3: 1}
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [(row["session"][:6], row["attempts"]) for row in rows] == [("s1", 2), ("s2", 1), ("s3", 0), ("sha256", 1)]


def test_a_ledger_that_cannot_be_begun_is_refused(tmp_path: Path) -> None:
    """Before anything is sent."""
    with pytest.raises(UsageError, match=r"--ledger '.*' cannot be written: Is a directory"):
        Ledger(str(tmp_path))


@pytest.mark.parametrize("lines", [1, 200], ids=["at the end", "on the way"])
def test_a_full_disk_does_not_break_the_load_off(lines: int) -> None:
    """It is reported when the load is over; what comes in between is counted on."""
    ledger = Ledger("/dev/full")
    for number in range(lines):
        callback = ScheduledCallback(0.0, b"{}", f"{number}", "ins-1", "firing", f"{number}", alarm_number=number)
        ledger(DeliveryRecord(callback, (_PUSHED,)))
    assert ledger.attempts == {1: lines}
    with pytest.raises(UsageError, match="--ledger '/dev/full' cannot be written: No space left on device"):
        ledger.close()


@pytest.mark.proof
@pytest.mark.parametrize("model", [LoadModel.OPEN, LoadModel.CLOSED])
def test_loads_without_a_script_record_each_push(model: LoadModel) -> None:
    """Each body that the receiver took is reported once, with its outcome; by one process only."""
    came: list[bytes] = []

    def take(received: ReceivedRequest) -> Reply:
        came.append(received.body)
        return Reply(200)

    reported: list[DeliveryRecord] = []
    with in_thread(server_factory(lambda: take)) as url:
        plan = LoadPlan(
            Target.parse(url),
            load_profile().delivery,
            "2023",
            1,
            model=model,
            stages=(Stage(1.0, 1000.0, 1000.0),),
            concurrency=2,
            count=_COUNT,
            mix=(("cvm/basic-monitoring", 1.0),),
        )
        catalog, generator = Catalog.load(), Generator(1)

        async def play() -> None:
            async for _ in LoadRun(plan, catalog, generator, on_delivery=reported.append).events():
                pass

        asyncio.run(play())
    assert sorted(key_from_body(one.callback.body) for one in reported) == sorted(map(key_from_body, came))
    assert [(one.is_acked, len(one.attempts)) for one in reported] == [(True, 1)] * _COUNT
    assert all(one.attempts[0].ended_s >= one.attempts[0].started_s >= 0 for one in reported)
