"""What stands before every route, as plain ASGI.

Each request gets an id, is counted, timed and logged, and its answer gets the headers that all have.  What nobody
expected ends here as the problem `internal`.  More requests at one time than are allowed are refused.

The express lane: the router of the framework, with the five layers around it, takes as long as to record a delta does.
The routes that are called most, of one fixed path each, are called from here; the router has them too, for their
description and for other methods.

Source: docs/operations/server.md.
"""

from __future__ import annotations

import itertools
import logging
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from counterfoil import __version__
from counterfoil.errors import CounterfoilError, EngineError, defect_of
from counterfoil.web.logs import LOGGER
from counterfoil.web.metrics import Metrics
from counterfoil.web.problems import problem
from counterfoil.web.state import Services

Lane = Callable[[Request], Awaitable[Response]]

_SERVER_ERROR: Final = 500
# What nginx calls it; no answer bears it.
_CLIENT_GONE: Final = 499
# No path has a control character.
_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f]")
_NO_ROUTE: Final = "(none)"
_NOSNIFF: Final = (b"x-content-type-options", b"nosniff")
# Routes that are open to everybody say otherwise.
_NO_STORE: Final = (b"cache-control", b"no-store")


class Gate:
    """Stands before an application."""

    def __init__(
        self, inner: ASGIApp, services: Services, metrics: Metrics, lanes: Mapping[tuple[str, str], Lane]
    ) -> None:
        """Stand before it.

        Args:
            inner: the application.
            services: what requests share.
            metrics: where to count.
            lanes: (method, path) -> what answers it.
        """
        self._inner = inner
        self._services = services
        self._metrics = metrics
        self._lanes = lanes
        self._at_work = 0
        # Ids of one process share a beginning that no other has.
        self._start = os.urandom(4).hex()
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        steady = self._services.steady
        started = steady()
        method: str = scope["method"]
        exchange = _Exchange(send, f"{self._start}-{next(self._numbers):x}", bodiless=method == "HEAD")
        if exchange.bodiless:
            # The answer is that of GET, without its body; the server that sends it must know that it was HEAD.
            scope = {**scope, "method": "GET"}
        lane = self._lanes.get((scope["method"], scope["path"]))
        self._at_work += 1
        try:
            if self._at_work > self._services.settings.requests_max:
                await self._refuse(_too_many(), scope, receive, exchange)
            elif _UNSEEN.search(scope["path"]):
                # To the router a path with a line break behind it is the one without, and to a proxy's rules it is not.
                await self._refuse(
                    EngineError("not-found", "there is no such path"), scope, receive, exchange
                )
            else:
                await self._answer(lane, scope, receive, exchange)
        finally:
            self._at_work -= 1
            route = scope["path"] if lane else getattr(scope.get("route"), "path", _NO_ROUTE)
            seconds = steady() - started
            self._metrics.answered(method, route, exchange.status, seconds)
            self._log(scope, exchange, method, route, seconds)

    async def _answer(self, lane: Lane | None, scope: Scope, receive: Receive, exchange: _Exchange) -> None:
        try:
            if lane is None:
                await self._inner(scope, receive, exchange.send)
            else:
                response = await lane(Request(scope, receive, exchange.send))
                await response(scope, receive, exchange.send)
        except ClientDisconnect:
            exchange.status = _CLIENT_GONE
        except CounterfoilError as error:
            await self._refuse(error, scope, receive, exchange)
        except Exception as error:
            if exchange.status and not exchange.complete:
                # Half an answer: only the end of the connection tells the client.
                scope["counterfoil.refusal"] = defect_of(error, __version__)
                raise
            # The framework raises again what it has answered already.
            if not exchange.status:
                await self._refuse(defect_of(error, __version__), scope, receive, exchange)

    async def _refuse(
        self, error: CounterfoilError, scope: Scope, receive: Receive, exchange: _Exchange
    ) -> None:
        # For the log: an answer does not tell all.
        scope["counterfoil.refusal"] = error
        await problem(error)(scope, receive, exchange.send)

    def _log(self, scope: Scope, exchange: _Exchange, method: str, route: str, seconds: float) -> None:
        failed = exchange.status >= _SERVER_ERROR
        is_slow = seconds > self._services.settings.slow_seconds
        level = logging.WARNING if failed or is_slow else logging.DEBUG
        if not LOGGER.isEnabledFor(level):
            return
        facts: dict[str, object] = {
            "requestId": exchange.request_id,
            "method": method,
            "route": route,
            "status": exchange.status,
            "milliseconds": round(seconds * 1_000, 3),
        }
        caller = scope.get("counterfoil.caller")
        if caller is not None:
            facts |= {"tenant": caller.tenant, "keyId": caller.key_id}
        refusal: CounterfoilError | None = scope.get("counterfoil.refusal")
        if refusal is not None:
            facts["code"] = refusal.code
            if failed:
                # Of the state and the world: an error of the request would quote what was sent.
                facts["message"] = refusal.message
        LOGGER.log(level, "request", extra={"facts": facts})


def _too_many() -> EngineError:
    return EngineError("store-unavailable", "the server has as many requests at hand as it takes")


class _Exchange:
    """One answer on its way.

    Attributes:
        request_id: of the request.
        bodiless: whether the body is left out.
        status: of the answer, 0 before it has begun.
        complete: whether all of it was sent.
    """

    __slots__ = ("_send", "bodiless", "complete", "request_id", "status")

    def __init__(self, send: Send, request_id: str, *, bodiless: bool) -> None:
        self._send = send
        self.request_id = request_id
        self.bodiless = bodiless
        self.status = 0
        self.complete = False

    async def send(self, message: Message) -> None:
        """Pass a part of the answer on."""
        kind: Any = message["type"]
        if kind == "http.response.start":
            self.status = message["status"]
            headers = [
                *message.get("headers", ()),
                (b"x-request-id", self.request_id.encode("ascii")),
                _NOSNIFF,
            ]
            for name, _ in headers:
                if name == b"cache-control":
                    break
            else:
                headers.append(_NO_STORE)
            message["headers"] = headers
        elif kind == "http.response.body":
            self.complete = not message.get("more_body", False)
            if self.bodiless:
                message = {**message, "body": b""}
        await self._send(message)
