"""Ways to see a request again: curl with the body in a here-document, and our own command line.

Neither ever holds credentials: they are taken from the environment when the command is run.
"""

from __future__ import annotations

import base64
import gzip
import re
import shlex
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.contract.credentials import userpass
from tcop_mock.domain.contract import EFFECT_NEEDS, Pace

if TYPE_CHECKING:
    from tcop_mock.domain.contract import Case, Clause, Play
    from tcop_mock.domain.target import Target

SERVED = "http://127.0.0.1:8000"
"""Where an app of this process would be served."""
_PARSING = (
    "python3 -c 'import json, sys; from tcop_mock.transport.parser import {parser}_call as of; "
    "of(sys.argv[1])(json.load(sys.stdin))' {name}"
)
"""How a parser is given a body without us."""
_HIDDEN = frozenset({"--observe-cmd", "--restart-cmd"})
"""Commands may hold a secret anywhere."""
_OPEN_URL = re.compile(r"https?://[^/?#@]*(?:/[^?#]*)?(?:\?[\w.-]+=\{token\}(?:&[\w.-]+=\{token\})*)?")
"""A URL without credentials, in whose query nothing stands but what is looked for."""
_END = "TCOP_BODY"
_MOST_READABLE_BYTES = 8192
"""A longer body is packed: nobody reads it, and it would fill the screen."""
_OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Characters that a terminal acts on, by their Unicode category: nobody should paste them."""


class Flag(NamedTuple):
    """A flag that a run was given, and has to be given to see the same again."""

    name: str
    value: str = ""
    sees: bool = False
    """Whether it says how effects are seen: only clauses about these need it."""


INSECURE = Flag("--insecure")


class Source(NamedTuple):
    """Where a finding comes from: what has to be named to see it again."""

    clause: Clause
    target: Target
    seed: int
    profile: str
    catalog_folders: tuple[str, ...] = ()
    play: Play | None = None
    """All that the clause sends, where it is known."""
    clause_files: tuple[str, ...] = ()
    template: str = ""
    """The file of the user's own notices, where they are posted."""
    flags: tuple[Flag, ...] = ()


def our_own(source: Source) -> str:
    """Return a command of ours that plays the clause again, segments and crowds included.

    Where the target has credentials, ``TCOP_MOCK_TARGET`` must hold it when the command is run. Likewise what may hold
    a secret and shows effects or restarts the receiver: ``OBSERVE_URL``, ``OBSERVE_CMD``, ``RESTART_CMD``.
    A clause about effects is played with a fresh seed: the receiver knows the alarms of this one by now.
    """
    template = f" --template {shlex.quote(source.template)}" if source.template else ""
    sees = not source.clause.needs.isdisjoint(EFFECT_NEEDS)
    flags = "".join(_written(flag) for flag in source.flags if sees or not flag.sees)
    asked = f"{_where(source)} --clauses {source.clause.code}"
    return f"tcop-mock check {asked}{_drawn_by(source, fresh=sees)}{template}{flags}"


def replayed(case: Case, source: Source) -> str:
    """Return a command of ours that sends this one case again; nothing where a case alone does not show what it did.

    It does not where a clause looks at what comes before, beside or after the case.
    """
    if source.template or source.target.parser or source.play is None or not _stands_alone(case, source.play):
        return ""
    cases = [one.title for scene in source.play.scenes for one in scene.cases]
    number = cases.index(case.title) + 1
    insecure = "".join(_written(flag) for flag in source.flags if flag == INSECURE)
    return (
        f"tcop-mock replay {source.clause.code}/{number} --to {_where(source)} --attempts 1"
        f"{_drawn_by(source)}{insecure}"
    )


def _written(flag: Flag) -> str:
    if not flag.value:
        return f" {flag.name}"
    if flag.name in _HIDDEN or (flag.name == "--observe-url" and not _OPEN_URL.fullmatch(flag.value)):
        return f' {flag.name} "${flag.name.lstrip("-").replace("-", "_").upper()}"'
    return f" {flag.name} {shlex.quote(flag.value)}"


def _stands_alone(case: Case, play: Play) -> bool:
    scene = next((scene for scene in play.scenes if any(one.title == case.title for one in scene.cases)), None)
    if scene is None or play.pace is not Pace.ANY or scene.meanwhile or case.push.reuses:
        return False
    return all(one.judged for one in scene.cases)


def _where(source: Source) -> str:
    if source.target.parser:
        return f"--{source.target.parser} {shlex.quote(source.target.app)}"
    return '"$TCOP_MOCK_TARGET"' if source.target.credentials else shlex.quote(source.target.url)


def _drawn_by(source: Source, *, fresh: bool = False) -> str:
    folders = "".join(f" --catalog {shlex.quote(folder)}" for folder in source.catalog_folders)
    if not source.clause.code.startswith("TCM"):
        folders += "".join(f" --clause-files {shlex.quote(files)}" for files in source.clause_files)
    seed = "" if fresh else f" --seed {source.seed}"
    return f"{seed} --profile {source.profile}{folders}"


def curl(case: Case, target: Target, *, insecure: bool = False) -> str:
    """Return a curl command that sends the case's request in one write and shows head and body of the answer.

    To a parser of this process it is handed by Python, which shows what that raises.
    Where the target has credentials, ``TCOP_USER`` and ``TCOP_PASSWORD`` must hold them when it is run.
    """
    push = case.push
    if target.parser:
        return _fed(_PARSING.format(parser=target.parser, name=shlex.quote(target.app)), push.body)
    path = target.path_with(push.query)
    address = f"{SERVED if target.app else target.url.removesuffix(target.path)}{path}"
    options = ["curl", "-sS", "-i", *(["-k"] if insecure else []), "-X", push.method, shlex.quote(address)]
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
