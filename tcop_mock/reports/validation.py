"""What is told of bodies that were judged: one in full, many by what they have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.classifier import TEMPLATE, UNKNOWN
from tcop_mock.reports.json import VERSION
from tcop_mock.reports.text import counted, escaped, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcop_mock.callbacks.strict_json import Note
    from tcop_mock.callbacks.validator import BodyVerdict

_MOST_BODIES = 1000
"""Bodies that are told one by one in a document; the others are counted."""
_MOST_NOTES = 1000
_MOST_LINES = 50
_MOST_CHARS = 300
_WHAT = {UNKNOWN: "no callback", TEMPLATE: "body of a template"}


class _Seen(NamedTuple):
    """One thing that was said, of how many bodies, and where first."""

    times: int
    first: str


class Tally:
    """Counts verdicts; needs no more memory for a million of them than for a thousand."""

    def __init__(self) -> None:
        self.count = self.invalid = 0
        self._only: BodyVerdict | None = None
        self._kinds: dict[tuple[str, str | None], int] = {}
        self._problems: dict[Note, _Seen] = {}
        self._deviations: dict[Note, _Seen] = {}
        self._bodies: list[tuple[str, BodyVerdict]] = []

    @property
    def valid(self) -> bool:
        """Whether all of them were."""
        return not self.invalid

    def add(self, at: str, verdict: BodyVerdict) -> None:
        """Take note of a verdict on the body at a place."""
        self.count += 1
        self.invalid += not verdict.valid
        self._only = verdict
        what = (verdict.kind, verdict.shape)
        self._kinds[what] = self._kinds.get(what, 0) + 1
        for notes, seen in ((verdict.problems, self._problems), (verdict.deviations, self._deviations)):
            for note in notes:
                if note in seen:
                    seen[note] = seen[note]._replace(times=seen[note].times + 1)
                elif len(seen) < _MOST_NOTES:
                    seen[note] = _Seen(1, at)
        if (verdict.problems or verdict.deviations) and len(self._bodies) < _MOST_BODIES:
            self._bodies.append((at, verdict))

    def document(self) -> dict[str, Any]:
        """Return what ``validate --json`` prints."""
        kinds = {kind for kind, _ in self._kinds}
        shapes = {shape for _, shape in self._kinds}
        only = self._only if self.count == 1 else None
        whole = {
            "version": VERSION,
            "valid": self.valid,
            "kind": kinds.pop() if len(kinds) == 1 else None,
            "shape": shapes.pop() if len(shapes) == 1 else None,
            "also_fits": list(only.also_fits) if only else [],
            "state": only.state if only else None,
            "problems": [note._asdict() for note in self._problems],
            "deviations": [note._asdict() for note in self._deviations],
            "count": self.count,
            "invalid": self.invalid,
        }
        return whole if only else whole | {"bodies": [_body(at, verdict) for at, verdict in self._bodies]}

    def lines(self, *, quiet: bool) -> Iterator[str]:
        """Yield what ``validate`` prints; quiet, only what is wrong."""
        if self.count == 1 and self._only:
            yield from body_lines(self._only, quiet=quiet)
            return
        groups = [("problem", self._problems)] + ([] if quiet else [("deviation", self._deviations)])
        for word, seen in groups:
            for note, (times, first) in list(seen.items())[:_MOST_LINES]:
                yield f"{word:<10} {_line(note)} ({first}{f' and {times - 1} more' if times > 1 else ''})"
            if len(seen) > _MOST_LINES:
                yield f"{word:<10} … {counted(len(seen) - _MOST_LINES, 'more kind')}"
        what = counted(len({shape for _, shape in self._kinds if shape}), "shape")
        bodies = "1 body" if self.count == 1 else f"{self.count} bodies"
        yield f"{bodies} of {what}: {self.count - self.invalid} valid, {self.invalid} invalid"


def body_lines(verdict: BodyVerdict, *, quiet: bool) -> Iterator[str]:
    """Yield what is told of one body; quiet, only what is wrong."""
    head = "valid" if verdict.valid else "invalid"
    if not (quiet and verdict.valid):
        what = {"unknown": "no callback", "template": "body of a template"}.get(
            verdict.kind, f"{verdict.kind} callback"
        )
        of = f" of {escaped(verdict.shape)}" if verdict.shape else ""
        state = f", {verdict.state}" if verdict.state else ""
        yield f"{head}: {what}{of}{state}"
        if verdict.also_fits:
            yield f"also fits  {escaped(', '.join(verdict.also_fits))}"
    for note in verdict.problems:
        yield f"problem    {_line(note)}"
    for note in () if quiet else verdict.deviations:
        yield f"deviation  {_line(note)}"


def _line(note: Note) -> str:
    text = f"{note.path}: {note.message}" if note.path else note.message
    return one_line(text, _MOST_CHARS)


def _body(at: str, verdict: BodyVerdict) -> dict[str, Any]:
    return {
        "at": at,
        "valid": verdict.valid,
        "kind": verdict.kind,
        "shape": verdict.shape,
        "also_fits": list(verdict.also_fits),
        "state": verdict.state,
        "problems": [note._asdict() for note in verdict.problems],
        "deviations": [note._asdict() for note in verdict.deviations],
    }
