"""One process that answers requests: uvicorn, with bounds on what a connection may do before a request is whole.

Source: docs/operations/server.md.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from counterfoil.web.app import create_app
from counterfoil.web.background import Stop
from counterfoil.web.state import Services

# Request line and headers, whole.
_HEAD_BYTES_MAX: Final = 32_768
# Until they must be there, from the opening of a connection or their first byte.
_HEAD_SECONDS_MAX: Final = 10
# Of one process; each takes a file descriptor.
_CONNECTIONS_MAX: Final = 4_096
# Longer than the minute for which most proxies keep theirs: the side that closes first must not be this one.
_KEEP_ALIVE_SECONDS: Final = 75
_GRACE_SECONDS: Final = 30
_BACKLOG: Final = 2_048
_TICKS_A_SECOND: Final = 10


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
        limit_concurrency=_CONNECTIONS_MAX,
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
    """A connection whose request line and headers are bounded, in bytes and in time.

    The parser has no bound: a header that does not end would be gathered for ever.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  -- uvicorn's own
        super().__init__(*args, **kwargs)
        self._is_head = True
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Give the first request its time."""
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the timer go."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what is not yet a whole head."""
        if self._is_head:
            self._head_bytes += len(data)
        super().data_received(data)
        # Nearly all heads come in one piece, and are whole by now.
        if self._is_head and not self.transport.is_closing():
            if self._head_bytes > _HEAD_BYTES_MAX:
                self.send_400_response("Request line and headers are too long.")
            elif self._head_bytes:
                self._start_timer()

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._is_head = True

    def on_headers_complete(self) -> None:
        """End it."""
        self._is_head = False
        self._head_bytes = 0
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """What comes next is a head again."""
        super().on_message_complete()
        self._is_head = True

    def _start_timer(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(_HEAD_SECONDS_MAX, self.transport.close)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
