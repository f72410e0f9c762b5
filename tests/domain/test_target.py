"""Targets: valid and invalid texts, their parts, and messages without passwords."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tcop_mock.domain.target import Target
from tcop_mock.errors import UsageError

HOST = ("http", "host", 80, "/")


@pytest.mark.parametrize(
    "text, expected, authority",
    [
        ("host", HOST, "host"),
        ("  host\n", HOST, "host"),
        ("http://host", HOST, "host"),
        ("HTTP://HOST", HOST, "host"),
        ("host:8080/x", ("http", "host", 8080, "/x"), "host:8080"),
        ("localhost:8080/x", ("http", "localhost", 8080, "/x"), "localhost:8080"),
        ("host:80", HOST, "host"),
        ("https://host", ("https", "host", 443, "/"), "host"),
        ("https://host:443/a", ("https", "host", 443, "/a"), "host"),
        ("https://host:80/a", ("https", "host", 80, "/a"), "host:80"),
        ("host:65535", ("http", "host", 65535, "/"), "host:65535"),
        ("host:00080", HOST, "host"),
        ("10.0.0.1:8080", ("http", "10.0.0.1", 8080, "/"), "10.0.0.1:8080"),
        ("http://[::1]", ("http", "::1", 80, "/"), "[::1]"),
        ("[::1]:8080/x", ("http", "::1", 8080, "/x"), "[::1]:8080"),
        ("http://[2001:DB8::A]:8080", ("http", "2001:db8::a", 8080, "/"), "[2001:db8::a]:8080"),
        ("http://[FE80::1%25Eth0]:8080", ("http", "fe80::1%Eth0", 8080, "/"), "[fe80::1]:8080"),
        ("http://bücher.example", ("http", "xn--bcher-kva.example", 80, "/"), "xn--bcher-kva.example"),
        ("http://例え。テスト/", ("http", "xn--r8jz45g.xn--zckzah", 80, "/"), "xn--r8jz45g.xn--zckzah"),
        ("http://host./", ("http", "host.", 80, "/"), "host."),
        ("http://my_host-1.a_/", ("http", "my_host-1.a_", 80, "/"), "my_host-1.a_"),
        ("http://host/a?b=c&d=/e?f", ("http", "host", 80, "/a?b=c&d=/e?f"), "host"),
        ("http://host?b=c", ("http", "host", 80, "/?b=c"), "host"),
        ("http://host/?", HOST, "host"),
        ("http://host/a#b@c", ("http", "host", 80, "/a"), "host"),
        ("http://host/名?q=é%20", ("http", "host", 80, "/%E5%90%8D?q=%C3%A9%20"), "host"),
        ("http://host/100%", ("http", "host", 80, "/100%"), "host"),
        ("http://host/a@b:c", ("http", "host", 80, "/a@b:c"), "host"),
        ("http://host//x", ("http", "host", 80, "//x"), "host"),
    ],
)
def test_a_usable_text_is_parsed(text: str, expected: tuple[object, ...], authority: str) -> None:
    """The default scheme is http with its port, host and path are ASCII, the fragment is dropped, ``url`` reparses."""
    target = Target.parse(text)
    assert (target.scheme, target.host, target.port, target.path) == expected
    assert (target.authority, target.credentials) == (authority, None)
    assert Target.parse(target.url) == Target.parse(str(target)) == target


@pytest.mark.parametrize(
    "userinfo, user, password",
    [
        ("user:pass", "user", "pass"),
        ("user", "user", ""),
        ("user:", "user", ""),
        (":pass", "", "pass"),
        ("", "", ""),
        ("user:p@ss", "user", "p@ss"),
        ("user:p:s:s", "user", "p:s:s"),
        ("user:p%40%2F%3a%25", "user", "p@/:%"),
        ("us%C3%A9r:%E5%AF%86码", "usér", "密码"),
        ("user:100%", "user", "100%"),
        ("user:%zz%4", "user", "%zz%4"),
        ("user:a+b", "user", "a+b"),
    ],
)
@pytest.mark.parametrize("start", ["http://", "HTTPS://", ""])
def test_userinfo_is_decoded_and_removed(start: str, userinfo: str, user: str, password: str) -> None:
    """Percent-encoded UTF-8 is decoded, a stray percent sign remains; no other part contains any of it."""
    target = Target.parse(f"{start}{userinfo}@host:8080/x")
    assert target.credentials is not None
    assert (target.credentials.user.reveal(), target.credentials.password.reveal()) == (user, password)
    assert (target.host, target.port, target.path, target.authority) == ("host", 8080, "/x", "host:8080")
    assert str(target) == f"{target.scheme}://***@host:8080/x"
    assert target.url == f"{target.scheme}://host:8080/x"


@pytest.mark.parametrize(
    "text, problem",
    [
        ("", "the host is missing"),
        ("   ", "the host is missing"),
        ("http://", "the host is missing"),
        ("http:///x", "the host is missing"),
        ("http://?x", "the host is missing"),
        (":8080", "the host is missing"),
        ("http://user@", "the host is missing"),
        ("user:s3cret@", "the host is missing"),
        ("http://user:s3cret@:80", "the host is missing"),
        ("ftp://user:s3cret@host", "the scheme must be http or https, not 'ftp'"),
        ("file:///s3cret@x", "the scheme must be http or https, not 'file'"),
        ("user:s3cret@host:0", "the port must be a number from 1 to 65535"),
        ("host:65536", "the port must be a number from 1 to 65535"),
        ("host:99999", "the port must be a number from 1 to 65535"),
        ("http://host:abc", "HOST[:PORT]"),
        ("host:-1", "HOST[:PORT]"),
        ("host:８０", "HOST[:PORT]"),
        ("host:123456", "HOST[:PORT]"),
        ("host:", "HOST[:PORT]"),
        ("host:80:80", "HOST[:PORT]"),
        ("http:/user:s3cret@host", "HOST[:PORT]"),
        ("http:1user", "HOST[:PORT]"),
        ("1http://user:s3cret@host", "HOST[:PORT]"),
        ("::1", "HOST[:PORT]"),
        ("[::1]x:80", "HOST[:PORT]"),
        ("x[::1]:80", "is not a usable target"),
        ("[::1", "its host is not a valid name or address"),
        ("[::1%eth0]", "its host is not a valid name or address"),
        ("[::1%25]", "its host is not a valid name or address"),
        ("[::1%25e/0]", "its host is not a valid name or address"),
        ("[1.2.3.4]", "its host is not a valid name or address"),
        ("[]", "its host is not a valid name or address"),
        ("[v1.x]", "its host is not a valid name or address"),
        ("a..b", "its host is not a valid name or address"),
        ("-a", "its host is not a valid name or address"),
        ("a-.b", "its host is not a valid name or address"),
        ("a!b", "its host is not a valid name or address"),
        ("a" * 64, "its host is not a valid name or address"),
        ("\u2100.test", "its host is not a valid name or address"),
        ("user:s3cret@a\u0628.test", "its host is not a valid name or address"),
        ("http://us\u2100r:s3cret/x@host", "its host is not a valid name or address"),
        ("http://user:s3cret/x@host", "must be percent-encoded"),
        ("http://user:s3cret?x@host", "must be percent-encoded"),
        ("http://user:s3cret#x@host", "must be percent-encoded"),
        ("http://user:s3cret@ho st", "blanks and control characters"),
        ("http://user:s3cret @host", "blanks and control characters"),
        ("http://user:s3cret@host/a b", "blanks and control characters"),
        ("http://host/a\tb", "blanks and control characters"),
        ("http://host/a\r\nX: y", "blanks and control characters"),
        ("http://host/\x7f", "blanks and control characters"),
        ("http://host/\udc80", "blanks and control characters"),
        ("http://user:s3cret\udc80@host/", "blanks and control characters"),
        ("http://user:s3cret%FF@host", "the percent-encoding of its user or password is not UTF-8"),
        ("http://%FF:s3cret@host", "the percent-encoding of its user or password is not UTF-8"),
        ("http://us%3Aer:s3cret@host", "a user name cannot contain a colon"),
    ],
)
def test_an_unusable_text_is_an_error(text: str, problem: str) -> None:
    """One line says what is wrong and how it should look, without any part of a password."""
    with pytest.raises(UsageError) as refusal:
        Target.parse(text)
    message = str(refusal.value)
    assert problem in message
    assert message.endswith("; write [http://][USER:PASSWORD@]HOST[:PORT][/PATH]")
    assert "\n" not in message
    assert "s3cret" not in message


@pytest.mark.parametrize(
    "text, expected",
    [
        ("http://127.0.0.1:8080/", True),
        ("http://127.8.0.1/", True),
        ("http://[::1]/", True),
        ("localhost:9", True),
        ("http://a.localhost/", True),
        ("main:app/tcop", True),
        ("http://10.0.0.1/", False),
        ("http://[fe80::1%25eth0]/", False),
        ("http://localhost.example/", False),
    ],
)
def test_a_target_is_on_this_machine_or_not(text: str, expected: object) -> None:
    """The address or name alone decides; no name is looked up."""
    assert Target.parse(text).is_on_this_machine is expected


def test_a_long_bad_name_is_rejected_at_once() -> None:
    """No host name causes catastrophic backtracking."""
    program = "from tcop_mock.domain.target import Target; Target.parse('.'.join(['a' * 60] * 100) + '!')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - our own
    assert "UsageError" in done.stderr


@given(st.text(st.characters()) | st.text("htps:/@[]%25.#? a1é\ud800", max_size=30))
@example("http://[")
def test_any_text_is_a_target_or_a_usage_error(text: str) -> None:
    """No text raises another error; a target has only parts that can be sent and parsed again."""
    try:
        target = Target.parse(text)
    except UsageError:
        return
    assert target.scheme in {"http", "https"}
    assert 0 < target.port < 65536
    assert f"{target.authority}{target.path}".isascii()
    assert not any(char.isspace() for char in f"{target.authority}{target.path}")
    assert Target.parse(target.url).url == target.url


@given(
    start=st.sampled_from(["http://", "https://", "ftp://", "", "http:/", "http:"]),
    extra=st.text(st.characters(), max_size=8),
    host=st.sampled_from(["host", "", "ho st", "[::1", "host:abc", "host:0", "a..b", "\u2100"]) | st.text(max_size=10),
)
def test_no_message_and_no_target_holds_the_password(start: str, extra: str, host: str) -> None:
    """No message contains the password, whatever unencoded separators it has."""
    try:
        Target.parse(f"{start}user:{extra}s3cret{extra}@{host}")
    except UsageError as refusal:
        assert "s3cret" not in str(refusal)  # noqa: PT017 - not every text is rejected
