"""What is to be judged, and by what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tcop_mock.model.clause import Clause, Need
from tcop_mock.run.viewing import Observing

if TYPE_CHECKING:
    from tcop_mock.catalog import Catalog
    from tcop_mock.contract.reproduce import Flag
    from tcop_mock.generate.notice import Template
    from tcop_mock.model.profile import Profile
    from tcop_mock.model.secret import Credentials
    from tcop_mock.model.target import Target


_ABOUT_OUR_OWN = frozenset({"bodies", "spellings", "stories", "truncated", "variants"})
"""Players that change what TCOP's own callbacks hold."""


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """What is to be judged, and by what."""

    target: Target
    catalog: Catalog
    clauses: tuple[Clause, ...]
    profile: Profile
    seed: int
    judge_auth: bool = True
    """Whether the target's userinfo says which credentials the receiver wants."""
    wait_s: float = 0.0
    max_time_s: float = 300.0
    observing: Observing = field(default_factory=Observing)
    catalog_folders: tuple[str, ...] = ()
    """The user's own, to be named again by whoever wants to see a finding again."""
    clause_files: tuple[str, ...] = ()
    """Globs of the user's own clauses, for the same reason."""
    template: Template | None = None
    """Of the user's own notices, in place of TCOP's own callbacks."""
    flags: tuple[Flag, ...] = ()
    """Further ones of the command line, to be named again likewise."""
    gap_s: float | None = None
    """Time between the starts of two requests at the least, for receivers that limit the rate."""

    def missing(self, clause: Clause) -> str:
        """Say why a clause is not played, whatever the receiver is like; empty: it is."""
        if clause.profiles and self.profile.name not in clause.profiles:
            return f"holds in profile {', '.join(clause.profiles)} only"
        if self.target.parser and self.target.parser not in clause.parsers:
            return f"needs a receiver: a {self.target.parser} is asked about bodies that have been parsed, nothing else"
        if Need.AUTH in clause.needs and not (self.target.credentials and self.judge_auth):
            return "needs auth: put the receiver's USER:PASSWORD@ into the target"
        if Need.ODD_CREDENTIALS in clause.needs and not _are_odd(self.target.credentials):
            return "needs a user or password with @ : / % or signs beyond ASCII, which are the ones that get lost"
        if Need.HTTP in clause.needs and self.target.app:
            return "needs http: an app in this process has no connections"
        return self._written_otherwise(clause) or self.observing.unmet(clause)

    def _written_otherwise(self, clause: Clause) -> str:
        if Need.TEMPLATE in clause.needs and self.template is None:
            return "needs template: give --template FILE, the text that is in the console"
        if self.template and clause.play.name in _ABOUT_OUR_OWN:
            return "is about TCOP's own callbacks, and --template writes others"
        return ""


def _are_odd(credentials: Credentials | None) -> bool:
    """Say whether credentials need to be percent-encoded in a URL, or told in an encoding."""
    text = "".join(part.reveal() for part in (credentials.user, credentials.password)) if credentials else ""
    return not text.isascii() or not set(text).isdisjoint("@:/%")
