"""Ways to see a request again: curl with the body in a here-document, and our own command line.

Neither ever holds credentials: they are taken from the environment when the command is run.
"""

from __future__ import annotations

import shlex
import unicodedata
from typing import TYPE_CHECKING

from tcop_mock.model.case import Offer
from tcop_mock.model.verdict import Reproduction

if TYPE_CHECKING:
    from tcop_mock.model.case import Case
    from tcop_mock.model.clause import Clause
    from tcop_mock.model.target import Target

_END = "TCOP_BODY"
_OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Characters that a terminal acts on, by their Unicode category: nobody should paste them."""
_USERPASS = {
    Offer.RIGHT: '"$TCOP_USER:$TCOP_PASSWORD"',
    Offer.WRONG_USER: '"tcop-mock-stranger:$TCOP_PASSWORD"',
    Offer.WRONG_PASSWORD: '"$TCOP_USER:tcop-mock-wrong"',
    Offer.EMPTY_PASSWORD: '"$TCOP_USER:"',
}


def reproduction(case: Case, clause: Clause, target: Target, seed: int, profile: str) -> Reproduction:
    """Return both ways of one case.

    The curl line posts the case's own body in one write; segments and crowds need ours. Where the target has
    credentials, ``TCOP_USER`` and ``TCOP_PASSWORD`` (curl) or ``TCOP_MOCK_TARGET`` (ours) must hold them.
    """
    where = '"$TCOP_MOCK_TARGET"' if target.credentials else shlex.quote(target.url)
    cli = f"tcop-mock check {where} --clauses {clause.code} --seed {seed} --profile {profile}"
    return Reproduction(curl=curl(case, target), cli=cli)


def curl(case: Case, target: Target) -> str:
    """Return a curl command that sends the case's request and shows head and body of the answer."""
    push = case.push
    options = ["curl", "-sS", "-i", "-X", push.method, shlex.quote(target.url)]
    if target.credentials and case.offer in _USERPASS:
        options += ["-u", _USERPASS[case.offer]]
    for name, value in push.headers:
        options += ["-H", shlex.quote(f"{name}: {value}")]
    if not push.headers and not push.body:
        return " ".join(options)
    return _with_body(" ".join(options), push.body)


def _with_body(command: str, body: bytes) -> str:
    if not body:
        return f"{command} --data-binary ''"
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = ""
    if text and _END not in text and not any(unicodedata.category(char) in _OBEYED for char in text.replace("\n", "")):
        return f"{command} --data-binary @- <<'{_END}'\n{text}\n{_END}"
    octal = "".join(f"\\{byte:03o}" for byte in body)
    return f"printf '{octal}' | {command} --data-binary @-"
