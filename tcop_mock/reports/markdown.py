"""A verdict as Markdown (GitHub's dialect): for pull requests, chats, and the summary of a CI job.

Whatever may come from a receiver stands in code spans and fenced blocks that it cannot end, where nothing is markup, a
link or a mention; all other texts are ours or a clause file's, and have their punctuation escaped.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tcop_mock.domain.contract import Level
from tcop_mock.domain.verdict import Result
from tcop_mock.reports import summary
from tcop_mock.reports.findings import MOST_FINDINGS, headline, shown_command, shown_evidence, stale, standing
from tcop_mock.reports.summary import Ruling, counts, rule
from tcop_mock.reports.text import LABELS, counted, escaped, named, one_line, sentence, tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tcop_mock.domain.verdict import ClauseResult, Finding, Verdict


_PUNCTUATION = re.compile(r"[\\`*_{}\[\]<>|~&$]|^[-+#]|(?<=^\d)[.)]")

"""What is markup wherever a text of ours may stand, all of which a backslash makes plain (CommonMark 0.31, 2.4)."""

_LINKED = re.compile(r"(?<=www)\.|(?<=[a-zA-Z]):(?=//)|@")

"""By which GitHub's dialect knows links and mentions, escaped or not."""

_TICKS = re.compile("`+")

_MARKS = {Ruling.KEPT: "✅", Ruling.BROKEN: "❌", Ruling.UNJUDGED: "⚠️"}

_MOST_SPAN_CHARS = 2_000


def markdown_document(verdict: Verdict, *, fail_on: Level = Level.MUST, brief: bool = False) -> str:
    """Return a verdict as Markdown.

    Args:
        verdict: what the run found.
        fail_on: clauses down to this level decide on the run.
        brief: without evidence and commands.
    """
    parts = [
        f"# {_MARKS[rule(verdict, fail_on)]} {_text(sentence(verdict, fail_on))}",
        _text(f"{tally(verdict)}."),
        "\n".join(f"- {_text(name)}: {_span(value)}" for name, value in summary.rows(verdict)),
    ]
    for result in verdict.results:
        if result.result is Result.FAIL:
            parts += _broken(result, brief=brief)
    parts += _section("Known", _known(verdict))
    parts += _section("Known, and not found any more", map(_span, stale(verdict)))
    parts += _section("Could not be judged", _unjudged(verdict))
    parts += _section(
        "Not run", (f"{_span(reason)}: {', '.join(codes)}" for reason, codes in summary.left_out(verdict.results))
    )
    parts += _section(f"Assumed by profile {verdict.profile}", map(_text, verdict.assumptions))
    return "\n\n".join(parts) + "\n"


def _section(title: str, items: Iterable[str]) -> list[str]:
    listed = "\n".join(f"- {item}" for item in items)
    return [f"## {_text(title)}", listed] if listed else []


def _known(verdict: Verdict) -> Iterator[str]:
    for result in verdict.results:
        for finding in result.findings if result.result is Result.KNOWN else ():
            yield f"{_text(named(result.clause))}: {_span(finding.title)} ({_text(standing(finding))})"


def _unjudged(verdict: Verdict) -> Iterator[str]:
    for result in verdict.results:
        if result.result is Result.ERROR:
            yield f"{_text(named(result.clause))} ({result.clause.level}): {_span(result.reason)}"


def _broken(result: ClauseResult, *, brief: bool) -> Iterator[str]:
    clause = result.clause
    yield f"## {LABELS[result.result]} {_text(named(clause))} ({clause.level})"
    yield _text(clause.requirement)
    yield "\n".join(
        f"- {label}: {_text(text)}"
        for label, text in (("Why", clause.why), ("Fix", clause.fix), ("Source", clause.source))
    )
    for finding in result.findings[:MOST_FINDINGS]:
        yield from _finding(finding, brief=brief)
    if len(result.findings) > MOST_FINDINGS:
        yield f"… and {counted(len(result.findings) - MOST_FINDINGS, 'more finding')}"


def _finding(finding: Finding, *, brief: bool) -> Iterator[str]:
    yield f"### {_span(finding.title)}"
    if finding.known:
        yield _span(standing(finding))
    yield _span(finding.detail)
    if brief:
        return
    yield _folded("Request and answer", shown_evidence(finding))
    again = [line for command in finding.reproduce.commands for line in shown_command(command)]
    yield _folded("See it again", again, "sh")


def _folded(title: str, shown: list[str], kind: str = "text") -> str:
    content = "\n".join(shown)
    fence = "`" * max(3, 1 + _longest(content))
    return f"<details><summary>{title}</summary>\n\n{fence}{kind}\n{content}\n{fence}\n\n</details>"


def _span(text: str) -> str:
    """Return any text as a code span."""
    shown = one_line(" ".join(text.split("\n")), _MOST_SPAN_CHARS) or "nothing"
    ticks = "`" * (1 + _longest(shown))
    return f"{ticks} {shown} {ticks}" if _TICKS.search(shown) else f"{ticks}{shown}{ticks}"


def _text(text: str) -> str:
    """Return a text of ours as it reads."""
    plain = _PUNCTUATION.sub(lambda found: f"\\{found[0]}", escaped(" ".join(text.split())))
    return _LINKED.sub(lambda found: f"<span>{found[0]}</span>", plain)


def _longest(text: str) -> int:
    return max((len(ticks) for ticks in _TICKS.findall(text)), default=0)


_MOST_CHARS = 1_000

_TITLE = "tcop-mock"


def workflow_commands(verdict: Verdict, *, fail_on: Level = Level.MUST) -> Iterator[str]:
    """Yield a command for each clause that is broken, known to be, or could not be judged; those that count first."""
    if rule(verdict, fail_on) is Ruling.UNJUDGED:
        yield _command("error", _TITLE, sentence(verdict, fail_on))
    for result in sorted(verdict.results, key=lambda one: not counts(one.clause.level, fail_on)):
        kind = "error" if counts(result.clause.level, fail_on) else "warning"
        if result.result is Result.FAIL:
            yield _of(kind, result, headline(result))
        elif result.result is Result.ERROR:
            yield _of(kind, result, f"could not be judged: {result.reason}")
        elif result.result is Result.KNOWN:
            yield _of("notice", result, f"{standing(result.findings[0])}: {headline(result)}")


def _of(kind: str, result: ClauseResult, message: str) -> str:
    return _command(kind, f"{named(result.clause)} ({result.clause.level})", message)


def _command(kind: str, title: str, message: str) -> str:
    shown = _value(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{kind} title={shown}::{_value(message)}"


def _value(text: str) -> str:
    return one_line(text, _MOST_CHARS).replace("%", "%25").replace("##[", "## [")
