"""Values from Faker for users' entries: 256 of them, generated once when the entry is compiled.

Faker is an optional dependency and is imported only for entries that use it.
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
    """Location of a value, for error messages."""

    file: str
    key: str


class FakerValues:
    """All possible values of a Faker provider: 256 for each language.

    The same seed key and Faker version give the same values, except for providers that read the clock.

    Args:
        params: ``provider``, optionally ``args`` and ``locale``.
        location: the entry and the value, for errors.
        seed_key: key of the random numbers.

    Raises:
        EntryError: Faker is not installed, has no such provider or locale, or the provider fails, or returns a value
            other than a string, number or boolean, or values of mixed types.
    """

    def __init__(self, params: Mapping[str, Any], location: EntryPath, seed_key: tuple[object, ...]) -> None:
        self._provider: str = params["provider"]
        self._args: Mapping[str, Any] = params.get("args", {})
        self._location = location
        seed = SeededRandom("faker", *seed_key).randbelow(1 << 64)
        self.values = {lang: self._sample(params.get("locale", _LOCALES[lang]), seed) for lang in Lang}
        """The 256 values by language."""
        self.json_type = self._common_type(item for items in self.values.values() for item in items)
        """JSON Schema type of all values."""

    def _sample(self, locale: str, seed: int) -> tuple[Any, ...]:
        faker = self._faker(locale)
        providers = _providers(locale)
        if self._provider not in providers:
            self._fail(f"unknown Faker provider {self._provider!r}{_hint(self._provider, providers)}")
        faker.seed_instance(seed)
        try:
            return tuple(getattr(faker, self._provider)(**self._args) for _ in range(BYTE_VALUES))
        except Exception as problem:  # noqa: BLE001 - a third-party provider may raise anything
            self._fail(f"Faker provider {self._provider!r} fails: {' '.join(f'{problem!r}'.split())}")

    def _faker(self, locale: str) -> Faker:
        try:
            return _faker(locale)
        except ModuleNotFoundError:
            self._fail(
                f'Faker provider {self._provider!r} needs Faker, which is not installed: pip install "tcop-mock[faker]"'
            )
        except AttributeError:  # raised by Faker for an unknown locale
            self._fail(f"Faker has no locale {locale!r}{_hint(locale, _locales())}")

    def _common_type(self, items: Iterable[Any]) -> str:
        """Return the type of all items; integers among other numbers are numbers."""
        types = {self._json_type_of(item) for item in items}
        if types == {"integer", "number"}:
            return "number"
        if len(types) > 1:
            self._fail(f"Faker provider {self._provider!r} returns values of several types: {', '.join(sorted(types))}")
        return types.pop()

    def _json_type_of(self, item: Any) -> str:  # noqa: ANN401 - any result of a provider
        subject = f"Faker provider {self._provider!r} returns"
        if type(item) not in _JSON_TYPES:
            self._fail(f"{subject} {type(item).__name__!r}; choose one that returns a string, a number, true or false")
        if isinstance(item, str) and len(item) > _MAX_CHARS:
            self._fail(f"{subject} a string of {len(item)} characters; the maximum is {_MAX_CHARS}")
        if isinstance(item, str) and (has_marker_chars(item) or _SEPARATOR in item):
            self._fail(f"{subject} a string with U+001F or U+FDD0 to U+FDD2, which are reserved for internal use")
        return _JSON_TYPES[type(item)]

    def _fail(self, problem: str) -> NoReturn:
        raise EntryError(*self._location, problem) from None


def _hint(name: str, known: Iterable[str]) -> str:
    suggestion = did_you_mean(name, known)
    return f"; did you mean {suggestion}?" if suggestion else ""


@cache
def _faker(locale: str) -> Faker:
    from faker import Faker  # noqa: PLC0415 - optional dependency that takes 0.1 s

    return Faker(locale)


@cache
def _providers(locale: str) -> tuple[str, ...]:
    """Return the names of all methods of a locale's providers."""
    names = {
        name
        for provider in _faker(locale).providers
        for name in dir(provider)
        if not name.startswith("_") and callable(getattr(provider, name))
    }
    return tuple(sorted(names))


def _locales() -> Iterable[str]:
    from faker.config import AVAILABLE_LOCALES  # noqa: PLC0415 - optional dependency that takes 0.1 s

    return sorted(AVAILABLE_LOCALES)
