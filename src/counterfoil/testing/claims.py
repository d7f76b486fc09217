"""What claims promise: a worker that has one has it alone, until it ends or the log gets its checkpoint."""

from __future__ import annotations

from contextlib import closing
from typing import Final

from counterfoil.engine.store import Claim, HeadMove, NewCheckpoint, Store
from counterfoil.testing.parts import (
    OTHER_TENANT,
    TENANT,
    WATCH_SECONDS,
    MakeStore,
    append,
    equal,
    finish,
    make_entry,
    make_log,
    require,
    start,
)

_MANY: Final = 40


def a_claim_is_kept_until_it_ends(make_store: MakeStore) -> None:
    """Logs with something to sign, of every tenant, are claimed once, and again from `until` on."""
    done, *_ = logs = [make_log(number) for number in range(3)]
    foreign = make_log(9)
    with closing(make_store("claims")) as store:
        for log in logs:
            append(store, log, 2)
        append(store, foreign, 1, tenant=OTHER_TENANT)
        _sign(store, done, 0, 2)
        want = _claims([(log, TENANT) for log in logs if log != done] + [(foreign, OTHER_TENANT)])
        equal(_claim(store, 100, 200), want, "what is to be signed is claimed, of every tenant")
        for now in (100, 199):
            equal(_claim(store, now, 300), [], f"at {now} nobody claims what is claimed until 200")
        equal(_claim(store, 200, 300), want, "what was claimed until 200 is claimed again at 200")
        # A claim says nothing to anybody but other claims.
        append(store, logs[1], 1)
        with store.read() as view:
            equal(view.heads(logs)[logs[1]].size, 3, "a claim keeps nobody from recording")


def the_log_furthest_behind_is_claimed_alone(make_store: MakeStore) -> None:
    """One claim, of the log with the most to sign; then of the next, as long as the first is claimed."""
    logs = [make_log(number) for number in range(3)]
    with closing(make_store("furthest")) as store:
        for count, log in enumerate(logs, start=1):
            append(store, log, 3 * count)
        _sign(store, logs[2], 0, 8)
        for want in ([logs[1]], [logs[0]], [logs[2]], []):
            with store.write() as transaction:
                found = transaction.claim_furthest_behind(100, 200)
            equal(found, [Claim(log, TENANT) for log in want], "who is furthest behind comes first")


def a_claim_of_a_clock_that_was_ahead_is_none(make_store: MakeStore) -> None:
    """What is claimed for longer than anybody claims is claimed like what is free, by both kinds of claim."""
    log = make_log(0)
    with closing(make_store("ahead")) as store:
        _append_to_close(store, log, 0, 50)
        for take in (_claim, _claim_to_close):
            for until in (200, 10**15):
                want = _claims([(log, TENANT)])
                equal(take(store, until - 100, until), want, "a clock that is ahead claims far ahead")
                equal(take(store, until - 100, until), [], "to its own clock it is claimed")
            equal(take(store, 300, 400), want, "to a clock that is right it is free")
            equal(take(store, 399, 400), [], "and then it is claimed")
            equal(take(store, 400, 400), want, "until that claim ends")


def a_checkpoint_frees_its_log(make_store: MakeStore) -> None:
    """After a checkpoint the log is claimed again where there is more to sign, and not where there is none."""
    more, done, other = logs = [make_log(number) for number in range(3)]
    with closing(make_store("freed")) as store:
        for log in logs:
            append(store, log, 2)
        equal(len(_claim(store, 100, 200)), 3, "three logs are claimed")
        _sign(store, more, 0, 1)
        _sign(store, done, 0, 2)
        equal(_claim(store, 101, 200), _claims([(more, TENANT)]), "its checkpoint frees a log, and no other")
        append(store, done, 1)
        equal(_claim(store, 102, 200), _claims([(done, TENANT)]), "a log is free once it has its checkpoint")
        equal(
            _claim(store, 200, 300), _claims([(log, TENANT) for log in (more, done, other)]), "all claims end"
        )


def claims_are_limited(make_store: MakeStore) -> None:
    """A claim takes no more than its limit, and the next one takes others."""
    logs = [make_log(number) for number in range(5)]
    with closing(make_store("limited")) as store:
        for log in logs:
            append(store, log, 1)
        taken = [_claim(store, 100, 200, limit=2) for _ in range(4)]
        equal([len(claims) for claims in taken], [2, 2, 1, 0], "5 logs are claimed by twos")
        found = sorted(claim for claims in taken for claim in claims)
        equal(found, _claims([(log, TENANT) for log in logs]), "each log is claimed once")


def months_that_are_over_are_claimed(make_store: MakeStore) -> None:
    """`claim_to_close` takes logs whose `close_at` is reached, signed or not, and shares its claims with `claim`."""
    early, late, never = logs = [make_log(number) for number in range(3)]
    with closing(make_store("months")) as store:
        for log, close_at in ((early, 100), (late, 101), (never, None)):
            _append_to_close(store, log, 0, close_at)
            _sign(store, log, 0, 1)
        equal(_claim_to_close(store, 99, 150), [], "at 99 no month is over that ends at 100")
        equal(_claim_to_close(store, 100, 150), _claims([(early, TENANT)]), "at 100 the month is over")
        equal(_claim_to_close(store, 149, 200), _claims([(late, TENANT)]), "what is claimed is left")
        equal(_claim_to_close(store, 300, 400), _claims([(early, TENANT), (late, TENANT)]), "claims end")
        for log in logs:
            append(store, log, 1)
        equal(
            _claim(store, 300, 400), _claims([(never, TENANT)]), "what is claimed to be closed is not signed"
        )
        equal(_claim_to_close(store, 500, 600), [], "an append without `close_at` ends the month of a log")
        equal(len(_claim(store, 500, 600)), 3, "all of it is to be signed")
        _append_to_close(store, early, 2, 0)
        equal(_claim_to_close(store, 599, 700), [], "what is claimed to be signed is not closed")


def the_end_of_the_month_comes_back(make_store: MakeStore) -> None:
    """`close_at` is what the last move said, None too."""
    log = make_log(0)
    with closing(make_store("close-at")) as store:
        for index, close_at in enumerate((None, 2**62, 0, -1, None, 1)):
            _append_to_close(store, log, index, close_at)
            with store.write() as transaction:
                for heads in (transaction.heads([log]), transaction.lock_heads([log])):
                    equal(
                        heads[log].close_at, close_at, "the head bears the end of the month as it was moved"
                    )


def a_failed_block_claims_nothing(make_store: MakeStore) -> None:
    """Claims of a block that fails are free at once, those it found free and those that it took over."""
    logs = [make_log(number) for number in range(2)]
    failure = ValueError("from the block")
    with closing(make_store("claims-undone")) as store:
        for log in logs:
            _append_to_close(store, log, 0, 50)
        for now, take in ((100, _claim), (200, _claim_to_close)):
            try:
                with store.write() as transaction:
                    method = transaction.claim if take is _claim else transaction.claim_to_close
                    equal(len(method(now, now + 100, limit=9)), 2, "the block has its claims")
                    raise failure
            except ValueError as error:
                require(error is failure, "an exception of the block comes out unchanged")
            equal(len(take(store, now, now + 100)), 2, "what a failed block claimed is free")


def no_two_claim_the_same_log(make_store: MakeStore) -> None:
    """Transactions side by side get different logs, and together all of them."""
    logs = [make_log(number) for number in range(_MANY)]
    with closing(make_store("rivals")) as store:
        for log in logs:
            append(store, log, 1)
        got: list[Claim] = []

        def rival() -> None:
            while claims := _claim(store, 100, 200, limit=3):
                got.extend(claims)

        with store.write() as transaction:
            transaction.now()
            held = transaction.claim(100, 200, limit=5)
            threads = [start(rival) for _ in range(4)]
            for thread in threads:
                thread.join(WATCH_SECONDS / len(threads))
        for thread in threads:
            finish(thread)
        equal(len(held), 5, "the first takes as many as it asked for")
        equal(
            sorted([*held, *got]),
            _claims([(log, TENANT) for log in logs]),
            "each log is claimed by one alone",
        )


def _claims(logs: list[tuple[bytes, str]]) -> list[Claim]:
    return sorted(Claim(log, tenant) for log, tenant in logs)


def _claim(store: Store, now: int, until: int, *, limit: int = 99) -> list[Claim]:
    with store.write() as transaction:
        return sorted(transaction.claim(now, until, limit=limit))


def _claim_to_close(store: Store, now: int, until: int, *, limit: int = 99) -> list[Claim]:
    with store.write() as transaction:
        return sorted(transaction.claim_to_close(now, until, limit=limit))


def _sign(store: Store, log: bytes, old_size: int, size: int) -> None:
    with store.write() as transaction:
        transaction.lock_heads([log])
        transaction.put_checkpoints([NewCheckpoint(log, old_size, size, b"note", 0)])


def _append_to_close(store: Store, log: bytes, index: int, close_at: int | None) -> None:
    with store.write() as transaction:
        transaction.lock_heads([log])
        transaction.append([make_entry(log, index)], [HeadMove(log, TENANT, index + 1, 0, close_at)])
