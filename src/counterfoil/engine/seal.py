"""Sealing: the first step of a checkpoint.

Under the head lock the seal is appended, and the transaction commits: from then on what is signed is fixed, so that
a retry signs the same bytes.  A seal that has no checkpoint yet gets its own before another is appended.

Source: docs/spec/checkpoint.md, docs/spec/entry.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from counterfoil.core.entry import format_seal
from counterfoil.core.timestamp import format_time, to_microseconds
from counterfoil.engine.clock import next_time
from counterfoil.engine.store import Head, HeadMove, NewEntry, WriteTransaction
from counterfoil.engine.stored import no_such_customer, read_last
from counterfoil.errors import CounterfoilError, EngineError


class Sealing:
    """Seals what needs a seal, in one transaction.

    Attributes:
        pending: heads with a seal that has no checkpoint yet.
        fresh: heads that were given a seal.
        unchanged: heads with nothing new.
        newest: the checkpoints of those.
        refused: what the others met.
    """

    def __init__(
        self, transaction: WriteTransaction, tenant: str, logs: Sequence[bytes], *, refresh: bool
    ) -> None:
        self.pending: list[Head] = []
        self.fresh: list[Head] = []
        self.unchanged: list[Head] = []
        self.refused: dict[bytes, CounterfoilError] = {}
        self._rows: list[NewEntry] = []
        self._moves: list[HeadMove] = []
        heads = transaction.lock_heads(logs)
        now = transaction.now()
        for log in logs:
            head = heads.get(log)
            if head is None or head.tenant != tenant:
                self.refused[log] = no_such_customer()
            elif head.sealed_size > head.checkpoint_size:
                self.pending.append(head)
            elif head.size > head.checkpoint_size or refresh:
                self._seal(head, now)
            else:
                self.unchanged.append(head)
        transaction.append(self._rows, self._moves)
        self.newest = transaction.newest_checkpoints([head.log for head in self.unchanged])

    def _seal(self, head: Head, now: int) -> None:
        try:
            row, move = _seal_of(head, now)
        except EngineError as error:
            self.refused[head.log] = error
            return
        self._rows.append(row)
        self._moves.append(move)
        self.fresh.append(
            head._replace(
                size=move.size,
                sealed_size=move.sealed_size,
                close_at=move.close_at,
                last_entry=row.entry,
            )
        )


def _seal_of(head: Head, now: int) -> tuple[NewEntry, HeadMove]:
    last = read_last(head)
    time = next_time(now, to_microseconds(last.recorded_at))
    entry = NewEntry(head.log, head.size, format_seal(last, format_time(time)), None, None, None)
    size = head.size + 1
    # A seal at or behind the end of a month closes it.
    still_open = head.close_at if head.close_at is not None and time < head.close_at else None
    return entry, HeadMove(head.log, head.tenant, size, size, still_open)
