"""`check_store`: the contract that any store passes.

For whoever writes a store.  It needs no test framework:

    from counterfoil.testing import check_store

    check_store(lambda name: MyStore(folder / name, clock=clock), durable=True)

or, one test a claim, with pytest:

    @pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
    def test_my_store_keeps_the_contract(check, tmp_path):
        check(lambda name: MyStore(tmp_path / name, clock=clock))

Source: the rules in `counterfoil.engine.store`.
"""

from __future__ import annotations

import hashlib
import threading
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Final

from counterfoil.engine.store import (
    HeadMove,
    Identity,
    NewCheckpoint,
    StoredCheckpoint,
    StoredEntry,
    TileKey,
)
from counterfoil.errors import CounterfoilError
from counterfoil.limits import INTEGER_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from counterfoil.engine.store import ReadTransaction, Store

    # Opens the store of a name, empty when the name is new.
    MakeStore = Callable[[str], Store]

_TENANT: Final = "tenant-a"
_OTHER_TENANT: Final = "tenant-b"
# More than a store is likely to put into one statement, and around the powers of two.
_MANY: Final = 600
_PARTS: Final = (0, 1, 2, 15, 16, 17, 255, 256, 257, 512, _MANY)
# How long a thread that must not get through is watched.
_WATCH_SECONDS: Final = 0.2
_JOIN_SECONDS: Final = 60


def check_store(make_store: MakeStore, *, durable: bool) -> None:
    """Check every claim of the contract.

    Args:
        make_store: opens the store of a name; a name that is new gives an empty store.
        durable: a store that is closed and opened again under its name holds what was written.

    Raises:
        AssertionError: a sentence that says which claim does not hold.
    """
    for check in STORE_CHECKS:
        check(make_store)
    if durable:
        what_is_written_is_there_after_reopening(make_store)


def an_empty_store_holds_nothing(make_store: MakeStore) -> None:
    """Every read of an empty store answers with nothing, and none fails."""
    log = _log(0)
    with closing(make_store("empty")) as store, store.read() as view:
        _equal(view.identity(), None, "an empty store belongs to nobody")
        _equal(view.tenant_unit(_TENANT), None, "an empty store knows no unit")
        _equal(_everything(view, [log]), _everything_of_nothing(log), "an empty store holds nothing")
        _equal(view.logs(_TENANT, limit=9), [], "an empty store has no logs")
        _equal(view.logs_with_work(_TENANT, limit=9), [], "an empty store has no work")


def the_identity_is_set_once(make_store: MakeStore) -> None:
    """The identity stays what it was set to, and another is `key-mismatch`."""
    identity = Identity("operator.example", bytes(range(32)))
    with closing(make_store("identity")) as store:
        with store.write() as transaction:
            transaction.set_identity(identity)
        for other in (Identity("other.example", identity.public_key), Identity(identity.operator, bytes(32))):
            with _refused("key-mismatch", "another identity"), store.write() as transaction:
                transaction.set_identity(other)
        with store.read() as view:
            _equal(view.identity(), identity, "the identity stays")


def the_unit_of_a_tenant_can_be_set_again(make_store: MakeStore) -> None:
    """The last unit counts, and each tenant has its own."""
    with closing(make_store("units")) as store:
        with store.write() as transaction:
            transaction.set_tenant_unit(_TENANT, "credits")
            transaction.set_tenant_unit(_OTHER_TENANT, "EUR")
            transaction.set_tenant_unit(_TENANT, "tokens")
            _equal(transaction.tenant_unit(_TENANT), "tokens", "a transaction reads its own writes")
        with store.read() as view:
            units = [view.tenant_unit(tenant) for tenant in (_TENANT, _OTHER_TENANT, "tenant-c")]
            _equal(units, ["tokens", "EUR", None], "each tenant has the unit it was given last")


def bytes_come_back_as_they_were(make_store: MakeStore) -> None:
    """Entries, details, notes and tiles keep every byte; no details are not empty details."""
    log = _log(0)
    every_byte = bytes(range(256))
    entries = [
        StoredEntry(log, 0, every_byte, None, None, None),
        StoredEntry(log, 1, b"\x00", 0, bytes(32), b""),
        StoredEntry(log, 2, b"\xff\x00'\"", -1, every_byte[:32], every_byte),
        StoredEntry(log, 3, b"{}", 1, None, None),
    ]
    hashes = every_byte * 32
    with closing(make_store("bytes")) as store:
        with store.write() as transaction:
            transaction.append(entries, [HeadMove(log, _TENANT, 4, 4)])
            transaction.put_checkpoints([NewCheckpoint(log, 0, 4, every_byte)])
            transaction.put_tiles({TileKey(log, 0, 0): hashes})
        with store.read() as view:
            _equal(view.entries(log, 0, 4), entries, "entries come back byte for byte")
            _equal(view.heads([log])[log].last_entry, b"{}", "the head bears the last entry's bytes")
            _equal(view.checkpoint(log, 4), StoredCheckpoint(log, 4, every_byte), "a note keeps its bytes")
            _equal(view.tiles([TileKey(log, 0, 0)]), {TileKey(log, 0, 0): hashes}, "a tile keeps its bytes")


def a_failed_block_leaves_no_trace(make_store: MakeStore) -> None:
    """An exception comes out unchanged, and all that the block wrote is undone."""
    old, new = _log(0), _log(1)
    failure = ValueError("from the block")
    with closing(make_store("rollback")) as store:
        _append(store, old, 2)
        with store.write() as transaction:
            transaction.set_tenant_unit(_TENANT, "credits")
            transaction.put_checkpoints([NewCheckpoint(old, 0, 1, b"first")])
            transaction.put_tiles({TileKey(old, 0, 0): bytes(32)})
        before = _state(store, [old, new])
        try:
            with store.write() as transaction:
                transaction.set_identity(Identity("operator.example", bytes(32)))
                transaction.set_tenant_unit(_TENANT, "EUR")
                transaction.append([_entry(old, 2), _entry(new, 0)], [_move(old, 3), _move(new, 1)])
                transaction.put_checkpoints([NewCheckpoint(old, 1, 3, b"second")])
                transaction.put_tiles({TileKey(old, 0, 0): bytes(64), TileKey(old, 1, 0): bytes(32)})
                raise failure
        except ValueError as error:
            _require(error is failure, "an exception of the block comes out unchanged")
        _equal(_state(store, [old, new]), before, "a failed block leaves the store as it was")
        _append(store, old, 1)
        _require(_size(store, old) == 3, "the store goes on after a failed block")  # noqa: PLR2004  -- 2 + 1


def a_taken_index_is_refused(make_store: MakeStore) -> None:
    """A second entry at one index is `log-corrupt`, and a block that caught the refusal is undone all the same."""
    log, other = _log(0), _log(1)
    with closing(make_store("taken")) as store:
        _append(store, log, 2)
        before = _state(store, [log, other])
        with _refused("log-corrupt", "an index that is taken"), store.write() as transaction:
            transaction.append([_entry(other, 0)], [_move(other, 1)])
            with suppress(CounterfoilError):
                transaction.append([_entry(log, 2), _entry(log, 1)], [_move(log, 3)])
        _equal(_state(store, [log, other]), before, "nothing of a refused append stays")


def reads_of_many_equal_reads_of_one(make_store: MakeStore) -> None:
    """Each set-wise method answers for many what it answers for each, whatever their number."""
    logs = [_log(number) for number in range(_MANY)]
    # Every third log is missing; the others differ in size, checkpoints and tiles.
    sizes = {log: 1 + number % 5 for number, log in enumerate(logs) if number % 3}
    with closing(make_store("many")) as store:
        with store.write() as transaction:
            transaction.lock_heads(sizes)
            transaction.append(
                [_entry(log, index) for log, size in sizes.items() for index in range(size)],
                [_move(log, size) for log, size in sizes.items()],
            )
            signed = {log: size for log, size in sizes.items() if size > 1}
            transaction.put_checkpoints([NewCheckpoint(log, 0, 1, log) for log in signed])
            transaction.put_checkpoints(
                [NewCheckpoint(log, 1, size, log * 2) for log, size in signed.items()]
            )
            transaction.put_tiles({TileKey(log, 0, 0): log[:16] * 2 * size for log, size in signed.items()})
        with store.write() as view:
            for count in _PARTS:
                part = logs[:count]
                one_by_one = [_everything(view, [log]) for log in part]
                together = tuple(_merged(each) for each in zip(*one_by_one, strict=True)) or ({},) * 4
                _equal(_everything(view, part), together, f"reads of {count} logs equal reads of each")
                locked = view.lock_heads(reversed(part))
                _equal(locked, view.heads(part), f"lock_heads of {count} logs equals heads")
                wanted = [(log, _prefix(log, index)) for log in part for index in range(3)]
                _equal(
                    dict(view.find_keys(wanted)),
                    _merged([dict(view.find_keys([key])) for key in wanted]),
                    f"find_keys of {len(wanted)} keys equals find_keys of each",
                )


def ranges_are_half_open_and_ascending(make_store: MakeStore) -> None:
    """`entries` gives [start, end), cut to what is there."""
    log = _log(0)
    with closing(make_store("ranges")) as store:
        _append(store, log, 10)
        with store.read() as view:
            for start in range(12):
                for end in range(start, 13):
                    got = [entry.index for entry in view.entries(log, start, end)]
                    _equal(got, list(range(start, min(end, 10))), f"entries [{start}, {end}) of 10")
            _equal(
                view.entries_of([(_log(1), 0, 5)]), {_log(1): []}, "a log that is not there has no entries"
            )


def lists_are_paged_in_order(make_store: MakeStore) -> None:
    """`logs`, `logs_with_work` and `checkpoints` go on after the last of a page, and miss and repeat nothing."""
    logs = sorted(_log(number) for number in range(10))
    with closing(make_store("pages")) as store:
        for log in reversed(logs):
            _append(store, log, 4)
        _append(store, _log(99), 1, tenant=_OTHER_TENANT)
        done = logs[::3]
        with store.write() as transaction:
            transaction.lock_heads(logs)
            for old_size, size in ((0, 1), (1, 2), (2, 4)):
                transaction.put_checkpoints([NewCheckpoint(log, old_size, size, b"note") for log in done])
        with store.read() as view:
            _equal(_pages(lambda after: view.logs(_TENANT, after=after, limit=3)), logs, "logs in pages")
            work = _pages(lambda after: view.logs_with_work(_TENANT, after=after, limit=3))
            _equal(work, [log for log in logs if log not in done], "logs with work in pages")
            _equal(view.logs(_OTHER_TENANT, limit=9), [_log(99)], "a tenant has its own logs")
            pages = [
                [each.size for each in view.checkpoints(done[0], after=after, limit=2)] for after in (0, 2, 4)
            ]
            _equal(pages, [[1, 2], [4], []], "checkpoints in pages")


def logs_keep_apart(make_store: MakeStore) -> None:
    """The same index, prefix, size and tile name in two logs are two things."""
    one, two = _log(0), _log(1)
    with closing(make_store("apart")) as store:
        with store.write() as transaction:
            for log, tenant in ((one, _TENANT), (two, _OTHER_TENANT)):
                entry = StoredEntry(log, 0, log, 7, log[:16] * 2, log)
                transaction.append([entry], [HeadMove(log, tenant, 1, 1)])
                transaction.put_checkpoints([NewCheckpoint(log, 0, 1, log)])
                transaction.put_tiles({TileKey(log, 0, 0): log[:16] * 2})
        with store.write() as view:
            for log, tenant in ((one, _TENANT), (two, _OTHER_TENANT)):
                entry = StoredEntry(log, 0, log, 7, log[:16] * 2, log)
                _equal(view.heads([log])[log].tenant, tenant, "a log has its own tenant")
                _equal(view.entries(log, 0, 9), [entry], "a log has its own entries")
                _equal(dict(view.find_keys([(log, 7)])), {(log, 7): [entry]}, "a log has its own keys")
                _equal(
                    view.checkpoint(log, 1), StoredCheckpoint(log, 1, log), "a log has its own checkpoints"
                )
                _equal(
                    view.tiles([TileKey(log, 0, 0)]),
                    {TileKey(log, 0, 0): log[:16] * 2},
                    "a log has its own tiles",
                )


def keys_are_found_by_prefix(make_store: MakeStore) -> None:
    """Prefixes are signed 64-bit integers; several entries may share one; entries without a key have none."""
    log = _log(0)
    prefixes = [None, -(2**63), 2**63 - 1, 0, -1, 5, 5, None, 5]
    entries = [StoredEntry(log, index, b"x", prefix, None, None) for index, prefix in enumerate(prefixes)]
    with closing(make_store("keys")) as store:
        with store.write() as transaction:
            transaction.append(entries, [_move(log, len(entries))])
        with store.write() as transaction:
            asked = [-(2**63), 2**63 - 1, 0, -1, 5, 6, 5]
            found = transaction.find_keys([(log, prefix) for prefix in asked])
        got = {prefix: [entry.index for entry in bearers] for (_, prefix), bearers in found.items()}
        want = {-(2**63): [1], 2**63 - 1: [2], 0: [3], -1: [4], 5: [5, 6, 8]}
        _equal(got, want, "the entries of each prefix, ascending, each once")


def the_largest_sizes_fit(make_store: MakeStore) -> None:
    """Sizes go up to 2^63 - 1."""
    log = _log(0)
    last = StoredEntry(log, INTEGER_MAX - 1, b"last", None, None, None)
    tile = TileKey(log, 6, 2**55 - 1)
    with closing(make_store("large")) as store:
        with store.write() as transaction:
            transaction.append([last], [HeadMove(log, _TENANT, INTEGER_MAX, INTEGER_MAX)])
            transaction.put_checkpoints([NewCheckpoint(log, 0, INTEGER_MAX, b"note")])
            transaction.put_tiles({tile: bytes(32)})
        with store.read() as view:
            head = view.heads([log])[log]
            _equal(head[2:], (INTEGER_MAX, INTEGER_MAX, INTEGER_MAX, b"last"), "a head of 2^63 - 1 entries")
            _equal(view.entries(log, INTEGER_MAX - 2, INTEGER_MAX), [last], "the entry at 2^63 - 2")
            _equal(view.newest_checkpoints([log])[log].size, INTEGER_MAX, "a checkpoint of 2^63 - 1 entries")
            _equal(view.tiles([tile]), {tile: bytes(32)}, "a tile of a large number")


def checkpoints_follow_one_another(make_store: MakeStore) -> None:
    """A checkpoint is stored only after the newest one, as a whole call or not at all (`fork-refused`)."""
    log, other = _log(0), _log(1)
    with closing(make_store("checkpoints")) as store:
        _append(store, log, 9)
        _append(store, other, 9)
        with store.write() as transaction:
            transaction.lock_heads([log, other])
            transaction.put_checkpoints(
                [NewCheckpoint(log, 0, 3, b"three"), NewCheckpoint(other, 0, 3, b"three")]
            )
        with store.write() as transaction:
            transaction.put_checkpoints([NewCheckpoint(log, 3, 5, b"five")])
        before = _state(store, [log, other])
        good = NewCheckpoint(other, 3, 6, b"six")
        refused = {
            "a checkpoint over an older one": [NewCheckpoint(log, 3, 7, b"")],
            "a first checkpoint where there is one": [NewCheckpoint(log, 0, 7, b"")],
            "a checkpoint over one that is not there": [NewCheckpoint(log, 6, 7, b"")],
            "a second checkpoint of one size": [NewCheckpoint(log, 5, 5, b"")],
            "a checkpoint of a smaller size": [NewCheckpoint(log, 5, 4, b"")],
            "a checkpoint of a log that is not there": [NewCheckpoint(_log(2), 0, 1, b"")],
            "two checkpoints over the same one": [
                NewCheckpoint(log, 5, 6, b""),
                NewCheckpoint(log, 5, 7, b""),
            ],
        }
        for words, checkpoints in refused.items():
            with _refused("fork-refused", words), store.write() as transaction:
                transaction.put_checkpoints([good, *checkpoints])
            _equal(_state(store, [log, other]), before, f"{words} leaves no trace")
        with store.read() as view:
            _equal([each.size for each in view.checkpoints(log, limit=9)], [3, 5], "both checkpoints stay")
            _equal(view.heads([log])[log].checkpoint_size, 5, "the head knows the newest checkpoint")


def tiles_are_replaced(make_store: MakeStore) -> None:
    """A tile that is stored again takes the place of the first."""
    log = _log(0)
    key = TileKey(log, 0, 0)
    with closing(make_store("tiles")) as store:
        for count in (1, 2, 256):
            with store.write() as transaction:
                transaction.put_tiles({key: bytes(32) * count, TileKey(log, 0, count): bytes(32)})
            with store.read() as view:
                _equal(
                    view.tiles([key, TileKey(log, 1, 0)]),
                    {key: bytes(32) * count},
                    "the newest tile is there",
                )


def the_clock_is_read(make_store: MakeStore) -> None:
    """`now` gives whole microseconds."""
    with closing(make_store("clock")) as store, store.write() as transaction:
        _require(type(transaction.now()) is int, "now() is an integer")


def a_lock_keeps_other_writers_out(make_store: MakeStore) -> None:
    """Who locks a log waits for whoever has it, and then sees what they wrote; so too for a log not made yet."""
    with closing(make_store("locks")) as store:
        for size in (0, 1):
            log = _log(0)
            seen: list[int] = []
            started = threading.Event()

            def follow(log: bytes = log, seen: list[int] = seen, started: threading.Event = started) -> None:
                started.set()
                with store.write() as transaction:
                    heads = transaction.lock_heads([log])
                    seen.append(heads[log].size if log in heads else 0)

            with store.write() as transaction:
                transaction.lock_heads([log])
                follower = _start(follow)
                started.wait(_JOIN_SECONDS)
                follower.join(_WATCH_SECONDS)
                _require(not seen, "nobody gets a lock that another transaction holds")
                transaction.append([_entry(log, size)], [_move(log, size + 1)])
            _finish(follower)
            _equal(seen, [size + 1], "whoever waited for a lock sees what was written under it")


def writers_lose_nothing(make_store: MakeStore) -> None:
    """Entries that several threads append to two logs all stay, each at its own index."""
    logs = [_log(0), _log(1)]
    threads, rounds = 4, 15
    with closing(make_store("writers")) as store:

        def write() -> None:
            for number in range(rounds):
                _append(store, logs[number % 2], 1)

        started = [_start(write) for _ in range(threads)]
        for thread in started:
            _finish(thread)
        with store.read() as view:
            found = sum(len(view.entries(log, 0, INTEGER_MAX)) for log in logs)
            sizes = sum(head.size for head in view.heads(logs).values())
            _equal((found, sizes), (threads * rounds,) * 2, "every append of every thread is there")


def a_view_does_not_change(make_store: MakeStore) -> None:
    """What is committed while a view is open is not in it."""
    log = _log(0)
    with closing(make_store("views")) as store:
        _append(store, log, 1)
        with store.read() as view:
            size = view.heads([log])[log].size
            writer = _start(lambda: _append(store, log, 1))
            writer.join(_WATCH_SECONDS)
            _equal(len(view.entries(log, 0, 9)), size, "a view stays what it was")
        _finish(writer)
        _require(_size(store, log) == size + 1, "a writer gets through once the view is closed")


STORE_CHECKS: Final = (
    an_empty_store_holds_nothing,
    the_identity_is_set_once,
    the_unit_of_a_tenant_can_be_set_again,
    bytes_come_back_as_they_were,
    a_failed_block_leaves_no_trace,
    a_taken_index_is_refused,
    reads_of_many_equal_reads_of_one,
    ranges_are_half_open_and_ascending,
    lists_are_paged_in_order,
    logs_keep_apart,
    keys_are_found_by_prefix,
    the_largest_sizes_fit,
    checkpoints_follow_one_another,
    tiles_are_replaced,
    the_clock_is_read,
    a_lock_keeps_other_writers_out,
    writers_lose_nothing,
    a_view_does_not_change,
)


def what_is_written_is_there_after_reopening(make_store: MakeStore) -> None:
    """A store that was closed and opened again holds everything; not for stores that end with the process."""
    log = _log(0)
    with closing(make_store("reopened")) as store:
        _append(store, log, 3)
        with store.write() as transaction:
            transaction.set_identity(Identity("operator.example", bytes(32)))
            transaction.set_tenant_unit(_TENANT, "credits")
            transaction.put_checkpoints([NewCheckpoint(log, 0, 3, b"note")])
            transaction.put_tiles({TileKey(log, 0, 0): bytes(96)})
        before = _state(store, [log])
    with closing(make_store("reopened")) as store:
        _equal(_state(store, [log]), before, "a store that is opened again holds what was written")


def _require(claim: object, sentence: str) -> None:
    if not claim:
        raise AssertionError(f"does not hold: {sentence}")


def _equal(got: object, want: object, sentence: str) -> None:
    _require(got == want, f"{sentence}: got {got!r:.500}, want {want!r:.500}")


@contextmanager
def _refused(code: str, words: str) -> Iterator[None]:
    try:
        yield
    except CounterfoilError as error:
        _equal(error.code, code, f"{words} is refused as {code}")
    else:
        raise AssertionError(f"does not hold: {words} is refused")


def _log(number: int) -> bytes:
    return hashlib.sha256(f"log {number}".encode()).digest()[:20]


def _prefix(log: bytes, index: int) -> int:
    return int.from_bytes(hashlib.sha256(log + bytes([index])).digest()[:8], "big", signed=True)


def _entry(log: bytes, index: int) -> StoredEntry:
    text = f"entry {index} of {log.hex()}".encode()
    return StoredEntry(log, index, text, _prefix(log, index % 256), hashlib.sha256(text).digest(), b"{}")


def _move(log: bytes, size: int, *, tenant: str = _TENANT) -> HeadMove:
    return HeadMove(log, tenant, size, 0)


def _append(store: Store, log: bytes, count: int, *, tenant: str = _TENANT) -> None:
    with store.write() as transaction:
        heads = transaction.lock_heads([log])
        size = heads[log].size if log in heads else 0
        entries = [_entry(log, index) for index in range(size, size + count)]
        transaction.append(entries, [_move(log, size + count, tenant=tenant)])


def _size(store: Store, log: bytes) -> int:
    with store.read() as view:
        return view.heads([log])[log].size


def _everything(view: ReadTransaction, logs: list[bytes]) -> tuple[dict[object, object], ...]:
    """Return what the set-wise reads give of these logs."""
    return (
        dict(view.heads(logs).items()),
        dict(view.newest_checkpoints(logs).items()),
        dict(view.entries_of([(log, 1, 4) for log in logs]).items()),
        dict(view.tiles([TileKey(log, 0, number) for log in logs for number in (0, 1)]).items()),
    )


def _everything_of_nothing(log: bytes) -> tuple[dict[object, object], ...]:
    return ({}, {}, {log: []}, {})


def _merged(parts: list[dict[object, object]] | tuple[dict[object, object], ...]) -> dict[object, object]:
    return {key: value for part in parts for key, value in part.items()}


def _state(store: Store, logs: list[bytes]) -> list[object]:
    """Return what can be seen of a store."""
    with store.read() as view:
        return [
            view.identity(),
            view.tenant_unit(_TENANT),
            view.logs(_TENANT, limit=9),
            view.logs_with_work(_TENANT, limit=9),
            _everything(view, logs),
            [view.entries(log, 0, 99) for log in logs],
            [view.checkpoints(log, limit=99) for log in logs],
            view.tiles([TileKey(log, level, 0) for log in logs for level in (0, 1)]),
        ]


def _pages(page: Callable[[bytes], list[bytes]]) -> list[bytes]:
    found: list[bytes] = []
    while more := page(found[-1] if found else b""):
        found += more
    return found


def _start(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def _finish(thread: threading.Thread) -> None:
    thread.join(_JOIN_SECONDS)
    _require(not thread.is_alive(), "a writer that waited gets through in the end")
