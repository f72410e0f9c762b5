"""Callbacks in tests: ``tcop_alarm``, ``tcop_lifecycle``, ``tcop_mock.parametrize``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest
    from pytester_runs import RunPytest

PRINTS = """
import pytest

@pytest.mark.xdist_group("a")
def test_one(tcop_alarm, tcop_lifecycle, tcop_callback, record):
    life = tcop_lifecycle("cvm/basic-monitoring", "fire,repeat:2,resolve")
    record([one.to_bytes() for one in (tcop_alarm(), tcop_alarm(), tcop_callback, *life)])

def test_two(tcop_alarm, record):
    record([tcop_alarm().to_bytes()])

@pytest.fixture
def record(request):
    def write(bodies):
        with open(request.node.name, "wb") as file:
            file.write(b"\\n".join(bodies))
    return write
"""


def test_the_same_test_gets_the_same_callbacks(inner: RunPytest, pytester: pytest.Pytester) -> None:
    """Callbacks depend on the test's id and --tcop-seed only, not on the order or other tests."""

    def drawn(*arguments: str) -> tuple[bytes, bytes]:
        inner(PRINTS, *arguments).assert_outcomes(passed=2 - ("-k" in arguments))
        one, two = ((pytester.path / name).read_bytes() for name in ("test_one", "test_two"))
        return one, two

    first = drawn()
    assert first == drawn("-k", "two") == drawn("--tcop-seed=0")
    assert len(set(first[0].split(b"\n"))) > 4
    assert not set(first[0].split(b"\n")) & set(first[1].split(b"\n"))
    other = drawn("--tcop-seed=1")
    assert other[0] != first[0]
    pytester.makeini("[pytest]\ntcop_seed = 1")
    assert drawn() == other


def test_a_callback_is_what_was_asked_for(inner: RunPytest) -> None:
    """Shape, state, metric, language and form are as they were asked for; the form may come from a mark."""
    inner("""
import pytest, tcop_mock
from tcop_mock import Form, NotifyType, RepeatPolicy, State

def test_asked(tcop_alarm):
    one = tcop_alarm("cvm/basic-monitoring", "resolved", metric="mem_usage", lang="zh")
    tree = one.to_dict()
    assert tree["alarmStatus"] == "0"
    assert tree["alarmPolicyInfo"]["conditions"]["metricName"] == "mem_usage"
    assert tree["alarmPolicyInfo"]["policyTypeCName"] == "云服务器-基础监控"
    assert tcop_alarm("cvm/events", event="ping_unreachable").alarm.event.name == "ping_unreachable"
    assert tcop_alarm(form="observed").form is Form.OBSERVED
    with pytest.raises(tcop_mock.UsageError, match="unknown state 'fireing'; did you mean 'firing'"):
        tcop_alarm(state="fireing")

def test_life(tcop_lifecycle):
    every = RepeatPolicy(NotifyType.CONTINUOUS, 300)
    life = tcop_lifecycle(notify=every)
    assert [one.state for one in life] == [State.FIRING, State.REPEATED, State.REPEATED, State.RESOLVED]
    assert [one.duration_s for one in life][:3] == [0, 300, 600]

@pytest.mark.tcop(form="observed", profile="2025")
def test_mark(tcop_alarm):
    assert tcop_alarm().form is Form.OBSERVED
    assert isinstance(tcop_alarm(form="documented").to_dict()["alarmStatus"], int)
""").assert_outcomes(passed=3)


SHAPES = """
import tcop_mock

@tcop_mock.parametrize("cvm/*", "clb/private-listener", states=["firing", "repeated"])
def test_shape(tcop_callback):
    assert tcop_callback.state in ("firing", "repeated")
    assert tcop_callback.alarm.shape_id != "cvm/basic-monitoring"

class TestShapes:
    @tcop_mock.parametrize("cdn/*", langs=["en", "zh"], forms=["documented", "observed"])
    def test_words(self, tcop_callback):
        assert tcop_callback.to_bytes()
"""


def test_shapes_are_parameters_with_readable_ids(inner: RunPytest) -> None:
    """Each shape and state is a test of its own, which -k chooses; states that a shape does not have are left out."""
    listed = [line for line in inner(SHAPES, "--collect-only", "-q").outlines if "::" in line]
    assert "test_it.py::test_shape[cvm/basic-monitoring-firing]" in listed
    assert "test_it.py::test_shape[cvm/basic-monitoring-repeated]" in listed
    assert "test_it.py::test_shape[cvm/events-firing]" in listed
    assert "test_it.py::test_shape[cvm/events-repeated]" not in listed
    assert any(line.endswith("-firing-zh-observed]") for line in listed)
    inner(SHAPES, "-k", "private-listener and repeated").assert_outcomes(passed=1, deselected=len(listed) - 1)


def test_shapes_that_failed_are_run_again_alone(pytester: pytest.Pytester) -> None:
    """--lf runs the parameters that failed, and only these."""
    pytester.makepyfile(test_it=SHAPES)
    others = ("asyncio", "locust", "randomly", "xdist", "hypothesispytest")
    off = [part for name in others for part in ("-p", f"no:{name}")]
    assert pytester.runpytest_inprocess(*off).parseoutcomes()["failed"] == 2
    again = pytester.runpytest_inprocess(*off, "--lf")
    assert again.parseoutcomes()["failed"] == 2
    assert "passed" not in again.parseoutcomes()


def test_shapes_of_ones_own(inner: RunPytest, pytester: pytest.Pytester) -> None:
    """A catalogue of one's own is a parameter's home, and the catalogue of all fixtures where the fixture gives it."""
    (pytester.mkdir("own") / "queue.toml").write_text(_ENTRY, encoding="utf-8")
    inner("""
import pytest, tcop_mock
OWN = tcop_mock.Catalog.load("own")

@pytest.fixture(scope="session")
def tcop_catalogue():
    return OWN

@tcop_mock.parametrize("queue", catalog=OWN)
def test_own(tcop_callback, tcop_alarm):
    assert tcop_callback.alarm.namespace == tcop_alarm("queue").alarm.namespace == "qce/acme"
""").assert_outcomes(passed=1)


_ENTRY = """
title = "Acme - queue"
title_zh = "Acme-队列"
kind = "metric"
namespace = "qce/acme"
regional = true
source = "a capture of ours"
assumed = []

[policy]
type = "acme_queue"
name = "Acme - queue"
name_zh = "Acme-队列"

[values]
queue = { generator = "resource_id", prefix = "queue" }

[dimensions]
queueId = "{queue}"

[[metrics]]
metricName = "depth"
metricShowName = "Depth"
metricShowName_zh = "深度"
unit = "Count"
unit_zh = "个"
calcType = ">"
calcValue = "1000"
range = [0, 100_000]
source = "ours"
"""
