"""Statements from the store: each verifies with the core alone, and says what a slow look at every delta says."""

import json

import pytest

from counterfoil.core import statement as core
from counterfoil.core.statement import parse_statement
from counterfoil.core.statement_verify import Totals, verify_statement
from counterfoil.core.timestamp import month_end, to_microseconds
from counterfoil.engine import statements
from counterfoil.engine.windows import Window
from tests.engine.histories import DAY, live, seen
from tests.support import KEYS, SECOND, START, delta, entries_of, erase, recorded, refused, sql

APRIL, MAY, JUNE = (to_microseconds(f"2026-{month:02}-01T00:00:00Z") for month in (4, 5, 6))
LATE = to_microseconds("2099-01-01T00:00:00Z")
IN_APRIL = Window(APRIL, MAY)


@pytest.fixture
def clock(clock):
    # Stands still, so that a test says what time it is.
    clock.tick = 0
    return clock


def totals(deltas):
    amounts = [found.amount for found in deltas]
    return Totals(
        len(amounts), sum(one for one in amounts if one > 0), -sum(one for one in amounts if one < 0)
    )


def verified(stated, **options):
    return verify_statement(stated.document, KEYS, customer_id="alice", **options)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("full", [False, True])
def test_every_month_of_a_random_history_is_stated_as_a_slow_look_adds_it_up(
    engine, store, clock, seed, full
):
    live(engine, clock, seed, steps=30)
    clock.now += 400 * DAY
    engine.checkpoint("alice", refresh=True)
    deltas = seen(engine, store)
    start = APRIL
    while start < clock.now:
        window = Window(start, month_end(start))
        stated = engine.statement("alice", window, now=clock.now, full=full)
        found = verified(stated, allow_provisional=window.end > clock.now)
        assert found.opening == totals(one for one in deltas if one.time < window.start)
        assert found.closing == totals(one for one in deltas if one.time < window.end)
        assert (found.provisional_through is None) == stated.is_final
        if full:
            inside = [one for one in deltas if window.start <= one.time < window.end]
            kept = {item.entry.index for item in found.inside}
            assert kept >= {one.index for one in inside}
        start = window.end


class TestAPeriodThatIsOver:
    def test_it_is_closed_first(self, engine, clock):
        recorded(engine, 3)
        clock.now = MAY + 5
        stated = engine.statement("alice", IN_APRIL, now=clock.now)
        assert stated.is_final
        assert verified(stated).deltas == 3
        assert next(engine.checkpoints("alice")).size == 5

    def test_its_statement_has_the_same_bytes_for_ever(self, engine, clock):
        recorded(engine, 3)
        clock.now = MAY
        first = engine.statement("alice", IN_APRIL, now=clock.now).document
        recorded(engine, 2)
        clock.now = JUNE
        engine.checkpoint("alice")
        assert engine.statement("alice", IN_APRIL, now=clock.now).document == first

    def test_one_without_deltas_adds_up_to_nothing(self, engine, clock):
        recorded(engine, 2)
        clock.now = JUNE
        found = verified(engine.statement("alice", Window(MAY, JUNE), now=clock.now))
        assert (found.deltas, found.opening) == (0, found.closing)
        assert found.closing.count == 2

    def test_one_before_the_log_was_opened_began_and_ended_with_nothing(self, engine, clock):
        recorded(engine, 2)
        engine.checkpoint("alice")
        found = verified(engine.statement("alice", Window(APRIL - DAY, APRIL), now=clock.now))
        assert (found.opening, found.closing) == (Totals(0, 0, 0), Totals(0, 0, 0))
        assert found.provisional_through is None


class TestAPeriodThatGoesOn:
    def test_it_is_provisional_through_the_newest_seal(self, engine, clock):
        recorded(engine, 2)
        clock.now += SECOND
        through = engine.checkpoint("alice").verified_through_at
        stated = engine.statement("alice", IN_APRIL, now=clock.now)
        assert (stated.is_final, stated.sealed_at) == (False, through)
        assert verified(stated, allow_provisional=True).provisional_through == through
        with refused("incomplete-period"):
            verified(stated)

    def test_what_no_checkpoint_covers_is_not_in_it(self, engine, clock):
        recorded(engine, 2)
        clock.now += SECOND
        engine.checkpoint("alice")
        clock.now += SECOND
        recorded(engine, 5)
        stated = engine.statement("alice", IN_APRIL, now=clock.now, full=True)
        assert verified(stated, allow_provisional=True).deltas == 2

    def test_nothing_is_signed_for_it(self, engine, clock):
        recorded(engine, 2)
        with refused("not-yet-checkpointed"):
            engine.statement("alice", IN_APRIL, now=clock.now)
        assert list(engine.checkpoints("alice")) == []

    def test_a_checkpoint_from_before_it_proves_nothing_of_it(self, engine, clock):
        recorded(engine, 2)
        clock.now += SECOND
        engine.checkpoint("alice")
        clock.now += DAY
        with refused("not-yet-checkpointed"):
            engine.statement("alice", Window(START + DAY // 2, MAY), now=clock.now)


class TestWhatIsInIt:
    def test_a_light_one_has_at_most_four_items_and_a_full_one_every_entry(self, engine, clock):
        recorded(engine, 50)
        clock.now += DAY
        recorded(engine, 50)
        clock.now += DAY
        recorded(engine, 50)
        window = Window(START + DAY // 2, START + DAY + DAY // 2)
        light, full = (
            parse_statement(engine.statement("alice", window, now=clock.now, full=full).document)
            for full in (False, True)
        )
        assert [found.item.entry.index for found in light.items] == [50, 51, 100, 101]
        assert [found.item.entry.index for found in full.items] == list(range(50, 102))

    def test_the_customer_may_be_left_out(self, engine, clock):
        recorded(engine, 2)
        clock.now = MAY
        stated = engine.statement("alice", IN_APRIL, now=clock.now, with_open=False)
        assert "open" not in json.loads(stated.document)
        with refused("wrong-origin"):
            verified(stated)

    def test_details_that_were_erased_are_left_out_and_the_rest_holds(self, engine, store, clock):
        recorded(engine, 3)
        clock.now = MAY
        engine.statement("alice", IN_APRIL, now=clock.now)
        erase(store, engine.log_of("alice"), 2)
        found = verified(engine.statement("alice", IN_APRIL, now=clock.now, full=True))
        assert [item.entry.index for item in found.inside if item.details is None] == [2]

    def test_more_entries_than_a_full_one_may_have_are_refused_and_a_light_one_is_made(
        self, engine, clock, monkeypatch
    ):
        monkeypatch.setattr(statements, "STATEMENT_ITEMS_MAX", 20)
        recorded(engine, 20)
        clock.now = MAY
        with refused("scope-too-wide"):
            engine.statement("alice", IN_APRIL, now=clock.now, full=True)
        assert verified(engine.statement("alice", IN_APRIL, now=clock.now)).deltas == 20

    def test_one_that_nobody_would_read_for_its_size_is_refused_and_a_light_one_is_made(
        self, engine, clock, monkeypatch
    ):
        recorded(engine, 20)
        clock.now = MAY
        whole = len(engine.statement("alice", IN_APRIL, now=clock.now, full=True).document)
        monkeypatch.setattr(core, "FULL_STATEMENT_BYTES_MAX", whole)
        engine.statement("alice", IN_APRIL, now=clock.now, full=True)
        monkeypatch.setattr(core, "FULL_STATEMENT_BYTES_MAX", whole - 1)
        with refused("scope-too-wide"):
            engine.statement("alice", IN_APRIL, now=clock.now, full=True)
        assert verified(engine.statement("alice", IN_APRIL, now=clock.now)).deltas == 20


class TestRefusals:
    def test_a_customer_that_is_not_there(self, engine, clock):
        with refused("customer-not-found"):
            engine.statement("nobody", IN_APRIL, now=clock.now)

    def test_a_period_in_the_future_has_no_statement(self, engine, clock):
        recorded(engine, 1)
        engine.checkpoint("alice")
        with refused("invalid-field", field="period"):
            engine.statement("alice", Window(JUNE, LATE), now=clock.now)
        with refused("not-yet-checkpointed"):
            engine.statement("alice", Window(JUNE, LATE), now=None)

    def test_an_entry_that_is_gone_is_a_damaged_log(self, sqlite_engine, sqlite_store, clock):
        sqlite_engine.record(delta())
        clock.now = MAY
        sqlite_engine.statement("alice", IN_APRIL, now=clock.now)
        assert len(entries_of(sqlite_store, sqlite_engine.log_of("alice"))) == 3
        assert sql(sqlite_store, "DELETE FROM entries WHERE idx = 0")
        with refused("log-corrupt"):
            sqlite_engine.statement("alice", IN_APRIL, now=clock.now)
