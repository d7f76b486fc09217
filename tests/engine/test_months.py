"""Until when a log's month goes on: a delta opens it, the first seal behind its end closes it."""

import pytest

from counterfoil.core.timestamp import month_end, to_microseconds
from counterfoil.engine.engine import Engine
from tests.engine.stepping import Crash, Stepping
from tests.support import OPERATOR, START, delta, recorded, refused, seeded

APRIL, MAY, JUNE, JULY = (to_microseconds(f"2026-{month:02}-01T00:00:00Z") for month in (4, 5, 6, 7))


@pytest.fixture
def clock(clock):
    # Stands still, so that a test says what time it is.
    clock.tick = 0
    return clock


@pytest.fixture
def close_at(engine, store):
    def close_at(customer="alice"):
        log = engine.log_of(customer)
        with store.read() as view:
            return view.heads([log])[log].close_at

    return close_at


@pytest.fixture
def due(store):
    """Whose month is over and not closed, at a time; the claims are given back."""

    def due(now):
        with store.write() as transaction:
            return {claim.log for claim in transaction.claim_to_close(now, now, limit=99)}

    return due


class TestDeltas:
    def test_a_delta_opens_its_month(self, engine, close_at):
        engine.record(delta())
        assert close_at() == MAY == month_end(START)

    def test_others_of_the_month_change_nothing(self, engine, clock, close_at):
        for now in (APRIL, START, MAY - 1):
            clock.now = now
            engine.record(delta())
            assert close_at() == MAY

    def test_one_on_the_boundary_belongs_to_the_later_month(self, engine, clock, close_at):
        # The entry that opens a log takes an instant of its own: this one is there already.
        engine.record(delta())
        clock.now = MAY - 1
        assert engine.record(delta()).entry.recorded_at == "2026-04-30T23:59:59.999999Z"
        assert close_at() == MAY
        clock.now = MAY
        assert engine.record(delta()).entry.recorded_at == "2026-05-01T00:00:00.000000Z"
        assert close_at() == JUNE

    def test_a_month_that_nobody_closed_gives_way_to_a_later_one(self, engine, clock, close_at, due):
        """The checkpoint of the later delta closes the earlier month too."""
        engine.record(delta())
        clock.now = JUNE + 1
        engine.record(delta())
        assert close_at() == JULY
        assert due(JULY - 1) == set()

    def test_within_a_batch_the_last_one_counts(self, engine, clock, close_at):
        # Entries of a batch are a microsecond apart.
        clock.now = MAY - 2
        answers = recorded(engine, 5)
        assert [answer.entry.recorded_at[:7] for answer in answers] == ["2026-04"] + ["2026-05"] * 4
        assert close_at() == JUNE

    def test_the_time_of_the_entry_counts_and_not_when_it_took_effect(self, engine, close_at):
        engine.record(delta(effective_at="2026-01-01"))
        assert close_at() == MAY
        engine.record(delta(effective_at="2027-01-01"))
        assert close_at() == MAY

    def test_repeated_and_refused_requests_open_no_month(self, engine, clock, close_at):
        engine.record(delta(idempotency_key="k"))
        clock.now = MAY
        assert engine.record(delta(idempotency_key="k")).replayed
        with refused("idempotency-conflict"):
            engine.record(delta("11", idempotency_key="k"))
        with refused("invalid-field"):
            engine.record(delta(unit="EUR"))
        assert close_at() == MAY

    def test_each_log_has_its_own_month(self, engine, clock, close_at, due):
        engine.record(delta())
        clock.now = MAY
        engine.record(delta(customer="bob"))
        assert (close_at(), close_at("bob")) == (MAY, JUNE)
        assert due(MAY) == {engine.log_of("alice")}
        assert due(JUNE) == {engine.log_of("alice"), engine.log_of("bob")}


class TestSeals:
    def test_one_within_the_month_leaves_it_open(self, engine, clock, close_at, due):
        engine.record(delta())
        clock.now = MAY - 1
        engine.checkpoint("alice")
        assert close_at() == MAY
        assert due(MAY - 1) == set()
        assert due(MAY) == {engine.log_of("alice")}

    @pytest.mark.parametrize("late", [0, 1, 10**12])
    def test_the_first_at_its_end_or_behind_closes_it(self, engine, clock, close_at, due, late):
        engine.record(delta())
        engine.checkpoint("alice")
        clock.now = MAY + late
        done = engine.checkpoint("alice", refresh=True)
        assert to_microseconds(done.verified_through_at) == MAY + late
        assert close_at() is None
        assert due(2**62) == set()

    def test_later_ones_leave_it_closed(self, engine, clock, close_at):
        engine.record(delta())
        for clock.now in (MAY, MAY + 1, JUNE):
            engine.checkpoint("alice", refresh=True)
            assert close_at() is None

    def test_a_delta_behind_it_opens_the_next_month(self, engine, clock, close_at):
        engine.record(delta())
        clock.now = MAY
        engine.checkpoint("alice")
        engine.record(delta())
        assert close_at() == JUNE

    def test_one_that_comes_a_microsecond_behind_the_last_delta_closes_it_if_that_is_the_end(
        self, engine, clock, close_at
    ):
        """Times of one log differ: at the same reading of the clock the seal is the later one."""
        engine.record(delta())
        clock.now = MAY - 1
        engine.record(delta())
        done = engine.checkpoint("alice")
        assert done.verified_through_at == "2026-05-01T00:00:00.000000Z"
        assert close_at() is None

    def test_a_checkpoint_with_nothing_new_closes_nothing(self, engine, clock, close_at):
        engine.record(delta())
        engine.checkpoint("alice")
        clock.now = MAY
        assert engine.checkpoint("alice").outcome == "unchanged"
        assert close_at() == MAY

    def test_the_seal_closes_it_and_not_its_signature(self, engine, store, clock, close_at):
        """Times are fixed with the seal; who comes after a crash signs just that."""
        engine.record(delta())
        clock.now = MAY
        stepping = Stepping(store)
        worker = Engine(stepping, OPERATOR, randomness=seeded(1))
        stepping.crash_at(1)
        with pytest.raises(Crash):
            worker.checkpoint("alice")
        assert close_at() is None
        clock.now = JUNE
        done = engine.checkpoint("alice")
        assert to_microseconds(done.verified_through_at) == MAY
