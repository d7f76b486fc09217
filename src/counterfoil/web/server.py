"""One process that answers requests: uvicorn, with bounds on what a connection may do before a request is whole.

Source: docs/operations/server.md.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Final

import uvicorn
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from counterfoil.errors import CounterfoilError, EngineError, MalformedError, TooLargeError
from counterfoil.limits import REQUEST_BYTES_MAX, REQUEST_SECONDS_MAX
from counterfoil.web.app import create_app
from counterfoil.web.background import Stop
from counterfoil.web.joined import Joined
from counterfoil.web.problems import problem
from counterfoil.web.state import Services

# Request line and headers, whole.
_HEAD_BYTES_MAX: Final = 32_768
# Until they must be there, from the opening of a connection or their first byte.
_HEAD_SECONDS_MAX: Final = 10
# What follows the head, with the marks between its pieces: a body that is too long is refused before, where it is read.
_REST_BYTES_MAX: Final = 2 * REQUEST_BYTES_MAX
# Longer than a body is waited for by whoever reads it: this is for those that nobody reads.
_REST_SECONDS_MAX: Final = REQUEST_SECONDS_MAX + 5
# In which a client that reads has made room: a megabyte at 20 kB a second.
_WRITE_SECONDS_MAX: Final = 50
# Of one process; each takes a file descriptor.
_CONNECTIONS_MAX: Final = 4_096
# Longer than the minute for which most proxies keep theirs: the side that closes first must not be this one.
_KEEP_ALIVE_SECONDS: Final = 75
_GRACE_SECONDS: Final = 30
_BACKLOG: Final = 2_048
_TICKS_A_SECOND: Final = 10
_CLOSE: Final = {"Connection": "close"}


def answer_requests(
    listener: socket.socket, services: Services, stop: Stop, *, proxies: tuple[str, ...] = ()
) -> None:
    """Answer requests until it is time to end, then what is in flight.

    Args:
        listener: where they come in.
        services: what they share; closed at the end, but for the store.
        stop: the wish to end, beside SIGTERM and SIGINT.
        proxies: addresses of proxies whose word on client and scheme is taken.
    """
    config = uvicorn.Config(
        create_app(services),
        http=_BoundedProtocol,
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        backlog=_BACKLOG,
    )
    _Server(config, stop).run(sockets=[listener])


class _Server(uvicorn.Server):
    """A server that ends when somebody else wishes it."""

    def __init__(self, config: uvicorn.Config, stop: Stop) -> None:
        super().__init__(config)
        self._stop = stop

    async def on_tick(self, counter: int) -> bool:
        """Say whether to end; called ten times a second."""
        if counter % _TICKS_A_SECOND == 0 and self._stop.is_wanted():
            return True
        return await super().on_tick(counter)


class _BoundedProtocol(HttpToolsProtocol):
    """A connection on which everything is bounded, in bytes and in time, whether anybody waits for it or not.

    The parser has no bound: a header that does not end would be gathered for ever, and so would one behind a body.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  -- uvicorn's own
        super().__init__(*args, **kwargs)
        self._is_head = True
        # Of the head, or of what follows it.
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._is_deaf = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Give the first request its time."""
        super().connection_made(Joined(transport, self.loop))  # type: ignore[arg-type]  # it stands for one
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the timers go."""
        self._stop_timer()
        self._stop_write_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what is not yet a whole request."""
        if self._is_deaf:
            return
        self._bytes += len(data)
        super().data_received(data)
        # Nearly all requests come in one piece, and are whole by now.
        if self._bytes and not self._is_deaf and not self.transport.is_closing():
            if self._bytes > (_HEAD_BYTES_MAX if self._is_head else _REST_BYTES_MAX):
                self._refuse(TooLargeError("the request is too long"))
            else:
                self._start_timer()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, unless it comes behind the body: nothing there means anything."""
        if self._is_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """End a head."""
        self._begin(is_head=False)
        if len(self.connections) > _CONNECTIONS_MAX:
            words = "the server has as many connections as it takes"
            self.app = _refusing(EngineError("store-unavailable", words))
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """What comes next is a head."""
        self._begin(is_head=True)
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Give the client time to read."""
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(_WRITE_SECONDS_MAX, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads."""
        self._stop_write_timer()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        del msg
        self._refuse(MalformedError("what was sent is no HTTP/1.1"))

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: a request to speak another protocol is answered in this one."""

    def _run_out(self) -> None:
        """Time is up."""
        if self._bytes:
            self._refuse(EngineError("request-timeout", "the request did not arrive in time"))
        else:
            self.transport.close()

    def _refuse(self, error: CounterfoilError) -> None:
        """Answer with a refusal and close; requests that were whole before get their own answers first."""
        self._is_deaf = True
        cycle = self.cycle
        if cycle is not None and not cycle.more_body and not cycle.response_complete:
            cycle.keep_alive = False
        elif self.pipeline:
            # Of the requests that wait for their turn the newest is the broken one.
            self.pipeline[0] = (cycle, _refusing(error))
        else:
            if self._is_head or cycle is None or not cycle.response_started:
                self.transport.write(_written(error, self.server_state.default_headers))
            if cycle is not None:
                cycle.disconnected = True
            self.transport.close()

    def _begin(self, *, is_head: bool) -> None:
        self._is_head = is_head
        self._bytes = 0
        self._stop_timer()

    def _start_timer(self) -> None:
        if self._timer is None:
            seconds = _HEAD_SECONDS_MAX if self._is_head else _REST_SECONDS_MAX
            self._timer = self.loop.call_later(seconds, self._run_out)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None


def _refusing(error: CounterfoilError) -> ASGI3Application:
    """Return an application that refuses, and closes."""

    async def refuse(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  -- two libraries name their types
        await problem(error, headers=_CLOSE)(scope, receive, send)

    return refuse


def _written(error: CounterfoilError, headers: list[tuple[bytes, bytes]]) -> bytes:
    """Write a refusal that no application answers with."""
    answer = problem(error, headers=_CLOSE)
    lines = [b"%s: %s\r\n" % each for each in [*headers, *answer.raw_headers]]
    return b"".join([STATUS_LINE[answer.status_code], *lines, b"\r\n", bytes(answer.body)])
