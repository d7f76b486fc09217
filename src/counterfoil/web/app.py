"""The application: its routes, what stands before them, and what becomes of refusals.

Source: docs/api/README.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from counterfoil import __version__
from counterfoil.errors import CounterfoilError
from counterfoil.web.access import Access
from counterfoil.web.gate import Gate
from counterfoil.web.metrics import Metrics
from counterfoil.web.openapi import describe
from counterfoil.web.problems import answer_defect, answer_invalid, answer_refusal, answer_status
from counterfoil.web.routes import ROUTERS, deltas
from counterfoil.web.state import Services

_EXPRESS: Final = {("POST", deltas.RECORD_PATH): deltas.record_delta}


class Application(FastAPI):
    """The routes behind their gate.

    Attributes:
        services: what requests share.
        metrics: where they are counted.
        access: lets them in.
        methods: which each path has, by its template.
    """

    def __init__(self, services: Services) -> None:
        super().__init__(
            title="Counterfoil",
            version=__version__,
            summary="Receipts anybody can verify, for usage and balance records.",
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            generate_unique_id_function=lambda route: route.name,
            lifespan=_closing,
        )
        # Of the application itself, where a request finds them sooner than in its `state`.
        self.services = services
        self.metrics = Metrics()
        self.access = Access(services)
        self.methods = _methods()
        for router in ROUTERS:
            self.include_router(router)
        self.add_exception_handler(CounterfoilError, answer_refusal)
        self.add_exception_handler(HTTPException, answer_status)
        self.add_exception_handler(RequestValidationError, answer_invalid)
        self.add_exception_handler(Exception, answer_defect)
        self._gate = Gate(super().__call__, services, self.metrics, _EXPRESS)

    def openapi(self) -> dict[str, Any]:
        """Return the description of the API."""
        if self.openapi_schema is None:
            self.openapi_schema = describe(self)
        return self.openapi_schema

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        scope["app"] = self
        if scope["type"] == "http":
            await self._gate(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(services: Services) -> Application:
    """Return the application; it records what waits when it ends, and does not close the store."""
    return Application(services)


def _methods() -> dict[str, frozenset[str]]:
    """Return which methods each path has, by its template."""
    found: dict[str, frozenset[str]] = {}
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute):
                found[route.path] = found.get(route.path, frozenset()) | frozenset(route.methods or ())
    return found


@asynccontextmanager
async def _closing(app: Application) -> AsyncIterator[None]:
    yield
    await run_in_threadpool(app.services.close)
