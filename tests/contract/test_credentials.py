"""Credentials that clauses offer: each is wrong, looks right, and can be offered again in a shell."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tcop_mock.contract.credentials import (
    NO_CREDENTIALS,
    VARIANT_TITLES,
    curl_userinfo,
    distinctive_secrets,
    is_near_miss,
    make_credentials,
    variant_exists,
)
from tcop_mock.contract.findings import evidence
from tcop_mock.domain.contract import CredentialVariant, RequestCase
from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.target import Credentials, Secret, Target

USER, PASSWORD = "alice", "s3cr3t'Pa$s w\"ord"
RIGHT = Credentials(Secret(USER), Secret(PASSWORD))
NEAR_MISSES = [offer for offer in CredentialVariant if is_near_miss(offer)]


def _right(password: str, user: str = USER) -> Credentials:
    return Credentials(Secret(user), Secret(password))


def _password(right: Credentials, offer: CredentialVariant) -> str:
    offered = make_credentials(right, offer, "sentinel")
    assert offered is not None
    assert offered.user == right.user
    return offered.password.reveal()


def test_every_offer_has_a_title() -> None:
    """Findings name what was offered."""
    assert VARIANT_TITLES.keys() == set(CredentialVariant)


@pytest.mark.parametrize("offer", NEAR_MISSES)
def test_a_near_miss_is_not_the_password(offer: CredentialVariant) -> None:
    """What is offered differs from the right password in one way."""
    assert variant_exists(RIGHT, offer)
    assert _password(RIGHT, offer) != PASSWORD


@pytest.mark.parametrize("offer", NEAR_MISSES)
def test_short_and_long_passwords_have_no_near_misses(offer: CredentialVariant) -> None:
    """Five characters cannot be cut without showing them; bcrypt sees no more than 72 bytes."""
    assert not variant_exists(_right("abcd5"), offer)
    assert variant_exists(_right("a" * 71), offer)
    assert not variant_exists(_right("a" * 72), offer)
    assert not variant_exists(_right("ä" * 36), offer)


def test_a_password_without_letters_has_no_other_case() -> None:
    """The right password is never offered as a wrong one."""
    assert not variant_exists(_right("1234-5678"), CredentialVariant.OTHER_CASE_PASSWORD)
    assert variant_exists(_right("1234-5678"), CredentialVariant.LONGER_PASSWORD)


@pytest.mark.parametrize("password", ["abcdef", "abcdefg", "abcdefgh", "日本語日本語"])
def test_a_shorter_password_has_the_beginning_of_the_right_token(password: str) -> None:
    """A receiver that compares beginnings of tokens is found, wherever base64 cuts."""
    right = _right(password)
    offered = make_credentials(right, CredentialVariant.SHORTER_PASSWORD, "-")
    assert offered is not None
    cut = offered.token().reveal()
    assert right.token().reveal().startswith(cut.rstrip("="))


def test_a_shorter_password_is_shorter_where_base64_cuts_no_character() -> None:
    """Where no cut of three characters makes a whole token, one character is left out."""
    assert _password(_right("日本語日本語", "a"), CredentialVariant.SHORTER_PASSWORD) == "日本語日本"


def test_another_last_character_is_another_one() -> None:
    """Also where the password ends as the offer would."""
    assert _password(_right("abcdef~"), CredentialVariant.SIMILAR_PASSWORD) == "abcdef!"


def test_nobody_offers_nothing() -> None:
    """Without credentials there are none to offer as right."""
    assert make_credentials(NO_CREDENTIALS, CredentialVariant.RIGHT, "-") is None
    assert make_credentials(NO_CREDENTIALS, CredentialVariant.NONE, "-") is None


@pytest.mark.parametrize("offer", [*NEAR_MISSES, CredentialVariant.RIGHT, CredentialVariant.EMPTY_PASSWORD])
def test_a_shell_offers_the_same(offer: CredentialVariant) -> None:
    """What curl is given is what the clause has offered."""
    bash = shutil.which("bash")
    assert bash is not None
    script = f"printf %s {curl_userinfo(offer, RIGHT)}"
    env = {"TCOP_USER": USER, "TCOP_PASSWORD": PASSWORD, "PATH": "/usr/bin:/bin"}
    done = subprocess.run([bash, "-c", script], env=env, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert done.stdout == f"{USER}:{_password(RIGHT, offer)}"
    assert PASSWORD not in script


def test_only_the_unmistakable_is_looked_for_in_answers() -> None:
    """Short words may stand in any answer; what is mixed or long is nobody else's."""
    assert list(distinctive_secrets([_right("accepted", "ok")])) == ["b2s6YWNjZXB0ZWQ"]
    assert list(distinctive_secrets([_right("a1", "b")])) == []
    assert list(distinctive_secrets([_right("hunter2-x", "u")])) == ["dTpodW50ZXIyLXg", "hunter2-x"]
    assert "correcthorsebatterystaple" in distinctive_secrets([_right("correcthorsebatterystaple")])


def test_a_near_miss_that_an_answer_repeats_is_masked() -> None:
    """A password without its end shows nearly all of it, so evidence does not show it."""
    target = Target.parse("http://alice:hunter2-hunter2@127.0.0.1:9/")
    assert target.credentials is not None
    offered = make_credentials(target.credentials, CredentialVariant.SHORTER_PASSWORD, "-")
    case = RequestCase(
        "x", OutgoingRequest(b"{}", credentials=offered), credential_variant=CredentialVariant.SHORTER_PASSWORD
    )
    told = f"no: {_password(target.credentials, CredentialVariant.SHORTER_PASSWORD)}".encode()
    attempt = Attempt(Outcome.REJECTED, 0.0, 0.0, 0.1, status=401, body=told)
    assert "hunter2" not in evidence(case, attempt, target)
    assert "< no: ***" in evidence(case, attempt, target)
