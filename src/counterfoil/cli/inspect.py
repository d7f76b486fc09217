"""`inspect`: any of our formats, explained for a person.  Imports `core` only.

What a document says is shown whether it is true or not, so each page begins with what was verified and what not.

Source: docs/spec/README.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

import click

from counterfoil.cli.documents import (
    DOCUMENT_BYTES_MAX,
    HEAD_BYTES,
    is_pack,
    kind_of,
    read_document,
    read_rest,
)
from counterfoil.cli.explain import (
    Line,
    checkpoint_lines,
    consistency_lines,
    dispute_lines,
    entry_lines,
    log_lines,
    proof_lines,
    receipt_lines,
    signature_lines,
    statement_lines,
    verifier_key_lines,
)
from counterfoil.cli.files import open_input
from counterfoil.cli.keys import key_option, looks_like_key, read_keys
from counterfoil.cli.output import Progress, emit, json_option, plural, quoted, say
from counterfoil.cli.unknown import none_of_ours
from counterfoil.core.checkpoint import Checkpoint, KeySet, key_lines, parse_checkpoint
from counterfoil.core.dispute import Dispute, verify_dispute
from counterfoil.core.encoding import decode_utf8, read_json
from counterfoil.core.entry import read_entry
from counterfoil.core.note import Note, VerifierKey, parse_note, parse_verifier_key
from counterfoil.core.pack.stream import split_lines
from counterfoil.core.pack.summary import PackSummary, summarize_pack
from counterfoil.core.receipt import Receipt, Verified, verify_receipt
from counterfoil.core.statement import Statement
from counterfoil.core.statement_verify import VerifiedStatement, verify_statement
from counterfoil.core.tlog_proof import parse_consistency_file, parse_tlog_proof
from counterfoil.errors import EngineError, MalformedError, TooLargeError, VerificationError

# What starts a file that holds a secret.
_SECRETS: Final = (b"-----BEGIN", b"counterfoil/reference-key@")
# What stands before the signature lines of a note.
_SIGNATURES: Final = "\n\n\N{EM DASH} ".encode()
_CHUNK_BYTES: Final = 262_144
# So many logs of a pack are shown; the rest is counted.
_LOGS_SHOWN: Final = 20


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
    "  counterfoil inspect notes/4.checkpoint --key operator.vkey\n  counterfoil inspect everyone.pack.gz",
)
@click.argument("file")
@key_option(required=False)
@json_option
def inspect(file: str, keys: Sequence[str], *, as_json: bool) -> None:
    """Explain a file in any of our formats.

    FILE is a receipt, statement, dispute packet, HTML page, evidence pack, checkpoint, tlog-proof, consistency file, entry or verifier key; - is standard input. Without --key nothing is verified: it may say anything.
    """
    trusted = read_keys(keys)
    with open_input(file) as stream:
        head = stream.read(HEAD_BYTES)
        if head.startswith(_SECRETS):
            raise EngineError("usage", "the file holds a private key, which is shown to nobody")
        if is_pack(head):
            page = _pack_page(_chunks(head, stream), trusted if keys else None)
        else:
            page = _page(read_rest(head, stream, file), file)
    verdict = "not verified"
    if keys:
        if page.verify is None:
            raise EngineError(
                "usage", f"a {page.kind} holds no signature: there is nothing that --key could verify"
            )
        verdict = page.verify(trusted)
    _show(page.kind, verdict, [*page.lines, *signature_lines(page.signed, trusted)], as_json=as_json)


def _chunks(head: bytes, stream: BinaryIO) -> Iterator[bytes]:
    yield head
    while chunk := stream.read(_CHUNK_BYTES):
        yield chunk


def _show(kind: str, verdict: str, lines: Sequence[Line], *, as_json: bool) -> None:
    if as_json:
        # No line has one of these two names: what a sender chose stays within `details`.
        emit(
            {
                "kind": kind,
                "verified": verdict,
                **{_member(name): _json_value(value) for name, value in lines},
            }
        )
        return
    say(f"{kind}: {verdict}")
    for name, value in _rows(lines):
        say(f"  {name:<14}  {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")


def _rows(lines: Sequence[Line]) -> Iterator[Line]:
    for name, value in lines:
        if isinstance(value, dict):
            # A sender names the members: the prefix tells them from our own.
            yield from ((f"{name}.{quoted(member)}", item) for member, item in value.items())
        elif isinstance(value, tuple):
            for one in value:
                yield from _block(name, one)
        else:
            yield name, value


def _block(name: str, value: object) -> Iterator[Line]:
    """Yield the rows of one of several values: the first under the name of all, the others set in."""
    if not isinstance(value, dict):
        yield name, value
        return
    first, *rest = value.items()
    yield name, first[1]
    yield from ((f" {member}", item) for member, item in rest)


def _json_value(value: object) -> object:
    if not isinstance(value, tuple):
        return value
    return [
        {_member(name): item for name, item in one.items()} if isinstance(one, dict) else one for one in value
    ]


def _member(name: str) -> str:
    first, *rest = name.split(" ")
    return first + "".join(word.capitalize() for word in rest)


def _page(data: bytes, name: str) -> _Page:
    kind = kind_of(data, name)
    if kind == "json":
        return _json_page(data)
    if kind == "report":
        return _report_page(data)
    if len(data) > DOCUMENT_BYTES_MAX:
        raise TooLargeError(
            f"{name} has over {DOCUMENT_BYTES_MAX} bytes, and is none of our formats that may"
        )
    if kind == "tlog-proof":
        proof = parse_tlog_proof(data)
        return _Page("tlog-proof", [*proof_lines(proof)], proof.checkpoint, _signature_of(proof.checkpoint))
    if kind == "consistency file":
        file = parse_consistency_file(data)
        return _Page(
            "consistency file", [*consistency_lines(file)], file.checkpoint, _signature_of(file.checkpoint)
        )
    if kind == "checkpoint" or _SIGNATURES in data:
        return _note_page(data)
    if (found := _verifier_keys(data)) is not None:
        return _Page("verifier key", [*verifier_key_lines(found)])
    raise none_of_ours(data, name)


def _note_page(data: bytes) -> _Page:
    note = parse_note(data)
    try:
        checkpoint = parse_checkpoint(data)
    except MalformedError:
        # Other people's notes are signed notes, too.
        return _Page("signed note", [("text", note.text.removesuffix("\n"))], note)
    return _Page("checkpoint", [*checkpoint_lines(checkpoint)], checkpoint, _signature_of(checkpoint))


def _signature_of(checkpoint: Checkpoint) -> Callable[[KeySet], str]:
    def verify(keys: KeySet) -> str:
        keys.verify(checkpoint)
        return "the signature of the checkpoint verifies; nothing else was checked"

    return verify


def _json_page(data: bytes) -> _Page:
    if len(data) <= DOCUMENT_BYTES_MAX:
        value = read_json(data, bytes_max=DOCUMENT_BYTES_MAX, what="document")
        if isinstance(value, dict) and isinstance(value.get("type"), str) and "index" in value:
            entry, canonical = read_entry(value)
            return _Page("entry", [*entry_lines(entry, canonical)])
    return _document_page(read_document(data))


def _document_page(document: Receipt | Statement | Dispute) -> _Page:
    if isinstance(document, Receipt):
        return _Page(
            "receipt",
            [*receipt_lines(document)],
            document.proof.checkpoint,
            lambda keys: _verdict(verify_receipt(document, keys)),
        )
    if isinstance(document, Statement):
        return _Page(
            "statement",
            [*statement_lines(document)],
            document.checkpoint,
            lambda keys: _verdict(verify_statement(document, keys, allow_provisional=True)),
        )

    def verify(keys: KeySet) -> str:
        verified = verify_dispute(document, keys, allow_provisional=True)
        return f"{_verdict(verified.statement)}; what the other party says was not checked"

    return _Page("dispute packet", [*dispute_lines(document)], document.statement.checkpoint, verify)


def _verdict(verified: Verified | VerifiedStatement) -> str:
    """Say that a document verified, and how far that goes."""
    words = ["verified"]
    if isinstance(verified, VerifiedStatement):
        words.append(verified.mode)
        if verified.provisional_through is not None:
            words.append(f"provisional, complete through {verified.provisional_through}")
    if verified.customer_id is None:
        words.append("customer not checked")
    return ", ".join(words)


def _report_page(data: bytes) -> _Page:
    # Most of what is inspected is no page, and starts faster without.
    from counterfoil.core.report import parse_report, verify_report  # noqa: PLC0415  -- see above

    report = parse_report(data)
    document = read_document(report.document)
    if isinstance(document, Dispute):
        raise VerificationError(
            "unknown-type", "a page has a receipt or a statement in it, no dispute packet"
        )
    inner = _document_page(document)

    def verify(keys: KeySet) -> str:
        found = verify_report(data, keys, allow_provisional=True)
        return f"{_verdict(found.verified)}; the page shows this"

    lines = [("template", f"version {report.version}, with this document in it"), *inner.lines]
    return _Page(f"page of a {inner.kind}", lines, inner.signed, verify)


def _pack_page(chunks: Iterator[bytes], keys: KeySet | None) -> _Page:
    """Explain a pack as it is read; with keys its signatures are verified on the way."""
    shown: list[dict[str, object]] = []
    lines: list[Line] = []
    with Progress("inspect", "lines") as progress:
        for found in summarize_pack(progress.over(split_lines(chunks)), keys):
            if isinstance(found, PackSummary):
                if keys is not None and not found.checkpoints:
                    raise VerificationError("nothing-checked", "the pack holds no checkpoint")
                lines = [
                    ("operator", found.operator),
                    ("logs", found.logs),
                    ("entries", found.entries),
                    ("checkpoints", found.checkpoints),
                    ("log", tuple(shown)),
                ]
                if (more := found.logs - len(shown)) > 0:
                    lines.append(("not shown", plural(more, "log")))
            elif len(shown) < _LOGS_SHOWN:
                shown.append(log_lines(found, keys or KeySet([])))
    return _Page(
        "evidence pack",
        lines,
        verify=lambda _: "the signatures of the checkpoints verify; nothing else was checked (audit)",
    )


def _verifier_keys(data: bytes) -> list[VerifierKey] | None:
    """Return the keys of a file that holds nothing else; None where it is something else."""
    try:
        texts = key_lines(decode_utf8(data, what="document"))
    except MalformedError:
        return None
    if not texts or not all(looks_like_key(text) for text in texts):
        return None
    return [parse_verifier_key(text) for text in texts]
