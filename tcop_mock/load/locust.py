"""The part of the Locust integration that does not import Locust: settings, schedule and delivery of one process.

Processes share only their settings. Each one generates its own alarms, or takes its share of the alarms of a scenario.
"""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.callbacks.generator import Generator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.delivery import Attempt, Outcome
from tcop_mock.domain.load import AttemptRecord, DeliveryRecord, ScheduledCallback
from tcop_mock.domain.target import Target
from tcop_mock.errors import UsageError
from tcop_mock.load.scenario import ScenarioSchedule, load_scenario
from tcop_mock.load.schedule import mixed_bodies, weighted_shapes
from tcop_mock.transport.delivery import apply_acceptance
from tcop_mock.transport.outcomes import Phase, failure_from_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ENV_PREFIX = "TCOP_MOCK_LOAD_"
TARGET_VARIABLE = "TCOP_MOCK_TARGET"


@dataclass(frozen=True, slots=True)
class LocustSettings:
    """The settings of all processes of a swarm."""

    target: Target
    seed: int = 1
    profile: str = "2023"
    mix: str = "*"
    """Shapes and weights in the format of ``--mix``: ``cvm/*=3,mysql/*``."""
    scenario: str = ""
    """A scenario instead of a mix: a name, or a file that exists on each machine."""
    time_scale: float = 1.0
    """Real seconds per second of the scenario and of the profile's pauses."""
    processes: int = 1
    """The number of workers that share a scenario."""
    rate: float = 1.0
    """Notifications per second and user without a scenario; 0: no wait between them."""
    catalogs: tuple[str, ...] = ()
    """The user's own catalogue folders."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], host: str | None = None) -> LocustSettings:
        """Read the settings from ``TCOP_MOCK_TARGET``, ``TCOP_MOCK_LOAD_SEED``, ``TCOP_MOCK_LOAD_MIX``, ...

        Args:
            environ: the environment variables.
            host: Locust's ``--host``, the target if the environment has none.

        Raises:
            UsageError: there is no target, or a variable is unknown or has an invalid value.
        """
        target_text = environ.get(TARGET_VARIABLE) or host
        if not target_text:
            raise UsageError(f"no target: set {TARGET_VARIABLE} (it keeps passwords out of Locust's pages), or --host")
        values = {
            key.removeprefix(ENV_PREFIX).lower(): text for key, text in environ.items() if key.startswith(ENV_PREFIX)
        }
        parsers: Mapping[str, Callable[[str], object]] = {
            "seed": int,
            "profile": str,
            "mix": str,
            "scenario": str,
            "time_scale": float,
            "processes": int,
            "rate": float,
            "catalogs": lambda text: tuple(filter(None, text.split(":"))),
        }
        settings = cls(Target.parse(target_text))
        for key, text in values.items():
            if key not in parsers:
                raise UsageError(
                    f"{ENV_PREFIX}{key.upper()}: there is {', '.join(ENV_PREFIX + name.upper() for name in parsers)}"
                )
            try:
                settings = replace(settings, **{key: parsers[key](text)})  # type: ignore[arg-type]  # of the key's kind
            except ValueError:
                raise UsageError(f"{ENV_PREFIX}{key.upper()}: {text!r} is not a number") from None
        return settings

    def to_environ(self) -> dict[str, str]:
        """Return the variables that :meth:`from_environ` reads, without the target, which contains the password."""
        return {
            f"{ENV_PREFIX}SEED": f"{self.seed}",
            f"{ENV_PREFIX}PROFILE": self.profile,
            f"{ENV_PREFIX}MIX": self.mix,
            f"{ENV_PREFIX}SCENARIO": self.scenario,
            f"{ENV_PREFIX}TIME_SCALE": f"{self.time_scale}",
            f"{ENV_PREFIX}PROCESSES": f"{self.processes}",
            f"{ENV_PREFIX}RATE": f"{self.rate}",
            f"{ENV_PREFIX}CATALOGS": ":".join(self.catalogs),
        }


class HttpResult(NamedTuple):
    """The result of one POST from the HTTP client."""

    status: int
    """0 if there was no response."""
    error: BaseException | None = None
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    elapsed_s: float = 0.0


class LocustWorker:
    """The notifications of one process, and their delivery.

    Args:
        settings: the settings of all processes.
        index: the index of this process, from 0.
        clock: monotonic clock in seconds.

    Raises:
        UsageError: the profile, scenario or a shape does not exist.
    """

    def __init__(
        self, settings: LocustSettings, index: int = 0, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.settings, self._clock = settings, clock
        profile = load_profile(settings.profile)
        self.rules = profile.delivery
        catalog = Catalog.load(*settings.catalogs)
        generator = Generator(settings.seed, wire_format=profile.wire_format)
        self._schedule = _schedule(settings, catalog, generator, index)
        self._start_s: float | None = None

    def next_callback(self) -> ScheduledCallback | None:
        """Return the next notification, with its time on the clock; ``None`` after the end of the scenario."""
        if self._start_s is None:
            self._start_s = self._clock()
        callback = next(self._schedule, None)
        if callback is None or not self.settings.scenario:
            return callback and callback._replace(at_s=self._clock())
        return callback._replace(at_s=self._start_s + callback.at_s)

    def headers(self) -> dict[str, str]:
        """Return the headers of each POST, including the credentials."""
        credentials = self.settings.target.credentials
        authorization = {"Authorization": f"Basic {credentials.token().reveal()}"} if credentials else {}
        return dict(self.rules.headers) | authorization

    def outcome_of(self, result: HttpResult) -> Outcome:
        """Return the outcome of one POST; a response after the deadline counts as a timeout."""
        if result.elapsed_s > self.rules.timeout_s:
            return Outcome.TIMED_OUT
        if result.status:
            return Outcome.from_status(result.status)
        if result.error is None:
            return Outcome.BAD_ANSWER
        return failure_from_error(result.error, Phase.WAITING).outcome

    def deliver(
        self, callback: ScheduledCallback, send: Callable[[bytes], HttpResult], sleep: Callable[[float], None]
    ) -> DeliveryRecord:
        """Send a notification until it is acknowledged or the profile allows no further attempt.

        Args:
            callback: the notification and its time.
            send: makes one POST within ``rules.timeout_s``.
            sleep: waits for a number of seconds.
        """
        attempts: list[AttemptRecord] = []
        while True:
            started_s = self._clock()
            result = send(callback.body)
            intended_s = started_s if attempts else callback.at_s
            outcome = self.outcome_of(result)
            attempt = Attempt(
                outcome,
                intended_s,
                started_s,
                self._clock(),
                status=result.status or None,
                headers=result.headers,
                body=result.body,
            )
            attempt = apply_acceptance(self.rules.accept, callback.body, attempt)
            attempts.append(AttemptRecord(intended_s, started_s, attempt.ended_s, attempt.outcome, attempt.status))
            pause_s = self.rules.retry_pause_s(attempt, len(attempts))
            if pause_s is None:
                return DeliveryRecord(callback, tuple(attempts))
            sleep(pause_s * self.settings.time_scale)


def parse_mix(mix: str) -> tuple[tuple[str, float], ...]:
    """Return globs of shapes with their weights.

    Raises:
        UsageError: a weight is not a positive number.
    """
    pairs = []
    for part in filter(None, (part.strip() for part in mix.split(","))):
        pattern, equals, weight = part.partition("=")
        if equals and not weight.replace(".", "", 1).isdecimal():
            raise UsageError(f"{ENV_PREFIX}MIX {part!r}: write GLOB=WEIGHT, as in cvm/*=3")
        pairs.append((pattern, float(weight or 1)))
    return tuple(pairs)


def _schedule(
    settings: LocustSettings, catalog: Catalog, generator: Generator, index: int
) -> Iterator[ScheduledCallback]:
    if settings.scenario:
        scenario_schedule = ScenarioSchedule(load_scenario(settings.scenario), catalog, generator)
        schedule = scenario_schedule.schedule(settings.time_scale)
        return (
            callback
            for callback in schedule
            if zlib.crc32(callback.alarm_key.encode()) % settings.processes == index % settings.processes
        )
    shapes = weighted_shapes(catalog, parse_mix(settings.mix))
    return (ScheduledCallback(0.0, body) for body in mixed_bodies(generator, shapes, worker=index))
