"""What verified documents and audits prove: in words, and as members of a JSON object.  Of ours it imports `core` and `output`.

Source: docs/spec/receipt.md, docs/spec/statement.md#result, docs/spec/checkpoint.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from counterfoil.cli.differences import LESS, difference_facts, difference_lines, sides_of
from counterfoil.cli.output import in_unit, plural, quoted
from counterfoil.core.amount import format_nano
from counterfoil.core.audit import AuditReport
from counterfoil.core.checkpoint import Checkpoint
from counterfoil.core.dispute import VerifiedDispute
from counterfoil.core.entry import DELTA
from counterfoil.core.receipt import Verified
from counterfoil.core.statement_verify import VerifiedStatement, leaves_out, opening_behind


@dataclass(frozen=True, slots=True)
class Finding:
    """What a document proves.

    Attributes:
        words: for a person, behind the name of the document.
        facts: for a program.
        lines: more for a person, below it.
    """

    words: str
    facts: dict[str, object]
    lines: Sequence[str] = ()


def describe_receipt(verified: Verified, kind: str, *, compared: bool) -> Finding:
    """Say what a verified receipt proves.

    Args:
        verified: what it proves.
        kind: what it is called.
        compared: whether the caller named the customer that it must be of.
    """
    entry, checkpoint = verified.entry, verified.checkpoint
    facts: dict[str, object] = {
        "kind": kind,
        "origin": checkpoint.origin,
        "index": entry.index,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "type": entry.type,
        "recordedAt": entry.recorded_at,
        "unit": entry.unit,
        "balance": format_nano(entry.balance),
        "customer": verified.customer_id,
        "details": verified.details,
    }
    what = entry.type
    if entry.type == DELTA:
        what = f"delta {in_unit(format_nano(entry.amount), entry.unit)}"
        facts |= {
            "amount": format_nano(entry.amount),
            "effectiveAt": entry.effective_at,
            "adjusts": entry.adjusts,
        }
    return Finding(
        f"{what}, index {entry.index} of {checkpoint.size}, recorded {entry.recorded_at}; "
        f"{_customer(verified.customer_id, compared=compared)}",
        facts,
    )


def describe_statement(verified: VerifiedStatement, *, compared: bool) -> Finding:
    """Say what a verified statement proves; otherwise as `describe_receipt`."""
    unit, through = verified.unit, verified.provisional_through
    amounts = {
        "openingBalance": format_nano(verified.opening.balance),
        "credits": format_nano(verified.credits),
        "debits": format_nano(verified.debits),
        "closingBalance": format_nano(verified.closing.balance),
    }
    facts: dict[str, object] = {
        "kind": "statement",
        **_place(verified.checkpoint),
        "from": verified.start,
        "to": verified.end,
        "mode": verified.mode,
        "provisionalThrough": through,
        "unit": unit,
        **amounts,
        "deltas": verified.deltas,
        "customer": verified.customer_id,
    }
    lines = [
        f"period           {verified.start} to {verified.end} (by time of recording)",
        f"opening balance  {in_unit(amounts['openingBalance'], unit)}",
        f"credits          {in_unit(amounts['credits'], unit)}",
        f"debits           {in_unit(amounts['debits'], unit)}",
        f"closing balance  {in_unit(amounts['closingBalance'], unit)}",
        f"deltas           {verified.deltas:,}",
    ]
    if leaves_out(verified):
        lines.append("the entries between are taken on trust: ask for a full one (--full)")
    words = ["final" if through is None else f"provisional, complete through {through}"]
    if (first := opening_behind(verified)) is not None:
        words.append(f"the log begins behind the period, at {first.recorded_at}")
    words.append(_customer(verified.customer_id, compared=compared))
    return Finding(f"statement, {verified.mode}, {'; '.join(words)}", facts, lines)


def describe_dispute(verified: VerifiedDispute, *, compared: bool) -> Finding:
    """Say what a verified dispute packet proves: our side, and that these are the differences to the rows."""
    statement, comparison = verified.statement, verified.comparison
    found, unit, rows = describe_statement(statement, compared=compared), statement.unit, verified.rows
    sides = sides_of(statement, rows, {receipt.entry.index: receipt.entry for receipt in verified.receipts})
    totals = {
        "ours": format_nano(comparison.ours),
        "theirs": format_nano(comparison.theirs),
        "difference": format_nano(comparison.difference),
    }
    facts: dict[str, object] = {
        "rows": len(rows),
        "agreed": comparison.agreed,
        "differences": [difference_facts(sides, one) for one in comparison.differences],
    }
    counted = plural(len(comparison.differences), "difference")
    lines = [
        f"ours             {in_unit(totals['ours'], unit)}, proven",
        f"theirs           {in_unit(totals['theirs'], unit)}, as they say, in {plural(len(rows), 'row')}",
        f"difference       {in_unit(totals['difference'], unit)} ({LESS}), named by {counted}",
        f"agreed           {plural(comparison.agreed, 'charge')}",
    ]
    return Finding(
        f"dispute packet with a {found.words}",
        {**found.facts, "kind": "dispute", **totals, **facts},
        [*found.lines, *lines, *difference_lines(sides, comparison.differences)],
    )


def describe_report(finding: Finding) -> Finding:
    """Say what a verified page proves: what the document in it does, and that it shows that and nothing else."""
    return Finding(
        f"{finding.words}; the page shows this", finding.facts | {"shownChecked": True}, finding.lines
    )


def describe_checkpoint(checkpoint: Checkpoint) -> Finding:
    """Say what a verified checkpoint proves."""
    return Finding(
        f"checkpoint of {checkpoint.origin}, size {checkpoint.size}; only its signature is checked",
        {"kind": "checkpoint", **_place(checkpoint)},
    )


def _place(checkpoint: Checkpoint) -> dict[str, object]:
    return {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex()}


def _customer(proven: str | None, *, compared: bool) -> str:
    if proven is None:
        return "customer not checked"
    # A genuine document of another customer verifies as well: only who expects one finds out.
    return f"customer {proven}" if compared else f"customer {proven} (named in the file, not compared)"


def describe_audit(report: AuditReport) -> Finding:
    """Say what the audit of a log found."""
    uncovered = report.entries - report.covered
    rest = f", {uncovered:,} behind them unsigned" if uncovered else ""
    facts: dict[str, object] = {
        "entries": report.entries,
        "deltas": report.deltas,
        "checkpoints": report.checkpoints,
        "detailsChecked": report.details_checked,
        "detailsAbsent": report.details_absent,
        "notCovered": uncovered,
        "verifiedThroughAt": report.verified_through_at,
    }
    return Finding(
        f"{plural(report.deltas, 'delta')}, {plural(report.checkpoints, 'checkpoint')}{rest}; "
        f"complete through {report.verified_through_at}",
        facts,
    )


def describe_packed_log(report: AuditReport) -> Finding:
    """Say what the audit of a log in a pack found: with the figures under its newest checkpoint, which is signed."""
    found, sealed = describe_audit(report), report.sealed
    assert sealed is not None  # noqa: S101  -- without a checkpoint nothing is decided
    amounts = amounts_of(sealed.credits, sealed.debits)
    figures = {"customer": report.customer_id, "unit": sealed.unit, "deltas": sealed.count, **amounts}
    customer = "not named" if report.customer_id is None else quoted(report.customer_id)
    # What no signature covers is counted in the words before, and is in no figure.
    signed = f"; {plural(sealed.count, 'delta')} signed" if sealed.count != report.deltas else ""
    words = f"{found.words}{signed}; customer {customer}, {amounts_in_words(amounts, sealed.unit)}"
    return Finding(words, found.facts | figures)


def amounts_of(credited: int, debited: int) -> dict[str, str]:
    """Return credits, debits and balance as exact decimals.

    Args:
        credited: sum of the positive amounts, in nano (10^-9).
        debited: sum of the negated negative amounts, in nano.
    """
    return {
        "credits": format_nano(credited),
        "debits": format_nano(debited),
        "balance": format_nano(credited - debited),
    }


def amounts_in_words(amounts: Mapping[str, str], unit: str) -> str:
    """Say credits, debits and balance, as in `credits 500, debits 12.5, balance 487.5 EUR`."""
    return in_unit(", ".join(f"{name} {amount}" for name, amount in amounts.items()), unit)
