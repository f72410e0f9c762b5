"""The work of doctor, init and completion."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
from click.shell_completion import get_completion_class

from tcop_mock._version import __version__
from tcop_mock.callbacks.generator import Generator
from tcop_mock.cli import init_templates
from tcop_mock.cli.arguments import add_headers, resolve_target
from tcop_mock.cli.connections import read_connection
from tcop_mock.cli.framework_detection import FRAMEWORKS, DetectedApp, detect_apps
from tcop_mock.cli.settings import SettingsFile, find_file
from tcop_mock.contract.case_factory import PLAIN_SHAPE
from tcop_mock.doctor import DoctorRun, exit_code, harmless_callback, utc_now
from tcop_mock.errors import UsageError
from tcop_mock.reports.doctor import diagnosis_document, diagnosis_lines
from tcop_mock.reports.json import VERSION, write_json
from tcop_mock.reports.text import escape_unsafe
from tcop_mock.transport.connect import resolver_of
from tcop_mock.transport.protocol_probe import identify_protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tcop_mock.cli.options import CommonOptions, ReachOptions

_PROGRAM, _VARIABLE = "tcop-mock", "_TCOP_MOCK_COMPLETE"


def doctor(target: str | None, *, timeout_s: float | None, reach: ReachOptions, common: CommonOptions) -> int:
    """Diagnose the way to a receiver; return the exit code."""
    address = resolve_target(target, flag="URL")
    if address.app:
        raise UsageError(f"{address} is an app in this process, so there is no way to diagnose; use tcop-mock check")
    rules, connection = add_headers(common.profile.delivery, reach.headers), read_connection(reach)
    resolve = resolver_of(connection)
    visit = DoctorRun(
        address,
        rules if timeout_s is None else replace(rules, timeout_s=timeout_s),
        harmless_callback(
            Generator(common.seed, wire_format=common.profile.wire_format), common.catalog().get(PLAIN_SHAPE)
        ),
        os.environ,
        time.perf_counter,
        utc_now,
        resolve,
        insecure=reach.insecure,
        connection=connection,
        identify=partial(identify_protocol, resolve=resolve),
    )
    found = asyncio.run(visit.run())
    if common.as_json:
        profile, seed = common.profile.name, common.seed
        write_json(diagnosis_document(found, target=str(address), profile=profile, seed=seed), sys.stdout)
        return exit_code(found)
    for line in diagnosis_lines(found, quiet=common.quiet):
        click.echo(line)
    return exit_code(found)


def completion(shell: str, common: CommonOptions) -> None:
    """Print the script for bash, zsh or fish."""
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - the flag offers what click knows
    complete = found(click.get_current_context().find_root().command, {}, _PROGRAM, _VARIABLE)
    script = complete.source_template % complete.source_vars()  # source() would ask for the bash of this machine
    if common.as_json:
        write_json({"version": VERSION, "shell": shell, "script": script}, sys.stdout)
    else:
        click.echo(script.strip("\n"))


class NewFile(NamedTuple):
    """A file to write."""

    path: str
    text: str


def init(framework: str | None, ci: str, *, package: str | None, dry_run: bool, common: CommonOptions) -> None:
    """Write settings, a test and a CI job for the receiver in the current folder."""
    here = Path.cwd()
    found = _receiver(detect_apps(here), framework, common)
    package = package or _installed_package()
    if not package and ci != "none":
        common.info("the job does not know where to get tcop-mock: it was installed here from a folder; use --package")
    files_to_write = list(_new_files(here, found, ci, package))
    _require_free(here, files_to_write)
    if not dry_run:
        _write_all(here, files_to_write)
    if common.as_json:
        name, files = found.framework.name, [{"path": path, "text": text} for path, text in files_to_write]
        document = {"version": VERSION, "framework": name, "target": found.target, "written": not dry_run}
        write_json(document | {"files": files}, sys.stdout)
        return
    for path, text in files_to_write:
        click.echo(f"would write {path}" if dry_run else f"wrote {path}")
        if dry_run:
            click.echo("".join(f"  {line}\n" for line in text.splitlines()), nl=False)


def _receiver(found: Sequence[DetectedApp], asked: str | None, common: CommonOptions) -> DetectedApp:
    """Return the receiver that files are written for."""
    named = [one for one in found if one.framework.name == asked] if asked else list(found)
    chosen = named[0] if named else DetectedApp(FRAMEWORKS[asked or "other"])
    others = [one.framework.title for one in found if one.framework is not chosen.framework]
    also = f" ({', '.join(others)} as well: --framework takes another)" if others and not asked else ""
    common.info(f"receiver: {chosen.framework.title}, {escape_unsafe(chosen.target)}{also}")
    return chosen


def _installed_package() -> str:
    """Return a requirement for this tcop-mock; empty, if it was installed from a folder or a local file.

    pip records the origin (``direct_url.json``), unless it is a package index.
    """
    try:
        record = distribution(_PROGRAM).read_text("direct_url.json")
    except PackageNotFoundError:  # it runs from a checkout
        return ""
    if record is None:
        return f"{_PROGRAM}=={__version__}"
    origin = json.loads(record)
    url, vcs = origin["url"], origin.get("vcs_info")
    if url.startswith("file:"):
        return ""
    return f"{vcs['vcs']}+{url}@{vcs['commit_id']}" if vcs else url


def _new_files(here: Path, found: DetectedApp, ci: str, package: str) -> Iterator[NewFile]:
    yield NewFile(init_templates.SETTINGS, init_templates.settings(found))
    test, install = "", _install(here, found)
    if found.framework.in_process:
        folder = "tests" if (here / "tests").is_dir() or not (here / "test").is_dir() else "test"
        test, conftest = f"{folder}/{init_templates.TEST}", f"{folder}/conftest.py"
        taken = os.path.lexists(here / conftest)
        if not taken:
            yield NewFile(conftest, init_templates.conftest(found))
        yield NewFile(test, init_templates.test_module(found, with_fixture=taken))
    if ci == "github":
        yield NewFile(init_templates.GITHUB, init_templates.workflow(found, package, install, test))
    elif ci == "gitlab":
        yield NewFile(init_templates.GITLAB, init_templates.gitlab(found, package, install, test))


def _install(here: Path, found: DetectedApp) -> str:
    if not found.framework.python:
        return ""
    if (here / "requirements.txt").is_file():
        return "-r requirements.txt"
    return "." if (here / "pyproject.toml").is_file() else found.framework.packages


def _require_free(here: Path, files_to_write: Sequence[NewFile]) -> None:
    """Reject existing files, and settings of this folder that the new file would hide.

    Raises:
        UsageError: one of the files or such settings exist; names them.
    """
    there = [file.path for file in files_to_write if os.path.lexists(here / file.path)]
    if there:
        raise UsageError(
            f"nothing is written, because there is {', '.join(there)} already; move away what is in the way"
        )
    settings = _settings_of(here)
    if settings:
        raise UsageError(
            f"nothing is written: {settings.path} has settings already, which {files_to_write[0].path} would hide"
        )


def _settings_of(here: Path) -> SettingsFile | None:
    file = find_file(here, os.environ)
    return file if file and file.path.parent == here else None


def _write_all(here: Path, files_to_write: Sequence[NewFile]) -> None:
    """Write all files, or none.

    Raises:
        UsageError: one cannot be written; the files written before it are removed.
    """
    written: list[Path] = []
    for file in files_to_write:
        place = here / file.path
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("x", encoding="utf-8", newline="\n") as stream:
                written.append(place)
                stream.write(file.text)
        except OSError as problem:
            for one in written:
                one.unlink(missing_ok=True)
            where = os.path.relpath(problem.filename, here) if problem.filename else file.path
            raise UsageError(f"nothing is written: {where!r} cannot be: {problem.strerror or problem}") from None
