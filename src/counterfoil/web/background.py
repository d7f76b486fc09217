"""What a server does beside answering: it checkpoints what is due, and sends events to webhooks.

One process of a server does it; on several hosts any number may, as of workers (`counterfoil.engine.worker`).

Source: docs/operations/server.md, docs/operations/workers.md, docs/api/webhooks.md.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import closing
from typing import Final, Protocol

from counterfoil.engine.clock import HostClock
from counterfoil.engine.operator import Operator
from counterfoil.engine.store import Store
from counterfoil.engine.worker import work_through
from counterfoil.errors import EXIT_IO, CounterfoilError, EngineError
from counterfoil.web.deliver import Deliverer, Send
from counterfoil.web.logs import LOGGER

# Between two looks for events to send, and between two tries of what has failed.
_BREATH_SECONDS: Final = 1.0
# Checkpointing rests so many times as long as it took: it shares the machine, and on SQLite the lock, with those who
# record, and an entry more under a checkpoint costs less than a checkpoint more.
_RESTS: Final = 4
# Who records waits for the lock of a round on SQLite: a round of so many holds it for some milliseconds at a time.
_ROUND_LOGS: Final = 100


class Stop(Protocol):
    """The wish to end."""

    def is_wanted(self) -> bool:
        """Whether it is time to end."""

    def wait(self, seconds: float) -> None:
        """Rest for so long, or until it is time to end."""


def keep_working(
    store: Store,
    operator: Operator,
    stop: Stop,
    send: Send,
    *,
    checkpoint_seconds: float,
    steady: Callable[[], float] = time.monotonic,
) -> None:
    """Checkpoint and deliver until it is time to end; what the world does to the store is waited out.

    Args:
        store: whose logs.
        operator: who signs; the store's owner.
        stop: the wish to end.
        send: sends an event.
        checkpoint_seconds: between two looks for what is to be checkpointed, at least; 0 to leave that to others.
        steady: seconds that only grow.

    Raises:
        EngineError: where going on would be wrong or in vain: `clock-regressed`, `log-corrupt` of the whole store,
            `unsafe-settings`, `key-mismatch`.
    """
    due = steady()
    with closing(
        Deliverer(store, operator, send, clock=HostClock(), randomness=secrets.token_bytes)
    ) as deliverer:
        while not stop.is_wanted():
            rest = _BREATH_SECONDS
            try:
                if checkpoint_seconds and (began := steady()) >= due:
                    _checkpoint(store, operator, stop)
                    due = steady() + max(checkpoint_seconds, _RESTS * (steady() - began))
                if deliverer.run_once():
                    rest = 0
                elif checkpoint_seconds:
                    rest = min(rest, max(due - steady(), 0))
            except EngineError as error:
                if error.exit_status != EXIT_IO:
                    raise
                facts = {"code": error.code, "message": error.message}
                LOGGER.warning("the store failed", extra={"facts": facts})
            stop.wait(rest)


def _checkpoint(store: Store, operator: Operator, stop: Stop) -> None:
    """Work through what is due, and log what became of it."""
    signed = 0
    worked = work_through(store, operator, stopped=stop.is_wanted, round_logs=_ROUND_LOGS)
    for claim, _, outcome in worked:
        if isinstance(outcome, CounterfoilError):
            facts = {
                "code": outcome.code,
                "message": outcome.message,
                "tenant": claim.tenant,
                "customerReference": f"0x{claim.log.hex()}",
            }
            LOGGER.warning("a log was not checkpointed", extra={"facts": facts})
        else:
            signed += outcome.outcome == "signed"
    if signed:
        LOGGER.debug("checkpoints were signed", extra={"facts": {"signed": signed}})
