"""Protocols that the command line implements for the page: compose callbacks, edit bodies, prepare a load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tcop_mock.domain.callback import Form, State
from tcop_mock.domain.profile import DEFAULT_PROFILE
from tcop_mock.domain.shape import Lang

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.domain.load_summary import LoadResult
    from tcop_mock.domain.target import Target
    from tcop_mock.load.run import LoadRun


@dataclass(frozen=True, slots=True)
class Composition:
    """Which callback to generate; the same seed and shape are the same alarm."""

    shape: str
    seed: int
    state: str = State.FIRING.value
    repeats: int = 0
    """Number of the repeat, from 1; for a resolve, the number of repeats before it."""
    metric: str = ""
    event: str = ""
    form: str = Form.DOCUMENTED.value
    lang: str = Lang.EN.value
    profile: str = DEFAULT_PROFILE
    notify: str = "continuous:5m"
    mutate: str = ""


class ComposedCallback(NamedTuple):
    """A generated callback."""

    body: bytes
    command: str
    """The command that prints the body."""


@dataclass(frozen=True, slots=True)
class StormOptions:
    """Which scenario to run, and how."""

    scenario: str
    seed: int
    time_scale: float
    duration_s: float | None
    profile: str = DEFAULT_PROFILE


class PreparedStorm(NamedTuple):
    """A load that is ready to run: its target answers."""

    run: LoadRun
    result: Callable[[], LoadResult]
    """Returns the result, also of a load that was stopped."""


class CommandLine(Protocol):
    """The work of commands that the page does, too."""

    @property
    def catalog(self) -> Catalog:
        """The catalogue with the user's own entries."""
        ...

    def compose(self, composition: Composition) -> ComposedCallback:
        """Generate a callback, as ``emit`` does.

        Raises:
            UsageError: there is no such shape, state, form, metric, event, profile or mutator.
        """
        ...

    def edit(self, body: bytes, sets: tuple[str, ...], removals: tuple[str, ...]) -> bytes:
        """Change values of a body by path, as ``--set`` and ``--unset`` do.

        Raises:
            UsageError: the body is not a JSON object, or has no such path.
        """
        ...

    def prepare_storm(self, target: Target, options: StormOptions) -> PreparedStorm:
        """Prepare a scenario as ``load`` does, and send one callback first.

        Raises:
            UsageError: the scenario does not exist, or a ceiling is exceeded.
            TargetError: the target cannot be used.
        """
        ...
