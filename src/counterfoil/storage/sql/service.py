"""The part of a transaction on SQL tables that serves a server: API keys, webhooks, outbox, deliveries."""

# ruff: noqa: D102  -- the protocols in counterfoil.engine.service say what each method does

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Select, delete, func, literal_column, select

from counterfoil.engine.service import Announcement, ApiKey, Delivery, Webhook
from counterfoil.storage.sql.running import Running
from counterfoil.storage.sql.schema import API_KEYS, DELIVERIES, OUTBOX, WEBHOOKS

if TYPE_CHECKING:
    from collections.abc import Sequence

# As the partial indexes have it: a parameter would keep the databases from using them.
_PENDING: Final = DELIVERIES.c.status == literal_column("'pending'")
_SETTLED: Final = DELIVERIES.c.status != literal_column("'pending'")


class ServiceReading(Running):
    """A `counterfoil.engine.service.ServiceReading`."""

    def api_key(self, key_id: str) -> ApiKey | None:
        found = self._select(select(API_KEYS).where(API_KEYS.c.key_id == key_id))
        return ApiKey._make(found[0]) if found else None

    def api_keys(self) -> list[ApiKey]:
        found = self._select(select(API_KEYS).order_by(API_KEYS.c.created_at, API_KEYS.c.key_id))
        return [ApiKey._make(row) for row in found]

    def webhooks(self, tenant: str | None) -> list[Webhook]:
        wanted = select(WEBHOOKS).order_by(WEBHOOKS.c.created_at, WEBHOOKS.c.webhook_id)
        if tenant is not None:
            wanted = wanted.where(WEBHOOKS.c.tenant == tenant)
        return [Webhook._make(row) for row in self._select(wanted)]

    def deliveries(self, tenant: str, status: str | None, *, offset: int, limit: int) -> list[Delivery]:
        newest = _deliveries(select(DELIVERIES), tenant, status).order_by(
            DELIVERIES.c.created_at.desc(), *DELIVERIES.primary_key
        )
        return [Delivery._make(row) for row in self._select(newest.offset(offset).limit(limit))]

    def count_deliveries(self, tenant: str, status: str | None) -> int:
        return self._count(_deliveries(select(func.count()).select_from(DELIVERIES), tenant, status))

    def deliveries_of(self, log: bytes, kind: str, number: int) -> list[Delivery]:
        event = select(DELIVERIES).where(
            DELIVERIES.c.log == log, DELIVERIES.c.kind == kind, DELIVERIES.c.number == number
        )
        return [Delivery._make(row) for row in self._select(event.order_by(DELIVERIES.c.webhook_id))]


class ServiceWriting(ServiceReading):
    """A `counterfoil.engine.service.ServiceWriting`."""

    def put_api_key(self, key: ApiKey) -> None:
        self._change(self._statements.put_api_keys, [key])

    def put_webhook(self, webhook: Webhook) -> None:
        self._change(self._statements.put_webhooks, [webhook])

    def remove_webhook(self, webhook_id: str) -> None:
        # Asked for first, because who only sends events has no right to remove webhooks, and comes here for their rest.
        if self._select(select(WEBHOOKS.c.webhook_id).where(WEBHOOKS.c.webhook_id == webhook_id)):
            self._execute(delete(WEBHOOKS).where(WEBHOOKS.c.webhook_id == webhook_id))
        self._execute(delete(DELIVERIES).where(DELIVERIES.c.webhook_id == webhook_id, _PENDING))

    def announce(self, announcements: Sequence[Announcement]) -> None:
        self._change(self._statements.announce, announcements)

    def take_announcements(self, limit: int) -> list[Announcement]:
        taken = select(OUTBOX).order_by(*OUTBOX.primary_key).limit(limit).with_for_update(skip_locked=True)
        return [Announcement._make(row) for row in self._select(taken)]

    def remove_announcements(self, announcements: Sequence[Announcement]) -> None:
        self._change(self._statements.remove_announcements, [(each.log, each.size) for each in announcements])

    def add_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        self._change(self._statements.add_deliveries, deliveries)

    def take_deliveries(self, webhook_id: str, now: int, until: int, *, limit: int) -> list[Delivery]:
        due = select(DELIVERIES).where(
            _PENDING, DELIVERIES.c.webhook_id == webhook_id, DELIVERIES.c.due_at <= now
        )
        longest = due.order_by(DELIVERIES.c.due_at).limit(limit)
        found = self._select(longest.with_for_update(skip_locked=True))
        taken = [Delivery._make(row)._replace(due_at=until) for row in found]
        self.put_deliveries(taken)
        return taken

    def put_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        self._change(self._statements.put_deliveries, deliveries)

    def prune_deliveries(self, before: int, *, limit: int) -> int:
        old = select(*DELIVERIES.primary_key).where(_SETTLED, DELIVERIES.c.due_at < before).limit(limit)
        found = self._select(old.with_for_update(skip_locked=True))
        self._change(self._statements.remove_deliveries, [tuple(row) for row in found])
        return len(found)


def _deliveries(statement: Select[Any], tenant: str, status: str | None) -> Select[Any]:
    wanted = statement.where(DELIVERIES.c.tenant == tenant)
    return wanted if status is None else wanted.where(DELIVERIES.c.status == status)
