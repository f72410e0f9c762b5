"""Ways to see a request again: curl with the body in a here-document, and our own command line.

Neither ever holds credentials: they are taken from the environment when the command is run.
"""

from __future__ import annotations

import base64
import gzip
import shlex
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.contract.offers import userpass

if TYPE_CHECKING:
    from tcop_mock.model.case import Case
    from tcop_mock.model.clause import Clause
    from tcop_mock.model.target import Target

_SERVED = "http://127.0.0.1:8000"
"""Where an app of this process would be served."""
_PARSING = (
    "python3 -c 'import json, sys; from tcop_mock.send.parser import {parser}_call as of; "
    "of(sys.argv[1])(json.load(sys.stdin))' {name}"
)
"""How a parser is given a body without us."""
_END = "TCOP_BODY"
_MOST_READABLE_BYTES = 8192
"""A longer body is packed: nobody reads it, and it would fill the screen."""
_OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Characters that a terminal acts on, by their Unicode category: nobody should paste them."""


class Source(NamedTuple):
    """Where a finding comes from: what has to be named to see it again."""

    clause: Clause
    target: Target
    seed: int
    profile: str
    catalog_folders: tuple[str, ...] = ()
    clause_files: tuple[str, ...] = ()


def our_own(source: Source) -> str:
    """Return a command of ours that plays the clause again, segments and crowds included.

    Where the target has credentials, ``TCOP_MOCK_TARGET`` must hold it when the command is run.
    """
    where = '"$TCOP_MOCK_TARGET"' if source.target.credentials else shlex.quote(source.target.url)
    folders = "".join(f" --catalog {shlex.quote(folder)}" for folder in source.catalog_folders)
    if source.target.parser:
        where = f"--{source.target.parser} {where}"
    if not source.clause.code.startswith("TCM"):
        folders += "".join(f" --clause-files {shlex.quote(files)}" for files in source.clause_files)
    clause, seed, profile = source.clause.code, source.seed, source.profile
    return f"tcop-mock check {where} --clauses {clause} --seed {seed} --profile {profile}{folders}"


def curl(case: Case, target: Target) -> str:
    """Return a curl command that sends the case's request in one write and shows head and body of the answer.

    To a parser of this process it is handed by Python, which shows what that raises.
    Where the target has credentials, ``TCOP_USER`` and ``TCOP_PASSWORD`` must hold them when it is run.
    """
    push = case.push
    if target.parser:
        return _fed(_PARSING.format(parser=target.parser, name=shlex.quote(target.app)), push.body)
    path = target.path_with(push.query)
    address = f"{_SERVED if target.app else target.url.removesuffix(target.path)}{path}"
    options = ["curl", "-sS", "-i", "-X", push.method, shlex.quote(address)]
    pair = userpass(case.offer, target.credentials) if target.credentials else None
    if pair:
        options += ["-u", pair]
    for name, value in (*push.headers, *([push.framing] if push.chunked else [])):
        options += ["-H", shlex.quote(f"{name}: {value}")]
    if not push.headers and not push.body:
        return " ".join(options)
    return _with_body(" ".join(options), push.body)


def _with_body(command: str, body: bytes) -> str:
    if not body:
        return f"{command} --data-binary ''"
    return _fed(f"{command} --data-binary @-", body)


def _fed(command: str, body: bytes) -> str:
    """Return a command that reads the body from its standard input."""
    try:
        text = body.decode() if len(body) <= _MOST_READABLE_BYTES else ""
    except UnicodeDecodeError:
        text = ""
    if text and _END not in text and not any(unicodedata.category(char) in _OBEYED for char in text.replace("\n", "")):
        return f"{command} <<'{_END}'\n{text}\n{_END}"
    if len(body) > _MOST_READABLE_BYTES:
        packed = base64.b64encode(gzip.compress(body, mtime=0)).decode()
        return f"printf '{packed}' | base64 -d | gunzip -c | {command}"
    octal = "".join(f"\\{byte:03o}" for byte in body)
    return f"printf '{octal}' | {command}"
