"""What an auditor kept from before: a state, and documents for `--held`.  Imports `core` only.

Source: docs/spec/pack.md#steps, docs/cli.md#counterfoil-audit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from counterfoil.cli.documents import HEAD_BYTES, VERIFIED_BYTES_MAX, is_pack, kind_of, read_document
from counterfoil.cli.files import read_input
from counterfoil.cli.output import quoted
from counterfoil.cli.unknown import none_of_ours
from counterfoil.core.checkpoint import Checkpoint, KeySet, parse_checkpoint
from counterfoil.core.dispute import Dispute, proofs_of, verify_dispute
from counterfoil.core.pack.pins import Pins, by_origin
from counterfoil.core.receipt import Receipt, verify_receipt
from counterfoil.core.statement_verify import verify_statement
from counterfoil.errors import CounterfoilError, EngineError, VerificationError


@dataclass(frozen=True, slots=True)
class Kept:
    """What an auditor kept from before.

    Attributes:
        remembered: the newest checkpoints of a state, by origin; none without a state.
        documents: all checkpoints of single documents, each of one log, by the names of their files.
    """

    remembered: Mapping[str, Checkpoint]
    documents: Mapping[str, Sequence[Checkpoint]]

    def sizes(self) -> dict[str, int]:
        """Return by origin the size of the largest checkpoint that there is."""
        return {origin: max(pin.size for pin in pins) for origin, pins in self.pins().items()}

    def pins(self) -> Pins:
        """Return all of it by logs."""
        return by_origin([*self.remembered.values(), *chain.from_iterable(self.documents.values())])


def read_held(name: str, keys: KeySet) -> list[Checkpoint]:
    """Verify a signed document that somebody kept; return every checkpoint that something in it stands under.

    They are of one log, and each is there once: a dispute packet has one of its statement, and others of its receipts.

    Args:
        name: of its file: a checkpoint, a receipt, a statement, a dispute packet, or a page.
        keys: that the auditor trusts.

    Raises:
        EngineError: with the code of the first step that fails; `usage`, where there is no such file.
        OSError: where it cannot be read.
    """
    data = read_input(name, VERIFIED_BYTES_MAX)
    try:
        # Of one size there is one root: the document verified.
        different = {checkpoint.size: checkpoint for checkpoint in _checkpoints_of(data, name, keys)}
        return [keys.verified_part(checkpoint) for checkpoint in different.values()]
    except CounterfoilError as error:
        raise EngineError(error.code, f"--held {quoted(name)}: {error.message}", **error.facts) from error


def _checkpoints_of(data: bytes, name: str, keys: KeySet) -> Iterable[Checkpoint]:
    kind = kind_of(data, name)
    if kind == "unknown" or is_pack(data[:HEAD_BYTES]):
        raise none_of_ours(data, name)
    if kind == "checkpoint":
        return [parse_checkpoint(data)]
    if kind == "report":
        # Most of what is held is no page, and starts faster without.
        from counterfoil.core.report import verify_report  # noqa: PLC0415  -- see above

        return [verify_report(data, keys, allow_provisional=True).verified.checkpoint]
    if kind != "json":
        raise VerificationError("nothing-checked", f"a {kind} cannot be held alone: name its checkpoint")
    document = read_document(data)
    if isinstance(document, Receipt):
        verify_receipt(document, keys)
    elif isinstance(document, Dispute):
        verify_dispute(document, keys, allow_provisional=True)
    else:
        verify_statement(document, keys, allow_provisional=True)
    return [proof.checkpoint for proof in proofs_of(document)]
