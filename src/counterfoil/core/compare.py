"""Comparing two lists of charges: the deltas of a log, and what the other party has.

Charges are paired by reference, amount and time, one to one, and what is left over is named.  `RULES` says how; the
first rule that pairs a charge decides, and no charge is paired twice.  The outcome does not depend on the order of
either list: charges are taken by time, those without one last, then by amount, then by reference.  Only charges equal
in all three are taken by their place, and then it makes no difference but for which of them is named.

Amounts are in the sense of a delta on both sides: what was used up is negative.  A date in place of a time stands for
all instants of its day, in UTC.

Source: docs/spec/dispute.md#matching.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, NamedTuple

from counterfoil.core.entry import DELTA
from counterfoil.core.receipt import ProvenEntry
from counterfoil.core.timestamp import DATE_CHARACTERS, MICROSECONDS, is_date, to_span

# A charge of theirs that we have not; one of ours that they have not; one that both have, with another amount; one
# that a side has once more.
MISSING_HERE: Final = "missing-here"
MISSING_THERE: Final = "missing-there"
AMOUNT_DIFFERS: Final = "amount-differs"
COUNTED_TWICE: Final = "counted-twice"

# Which of two charges has something that at most one of them has.  Two references that differ are two charges.
_AT_MOST_ONE: Final = ((False, False), (False, True), (True, False))
# What a charge says of when it happened.
_NO_TIME: Final = "none"
_TIME: Final = "time"
_DATE: Final = "date"


class Charge(NamedTuple):
    """One charge of either side.

    Attributes:
        place: of ours, the index of the entry; of theirs, the position of the row, from 0.
        amount: in nano (10^-9), not zero.
        reference: by which both sides know it, None where it has none.
        time: when it happened: a time of 27 characters, or a date of 10; None where nobody says.
        line: of theirs, the line of their file on which the row begins, from 1; None where there is no file.  Nothing is
            paired by it.
    """

    place: int
    amount: int
    reference: str | None = None
    time: str | None = None
    line: int | None = None


class Difference(NamedTuple):
    """One difference between the sides.

    Attributes:
        kind: `MISSING_HERE`, `MISSING_THERE`, `AMOUNT_DIFFERS` or `COUNTED_TWICE`.
        amount: what it adds to the total of ours less that of theirs, in nano.
        ours: place of our charge, None where it is about a charge of theirs alone.
        theirs: place of their charge, None where it is about a charge of ours alone.
        repeats: of `COUNTED_TWICE`, the place of the charge of the same side that it repeats.
        elsewhere: where it is about a charge of theirs alone, the index of a delta of its reference that is not among our
            charges, as one of another period is.  None where none is known, and in what `compare` finds: it sees two lists.
    """

    kind: str
    amount: int
    ours: int | None = None
    theirs: int | None = None
    repeats: int | None = None
    elsewhere: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What became of two lists.

    Attributes:
        ours: sum of our amounts, in nano.
        theirs: sum of theirs.
        agreed: pairs with equal amounts.
        differences: those about a charge of ours by its place, then the others by that of theirs.
    """

    ours: int
    theirs: int
    agreed: int
    differences: tuple[Difference, ...]

    @property
    def difference(self) -> int:
        """Ours less theirs, in nano: the sum of the amounts of the differences."""
        return self.ours - self.theirs

    @property
    def paired(self) -> int:
        """How many charges of either side have one of the other, of the same amount or another."""
        return self.agreed + sum(found.kind == AMOUNT_DIFFERS for found in self.differences)


def charges_of(items: Iterable[ProvenEntry]) -> list[Charge]:
    """Return the deltas among proven entries as charges.

    The reference is the `referenceId` of the details, none where these are absent.  The time is the one that the sender
    named, else the one at which the delta was accepted.
    """
    found = []
    for item in items:
        if (entry := item.entry).type != DELTA:
            continue
        reference = item.details.value.get("referenceId") if item.details else None
        time = entry.effective_at or entry.recorded_at
        found.append(
            Charge(entry.index, entry.amount, reference if isinstance(reference, str) else None, time)
        )
    return found


def compare(ours: Iterable[Charge], theirs: Iterable[Charge], *, tolerance_seconds: int) -> Comparison:
    """Pair the charges of two sides and name each difference.

    Args:
        ours: our charges, each place once.
        theirs: those of the other party, each place once.
        tolerance_seconds: how far apart the times of two charges without a common reference may be.
    """
    matching = _Matching(ours, theirs)
    for rule in RULES:
        rule(matching, tolerance_seconds)
    differences = [
        Difference(AMOUNT_DIFFERS, our.amount - their.amount, our.place, their.place)
        for our, their in matching.pairs
        if our.amount != their.amount
    ]
    agreed = len(matching.pairs) - len(differences)
    for charge, repeats in _left_over(matching.all_ours, matching.ours):
        kind = MISSING_THERE if repeats is None else COUNTED_TWICE
        differences.append(Difference(kind, charge.amount, ours=charge.place, repeats=repeats))
    for charge, repeats in _left_over(matching.all_theirs, matching.theirs):
        kind = MISSING_HERE if repeats is None else COUNTED_TWICE
        differences.append(Difference(kind, -charge.amount, theirs=charge.place, repeats=repeats))
    differences.sort(key=lambda found: (found.ours is None, found.ours or 0, found.theirs or 0))
    return Comparison(
        sum(charge.amount for charge in matching.all_ours),
        sum(charge.amount for charge in matching.all_theirs),
        agreed,
        tuple(differences),
    )


def pair_by_reference(ours: Iterable[Charge], theirs: Iterable[Charge]) -> list[tuple[Charge, Charge]]:
    """Return the pairs of the first two rules alone: charges of one reference."""
    matching = _Matching(ours, theirs)
    for rule in (_by_reference_and_amount, _by_reference):
        rule(matching, 0)
    return matching.pairs


def _order(charge: Charge) -> tuple[bool, str, int, bool, str, int]:
    # Times are of fixed width and compare as texts; a date comes before the times of its day.
    return (
        charge.time is None,
        charge.time or "",
        charge.amount,
        charge.reference is None,
        charge.reference or "",
        charge.place,
    )


class _Matching:
    """Two sides on their way: all charges, those that are not paired yet, and the pairs; each list in order."""

    def __init__(self, ours: Iterable[Charge], theirs: Iterable[Charge]) -> None:
        self.all_ours = self.ours = sorted(ours, key=_order)
        self.all_theirs = self.theirs = sorted(theirs, key=_order)
        self.pairs: list[tuple[Charge, Charge]] = []

    def pair_equal(self, ours: _Key, theirs: _Key) -> None:
        """Pair charges of equal keys, the first with the first; a key of None stands aside."""
        mine = [(charge, key) for charge in self.ours if (key := ours(charge)) is not None]
        if not mine:
            return
        waiting: defaultdict[object, list[Charge]] = defaultdict(list)
        for charge in reversed(self.theirs):
            if (key := theirs(charge)) is not None:
                waiting[key].append(charge)
        self._take([(charge, others.pop()) for charge, key in mine if (others := waiting.get(key))])

    def pair_near(self, ours: _Key, theirs: _Key, tolerance: int) -> None:
        """Pair charges of equal keys whose times are at most so many microseconds apart, the earliest first."""
        mine = self._by_key(self.ours, ours)
        others = self._by_key(self.theirs, theirs) if mine else {}
        found: list[tuple[Charge, Charge]] = []
        for key in mine.keys() & others.keys():
            found += _near(mine[key], others[key], tolerance)
        self._take(found)

    @staticmethod
    def _by_key(charges: Sequence[Charge], key_of: _Key) -> dict[object, list[Charge]]:
        found: defaultdict[object, list[Charge]] = defaultdict(list)
        for charge in charges:
            if charge.time is not None and (key := key_of(charge)) is not None:
                found[key].append(charge)
        return found

    def _take(self, pairs: list[tuple[Charge, Charge]]) -> None:
        if not pairs:
            return
        self.pairs += pairs
        ours, theirs = ({charge.place for charge in side} for side in zip(*pairs, strict=True))
        self.ours = [charge for charge in self.ours if charge.place not in ours]
        self.theirs = [charge for charge in self.theirs if charge.place not in theirs]


_Key = Callable[[Charge], object]


def _near(ours: Sequence[Charge], theirs: Sequence[Charge], tolerance: int) -> list[tuple[Charge, Charge]]:
    """Pair two lists in the order of time, each of times alone or of dates alone: as many pairs as a tolerance allows."""
    found = []
    our_spans = [to_span(charge.time or "") for charge in ours]
    their_spans = [to_span(charge.time or "") for charge in theirs]
    here = there = 0
    while here < len(ours) and there < len(theirs):
        (our_first, our_last), (their_first, their_last) = our_spans[here], their_spans[there]
        too_late, too_early = our_first - their_last > tolerance, their_first - our_last > tolerance
        if not too_late and not too_early:
            found.append((ours[here], theirs[there]))
        here += not too_late
        there += not too_early
    return found


def _by_reference_and_amount(matching: _Matching, _: int) -> None:
    """Rule 1: the same reference and amount; of several, those of the same time first, then those of one day."""

    def with_time(charge: Charge) -> object:
        return None if charge.reference is None else (charge.reference, charge.amount, charge.time)

    def with_day(charge: Charge) -> object:
        known = charge.reference is not None and charge.time is not None
        return (charge.reference, charge.amount, (charge.time or "")[:DATE_CHARACTERS]) if known else None

    def without(charge: Charge) -> object:
        return None if charge.reference is None else (charge.reference, charge.amount)

    for key in (with_time, with_day, without):
        matching.pair_equal(key, key)


def _by_reference(matching: _Matching, _: int) -> None:
    """Rule 2: the same reference, another amount of the same sign: a charge is no refund of itself."""

    def key(charge: Charge) -> object:
        return None if charge.reference is None else (charge.reference, charge.amount > 0)

    matching.pair_equal(key, key)


def _by_amount_at_one_time(matching: _Matching, _: int) -> None:
    """Rule 3: the same amount, the same time or the same date, and at most one reference."""
    _pair_times(matching, ((_TIME, _TIME), (_DATE, _DATE)), 0)


def _by_amount_in_time(matching: _Matching, tolerance_seconds: int) -> None:
    """Rule 4: the same amount, times within the tolerance, and at most one reference; what is less exact comes later."""
    tolerance = tolerance_seconds * MICROSECONDS
    _pair_times(matching, ((_TIME, _TIME),), tolerance)
    _pair_times(matching, ((_TIME, _DATE), (_DATE, _TIME)), 0)
    _pair_times(matching, ((_TIME, _DATE), (_DATE, _TIME), (_DATE, _DATE)), tolerance)


def _pair_times(matching: _Matching, kinds: Sequence[tuple[str, str]], tolerance: int) -> None:
    for (our_reference, their_reference), (our_time, their_time) in product(_AT_MOST_ONE, kinds):
        matching.pair_near(_amount(our_reference, our_time), _amount(their_reference, their_time), tolerance)


def _by_amount(matching: _Matching, _: int) -> None:
    """Rule 5: the same amount, at most one time, and at most one reference."""
    kinds = {False: (_NO_TIME,), True: (_TIME, _DATE)}
    for times, references in product(_AT_MOST_ONE, repeat=2):
        ours, theirs = (
            _amount(referenced, *kinds[timed]) for referenced, timed in zip(references, times, strict=True)
        )
        matching.pair_equal(ours, theirs)


def _amount(referenced: bool, *kinds: str) -> _Key:  # noqa: FBT001  -- with what follows it says one thing
    """Return the key of a charge by its amount, of those that have or lack a reference, and whose time is of a kind."""

    def key(charge: Charge) -> object:
        wanted = (charge.reference is not None) is referenced and _kind_of(charge) in kinds
        return charge.amount if wanted else None

    return key


def _kind_of(charge: Charge) -> str:
    if charge.time is None:
        return _NO_TIME
    return _DATE if is_date(charge.time) else _TIME


RULES: Final = (
    _by_reference_and_amount,
    _by_reference,
    _by_amount_at_one_time,
    _by_amount_in_time,
    _by_amount,
)


class _Known:
    """The charges of one side that are known so far: by amount and reference, and by amount and time."""

    def __init__(self) -> None:
        self._referenced: dict[tuple[int, str], int] = {}
        self._timed: dict[tuple[int, str], int] = {}
        self._timed_bare: dict[tuple[int, str], int] = {}

    def repeated_by(self, charge: Charge) -> int | None:
        """Return the place of the charge that this one repeats, None where it repeats none.

        The amounts are equal and so are the references; or, where one of them has none, the times.
        """
        if charge.reference is not None:
            found = self._referenced.get((charge.amount, charge.reference))
            if found is not None:
                return found
        timed = self._timed if charge.reference is None else self._timed_bare
        return None if charge.time is None else timed.get((charge.amount, charge.time))

    def add(self, charge: Charge) -> None:
        """Know a charge; of those that are alike the first counts."""
        if charge.reference is not None:
            self._referenced.setdefault((charge.amount, charge.reference), charge.place)
        if charge.time is None:
            return
        self._timed.setdefault((charge.amount, charge.time), charge.place)
        if charge.reference is None:
            self._timed_bare.setdefault((charge.amount, charge.time), charge.place)


def _left_over(charges: Sequence[Charge], left: Sequence[Charge]) -> list[tuple[Charge, int | None]]:
    """Return what is left of one side, each with the place of the charge that it repeats, where it repeats one.

    What was paired counts before what was not: of equal charges that are left the first repeats no other of them.
    """
    known, places = _Known(), {charge.place for charge in left}
    for charge in charges:
        if charge.place not in places:
            known.add(charge)
    found = []
    for charge in left:
        found.append((charge, known.repeated_by(charge)))
        known.add(charge)
    return found
