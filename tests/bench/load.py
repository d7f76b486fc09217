"""A load of HTTP requests over many connections that stay open, made by one thread with as little work as possible.

Sockets and selectors alone: a client library would take longer for a request than what is measured does.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length: "
# A server that answers nothing for so long hangs.
_PATIENCE_SECONDS = 60


@dataclass
class Answered:
    """What came back.

    Attributes:
        seconds: from the first request to the last answer.
        latencies: seconds of each request.
        statuses: how many answers had which status.
    """

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def only(self, *wanted: int) -> Answered:
        """Return this, where all answers had a status that was wanted: a benchmark of refusals is none."""
        if set(self.statuses) - set(wanted):
            raise AssertionError(f"answers with {self.statuses}")
        return self


class _Connection:
    """A connection with at most one request on its way."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent = 0.0
        self.received = b""

    def send(self, request: bytes) -> None:
        self.received = b""
        self.sent = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """Read what is there; return the status once the answer is whole."""
        piece = self.socket.recv(262_144)
        if not piece:
            raise ConnectionError("the server hung up")
        self.received += piece
        head = self.received.find(_HEAD_END)
        if head < 0:
            return None
        start = self.received.lower().find(_LENGTH, 0, head) + len(_LENGTH)
        length = int(self.received[start : self.received.find(b"\r", start)])
        if len(self.received) < head + len(_HEAD_END) + length:
            return None
        return int(self.received[9:12])


def request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """Write a request."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: bench",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def load(address: tuple[str, int], requests: Iterator[bytes], connections: int) -> Answered:
    """Send all requests, each connection its next one when it has its answer; return what came back."""
    answered = Answered()
    with selectors.DefaultSelector() as selector:
        opened = [_Connection(address) for _ in range(connections)]
        started = time.perf_counter()
        for connection in opened:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send(next(requests))
        waiting = len(opened)
        while waiting:
            ready = selector.select(_PATIENCE_SECONDS)
            if not ready:
                raise TimeoutError("no answer")
            for key, _ in ready:
                connection = key.data
                status = connection.receive()
                if status is None:
                    continue
                answered.latencies.append(time.perf_counter() - connection.sent)
                answered.statuses[status] = answered.statuses.get(status, 0) + 1
                following = next(requests, None)
                if following is None:
                    waiting -= 1
                    selector.unregister(connection.socket)
                else:
                    connection.send(following)
        answered.seconds = time.perf_counter() - started
        for connection in opened:
            connection.socket.close()
    return answered
