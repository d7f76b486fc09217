"""`inspect`: any of our formats, explained for a person.  Imports `core` only.

What a document says is shown whether it is true or not, so each page begins with what was verified and what not.

Source: docs/spec/README.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import click

from counterfoil.cli.documents import DOCUMENT_BYTES_MAX, kind_of
from counterfoil.cli.files import read_input
from counterfoil.cli.keys import key_lines, key_option, read_keys
from counterfoil.cli.output import emit, json_option, plural, quoted, say
from counterfoil.core.amount import format_nano
from counterfoil.core.checkpoint import Checkpoint, KeySet, parse_checkpoint
from counterfoil.core.details import Details
from counterfoil.core.encoding import decode_utf8, read_json
from counterfoil.core.entry import DELTA, OPEN, Entry, read_entry
from counterfoil.core.merkle import leaf_hash
from counterfoil.core.note import Note, VerifierKey, parse_note, parse_verifier_key
from counterfoil.core.receipt import Receipt, receipt_from, verify_receipt
from counterfoil.core.tlog_proof import ConsistencyFile, TlogProof, parse_consistency_file, parse_tlog_proof
from counterfoil.errors import EngineError, MalformedError

Line = tuple[str, object]

# What starts a file that holds a secret.
_SECRETS: Final = (b"-----BEGIN", b"counterfoil/reference-key@")
_PLUSES: Final = 2


@dataclass(frozen=True, slots=True)
class _Page:
    """A document, explained.

    Attributes:
        kind: what it is.
        lines: what it says.
        signed: what of it bears signatures.
        verify: verifies what can be verified of it alone; returns what of it then holds.
    """

    kind: str
    lines: Sequence[Line]
    signed: Checkpoint | Note | None = None
    verify: Callable[[KeySet], str] | None = None


@click.command(
    epilog="\b\nExamples:\n  counterfoil inspect receipt.json\n"
    "  counterfoil inspect notes/4.checkpoint --key operator.vkey",
)
@click.argument("file")
@key_option(required=False)
@json_option
def inspect(file: str, keys: Sequence[str], *, as_json: bool) -> None:
    """Explain a file in any of our formats.

    FILE is a receipt, checkpoint, tlog-proof, consistency file, entry or verifier key; - is standard input. Without --key nothing is verified: it may say anything.
    """
    page = _page(read_input(file, DOCUMENT_BYTES_MAX), file)
    verdict = "not verified"
    trusted = read_keys(keys)
    if keys:
        if page.verify is None:
            raise EngineError(
                "usage", f"a {page.kind} holds no signature: there is nothing that --key could verify"
            )
        verdict = page.verify(trusted)
    lines = [*page.lines, *_signature_lines(page.signed, trusted)]
    if as_json:
        # No line has one of these two names: what a sender chose stays within `details`.
        emit({"kind": page.kind, "verified": verdict, **{_member(name): value for name, value in lines}})
        return
    say(f"{page.kind}: {verdict}")
    for name, value in _rows(lines):
        say(f"  {name:<14}  {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")


def _rows(lines: Sequence[Line]) -> Iterator[Line]:
    for name, value in lines:
        if isinstance(value, dict):
            # A sender names the members: the prefix tells them from our own.
            yield from ((f"{name}.{quoted(member)}", item) for member, item in value.items())
        else:
            yield name, value


def _member(name: str) -> str:
    first, *rest = name.split(" ")
    return first + "".join(word.capitalize() for word in rest)


def _page(data: bytes, name: str) -> _Page:
    if data.startswith(_SECRETS):
        raise EngineError("usage", "the file holds a private key, which is shown to nobody")
    kind = kind_of(data, name)
    if kind == "json":
        return _json_page(data)
    if kind == "tlog-proof":
        proof = parse_tlog_proof(data)
        return _Page("tlog-proof", [*_proof_lines(proof)], proof.checkpoint, _signature_of(proof.checkpoint))
    if kind == "consistency file":
        file = parse_consistency_file(data)
        return _Page(
            "consistency file", [*_consistency_lines(file)], file.checkpoint, _signature_of(file.checkpoint)
        )
    if (found := _verifier_keys(data)) is not None:
        return _Page("verifier key", [line for key in found for line in _key_lines(key)])
    note = parse_note(data)
    try:
        checkpoint = parse_checkpoint(data)
    except MalformedError:
        # Other people's notes are signed notes, too.
        return _Page("signed note", [("text", note.text.removesuffix("\n"))], note)
    return _Page("checkpoint", [*_checkpoint_lines(checkpoint)], checkpoint, _signature_of(checkpoint))


def _signature_of(checkpoint: Checkpoint) -> Callable[[KeySet], str]:
    def verify(keys: KeySet) -> str:
        keys.verify(checkpoint)
        return "the signature of the checkpoint verifies; nothing else was checked"

    return verify


def _json_page(data: bytes) -> _Page:
    value = read_json(data, bytes_max=DOCUMENT_BYTES_MAX, what="document")
    kind = value.get("type") if isinstance(value, dict) else None
    if isinstance(kind, str) and isinstance(value, dict) and "index" in value:
        entry, canonical = read_entry(value)
        return _Page("entry", [*_entry_lines(entry, canonical)])
    receipt = receipt_from(value)

    def verify(keys: KeySet) -> str:
        verified = verify_receipt(receipt, keys)
        return "verified" + ("" if verified.customer_id else ", customer not checked")

    return _Page("receipt", [*_receipt_lines(receipt)], receipt.proof.checkpoint, verify)


def _receipt_lines(receipt: Receipt) -> Iterator[Line]:
    yield from _entry_lines(receipt.item.entry, receipt.item.data)
    yield from _details_lines(receipt.item.details, receipt.item.entry)
    opened = receipt.opening.item.details if receipt.opening else None
    yield "customer", "not named" if opened is None else str(opened.value.get("customerId"))
    yield from _proof_lines(receipt.proof)


def _entry_lines(entry: Entry, data: bytes) -> Iterator[Line]:
    yield "type", entry.type
    yield "index", entry.index
    yield "recorded at", entry.recorded_at
    if entry.type == DELTA:
        yield "amount", f"{format_nano(entry.amount)} {entry.unit}"
        if entry.effective_at is not None:
            yield "effective at", entry.effective_at
        if entry.adjusts is not None:
            yield "adjusts", f"entry {entry.adjusts}"
    if entry.type == OPEN:
        yield "opens", entry.origin
    yield "count", entry.count
    yield "credits", f"{format_nano(entry.credits)} {entry.unit}"
    yield "debits", f"{format_nano(entry.debits)} {entry.unit}"
    yield "balance", f"{format_nano(entry.balance)} {entry.unit}"
    yield "leaf hash", leaf_hash(data).hex()


def _details_lines(details: Details | None, entry: Entry) -> Iterator[Line]:
    if details is None:
        yield "details", "none" if entry.details is None else "erased or withheld"
        return
    yield "details", details.value


def _proof_lines(proof: TlogProof) -> Iterator[Line]:
    yield "proof", f"index {proof.index}, {plural(len(proof.path), 'hash')}"
    yield from _checkpoint_lines(proof.checkpoint)


def _consistency_lines(file: ConsistencyFile) -> Iterator[Line]:
    yield "old size", file.old_size
    yield "proof", plural(len(file.path), "hash")
    yield from _checkpoint_lines(file.checkpoint)


def _checkpoint_lines(checkpoint: Checkpoint) -> Iterator[Line]:
    yield "origin", checkpoint.origin
    yield "size", checkpoint.size
    yield "root", checkpoint.root.hex()


def _signature_lines(signed: Checkpoint | Note | None, trusted: KeySet) -> Iterator[Line]:
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


def _key_lines(key: VerifierKey) -> Iterator[Line]:
    yield "name", key.name
    yield "key id", key.key_id.hex()
    yield "public key", key.public_key.hex()


def _verifier_keys(data: bytes) -> list[VerifierKey] | None:
    """Return the keys of a file that holds nothing else; None where it is something else."""
    texts = key_lines(decode_utf8(data, what="document"))
    if not texts or any(text.count("+") < _PLUSES or " " in text for text in texts):
        return None
    return [parse_verifier_key(text) for text in texts]
