"""What holds for one test: its marks, before the command line, before the ini file, before the environment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tcop_mock.catalog.profiles import load_profile
from tcop_mock.contract.clauses import load_clauses, select
from tcop_mock.domain.alarm import Form
from tcop_mock.domain.contract import Level
from tcop_mock.domain.profile import DEFAULT_PROFILE
from tcop_mock.domain.target import Target
from tcop_mock.errors import UsageError
from tcop_mock.reports.baseline import Comparison
from tcop_mock.reports.baseline_file import read_baseline
from tcop_mock.testing.options import TARGET_VARIABLE, Skip, level_of, one, said_by, seed_given, several, target_text
from tcop_mock.testing.report_collector import gathering
from tcop_mock.testing.usage_errors import misuse, misuse_told

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from tcop_mock.domain.profile import Profile

_HOW = (
    "no target: override the fixture tcop_target in conftest.py (return a URL, an ASGI or WSGI app, 'module:app' or a "
    f"callable), or give --tcop-target, tcop_target in the ini file, or {TARGET_VARIABLE}"
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for one test."""

    seed: int
    """Of the run."""
    profile: Profile
    """With the attempts and the deadline that a mark wants."""
    form: Form
    globs: tuple[str, ...]
    left_out: tuple[str, ...]
    """Clauses that ``--tcop-skip`` leaves out."""
    skips: tuple[Skip, ...]
    """Clauses that marks leave out, with the reason."""
    fail_on: Level
    hosts: tuple[str, ...]
    """Beside this machine's own."""


def settings_of(node: pytest.Item) -> Settings:
    """Return what holds for a test.

    Raises:
        Failed: anything in marks, options or ini file that cannot be meant.
    """
    with misuse_told(node.nodeid):
        return _settings(node)


def _settings(node: pytest.Item) -> Settings:
    config, said = node.config, said_by(node)
    profile, level = one(config, "profile"), one(config, "fail_on")
    found = load_profile(said.profile or (profile.value if profile else DEFAULT_PROFILE))
    rules = found.delivery
    changed = replace(
        rules,
        attempts=said.attempts or rules.attempts,
        timeout_s=said.deadline_s or rules.timeout_s,
    )
    usual = level_of(level.value, level.where) if level else Level.MUST
    return Settings(
        seed=seed_given(config),
        profile=replace(found, delivery=changed),
        form=said.form or Form.DOCUMENTED,
        globs=said.globs or tuple(given.value for given in several(config, "clauses")),
        left_out=tuple(given.value for given in several(config, "skip")),
        skips=said.skips,
        fail_on=level_of(said.fail_on, "the mark tcop_clauses, fail_on") if said.fail_on else usual,
        hosts=tuple(given.value.lower() for given in several(config, "allow_host")),
    )


def configured_target(config: pytest.Config) -> Target:
    """Return the target that was given, in a type that shows no password.

    Raises:
        Failed: there is none, it is none, or its file cannot be read.
    """
    with misuse_told():
        text = target_text(config)
        if not text:
            misuse(_HOW)
        return Target.parse(_read(text[1:]) if text.startswith("@") else text)


def _read(name: str) -> str:
    try:
        text = Path(name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"the target's file {name!r} cannot be read: {problem}") from None
    if not text:
        raise UsageError(f"the target's file {name!r} is empty; write the URL into it")
    return text


def comparison(config: pytest.Config) -> Comparison | None:
    """Return what tells known findings from new ones, as of today (UTC), where there is a baseline.

    Raises:
        UsageError: it cannot be read, or is none.
    """
    given = one(config, "baseline")
    if given is None:
        return None
    return Comparison(read_baseline(given.value), datetime.now(UTC).date(), path=given.value)


def require_options(config: pytest.Config) -> None:
    """Refuse what is wrong on the command line and in the ini file.

    Raises:
        Failed: the first mistake.
    """
    with misuse_told():
        profile, level = one(config, "profile"), one(config, "fail_on")
        if profile:
            load_profile(profile.value)
        if level:
            level_of(level.value, level.where)
        seed_given(config)
        target_text(config)
        several(config, "allow_host")
        globs, skips = several(config, "clauses"), several(config, "skip")
        if globs or skips:
            chosen = select(load_clauses(), [given.value for given in globs], [given.value for given in skips])
            if not chosen:
                raise UsageError(f"{skips[0].where} leaves no clause to judge")
        comparison(config)
        if several(config, "report"):
            gathering(config)


def require_settings(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Refuse what is wrong in the marks of tests, and all that :func:`require_options` does.

    Raises:
        Failed: the first mistake, with the test that it belongs to.
    """
    require_options(config)
    asked: dict[str, str] = {}
    for item in items:
        settings = settings_of(item)
        for glob in (*settings.globs, *(skip.glob for skip in settings.skips)):
            asked.setdefault(glob, item.nodeid)
    if asked:
        clauses = load_clauses()
        for glob, where in asked.items():
            with misuse_told(where):
                select(clauses, [glob])
