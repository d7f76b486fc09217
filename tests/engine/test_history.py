"""The customer record over time, on all stores: held against every entry of random histories."""

import random

import pytest

from counterfoil.core.timestamp import month_end, to_microseconds
from counterfoil.engine.engine import Engine
from counterfoil.engine.history import Mark, _Search, marks_at, marks_at_counts
from counterfoil.engine.windows import Window, month_of, parse_month, split
from counterfoil.storage.memory import MemoryStore
from tests.engine.histories import DAY, live, seen
from tests.support import OPERATOR, SECOND, START, FakeClock, delta, recorded, refused, seeded

ALWAYS = Window(to_microseconds("2026-01-01T00:00:00Z"), to_microseconds("2099-01-01T00:00:00Z"))
# A database decides nothing: it needs fewer of them.
SEEDS = {"memory": range(8), "sqlite": range(3), "postgres": range(2)}


@pytest.fixture(
    params=[(name, seed) for name, seeds in SEEDS.items() for seed in seeds],
    ids=lambda each: f"{each[0]}-{each[1]}",
)
def history(request, clock):
    """An engine with a history behind it, and its deltas."""
    name, seed = request.param
    store = MemoryStore(clock) if name == "memory" else request.getfixturevalue(f"{name}_store")
    engine = Engine(store, OPERATOR, randomness=seeded())
    live(engine, clock, seed)
    return engine, seen(engine, store)


def months_of(deltas):
    first, last = deltas[0].time, deltas[-1].time
    # One empty month on either side.
    whole = Window(parse_month(month_of(first - 32 * DAY)).start, month_end(month_end(last)))
    return split(whole, "month")


def assert_span(span, deltas):
    start, end = span.window
    inside = [each for each in deltas if start <= each.time < end]
    before = [each for each in deltas if each.time < start]
    assert span.deltas == len(inside)
    assert span.amount == sum(each.amount for each in inside)
    assert span.credits == sum(each.amount for each in inside if each.amount > 0)
    assert span.opening.balance == sum(each.amount for each in before)
    assert span.opening.balance + span.amount == span.closing.balance
    verified = [each for each in deltas if each.sealed_at is not None]
    assert span.verified == sum(start <= each.sealed_at < end for each in verified)
    assert span.verified_closing.balance == sum(each.amount for each in verified if each.sealed_at < end)


class TestMonths:
    def test_each_says_what_its_entries_say(self, history):
        engine, deltas = history
        for span in engine.customer_view("alice", months_of(deltas)).spans:
            assert_span(span, deltas)

    def test_they_add_up_to_all_that_was_ever_recorded(self, history):
        engine, deltas = history
        view = engine.customer_view("alice", [*months_of(deltas), ALWAYS])
        *months, always = view.spans
        assert sum(span.amount for span in months) == always.amount == view.record.balance
        assert sum(span.deltas for span in months) == always.deltas == view.record.count == len(deltas)
        assert sum(span.verified for span in months) == view.record.verified_count

    def test_one_alone_is_as_in_a_breakdown(self, history):
        engine, deltas = history
        windows = months_of(deltas)
        together = engine.customer_view("alice", windows).spans
        assert together == tuple(engine.customer_view("alice", [window]).spans[0] for window in windows)

    def test_any_other_window_too(self, history):
        engine, deltas = history
        chance = random.Random(7)  # noqa: S311  -- the same each time
        for _ in range(20):
            start, end = sorted(chance.choice(deltas).time + chance.randrange(-2, 3) for _ in range(2))
            [span] = engine.customer_view("alice", [Window(start, end + 1)]).spans
            assert_span(span, deltas)

    def test_the_record_knows_its_edges(self, history):
        engine, deltas = history
        record = engine.customer("alice")
        assert to_microseconds(record.first_activity_at) == deltas[0].time
        assert to_microseconds(record.last_activity_at) == deltas[-1].time
        assert record.most_recent_active_period == month_of(deltas[-1].time)
        verified = [each.amount for each in deltas if each.sealed_at is not None]
        assert (record.verified_count, record.verified_balance) == (len(verified), sum(verified))


class TestDerive:
    def test_it_adds_a_window_to_what_it_starts_with(self, history):
        engine, deltas = history
        for window in months_of(deltas):
            inside = [each for each in deltas if window.start <= each.time < window.end]
            derived = engine.derive("alice", window, parts=split(window, "week"), starting_balance=7)
            assert derived.computed == 7 + sum(each.amount for each in inside)
            assert derived.deltas == len(inside) == sum(part.deltas for part in derived.breakdown)
            assert derived.verified == sum(each.sealed_at is not None for each in inside)
            assert derived.newest == (f"0x{derived.log.hex()}.{inside[-1].index}" if inside else None)

    def test_behind_a_delta_comes_the_rest(self, history):
        engine, deltas = history
        reference = f"0x{engine.log_of('alice').hex()}"
        for each in deltas[:: len(deltas) // 10]:
            derived = engine.derive_from("alice", f"{reference}.{each.index}")
            assert derived.starting_balance == sum(
                other.amount for other in deltas if other.index <= each.index
            )
            assert derived.computed == sum(other.amount for other in deltas)
            assert derived.deltas == sum(other.index > each.index for other in deltas)

    def test_a_checkpoint_is_named_by_its_root_or_its_id(self, history):
        engine, deltas = history
        reference = f"0x{engine.log_of('alice').hex()}"
        for checkpoint in engine.checkpoints("alice"):
            by_id = engine.derive_from("alice", f"chk_{reference}.{checkpoint.size}")
            assert by_id == engine.derive_from("alice", checkpoint.root.hex())
            assert by_id == engine.derive_from("alice", f"0x{checkpoint.root.hex().upper()}")
            assert by_id.deltas == sum(each.index >= checkpoint.size for each in deltas)

    def test_a_start_that_is_not_the_customers_is_not_found(self, engine):
        engine.record(delta())
        other = engine.record(delta(customer="bob")).record_id
        theirs = engine.checkpoint("bob").checkpoint
        mine = f"0x{engine.log_of('alice').hex()}"
        for start in (
            other,
            f"chk_{other.partition('.')[0]}.{theirs.size}",
            theirs.root.hex(),
            "00" * 32,
            f"{mine}.0",
            f"{mine}.2",
            f"chk_{mine}.1",
        ):
            with refused("record-not-found", field="startingCheckpoint"):
                engine.derive_from("alice", start)
        for start in ("", "alice", "0x12", "chk_7", f"{mine}.1.1"):
            with refused("invalid-field", field="startingCheckpoint"):
                engine.derive_from("alice", start)


class TestDeltas:
    def test_pages_hold_every_delta_once_in_order(self, history):
        engine, deltas = history
        for newest_first in (False, True):
            found = []
            while page := engine.deltas(
                "alice", 1, len(deltas), newest_first=newest_first, offset=len(found), limit=37
            ):
                found += page
            wanted = deltas[::-1] if newest_first else deltas
            assert [item.entry.index for item in found] == [each.index for each in wanted]
            assert [item.status for item in found] == [
                "QUEUED" if each.sealed_at is None else "VERIFIED" for each in wanted
            ]

    def test_a_page_of_some_numbers_stays_within_them(self, history):
        engine, _ = history
        numbers = [item.entry.count for item in engine.deltas("alice", 3, 9, offset=2, limit=99)]
        assert numbers == [5, 6, 7, 8, 9]
        assert [item.entry.count for item in engine.deltas("alice", 3, 9, newest_first=True, limit=2)] == [
            9,
            8,
        ]
        assert engine.deltas("alice", 3, 9, offset=7, limit=9) == []

    def test_each_names_the_first_checkpoint_that_covers_it(self, history):
        engine, deltas = history
        sizes = [checkpoint.size for checkpoint in engine.checkpoints("alice")]
        for item in engine.deltas("alice", 1, len(deltas), limit=1_000):
            state = engine.delta(item.record_id)
            assert state.item == item
            assert item.covered_by == next((size for size in sizes if size > item.entry.index), None)
            assert (state.checkpoint.size if state.checkpoint else None) == item.covered_by

    def test_what_is_no_delta_is_not_found(self, engine):
        reference = engine.record(delta()).record_id.partition(".")[0]
        engine.checkpoint("alice")
        for place in (
            f"{reference}.0",
            f"{reference}.2",
            f"{reference}.3",
            "0x" + "0" * 40 + ".1",
            "nonsense",
        ):
            with refused("record-not-found"):
                engine.delta(place)

    def test_the_sequence_has_no_gaps(self, history):
        engine, deltas = history
        found = engine.check_sequence("alice", limit=10_000)
        assert (found.first, found.last, found.newest, found.missing) == (1, len(deltas), len(deltas), ())
        part = engine.check_sequence("alice", first=5, last=9, limit=3)
        assert (part.first, part.last, part.missing) == (5, 7, ())
        assert engine.check_sequence("alice", first=10**6, limit=3).last == 10**6 - 1
        with refused("invalid-field", field="fromSequence"):
            engine.check_sequence("alice", first=3, last=2, limit=9)


class TestPlaces:
    def test_hints_that_are_wrong_change_nothing(self):
        store = MemoryStore(clock := FakeClock())
        engine = Engine(store, OPERATOR, randomness=seeded())
        live(engine, clock, 3)
        deltas = seen(engine, store)
        chance = random.Random(1)  # noqa: S311  -- the same each time
        with store.read() as view:
            head = view.heads([engine.log_of("alice")])[engine.log_of("alice")]
            times = [each.time + step for each in deltas[::9] for step in (-1, 0, 1)]
            right = marks_at(view, head, times)

            def wrong(wanted):
                return [
                    (chance.randrange(-9, 2 * head.size), chance.randrange(-9, 2 * head.size)) for _ in wanted
                ]

            wild = _Search(view, head, lambda entry: to_microseconds(entry.recorded_at), wrong)
            assert wild.marks(times) == right

    def test_nothing_lies_before_the_first_instant_and_all_before_one_to_come(self, engine, store, clock):
        recorded(engine, 3, amount="2")
        log = engine.log_of("alice")
        with store.read() as view:
            head = view.heads([log])[log]
            assert marks_at(view, head, [START, clock.now + SECOND]) == [
                Mark(0, 0, 0, 0),
                Mark(4, 3, 6 * 10**9, 0),
            ]
            assert [mark.size for mark in marks_at_counts(view, head, [0, 1, 2, 3, 4])] == [0, 1, 2, 3, 4]


class TestPeriodTotals:
    def test_one_of_a_month_that_is_over_is_final_and_stays_the_same(self, engine, clock):
        clock.tick = 0
        recorded(engine, 4, amount="3")
        april = parse_month("2026-04")
        clock.now = april.end
        assert engine.checkpoint_window("alice", april, now=clock.now).outcome == "signed"
        first = engine.period_totals("alice", april)
        assert (first.is_final, first.closing.balance, first.pending) == (True, 12 * 10**9, 0)
        clock.now += DAY
        recorded(engine, 2)
        engine.checkpoint("alice")
        assert engine.period_totals("alice", april) == first
        assert engine.checkpoint_window("alice", april, now=clock.now).outcome == "unchanged"

    def test_one_of_a_month_that_goes_on_covers_what_is_verified(self, engine, clock):
        clock.tick = 0
        april = parse_month("2026-04")
        engine.record(delta("5"))
        with refused("not-yet-checkpointed"):
            engine.period_totals("alice", april)
        engine.checkpoint_window("alice", april, now=clock.now)
        engine.record(delta("7"))
        receipt = engine.period_totals("alice", april)
        assert (receipt.is_final, receipt.closing.balance, receipt.pending) == (False, 5 * 10**9, 1)

    def test_a_seal_at_the_last_microsecond_closes_the_month(self, engine, clock):
        clock.tick = 0
        engine.record(delta("5"))
        april = parse_month("2026-04")
        clock.now = april.end - 1
        size = engine.checkpoint("alice").checkpoint.size
        clock.now = april.end + DAY
        assert engine.checkpoint_window("alice", april, now=clock.now).checkpoint.size == size

    def test_there_is_none_of_the_future(self, engine, clock):
        engine.record(delta())
        with refused("invalid-field", field="period"):
            engine.checkpoint_window("alice", parse_month("2026-05"), now=clock.now)


class TestTenant:
    def test_the_summary_adds_up_what_the_records_say(self, engine, clock):
        recorded(engine, 3, "alice", amount="2")
        recorded(engine, 2, "bob", amount="-1")
        engine.record(delta("9", "carol", unit="EUR"))
        engine.checkpoint("alice")
        clock.now += SECOND
        summary = engine.summary()
        assert (summary.customers, summary.deltas, summary.verified, summary.fully_verified) == (3, 6, 3, 1)
        assert summary.verified_through_at is None
        assert summary.units["credits"].credits == 6 * 10**9
        assert summary.units["credits"].debits == 2 * 10**9
        assert summary.units["EUR"].verified_credits == 0
        watermarks = [outcome.verified_through_at for outcome in engine.checkpoint_all(refresh=True)]
        assert engine.summary().verified_through_at == min(watermarks)

    def test_customers_are_listed_by_id_and_found_by_a_part_of_it(self, engine):
        for name in ("zoe", "Ann", "bob_1", "bob_2", "b%b"[:1] + "ob-3"):
            engine.record(delta(customer=name))
        page, total = engine.customer_page([], limit=2, offset=1)
        assert ([view.record.customer_id for view in page], total) == (["bob-3", "bob_1"], 5)
        page, total = engine.customer_page([], search="BOB_", limit=9)
        assert ([view.record.customer_id for view in page], total) == (["bob_1", "bob_2"], 2)
        for other in ("%", "\0", "\ud800", "ä"):
            assert engine.customer_page([], search=other, limit=9) == ([], 0)

    def test_another_tenants_customers_are_on_no_page(self, store):
        ours, theirs = (
            Engine(store, OPERATOR, tenant=name, randomness=seeded()) for name in ("ours", "theirs")
        )
        theirs.record(delta())
        assert ours.customer_page([], limit=9) == ([], 0)
        assert ours.summary().customers == 0
        for call in (
            lambda: ours.customer_view("alice", []),
            lambda: ours.derive("alice", ALWAYS),
            lambda: ours.period_totals("alice", ALWAYS),
            lambda: ours.check_sequence("alice", limit=1),
            lambda: ours.deltas("alice", 1, 1, limit=1),
        ):
            with refused("customer-not-found"):
                call()
