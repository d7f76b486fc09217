"""Events reach their webhooks, signed as PacSpace's clients verify it, whatever dies in between."""

import threading
from collections import Counter

import pytest
from pacspace_sdk import WebhookVerificationError
from pacspace_sdk.webhooks.verify import Webhooks

from counterfoil import __version__
from counterfoil.engine.engine import Engine
from counterfoil.engine.service import Delivery
from counterfoil.engine.transact import transact
from counterfoil.engine.webhook_deliveries import LEASE_SECONDS, retry, settle, take_due
from counterfoil.engine.webhooks import add_webhook, remove_webhook, rotate_webhook, webhook_secret
from counterfoil.errors import EngineError
from counterfoil.storage.memory import MemoryStore
from counterfoil.web import deliver
from counterfoil.web.deliver import IN_FLIGHT_OF_ONE, THREADS, Deliverer
from counterfoil.web.outbound import Sender
from tests.engine.outbox import DOWN, OK, event_id, hook, stored
from tests.engine.stepping import Crash, Stepping
from tests.support import OPERATOR, SECOND, START, FakeClock, recorded, refused, seeded, sql
from tests.web.receiver import receiving, respond

LEASE = LEASE_SECONDS * SECOND
# The clock of the tests stands elsewhere than the one that the SDK looks at.
ANY_TIME = 10**10


@pytest.fixture
def clock(clock):
    """Stands still until it is put elsewhere."""
    clock.tick = 0
    return clock


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def make(clock):
    """Make deliverers, and end them after the test."""
    made = []

    def begin(store, send, clock=clock):
        made.append(Deliverer(store, OPERATOR, send, clock=clock, randomness=seeded(3)))
        return made[-1]

    yield begin
    for each in made:
        # What is in flight is let go: its threads end with what they wait for.
        each._threads.shutdown(wait=False, cancel_futures=True)  # noqa: SLF001


def here():
    """What sends to this host, whatever the name."""
    return Sender(allow_private=True, resolve=lambda _host, _port: ["127.0.0.1"]).send


def listen(store, receiver, *events, seed=7):
    """A webhook of the receiver."""
    wanted = {"events": events} if events else {}
    return add_webhook(store, "default", receiver.url, randomness=seeded(seed), allow_http=True, **wanted)


def shop(engine):
    """Two deltas under a checkpoint."""
    recorded(engine, 2)
    engine.checkpoint("alice")


def run(deliverer, passes=1_000):
    """Run passes until nothing is left to do."""
    for _ in range(passes):
        if not deliverer.run_once():
            return
    pytest.fail("it does not come to an end")


class Sent:
    """Stands for the network: keeps what is sent, and answers."""

    def __init__(self, answer=OK):
        self.requests = []
        self._answer = answer

    def __call__(self, request):
        self.requests.append(request)
        return self._answer

    @property
    def ids(self):
        return [dict(request.headers)["X-Event-ID"] for request in self.requests]


class TestWhatArrives:
    def test_every_event_with_its_headers_once(self, store, engine, receiver, make):
        listen(store, receiver)
        shop(engine)
        run(make(store, here()))
        assert sorted(each.headers["X-Event-ID"] for each in receiver.received) == sorted(
            event_id(each) for each in stored(store)
        )
        assert len(receiver.received) == 4
        for got in receiver.received:
            assert got.headers["Content-Type"] == "application/json"
            assert got.headers["User-Agent"] == f"counterfoil/{__version__}"
            assert got.headers["X-PacSpace-Timestamp"] == str(START // SECOND)
            assert got.headers["X-Event-ID"].startswith(got.headers["X-Webhook-Event"] + ".0x")
            assert got.headers["X-PacSpace-Signature"].startswith("v1=")
        assert {(each.status, each.attempts, each.outcome) for each in stored(store)} == {
            ("delivered", 1, "HTTP 204")
        }

    def test_pacspaces_client_verifies_and_reads_it(self, store, engine, receiver, make):
        webhook = listen(store, receiver)
        shop(engine)
        run(make(store, here()))
        client = Webhooks(webhook_secret(OPERATOR, webhook))
        events = [
            client.verify_from_headers(got.headers, got.body, tolerance=ANY_TIME) for got in receiver.received
        ]
        assert Counter(each["event"] for each in events) == {
            "customer.created": 1,
            "delta.verified": 2,
            "checkpoint.verified": 1,
        }
        assert [each["id"] for each in events] == [got.headers["X-Event-ID"] for got in receiver.received]

    def test_it_refuses_what_was_changed_or_signed_by_another(self, store, engine, receiver, make):
        webhook = listen(store, receiver, "customer.created")
        shop(engine)
        run(make(store, here()))
        [got] = receiver.received
        other = hook(store, seed=9)
        changed = got.body.replace("alice", "bobby")
        later = {**got.headers, "X-PacSpace-Timestamp": str(START // SECOND + 1)}
        for secret, headers, body in (
            (webhook, got.headers, changed),
            (webhook, later, got.body),
            (other, got.headers, got.body),
        ):
            client = Webhooks(webhook_secret(OPERATOR, secret))
            with pytest.raises(WebhookVerificationError):
                client.verify_from_headers(headers, body, tolerance=ANY_TIME)

    def test_during_a_rotation_either_secret_verifies_and_after_it_the_new_one(
        self, store, engine, receiver, make, clock
    ):
        old = listen(store, receiver, "customer.created")
        new = rotate_webhook(store, "default", old.webhook_id)
        deliverer = make(store, here())
        recorded(engine, 1, "alice")
        run(deliverer)
        clock.now = new.overlap_until
        recorded(engine, 1, "bob")
        run(deliverer)
        during, after = receiver.received
        for webhook, got, is_good in (
            (new, during, True),
            (old, during, True),
            (new, after, True),
            (old, after, False),
        ):
            client = Webhooks(webhook_secret(OPERATOR, webhook))
            try:
                client.verify_from_headers(got.headers, got.body, tolerance=ANY_TIME)
            except WebhookVerificationError:
                assert not is_good
            else:
                assert is_good

    def test_a_webhook_that_was_removed_gets_nothing_more(self, store, engine, make):
        webhook, other = hook(store), hook(store, seed=8, url="https://other.example.com/")
        shop(engine)
        remove_webhook(store, "default", webhook.webhook_id)
        shop(engine)
        sent = Sent()
        run(make(store, sent))
        assert {request.url for request in sent.requests} == {other.url}

    def test_what_is_not_committed_is_not_sent(self, store, engine, make, monkeypatch):
        hook(store)
        with store.write() as transaction:
            kind = type(transaction)
        announce = kind.announce

        def announce_and_break(self, announcements):
            announce(self, announcements)
            raise EngineError("out-of-space", "no room for more")

        monkeypatch.setattr(kind, "announce", announce_and_break)
        with refused("out-of-space"):
            shop(engine)
        monkeypatch.undo()
        sent = Sent()
        run(make(store, sent))
        assert sent.requests == []


class TestFailures:
    def test_a_receiver_that_comes_back_gets_it_under_the_same_id_signed_anew(
        self, store, engine, receiver, make, clock
    ):
        webhook = listen(store, receiver, "customer.created")
        recorded(engine, 1)
        receiver.answer = lambda handler: respond(handler, 503)
        deliverer = make(store, here())
        run(deliverer)
        receiver.answer = lambda handler: respond(handler, 200)
        clock.now = stored(store)[0].due_at
        run(deliverer)
        first, second = receiver.received
        assert first.headers["X-Event-ID"] == second.headers["X-Event-ID"]
        assert first.headers["X-PacSpace-Timestamp"] < second.headers["X-PacSpace-Timestamp"]
        client = Webhooks(webhook_secret(OPERATOR, webhook))
        client.verify_from_headers(second.headers, second.body, tolerance=ANY_TIME)
        assert [(each.status, each.attempts) for each in stored(store)] == [("delivered", 2)]

    def test_what_was_given_up_is_sent_again_by_hand(self, store, engine, receiver, make):
        listen(store, receiver, "customer.created")
        recorded(engine, 1)
        receiver.answer = lambda handler: respond(handler, 410)
        deliverer = make(store, here())
        run(deliverer)
        assert [each.status for each in stored(store)] == ["failed"]
        receiver.answer = lambda handler: respond(handler, 200)
        retry(store, "default", event_id(stored(store)[0]))
        run(deliverer)
        assert [each.status for each in stored(store)] == ["delivered"]

    def test_a_log_that_does_not_read_is_a_failure_of_its_event_alone(
        self, sqlite_store, sqlite_engine, make
    ):
        hook(sqlite_store, "checkpoint.verified")
        for customer in ("alice", "bob"):
            recorded(sqlite_engine, 1, customer)
            sqlite_engine.checkpoint(customer)
        sql(sqlite_store, "DELETE FROM checkpoints WHERE log = ?", sqlite_engine.log_of("alice"))
        sent = Sent()
        run(make(sqlite_store, sent))
        assert len(sent.requests) == 1
        assert sorted((each.status, each.outcome) for each in stored(sqlite_store)) == [
            ("delivered", "HTTP 204"),
            ("pending", "log-corrupt"),
        ]

    def test_a_delivery_to_another_tenants_webhook_is_given_up_and_not_sent(self, store, engine, make):
        webhook = hook(store, "customer.created", tenant="other")
        recorded(engine, 1)
        add_delivery(store, engine.log_of("alice"), "customer.created", webhook)
        sent = Sent()
        with make(store, sent) as deliverer:
            run(deliverer)
        assert sent.requests == []
        assert [(each.status, each.attempts) for each in stored(store)] == [("failed", 1)]

    @pytest.mark.parametrize("kind", ["customer.created", "delta.verified", "checkpoint.verified", "paid"])
    def test_a_delivery_of_what_the_tenant_has_not_is_not_sent(self, store, engine, make, kind):
        webhook = hook(store, tenant="other")
        shop(engine)
        add_delivery(store, engine.log_of("alice"), kind, webhook, tenant="other")
        sent = Sent()
        with make(store, sent) as deliverer:
            run(deliverer)
        assert sent.requests == []
        found = stored(store, tenant="other")
        assert [(each.status, each.outcome) for each in found] == [("pending", "record-not-found")]

    def test_a_defect_in_sending_is_a_failure_and_says_nothing_of_its_words(
        self, store, engine, make, caplog
    ):
        hook(store, "customer.created")
        recorded(engine, 1)

        def break_down(request):
            raise ValueError(request.url)

        run(make(store, break_down))
        assert [(each.status, each.outcome) for each in stored(store)] == [("pending", "internal")]
        assert "defect" in caplog.messages
        assert "token" not in repr([record.__dict__ for record in caplog.records])

    def test_a_store_that_is_away_when_it_is_to_be_settled_is_told_later(self, clock, make):
        store = Stepping(MemoryStore(clock))
        hook(store, "customer.created")
        open_log(store)
        sent = Sent()
        deliverer = make(store, sent)
        deliverer.run_once()
        store.before = away_once()
        with refused("store-unavailable"):
            run(deliverer)
        run(deliverer)
        assert len(sent.requests) == 1
        assert [each.status for each in stored(store)] == ["delivered"]

    def test_a_store_that_is_away_costs_no_attempt(self, clock, make):
        store = Stepping(MemoryStore(clock))
        hook(store, "customer.created")
        open_log(store)
        sent = Sent()
        deliverer = make(store, sent)
        # Spread, a look at what was removed, take; then the log is read.
        store.steps = 0
        store.before = away_once(at=3)
        with refused("store-unavailable"):
            deliverer.run_once()
        clock.now += LEASE
        run(deliverer)
        assert [(each.status, each.attempts) for each in stored(store)] == [("delivered", 1)]

    def test_a_clock_that_was_set_ends_the_pass_before_anything_is_taken(self, store, engine, make):
        hook(store)
        recorded(engine, 1)

        def regressed():
            raise EngineError("clock-regressed", "the host's clock was set")

        sent = Sent()
        with refused("clock-regressed"):
            make(store, sent, clock=regressed).run_once()
        run(make(store, sent))
        assert len(sent.requests) == 1


def add_delivery(store, log, kind, webhook, tenant="default"):
    """Put a row into the table, as whoever can write to it does."""
    row = Delivery(log, kind, 1, webhook.webhook_id, tenant, "pending", 0, START, START, "")
    transact(store, lambda transaction: transaction.add_deliveries([row]))


def open_log(store, customer="alice"):
    """Record a delta of a customer."""
    recorded(Engine(store, OPERATOR, randomness=seeded(customer)), 1, customer)


def away_once(at=0):
    """A hook of `Stepping` by which the store is away at one transaction, counted from 0."""
    left = [at]

    def before(_number):
        left[0] -= 1
        if left[0] == -1:
            raise EngineError("store-unavailable", "away")

    return before


class TestSlowReceivers:
    def test_one_that_does_not_answer_holds_up_no_other(self, store, engine, make):
        slow = hook(store, "delta.verified", seed=1, url="https://slow.example.com/")
        quick = hook(store, "delta.verified", seed=2, url="https://quick.example.com/")
        recorded(engine, 50)
        engine.checkpoint("alice")
        answered = threading.Event()
        waiting = []

        def send(request):
            if "slow" in request.url:
                waiting.append(request)
                assert answered.wait(60)
            return OK

        deliverer = make(store, send)
        for _ in range(1_000):
            deliverer.run_once()
            if sum(each.status == "delivered" for each in stored(store)) == 50:
                break
        assert {each.webhook_id for each in stored(store, status="delivered")} == {quick.webhook_id}
        assert {each.webhook_id for each in stored(store, status="pending")} == {slow.webhook_id}
        assert len(waiting) == IN_FLIGHT_OF_ONE
        answered.set()
        run(deliverer)
        assert len(stored(store, status="delivered")) == 100

    def test_no_more_is_taken_than_there_are_threads(self, clock, make):
        store = MemoryStore(clock)
        for seed in range(8):
            hook(store, "customer.created", seed=seed)
        for customer in range(10):
            open_log(store, f"c{customer}")
        answered = threading.Event()
        started = threading.Semaphore(0)

        def send(_request):
            started.release()
            assert answered.wait(60)
            return OK

        deliverer = make(store, send)
        for _ in range(3):
            deliverer.run_once()
        for _ in range(THREADS):
            assert started.acquire(timeout=60)
        leased = [each for each in stored(store) if each.due_at > clock.now]
        assert len(leased) == THREADS
        assert max(Counter(each.webhook_id for each in leased).values()) == IN_FLIGHT_OF_ONE
        answered.set()
        run(deliverer)
        assert len(stored(store, status="delivered")) == 80


class TestEnding:
    def test_what_is_in_flight_is_waited_for_and_written_down(self, store, engine, make):
        hook(store, "customer.created")
        recorded(engine, 1)
        started, answered = threading.Event(), threading.Event()

        def send(_request):
            started.set()
            assert answered.wait(60)
            return DOWN

        with make(store, send) as deliverer:
            deliverer.run_once()
            assert started.wait(60)
            answered.set()
        assert [(each.attempts, each.outcome) for each in stored(store)] == [(1, "HTTP 503")]


# Transactions of a pass over one event, and of the one that settles it: spread, a look at what was removed, take, read,
# prune; settle, spread, take.
STEPS = 8


def killed_and_followed(make, store, clock, step):
    """Deliver, be killed at a transaction, and let another go on, at once and when leases have ended; return what was sent."""
    stepping = Stepping(store)
    stepping.crash_at(step)
    sent = Sent()
    with pytest.raises(Crash):
        run(make(stepping, sent))
    for now in (clock.now, clock.now + LEASE):
        clock.now = now
        run(make(store, sent))
    return sent.ids


class TestCrashes:
    """Killed at any transaction: each event arrives at least once, under one id, and nothing else arrives."""

    @pytest.mark.parametrize("step", range(STEPS))
    def test_each_event_arrives_at_least_once(self, store, engine, clock, make, step):
        hook(store, "customer.created")
        recorded(engine, 1)
        arrived = killed_and_followed(make, store, clock, step)
        assert set(arrived) == {event_id(each) for each in stored(store)}
        assert len(arrived) in (1, 2)
        assert [each.status for each in stored(store)] == ["delivered"]

    def test_these_are_all_steps(self, store, engine, make, monkeypatch):
        # However long the thread takes to begin, there is one pass before its answer and one behind it.
        monkeypatch.setattr(deliver, "_BREATH_SECONDS", 60)
        hook(store, "customer.created")
        recorded(engine, 1)
        stepping = Stepping(store)
        run(make(stepping, Sent()))
        assert stepping.steps == STEPS

    @pytest.mark.parametrize("fault", ["settled-when-taken", "never-settled"])
    def test_a_planted_fault_is_caught(self, clock, make, monkeypatch, fault):
        """One that writes down that it sent before it sends loses an event; one that never does sends it again and again."""

        def settled_when_taken(store, room, *, limit):
            taken = take_due(store, room, limit=limit)
            settle(store, [(each.delivery, OK) for each in taken], randomness=seeded())
            return taken

        if fault == "settled-when-taken":
            monkeypatch.setattr(deliver, "take_due", settled_when_taken)
        else:
            monkeypatch.setattr(deliver, "settle", lambda *_, **__: None)
        counts = set()
        for step in range(STEPS - 3):
            store = MemoryStore(clock)
            hook(store, "customer.created")
            open_log(store)
            counts.add(len(killed_and_followed(make, store, clock, step)))
        assert counts - {1, 2} or [each.status for each in stored(store)] != ["delivered"]

    def test_before_it_is_spread_what_is_committed_is_kept(self, store, engine, make):
        hook(store)
        shop(engine)
        # The process that committed is gone, and nothing was in its memory.
        sent = Sent()
        run(make(store, sent))
        assert len(set(sent.ids)) == 4


class TestPruning:
    def test_old_deliveries_are_forgotten_by_the_way(self, store, engine, make, clock):
        hook(store, "customer.created")
        recorded(engine, 1)
        deliverer = make(store, Sent())
        run(deliverer)
        clock.now += 31 * 86_400 * SECOND
        run(deliverer)
        assert stored(store) == []

    def test_it_is_looked_for_once_an_hour(self, clock, make):
        store = Stepping(MemoryStore(FakeClock(tick=0)))
        deliverer = make(store, Sent())
        counts = []
        for now in (START, START + 1, START + 3_599 * SECOND, START + 3_600 * SECOND):
            clock.now = now
            store.steps = 0
            deliverer.run_once()
            counts.append(store.steps)
        assert counts == [3, 2, 2, 3]
