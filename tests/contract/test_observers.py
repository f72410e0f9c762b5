"""A URL, a command, a callable and a log, as observers."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from receiver_factories import in_thread, server_factory
from virtual_time import run_in_virtual_time

from tcop_mock.contract import observers
from tcop_mock.contract.observers import (
    CallableObserver,
    CoalescingObserver,
    CombinedObserver,
    CommandObserver,
    EffectPaths,
    LogFile,
    LogObserver,
    UrlObserver,
    UserObserver,
)
from tcop_mock.domain.effects import Effect, EffectSnapshot
from tcop_mock.domain.target import Target
from tcop_mock.errors import ObserverError, UsageError
from tcop_mock.process.output import OutputBuffer
from tcop_mock.server.downstream import DownstreamRecorder
from tcop_mock.server.messages import ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tcop_mock.domain.effects import Observer
    from tcop_mock.process.output import NewLines

TOKEN = "t-1"
ROWS = EffectPaths.parse("$.rows[*]", None)


def look(observer: Observer, token: str = TOKEN) -> EffectSnapshot:
    """Look once."""
    return asyncio.run(observer.observe(token))


def by_url(answer: Callable[[ReceivedRequest], Reply], path: str = "/state?of={token}") -> EffectSnapshot:
    """Look at what a server answers."""
    with in_thread(server_factory(lambda: answer)) as url:
        return look(UrlObserver(Target.parse(url.replace("://", "://user:pässword@") + path), ROWS), "a b/ü")


def test_a_url_is_asked_for_the_object() -> None:
    """GET, with the credentials of the URL, and the token percent-encoded in its place."""
    seen: list[ReceivedRequest] = []

    def answer(received: ReceivedRequest) -> Reply:
        seen.append(received)
        return Reply(200, b'{"rows": ["x"]}')

    assert by_url(answer) == EffectSnapshot((Effect("x"),))
    [received] = seen
    assert (received.method, received.path) == ("GET", "/state?of=a%20b%2F%C3%BC")
    assert received.header("authorization").startswith("Basic ")


@pytest.mark.parametrize(
    "reply, message",
    [
        (Reply(503), r"the observer http://\*\*\*@127.0.0.1:\d+/\S+ cannot be read: 503"),
        (Reply(200, b"<html>"), "is not JSON: b'<html>'"),
    ],
)
def test_a_url_that_shows_nothing_is_reported(reply: Reply, message: str) -> None:
    """The error has the status or the answer, and never the password."""
    with pytest.raises(ObserverError, match=message) as problem:
        by_url(lambda _: reply)
    assert "ssword" not in str(problem.value)


def test_a_url_that_nobody_answers_is_reported(closed_port: int) -> None:
    """The error says how the attempt ended."""
    with pytest.raises(ObserverError, match="cannot be read: refused"):
        look(UrlObserver(Target.parse(f"127.0.0.1:{closed_port}"), ROWS))


def test_a_url_that_shows_too_much_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the limit, and how to select less."""
    monkeypatch.setattr(observers, "MAX_BYTES", 1000)
    with pytest.raises(ObserverError, match=r"is longer than 1000 bytes; let the URL choose with \{token\}"):
        by_url(lambda _: Reply(200, b" " * 2000))


def command(code: str, *arguments: str, paths: EffectPaths | None = None) -> CommandObserver:
    """Return an observer that runs Python."""
    return CommandObserver((sys.executable, "-c", code, *arguments), paths)


def test_a_command_prints_what_is_to_be_seen() -> None:
    """It gets the token as a word or in the environment; without paths it writes a document for us."""
    printing = "import json, os, sys; print(json.dumps({'effects': [sys.argv[1], os.environ['TCOP_MOCK_TOKEN']]}))"
    assert look(command(printing, "of-{token}")) == EffectSnapshot((Effect("of-t-1"), Effect("t-1")))
    assert look(command('print(\'{"rows": [1], "open": []}\')', paths=ROWS)) == EffectSnapshot((Effect("1"),))


@pytest.mark.parametrize(
    "code, message",
    [
        ("import sys; sys.exit('no database')", "ended with code 1: no database"),
        ("print('<html>')", "is not JSON: b'<html>'"),
        ("import time; time.sleep(30)", "took more than 0.2 s"),
    ],
)
def test_a_command_that_shows_nothing_is_reported(code: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the exit code and the output; a command that hangs is ended."""
    if "0.2" in message:
        monkeypatch.setattr(observers, "_DEADLINE_S", 0.2)
    with pytest.raises(ObserverError, match=message):
        look(command(code))


def test_a_command_that_is_not_there_is_reported() -> None:
    """The error has the system's reason."""
    with pytest.raises(ObserverError, match="the observer `/no/such/thing` cannot be run: No such file"):
        look(CommandObserver.parse("/no/such/thing", None))


@pytest.mark.parametrize("text, message", [("'", "No closing quotation"), (" ", "is empty")])
def test_what_is_no_command_is_reported(text: str, message: str) -> None:
    """Before anything is played."""
    with pytest.raises(UsageError, match=f"--observe-cmd .*{message}"):
        CommandObserver.parse(text, None)


async def _later(token: str) -> Any:
    await asyncio.sleep(0)
    return {"rows": [token]}


@pytest.mark.parametrize(
    "call, paths",
    [
        (lambda token: {"effects": [token]}, None),
        (lambda token: {"rows": [token]}, ROWS),
        (lambda token: EffectSnapshot((Effect(token),)), None),
        (_later, ROWS),
    ],
)
def test_a_callable_returns_what_is_to_be_seen(call: Callable[[str], Any], paths: EffectPaths | None) -> None:
    """A document for us, one with paths, a snapshot, or what can be awaited."""
    assert look(CallableObserver("m:f", call, paths)) == EffectSnapshot((Effect("t-1"),))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda _: 1 / 0, "the observer m:f raised ZeroDivisionError: division by zero"),
        (lambda _: {"effects": [{1, 2}]}, "what the observer m:f returns is not a JSON value"),
    ],
)
def test_a_callable_that_shows_nothing_is_reported(call: Callable[[str], Any], message: str) -> None:
    """The error has the exception."""
    with pytest.raises(ObserverError, match=message):
        look(CallableObserver("m:f", call))


class Counting:
    """An observer that counts how often it looks, and shows the number."""

    def __init__(self) -> None:
        self.looks = 0

    async def observe(self, token: str) -> EffectSnapshot:
        """Look, which takes a moment."""
        self.looks += 1
        number = self.looks
        await asyncio.sleep(0.02)
        return EffectSnapshot((Effect(json.dumps([number, token])),))


def test_many_share_a_look() -> None:
    """A poll that is asked for during another one gets the next result, not the one that began before."""
    counting = Counting()
    shared = CoalescingObserver(counting)

    async def many() -> list[EffectSnapshot]:
        first = asyncio.create_task(shared.observe("a"))
        await asyncio.sleep(0.01)
        rest = await asyncio.gather(*(shared.observe("b") for _ in range(5)))
        return [await first, *rest]

    sights = asyncio.run(many())
    assert counting.looks == 2
    assert [json.loads(sight.effects[0].text)[0] for sight in sights] == [1, 2, 2, 2, 2, 2]


def test_a_receiver_is_left_alone_between_looks() -> None:
    """An observer that polls all the time would delay the receiver: two thirds of the time it pauses."""

    class Slow:
        async def observe(self, token: str) -> EffectSnapshot:
            """Look, which takes half a second."""
            await asyncio.sleep(0.5)
            return EffectSnapshot((Effect(token),))

    async def three(clock: Callable[[], float]) -> list[float]:
        shared = CoalescingObserver(Slow(), clock=clock)
        ends = []
        for _ in range(3):
            await shared.observe("a")
            ends.append(clock())
        return ends

    assert run_in_virtual_time(three) == pytest.approx([0.5, 2.0, 3.5])


def test_what_shows_one_object_only_is_not_shared() -> None:
    """Each token is a look of its own."""
    counting = Counting()

    async def many() -> None:
        await asyncio.gather(*(CoalescingObserver(counting, per_token=True).observe(token) for token in "abc"))

    asyncio.run(many())
    assert counting.looks == 3


@pytest.mark.parametrize(
    "paths, open_incidents",
    [(None, ()), (EffectPaths.parse("$[*]", None), None), (EffectPaths.parse(None, "$[*]"), ())],
)
def test_a_command_that_prints_nothing_has_seen_nothing(paths: EffectPaths | None, open_incidents: object) -> None:
    """Empty output means no effects and no open incidents, as ``sqlite3 -json`` prints no rows."""
    snapshot = look(command("print()", paths=paths))
    assert (snapshot.effects, snapshot.open_incidents) == ((), open_incidents)


def test_an_observer_of_the_user_keeps_its_own_word() -> None:
    """Whether it shows all, and what it sees."""

    class Own:
        async def observe(self, token: str) -> EffectSnapshot:
            return EffectSnapshot((Effect(token),))

    observer = UserObserver(Own())
    assert not observer.shows_all
    assert asyncio.run(observer.observe("ins-1")).effects == (Effect("ins-1"),)


def test_two_observers_show_what_both_see() -> None:
    """Effects add up; open incidents are those of whoever shows some; all is shown if both show all."""
    rows = CallableObserver("m:f", lambda _token: EffectSnapshot((Effect("row"),)))
    messages = CallableObserver("m:g", lambda _token: EffectSnapshot((Effect("message"),), (Effect("open"),)))
    both = asyncio.run(CombinedObserver(rows, messages).observe("x"))
    assert [effect.text for effect in both.effects] == ["row", "message"]
    assert both.open_incidents == (Effect("open"),)
    assert asyncio.run(CombinedObserver(rows, rows).observe("x")).open_incidents is None
    assert not CombinedObserver(rows, DownstreamRecorder()).shows_all
    assert CombinedObserver(DownstreamRecorder(), DownstreamRecorder()).shows_all


def seen(observer: LogObserver) -> list[str]:
    """Return the lines that an observer shows now."""
    return [effect.text for effect in asyncio.run(observer.observe("ins-1")).effects]


def test_each_new_line_is_an_effect(tmp_path: Path) -> None:
    """Only new lines count; blank lines and old ones do not, and open incidents are unknown."""
    file = tmp_path / "app.log"
    file.write_text("an old line about ins-1\n")
    observer = LogObserver.parse(LogFile(file).lines_since, None)
    assert seen(observer) == []
    with file.open("a") as stream:
        stream.write("sent ins-1\n\nsent ins-")
    assert seen(observer) == ["sent ins-1", "sent ins-"]
    with file.open("a") as stream:
        stream.write("2\n")
    assert seen(observer) == ["sent ins-1", "sent ins-2"]
    assert asyncio.run(observer.observe("ins-1")).open_incidents is None


def test_a_log_that_is_cut_or_replaced_is_read_from_its_beginning(tmp_path: Path) -> None:
    """A log is read from its start after rotation, by truncation or by replacement."""
    file = tmp_path / "app.log"
    file.write_text("a long old line\n")
    observer = LogObserver.parse(LogFile(file).lines_since, None)
    file.write_text("one\n")
    assert seen(observer) == ["one"]
    file.rename(tmp_path / "app.log.1")
    (tmp_path / "new").write_text("two, and more than before\n")
    (tmp_path / "new").rename(file)
    assert seen(observer) == ["one", "two, and more than before"]


def test_only_lines_that_match_count() -> None:
    """A receiver that logs each request and each message is looked at for its messages."""
    output = OutputBuffer()
    output.append(b"received ins-1\nsent ins-1\nreceived ins-1\nfinally sent ins-1")
    observer = LogObserver.parse(output.lines_since, r"\bsent\b")
    assert seen(observer) == ["sent ins-1", "finally sent ins-1"]
    output.append(b", received\n")
    assert seen(observer) == ["sent ins-1", "finally sent ins-1, received"]
    with pytest.raises(UsageError, match=r"--observe-all '\(' is not a regular expression: "):
        LogObserver.parse(output.lines_since, "(")


def test_each_line_is_read_once() -> None:
    """A look at a log of a million lines costs as much as the lines that are new."""
    output = OutputBuffer()
    output.append(b"one\ntwo\n")
    read: list[str] = []

    def lines_since(number: int) -> NewLines:
        new = output.lines_since(number)
        read.extend(new.complete)
        return new

    observer = LogObserver.parse(lines_since, None)
    assert seen(observer) == seen(observer) == ["one", "two"]
    output.append(b"three\n")
    assert seen(observer) == ["one", "two", "three"]
    assert read == ["one", "two", "three"]


def test_lines_that_are_no_longer_kept_do_not_count() -> None:
    """The memory of a look is as bounded as that of the log, also when all its lines went between two looks."""
    output = OutputBuffer(max_chars=10)
    observer = LogObserver.parse(output.lines_since, None)
    output.append(b"one\ntwo\n")
    assert seen(observer) == ["one", "two"]
    output.append(b"three\n")
    assert seen(observer) == output.lines() == ["two", "three"]
    output.append(b"four\nfive\nsix\n")
    assert seen(observer) == output.lines() == ["five", "six"]


def test_a_log_that_is_not_there_is_reported(tmp_path: Path) -> None:
    """It may come later."""
    file = tmp_path / "app.log"
    observer = LogObserver.parse(LogFile(file).lines_since, None)
    with pytest.raises(ObserverError, match=r"--observe-log .*app\.log' cannot be read: No such file or directory"):
        seen(observer)
    file.write_text("one\n")
    assert seen(observer) == ["one"]
