"""A shape compiled once, so that drawing an alarm parses no template and looks nothing up by name."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.faker_values import EntryKey, Fakes
from tcop_mock.callbacks.pieces import (
    BYTES,
    DIGITS,
    FIRST_DIGITS,
    HEX,
    LOWER_ALNUM,
    Chars,
    Clock,
    Piece,
    Wide,
    Words,
    alphabet,
    escaped,
    spread,
    text_of,
)
from tcop_mock.catalog.pools import names
from tcop_mock.catalog.template import compile_tree, has_stray_brace, leaves, paths, text
from tcop_mock.domain.shape import Lang, Problem
from tcop_mock.errors import EntryError, UnknownNameError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tcop_mock.catalog.template import Render
    from tcop_mock.domain.alarm import Extras
    from tcop_mock.domain.shape import Shape

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


BUILT_IN = ("account.app_id", "account.uin", "region", "region_name")

"""Values that every alarm has; an entry need not declare them."""


class Objects(NamedTuple):
    """What an alarm is about, as the wire tells it."""

    dimensions: dict[str, Any]
    observed: dict[str, Any]
    """Keys that captured dimensions have beside them."""
    additional_msg: tuple[tuple[str, str], ...]
    cloud_event: dict[str, Any]

    def extras(self, extras: Extras) -> Extras:
        """Return a policy's extras with those of the alarm."""
        return dataclasses.replace(
            extras,
            dimensions=self.observed,
            additional_msg=self.additional_msg,
            cloud_event=self.cloud_event,
        )


class Slot:
    """A declared value and the first column of a block that decides it."""

    __slots__ = ("at", "drawer", "pieces", "tokens")

    def __init__(self, drawn: Drawer, at: int) -> None:
        self.drawer = drawn
        self.at = at
        self.pieces = cache(lambda lang, key: drawn.pieces(at, lang, key))
        """How it is written inside a text, by language and key."""
        self.tokens = cache(lambda lang, key: drawn.tokens(at, lang, key))
        """How it is written as JSON of its own, by language and key."""


def misnamed(shape: Shape, drawers: Mapping[str, Drawer | None]) -> Iterator[Problem]:
    """Yield what is wrong between a shape's templates and its values.

    Args:
        shape: an entry, right or wrong.
        drawers: its values by name; ``None`` for one that cannot be drawn, of which nothing more is told.
    """
    offered = [path for name, drawn in drawers.items() if drawn for path in _paths_of(name, drawn)]
    broken = {name for name, drawn in drawers.items() if drawn is None}
    used = set()
    for key, leaf in leaves(templates(shape)):
        if has_stray_brace(leaf):
            yield Problem(
                key, f"template {leaf!r} has a brace that is no {{field}}", "there is no way to write a brace"
            )
        for path in paths(leaf):
            name = path.partition(".")[0]
            used.add(name)
            if path not in BUILT_IN and path not in offered and name not in broken:
                near = did_you_mean(path, [*offered, *BUILT_IN])
                hint = f"; did you mean {near}?" if near else ""
                yield Problem(key, f"{path!r} is no declared value{hint}", "declare it in [values], or name another")
    for name in drawers:
        if name not in used:
            yield Problem(f"values.{name}", "never used", "name it in a template, or take it out")


def templates(shape: Shape) -> dict[str, Any]:
    """Return all templates of an entry, by the keys that they have there."""
    messages = {f"{at}.value": value for at, (_, value) in enumerate(shape.observed.additional_msg)}
    return {
        "dimensions": shape.dimensions,
        "dimensions_zh": shape.dimensions_zh,
        "observed": {"dimensions": shape.observed.dimensions, "additionalMsg": messages},
        "cloudevent": dataclasses.asdict(shape.cloud_event) if shape.cloud_event else {},
    }


def _paths_of(name: str, drawn: Drawer) -> list[str]:
    return [f"{name}.{key}" for key in drawn.keys] or [name]


class Plan:
    """How to draw what one shape's alarms are about.

    Raises:
        EntryError: a template names a value that the entry does not declare, or a declared one is never named.
        UnknownNameError: a value names a generator or a pool that is not there.
    """

    __slots__ = ("_render", "shape", "slots", "width")

    CLOCK = 0
    """First of the columns of the first occurrence."""

    def __init__(self, shape: Shape, seed: int = 0) -> None:
        self.shape = shape
        self.slots: dict[str, Slot] = {}
        self.width = Clock.WIDTH
        for name in shape.values:
            drawn = drawer(shape, name, seed)
            self.slots[name] = Slot(drawn, self.width)
            self.width += drawn.width
        for problem in misnamed(shape, {name: slot.drawer for name, slot in self.slots.items()}):
            raise EntryError(shape.where, problem.key, problem.problem)
        self._render: dict[Lang, Render] = {lang: compile_tree(tree) for lang, tree in self._templates().items()}

    def values(self, block: bytes, row: int, lang: Lang) -> dict[str, Any]:
        """Return the declared values of one alarm."""

        def drawn(slot: Slot, key: str) -> Any:  # noqa: ANN401 - any JSON scalar
            return json.loads(text_of(slot.tokens(lang, key), block, row))

        return self.each(drawn)

    def each(self, draw: Callable[[Slot, str], Any]) -> dict[str, Any]:
        """Return what a function makes of each declared value, or of each key of those that pick tables."""
        return {
            name: {key: draw(slot, key) for key in slot.drawer.keys} if slot.drawer.keys else draw(slot, "")
            for name, slot in self.slots.items()
        }

    def objects(self, values: Mapping[str, Any], lang: Lang) -> Objects:
        """Write what an alarm with these values, built-in ones included, is about."""
        drawn = self._render[lang](values)
        messages = tuple((row["key"], row["value"]) for row in drawn["additional_msg"].values())
        return Objects(drawn["dimensions"], drawn["observed"], messages, drawn["cloud_event"])

    def _templates(self) -> dict[Lang, dict[str, Any]]:
        shape = self.shape
        additional = enumerate(shape.observed.additional_msg)
        messages = {str(at): {"key": key, "value": value} for at, (key, value) in additional}
        cloud = shape.cloud_event
        rest = {
            "observed": dict(shape.observed.dimensions),
            "additional_msg": messages,
            "cloud_event": dataclasses.asdict(cloud) if cloud else {},
        }
        english = dict(shape.dimensions)
        return {
            Lang.EN: {"dimensions": english, **rest},
            Lang.ZH: {"dimensions": english | dict(shape.dimensions_zh), **rest},
        }
