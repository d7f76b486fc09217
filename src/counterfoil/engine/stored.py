"""Reading what the store gives back, with as little trust as what a stranger sends.

Source: docs/threat-model.md (somebody who can write to the database).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from counterfoil.core.checkpoint import Checkpoint, parse_checkpoint
from counterfoil.core.details import commit
from counterfoil.core.encoding import JsonValue, read_json
from counterfoil.core.entry import Entry, parse_entry
from counterfoil.engine.operator import Operator
from counterfoil.engine.store import Head, ReadTransaction, Store, StoredCheckpoint, StoredEntry
from counterfoil.errors import CounterfoilError, EngineError, MalformedError, VerificationError
from counterfoil.limits import DETAILS_BYTES_MAX

_PAGE: Final = 256


def log_corrupt(log: bytes, why: str) -> EngineError:
    """Make the refusal of a log whose stored bytes contradict each other."""
    return EngineError("log-corrupt", why, log=f"0x{log.hex()}")


def no_such_customer() -> EngineError:
    """Make the refusal of a customer without a log; another tenant's customer meets the same."""
    return EngineError("customer-not-found", "there is no such customer")


def about(error: CounterfoilError, log: bytes) -> CounterfoilError:
    """Say in a refusal which log it is about, where it stands among those of other logs."""
    error.facts.setdefault("log", f"0x{log.hex()}")
    return error


def key_prefix(key: bytes) -> int:
    """Return the hint by which a store finds 32 bytes again: the key of an entry, the root of a checkpoint."""
    return int.from_bytes(key[:8], "big", signed=True)


def read_stored(row: StoredEntry) -> Entry:
    """Read a stored entry.

    Raises:
        EngineError: `log-corrupt`, where its bytes are no entry or it stands at another index than it says.
    """
    try:
        entry = parse_entry(row.entry)
    except MalformedError as error:
        raise log_corrupt(row.log, f"entry {row.index} does not read: {error.message}") from error
    if entry.index != row.index:
        raise log_corrupt(row.log, f"entry {entry.index} is stored at index {row.index}")
    return entry


def read_entry(view: ReadTransaction, log: bytes, index: int) -> Entry:
    """Read the entry at an index that the log must have.

    Raises:
        EngineError: `log-corrupt`, where it is not there, or as `read_stored`.
    """
    rows = view.entries_of([(log, index, index + 1)], with_details=False).get(log)
    if not rows:
        raise log_corrupt(log, f"entry {index} is missing")
    return read_stored(rows[0])


def read_last(head: Head) -> Entry:
    """Read the last entry of a log.

    Raises:
        EngineError: `log-corrupt`, where it is not the one that the head claims, or as `read_stored`.
    """
    if head.last_entry is None:
        raise log_corrupt(head.log, f"its last entry is not entry {head.size - 1}")
    return read_stored(StoredEntry(head.log, head.size - 1, head.last_entry, None, None))


def read_details(row: StoredEntry, entry: Entry) -> dict[str, JsonValue] | None:
    """Read the details of a stored entry; None where they are erased or the entry has none.

    Raises:
        EngineError: `log-corrupt`, where they are not those that the entry commits to.
    """
    if row.salt is None or row.value is None:
        return None
    if commit(row.salt, row.value) != entry.details:
        raise log_corrupt(row.log, f"details of entry {row.index} are not those that it commits to")
    try:
        value = read_json(row.value, bytes_max=DETAILS_BYTES_MAX, what="details")
    except MalformedError as error:
        raise log_corrupt(row.log, f"details of entry {row.index} do not read: {error.message}") from error
    if not isinstance(value, dict):
        raise log_corrupt(row.log, f"details of entry {row.index} are not a JSON object")
    return value


def read_checkpoint(row: StoredCheckpoint, operator: Operator, tenant: str) -> Checkpoint:
    """Read a stored checkpoint, and verify that the operator signed it for this log and size.

    Raises:
        EngineError: `log-corrupt`.
    """
    try:
        checkpoint = parse_checkpoint(row.note)
        operator.keys.verify(checkpoint)
    except (MalformedError, VerificationError) as error:
        why = f"its checkpoint of size {row.size} does not hold: {error.message}"
        raise log_corrupt(row.log, why) from error
    if (checkpoint.origin, checkpoint.size) != (operator.origin(tenant, row.log), row.size):
        raise log_corrupt(row.log, f"its checkpoint of size {row.size} is of another log or size")
    check_signed_once(row.log, checkpoint)
    return checkpoint


def check_signed_once(log: bytes, checkpoint: Checkpoint) -> None:
    """Refuse a stored checkpoint with lines that the engine did not write.

    Unknown lines are ignored by who verifies, so that whoever can write to the store could fill every receipt with
    them, up to its bound.

    Raises:
        EngineError: `log-corrupt`.
    """
    if len(checkpoint.signatures) != 1:
        raise log_corrupt(
            log, f"its checkpoint of size {checkpoint.size} has signature lines that are not its own"
        )


def iter_checkpoints(store: Store, log: bytes) -> Iterator[StoredCheckpoint]:
    """Yield the checkpoints of a log, ascending by size, a page a read."""
    after = 0
    while True:
        with store.read() as view:
            page = view.checkpoints(log, after=after, limit=_PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].size


def head_of(view: ReadTransaction, tenant: str, log: bytes) -> Head | None:
    """Return the head of a log of this tenant; another tenant's log is as if it were not there."""
    head = view.heads([log]).get(log)
    return head if head is not None and head.tenant == tenant else None


def require_head(view: ReadTransaction, tenant: str, log: bytes) -> Head:
    """As `head_of`.

    Raises:
        EngineError: `customer-not-found`.
    """
    head = head_of(view, tenant, log)
    if head is None:
        raise no_such_customer()
    return head
