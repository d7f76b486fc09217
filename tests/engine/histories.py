"""Random histories of one customer, and what they add up to, the slow way: every entry is looked at."""

import random
from typing import NamedTuple

from counterfoil.core.entry import DELTA, SEAL, parse_entry
from counterfoil.core.timestamp import month_end, to_microseconds
from tests.support import SECOND, delta, entries_of

DAY = 86_400 * SECOND


class Seen(NamedTuple):
    """A delta: when it was accepted, its amount, and the time of the seal of its first checkpoint."""

    index: int
    time: int
    amount: int
    sealed_at: int | None


def live(engine, clock, seed, steps=60, customer="alice"):
    """Record and checkpoint at random, at boundaries of months above all."""
    chance = random.Random(seed)  # noqa: S311  -- the same history each time
    clock.tick = 0
    for number in range(steps):
        gap = chance.choice(["none", "microsecond", "seconds", "days", "boundary", "before the boundary"])
        # The clock may stand on a boundary already: then it is the next one's.
        end = month_end(clock.now + 1)
        clock.now = {
            "none": clock.now,
            "microsecond": clock.now + 1,
            "seconds": clock.now + chance.randrange(100 * SECOND),
            "days": clock.now + chance.randrange(40 * DAY),
            "boundary": end,
            "before the boundary": end - 1,
        }[gap]
        if number and chance.random() < 0.3:
            engine.checkpoint(customer, refresh=chance.random() < 0.5)
        else:
            count = chance.choice([1, 1, 2, 5, 90])
            amounts = [str(chance.choice([1, -1]) * chance.randrange(1, 10**6) / 1000) for _ in range(count)]
            engine.record_many([delta(amount, customer) for amount in amounts])
        # Entries of one moment follow on one another by microseconds; the clock is not to fall behind them.
        clock.now += 200


def seen(engine, store, customer="alice"):
    """Return the deltas of a customer, from all entries and all checkpoints."""
    log = engine.log_of(customer)
    entries = [parse_entry(row.entry) for row in entries_of(store, log)]
    seals = [checkpoint.size - 1 for checkpoint in engine.checkpoints(customer)]
    assert all(entries[index].type == SEAL for index in seals)
    return [
        Seen(
            entry.index,
            to_microseconds(entry.recorded_at),
            entry.amount,
            next((to_microseconds(entries[seal].recorded_at) for seal in seals if seal > entry.index), None),
        )
        for entry in entries
        if entry.type == DELTA
    ]
