"""Comparing a period of a customer with what the other party has of it, and the packet that proves our side.

Source: docs/spec/dispute.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from counterfoil.core.checkpoint import KeySet
from counterfoil.core.compare import Charge, Comparison
from counterfoil.core.dispute import compare_period, format_dispute
from counterfoil.core.reference import format_record_id
from counterfoil.core.statement_verify import VerifiedStatement, verify_statement
from counterfoil.engine.prove import Proven
from counterfoil.engine.statements import Stated

ProveUnder = Callable[[str, int], Proven]
"""Makes the receipt of a recordId under the checkpoint of a size."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A period, and what the other party has of it.

    Attributes:
        statement: what our side is, verified.
        comparison: both sides' totals, and the differences.
        packet: the dispute packet, canonical JSON, which verifies offline.
    """

    statement: VerifiedStatement
    comparison: Comparison
    packet: bytes


def compared(
    stated: Stated,
    log: bytes,
    keys: KeySet,
    rows: Sequence[Charge],
    prove: ProveUnder,
    *,
    window_seconds: int,
) -> Compared:
    """Compare a full statement with rows, and prove each entry that a difference names.

    Args:
        stated: the statement of the period.
        log: the 20-byte customer reference.
        keys: the operator's, under which it is verified first.
        rows: the other party's charges; the place of each is its position.
        prove: makes receipts.
        window_seconds: how far apart the times of two charges without a common reference may be.

    Raises:
        CounterfoilError: as `counterfoil.core.dispute.compare_period` and `format_dispute`, and what `prove` says.
    """
    statement = verify_statement(stated.document, keys, allow_provisional=True)
    comparison = compare_period(statement, rows, window_seconds=window_seconds)
    size = statement.checkpoint.size
    receipts = [
        prove(format_record_id(log, found.ours), size).receipt
        for found in comparison.differences
        if found.ours is not None
    ]
    packet = format_dispute(
        stated.document, rows, comparison.differences, receipts, window_seconds=window_seconds
    )
    return Compared(statement, comparison, packet)
