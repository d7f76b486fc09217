"""A worker checkpoints what is due, of every tenant, shares the work with others, and closes months."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from counterfoil.core.entry import SEAL, parse_entry
from counterfoil.core.timestamp import parse_time
from counterfoil.engine import worker
from counterfoil.engine.checkpoint import Checkpointed, checkpoint_many
from counterfoil.engine.engine import Engine
from counterfoil.engine.seal import Sealing
from counterfoil.engine.store import TileKey
from counterfoil.engine.transact import transact
from counterfoil.engine.worker import work_through
from counterfoil.errors import EngineError
from tests.support import OPERATOR, SECOND, START, entries_of, recorded, refused, seeded

CLAIM = 60 * SECOND
HOUR = 3600 * SECOND
# The clock of the tests starts in April.
MAY, JUNE, SEPTEMBER = (parse_time(f"2026-0{month}-01T00:00:00.000000Z") for month in (5, 6, 9))


@pytest.fixture
def clock(clock):
    """Stands still until it is put elsewhere."""
    clock.tick = 0
    return clock


def work(store, **named):
    """What became of all that was due: (log, whether only its month was, outcome)."""
    return [
        (claim.log, closing, outcome.outcome if isinstance(outcome, Checkpointed) else outcome.code)
        for claim, closing, outcome in work_through(store, OPERATOR, **named)
    ]


def claim_all(store):
    """Claim as another worker does that then goes no further."""
    return transact(store, lambda transaction: transaction.claim(START, START + CLAIM, limit=1_000))


def seals(store, log):
    """The times of a log's seals."""
    entries = [parse_entry(row.entry) for row in entries_of(store, log)]
    return [parse_time(entry.recorded_at) for entry in entries if entry.type == SEAL]


def sizes(engine, customer="alice"):
    return [found.size for found in engine.checkpoints(customer)]


class TestWhatIsDue:
    def test_every_log_with_something_new_is_checkpointed_whichever_its_tenant(self, store, engine):
        other = Engine(store, OPERATOR, tenant="other", randomness=seeded(1))
        for customer in ("alice", "bob"):
            recorded(engine, 2, customer)
            recorded(other, 1, customer)
        logs = {each.log_of(customer) for each in (engine, other) for customer in ("alice", "bob")}
        assert {found[0] for found in work(store)} == logs
        assert [sizes(engine), sizes(other), sizes(engine, "bob"), sizes(other, "bob")] == [
            [4],
            [3],
            [4],
            [3],
        ]

    def test_it_says_whose_each_log_is_and_what_was_signed(self, store, engine):
        recorded(engine, 1)
        [(claim, closing, outcome)] = work_through(store, OPERATOR)
        assert (claim.log, claim.tenant, closing) == (engine.log_of("alice"), "default", False)
        assert (outcome.outcome, outcome.checkpoint.size) == ("signed", 3)
        assert parse_time(outcome.verified_through_at) == seals(store, claim.log)[0]

    def test_where_nothing_is_due_nothing_is_done(self, store, engine):
        recorded(engine, 1)
        work(store)
        assert work(store) == []
        assert sizes(engine) == [3]

    def test_more_than_a_round_holds_is_done_in_several(self, store, engine, monkeypatch):
        monkeypatch.setattr(worker, "ROUND_LOGS", 2)
        for customer in "abcde":
            recorded(engine, 1, customer)
        assert [found[2] for found in work(store)] == ["signed"] * 5

    def test_what_comes_in_meanwhile_is_left_to_the_next_call(self, store, engine):
        recorded(engine, 1)

        def stopped():
            recorded(engine, 1)
            return False

        assert len(work(store, stopped=stopped)) == 1
        assert len(work(store)) == 1
        assert sizes(engine) == [4, 6]

    def test_a_round_that_was_refused_leaves_those_before_it(self, store, engine, monkeypatch):
        monkeypatch.setattr(worker, "ROUND_LOGS", 1)
        for customer in ("alice", "bob"):
            recorded(engine, 1, customer)
        # Claim, seal, publish; the claim that closes months; then the second round's claim and seal.
        outcomes = work_through(Breaking(store, at=6), OPERATOR)
        assert isinstance(next(outcomes).outcome, Checkpointed)
        with refused("store-unavailable"):
            next(outcomes)
        assert sorted(sizes(engine) + sizes(engine, "bob")) == [3]


class Breaking:
    """A store that is away when it is written to for the `at`-th time."""

    def __init__(self, store, at):
        self._store = store
        self._left = at
        self.read = store.read

    @contextmanager
    def write(self):
        self._left -= 1
        if not self._left:
            raise EngineError("store-unavailable", "away")
        with self._store.write() as transaction:
            yield transaction


class TestClaims:
    def test_what_another_has_claimed_is_left_to_it_until_the_claim_runs_out(self, store, engine, clock):
        recorded(engine, 1)
        assert len(claim_all(store)) == 1
        clock.now = START + CLAIM - 1
        assert work(store) == []
        clock.now = START + CLAIM
        assert len(work(store)) == 1

    def test_a_worker_leaves_to_the_others_what_it_is_at(self, store, engine, meanwhile):
        recorded(engine, 1)
        seen = meanwhile(lambda: work(store))
        assert len(work(store)) == 1
        assert seen == [[]]

    def test_one_that_was_paused_for_longer_finds_that_another_was_first(
        self, store, engine, clock, meanwhile
    ):
        recorded(engine, 1)
        log = engine.log_of("alice")

        def another():
            clock.now += CLAIM
            return work(store)

        seen = meanwhile(another)
        assert work(store) == [(log, False, "unchanged")]
        assert seen == [[(log, False, "signed")]]
        assert sizes(engine) == [3]

    def test_a_checkpoint_ends_the_claim(self, store, engine):
        recorded(engine, 1)
        claim_all(store)
        engine.checkpoint("alice")
        recorded(engine, 1)
        assert len(work(store)) == 1

    def test_a_log_that_is_refused_holds_up_no_other_and_waits_for_its_claim_to_run_out(
        self, store, engine, clock
    ):
        recorded(engine, 1, "alice")
        clock.now = START + HOUR
        recorded(engine, 1, "bob")
        bob = engine.log_of("bob")
        clock.now = START
        assert set(work(store)) == {
            (bob, False, "clock-regressed"),
            (engine.log_of("alice"), False, "signed"),
        }
        clock.now = START + CLAIM - 1
        assert work(store) == []
        clock.now = START + CLAIM
        assert work(store) == [(bob, False, "clock-regressed")]
        clock.now = START + HOUR
        assert work(store) == [(bob, False, "signed")]

    def test_what_a_refusal_of_the_store_left_behind_is_due_again_once_the_claim_has_run_out(
        self, store, engine, clock
    ):
        recorded(engine, 1)
        with refused("store-unavailable"):
            work(Breaking(store, at=3))
        # The seal is there, its checkpoint is not.
        assert (len(seals(store, engine.log_of("alice"))), sizes(engine)) == (1, [])
        assert work(store) == []
        clock.now += CLAIM
        assert len(work(store)) == 1
        assert (len(seals(store, engine.log_of("alice"))), sizes(engine)) == (1, [3])


@pytest.fixture
def meanwhile(monkeypatch):
    """Do something when a worker has claimed logs, and before it begins with them; once."""

    def arrange(do):
        seen = []

        def delayed(*arguments, **named):
            monkeypatch.setattr(worker, "checkpoint_many", checkpoint_many)
            seen.append(do())
            return checkpoint_many(*arguments, **named)

        monkeypatch.setattr(worker, "checkpoint_many", delayed)
        return seen

    return arrange


class TestMonths:
    def test_a_log_is_sealed_once_after_the_end_of_a_month_with_a_delta(self, store, engine, clock):
        log = engine.log_of("alice")
        recorded(engine, 1)
        work(store)
        clock.now = MAY - 1
        assert work(store) == []
        clock.now = MAY
        assert work(store) == [(log, True, "signed")]
        assert work(store) == []
        for later in (MAY + HOUR, JUNE, SEPTEMBER):
            clock.now = later
            assert work(store) == []
        assert seals(store, log) == [START + 2, MAY]
        assert parse_time(engine.customer("alice").verified_through_at) == MAY

    def test_what_no_checkpoint_covers_by_then_needs_no_second_seal(self, store, engine, clock):
        recorded(engine, 1)
        clock.now = MAY
        assert work(store) == [(engine.log_of("alice"), False, "signed")]
        assert work(store) == []
        assert seals(store, engine.log_of("alice")) == [MAY]

    def test_a_worker_that_starts_months_later_closes_what_was_left_open_with_one_seal(
        self, store, engine, clock
    ):
        recorded(engine, 1)
        work(store)
        clock.now = SEPTEMBER + HOUR
        assert work(store) == [(engine.log_of("alice"), True, "signed")]
        assert work(store) == []
        assert seals(store, engine.log_of("alice")) == [START + 2, SEPTEMBER + HOUR]

    def test_a_log_without_a_delta_in_the_month_is_left_alone(self, store, engine, clock):
        recorded(engine, 1, "alice")
        clock.now = MAY
        recorded(engine, 1, "bob")
        work(store)
        clock.now = JUNE
        assert work(store) == [(engine.log_of("bob"), True, "signed")]

    def test_a_delta_of_the_new_month_lets_the_next_checkpoint_close_the_old_one(self, store, engine, clock):
        log = engine.log_of("alice")
        recorded(engine, 1)
        work(store)
        clock.now = MAY + HOUR
        recorded(engine, 1)
        assert work(store) == [(log, False, "signed")]
        assert work(store) == []
        clock.now = JUNE
        assert work(store) == [(log, True, "signed")]
        assert [time // HOUR * HOUR for time in seals(store, log)] == [START, MAY + HOUR, JUNE]

    def test_a_seal_of_the_old_month_that_waits_for_its_checkpoint_closes_nothing(self, store, engine, clock):
        log = engine.log_of("alice")
        recorded(engine, 1)
        clock.now = MAY - SECOND
        transact(store, lambda transaction: Sealing(transaction, "default", [log], refresh=False))
        clock.now = MAY
        assert work(store) == [(log, False, "signed"), (log, True, "signed")]
        assert work(store) == []
        assert seals(store, log) == [MAY - SECOND, MAY]

    def test_months_of_every_tenant_are_closed(self, store, engine, clock):
        other = Engine(store, OPERATOR, tenant="other", randomness=seeded(1))
        recorded(engine, 1)
        recorded(other, 1)
        work(store)
        clock.now = MAY
        assert set(work(store)) == {(each.log_of("alice"), True, "signed") for each in (engine, other)}

    def test_a_log_that_cannot_be_closed_holds_up_no_other(self, store, engine, clock):
        recorded(engine, 1, "alice")
        recorded(engine, 1, "bob")
        work(store)
        alice = engine.log_of("alice")
        with store.write() as transaction:
            transaction.lock_heads([alice])
            transaction.put_tiles({TileKey(alice, 0, 0): bytes(96)})
        clock.now = MAY
        assert set(work(store)) == {(alice, True, "log-corrupt"), (engine.log_of("bob"), True, "signed")}
        assert work(store) == []
        clock.now = MAY + CLAIM
        assert work(store) == [(alice, False, "log-corrupt")]
        # It has its seal, and gets no other one before that is signed.
        assert len(seals(store, alice)) == 2

    def test_they_are_closed_where_something_new_is_due_all_the_time_too(
        self, store, engine, clock, monkeypatch
    ):
        monkeypatch.setattr(worker, "ROUND_LOGS", 1)
        recorded(engine, 1, "alice")
        work(store)
        clock.now = MAY

        def stopped():
            recorded(engine, 1, "bob")
            return False

        outcomes = work_through(store, OPERATOR, stopped=stopped)
        assert [found.closing for found, _ in zip(outcomes, range(4), strict=False)] == [
            False,
            True,
            False,
            False,
        ]


class TestStopping:
    def test_it_stops_between_two_rounds_and_leaves_the_rest_unclaimed(self, store, engine, monkeypatch):
        monkeypatch.setattr(worker, "ROUND_LOGS", 1)
        for customer in ("alice", "bob"):
            recorded(engine, 1, customer)
        asked = iter([False, True])
        assert len(work(store, stopped=lambda: next(asked))) == 1
        assert len(work(store)) == 1

    def test_one_that_is_stopped_at_once_claims_nothing(self, store, engine):
        recorded(engine, 1)
        assert work(store, stopped=lambda: True) == []
        assert len(work(store)) == 1
