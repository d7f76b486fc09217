"""Requests that the server makes by itself: to webhooks, whose hosts somebody else named.

1. A URL comes out of the store, to which others may have written: its form is checked again, and http is taken where the
   operator said so.
2. The host is resolved here, and every address that it has must be a public one (`counterfoil.web.addresses`).
3. The connection goes to such an address, and nothing is resolved a second time: a name that says something else by then
   (DNS rebinding) changes nothing.
4. TLS is verified for the name in the URL.
5. A redirect is not followed, a proxy of the environment not used, an answer read up to 16 KiB and dropped.
6. Each step has its bound, and all of them one together.

Source: docs/api/webhooks.md.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

import httpcore

from counterfoil.engine.webhook_deliveries import Attempt
from counterfoil.engine.webhooks import check_url
from counterfoil.errors import EngineError
from counterfoil.web.addresses import is_public

if TYPE_CHECKING:
    from httpcore import SOCKET_OPTION

Resolve = Callable[[str, int], Sequence[str]]
"""Returns the addresses of a host and port; raises `OSError` where there are none."""

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 10.0
TOTAL_SECONDS: Final = 20.0
ANSWER_BYTES_MAX: Final = 16_384

# Of a host that has many, so many are tried.
_ADDRESSES_MAX: Final = 4
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_WORDS_CHARACTERS_MAX: Final = 120


class Outgoing(NamedTuple):
    """A request.

    Attributes:
        url: where to; may hold what is secret.
        headers: besides those that HTTP asks for.
        body: of a POST.
    """

    url: str
    headers: Sequence[tuple[str, str]]
    body: bytes

    def __repr__(self) -> str:
        return f"Outgoing({len(self.body)} bytes)"


class _NotSentError(Exception):
    """Why a request did not reach its host, in a few words."""


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, in the order in which the system would try them.

    Raises:
        OSError: where it has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Sender:
    """Makes requests.  Any number of threads may share one."""

    def __init__(
        self,
        *,
        allow_private: bool = False,
        allow_http: bool = False,
        resolve: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """Say what requests may do.

        Args:
            allow_private: whether hosts inside are connected to as well, by http too.
            allow_http: whether http is spoken to any host: anybody on the way can read it.
            resolve: says the addresses of a host.
            tls: whom to trust; whom the system trusts where there is none.
            steady: seconds that only grow.
        """
        self._allow_private = allow_private
        self._allow_http = allow_http or allow_private
        self._resolve = resolve
        self._tls = tls or ssl.create_default_context()
        self._tls.set_alpn_protocols(["http/1.1"])
        self._steady = steady

    def send(self, request: Outgoing) -> Attempt:
        """Send a request; return what became of it.  Nothing is raised for what the network or the receiver does."""
        try:
            return _judge(self._send(request))
        except _NotSentError as error:
            return _failed(str(error))
        except httpcore.TimeoutException:
            return _failed("timed out")
        except httpcore.ConnectError as error:
            return _failed(_why_no_connection(error))
        except (httpcore.NetworkError, httpcore.ProtocolError):
            return _failed("the connection ended without an answer")

    def _send(self, request: Outgoing) -> int:
        parts = urlsplit(self._checked(request.url))
        host, port = parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme]
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        shown = f"[{host}]" if ":" in host else host
        name = shown if port == _DEFAULT_PORTS[parts.scheme] else f"{shown}:{port}"
        network = _Network(self._resolve, self._tls, self._steady, allow_private=self._allow_private)
        timeout = {"connect": CONNECT_SECONDS, "read": READ_SECONDS, "write": READ_SECONDS}
        with (
            httpcore.ConnectionPool(
                # Trusts nobody, and is not used: see `_Stream.start_tls`.
                ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
                max_connections=1,
                retries=0,
                network_backend=network,
            ) as pool,
            pool.stream(
                "POST",
                # In its parts, so that nothing parses the text again and finds another host in it.
                httpcore.URL(scheme=parts.scheme, host=host, port=port, target=target),
                headers=[("Host", name), ("Connection", "close"), *request.headers],
                content=request.body,
                extensions={"timeout": timeout},
            ) as response,
        ):
            # What counts is the status.  The rest is read so that the receiver is not cut off.
            with suppress(httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
                _drop(response.iter_stream())
            return response.status

    def _checked(self, url: str) -> str:
        try:
            return check_url(url, allow_http=self._allow_http)
        except EngineError as error:
            # Its words bear nothing of the URL.
            raise _NotSentError(error.message) from error


def _judge(status: int) -> Attempt:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Attempt(delivered=True, final=False, outcome=f"HTTP {status}")
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return _failed(f"HTTP {status}: redirects are not followed")
    return Attempt(delivered=False, final=status == HTTPStatus.GONE, outcome=f"HTTP {status}")


def _drop(stream: Iterable[bytes]) -> None:
    left = ANSWER_BYTES_MAX
    for piece in stream:
        left -= len(piece)
        if left <= 0:
            return


def _failed(outcome: str) -> Attempt:
    return Attempt(delivered=False, final=False, outcome=outcome)


def _why_no_connection(error: httpcore.ConnectError) -> str:
    cause = error.__cause__ or error.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        words = f"the certificate does not hold: {cause.verify_message}"
        return words[:_WORDS_CHARACTERS_MAX] if words.isascii() and words.isprintable() else "TLS failed"
    return "TLS failed" if isinstance(cause, ssl.SSLError) else "no connection"


class _Network(httpcore.NetworkBackend):
    """Connects, for one request, to where that is allowed."""

    def __init__(
        self,
        resolve: Resolve,
        tls: ssl.SSLContext,
        steady: Callable[[], float],
        *,
        allow_private: bool,
    ) -> None:
        self.tls = tls
        self._resolve = resolve
        self._allow_private = allow_private
        self._steady = steady
        self._end = steady() + TOTAL_SECONDS
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of a host that takes it."""
        failure: Exception | None = None
        for address in self._addresses(host, port):
            try:
                stream = self._backend.connect_tcp(
                    address, port, self.bounded(timeout), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream, self)
        raise failure or _NotSentError("the host's name has no address")

    def bounded(self, timeout: float | None) -> float:
        """Return how long the next step may take.

        Raises:
            httpcore.ReadTimeout: where no time is left.
        """
        left = self._end - self._steady()
        if left <= 0:
            raise httpcore.ReadTimeout
        return left if timeout is None else min(left, timeout)

    def _addresses(self, host: str, port: int) -> list[str]:
        try:
            found = list(self._resolve(host, port))
        except (OSError, UnicodeError) as error:
            raise _NotSentError("the host's name has no address") from error
        # One that leads inside spoils all: which of them is taken would be chance.
        if not self._allow_private and not all(is_public(ip_address(address)) for address in found):
            # Which address it is would tell whoever named the host what is inside.
            raise _NotSentError("the host's address is not a public one")
        return found[:_ADDRESSES_MAX]


class _Stream(httpcore.NetworkStream):
    """A connection on which every step keeps to the bound of all."""

    def __init__(self, stream: httpcore.NetworkStream, network: _Network) -> None:
        self._stream = stream
        self._network = network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._network.bounded(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._network.bounded(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        # Not the context that is handed here: the pool writes to that one for each connection, and ours is shared by
        # threads.
        del ssl_context
        stream = self._stream.start_tls(self._network.tls, server_hostname, self._network.bounded(timeout))
        return _Stream(stream, self._network)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)
