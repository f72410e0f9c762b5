"""The output of a receiver, in bounded memory."""

from __future__ import annotations

import io

from tcop_mock.process.output import OutputBuffer


def test_lines_come_in_pieces() -> None:
    """A line is one line however it arrives; the last one counts without an end, and line ends of Windows go."""
    output = OutputBuffer()
    for piece in (b"on", b"e\r\ntwo\n\n", b"thr", b"ee"):
        output.append(piece)
    assert output.lines() == ["one", "two", "", "three"]
    assert output.tail(2) == ["two", "three"]


def test_the_oldest_lines_go() -> None:
    """A receiver that prints without end does not fill the memory; it is counted what went."""
    output = OutputBuffer(max_chars=100)
    for number in range(100):
        output.append(f"line {number}\n".encode())
    assert output.lines()[-1] == "line 99"
    assert sum(map(len, output.lines())) <= 100
    assert output.dropped_lines + len(output.lines()) == 100


def test_a_line_without_an_end_is_cut() -> None:
    """Binary output has no lines; undecodable bytes are replaced."""
    output = OutputBuffer()
    output.append(b"\xff\x00" * 100_000)
    assert max(map(len, output.lines())) <= 65_536
    assert output.lines()[0].startswith("�\x00")


def test_a_stream_is_read_to_its_end() -> None:
    """A last line without an end is read, and the stream is closed."""
    output, stream = OutputBuffer(), io.BufferedReader(io.BytesIO(b"a\nb"))
    output.copy_from(stream)
    assert (output.lines(), stream.closed) == (["a", "b"], True)
    whole = OutputBuffer()
    whole.copy_from(io.BufferedReader(io.BytesIO(b"a\n")))
    assert whole.lines() == ["a"]


def test_a_watch_sees_all_bytes_as_they_come() -> None:
    """The watch gets all bytes, also those that are not kept."""
    pieces: list[bytes] = []
    output = OutputBuffer(max_chars=1, watch=pieces.append)
    for piece in (b"on", b"e\ntwo", b"\n"):
        output.append(piece)
    assert (pieces, output.lines()) == ([b"on", b"e\ntwo", b"\n"], [])
