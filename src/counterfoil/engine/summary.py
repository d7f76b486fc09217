"""All customers of a tenant in a few numbers.

It reads the edges of every log, so that it costs what there are customers, and nothing of how much each recorded.

Source: docs/api/customer-record.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from counterfoil.engine.customers import CustomerRecord
from counterfoil.errors import CounterfoilError


@dataclass(slots=True)
class UnitTotals:
    """Sums over all customers with one unit, in nano (10^-9)."""

    customers: int = 0
    credits: int = 0
    debits: int = 0
    verified_credits: int = 0
    verified_debits: int = 0


@dataclass(slots=True)
class Summary:
    """All customers of a tenant.

    Attributes:
        customers: how many there are.
        deltas: recorded by all of them.
        verified: deltas of these that checkpoints cover.
        fully_verified: customers whose deltas are all covered.
        refused: customers whose records contradict themselves.
        verified_through_at: the earliest watermark of all customers; None where one has none.
        last_activity_at: the time of the newest delta; None without customers.
        units: sums by unit.
    """

    customers: int = 0
    deltas: int = 0
    verified: int = 0
    fully_verified: int = 0
    refused: int = 0
    verified_through_at: str | None = None
    last_activity_at: str | None = None
    units: dict[str, UnitTotals] = field(default_factory=dict)


def summarize(records: Iterable[CustomerRecord | CounterfoilError]) -> Summary:
    """Add up the records of all customers."""
    summary = Summary()
    watermarks: list[str | None] = []
    for record in records:
        summary.customers += 1
        if isinstance(record, CounterfoilError):
            summary.refused += 1
            continue
        summary.deltas += record.count
        summary.verified += record.verified_count
        summary.fully_verified += record.count == record.verified_count
        watermarks.append(record.verified_through_at)
        # Times compare as their texts do.
        summary.last_activity_at = max(summary.last_activity_at or "", record.last_activity_at)
        totals = summary.units.setdefault(record.unit, UnitTotals())
        totals.customers += 1
        totals.credits += record.credits
        totals.debits += record.debits
        totals.verified_credits += record.verified_credits
        totals.verified_debits += record.verified_debits
    known = [watermark for watermark in watermarks if watermark is not None]
    if known and len(known) == len(watermarks):
        summary.verified_through_at = min(known)
    return summary
