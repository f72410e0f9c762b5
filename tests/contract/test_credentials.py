"""Credential variants: each is wrong, resembles the valid one, and can be sent from a shell."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import subprocess

import pytest
from correct_receiver_variants import guarded_except
from receiver_factories import CREDENTIALS
from run_check import check_directly, failed_codes

from tcop_mock.callbacks.generator import Generator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.contract.builders import BUILDERS
from tcop_mock.contract.case_factory import CaseFactory
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
from tcop_mock.contract.preflight import CredentialsRejectedError
from tcop_mock.domain.contract import CredentialVariant, RequestCase, SendOrder
from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.target import Credentials, Secret, Target
from tcop_mock.domain.verdict import ClauseStatus
from tcop_mock.reports.summary import reason_text
from tcop_mock.server.messages import ReceivedRequest, Reply

USER, PASSWORD = "alice", "s3cr3t'Pa$s w\"ord"
RIGHT = Credentials(Secret(USER), Secret(PASSWORD))
NEAR_MISSES = [variant for variant in CredentialVariant if is_near_miss(variant)]


def _right(password: str, user: str = USER) -> Credentials:
    return Credentials(Secret(user), Secret(password))


def _password(right: Credentials, variant: CredentialVariant) -> str:
    presented = make_credentials(right, variant, "sentinel")
    assert presented is not None
    assert presented.user == right.user
    return presented.password.reveal()


def test_every_variant_has_a_title() -> None:
    """Findings name the credentials sent."""
    assert VARIANT_TITLES.keys() == set(CredentialVariant)


@pytest.mark.parametrize("variant", NEAR_MISSES)
def test_a_near_miss_is_not_the_password(variant: CredentialVariant) -> None:
    """A near miss differs from the valid password in one way."""
    assert variant_exists(RIGHT, variant)
    assert _password(RIGHT, variant) != PASSWORD


@pytest.mark.parametrize("variant", NEAR_MISSES)
def test_short_and_long_passwords_have_no_near_misses(variant: CredentialVariant) -> None:
    """Five characters cannot be shortened without revealing them; bcrypt ignores bytes beyond 72."""
    assert not variant_exists(_right("abcd5"), variant)
    assert variant_exists(_right("a" * 71), variant)
    assert not variant_exists(_right("a" * 72), variant)
    assert not variant_exists(_right("ä" * 36), variant)


def test_a_password_without_letters_has_no_other_case() -> None:
    """The valid password is never sent as a wrong one."""
    assert not variant_exists(_right("1234-5678"), CredentialVariant.OTHER_CASE_PASSWORD)
    assert variant_exists(_right("1234-5678"), CredentialVariant.LONGER_PASSWORD)


@pytest.mark.parametrize("password", ["abcdef", "abcdefg", "abcdefgh", "日本語日本語"])
def test_the_token_of_a_shorter_password_is_a_prefix_of_the_valid_token(password: str) -> None:
    """A receiver that compares prefixes of tokens is found, whatever the base64 alignment."""
    right = _right(password)
    presented = make_credentials(right, CredentialVariant.SHORTER_PASSWORD, "-")
    assert presented is not None
    cut = presented.token().reveal()
    assert right.token().reveal().startswith(cut.rstrip("="))


def test_a_shorter_password_drops_one_character_if_no_token_aligns() -> None:
    """If dropping up to three characters never aligns the token, one character is dropped."""
    assert _password(_right("日本語日本語", "a"), CredentialVariant.SHORTER_PASSWORD) == "日本語日本"


def test_a_changed_last_character_differs() -> None:
    """It differs even if the password already ends with the replacement."""
    assert _password(_right("abcdef~"), CredentialVariant.SIMILAR_PASSWORD) == "abcdef!"


def test_no_credentials_have_no_variants() -> None:
    """Without valid credentials none are sent."""
    assert make_credentials(NO_CREDENTIALS, CredentialVariant.RIGHT, "-") is None
    assert make_credentials(NO_CREDENTIALS, CredentialVariant.NONE, "-") is None


@pytest.mark.parametrize("variant", [*NEAR_MISSES, CredentialVariant.RIGHT, CredentialVariant.EMPTY_PASSWORD])
def test_a_shell_sends_the_same_credentials(variant: CredentialVariant) -> None:
    """The argument of curl expands to the credentials that the clause sent."""
    bash = shutil.which("bash")
    assert bash is not None
    script = f"printf %s {curl_userinfo(variant, RIGHT)}"
    env = {"TCOP_USER": USER, "TCOP_PASSWORD": PASSWORD, "PATH": "/usr/bin:/bin"}
    done = subprocess.run([bash, "-c", script], env=env, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert done.stdout == f"{USER}:{_password(RIGHT, variant)}"
    assert PASSWORD not in script


def test_only_distinctive_secrets_are_searched_in_responses() -> None:
    """Short words may occur in any response; mixed or long secrets are distinctive."""
    assert list(distinctive_secrets([_right("accepted", "ok")])) == ["b2s6YWNjZXB0ZWQ"]
    assert list(distinctive_secrets([_right("a1", "b")])) == []
    assert list(distinctive_secrets([_right("hunter2-x", "u")])) == ["dTpodW50ZXIyLXg", "hunter2-x"]
    assert "correcthorsebatterystaple" in distinctive_secrets([_right("correcthorsebatterystaple")])


def test_a_near_miss_in_a_response_is_masked() -> None:
    """A shortened password reveals most of the valid one, so evidence masks it."""
    target = Target.parse("http://alice:hunter2-hunter2@127.0.0.1:9/")
    assert target.credentials is not None
    presented = make_credentials(target.credentials, CredentialVariant.SHORTER_PASSWORD, "-")
    case = RequestCase(
        "x", OutgoingRequest(b"{}", credentials=presented), credential_variant=CredentialVariant.SHORTER_PASSWORD
    )
    body = f"no: {_password(target.credentials, CredentialVariant.SHORTER_PASSWORD)}".encode()
    attempt = Attempt(Outcome.REJECTED, 0.0, 0.0, 0.1, status=401, body=body)
    assert "hunter2" not in evidence(case, attempt, target)
    assert "< no: ***" in evidence(case, attempt, target)


def test_a_receiver_that_takes_any_credentials_is_found_without_a_password() -> None:
    """Where wrong credentials are accepted, the other clauses on credentials say so; no result shows the right ones."""
    verdict = check_directly(guarded_except(lambda one: bool(one.header("authorization"))), CREDENTIALS, ["TCM2*"])
    assert failed_codes(verdict) == {"TCM202"}
    reasons = [reason_text(result) for result in verdict.results if result.status is ClauseStatus.ERROR]
    assert any("is let in (TCM201, TCM202)" in reason for reason in reasons)
    assert CREDENTIALS.password.reveal() not in repr(verdict.results)


def test_a_search_for_a_misreading_ends_with_the_run() -> None:
    """A receiver that rejects the right credentials, and then answers no more, is rejected in time."""
    answered = itertools.count()

    async def handler(_: ReceivedRequest) -> Reply:
        if next(answered):
            await asyncio.sleep(100.0)
        return Reply(401)

    with pytest.raises(CredentialsRejectedError):
        check_directly(handler, CREDENTIALS, ["TCM203"], max_time_s=4.0)


def test_a_connection_is_used_again_without_credentials() -> None:
    """The first callback has the right ones, the second one and the negative control have none."""
    factory = CaseFactory(Catalog.load(), Generator(7), "TCM210", credentials=_right("abcdef"))
    test = BUILDERS["anonymous_reuse"](factory)
    [group] = test.groups
    first, second = (case.request for case in group.cases)
    assert (first.credentials, first.keep_alive) == (_right("abcdef"), True)
    assert (second.credentials, second.reuse_connection) == (None, True)
    assert first.connection_name == second.connection_name
    assert group.negative_control is not None
    assert group.negative_control.request.credentials is None
    assert test.send_order is SendOrder.SEQUENTIAL
