"""Generators that an entry's ``[values]`` may name. Each knows how a value is drawn and which texts it could give."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.errors import UnknownNameError
from tcop_mock.generate.cells import (
    BYTES,
    DIGITS,
    FIRST_DIGITS,
    HEX,
    LOWER_ALNUM,
    Chars,
    Piece,
    Wide,
    Words,
    alphabet,
    escaped,
    spread,
)
from tcop_mock.generate.faking import EntryKey, Fakes
from tcop_mock.generate.pools import names
from tcop_mock.generate.template import text
from tcop_mock.model.shape import Lang

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tcop_mock.model.shape import Shape

    Write = Callable[[int, Lang, str], tuple[Piece, ...]]

_ANY_NAME = r"[^\x1f]{1,128}?"
_FAKER = "faker"
_PATTERNS = {
    "string": r"[^\x1f]*",
    "integer": r"-?\d{1,20}",
    "number": r"-?\d+(\.\d+)?(e[+-]?\d+)?",
    "boolean": "(true|false)",
}
"""What a value of a JSON type that is not counted may look like inside a text."""
_NO_HOST_BITS = 31
_OCTETS = 4


class Drawer(NamedTuple):
    """A generator with its parameters bound."""

    width: int
    """How many columns of a block it takes."""
    pieces: Write
    """From the first of its columns, a language, and a key where it picks tables: how the value is written as text."""
    pattern: str
    """Regular expression of all texts it could draw (a name stands for whatever a human would type).

    In the syntax that Python and ECMA 262 share: JSON Schemas print it.
    """
    choices: tuple[Any, ...] = ()
    """All values there are, where they are counted."""
    json_type: str = "string"
    """JSON Schema's name of the type that its values have, where they are not counted."""

    @property
    def is_text(self) -> bool:
        """Whether its values are texts."""
        return self.json_type == "string"

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys that every choice has, where it picks tables; else none."""
        if not self.choices or not all(isinstance(choice, dict) for choice in self.choices):
            return ()
        return tuple(key for key in self.choices[0] if all(key in choice for choice in self.choices))

    def tokens(self, at: int, lang: Lang, key: str = "") -> tuple[Piece, ...]:
        """Return how the value is written as JSON, with its own type; arguments are those of ``pieces``."""
        if self.choices:
            return (Words(at, spread([_json(choice[key] if key else choice) for choice in self.choices])),)
        pieces = self.pieces(at, lang, key)
        return ('"', *map(escaped, pieces), '"') if self.is_text else pieces


def drawer(shape: Shape, name: str, seed: int) -> Drawer:
    """Bind the generator of one value of a shape.

    Args:
        shape: which declares it.
        name: of the value.
        seed: decides what a generator keeps ready to draw from, where that is not always the same.

    Raises:
        UnknownNameError: there is no such generator, or no such pool.
        EntryError: Faker is not there, or does not give what can be drawn.
    """
    spec = shape.values[name]
    if spec.generator == _FAKER:
        return _faker(Fakes(spec.params, EntryKey(shape.where, f"values.{name}"), (seed, shape.id, name)))
    if spec.generator not in _GENERATORS:
        raise UnknownNameError("generator", spec.generator, [*_GENERATORS, _FAKER], where=shape.where)
    return _GENERATORS[spec.generator](**spec.params)


def literal(text: str) -> str:
    """Return the pattern of a text and nothing else; ``re.escape`` escapes what ECMA 262 forbids to escape."""
    return re.sub(r"[\\^$.*+?()\[\]{}|/]", r"\\\g<0>", text)


def _ipv4(network: str) -> Drawer:
    net = ipaddress.IPv4Network(network)
    fixed, rest = net.prefixlen // 8, _OCTETS - net.prefixlen // 8
    head = str(net.network_address).split(".")[:fixed]
    first, last = net.network_address.packed, net.broadcast_address.packed
    bounds = [[first[at], last[at]] for at in range(fixed, _OCTETS)]
    if net.prefixlen < _NO_HOST_BITS:  # neither the network's address nor that of broadcasts (RFC 3021 spares /31, /32)
        bounds[-1] = [bounds[-1][0] + 1, bounds[-1][1] - 1]

    def write(at: int, _lang: Lang, _key: str) -> tuple[Piece, ...]:
        octets: list[Piece] = [
            Words(at + number, spread([str(octet) for octet in range(low, high + 1)]))
            for number, (low, high) in enumerate(bounds)
        ]
        dotted: list[Piece] = [part for octet in (*head, *octets) for part in (octet, ".")]
        return tuple(dotted[:-1])

    return Drawer(rest, write, r"\.".join([*map(literal, head), *[r"\d{1,3}"] * rest]))


def _resource_id(prefix: str, length: int = 8) -> Drawer:
    table = alphabet(LOWER_ALNUM)
    return Drawer(
        length,
        lambda at, _lang, _key: (f"{prefix}-", Chars(at, length, table)),
        f"{literal(prefix)}-[0-9a-z]{{{length}}}",
    )


UUID_COLUMNS = 31
_UUIDS = {1: "xxxxxxxx-xxxx-11eb-vxxx-xxxxxxxxxxxx", 4: "xxxxxxxx-xxxx-4xxx-vxxx-xxxxxxxxxxxx"}
"""RFC 9562; those of version 1 were made between November 2020 and October 2021, as the documented one."""


def uuid_pieces(at: int, version: int) -> tuple[Piece, ...]:
    """Return how a UUID of version 1 or 4 is written from at the most 31 columns."""
    pieces: list[Piece] = []
    for drawn, variant, literal in re.findall(r"(x+)|(v)|([^xv]+)", _UUIDS[version]):
        pieces.append(literal or Chars(at, len(drawn or variant), alphabet(HEX if drawn else "89ab")))
        at += len(drawn or variant)
    return tuple(pieces)


def _uuid(version: int) -> Drawer:
    return Drawer(
        UUID_COLUMNS,
        lambda at, _lang, _key: uuid_pieces(at, version),
        rf"[0-9a-f]{{8}}-[0-9a-f]{{4}}-{version}[0-9a-f]{{3}}-[0-9a-f]{{4}}-[0-9a-f]{{12}}",
    )


def _hex(length: int) -> Drawer:
    table = alphabet(HEX)
    return Drawer(length, lambda at, _lang, _key: (Chars(at, length, table),), f"[0-9a-f]{{{length}}}")


def digit_pieces(at: int, length: int) -> tuple[Piece, ...]:
    """Return how ``length`` decimal digits without a leading zero are written."""
    first = Chars(at, 1, alphabet(FIRST_DIGITS))
    return (first, Chars(at + 1, length - 1, alphabet(DIGITS))) if length > 1 else (first,)


def _digits(length: int) -> Drawer:
    return Drawer(length, lambda at, _lang, _key: digit_pieces(at, length), rf"[1-9]\d{{{length - 1}}}")


def _integer(low: int, high: int) -> Drawer:
    if high - low < BYTES:
        texts = spread([str(number) for number in range(low, high + 1)])
        return Drawer(1, lambda at, _lang, _key: (Words(at, texts),), _PATTERNS["integer"], json_type="integer")
    return Drawer(Wide.WIDTH, lambda at, _lang, _key: (Wide(at, low, high),), _PATTERNS["integer"], json_type="integer")


def _name(of: str) -> Drawer:
    names(of, Lang.EN)  # an unknown pool is told when the entry is read, not when it is drawn
    return Drawer(1, lambda at, lang, _key: (Words(at, spread(names(of, lang))),), _ANY_NAME)


def _pick(**params: Any) -> Drawer:  # noqa: ANN401 - `from` is a keyword of Python's
    choices: Sequence[Any] = tuple(params["from"])

    def write(at: int, _lang: Lang, key: str) -> tuple[Piece, ...]:
        picked = [choice[key] if key else choice for choice in choices]
        return (Words(at, spread([item if isinstance(item, str) else _json(item) for item in picked])),)

    return Drawer(1, write, "", tuple(choices))


def _faker(fakes: Fakes) -> Drawer:
    def write(at: int, lang: Lang, _key: str) -> tuple[Piece, ...]:
        return (Words(at, tuple(map(text, fakes.items[lang]))),)

    return Drawer(1, write, _PATTERNS[fakes.json_type], json_type=fakes.json_type)


def _json(value: Any) -> str:  # noqa: ANN401 - any scalar
    return json.dumps(value, ensure_ascii=False)


_GENERATORS: dict[str, Callable[..., Drawer]] = {
    "digits": _digits,
    "hex": _hex,
    "integer": _integer,
    "ipv4": _ipv4,
    "name": _name,
    "pick": _pick,
    "resource_id": _resource_id,
    "uuid": _uuid,
}
