"""Options that several commands share: a decorator adds a group of them and passes one dataclass."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tcop_mock.cli import completers
from tcop_mock.cli.choices import PROFILES
from tcop_mock.cli.command import COMMON, option
from tcop_mock.cli.value_types import notify
from tcop_mock.domain.callback import Form, State
from tcop_mock.domain.profile import DEFAULT_PROFILE
from tcop_mock.domain.shape import Lang
from tcop_mock.errors import UsageError
from tcop_mock.reports.formats import format_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tcop_mock.callbacks.lint import LintReport
    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.cli.command import Decorator, Function
    from tcop_mock.domain.alarm import RepeatPolicy
    from tcop_mock.domain.profile import Profile

TARGET, GENERATE, BODIES, DELIVER, CHECK = "Target", "What to generate", "Bodies", "How to deliver", "What to check"
EFFECTS, REPORTS, RUN, OUTPUT, EDIT = "Effects", "Reports", "Run", "Output", "Changes"
_SEED_BITS = 32


@dataclass(frozen=True, kw_only=True)
class CommonOptions:
    """Options of every command; a command without one of them gets its default."""

    as_json: bool = False
    fixed_seed: int | None = None
    profile_name: str | None = DEFAULT_PROFILE
    """Name of the profile; ``None``: none was given, and the command finds the one that fits."""
    catalog_folders: tuple[str, ...] = ()
    quiet: bool = False
    verbose: bool = False

    @cached_property
    def seed(self) -> int:
        """The seed of ``--seed``, or a random one."""
        if self.fixed_seed is not None:
            return self.fixed_seed
        import secrets  # noqa: PLC0415 - it loads OpenSSL

        return secrets.randbits(_SEED_BITS)

    @cached_property
    def profile(self) -> Profile:
        """The profile.

        Raises:
            UnknownNameError: it does not exist; the message suggests similar names.
        """
        from tcop_mock.catalog.profiles import load_profile  # noqa: PLC0415 - help needs no catalogue

        return load_profile(self.profile_name or DEFAULT_PROFILE)

    @property
    def given_profile(self) -> Profile | None:
        """The profile of ``--profile``; ``None``: none was given, and the command finds the one that fits.

        Raises:
            UnknownNameError: it does not exist; the message suggests similar names.
        """
        return self.profile if self.profile_name else None

    def catalog(self) -> Catalog:
        """Load the catalogue with the entries of ``--catalog``.

        Raises:
            UsageError: a folder cannot be read, or has no entry.
            EntryError: an entry is invalid.
        """
        from tcop_mock.catalog.loader import Catalog  # noqa: PLC0415 - help needs no catalogue

        with _folder_errors():
            self._require_entries()
            return Catalog.load(*self.catalog_folders)

    def lint(self, pattern: str) -> LintReport:
        """Lint the entries of ``--catalog`` whose id matches a glob.

        Raises:
            UsageError: there is no folder, one cannot be read or has no entry, or no id matches.
        """
        from tcop_mock.callbacks.lint import lint  # noqa: PLC0415 - help needs no linter

        if not self.catalog_folders:
            raise UsageError("--lint checks your own entries: name their folder with --catalog DIR")
        with _folder_errors():
            self._require_entries()
            return lint(map(Path, self.catalog_folders), pattern)

    def _require_entries(self) -> None:
        from tcop_mock.catalog.data_files import iter_files  # noqa: PLC0415 - help needs no catalogue

        for folder in self.catalog_folders:
            if next(iter_files(Path(folder), ".toml"), None) is None:
                raise UsageError(f"--catalog {folder!r} has no entry; name a folder with .toml files in or below it")

    def info(self, line: str) -> None:
        """Print a line to standard error, unless ``--quiet``."""
        if not self.quiet:
            click.echo(line, err=True)


@contextlib.contextmanager
def _folder_errors() -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise UsageError(f"--catalog: {problem.filename!r} cannot be read: {problem.strerror}") from None


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationOptions:
    """Which callbacks to generate."""

    state: str | None = None
    lifecycle: str | None = None
    metric: str | None = None
    event: str | None = None
    no_threshold: bool = False
    notify: RepeatPolicy | None = None
    lang: str = Lang.EN.value
    form: str = Form.DOCUMENTED.value
    sets: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()
    template: str | None = None
    mutate: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportOptions:
    """Reports and the baseline of a check."""

    reports: tuple[str, ...]
    baseline: str | None
    baseline_update: bool
    baseline_prune: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ReachOptions:
    """How a command connects to the receiver, and the headers that it sends."""

    headers: tuple[str, ...] = ()
    insecure: bool = False
    cacert: str | None = None
    cert: str | None = None
    key: str | None = None
    resolve: tuple[str, ...] = ()


DEFAULT_REACH = ReachOptions()


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadOptions:
    """Rates and limits of a load."""

    rate: str | None
    arrivals: str
    ramp: float | None
    stages: str | None
    concurrency: int | None
    duration: float | None
    count: int | None
    warm_up: float
    max_inflight: int | None
    mixes: tuple[str, ...]
    reach: ReachOptions
    timeout: float | None
    allow_host: tuple[str, ...]
    max_rate: str
    max_count: int
    workers: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ScenarioOptions:
    """The scenario of a load, its objectives, and its output files."""

    scenario: str | None
    time_scale: float | None
    slo: tuple[str, ...]
    ledger: str | None
    reports: tuple[str, ...]


def with_options(
    options_class: Callable[..., Any],
    name: str,
    decorators: Iterable[Decorator],
    check: Callable[[Any], object] | None = None,
) -> Decorator:
    """Add options, and pass their values as one dataclass in the parameter ``name``."""
    names = [field.name for field in fields(options_class)]  # type: ignore[arg-type]  # it is a dataclass

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def call(**values: Any) -> Any:  # noqa: ANN401 - click's values, a command's exit code
            options = options_class(**{key: values.pop(key) for key in names if key in values})
            if check:
                check(options)
            return function(**values, **{name: options})

        return _with_all(decorators)(call)

    return decorate


def _with_all(decorators: Iterable[Decorator]) -> Decorator:
    def decorate(function: Function) -> Function:
        for decorator in reversed(list(decorators)):
            function = decorator(function)
        return function

    return decorate


def common_options(
    *,
    seed: bool | int = False,
    profile: bool = False,
    finds_profile: bool = False,
    catalog: bool = False,
    verbose: bool = False,
) -> Decorator:
    """Add ``--json``, ``--quiet`` and ``--debug``, and others where a command uses them; pass ``common``.

    Args:
        seed: whether the command draws random values; a number is the default seed.
        profile: whether it depends on the profile.
        finds_profile: whether it finds the profile of each body, unless one is given.
        catalog: whether it reads the catalogue.
        verbose: whether it prints the result of a check.
    """
    default_seed = None if isinstance(seed, bool) else seed
    decorators = [option("--json", "as_json", group=COMMON, is_flag=True, help="Print one versioned JSON document.")]
    if seed is not False:
        shown = "random, printed" if default_seed is None else default_seed
        decorators.append(
            option(
                "--seed",
                "fixed_seed",
                group=COMMON,
                type=int,
                default=default_seed,
                metavar="N",
                help=f"Random seed.  [default: {shown}]",
            )
        )
    if profile or finds_profile:
        shown = "the one that fits each body" if finds_profile else DEFAULT_PROFILE
        decorators.append(
            option(
                "--profile",
                "profile_name",
                group=COMMON,
                default=None if finds_profile else DEFAULT_PROFILE,
                shell_complete=completers.profiles,
                metavar="NAME",
                help=f"Version of the callback contract: {listed(PROFILES)}.  [default: {shown}]",
            )
        )
    if catalog:
        decorators.append(
            option(
                "--catalog",
                "catalog_folders",
                group=COMMON,
                type=click.Path(exists=True, file_okay=False),
                multiple=True,
                metavar="DIR",
                help="Folder with your own catalogue entries; repeatable.",
            )
        )
    if verbose:
        decorators.append(
            option(
                "-v",
                "--verbose",
                group=COMMON,
                is_flag=True,
                help="Print each clause, and all findings with request, answer, curl command and source.",
            )
        )
    decorators += [
        option("-q", "--quiet", group=COMMON, is_flag=True, help="Print no seed, no hints and no progress."),
        option("--debug", group=COMMON, is_flag=True, expose_value=False, help="Print a traceback on errors."),
    ]

    # An unknown profile is an error, whether or not the command gets to use it.
    check = (lambda common: common.profile) if profile or finds_profile else None
    return with_options(CommonOptions, "common", decorators, check)


def listed(names: Iterable[str], last: str = "or") -> str:
    """Return names as English text."""
    *first, end = names
    return f"{', '.join(first)} {last} {end}" if first else end


def generation_options(function: Function) -> Function:
    """Add the options of generated callbacks; pass ``generation``."""
    return with_options(
        GenerationOptions,
        "generation",
        [
            option(
                "--state",
                group=GENERATE,
                type=click.Choice([state.value for state in State]),
                help="State of the alarm.  [default: firing]",
            ),
            option(
                "--lifecycle",
                group=GENERATE,
                metavar="STEPS",
                help="Several states of one alarm in order: fire,repeat:3,resolve,fire; "
                "with levels, for --profile 2025: fire:Remind,repeat:Serious.",
            ),
            option("--metric", group=GENERATE, metavar="NAME", help="Metric by name.  [default: random]"),
            option("--event", group=GENERATE, metavar="NAME", help="Event by name.  [default: random]"),
            option(
                "--no-threshold",
                group=GENERATE,
                is_flag=True,
                help="Leave the threshold fields out, as for a metric without a threshold.",
            ),
            option(
                "--notify",
                group=GENERATE,
                type=notify,
                metavar="TYPE[:TIME]",
                help="How the alarm repeats: single, continuous:5m or exponential:5m.  [default: random]",
            ),
            lang_option(GENERATE),
            form_option(GENERATE, Form, "Body form: as documented, as observed, or from EventBridge (events only)."),
            *edit_options(GENERATE),
            template_option(GENERATE, "Notification template ({{.content}} ...) that renders the whole body."),
            option(
                "--mutate",
                group=GENERATE,
                metavar="NAME",
                help="Mutate the body as a clause does; `list --mutators` prints the names.",
            ),
        ],
    )(function)


def edit_options(group: str) -> list[Decorator]:
    """Return the options that edit a body."""
    return [
        option("--set", "sets", group=group, multiple=True, metavar="PATH=JSON", help="Change a value; repeatable."),
        option("--unset", group=group, multiple=True, metavar="PATH", help="Remove a value; repeatable."),
    ]


def lang_option(group: str) -> Decorator:
    """Return the option of the language."""
    return option(
        "--lang",
        group=group,
        type=click.Choice([lang.value for lang in Lang]),
        default=Lang.EN.value,
        show_default=True,
        help="Language of names and other text.",
    )


def form_option(group: str, forms: Iterable[Form], text: str) -> Decorator:
    """Return the option of the body form."""
    return option(
        "--form",
        group=group,
        type=click.Choice([form.value for form in forms]),
        default=Form.DOCUMENTED.value,
        show_default=True,
        help=text,
    )


def template_option(group: str, text: str) -> Decorator:
    """Return the option of a notification template."""
    return option("--template", group=group, metavar="FILE", shell_complete=completers.files, help=text)


def clause_files_option(group: str) -> Decorator:
    """Return the option of custom clauses."""
    return option(
        "--clause-files",
        group=group,
        multiple=True,
        metavar="GLOB",
        help="Also your own clauses, in files such as ACME101-our-rule.toml; repeatable.",
    )


def report_options(function: Function) -> Function:
    """Add the options of reports and the baseline; pass ``reporting``."""
    return with_options(
        ReportOptions,
        "reporting",
        [
            option(
                "--report",
                "reports",
                group=REPORTS,
                multiple=True,
                metavar="KIND=PATH",
                help=f"Also write a report: {listed(format_names())}; repeatable. In GitHub Actions, markdown also "
                "goes to the job summary and the annotations.",
            ),
            option("--baseline", group=REPORTS, metavar="FILE", help="Known findings, which do not fail the run."),
            option("--baseline-update", group=REPORTS, is_flag=True, help="Add current findings to the baseline."),
            option(
                "--baseline-prune",
                group=REPORTS,
                is_flag=True,
                help="Remove findings that no longer occur from the baseline.",
            ),
        ],
    )(function)
