"""Known misreadings of credentials."""

from __future__ import annotations

import pytest

from tcop_mock.contract.misreadings import known_misreadings
from tcop_mock.domain.target import Credentials, Secret


def presented(user: str, password: str) -> dict[str, str]:
    """Return the passwords that are tried, by the title of the misreading (the last one of each)."""
    valid = Credentials(Secret(user), Secret(password))
    misreadings = list(known_misreadings(valid))
    tokens = [misreading.presented.token().reveal() for misreading in misreadings]
    assert len(set(tokens)) == len(tokens)
    assert valid.token().reveal() not in tokens
    return {misreading.title: misreading.presented.password.reveal() for misreading in misreadings}


def test_plain_credentials_have_no_misreading() -> None:
    """No misreading is sent if every reading gives the right credentials."""
    assert presented("alice", "hunter2-x") == {}


@pytest.mark.parametrize(
    "password, titles",
    [
        ("a/b", {"them percent-encoded, as they stand in a URL"}),
        (
            "a b",
            {"them percent-encoded, as they stand in a URL", "them with + for each blank"},
        ),
        (
            "a:b",
            {
                "them percent-encoded, as they stand in a URL",
                "the password cut at its last colon",
            },
        ),
        ("aä", {"them percent-encoded, as they stand in a URL", "them in Latin-1"}),
        ("口令", {"them percent-encoded, as they stand in a URL", "them in GBK"}),
    ],
)
def test_a_misreading_needs_a_character_that_it_misreads(password: str, titles: set[str]) -> None:
    """A blank, a colon and characters beyond ASCII have misreadings of their own."""
    assert presented("alice", password).keys() == titles


def test_a_second_colon_has_two_cuts() -> None:
    """A password with two colons is cut before and after each."""
    assert presented("alice", "a:b:c")["the password cut at its first colon"] == "a"
