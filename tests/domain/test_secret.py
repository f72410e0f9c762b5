"""A secret is only visible where it is revealed."""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
import pickle
import pprint
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcop_mock.domain.delivery import OutgoingRequest
from tcop_mock.domain.target import MASK, Credentials, Secret, Target

PASSWORD = "s3cret p@ss/wörd"  # the decoded password
TYPED = quote(PASSWORD, safe="")
TOKEN = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
TARGET = Target.parse(f"https://user:{TYPED}@host.test:8443/hook?a=1")
CREDENTIALS = Credentials(Secret("user"), Secret(PASSWORD))
HOLDERS = [
    Secret(PASSWORD),
    Secret(TOKEN),
    CREDENTIALS,
    TARGET,
    OutgoingRequest(b"{}", credentials=CREDENTIALS),
    [Secret(PASSWORD)],
    {"password": Secret(PASSWORD)},
]


def shows(text: str) -> bool:
    """Return whether any form of the password, or a large part of it, is in a text."""
    return any(part in text for part in (PASSWORD, TYPED, TOKEN, "s3cret", "rd@host", TOKEN[8:16]))


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: type(holder).__name__)
def test_no_way_of_printing_shows_a_secret(holder: object) -> None:
    """Repr, str, format, f-strings, percent formatting, pprint, pickle and asdict."""
    texts = [
        repr(holder),
        str(holder),
        f"{holder}",
        f"{holder!r:>60}",
        "{}".format(holder),  # noqa: UP032 - tests this way of formatting
        "%s %r" % (holder, holder),  # noqa: UP031 - tests this way of formatting
        pprint.pformat(holder),
        ascii(holder),
        pickle.dumps(holder).decode("latin-1"),
        pickle.dumps(holder, protocol=0).decode("latin-1"),
        json.dumps(holder, default=str),
    ]
    if dataclasses.is_dataclass(holder) and not isinstance(holder, type):
        texts += [repr(dataclasses.asdict(holder)), repr(dataclasses.astuple(holder))]
    assert [text for text in texts if shows(text)] == []


def test_a_format_applies_to_the_mask() -> None:
    """Width and alignment apply to the mask, so they do not reveal the length."""
    assert f"[{Secret('x' * 50):>5}]" == f"[{MASK:>5}]"


def test_a_secret_has_no_open_attributes() -> None:
    """Neither vars() nor a new attribute gives access to it."""
    with pytest.raises(TypeError):
        vars(Secret("x"))


def test_a_pickled_secret_is_lost_and_a_copied_one_is_not() -> None:
    """An unpickled secret reveals the mask; copies, also inside asdict, are the secret itself."""
    secret = Secret(PASSWORD)
    assert pickle.loads(pickle.dumps(secret)).reveal() == MASK  # noqa: S301 - our own
    assert copy.copy(secret) is copy.deepcopy(secret) is secret
    assert dataclasses.asdict(CREDENTIALS)["password"].reveal() == PASSWORD


@given(st.text(), st.text())
def test_secrets_are_equal_by_their_text(one: str, other: str) -> None:
    """Secrets with equal texts are equal and hash alike; a secret does not equal a string."""
    assert (Secret(one) == Secret(other)) == (one == other)
    assert Secret(one) == Secret(one)
    assert hash(Secret(one)) == hash(Secret(one))
    assert Secret(one) != one


@given(st.text(st.characters()), st.text(st.characters()))
def test_a_token_is_basic_in_utf_8_and_never_fails(user: str, password: str) -> None:
    """Any text has a token, including lone surrogates, because an encoding error would contain the password."""
    token = Credentials(Secret(user), Secret(password)).token().reveal()
    assert base64.b64decode(token).decode("utf-8", "surrogatepass") == f"{user}:{password}"


def test_leak_patterns_are_every_form_longest_first() -> None:
    """Token, plain, percent-encoded in both cases, JSON with and without escapes, HTML; never the empty text."""
    traces = Credentials(Secret("ü"), Secret('a/b "&')).leak_patterns()
    assert set(traces) == {
        base64.b64encode('ü:a/b "&'.encode()).decode(),
        *('a/b "&', "a%2Fb%20%22%26", "a%2fb%20%22%26", 'a/b \\"&', "a/b &quot;&amp;"),
        *("ü", "%C3%BC", "%c3%bc", "\\u00fc"),
    }
    assert list(traces) == sorted(traces, key=len, reverse=True)
    assert Credentials(Secret(""), Secret("")).leak_patterns() == ("Og==",)


@given(st.text(st.characters()), st.text(st.characters()))
def test_leak_patterns_mask_what_receivers_may_echo(user: str, password: str) -> None:
    """For all credentials: replacing the patterns in order leaves no form that JSON or a URL would have."""
    credentials = Credentials(Secret(user), Secret(password))
    spellings = {password, json.dumps(password)[1:-1], quote(password.encode("utf-8", "surrogatepass"), safe="")}
    assert spellings - {""} <= set(credentials.leak_patterns())
    assert "" not in credentials.leak_patterns()


@pytest.mark.parametrize(
    "text",
    [
        "Werkzeug/3.0 <p>outcome: rejected</p> up 12:30, p99 u200b puppet",
        "the push was put into the pipe by you",
    ],
)
def test_a_short_secret_leaves_prose_alone(text: str) -> None:
    """A user ``u`` and a password ``p`` do not mask these letters in a report."""
    assert Credentials(Secret("u"), Secret("p")).mask(text) == text


@pytest.mark.parametrize(
    "text, masked",
    [
        ("curl -u u:p http://h/", "curl -u *** http://h/"),
        ("http://u:p@h/x", "http://***@h/x"),
        ("http://u@h/ and https://me:p@h/", "http://***@h/ and https://me:***@h/"),
        ("Authorization: Basic dTpw", "Authorization: Basic ***"),
        ("wrong password 'p' of user u", "wrong password '***' of user ***"),
        ('{"password":"p","user":"u"}', '{"password":"***","user":"***"}'),
        ('{\\"pwd\\":\\"p\\"}', '{\\"pwd\\":\\"***\\"}'),
        ("password=p&user=u;", "password=***&user=***;"),
        ("line\n p \nline", "line\n *** \nline"),
        ("p", "***"),
        ("Basic%20dTpw, BasicdTpw, \\u0020dTpw", "Basic%20***, Basic***, \\u0020***"),
        ("auth=u%3Ap and u : p", "auth=*** and ***"),
        ("<password>p</password> userPassword=p", "<password>***</password> userPassword=***"),
    ],
)
def test_a_short_secret_is_masked_by_its_position(text: str, masked: str) -> None:
    """A short secret is masked in a pair, a URL, a token, in quotes, after a name, and alone on a line."""
    assert Credentials(Secret("u"), Secret("p")).mask(text) == masked


def test_empty_credentials_mask_nothing_but_their_token() -> None:
    """Neither a colon nor a blank is a credential."""
    assert Credentials(Secret(""), Secret("")).mask("a: b, Og==") == "a: b, ***"
    assert Credentials(Secret("u"), Secret("")).mask("you: u: dTo=") == "you: u: ***"


def test_a_longer_secret_is_masked_by_its_text() -> None:
    """A secret of four characters is masked as a word, one of six anywhere."""
    credentials = Credentials(Secret("alice"), Secret("pass-7"))
    assert credentials.mask("alice: xpass-7x, malice") == "***: x***x, malice"
    assert (
        Credentials(Secret("alarms"), Secret("secr1")).mask("alarmsObj \\nsecr1 %20secr1") == "alarmsObj \\n*** %20***"
    )
    assert Credentials(Secret("tcop"), Secret("abcd")).mask("abcd, tcop! abcde tcop-mock") == "***, ***! abcde ***-mock"


@given(st.text(st.characters(codec="ascii", exclude_characters="/@"), min_size=1, max_size=3))
def test_no_pair_leaks_however_short(password: str) -> None:
    """The pair, URL and token of any short password are masked."""
    credentials = Credentials(Secret("user-of-alarms"), Secret(password))
    token = credentials.token().reveal()
    shown = credentials.mask(f"Basic {token} then user-of-alarms:{password} end")
    assert token not in shown
    assert "user-of-alarms" not in shown
    assert f":{password} end" not in shown
