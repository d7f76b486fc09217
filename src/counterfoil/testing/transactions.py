"""What a transaction promises: all or nothing, one writer a log, views that stand still."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing, suppress

from counterfoil.engine.store import Identity, NewCheckpoint, TileKey, WriteTransaction
from counterfoil.errors import CounterfoilError
from counterfoil.limits import INTEGER_MAX
from counterfoil.testing.parts import (
    JOIN_SECONDS,
    TENANT,
    WATCH_SECONDS,
    MakeStore,
    append,
    equal,
    finish,
    make_entry,
    make_log,
    make_move,
    refused,
    require,
    size_of,
    start,
    state_of,
)


def a_failed_block_leaves_no_trace(make_store: MakeStore) -> None:
    """An exception comes out unchanged, and all that the block wrote is undone."""
    old, new = make_log(0), make_log(1)
    failure = ValueError("from the block")
    with closing(make_store("rollback")) as store:
        append(store, old, 2)
        with store.write() as transaction:
            transaction.set_tenant_unit(TENANT, "credits")
            transaction.put_checkpoints([NewCheckpoint(old, 0, 1, b"first", 0)])
            transaction.put_tiles({TileKey(old, 0, 0): bytes(32)})
        before = state_of(store, [old, new])
        try:
            with store.write() as transaction:
                transaction.set_identity(Identity("operator.example", bytes(32), bytes(32)))
                transaction.set_tenant_unit(TENANT, "EUR")
                transaction.append(
                    [make_entry(old, 2), make_entry(new, 0)], [make_move(old, 3), make_move(new, 1)]
                )
                transaction.put_checkpoints([NewCheckpoint(old, 1, 3, b"second", 0)])
                transaction.put_tiles({TileKey(old, 0, 0): bytes(64), TileKey(old, 1, 0): bytes(32)})
                raise failure
        except ValueError as error:
            require(error is failure, "an exception of the block comes out unchanged")
        equal(state_of(store, [old, new]), before, "a failed block leaves the store as it was")
        append(store, old, 1)
        equal(size_of(store, old), 3, "the store goes on after a failed block")


def a_taken_index_is_refused(make_store: MakeStore) -> None:
    """A second entry at one index is `log-corrupt`, and a block that caught the refusal is undone all the same."""
    log, other = make_log(0), make_log(1)
    with closing(make_store("taken")) as store:
        append(store, log, 2)
        before = state_of(store, [log, other])
        with refused("log-corrupt", "an index that is taken"), store.write() as transaction:
            transaction.append([make_entry(other, 0)], [make_move(other, 1)])
            with suppress(CounterfoilError):
                transaction.append([make_entry(log, 2), make_entry(log, 1)], [make_move(log, 3)])
        equal(state_of(store, [log, other]), before, "nothing of a refused append stays")


def a_refusal_that_was_caught_undoes_the_block(make_store: MakeStore) -> None:
    """Whichever method refused: what the block wrote before or writes afterwards does not stay, and it ends with the refusal."""
    log = make_log(0)
    owner, other = (
        Identity("operator.example", bytes(32), bytes(32)),
        Identity("other.example", bytes(32), bytes(32)),
    )
    refusals: dict[str, Callable[[WriteTransaction], None]] = {
        "log-corrupt": lambda transaction: transaction.append([make_entry(log, 1)], [make_move(log, 2)]),
        "fork-refused": lambda transaction: transaction.put_checkpoints(
            [NewCheckpoint(log, 0, 2, b"two", 0)]
        ),
        "key-mismatch": lambda transaction: transaction.set_identity(other),
    }
    with closing(make_store("caught")) as store:
        append(store, log, 2)
        with store.write() as transaction:
            transaction.set_identity(owner)
            transaction.put_checkpoints([NewCheckpoint(log, 0, 1, b"one", 0)])
        before = state_of(store, [log])
        for code, refuse in refusals.items():
            with refused(code, f"a block that caught {code}"), store.write() as transaction:
                transaction.append([make_entry(log, 2)], [make_move(log, 3)])
                with suppress(CounterfoilError):
                    refuse(transaction)
                with suppress(CounterfoilError):
                    transaction.set_tenant_unit(TENANT, "credits")
            equal(state_of(store, [log]), before, f"a block that caught {code} leaves no trace")


def checkpoints_follow_one_another(make_store: MakeStore) -> None:
    """A checkpoint is stored only after the newest one, as a whole call or not at all (`fork-refused`)."""
    log, other = make_log(0), make_log(1)
    with closing(make_store("checkpoints")) as store:
        append(store, log, 9)
        append(store, other, 9)
        with store.write() as transaction:
            transaction.lock_heads([log, other])
            transaction.put_checkpoints(
                [NewCheckpoint(log, 0, 3, b"three", 0), NewCheckpoint(other, 0, 3, b"three", 0)]
            )
        with store.write() as transaction:
            transaction.put_checkpoints([NewCheckpoint(log, 3, 5, b"five", 0)])
        before = state_of(store, [log, other])
        good = NewCheckpoint(other, 3, 6, b"six", 0)
        wrong = {
            "a checkpoint over an older one": [NewCheckpoint(log, 3, 7, b"", 0)],
            "a first checkpoint where there is one": [NewCheckpoint(log, 0, 7, b"", 0)],
            "a checkpoint over one that is not there": [NewCheckpoint(log, 6, 7, b"", 0)],
            "a second checkpoint of one size": [NewCheckpoint(log, 5, 5, b"", 0)],
            "a checkpoint of a smaller size": [NewCheckpoint(log, 5, 4, b"", 0)],
            "a checkpoint of a log that is not there": [NewCheckpoint(make_log(2), 0, 1, b"", 0)],
            "two checkpoints over the same one": [
                NewCheckpoint(log, 5, 6, b"", 0),
                NewCheckpoint(log, 5, 7, b"", 0),
            ],
        }
        for words, checkpoints in wrong.items():
            with refused("fork-refused", words), store.write() as transaction:
                transaction.put_checkpoints([good, *checkpoints])
            equal(state_of(store, [log, other]), before, f"{words} leaves no trace")
        with store.read() as view:
            equal([each.size for each in view.checkpoints(log, limit=9)], [3, 5], "both checkpoints stay")
            equal(view.heads([log])[log].checkpoint_size, 5, "the head knows the newest checkpoint")


def the_clock_is_read(make_store: MakeStore) -> None:
    """`now` gives whole microseconds."""
    with closing(make_store("clock")) as store, store.write() as transaction:
        require(type(transaction.now()) is int, "now() is an integer")


def a_lock_keeps_other_writers_out(make_store: MakeStore) -> None:
    """Who locks a log waits for whoever has it, and then sees what they wrote; so too for a log not made yet."""
    with closing(make_store("locks")) as store:
        for size in (0, 1):
            log = make_log(0)
            seen: list[int] = []
            started = threading.Event()

            def follow(log: bytes = log, seen: list[int] = seen, started: threading.Event = started) -> None:
                started.set()
                with store.write() as transaction:
                    heads = transaction.lock_heads([log])
                    seen.append(heads[log].size if log in heads else 0)

            with store.write() as transaction:
                transaction.lock_heads([log])
                follower = start(follow)
                started.wait(JOIN_SECONDS)
                follower.join(WATCH_SECONDS)
                require(not seen, "nobody gets a lock that another transaction holds")
                transaction.append([make_entry(log, size)], [make_move(log, size + 1)])
            finish(follower)
            equal(seen, [size + 1], "whoever waited for a lock sees what was written under it")


def writers_lose_nothing(make_store: MakeStore) -> None:
    """Entries that several threads append to two logs all stay, each at its own index."""
    logs = [make_log(0), make_log(1)]
    threads, rounds = 4, 15
    with closing(make_store("writers")) as store:

        def write() -> None:
            for number in range(rounds):
                append(store, logs[number % 2], 1)

        started = [start(write) for _ in range(threads)]
        for thread in started:
            finish(thread)
        with store.read() as view:
            found = sum(len(view.entries(log, 0, INTEGER_MAX)) for log in logs)
            sizes = sum(head.size for head in view.heads(logs).values())
            equal((found, sizes), (threads * rounds,) * 2, "every append of every thread is there")


def a_view_does_not_change(make_store: MakeStore) -> None:
    """What is committed while a view is open is not in it."""
    log = make_log(0)
    with closing(make_store("views")) as store:
        append(store, log, 1)
        with store.read() as view:
            size = view.heads([log])[log].size
            writer = start(lambda: append(store, log, 1))
            writer.join(WATCH_SECONDS)
            equal(len(view.entries(log, 0, 9)), size, "a view stays what it was")
        finish(writer)
        require(size_of(store, log) == size + 1, "a writer gets through once the view is closed")
