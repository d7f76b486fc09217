"""What the pages say: of a verified receipt, and of a verified statement.

Every figure comes from what was verified, and from nothing else.  What is said does not depend on the keys that it was
verified with, or another reader would get another page.

Source: docs/spec/report.md.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Final

from counterfoil.core.checkpoint import Checkpoint
from counterfoil.core.encoding import JsonValue, canonical_json
from counterfoil.core.entry import DELTA, OPEN, SEAL, Entry
from counterfoil.core.receipt import ProvenEntry, Verified
from counterfoil.core.reference import parse_origin
from counterfoil.core.report.chart import balance_chart, totals_chart
from counterfoil.core.report.markup import (
    cut,
    facts,
    figure,
    listing,
    month_of,
    number,
    outside,
    plain_time,
    time_element,
)
from counterfoil.core.statement import FULL
from counterfoil.core.statement_verify import VerifiedStatement

_WHAT: Final = {DELTA: "delta", OPEN: "opening of the log", SEAL: "seal"}
_RECEIPT_PROVES: Final = (
    "It proves that the holder of the operator\u2019s key signed a log in which this entry stands at this place, with this "
    "time and these figures. It does not prove that the totals are the sums of all entries before, "
)
_FULL_PROVES: Final = (
    "It proves that nothing of the period was left out: every entry is in this file, and the credits and debits are their "
    "sums, provided that the log keeps to its rules before and after the period. It does not prove "
)
_LIGHT_PROVES: Final = (
    "It proves what the period adds up to and that nothing at its ends was left out, provided that the log keeps to its "
    "rules throughout: the entries between the first and the last are not in this file. It does not prove "
)
_UNPROVEN: Final = (
    "that no newer checkpoint exists, that everybody was shown the same log, or that the times are true."
)


def receipt_title(verified: Verified) -> str:
    """Return the title of a receipt's page, text with entities."""
    entry = verified.entry
    what = f"{figure(entry.amount)} {html.escape(entry.unit)}" if entry.type == DELTA else _WHAT[entry.type]
    return f"Receipt: {what}, {plain_time(entry.recorded_at)}"


def receipt_content(verified: Verified) -> str:
    """Return what the page of a receipt says, markup."""
    return (
        facts("The entry", _entry_rows(verified))
        + facts("Totals of the log after it", _total_rows(verified.entry))
        + f'<h2>What this proves</h2>\n<p class="note">{_RECEIPT_PROVES}{_UNPROVEN}</p>\n'
        + _proof(verified.checkpoint, "counterfoil/receipt@v1")
        + _checking(verified.checkpoint, verified.customer_id)
    )


def _entry_rows(verified: Verified) -> Iterator[tuple[str, str]]:
    entry = verified.entry
    yield "Customer", _customer(verified.customer_id)
    yield "What", _WHAT[entry.type]
    if entry.type == DELTA:
        yield "Amount", f"<strong>{_amount(entry.amount, entry)}</strong>"
    yield "Recorded", time_element(entry.recorded_at)
    if entry.effective_at is not None:
        yield "Happened, as the sender says", time_element(entry.effective_at)
    if entry.adjusts is not None:
        yield "Corrects", f"entry {number(entry.adjusts)}"
    yield "Place", f"entry {number(entry.index)}, counted from 0, of {number(verified.checkpoint.size)}"
    if entry.details is None:
        return
    if verified.details is None:
        yield "Details", "not in this file: erased or withheld"
        return
    yield from _detail_rows(verified.details)


def _detail_rows(details: dict[str, JsonValue]) -> Iterator[tuple[str, str]]:
    names = {"reason": "Reason", "referenceId": "Reference", "customerId": "Names the customer"}
    for member, name in names.items():
        if isinstance(value := details.get(member), str):
            yield name, outside(value)
    metadata = details.get("metadata")
    if isinstance(metadata, dict) and metadata:
        members = "".join(
            [
                f"<dt>{outside(member)}</dt><dd><code>{outside(canonical_json(value).decode())}</code></dd>"
                for member, value in sorted(metadata.items())
            ]
        )
        yield "Metadata", f"<dl>{members}</dl>"


def _total_rows(entry: Entry) -> Iterator[tuple[str, str]]:
    yield "Deltas", number(entry.count)
    yield "Credits", _amount(entry.credits, entry)
    yield "Debits", _amount(entry.debits, entry)
    yield "Balance", f"<strong>{_amount(entry.balance, entry)}</strong>"


def statement_title(statement: VerifiedStatement) -> str:
    """Return the title of a statement's page, text."""
    month = month_of(statement.start, statement.end)
    return f"Statement for {month or f'{plain_time(statement.start)} to {plain_time(statement.end)}'}"


def statement_content(statement: VerifiedStatement) -> str:
    """Return what the page of a statement says, markup."""
    full = statement.mode == FULL
    return (
        facts("The period", _period_rows(statement))
        + facts("What it adds up to", _sum_rows(statement))
        + (balance_chart(statement) if full else totals_chart(statement))
        + f'<h2>What this proves</h2>\n<p class="note">{_FULL_PROVES if full else _LIGHT_PROVES}{_UNPROVEN}</p>\n'
        + _entries(statement)
        + _proof(statement.checkpoint, "counterfoil/statement@v1")
        + _checking(statement.checkpoint, statement.customer_id)
    )


def _period_rows(statement: VerifiedStatement) -> Iterator[tuple[str, str]]:
    yield "Customer", _customer(statement.customer_id)
    yield "From", time_element(statement.start)
    yield "Up to, and not including", time_element(statement.end)
    if statement.provisional_through is None:
        yield "State", "final: no delta can come to this period any more"
    else:
        yield (
            "State",
            (
                f"<strong>provisional</strong>: complete through {time_element(statement.provisional_through)}; "
                "more may come"
            ),
        )
    yield "Mode", f"{statement.mode}: {_mode(statement)}"


def _mode(statement: VerifiedStatement) -> str:
    if statement.mode == FULL:
        return "with every entry of the period"
    return "with the totals, and the first and last entry of the period"


def _sum_rows(statement: VerifiedStatement) -> Iterator[tuple[str, str]]:
    unit = outside(statement.unit)
    yield "Opening balance", f"{figure(statement.opening.balance)} {unit}"
    yield "Credits", f"{figure(statement.credits)} {unit}"
    yield "Debits", f"{figure(statement.debits)} {unit}"
    yield "Closing balance", f"<strong>{figure(statement.closing.balance)} {unit}</strong>"
    yield "Deltas", number(statement.deltas)


def _entries(statement: VerifiedStatement) -> str:
    if not statement.inside:
        return "<h2>Entries</h2>\n<p>The period has none.</p>\n"
    unit = outside(statement.unit)
    columns = (
        ("Entry", ""),
        ("Recorded", ""),
        ("What", ""),
        ("Reference", ""),
        (f"Amount in {unit}", "figure"),
        ("Balance after it", "figure"),
    )
    caption = (
        f"All {number(len(statement.inside))} entries of the period"
        if statement.mode == FULL
        else "The first and the last entry of the period; those between are not in this file"
    )
    return listing("Entries", caption, columns, map(_entry_cells, statement.inside))


def _entry_cells(item: ProvenEntry) -> tuple[str, ...]:
    entry, value = item.entry, item.details.value if item.details else {}
    reason, reference = value.get("reason"), value.get("referenceId")
    what = [cut(reason) if isinstance(reason, str) else _WHAT[entry.type]]
    if entry.adjusts is not None:
        what.append(f"<small>corrects entry {number(entry.adjusts)}</small>")
    if entry.effective_at is not None:
        what.append(f"<small>happened {time_element(entry.effective_at)}</small>")
    return (
        number(entry.index),
        time_element(entry.recorded_at),
        "<br>".join(what),
        cut(reference) if isinstance(reference, str) else "",
        figure(entry.amount) if entry.type == DELTA else "",
        figure(entry.balance),
    )


def _customer(customer_id: str | None) -> str:
    if customer_id is None:
        return "not named: this file does not say whose log it is"
    return f"<strong>{outside(customer_id)}</strong>"


def _amount(nano: int, entry: Entry) -> str:
    return f"{figure(nano)} {outside(entry.unit)}"


def _proof(checkpoint: Checkpoint, kind: str) -> str:
    origin = parse_origin(checkpoint.origin)
    # Which of these a reader's key is, only the reader can say; the lines of others, witnesses say, are left out.
    ids = [line.key_id.hex() for line in checkpoint.signatures if line.name == checkpoint.origin]
    rows = (
        ("Operator", origin.operator),
        ("Log", f"<code>{checkpoint.origin}</code>"),
        ("Checkpoint", f"{number(checkpoint.size)} entries"),
        ("Root hash", f"<code>{checkpoint.root.hex()}</code>"),
        ("Key id in the signature", f"<code>{', '.join(ids)}</code>"),
        ("Proof in this file", f"<code>{kind}</code>"),
    )
    return facts("Proof", rows)


def _checking(checkpoint: Checkpoint, customer_id: str | None) -> str:
    operator = parse_origin(checkpoint.origin).operator
    option, expected = ("--origin LOG", "log") if customer_id is None else ("--customer ID", "customer")
    return (
        "<h2>How to check this page</h2>\n"
        "<p>Whoever can edit a file can make it say anything. So do not believe this page before you have checked it:</p>\n"
        "<ol>\n<li>Keep the file as you got it. Saved again by a browser or an editor it is another file, and is refused.</li>\n"
        f"<li>Get the verifier key of {operator} in a way that you trust, not from whoever gave you this file.</li>\n"
        f"<li>Run <code>counterfoil verify FILE.html --key KEY {option}</code> with the {expected} that you expect. "
        "It needs no network.</li>\n</ol>\n"
        "<p>It verifies the proof in this file, and that the page says what the proof says.</p>\n"
    )
