"""What a store keeps for a server, beside the records: API keys, webhooks, and the outbox that feeds these.

A part of the `Store` protocol (`counterfoil.engine.store`), whose rules hold here too.  Nothing here is evidence: it
can be lost without a proof being the worse for it.  API keys and webhooks are few.  Announcements and deliveries grow
with the logs and are keyed by them; those methods that say so cross logs.

Source: docs/operations/server.md, docs/api/webhooks.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

EventKind = Literal["customer.created", "delta.verified", "checkpoint.verified"]
DeliveryStatus = Literal["pending", "delivered", "failed"]


class ApiKey(NamedTuple):
    """A key to the HTTP API, as it is kept: without its secret.

    Attributes:
        key_id: the public part, unique.
        tenant: whose customers it opens.
        environment: `live` or `test`, a word in the key and nothing else.
        label: what the operator calls it.
        scopes: `read`, `write`, or both, ascending, with a space between.
        secret_hash: SHA-256 of the secret, 32 bytes.
        created_at: in microseconds since 1970-01-01T00:00:00Z, as all times here.
        expires_at: from when on it opens nothing, None where it does not expire.
        revoked_at: when it was revoked, None where it was not.
    """

    key_id: str
    tenant: str
    environment: str
    label: str
    scopes: str
    secret_hash: bytes
    created_at: int
    expires_at: int | None
    revoked_at: int | None


class Webhook(NamedTuple):
    """Where a tenant's events are sent.

    Attributes:
        webhook_id: unique.
        tenant: whose events.
        url: where to.
        events: the kinds that are wanted, ascending, with spaces between.
        secret_version: which secret signs; from 1.  The secret itself follows from the operator's reference key.
        overlap_until: until when the secret before it signs as well, None where it does not.
        created_at: in microseconds.
    """

    webhook_id: str
    tenant: str
    url: str
    events: str
    secret_version: int
    overlap_until: int | None
    created_at: int


class Announcement(NamedTuple):
    """Something committed that is yet to be spread to the webhooks of a tenant: a row of the outbox.

    Attributes:
        log: the 20-byte customer reference.
        size: of the checkpoint that was published; 0 where the customer was created.
        done: entries of the log that were spread already: up to the size, from that of the checkpoint before.
        tenant: whose.
    """

    log: bytes
    size: int
    done: int
    tenant: str


class Delivery(NamedTuple):
    """One event on its way to one webhook.  What is sent is made from the log when it is sent.

    Attributes:
        log: the 20-byte customer reference.
        kind: of the event.
        number: the index of the delta, the size of the checkpoint, or 0.
        webhook_id: where to.
        tenant: whose.
        status: `pending`, `delivered`, or `failed` where nobody tries any more.
        attempts: how often it was tried.
        due_at: when it is to be tried next, in microseconds; of one that is not pending when that was settled.
        created_at: in microseconds.
        outcome: what the last attempt met, in a few words.
    """

    log: bytes
    kind: str
    number: int
    webhook_id: str
    tenant: str
    status: str
    attempts: int
    due_at: int
    created_at: int
    outcome: str


class ServiceReading(Protocol):
    """The part of a `ReadTransaction`."""

    def api_key(self, key_id: str) -> ApiKey | None:
        """Return the key of this public part, or None."""

    def api_keys(self) -> list[ApiKey]:
        """Return all keys, of all tenants, in the order in which they were made."""

    def webhooks(self, tenant: str | None) -> list[Webhook]:
        """Return the webhooks of a tenant, or with None of all, in the order in which they were made."""

    def deliveries(self, tenant: str, status: str | None, *, offset: int, limit: int) -> list[Delivery]:
        """Return deliveries of a tenant, of one status or of all, the newest `created_at` first.  Crosses logs."""

    def count_deliveries(self, tenant: str, status: str | None) -> int:
        """Return how many deliveries there are, of one status or of all.  Crosses logs."""

    def deliveries_of(self, log: bytes, kind: str, number: int) -> list[Delivery]:
        """Return the deliveries of one event."""


class ServiceWriting(ServiceReading, Protocol):
    """The part of a `WriteTransaction`."""

    def put_api_key(self, key: ApiKey) -> None:
        """Store a key, in place of one of the same public part."""

    def put_webhook(self, webhook: Webhook) -> None:
        """Store a webhook, in place of one of the same id."""

    def remove_webhook(self, webhook_id: str) -> None:
        """Remove a webhook, and its deliveries that are pending.  Crosses logs."""

    def announce(self, announcements: Sequence[Announcement]) -> None:
        """Put rows into the outbox, in place of those of the same log and size."""

    def take_announcements(self, limit: int) -> list[Announcement]:
        """Lock and return up to `limit` rows of the outbox, passing over what others have locked.  Crosses logs."""

    def remove_announcements(self, announcements: Sequence[Announcement]) -> None:
        """Take rows out of the outbox."""

    def add_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        """Add deliveries; one of the same event and webhook that is there already stays as it is."""

    def take_deliveries(self, webhook_id: str, now: int, until: int, *, limit: int) -> list[Delivery]:
        """Return up to `limit` pending deliveries to a webhook that are due at `now`, the longest due first, and make them due at `until`.

        So nobody else takes them up before that; they are returned as they stand then.  What others have locked is passed over.  By webhook, so that what
        piles up before one that does not answer is not gone through for the others.  Crosses logs.
        """

    def put_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        """Store deliveries in place of those of the same event and webhook; one that is not there any more is let go."""

    def prune_deliveries(self, before: int, *, limit: int) -> int:
        """Remove up to `limit` deliveries that were settled before a time; return how many.  Crosses logs."""
