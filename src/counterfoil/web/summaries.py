"""Answers that look at every customer of a tenant: each is kept for ten seconds, and made for one request at a time."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Final

from counterfoil.engine.engine import Engine
from counterfoil.engine.summary import Summary

_KEPT_SECONDS: Final = 10.0


class Summaries:
    """The summaries of tenants."""

    def __init__(self, steady: Callable[[], float]) -> None:
        """Begin with none; `steady` gives seconds that only grow."""
        self._steady = steady
        self._kept: dict[str, tuple[float, Summary]] = {}
        # Those who ask at the same time wait for one answer, instead of making as many.
        self._making: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def get(self, engine: Engine) -> Summary:
        """Return the summary of the engine's tenant, made at most ten seconds ago.

        Raises:
            EngineError: what the store says.
        """
        with self._making[engine.tenant]:
            kept = self._kept.get(engine.tenant)
            if kept is not None and self._steady() < kept[0]:
                return kept[1]
            summary = engine.summary()
            self._kept[engine.tenant] = (self._steady() + _KEPT_SECONDS, summary)
            return summary
