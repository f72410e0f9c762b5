"""Fast renderer of many bodies: the bytes of ``Generator.callback(...).to_bytes()`` without an object for each."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tcop_mock.callbacks.compiler import CompiledShape
from tcop_mock.callbacks.generator import (
    POLICIES_IN_ROTATION,
    LifecyclePoint,
    position_of,
    possible_ages_s,
    refire_offset_s,
)
from tcop_mock.callbacks.pieces import (
    ROWS,
    ColumnRenderer,
    Marker,
    Markers,
    Piece,
    RandomChars,
    RandomChoice,
    RandomTimestamp,
    encoded_texts,
    render_text,
    timestamp_pieces,
)
from tcop_mock.callbacks.sampling import AlarmOptions, require_form, require_state, sample_values, with_level
from tcop_mock.domain.callback import NOT_RECOVERED, CallbackValues, State, build_body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tcop_mock.callbacks.compiler import ValueSlot
    from tcop_mock.callbacks.generator import Generator
    from tcop_mock.domain.alarm import Alarm
    from tcop_mock.domain.shape import Metric, Shape


class CompiledBody:
    """Renders bodies that differ only in their random values."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._pieces = _join_literals(pieces)
        self._literals = [piece.encode() if isinstance(piece, str) else b"" for piece in self._pieces]
        self._random_pieces = [
            (index, _piece_renderer(piece)) for index, piece in enumerate(self._pieces) if not isinstance(piece, str)
        ]
        self._column_renderer: ColumnRenderer | None = None

    def body(self, block: bytes, row: int) -> bytes:
        """Return the body of one row."""
        parts = self._literals.copy()
        for index, render in self._random_pieces:
            parts[index] = render(block, row)
        return b"".join(parts)

    def bodies(self, block: bytes, low: int, high: int) -> list[bytes]:
        """Return the bodies of the rows from ``low`` to ``high`` - 1."""
        if self._column_renderer is None:
            self._column_renderer = ColumnRenderer(self._pieces)
        return self._column_renderer.render_rows(block, low, high)


def _join_literals(pieces: Iterable[Piece]) -> list[Piece]:
    """Return the pieces with adjacent literals joined."""
    joined: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


def _piece_renderer(piece: Piece) -> Callable[[bytes, int], bytes]:
    """Return a function from block and row to the bytes of one random piece."""
    if isinstance(piece, RandomChars):
        first, last, table = piece.column * ROWS, (piece.column + piece.width) * ROWS, piece.table
        return lambda block, row: block[first + row : last : ROWS].translate(table)
    if isinstance(piece, RandomChoice):
        start, texts = piece.column * ROWS, encoded_texts(piece)
        return lambda block, row: texts[block[start + row]]
    return lambda block, row: render_text((piece,), block, row).encode()


_FIRING = LifecyclePoint()


class BodyRenderer:
    """Renders bodies of one shape's callbacks in one state, by serial.

    Args:
        generator: provides seed, language, form and format.
        shape: shape of the alarms.
        point: point of the callbacks in the lifecycle of their alarms.
        options: required properties of the alarms.
        edit: function that changes every body's tree before random values are inserted.

    Raises:
        UnknownNameError: the shape has no such metric or event.
        UsageError: the alarms cannot be in the state, or the shape does not support the form.
    """

    def __init__(
        self,
        generator: Generator,
        shape: Shape,
        point: LifecyclePoint = _FIRING,
        *,
        options: AlarmOptions | None = None,
        edit: Callable[[Any], Any] | None = None,
    ) -> None:
        self._form, self._envelope = generator.form, generator.wire_format.envelope(generator.form)
        self._lang = generator.lang
        self._point = point
        self._options = options or AlarmOptions(required_state=point.state)
        self._edit = edit
        require_form(shape, generator.form)
        self._sampler = generator.sampler_for(shape)
        self._compiled_body = lru_cache(maxsize=1024)(self._compile)

    def body(self, serial: int, point: LifecyclePoint | None = None) -> bytes:
        """Return one alarm's body.

        Args:
            serial: serial of the alarm.
            point: another point of the same state, for other random values; the times remain the renderer's.
        """
        policy, block_number, row = position_of(serial)
        return self._compiled_body(policy).body(self._sampler.block(policy, block_number, point or self._point), row)

    def bodies(self, first: int, count: int) -> list[bytes]:
        """Return the bodies of ``count`` consecutive alarms."""
        rendered: list[bytes] = [b""] * count
        for first_serial in range(first, min(first + POLICIES_IN_ROTATION, first + count)):
            serials = range(first_serial, first + count, POLICIES_IN_ROTATION)
            policy_bodies: list[bytes] = []
            while len(policy_bodies) < len(serials):
                policy, block_number, low = position_of(serials[len(policy_bodies)])
                high = min(ROWS, low + len(serials) - len(policy_bodies))
                policy_bodies += self._compiled_body(policy).bodies(
                    self._sampler.block(policy, block_number, self._point), low, high
                )
            rendered[first_serial - first :: POLICIES_IN_ROTATION] = policy_bodies
        return rendered

    def for_policy(self, policy: int, first: int, count: int) -> list[bytes]:
        """Return the bodies of ``count`` consecutive alarms of one policy, whose number of alarms is unlimited.

        A policy's first alarms are those with a serial; these are ``LANES`` apart.
        """
        rendered: list[bytes] = []
        while len(rendered) < count:
            block_number, low = divmod(first + len(rendered), ROWS)
            high = min(ROWS, low + count - len(rendered))
            rendered += self._compiled_body(policy).bodies(
                self._sampler.block(policy, block_number, self._point), low, high
            )
        return rendered

    def sent_at_s(self, serial: int) -> int:
        """Return the seconds from an alarm's first firing to the sending of its callback."""
        policy, block_number, row = position_of(serial)
        alarm = self._sampler.policy(policy, self._options)
        possible_ages, age_column = possible_ages_s(alarm, self._point), self._sampler.age_column
        index = (
            self._sampler.block(policy, block_number, self._point)[age_column * ROWS + row]
            if len(possible_ages) > 1
            else 0
        )
        return refire_offset_s(alarm, self._point) + possible_ages[index]

    def validate(self, count: int) -> None:
        """Raise every error that ``bodies(0, count)`` would raise.

        Raises:
            UnknownNameError: an edit names a path that a body does not have.
            UsageError: an alarm cannot be in the state.
        """
        seen_signatures: set[object] = set()
        for policy_number in range(min(count, position_of(count - 1).policy + 1) if self._edit else 1):
            policy = self._sampler.policy(policy_number, self._options)
            if policy.field_signature not in seen_signatures:
                seen_signatures.add(policy.field_signature)
                self._compiled_body(policy_number)

    def _compile(self, policy_number: int) -> CompiledBody:
        """Return the compiled body of a policy's alarms, with markers for the values that differ between alarms."""
        policy = self._sampler.policy(policy_number, self._options)
        require_state(policy, self._point.state)
        policy = with_level(policy, self._point.level, self._envelope)
        markers = Markers()
        tree: Any = build_body(
            self._with_markers(policy, markers),
            self._callback_values(policy, markers),
            self._form,
            self._envelope,
            is_resolved=self._point.state is State.RESOLVED,
        )
        return CompiledBody(markers.pieces(self._edit(tree) if self._edit else tree))

    def _with_markers(self, policy: Alarm, markers: Markers) -> Alarm:
        compiled_shape, lang = self._sampler.compiled_shape, self._lang

        def add_marker(slot: ValueSlot, key: str) -> Marker:
            return markers.add(slot.json_pieces(lang, key), slot.pieces(lang, key))

        rendered = compiled_shape.render_dimensions(
            compiled_shape.map_values(add_marker) | self._sampler.builtin_values(policy), lang
        )
        return replace(
            policy,
            dimensions=rendered.dimensions,
            optional_fields=rendered.update_optional_fields(policy.optional_fields),
        )

    def _callback_values(self, policy: Alarm, markers: Markers) -> CallbackValues:
        sampler, point = self._sampler, self._point
        possible_ages, is_resolved, refire_s = (
            possible_ages_s(policy, point),
            point.state is State.RESOLVED,
            refire_offset_s(policy, point),
        )
        age_piece: Piece = (
            str(possible_ages[0])
            if len(possible_ages) == 1
            else RandomChoice(sampler.age_column, tuple(map(str, possible_ages)))
        )
        metric, timestamp_ms = (
            policy.metric,
            RandomTimestamp(CompiledShape.TIMESTAMP_COLUMN, (refire_s,), is_in_milliseconds=True),
        )
        has_value = metric is not None and metric.calc_type is not None
        return CallbackValues(
            session_id=markers.add_text(sampler.session_pieces(policy, self._form)),
            first_occur_time=markers.add_text(
                [RandomTimestamp(CompiledShape.TIMESTAMP_COLUMN, (refire_s,))]
                if refire_s
                else timestamp_pieces(CompiledShape.TIMESTAMP_COLUMN)
            ),
            duration_s=markers.add([age_piece], [age_piece]),
            recover_time=markers.add_text(
                [
                    RandomTimestamp(
                        CompiledShape.TIMESTAMP_COLUMN,
                        tuple(refire_s + age_s for age_s in possible_ages),
                        sampler.age_column,
                    )
                ]
            )
            if is_resolved
            else NOT_RECOVERED,
            current_value=markers.add_text([_value_piece(metric, sampler.current_column, is_breaching=not is_resolved)])
            if metric and has_value
            else "",
            first_occur_ms=markers.add([timestamp_ms], [timestamp_ms]),
            history_value=markers.add_text([_value_piece(metric, sampler.history_column, is_breaching=False)])
            if metric and has_value
            else "",
        )


@lru_cache(maxsize=4096)
def _value_piece(metric: Metric, column: int, *, is_breaching: bool) -> RandomChoice:
    return RandomChoice(column, sample_values(metric, is_breaching=is_breaching))
