"""The plain callback of a run, found by trial if the receiver rejects or drops the usual one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from incident_receiver import IncidentReceiver
from incident_receivers import check_with_observer
from run_check import check_directly, failed_codes

from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.errors import TargetError
from tcop_mock.server.demo_receivers import correct_receiver
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.server.messages import Handler

CLAUSES = ["TCM101", "TCM302", "TCM308", "TCM401", "TCM409"]


def _taking(condition: Callable[[dict[str, Any]], bool]) -> Handler:
    """Return a receiver that answers 400 to callbacks that do not meet a condition."""

    def handler(request: ReceivedRequest) -> Reply:
        reply = correct_receiver(request)
        return reply if reply.status != 200 or condition(json.loads(request.body)) else Reply(400)

    return handler


def test_a_receiver_that_needs_a_key_is_checked_by_callbacks_that_have_it() -> None:
    """The note names the plain callback and the key; only the clause about the catalogue fails."""
    verdict = check_directly(_taking(lambda alarm: "deviceName" in json.dumps(alarm)), clauses=CLAUSES)
    [note] = verdict.notes
    assert note == (
        "The plain callback of this run is cvm/basic-monitoring-named, because cvm/basic-monitoring is answered 400. "
        "All lack alarmObjInfo.dimensions.deviceName, which every passed one has."
    )
    assert failed_codes(verdict) == {"TCM101"}
    assert [result.status for result in verdict.results[1:]] == [ClauseStatus.PASS] * 4


def test_a_receiver_of_one_product_is_checked_by_its_callbacks() -> None:
    """A receiver that takes one product only is judged by that, in the form that it takes."""
    verdict = check_directly(
        _taking(lambda alarm: alarm["alarmObjInfo"].get("namespace") == "qce/tke2"), clauses=["TCM101", "TCM308"]
    )
    assert verdict.notes
    assert "Only namespace qce/tke2 passed." in verdict.notes[0]
    assert failed_codes(verdict) == {"TCM101"}
    observed = check_directly(
        _taking(lambda alarm: list(alarm["alarmObjInfo"]["dimensions"]) == sorted(alarm["alarmObjInfo"]["dimensions"])),
        clauses=["TCM308"],
    )
    assert [result.status for result in observed.results] == [ClauseStatus.PASS]


def test_a_receiver_that_takes_nothing_has_one_reason() -> None:
    """If no callback is accepted, all other clauses have the same reason."""
    verdict = check_directly(_taking(lambda _alarm: False), clauses=CLAUSES)
    assert failed_codes(verdict) == {"TCM101"}
    reasons = {result.reason for result in verdict.results if result.clause.code in {"TCM302", "TCM308", "TCM401"}}
    assert reasons == {"no callback of the catalogue is accepted, a plain one is answered 400 (TCM101)"}
    assert not verdict.notes


def test_a_receiver_that_takes_the_plain_callback_is_asked_for_no_other() -> None:
    """A conforming receiver gets no trial."""
    verdict = check_directly(correct_receiver, clauses=CLAUSES)
    assert not verdict.notes
    assert failed_codes(verdict) == set()


def test_who_filters_requests_without_user_agent_wants_no_credentials() -> None:
    """The error names what the trial found. Where the request has a User-Agent already, nothing is tried."""

    def handler(request: ReceivedRequest) -> Reply:
        return correct_receiver(request) if request.header("user-agent") else Reply(403)

    with pytest.raises(TargetError, match=r"answers 403 to .*, and accepts it with a User-Agent: no page"):
        check_directly(handler, clauses=["TCM302"])
    profile = load_profile()
    profile = replace(profile, delivery=replace(profile.delivery, headers=(("User-Agent", "ops"),)))
    agents: list[str] = []

    def forbidding(request: ReceivedRequest) -> Reply:
        agents.append(request.header("user-agent"))
        return Reply(401)

    with pytest.raises(TargetError, match=r"wants credentials"):
        check_directly(forbidding, clauses=["TCM302"], profile=profile)
    assert agents == ["ops"]


def test_who_forbids_all_may_filter_by_another_thing() -> None:
    """A 403 that a User-Agent does not change may be about credentials or about the sender; a 401 is not."""
    with pytest.raises(TargetError, match=r"wants credentials: .*; where credentials change nothing, it filters by"):
        check_directly(lambda _request: Reply(403), clauses=["TCM302"])
    with pytest.raises(TargetError, match=r"wants credentials: .* percent-encoded$"):
        check_directly(lambda _request: Reply(401), clauses=["TCM302"])


class _DropsCvm(IncidentReceiver):
    """Answers 200 to callbacks of CVM, and does nothing."""

    async def __call__(self, request: ReceivedRequest) -> Reply:
        """Answer a request."""
        if request.method == "POST" and b"cvm_device" in request.body:
            return Reply(200)
        return await super().__call__(request)


@pytest.mark.proof
def test_a_receiver_that_drops_the_plain_callback_is_checked_by_one_that_has_an_effect() -> None:
    """The dropped callback is a finding of TCM519; the other clauses about effects are judged all the same."""
    verdict = check_with_observer(_DropsCvm(), ["TCM501", "TCM505", "TCM519"])
    assert "cvm/basic-monitoring is accepted and has no effect" in verdict.notes[0]
    assert failed_codes(verdict) == {"TCM519"}
    assert [result.status for result in verdict.results[:2]] == [ClauseStatus.PASS] * 2


def test_effects_that_nobody_sees_are_an_error() -> None:
    """If no callback has an effect, the reason questions the observer."""

    class DropsAll(_DropsCvm):
        async def __call__(self, request: ReceivedRequest) -> Reply:
            """Answer a request."""
            return Reply(200) if request.method == "POST" else await super().__call__(request)

    verdict = check_with_observer(DropsAll(), ["TCM501"])
    assert [result.status for result in verdict.results] == [ClauseStatus.ERROR]
    assert not verdict.notes
