"""`consistency verify`: imports `core` only.

Source: docs/spec/consistency.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from counterfoil.cli.documents import DOCUMENT_BYTES_MAX
from counterfoil.cli.files import read_input
from counterfoil.cli.keys import key_option, read_keys
from counterfoil.cli.output import emit, json_option, say
from counterfoil.core.checkpoint import parse_checkpoint
from counterfoil.core.tlog_proof import parse_consistency_file, verify_consistency_file


@click.command(
    "verify",
    epilog="\b\nExample:\n  counterfoil consistency verify notes/4.checkpoint growth.consistency --key operator.vkey",
)
@click.argument("old", metavar="OLD_CHECKPOINT")
@click.argument("file")
@key_option(required=True)
@json_option
def consistency_verify(old: str, file: str, keys: Sequence[str], *, as_json: bool) -> None:
    """Verify offline that the checkpoint in FILE extends OLD_CHECKPOINT, which you hold."""
    trusted = read_keys(keys)
    held = parse_checkpoint(read_input(old, DOCUMENT_BYTES_MAX))
    proof = parse_consistency_file(read_input(file, DOCUMENT_BYTES_MAX))
    verify_consistency_file(held, proof, trusted)
    new = proof.checkpoint
    if as_json:
        facts = {"result": "ok", "origin": new.origin, "oldSize": held.size, "newSize": new.size}
        emit({**facts, "oldRoot": held.root.hex(), "newRoot": new.root.hex()})
        return
    say(f"verified  {new.origin}")
    say(f"          size {new.size} extends size {held.size}: the first {held.size} entries are unchanged")
    say("not checked: what the entries say, and whether others were shown the same checkpoints")
