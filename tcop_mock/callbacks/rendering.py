"""The bytes of many callbacks: what ``Generator.callback(...).body()`` gives, without an object for each."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tcop_mock.callbacks.compiler import Plan
from tcop_mock.callbacks.generator import LANES, Moment, again_s, ages_s, place_of
from tcop_mock.callbacks.pieces import (
    ROWS,
    Chars,
    Clock,
    Columns,
    Hole,
    Holes,
    Piece,
    Words,
    clock_pieces,
    encoded,
    text_of,
)
from tcop_mock.callbacks.sampling import Ask, require, require_form, values
from tcop_mock.domain.alarm import NOT_RECOVERED, Said, State, to_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tcop_mock.callbacks.compiler import Slot
    from tcop_mock.callbacks.generator import Generator
    from tcop_mock.domain.alarm import Alarm
    from tcop_mock.domain.shape import Metric, Shape


class Stencil:
    """Writes bodies that differ only in what is drawn."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._pieces = _merged(pieces)
        self._literals = [piece.encode() if isinstance(piece, str) else b"" for piece in self._pieces]
        self._gaps = [(at, _cutter(piece)) for at, piece in enumerate(self._pieces) if not isinstance(piece, str)]
        self._columns: Columns | None = None

    def body(self, block: bytes, row: int) -> bytes:
        """Return the body of one row."""
        parts = self._literals.copy()
        for at, cut in self._gaps:
            parts[at] = cut(block, row)
        return b"".join(parts)

    def bodies(self, block: bytes, low: int, high: int) -> list[bytes]:
        """Return the bodies of the rows from ``low`` to before ``high``."""
        if self._columns is None:
            self._columns = Columns(self._pieces)
        return self._columns.lines(block, low, high)


def _merged(pieces: Iterable[Piece]) -> list[Piece]:
    """Return the pieces with literals that meet made one."""
    merged: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and merged and isinstance(merged[-1], str):
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged


def _cutter(piece: Piece) -> Callable[[bytes, int], bytes]:
    """Return a function from block and row to the bytes of one drawn piece."""
    if isinstance(piece, Chars):
        first, last, table = piece.column * ROWS, (piece.column + piece.width) * ROWS, piece.table
        return lambda block, row: block[first + row : last : ROWS].translate(table)
    if isinstance(piece, Words):
        start, texts = piece.column * ROWS, encoded(piece)
        return lambda block, row: texts[block[start + row]]
    return lambda block, row: text_of((piece,), block, row).encode()


_FIRING = Moment()


class Bodies:
    """Bodies of one shape's callbacks of one state, by serial.

    Args:
        generator: gives seed, language, form and profile.
        shape: what product they are about.
        moment: of the callbacks, in the lives of their alarms.
        ask: what the alarms have to be.
        edit: applied to every body's tree, before anything is drawn: what it removes or sets, it does in all of them.

    Raises:
        UnknownNameError: the shape has no such metric or event.
        UsageError: its alarms have no such state, or the shape no such form.
    """

    def __init__(
        self,
        generator: Generator,
        shape: Shape,
        moment: Moment = _FIRING,
        *,
        ask: Ask | None = None,
        edit: Callable[[Any], Any] | None = None,
    ) -> None:
        self._form, self._envelope = generator.form, generator.wire.envelope(generator.form)
        self._lang = generator.lang
        self._moment = moment
        self._ask = ask or Ask(reaching=moment.state)
        self._edit = edit
        require_form(shape, generator.form)
        self._draft = generator.draft(shape)
        self._stencil = lru_cache(maxsize=1024)(self._compiled)

    def body(self, serial: int, moment: Moment | None = None) -> bytes:
        """Return one alarm's body.

        Args:
            serial: of the alarm.
            moment: another of the same state, whose chance it is drawn by; its times stay those of this one's moment.
        """
        policy, number, row = place_of(serial)
        return self._stencil(policy).body(self._draft.block(policy, number, moment or self._moment), row)

    def bodies(self, first: int, count: int) -> list[bytes]:
        """Return the bodies of ``count`` alarms in a row, in their order."""
        drawn: list[bytes] = [b""] * count
        for lane_first in range(first, min(first + LANES, first + count)):
            serials = range(lane_first, first + count, LANES)
            column: list[bytes] = []
            while len(column) < len(serials):
                policy, number, low = place_of(serials[len(column)])
                high = min(ROWS, low + len(serials) - len(column))
                column += self._stencil(policy).bodies(self._draft.block(policy, number, self._moment), low, high)
            drawn[lane_first - first :: LANES] = column
        return drawn

    def of_policy(self, policy: int, first: int, count: int) -> list[bytes]:
        """Return the bodies of ``count`` alarms in a row of one policy, which has alarms without end.

        A policy's first alarms are those that have a serial: each ``LANES`` behind the one before.
        """
        drawn: list[bytes] = []
        while len(drawn) < count:
            number, low = divmod(first + len(drawn), ROWS)
            high = min(ROWS, low + count - len(drawn))
            drawn += self._stencil(policy).bodies(self._draft.block(policy, number, self._moment), low, high)
        return drawn

    def told_s(self, serial: int) -> int:
        """Return when one alarm's callback is told, in seconds after the alarm fired for the first time."""
        policy, number, row = place_of(serial)
        alarm = self._draft.policy(policy, self._ask)
        ages, column = ages_s(alarm, self._moment), self._draft.age
        at = self._draft.block(policy, number, self._moment)[column * ROWS + row] if len(ages) > 1 else 0
        return again_s(alarm, self._moment) + ages[at]

    def rehearse(self, count: int) -> None:
        """Write what ``bodies(0, count)`` writes as far as it can fail.

        Raises:
            UnknownNameError: an edit names a path that one of the bodies does not have.
            UsageError: one of the alarms has no such state.
        """
        written: set[object] = set()
        for number in range(min(count, place_of(count - 1).policy + 1) if self._edit else 1):
            policy = self._draft.policy(number, self._ask)
            if policy.fields not in written:
                written.add(policy.fields)
                self._stencil(number)

    def _compiled(self, number: int) -> Stencil:
        """Write the body of a policy's alarms with holes for what is each alarm's own."""
        policy = self._draft.policy(number, self._ask)
        require(policy, self._moment.state)
        holes = Holes()
        tree: Any = to_wire(
            self._with_objects(policy, holes),
            self._said(policy, holes),
            self._form,
            self._envelope,
            over=self._moment.state is State.RESOLVED,
        )
        return Stencil(holes.pieces(self._edit(tree) if self._edit else tree))

    def _with_objects(self, policy: Alarm, holes: Holes) -> Alarm:
        plan, lang = self._draft.plan, self._lang

        def dug(slot: Slot, key: str) -> Hole:
            return holes.dig(slot.tokens(lang, key), slot.pieces(lang, key))

        objects = plan.objects(plan.each(dug) | self._draft.built_in(policy), lang)
        return replace(policy, dimensions=objects.dimensions, extras=objects.extras(policy.extras))

    def _said(self, policy: Alarm, holes: Holes) -> Said:
        draft, moment = self._draft, self._moment
        ages, over, again = ages_s(policy, moment), moment.state is State.RESOLVED, again_s(policy, moment)
        age: Piece = str(ages[0]) if len(ages) == 1 else Words(draft.age, tuple(map(str, ages)))
        metric, instant = policy.metric, Clock(Plan.CLOCK, (again,), millis=True)
        measured = metric is not None and metric.calc_type is not None
        return Said(
            session_id=holes.text(draft.session_pieces(policy, self._form)),
            first_occur=holes.text([Clock(Plan.CLOCK, (again,))] if again else clock_pieces(Plan.CLOCK)),
            duration_s=holes.dig([age], [age]),
            recover_time=holes.text([Clock(Plan.CLOCK, tuple(again + one for one in ages), draft.age)])
            if over
            else NOT_RECOVERED,
            current_value=holes.text([_value(metric, draft.current, beyond=not over)]) if metric and measured else "",
            first_occur_ms=holes.dig([instant], [instant]),
            history_value=holes.text([_value(metric, draft.history, beyond=False)]) if metric and measured else "",
        )


@lru_cache(maxsize=4096)
def _value(metric: Metric, column: int, *, beyond: bool) -> Words:
    return Words(column, values(metric, beyond=beyond))
