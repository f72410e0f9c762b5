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
from tcop_mock.domain.delivery import Attempt, Outcome, Push
from tcop_mock.domain.load import Due, Notified, Pushed
from tcop_mock.domain.target import Target
from tcop_mock.errors import UsageError
from tcop_mock.load.scenario import Storm, load_scenario
from tcop_mock.load.schedule import mixed, shapes_of
from tcop_mock.transport.delivery import held_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PREFIX = "TCOP_MOCK_LOAD_"
TARGET_VARIABLE = "TCOP_MOCK_TARGET"
_BY_ERROR = {
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
class Orders:
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
    def of(cls, environ: Mapping[str, str], host: str | None = None) -> Orders:
        """Read them: ``TCOP_MOCK_TARGET``, and ``TCOP_MOCK_LOAD_SEED``, ``_MIX``, ``_SCENARIO``, ...

        Args:
            environ: of the process.
            host: what Locust was given as ``--host``, where the environment has no target.

        Raises:
            UsageError: there is no target, or something is not of its kind.
        """
        given = environ.get(TARGET_VARIABLE) or host
        if not given:
            raise UsageError(f"no target: set {TARGET_VARIABLE} (it keeps passwords out of Locust's pages), or --host")
        told = {key.removeprefix(PREFIX).lower(): text for key, text in environ.items() if key.startswith(PREFIX)}
        read: Mapping[str, Callable[[str], object]] = {
            "seed": int,
            "profile": str,
            "mix": str,
            "scenario": str,
            "time_scale": float,
            "processes": int,
            "rate": float,
            "catalogs": lambda text: tuple(filter(None, text.split(":"))),
        }
        orders = cls(Target.parse(given))
        for key, text in told.items():
            if key not in read:
                raise UsageError(f"{PREFIX}{key.upper()}: there is {', '.join(PREFIX + one.upper() for one in read)}")
            try:
                orders = replace(orders, **{key: read[key](text)})  # type: ignore[arg-type]  # of the key's kind
            except ValueError:
                raise UsageError(f"{PREFIX}{key.upper()}: {text!r} is no number") from None
        return orders

    def environ(self) -> dict[str, str]:
        """Return what :meth:`of` reads, but for the target, of which the caller has the password."""
        return {
            f"{PREFIX}SEED": f"{self.seed}",
            f"{PREFIX}PROFILE": self.profile,
            f"{PREFIX}MIX": self.mix,
            f"{PREFIX}SCENARIO": self.scenario,
            f"{PREFIX}TIME_SCALE": f"{self.time_scale}",
            f"{PREFIX}PROCESSES": f"{self.processes}",
            f"{PREFIX}RATE": f"{self.rate}",
            f"{PREFIX}CATALOGS": ":".join(self.catalogs),
        }


class Heard(NamedTuple):
    """What came of one POST, as the client tells it."""

    status: int
    """0 where no answer came."""
    error: BaseException | None = None
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    spent_s: float = 0.0


class Swarm:
    """One process's share of what is to be told.

    Args:
        orders: of all processes.
        index: which of them this is, from 0.
        clock: seconds.

    Raises:
        UsageError: a profile, a scenario or a shape that is not there.
    """

    def __init__(self, orders: Orders, index: int = 0, clock: Callable[[], float] = time.perf_counter) -> None:
        self.orders, self._clock = orders, clock
        profile = load_profile(orders.profile)
        self.rules = profile.delivery
        catalog = Catalog.load(*orders.catalogs)
        generator = Generator(orders.seed, wire=profile.wire)
        self._script = _script(orders, catalog, generator, index)
        self._began_s: float | None = None

    def next(self) -> Due | None:
        """Return the next notification, due at a time of the clock; ``None`` where the storm is over."""
        if self._began_s is None:
            self._began_s = self._clock()
        due = next(self._script, None)
        if due is None or not self.orders.scenario:
            return due and due._replace(at_s=self._clock())
        return due._replace(at_s=self._began_s + due.at_s)

    def headers(self) -> dict[str, str]:
        """Return the headers of each POST; they hold the credentials."""
        credentials = self.orders.target.credentials
        authorization = {"Authorization": f"Basic {credentials.token().reveal()}"} if credentials else {}
        return dict(self.rules.headers) | authorization

    def outcome_of(self, heard: Heard) -> Outcome:
        """Return how one POST ended; an answer that came too late is none, though the client has it."""
        if heard.spent_s > self.rules.timeout_s:
            return Outcome.TIMED_OUT
        if heard.status:
            return Outcome.of_status(heard.status)
        names = [kind.__name__ for kind in type(heard.error).__mro__]
        return next((_BY_ERROR[name] for name in names if name in _BY_ERROR), Outcome.BAD_ANSWER)

    def tell(self, due: Due, send: Callable[[bytes], Heard], sleep: Callable[[float], None]) -> Notified:
        """Push a notification until it is acked or given up, as the profile says.

        Args:
            due: when, and what.
            send: makes one POST, in all of ``rules.timeout_s`` at the most.
            sleep: waits for a time.
        """
        pushes: list[Pushed] = []
        while True:
            started_s = self._clock()
            heard = send(due.body)
            intended_s = started_s if pushes else due.at_s
            found = self.outcome_of(heard)
            attempt = Attempt(
                found, intended_s, started_s, self._clock(), status=heard.status or None, headers=heard.headers
            )
            attempt = held_to(self.rules.accept, Push(due.body), replace(attempt, body=heard.body))
            pushes.append(Pushed(intended_s, started_s, attempt.ended_s, attempt.outcome, attempt.status))
            if len(pushes) >= self.rules.attempts or not self.rules.retries(attempt):
                return Notified(due, tuple(pushes))
            sleep(self.rules.pause_s(attempt, len(pushes)) * self.orders.time_scale)


def weights(mix: str) -> tuple[tuple[str, float], ...]:
    """Return globs of shapes with their weights.

    Raises:
        UsageError: a weight is no number over 0.
    """
    found = []
    for part in filter(None, (part.strip() for part in mix.split(","))):
        pattern, equals, weight = part.partition("=")
        if equals and not weight.replace(".", "", 1).isdecimal():
            raise UsageError(f"{PREFIX}MIX {part!r}: write GLOB=WEIGHT, as in cvm/*=3")
        found.append((pattern, float(weight or 1)))
    return tuple(found)


def _script(orders: Orders, catalog: Catalog, generator: Generator, index: int) -> Iterator[Due]:
    if orders.scenario:
        storm = Storm(load_scenario(orders.scenario), catalog, generator)
        script = storm.script(orders.time_scale)
        return (due for due in script if zlib.crc32(due.alarm.encode()) % orders.processes == index % orders.processes)
    shapes = shapes_of(catalog, weights(orders.mix))
    return (Due(0.0, body) for body in mixed(generator, shapes, process=index))
