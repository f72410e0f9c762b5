"""What players draw from: one clause's own alarms, and requests made of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tcop_mock.generate.draft import serial_of_own_policy
from tcop_mock.model.alarm import State
from tcop_mock.model.case import Case, Offer
from tcop_mock.model.delivery import Push
from tcop_mock.model.secret import Credentials, Secret
from tcop_mock.model.wire import wire_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tcop_mock.catalog import Catalog
    from tcop_mock.generate import Generator
    from tcop_mock.model.alarm import Alarm
    from tcop_mock.model.shape import Shape

PLAIN_SHAPE = "cvm/basic-monitoring"
"""The shape that receivers know if they know any: the page's first and only complete sample."""
PLAIN_METRIC = "cpu_usage"
_POLICIES_PER_CLAUSE = 10_000


@dataclass(slots=True)
class Workshop:
    """Makes the cases of one clause.

    Each alarm it draws has ids of its own that no other clause's alarms have, whichever clauses run beside it: another
    object of another policy.
    """

    catalog: Catalog
    generator: Generator
    code: str
    credentials: Credentials | None = None
    headers: tuple[tuple[str, str], ...] = ()
    _drawn: int = 0

    def alarm(self, shape: Shape, *, threshold: bool = True, reaching: State = State.FIRING) -> Alarm:
        """Draw the clause's next alarm; of the plain shape always the plain metric."""
        serial = serial_of_own_policy(_POLICIES_PER_CLAUSE * int(self.code.removeprefix("TCM")) + self._drawn)
        self._drawn += 1
        metric = PLAIN_METRIC if shape.id == PLAIN_SHAPE else None
        return self.generator.alarm(shape, serial, metric=metric, threshold=threshold, reaching=reaching)

    def tree(self, shape: Shape, state: State, *, threshold: bool = True) -> dict[str, Any]:
        """Return the body of a new alarm's callback as a tree."""
        alarm = self.alarm(shape, threshold=threshold, reaching=state)
        return self.generator.callback(alarm, state).to_wire()

    def shapes(self, globs: Sequence[str]) -> list[Shape]:
        """Return the shapes that globs name, each once."""
        return list({shape.id: shape for glob in globs for shape in self.catalog.match(glob)}.values())

    def case(self, title: str, tree: Any, shape: Shape | None = None, *, ascii_only: bool = False) -> Case:  # noqa: ANN401
        """Return the case of posting a body with the right credentials."""
        body = json.dumps(tree).encode() if ascii_only else wire_bytes(tree)
        return Case(title, self.push(body), shape.id if shape else None)

    def plain(self, title: str = "a plain firing callback") -> Case:
        """Return the case of posting the body that every receiver takes."""
        shape = self.catalog.get(PLAIN_SHAPE)
        return self.case(title, self.tree(shape, State.FIRING), shape)

    def push(self, body: bytes) -> Push:
        """Return the POST of a body as the profile sends it."""
        return Push(body, headers=self.headers, credentials=self.credentials)

    def offering(self, case: Case, offer: Offer, sentinel: str) -> Case:
        """Return the case with other credentials; what is made up is ``sentinel``."""
        return replace(case, offer=offer, push=replace(case.push, credentials=self._offered(offer, sentinel)))

    def _offered(self, offer: Offer, sentinel: str) -> Credentials | None:
        right = self.credentials or Credentials(Secret(""), Secret(""))
        return {
            Offer.RIGHT: self.credentials,
            Offer.NONE: None,
            Offer.WRONG_USER: Credentials(Secret(sentinel), right.password),
            Offer.WRONG_PASSWORD: Credentials(right.user, Secret(sentinel)),
            Offer.EMPTY_PASSWORD: Credentials(right.user, Secret("")),
        }[offer]
