"""What the checks share: how a claim fails, rows to write, ways to look at a whole store, threads."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from counterfoil.core.amount import NANO
from counterfoil.core.entry import DELTA, SEAL, Entry, format_delta, format_open, format_seal
from counterfoil.core.timestamp import MICROSECONDS, format_time
from counterfoil.engine.store import HeadMove, NewEntry, ReadTransaction, Store, StoredEntry, TileKey
from counterfoil.errors import CounterfoilError

MakeStore = Callable[[str], Store]
"""Opens the store of a name, empty when the name is new."""

TENANT: Final = "tenant-a"
OTHER_TENANT: Final = "tenant-b"
# How long a thread that must not get through is watched.
WATCH_SECONDS: Final = 0.2
JOIN_SECONDS: Final = 60
# 2026-04-01T09:00:00Z in microseconds, the time of the entries at index 0.
_BEGIN: Final = 1_775_034_000_000_000


def require(claim: object, sentence: str) -> None:
    """Fail with a sentence where a claim does not hold."""
    if not claim:
        raise AssertionError(f"does not hold: {sentence}")


def equal(got: object, want: object, sentence: str) -> None:
    """Fail with a sentence, and with both values, where they differ."""
    require(got == want, f"{sentence}: got {got!r:.500}, want {want!r:.500}")


@contextmanager
def refused(code: str, words: str) -> Iterator[None]:
    """Fail where the block is not refused with a code."""
    try:
        yield
    except CounterfoilError as error:
        equal(error.code, code, f"{words} is refused as {code}")
    else:
        raise AssertionError(f"does not hold: {words} is refused")


def make_log(number: int) -> bytes:
    """Return the reference of one of the logs that checks write."""
    return hashlib.sha256(f"log {number}".encode()).digest()[:20]


def _key_of(log: bytes, index: int) -> bytes:
    return hashlib.sha256(log + bytes([index % 256])).digest()


def prefix_of(log: bytes, index: int) -> int:
    """Return the key prefix of an entry of `make_entry`: any 64 bits, negative ones too; entries 256 apart share one."""
    return int.from_bytes(_key_of(log, index)[:8], "big", signed=True)


def time_of(index: int) -> int:
    """Return the time of an entry of `make_entry`, in microseconds."""
    return _BEGIN + index * MICROSECONDS


def count_of(index: int) -> int:
    """Return the count of an entry of `make_entry`: every tenth is a seal, which counts nothing."""
    return index - (index + 1) // 10


def make_entry(log: bytes, index: int) -> NewEntry:
    """Return a row that no other log or index has; its bytes read as an entry."""
    time, unit, count = format_time(time_of(index)), log.hex()[:32], count_of(index)
    commitment = hashlib.sha256(log + index.to_bytes(8, "big")).digest()
    if not index:
        origin = f"operator.example/{TENANT}/0x{log.hex()}"
        data = format_open(recorded_at=time, unit=unit, details=commitment.hex(), origin=origin)
    elif index % 10 == 9:  # noqa: PLR2004  -- see `count_of`
        totals = Entry(SEAL, index - 1, time, unit, count, count * NANO, 0)
        data = format_seal(totals, time)
    else:
        key = _key_of(log, index).hex()
        totals = Entry(DELTA, index, time, unit, count, count * NANO, 0, commitment.hex(), NANO, key)
        data = format_delta(totals)
    return NewEntry(log, index, data, prefix_of(log, index), commitment, b"{}")


def stored(entry: NewEntry) -> StoredEntry:
    """Return what is read where this was appended."""
    return StoredEntry(entry.log, entry.index, entry.entry, entry.salt, entry.value)


def make_move(log: bytes, size: int, *, tenant: str = TENANT) -> HeadMove:
    """Return the head of a log of so many entries without a seal."""
    return HeadMove(log, tenant, size, 0, None)


def append(store: Store, log: bytes, count: int, *, tenant: str = TENANT) -> None:
    """Append so many entries to a log, as the engine does: under its lock, behind the last."""
    with store.write() as transaction:
        heads = transaction.lock_heads([log])
        size = heads[log].size if log in heads else 0
        entries = [make_entry(log, index) for index in range(size, size + count)]
        transaction.append(entries, [make_move(log, size + count, tenant=tenant)])


def size_of(store: Store, log: bytes) -> int:
    """Return how many entries a log has by its head."""
    with store.read() as view:
        return view.heads([log])[log].size


def everything(view: ReadTransaction, logs: list[bytes]) -> tuple[dict[object, object], ...]:
    """Return what the set-wise reads give of these logs."""
    return (
        dict(view.heads(logs).items()),
        dict(view.newest_checkpoints(logs).items()),
        dict(view.entries_of([(log, 1, 4) for log in logs]).items()),
        dict(view.tiles([TileKey(log, 0, number) for log in logs for number in (0, 1)]).items()),
    )


def everything_of_nothing(log: bytes) -> tuple[dict[object, object], ...]:
    """Return what `everything` gives of a log that is not there."""
    return ({}, {}, {log: []}, {})


def merged(parts: list[dict[object, object]] | tuple[dict[object, object], ...]) -> dict[object, object]:
    """Return the answers for many, put together from those for each."""
    return {key: value for part in parts for key, value in part.items()}


def state_of(store: Store, logs: list[bytes]) -> list[object]:
    """Return what can be seen of a store."""
    with store.read() as view:
        return [
            view.identity(),
            view.tenant_unit(TENANT),
            view.logs(TENANT, limit=9),
            view.logs_with_work(TENANT, limit=9),
            everything(view, logs),
            [view.entries(log, 0, 999) for log in logs],
            [view.checkpoints(log, limit=99) for log in logs],
            view.tiles([TileKey(log, level, 0) for log in logs for level in (0, 1)]),
        ]


def in_pages(page: Callable[[bytes], list[bytes]]) -> list[bytes]:
    """Read a list to its end, page after page, each after the last log of the one before."""
    found: list[bytes] = []
    while more := page(found[-1] if found else b""):
        found += more
    return found


def start(work: Callable[[], None]) -> threading.Thread:
    """Run work beside the check."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def finish(thread: threading.Thread) -> None:
    """Wait for work that was started; fail where it does not come to its end."""
    thread.join(JOIN_SECONDS)
    require(not thread.is_alive(), "a writer that waited gets through in the end")
