"""Published checkpoints, listed and looked up: each with the seal under it, its signature verified.

Source: docs/api/reference.md, docs/spec/checkpoint.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from counterfoil.core.checkpoint import Checkpoint, parse_checkpoint
from counterfoil.core.encoding import excerpt
from counterfoil.core.entry import SEAL
from counterfoil.core.reference import format_record_id
from counterfoil.engine.customers import customer_id_of
from counterfoil.engine.history import Mark, mark_after, marks_at
from counterfoil.engine.operator import Operator
from counterfoil.engine.store import Head, ReadTransaction, Store, StoredCheckpoint
from counterfoil.engine.stored import key_prefix, log_corrupt, read_checkpoint, read_stored, require_head
from counterfoil.engine.windows import Window
from counterfoil.errors import EngineError, MalformedError

CHECKPOINT_ID_PREFIX: Final = "chk_"

_ROOT: Final = re.compile(r"(?:0x)?([0-9a-fA-F]{64})", re.ASCII)
# Roots of different logs differ, because their first entries name them; a few may share the first 8 bytes.
_SAME_PREFIX_MAX: Final = 16


@dataclass(frozen=True, slots=True)
class Published:
    """A published checkpoint.

    Attributes:
        log: the 20-byte customer reference.
        customer_id: whose; None where the details that name the customer were erased.
        checkpoint: its signature was verified.
        sealed_at: the time of the seal under it: the watermark that came with it.
        covered: what it covers.
    """

    log: bytes
    customer_id: str | None
    checkpoint: Checkpoint
    sealed_at: str
    covered: Mark

    @property
    def checkpoint_id(self) -> str:
        """Its name: `chk_customerReference.size`."""
        return checkpoint_id(self.log, self.checkpoint.size)


def checkpoint_id(log: bytes, size: int) -> str:
    """Return the name of a checkpoint, `chk_customerReference.size`."""
    return f"{CHECKPOINT_ID_PREFIX}{format_record_id(log, size)}"


def read_root(text: str) -> bytes | None:
    """Read the root of a checkpoint, 64 hex digits with or without `0x`; None where it is something else."""
    match = _ROOT.fullmatch(text)
    return bytes.fromhex(match[1]) if match else None


def find_by_root(view: ReadTransaction, root: bytes) -> StoredCheckpoint | None:
    """Return the checkpoint of a root, of whichever tenant; its signature was not verified."""
    for row in view.checkpoints_by_root(key_prefix(root), limit=_SAME_PREFIX_MAX):
        try:
            found = parse_checkpoint(row.note).root
        except MalformedError:  # An index led here, and no proof rests on it.
            continue
        if found == root:
            return row
    return None


def published_of_root(store: Store, operator: Operator, root: str) -> Published:
    """Return the checkpoint of a root, of whichever tenant.

    Args:
        store: where to look.
        operator: who signs.
        root: 64 hex digits with or without `0x`.

    Raises:
        EngineError: `invalid-field`; `record-not-found`; `log-corrupt`.
    """
    wanted = read_root(root)
    if wanted is None:
        raise EngineError("invalid-field", f"not a root hash: {excerpt(root)}", field="proofRoot")
    with store.read() as view:
        row = find_by_root(view, wanted)
        head = view.heads([row.log]).get(row.log) if row else None
        if row is None or head is None:
            raise EngineError("record-not-found", "there is no checkpoint of that root")
        return _published(view, operator, head, row)


def published_of_customer(
    store: Store,
    operator: Operator,
    tenant: str,
    log: bytes,
    *,
    window: Window | None = None,
    offset: int = 0,
    limit: int,
) -> list[Published]:
    """Return a page of the checkpoints of a customer whose seals lie in a window, or of all, the newest first.

    Raises:
        EngineError: `customer-not-found`, `log-corrupt`.
    """
    with store.read() as view:
        head = require_head(view, tenant, log)
        after, up_to = 0, head.checkpoint_size
        if window is not None:
            # The seal of a checkpoint stands at size - 1.
            after, up_to = (mark.size for mark in marks_at(view, head, window))
        rows = view.newest_between(log, after, up_to, offset=offset, limit=limit)
        return [_published(view, operator, head, row) for row in rows]


def newest_of_customers(
    store: Store,
    operator: Operator,
    tenant: str,
    *,
    window: Window | None = None,
    offset: int = 0,
    limit: int,
) -> list[Published]:
    """Return of each customer on a page, by customerId, the newest checkpoint whose seal lies in a window, where there is one.

    Raises:
        EngineError: `log-corrupt`.
    """
    with store.read() as view:
        logs = [each.log for each in view.customers(tenant, offset=offset, limit=limit)]
        heads = view.heads(logs)
        return [
            _published(view, operator, heads[log], row)
            for log in logs
            if log in heads  # A name whose log is gone is for the audit to find.
            for row in _newest(view, heads[log], window)
        ]


def _newest(view: ReadTransaction, head: Head, window: Window | None) -> Iterable[StoredCheckpoint]:
    if window is None:
        return view.newest_checkpoints([head.log]).values()
    after, up_to = (mark.size for mark in marks_at(view, head, window))
    return view.newest_between(head.log, after, up_to, limit=1)


def _published(view: ReadTransaction, operator: Operator, head: Head, row: StoredCheckpoint) -> Published:
    checkpoint = read_checkpoint(row, operator, head.tenant)
    rows = view.entries(head.log, row.size - 1, row.size)
    seal = read_stored(rows[0]) if rows else None
    if seal is None or seal.type != SEAL:
        raise log_corrupt(head.log, f"no seal under its checkpoint of size {row.size}")
    return Published(head.log, customer_id_of(view, head.log), checkpoint, seal.recorded_at, mark_after(seal))
