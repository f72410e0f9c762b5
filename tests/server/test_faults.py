"""Faults: their syntax, and when they apply."""

from __future__ import annotations

import pytest

from tcop_mock.errors import UsageError
from tcop_mock.server.faults import FAULTS, Fault, FaultPlan, parse_fault, parse_script


def _chosen(*texts: str, requests: int = 6, at_s: float = 0.0, seed: int = 7) -> list[str]:
    plan = FaultPlan([parse_fault(text) for text in texts], seed=seed)
    chosen = (plan.choose(number, at_s) for number in range(1, requests + 1))
    return [fault.name if fault else "ok" for fault in chosen]


@pytest.mark.parametrize(
    "text, name, arg",
    [
        ("status:503", "status", 503.0),
        ("status:204:2", "status", 204.0),
        ("delay:6", "delay", 6.0),
        ("delay:6:2", "delay", 6.0),
        ("delay:500ms:0.5", "delay", 0.5),
        ("delay-headers:1m", "delay-headers", 60.0),
        ("drip-headers", "drip-headers", 0.1),
        ("drip-headers:3", "drip-headers", 0.1),
        ("drip-body:5ms:3", "drip-body", 0.005),
        ("redirect", "redirect", "/elsewhere"),
        ("redirect:/b", "redirect", "/b"),
        ("redirect:http://h:80/b:2", "redirect", "http://h:80/b"),
        ("wrong-length", "wrong-length", 10.0),
        ("wrong-length:-5", "wrong-length", -5.0),
        ("401:#2", "401", ""),
    ],
)
def test_a_fault_has_a_name_and_an_argument(text: str, name: str, arg: float | str) -> None:
    """The last part is WHEN if it is valid as such and no argument is missing."""
    fault = parse_fault(text)
    assert (fault.name, fault.argument) == (name, arg)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("reset", "111111"),
        ("reset:2", "110000"),
        ("reset:#3", "001000"),
        ("reset:#3-5", "001110"),
        ("reset:%2", "010101"),
        ("reset:0.0", "000000"),
        ("reset:1.0", "111111"),
    ],
)
def test_when_is_a_count_a_probability_or_a_position(text: str, expected: str) -> None:
    """The first N requests, the third to the fifth, every second one."""
    assert "".join("01"[name == "reset"] for name in _chosen(text)) == expected


def test_a_probability_uses_the_seed() -> None:
    """The same seed chooses the same requests, about as many as requested."""
    one, again, other = (_chosen("reset:0.25", requests=2000, seed=seed) for seed in (1, 1, 2))
    assert one == again != other
    assert 400 < one.count("reset") < 600


@pytest.mark.parametrize("at_s, name", [(9.9, "ok"), (10.0, "reset"), (29.9, "reset"), (30.0, "ok")])
def test_a_time_counts_from_the_start(at_s: float, name: str) -> None:
    """From 10 s on, and up to 30 s."""
    assert _chosen("reset:@10s-0.5m", requests=1, at_s=at_s) == [name]


def test_the_first_applicable_fault_is_injected() -> None:
    """Faults are checked in the order in which they are given."""
    assert _chosen("empty:1", "reset:2", "garbage:#4") == ["empty", "reset", "ok", "garbage", "ok", "ok"]


def test_a_script_comes_first() -> None:
    """It has one line for each request; the other faults apply after it."""
    script = parse_script("# a day\nok:2\nstatus:503:2 # busy\n\nreset\n", "s")
    plan = FaultPlan([parse_fault("empty")], script)
    chosen = [plan.choose(number, 0.0) for number in range(1, 8)]
    assert [fault.text if fault else "ok" for fault in chosen] == [
        "ok",
        "ok",
        "status:503",
        "status:503",
        "reset",
        "empty",
        "empty",
    ]


@pytest.mark.parametrize(
    "text, hint",
    [
        ("rest", "unknown fault 'rest'; did you mean 'reset'"),
        ("", "unknown fault ''; one of status, delay"),
        ("status", "write a status"),
        ("status:99", "write a status"),
        ("status:abc:2", "write a status"),
        ("delay", "write a duration"),
        ("delay:soon", "write a duration"),
        ("delay:0", "write a duration"),
        ("delay:5sm", "write a duration"),
        ("drip-body:5:2", "the time between bytes needs a unit"),
        ("reset:x", "this fault has no argument"),
        ("reset:", "this fault has no argument"),
        ("reset:0", "this fault has no argument"),
        ("reset:%0", "this fault has no argument"),
        ("reset:#5-3", "this fault has no argument"),
        ("redirect:http://h", "write a path"),
        ("wrong-length:ten", "write how many bytes"),
    ],
)
def test_an_invalid_fault_is_an_error(text: str, hint: str) -> None:
    """One line has the text and the right syntax."""
    with pytest.raises(UsageError) as caught:
        parse_fault(text)
    assert str(caught.value).startswith(f"--fault {text!r}: ")
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    "script, message",
    [
        ("ok\nrest", "s, line 2: 'rest': unknown fault 'rest'"),
        ("ok:x", "s, line 1: 'ok:x': write ok, or ok:N"),
        ("reset:0.5", "s, line 1: 'reset:0.5': in a script a fault can only end in :N"),
        ("reset:#2", "in a script a fault can only end in :N"),
        ("reset:%2", "in a script a fault can only end in :N"),
        ("reset:@1s-2s", "in a script a fault can only end in :N"),
    ],
)
def test_a_script_is_parsed_by_line(script: str, message: str) -> None:
    """An error names its line."""
    with pytest.raises(UsageError) as caught:
        parse_script(script, "s")
    assert message in str(caught.value)


def test_every_fault_has_an_example() -> None:
    """The examples in error messages are valid."""
    for name, kind in FAULTS.items():
        example = kind.hint.rpartition("as in ")[2] if "as in " in kind.hint else name
        assert isinstance(parse_fault(example), Fault)
