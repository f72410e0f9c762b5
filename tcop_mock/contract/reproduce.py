"""Commands that reproduce a request: curl with the body as it was sent, and commands of tcop-mock.

They never contain credentials: these come from the environment when a command runs.
"""

from __future__ import annotations

import base64
import gzip
import re
import shlex
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from tcop_mock.contract.credentials import curl_userinfo
from tcop_mock.domain.contract import EFFECT_PREREQUISITES, CredentialVariant, SendOrder
from tcop_mock.domain.delivery import Outcome
from tcop_mock.domain.target import MASK, is_secret_header, mask_query_secrets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tcop_mock.domain.contract import CaseGroup, Clause, ClauseTest, RequestCase
    from tcop_mock.domain.delivery import Attempt, OutgoingRequest
    from tcop_mock.domain.target import Target

APP_URL = "http://127.0.0.1:8000"
"""Address at which an app of this process would be served."""
_PARSER_COMMAND = (
    "python3 -c 'import json, sys; from tcop_mock.transport.parser import {parser}_parser as of; "
    "of(sys.argv[1])(json.load(sys.stdin))' {name}"
)
"""Python code that calls a parser with a body without tcop-mock."""
_SECRET_FLAGS = frozenset({"--observe-cmd", "--observe-header", "--restart-cmd"})
"""Commands may hold a secret anywhere, and a header may be one."""
_PUBLIC_COMMAND = re.compile(r"(?!.*(?i:pass|secret|token|key|auth))[\w./{}: -]+")
"""A command line without variables, quotes and words about secrets."""
_PUBLIC_DATABASE = re.compile(r"[\w+]+://[^@?]*")
"""A URL of a database without credentials and settings."""
_PUBLIC_URL = re.compile(r"https?://[^/?#@]*(?:/[^?#]*)?(?:\?[\w.-]+=\{token\}(?:&[\w.-]+=\{token\})*)?")
"""A URL without credentials, with nothing in its query but the object id."""
_HERE_DOCUMENT_END = "TCOP_BODY"
_MAX_CURL_COMMANDS = 4
_MAX_READABLE_BYTES = 8192
"""A longer body is compressed, because it would fill the screen."""
_MAX_SHOWN_BYTES = 70_000
"""Maximum size of a response without an end: more than a receiver may send."""
_SLOW_SHARE = 0.1
"""An answer that takes this share of the deadline is slow: its time is shown."""
_CONTROL_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of characters that control a terminal and should not be pasted."""


class Flag(NamedTuple):
    """A flag of a run that its reproduction needs, too."""

    name: str
    value: str = ""
    observes_effects: bool = False
    """Whether it configures the observation of effects: only clauses about effects need it."""


INSECURE = Flag("--insecure")
HEADER = "--header"
_CONNECTION_FLAGS = frozenset({INSECURE.name, HEADER, "--cacert", "--cert", "--key", "--resolve"})
"""Flags of connections; curl has the same."""
RUN = "--run"


class ReproductionContext(NamedTuple):
    """Origin of a finding: the arguments of the commands that reproduce it."""

    clause: Clause
    target: Target
    seed: int
    profile: str
    catalog_folders: tuple[str, ...] = ()
    test: ClauseTest | None = None
    """Test of the clause, if it is known."""
    clause_files: tuple[str, ...] = ()
    template_file: str = ""
    """The file of the user's own notices, where they are posted."""
    flags: tuple[Flag, ...] = ()
    met_by: tuple[str, ...] = ()
    """Codes of the other clauses whose requests met the finding."""
    deadline_s: float = 0.0
    """Deadline of one attempt in seconds; 0: unknown."""


def check_command(context: ReproductionContext) -> str:
    """Return a ``tcop-mock check`` command that runs the clause again, with segments and bursts.

    If the target has credentials, also in its query, ``TCOP_MOCK_TARGET`` must hold it when the command runs. The same
    holds for options that may contain a secret: ``OBSERVE_URL``, ``OBSERVE_HEADER``, ``OBSERVE_CMD``, ``RESTART_CMD``,
    and ``HEADER``, a header whose name means a credential. A clause about effects runs with a new seed, because the
    receiver has the alarms of this seed already.
    """
    template = f" --template {shlex.quote(context.template_file)}" if context.template_file else ""
    is_about_effects = not context.clause.prerequisites.isdisjoint(EFFECT_PREREQUISITES)
    flags = "".join(_format_flag(flag) for flag in context.flags if is_about_effects or not flag.observes_effects)
    codes = ",".join(dict.fromkeys((context.clause.code, *context.met_by)))
    target_arguments = f"{_target_argument(context)} --clauses {codes}"
    return (
        f"tcop-mock check {target_arguments}{_generation_flags(context, fresh_seed=is_about_effects)}{template}{flags}"
    )


def replay_command(case: RequestCase, context: ReproductionContext) -> str:
    """Return a ``tcop-mock replay`` command that sends one case again; empty if the case alone proves nothing.

    That is so for clauses about events outside of the case.
    """
    if context.template_file or context.target.parser or context.test is None or not context.clause.is_built_in:
        return ""
    if _is_run(context) or not replayed_cases(case, context.test):
        return ""
    cases = [other.title for group in context.test.groups for other in group.cases]
    number = cases.index(case.title) + 1
    connection = "".join(_format_flag(flag) for flag in context.flags if flag.name in _CONNECTION_FLAGS)
    return (
        f"tcop-mock replay {context.clause.code}/{number} --to {_target_argument(context)} --attempts 1"
        f"{_generation_flags(context)}{connection}"
    )


def _format_flag(flag: Flag) -> str:
    if not flag.value:
        return f" {flag.name}"
    if flag.name == RUN and not _PUBLIC_COMMAND.fullmatch(flag.value):
        return f' {RUN} "$RUN"'
    if flag.name == "--observe-sql" and not _PUBLIC_DATABASE.fullmatch(flag.value):
        return f' {flag.name} "$OBSERVE_SQL"'
    if flag.name == HEADER and is_secret_header(flag.value.partition(":")[0]):
        return f' {HEADER} "$HEADER"'
    if flag.name in _SECRET_FLAGS or (flag.name == "--observe-url" and not _PUBLIC_URL.fullmatch(flag.value)):
        return f' {flag.name} "${flag.name.lstrip("-").replace("-", "_").upper()}"'
    return f" {flag.name} {shlex.quote(flag.value)}"


def replayed_cases(case: RequestCase, test: ClauseTest) -> tuple[RequestCase, ...]:
    """Return the requests that show a case when they are sent one by one; empty if that does not show it.

    Requests that only prepare the case stand before it.
    """
    group = _group_of(case, test)
    if group is None or test.send_order is SendOrder.BURST or group.background or test.is_about_process:
        return ()
    titles = [other.title for other in group.cases]
    preparation = tuple(other for other in group.cases[: titles.index(case.title)] if not other.is_asserted)
    if not preparation and (test.send_order is SendOrder.SEQUENTIAL or case.request.reuse_connection):
        return ()
    return (*preparation, case)


def shown_cases(case: RequestCase, context: ReproductionContext) -> tuple[RequestCase, ...]:
    """Return the requests that reproduce a case of a finding; empty if they do not reproduce it.

    A case of another clause, or from before all clauses, fails alone, unless the finding is about requests beside or
    before it.
    """
    test = context.test
    if test is None:
        return (case,)
    is_after_others = any(one.name == "is_alive" for one in context.clause.assertions)
    if _group_of(case, test) or test.send_order is SendOrder.BURST or is_after_others:
        return replayed_cases(case, test)
    return () if case.request.reuse_connection else (case,)


def _group_of(case: RequestCase, test: ClauseTest) -> CaseGroup | None:
    return next((group for group in test.groups if any(other.title == case.title for other in group.cases)), None)


def _target_argument(context: ReproductionContext) -> str:
    if context.target.parser:
        return f"--{context.target.parser} {shlex.quote(context.target.app)}"
    if context.target.credentials or _has_query_secret(context.target):
        return '"$TCOP_MOCK_TARGET"'
    return shlex.quote(context.target.path if _is_run(context) else context.target.url)


def _has_query_secret(target: Target) -> bool:
    return mask_query_secrets(target.path) != target.path


def _is_run(context: ReproductionContext) -> bool:
    """Return whether the run started the receiver, whose port is gone with it."""
    return any(flag.name == RUN for flag in context.flags)


def _generation_flags(context: ReproductionContext, *, fresh_seed: bool = False) -> str:
    options = "".join(f" --catalog {shlex.quote(folder)}" for folder in context.catalog_folders)
    if not context.clause.is_built_in:
        options += "".join(f" --clause-files {shlex.quote(files)}" for files in context.clause_files)
    seed = "" if fresh_seed else f" --seed {context.seed}"
    return f"{seed} --profile {context.profile}{options}"


def curl_commands(cases: Sequence[RequestCase], context: ReproductionContext, attempt: Attempt | None = None) -> str:
    """Return one curl command for each case; empty if curl cannot send all of them, or they are too many.

    A comment comes first if the URL lacks a secret, or if nothing listens: for an app of this process, and after the
    receiver of ``--run`` has ended.

    Args:
        cases: the requests.
        context: origin of the finding.
        attempt: attempt of the last case. If its answer was late, curl stops at the deadline, and prints the time.
    """
    target = context.target
    flags = "".join(_format_flag(flag) for flag in context.flags if flag.name in _CONNECTION_FLAGS and flag != INSECURE)
    if attempt:
        flags += _wait_options(attempt, context.deadline_s)
    commands = [curl_command(case, target, insecure=INSECURE in context.flags, flags=flags) for case in cases]
    if not commands or not all(commands) or len(commands) > _MAX_CURL_COMMANDS:
        return ""
    if attempt and attempt.body_truncated:
        commands = [f"{command} | head -c {_MAX_SHOWN_BYTES}" for command in commands]
    if _has_query_secret(target):
        commands.insert(0, f"# write the secret of the URL in place of {MASK}")
    if target.app and not target.parser:
        commands.insert(0, f"# curl needs a server: {APP_URL} is where you may serve the app")
    elif _is_run(context):
        commands.insert(0, f"# curl needs a server: start the receiver at port {target.port}")
    return "\n".join(commands)


def _wait_options(attempt: Attempt, deadline_s: float) -> str:
    """Return the options with which curl ends as a late attempt did, and shows how long it took."""
    if not deadline_s or attempt.duration_s < _SLOW_SHARE * deadline_s:
        return ""
    limit = f" -m {deadline_s:g}" if attempt.outcome is Outcome.TIMED_OUT else ""
    return limit + r" -w '\n%{time_total} s\n'"


def curl_command(case: RequestCase, target: Target, *, insecure: bool = False, flags: str = "") -> str:
    """Return a curl command that sends the case's request in one write and shows head and body of the answer.

    It is empty where curl cannot send the request as it was: cut, in segments, or on a connection that is in use.
    To a parser of this process it is handed by Python, which shows what that raises.
    Where the target has credentials, ``TCOP_USER`` and ``TCOP_PASSWORD`` must hold them when it is run.
    """
    request = case.request
    if target.parser:
        return _with_stdin(_PARSER_COMMAND.format(parser=target.parser, name=shlex.quote(target.app)), request.body)
    if not _can_be_sent_by_curl(request):
        return ""
    path = replace(target, path=mask_query_secrets(target.path)).path_with(request.query)
    url = f"{APP_URL if target.app else target.url.removesuffix(target.path)}{path}"
    method = ["--head"] if request.method == "HEAD" else ["-X", request.method]  # -X HEAD waits for a body
    options = [f"curl -sS -i{' -k' if insecure else ''}{flags}", *method, shlex.quote(url)]
    userinfo = curl_userinfo(case.credential_variant, target.credentials) if target.credentials else None
    is_lower_case = request.lower_case_names
    if userinfo and (is_lower_case or case.credential_variant is CredentialVariant.BEARER):
        name = "authorization" if is_lower_case else "Authorization"
        options += ["-H", f'"{name}: {request.auth_scheme} $(printf %s {userinfo} | base64 -w0)"']
    elif userinfo:
        options += ["-u", userinfo]
    for name, value in (*request.headers, *([request.framing_header] if request.chunked or is_lower_case else [])):
        header = f"{name.lower() if is_lower_case else name}: {value}" if value else f"{name};"
        options += ["-H", shlex.quote(header)]
    if not request.headers and not request.body:
        return " ".join(options)
    return _with_body(" ".join(options), request.body)


def _can_be_sent_by_curl(request: OutgoingRequest) -> bool:
    return (
        request.truncate_at is None
        and request.hang_up_after_s is None
        and not (request.segment_sizes or request.keep_alive or request.reuse_connection)
    )


def _with_body(command: str, body: bytes) -> str:
    """Return a command that sends the body as it is: a here-document would end it with a line break."""
    text = _readable(body)
    if text or not body:
        return f"{command} --data-raw {shlex.quote(text)}"
    return _with_stdin(f"{command} --data-binary @-", body)


def _readable(body: bytes) -> str:
    """Return a body as a text that can be pasted; empty if it is not such a text."""
    try:
        text = body.decode() if len(body) <= _MAX_READABLE_BYTES else ""
    except UnicodeDecodeError:
        return ""
    is_pasted = not any(unicodedata.category(char) in _CONTROL_CATEGORIES for char in text.replace("\n", ""))
    return text if is_pasted else ""


def _with_stdin(command: str, body: bytes) -> str:
    """Return a command that reads the body from its standard input."""
    text = _readable(body)
    if text and _HERE_DOCUMENT_END not in text:
        return f"{command} <<'{_HERE_DOCUMENT_END}'\n{text}\n{_HERE_DOCUMENT_END}"
    if len(body) > _MAX_READABLE_BYTES:
        compressed = base64.b64encode(gzip.compress(body, mtime=0)).decode()
        return f"printf '{compressed}' | base64 -d | gunzip -c | {command}"
    octal = "".join(f"\\{byte:03o}" for byte in body)
    return f"printf '{octal}' | {command}"
