"""What a receiver did with what it was sent, as an observer sees it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, MutableMapping


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that a receiver did: a row that it keeps, a message that it sent."""

    text: str
    """All that it says, as text; JSON without escapes."""
    location: str = ""
    """Where it was seen, for observers that look at several places."""
    dedup_key: str = ""
    """Effects of one place with the same key are one to whoever gets them; empty: each is one of its own."""
    recipient: str = ""
    """Whose it is, where a place has several: a chat group, a service. Each is counted by itself."""
    alarm_key: str = ""
    """Effects of one recipient with the same key are about the same alarm, as events with one ``dedup_key``."""
    is_follow_up: bool = False
    """Whether it ends or acknowledges what an earlier effect with the same ``alarm_key`` began."""

    def mentions(self, tokens: Collection[str]) -> bool:
        """Return whether it names one of these, also where markdown or JSON has put backslashes into it."""
        return any(map(self.text.__contains__, tokens)) or (
            "\\" in self.text and any(map(self.text.replace("\\", "").__contains__, tokens))
        )


@dataclass(frozen=True, slots=True)
class EffectSnapshot:
    """All that an observer sees at one moment."""

    effects: tuple[Effect, ...] = ()
    open_incidents: tuple[Effect, ...] | None = None
    """Incidents that are open; ``None`` where the observer cannot tell."""
    rejected: tuple[Effect, ...] = ()
    """What the receiver sent to an end that did not take it; ``key`` is what the end said."""

    def filter_by_tokens(self, tokens: Collection[str], cache: MutableMapping[str, bool]) -> EffectSnapshot:
        """Return what mentions one of these, and what follows up on it: a resolve needs no text of its alarm.

        Args:
            tokens: what is looked for.
            cache: which texts mention one of them, and which none, as far as has been looked; is added to.
        """
        for effect in (*self.effects, *(self.open_incidents or ()), *self.rejected):
            if effect.text not in cache:
                cache[effect.text] = effect.mentions(tokens)
        keys = self._alarm_keys(lambda effect: cache[effect.text])
        return self.filter(
            lambda effect: cache[effect.text] or (effect.is_follow_up and (effect.recipient, effect.alarm_key) in keys)
        )

    def filter(self, is_wanted: Callable[[Effect], bool]) -> EffectSnapshot:
        """Return what a function says yes to."""
        open_incidents = None if self.open_incidents is None else tuple(filter(is_wanted, self.open_incidents))
        return EffectSnapshot(
            tuple(filter(is_wanted, self.effects)), open_incidents, tuple(filter(is_wanted, self.rejected))
        )

    def _alarm_keys(self, is_mentioned: Callable[[Effect], bool]) -> set[tuple[str, str]]:
        """Return the keys of these alarms, without those that other alarms share."""
        triggers = [
            effect for effect in (*self.effects, *self.rejected) if effect.alarm_key and not effect.is_follow_up
        ]
        own_keys = {(effect.recipient, effect.alarm_key) for effect in triggers if is_mentioned(effect)}
        return own_keys - {(effect.recipient, effect.alarm_key) for effect in triggers if not is_mentioned(effect)}

    def merge(self, other: EffectSnapshot) -> EffectSnapshot:
        """Return what is in one of two looks at the same moment; what both show is there once."""
        open_incidents = (
            None
            if self.open_incidents is None or other.open_incidents is None
            else _union(self.open_incidents, other.open_incidents)
        )
        return EffectSnapshot(
            _union(self.effects, other.effects), open_incidents, _union(self.rejected, other.rejected)
        )

    @property
    def count(self) -> int:
        """How many effects there are, where most of them are."""
        return _max_distinct(self.effects)

    @property
    def open_count(self) -> int:
        """How many incidents are open, where most of them are."""
        return _max_distinct(self.open_incidents or ())


class Observer(Protocol):
    """Sees what a receiver did.

    One that shows all that there is, whatever it is asked for, may say so with a true ``shows_all``: it is asked less.
    """

    async def observe(self, token: str) -> EffectSnapshot:
        """Return what there is to be seen now.

        Args:
            token: the object that is looked for, for whoever has to ask for it; what is returned may hold more.

        Raises:
            ObserverError: nothing could be seen, and why.
        """
        ...


def _union(first: Iterable[Effect], second: Iterable[Effect]) -> tuple[Effect, ...]:
    return tuple((Counter(first) | Counter(second)).elements())


def _max_distinct(effects: Collection[Effect]) -> int:
    keys_by_recipient: dict[tuple[str, str], set[str]] = {}
    for number, effect in enumerate(effects):
        keys_by_recipient.setdefault((effect.location, effect.recipient), set()).add(effect.dedup_key or f"\0{number}")
    return max(map(len, keys_by_recipient.values()), default=0)
