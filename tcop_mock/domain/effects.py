"""Effects of a receiver, such as incidents and messages, and the observer that returns them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, MutableMapping


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect of a receiver: a row that it stored or a message that it sent."""

    text: str
    """Its whole content as text; JSON without escapes."""
    location: str = ""
    """Where the observer found it, for observers of several places."""
    dedup_key: str = ""
    """The recipient merges effects of one place with the same key; empty: this effect is not merged."""
    recipient: str = ""
    """Chat group or service that gets it, if a place has several. Each recipient is counted separately."""
    alarm_key: str = ""
    """Effects of one recipient with the same key are about the same alarm, as events with one ``dedup_key``."""
    is_follow_up: bool = False
    """Whether it resolves or acknowledges an earlier effect with the same ``alarm_key``."""

    def mentions(self, tokens: Collection[str]) -> bool:
        """Return whether its text contains a token, also if markdown or JSON has escaped that by backslashes."""
        texts = (self.text, self.text.replace("\\", "")) if "\\" in self.text else (self.text,)
        return any(token in text for text in texts for token in tokens)


@dataclass(frozen=True, slots=True)
class EffectSnapshot:
    """All effects that an observer returns at one moment."""

    effects: tuple[Effect, ...] = ()
    open_incidents: tuple[Effect, ...] | None = None
    """Open incidents; ``None`` if the observer does not return them."""
    rejected: tuple[Effect, ...] = ()
    """Messages that the downstream service rejected."""

    def filter_by_tokens(self, tokens: Collection[str], cache: MutableMapping[str, bool]) -> EffectSnapshot:
        """Return the effects that mention a token, and the follow-ups of these: a resolve needs no text of its alarm.

        Args:
            tokens: strings to look for.
            cache: whether each known text mentions one of the tokens; new texts are added.
        """
        for effect in (*self.effects, *(self.open_incidents or ()), *self.rejected):
            if effect.text not in cache:
                cache[effect.text] = effect.mentions(tokens)
        keys = self._alarm_keys(lambda effect: cache[effect.text])
        return self.filter(
            lambda effect: cache[effect.text] or (effect.is_follow_up and (effect.recipient, effect.alarm_key) in keys)
        )

    def filter(self, is_wanted: Callable[[Effect], bool]) -> EffectSnapshot:
        """Return the effects for which ``is_wanted`` returns true."""
        open_incidents = None if self.open_incidents is None else tuple(filter(is_wanted, self.open_incidents))
        return EffectSnapshot(
            tuple(filter(is_wanted, self.effects)), open_incidents, tuple(filter(is_wanted, self.rejected))
        )

    def _alarm_keys(self, is_mentioned: Callable[[Effect], bool]) -> set[tuple[str, str]]:
        """Return the keys of the mentioned alarms, without keys that other alarms share."""
        triggers = [
            effect for effect in (*self.effects, *self.rejected) if effect.alarm_key and not effect.is_follow_up
        ]
        own_keys = {(effect.recipient, effect.alarm_key) for effect in triggers if is_mentioned(effect)}
        return own_keys - {(effect.recipient, effect.alarm_key) for effect in triggers if not is_mentioned(effect)}

    def merge(self, other: EffectSnapshot) -> EffectSnapshot:
        """Return the union of two snapshots of the same moment; effects that are in both are counted once."""
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
        """Number of distinct effects for the recipient that has most of them."""
        return _max_distinct(self.effects)

    @property
    def open_count(self) -> int:
        """Number of open incidents for the recipient that has most of them."""
        return _max_distinct(self.open_incidents or ())


class Observer(Protocol):
    """Returns the effects of a receiver.

    An observer that returns all effects, whatever the token is, may have a true attribute ``shows_all``. It is then
    called less often.
    """

    async def observe(self, token: str) -> EffectSnapshot:
        """Return the effects at this moment.

        Args:
            token: object id, for an observer that has to search by object; the result may hold effects of others, too.

        Raises:
            ObserverError: the effects cannot be observed; says why.
        """
        ...


def _union(first: Iterable[Effect], second: Iterable[Effect]) -> tuple[Effect, ...]:
    return tuple((Counter(first) | Counter(second)).elements())


def _max_distinct(effects: Collection[Effect]) -> int:
    keys_by_recipient: dict[tuple[str, str], set[str]] = {}
    for number, effect in enumerate(effects):
        keys_by_recipient.setdefault((effect.location, effect.recipient), set()).add(effect.dedup_key or f"\0{number}")
    return max(map(len, keys_by_recipient.values()), default=0)
