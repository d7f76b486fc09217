"""What anybody may see of a log whose reference they know: its checkpoints, and that they extend one another.

A reference is an HMAC under the operator's key, of 160 bits: it cannot be guessed, nor made from a customerId.  Whoever
holds one was given it, in a receipt say, and what is shown here says nothing of a customer: sizes, roots, times.

Source: docs/api/verification.md.
"""

from __future__ import annotations

import re
from typing import Final

from counterfoil.core.checkpoint import Checkpoint
from counterfoil.core.reference import REFERENCE_PATTERN
from counterfoil.engine import prove
from counterfoil.engine.operator import Operator
from counterfoil.engine.store import Store
from counterfoil.engine.stored import log_corrupt, no_such_customer, read_checkpoint
from counterfoil.errors import EngineError

_REFERENCE: Final = re.compile(REFERENCE_PATTERN, re.ASCII)


def log_of_reference(text: str) -> bytes:
    """Return the log that a customer reference names, `0x` and 40 hex digits.

    Raises:
        EngineError: `customer-not-found`, where it is none: what it is instead is nobody's.
    """
    if not _REFERENCE.fullmatch(text):
        raise no_such_customer()
    return bytes.fromhex(text[2:])


def published_checkpoint(
    store: Store, operator: Operator, log: bytes, *, size: int | None = None
) -> Checkpoint:
    """Return the newest checkpoint of a log, or the one of a size; its signature was verified.

    Raises:
        EngineError: `customer-not-found`; `record-not-found`, where there is none of that size, or none yet;
            `log-corrupt`.
    """
    with store.read() as view:
        head = view.heads([log]).get(log)
        if head is None:
            raise no_such_customer()
        wanted = head.checkpoint_size if size is None else size
        row = view.checkpoint(log, wanted) if 0 < wanted <= head.checkpoint_size else None
    if row is None:
        if size is None and wanted:
            raise log_corrupt(log, f"its checkpoint of size {wanted} is missing")
        raise EngineError("record-not-found", "there is no such checkpoint")
    return read_checkpoint(row, operator, head.tenant)


def published_consistency(
    store: Store, operator: Operator, log: bytes, old: int, *, size: int | None = None
) -> str:
    """Return the file that shows that a checkpoint of a log extends the one of size `old`.

    Raises:
        EngineError: as `counterfoil.engine.prove.consistency_file`.
    """
    with store.read() as view:
        head = view.heads([log]).get(log)
    if head is None:
        raise no_such_customer()
    return prove.consistency_file(store, operator, head.tenant, log, old, size=size)
