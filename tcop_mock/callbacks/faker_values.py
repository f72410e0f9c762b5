"""Values that Faker draws for users' own entries: 256 of them, when the entry is compiled, and none later.

One of the two doors of Faker, which is an extra: only an entry that names it loads it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from tcop_mock.callbacks.pieces import BYTES, has_marks
from tcop_mock.callbacks.sampling import Entropy
from tcop_mock.domain.shape import Lang
from tcop_mock.errors import EntryError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from faker import Faker

_LOCALES = {Lang.EN: "en_US", Lang.ZH: "zh_CN"}
_MOST_CHARS = 1024
_SEPARATOR = "\x1f"
_JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


class EntryKey(NamedTuple):
    """What an error about a value names."""

    file: str
    key: str


class Fakes:
    """All that one value can be: what a provider of Faker's gives, 256 times in each language.

    The same chance gives the same values with the same version of Faker, but for providers that look at the clock.

    Args:
        params: ``provider``, and perhaps ``args`` and ``locale``.
        where: the entry and the value.
        chance: decides what is drawn.

    Raises:
        EntryError: Faker is not there, has no such provider or locale, or the provider fails, or gives what is no
            text, number, true or false, or gives some of each.
    """

    def __init__(self, params: Mapping[str, Any], where: EntryKey, chance: tuple[object, ...]) -> None:
        self._provider: str = params["provider"]
        self._args: Mapping[str, Any] = params.get("args", {})
        self._where = where
        seed = Entropy("faker", *chance).below(1 << 64)
        self.items = {lang: self._drawn(params.get("locale", _LOCALES[lang]), seed) for lang in Lang}
        """The 256 values by language."""
        self.json_type = self._type_of(item for items in self.items.values() for item in items)
        """JSON Schema's name of the type that all of them have."""

    def _drawn(self, locale: str, seed: int) -> tuple[Any, ...]:
        faker = self._faker(locale)
        known = _providers(locale)
        if self._provider not in known:
            self._refuse(f"unknown Faker provider {self._provider!r}{_hint(self._provider, known)}")
        faker.seed_instance(seed)
        try:
            return tuple(getattr(faker, self._provider)(**self._args) for _ in range(BYTES))
        except Exception as problem:  # noqa: BLE001 - whatever somebody else's method raises
            self._refuse(f"Faker provider {self._provider!r} fails: {' '.join(f'{problem!r}'.split())}")

    def _faker(self, locale: str) -> Faker:
        try:
            return _faker(locale)
        except ModuleNotFoundError:
            self._refuse(
                f'Faker provider {self._provider!r} needs Faker, which is not installed: pip install "tcop-mock[faker]"'
            )
        except AttributeError:  # Faker's own answer to a locale that it does not have
            self._refuse(f"Faker has no locale {locale!r}{_hint(locale, _locales())}")

    def _type_of(self, items: Iterable[Any]) -> str:
        """Return the type that all items have; whole numbers among others are numbers."""
        types = {self._one_type(item) for item in items}
        if types == {"integer", "number"}:
            return "number"
        if len(types) > 1:
            self._refuse(f"Faker provider {self._provider!r} gives values of several types: {', '.join(sorted(types))}")
        return types.pop()

    def _one_type(self, item: Any) -> str:  # noqa: ANN401 - whatever a provider gives
        given = f"Faker provider {self._provider!r} gives"
        if type(item) not in _JSON_TYPES:
            self._refuse(f"{given} {type(item).__name__!r}; choose one that gives a text, a number, true or false")
        if isinstance(item, str) and len(item) > _MOST_CHARS:
            self._refuse(f"{given} a text of {len(item)} characters; {_MOST_CHARS} are the most")
        if isinstance(item, str) and (has_marks(item) or _SEPARATOR in item):
            self._refuse(f"{given} a text with U+001F or U+FDD0 to U+FDD2, which are kept for internal use")
        return _JSON_TYPES[type(item)]

    def _refuse(self, problem: str) -> NoReturn:
        raise EntryError(*self._where, problem) from None


def _hint(name: str, known: Iterable[str]) -> str:
    near = did_you_mean(name, known)
    return f"; did you mean {near}?" if near else ""


@cache
def _faker(locale: str) -> Faker:
    from faker import Faker  # noqa: PLC0415 - an extra, and 0.1 s

    return Faker(locale)


@cache
def _providers(locale: str) -> tuple[str, ...]:
    """Return the names of all that a locale's providers can be asked for."""
    offered = {
        name
        for provider in _faker(locale).providers
        for name in dir(provider)
        if not name.startswith("_") and callable(getattr(provider, name))
    }
    return tuple(sorted(offered))


def _locales() -> Iterable[str]:
    from faker.config import AVAILABLE_LOCALES  # noqa: PLC0415 - an extra, and 0.1 s

    return sorted(AVAILABLE_LOCALES)
