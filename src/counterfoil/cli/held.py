r"""What an auditor kept: the checkpoints of `audit PACK --state FILE`, and documents for `--held`.  Imports `core` only.

A state is a text file: a first line that says what it is, then a JSON string a line, one note of each log, by ascending
origin.

    counterfoil/audit-state@v1
    "ledger.example.com/acme/0xdc4d...42e\n6\ni54bFBqH...LrU=\n\n\u2014 ledger.example.com/acme/0xdc4d...42e sZ/TIa...wk=\n"

It is the auditor's own: what is read from it is verified again all the same, with the auditor's keys.

Source: docs/spec/pack.md#steps, docs/cli.md#counterfoil-audit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from counterfoil.cli.documents import VERIFIED_BYTES_MAX, kind_of, read_document
from counterfoil.cli.files import open_input, open_output, read_input
from counterfoil.cli.output import quoted
from counterfoil.core.checkpoint import Checkpoint, KeySet, parse_checkpoint
from counterfoil.core.dispute import Dispute, verify_dispute
from counterfoil.core.encoding import read_json
from counterfoil.core.pack_pins import Pins, by_origin
from counterfoil.core.receipt import Receipt, verify_receipt
from counterfoil.core.statement_verify import verify_statement
from counterfoil.errors import CounterfoilError, EngineError, MalformedError, VerificationError
from counterfoil.limits import PACK_LINE_BYTES_MAX

_HEADER: Final = b"counterfoil/audit-state@v1\n"


@dataclass(frozen=True, slots=True)
class Kept:
    """What an auditor kept from before.

    Attributes:
        remembered: the newest checkpoints of a state, by origin.
        documents: the checkpoints of single documents, by the names of their files.
    """

    remembered: dict[str, Checkpoint]
    documents: dict[str, Checkpoint]

    def origins(self) -> set[str]:
        """Return the logs of which there is something."""
        return {*self.remembered, *(checkpoint.origin for checkpoint in self.documents.values())}

    def pins(self) -> Pins:
        """Return all of it by logs."""
        return by_origin([*self.remembered.values(), *self.documents.values()])


def read_state(name: str) -> dict[str, Checkpoint]:
    """Return the checkpoints of a state file by origin; none where there is no such file yet.

    Raises:
        EngineError: `usage`, where the file is something else.
        OSError: where it cannot be read.
    """
    path = Path(name)
    if not path.exists() and not path.is_symlink():
        return {}
    found: dict[str, Checkpoint] = {}
    with open_input(name, follow=False) as stream:
        if stream.readline(len(_HEADER)) != _HEADER:
            raise EngineError("usage", f"--state {name}: the file is no state of an audit")
        while line := stream.readline(PACK_LINE_BYTES_MAX + 1):
            try:
                note = read_json(line, bytes_max=PACK_LINE_BYTES_MAX, what="line")
                checkpoint = parse_checkpoint(note if isinstance(note, str) else "")
            except MalformedError as error:
                raise EngineError("usage", f"--state {name}: {error.message}") from error
            found[checkpoint.origin] = checkpoint
    return found


def write_state(name: str, held: Mapping[str, Checkpoint]) -> None:
    """Write a state file: the old one stands until the new one is whole.

    Raises:
        EngineError: `usage`, where the name is that of something else than a plain file.
        OSError: where the system refuses.
    """
    with open_output(Path(name)) as stream:
        stream.write(_HEADER)
        for origin in sorted(held):
            stream.write(json.dumps(held[origin].note).encode("ascii") + b"\n")


def read_held(name: str, keys: KeySet) -> Checkpoint:
    """Verify a signed document that somebody kept; return the checkpoint that it stands under.

    Args:
        name: of its file: a checkpoint, a receipt, a statement, a dispute packet, or a page.
        keys: that the auditor trusts.

    Raises:
        EngineError: with the code of the first step that fails; `usage`, where there is no such file.
        OSError: where it cannot be read.
    """
    data = read_input(name, VERIFIED_BYTES_MAX)
    try:
        return _checkpoint_of(data, name, keys)
    except CounterfoilError as error:
        raise EngineError(error.code, f"--held {quoted(name)}: {error.message}", **error.facts) from error


def _checkpoint_of(data: bytes, name: str, keys: KeySet) -> Checkpoint:
    kind = kind_of(data, name)
    if kind == "checkpoint":
        checkpoint = parse_checkpoint(data)
        keys.verify(checkpoint)
        return checkpoint
    if kind == "report":
        # Most of what is held is no page, and starts faster without.
        from counterfoil.core.report import verify_report  # noqa: PLC0415  -- see above

        return verify_report(data, keys, allow_provisional=True).verified.checkpoint
    if kind != "json":
        raise VerificationError("nothing-checked", f"a {kind} cannot be held alone: name its checkpoint")
    document = read_document(data)
    if isinstance(document, Receipt):
        return verify_receipt(document, keys).checkpoint
    if isinstance(document, Dispute):
        return verify_dispute(document, keys, allow_provisional=True).statement.checkpoint
    return verify_statement(document, keys, allow_provisional=True).checkpoint
