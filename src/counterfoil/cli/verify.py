"""`verify`: offline, from files and the caller's keys alone.  Imports `core` only.

Source: docs/spec/receipt.md, docs/spec/statement.md, docs/spec/tlog-proof.md, docs/spec/checkpoint.md;
docs/spec/consistency.md#fork.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from counterfoil.cli.delta_table import DeltaTable
from counterfoil.cli.documents import (
    HEAD_BYTES,
    REPORT_HEAD_BYTES,
    is_pack,
    is_report,
    kind_of,
    read_document,
    read_rest,
)
from counterfoil.cli.files import describe_os_error, open_input, read_input
from counterfoil.cli.findings import (
    Finding,
    describe_checkpoint,
    describe_dispute,
    describe_receipt,
    describe_report,
    describe_statement,
)
from counterfoil.cli.keys import key_option, read_keys
from counterfoil.cli.output import emit, json_option, plural, quoted, say, worst
from counterfoil.core.checkpoint import Checkpoint, KeySet, parse_checkpoint
from counterfoil.core.crosscheck import CrossCheck, Proof
from counterfoil.core.dispute import Dispute, proofs_of, verify_dispute
from counterfoil.core.entry import parse_entry, require_known_type
from counterfoil.core.receipt import ProvenEntry, Receipt, Verified, verify_receipt
from counterfoil.core.reference import parse_origin
from counterfoil.core.statement import LIGHT, Statement
from counterfoil.core.statement_verify import VerifiedStatement, verify_statement
from counterfoil.core.tlog_proof import parse_tlog_proof
from counterfoil.errors import CounterfoilError, EngineError, VerificationError
from counterfoil.limits import ENTRY_BYTES_MAX

# What of a folder is verified.
_PROOF_SUFFIX: Final = ".tlog-proof"
_RECORD_SUFFIX: Final = ".entry"
_SUFFIXES: Final = (".json", ".checkpoint", _PROOF_SUFFIX)
# Of these only pages of ours: any other program writes such files too.
_PAGE_SUFFIXES: Final = (".html", ".htm")


@click.command(
    epilog="\b\nExamples:\n  counterfoil verify receipt.json --key operator.vkey\n"
    "  counterfoil verify statement.json receipts --key operator.vkey --customer cust_001 --json\n"
    "  counterfoil verify receipts --key operator.vkey --csv receipts.csv",
)
@click.argument("paths", metavar="FILE|DIR...", nargs=-1, required=True)
@key_option(required=True)
@click.option("--origin", metavar="O", help="The log that all must be of.")
@click.option("--customer", metavar="ID", help="The customer that all must name.")
@click.option(
    "--allow-provisional",
    is_flag=True,
    help="Take statements of a period that goes on, complete through some instant before its end.",
)
@click.option(
    "--csv",
    "table",
    metavar="FILE",
    help="Where all of it holds, write the deltas of receipts and full statements there too, as a table.",
)
@json_option
def verify(
    paths: Sequence[str],
    keys: Sequence[str],
    origin: str | None,
    customer: str | None,
    *,
    table: str | None,
    allow_provisional: bool,
    as_json: bool,
) -> None:
    """Verify receipts, statements and dispute packets offline.

    It needs no network and no store, only the files and the keys that you trust. FILE is a receipt, a statement, a dispute packet, an HTML page with one of the first two in it, a checkpoint, or a tlog-proof with its record beside it as .entry; - is standard input. Of DIR
    every .json, .checkpoint and .tlog-proof is verified, and every .html that is such a page, in subfolders too. Several files of one log are held against each other.
    """
    rows = None if table is None else DeltaTable(table)
    check = _Check(read_keys(keys), origin, customer, allow_provisional, rows)
    passed = 0
    refusals: list[CounterfoilError] = []
    for name in _names(paths, check):
        try:
            finding = check.document(name)
        except CounterfoilError as error:
            refusals.append(_refuse(name, error, as_json=as_json))
        except OSError as error:
            refusals.append(_refuse(name, describe_os_error(error), as_json=as_json))
        else:
            passed += 1
            if as_json:
                emit({"file": name, "result": "ok", **finding.facts})
            else:
                say(f"verified  {quoted(name)}  {finding.words}")
                for line in finding.lines:
                    say(f"          {line}")
    _summarize(check, passed, len(refusals), as_json=as_json)
    if (verdict := worst(refusals, passed)) is not None:
        raise verdict
    if rows is not None:
        rows.write()


def _refuse(name: str, error: CounterfoilError, *, as_json: bool) -> CounterfoilError:
    if as_json:
        emit({"file": name, "result": error.code, "message": error.message, "facts": error.facts})
    else:
        say(f"refused   {quoted(name)}  {error.code}: {error.message}")
    # The line on standard error stands alone.
    return EngineError(error.code, f"{quoted(name)}: {error.message}", **error.facts)


def _names(paths: Sequence[str], check: _Check) -> Iterator[str]:
    """Yield the names of the files to verify, those of a folder sorted.

    Raises:
        EngineError: `usage`, where one that was named is not there; nothing was verified then.
    """
    for path in paths:
        if path != "-" and not os.path.lexists(path):
            raise EngineError("usage", f"there is no file {path}")
    for path in paths:
        if path != "-" and Path(path).is_dir():
            yield from _names_below(path, check)
        else:
            yield path


def _names_below(folder: str, check: _Check) -> Iterator[str]:
    """Yield the names of our files in a folder and those below, however deep: a folder's files, then its folders.

    A symbolic link in it is not followed: whoever made the folder may have pointed it at files of the reader.
    """
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        folders = []
        for entry in entries:
            if entry.is_symlink():
                check.links += 1
            elif entry.is_dir():
                folders.append(entry.path)
            elif entry.is_file() and (entry.name.endswith(_SUFFIXES) or _is_our_page(entry.path)):
                yield entry.path
            elif not entry.name.endswith(_RECORD_SUFFIX):
                check.ignored += 1
        waiting += reversed(folders)


def _is_our_page(name: str) -> bool:
    if not name.lower().endswith(_PAGE_SUFFIXES):
        return False
    try:
        with open_input(name, follow=False) as stream:
            return is_report(stream.read(REPORT_HEAD_BYTES))
    except (EngineError, OSError):
        # It may be one: whoever reads it whole says why it was not checked.
        return True


@dataclass(slots=True)
class _Check:
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
    # Statements that show the first and the last entry of their period alone.
    light: int = 0
    # Receipts and statements that do not say whose log they are of.
    nameless: int = 0
    # Files in folders that are none of ours.
    ignored: int = 0
    # Symbolic links in folders.
    links: int = 0
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
        if kind == "json" and name.endswith(_RECORD_SUFFIX):
            raise VerificationError(
                "nothing-checked",
                f"a record is verified with its proof: name the {_PROOF_SUFFIX} file, which finds it",
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
        return self._document(name, read_document(data))

    def _document(self, name: str, document: Receipt | Statement | Dispute) -> Finding:
        if isinstance(document, Statement):
            return self._statement(name, document)
        if isinstance(document, Dispute):
            return self._dispute(name, document)
        return self._receipt(name, document, "receipt")

    def _report(self, name: str, page: bytes) -> Finding:
        # Most of what is verified is no page, and starts faster without.
        from counterfoil.core.report import verify_report  # noqa: PLC0415  -- see above

        report = verify_report(
            page,
            self.keys,
            origin=self.origin,
            customer_id=self.customer,
            allow_provisional=self.allow_provisional,
        )
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
        if isinstance(verified, VerifiedStatement):
            self.statements += 1
            self.light += verified.mode == LIGHT
            return describe_statement(verified)
        self.receipts += 1
        return describe_receipt(verified, kind)

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
        self.nameless += statement.customer_id is None
        if self.table is not None:
            self.table.take(statement, *verified.receipts)
        return describe_dispute(verified)

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
    if not name.endswith(_PROOF_SUFFIX):
        raise VerificationError(
            "nothing-checked",
            f"the name of a proof ends in {_PROOF_SUFFIX}, its record's in {_RECORD_SUFFIX}",
        )
    # The caller named the proof alone: what stands beside it must not lead elsewhere.
    record = read_input(name.removesuffix(_PROOF_SUFFIX) + _RECORD_SUFFIX, ENTRY_BYTES_MAX, follow=False)
    entry = parse_entry(record)
    require_known_type(entry)
    return Receipt(ProvenEntry(entry, record, None), None, proof)


def _summarize(check: _Check, passed: int, refused: int, *, as_json: bool) -> None:
    # What a receipt cannot show stands in docs/spec/receipt.md; what was left out here is said each time.
    unchecked = [
        "that the totals are the sums of all entries before (audit)",
        "that no newer checkpoint exists and everybody was shown the same (consistency)",
    ]
    if check.light:
        unchecked.append(f"what {plural(check.light, 'light statement')} leaves out (a full one, or audit)")
    if check.disputes:
        unchecked.append(f"what the other party says in {plural(check.disputes, 'dispute packet')}")
    if check.nameless:
        unchecked.append(f"the customer of {plural(check.nameless, 'document')}, which name none")
    if check.ignored:
        unchecked.append(f"{plural(check.ignored, 'other file')} in the folders")
    if check.links:
        unchecked.append(f"{plural(check.links, 'symbolic link')} in the folders")
    if as_json:
        counts = {"verified": passed, "refused": refused}
        kinds = {"receipts": check.receipts, "statements": check.statements}
        places = {"checkpoints": check.seen.checkpoints, "logs": check.seen.logs}
        emit({"summary": {**counts, **kinds, **places, "notChecked": unchecked}})
        return
    statements = f" and {plural(check.statements, 'statement')}" if check.statements else ""
    say(
        f"{passed:,} verified, {refused:,} refused; {plural(check.receipts, 'receipt')}{statements} under "
        f"{plural(check.seen.checkpoints, 'checkpoint')} of {plural(check.seen.logs, 'log')}"
    )
    if passed:
        say(f"not checked: {'; '.join(unchecked)}")
