"""What the pages say: of a verified receipt, and of a verified statement.

Every figure comes from what was verified, and from nothing else.  What is said does not depend on the keys that it was
verified with, or another reader would get another page.

Source: docs/spec/report.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from counterfoil.core.encoding import canonical_json
from counterfoil.core.entry import DELTA, OPEN, SEAL, Entry
from counterfoil.core.receipt import ProvenEntry, Verified
from counterfoil.core.report.chart import balance_chart, totals_chart
from counterfoil.core.report.issuer import checking, issue, proof
from counterfoil.core.report.markup import (
    Title,
    account,
    aligned,
    counted,
    cut,
    facts,
    figure,
    figure_column,
    listing,
    month_of,
    number,
    outside,
    plain_time,
    time_cell,
    time_element,
    unit_element,
    unit_text,
)
from counterfoil.core.statement import FULL
from counterfoil.core.statement_verify import VerifiedStatement, leaves_out, opening_behind

_WHAT: Final = {DELTA: "delta", SEAL: "seal", OPEN: "opening"}
_MEANS: Final = {
    DELTA: "A delta changes the balance.",
    SEAL: "A seal closes what a signed checkpoint covers; it has no amount.",
    OPEN: "An opening is the first entry of a log; it has no amount.",
}
_RECEIPT_PROVES: Final = (
    "It proves that the holder of the operator\u2019s key signed a log in which this entry stands at this place, with this "
    "time and these figures. It does not prove that the totals are the sums of all entries before, "
)
_FULL_PROVES: Final = (
    "It proves that nothing of the period was left out: every entry is in this file, and the credits and debits are their "
    "sums, provided that the log keeps to its rules before and after the period."
)
_FULL_PROVES_SO_FAR: Final = (
    "It proves that nothing up to {through} was left out; more may come until the period\u2019s end. Every entry up to then is "
    "in this file, and the credits and debits are their sums, provided that the log keeps to its rules before the period."
)
_LIGHT_PROVES: Final = (
    "It proves what the period adds up to and that nothing at its ends was left out, provided that the log keeps to its "
    "rules throughout: the entries between the first and the last are not in this file."
)
_LIGHT_PROVES_SO_FAR: Final = (
    "It proves what the period adds up to through {through} and that nothing at the ends of that was left out; more may come "
    "until the period\u2019s end. This holds provided that the log keeps to its rules throughout: the entries between the "
    "first and the last are not in this file."
)
_EMPTY_PROVES: Final = "It proves that nothing was recorded in the period, provided that the log keeps to its rules before and after it."
_UNPROVEN: Final = (
    "that no newer checkpoint exists, that everybody was shown the same log, or that the times are true."
)
_BY_RECORDING: Final = (
    "An entry belongs to the period in which it was recorded. A date that its sender gives it, as when it happened, does "
    "not count."
)


def receipt_title(verified: Verified) -> Title:
    """Return what a receipt's page is called."""
    entry, time = verified.entry, verified.entry.recorded_at
    if entry.type != DELTA:
        what = f"Receipt: {_WHAT[entry.type]}, "
        return Title(what + plain_time(time), what + time_element(time))
    amount = f"Receipt: {figure(entry.amount)} in "
    return Title(
        f"{amount}{unit_text(entry.unit)}, {plain_time(time)}",
        f"{amount}{unit_element(entry.unit)}, {time_element(time)}",
    )


def receipt_content(verified: Verified) -> str:
    """Return what the page of a receipt says, markup."""
    entry, checkpoint = verified.entry, verified.checkpoint
    totals = (("Credits", entry.credits), ("Less debits", entry.debits), ("Balance", entry.balance))
    said = [*_said_rows(verified)]
    return (
        issue(checkpoint, verified.customer_id, entry)
        + facts("The entry", _entry_rows(verified))
        + (facts("What its sender wrote", said) if said else "")
        + account("Totals of the log after it", counted(entry.count, "delta"), entry.unit, totals)
        + f'<h2>What this proves</h2>\n<p class="note">{_RECEIPT_PROVES}{_UNPROVEN}</p>\n'
        + proof(checkpoint, "counterfoil/receipt@v1")
        + checking(checkpoint, verified.customer_id)
    )


def _entry_rows(verified: Verified) -> Iterator[tuple[str, str]]:
    entry = verified.entry
    yield "What", f"{_WHAT[entry.type]}<br><small>{_MEANS[entry.type]}</small>"
    if entry.type == DELTA:
        yield "Amount", f"<strong>{figure(entry.amount)}</strong>"
        yield "Unit", unit_element(entry.unit)
    yield "Recorded", time_element(entry.recorded_at)
    if entry.effective_at is not None:
        yield "Happened, as the sender says", time_element(entry.effective_at)
    if entry.adjusts is not None:
        yield "Corrects", f"entry {number(entry.adjusts)}"
    yield "Place", f"entry {number(entry.index)}, counted from 0, of {number(verified.checkpoint.size)}"


def _said_rows(verified: Verified) -> Iterator[tuple[str, str]]:
    details = verified.details
    if details is None:
        if verified.entry.details is not None:
            yield "Details", "not in this file: erased or withheld"
        return
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


def statement_title(statement: VerifiedStatement) -> Title:
    """Return what a statement's page is called."""
    start, end = statement.start, statement.end
    month, state = month_of(start, end), "" if statement.provisional_through is None else " (provisional)"
    return Title(
        f"Statement for {month or f'{plain_time(start)} to {plain_time(end)}'}{state}",
        f"Statement for {month or f'{time_element(start)} to {time_element(end)}'}{state}",
    )


def statement_content(statement: VerifiedStatement) -> str:
    """Return what the page of a statement says, markup."""
    checkpoint, through = statement.checkpoint, statement.provisional_through
    closing = "Closing balance" if through is None else f"Balance through {plain_time(through)}"
    sums = (
        ("Opening balance", statement.opening.balance),
        ("Plus credits", statement.credits),
        ("Less debits", statement.debits),
        (closing, statement.closing.balance),
    )
    return (
        issue(checkpoint, statement.customer_id, statement.items[-1].entry)
        + facts("Period (by time of recording)", _period_rows(statement), _BY_RECORDING)
        + account("What it adds up to", counted(statement.deltas, "delta"), statement.unit, sums)
        + _chart(statement, closing)
        + f'<h2>What this proves</h2>\n<p class="note">{_proves(statement)} It does not prove {_UNPROVEN}</p>\n'
        + _entries(statement)
        + proof(checkpoint, "counterfoil/statement@v1")
        + checking(checkpoint, statement.customer_id, provisional=through is not None)
    )


def _chart(statement: VerifiedStatement, closing: str) -> str:
    # Of a balance that stays where it is there is nothing to draw.
    if not (statement.credits or statement.debits):
        return ""
    return balance_chart(statement) if statement.mode == FULL else totals_chart(statement, closing)


def _period_rows(statement: VerifiedStatement) -> Iterator[tuple[str, str]]:
    yield "From", time_element(statement.start)
    yield "Up to, and not including", time_element(statement.end)
    if (first := opening_behind(statement)) is not None:
        yield "The log", _began_behind(first)
    if statement.provisional_through is None:
        yield "State", "final: no delta can come to this period any more"
    else:
        yield (
            "State",
            (
                "<strong>provisional</strong>: more may come; "
                f"complete through {time_element(statement.provisional_through)}"
            ),
        )
    yield "Mode", f"{statement.mode}: {_mode(statement)}"


def _began_behind(first: Entry) -> str:
    return f"began at {time_element(first.recorded_at)}, after this period"


def _mode(statement: VerifiedStatement) -> str:
    if not leaves_out(statement):
        return f"with every entry of {_period(statement)}"
    return f"with the totals, and the first and last entry of {_period(statement)}"


def _period(statement: VerifiedStatement) -> str:
    return "the period" if statement.provisional_through is None else "the period so far"


def _proves(statement: VerifiedStatement) -> str:
    if not statement.inside:
        return _EMPTY_PROVES
    whole, through = not leaves_out(statement), statement.provisional_through
    if through is None:
        return _FULL_PROVES if whole else _LIGHT_PROVES
    return (_FULL_PROVES_SO_FAR if whole else _LIGHT_PROVES_SO_FAR).format(through=time_element(through))


def _entries(statement: VerifiedStatement) -> str:
    if not statement.inside:
        first = opening_behind(statement)
        why = "" if first is None else f" The log {_began_behind(first)}."
        return f"<h2>Entries</h2>\n<p>The period has none.{why}</p>\n"
    amounts = figure_column([item.entry.amount for item in statement.inside if item.entry.type == DELTA])
    balances = figure_column([item.entry.balance for item in statement.inside])
    columns = (
        ("Entry", "index"),
        ("Recorded (UTC)", "instant"),
        ("Amount", amounts.kind),
        ("Balance after it", balances.kind),
        ("What", "what"),
        ("Reason", "said"),
        ("Reference", "said"),
    )
    rows = (
        (
            number(item.entry.index),
            _when(item.entry),
            aligned(item.entry.amount, amounts) if item.entry.type == DELTA else "",
            aligned(item.entry.balance, balances),
            _what(item.entry),
            _said(item, "reason"),
            _said(item, "referenceId"),
        )
        for item in statement.inside
    )
    return listing("Entries", _caption(statement), columns, rows)


def _caption(statement: VerifiedStatement) -> str:
    """Return what the table of entries holds, and what the kinds of entries in it are."""
    types = [item.entry.type for item in statement.inside]
    if not leaves_out(statement):
        counts = [counted(types.count(kind), name) for kind, name in _WHAT.items() if kind in types]
        held = f"Every entry of {_period(statement)}, {number(len(types))} in all: {', '.join(counts)}."
    else:
        held = f"The first and the last entry of {_period(statement)}; those between are not in this file."
    means = [sentence for kind, sentence in _MEANS.items() if kind in types]
    return " ".join([held, *means, f"Amounts and balances are in {unit_element(statement.unit)}."])


def _when(entry: Entry) -> str:
    recorded = time_cell(entry.recorded_at)
    if entry.effective_at is None:
        return recorded
    return f"{recorded}<br><small>said to have happened<br>{time_cell(entry.effective_at)}</small>"


def _what(entry: Entry) -> str:
    what = [_WHAT[entry.type]]
    if entry.adjusts is not None:
        what.append(f"<small>corrects entry {number(entry.adjusts)}</small>")
    return "<br>".join(what)


def _said(item: ProvenEntry, member: str) -> str:
    value = item.details.value.get(member) if item.details else None
    return cut(value) if isinstance(value, str) else ""
