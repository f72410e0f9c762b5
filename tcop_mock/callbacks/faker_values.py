"""Values that Faker draws for users' own entries: 256 of them, when the entry is compiled, and none later.

One of the two doors of Faker, which is an extra: only an entry that names it loads it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from tcop_mock.callbacks.pieces import BYTE_VALUES, has_marker_chars
from tcop_mock.callbacks.sampling import SeededRandom
from tcop_mock.domain.shape import Lang
from tcop_mock.errors import EntryError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from faker import Faker

_LOCALES = {Lang.EN: "en_US", Lang.ZH: "zh_CN"}
_MAX_CHARS = 1024
_SEPARATOR = "\x1f"
_JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


class EntryPath(NamedTuple):
    """What an error about a value names."""

    file: str
    key: str


class FakerValues:
    """All that one value can be: what a provider of Faker's gives, 256 times in each language.

    The same chance gives the same values with the same version of Faker, but for providers that look at the clock.

    Args:
        params: ``provider``, and perhaps ``args`` and ``locale``.
        location: the entry and the value.
        seed_key: decides what is drawn.

    Raises:
        EntryError: Faker is not there, has no such provider or locale, or the provider fails, or gives what is no
            text, number, true or false, or gives some of each.
    """

    def __init__(self, params: Mapping[str, Any], location: EntryPath, seed_key: tuple[object, ...]) -> None:
        self._provider: str = params["provider"]
        self._args: Mapping[str, Any] = params.get("args", {})
        self._location = location
        seed = SeededRandom("faker", *seed_key).randbelow(1 << 64)
        self.values = {lang: self._sample(params.get("locale", _LOCALES[lang]), seed) for lang in Lang}
        """The 256 values by language."""
        self.json_type = self._common_type(item for items in self.values.values() for item in items)
        """JSON Schema's name of the type that all of them have."""

    def _sample(self, locale: str, seed: int) -> tuple[Any, ...]:
        faker = self._faker(locale)
        providers = _providers(locale)
        if self._provider not in providers:
            self._fail(f"unknown Faker provider {self._provider!r}{_hint(self._provider, providers)}")
        faker.seed_instance(seed)
        try:
            return tuple(getattr(faker, self._provider)(**self._args) for _ in range(BYTE_VALUES))
        except Exception as problem:  # noqa: BLE001 - whatever somebody else's method raises
            self._fail(f"Faker provider {self._provider!r} fails: {' '.join(f'{problem!r}'.split())}")

    def _faker(self, locale: str) -> Faker:
        try:
            return _faker(locale)
        except ModuleNotFoundError:
            self._fail(
                f'Faker provider {self._provider!r} needs Faker, which is not installed: pip install "tcop-mock[faker]"'
            )
        except AttributeError:  # Faker's own answer to a locale that it does not have
            self._fail(f"Faker has no locale {locale!r}{_hint(locale, _locales())}")

    def _common_type(self, items: Iterable[Any]) -> str:
        """Return the type that all items have; whole numbers among others are numbers."""
        types = {self._json_type_of(item) for item in items}
        if types == {"integer", "number"}:
            return "number"
        if len(types) > 1:
            self._fail(f"Faker provider {self._provider!r} gives values of several types: {', '.join(sorted(types))}")
        return types.pop()

    def _json_type_of(self, item: Any) -> str:  # noqa: ANN401 - whatever a provider gives
        subject = f"Faker provider {self._provider!r} gives"
        if type(item) not in _JSON_TYPES:
            self._fail(f"{subject} {type(item).__name__!r}; choose one that gives a text, a number, true or false")
        if isinstance(item, str) and len(item) > _MAX_CHARS:
            self._fail(f"{subject} a text of {len(item)} characters; {_MAX_CHARS} are the most")
        if isinstance(item, str) and (has_marker_chars(item) or _SEPARATOR in item):
            self._fail(f"{subject} a text with U+001F or U+FDD0 to U+FDD2, which are kept for internal use")
        return _JSON_TYPES[type(item)]

    def _fail(self, problem: str) -> NoReturn:
        raise EntryError(*self._location, problem) from None


def _hint(name: str, known: Iterable[str]) -> str:
    suggestion = did_you_mean(name, known)
    return f"; did you mean {suggestion}?" if suggestion else ""


@cache
def _faker(locale: str) -> Faker:
    from faker import Faker  # noqa: PLC0415 - an extra, and 0.1 s

    return Faker(locale)


@cache
def _providers(locale: str) -> tuple[str, ...]:
    """Return the names of all that a locale's providers can be asked for."""
    names = {
        name
        for provider in _faker(locale).providers
        for name in dir(provider)
        if not name.startswith("_") and callable(getattr(provider, name))
    }
    return tuple(sorted(names))


def _locales() -> Iterable[str]:
    from faker.config import AVAILABLE_LOCALES  # noqa: PLC0415 - an extra, and 0.1 s

    return sorted(AVAILABLE_LOCALES)
