"""The diagnostics of single observations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from tcop_mock import doctor
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.delivery import Attempt, Outcome
from tcop_mock.domain.diagnosis import Certificate, ConnectionProbe, Severity, TlsProbe
from tcop_mock.domain.target import Target

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RULES = load_profile("2023").delivery
PLAIN, GUARDED = Target.parse("http://h/hook"), Target.parse("http://u:p@h/hook")


def attempt(status: int | None = 200, *, ended_s: float = 0.1, **values: Any) -> Attempt:
    """Return an attempt that began at 0."""
    outcome = values.pop("outcome", Outcome.from_status(status))
    return Attempt(outcome, 0.0, 0.0, ended_s, status=status, **values)


def test_addresses() -> None:
    """A public IPv4 address is fine; a private address, or IPv6 alone, is reported."""
    assert doctor.check_dns("h", [("2400::1", True), ("43.1.2.3", False)], 0.01).severity is Severity.FINE
    inside = doctor.check_dns("h", [("43.1.2.3", False), ("10.0.0.1", False)], 0.01)
    assert (inside.severity, "10.0.0.1 is not" in inside.meaning) == (Severity.NOTE, True)
    assert "IPv6" in doctor.check_dns("h", [("2400::1", True)], 0.01).meaning
    assert doctor.check_dns("h", [("fe80::1%eth0", True)], 0.01).severity is Severity.NOTE


def test_connections() -> None:
    """One unreachable address among several is a problem, and so are all of them."""
    good = ConnectionProbe("43.1.2.3", is_ipv6=False, duration_s=0.01)
    dead = ConnectionProbe("2400::1", is_ipv6=True, duration_s=0.01, error="refused")
    assert doctor.check_tcp([good]).severity is Severity.FINE
    one, both = doctor.check_tcp([good, dead]), doctor.check_tcp([dead])
    assert (one.severity, one.fix) == (Severity.PROBLEM, "remove 2400::1 from DNS, or listen on it")
    assert (both.severity, both.fix) == (Severity.PROBLEM, "start the receiver or open its port")


def test_ports() -> None:
    """Port 80 is the documented one; for another port both sentences of the page are quoted."""
    assert (doctor.check_port(PLAIN).severity, doctor.check_port(PLAIN).observation) == (Severity.FINE, "80")
    other = doctor.check_port(Target.parse("https://h/"))
    assert (other.severity, other.observation, "alarm callback page" in other.meaning) == (Severity.NOTE, "443", True)


def test_proxies() -> None:
    """The variable of a proxy is named, but not its value, which may contain a password."""
    remark = doctor.check_proxy({"https_proxy": "http://u:secret@proxy:1", "NO_PROXY": "h"})
    assert (remark.severity, remark.observation) == (Severity.NOTE, "https_proxy set")
    assert doctor.check_proxy({"HTTP_PROXY": ""}).severity is Severity.FINE


@pytest.mark.parametrize(
    "code, cure",
    [
        (10, "renew the certificate"),
        (18, "get one from a public authority"),
        (20, "the certificate of 'Acme CA' is missing: send it with your own"),
        (62, "get one for h"),
        (0, "the port must support TLS 1.2 or 1.3"),
    ],
)
def test_certificates_that_do_not_verify(code: int, cure: str) -> None:
    """Each kind of failure has its own advice."""
    seen = TlsProbe("TLSv1.3", Certificate(("h",), "Acme CA", NOW), "why", code)
    remark = doctor.check_tls(Target.parse("https://h/"), seen, NOW)
    assert (remark.severity, remark.observation.startswith("why; TLSv1.3; for h; issued by Acme CA; ")) == (
        Severity.PROBLEM,
        True,
    )
    assert remark.fix.startswith(cure)


def test_certificates_that_expire() -> None:
    """Expiry within two weeks is a problem; later expiry is reported in days; many names are cut."""
    target = Target.parse("https://h/")
    names = tuple(f"n{number}" for number in range(12))
    late = Certificate(names, "", NOW + timedelta(days=60, hours=1))
    soon = Certificate((), "CA", NOW + timedelta(days=3, hours=1))
    fine, problem = (doctor.check_tls(target, TlsProbe("TLSv1.2", one), NOW) for one in (late, soon))
    assert (fine.severity, fine.observation.endswith("UTC, in 60 days")) == (Severity.FINE, True)
    assert "n9 and 2 more; issued by nobody" in fine.observation
    assert problem.severity is Severity.PROBLEM
    assert problem.meaning == "in 3 days senders that verify certificates will no longer connect"
    assert "issuer is missing" in doctor.check_tls(target, TlsProbe(error="why", verify_code=20), NOW).fix.replace(
        "of its ", ""
    )


@pytest.mark.parametrize(
    "seen, grade, fix",
    [
        (attempt(204), Severity.FINE, ""),
        (attempt(302), Severity.PROBLEM, "see redirect"),
        (attempt(403), Severity.PROBLEM, "see auth"),
        (attempt(404), Severity.PROBLEM, "check the path of the URL"),
        (attempt(500, detail="why"), Severity.PROBLEM, "see the receiver's log"),
        (attempt(None, outcome=Outcome.TIMED_OUT), Severity.PROBLEM, "see the receiver's log"),
    ],
)
def test_responses(seen: Attempt, grade: Severity, fix: str) -> None:
    """2xx is fine, and everything else says where to look."""
    remark = doctor.check_status(seen)
    assert (remark.severity, remark.fix[: len(fix)]) == (grade, fix)
    assert (seen.detail in remark.observation, str(seen.status or seen.outcome) in remark.observation) == (True, True)


@pytest.mark.parametrize(
    "seen, grade",
    [
        (attempt(), Severity.FINE),
        (attempt(ended_s=3.0), Severity.NOTE),
        (attempt(None, ended_s=5.0, outcome=Outcome.TIMED_OUT), Severity.PROBLEM),
    ],
)
def test_time(seen: Attempt, grade: Severity) -> None:
    """More than half of the five seconds is a note, all of them are a problem."""
    assert doctor.check_latency(seen, RULES).severity is grade


def test_a_target_without_http_is_reported_by_its_protocol() -> None:
    """The likely cause is the meaning, and what to write is the advice."""
    remark = doctor.check_status(attempt(None, outcome=Outcome.BAD_ANSWER), "it speaks TLS (first bytes b'x'): do y")
    assert (remark.meaning, remark.fix) == ("it speaks TLS (first bytes b'x')", "do y")
    remark = doctor.check_tls(PLAIN, TlsProbe(error="e"), NOW, "it speaks HTTP without TLS: write http://")
    assert (remark.severity, remark.fix) == (Severity.PROBLEM, "write http://")


def test_credentials_that_are_rejected_are_checked_not_asked_for() -> None:
    """The advice to write credentials would be idle where they are written."""
    assert doctor.check_auth(GUARDED, attempt(401), None).fix.startswith("check user and password")
    assert doctor.check_auth(PLAIN, attempt(401), None).fix.startswith("put USER:PASSWORD@")


BASIC = (("WWW-Authenticate", 'Basic realm="x"'),)


@pytest.mark.parametrize(
    "target, given, bare, grade, saw",
    [
        (PLAIN, attempt(), None, Severity.NOTE, "none are required"),
        (PLAIN, attempt(401), None, Severity.PROBLEM, "401: credentials are required"),
        (GUARDED, attempt(403), attempt(401), Severity.PROBLEM, "403: these credentials were rejected"),
        (GUARDED, attempt(), attempt(), Severity.PROBLEM, "200 without credentials"),
        (GUARDED, attempt(), attempt(403), Severity.NOTE, "200 with credentials, 403 without"),
        (
            GUARDED,
            attempt(),
            attempt(None, outcome=Outcome.TIMED_OUT),
            Severity.NOTE,
            "200 with credentials, timed_out",
        ),
        (GUARDED, attempt(), attempt(401), Severity.NOTE, "200 with credentials, 401 without"),
        (GUARDED, attempt(), attempt(401, headers=BASIC), Severity.FINE, "200 with credentials, 401 without"),
    ],
)
def test_credentials(target: Target, given: Attempt, bare: Attempt | None, grade: Severity, saw: str) -> None:
    """Credentials that are required with 401 and Basic, and accepted, are fine; nothing else is."""
    remark = doctor.check_auth(target, given, bare)
    assert (remark.severity, remark.observation[: len(saw)]) == (grade, saw)
    assert bool(remark.fix) == (grade is not Severity.FINE)


@pytest.mark.parametrize(
    "place, shown, fix",
    [
        ("https://h/hook", "https://h/hook", "register the https URL"),
        ("/hook/", "/hook/", "a trailing slash is missing or superfluous: register the path /hook/"),
        ("/elsewhere", "/elsewhere", "register the URL that it leads to"),
        ("http://h/hook/", "http://h/hook/", "a trailing slash is missing or superfluous: register the path /hook/"),
        ("http://u:secret@other/hook", "other/hook", "register the URL that it leads to"),
        ("http://[", "http://[", "register the URL that it leads to"),
        ("", "nowhere: no Location", "register the URL that it leads to"),
    ],
)
def test_redirects(place: str, shown: str, fix: str) -> None:
    """The diagnostic has the destination, without userinfo, and the URL to register."""
    remark = doctor.check_redirect(PLAIN, attempt(301, headers=(("Location", place),)))
    assert remark is not None
    assert (remark.observation, remark.fix) == (f"301 to {shown}", fix)
    assert doctor.check_redirect(PLAIN, attempt()) is None


def test_a_redirect_that_repeats_credentials() -> None:
    """A receiver may repeat the credentials in the path of its redirect."""
    remark = doctor.check_redirect(Target.parse("http://u:Kq7x@h/"), attempt(301, headers=(("Location", "/x?p=Kq7x"),)))
    assert remark is not None
    assert remark.observation == "301 to /x?p=***"


@pytest.mark.parametrize(
    "ahead_s, grade, means",
    [
        (0, Severity.FINE, "times in callbacks are Beijing time"),
        (-59, Severity.FINE, "times in callbacks are Beijing time"),
        (8 * 3600 + 5, Severity.NOTE, "that is +8 h: local time sent as GMT"),
        (-12600, Severity.NOTE, "that is -3.5 h: local time sent as GMT"),
        (600, Severity.NOTE, "durations and searches by time are wrong"),
    ],
)
def test_clocks(ahead_s: int, grade: Severity, means: str) -> None:
    """A difference of half hours is a time zone, any other one a wrong clock."""
    date = format_datetime(NOW + timedelta(seconds=ahead_s), usegmt=True)
    remark = doctor.check_clock(attempt(headers=(("Date", date),)), NOW)
    assert (remark.severity, remark.meaning[: len(means)]) == (grade, means)


@pytest.mark.parametrize("date, saw", [("", "the response has no Date"), ("soon", "the response's Date is not a date")])
def test_no_clock(date: str, saw: str) -> None:
    """Without a date the clock is not checked."""
    assert doctor.check_clock(attempt(headers=(("Date", date),)), NOW).observation == saw


def test_connection_and_size() -> None:
    """Whether the connection is kept, and a response that is not read completely."""
    assert [doctor.check_keep_alive(can_reuse=kept).severity for kept in (True, False)] == [
        Severity.FINE,
        Severity.FINE,
    ]
    assert doctor.check_body_size(attempt(body=b"ok"), RULES).observation == "2 bytes"
    assert doctor.check_body_size(attempt(body=b"ok", body_truncated=True), RULES).severity is Severity.NOTE
