"""What a store keeps for a server: API keys, webhooks, announcements and deliveries."""

from __future__ import annotations

from contextlib import closing
from typing import Final

from counterfoil.engine.service import Announcement, ApiKey, Delivery, Webhook
from counterfoil.engine.store import ReadTransaction, Store
from counterfoil.testing.parts import (
    OTHER_TENANT,
    TENANT,
    WATCH_SECONDS,
    MakeStore,
    equal,
    finish,
    make_log,
    require,
    start,
)

_MANY: Final = 40
_HASH: Final = bytes(range(32))


def api_keys_come_back(make_store: MakeStore) -> None:
    """Each as it was put last; all of them in the order in which they were made."""
    one = ApiKey("k-0", TENANT, "live", "first ' key", "read write", _HASH, 2**53 + 1, None, None)
    other = ApiKey("k-1", OTHER_TENANT, "test", "", "read", bytes(32), 2**53, 2**62, -1)
    with closing(make_store("api-keys")) as store:
        with store.write() as transaction:
            equal(transaction.api_keys(), [], "an empty store has no keys")
            transaction.put_api_key(one)
            transaction.put_api_key(other)
            equal(transaction.api_key("k-0"), one, "a transaction reads its own writes")
        with store.read() as view:
            found = [view.api_key(name) for name in ("k-0", "k-1", "k-2", "")]
            equal(found, [one, other, None, None], "a key by its public part")
            equal(view.api_keys(), [other, one], "all keys, the one made first before the other")
        revoked = one._replace(label="revoked", revoked_at=7, expires_at=9)
        with store.write() as transaction:
            transaction.put_api_key(revoked)
        with store.read() as view:
            equal(view.api_keys(), [other, revoked], "a key that is put again takes the place of the first")


def webhooks_come_back(make_store: MakeStore) -> None:
    """Each as it was put last; those of a tenant and all of them in the order in which they were made."""
    one, two, three = (
        Webhook(f"hook-{3 - number}", tenant, "https://example.com/ä", "delta.verified", 1, None, number)
        for number, tenant in enumerate((TENANT, OTHER_TENANT, TENANT))
    )
    with closing(make_store("webhooks")) as store:
        with store.write() as transaction:
            equal(transaction.webhooks(None), [], "an empty store has no webhooks")
            for webhook in (three, one, two):
                transaction.put_webhook(webhook)
        with store.read() as view:
            found = [view.webhooks(tenant) for tenant in (None, TENANT, OTHER_TENANT, "tenant-c")]
            equal(found, [[one, two, three], [one, three], [two], []], "webhooks as they were made")
        changed = one._replace(url="http://b", events="", secret_version=2**40, overlap_until=2**62)
        with store.write() as transaction:
            transaction.put_webhook(changed)
            transaction.remove_webhook(two.webhook_id)
            transaction.remove_webhook("hook-9")
        with store.read() as view:
            equal(view.webhooks(None), [changed, three], "a webhook is replaced, another removed")


def announcements_wait_until_they_are_removed(make_store: MakeStore) -> None:
    """The outbox holds one a log and size, the last; what is taken and not removed is there again."""
    one, two = make_log(0), make_log(1)
    rows = [
        Announcement(log, size, done, tenant)
        for log, tenant in ((one, TENANT), (two, OTHER_TENANT))
        for size, done in ((0, 0), (2**62, 5))
    ]
    with closing(make_store("outbox")) as store:
        with store.write() as transaction:
            equal(transaction.take_announcements(9), [], "an empty outbox")
            transaction.announce([rows[0]._replace(tenant=OTHER_TENANT), rows[1]._replace(done=1)])
            transaction.announce(rows)
            transaction.announce([])
        for limit in (0, 1, 3, 4, 9):
            with store.write() as transaction:
                taken = transaction.take_announcements(limit)
                equal(len(taken), min(limit, 4), f"{limit} of 4 announcements")
                require(set(taken) <= set(rows), "an announcement comes back as it was put last")
        with store.write() as transaction:
            transaction.remove_announcements([rows[0], rows[3]._replace(done=0), rows[0]._replace(size=7)])
            transaction.remove_announcements([])
        with store.write() as transaction:
            left = sorted(transaction.take_announcements(9))
            equal(left, sorted(rows[1:3]), "those named by log and size are removed, and no others")


def no_two_take_the_same_announcement(make_store: MakeStore) -> None:
    """Transactions side by side that take and remove get different ones, and together all of them."""
    rows = [Announcement(make_log(number), number, 0, TENANT) for number in range(_MANY)]
    with closing(make_store("outbox-rivals")) as store:
        with store.write() as transaction:
            transaction.announce(rows)
        got: list[Announcement] = []

        def rival() -> None:
            while True:
                with store.write() as transaction:
                    taken = transaction.take_announcements(3)
                    transaction.remove_announcements(taken)
                if not taken:
                    return
                got.extend(taken)

        with store.write() as transaction:
            held = transaction.take_announcements(5)
            transaction.remove_announcements(held)
            threads = [start(rival) for _ in range(4)]
            for thread in threads:
                thread.join(WATCH_SECONDS / len(threads))
        for thread in threads:
            finish(thread)
        equal(sorted([*held, *got]), sorted(rows), "each announcement is taken by one alone")


def deliveries_are_listed(make_store: MakeStore) -> None:
    """Those of a tenant, the newest first, of one status or of all, in pages; those of one event."""
    rows = _deliveries(12)
    with closing(make_store("deliveries")) as store:
        with store.write() as transaction:
            transaction.add_deliveries([])
            transaction.add_deliveries(rows[::2])
            # What is there already stays as it is.
            transaction.add_deliveries(rows)
            transaction.add_deliveries([row._replace(outcome="again", status="failed") for row in rows])
        with store.read() as view:
            for tenant in (TENANT, OTHER_TENANT, "tenant-c"):
                for status in (None, "pending", "delivered", "failed", "other"):
                    _require_listed(view, rows, tenant, status)
            for row in rows:
                same = [each for each in rows if each[:3] == row[:3]]
                found = view.deliveries_of(row.log, row.kind, row.number)
                equal(sorted(found), sorted(same), "the deliveries of one event")
            for absent in ((make_log(99), "a", 0), (rows[0].log, "other", 0), (rows[0].log, "a", 99)):
                equal(view.deliveries_of(*absent), [], "an event without deliveries has none")


def _require_listed(view: ReadTransaction, rows: list[Delivery], tenant: str, status: str | None) -> None:
    wanted = [row for row in rows if row.tenant == tenant and status in (None, row.status)]
    wanted.sort(key=lambda row: -row.created_at)
    words = f"deliveries of {tenant}, status {status}"
    equal(view.deliveries(tenant, status, offset=0, limit=99), wanted, f"{words}, the newest first")
    equal(view.count_deliveries(tenant, status), len(wanted), f"the number of {words}")
    pages = [view.deliveries(tenant, status, offset=offset, limit=2) for offset in (0, 2, 4, 99)]
    equal(pages, [wanted[:2], wanted[2:4], wanted[4:6], []], f"{words}, in pages")


def deliveries_are_taken_when_they_are_due(make_store: MakeStore) -> None:
    """Those of one webhook that are pending, the longest due first, and not again until then."""
    log = make_log(0)
    rows = [
        Delivery(log, "a", number, "hook", TENANT, "pending", 0, 100 - number, 1, "") for number in range(5)
    ]
    others = [
        rows[0]._replace(webhook_id="hook-2"),
        rows[0]._replace(number=7, status="delivered"),
        rows[0]._replace(number=8, status="failed"),
    ]
    with closing(make_store("due")) as store:
        with store.write() as transaction:
            transaction.add_deliveries([*rows, *others])
        equal(_take(store, 95, 200, 9), [], "nothing is due at 95")
        equal(_take(store, 97, 200, 9), [4, 3], "at 97 two are due, the longest first")
        equal(_take(store, 100, 200, 2), [2, 1], "what was taken is not taken again, and two is the limit")
        equal(_take(store, 199, 300, 9), [0], "the last one is left")
        equal(
            sorted(_take(store, 200, 300, 9)), [1, 2, 3, 4], "at 200 those are due again that nobody settled"
        )
        equal(_take(store, 100, 200, 9, "hook-2"), [0], "another webhook has its own")
        equal(_take(store, 10**9, 10**9, 9, "hook-3"), [], "and one without deliveries has none")
        with store.read() as view:
            due = {row.number: row.due_at for row in view.deliveries_of(log, "a", 4)}
            equal(due, {4: 300}, "what was taken is due later")


def _take(store: Store, now: int, until: int, limit: int, webhook: str = "hook") -> list[int]:
    with store.write() as transaction:
        taken = transaction.take_deliveries(webhook, now, until, limit=limit)
        require(all(row.due_at == until for row in taken), "what is taken comes as it stands from then on")
        return [row.number for row in taken]


def deliveries_are_settled(make_store: MakeStore) -> None:
    """`put_deliveries` replaces what is there; nothing comes back that was removed."""
    one, two, *rest = rows = _deliveries(6)
    with closing(make_store("settled-deliveries")) as store:
        with store.write() as transaction:
            transaction.add_deliveries(rows)
        done = one._replace(
            status="failed", attempts=2**40, due_at=2**62, outcome="status 500 ä", created_at=9
        )
        with store.write() as transaction:
            transaction.put_deliveries([done, two._replace(webhook_id="gone"), two._replace(number=99)])
            transaction.put_deliveries([])
        with store.read() as view:
            found = [
                row
                for tenant in (TENANT, OTHER_TENANT)
                for row in view.deliveries(tenant, None, offset=0, limit=99)
            ]
            equal(sorted(found), sorted([done, two, *rest]), "the one that is there is replaced")


def what_is_pending_goes_with_its_webhook(make_store: MakeStore) -> None:
    """Removing a webhook removes its deliveries that are pending, and no others."""
    rows = _deliveries(30)
    gone = [row for row in rows if row.webhook_id == "hook-1" and row.status == "pending"]
    with closing(make_store("removed-webhook")) as store:
        with store.write() as transaction:
            transaction.add_deliveries(rows)
            transaction.remove_webhook("hook-1")
        require(gone, "some are pending")
        equal(_all(store), sorted(set(rows) - set(gone)), "what is pending of the webhook is gone")


def old_deliveries_are_pruned(make_store: MakeStore) -> None:
    """Settled ones from before a time, up to a limit; never a pending one."""
    rows = _deliveries(30)
    with closing(make_store("pruned")) as store:
        with store.write() as transaction:
            transaction.add_deliveries(rows)
            equal(transaction.prune_deliveries(100, limit=99), 0, "nothing is from before the first")
        old = {row for row in rows if row.status != "pending" and row.due_at < 112}  # noqa: PLR2004  -- of the test
        removed = []
        while count := _prune(store, 112, 4):
            removed.append(count)
        equal(removed, [4] * (len(old) // 4) + [len(old) % 4] * (len(old) % 4 > 0), "up to four at a time")
        equal(_all(store), sorted(set(rows) - old), "what was settled before 112 is gone, and no more")


def _prune(store: Store, before: int, limit: int) -> int:
    with store.write() as transaction:
        return transaction.prune_deliveries(before, limit=limit)


def a_failed_block_serves_nobody(make_store: MakeStore) -> None:
    """Keys, webhooks, announcements and deliveries of a block that fails are as before it."""
    rows = _deliveries(6)
    failure = ValueError("from the block")
    key = ApiKey("k", TENANT, "live", "", "read", _HASH, 1, None, None)
    webhook = Webhook("hook-1", TENANT, "https://example.com", "", 1, None, 1)
    announcements = [Announcement(make_log(number), 5, 0, TENANT) for number in range(2)]
    with closing(make_store("service-undone")) as store:
        with store.write() as transaction:
            transaction.put_api_key(key)
            transaction.put_webhook(webhook)
            transaction.announce(announcements[:1])
            transaction.add_deliveries(rows[:4])
        before = _served(store)
        try:
            with store.write() as transaction:
                transaction.put_api_key(key._replace(revoked_at=5))
                transaction.put_api_key(key._replace(key_id="new"))
                transaction.put_webhook(webhook._replace(webhook_id="new"))
                transaction.remove_webhook("hook-1")
                transaction.announce(announcements)
                transaction.remove_announcements(announcements[:1])
                transaction.add_deliveries(rows)
                transaction.put_deliveries([rows[0]._replace(outcome="other")])
                transaction.take_deliveries("hook-0", 10**9, 10**9, limit=9)
                transaction.prune_deliveries(10**9, limit=9)
                raise failure
        except ValueError as error:
            require(error is failure, "an exception of the block comes out unchanged")
        equal(_served(store), before, "a failed block changes nothing that serves")


def _served(store: Store) -> tuple[object, ...]:
    with store.write() as transaction:
        found = (
            transaction.api_keys(),
            transaction.webhooks(None),
            sorted(transaction.take_announcements(9)),
        )
    return (*found, _all(store))


def _all(store: Store) -> list[Delivery]:
    with store.read() as view:
        return sorted(
            row
            for tenant in (TENANT, OTHER_TENANT)
            for row in view.deliveries(tenant, None, offset=0, limit=999)
        )


def _deliveries(count: int) -> list[Delivery]:
    """Deliveries of two tenants, each event to three webhooks, of every status, each newer than the one before."""
    return [
        Delivery(
            make_log(event % 2),
            ("a", "b.c")[event % 4 > 1],
            event // 4,
            f"hook-{number % 3}",
            (TENANT, OTHER_TENANT)[event % 2],
            ("pending", "delivered", "failed")[number % 5 % 3],
            number,
            100 + number,
            1_000 + number,
            "" if number % 2 else "status 200",
        )
        for number in range(count)
        for event in (number // 3,)
    ]
