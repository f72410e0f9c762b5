"""What a receiver did with what it was sent, as an observer sees it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, MutableMapping


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that a receiver did: a row that it keeps, a message that it sent."""

    text: str
    """All that it says, as text; JSON without escapes."""
    place: str = ""
    """Where it was seen, for observers that look at several places."""
    key: str = ""
    """Effects of one place with the same key are one to whoever gets them; empty: each is one of its own."""
    inbox: str = ""
    """Whose it is, where a place has several: a chat group, a service. Each is counted by itself."""

    def mentions(self, tokens: Collection[str]) -> bool:
        """Say whether it names one of these, also where markdown or JSON has put backslashes into it."""
        plain = self.text.replace("\\", "")
        return any(token in self.text or token in plain for token in tokens)


@dataclass(frozen=True, slots=True)
class Sight:
    """All that an observer sees at one moment."""

    effects: tuple[Effect, ...] = ()
    open: tuple[Effect, ...] | None = None
    """Incidents that are open; ``None`` where the observer cannot tell."""
    refused: tuple[Effect, ...] = ()
    """What the receiver sent to an end that did not take it; ``key`` is what the end said."""

    def of(self, tokens: Collection[str], known: MutableMapping[str, bool]) -> Sight:
        """Return what mentions one of these.

        Args:
            tokens: what is looked for.
            known: which texts mention one of them, and which none, as far as has been looked; is added to.
        """

        def about(some: Iterable[Effect]) -> Iterator[Effect]:
            for one in some:
                if one.text not in known:
                    known[one.text] = one.mentions(tokens)
                if known[one.text]:
                    yield one

        is_open = None if self.open is None else tuple(about(self.open))
        return Sight(tuple(about(self.effects)), is_open, tuple(about(self.refused)))

    def joined(self, other: Sight) -> Sight:
        """Return what is in one of two looks at the same moment; what both show is there once."""
        is_open = None if self.open is None or other.open is None else _joined(self.open, other.open)
        return Sight(_joined(self.effects, other.effects), is_open, _joined(self.refused, other.refused))

    @property
    def count(self) -> int:
        """How many effects there are, where most of them are."""
        return _most(self.effects)

    @property
    def open_count(self) -> int:
        """How many incidents are open, where most of them are."""
        return _most(self.open or ())


class Observer(Protocol):
    """Sees what a receiver did.

    One that shows all that there is, whatever it is asked for, may say so with a true ``shows_all``: it is asked less.
    """

    async def look(self, token: str) -> Sight:
        """Return what there is to be seen now.

        Args:
            token: the object that is looked for, for whoever has to ask for it; what is returned may hold more.

        Raises:
            ObserverError: nothing could be seen, and why.
        """
        ...


def _joined(some: Iterable[Effect], others: Iterable[Effect]) -> tuple[Effect, ...]:
    return tuple((Counter(some) | Counter(others)).elements())


def _most(effects: Collection[Effect]) -> int:
    seen: dict[tuple[str, str], set[str]] = {}
    for number, effect in enumerate(effects):
        seen.setdefault((effect.place, effect.inbox), set()).add(effect.key or f"\0{number}")
    return max(map(len, seen.values()), default=0)
