"""Names of headers whose values are credentials."""

from __future__ import annotations

import pytest

from tcop_mock.domain.target import is_secret_header

SECRET = "Authorization Proxy-Authorization Cookie Set-Cookie X-Api-Key X-Auth-Token X-CSRF-Token apikey X-Sign X-Key"
OPEN = "Content-Type X-Team Idempotency-Key X-Request-Id Accept Keep-Alive X-Author X-Monkey Design-Id User-Agent"


@pytest.mark.parametrize("name", SECRET.split())
def test_a_name_that_stands_for_a_credential_is_known(name: str) -> None:
    """Names of secret headers are recognised in upper and lower case."""
    assert is_secret_header(name)
    assert is_secret_header(name.lower())


@pytest.mark.parametrize("name", OPEN.split())
def test_another_name_is_not(name: str) -> None:
    """Its value may be shown and sent."""
    assert not is_secret_header(name)
