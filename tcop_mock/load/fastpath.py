"""The usual turn of a closed load in one go: an answer that came whole and acks, and the next push on its connection.

Channel, line, wire, driver, recorder and load do the same one after the other, in twice the time. Whatever is not the
usual is theirs; tests hold both ways to the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcop_mock.load.channel import READ_BYTES, READABLE, Channel

if TYPE_CHECKING:
    from tcop_mock.load.channel import Channels, Serve
    from tcop_mock.load.steady import ClosedLoad


def fast_path(channels: Channels, load: ClosedLoad) -> Serve:
    """Return what serves the connections of a closed load, in place of ``Channels.serve_each``.

    Args:
        channels: the connections.
        load: whose they are; it has begun.
    """
    driver, bodies, until_s = load.driver, load.bodies, load.until_s
    wire, clock, warm_until_s = driver.wire, driver.clock, driver.warm_until_s
    opened, acking, flying, requests = channels.open.get, wire.answers.acking.get, wire.flying, wire.requests

    def serve(ready: list[tuple[int, int]], written: list[tuple[Channel, bytes]]) -> None:
        acks_s: list[float] = []
        statuses: list[int] = []
        for descriptor, event in ready:
            channel = opened(descriptor)
            if channel is None:
                continue
            if event != READABLE or not isinstance(channel, Channel):
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
            if not is_usual or started_s < warm_until_s or now_s >= until_s or load.left <= 0:
                channel.received(data)
                continue
            acks_s.append(now_s - started_s)
            statuses.append(status)
            body = next(bodies)
            load.left -= 1
            line.served += 1
            line.replayed = False
            line.body = body
            line.intended_s = line.started_s = now_s
            del flying[line]
            flying[line] = None
            written.append((channel, requests[len(body)] + body))
        driver.recorder.all_acked(statuses, acks_s)

    return serve
