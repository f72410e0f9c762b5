"""The corpus as files, for test suites in any language: callbacks, changed ones, schemas, and a manifest of them."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock._version import __version__
from tcop_mock.contract.mutators import load_mutators
from tcop_mock.contract.schemas import accept_schema, emit_schema
from tcop_mock.contract.workshop import PLAIN_SHAPE
from tcop_mock.generate import Generator
from tcop_mock.generate.ages import Moment
from tcop_mock.generate.bodies import Bodies
from tcop_mock.generate.policies import Ask, forms
from tcop_mock.model.alarm import State
from tcop_mock.model.form import Form
from tcop_mock.model.shape import Kind, Lang
from tcop_mock.report.facts import catalogue_sha256

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tcop_mock.catalog import Catalog
    from tcop_mock.model.profile import Profile
    from tcop_mock.model.shape import Shape

MANIFEST = "manifest.json"
TOOL = "tcop-mock"
_README = """\
# Callbacks of Tencent Cloud's alarms

Written by `tcop-mock export` {version}; `manifest.json` lists all files. Do not edit: the next export writes them anew.

- `callbacks/FORM/LANG/SHAPE/STATE.json`: one body each, with the bytes that are posted. A receiver has to take it.
- `mutations/take/`, `mutations/refuse/`: bodies that were changed, one thing each. A receiver has to take the first
  with 2xx, and to refuse the others with 4xx. The manifest names the clause; `tcop-mock explain CODE` says why.
- `schemas/emit/`, `schemas/accept/`: JSON Schemas (2020-12) of each shape: what is written here exactly, and what a
  receiver has to take of it.

Seed {seed}, profile {profile}. What no source says of this profile:

{assumptions}
"""


class CorpusFile(NamedTuple):
    """One file."""

    path: str
    """Below the folder, with slashes."""
    content: bytes
    facts: dict[str, Any]
    """What the manifest says of it beside path and hash."""


class Corpus:
    """All files of an export.

    Args:
        catalog: for mutations, which are of a plain callback whatever the shapes.
        shapes: whose callbacks.
        seed: what all chance comes from.
        profile: whose bodies.
        langs: languages of the accounts.
        only: forms; shapes that do not have one are passed over.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - each is one thing that a user can choose
        self,
        catalog: Catalog,
        shapes: Sequence[Shape],
        seed: int,
        profile: Profile,
        langs: Sequence[Lang] = tuple(Lang),
        only: Sequence[Form] = tuple(Form),
    ) -> None:
        self._catalog, self._shapes, self._seed, self._profile = catalog, shapes, seed, profile
        self._langs, self._forms = langs, only

    def files(self) -> list[CorpusFile]:
        """Return all files but the manifest, in the order of their paths."""
        files = [self._readme(), *self._callbacks(), *self._mutations(), *self._schemas()]
        return sorted(files, key=lambda file: file.path)

    def manifest(self, files: Sequence[CorpusFile]) -> dict[str, Any]:
        """Return the manifest of some files."""
        return {
            "version": 1,
            "tool": {"name": TOOL, "version": __version__},
            "seed": self._seed,
            "profile": self._profile.name,
            "assumptions": list(self._profile.assumptions),
            "catalogue_sha256": catalogue_sha256(self._shapes),
            "files": [
                {"path": file.path, "sha256": hashlib.sha256(file.content).hexdigest(), **file.facts} for file in files
            ],
        }

    def _readme(self) -> CorpusFile:
        text = _README.format(
            version=__version__,
            seed=self._seed,
            profile=self._profile.name,
            assumptions="\n".join(f"- {line}" for line in self._profile.assumptions),
        )
        return CorpusFile("README.md", text.encode(), {"kind": "readme"})

    def _callbacks(self) -> Iterator[CorpusFile]:
        for shape in self._shapes:
            for form in (form for form in forms(shape) if form in self._forms):
                for lang in self._langs:
                    generator = Generator(self._seed, lang, form=form, wire=self._profile.wire)
                    for state in _states(shape):
                        body = Bodies(generator, shape, Moment(state), ask=Ask(reaching=state)).body(0)
                        path = f"callbacks/{form}/{lang}/{shape.id}/{state}.json"
                        yield CorpusFile(path, body, _facts(shape) | {"state": state, "form": form, "lang": lang})

    def _mutations(self) -> Iterator[CorpusFile]:
        for mutator in load_mutators().values():
            shape = self._catalog.get(mutator.shape or PLAIN_SHAPE)
            ask = Ask(threshold=mutator.threshold, reaching=mutator.state)
            bodies = Bodies(Generator(self._seed, wire=self._profile.wire), shape, Moment(mutator.state), ask=ask)
            body = mutator.change(json.loads(bodies.body(0)))
            facts = {"mutator": mutator.name, "clause": mutator.clause, "wanted": mutator.wanted}
            path = f"mutations/{mutator.wanted}/{mutator.clause}-{mutator.name}.body"
            yield CorpusFile(path, body, {"kind": "mutation", "shape": shape.id, **facts})

    def _schemas(self) -> Iterator[CorpusFile]:
        for shape in self._shapes:
            emit = emit_schema(shape, wire=self._profile.wire)
            for what, schema in (("emit", emit), ("accept", accept_schema(shape))):
                content = json_bytes(schema)
                facts = {"kind": "schema", "shape": shape.id, "schema": what}
                yield CorpusFile(f"schemas/{what}/{shape.id}.schema.json", content, facts)


def json_bytes(tree: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Return a JSON file's content: indented, UTF-8, with a line end."""
    return json.dumps(tree, ensure_ascii=False, indent=1).encode() + b"\n"


def _facts(shape: Shape) -> dict[str, Any]:
    return {"kind": "callback", "shape": shape.id, "source": shape.source, "assumed": list(shape.assumed)}


def _states(shape: Shape) -> Iterator[State]:
    yield State.FIRING
    if shape.kind is Kind.METRIC:
        yield State.REPEATED
    if shape.recovers:
        yield State.RESOLVED
