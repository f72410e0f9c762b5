"""SIGTERM is Ctrl-C with another exit code."""

from __future__ import annotations

import signal
import threading

import pytest

from tcop_mock.cli.signals import sigterm_as_interrupt


def test_sigterm_is_an_interrupt() -> None:
    """It raises what Ctrl-C raises; an interrupted command ends with 143, any other with its own code."""
    with sigterm_as_interrupt() as termination:
        assert (termination.exit_code(130), termination.exit_code(0)) == (130, 0)
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            code = termination.exit_code(130)
        else:
            code = 0
        assert (code, termination.exit_code(1)) == (143, 1)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_sigterm_ends_a_command_in_the_background() -> None:
    """A shell has it ignore Ctrl-C, and it inherits that."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt), sigterm_as_interrupt():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_handler_that_is_there_stays() -> None:
    """As of a program that calls us; and only the main thread can set one."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with sigterm_as_interrupt():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    seen: list[object] = []

    def scene() -> None:
        with sigterm_as_interrupt():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=scene)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]
