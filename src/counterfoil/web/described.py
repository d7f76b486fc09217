"""What answers say of customers, months, deltas and checkpoints.

The members are defined in docs/api/customer-record.md, docs/api/balances.md and docs/api/reference.md.
"""

from __future__ import annotations

from counterfoil.core.reference import format_record_id
from counterfoil.core.timestamp import format_time
from counterfoil.engine.customers import CustomerRecord, CustomerView
from counterfoil.engine.deltas import DeltaItem
from counterfoil.engine.history import Span
from counterfoil.engine.published import Published, checkpoint_id
from counterfoil.engine.windows import Window, month_of, parse_month
from counterfoil.web.answers import amount

Members = dict[str, object]


def of_record(record: CustomerRecord) -> Members:
    """Describe the record of a customer, whatever the month."""
    return {
        "customerId": record.customer_id,
        "customerReference": f"0x{record.log.hex()}",
        "unit": record.unit,
        "totalDeltas": record.count,
        "verifiedDeltas": record.verified_count,
        "firstActivityAt": record.first_activity_at,
        "lastActivityAt": record.last_activity_at,
        "computedBalance": amount(record.balance),
        "cumulativeBalance": amount(record.verified_balance),
        "verifiedThroughAt": record.verified_through_at,
        "mostRecentActivePeriod": record.most_recent_active_period,
    }


def of_view(view: CustomerView) -> Members:
    """Describe the record of a customer with one month."""
    record, checkpoint, [span] = view.record, view.checkpoint, view.spans
    latest = None
    if checkpoint is not None:
        latest = {
            "checkpointId": checkpoint_id(record.log, checkpoint.size),
            "proofRoot": root_hex(checkpoint.root),
            "size": checkpoint.size,
            "deltaCount": record.verified_count,
            "balance": amount(record.verified_balance),
            "verifiedThroughAt": record.verified_through_at,
        }
    return {
        **of_record(record),
        "latestCheckpoint": latest,
        "period": month_of(span.window.start),
        "recordedThisPeriod": span.deltas,
        "recordedAmountThisPeriod": amount(span.amount),
        "verifiedThisPeriod": span.verified,
        "openingBalance": amount(span.opening.balance),
        "closingBalance": amount(span.closing.balance),
    }


def of_span(span: Span) -> Members:
    """Describe what happened in a part of a window."""
    return {
        **of_window(span.window),
        "deltaCount": span.deltas,
        "credits": amount(span.credits),
        "debits": amount(span.debits),
        "netChange": amount(span.amount),
        "openingBalance": amount(span.opening.balance),
        "closingBalance": amount(span.closing.balance),
        "verifiedThisPeriod": span.verified,
        "cumulativeBalance": amount(span.verified_closing.balance),
    }


def of_window(window: Window) -> Members:
    """Describe a window; its `period` is the month that it is, null where it is none."""
    month = month_of(window.start)
    return {
        "period": month if parse_month(month) == window else None,
        "startDate": format_time(window.start),
        # The end of the last month of all is no instant that can be named.
        "endDate": format_time(window.end - 1)
        if month_of(window.end - 1) == "9999-12"
        else format_time(window.end),
    }


def of_delta(item: DeltaItem) -> Members:
    """Describe a delta of a list."""
    details = item.details or {}
    entry = item.entry
    return {
        "recordId": item.record_id,
        "receiptId": item.record_id,
        "sequenceNumber": entry.count,
        "delta": amount(entry.amount),
        "reason": details.get("reason"),
        "referenceId": details.get("referenceId"),
        "metadata": details.get("metadata"),
        "status": item.status,
        "time": entry.recorded_at,
        "effectiveAt": entry.effective_at,
        "adjusts": None if entry.adjusts is None else {"recordId": format_record_id(item.log, entry.adjusts)},
        "verificationReference": None
        if item.covered_by is None
        else checkpoint_id(item.log, item.covered_by),
        "dataPurged": item.details is None,
    }


def of_checkpoint(published: Published) -> Members:
    """Describe a published checkpoint."""
    return {
        "checkpointId": published.checkpoint_id,
        "customerId": published.customer_id,
        "customerReference": f"0x{published.log.hex()}",
        "proofRoot": root_hex(published.checkpoint.root),
        "status": "VERIFIED",
        "size": published.checkpoint.size,
        "deltaCount": published.covered.count,
        "balance": amount(published.covered.balance),
        "createdAt": published.sealed_at,
        "verifiedThroughAt": published.sealed_at,
        "verificationReference": published.checkpoint_id,
    }


def root_hex(root: bytes) -> str:
    """Return a root hash as this API writes it."""
    return f"0x{root.hex()}"


def pages(page: int, limit: int, total: int) -> Members:
    """Describe where a page stands in its list."""
    return {"page": page, "limit": limit, "total": total, "totalPages": -(-total // limit)}
