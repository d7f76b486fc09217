"""Routes that refuse what they do not know.

A query parameter that nobody reads is a typo, and `?perod=2026-04` must not give another month than the one that was
meant; one that stands twice is read one way by a proxy and another way by us.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import Scope

from counterfoil.core.encoding import excerpt
from counterfoil.errors import EngineError


class StrictRoute(APIRoute):
    """A route that takes the query parameters that it declares, each once."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        handle = super().get_route_handler()
        known = frozenset(_query_names(self.dependant))

        async def handle_strictly(request: Request) -> Response:
            check_query(request.scope, known)
            return await handle(request)

        return handle_strictly


def check_query(scope: Scope, known: frozenset[str]) -> None:
    """Refuse query parameters that are not known, or stand twice.

    Raises:
        EngineError: `invalid-field`.
    """
    query: bytes = scope["query_string"]
    if not query:
        return
    found: set[str] = set()
    for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name not in known:
            raise EngineError("invalid-field", f"there is no parameter {excerpt(name)}", field=name[:64])
        if name in found:
            raise EngineError("invalid-field", f"the parameter {name} stands twice", field=name)
        found.add(name)


def new_router(topic: str) -> APIRouter:
    """Return a router of strict routes.

    Args:
        topic: under which they stand in the description.
    """
    return APIRouter(tags=[topic], route_class=StrictRoute)


def _query_names(dependant: Dependant) -> Iterator[str]:
    """Yield the parameters that a route and what it depends on declare."""
    yield from (field.alias for field in dependant.query_params)
    for each in dependant.dependencies:
        yield from _query_names(each)
