"""`verify`: offline, from files and the caller's keys alone.  Imports `core` only.

Source: docs/spec/receipt.md, docs/spec/tlog-proof.md, docs/spec/checkpoint.md; docs/spec/consistency.md#fork.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from counterfoil.cli.documents import DOCUMENT_BYTES_MAX, kind_of
from counterfoil.cli.files import describe_os_error, read_input
from counterfoil.cli.keys import key_option, read_keys
from counterfoil.cli.output import emit, json_option, plural, quoted, say, worst
from counterfoil.core.amount import format_nano
from counterfoil.core.checkpoint import Checkpoint, KeySet, parse_checkpoint
from counterfoil.core.entry import DELTA, parse_entry, require_known_type
from counterfoil.core.merkle import leaf_hash
from counterfoil.core.receipt import ProvenEntry, Receipt, Verified, parse_receipt, verify_receipt
from counterfoil.core.reference import parse_origin
from counterfoil.core.tlog_proof import parse_tlog_proof
from counterfoil.errors import CounterfoilError, EngineError, VerificationError
from counterfoil.limits import ENTRY_BYTES_MAX

# What of a folder is verified.
_PROOF_SUFFIX: Final = ".tlog-proof"
_RECORD_SUFFIX: Final = ".entry"
_SUFFIXES: Final = (".json", ".checkpoint", _PROOF_SUFFIX)


@click.command(
    epilog="\b\nExamples:\n  counterfoil verify receipt.json --key operator.vkey\n"
    "  counterfoil verify receipts --key operator.vkey --customer cust_001 --json",
)
@click.argument("paths", metavar="FILE|DIR...", nargs=-1, required=True)
@key_option(required=True)
@click.option("--origin", metavar="O", help="The log that all must be of.")
@click.option("--customer", metavar="ID", help="The customer that all must name.")
@json_option
def verify(
    paths: Sequence[str], keys: Sequence[str], origin: str | None, customer: str | None, *, as_json: bool
) -> None:
    """Verify receipts offline.

    It needs no network and no store, only the files and the keys that you trust. FILE is a receipt, a checkpoint, or a tlog-proof with its record beside it as .entry; - is standard input. Of DIR
    every .json, .checkpoint and .tlog-proof is verified, in subfolders too.
    """
    check = _Check(read_keys(keys), origin, customer)
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
    _summarize(check, passed, len(refusals), as_json=as_json)
    if (verdict := worst(refusals, passed)) is not None:
        raise verdict


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
            elif entry.name.endswith(_SUFFIXES) and entry.is_file():
                yield entry.path
            elif not entry.name.endswith(_RECORD_SUFFIX):
                check.ignored += 1
        waiting += reversed(folders)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a document proves: in words, and as members of a JSON object."""

    words: str
    facts: dict[str, object]


@dataclass(slots=True)
class _Check:
    """Verifies one document after the other, and holds each against those before it."""

    keys: KeySet
    origin: str | None
    customer: str | None
    receipts: int = 0
    # Receipts that do not say whose log they are of.
    nameless: int = 0
    # Files in folders that are none of ours.
    ignored: int = 0
    # Symbolic links in folders.
    links: int = 0
    # (origin, index) -> leaf hash and file; (origin, size) -> root and file; (operator/tenant, customer) -> origin.
    _leaves: dict[tuple[str, int], tuple[bytes, str]] = field(default_factory=dict)
    _roots: dict[tuple[str, int], tuple[bytes, str]] = field(default_factory=dict)
    _customers: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    @property
    def checkpoints(self) -> int:
        return len(self._roots)

    @property
    def logs(self) -> int:
        return len({origin for origin, _ in self._roots})

    def document(self, name: str) -> Finding:
        """Verify a document.

        Raises:
            CounterfoilError: the code of the first step that fails; `fork`, where it contradicts one before it.
            OSError: where it cannot be read.
        """
        data = read_input(name, DOCUMENT_BYTES_MAX)
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
        receipt = _from_tlog_proof(name, data) if kind == "tlog-proof" else parse_receipt(data)
        verified = verify_receipt(receipt, self.keys, origin=self.origin, customer_id=self.customer)
        self._compare(name, receipt, verified)
        self.receipts += 1
        self.nameless += verified.customer_id is None
        return describe_receipt(verified, "receipt" if kind == "json" else kind)

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
        self._compare_root(name, checkpoint)
        return describe_checkpoint(checkpoint)

    def _compare(self, name: str, receipt: Receipt, verified: Verified) -> None:
        checkpoint, origin = verified.checkpoint, verified.checkpoint.origin
        self._compare_root(name, checkpoint)
        items = [receipt.item] if receipt.opening is None else [receipt.item, receipt.opening.item]
        for item in items:
            leaf = leaf_hash(item.data)
            known, first = self._leaves.setdefault((origin, item.entry.index), (leaf, name))
            if known != leaf:
                raise _fork(f"two entries of {origin} at index {item.entry.index}", first, name)
        if verified.customer_id is not None:
            # Operator and tenant: all of the origin but the reference.
            whose = (origin.rpartition("/")[0], verified.customer_id)
            other, first = self._customers.setdefault(whose, (origin, name))
            if other != origin:
                raise _fork(f"two logs of customer {verified.customer_id}, {other} and {origin}", first, name)

    def _compare_root(self, name: str, checkpoint: Checkpoint) -> None:
        root, first = self._roots.setdefault((checkpoint.origin, checkpoint.size), (checkpoint.root, name))
        if root != checkpoint.root:
            raise _fork(f"two checkpoints of {checkpoint.origin} at size {checkpoint.size}", first, name)


def _fork(words: str, first: str, second: str) -> VerificationError:
    return VerificationError("fork", words, first=first, second=second)


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


def describe_receipt(verified: Verified, kind: str) -> Finding:
    """Say what a verified receipt proves."""
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
        what = f"delta {format_nano(entry.amount)} {entry.unit}"
        facts |= {
            "amount": format_nano(entry.amount),
            "effectiveAt": entry.effective_at,
            "adjusts": entry.adjusts,
        }
    customer = "not checked" if verified.customer_id is None else verified.customer_id
    return Finding(
        f"{what}, index {entry.index} of {checkpoint.size}, recorded {entry.recorded_at}; customer {customer}",
        facts,
    )


def describe_checkpoint(checkpoint: Checkpoint) -> Finding:
    """Say what a verified checkpoint proves."""
    facts: dict[str, object] = {
        "kind": "checkpoint",
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
    }
    return Finding(
        f"checkpoint of {checkpoint.origin}, size {checkpoint.size}; only its signature is checked", facts
    )


def _summarize(check: _Check, passed: int, refused: int, *, as_json: bool) -> None:
    # What a receipt cannot show stands in docs/spec/receipt.md; what was left out here is said each time.
    unchecked = [
        "that the totals are the sums of all entries before (audit)",
        "that no newer checkpoint exists and everybody was shown the same (consistency)",
    ]
    if check.nameless:
        unchecked.append(f"the customer of {plural(check.nameless, 'receipt')}, which name none")
    if check.ignored:
        unchecked.append(f"{plural(check.ignored, 'other file')} in the folders")
    if check.links:
        unchecked.append(f"{plural(check.links, 'symbolic link')} in the folders")
    if as_json:
        counts = {"verified": passed, "refused": refused, "receipts": check.receipts}
        places = {"checkpoints": check.checkpoints, "logs": check.logs}
        emit({"summary": {**counts, **places, "notChecked": unchecked}})
        return
    say(
        f"{passed:,} verified, {refused:,} refused; {plural(check.receipts, 'receipt')} under "
        f"{plural(check.checkpoints, 'checkpoint')} of {plural(check.logs, 'log')}"
    )
    if passed:
        say(f"not checked: {'; '.join(unchecked)}")
