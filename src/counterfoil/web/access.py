"""Who asks: the API key of a request, what it opens, and how often it may ask.

A key's row is kept for 2 seconds, so that a key that was revoked opens nothing any more in any process a few seconds
later, and most requests do not go to the store for it.

Source: docs/operations/server.md#keys.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Annotated, Final, NamedTuple

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader
from starlette.concurrency import run_in_threadpool

from counterfoil.engine.apikeys import (
    Scope,
    check_presented,
    find_key,
    invalid_api_key,
    read_presented,
)
from counterfoil.engine.engine import Engine
from counterfoil.engine.service import ApiKey
from counterfoil.errors import EngineError
from counterfoil.web.headers import read_headers
from counterfoil.web.state import Services

_KEPT_SECONDS: Final = 2.0
# Rows that are kept, and as many ids that nobody has.
_KEPT_MAX: Final = 4_096
SCHEME: Final = APIKeyHeader(
    name="X-Api-Key",
    scheme_name="ApiKey",
    description="`pk_{live|test}_{id}.{secret}`, from `counterfoil apikey create`. The tenant follows from the key.",
    auto_error=False,
)


class Caller(NamedTuple):
    """Who asks.

    Attributes:
        key_id: of the API key.
        tenant: whose customers it opens.
        scopes: what it may: `read`, `write`.
        engine: of that tenant.
    """

    key_id: str
    tenant: str
    scopes: frozenset[str]
    engine: Engine


class _Kept(NamedTuple):
    """A row of the store, None where there is none, and until when it is believed."""

    key: ApiKey | None
    until: float
    scopes: frozenset[str]


class Access:
    """Lets requests in, or refuses them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._kept: dict[str, _Kept] = {}
        # Ids that nobody has, apart: a stranger who makes them up does not push out the keys that there are.
        self._nobody: dict[str, _Kept] = {}
        # What is being looked up: of a crowd that comes with one key, one looks and the others wait.
        self._coming: dict[str, asyncio.Future[_Kept]] = {}
        self._limit = RateLimit(services.settings.rate_per_second)

    async def admit(self, headers: Mapping[bytes, bytes], scope: Scope, *, again: bool = False) -> Caller:
        """Return who asks.

        Args:
            headers: of the request.
            scope: what it needs.
            again: whether the request was let in before and took its time: it is not counted twice.

        Raises:
            EngineError: `invalid-api-key`, `rate-limited`, `insufficient-scope`, or what the store says.
        """
        presented = read_presented(headers.get(b"x-api-key", b""))
        if presented is None:
            raise invalid_api_key()
        services = self._services
        kept = self._kept.get(presented.key_id) or self._nobody.get(presented.key_id)
        if kept is None or kept.until <= services.steady():
            kept = await self._look_up(presented.key_id)
        key = check_presented(presented, kept.key, services.now())
        if not again:
            # Of now: others of this key may have come and gone while it was looked up.
            self._limit.take(key.key_id, services.steady())
        if scope not in kept.scopes:
            raise EngineError("insufficient-scope", f"the API key lacks the scope {scope}")
        return Caller(key.key_id, key.tenant, kept.scopes, services.engine(key.tenant))

    async def _look_up(self, key_id: str) -> _Kept:
        coming = self._coming.get(key_id)
        if coming is None:
            coming = self._coming[key_id] = asyncio.ensure_future(self._read(key_id))
            coming.add_done_callback(lambda _: self._coming.pop(key_id))
        # Whoever gives up takes nothing away from the others.
        return await asyncio.shield(coming)

    async def _read(self, key_id: str) -> _Kept:
        services = self._services
        # Before the store is asked: what changes from here on is not missed for longer.
        until = services.steady() + _KEPT_SECONDS

        def read() -> ApiKey | None:
            key = find_key(services.store, key_id)
            if key is not None:
                # Here, because the first time it looks at the store.
                services.engine(key.tenant)
            return key

        key = await run_in_threadpool(read)
        rows, others = (self._nobody, self._kept) if key is None else (self._kept, self._nobody)
        if len(rows) >= _KEPT_MAX:
            rows.clear()
        others.pop(key_id, None)
        kept = rows[key_id] = _Kept(key, until, frozenset(key.scopes.split() if key else ()))
        return kept


class RateLimit:
    """A bucket of tokens a key: one a request, so many a second come back, and no more than a second's stand in it."""

    def __init__(self, per_second: float) -> None:
        """Begin with full buckets; 0 for no bound."""
        self._per_second = per_second
        self._most = max(per_second, 1.0)
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key_id: str, steady: float) -> None:
        """Take a token.

        Args:
            key_id: of which key.
            steady: seconds that only grow.

        Raises:
            EngineError: `rate-limited`, with the seconds until there is one.
        """
        if not self._per_second:
            return
        tokens, since = self._buckets.get(key_id, (self._most, steady))
        tokens = min(self._most, tokens + (steady - since) * self._per_second)
        if tokens < 1:
            self._buckets[key_id] = (tokens, steady)
            seconds = math.ceil((1 - tokens) / self._per_second)
            raise EngineError("rate-limited", "this API key asks too often", retryAfterSeconds=seconds)
        self._buckets[key_id] = (tokens - 1, steady)


async def admit(request: Request, headers: Mapping[bytes, bytes], scope: Scope) -> Caller:
    """Return who asks, and note it for the log; as `Access.admit`."""
    access: Access = request.app.access
    caller = await access.admit(headers, scope)
    request.scope["counterfoil.caller"] = caller
    request.scope["counterfoil.admitted"] = scope, access
    return caller


async def admit_again(request: Request, headers: Mapping[bytes, bytes]) -> None:
    """Refuse a request whose key was revoked, or ended, since it was let in; what asks without a key is let be.

    Raises:
        EngineError: as `Access.admit`, but for the rate.
    """
    if admitted := request.scope.get("counterfoil.admitted"):
        scope, access = admitted
        await access.admit(headers, scope, again=True)


async def _reader(request: Request, _: Annotated[str | None, Security(SCHEME)]) -> Caller:
    return await admit(request, read_headers(request.scope), "read")


async def _writer(request: Request, _: Annotated[str | None, Security(SCHEME)]) -> Caller:
    return await admit(request, read_headers(request.scope), "write")


Reader = Annotated[Caller, Depends(_reader)]
"""What a route declares that needs a key with the scope `read`."""
Writer = Annotated[Caller, Depends(_writer)]
"""What a route declares that needs a key with the scope `write`."""
