"""What settling promises: entries may be kept in another place or form, and nothing that is read changes by it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Final

from counterfoil.engine.store import NewEntry, ReadTransaction, Store, without_details
from counterfoil.testing.parts import (
    MakeStore,
    append,
    equal,
    make_entry,
    make_log,
    make_move,
    require,
    stored,
)

# Around the numbers that a store is likely to put together, and more than one call is likely to take.
_SIZES: Final = (1, 2, 63, 64, 65, 66, 255, 256, 257, 258, 600)
_MORE: Final = 3


def settling_changes_nothing_that_is_read(make_store: MakeStore) -> None:
    """Whatever part of a log is settled, once or again: entries, keys and head are read as before."""
    entries = {make_log(size): _entries(make_log(size), size + _MORE) for size in _SIZES}
    with closing(make_store("settled")) as store:
        _write(store, entries)
        # Of each log a part, then all of it, twice.
        for sizes in (
            {log: len(rows) - _MORE for log, rows in entries.items()},
            {log: len(rows) for log, rows in entries.items()},
            {log: len(rows) for log, rows in entries.items()},
        ):
            _settle(store, sizes)
            _require_all(store, entries)


def a_settled_log_goes_on(make_store: MakeStore) -> None:
    """What is appended behind settled entries is read with them, and settled in its turn."""
    log = make_log(0)
    rows = _entries(log, 700)
    with closing(make_store("growing")) as store:
        size = 0
        for more in (1, 64, 1, 200, 255, 1, 70, 108):
            _write(store, {log: rows[size : size + more]})
            size += more
            _settle(store, {log: size})
            _require_all(store, {log: rows[:size]})
        equal(size, len(rows), "all of the log was written")


def ranges_of_one_log_are_read_together(make_store: MakeStore) -> None:
    """Several ranges of one log come as one list, ascending, wherever the entries are kept; so of several logs."""
    one, two = make_log(0), make_log(1)
    entries = {one: _entries(one, 620), two: _entries(two, 90)}
    with closing(make_store("ranges-settled")) as store:
        _write(store, entries)
        for sizes in ({}, {one: 100, two: 70}, {one: 620, two: 90}):
            _settle(store, sizes)
            for spans in (
                # Within what may be one row, on its borders, over several, and where settled and other entries meet.
                [(0, 1), (2, 3), (10, 20), (62, 66)],
                [(0, 3), (250, 260), (300, 301), (590, 605)],
                [(1, 255), (256, 257), (258, 511), (513, 619)],
                [(0, 600), (601, 999)],
                [(5, 5), (7, 8), (9, 9)],
            ):
                ranges = [(log, start, end) for start, end in spans for log in (one, two)]
                want = {
                    log: [stored(each) for start, end in spans for each in rows[start:end]]
                    for log, rows in entries.items()
                }
                with store.read() as view:
                    for asked in (ranges, sorted(ranges)):
                        equal(view.entries_of(asked), want, f"the ranges {spans} of two logs")
                        equal(
                            view.entries_of(asked, with_details=False),
                            {log: list(map(without_details, rows)) for log, rows in want.items()},
                            f"the ranges {spans} of two logs without details",
                        )
                    equal(
                        view.entries_of([each for each in ranges if each[0] == one]),
                        {one: want[one]},
                        f"the ranges {spans} of one log",
                    )


def a_failed_block_settles_nothing(make_store: MakeStore) -> None:
    """A settling that is undone leaves every entry where it was, and can be done again."""
    log = make_log(0)
    rows = _entries(log, 302)
    failure = ValueError("from the block")
    with closing(make_store("settle-undone")) as store:
        _write(store, {log: rows[:200]})
        _settle(store, {log: 100})
        try:
            with store.write() as transaction:
                transaction.lock_heads([log])
                transaction.append(rows[200:301], [make_move(log, 301)])
                transaction.settle({log: 301})
                raise failure
        except ValueError as error:
            require(error is failure, "an exception of the block comes out unchanged")
        _require_all(store, {log: rows[:200]})
        _write(store, {log: rows[200:]})
        _settle(store, {log: 302})
        _require_all(store, {log: rows})


def settling_keeps_logs_apart(make_store: MakeStore) -> None:
    """Of the logs that are there only those named are settled, and no entry of one comes out of another."""
    logs = [make_log(number) for number in range(4)]
    entries = {log: _entries(log, 130) for log in logs}
    with closing(make_store("settle-apart")) as store:
        _write(store, entries)
        _settle(store, {logs[0]: 130, logs[2]: 128})
        _require_all(store, entries)
        append(store, logs[1], 1)
        entries[logs[1]].append(make_entry(logs[1], 130))
        _settle(store, dict.fromkeys(logs, 129))
        _require_all(store, entries)


def _entries(log: bytes, count: int) -> list[NewEntry]:
    """Entries with and without a key, with details, with empty ones and without; some share their key prefix."""
    rows = []
    for index in range(count):
        row = make_entry(log, index)
        if index % 3 == 0:
            row = row._replace(salt=None, value=None)
        elif index % 7 == 0:
            row = row._replace(value=b"")
        if index % 5 == 0:
            row = row._replace(key_prefix=None)
        rows.append(row)
    return rows


def _write(store: Store, entries: dict[bytes, list[NewEntry]]) -> None:
    with store.write() as transaction:
        transaction.lock_heads(entries)
        transaction.append(
            [row for rows in entries.values() for row in rows],
            [make_move(log, rows[-1].index + 1) for log, rows in entries.items()],
        )


def _settle(store: Store, sizes: dict[bytes, int]) -> None:
    with store.write() as transaction:
        transaction.lock_heads(sizes)
        transaction.settle(sizes)


def _require_all(store: Store, entries: dict[bytes, list[NewEntry]]) -> None:
    with store.read() as view:
        heads = view.heads(list(entries))
        for log, rows in entries.items():
            words = f"of a log of {len(rows)} entries, partly settled"
            got = view.entries(log, 0, len(rows) + 1)
            equal(got, [stored(row) for row in rows], f"all entries {words}")
            for start in (1, 62, 64, 255, 256, max(len(rows) - 2, 0)):
                got = view.entries(log, start, start + 3)
                equal(
                    got, [stored(row) for row in rows[start : start + 3]], f"entries from {start} on {words}"
                )
            equal(_found(view, log, rows), _places(log, rows), f"the places of all keys {words}")
            head = heads[log]
            equal((head.size, head.last_entry), (len(rows), rows[-1].entry), f"size and last entry {words}")


def _found(view: ReadTransaction, log: bytes, rows: Sequence[NewEntry]) -> dict[tuple[bytes, int], list[int]]:
    prefixes = {row.key_prefix for row in rows if row.key_prefix is not None}
    return dict(view.find_keys([(log, prefix) for prefix in sorted(prefixes)]))


def _places(log: bytes, rows: Sequence[NewEntry]) -> dict[tuple[bytes, int], list[int]]:
    places: dict[tuple[bytes, int], list[int]] = {}
    for row in rows:
        if row.key_prefix is not None:
            places.setdefault((log, row.key_prefix), []).append(row.index)
    return places
