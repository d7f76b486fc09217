"""Inclusion proofs as a file (C2SP tlog-proof), and the consistency file of C2SP tlog-witness.

    c2sp.org/tlog-proof@v1                          old 4
    index 2                                         TJuYbJm4...
    4HPJhUaQ...        hashes, leaf side first      MyJzUS5j...        hashes
    MyJzUS5j...
                       a blank line                                    a blank line
    <checkpoint>                                    <the newer checkpoint>

Both are text, hashes in base64 one a line.  The first blank line ends the proof; all behind it is the checkpoint.

Source: docs/spec/tlog-proof.md, docs/spec/consistency.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from counterfoil.core.checkpoint import Checkpoint, KeySet, parse_checkpoint
from counterfoil.core.encoding import (
    decode_base64,
    decode_integer,
    decode_utf8,
    encode_base64,
    encode_utf8,
    excerpt,
)
from counterfoil.core.merkle import HASH_BYTES, verify_consistency
from counterfoil.errors import MalformedError, TooLargeError, VerificationError
from counterfoil.limits import PROOF_HASHES_MAX, RECEIPT_BYTES_MAX

PROOF_HEADER: Final = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class TlogProof:
    """An inclusion proof that was read, not verified.

    Attributes:
        index: of the leaf.
        path: hashes of 32 bytes, the leaf's sibling first.
        checkpoint: under which the leaf stands.
    """

    index: int
    path: tuple[bytes, ...]
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class ConsistencyFile:
    """A consistency proof that was read, not verified.

    Attributes:
        old_size: leaves of the older tree.
        path: hashes of 32 bytes.
        checkpoint: the newer one.
    """

    old_size: int
    path: tuple[bytes, ...]
    checkpoint: Checkpoint


def format_tlog_proof(index: int, path: Sequence[bytes], note: str) -> str:
    """Write an inclusion proof; the checkpoint's note stands in it byte for byte."""
    return "\n".join([PROOF_HEADER, f"index {index}", *map(encode_base64, path), "", note])


def parse_tlog_proof(data: bytes | str) -> TlogProof:
    """Read an inclusion proof strictly; an `extra` line, which nothing signs, is refused.

    Raises:
        TooLargeError: beyond `RECEIPT_BYTES_MAX`.
        MalformedError: where it is none.
    """
    lines, checkpoint = _parse(data, what="tlog-proof")
    if lines[0] != PROOF_HEADER:
        raise MalformedError(f"tlog-proof starts with {excerpt(lines[0])}, want {PROOF_HEADER}")
    return TlogProof(_labelled("index ", lines[1:2]), parse_path(lines[2:]), checkpoint)


def format_consistency_file(old_size: int, path: Sequence[bytes], note: str) -> str:
    """Write a consistency proof; the newer checkpoint's note stands in it byte for byte."""
    return "\n".join([f"old {old_size}", *map(encode_base64, path), "", note])


def parse_consistency_file(data: bytes | str) -> ConsistencyFile:
    """Read a consistency proof strictly.

    Raises:
        TooLargeError: beyond `RECEIPT_BYTES_MAX`.
        MalformedError: where it is none.
    """
    lines, checkpoint = _parse(data, what="consistency file")
    return ConsistencyFile(_labelled("old ", lines[:1]), parse_path(lines[1:]), checkpoint)


def verify_consistency_file(old: Checkpoint, file: ConsistencyFile, keys: KeySet) -> None:
    """Verify that the file's checkpoint extends an older one that somebody holds (steps of docs/spec/consistency.md).

    Raises:
        VerificationError: `unknown-key`, `bad-signature`, `wrong-origin`, `inconsistent`; `fork` where two verified
            checkpoints of one size have different roots.
    """
    new = file.checkpoint
    # Steps 2 and 3: both signatures.
    keys.verify(old)
    keys.verify(new)
    # Step 4: one log.
    if old.origin != new.origin:
        raise VerificationError("wrong-origin", f"checkpoints of {old.origin} and {new.origin}")
    # Step 5: two roots of one size need no proof; whatever else the file says, these checkpoints contradict each other.
    if old.size == new.size and old.root != new.root:
        raise VerificationError(
            "fork",
            f"two checkpoints of {old.origin} at size {old.size}",
            first=old.root.hex(),
            second=new.root.hex(),
        )
    # Step 6: the file is about the checkpoint that is held.
    if file.old_size != old.size:
        raise VerificationError(
            "inconsistent", f"file starts from size {file.old_size}, the checkpoint has {old.size}"
        )
    # Step 7: the proof.
    verify_consistency(old.size, new.size, old.root, new.root, file.path)


def parse_path(texts: Sequence[str]) -> tuple[bytes, ...]:
    """Read the hashes of a proof from base64.

    Raises:
        MalformedError: where there are over 63, or one is none.
    """
    if len(texts) > PROOF_HASHES_MAX:
        raise MalformedError(f"proof has {len(texts)} hashes, at most {PROOF_HASHES_MAX} are possible")
    return tuple(decode_base64(text, HASH_BYTES) for text in texts)


def _parse(data: bytes | str, *, what: str) -> tuple[list[str], Checkpoint]:
    if isinstance(data, str):
        data = encode_utf8(data, what=what)
    if len(data) > RECEIPT_BYTES_MAX:
        raise TooLargeError(f"{what} has over {RECEIPT_BYTES_MAX} bytes")
    head, separator, note = decode_utf8(data, what=what).partition("\n\n")
    if not separator:
        raise MalformedError(f"{what} has no blank line before its checkpoint")
    return head.split("\n"), parse_checkpoint(note)


def _labelled(label: str, lines: Sequence[str]) -> int:
    if not lines or not lines[0].startswith(label):
        raise MalformedError(f"no line starts with {label!r} where it should")
    return decode_integer(lines[0].removeprefix(label))
