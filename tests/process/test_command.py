"""The command of ``--run``: split without a shell."""

from __future__ import annotations

import pytest

from tcop_mock.errors import UsageError
from tcop_mock.process.command import ReceiverCommand


def test_words_variables_and_the_port() -> None:
    """Variables before the program are set, ``{port}`` is replaced everywhere, and quotes hold words together."""
    command = ReceiverCommand.parse("DEBUG=1 TOKEN='a b' python -m 'my app' --bind=127.0.0.1:{port} x=y")
    assert command.variables == (("DEBUG", "1"), ("TOKEN", "a b"))
    assert command.arguments(8123) == ["python", "-m", "my app", "--bind=127.0.0.1:8123", "x=y"]


def test_variables_are_never_shown() -> None:
    """They may hold a password."""
    command = ReceiverCommand.parse("PASSWORD=hunter2 python app.py")
    assert str(command) == "python app.py"
    assert "hunter2" not in repr(command)


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "--run names no program; write for example 'uvicorn app:app --port {port}'"),
        ("A=1 B=2", "--run names no program"),
        ("python 'app.py", "--run: the command cannot be split: No closing quotation"),
        (
            "cd app && npm start",
            "--run: '&&' is for a shell, but CMD runs without a shell; for a shell write sh -c '...'",
        ),
        ("python app.py > log.txt", "--run: '>' is for a shell"),
        ("python app.py &", "--run: '&' is for a shell"),
        ("a|b", "--run: '|' is for a shell"),
    ],
)
def test_what_cannot_be_run_is_reported(text: str, message: str) -> None:
    """In one line, with what to write in its place."""
    with pytest.raises(UsageError) as problem:
        ReceiverCommand.parse(text)
    assert str(problem.value).startswith(message)


def test_quoted_operators_are_arguments() -> None:
    """A shell of one's own, and a URL with a query."""
    command = ReceiverCommand.parse("""sh -c 'a && b' 'http://h/?a=1&b=2'""")
    assert command.words == ("sh", "-c", "a && b", "http://h/?a=1&b=2")
