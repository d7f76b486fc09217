"""The contract notices stores that find the wrong thing, or that serve wrongly; and how near a place the stores on SQL come."""

# ruff: noqa: SLF001  -- breaks stores from within, to see that the contract notices

from __future__ import annotations

import pytest
from tests.support import sql

from counterfoil.engine.store import NewEntry
from counterfoil.storage import memory, memory_service
from counterfoil.storage.memory import MemoryStore
from counterfoil.testing import STORE_CHECKS, finding, service
from counterfoil.testing.parts import append, count_of, make_entry, make_log, make_move, time_of


def answering(method, change):
    """A fault: what a method answers is changed before it is given."""

    def fault(patch):
        right = getattr(memory._Writing, method)
        for kind in (memory._Reading, memory._Writing):
            if hasattr(kind, method):
                patch.setattr(kind, method, lambda self, *args, **names: change(right(self, *args, **names)))

    return fault


def asking(method, change):
    """A fault: a method is asked something else."""

    def fault(patch):
        right = getattr(memory._Writing, method)
        for kind in (memory._Reading, memory._Writing):
            if hasattr(kind, method):
                patch.setattr(kind, method, lambda self, *args, **names: right(self, *change(*args), **names))

    return fault


def instead(method, other):
    """A fault: something else is done."""

    def fault(patch):
        for kind in (memory._Reading, memory._Writing):
            if hasattr(kind, method):
                patch.setattr(kind, method, other)

    return fault


def nothing(*_args):
    return None


def named(reading, tenant, fits):
    rows = reading._rows.names.values()
    return [each for each in rows if each.tenant == tenant and fits(each.customer_id)]


def deliveries_are_added_again(writing, deliveries):
    for row in deliveries:
        writing._set(writing._rows.deliveries, memory_service._key_of(row), row)


FAULTS = {
    "places end one early": (
        answering("near_times", lambda found: [(low, max(high - 1, 0)) for low, high in found]),
        finding.times_and_counts_lie_where_the_store_says,
    ),
    "places begin late": (
        answering("near_counts", lambda found: [(high, high) for _, high in found]),
        finding.times_and_counts_lie_where_the_store_says,
    ),
    "places end behind the log": (
        answering("near_counts", lambda found: [(low, high + 1) for low, high in found]),
        finding.a_log_that_is_not_there_has_no_places,
    ),
    "places are given once": (
        answering("near_times", lambda found: list(dict.fromkeys(found))),
        finding.times_and_counts_lie_where_the_store_says,
    ),
    "a checkpoint right at the size is above it": (
        asking("checkpoints_up_to", lambda wanted: [[(log, size - 1) for log, size in wanted]]),
        finding.the_newest_checkpoint_up_to_a_size_is_found,
    ),
    "the first sizes are answered": (
        asking("checkpoints_up_to", lambda wanted: [wanted[:9]]),
        finding.the_newest_checkpoint_up_to_a_size_is_found,
    ),
    "roots have no sign": (
        asking("checkpoints_by_root", lambda prefix: [abs(prefix)]),
        finding.checkpoints_are_found_by_their_root,
    ),
    "a root is known of another size": (
        asking("find_roots", lambda wanted: [[(log, 4, prefix) for log, _, prefix in wanted]]),
        finding.checkpoints_are_found_by_their_root,
    ),
    "every root is known": (
        instead("find_roots", lambda _self, wanted: {each[:2] for each in wanted}),
        finding.checkpoints_are_found_by_their_root,
    ),
    "logs bear the names of their tenant": (
        answering(
            "named_logs", lambda found: {log: each._replace(tenant="tenant-a") for log, each in found.items()}
        ),
        finding.customers_are_listed_by_name,
    ),
    "one checkpoint a root": (
        answering("checkpoints_by_root", lambda found: found[:1]),
        finding.checkpoints_are_found_by_their_root,
    ),
    "customers are sorted as people do": (
        answering("customers", lambda found: sorted(found, key=lambda each: each.customer_id.lower())),
        finding.customers_are_listed_by_name,
    ),
    "customers are those of all tenants": (
        instead("_named", lambda self, _tenant, _search: list(self._rows.names.values())),
        finding.customers_are_listed_by_name,
    ),
    "a search knows upper case": (
        instead("_named", lambda self, tenant, search: named(self, tenant, lambda name: search in name)),
        finding.customers_are_searched,
    ),
    "a search knows every language": (
        instead(
            "_named",
            lambda self, tenant, search: named(self, tenant, lambda name: search.lower() in name.lower()),
        ),
        finding.customers_are_searched,
    ),
    "keys are listed by name": (answering("api_keys", sorted), service.api_keys_come_back),
    "a key that is put again is another": (
        asking("put_api_key", lambda key: [key._replace(key_id=f"{key.key_id}{key.revoked_at or ''}")]),
        service.api_keys_come_back,
    ),
    "webhooks of all tenants": (asking("webhooks", lambda _tenant: [None]), service.webhooks_come_back),
    "a webhook stays": (instead("remove_webhook", nothing), service.webhooks_come_back),
    "announcements have no limit": (
        asking("take_announcements", lambda _limit: [99]),
        service.announcements_wait_until_they_are_removed,
    ),
    "an announcement stays as it was first": (
        instead("announce", lambda self, rows: [self._rows.outbox.setdefault(row[:2], row) for row in rows]),
        service.announcements_wait_until_they_are_removed,
    ),
    "an announcement is passed over": (
        answering("take_announcements", lambda found: found[1:]),
        service.no_two_take_the_same_announcement,
    ),
    "announcements of a log go together": (
        asking(
            "remove_announcements",
            lambda rows: [[row._replace(size=size) for row in rows for size in (0, row.size, 2**62)]],
        ),
        service.announcements_wait_until_they_are_removed,
    ),
    "deliveries are added again": (
        instead("add_deliveries", deliveries_are_added_again),
        service.deliveries_are_listed,
    ),
    "the oldest delivery comes first": (
        answering("deliveries", lambda found: found[::-1]),
        service.deliveries_are_listed,
    ),
    "deliveries of all tenants are counted": (
        instead("count_deliveries", lambda self, *_wanted: len(self._rows.deliveries)),
        service.deliveries_are_listed,
    ),
    "what was taken is due at once": (
        asking("take_deliveries", lambda webhook, now, _until: [webhook, now, now]),
        service.deliveries_are_taken_when_they_are_due,
    ),
    "what is due at the instant is not": (
        asking("take_deliveries", lambda webhook, now, until: [webhook, now - 1, until]),
        service.deliveries_are_taken_when_they_are_due,
    ),
    "deliveries are put that are gone": (
        instead("put_deliveries", deliveries_are_added_again),
        service.deliveries_are_settled,
    ),
    "what is pending outlives its webhook": (
        instead("remove_webhook", lambda self, name: self._remove(self._rows.webhooks, name)),
        service.what_is_pending_goes_with_its_webhook,
    ),
    "what was settled at the time is pruned": (
        asking("prune_deliveries", lambda before: [before + 1]),
        service.old_deliveries_are_pruned,
    ),
    "nothing is pruned": (instead("prune_deliveries", lambda *_, **__: 0), service.old_deliveries_are_pruned),
    "nothing is undone": (instead("undo", nothing), service.a_failed_block_serves_nobody),
    "no checkpoint is undone": (instead("undo", nothing), finding.checkpoints_are_found_by_their_root),
    "no name is undone": (instead("undo", nothing), finding.customers_are_listed_by_name),
}


def noticed():
    """Return the claims that the stores in memory do not keep."""
    found = []
    for check in STORE_CHECKS:
        if check.__module__ in (finding.__name__, service.__name__):
            try:
                check(lambda _name: MemoryStore(lambda: 1_775_034_000_000_000))
            except AssertionError:
                found.append(check)
    return found


def test_a_store_that_breaks_no_rule_passes():
    assert noticed() == []


@pytest.mark.parametrize("what", FAULTS)
def test_a_store_that_breaks_a_rule_does_not_pass(monkeypatch, what):
    fault, claim = FAULTS[what]
    fault(monkeypatch)
    assert claim in noticed()


def test_every_claim_notices_something():
    claims = {check for check in STORE_CHECKS if check.__module__ in (finding.__name__, service.__name__)}
    assert {claim for _, claim in FAULTS.values()} == claims


# How near.

LOG, OTHER = make_log(0), make_log(1)


@pytest.fixture(params=["sqlite", "postgres"])
def store(request):
    return request.getfixturevalue(f"{request.param}_store")


def settle(store, log, size):
    with store.write() as transaction:
        transaction.lock_heads([log])
        transaction.settle({log: size})


def test_a_place_is_known_to_the_bundle_and_behind_all_of_them_to_what_is_not_settled(store):
    append(store, LOG, 700)
    append(store, OTHER, 3)
    settle(store, LOG, 650)
    with store.read() as view:
        for wanted, near in ((view.near_times, time_of), (view.near_counts, count_of)):
            asked = [(LOG, near(index)) for index in (0, 255, 256, 300, 648, 650, 699)]
            asked += [(LOG, near(699) + 1), (OTHER, near(1))]
            assert wanted(asked) == [
                (0, 255), (0, 255), (256, 511), (256, 511), (512, 648), (649, 700), (649, 700), (649, 700), (0, 3),
            ]  # fmt: skip


def test_of_bundles_that_end_with_the_same_count_the_first_is_meant(store):
    """As where somebody asks for fresh checkpoints all the time: seals and nothing else."""
    rows = [make_entry(LOG, 0)]
    rows += [make_entry(LOG, 9)._replace(index=index, key_prefix=None) for index in range(1, 700)]
    with store.write() as transaction:
        transaction.lock_heads([LOG])
        transaction.append(rows, [make_move(LOG, 700)])
    settle(store, LOG, 650)
    with store.read() as view:
        assert view.near_counts([(LOG, 8), (LOG, 1), (LOG, 9)]) == [(0, 255), (0, 255), (649, 700)]


def test_a_range_whose_bundle_would_end_with_what_does_not_read_is_not_settled(store):
    for log in (LOG, OTHER):
        append(store, log, 300)
        nonsense = NewEntry(log, 300, b"nonsense", None, None, None)
        with store.write() as transaction:
            transaction.append([nonsense] if log == LOG else [make_entry(log, 300)], [make_move(log, 301)])
        append(store, log, 100)
    # The bundle of the entries 256 to 300 would end with it.
    settle(store, LOG, 302)
    settle(store, OTHER, 302)
    with store.read() as view:
        assert view.near_times([(log, time_of(270)) for log in (LOG, OTHER)]) == [(0, 401), (256, 300)]
        assert len(view.entries(LOG, 0, 401)) == 401
    # Inside of one it is in nobody's way.
    settle(store, LOG, 401)
    with store.read() as view:
        assert view.near_times([(LOG, time_of(270))]) == [(256, 399)]


def test_a_damaged_hint_changes_no_entry(sqlite_store):
    append(sqlite_store, LOG, 300)
    settle(sqlite_store, LOG, 300)
    with sqlite_store.read() as view:
        before = view.entries(LOG, 0, 300)
    assert sql(sqlite_store, "UPDATE bundles SET time = NULL, count = -1") == 2
    with sqlite_store.read() as view:
        assert view.entries(LOG, 0, 300) == before
        assert view.near_times([(LOG, time_of(5))]) == [(299, 300)]
