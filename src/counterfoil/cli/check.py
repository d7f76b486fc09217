"""What `verify` makes of each file: its verdict, beside those before it.  Imports `core` only.

Source: docs/spec/receipt.md, docs/spec/statement.md, docs/spec/dispute.md, docs/spec/report.md, docs/spec/tlog-proof.md,
docs/spec/checkpoint.md; docs/spec/consistency.md#fork.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO
from typing import Final

from counterfoil.cli.delta_table import DeltaTable
from counterfoil.cli.documents import (
    HEAD_BYTES,
    PROOF_SUFFIX,
    RECORD_SUFFIX,
    is_left_of_page,
    is_pack,
    kind_of,
    read_document,
    read_rest,
)
from counterfoil.cli.files import open_input, read_input
from counterfoil.cli.findings import (
    Finding,
    describe_checkpoint,
    describe_dispute,
    describe_receipt,
    describe_report,
    describe_statement,
)
from counterfoil.cli.statement_totals import StatementTotals
from counterfoil.cli.unknown import none_of_ours
from counterfoil.core.checkpoint import Checkpoint, KeySet, parse_checkpoint
from counterfoil.core.crosscheck import CrossCheck, Proof
from counterfoil.core.dispute import Dispute, proofs_of, verify_dispute
from counterfoil.core.entry import parse_entry, require_known_type
from counterfoil.core.receipt import ProvenEntry, Receipt, Verified, verify_receipt
from counterfoil.core.reference import parse_origin
from counterfoil.core.statement import Statement
from counterfoil.core.statement_verify import VerifiedStatement, leaves_out, verify_statement
from counterfoil.core.tlog_proof import parse_tlog_proof
from counterfoil.errors import EngineError, MalformedError, VerificationError
from counterfoil.limits import ENTRY_BYTES_MAX

# So many of the other files in folders are named; the rest is counted.
_NAMED_MAX: Final = 5


@dataclass(slots=True)
class Check:
    """Verifies one document after the other, and holds each against those before it."""

    keys: KeySet
    origin: str | None
    customer: str | None
    allow_provisional: bool
    table: DeltaTable | None = None
    receipts: int = 0
    statements: int = 0
    # Of the statements, those of dispute packets.
    disputes: int = 0
    # Statements that have not every entry of their period.
    light: int = 0
    # Receipts and statements that do not say whose log they are of.
    nameless: int = 0
    # Whether a page was refused that is not as it was made.
    altered: bool = False
    # Files in folders that are none of ours, and the names of the first of them.
    ignored: int = 0
    ignored_names: list[str] = field(default_factory=list)
    # Symbolic links in folders.
    links: int = 0
    # The receipt or statement that was read last.
    showable: bytes | None = None
    totals: StatementTotals = field(default_factory=StatementTotals)
    seen: CrossCheck = field(default_factory=CrossCheck)

    def document(self, name: str) -> Finding:
        """Verify a document.

        Raises:
            CounterfoilError: the code of the first step that fails; `fork`, `time-order` or `totals-mismatch`, where it
                contradicts one before it.
            OSError: where it cannot be read.
        """
        data = _read(name)
        kind = kind_of(data, name)
        if kind == "json" and name.endswith(RECORD_SUFFIX):
            raise VerificationError(
                "nothing-checked",
                f"a record is verified with its proof: name the {PROOF_SUFFIX} file, which finds it",
            )
        if kind == "checkpoint":
            return self._checkpoint(name, parse_checkpoint(data))
        if kind == "consistency file":
            raise VerificationError(
                "nothing-checked",
                "a consistency file is verified with the older checkpoint: `counterfoil consistency verify`",
            )
        if kind == "tlog-proof":
            return self._receipt(name, _from_tlog_proof(name, data), kind)
        if kind == "report":
            return self._report(name, data)
        if kind == "unknown":
            raise none_of_ours(data, name)
        return self._json(name, data)

    def ignore(self, name: str) -> None:
        """Take a file of a folder that is none of ours."""
        self.ignored += 1
        if self.ignored <= _NAMED_MAX:
            self.ignored_names.append(name)

    def page(self) -> bytes:
        """Return the page of the receipt or statement that was read last.

        Raises:
            EngineError: `usage`, where there was none.
            CounterfoilError: as `format_report`.
        """
        if self.showable is None:
            what = (
                "a dispute packet has no page"
                if self.disputes
                else "--html goes with one receipt or statement"
            )
            raise EngineError("usage", what)
        from counterfoil.core.report import format_report  # noqa: PLC0415  -- as in _report

        return format_report(self.showable, self.keys, allow_provisional=self.allow_provisional)

    def _json(self, name: str, data: bytes) -> Finding:
        document = read_document(data)
        if isinstance(document, Dispute):
            return self._dispute(name, document)
        self.showable = data
        if isinstance(document, Statement):
            return self._statement(name, document)
        return self._receipt(name, document, "receipt")

    def _report(self, name: str, page: bytes) -> Finding:
        # Most of what is verified is no page, and starts faster without.
        from counterfoil.core.report import verify_report  # noqa: PLC0415  -- see above

        try:
            report = verify_report(
                page,
                self.keys,
                origin=self.origin,
                customer_id=self.customer,
                allow_provisional=self.allow_provisional,
            )
        except MalformedError:
            self.altered |= is_left_of_page(BytesIO(page))
            raise
        return describe_report(self._take(name, report.document, report.verified, "receipt"))

    def _receipt(self, name: str, receipt: Receipt, kind: str) -> Finding:
        verified = verify_receipt(receipt, self.keys, origin=self.origin, customer_id=self.customer)
        return self._take(name, receipt, verified, kind)

    def _statement(self, name: str, statement: Statement) -> Finding:
        verified = verify_statement(
            statement,
            self.keys,
            origin=self.origin,
            customer_id=self.customer,
            allow_provisional=self.allow_provisional,
        )
        return self._take(name, statement, verified, "statement")

    def _take(
        self, name: str, document: Receipt | Statement, verified: Verified | VerifiedStatement, kind: str
    ) -> Finding:
        """Hold a document that verified against those before it, and count it."""
        self.seen.take(name, *proofs_of(document))
        if self.table is not None:
            self.table.take(verified)
        self.nameless += verified.customer_id is None
        compared = self.customer is not None
        if isinstance(verified, VerifiedStatement):
            self.statements += 1
            self.totals.take(verified)
            self.light += leaves_out(verified)
            return describe_statement(verified, compared=compared)
        self.receipts += 1
        return describe_receipt(verified, kind, compared=compared)

    def _dispute(self, name: str, dispute: Dispute) -> Finding:
        verified = verify_dispute(
            dispute,
            self.keys,
            origin=self.origin,
            customer_id=self.customer,
            allow_provisional=self.allow_provisional,
        )
        statement = verified.statement
        self.seen.take(name, *proofs_of(dispute))
        self.statements += 1
        self.disputes += 1
        self.totals.take(statement)
        self.nameless += statement.customer_id is None
        if self.table is not None:
            self.table.take(statement, *verified.receipts)
        return describe_dispute(verified, compared=self.customer is not None)

    def _checkpoint(self, name: str, checkpoint: Checkpoint) -> Finding:
        self.keys.verify(checkpoint)
        if self.origin is not None and checkpoint.origin != self.origin:
            raise VerificationError(
                "wrong-origin",
                "the checkpoint is of another log",
                found=checkpoint.origin,
                wanted=self.origin,
            )
        if self.customer is not None:
            raise VerificationError("wrong-origin", "a checkpoint names no customer", wanted=self.customer)
        self.seen.take(name, Proof(checkpoint))
        return describe_checkpoint(checkpoint)


def _read(name: str) -> bytes:
    with open_input(name) as stream:
        head = stream.read(HEAD_BYTES)
        # A pack may be of any size: no more of it is read.
        if is_pack(head):
            raise VerificationError(
                "nothing-checked", "an evidence pack is audited, not verified: `counterfoil audit`"
            )
        return read_rest(head, stream, name)


def _from_tlog_proof(name: str, data: bytes) -> Receipt:
    """Put a proof and the record beside it together: what a receipt is without details."""
    proof = parse_tlog_proof(data)
    parse_origin(proof.checkpoint.origin)
    if not name.endswith(PROOF_SUFFIX):
        raise VerificationError(
            "nothing-checked",
            f"the name of a proof ends in {PROOF_SUFFIX}, its record's in {RECORD_SUFFIX}",
        )
    # The caller named the proof alone: what stands beside it must not lead elsewhere.
    record = read_input(name.removesuffix(PROOF_SUFFIX) + RECORD_SUFFIX, ENTRY_BYTES_MAX, follow=False)
    entry = parse_entry(record)
    require_known_type(entry)
    return Receipt(ProvenEntry(entry, record, None), None, proof)
