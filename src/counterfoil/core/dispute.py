r"""Dispute packets: where two parties differ about a period, with the proof of our side of each difference.

    {"type": "counterfoil/dispute@v1",
     "statement": {...},                                              of the period, full
     "rows": [{"amount", "line"?, "reference"?, "time"?}, ...],       the other party's charges, as given
     "toleranceSeconds": "300",                                       how far apart two times of one charge may be
     "differences": [{"kind", "amount", "index"?, "row"?, "repeats"?, "elsewhere"?}, ...],
     "receipts": [{...}, ...]}                                        of the entries that the differences name

Nothing in it is signed but the statement and the receipts.  The rows are what somebody says; the differences follow from
them and from the entries of the statement, so whoever verifies a packet computes them again.

Source: docs/spec/dispute.md, whose step numbers stand in the code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from counterfoil.core.amount import TOTAL_PATTERN, format_nano, parse_amount, to_nano
from counterfoil.core.checkpoint import KeySet
from counterfoil.core.compare import (
    AMOUNT_DIFFERS,
    COUNTED_TWICE,
    MISSING_HERE,
    MISSING_THERE,
    Charge,
    Comparison,
    Difference,
    charges_of,
    compare,
    pair_by_reference,
)
from counterfoil.core.crosscheck import CrossCheck, Proof, proof_of
from counterfoil.core.encoding import (
    JsonValue,
    decode_integer,
    excerpt,
    json_string,
    members,
    read_json,
    text_member,
)
from counterfoil.core.receipt import Receipt, Verified, receipt_from, verify_receipt
from counterfoil.core.statement import FULL, Statement, statement_from
from counterfoil.core.statement_verify import VerifiedStatement, require_full, verify_statement
from counterfoil.core.timestamp import parse_time_or_date
from counterfoil.errors import MalformedError, TooLargeError, VerificationError
from counterfoil.limits import COMPARISON_TOLERANCE_SECONDS_MAX, DISPUTE_BYTES_MAX, DISPUTE_ROWS_MAX

DISPUTE_TYPE: Final = "counterfoil/dispute@v1"

_MEMBERS: Final = frozenset({"type", "statement", "rows", "toleranceSeconds", "differences", "receipts"})
_ROW: Final = frozenset({"amount"})
_ROW_OPTIONAL: Final = frozenset({"line", "reference", "time"})
_DIFFERENCE: Final = frozenset({"kind", "amount"})
# Which charges each kind names; what was counted twice stands on one side, with what it repeats.
_NAMED: Final = {
    MISSING_HERE: ({"row"}, {"row", "elsewhere"}),
    MISSING_THERE: ({"index"},),
    AMOUNT_DIFFERS: ({"index", "row"},),
    COUNTED_TWICE: ({"index", "repeats"}, {"row", "repeats"}, {"row", "repeats", "elsewhere"}),
}
_PLACES: Final = frozenset({"index", "row", "repeats", "elsewhere"})
# Two amounts of opposite sign differ by more than an amount holds.
_AMOUNT: Final = re.compile(rf"-?{TOTAL_PATTERN}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Dispute:
    """A dispute packet that was read, not verified.

    Attributes:
        statement: of the period, full.
        rows: the other party's charges; the place of each is its position.
        tolerance_seconds: how far apart the times of two charges without a common reference may be.
        differences: as listed.
        receipts: of the entries that the differences name, in that order.
    """

    statement: Statement
    rows: tuple[Charge, ...]
    tolerance_seconds: int
    differences: tuple[Difference, ...]
    receipts: tuple[Receipt, ...]


@dataclass(frozen=True, slots=True)
class VerifiedDispute:
    """What a dispute packet proves.

    Attributes:
        statement: what the period adds up to on our side.
        rows: the other party's charges: what the packet says of them, and no more.
        comparison: both sides' totals, and the differences.
        receipts: of the entries that the differences name, in that order: our side of them, or what is elsewhere.
    """

    statement: VerifiedStatement
    rows: tuple[Charge, ...]
    comparison: Comparison
    receipts: tuple[Verified, ...]


def compare_period(
    statement: VerifiedStatement, rows: Sequence[Charge], *, tolerance_seconds: int
) -> Comparison:
    """Compare the deltas of a period with the other party's charges.

    Args:
        statement: of the period, full.
        rows: the other party's charges; the place of each is its position.
        tolerance_seconds: how far apart the times of two charges without a common reference may be.

    Raises:
        EngineError: `usage`, where the statement is a light one.
    """
    require_full(statement)
    return compare(charges_of(statement.inside), rows, tolerance_seconds=tolerance_seconds)


def signs_oppose(
    statement: VerifiedStatement, rows: Sequence[Charge], found: Comparison, *, tolerance_seconds: int
) -> bool:
    """Return whether most rows would find a charge of ours with their signs turned, and more of them than as they are.

    Args:
        statement: of the period, full.
        rows: the other party's charges.
        found: what `compare_period` says of both.
        tolerance_seconds: with which it was found.
    """
    if found.paired > len(rows) // 2:
        return False
    turned = [row._replace(amount=-row.amount) for row in rows]
    return compare_period(statement, turned, tolerance_seconds=tolerance_seconds).paired > len(rows) // 2


def proven_of(difference: Difference) -> int | None:
    """Return the index of the entry whose receipt a packet has for a difference, None where it has none."""
    return difference.ours if difference.elsewhere is None else difference.elsewhere


def proofs_of(document: Receipt | Statement | Dispute) -> list[Proof]:
    """Return all that a verified document proves: of a packet its statement, then its receipts."""
    if isinstance(document, Dispute):
        return [proof_of(document.statement), *map(proof_of, document.receipts)]
    return [proof_of(document)]


def parse_dispute(data: bytes | str) -> Dispute:
    """Read a dispute packet (step 1, as far as keys are not needed).  Nothing is verified.

    Raises:
        TooLargeError: beyond 67,108,864 bytes, beyond 100,000 rows, or a bound within.
        MalformedError: where it is no dispute packet.
        VerificationError: `unknown-type`, where it or something in it is of a type that this version does not know.
    """
    return dispute_from(read_json(data, bytes_max=DISPUTE_BYTES_MAX, what="dispute"))


def dispute_from(value: JsonValue) -> Dispute:
    """Read a dispute packet from its JSON value; otherwise as `parse_dispute`."""
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise MalformedError("dispute is not a JSON object with a type")
    if value["type"] != DISPUTE_TYPE:
        raise VerificationError(
            "unknown-type", f"document of type {excerpt(value['type'])}, want {DISPUTE_TYPE}"
        )
    members(value, required=_MEMBERS, optional=frozenset(), what="dispute")
    tolerance_seconds = decode_integer(text_member(value, "toleranceSeconds", what="dispute"))
    if tolerance_seconds > COMPARISON_TOLERANCE_SECONDS_MAX:
        raise MalformedError(f"a tolerance has at most {COMPARISON_TOLERANCE_SECONDS_MAX} seconds")
    rows = _rows(value["rows"])
    differences = tuple([_difference(found) for found in _array(value["differences"], "differences")])
    statement = statement_from(value["statement"])
    if statement.mode != FULL:
        raise MalformedError("the statement of a dispute is a full one")
    receipts = tuple([receipt_from(found) for found in _array(value["receipts"], "receipts")])
    wanted = [index for found in differences if (index := proven_of(found)) is not None]
    if [receipt.item.entry.index for receipt in receipts] != wanted:
        raise MalformedError("the receipts are not those of the entries that the differences name")
    return Dispute(statement, rows, tolerance_seconds, differences, receipts)


def _array(value: JsonValue, what: str) -> list[JsonValue]:
    if not isinstance(value, list):
        raise MalformedError(f"{what} of a dispute is not a JSON array")
    return value


def _rows(value: JsonValue) -> tuple[Charge, ...]:
    found = _array(value, "rows")
    if len(found) > DISPUTE_ROWS_MAX:
        raise TooLargeError(f"dispute has over {DISPUTE_ROWS_MAX} rows")
    return tuple([_row(place, row) for place, row in enumerate(found)])


def _row(place: int, value: JsonValue) -> Charge:
    found = members(value, required=_ROW, optional=_ROW_OPTIONAL, what="row")
    amount = parse_amount(text_member(found, "amount", what="row"))
    reference = text_member(found, "reference", what="row") if "reference" in found else None
    time = text_member(found, "time", what="row") if "time" in found else None
    if time is not None:
        parse_time_or_date(time)
    line = decode_integer(text_member(found, "line", what="row")) if "line" in found else None
    if line == 0:
        raise MalformedError("lines are counted from 1")
    return Charge(place, amount, reference, time, line)


def _difference(value: JsonValue) -> Difference:
    found = members(value, required=_DIFFERENCE, optional=_PLACES, what="difference")
    kind, amount = (text_member(found, name, what="difference") for name in ("kind", "amount"))
    if kind not in _NAMED or found.keys() - _DIFFERENCE not in _NAMED[kind]:
        raise MalformedError(f"not a kind of difference with the charges that it names: {excerpt(kind)}")
    if not _AMOUNT.fullmatch(amount) or not (nano := to_nano(amount)):
        raise MalformedError(f"not the amount of a difference: {excerpt(amount)}")
    places = {
        name: decode_integer(text_member(found, name, what="difference")) for name in _PLACES & found.keys()
    }
    return Difference(
        kind, nano, places.get("index"), places.get("row"), places.get("repeats"), places.get("elsewhere")
    )


def verify_dispute(
    dispute: Dispute | bytes | str,
    keys: KeySet,
    *,
    origin: str | None = None,
    customer_id: str | None = None,
    allow_provisional: bool = False,
) -> VerifiedDispute:
    """Verify a dispute packet offline, from its bytes and the caller's keys alone.

    Args:
        dispute: the packet, or its bytes.
        keys: the keys that the caller trusts.
        origin: the log that the caller expects it about, where one is named.
        customer_id: the customer that the caller expects its statement to name.
        allow_provisional: whether the period may still be open.

    Raises:
        MalformedError, VerificationError: with the code of the first step that fails.
    """
    # Step 1: form.
    if not isinstance(dispute, Dispute):
        dispute = parse_dispute(dispute)
    # Step 2: the period, whole.
    statement = verify_statement(
        dispute.statement, keys, origin=origin, customer_id=customer_id, allow_provisional=allow_provisional
    )
    # Step 3: our side of each difference, of the same log and history.
    origin = statement.checkpoint.origin
    together = CrossCheck()
    together.take("the statement", proof_of(dispute.statement))
    receipts = []
    for number, receipt in enumerate(dispute.receipts, 1):
        verified = verify_receipt(receipt, keys, origin=origin)
        together.take(f"receipt {number}", proof_of(receipt))
        receipts.append(verified)
    # Step 4: the differences are those of the entries and the rows.
    comparison = compare_period(statement, dispute.rows, tolerance_seconds=dispute.tolerance_seconds)
    if tuple([found._replace(elsewhere=None) for found in dispute.differences]) != comparison.differences:
        raise VerificationError(
            "details-mismatch",
            "the differences are not those between the entries of the statement and the rows",
            listed=len(dispute.differences),
            found=len(comparison.differences),
        )
    _verify_elsewhere(dispute, statement)
    comparison = replace(comparison, differences=dispute.differences)
    return VerifiedDispute(statement, dispute.rows, comparison, tuple(receipts))


def _verify_elsewhere(dispute: Dispute, statement: VerifiedStatement) -> None:
    """Refuse an entry elsewhere that is among our charges, is not the charge of its row, or is named twice."""
    taken = {item.entry.index for item in statement.inside}
    items = {receipt.item.entry.index: receipt.item for receipt in dispute.receipts}
    for found in dispute.differences:
        if found.elsewhere is None or found.theirs is None:
            continue
        charges, row = charges_of([items[found.elsewhere]]), dispute.rows[found.theirs]
        if found.elsewhere in taken or not pair_by_reference(charges, [row]):
            raise VerificationError(
                "details-mismatch",
                "the entry that is said to be elsewhere in the log is not the charge of the row",
                index=found.elsewhere,
                row=found.theirs,
            )
        taken.add(found.elsewhere)


def format_dispute(
    statement: bytes,
    rows: Sequence[Charge],
    differences: Sequence[Difference],
    receipts: Sequence[bytes],
    *,
    tolerance_seconds: int,
) -> bytes:
    """Write a dispute packet in canonical form.

    Args:
        statement: of the period, full, in canonical form.
        rows: the other party's charges; the place of each is its position.
        differences: all that `compare_period` finds; with what is elsewhere in the log, where that is known.
        receipts: of the entries that the differences name (`proven_of`), in that order, each in canonical form.
        tolerance_seconds: with which they were found.

    Raises:
        TooLargeError: beyond 67,108,864 bytes or 100,000 rows: nobody would read it.
    """
    if len(rows) > DISPUTE_ROWS_MAX:
        raise TooLargeError(f"dispute has over {DISPUTE_ROWS_MAX} rows")
    data = (
        f'{{"differences":[{",".join([_write_difference(found) for found in differences])}],'
        f'"receipts":[{",".join([receipt.decode() for receipt in receipts])}],'
        f'"rows":[{",".join([_write_row(row) for row in rows])}],'
        f'"statement":{statement.decode()},"toleranceSeconds":"{tolerance_seconds}","type":"{DISPUTE_TYPE}"}}'
    ).encode()
    if len(data) > DISPUTE_BYTES_MAX:
        raise TooLargeError(f"dispute has over {DISPUTE_BYTES_MAX} bytes")
    return data


def _write_row(row: Charge) -> str:
    line = "" if row.line is None else f',"line":"{row.line}"'
    reference = "" if row.reference is None else f',"reference":{json_string(row.reference)}'
    time = "" if row.time is None else f',"time":"{row.time}"'
    return f'{{"amount":"{format_nano(row.amount)}"{line}{reference}{time}}}'


def _write_difference(found: Difference) -> str:
    elsewhere = "" if found.elsewhere is None else f',"elsewhere":"{found.elsewhere}"'
    index = "" if found.ours is None else f',"index":"{found.ours}"'
    repeats = "" if found.repeats is None else f',"repeats":"{found.repeats}"'
    row = "" if found.theirs is None else f',"row":"{found.theirs}"'
    amount = format_nano(found.amount)
    return f'{{"amount":"{amount}"{elsewhere}{index},"kind":"{found.kind}"{repeats}{row}}}'
