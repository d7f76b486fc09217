"""Answers that look at every customer of a tenant: each is kept for ten seconds, and made for one request at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from copy import copy
from typing import Final

from starlette.concurrency import run_in_threadpool

from counterfoil.engine.engine import Engine
from counterfoil.engine.summary import Summary
from counterfoil.errors import CounterfoilError

_KEPT_SECONDS: Final = 10.0


class Summaries:
    """The summaries of tenants."""

    def __init__(self, steady: Callable[[], float]) -> None:
        """Begin with none; `steady` gives seconds that only grow."""
        self._steady = steady
        self._kept: dict[str, tuple[float, Summary]] = {}
        # Those who ask at the same time wait for one answer, and in the event loop: as many threads would be all that
        # there are, and every other request would wait with them.
        self._coming: dict[str, asyncio.Future[Summary]] = {}

    async def get(self, engine: Engine) -> Summary:
        """Return the summary of the engine's tenant, made at most ten seconds ago.

        Raises:
            EngineError: what the store says.
        """
        tenant = engine.tenant
        kept = self._kept.get(tenant)
        if kept is not None and self._steady() < kept[0]:
            return kept[1]
        coming = self._coming.get(tenant)
        if coming is None:
            coming = self._coming[tenant] = asyncio.ensure_future(self._make(engine))
            coming.add_done_callback(lambda _: self._coming.pop(tenant))
        try:
            # Whoever gives up takes nothing away from the others.
            return await asyncio.shield(coming)
        except CounterfoilError as error:
            # One each: raising changes an exception.
            raise copy(error) from error

    async def _make(self, engine: Engine) -> Summary:
        summary = await run_in_threadpool(engine.summary)
        self._kept[engine.tenant] = (self._steady() + _KEPT_SECONDS, summary)
        return summary
