"""What a store holds: every byte comes back, of each log its own, of many what there is of each."""

from __future__ import annotations

from contextlib import closing
from typing import Final

from counterfoil.engine.store import HeadMove, Identity, NewCheckpoint, NewEntry, StoredCheckpoint, TileKey
from counterfoil.limits import INTEGER_MAX
from counterfoil.testing.parts import (
    OTHER_TENANT,
    TENANT,
    MakeStore,
    append,
    equal,
    everything,
    everything_of_nothing,
    in_pages,
    make_entry,
    make_log,
    make_move,
    merged,
    prefix_of,
    refused,
    state_of,
    stored,
)

# More than a store is likely to put into one statement, and around the powers of two.
_MANY: Final = 600
_PARTS: Final = (0, 1, 2, 15, 16, 17, 255, 256, 257, 512, _MANY)


def an_empty_store_holds_nothing(make_store: MakeStore) -> None:
    """Every read of an empty store answers with nothing, and none fails."""
    log = make_log(0)
    with closing(make_store("empty")) as store, store.read() as view:
        equal(view.identity(), None, "an empty store belongs to nobody")
        equal(view.tenant_unit(TENANT), None, "an empty store knows no unit")
        equal(everything(view, [log]), everything_of_nothing(log), "an empty store holds nothing")
        equal(view.logs(TENANT, limit=9), [], "an empty store has no logs")
        equal(view.logs_with_work(TENANT, limit=9), [], "an empty store has no work")


def the_identity_is_set_once(make_store: MakeStore) -> None:
    """The identity stays what it was set to, and another is `key-mismatch`."""
    identity = Identity("operator.example", bytes(range(32)), bytes(range(1, 33)))
    with closing(make_store("identity")) as store:
        with store.write() as transaction:
            transaction.set_identity(identity)
        for other in (
            identity._replace(operator="other.example"),
            identity._replace(public_key=bytes(32)),
            identity._replace(reference_check=bytes(32)),
        ):
            with refused("key-mismatch", "another identity"), store.write() as transaction:
                transaction.set_identity(other)
        with store.read() as view:
            equal(view.identity(), identity, "the identity stays")


def the_unit_of_a_tenant_can_be_set_again(make_store: MakeStore) -> None:
    """The last unit counts, and each tenant has its own."""
    with closing(make_store("units")) as store:
        with store.write() as transaction:
            transaction.set_tenant_unit(TENANT, "credits")
            transaction.set_tenant_unit(OTHER_TENANT, "EUR")
            transaction.set_tenant_unit(TENANT, "tokens")
            equal(transaction.tenant_unit(TENANT), "tokens", "a transaction reads its own writes")
        with store.read() as view:
            units = [view.tenant_unit(tenant) for tenant in (TENANT, OTHER_TENANT, "tenant-c")]
            equal(units, ["tokens", "EUR", None], "each tenant has the unit it was given last")


def bytes_come_back_as_they_were(make_store: MakeStore) -> None:
    """Entries, details, notes and tiles keep every byte; no details are not empty details."""
    log = make_log(0)
    every_byte = bytes(range(256))
    entries = [
        NewEntry(log, 0, every_byte, None, None, None),
        NewEntry(log, 1, b"\x00", 0, bytes(32), b""),
        NewEntry(log, 2, b"\xff\x00'\"", -1, every_byte[:32], every_byte),
        NewEntry(log, 3, b"{}", 1, None, None),
    ]
    hashes = every_byte * 32
    with closing(make_store("bytes")) as store:
        with store.write() as transaction:
            transaction.append(entries, [HeadMove(log, TENANT, 4, 4, None)])
            transaction.put_checkpoints([NewCheckpoint(log, 0, 4, every_byte, 0)])
            transaction.put_tiles({TileKey(log, 0, 0): hashes})
        with store.read() as view:
            equal(
                view.entries(log, 0, 4), [stored(each) for each in entries], "entries come back byte for byte"
            )
            equal(view.heads([log])[log].last_entry, b"{}", "the head bears the last entry's bytes")
            equal(view.checkpoint(log, 4), StoredCheckpoint(log, 4, every_byte), "a note keeps its bytes")
            equal(view.tiles([TileKey(log, 0, 0)]), {TileKey(log, 0, 0): hashes}, "a tile keeps its bytes")


def a_log_without_its_last_entry_holds_up_no_other(make_store: MakeStore) -> None:
    """A head whose last entry is missing, or is not the last one stored, comes with None, and the others come whole."""
    whole, bare, cut, set_back = logs = [make_log(number) for number in range(4)]
    with closing(make_store("last-entries")) as store:
        for log in (whole, cut, set_back):
            append(store, log, 4)
        with store.write() as transaction:
            transaction.append([], [make_move(bare, 1), make_move(cut, 5), make_move(set_back, 2)])
        last = {whole: make_entry(whole, 3).entry, bare: None, cut: None, set_back: None}
        with store.write() as transaction:
            for heads in (transaction.heads(logs), transaction.lock_heads(logs)):
                found = {log: head.last_entry for log, head in heads.items()}
                equal(found, last, "of a log without its last entry the head says so")


def reads_of_many_equal_reads_of_one(make_store: MakeStore) -> None:
    """Each set-wise method answers for many what it answers for each, whatever their number."""
    logs = [make_log(number) for number in range(_MANY)]
    # Every third log is missing; the others differ in size, checkpoints and tiles.
    sizes = {log: 1 + number % 5 for number, log in enumerate(logs) if number % 3}
    with closing(make_store("many")) as store:
        with store.write() as transaction:
            transaction.lock_heads(sizes)
            transaction.append(
                [make_entry(log, index) for log, size in sizes.items() for index in range(size)],
                [make_move(log, size) for log, size in sizes.items()],
            )
            signed = {log: size for log, size in sizes.items() if size > 1}
            transaction.put_checkpoints([NewCheckpoint(log, 0, 1, log, 0) for log in signed])
            transaction.put_checkpoints(
                [NewCheckpoint(log, 1, size, log * 2, 0) for log, size in signed.items()]
            )
            transaction.put_tiles({TileKey(log, 0, 0): log[:16] * 2 * size for log, size in signed.items()})
        with store.write() as view:
            for count in _PARTS:
                part = logs[:count]
                one_by_one = [everything(view, [log]) for log in part]
                together = tuple(merged(each) for each in zip(*one_by_one, strict=True)) or ({},) * 4
                equal(everything(view, part), together, f"reads of {count} logs equal reads of each")
                locked = view.lock_heads(reversed(part))
                equal(locked, view.heads(part), f"lock_heads of {count} logs equals heads")
                wanted = [(log, prefix_of(log, index)) for log in part for index in range(3)]
                equal(
                    dict(view.find_keys(wanted)),
                    merged([dict(view.find_keys([key])) for key in wanted]),
                    f"find_keys of {len(wanted)} keys equals find_keys of each",
                )


def ranges_are_half_open_and_ascending(make_store: MakeStore) -> None:
    """`entries` gives [start, end), cut to what is there."""
    log = make_log(0)
    with closing(make_store("ranges")) as store:
        append(store, log, 10)
        with store.read() as view:
            for start in range(12):
                for end in range(start, 13):
                    got = [entry.index for entry in view.entries(log, start, end)]
                    equal(got, list(range(start, min(end, 10))), f"entries [{start}, {end}) of 10")
            equal(
                view.entries_of([(make_log(1), 0, 5)]),
                {make_log(1): []},
                "a log that is not there has no entries",
            )


def lists_are_paged_in_order(make_store: MakeStore) -> None:
    """`logs`, `logs_with_work` and `checkpoints` go on after the last of a page, and miss and repeat nothing."""
    logs = sorted(make_log(number) for number in range(10))
    with closing(make_store("pages")) as store:
        for log in reversed(logs):
            append(store, log, 4)
        append(store, make_log(99), 1, tenant=OTHER_TENANT)
        done = logs[::3]
        with store.write() as transaction:
            transaction.lock_heads(logs)
            for old_size, size in ((0, 1), (1, 2), (2, 4)):
                transaction.put_checkpoints([NewCheckpoint(log, old_size, size, b"note", 0) for log in done])
        with store.read() as view:
            equal(in_pages(lambda after: view.logs(TENANT, after=after, limit=3)), logs, "logs in pages")
            work = in_pages(lambda after: view.logs_with_work(TENANT, after=after, limit=3))
            equal(work, [log for log in logs if log not in done], "logs with work in pages")
            equal(view.logs(OTHER_TENANT, limit=9), [make_log(99)], "a tenant has its own logs")
            pages = [
                [each.size for each in view.checkpoints(done[0], after=after, limit=2)] for after in (0, 2, 4)
            ]
            equal(pages, [[1, 2], [4], []], "checkpoints in pages")
            newest = [
                [each.size for each in view.newest_between(done[0], after, up_to, offset=offset, limit=2)]
                for after, up_to, offset in ((0, 9, 0), (0, 9, 2), (1, 4, 0), (2, 3, 0), (0, 2, 1))
            ]
            equal(newest, [[4, 2], [1], [4, 2], [], [1]], "checkpoints in pages, the newest first")


def logs_keep_apart(make_store: MakeStore) -> None:
    """The same index, prefix, size and tile name in two logs are two things."""
    one, two = make_log(0), make_log(1)
    with closing(make_store("apart")) as store:
        with store.write() as transaction:
            for log, tenant in ((one, TENANT), (two, OTHER_TENANT)):
                entry = NewEntry(log, 0, log, 7, log[:16] * 2, log)
                transaction.append([entry], [HeadMove(log, tenant, 1, 1, 2**62)])
                transaction.put_checkpoints([NewCheckpoint(log, 0, 1, log, 0)])
                transaction.put_tiles({TileKey(log, 0, 0): log[:16] * 2})
        with store.write() as view:
            for log, tenant in ((one, TENANT), (two, OTHER_TENANT)):
                entry = NewEntry(log, 0, log, 7, log[:16] * 2, log)
                equal(view.heads([log])[log].tenant, tenant, "a log has its own tenant")
                equal(view.entries(log, 0, 9), [stored(entry)], "a log has its own entries")
                equal(dict(view.find_keys([(log, 7)])), {(log, 7): [0]}, "a log has its own keys")
                equal(view.checkpoint(log, 1), StoredCheckpoint(log, 1, log), "a log has its own checkpoints")
                equal(
                    view.tiles([TileKey(log, 0, 0)]),
                    {TileKey(log, 0, 0): log[:16] * 2},
                    "a log has its own tiles",
                )


def keys_are_found_by_prefix(make_store: MakeStore) -> None:
    """Prefixes are signed 64-bit integers; several entries may share one; entries without a key have none."""
    log = make_log(0)
    prefixes = [None, -(2**63), 2**63 - 1, 0, -1, 5, 5, None, 5]
    entries = [NewEntry(log, index, b"x", prefix, None, None) for index, prefix in enumerate(prefixes)]
    with closing(make_store("keys")) as store:
        with store.write() as transaction:
            transaction.append(entries, [make_move(log, len(entries))])
        with store.write() as transaction:
            asked = [-(2**63), 2**63 - 1, 0, -1, 5, 6, 5]
            found = transaction.find_keys([(log, prefix) for prefix in asked])
        got = {prefix: indices for (_, prefix), indices in found.items()}
        want = {-(2**63): [1], 2**63 - 1: [2], 0: [3], -1: [4], 5: [5, 6, 8]}
        equal(got, want, "the entries of each prefix, ascending, each once")


def the_largest_sizes_fit(make_store: MakeStore) -> None:
    """Sizes go up to 2^63 - 1."""
    log = make_log(0)
    last = NewEntry(log, INTEGER_MAX - 1, b"last", None, None, None)
    tile = TileKey(log, 6, 2**55 - 1)
    with closing(make_store("large")) as store:
        with store.write() as transaction:
            transaction.append([last], [HeadMove(log, TENANT, INTEGER_MAX, INTEGER_MAX, INTEGER_MAX)])
            transaction.put_checkpoints([NewCheckpoint(log, 0, INTEGER_MAX, b"note", 0)])
            transaction.put_tiles({tile: bytes(32)})
        with store.read() as view:
            head = view.heads([log])[log]
            equal(head[2:], (INTEGER_MAX,) * 4 + (b"last",), "a head of 2^63 - 1 entries")
            equal(view.entries(log, INTEGER_MAX - 2, INTEGER_MAX), [stored(last)], "the entry at 2^63 - 2")
            equal(view.newest_checkpoints([log])[log].size, INTEGER_MAX, "a checkpoint of 2^63 - 1 entries")
            equal(view.tiles([tile]), {tile: bytes(32)}, "a tile of a large number")


def tiles_are_replaced(make_store: MakeStore) -> None:
    """A tile that is stored again takes the place of the first."""
    log = make_log(0)
    key = TileKey(log, 0, 0)
    with closing(make_store("tiles")) as store:
        for count in (1, 2, 256):
            with store.write() as transaction:
                transaction.put_tiles({key: bytes(32) * count, TileKey(log, 0, count): bytes(32)})
            with store.read() as view:
                equal(
                    view.tiles([key, TileKey(log, 1, 0)]),
                    {key: bytes(32) * count},
                    "the newest tile is there",
                )


def what_is_written_is_there_after_reopening(make_store: MakeStore) -> None:
    """A store that was closed and opened again holds everything; not for stores that end with the process."""
    log = make_log(0)
    with closing(make_store("reopened")) as store:
        append(store, log, 300)
        with store.write() as transaction:
            transaction.set_identity(Identity("operator.example", bytes(32), bytes(32)))
            transaction.set_tenant_unit(TENANT, "credits")
            transaction.put_checkpoints([NewCheckpoint(log, 0, 3, b"note", 0)])
            transaction.put_tiles({TileKey(log, 0, 0): bytes(96)})
            transaction.settle({log: 280})
        before = state_of(store, [log])
    with closing(make_store("reopened")) as store:
        equal(state_of(store, [log]), before, "a store that is opened again holds what was written")
