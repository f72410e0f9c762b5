"""Credentials in the output of a receiver: found in each form, and no ordinary word taken for one."""

from __future__ import annotations

import pytest

from tcop_mock.contract.receiver_control import OutputLeaks
from tcop_mock.domain.target import Credentials, Secret


def leaks(user: str = "tcop", password: str = "hunter2!") -> OutputLeaks:  # noqa: S107 - of no account
    """Return a search for credentials."""
    return OutputLeaks(Credentials(Secret(user), Secret(password)))


def found(search: OutputLeaks, *pieces: bytes) -> tuple[int, int, str]:
    """Return how many lines leak, the number of the first and its excerpt."""
    for piece in pieces:
        search.feed(piece)
    count, first = search.result()
    return (count, first.line_number, first.excerpt) if first else (count, 0, "")


def test_a_line_that_leaks_is_reported_with_its_number() -> None:
    """Only the first is shown; the user is masked beside the password."""
    output = b"starts\nuser tcop, password hunter2! is set\nagain hunter2!\n"
    assert found(leaks(), output) == (2, 2, "user ***, password *** is set")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_a_leak_may_come_in_pieces(size: int) -> None:
    """A read may end within a secret, or within a character."""
    output = "ärger\nBasic dGNvcDpodW50ZXIyIQ==\n".encode()
    pieces = [output[start : start + size] for start in range(0, len(output), size)]
    assert found(leaks(), *pieces) == (1, 2, "Basic ***")


def test_a_line_without_an_end_is_searched_too() -> None:
    """It is counted once, also if it gets its end later."""
    search = leaks()
    assert found(search, b"x hunter2!") == (1, 1, "x ***")
    assert found(search, b" and more\n", b"hunter2!\n") == (2, 1, "x ***")


@pytest.mark.parametrize("before", [65_530, 65_536, 131_070])
def test_a_leak_in_a_very_long_line_is_found(before: int) -> None:
    """The line is searched in parts that overlap."""
    output = b"." * before + b"hunter2!" + b"." * 70_000
    pieces = [output[start : start + 4096] for start in range(0, len(output), 4096)]
    assert found(leaks(), *pieces)[:2] == (1, 1)


@pytest.mark.parametrize(
    "user, password, line",
    [
        ("tcop", "hunter2!", "GET /?pw=hunter2%21"),
        ("tcop", 'pass"word-1', r'{"password": "pass\"word-1"}'),
        ("tcop", "hunter2", "logs in with hunter2 now"),
        ("tcop", "alarm", "password=alarm"),
        ("tcop", "alarm", "'WEBHOOK_PASSWORD': 'alarm'"),
        ("tcop", "alarm", "http://tcop:alarm@127.0.0.1/"),
        ("tcop", "alarm", "http://other:alarm@127.0.0.1/"),
        ("tcop", "alarm", "('tcop', 'alarm')"),
        ("tcop", "alarm", "tcop:alarm"),
        ("tcop", "alarm", "Authorization: Basic dGNvcDphbGFybQ=="),
        ("tcop", "alarm", "token dGNvcDphbGFybQ"),
        ("tcop", "1234", "secret: 1234"),
        ("a", "b", "Basic YTpi"),
        ("tcop", "correcthorsebatterystaple", "is correcthorsebatterystaple"),
    ],
)
def test_a_leak_is_known_by_its_form_or_its_place(user: str, password: str, line: str) -> None:
    """A word or a number is a leak where it stands for a password; all else wherever it stands."""
    count, _, excerpt = found(leaks(user, password), line.encode())
    assert count == 1
    assert "***" in excerpt
    assert password not in excerpt


@pytest.mark.parametrize(
    "user, password, line",
    [
        ("tcop", "hunter2!", "user tcop pushed an alarm"),
        ("tcop", "alarm", "tcop alarm received"),
        ("tcop", "alarm", "tcop: alarm received"),
        ("tcop", "alarm", "an alarm: 'alarm', \"alarm\", alarm"),
        ("tcop", "alarm", "alarm"),
        ("tcop", "secret", "the secret is wrong: secret mismatch"),
        ("tcop", "wrong", "401: wrong password"),
        ("tcop", "password", "a wrong password, password missing"),
        ("tcop", "123456", "took 0.123456 s, policy-123456, 123456"),
        ("tcop", "a1", "dimension a1 of cvm"),
        ("tcop", "node12", "node123 and xnode12"),
        ("tcop", "authentication", "authentication failed"),
        ("tcop", "", "password="),
        ("", "alarm", "error: alarm"),
    ],
)
def test_prose_is_no_leak(user: str, password: str, line: str) -> None:
    """A password that is a word, a number or very short is none of the receiver's words."""
    assert found(leaks(user, password), line.encode()) == (0, 0, "")
