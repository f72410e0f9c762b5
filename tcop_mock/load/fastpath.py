"""The usual turn of a closed load in one go: an answer that came whole and acks, and the next push on its connection.

Channel, line, wire, driver, recorder and load do the same one after the other, in twice the time. Whatever is not the
usual is theirs; tests hold both ways to the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcop_mock.load.channel import READ_BYTES, READABLE, Channel

if TYPE_CHECKING:
    from tcop_mock.load.channel import Channels
    from tcop_mock.load.steady import ClosedLoad


class FastPath:
    """Serves the connections of a closed load, in place of ``Channels.serve_each``.

    Args:
        channels: the connections.
        load: whose they are; it has begun.
    """

    def __init__(self, channels: Channels, load: ClosedLoad) -> None:
        self._load, self._driver, self._wire = load, load.driver, load.driver.wire
        self._opened, self._acking = channels.open.get, self._wire.answers.acking.get

    def serve(self, ready: list[tuple[int, int]], written: list[tuple[Channel, bytes]]) -> None:
        """Read from what is ready, count, and add the next pushes to what is to be sent."""
        opened, acking, load, driver = self._opened, self._acking, self._load, self._driver
        clock, flying, requests = driver.clock, self._wire.flying, self._wire.requests
        acks_s: list[float] = []
        statuses: list[int] = []
        for descriptor, event in ready:
            channel = opened(descriptor)
            if event != READABLE or not isinstance(channel, Channel):
                if channel is not None:  # else one that was served before it in this round has closed it
                    channel.serve(event)
                continue
            try:
                data = channel.sock.recv(READ_BYTES)
            except OSError as problem:
                channel.failed(problem)
                continue
            line: Any = channel.reader
            status, started_s, now_s = acking(data, 0), line.started_s, clock()
            is_usual = status and line.busy and not (line.received or line.blocked)
            if not is_usual or started_s < driver.warm_until_s or now_s >= load.until_s or load.left <= 0:
                channel.received(data)
                continue
            acks_s.append(now_s - started_s)
            statuses.append(status)
            load.left -= 1
            line.body = body = next(load.bodies)
            line.served += 1
            line.replayed = False
            line.intended_s = line.started_s = now_s
            del flying[line]
            flying[line] = None
            written.append((channel, requests[len(body)] + body))
        driver.recorder.all_acked(statuses, acks_s)
