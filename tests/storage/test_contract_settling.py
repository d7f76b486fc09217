"""Settling keeps the contract in whatever parts it is done; the contract notices stores that settle or claim wrongly."""

# ruff: noqa: SLF001  -- breaks stores from within, to see that the contract notices

from __future__ import annotations

from contextlib import contextmanager

import pytest

from counterfoil.storage import memory, open_store
from counterfoil.storage.memory import MemoryStore
from counterfoil.storage.sql import transactions
from counterfoil.testing import STORE_CHECKS, check_store, settling
from counterfoil.testing.claims import no_two_claim_the_same_log

SETTLING = [check for check in STORE_CHECKS if check.__module__ == settling.__name__]


@pytest.mark.parametrize("check", SETTLING, ids=lambda check: check.__name__)
@pytest.mark.parametrize(("least", "most"), [(1, 10**6), (64, 300), (64, 256), (1, 7)])
def test_in_whatever_parts_it_is_settled_the_contract_is_kept(tmp_path, monkeypatch, check, least, most):
    """What otherwise takes logs of many thousand entries: parts of a call, and calls that leave something over."""
    monkeypatch.setattr(transactions, "_SETTLED_MIN", least)
    monkeypatch.setattr(transactions, "_SETTLED_MAX", most)
    monkeypatch.setattr(transactions, "_HELD_MAX", 256)
    check(lambda name: open_store(f"sqlite:///{tmp_path}/{name}.db", clock=lambda: 0, create=True))


def memory_stores(_name):
    return MemoryStore(lambda: 1_775_034_000_000_000)


def settles(change):
    """A fault: settling does this to the rows of a store, for each log and the size that is named."""

    def fault(patch):
        def settle(self, sizes):
            for log, size in sizes.items():
                change(self._rows, log, size)

        patch.setattr(memory._Writing, "settle", settle)

    fault.__name__ = change.__name__
    return fault


@settles
def settled_entries_are_cut_off(rows, log, size):
    del rows.entries[log][size:]


@settles
def settled_entries_stand_twice(rows, log, _size):
    rows.entries[log].insert(0, rows.entries[log][0])


@settles
def settled_details_are_lost(rows, log, size):
    rows.entries[log][: size - 1] = [
        row._replace(salt=None, value=None) for row in rows.entries[log][: size - 1]
    ]


@settles
def empty_details_are_lost(rows, log, _size):
    rows.entries[log][:] = [
        row if row.value else row._replace(salt=None, value=None) for row in rows.entries[log]
    ]


@settles
def settled_keys_are_lost(rows, log, _size):
    for (other, _), places in rows.by_key.items():
        if other == log:
            places.clear()


@settles
def the_last_entry_is_settled_away(rows, log, _size):
    rows.heads[log] = rows.heads[log]._replace(size=rows.heads[log].size + 1)


@settles
def other_logs_are_settled_too(rows, log, _size):
    for other, entries in rows.entries.items():
        if other != log:
            del entries[100:120]


def what_was_settled_stays(patch):
    patch.setattr(memory._Writing, "settle", lambda self, _sizes: self._undo_steps.clear())


def only_the_last_range_counts(patch):
    patch.setattr(
        memory._Reading,
        "entries_of",
        lambda self, ranges: {log: self.entries(log, start, end) for log, start, end in ranges},
    )


def claiming(change):
    """A fault: claims are asked for in other words."""

    def fault(patch):
        right = memory._Writing._claim

        def claim(self, due, now, until, limit):
            return change(lambda *given: right(self, *given), due, now, until, limit)

        patch.setattr(memory._Writing, "_claim", claim)

    fault.__name__ = change.__name__
    return fault


@claiming
def claims_never_end(right, due, _now, until, limit):
    return right(due, 0, until, limit)


@claiming
def claims_end_at_once(right, due, now, _until, limit):
    return right(due, now, now, limit)


@claiming
def claims_end_late(right, due, now, until, limit):
    return right(due, now, until + 1, limit)


@claiming
def claims_have_no_limit(right, due, now, until, _limit):
    return right(due, now, until, 999)


@claiming
def claims_are_of_one_tenant(right, due, now, until, limit):
    return right(lambda head: due(head) and head.tenant == "tenant-a", now, until, limit)


@claiming
def everything_is_due(right, _due, now, until, limit):
    return right(lambda _head: True, now, until, limit)


def a_clock_that_was_ahead_is_believed(patch):
    right = memory._Writing._claim

    def claim(self, due, now, until, limit):
        held = self._rows.claimed_until
        return right(self, lambda head: due(head) and held.get(head.log, 0) <= now, now, until, limit)

    patch.setattr(memory._Writing, "_claim", claim)


def claims_are_not_undone(patch):
    right = memory._Writing._claim

    def claim(self, *given):
        found = right(self, *given)
        self._undo_steps.clear()
        return found

    patch.setattr(memory._Writing, "_claim", claim)


def a_checkpoint_frees_nothing(patch):
    right = memory._Writing.put_checkpoints

    def put(self, checkpoints):
        held = dict(self._rows.claimed_until)
        right(self, checkpoints)
        self._rows.claimed_until.update(held)

    patch.setattr(memory._Writing, "put_checkpoints", put)


def a_checkpoint_frees_all(patch):
    right = memory._Writing.put_checkpoints

    def put(self, checkpoints):
        right(self, checkpoints)
        self._rows.claimed_until.update(dict.fromkeys(self._rows.claimed_until, 0))

    patch.setattr(memory._Writing, "put_checkpoints", put)


def a_month_ends_late(patch):
    patch.setattr(
        memory._Writing,
        "claim_to_close",
        lambda self, now, until, *, limit: self._claim(
            lambda head: head.close_at is not None and head.close_at < now, now, until, limit
        ),
    )


def no_month_ends_at_0(patch):
    right = memory._Reading._head

    def head(self, log):
        found = right(self, log)
        return found._replace(close_at=found.close_at or None)

    patch.setattr(memory._Reading, "_head", head)


def claims_are_written_at_the_end(patch):
    @contextmanager
    def unlocked(_self):
        yield

    patch.setattr(MemoryStore, "_locked", unlocked)
    right = memory._Writing._claim
    end = memory._Writing.require_unharmed

    def claim(self, due, now, until, limit):
        found = right(self, due, now, until, limit)
        self.late = [(claim.log, self._rows.claimed_until.pop(claim.log)) for claim in found]
        return found

    def require_unharmed(self):
        self._rows.claimed_until.update(getattr(self, "late", ()))
        end(self)

    patch.setattr(memory._Writing, "_claim", claim)
    patch.setattr(memory._Writing, "require_unharmed", require_unharmed)


def test_two_who_claim_the_same_log_are_noticed(monkeypatch):
    claims_are_written_at_the_end(monkeypatch)
    with pytest.raises(AssertionError, match="claimed by one alone"):
        no_two_claim_the_same_log(memory_stores)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (settled_entries_are_cut_off, "entries of a log of"),
        (settled_entries_stand_twice, "entries of a log of"),
        (settled_details_are_lost, "entries of a log of"),
        (empty_details_are_lost, "entries of a log of"),
        (settled_keys_are_lost, "the places of all keys"),
        (the_last_entry_is_settled_away, "size and last entry"),
        (other_logs_are_settled_too, "entries of a log of"),
        (what_was_settled_stays, "entries of a log of 200"),
        (only_the_last_range_counts, "the ranges"),
        (claims_never_end, "claimed again at 200"),
        (claims_end_at_once, "nobody claims"),
        (claims_end_late, "claimed again at 200"),
        (a_clock_that_was_ahead_is_believed, "to a clock that is right"),
        (claims_have_no_limit, "by twos"),
        (claims_are_of_one_tenant, "of every tenant"),
        (everything_is_due, "what is to be signed"),
        (claims_are_not_undone, "what a failed block claimed"),
        (a_checkpoint_frees_nothing, "its checkpoint frees a log"),
        (a_checkpoint_frees_all, "and no other"),
        (a_month_ends_late, "at 100 the month is over"),
        (no_month_ends_at_0, "the end of the month as it was moved"),
    ],
)
def test_a_store_that_breaks_a_rule_does_not_pass(monkeypatch, fault, words):
    fault(monkeypatch)
    with pytest.raises(AssertionError, match=words):
        check_store(memory_stores, durable=False)
