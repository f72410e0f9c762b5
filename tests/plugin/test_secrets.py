"""No output of the plugin holds a password: no failure, no repr, no report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tcop_mock.domain.target import Credentials, Secret
from tcop_mock.reports.formats import format_names

if TYPE_CHECKING:
    from pytester_runs import RunPytest

TESTS = """
import pytest

@pytest.fixture
def tcop_target(tcop_receiver):
    def hasty(one):
        return 500 if one.at("alarmStatus") == "0" and one.at("recoverTime") in ("0", 0, "") else None
    tcop_receiver.answer_with(hasty)
    return tcop_receiver.url.replace("://", "://alarms:gehe%40im@")

def test_contract(tcop_contract):
    tcop_contract.check()

def test_sender(tcop_sender, tcop_alarm, _tcop_target_under_test, tcop_receiver):
    delivery = tcop_sender.send(tcop_alarm())
    assert tcop_receiver.callbacks[0].header("authorization").startswith("Basic ")
    assert (delivery, _tcop_target_under_test, tcop_sender) == (tcop_receiver.callbacks, None, None)
"""


@pytest.mark.proof
def test_no_output_holds_a_password(inner: RunPytest, pytester: pytest.Pytester) -> None:
    """A password in the target is sent, and shown nowhere: not in failures, locals and logs, not in any report."""
    kinds = format_names()
    reports = [f"--tcop-report={kind}=report.{kind}" for kind in kinds]
    result = inner(TESTS, "--tcop-clauses=TCM302,TCM205", "-vv", "-l", "-rA", *reports)
    assert result.parseoutcomes()["failed"] >= 2
    reported = [str(result.stdout), str(result.stderr)]
    reported += [(pytester.path / f"report.{kind}").read_text(encoding="utf-8") for kind in kinds]
    traces = [trace for trace in Credentials(Secret("alarms"), Secret("gehe@im")).leak_patterns() if trace != "alarms"]
    assert len(traces) > 2
    assert [trace for trace in traces for text in reported if trace in text] == []
