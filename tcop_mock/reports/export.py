"""Exports of callbacks for the test suites of any language: a folder, and Pact files.

The folder has callbacks, mutations, schemas and a manifest. A Pact file has one interaction for each callback that
TCM101 posts, so that a Pact verifier checks a receiver. Its format is that of the Pact Specification, version 4:
synchronous HTTP interactions, bodies with their content type, matching rules by part of the message.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from tcop_mock._version import __version__
from tcop_mock.callbacks.generator import Generator, LifecyclePoint
from tcop_mock.callbacks.json_schemas import accept_schema, emit_schema
from tcop_mock.callbacks.rendering import BodyRenderer
from tcop_mock.callbacks.sampling import AlarmOptions, forms_of
from tcop_mock.contract.case_factory import PLAIN_SHAPE, CaseFactory
from tcop_mock.contract.clauses import builder_of, find_clause, load_clauses
from tcop_mock.contract.mutators import load_mutators
from tcop_mock.domain.callback import Form, State
from tcop_mock.domain.contract import Level
from tcop_mock.domain.shape import AlarmKind, Lang
from tcop_mock.errors import UnknownNameError, UsageError
from tcop_mock.reports.files import write_report
from tcop_mock.reports.summary import TOOL, catalogue_sha256, creator_document

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from tcop_mock.catalog.loader import Catalog
    from tcop_mock.domain.contract import RequestCase
    from tcop_mock.domain.profile import Profile
    from tcop_mock.domain.shape import Shape

MANIFEST = "manifest.json"

_README = """\
# Callbacks of Tencent Cloud alarms

Written by `tcop-mock export` {version}; `manifest.json` lists all files. Do not edit: the next export overwrites them.

- `callbacks/FORM/LANG/SHAPE/STATE.json`: one body each, with the exact bytes. A receiver must accept the forms
  `documented` and `observed` with 2xx, should accept `eventbridge`, and may accept `cloudevents`. It may accept
  shapes that TCOP publishes no callback of, such as those of Prometheus; the manifest has the level of each.
- `mutations/accept/`: bodies with one change each. A receiver must accept them with 2xx.
- `mutations/reject/`: bodies that are not callbacks. A receiver must reject them with 4xx.
- `mutations/either/`: bodies that a receiver may accept or reject. Either the clause has the level `should` or `may`,
  and the manifest says what it recommends; or the status alone does not decide. Such a clause forbids only some
  responses, such as 5xx or a stack trace, or asks that the next callback is accepted. Assert no status for these.
  The manifest names the clause of each body; `tcop-mock explain CODE` explains it.
- `schemas/emit/`, `schemas/accept/`: JSON Schemas (2020-12) of each shape: of exactly these callbacks, and of all
  callbacks that a receiver must accept.

Seed {seed}, profile {profile}. Assumptions of this profile, which no source states:

{assumptions}
"""


_LEVELS = {
    Form.DOCUMENTED: Level.MUST,
    Form.OBSERVED: Level.MUST,
    Form.EVENTBRIDGE: Level.SHOULD,
    Form.CLOUDEVENTS: Level.MAY,
}
"""Level of the clause that requires the acceptance of a form: TCM101, TCM317, TCM318, TCM319."""

_UNPUBLISHED_LEVEL = Level.MAY
"""Level for an unpublished callback: TCM320 only forbids a crash."""
CLAUSE = "TCM101"
CONSUMER, PROVIDER = "tencent-cloud-alarms", "webhook-receiver"
_ANY_SUCCESS = {"status": {"combine": "AND", "matchers": [{"match": "statusCode", "status": "success"}]}}
"""TCOP's pages after 2021 do not name the 2xx that counts, so each does."""


class ExportFile(NamedTuple):
    """One file of an export."""

    path: str
    """Path inside the folder, with slashes."""
    content: bytes
    metadata: dict[str, Any]
    """Keys in the manifest in addition to path and hash."""


class ExportBuilder:
    """Builds the files of an export.

    Args:
        catalog: catalogue for the mutations, which do not depend on ``shapes``.
        shapes: shapes of the callbacks and schemas.
        seed: random seed.
        profile: profile of the bodies.
        langs: languages of the accounts.
        forms: forms of the bodies; shapes without a form are skipped.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - each is one choice of the user
        self,
        catalog: Catalog,
        shapes: Sequence[Shape],
        seed: int,
        profile: Profile,
        langs: Sequence[Lang] = tuple(Lang),
        forms: Sequence[Form] = tuple(Form),
    ) -> None:
        self._catalog, self._shapes, self._seed, self._profile = catalog, shapes, seed, profile
        self._langs, self._forms = langs, forms

    def files(self) -> list[ExportFile]:
        """Return all files except the manifest, sorted by path."""
        files = [self._readme(), *self._callbacks(), *self._mutations(), *self._schemas()]
        return sorted(files, key=lambda file: file.path)

    def manifest(self, files: Sequence[ExportFile]) -> dict[str, Any]:
        """Return the manifest of the files."""
        return {
            "version": 1,
            "tool": creator_document(),
            "seed": self._seed,
            "profile": self._profile.name,
            "assumptions": list(self._profile.assumptions),
            "catalogue_sha256": catalogue_sha256(self._shapes),
            "files": [
                {"path": file.path, "sha256": hashlib.sha256(file.content).hexdigest(), **file.metadata}
                for file in files
            ],
        }

    def _readme(self) -> ExportFile:
        text = _README.format(
            version=__version__,
            seed=self._seed,
            profile=self._profile.name,
            assumptions="\n".join(f"- {line}" for line in self._profile.assumptions),
        )
        return ExportFile("README.md", text.encode(), {"kind": "readme"})

    def _callbacks(self) -> Iterator[ExportFile]:
        for shape in self._shapes:
            for form in (form for form in forms_of(shape) if form in self._forms):
                for lang in self._langs:
                    generator = Generator(self._seed, lang, form=form, wire_format=self._profile.wire_format)
                    for state in _states(shape):
                        body = BodyRenderer(
                            generator, shape, LifecyclePoint(state), options=AlarmOptions(required_state=state)
                        ).body(0)
                        path = f"callbacks/{form}/{lang}/{shape.id}/{state}.json"
                        yield ExportFile(
                            path,
                            body,
                            _callback_metadata(shape)
                            | {
                                "state": state,
                                "form": form,
                                "lang": lang,
                                "level": _UNPUBLISHED_LEVEL if shape.unpublished else _LEVELS[form],
                            },
                        )

    def _mutations(self) -> Iterator[ExportFile]:
        generator = Generator(self._seed, wire_format=self._profile.wire_format)
        bodies: dict[tuple[str, AlarmOptions], bytes] = {}
        for mutator in load_mutators().values():
            if self._profile.name not in (mutator.profiles or (self._profile.name,)):
                continue
            shape = self._catalog.get(mutator.shape or PLAIN_SHAPE)
            options = AlarmOptions(has_threshold=mutator.has_threshold, required_state=mutator.state)
            if (shape.id, options) not in bodies:
                renderer = BodyRenderer(generator, shape, LifecyclePoint(mutator.state), options=options)
                bodies[shape.id, options] = renderer.body(0)
            try:
                body = mutator.change(json.loads(bodies[shape.id, options]))
            except UnknownNameError:
                continue  # callbacks of this profile lack the changed field
            metadata = {
                "mutator": mutator.name,
                "clause": mutator.clause,
                "level": mutator.level,
                "wanted": mutator.expected_reaction,
                "recommended": mutator.recommended_reaction,
            }
            path = f"mutations/{mutator.expected_reaction}/{mutator.clause}-{mutator.name}.body"
            yield ExportFile(path, body, {"kind": "mutation", "shape": shape.id, **metadata})

    def _schemas(self) -> Iterator[ExportFile]:
        for shape in self._shapes:
            emit = emit_schema(shape, wire=self._profile.wire_format)
            for schema_kind, schema in (("emit", emit), ("accept", accept_schema(shape))):
                content = json_bytes(schema)
                metadata = {"kind": "schema", "shape": shape.id, "schema": schema_kind}
                yield ExportFile(f"schemas/{schema_kind}/{shape.id}.schema.json", content, metadata)


def json_bytes(tree: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Return the content of a JSON file: indented, UTF-8, with a line break at the end."""
    return json.dumps(tree, ensure_ascii=False, indent=1).encode() + b"\n"


def _callback_metadata(shape: Shape) -> dict[str, Any]:
    return {"kind": "callback", "shape": shape.id, "source": shape.source, "assumed": list(shape.assumed)}


def _states(shape: Shape) -> Iterator[State]:
    yield State.FIRING
    if shape.kind is AlarmKind.METRIC:
        yield State.REPEATED
    if shape.can_resolve:
        yield State.RESOLVED


class SyncResult(NamedTuple):
    """Result of writing an export to a folder."""

    written: int
    unchanged: int
    removed: int
    edited: tuple[str, ...]
    """Obsolete files of the last export that the user has edited."""


def require_export_folder(folder: Path) -> None:
    """Require a folder that is missing, empty or an earlier export.

    Raises:
        UsageError: the path is a file, cannot be read, or holds other files.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{str(folder)!r} is a file; name a folder")
        if folder.is_dir() and any(folder.iterdir()) and _read_manifest(folder) is None:
            raise UsageError(
                f"{str(folder)!r} is neither empty nor an earlier export (it has no {MANIFEST} of ours); name another"
            )
    except OSError as problem:
        raise UsageError(f"{str(folder)!r} cannot be read: {problem.strerror}") from None


def sync_export(folder: Path, files: Sequence[ExportFile], manifest: dict[str, Any]) -> SyncResult:
    """Write the files that differ, and remove the obsolete files of the last export. Other files stay.

    Raises:
        UsageError: as :func:`require_export_folder`, or a file cannot be written.
    """
    require_export_folder(folder)
    current_paths = {file.path for file in files}
    try:
        previous = _read_manifest(folder) or {}
        folder.mkdir(parents=True, exist_ok=True)
        removed, edited = _remove_stale(
            folder, {path: digest for path, digest in previous.items() if path not in current_paths}
        )
        written = sum(
            _write_if_changed(folder / path, content)
            for path, content in [(MANIFEST, json_bytes(manifest)), *((file.path, file.content) for file in files)]
        )
    except OSError as problem:
        raise UsageError(f"{problem.filename or str(folder)!r} cannot be written: {problem.strerror}") from None
    return SyncResult(written, len(files) + 1 - written, removed, edited)


def _write_if_changed(path: Path, content: bytes) -> bool:
    """Write a file if it is missing or differs; return whether it was written."""
    if path.is_file() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    write_report(path, content)
    return True


def _remove_stale(folder: Path, stale: dict[str, str]) -> tuple[int, tuple[str, ...]]:
    """Remove obsolete files and the folders that become empty; keep edited files."""
    removed_count, edited = 0, []
    for path, digest in stale.items():
        file = folder / path
        if not file.is_file():
            continue
        if hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            edited.append(path)
            continue
        file.unlink()
        removed_count += 1
        for parent in file.relative_to(folder).parents:
            if parent.name and not any((folder / parent).iterdir()):
                (folder / parent).rmdir()
    return removed_count, tuple(edited)


def _read_manifest(folder: Path) -> dict[str, str] | None:
    """Return the hashes by path of our manifest, or ``None``. Paths outside the folder are ignored."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        if manifest["tool"]["name"] != TOOL or manifest["version"] != 1:
            return None
        digests = {str(row["path"]): str(row["sha256"]) for row in manifest["files"]}
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None
    return {path: digest for path, digest in digests.items() if _is_inside(path)}


def _is_inside(path: str) -> bool:
    relative = PurePosixPath(path)
    return not relative.is_absolute() and ".." not in relative.parts


def pact_document(
    catalog: Catalog, shape_ids: Collection[str], profile: Profile, seed: int, path: str
) -> dict[str, Any]:
    """Return a pact between TCOP and a receiver.

    Args:
        catalog: the catalogue.
        shape_ids: the shapes to post.
        profile: the generation of the callback contract.
        seed: of the callbacks; ``check`` posts the same ones with the same seed.
        path: path of the receiver.
    """
    interactions = [_interaction(case, path) for case in _cases(catalog, profile, seed) if case.shape_id in shape_ids]
    return {
        "consumer": {"name": CONSUMER},
        "provider": {"name": PROVIDER},
        "interactions": interactions,
        "metadata": {
            "pactSpecification": {"version": "4.0"},
            "tcop-mock": {"version": __version__, "profile": profile.name, "seed": str(seed)},
        },
    }


def _cases(catalog: Catalog, profile: Profile, seed: int) -> Iterator[RequestCase]:
    """Yield the requests of the clause that posts every shape."""
    clause = find_clause(load_clauses(), CLAUSE)
    generator = Generator(seed, wire_format=profile.wire_format)
    factory = CaseFactory(catalog, generator, CLAUSE, headers=profile.delivery.headers)
    for group in builder_of(clause)(factory, **clause.builder.params).groups:
        yield from group.cases


def _interaction(case: RequestCase, path: str) -> dict[str, Any]:
    headers: dict[str, list[str]] = {}
    for name, value in case.request.headers:
        headers.setdefault(name, []).append(value)
    return {
        "type": "Synchronous/HTTP",
        "key": case.title.replace("/", "-").replace(" ", "-"),
        "description": f"a callback of {case.title}",
        "pending": False,
        "request": {
            "method": case.request.method,
            "path": path,
            "headers": headers,
            "body": {"content": json.loads(case.request.body), "contentType": "application/json", "encoded": False},
        },
        "response": {"status": 200, "matchingRules": _ANY_SUCCESS},
        "comments": {"text": [f"{CLAUSE}: tcop-mock explain {CLAUSE}"]},
    }
