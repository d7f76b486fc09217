"""What a document says, as lines of a name and a value: what `inspect` prints.  Of ours it imports `core` and `output`.

Nothing here was verified, unless a line says so.

Source: docs/spec/README.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from counterfoil.cli.differences import LESS, difference_lines, sides_of
from counterfoil.cli.output import in_unit, plural
from counterfoil.core.amount import format_nano
from counterfoil.core.checkpoint import Checkpoint, KeySet
from counterfoil.core.details import Details
from counterfoil.core.dispute import Dispute
from counterfoil.core.entry import DELTA, OPEN, Entry
from counterfoil.core.merkle import leaf_hash
from counterfoil.core.note import Note, VerifierKey
from counterfoil.core.pack.summary import LogSummary
from counterfoil.core.receipt import Opening, Receipt
from counterfoil.core.statement import Statement
from counterfoil.core.statement_verify import claimed_movement
from counterfoil.core.tlog_proof import ConsistencyFile, TlogProof

Line = tuple[str, object]
"""A name and a value: a text or a number; a dictionary of what a sender named; a tuple of several values, each a text or
a dictionary of what we named."""

# So many differences of a dispute are shown; the rest is counted.
_DIFFERENCES_SHOWN: Final = 20


def receipt_lines(receipt: Receipt) -> Iterator[Line]:
    """Yield what a receipt says."""
    yield from entry_lines(receipt.item.entry, receipt.item.data)
    yield from _details_lines(receipt.item.details, receipt.item.entry)
    yield "customer", _customer(receipt.opening)
    yield from proof_lines(receipt.proof)


def entry_lines(entry: Entry, data: bytes) -> Iterator[Line]:
    """Yield what an entry says; `data` are its canonical bytes."""
    yield "type", entry.type
    yield "index", entry.index
    yield "recorded at", entry.recorded_at
    if entry.type == DELTA:
        yield "amount", f"{in_unit(format_nano(entry.amount), entry.unit)}"
        if entry.effective_at is not None:
            yield "effective at", entry.effective_at
        if entry.adjusts is not None:
            yield "adjusts", f"entry {entry.adjusts}"
    if entry.type == OPEN:
        yield "opens", entry.origin
    yield "count", entry.count
    yield "credits", f"{in_unit(format_nano(entry.credits), entry.unit)}"
    yield "debits", f"{in_unit(format_nano(entry.debits), entry.unit)}"
    yield "balance", f"{in_unit(format_nano(entry.balance), entry.unit)}"
    yield "leaf hash", leaf_hash(data).hex()


def _details_lines(details: Details | None, entry: Entry) -> Iterator[Line]:
    if details is None:
        yield "details", "none" if entry.details is None else "erased or withheld"
        return
    yield "details", details.value


def _customer(opening: Opening | None) -> str:
    details = opening.item.details if opening else None
    return "not named" if details is None else str(details.value.get("customerId"))


def statement_lines(statement: Statement) -> Iterator[Line]:
    """Yield what a statement says: its period, what that adds up to, and under which checkpoint."""
    yield from _period_lines(statement)
    yield from checkpoint_lines(statement.checkpoint)


def _period_lines(statement: Statement) -> Iterator[Line]:
    first, last = statement.items[0].item.entry, statement.items[-1].item.entry
    movement, after = claimed_movement(statement), statement.after
    yield "from", statement.start
    yield "to", statement.end
    yield "mode", statement.mode
    yield "customer", _customer(statement.opening)
    for name, nano in (
        ("opening", movement.opening.balance),
        ("credits", movement.credits),
        ("debits", movement.debits),
        ("closing", movement.closing.balance),
    ):
        yield name, f"{in_unit(format_nano(nano), first.unit)}"
    yield "deltas", movement.deltas
    yield "items", f"{plural(len(statement.items), 'entry')}, index {first.index} to {last.index}"
    if after is None:
        yield "followed by", f"nothing: complete through {last.recorded_at} at most"
    else:
        yield "followed by", f"entry {after.entry.index}, recorded {after.entry.recorded_at}"


def dispute_lines(dispute: Dispute) -> Iterator[Line]:
    """Yield what a dispute packet says: our period, their rows, and the first of the differences."""
    unit = dispute.statement.items[0].item.entry.unit
    yield from _period_lines(dispute.statement)
    yield "ours", f"{in_unit(format_nano(claimed_movement(dispute.statement).amount), unit)}"
    theirs = format_nano(sum(row.amount for row in dispute.rows))
    yield "theirs", f"{in_unit(theirs, unit)}, as they say, in {plural(len(dispute.rows), 'row')}"
    total = format_nano(sum(found.amount for found in dispute.differences))
    yield (
        "differences",
        f"{in_unit(total, unit)} ({LESS}) in {plural(len(dispute.differences), 'difference')}",
    )
    elsewhere = {receipt.item.entry.index: receipt.item.entry for receipt in dispute.receipts}
    sides = sides_of(dispute.statement, dispute.rows, elsewhere)
    yield "difference", tuple(difference_lines(sides, dispute.differences[:_DIFFERENCES_SHOWN]))
    if (more := len(dispute.differences) - _DIFFERENCES_SHOWN) > 0:
        yield "not shown", plural(more, "difference")
    yield "receipts", len(dispute.receipts)
    yield "tolerance", plural(dispute.tolerance_seconds, "second")
    yield from checkpoint_lines(dispute.statement.checkpoint)


def log_lines(log: LogSummary, trusted: KeySet) -> dict[str, object]:
    """Return what a pack says of one log; signers as `signature_lines` has them."""
    newest = log.newest
    lines: list[Line] = [
        ("origin", log.origin),
        ("customer", "not named" if log.customer_id is None else log.customer_id),
        ("entries", log.entries),
        ("checkpoints", log.checkpoints),
    ]
    if newest is not None:
        lines += [("size", newest.size), ("root", newest.root.hex())]
    return dict([*lines, *signature_lines(newest, trusted)])


def proof_lines(proof: TlogProof) -> Iterator[Line]:
    """Yield what an inclusion proof says."""
    yield "proof", f"index {proof.index}, {plural(len(proof.path), 'hash')}"
    yield from checkpoint_lines(proof.checkpoint)


def consistency_lines(file: ConsistencyFile) -> Iterator[Line]:
    """Yield what a consistency file says."""
    yield "old size", file.old_size
    yield "proof", plural(len(file.path), "hash")
    yield from checkpoint_lines(file.checkpoint)


def checkpoint_lines(checkpoint: Checkpoint) -> Iterator[Line]:
    """Yield what a checkpoint says."""
    yield "origin", checkpoint.origin
    yield "size", checkpoint.size
    yield "root", checkpoint.root.hex()


def signature_lines(signed: Checkpoint | Note | None, trusted: KeySet) -> Iterator[Line]:
    """Yield who signed: only of a line of a trusted key is that more than a claim."""
    if signed is None:
        return
    keys = trusted.keys_of(signed.origin) if isinstance(signed, Checkpoint) else []
    verified = {(key.name, key.key_id) for key in keys}
    for label, holds in (("signed by", True), ("claims signer", False)):
        lines = [
            f"{line.name} (key id {line.key_id.hex()})"
            for line in signed.signatures
            if ((line.name, line.key_id) in verified) is holds
        ]
        if lines:
            yield label, lines[0] if len(lines) == 1 else lines


def verifier_key_lines(keys: Sequence[VerifierKey]) -> Iterator[Line]:
    """Yield what verifier keys say."""
    for key in keys:
        yield "name", key.name
        yield "key id", key.key_id.hex()
        yield "public key", key.public_key.hex()
