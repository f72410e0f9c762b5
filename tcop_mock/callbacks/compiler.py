"""Compiled shapes: all templates and generators of a shape, parsed once for fast generation of alarms."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.callbacks.faker_values import EntryPath, FakerValues
from tcop_mock.callbacks.pieces import (
    BYTE_VALUES,
    DIGITS,
    FIRST_DIGITS,
    HEX,
    LOWER_ALNUM,
    Piece,
    RandomChars,
    RandomChoice,
    RandomInteger,
    RandomTimestamp,
    alphabet_table,
    choice_table,
    escape_piece,
    render_text,
)
from tcop_mock.catalog.pools import names_of_pool
from tcop_mock.catalog.template import compile_tree, format_value, has_stray_brace, leaves, referenced_paths
from tcop_mock.domain.shape import Lang, Problem
from tcop_mock.errors import EntryError, UnknownNameError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tcop_mock.catalog.template import Render
    from tcop_mock.domain.alarm import OptionalFields
    from tcop_mock.domain.shape import Shape

    PieceWriter = Callable[[int, Lang, str], tuple[Piece, ...]]


_ANY_NAME = r"[^\x1f]{1,128}?"

_FAKER = "faker"

_PATTERNS = {
    "string": r"[^\x1f]*",
    "integer": r"-?\d{1,20}",
    "number": r"-?\d+(\.\d+)?(e[+-]?\d+)?",
    "boolean": "(true|false)",
}

"""Patterns of values inside a string, by JSON type, for generators without a list of choices."""

_POINT_TO_POINT_PREFIX = 31

_OCTETS = 4


class ValueGenerator(NamedTuple):
    """A generator with its parameters."""

    width: int
    """Number of columns of a random block that it uses."""
    pieces: PieceWriter
    """Returns the pieces of the value inside a string, for its first column, a language, and a key of picked tables."""
    pattern: str
    """Regular expression of all texts that it can generate (names match any text that a person may type).

    Uses only syntax common to Python and ECMA 262, because JSON Schemas contain it.
    """
    choices: tuple[Any, ...] = ()
    """All possible values, if they are enumerated; else empty."""
    json_type: str = "string"
    """JSON Schema type of its values, if they are not enumerated."""

    @property
    def is_text(self) -> bool:
        """Whether its values are strings."""
        return self.json_type == "string"

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys common to all choices if it picks tables; else empty."""
        if not self.choices or not all(isinstance(choice, dict) for choice in self.choices):
            return ()
        return tuple(key for key in self.choices[0] if all(key in choice for choice in self.choices))

    def json_pieces(self, first_column: int, lang: Lang, key: str = "") -> tuple[Piece, ...]:
        """Return the pieces of the value as JSON with its own type; arguments are those of ``pieces``."""
        if self.choices:
            return (
                RandomChoice(
                    first_column, choice_table([_json(choice[key] if key else choice) for choice in self.choices])
                ),
            )
        pieces = self.pieces(first_column, lang, key)
        return ('"', *map(escape_piece, pieces), '"') if self.is_text else pieces


def make_value_generator(shape: Shape, name: str, seed: int) -> ValueGenerator:
    """Create the generator of one value of a shape.

    Args:
        shape: shape that declares the value.
        name: name of the value.
        seed: seed of generators that precompute random values (Faker).

    Raises:
        UnknownNameError: the generator or the pool does not exist.
        EntryError: Faker is not installed or returns unusable values.
    """
    spec = shape.values[name]
    if spec.generator == _FAKER:
        return _faker_generator(
            FakerValues(spec.params, EntryPath(shape.location, f"values.{name}"), (seed, shape.id, name))
        )
    if spec.generator not in _GENERATORS:
        raise UnknownNameError("generator", spec.generator, [*_GENERATORS, _FAKER], where=shape.location)
    return _GENERATORS[spec.generator](**spec.params)


def literal_pattern(text: str) -> str:
    """Return the pattern that matches exactly this text; ``re.escape`` escapes characters that ECMA 262 forbids."""
    return re.sub(r"[\\^$.*+?()\[\]{}|/]", r"\\\g<0>", text)


def _ipv4(network: str) -> ValueGenerator:
    net = ipaddress.IPv4Network(network)
    fixed_count, random_octets = net.prefixlen // 8, _OCTETS - net.prefixlen // 8
    fixed_octets = str(net.network_address).split(".")[:fixed_count]
    first, last = net.network_address.packed, net.broadcast_address.packed
    bounds = [[first[index], last[index]] for index in range(fixed_count, _OCTETS)]
    if (
        net.prefixlen < _POINT_TO_POINT_PREFIX
    ):  # exclude the network and broadcast addresses (/31 and /32 have none: RFC 3021)
        bounds[-1] = [bounds[-1][0] + 1, bounds[-1][1] - 1]

    def write(first_column: int, _lang: Lang, _key: str) -> tuple[Piece, ...]:
        octet_pieces: list[Piece] = [
            RandomChoice(first_column + number, choice_table([str(octet) for octet in range(low, high + 1)]))
            for number, (low, high) in enumerate(bounds)
        ]
        dotted: list[Piece] = [part for octet in (*fixed_octets, *octet_pieces) for part in (octet, ".")]
        return tuple(dotted[:-1])

    return ValueGenerator(
        random_octets, write, r"\.".join([*map(literal_pattern, fixed_octets), *[r"\d{1,3}"] * random_octets])
    )


def _resource_id(prefix: str, length: int = 8) -> ValueGenerator:
    table = alphabet_table(LOWER_ALNUM)
    return ValueGenerator(
        length,
        lambda at, _lang, _key: (f"{prefix}-", RandomChars(at, length, table)),
        f"{literal_pattern(prefix)}-[0-9a-z]{{{length}}}",
    )


UUID_COLUMNS = 31

_UUIDS = {1: "xxxxxxxx-xxxx-11eb-vxxx-xxxxxxxxxxxx", 4: "xxxxxxxx-xxxx-4xxx-vxxx-xxxxxxxxxxxx"}

"""RFC 9562; the version 1 UUIDs date from November 2020 to October 2021, like the documented one."""


@cache
def uuid_pieces(column: int, version: int) -> tuple[Piece, ...]:
    """Return the pieces of a UUID of version 1 or 4, which uses at most 31 columns."""
    pieces: list[Piece] = []
    for random_run, variant, literal in re.findall(r"(x+)|(v)|([^xv]+)", _UUIDS[version]):
        pieces.append(
            literal or RandomChars(column, len(random_run or variant), alphabet_table(HEX if random_run else "89ab"))
        )
        column += len(random_run or variant)
    return tuple(pieces)


def _uuid(version: int) -> ValueGenerator:
    return ValueGenerator(
        UUID_COLUMNS,
        lambda at, _lang, _key: uuid_pieces(at, version),
        rf"[0-9a-f]{{8}}-[0-9a-f]{{4}}-{version}[0-9a-f]{{3}}-[0-9a-f]{{4}}-[0-9a-f]{{12}}",
    )


def _hex(length: int) -> ValueGenerator:
    table = alphabet_table(HEX)
    return ValueGenerator(length, lambda at, _lang, _key: (RandomChars(at, length, table),), f"[0-9a-f]{{{length}}}")


def digit_pieces(first_column: int, length: int) -> tuple[Piece, ...]:
    """Return the pieces of ``length`` decimal digits without a leading zero."""
    first = RandomChars(first_column, 1, alphabet_table(FIRST_DIGITS))
    return (first, RandomChars(first_column + 1, length - 1, alphabet_table(DIGITS))) if length > 1 else (first,)


def _digits(length: int) -> ValueGenerator:
    return ValueGenerator(length, lambda at, _lang, _key: digit_pieces(at, length), rf"[1-9]\d{{{length - 1}}}")


def _integer(low: int, high: int) -> ValueGenerator:
    if high - low < BYTE_VALUES:
        texts = choice_table([str(number) for number in range(low, high + 1)])
        return ValueGenerator(
            1, lambda at, _lang, _key: (RandomChoice(at, texts),), _PATTERNS["integer"], json_type="integer"
        )
    return ValueGenerator(
        RandomInteger.WIDTH,
        lambda at, _lang, _key: (RandomInteger(at, low, high),),
        _PATTERNS["integer"],
        json_type="integer",
    )


def _name(of: str) -> ValueGenerator:
    names_of_pool(of, Lang.EN)  # raises for an unknown pool when the entry is read, not when a value is generated
    return ValueGenerator(
        1, lambda at, lang, _key: (RandomChoice(at, choice_table(names_of_pool(of, lang))),), _ANY_NAME
    )


def _pick(**params: Any) -> ValueGenerator:  # noqa: ANN401 - `from` is a Python keyword
    choices: Sequence[Any] = tuple(params["from"])

    def write(first_column: int, _lang: Lang, key: str) -> tuple[Piece, ...]:
        values = [choice[key] if key else choice for choice in choices]
        return (
            RandomChoice(
                first_column, choice_table([item if isinstance(item, str) else _json(item) for item in values])
            ),
        )

    return ValueGenerator(1, write, "", tuple(choices))


def _faker_generator(faker_values: FakerValues) -> ValueGenerator:
    def write(first_column: int, lang: Lang, _key: str) -> tuple[Piece, ...]:
        return (RandomChoice(first_column, tuple(map(format_value, faker_values.values[lang]))),)

    return ValueGenerator(1, write, _PATTERNS[faker_values.json_type], json_type=faker_values.json_type)


def _json(value: Any) -> str:  # noqa: ANN401 - any scalar
    return json.dumps(value, ensure_ascii=False)


_GENERATORS: dict[str, Callable[..., ValueGenerator]] = {
    "digits": _digits,
    "hex": _hex,
    "integer": _integer,
    "ipv4": _ipv4,
    "name": _name,
    "pick": _pick,
    "resource_id": _resource_id,
    "uuid": _uuid,
}


BUILTIN_VALUES = ("account.app_id", "account.uin", "region", "region_name")

"""Values that every alarm has without a declaration in the entry."""


class RenderedDimensions(NamedTuple):
    """Dimensions of one alarm in wire format."""

    dimensions: dict[str, Any]
    observed_dimensions: dict[str, Any]
    """Additional keys of captured dimensions."""
    additional_msg: tuple[tuple[str, str], ...]
    cloud_event: dict[str, Any]
    alert_texts: dict[str, str]

    def update_optional_fields(self, optional_fields: OptionalFields) -> OptionalFields:
        """Return a policy's optional fields completed with those of the alarm."""
        return dataclasses.replace(
            optional_fields,
            dimensions=self.observed_dimensions,
            additional_msg=self.additional_msg,
            cloud_event=self.cloud_event,
            alert_texts=self.alert_texts,
        )


class ValueSlot:
    """A declared value and its first column in a random block."""

    __slots__ = ("first_column", "generator", "json_pieces", "pieces")

    def __init__(self, generator: ValueGenerator, first_column: int) -> None:
        self.generator = generator
        self.first_column = first_column
        self.pieces = cache(lambda lang, key: generator.pieces(first_column, lang, key))
        """Pieces of the value inside a string, by language and key."""
        self.json_pieces = cache(lambda lang, key: generator.json_pieces(first_column, lang, key))
        """Pieces of the value as JSON, by language and key."""


def template_errors(shape: Shape, generators: Mapping[str, ValueGenerator | None]) -> Iterator[Problem]:
    """Yield inconsistencies between a shape's templates and its values.

    Args:
        shape: an entry, valid or not.
        generators: generators by name; ``None`` for an invalid one, which is not checked further.
    """
    known_paths = [path for name, generator in generators.items() if generator for path in _paths_of(name, generator)]
    failed_names = {name for name, generator in generators.items() if generator is None}
    used_names = set()
    for key, leaf in leaves(templates(shape)):
        if has_stray_brace(leaf):
            yield Problem(
                key, f"template {leaf!r} has a brace outside of a {{field}}", "remove it; braces cannot be escaped"
            )
        for path in referenced_paths(leaf):
            name = path.partition(".")[0]
            used_names.add(name)
            if path not in BUILTIN_VALUES and path not in known_paths and name not in failed_names:
                suggestion = did_you_mean(path, [*known_paths, *BUILTIN_VALUES])
                hint = f"; did you mean {suggestion}?" if suggestion else ""
                yield Problem(key, f"{path!r} is not a declared value{hint}", "declare it in [values], or name another")
    for name in generators:
        if name not in used_names:
            yield Problem(f"values.{name}", "never used", "use it in a template, or remove it")


def templates(shape: Shape) -> dict[str, Any]:
    """Return all templates of an entry, by their keys in the file."""
    messages = {f"{index}.value": value for index, (_, value) in enumerate(shape.observed.additional_msg)}
    return {
        "dimensions": shape.dimensions,
        "dimensions_zh": shape.dimensions_zh,
        "observed": {"dimensions": shape.observed.dimensions, "additionalMsg": messages},
        "cloudevent": dataclasses.asdict(shape.cloud_event) if shape.cloud_event else {},
        "alert": shape.alert_texts,
    }


def _paths_of(name: str, generator: ValueGenerator) -> list[str]:
    return [f"{name}.{key}" for key in generator.keys] or [name]


class CompiledShape:
    """Generates the dimensions of one shape's alarms.

    Raises:
        EntryError: a template uses an undeclared value, or a declared value is never used.
        UnknownNameError: a value names an unknown generator or pool.
    """

    __slots__ = ("_render", "shape", "slots", "width")

    TIMESTAMP_COLUMN = 0
    """First column of the time of the first occurrence."""

    def __init__(self, shape: Shape, seed: int = 0) -> None:
        self.shape = shape
        self.slots: dict[str, ValueSlot] = {}
        self.width = RandomTimestamp.WIDTH
        for name in shape.values:
            generator = make_value_generator(shape, name, seed)
            self.slots[name] = ValueSlot(generator, self.width)
            self.width += generator.width
        for problem in template_errors(shape, {name: slot.generator for name, slot in self.slots.items()}):
            raise EntryError(shape.location, problem.key, problem.message)
        self._render: dict[Lang, Render] = {lang: compile_tree(tree) for lang, tree in self._templates().items()}

    def values(self, block: bytes, row: int, lang: Lang) -> dict[str, Any]:
        """Return the declared values of one alarm."""

        def decode(slot: ValueSlot, key: str) -> Any:  # noqa: ANN401 - any JSON scalar
            return json.loads(render_text(slot.json_pieces(lang, key), block, row))

        return self.map_values(decode)

    def map_values(self, function: Callable[[ValueSlot, str], Any]) -> dict[str, Any]:
        """Return the results of a function for each declared value, or for each key of those that pick tables."""
        return {
            name: {key: function(slot, key) for key in slot.generator.keys}
            if slot.generator.keys
            else function(slot, "")
            for name, slot in self.slots.items()
        }

    def render_dimensions(self, values: Mapping[str, Any], lang: Lang) -> RenderedDimensions:
        """Render the dimensions of an alarm from all its values, built-in ones included."""
        rendered = self._render[lang](values)
        messages = tuple((row["key"], row["value"]) for row in rendered["additional_msg"].values())
        return RenderedDimensions(
            rendered["dimensions"], rendered["observed"], messages, rendered["cloud_event"], rendered["alert"]
        )

    def _templates(self) -> dict[Lang, dict[str, Any]]:
        shape = self.shape
        additional = enumerate(shape.observed.additional_msg)
        messages = {str(index): {"key": key, "value": value} for index, (key, value) in additional}
        cloud_event = shape.cloud_event
        shared_templates = {
            "observed": dict(shape.observed.dimensions),
            "additional_msg": messages,
            "cloud_event": dataclasses.asdict(cloud_event) if cloud_event else {},
            "alert": dict(shape.alert_texts),
        }
        dimensions = dict(shape.dimensions)
        return {
            Lang.EN: {"dimensions": dimensions, **shared_templates},
            Lang.ZH: {"dimensions": dimensions | dict(shape.dimensions_zh), **shared_templates},
        }


def compile_shape(shape: Shape, seed: int) -> CompiledShape:
    """Return a compiled shape, which all generators share unless it has values of Faker: these depend on the seed.

    Raises:
        EntryError: see ``CompiledShape``.
        UnknownNameError: see ``CompiledShape``.
    """
    uses_faker = any(spec.generator == _FAKER for spec in shape.values.values())
    return _compile(shape, seed if uses_faker else 0)


_compile = lru_cache(maxsize=256)(CompiledShape)
