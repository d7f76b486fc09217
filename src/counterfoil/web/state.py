"""What the requests of one process share: the store, the keys, an engine a tenant, and what was set at the start."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request

from counterfoil.engine.clock import Clock
from counterfoil.engine.engine import Engine
from counterfoil.engine.operator import Operator
from counterfoil.engine.recorder import Recorder
from counterfoil.engine.request import Randomness
from counterfoil.engine.store import Store
from counterfoil.limits import REQUEST_BYTES_MAX, REQUEST_SECONDS_MAX
from counterfoil.web.gathering import Gathering
from counterfoil.web.summaries import Summaries

_NANOSECONDS_OF_MICROSECOND: Final = 1_000
# Of one tenant in one process, which is also what one transaction records at most: five of the largest batches.
_QUEUE_ITEMS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Settings:
    """What is set when the server starts.

    Attributes:
        public_url: under which clients reach the server, without a slash at its end; stands in links. Without one a
            link is a path.
        rate_per_second: requests of one API key in one process, as many at once; 0 for no bound.
        requests_max: requests that are worked on at one time in one process; more are refused.
        body_bytes_max: of a request's body.
        body_seconds_max: until a body must be there.
        slow_seconds: a request that takes longer is logged as a warning.
    """

    public_url: str = ""
    rate_per_second: float = 0
    requests_max: int = 1_000
    body_bytes_max: int = REQUEST_BYTES_MAX
    body_seconds_max: float = REQUEST_SECONDS_MAX
    slow_seconds: float = 1


def _wall_clock() -> int:
    return time.time_ns() // _NANOSECONDS_OF_MICROSECOND


class Services:
    """What requests share.

    Attributes:
        store: where records are; whoever opened it closes it.
        operator: who signs.
        settings: what was set at the start.
        now: the host's clock, in microseconds since 1970-01-01T00:00:00Z: which month it is, and whether an API key
            has expired.  Entries get their times from the store's.
        steady: seconds that only grow.
        summaries: of tenants, for the answers that look at every customer.
    """

    def __init__(
        self,
        store: Store,
        operator: Operator,
        settings: Settings | None = None,
        *,
        now: Clock = _wall_clock,
        steady: Callable[[], float] = time.monotonic,
        randomness: Randomness = secrets.token_bytes,
    ) -> None:
        """Stand over a store that belongs to the operator."""
        self.store = store
        self.operator = operator
        self.settings = settings or Settings()
        self.now = now
        self.steady = steady
        self.summaries = Summaries(steady)
        self._randomness = randomness
        self._lock = threading.Lock()
        self._engines: dict[str, Engine] = {}
        self._recorders: dict[str, Recorder] = {}
        self._gatherings: dict[str, Gathering] = {}

    def engine(self, tenant: str) -> Engine:
        """Return the engine of a tenant; the first time it looks at the store.

        Raises:
            EngineError: as `Engine`.
        """
        engine = self._engines.get(tenant)
        if engine is None:
            made = Engine(self.store, self.operator, tenant=tenant, randomness=self._randomness)
            engine = self._engines.setdefault(tenant, made)
        return engine

    def recorder(self, tenant: str) -> Recorder:
        """Return what gathers the single deltas of a tenant; each has a thread of its own."""
        recorder = self._recorders.get(tenant)
        if recorder is None:
            with self._lock:
                recorder = self._recorders.get(tenant) or Recorder(
                    self.engine(tenant), queue_items=_QUEUE_ITEMS
                )
                self._recorders[tenant] = recorder
        return recorder

    def gathering(self, tenant: str) -> Gathering:
        """Return what hands the single deltas of a tenant to its recorder, for the event loop that runs."""
        gathering = self._gatherings.get(tenant)
        if gathering is None or gathering.loop is not asyncio.get_running_loop():
            gathering = self._gatherings[tenant] = Gathering(self.recorder(tenant))
        return gathering

    def close(self) -> None:
        """Record what waits, and take no more."""
        for recorder in list(self._recorders.values()):
            recorder.close()


def services_of(request: Request) -> Services:
    """Return what the requests of this application share."""
    services: Services = request.app.services
    return services


Shared = Annotated[Services, Depends(services_of)]
"""What a route declares to get the `Services`."""
