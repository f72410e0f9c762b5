"""Templates and generators learned from captured values, which are never written themselves.

A text becomes a template: the values of other keys in it become references, separators stay, and so do words that the
shipped entries have. Everything else becomes a generator of its form: an id, an address, a number, or a name.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock.catalog.template import leaves, split_template

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tcop_mock.domain.shape import Shape

    Path = tuple[str, ...]

_LAST_KEYS = ("objId", "objName")
"""Keys whose texts are made of the values of other keys."""
_SEPARATOR = re.compile(r"(\s*[#|(),:;/\[\]@=：，（）]+\s*)")
_UUID_1, _UUID_4 = (
    re.compile(rf"[0-9a-f]{{8}}-[0-9a-f]{{4}}-{version}[0-9a-f]{{3}}-[0-9a-f]{{4}}-[0-9a-f]{{12}}") for version in "14"
)
_RESOURCE_ID = re.compile(r"([a-z][a-z0-9]*(?:-[a-z]+)*)-([a-z0-9]{5,32})")
_HEX = re.compile(r"(?=.*[a-f])[0-9a-f]{12,64}")
_DIGITS = re.compile(r"[1-9][0-9]{0,31}")
_PRIVATE_NETWORK, _PUBLIC_NETWORK = "10.0.0.0/8", "203.0.113.0/24"
_UNKNOWN_PREFIX = "id"
_NAME_POOL = "instance"
_MIN_ATOM_CHARS = 2


class Capture(NamedTuple):
    """The values of one body that its templates may name."""

    leaves: Mapping[Path, Any]
    """Values of the dimensions by path."""
    builtins: Mapping[str, str]
    """Texts of the account and the region, by the name that a template has for them."""


class Vocabulary(NamedTuple):
    """Texts that may be published, because shipped entries contain them."""

    words: frozenset[str]
    prefixes: frozenset[str]

    @classmethod
    def from_shapes(cls, shapes: Iterable[Shape]) -> Vocabulary:
        """Collect the words of templates and choices, and the prefixes of ids."""
        words: set[str] = set()
        prefixes: set[str] = set()
        for shape in shapes:
            for tree in (shape.dimensions, shape.dimensions_zh):
                for _, node in leaves(dict(tree)):
                    literals = split_template(node)[::2] if isinstance(node, str) else ()
                    words |= {word for text in literals for word in _words(text)}
            for spec in shape.values.values():
                prefixes |= {spec.params["prefix"]} if "prefix" in spec.params else set()
                choices = spec.params.get("from", ())
                words |= {str(text) for choice in choices for _, text in leaves(choice)}
        return cls(frozenset(words), frozenset(prefixes))


def _words(text: str) -> list[str]:
    return [word for piece in _SEPARATOR.split(text)[::2] for word in piece.split()]


class _Piece(NamedTuple):
    """A part of a text."""

    text: str
    references: frozenset[str] = frozenset()
    """Names of the values that it is."""
    is_separator: bool = False


class DraftValues:
    """Learns the templates of the dimensions of bodies that have the same keys.

    Args:
        captures: the values of each body; at least one.
        vocabulary: what may be written.
    """

    def __init__(self, captures: Sequence[Capture], vocabulary: Vocabulary) -> None:
        self._captures, self._vocabulary = captures, vocabulary
        self._atoms: list[dict[str, frozenset[str]]] = [
            {text: frozenset({name}) for name, text in capture.builtins.items() if text} for capture in captures
        ]
        self.values: dict[str, dict[str, Any]] = {}
        """Generators by the name of their value."""

    def learn(self) -> dict[Path, Any]:
        """Return a template for each path of the dimensions, in the order of the first body."""
        paths = list(self._captures[0].leaves)
        in_order = sorted(paths, key=lambda path: _LAST_KEYS.index(path[-1]) + 1 if path[-1] in _LAST_KEYS else 0)
        templates = {path: self._template(path, [one.leaves[path] for one in self._captures]) for path in in_order}
        return {path: templates[path] for path in paths}

    def _template(self, path: Path, values: list[Any]) -> Any:  # noqa: ANN401 - a template
        if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
            return {"value": self._integer(path, values)}
        if not all(isinstance(value, str) for value in values):
            return f"{{{self._add(path, {'generator': 'name', 'of': _NAME_POOL})}}}"
        known = frozenset.intersection(
            *(atoms.get(value, frozenset()) for atoms, value in zip(self._atoms, values, strict=True))
        )
        if known:
            return f"{{{min(known)}}}"
        if not all(values):
            return ""
        return self._whole(path, values) or self._pieces(path, values)

    def _integer(self, path: Path, values: list[int]) -> str:
        texts = [str(value) for value in values]
        if all(
            capture.builtins.get("account.app_id") == text for capture, text in zip(self._captures, texts, strict=True)
        ):
            return "account.app_id"
        digits = max(map(len, texts))
        name = self._add(path, {"generator": "integer", "low": 1, "high": 10**digits - 1})
        self._remember(name, texts)
        return name

    def _whole(self, path: Path, texts: list[str]) -> str:
        """Return the template of texts that are each one value, or an empty string."""
        spec = self._spec(texts)
        if spec is None:
            return ""
        name = self._add(path, spec)
        self._remember(name, texts)
        return f"{{{name}}}"

    def _pieces(self, path: Path, texts: list[str]) -> str:
        rows = [self._split(text, atoms) for text, atoms in zip(texts, self._atoms, strict=True)]
        if len({len(row) for row in rows}) > 1 or len(rows[0]) == 1:
            return self._name(path, texts)
        columns = list(zip(*rows, strict=True))
        if any(len({piece.is_separator for piece in column}) > 1 for column in columns) or any(
            len({piece.text for piece in column}) > 1 for column in columns if column[0].is_separator
        ):
            return self._name(path, texts)
        return "".join(self._piece(path, column) for column in columns)

    def _piece(self, path: Path, column: tuple[_Piece, ...]) -> str:
        texts = [piece.text for piece in column]
        if column[0].is_separator:
            return texts[0]
        references = frozenset.intersection(*(piece.references for piece in column))
        if references:
            return f"{{{min(references)}}}"
        if len(set(texts)) == 1 and all(map(self._is_label, texts[0].split())):
            return texts[0]
        return self._whole(path, texts) or self._name(path, texts)

    def _is_label(self, word: str) -> bool:
        return word in self._vocabulary.words and not word.isdecimal()

    def _name(self, path: Path, texts: list[str]) -> str:
        name = self._add(path, {"generator": "name", "of": _NAME_POOL})
        self._remember(name, texts)
        return f"{{{name}}}"

    def _split(self, text: str, atoms: Mapping[str, frozenset[str]]) -> list[_Piece]:
        """Return the parts of a text: values of other keys, separators, and the texts between them."""
        long_atoms = sorted((atom for atom in atoms if len(atom) >= _MIN_ATOM_CHARS), key=len, reverse=True)
        if long_atoms:
            pattern = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, long_atoms))})(?!\w)")
            parts = pattern.split(text)
        else:
            parts = [text]
        pieces: list[_Piece] = []
        for index, part in enumerate(parts):
            if index % 2:
                pieces.append(_Piece(part, atoms[part]))
                continue
            for position, piece in enumerate(_SEPARATOR.split(part)):
                if piece:
                    pieces.append(_Piece(piece, atoms.get(piece, frozenset()), bool(position % 2) or piece.isspace()))
        return pieces

    def _spec(self, texts: list[str]) -> dict[str, Any] | None:
        """Return the generator of the form that all texts have, or ``None``."""
        length = len(texts[0])
        if set(texts) <= self._vocabulary.words:
            return {"generator": "pick", "from": sorted(set(texts))}
        if all(map(_is_address, texts)):
            is_private = all(IPv4Address(text).is_private for text in texts)
            return {"generator": "ipv4", "network": _PRIVATE_NETWORK if is_private else _PUBLIC_NETWORK}
        for pattern, spec in (
            (_UUID_1, {"generator": "uuid", "version": 1}),
            (_UUID_4, {"generator": "uuid", "version": 4}),
            (_DIGITS, {"generator": "digits", "length": length}),
            (_HEX, {"generator": "hex", "length": length}),
        ):
            if all(map(pattern.fullmatch, texts)):
                return spec
        return self._id_spec(texts)

    def _id_spec(self, texts: list[str]) -> dict[str, Any] | None:
        ids = [found for text in texts if (found := _RESOURCE_ID.fullmatch(text))]
        if len(ids) < len(texts):
            return None
        length, prefixes = len(ids[0][2]), {found[1] for found in ids}
        if len(prefixes) == 1 and prefixes <= self._vocabulary.prefixes:
            return {"generator": "resource_id", "prefix": prefixes.pop(), "length": length}
        has_digits = all(any(map(str.isdigit, found[2])) for found in ids)
        return {"generator": "resource_id", "prefix": _UNKNOWN_PREFIX, "length": length} if has_digits else None

    def _add(self, path: Path, spec: dict[str, Any]) -> str:
        base = re.sub(r"[^a-z0-9_]", "_", path[-1].lower()).strip("_") or "value"
        base = base if base[0].isalpha() and base not in {"account", "region"} else f"value_{base}"
        name = next(
            name for name in (base, *(f"{base}_{number}" for number in range(2, 1000))) if name not in self.values
        )
        self.values[name] = spec
        return name

    def _remember(self, name: str, texts: list[str]) -> None:
        """Let later texts refer to a value."""
        for atoms, text in zip(self._atoms, texts, strict=True):
            atoms[text] = atoms.get(text, frozenset()) | {name}


def _is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True
