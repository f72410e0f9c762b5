"""What a load is told beyond rates: the storm that it plays, what it is held to, and where that is written."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tcop_mock.cli.loading import parse_rate
from tcop_mock.domain.load import LoadModel
from tcop_mock.errors import UsageError
from tcop_mock.load.ledger import Ledger
from tcop_mock.load.scenario import ScenarioSchedule, load_scenario
from tcop_mock.load.slo import parse_objectives
from tcop_mock.reports.files import write_report
from tcop_mock.reports.formats import JUNIT_FORMAT, ReportFile, parse_report_file, render_load
from tcop_mock.reports.text import pluralize

if TYPE_CHECKING:
    from tcop_mock.callbacks.generator import Generator
    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.cli.loading import Asked
    from tcop_mock.domain.load import LoadPlan, Objective, Schedule
    from tcop_mock.domain.load_summary import LoadResult

_QUIET_S = 1.0
"""A longer stretch in which nothing is under way or due is passed over."""
_PREPARED = 20_000
"""So many notifications are drawn before the storm begins: drawing one takes some 0.2 ms, in which nothing is sent."""


@dataclass(frozen=True, slots=True)
class Storming:
    """The flags beyond rates, as click hands them in."""

    scenario: str | None
    time_scale: float | None
    slo: tuple[str, ...]
    ledger: str | None
    reports: tuple[str, ...]

    def objectives(self, model: LoadModel) -> tuple[Objective, ...]:
        """Return what a load of a model is held to.

        Raises:
            UsageError: one is none, or is nothing that such a load has.
        """
        return parse_objectives(self.slo, model)

    def files(self) -> list[ReportFile]:
        """Return the reports that are to be written.

        Raises:
            UsageError: a kind or a place that is none, or one that has nothing to tell.
        """
        files = [parse_report_file(text, "--report", for_load=True) for text in self.reports]
        if not self.slo and any(file.format_name == JUNIT_FORMAT for file in files):
            raise UsageError("--report junit tells of objectives, each a case: give some with --slo")
        return files

    def keeper(self, plan: LoadPlan) -> Ledger:
        """Return what listens to the fate of each notification.

        Raises:
            UsageError: the ledger cannot be written, or several processes would have to.
        """
        if self.ledger and plan.workers > 1:
            raise UsageError("--ledger is written by one process: leave --workers out")
        return Ledger(self.ledger)

    @property
    def keeps(self) -> bool:
        """Whether anybody wants to know the fate of each notification."""
        return self.ledger is not None or self.scenario is not None

    def storm(self, catalog: Catalog, generator: Generator) -> ScenarioSchedule | None:
        """Return the storm that is to be played, where one is.

        Raises:
            UsageError: there is no such scenario, or it cannot be played.
        """
        if self.scenario is None:
            if self.time_scale is not None:
                raise UsageError("--time-scale goes with --scenario: a rate says by itself how fast it goes")
            return None
        return ScenarioSchedule(load_scenario(self.scenario), catalog, generator)

    @property
    def scale(self) -> float:
        """Seconds that a second of the storm takes."""
        return 1.0 if self.time_scale is None else self.time_scale

    def plan(self, storm: ScenarioSchedule, asked: Asked, base: LoadPlan) -> LoadPlan:
        """Return the plan of a storm.

        Args:
            storm: that is to be played.
            asked: flags about rates, of which most do not go with it.
            base: what all plans have in common.

        Raises:
            UsageError: a flag that does not go with it, or more than the ceilings.
        """
        for flag, given in (
            ("--rate", asked.rate),
            ("--stages", asked.stages),
            ("--ramp", asked.ramp),
            ("--concurrency", asked.concurrency),
            ("--mix", asked.mixes),
        ):
            if given:
                raise UsageError(f"--scenario says what is due when: leave {flag} out")
        extent, scenario = storm.size(self.scale), storm.scenario
        ceiling = parse_rate(asked.max_rate)
        if extent.peak_per_second > ceiling:
            raise UsageError(
                f"{extent.peak_per_second} notifications a second exceed the ceiling of {ceiling:g}/s; raise it with "
                f"--max-rate {extent.peak_per_second}/s, or --time-scale"
            )
        if extent.notifications > asked.max_count:
            raise UsageError(
                f"{extent.notifications} notifications are over the ceiling of {asked.max_count}; raise it with "
                f"--max-count {extent.notifications}"
            )
        much = f"{pluralize(scenario.alarm_count, 'alarm')}, {pluralize(extent.notifications, 'notification')}"
        scaled = "" if self.scale == 1 else f", a second of it in {self.scale:g} s"
        return replace(
            base,
            model=LoadModel.SCRIPT,
            duration_s=asked.duration,
            time_scale=self.scale,
            max_idle_s=_QUIET_S,
            title=f"{scenario.name}, {much}{scaled}",
            assumptions=(*base.assumptions, *scenario.assumptions),
        )

    def script(self, storm: ScenarioSchedule, count: int | None) -> Schedule:
        """Return what is due, ``count`` at the most; the beginning of it is drawn before the clock runs."""
        script = itertools.islice(storm.schedule(self.scale), count)
        return itertools.chain(list(itertools.islice(script, _PREPARED)), script)


def write_reports(files: list[ReportFile], told: LoadResult) -> None:
    """Write all reports.

    Raises:
        UsageError: one cannot be written.
    """
    for file in files:
        write_report(file.path, render_load(file.format_name, told))
