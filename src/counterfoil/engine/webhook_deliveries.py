"""Deliveries: from what was announced to what each webhook got.

1. **Spread.**  An announcement becomes a delivery for each event in it and each webhook that wants the event, so many a
   transaction; `done` says how far it came.
2. **Take.**  Deliveries that are due are leased: whoever took them and died leaves them to the next.
3. **Send.**  No transaction is open meanwhile (`counterfoil.engine.webhook_events` makes what is sent).
4. **Settle.**  Delivered, or due again later, or given up.

A process that dies between two steps makes the next one send an event once more, under the same id; none is left out.

Source: docs/api/webhooks.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple, get_args

from counterfoil.core.entry import DELTA, parse_entry
from counterfoil.core.timestamp import MICROSECONDS
from counterfoil.engine.request import Randomness
from counterfoil.engine.service import Announcement, Delivery, DeliveryStatus, Webhook
from counterfoil.engine.store import Store, StoredEntry, WriteTransaction
from counterfoil.engine.transact import transact
from counterfoil.engine.webhook_events import (
    CHECKPOINT_VERIFIED,
    CUSTOMER_CREATED,
    DELTA_VERIFIED,
    parse_event_id,
)
from counterfoil.errors import EngineError, MalformedError

STATUSES: Final[tuple[DeliveryStatus, ...]] = get_args(DeliveryStatus)
# Seconds from each attempt to the next, some more by chance: that makes ten attempts within 14 hours.
RETRY_SECONDS: Final = (10, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 21_600)
ATTEMPTS_MAX: Final = len(RETRY_SECONDS) + 1
# A wait is up to a quarter longer than it says, so that what failed together does not come back together.
_JITTER_PARTS: Final = 4
_JITTER_BYTES: Final = 4
# Many times what sending takes.
LEASE_SECONDS: Final = 300
KEPT_SECONDS: Final = 30 * 86_400

# Of one transaction: it holds locks, or the whole store, for some tens of milliseconds.
_ANNOUNCEMENTS: Final = 256
_DELIVERIES: Final = 1_000
_PRUNED: Final = 1_000


class Attempt(NamedTuple):
    """What became of sending a delivery once.

    Attributes:
        delivered: whether the receiver took it.
        final: whether it is not to be tried again.
        outcome: in a few words.
    """

    delivered: bool
    final: bool
    outcome: str


class Taken(NamedTuple):
    """A delivery that is due and leased, and where it goes."""

    delivery: Delivery
    webhook: Webhook


class DeliveryPage(NamedTuple):
    """Deliveries of a tenant, the newest first, and how many there are in all."""

    deliveries: list[Delivery]
    total: int


def spread(store: Store) -> bool:
    """Make deliveries of what was announced, at most about 1,000; return whether there may be more to do.

    Raises:
        EngineError: what the store says.
    """
    step = transact(store, _Spreading)
    if step.webhook_ids:
        _let_go_of_removed(store, step.webhook_ids)
    return step.is_full


def _let_go_of_removed(store: Store, webhook_ids: set[str]) -> None:
    """Remove what came for webhooks that were removed meanwhile: they took their deliveries with them, but for these."""
    with store.read() as view:
        gone = webhook_ids - {webhook.webhook_id for webhook in view.webhooks(None)}

    def remove(transaction: WriteTransaction) -> None:
        for webhook_id in gone:
            transaction.remove_webhook(webhook_id)

    if gone:
        transact(store, remove)


class _Spreading:
    """One transaction of it.

    Attributes:
        webhook_ids: those that got something.
        is_full: whether it ended before all was done.
    """

    def __init__(self, transaction: WriteTransaction) -> None:
        self.webhook_ids: set[str] = set()
        self.is_full = False
        self._transaction = transaction
        self._deliveries: list[Delivery] = []
        taken = transaction.take_announcements(_ANNOUNCEMENTS)
        if not taken:
            return
        self._now = transaction.now()
        self._webhooks = transaction.webhooks(None)
        finished = self._spread_all(taken)
        self.is_full = len(finished) < len(taken) or len(taken) == _ANNOUNCEMENTS
        self.webhook_ids = {each.webhook_id for each in self._deliveries}
        transaction.add_deliveries(self._deliveries)
        transaction.remove_announcements(finished)

    def _spread_all(self, taken: Sequence[Announcement]) -> list[Announcement]:
        """Add what announcements stand for, as far as there is room; return those of which that was all.

        Those of one log in its order, and of several logs first the one with the least: a checkpoint of millions of
        deltas holds up no other customer's.
        """
        logs: dict[bytes, list[Announcement]] = {}
        for each in sorted(taken, reverse=True):
            logs.setdefault(each.log, []).append(each)
        waiting = [(_length(queue[-1]), log) for log, queue in logs.items()]
        heapify(waiting)
        finished: list[Announcement] = []
        while waiting and len(self._deliveries) < _DELIVERIES:
            _, log = heappop(waiting)
            if not self._spread(logs[log][-1]):
                break
            finished.append(logs[log].pop())
            if logs[log]:
                heappush(waiting, (_length(logs[log][-1]), log))
        return finished

    def _spread(self, announcement: Announcement) -> bool:
        """Add what one announcement stands for; return whether that was all of it."""
        if not announcement.size:
            self._add(announcement, CUSTOMER_CREATED, [0])
            return True
        done = self._spread_deltas(announcement)
        if done < announcement.size:
            self._transaction.announce([announcement._replace(done=done)])
            return False
        self._add(announcement, CHECKPOINT_VERIFIED, [announcement.size])
        return True

    def _spread_deltas(self, announcement: Announcement) -> int:
        """Add the deltas of some entries; return up to where in the log that was."""
        log, _, start, _ = announcement
        wanting = len(self._wanting(announcement, DELTA_VERIFIED))
        if not wanting:
            return announcement.size
        room = max((_DELIVERIES - len(self._deliveries)) // wanting, 1)
        end = min(start + room, announcement.size)
        rows = {row.index: row for row in self._transaction.entries(log, start, end)}
        numbers = [index for index in range(start, end) if _may_be_delta(rows.get(index))]
        self._add(announcement, DELTA_VERIFIED, numbers)
        return end

    def _wanting(self, announcement: Announcement, kind: str) -> list[Webhook]:
        return [
            webhook
            for webhook in self._webhooks
            if webhook.tenant == announcement.tenant and kind in webhook.events.split()
        ]

    def _add(self, announcement: Announcement, kind: str, numbers: Iterable[int]) -> None:
        log, _, _, tenant = announcement
        webhooks = self._wanting(announcement, kind)
        self._deliveries += [
            Delivery(log, kind, number, webhook.webhook_id, tenant, "pending", 0, self._now, self._now, "")
            for number in numbers
            for webhook in webhooks
        ]


def _length(announcement: Announcement) -> int:
    return announcement.size - announcement.done


def _may_be_delta(row: StoredEntry | None) -> bool:
    """Whether an entry is one, or cannot be read: sending it will say so, and nothing else waits for it."""
    try:
        return row is None or parse_entry(row.entry).type == DELTA
    except MalformedError:
        return True


def take_due(
    store: Store, room: Callable[[Sequence[Webhook]], Iterable[tuple[Webhook, int]]], *, limit: int
) -> list[Taken]:
    """Lease deliveries that are due.

    Args:
        store: where they are.
        room: returns of all webhooks, where there are any, those that may get something, in the order in which they are
            served, and how many deliveries each.
        limit: how many to lease at most.

    Raises:
        EngineError: what the store says.
    """

    def take(transaction: WriteTransaction) -> list[Taken]:
        taken: list[Taken] = []
        webhooks = transaction.webhooks(None)
        now = transaction.now()
        until = now + LEASE_SECONDS * MICROSECONDS
        for webhook, most in room(webhooks) if webhooks else ():
            if not (left := limit - len(taken)):
                break
            found = transaction.take_deliveries(webhook.webhook_id, now, until, limit=min(most, left))
            taken += [Taken(delivery, webhook) for delivery in found]
        return taken

    return transact(store, take)


def settle(store: Store, attempts: Sequence[tuple[Delivery, Attempt]], *, randomness: Randomness) -> None:
    """Write down what became of deliveries that were taken.

    Raises:
        EngineError: what the store says; then they are sent again when their leases end.
    """

    def write(transaction: WriteTransaction) -> None:
        now = transaction.now()
        transaction.put_deliveries([_settled(each, attempt, now, randomness) for each, attempt in attempts])

    if attempts:
        transact(store, write)


def _settled(delivery: Delivery, attempt: Attempt, now: int, randomness: Randomness) -> Delivery:
    attempts = delivery.attempts + 1
    status, due_at = "pending", now
    if attempt.delivered:
        status = "delivered"
    elif attempt.final or attempts >= ATTEMPTS_MAX:
        status = "failed"
    else:
        wait = RETRY_SECONDS[attempts - 1] * MICROSECONDS
        drawn = int.from_bytes(randomness(_JITTER_BYTES), "big")
        due_at += wait + (wait // _JITTER_PARTS * drawn >> 8 * _JITTER_BYTES)
    return delivery._replace(status=status, attempts=attempts, due_at=due_at, outcome=attempt.outcome)


def retry(store: Store, tenant: str, event_id: str) -> list[Delivery]:
    """Make an event due now, whatever became of it, for each webhook that it was meant for and that is there still.

    Where ten attempts were made, it gets one more.

    Returns:
        its deliveries.

    Raises:
        EngineError: `record-not-found`, where the tenant has no such event, or none of its webhooks.
    """
    try:
        event = parse_event_id(event_id)
    except MalformedError as error:
        raise EngineError("record-not-found", error.message) from error

    def write(transaction: WriteTransaction) -> list[Delivery]:
        webhook_ids = {webhook.webhook_id for webhook in transaction.webhooks(tenant)}
        found = [
            each for each in transaction.deliveries_of(event.log, event.kind, event.number)
            if each.tenant == tenant and each.webhook_id in webhook_ids
        ]  # fmt: skip
        if not found:
            raise EngineError("record-not-found", "there is no such event, or no webhook for it any more")
        now = transaction.now()
        due = [each._replace(status="pending", due_at=now) for each in found]
        transaction.put_deliveries(due)
        return due

    return transact(store, write)


def delivery_page(
    store: Store, tenant: str, status: str | None = None, *, offset: int = 0, limit: int
) -> DeliveryPage:
    """Return deliveries of a tenant, of one status or of all, the newest first.

    Raises:
        EngineError: `invalid-field`, where there is no such status.
    """
    if status is not None and status not in STATUSES:
        raise EngineError("invalid-field", f"status is one of {', '.join(STATUSES)}", field="status")
    with store.read() as view:
        return DeliveryPage(
            view.deliveries(tenant, status, offset=offset, limit=limit),
            view.count_deliveries(tenant, status),
        )


def prune(store: Store) -> bool:
    """Forget deliveries that were settled 30 days ago, at most 1,000; return whether there may be more."""

    def remove(transaction: WriteTransaction) -> int:
        before = transaction.now() - KEPT_SECONDS * MICROSECONDS
        return transaction.prune_deliveries(before, limit=_PRUNED)

    return transact(store, remove) == _PRUNED
