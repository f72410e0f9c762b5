"""SIGTERM and SIGHUP act like Ctrl-C, with other exit codes."""

from __future__ import annotations

import signal
import threading

import pytest

from tcop_mock.cli.signals import signals_as_interrupts


@pytest.mark.parametrize("number, expected", [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_is_an_interrupt(number: signal.Signals, expected: int) -> None:
    """A signal raises what Ctrl-C raises; only an interrupted command gets its exit code."""
    signal.signal(number, signal.SIG_DFL)  # one that is ignored, as nohup ignores SIGHUP, stays so
    with signals_as_interrupts() as termination:
        assert (termination.exit_code(130), termination.exit_code(0)) == (130, 0)
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            code = termination.exit_code(130)
        else:
            code = 0
        assert (code, termination.exit_code(1)) == (expected, 1)
    assert signal.getsignal(number) is signal.SIG_DFL


def test_sigterm_ends_a_command_in_the_background() -> None:
    """A shell has it ignore Ctrl-C, and it inherits that."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt), signals_as_interrupts():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_handler_that_is_there_stays(number: signal.Signals) -> None:
    """Handlers of a calling program or of nohup stay; only the main thread sets ours."""
    signal.signal(number, signal.SIG_IGN)
    try:
        with signals_as_interrupts():
            assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, signal.SIG_DFL)
    seen: list[object] = []

    def scene() -> None:
        with signals_as_interrupts():
            seen.append(signal.getsignal(number))

    thread = threading.Thread(target=scene)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


def test_the_first_signal_gives_the_exit_code() -> None:
    """A terminal that closes sends SIGHUP; the SIGTERM after it, while reports are written, changes nothing."""
    with signals_as_interrupts() as termination:
        for number in (signal.SIGHUP, signal.SIGTERM):
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(number)
        assert termination.exit_code(130) == 129
