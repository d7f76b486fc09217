"""What is found by more than its place: entries by time and by count, checkpoints by size and root, customers by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Final

from counterfoil.engine.store import NamedLog, NewCheckpoint, ReadTransaction, Store, StoredCheckpoint
from counterfoil.limits import INTEGER_MAX
from counterfoil.testing.parts import (
    OTHER_TENANT,
    TENANT,
    MakeStore,
    append,
    count_of,
    equal,
    make_log,
    merged,
    require,
    time_of,
)

# More than a store is likely to put into one statement, and around the powers of two.
_MANY: Final = 300
_PARTS: Final = (0, 1, 2, 16, 17, 256, 257, _MANY)

# Of every 64 entries: around the ends of what a store is likely to put together, and the seals of `make_entry`.
_PLACES: Final = (0, 1, 9, 10, 43, 51, 62, 63)

_Near = Callable[[Sequence[tuple[bytes, int]]], list[tuple[int, int]]]


def times_and_counts_lie_where_the_store_says(make_store: MakeStore) -> None:
    """How many entries are before a time, or below a count, lies between the two numbers, settled or not."""
    log, other, none = make_log(0), make_log(1), make_log(2)
    with closing(make_store("near")) as store:
        append(store, log, 700)
        append(store, other, 90)
        for settled in (0, 64, 300, 690, 700):
            with store.write() as transaction:
                transaction.lock_heads([log])
                transaction.settle({log: settled})
                for size, each in ((700, log), (90, other), (0, none)):
                    _require_near(
                        transaction, each, size, f"of {size} entries, of which {settled} are settled"
                    )


def _require_near(view: ReadTransaction, log: bytes, size: int, words: str) -> None:
    times = [time_of(index) for index in range(size)]
    counts = [count_of(index) for index in range(size)]
    for what, values, ask in (("time", times, view.near_times), ("count", counts, view.near_counts)):
        # On values, and right before and behind them; beyond both ends.
        some = [value for index, value in enumerate(values) if index % 64 in _PLACES]
        asked = sorted({value + step for value in some for step in (-1, 0, 1)} | {-1, 0, INTEGER_MAX})
        got = _near_one_by_one(ask, log, asked)
        for value, (low, high) in zip(asked, got, strict=True):
            below = sum(each < value for each in values)
            require(
                0 <= low <= below <= high <= size,
                f"{below} entries are below the {what} {value}, between {low} and {high}, {words}",
            )
        repeated = [(log, value) for value in reversed(asked + asked)]
        equal(
            ask(repeated), list(reversed(got + got)), f"places of many {what}s equal places of each, {words}"
        )


def _near_one_by_one(ask: _Near, log: bytes, asked: Sequence[int]) -> list[tuple[int, int]]:
    return [near for value in asked for near in ask([(log, value)])]


def a_log_that_is_not_there_has_no_places(make_store: MakeStore) -> None:
    """`near_times` and `near_counts` give (0, 0) for it, though it be locked, and nothing for nothing."""
    log = make_log(0)
    with closing(make_store("nowhere")) as store, store.write() as transaction:
        for lock in ([], [log]):
            transaction.lock_heads(lock)
            for ask in (transaction.near_times, transaction.near_counts):
                equal(ask([]), [], "of nothing asked there are no places")
                equal(ask([(log, 5)]), [(0, 0)], "a log that is not there has no places")


def the_newest_checkpoint_up_to_a_size_is_found(make_store: MakeStore) -> None:
    """`checkpoints_up_to` gives for each size the greatest checkpoint that is not above it, of its own log."""
    logs = [make_log(number) for number in range(_MANY)]
    with closing(make_store("up-to")) as store:
        with store.write() as transaction:
            transaction.lock_heads(logs)
        for log in logs[:3]:
            append(store, log, 9)
        with store.write() as transaction:
            transaction.put_checkpoints([NewCheckpoint(logs[0], 0, 3, b"0-3", 0)])
            transaction.put_checkpoints([NewCheckpoint(logs[1], 0, 1, b"1-1", 0)])
            transaction.put_checkpoints(
                [NewCheckpoint(logs[0], 3, 7, b"0-7", 0), NewCheckpoint(logs[1], 1, 9, b"1-9", 0)]
            )
        with store.read() as view:
            asked = [(log, size) for log in logs[:4] for size in (0, 1, 2, 3, 6, 7, 8, 9, INTEGER_MAX)]
            want = {
                (log, size): StoredCheckpoint(log, found, f"{number}-{found}".encode())
                for number, sizes in ((0, (3, 7)), (1, (1, 9)))
                for log, size in asked
                if log == logs[number] and (found := max((each for each in sizes if each <= size), default=0))
            }
            equal(view.checkpoints_up_to(asked), want, "the greatest checkpoint up to each size")
            equal(view.checkpoints_up_to(asked + asked), want, "the same where each is asked for twice")
            for count in _PARTS:
                part = [(log, INTEGER_MAX) for log in logs[:count]]
                one_by_one = merged([dict(view.checkpoints_up_to([each])) for each in part])
                equal(view.checkpoints_up_to(part), one_by_one, f"checkpoints up to {count} sizes")


def checkpoints_are_found_by_their_root(make_store: MakeStore) -> None:
    """`checkpoints_by_root` gives those published with a prefix, of every log and tenant, and no others."""
    logs = [make_log(number) for number in range(4)]
    prefixes = [-(2**63), 2**63 - 1, 0, 0]
    with closing(make_store("roots")) as store:
        for log in logs:
            append(store, log, 9, tenant=OTHER_TENANT if log == logs[3] else TENANT)
        published = [
            NewCheckpoint(log, 0, 4, log, prefix) for log, prefix in zip(logs, prefixes, strict=True)
        ]
        with store.write() as transaction:
            transaction.put_checkpoints(published)
            transaction.put_checkpoints([NewCheckpoint(logs[0], 4, 9, b"later", 0)])
        later = StoredCheckpoint(logs[0], 9, b"later")
        with store.read() as view:
            for prefix in (-(2**63), 2**63 - 1, 0, 1, -1):
                found = view.checkpoints_by_root(prefix, limit=9)
                want = [
                    StoredCheckpoint(each.log, 4, each.note)
                    for each in published
                    if each.root_prefix == prefix
                ]
                want += [later] if not prefix else []
                equal(sorted(found), sorted(want), f"the checkpoints whose roots begin with {prefix}")
            asked = [(log, size, prefix) for log in logs for size in (4, 9) for prefix in (*prefixes, 1)]
            known = {(each.log, each.size, each.root_prefix) for each in published} | {(*later[:2], 0)}
            want_known = {each[:2] for each in asked if each in known}
            equal(
                view.find_roots(asked),
                want_known,
                "each checkpoint is known by the root it was published with",
            )
            one_by_one = {found for each in asked for found in view.find_roots([each])}
            equal(one_by_one, want_known, "and so it is where each is asked for by itself")
            equal(view.find_roots([]), set(), "nothing is known of nothing")
            for limit in (1, 2, 3, 4):
                found = view.checkpoints_by_root(0, limit=limit)
                equal(len(found), min(limit, 3), f"at most {limit} checkpoints of one root")
        _fail_to_publish(make_store)


def _fail_to_publish(make_store: MakeStore) -> None:
    log, failure = make_log(0), ValueError("from the block")
    with closing(make_store("roots-undone")) as store:
        append(store, log, 9)
        try:
            with store.write() as transaction:
                transaction.put_checkpoints([NewCheckpoint(log, 0, 9, b"note", 5)])
                raise failure
        except ValueError as error:
            require(error is failure, "an exception of the block comes out unchanged")
        with store.read() as view:
            equal(view.checkpoints_by_root(5, limit=9), [], "a checkpoint that was undone is not found")


def customers_are_listed_by_name(make_store: MakeStore) -> None:
    """Ascending by their bytes, whatever the order in which they came, each tenant its own; in pages."""
    names = ["B", "a", "Z9", "_", "b", "A", "a-b", "a.b", "a_b", "a:b", "aa", "0"]
    with closing(make_store("customers")) as store:
        logs = _name(store, names)
        ordered = [NamedLog(logs[name], TENANT, name) for name in sorted(names)]
        with store.read() as view:
            equal(
                view.customers(TENANT, limit=99), ordered, "customers ascending by the bytes of their names"
            )
            equal(view.count_customers(TENANT), len(names), "the customers are counted")
            everybody = {named.log: named for named in ordered} | {
                make_log(98): NamedLog(make_log(98), OTHER_TENANT, "a")
            }
            asked = [*logs.values(), make_log(98), make_log(99), make_log(97)]
            equal(view.named_logs(asked), everybody, "each log bears the name that it was given")
            equal(view.named_logs([]), {}, "no log bears no name")
            pages = [view.customers(TENANT, offset=offset, limit=5) for offset in (0, 5, 10, 12, 99)]
            equal(pages, [ordered[:5], ordered[5:10], ordered[10:], [], []], "customers in pages")
            equal(view.customers(TENANT, limit=0), [], "no customers where none are wanted")
            foreign = [named.customer_id for named in view.customers(OTHER_TENANT, limit=9)]
            equal((foreign, view.count_customers(OTHER_TENANT)), (["a"], 1), "a tenant has its own customers")
            equal(view.count_customers("tenant-c"), 0, "a tenant without customers has none")


def customers_are_searched(make_store: MakeStore) -> None:
    """By any part of the name, in upper or lower case; every character stands for itself."""
    names = ["Acme_1", "acme-2", "ACME.3", "acme:4", "other_1", "100", "1-0-0", "macmee", "kilo"]
    searches = [
        "", "acme", "ACME", "aCmE", "e", "_", "_1", "acme_", "-", ".", "%", "a%e", "a_me", "\\", "/", "*", "?", "[a]",
        "1", "0", ":4", "acme-2", "acme-22", "'", "ä", "K",
    ]  # fmt: skip
    with closing(make_store("searched")) as store:
        _name(store, names)
        with store.read() as view:
            for search in searches:
                want = sorted(name for name in names if search.lower() in name.lower())
                found = [named.customer_id for named in view.customers(TENANT, search=search, limit=99)]
                equal(found, want, f"the customers whose names contain {search!r}")
                equal(view.count_customers(TENANT, search=search), len(want), f"their number, of {search!r}")
                page = view.customers(TENANT, search=search, offset=1, limit=2)
                equal([named.customer_id for named in page], want[1:3], f"the second and third of {search!r}")
            # Its lower case is an ASCII k.
            equal(
                view.customers(TENANT, search="\N{KELVIN SIGN}", limit=9),
                [],
                "letters of ASCII alone have a case",
            )


def _name(store: Store, names: Sequence[str]) -> dict[str, bytes]:
    """Make logs of customers, one of another tenant too; a failed block names nobody.  Return the logs by name."""
    logs = {name: make_log(number) for number, name in enumerate(names)}
    failure = ValueError("from the block")
    try:
        with store.write() as transaction:
            transaction.lock_heads([make_log(99)])
            transaction.name_customers([NamedLog(make_log(99), TENANT, "undone")])
            raise failure
    except ValueError as error:
        require(error is failure, "an exception of the block comes out unchanged")
    for log in logs.values():
        append(store, log, 1)
    append(store, make_log(98), 1, tenant=OTHER_TENANT)
    with store.write() as transaction:
        transaction.lock_heads(logs.values())
        transaction.name_customers([NamedLog(log, TENANT, name) for name, log in logs.items()])
        transaction.name_customers([NamedLog(make_log(98), OTHER_TENANT, "a")])
    return logs
