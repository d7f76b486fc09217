r"""Receipts: the proof that one entry stands in a signed log, whole in itself.

    {"type": "counterfoil/receipt@v1",
     "entry": {...},                                                  the entry
     "details": {"salt": hex, "value": {...}},                        absent when erased or withheld
     "open": {"entry": {...}, "details"?: {...}, "path": [base64]},   optional: whose log this is
     "proof": "c2sp.org/tlog-proof@v1\nindex 2\n..."}

A receipt is a JSON container: databases may respell it.  What is hashed is the canonical form of what it says.

Source: docs/spec/receipt.md, whose step numbers stand in the code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from counterfoil.core.checkpoint import Checkpoint, KeySet
from counterfoil.core.details import Details, check_delta_value, customer_of, read_details, verify_commitment
from counterfoil.core.encoding import (
    JsonValue,
    encode_base64,
    excerpt,
    json_string,
    members,
    read_json,
    text_member,
)
from counterfoil.core.entry import DELTA, OPEN, Entry, check_later, read_entry, require_known_type
from counterfoil.core.merkle import leaf_hash, verify_inclusion
from counterfoil.core.reference import parse_origin
from counterfoil.core.tlog_proof import TlogProof, parse_path, parse_tlog_proof
from counterfoil.errors import MalformedError, VerificationError
from counterfoil.limits import RECEIPT_BYTES_MAX

RECEIPT_TYPE: Final = "counterfoil/receipt@v1"

_REQUIRED: Final = frozenset({"type", "entry", "proof"})
_OPTIONAL: Final = frozenset({"details", "open"})
_OPEN_REQUIRED: Final = frozenset({"entry", "path"})
_OPEN_OPTIONAL: Final = frozenset({"details"})


@dataclass(frozen=True, slots=True)
class ProvenEntry:
    """An entry with its bytes and, where they were given, its details.

    Attributes:
        entry: the entry.
        data: its canonical bytes, which are the leaf.
        details: None when erased or withheld.
    """

    entry: Entry
    data: bytes
    details: Details | None


@dataclass(frozen=True, slots=True)
class Opening:
    """The `open` entry of a log with its path to the root of the receipt's checkpoint."""

    item: ProvenEntry
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt that was read, not verified."""

    item: ProvenEntry
    opening: Opening | None
    proof: TlogProof


@dataclass(frozen=True, slots=True)
class Verified:
    """What a receipt proves.

    Attributes:
        entry: the entry, which stands at `entry.index`.
        details: the value that the entry commits to, None when erased or withheld.
        customer_id: whose log it is, None where the receipt does not say: the customer was not checked.
        checkpoint: under which it stands; its key was among the caller's.
    """

    entry: Entry
    details: dict[str, JsonValue] | None
    customer_id: str | None
    checkpoint: Checkpoint


def parse_receipt(data: bytes | str) -> Receipt:
    """Read a receipt (step 1).  Nothing is verified.

    Raises:
        TooLargeError: beyond 262,144 bytes, or a bound within.
        MalformedError: where it is no receipt.
        VerificationError: `unknown-type`, where it or an entry in it is of a type that this version does not know.
    """
    value = read_json(data, bytes_max=RECEIPT_BYTES_MAX, what="receipt")
    return receipt_from(value)


def receipt_from(value: JsonValue) -> Receipt:
    """Read a receipt from its JSON value; otherwise as `parse_receipt`."""
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise MalformedError("receipt is not a JSON object with a type")
    if value["type"] != RECEIPT_TYPE:
        raise VerificationError(
            "unknown-type", f"document of type {excerpt(value['type'])}, want {RECEIPT_TYPE}"
        )
    members(value, required=_REQUIRED, optional=_OPTIONAL, what="receipt")
    proof = parse_tlog_proof(text_member(value, "proof", what="receipt"))
    parse_origin(proof.checkpoint.origin)
    item = read_item(value, what="receipt")
    opening = read_opening(value["open"]) if "open" in value else None
    # Last, since what is malformed outranks what a later version may know.
    require_known_type(item.entry)
    if opening is not None:
        require_known_type(opening.item.entry)
    return Receipt(item, opening, proof)


def read_item(value: dict[str, JsonValue], *, what: str) -> ProvenEntry:
    """Read `entry` and, where it is there, `details` of a document; an entry of an unknown type is returned.

    Raises:
        TooLargeError, MalformedError: where one of them breaks its rules.
    """
    entry, data = read_entry(value["entry"])
    if "details" not in value:
        return ProvenEntry(entry, data, None)
    details = read_details(value["details"], what=f"details of {what}")
    if entry.type == DELTA:
        check_delta_value(details.value)
    elif entry.type == OPEN:
        customer_of(details.value)
    return ProvenEntry(entry, data, details)


def read_opening(value: JsonValue) -> Opening:
    """Read `open` of a document.

    Raises:
        TooLargeError, MalformedError: where it breaks its rules.
    """
    found = members(value, required=_OPEN_REQUIRED, optional=_OPEN_OPTIONAL, what="open")
    texts = path_texts(found["path"], what="open")
    return Opening(read_item(found, what="open"), parse_path(texts))


def path_texts(path: JsonValue, *, what: str) -> list[str]:
    """Return the hashes of a path as they are written; `parse_path` reads them.

    Raises:
        MalformedError: where it is no array of strings.
    """
    if not isinstance(path, list):
        raise MalformedError(f"path of {what} is not a JSON array")
    texts = [text for text in path if isinstance(text, str)]
    if len(texts) != len(path):
        raise MalformedError(f"path of {what} holds something else than strings")
    return texts


def verify_receipt(
    receipt: Receipt | bytes | str, keys: KeySet, *, origin: str | None = None, customer_id: str | None = None
) -> Verified:
    """Verify a receipt offline, from its bytes and the caller's keys alone.

    Args:
        receipt: the receipt, or its bytes.
        keys: the keys that the caller trusts.
        origin: the log that the caller expects it from, where one is named.
        customer_id: the customer that the caller expects it to name.

    Raises:
        MalformedError, VerificationError: with the code of the first step that fails.
    """
    # Step 1: bounds, syntax, types, members.
    if not isinstance(receipt, Receipt):
        receipt = parse_receipt(receipt)
    item, proof = receipt.item, receipt.proof
    checkpoint = proof.checkpoint
    # Step 2: a given key is the operator's, and its signature verifies.
    keys.verify(checkpoint)
    # Step 3: the log that the caller expects.
    if origin is not None and checkpoint.origin != origin:
        raise VerificationError(
            "wrong-origin", "the receipt is of another log", found=checkpoint.origin, wanted=origin
        )
    # Step 4: the entry says where it stands, and the proof says the same.
    if item.entry.index != proof.index or proof.index >= checkpoint.size:
        raise VerificationError(
            "index-mismatch",
            "the entry, the proof and the size of the checkpoint disagree about the index",
            entry=item.entry.index,
            proof=proof.index,
            size=checkpoint.size,
        )
    # Step 5: the entry is the leaf.
    verify_inclusion(proof.index, checkpoint.size, leaf_hash(item.data), proof.path, checkpoint.root)
    # Step 6: the details are what the entry commits to.
    if item.details is not None:
        verify_commitment(item.details, item.entry.details)
    # Step 7: whose log it is.
    proven = verify_customer([item.entry], receipt.opening, checkpoint, customer_id, what="receipt")
    return Verified(item.entry, item.details.value if item.details else None, proven, checkpoint)


def verify_customer(
    entries: Sequence[Entry],
    opening: Opening | None,
    checkpoint: Checkpoint,
    wanted: str | None,
    *,
    what: str,
) -> str | None:
    """Verify whose log it is: `open`, from which the entries follow, and among these the one that opens.

    Args:
        entries: one or more that are proven under the checkpoint, ascending.
        opening: `open` of their document.
        checkpoint: which was verified.
        wanted: the customerId that the caller expects, where it expects one.
        what: the document's name, for messages.

    Returns:
        The customerId that is proven, None where the document does not say.

    Raises:
        VerificationError: `wrong-origin`, `index-mismatch`, `root-mismatch`, `details-mismatch`, `time-order`,
            `totals-mismatch`.
    """
    for entry in entries:
        if entry.type == OPEN:
            _check_opened(entry, checkpoint)
    proven = None if opening is None else _verify_opening(opening, checkpoint)
    if opening is not None and entries[0].index:
        check_later(opening.item.entry, entries[0])
    if wanted is not None and proven != wanted:
        raise VerificationError(
            "wrong-origin",
            f"the {what} names no customer" if proven is None else f"the {what} is of another customer",
            found=proven,
            wanted=wanted,
        )
    return proven


def _verify_opening(opening: Opening, checkpoint: Checkpoint) -> str | None:
    item = opening.item
    if item.entry.type != OPEN:
        raise VerificationError(
            "index-mismatch", "open holds an entry that opens no log", index=item.entry.index
        )
    _check_opened(item.entry, checkpoint)
    verify_inclusion(0, checkpoint.size, leaf_hash(item.data), opening.path, checkpoint.root)
    if item.details is None:
        return None
    verify_commitment(item.details, item.entry.details)
    return customer_of(item.details.value)


def _check_opened(entry: Entry, checkpoint: Checkpoint) -> None:
    if entry.origin != checkpoint.origin:
        raise VerificationError(
            "wrong-origin", "the open entry is of another log", found=entry.origin, wanted=checkpoint.origin
        )


def format_receipt(item: ProvenEntry, opening: Opening | None, proof: str) -> bytes:
    """Write a receipt in canonical form.

    Args:
        item: the entry and its details.
        opening: the `open` entry, or None to leave the customer unnamed.
        proof: the tlog-proof, a text.
    """
    opened = "" if opening is None else f'"open":{format_item(opening.item, opening.path)},'
    # Canonical order: the members of the item, whose closing brace is left out, come first.
    item_members = format_item(item)[:-1]
    return f'{item_members},{opened}"proof":{json_string(proof)},"type":"{RECEIPT_TYPE}"}}'.encode()


def format_item(item: ProvenEntry, path: Sequence[bytes] | None = None) -> str:
    """Write an entry with its details and path as an object, in canonical form.

    What is hashed is canonical already and goes out as it is.

    Args:
        item: the entry and its details.
        path: hashes of 32 bytes; None where the object has no path.
    """
    details = ""
    if item.details is not None:
        opened = item.details
        details = f'"details":{{"salt":"{opened.salt.hex()}","value":{opened.canonical.decode()}}},'
    hashes = ""
    if path is not None:
        texts = ",".join([f'"{encode_base64(sibling)}"' for sibling in path])
        hashes = f',"path":[{texts}]'
    return f'{{{details}"entry":{item.data.decode()}{hashes}}}'
