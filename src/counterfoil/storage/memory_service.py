"""The part of the store in memory that serves a server: API keys, webhooks, outbox, deliveries."""

# ruff: noqa: D102  -- the protocols in counterfoil.engine.service say what each method does

from __future__ import annotations

from typing import TYPE_CHECKING

from counterfoil.storage.memory_undo import Undoing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from counterfoil.engine.service import Announcement, ApiKey, Delivery, Webhook

    _DeliveryKey = tuple[bytes, str, int, str]


class ServiceRows:
    """What is stored of it."""

    def __init__(self) -> None:
        self.api_keys: dict[str, ApiKey] = {}
        self.webhooks: dict[str, Webhook] = {}
        self.outbox: dict[tuple[bytes, int], Announcement] = {}
        self.deliveries: dict[_DeliveryKey, Delivery] = {}


class ServiceReading:
    """A `counterfoil.engine.service.ServiceReading`."""

    _rows: ServiceRows

    def api_key(self, key_id: str) -> ApiKey | None:
        return self._rows.api_keys.get(key_id)

    def api_keys(self) -> list[ApiKey]:
        return sorted(self._rows.api_keys.values(), key=lambda key: (key.created_at, key.key_id))

    def webhooks(self, tenant: str | None) -> list[Webhook]:
        found = [each for each in self._rows.webhooks.values() if tenant in (None, each.tenant)]
        return sorted(found, key=lambda webhook: (webhook.created_at, webhook.webhook_id))

    def deliveries(self, tenant: str, status: str | None, *, offset: int, limit: int) -> list[Delivery]:
        found = sorted(self._deliveries(tenant, status), key=lambda each: (-each.created_at, _key_of(each)))
        return found[offset : offset + limit]

    def count_deliveries(self, tenant: str, status: str | None) -> int:
        return len(self._deliveries(tenant, status))

    def deliveries_of(self, log: bytes, kind: str, number: int) -> list[Delivery]:
        wanted = (log, kind, number)
        return sorted(row for key, row in self._rows.deliveries.items() if key[:3] == wanted)

    def _deliveries(self, tenant: str, status: str | None) -> list[Delivery]:
        rows = self._rows.deliveries.values()
        return [each for each in rows if each.tenant == tenant and status in (None, each.status)]


class ServiceWriting(Undoing, ServiceReading):
    """A `counterfoil.engine.service.ServiceWriting`."""

    def put_api_key(self, key: ApiKey) -> None:
        self._set(self._rows.api_keys, key.key_id, key)

    def put_webhook(self, webhook: Webhook) -> None:
        self._set(self._rows.webhooks, webhook.webhook_id, webhook)

    def remove_webhook(self, webhook_id: str) -> None:
        self._remove(self._rows.webhooks, webhook_id)
        for key, row in list(self._rows.deliveries.items()):
            if row.webhook_id == webhook_id and row.status == "pending":
                self._remove(self._rows.deliveries, key)

    def announce(self, announcements: Sequence[Announcement]) -> None:
        for row in announcements:
            self._set(self._rows.outbox, (row.log, row.size), row)

    def take_announcements(self, limit: int) -> list[Announcement]:
        return sorted(self._rows.outbox.values())[:limit]

    def remove_announcements(self, announcements: Sequence[Announcement]) -> None:
        for row in announcements:
            self._remove(self._rows.outbox, (row.log, row.size))

    def add_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        for row in deliveries:
            if _key_of(row) not in self._rows.deliveries:
                self._set(self._rows.deliveries, _key_of(row), row)

    def take_deliveries(self, webhook_id: str, now: int, until: int, *, limit: int) -> list[Delivery]:
        rows = self._rows.deliveries.values()
        pending = (row for row in rows if row.webhook_id == webhook_id and row.status == "pending")
        due = sorted(
            (row for row in pending if row.due_at <= now), key=lambda row: (row.due_at, _key_of(row))
        )
        taken = [row._replace(due_at=until) for row in due[:limit]]
        self.put_deliveries(taken)
        return taken

    def put_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        for row in deliveries:
            if _key_of(row) in self._rows.deliveries:
                self._set(self._rows.deliveries, _key_of(row), row)

    def prune_deliveries(self, before: int, *, limit: int) -> int:
        rows = self._rows.deliveries.items()
        old = [key for key, row in rows if row.status != "pending" and row.due_at < before][:limit]
        for key in old:
            self._remove(self._rows.deliveries, key)
        return len(old)


def _key_of(row: Delivery) -> _DeliveryKey:
    return row.log, row.kind, row.number, row.webhook_id
