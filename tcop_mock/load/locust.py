"""What one process of a Locust swarm has to tell, and how a notification is told: all of it that needs no Locust.

Processes share nothing but what they are started with: each draws alarms of its own, or of a storm those alarms whose
name falls to it.
"""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.callbacks.generator import Generator
from tcop_mock.catalog.loader import Catalog
from tcop_mock.catalog.profiles import load_profile
from tcop_mock.domain.delivery import Attempt, Outcome, OutgoingRequest
from tcop_mock.domain.load import AttemptRecord, DeliveryRecord, ScheduledCallback
from tcop_mock.domain.target import Target
from tcop_mock.errors import UsageError
from tcop_mock.load.scenario import ScenarioSchedule, load_scenario
from tcop_mock.load.schedule import mixed_bodies, weighted_shapes
from tcop_mock.transport.delivery import apply_acceptance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ENV_PREFIX = "TCOP_MOCK_LOAD_"
TARGET_VARIABLE = "TCOP_MOCK_TARGET"
_OUTCOME_BY_ERROR = {
    "ConnectionRefusedError": Outcome.REFUSED,
    "gaierror": Outcome.DNS,
    "SSLError": Outcome.TLS,
    "SSLCertVerificationError": Outcome.TLS,
    "Timeout": Outcome.TIMED_OUT,
    "TimeoutError": Outcome.TIMED_OUT,
    "ConnectionResetError": Outcome.RESET_BEFORE_ANSWER,
    "BrokenPipeError": Outcome.RESET_BEFORE_ANSWER,
    "HTTPConnectionClosed": Outcome.RESET_BEFORE_ANSWER,
    "EmptyResponse": Outcome.RESET_BEFORE_ANSWER,
}
"""What the client of Locust raises, by the name of its class."""


@dataclass(frozen=True, slots=True)
class LocustSettings:
    """What a process of a swarm is started with; the same in each of them."""

    target: Target
    seed: int = 1
    profile: str = "2023"
    mix: str = "*"
    """Shapes and weights, as ``--mix`` takes them: ``cvm/*=3,mysql/*``."""
    scenario: str = ""
    """In place of a mix: a storm by name, or a file that each machine has."""
    time_scale: float = 1.0
    """Seconds that a second of the storm and of the profile's pauses takes."""
    processes: int = 1
    """Workers among which a storm is divided."""
    rate: float = 1.0
    """Notifications a second of each user, where no storm is played; 0: as fast as they are acked."""
    catalogs: tuple[str, ...] = ()
    """Folders of one's own entries."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], host: str | None = None) -> LocustSettings:
        """Read them: ``TCOP_MOCK_TARGET``, and ``TCOP_MOCK_LOAD_SEED``, ``_MIX``, ``_SCENARIO``, ...

        Args:
            environ: of the process.
            host: what Locust was given as ``--host``, where the environment has no target.

        Raises:
            UsageError: there is no target, or something is not of its kind.
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
                raise UsageError(f"{ENV_PREFIX}{key.upper()}: {text!r} is no number") from None
        return settings

    def to_environ(self) -> dict[str, str]:
        """Return what :meth:`of` reads, but for the target, of which the caller has the password."""
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
    """What came of one POST, as the client tells it."""

    status: int
    """0 where no answer came."""
    error: BaseException | None = None
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    elapsed_s: float = 0.0


class LocustWorker:
    """One process's share of what is to be told.

    Args:
        settings: of all processes.
        index: which of them this is, from 0.
        clock: seconds.

    Raises:
        UsageError: a profile, a scenario or a shape that is not there.
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
        """Return the next notification, due at a time of the clock; ``None`` where the storm is over."""
        if self._start_s is None:
            self._start_s = self._clock()
        callback = next(self._schedule, None)
        if callback is None or not self.settings.scenario:
            return callback and callback._replace(at_s=self._clock())
        return callback._replace(at_s=self._start_s + callback.at_s)

    def headers(self) -> dict[str, str]:
        """Return the headers of each POST; they hold the credentials."""
        credentials = self.settings.target.credentials
        authorization = {"Authorization": f"Basic {credentials.token().reveal()}"} if credentials else {}
        return dict(self.rules.headers) | authorization

    def outcome_of(self, result: HttpResult) -> Outcome:
        """Return how one POST ended; an answer that came too late is none, though the client has it."""
        if result.elapsed_s > self.rules.timeout_s:
            return Outcome.TIMED_OUT
        if result.status:
            return Outcome.from_status(result.status)
        names = [kind.__name__ for kind in type(result.error).__mro__]
        return next((_OUTCOME_BY_ERROR[name] for name in names if name in _OUTCOME_BY_ERROR), Outcome.BAD_ANSWER)

    def deliver(
        self, callback: ScheduledCallback, send: Callable[[bytes], HttpResult], sleep: Callable[[float], None]
    ) -> DeliveryRecord:
        """Push a notification until it is acked or given up, as the profile says.

        Args:
            callback: when, and what.
            send: makes one POST, in all of ``rules.timeout_s`` at the most.
            sleep: waits for a time.
        """
        attempts: list[AttemptRecord] = []
        while True:
            started_s = self._clock()
            result = send(callback.body)
            intended_s = started_s if attempts else callback.at_s
            outcome = self.outcome_of(result)
            attempt = Attempt(
                outcome, intended_s, started_s, self._clock(), status=result.status or None, headers=result.headers
            )
            attempt = apply_acceptance(
                self.rules.accept, OutgoingRequest(callback.body), replace(attempt, body=result.body)
            )
            attempts.append(AttemptRecord(intended_s, started_s, attempt.ended_s, attempt.outcome, attempt.status))
            if len(attempts) >= self.rules.attempts or not self.rules.should_retry(attempt):
                return DeliveryRecord(callback, tuple(attempts))
            sleep(self.rules.pause_s(attempt, len(attempts)) * self.settings.time_scale)


def parse_mix(mix: str) -> tuple[tuple[str, float], ...]:
    """Return globs of shapes with their weights.

    Raises:
        UsageError: a weight is no number over 0.
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
