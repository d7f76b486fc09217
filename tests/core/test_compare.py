"""Two lists of charges: what is paired, what is named, and that the names add up to the difference of the totals."""

import random
from collections import Counter
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.core.compare import (
    AMOUNT_DIFFERS,
    COUNTED_TWICE,
    MISSING_HERE,
    MISSING_THERE,
    Charge,
    Difference,
    charges_of,
    compare,
    pair_by_reference,
)
from counterfoil.core.details import read_details
from counterfoil.core.entry import DELTA, Entry, parse_entry
from counterfoil.core.receipt import ProvenEntry
from counterfoil.core.timestamp import format_time, to_microseconds
from tests.core import compare_oracle
from tests.core.logs import Log
from tests.support import START

TOLERANCE = 60
SECOND = 1_000_000


def at(seconds):
    return format_time(START + seconds * SECOND)


# The day of `at(0)` and those beside it, and the seconds at which it begins and at which the next one does.
YESTERDAY, TODAY, TOMORROW = (at(days * 86_400)[:10] for days in (-1, 0, 1))
DAWN = -(START // SECOND % 86_400)
MIDNIGHT = DAWN + 86_400


def charges(*rows):
    """Charges at places 0, 1, 2..., each of an amount, a reference and a time in seconds or a date."""
    return [
        Charge(place, amount, reference, at(when) if isinstance(when, int) else when)
        for place, (amount, reference, when) in enumerate(rows)
    ]


def named(ours, theirs, tolerance=TOLERANCE):
    return [*compare(charges(*ours), charges(*theirs), tolerance_seconds=tolerance).differences]


class TestPairs:
    @pytest.mark.parametrize(("ours", "theirs"), [
        ((-5, "a", 0), (-5, "a", 0)),
        ((-5, "a", 0), (-5, "a", 9999)),
        ((-5, "a", 0), (-5, "a", None)),
        ((-5, "a", 0), (-5, None, TOLERANCE)),
        ((-5, "a", 0), (-5, None, -TOLERANCE)),
        ((-5, None, 0), (-5, "b", 0)),
        ((-5, None, 0), (-5, None, 0)),
        ((-5, "a", 0), (-5, None, None)),
        ((-5, None, None), (-5, None, None)),
        ((-5, None, DAWN), (-5, None, TODAY)),
        ((-5, "a", MIDNIGHT - 1), (-5, None, TODAY)),
        ((-5, None, MIDNIGHT + TOLERANCE - 1), (-5, "b", TODAY)),
        ((-5, None, DAWN - TOLERANCE), (-5, None, TODAY)),
        ((-5, "a", 0), (-5, "a", TOMORROW)),
        ((-5, None, None), (-5, None, TODAY)),
        ((-5, None, TODAY), (-5, None, TODAY)),
    ], ids=["all", "other-time", "no-time", "in-time", "in-time-before", "one-reference", "time-alone", "amount-alone",
            "bare", "first-of-the-day", "last-of-the-day", "soon-behind-the-day", "shortly-before-the-day",
            "another-day", "date-alone", "dates"])  # fmt: skip
    def test_these_are_one_charge(self, ours, theirs):
        found = compare(charges(ours), charges(theirs), tolerance_seconds=TOLERANCE)
        assert (found.agreed, found.differences, found.difference) == (1, (), 0)

    @pytest.mark.parametrize(("ours", "theirs"), [
        ((-5, "a", 0), (-5, "b", 0)),
        ((-5, "a", None), (-5, "b", None)),
        ((-5, None, 0), (-5, None, TOLERANCE + 1)),
        ((-5, None, 0), (-6, None, 0)),
        ((-5, None, 0), (5, None, 0)),
        ((-5, "a", 0), (5, "a", 0)),
        ((-5, "a", 0), (-6, None, 0)),
        ((-5, None, MIDNIGHT + TOLERANCE), (-5, None, TODAY)),
        ((-5, None, DAWN - TOLERANCE - 1), (-5, None, TODAY)),
        ((-5, "a", 0), (-5, "b", TODAY)),
        ((-6, None, 0), (-5, None, TODAY)),
    ], ids=["references", "references-without-times", "too-late", "amounts", "signs", "refund", "one-reference",
            "behind-the-day", "before-the-day", "references-of-a-day", "amounts-of-a-day"])  # fmt: skip
    def test_these_are_two(self, ours, theirs):
        assert named([ours], [theirs]) == [
            Difference(MISSING_THERE, ours[0], ours=0),
            Difference(MISSING_HERE, -theirs[0], theirs=0),
        ]

    def test_one_reference_with_another_amount_differs(self):
        assert named([(-5, "a", 0)], [(-7, "a", 0)]) == [Difference(AMOUNT_DIFFERS, 2, 0, 0)]

    def test_the_amount_outranks_the_order_of_one_reference(self):
        ours = [(-5, "a", 0), (-7, "a", 1), (-9, "a", 2)]
        theirs = [(-9, "a", 0), (-8, "a", 1), (-5, "a", 2)]
        assert named(ours, theirs) == [Difference(AMOUNT_DIFFERS, 1, 1, 1)]

    def test_a_refund_is_not_held_against_the_charge_that_it_refunds(self):
        assert named([(-5, "a", 0), (2, "a", 1)], [(-5, "a", 0)]) == [Difference(MISSING_THERE, 2, ours=1)]
        assert named([(2, "a", 1)], [(-5, "a", 0)]) == [
            Difference(MISSING_THERE, 2, ours=0),
            Difference(MISSING_HERE, 5, theirs=0),
        ]

    def test_a_reference_outranks_the_time(self):
        ours = [(-5, "a", 0), (-5, "b", 50)]
        assert named(ours, [(-5, "b", 0)]) == [Difference(MISSING_THERE, -5, ours=0)]

    def test_of_one_reference_and_amount_those_of_one_time_are_one(self):
        assert named([(-5, "a", 7)], [(-5, "a", 0), (-5, "a", 7)]) == [
            Difference(COUNTED_TWICE, 5, theirs=0, repeats=1)
        ]

    def test_the_same_time_outranks_one_nearby(self):
        assert named([(-5, None, 0), (-5, None, 30)], [(-5, None, 30)]) == [
            Difference(MISSING_THERE, -5, ours=0)
        ]

    def test_times_nearby_leave_as_few_over_as_they_can(self):
        ours = [(-5, None, 0), (-5, None, 50), (-5, None, 100)]
        theirs = [(-5, None, -50), (-5, None, 40), (-5, None, 110)]
        assert named(ours, theirs) == []

    def test_a_time_outranks_the_lack_of_one(self):
        assert named([(-5, None, 0)], [(-5, None, None), (-5, None, 1)]) == [
            Difference(MISSING_HERE, 5, theirs=0)
        ]

    def test_of_one_reference_and_amount_those_of_one_day_are_one(self):
        ours = [(-5, "a", DAWN - 9), (-5, "a", 0)]
        assert named(ours, [(-5, "a", TODAY)]) == [Difference(COUNTED_TWICE, -5, ours=0, repeats=1)]

    def test_a_time_nearby_outranks_a_date(self):
        ours = [(-5, None, 0), (-5, None, 4_000)]
        assert named(ours, [(-5, None, TODAY), (-5, None, 50)]) == []

    def test_the_day_outranks_the_one_beside_it(self):
        ours = [(-5, None, MIDNIGHT - 30), (-5, None, MIDNIGHT + 30)]
        assert named(ours, [(-5, None, TOMORROW)]) == [Difference(MISSING_THERE, -5, ours=0)]
        assert named(ours, [(-5, None, TOMORROW), (-5, None, TOMORROW)]) == []

    def test_a_date_pairs_one_charge_of_its_day_and_no_more(self):
        assert named([(-5, None, 0), (-5, None, 1)], [(-5, None, TODAY)]) == [
            Difference(MISSING_THERE, -5, ours=1)
        ]

    def test_no_charge_is_paired_twice(self):
        assert named([(-5, "a", 0)], [(-5, "a", 0), (-5, None, 1)]) == [Difference(MISSING_HERE, 5, theirs=1)]


class TestCountedTwice:
    @pytest.mark.parametrize("second", [(-5, "a", 0), (-5, "a", 9999), (-5, "a", None), (-5, None, 0)])
    def test_what_a_side_has_once_more_is_named_with_what_it_repeats(self, second):
        assert named([(-5, "a", 0)], [(-5, "a", 0), second]) == [
            Difference(COUNTED_TWICE, 5, theirs=1, repeats=0)
        ]
        assert named([(-5, "a", 0), second], [(-5, "a", 0)]) == [
            Difference(COUNTED_TWICE, -5, ours=1, repeats=0)
        ]

    @pytest.mark.parametrize(
        "second", [(-5, "b", 0), (-6, "a", 0), (5, "a", 0), (-5, None, 1), (-5, None, None)]
    )
    def test_these_repeat_nothing(self, second):
        [found] = named([(-5, "a", 0)], [(-5, "a", 0), second], tolerance=0)
        assert (found.kind, found.theirs) == (MISSING_HERE, 1)

    def test_on_one_date_it_is_named_so_and_beside_a_time_of_the_day_not(self):
        assert named([(-5, None, 0)], [(-5, None, TODAY), (-5, None, TODAY)]) == [
            Difference(COUNTED_TWICE, 5, theirs=1, repeats=0)
        ]
        assert named([(-5, None, 0)], [(-5, None, TODAY), (-5, None, 0)]) == [
            Difference(MISSING_HERE, 5, theirs=0)
        ]

    def test_a_charge_that_both_sides_have_twice_is_no_difference(self):
        twice = [(-5, "a", 0), (-5, "a", 0)]
        assert named(twice, twice) == []

    def test_of_three_that_the_other_side_lacks_the_first_is_missing_and_two_repeat_it(self):
        assert named([(-5, "a", 0)] * 3, []) == [
            Difference(MISSING_THERE, -5, ours=0),
            Difference(COUNTED_TWICE, -5, ours=1, repeats=0),
            Difference(COUNTED_TWICE, -5, ours=2, repeats=0),
        ]

    def test_one_without_a_reference_is_repeated_by_one_with(self):
        assert named([(-5, None, 0)], [(-5, None, 0), (-5, "a", 0)]) == [
            Difference(COUNTED_TWICE, 5, theirs=1, repeats=0)
        ]


class TestTotals:
    def test_what_is_paired_counts_whatever_its_amount(self):
        found = compare(
            charges((-5, "a", 0), (-5, "b", 0)), charges((-6, "a", 0), (-7, "c", 0)), tolerance_seconds=0
        )
        assert (found.agreed, found.paired) == (0, 1)

    def test_two_empty_lists_agree(self):
        found = compare([], [], tolerance_seconds=TOLERANCE)
        assert (found.ours, found.theirs, found.agreed, found.differences) == (0, 0, 0, ())

    def test_amounts_beyond_any_double_stay_exact(self):
        large = 10**27 - 1
        found = compare(charges((large, "a", 0)), charges((large - 1, "a", 0)), tolerance_seconds=TOLERANCE)
        assert found.difference == 1
        assert [one.amount for one in found.differences] == [1]

    def test_the_differences_are_by_our_place_and_then_by_theirs(self):
        found = named([(-1, "a", 9), (-2, "b", 0)], [(-4, "d", 0), (-2, "c", 5), (-3, "b", 0)])
        assert [(one.ours, one.theirs) for one in found] == [(0, None), (1, 2), (None, 0), (None, 1)]


# Few values of each kind, so that they meet.
SIDES = st.lists(
    st.tuples(
        st.sampled_from([-2, -1, 1, 2]),
        st.none() | st.sampled_from("ab"),
        st.none()
        | st.sampled_from([0, 1, 40, 61, 100, 170, MIDNIGHT - 20, MIDNIGHT + 20, YESTERDAY, TODAY, TOMORROW]),
    ),
    max_size=12,
)


def as_seen(found, ours, theirs):
    """The differences by what their charges say, not by where these stand."""

    def row(side, place):
        return None if place is None else side[place][1:]

    return Counter(
        (one.kind, one.amount, row(ours, one.ours), row(theirs, one.theirs)) for one in found.differences
    )


def at_most_one(first, second):
    return first is None or second is None


def may_be_one(our, their):
    """Whether some rule pairs these two, written down a second time, without regard to their order."""
    if our.reference is not None and our.reference == their.reference:
        return our.amount == their.amount or (our.amount > 0) == (their.amount > 0)
    if our.amount != their.amount or not at_most_one(our.reference, their.reference):
        return False
    if at_most_one(our.time, their.time):
        return True
    return apart(our.time, their.time) <= TOLERANCE * SECOND


def instants(time):
    """The first and the last microsecond of a time or a date."""
    if len(time) > 10:
        return [to_microseconds(time)] * 2
    return to_microseconds(f"{time}T00:00:00Z"), to_microseconds(f"{time}T23:59:59.999999Z")


def apart(one, other):
    """Microseconds between what is nearest."""
    (first, last), (other_first, other_last) = instants(one), instants(other)
    return max(first - other_last, other_first - last, 0)


class TestAnyTwoLists:
    @given(ours=SIDES, theirs=SIDES)
    def test_the_differences_add_up_to_that_of_the_totals(self, ours, theirs):
        found = compare(charges(*ours), charges(*theirs), tolerance_seconds=TOLERANCE)
        assert found.ours == sum(row[0] for row in ours)
        assert found.theirs == sum(row[0] for row in theirs)
        assert sum(one.amount for one in found.differences) == found.difference == found.ours - found.theirs

    @given(ours=SIDES, theirs=SIDES)
    def test_each_charge_is_paired_or_named_and_never_twice(self, ours, theirs):
        found = compare(charges(*ours), charges(*theirs), tolerance_seconds=TOLERANCE)
        for side, count in (("ours", len(ours)), ("theirs", len(theirs))):
            places = [getattr(one, side) for one in found.differences if getattr(one, side) is not None]
            assert len(set(places)) == len(places) == count - found.agreed

    @given(ours=SIDES, theirs=SIDES, data=st.data())
    def test_the_order_of_the_lists_does_not_matter(self, ours, theirs, data):
        first, second = charges(*ours), charges(*theirs)
        mixed = data.draw(st.permutations(ours)), data.draw(st.permutations(theirs))
        third, fourth = (charges(*side) for side in mixed)
        found = compare(first, second, tolerance_seconds=TOLERANCE)
        again = compare(third, fourth, tolerance_seconds=TOLERANCE)
        assert as_seen(found, first, second) == as_seen(again, third, fourth)
        assert found.agreed == again.agreed

    @given(ours=SIDES, theirs=SIDES)
    def test_the_other_side_finds_the_same_the_other_way_round(self, ours, theirs):
        first, second = charges(*ours), charges(*theirs)
        found = compare(first, second, tolerance_seconds=TOLERANCE)
        mirrored = compare(second, first, tolerance_seconds=TOLERANCE)
        swapped = {MISSING_HERE: MISSING_THERE, MISSING_THERE: MISSING_HERE}
        assert {
            Difference(swapped.get(one.kind, one.kind), -one.amount, one.theirs, one.ours, one.repeats)
            for one in found.differences
        } == {*mirrored.differences}

    @given(ours=SIDES, theirs=SIDES)
    def test_no_two_charges_are_left_over_that_may_be_one(self, ours, theirs):
        first, second = charges(*ours), charges(*theirs)
        left = [
            one
            for one in compare(first, second, tolerance_seconds=TOLERANCE).differences
            if one.kind != AMOUNT_DIFFERS
        ]
        ours_left = [first[one.ours] for one in left if one.ours is not None]
        theirs_left = [second[one.theirs] for one in left if one.theirs is not None]
        assert not any(may_be_one(our, their) for our, their in product(ours_left, theirs_left))

    @given(ours=SIDES, theirs=SIDES)
    def test_what_differs_in_amount_has_one_reference(self, ours, theirs):
        first, second = charges(*ours), charges(*theirs)
        for one in compare(first, second, tolerance_seconds=TOLERANCE).differences:
            if one.kind == AMOUNT_DIFFERS:
                our, their = first[one.ours], second[one.theirs]
                assert our.reference == their.reference is not None
                assert one.amount == our.amount - their.amount != 0

    @given(ours=SIDES, theirs=SIDES)
    def test_what_is_counted_twice_stands_beside_its_like(self, ours, theirs):
        sides = {"ours": charges(*ours), "theirs": charges(*theirs)}
        for one in compare(sides["ours"], sides["theirs"], tolerance_seconds=TOLERANCE).differences:
            assert (one.repeats is not None) is (one.kind == COUNTED_TWICE)
            if one.repeats is None:
                continue
            side = "theirs" if one.ours is None else "ours"
            place = one.theirs if one.ours is None else one.ours
            charge, other = sides[side][place], sides[side][one.repeats]
            assert place != one.repeats
            assert charge.amount == other.amount
            by_reference = charge.reference is not None and charge.reference == other.reference
            by_time = charge.time is not None and charge.time == other.time
            assert by_reference or (by_time and at_most_one(charge.reference, other.reference))


def small_lists(count):
    """Two lists of up to eight charges with few values, so that ties abound, and a tolerance."""
    chance = random.Random(7)  # noqa: S311  -- the same lists each time
    # Two of them a microsecond apart, and the last and the first of two days.
    times = [None, 0, 30, f"{at(30)[:-2]}1Z", 61, 95, f"{TODAY}T23:59:59.999999Z", MIDNIGHT, MIDNIGHT + 20]
    sides = [times, [*times, YESTERDAY, TODAY, TOMORROW]]
    for _ in range(count):
        amounts = chance.choice([[-1], [-1, -2], [-2, -1, 1], [-1, -2, -3, -4]])
        references = chance.choice([[None, "a"], ["a"], [None, "b", "a", ""]])
        values = [(amounts, references, chance.sample(side, chance.randrange(1, 6))) for side in sides]
        ours, theirs = (
            charges(*(tuple(map(chance.choice, kinds)) for _ in range(chance.randrange(9))))
            for kinds in values
        )
        chance.shuffle(ours)
        chance.shuffle(theirs)
        yield ours, theirs, chance.choice([0, 40, 61, 86_400])


def test_thousands_of_small_lists_full_of_ties_are_paired_as_the_page_says():
    seen = Counter()
    for ours, theirs, tolerance in small_lists(5_000):
        found = [one[:5] for one in compare(ours, theirs, tolerance_seconds=tolerance).differences]
        assert found == compare_oracle.differences(ours, theirs, tolerance), (ours, theirs, tolerance)
        seen.update(kind for kind, *_ in found)
    assert min(seen[kind] for kind in (AMOUNT_DIFFERS, COUNTED_TWICE, MISSING_HERE, MISSING_THERE)) > 500


def test_a_hundred_thousand_rows_with_faults_among_them_are_told_apart():
    chance = random.Random(3)  # noqa: S311  -- the same rows each time
    ours = [(-chance.randrange(1, 50), f"r{number}", number) for number in range(100_000)]
    theirs = list(ours)
    # Without references, and a second late, every other one.
    theirs[::2] = [(amount, None, seconds + 1) for amount, _, seconds in theirs[::2]]
    theirs[1] = (theirs[1][0] - 1, *theirs[1][1:])
    theirs.append(theirs[3])
    theirs.append((-77, None, 5))
    del theirs[99_999]
    chance.shuffle(theirs)
    found = compare(charges(*ours), charges(*theirs), tolerance_seconds=1)
    assert found.agreed == 99_998
    assert [(one.kind, one.amount, one.ours) for one in found.differences[:2]] == [
        (AMOUNT_DIFFERS, 1, 1),
        (MISSING_THERE, ours[99_999][0], 99_999),
    ]
    assert {(one.kind, one.amount) for one in found.differences[2:]} == {
        (COUNTED_TWICE, -ours[3][0]),
        (MISSING_HERE, 77),
    }


class TestByReference:
    def test_charges_of_one_reference_and_sign_are_paired_those_of_one_amount_first(self):
        ours = charges((-7, "a", 0), (-5, "a", 9), (3, "b", 0), (-1, None, 0))
        theirs = charges((-5, "a", None), (-6, "a", 4), (-3, "b", 0), (-1, None, 0))
        assert pair_by_reference(ours, theirs) == [(ours[1], theirs[0]), (ours[0], theirs[1])]


class TestOurCharges:
    def test_they_are_the_deltas_with_their_places_and_amounts(self):
        log = Log(9, seals={4})
        found = charges_of([log.item(index) for index in range(9)])
        deltas = [entry for entry in log.entries if entry.type == DELTA]
        assert [(one.place, one.amount) for one in found] == [(entry.index, entry.amount) for entry in deltas]
        assert [one.time for one in found] == [entry.recorded_at for entry in deltas]
        assert {one.reference for one in found} == {None}

    def test_the_reference_is_the_one_of_the_details_and_the_time_the_one_that_the_sender_named(self):
        entry = Entry(DELTA, 1, at(9), "credits", 1, 0, 5, None, -5, effective_at=at(2))
        details = read_details({"salt": "00" * 32, "value": {"reason": "r", "referenceId": "a"}}, what="d")
        assert charges_of([ProvenEntry(entry, b"", details)]) == [Charge(1, -5, "a", at(2))]
        assert charges_of([ProvenEntry(entry, b"", None)]) == [Charge(1, -5, None, at(2))]

    def test_an_entry_that_is_no_delta_is_none(self):
        log = Log(3)
        assert parse_entry(log.data[0]).type != DELTA
        assert charges_of([log.item(0), log.item(2)]) == []
