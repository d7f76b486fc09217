"""Our own answers to the conformance runner: one JSON object a line in, one answer a line out.

    {"id": "amount/one", "op": "amount", "text": "1"}
    {"id": "amount/one", "result": "ok", "output": {"nano": "1000000000"}}

Every operation is a few calls of `core`; no rule stands here.

Source: docs/spec/conformance.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, TextIO

from counterfoil.core.amount import format_nano, parse_amount
from counterfoil.core.checkpoint import KeySet, parse_checkpoint
from counterfoil.core.details import Details, canonical_details, verify_commitment
from counterfoil.core.encoding import decode_base64, decode_hex, decode_integer, encode_utf8, read_json
from counterfoil.core.entry import parse_entry, require_known_type
from counterfoil.core.merkle import HASH_BYTES, leaf_hash, verify_consistency, verify_inclusion
from counterfoil.core.note import parse_note, parse_verifier_key, verify_note
from counterfoil.core.pack.audit import verify_pack
from counterfoil.core.receipt import verify_receipt
from counterfoil.core.reference import check_customer_id, check_tenant, customer_reference
from counterfoil.core.statement_verify import Totals, verify_statement
from counterfoil.core.timestamp import parse_time
from counterfoil.core.tlog_proof import parse_consistency_file, verify_consistency_file
from counterfoil.errors import CounterfoilError, MalformedError, TooLargeError
from counterfoil.limits import (
    ENTRY_BYTES_MAX,
    PROOF_HASHES_MAX,
    RECEIPT_BYTES_MAX,
    REFERENCE_KEY_BYTES,
    SALT_BYTES,
)

Request = dict[str, Any]
Output = dict[str, Any]


def answer(request: Request) -> dict[str, Any]:
    """Answer one request.

    Returns:
        `id` and `result`, which is `ok`, a code, or `unsupported` for an operation that is not one of ours; with
        `ok` the `output`.
    """
    operation = _OPERATIONS.get(str(request.get("op")))
    if operation is None:
        return {"id": request.get("id"), "result": "unsupported"}
    try:
        output = operation(request)
    except CounterfoilError as refusal:
        return {"id": request.get("id"), "result": refusal.code}
    return {"id": request.get("id"), "result": "ok", "output": output}


def respond(stdin: TextIO, stdout: TextIO) -> None:
    """Answer every line until the input ends; each answer is flushed, since the runner may wait for it."""
    for line in stdin:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            request = None
        reply = answer(request) if isinstance(request, dict) else {"id": None, "result": "malformed"}
        # Everything outside ASCII is escaped, so that no reader splits the line elsewhere.
        stdout.write(json.dumps(reply) + "\n")
        stdout.flush()


def _text(request: Request, name: str) -> str:
    found = request.get(name)
    if not isinstance(found, str):
        raise MalformedError(f"the request has no text {name}")
    return found


def _texts(request: Request, name: str) -> list[str]:
    found = request.get(name)
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise MalformedError(f"the request has no array of texts {name}")
    return found


def _hash(request: Request, name: str) -> bytes:
    return decode_hex(_text(request, name), HASH_BYTES)


def _path(request: Request) -> list[bytes]:
    texts = _texts(request, "path")
    if len(texts) > PROOF_HASHES_MAX:
        raise MalformedError(f"path of {len(texts)} hashes, at most {PROOF_HASHES_MAX} are possible")
    return [decode_hex(text, HASH_BYTES) for text in texts]


def _base64(request: Request) -> Output:
    return {"hex": decode_base64(_text(request, "text")).hex()}


def _amount(request: Request) -> Output:
    return {"nano": str(parse_amount(_text(request, "text")))}


def _time(request: Request) -> Output:
    return {"microseconds": str(parse_time(_text(request, "text")))}


def _reference(request: Request) -> Output:
    key = decode_hex(_text(request, "referenceKey"), REFERENCE_KEY_BYTES)
    tenant = check_tenant(_text(request, "tenant"))
    customer_id = check_customer_id(_text(request, "customerId"))
    return {"customerReference": f"0x{customer_reference(key, tenant, customer_id).hex()}"}


def _leaf(request: Request) -> Output:
    data = encode_utf8(_text(request, "entry"), what="entry")
    if len(data) > ENTRY_BYTES_MAX:
        raise TooLargeError(f"entry has {len(data)} bytes, at most {ENTRY_BYTES_MAX}")
    return {"leafHash": leaf_hash(data).hex()}


def _inclusion(request: Request) -> Output:
    index, size = decode_integer(_text(request, "index")), decode_integer(_text(request, "size"))
    verify_inclusion(index, size, _hash(request, "leafHash"), _path(request), _hash(request, "root"))
    return {}


def _consistency(request: Request) -> Output:
    old, new = decode_integer(_text(request, "size1")), decode_integer(_text(request, "size2"))
    verify_consistency(old, new, _hash(request, "root1"), _hash(request, "root2"), _path(request))
    return {}


def _entry(request: Request) -> Output:
    data = encode_utf8(_text(request, "text"), what="entry")
    entry = parse_entry(data)
    require_known_type(entry)
    return {"type": entry.type, "index": str(entry.index), "leafHash": leaf_hash(data).hex()}


def _details(request: Request) -> Output:
    value = read_json(_text(request, "value"), bytes_max=RECEIPT_BYTES_MAX, what="details")
    if not isinstance(value, dict):
        raise MalformedError("the value of details is not a JSON object")
    canonical = canonical_details(value)
    details = Details(decode_hex(_text(request, "salt"), SALT_BYTES), value, canonical)
    commitment = _text(request, "commitment")
    decode_hex(commitment, HASH_BYTES)
    verify_commitment(details, commitment)
    return {"canonical": canonical.decode("utf-8")}


def _note(request: Request) -> Output:
    keys = [parse_verifier_key(text) for text in _texts(request, "keys")]
    note = parse_note(_text(request, "note"))
    return {"text": note.text, "signers": [key.name for key in verify_note(note, keys)]}


def _keys(request: Request) -> KeySet:
    # Each text is a key and nothing else: `KeySet.parse` reads files of them.
    return KeySet(parse_verifier_key(text) for text in _texts(request, "keys"))


def _checkpoint(request: Request) -> Output:
    keys = _keys(request)
    checkpoint = parse_checkpoint(_text(request, "note"))
    keys.verify(checkpoint)
    return {"origin": checkpoint.origin, "size": str(checkpoint.size), "root": checkpoint.root.hex()}


def _consistency_file(request: Request) -> Output:
    keys = _keys(request)
    old = parse_checkpoint(_text(request, "old"))
    file = parse_consistency_file(_text(request, "file"))
    verify_consistency_file(old, file, keys)
    return {"origin": old.origin, "oldSize": str(old.size), "newSize": str(file.checkpoint.size)}


def _receipt(request: Request) -> Output:
    keys = _keys(request)
    verified = verify_receipt(
        _text(request, "receipt"),
        keys,
        origin=_text(request, "origin") if "origin" in request else None,
        customer_id=_text(request, "customer") if "customer" in request else None,
    )
    return {
        "origin": verified.checkpoint.origin,
        "index": str(verified.entry.index),
        "size": str(verified.checkpoint.size),
        "type": verified.entry.type,
        "customer": verified.customer_id,
    }


def _statement(request: Request) -> Output:
    keys = _keys(request)
    allowed = request.get("allowProvisional", False)
    if not isinstance(allowed, bool):
        raise MalformedError("allowProvisional is not a truth value")
    verified = verify_statement(
        _text(request, "statement"),
        keys,
        origin=_text(request, "origin") if "origin" in request else None,
        customer_id=_text(request, "customer") if "customer" in request else None,
        allow_provisional=allowed,
    )
    return {
        "origin": verified.checkpoint.origin,
        "size": str(verified.checkpoint.size),
        "opening": _totals(verified.opening),
        "period": _totals(Totals(verified.deltas, verified.credits, verified.debits)),
        "closing": _totals(verified.closing),
        "provisionalThrough": verified.provisional_through,
        "customer": verified.customer_id,
    }


def _totals(totals: Totals) -> Output:
    return {
        "count": str(totals.count),
        "credits": format_nano(totals.credits),
        "debits": format_nano(totals.debits),
    }


def _pack(request: Request) -> Output:
    keys = _keys(request)
    notes = [parse_checkpoint(note) for note in (_texts(request, "held") if "held" in request else [])]
    held = {checkpoint.origin: [checkpoint] for checkpoint in notes}
    if len(held) != len(notes):
        raise MalformedError("two checkpoints of one log are held")
    lines = _texts(request, "lines")
    verified = verify_pack(lambda: lines, keys, held=held)
    return {
        "operator": verified.operator,
        "logs": [
            {
                "origin": report.origin,
                "entries": str(report.entries),
                "deltas": str(report.deltas),
                "checkpoints": str(report.checkpoints),
                "covered": str(report.covered),
                "verifiedThroughAt": report.verified_through_at,
                "detailsAbsent": str(report.details_absent),
            }
            for report in verified.logs
        ],
        "absent": list(verified.absent),
    }


_OPERATIONS: Final[dict[str, Callable[[Request], Output]]] = {
    "base64": _base64,
    "amount": _amount,
    "time": _time,
    "reference": _reference,
    "leaf": _leaf,
    "inclusion": _inclusion,
    "consistency": _consistency,
    "entry": _entry,
    "details": _details,
    "note": _note,
    "checkpoint": _checkpoint,
    "consistencyFile": _consistency_file,
    "receipt": _receipt,
    "statement": _statement,
    "pack": _pack,
}
