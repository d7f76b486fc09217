"""What a checkpoint worker does: claim logs that are due, of every tenant, and checkpoint them.

Due is a log with entries that no checkpoint covers, and one whose month is over and not closed: it gets one more seal,
behind the month's last instant, so that nothing can be added to the month any more.

Any number of workers, on any number of hosts, share a store.  A claim keeps two of them from doing the same work, and
is no lock: it runs out, so that the logs of a worker that died are taken up again, and a worker that was only paused
may find that another was first.  That only one checkpoint of a size is published is seen to elsewhere
(`counterfoil.engine.checkpoint`).

Source: docs/operations/workers.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from counterfoil.engine.checkpoint import ROUND_LOGS, Checkpointed, checkpoint_many
from counterfoil.engine.operator import Operator
from counterfoil.engine.store import Claim, Store, WriteTransaction
from counterfoil.engine.transact import transact
from counterfoil.errors import CounterfoilError, EngineError

# Many times what a round takes.  A log that was refused is tried again when its claim runs out.
CLAIM_SECONDS: Final = 60


class Worked(NamedTuple):
    """What became of one claimed log.

    Attributes:
        claim: the log, and whose it is.
        closing: whether it was due only because its month is over.
        outcome: as `counterfoil.engine.checkpoint.checkpoint_many` yields it.
    """

    claim: Claim
    closing: bool
    outcome: Checkpointed | CounterfoilError


def work_through(
    store: Store,
    operator: Operator,
    *,
    stopped: Callable[[], bool] = lambda: False,
    round_logs: int | None = None,
) -> Iterator[Worked]:
    """Checkpoint everything that is due and that nobody else has claimed; yield what became of each log.

    It ends with the first turn of rounds of which none was full; what becomes due after that is left to the next call.

    Args:
        store: whose logs.
        operator: who signs; the store's owner.
        stopped: asked before each round.
        round_logs: how many logs share the transactions of a round, 1,000 where nothing is said: fewer hold their locks for less
            time, and on SQLite the lock of the store.

    Raises:
        EngineError: what the store says; rounds that were yielded stand, and what else was claimed is due again in a
            minute.
    """
    limit = round_logs or ROUND_LOGS
    more = True
    while more:
        more = False
        # In turn, so that months are closed where something new is due at any time, too.
        for closing in (False, True):
            if stopped():
                return
            claims = _claim(store, limit, closing=closing)
            if not claims and not closing:
                claims = _claim_busy(store)
            # A round that is not full had all there was.  To ask again at once would give a busy log a checkpoint
            # for every few entries.
            more = more or len(claims) == limit
            yield from _checkpoint(store, operator, claims, closing=closing)


def _checkpoint(
    store: Store, operator: Operator, claims: Sequence[Claim], *, closing: bool
) -> Iterator[Worked]:
    # A log's origin names its tenant, so that each tenant has a round of its own.
    for tenant in dict.fromkeys(claim.tenant for claim in claims):
        mine = {claim.log: claim for claim in claims if claim.tenant == tenant}
        outcomes = checkpoint_many(store, operator, tenant, mine, refresh=closing)
        for claim, outcome in zip(mine.values(), outcomes, strict=True):
            yield Worked(claim, closing, outcome)


def _claim(store: Store, limit: int, *, closing: bool) -> list[Claim]:
    def claim(transaction: WriteTransaction) -> list[Claim]:
        take = transaction.claim_to_close if closing else transaction.claim
        now = transaction.now()
        return take(now, now + CLAIM_SECONDS * 1_000_000, limit=limit)

    return transact(store, claim)


def _claim_busy(store: Store) -> list[Claim]:
    """Claim what was passed over because somebody writes to it all the time: alone, with no lock in hand to wait with."""

    def claim(transaction: WriteTransaction) -> list[Claim]:
        now = transaction.now()
        return transaction.claim_furthest_behind(now, now + CLAIM_SECONDS * 1_000_000)

    try:
        return transact(store, claim)
    except EngineError as error:
        if error.code != "store-unavailable":
            raise
        # Whoever holds it has not let go within a second: the next call tries again, and other work goes on.
        return []
