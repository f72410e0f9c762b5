"""The receiver under test, as ``tcop_target`` returns it, opened for sending."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tcop_mock.testing.settings import settings_of
from tcop_mock.testing.usage_errors import target_errors_as_failures, usage_error, usage_errors_as_failures
from tcop_mock.transport.open import OpenTarget, open_target, resolve_target

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from tcop_mock.domain.target import Target


@contextmanager
def open_target_under_test(value: object, node: pytest.Item) -> Iterator[OpenTarget]:
    """Open the value of ``tcop_target`` for one test.

    Raises:
        Failed: the value is no target, or a target on another machine that no option allows.
    """
    settings = settings_of(node)
    with usage_errors_as_failures("tcop_target"):
        target = resolve_target(value)
    _require_allowed(target, settings.allowed_hosts)
    with ExitStack() as stack:
        with target_errors_as_failures(), usage_errors_as_failures("tcop_target"):
            opened = stack.enter_context(open_target(value, settings.profile.delivery.answer_cap_bytes))
        yield opened


def _require_allowed(target: Target, allowed_hosts: tuple[str, ...]) -> None:
    """Refuse a target on another machine unless an option names it: a test run by accident must not page anybody."""
    if not target.is_on_this_machine and target.host not in allowed_hosts:
        usage_error(
            f"tcop_target {target} is on another machine; --tcop-allow-host {target.host}, or tcop_allow_host in the "
            "ini file, allows it"
        )
