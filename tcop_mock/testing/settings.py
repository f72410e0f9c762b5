"""Settings of one test. Precedence, highest first: its marks, command line, ini file, environment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.clauses import load_clauses, select_clauses
from tcop_mock.domain.callback import Form
from tcop_mock.domain.contract import Level
from tcop_mock.domain.profile import DEFAULT_PROFILE
from tcop_mock.domain.target import Target
from tcop_mock.errors import UsageError
from tcop_mock.reports.baseline import BaselineFilter
from tcop_mock.reports.baseline_file import read_baseline
from tcop_mock.testing.options import (
    TARGET_VARIABLE,
    SkippedClause,
    get_list_option,
    get_option,
    parse_level,
    read_marks,
    run_seed,
    target_text,
)
from tcop_mock.testing.report_collector import report_collector
from tcop_mock.testing.usage_errors import usage_error, usage_errors_as_failures

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from tcop_mock.domain.profile import Profile

_NO_TARGET = (
    "no target: override the fixture tcop_target in conftest.py (return a URL, an ASGI or WSGI app, 'module:app' or a "
    f"callable), or give --tcop-target, tcop_target in the ini file, or {TARGET_VARIABLE}"
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one test."""

    seed: int
    """Seed of the run."""
    profile: Profile
    """The profile, with the attempts and the deadline of the mark."""
    form: Form
    globs: tuple[str, ...]
    skipped: tuple[str, ...]
    """Clauses that ``--tcop-skip`` leaves out."""
    skips: tuple[SkippedClause, ...]
    """Clauses that marks leave out, with the reason."""
    fail_on: Level
    allowed_hosts: tuple[str, ...]
    """Hosts that are allowed in addition to this machine."""


def settings_of(node: pytest.Item) -> Settings:
    """Return the settings of a test.

    Raises:
        Failed: a value in marks, options or ini file is invalid.
    """
    with usage_errors_as_failures(node.nodeid):
        return _settings(node)


def _settings(node: pytest.Item) -> Settings:
    config, marks = node.config, read_marks(node)
    profile, level = get_option(config, "profile"), get_option(config, "fail_on")
    loaded_profile = load_profile(marks.profile or (profile.value if profile else DEFAULT_PROFILE))
    rules = loaded_profile.delivery
    changed_rules = replace(
        rules,
        attempts=marks.attempts or rules.attempts,
        timeout_s=marks.deadline_s or rules.timeout_s,
    )
    default_level = parse_level(level.value, level.where) if level else Level.MUST
    return Settings(
        seed=run_seed(config),
        profile=replace(loaded_profile, delivery=changed_rules),
        form=marks.form or Form.DOCUMENTED,
        globs=marks.globs or tuple(given.value for given in get_list_option(config, "clauses")),
        skipped=tuple(given.value for given in get_list_option(config, "skip")),
        skips=marks.skips,
        fail_on=parse_level(marks.fail_on, "the mark tcop_clauses, fail_on") if marks.fail_on else default_level,
        allowed_hosts=tuple(given.value.lower() for given in get_list_option(config, "allow_host")),
    )


def configured_target(config: pytest.Config) -> Target:
    """Return the configured target, in a type that does not show its password.

    Raises:
        Failed: it is missing or invalid, or its file cannot be read.
    """
    with usage_errors_as_failures():
        text = target_text(config)
        if not text:
            usage_error(_NO_TARGET)
        return Target.parse(_read(text[1:]) if text.startswith("@") else text)


def _read(name: str) -> str:
    try:
        text = Path(name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"the target's file {name!r} cannot be read: {problem}") from None
    if not text:
        raise UsageError(f"the target's file {name!r} is empty; write the URL into it")
    return text


def baseline_filter(config: pytest.Config) -> BaselineFilter | None:
    """Return the comparison of known and new findings, as of today (UTC); ``None`` without a baseline.

    Raises:
        UsageError: the baseline cannot be read or is invalid.
    """
    option = get_option(config, "baseline")
    if option is None:
        return None
    return BaselineFilter(read_baseline(option.value), datetime.now(UTC).date(), path=option.value)


def require_options(config: pytest.Config) -> None:
    """Reject wrong options of the command line and the ini file.

    Raises:
        Failed: the first mistake.
    """
    with usage_errors_as_failures():
        profile, level = get_option(config, "profile"), get_option(config, "fail_on")
        if profile:
            load_profile(profile.value)
        if level:
            parse_level(level.value, level.where)
        run_seed(config)
        target_text(config)
        get_list_option(config, "allow_host")
        globs, skips = get_list_option(config, "clauses"), get_list_option(config, "skip")
        if globs or skips:
            chosen = select_clauses(load_clauses(), [given.value for given in globs], [given.value for given in skips])
            if not chosen:
                raise UsageError(f"{skips[0].where} leaves no clause to check")
        baseline_filter(config)
        if get_list_option(config, "report"):
            report_collector(config)


def require_settings(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Reject wrong marks of tests, and wrong options as :func:`require_options` does.

    Raises:
        Failed: the first mistake, with its test.
    """
    require_options(config)
    test_by_glob: dict[str, str] = {}
    for item in items:
        settings = settings_of(item)
        for glob in (*settings.globs, *(skip.glob for skip in settings.skips)):
            test_by_glob.setdefault(glob, item.nodeid)
    if test_by_glob:
        clauses = load_clauses()
        for glob, where in test_by_glob.items():
            with usage_errors_as_failures(where):
                select_clauses(clauses, [glob])
