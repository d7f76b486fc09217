"""What was announced becomes deliveries: each once, to whom wants it, until it is delivered or given up."""

from itertools import pairwise

import pytest

from counterfoil.engine import webhook_deliveries
from counterfoil.engine.engine import Engine
from counterfoil.engine.service import Announcement, Delivery
from counterfoil.engine.transact import transact
from counterfoil.engine.webhook_deliveries import (
    ATTEMPTS_MAX,
    KEPT_SECONDS,
    LEASE_SECONDS,
    RETRY_SECONDS,
    delivery_page,
    prune,
    retry,
    settle,
    spread,
    take_due,
)
from counterfoil.engine.webhooks import remove_webhook, webhooks_of
from tests.engine.outbox import (
    DOWN,
    GONE,
    OK,
    announced,
    due,
    event_id,
    hook,
    ids,
    ids_of,
    settle_all,
    spread_all,
    stored,
)
from tests.engine.stepping import Crash, Stepping
from tests.support import OPERATOR, SECOND, recorded, refused, seeded

LEASE = LEASE_SECONDS * SECOND
DAY = 86_400 * SECOND
ALL = [
    "checkpoint.verified.x.4",
    "customer.created.x",
    "delta.verified.x.1",
    "delta.verified.x.2",
]


@pytest.fixture
def clock(clock):
    """Stands still until it is put elsewhere."""
    clock.tick = 0
    return clock


@pytest.fixture
def shop(store, engine):
    """Two deltas under a checkpoint, announced to one webhook."""
    hook(store)
    recorded(engine, 2)
    engine.checkpoint("alice")
    return store


def remove_only(store):
    """Remove the one webhook of the tenant; return it."""
    [webhook] = webhooks_of(store, "default")
    remove_webhook(store, "default", webhook.webhook_id)
    return webhook


class TestSpreading:
    def test_every_event_becomes_a_delivery_and_the_outbox_is_empty(self, shop):
        assert spread_all(shop) == 1
        assert announced(shop) == []
        assert ids(due(shop)) == ALL

    def test_seals_are_no_events(self, store, engine):
        hook(store, "delta.verified")
        for _ in range(3):
            recorded(engine, 1)
            engine.checkpoint("alice")
        spread_all(store)
        assert ids(due(store)) == [f"delta.verified.x.{index}" for index in (1, 3, 5)]

    def test_each_webhook_gets_the_kinds_that_it_wants(self, store, engine):
        wants = [
            hook(store, "customer.created", seed=1),
            hook(store, "delta.verified", "checkpoint.verified", seed=2),
            hook(store, seed=3),
        ]
        recorded(engine, 2)
        engine.checkpoint("alice")
        spread_all(store)
        taken = due(store)
        found = {each.webhook_id: ids([item for item in taken if item.webhook == each]) for each in wants}
        assert list(found.values()) == [ALL[1:2], [ALL[0], *ALL[2:]], ALL]

    def test_it_gets_those_of_its_tenant_alone(self, store, engine):
        other = hook(store, tenant="other", seed=1)
        hook(store, seed=2)
        recorded(engine, 1)
        recorded(Engine(store, OPERATOR, tenant="other", randomness=seeded(1)), 1)
        spread_all(store)
        taken = due(store)
        assert len(taken) == 2
        assert {each.delivery.tenant for each in taken if each.webhook == other} == {"other"}
        assert all(each.delivery.tenant == each.webhook.tenant for each in taken)

    def test_a_long_checkpoint_is_spread_in_steps_of_a_bounded_size(self, store, engine, monkeypatch):
        monkeypatch.setattr(webhook_deliveries, "_DELIVERIES", 10)
        hook(store, "delta.verified", seed=1)
        hook(store, "delta.verified", seed=2)
        recorded(engine, 23)
        engine.checkpoint("alice")
        sizes, progress = [0], []
        more = True
        while more:
            more = spread(store)
            sizes.append(len(stored(store)))
            progress += announced(store)
        assert max(after - before for before, after in pairwise(sizes)) <= 10
        assert [done for _, done in progress] == [5, 10, 15, 20]
        assert len(due(store)) == 2 * 23

    def test_a_long_checkpoint_holds_up_no_other_customers(self, store, engine, monkeypatch):
        hook(store, "delta.verified")
        long, short = sorted(("alice", "bob"), key=engine.log_of)
        for customer, count in ((long, 30), (short, 2)):
            recorded(engine, count, customer)
            engine.checkpoint(customer)
        monkeypatch.setattr(webhook_deliveries, "_DELIVERIES", 10)
        spread(store)
        assert sum(each.log == engine.log_of(short) for each in stored(store)) == 2
        assert len(stored(store)) <= 10
        spread_all(store)
        assert len(stored(store)) == 32

    def test_where_nobody_wants_deltas_a_long_checkpoint_takes_one_step(self, store, engine, monkeypatch):
        monkeypatch.setattr(webhook_deliveries, "_DELIVERIES", 10)
        hook(store, "checkpoint.verified")
        recorded(engine, 100)
        engine.checkpoint("alice")
        assert spread_all(store) == 1
        assert ids(due(store)) == ["checkpoint.verified.x.102"]

    def test_more_announcements_than_a_step_takes_are_spread_in_several(self, store, engine, monkeypatch):
        monkeypatch.setattr(webhook_deliveries, "_ANNOUNCEMENTS", 2)
        hook(store)
        for customer in "abcde":
            recorded(engine, 1, customer)
        assert spread_all(store) == 3
        assert ids(due(store)) == ["customer.created.x"] * 5

    def test_what_was_spread_already_is_not_sent_again(self, shop, engine):
        spread_all(shop)
        settle_all(shop, OK)
        log = engine.log_of("alice")
        transact(shop, lambda each: each.announce([Announcement(log, 4, 0, "default")]))
        spread_all(shop)
        assert due(shop) == []

    def test_events_of_a_log_are_made_in_its_order(self, store, engine, monkeypatch):
        monkeypatch.setattr(webhook_deliveries, "_DELIVERIES", 1)
        hook(store)
        for _ in range(2):
            recorded(engine, 2)
            engine.checkpoint("alice")
        made, more = [], True
        while more:
            more = spread(store)
            made += [name for name in ids_of(stored(store)) if name not in made]
        assert made == [
            "customer.created.x",
            "delta.verified.x.1",
            "delta.verified.x.2",
            "checkpoint.verified.x.4",
            "delta.verified.x.4",
            "delta.verified.x.5",
            "checkpoint.verified.x.7",
        ]

    @pytest.mark.parametrize("found", [[], [b"no entry"]])
    def test_an_entry_that_does_not_read_keeps_no_other_back(self, shop, monkeypatch, found):
        with shop.write() as transaction:
            kind = type(transaction)
        right = kind.entries

        def entries(self, log, start, end):
            rows = right(self, log, start, end)
            damaged = [row._replace(entry=data) for row in rows if row.index == 1 for data in found]
            return [*damaged, *(row for row in rows if row.index != 1)]

        monkeypatch.setattr(kind, "entries", entries)
        spread_all(shop)
        # Sending it will say what is wrong with it.
        assert ids(due(shop)) == ALL

    def test_without_a_webhook_what_was_announced_is_dropped(self, shop):
        remove_only(shop)
        spread_all(shop)
        assert (announced(shop), stored(shop)) == ([], [])

    def test_a_webhook_that_is_removed_while_its_events_are_spread_gets_none(self, shop, monkeypatch):
        webhook = remove_only(shop)
        # The step had read the webhooks before: on a server, transactions run side by side.
        monkeypatch.setattr(webhook_deliveries._Spreading, "_wanting", lambda *_: [webhook])  # noqa: SLF001
        spread_all(shop)
        assert (announced(shop), stored(shop)) == ([], [])


class TestTaking:
    def test_what_is_taken_is_leased_until_the_lease_ends(self, shop, clock):
        spread_all(shop)
        assert len(due(shop)) == 4
        assert due(shop) == []
        clock.now += LEASE - 1
        assert due(shop) == []
        clock.now += 1
        assert len(due(shop)) == 4

    def test_no_more_is_taken_than_there_is_room_for(self, shop):
        other = hook(shop, seed=8)
        spread_all(shop)
        taken = take_due(shop, lambda webhooks: [(each, 3) for each in webhooks if each == other], limit=9)
        assert [each.webhook for each in taken] == [other] * 3
        assert len(due(shop)) == 1 + 4

    def test_nor_more_in_all_than_the_limit(self, shop):
        hook(shop, seed=8)
        spread_all(shop)
        taken = take_due(shop, lambda webhooks: [(each, 3) for each in webhooks], limit=5)
        assert len(taken) == 5
        assert len(due(shop)) == 3

    def test_without_webhooks_nothing_is_asked_for(self, store):
        assert take_due(store, lambda _: pytest.fail("asked for room"), limit=9) == []


class TestSettling:
    def test_what_was_delivered_is_not_sent_again(self, shop, clock):
        spread_all(shop)
        assert settle_all(shop, OK) == 4
        clock.now += 365 * DAY
        assert due(shop) == []
        assert {(each.status, each.attempts, each.outcome) for each in stored(shop)} == {
            ("delivered", 1, "HTTP 204")
        }

    def test_what_failed_is_due_again_after_longer_and_longer_waits_until_it_is_given_up(
        self, store, clock, engine
    ):
        hook(store, "customer.created")
        recorded(engine, 1)
        spread_all(store)
        for attempt, seconds in enumerate(RETRY_SECONDS, start=1):
            assert settle_all(store, DOWN, seed=attempt) == 1
            [found] = stored(store)
            assert (found.status, found.attempts, found.outcome) == ("pending", attempt, "HTTP 503")
            wait = seconds * SECOND
            assert wait <= found.due_at - clock.now <= wait * 5 // 4
            clock.now = found.due_at - 1
            assert due(store) == []
            clock.now += 1
        assert settle_all(store, DOWN) == 1
        [found] = stored(store)
        assert (found.status, found.attempts, found.due_at) == ("failed", ATTEMPTS_MAX, clock.now)
        clock.now += 365 * DAY
        assert due(store) == []

    def test_waits_differ_so_that_what_failed_together_does_not_come_back_together(self, shop):
        spread_all(shop)
        settle_all(shop, DOWN)
        assert len({each.due_at for each in stored(shop)}) == 4

    def test_what_is_gone_is_given_up_at_once(self, shop):
        spread_all(shop)
        settle_all(shop, GONE)
        assert {(each.status, each.attempts) for each in stored(shop)} == {("failed", 1)}

    def test_what_is_settled_after_its_webhook_was_removed_is_let_go(self, shop):
        spread_all(shop)
        taken = due(shop)
        remove_webhook(shop, "default", taken[0].webhook.webhook_id)
        settle(shop, [(each.delivery, DOWN) for each in taken], randomness=seeded())
        assert stored(shop) == []

    def test_nothing_costs_no_transaction(self):
        settle(None, [], randomness=seeded())


class TestRemovedWebhooks:
    def test_they_get_nothing_more_and_what_was_settled_stays_listed(self, shop, engine):
        spread_all(shop)
        [taken, *_] = due(shop)
        settle(shop, [(taken.delivery, OK)], randomness=seeded())
        remove_webhook(shop, "default", taken.webhook.webhook_id)
        recorded(engine, 1)
        spread_all(shop)
        assert due(shop) == []
        assert [(event_id(each), each.status) for each in stored(shop)] == [
            (event_id(taken.delivery), "delivered")
        ]


class TestRetrying:
    @pytest.mark.parametrize("attempt", [OK, DOWN, GONE])
    def test_an_event_is_due_at_once_whatever_became_of_it(self, shop, attempt):
        spread_all(shop)
        settle_all(shop, attempt)
        wanted = event_id(stored(shop)[0])
        [again] = retry(shop, "default", wanted)
        assert (event_id(again), again.status) == (wanted, "pending")
        assert [event_id(each.delivery) for each in due(shop)] == [wanted]

    def test_after_ten_attempts_it_gets_one_more(self, store, clock, engine):
        hook(store, "customer.created")
        recorded(engine, 1)
        spread_all(store)
        while stored(store)[0].status == "pending":
            clock.now = stored(store)[0].due_at
            settle_all(store, DOWN)
        retry(store, "default", event_id(stored(store)[0]))
        assert settle_all(store, DOWN) == 1
        assert (stored(store)[0].status, stored(store)[0].attempts) == ("failed", ATTEMPTS_MAX + 1)

    def test_it_goes_to_every_webhook_that_is_there_still(self, shop):
        gone = hook(shop, seed=8)
        spread_all(shop)
        settle_all(shop, OK)
        remove_webhook(shop, "default", gone.webhook_id)
        [again] = retry(shop, "default", event_id(stored(shop)[0]))
        assert again.webhook_id != gone.webhook_id

    def test_of_a_removed_webhook_alone_there_is_nothing_to_retry(self, shop):
        spread_all(shop)
        settle_all(shop, GONE)
        [first, *_] = stored(shop)
        remove_webhook(shop, "default", first.webhook_id)
        with refused("record-not-found"):
            retry(shop, "default", event_id(first))
        assert stored(shop)[0].status == "failed"

    def test_another_tenants_event_is_as_if_it_were_not_there(self, shop):
        hook(shop, tenant="other", seed=8)
        spread_all(shop)
        settle_all(shop, OK)
        with refused("record-not-found"):
            retry(shop, "other", event_id(stored(shop)[0]))
        assert due(shop) == []

    @pytest.mark.parametrize("name", ["", "delta.verified", f"delta.verified.0x{'0' * 40}.1"])
    def test_what_is_no_event_is_refused(self, shop, name):
        with refused("record-not-found"):
            retry(shop, "default", name)


class TestListing:
    def test_deliveries_of_a_tenant_are_listed_by_status_and_in_pages(self, shop):
        hook(shop, tenant="other", seed=8)
        spread_all(shop)
        [first, *_] = due(shop)
        settle(shop, [(first.delivery, OK)], randomness=seeded())
        assert delivery_page(shop, "default", limit=10).total == 4
        [found], total = delivery_page(shop, "default", "delivered", limit=10)
        assert (event_id(found), total) == (event_id(first.delivery), 1)
        pages = [delivery_page(shop, "default", "pending", offset=at, limit=2) for at in (0, 2, 4)]
        assert [(len(page.deliveries), page.total) for page in pages] == [(2, 3), (1, 3), (0, 3)]
        assert delivery_page(shop, "other", limit=10) == ([], 0)

    def test_a_status_that_there_is_none_of_is_refused(self, store):
        with refused("invalid-field", "status"):
            delivery_page(store, "default", "sent", limit=10)


class TestPruning:
    def test_what_was_settled_a_month_ago_is_forgotten_and_nothing_else(self, shop, clock):
        spread_all(shop)
        [first, second, *_] = due(shop)
        settle(shop, [(first.delivery, OK)], randomness=seeded())
        clock.now += 1
        settle(shop, [(second.delivery, GONE)], randomness=seeded())
        clock.now += KEPT_SECONDS * SECOND
        assert prune(shop) is False
        assert len(stored(shop)) == 3
        assert stored(shop, status="delivered") == []
        clock.now += 365 * DAY
        prune(shop)
        assert {each.status for each in stored(shop)} == {"pending"}

    def test_more_than_a_step_removes_is_removed_in_several(self, shop, clock, monkeypatch):
        monkeypatch.setattr(webhook_deliveries, "_PRUNED", 3)
        spread_all(shop)
        settle_all(shop, OK)
        clock.now += KEPT_SECONDS * SECOND + 1
        assert [prune(shop), prune(shop), len(stored(shop))] == [True, False, 0]


# Transactions of `deliver`: four steps that spread, three of them with a look at what was removed; one takes, four settle.
STEPS = 11


def deliver(store, sent):
    """What a process does, again and again: spread, take, send, settle."""
    while spread(store):
        pass
    for delivery, _ in due(store):
        sent.append(event_id(delivery))
        settle(store, [(delivery, OK)], randomness=seeded())


class TestCrashes:
    """A process that dies at any transaction leaves nothing out: all arrives, under the same ids."""

    @pytest.mark.parametrize("step", range(STEPS))
    def test_each_event_arrives_at_least_once(self, shop, clock, step, monkeypatch):
        monkeypatch.setattr(webhook_deliveries, "_DELIVERIES", 2)
        sent = []
        stepping = Stepping(shop)
        stepping.crash_at(step)
        try:
            deliver(stepping, sent)
        except Crash:
            clock.now += LEASE
        deliver(shop, sent)
        assert sorted(set(sent)) == sorted(event_id(each) for each in stored(shop))
        assert len(set(sent)) == 4
        # One was sent when the process died, at most.
        assert len(sent) <= 5
        assert {each.status for each in stored(shop)} == {"delivered"}

    def test_the_crashes_reach_every_step(self, shop, monkeypatch):
        monkeypatch.setattr(webhook_deliveries, "_DELIVERIES", 2)
        stepping = Stepping(shop)
        deliver(stepping, [])
        assert stepping.steps == STEPS


def test_a_delivery_says_where_it_stands_and_nothing_secret():
    row = Delivery(bytes(20), "delta.verified", 1, "wh_1", "default", "pending", 0, 0, 0, "")
    assert "whsec" not in repr(row)
