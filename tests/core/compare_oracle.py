"""What docs/spec/dispute.md finds between two lists, written from the page: slow, obvious, and without anything of core.

A charge is anything with a place, an amount, a reference and a time; rows alone may have a date in place of a time.
"""

from datetime import datetime, timedelta
from functools import partial


def differences(ours, theirs, tolerance_seconds):
    """The differences in their order, each as its kind, amount, our place, their place, and the place that it repeats."""
    ours, theirs = sorted(ours, key=order), sorted(theirs, key=order)
    pairs = []
    for rule in rules(timedelta(seconds=tolerance_seconds)):
        for our in ours:
            for their in theirs:
                free = all(our is not one and their is not other for one, other in pairs)
                if free and all(holds(our, their) for holds in rule):
                    pairs.append((our, their))
    found = [
        ("amount-differs", our.amount - their.amount, our.place, their.place, None)
        for our, their in pairs
        if our.amount != their.amount
    ]
    for charge, place in left_over(ours, [our for our, _ in pairs]):
        kind = "missing-there" if place is None else "counted-twice"
        found.append((kind, charge.amount, charge.place, None, place))
    for charge, place in left_over(theirs, [their for _, their in pairs]):
        kind = "missing-here" if place is None else "counted-twice"
        found.append((kind, -charge.amount, None, charge.place, place))
    return sorted(found, key=lambda one: (one[2] is None, one[3] if one[2] is None else one[2]))


def order(charge):
    """By time, a date first of its day; then amount; then reference; then place.  What there is none of comes last."""
    day, time = (charge.time or "")[:10], (charge.time or "")[10:]
    reference = [ord(character) for character in charge.reference or ""]
    return charge.time is None, day, time, charge.amount, charge.reference is None, reference, charge.place


def rules(tolerance):
    """The parts of the rules of the page in their order: all that must hold of a charge of ours and one of theirs."""
    near = partial(within, tolerance)
    no_reference, one_reference = (partial(having, "reference", count) for count in (0, 1))
    no_time, one_time = (partial(having, "time", count) for count in (0, 1))
    # Rules 1 and 2.
    for when in ([same_time], [of_one_day], []):
        yield [same_reference, same_amount, *when]
    yield [same_reference, same_sign]
    # Rules 3 and 4.
    for when in ([same_time, timed], [timed, near], [dated, of_one_day], [dated, near]):
        for references in (no_reference, one_reference):
            yield [same_amount, *when, references]
    # Rule 5.
    for times in (no_time, one_time):
        for references in (no_reference, one_reference):
            yield [same_amount, times, references]


def same_reference(one, other):
    return one.reference is not None and one.reference == other.reference


def same_amount(one, other):
    return one.amount == other.amount


def same_sign(one, other):
    return (one.amount > 0) == (other.amount > 0)


def same_time(one, other):
    """The same time, or both none."""
    return one.time == other.time


def having(name, count, one, other):
    """So many of the two have it."""
    return (getattr(one, name) is not None) + (getattr(other, name) is not None) == count


def timed(_, row):
    return row.time is not None and len(row.time) > 10


def dated(_, row):
    return row.time is not None and len(row.time) == 10


def of_one_day(one, other):
    return one.time is not None and other.time is not None and one.time[:10] == other.time[:10]


def within(tolerance, one, row):
    """The time is at most so far from the row's, or from the nearest instant of the row's day."""
    if one.time is None:
        return False
    time, first = (datetime.fromisoformat(found.time[:26]) for found in (one, row))
    last = first + timedelta(days=1, microseconds=-1) if dated(one, row) else first
    return first - tolerance <= time <= last + tolerance


def left_over(charges, paired):
    """What is not paired of a side, in order, each with the place of the charge that it repeats, or None."""
    before = [charge for charge in charges if any(charge is one for one in paired)]
    for charge in charges:
        if any(charge is one for one in paired):
            continue
        alike = [one for one in before if same_amount(one, charge)]
        repeated = [one for one in alike if same_reference(one, charge)]
        repeated += [
            one
            for one in alike
            if charge.time is not None
            and same_time(one, charge)
            and None in (one.reference, charge.reference)
        ]
        yield charge, next((one.place for one in repeated), None)
        before.append(charge)
