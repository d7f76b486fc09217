"""Any sequence of requests, crashes and clocks, held against a model of thirty lines: both stores do as it says."""

import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from counterfoil.core.amount import NANO
from counterfoil.core.entry import DELTA, SEAL, parse_entry
from counterfoil.core.receipt import verify_receipt
from counterfoil.core.timestamp import to_microseconds
from counterfoil.core.tlog_proof import parse_consistency_file, verify_consistency_file
from counterfoil.engine import checkpoint
from counterfoil.engine.engine import Engine
from counterfoil.storage import open_store
from counterfoil.storage.memory import MemoryStore
from counterfoil.storage.sql import bundles, transactions
from tests.engine.stepping import Crash, Stepping
from tests.fsck import fsck
from tests.support import (
    KEYS,
    OPERATOR,
    SECOND,
    FakeClock,
    assert_refusal,
    delta,
    empty_store_file,
    entries_of,
    erase,
    refused,
    seeded,
)

CUSTOMERS = ("alice", "bob", "carol")

customers = st.sampled_from(CUSTOMERS)
amounts = st.integers(-999, 999).filter(bool)
keys = st.sampled_from(["k1", "k2", "k3", "k4", None])
reasons = st.sampled_from(["usage", "refund"])
requests = st.tuples(customers, amounts, keys, reasons)


class Log:
    """What the model knows of one customer."""

    def __init__(self):
        self.rows = []  # exact bytes
        self.by_key = {}  # idempotency key -> (amount in nano, reason, bytes, index)
        self.erased = set()
        self.sealed = 0
        self.checkpoints = {}  # size -> checkpoint
        self.watermark = ""

    @property
    def covered(self):
        return max(self.checkpoints, default=0)

    def expected(self, amount, key, reason):
        """Say what becomes of a request: `new`, the bytes of the entry that it repeats, or `idempotency-conflict`."""
        if key not in self.by_key:
            return "new"
        old_amount, old_reason, data, index = self.by_key[key]
        same = old_amount == amount and (old_reason == reason or index in self.erased)
        return data if same else "idempotency-conflict"

    def accept(self, answer, amount, key, reason):
        if not self.rows:
            self.rows.append(None)  # the open entry, which an invariant reads back
        assert answer.entry.index == len(self.rows)
        self.rows.append(answer.data)
        self.by_key[key or answer.idempotency_key] = (amount, reason, answer.data, answer.entry.index)


class Records(RuleBasedStateMachine):
    def make_store(self):
        raise NotImplementedError

    @initialize()
    def start(self):
        self.clock = FakeClock(tick=1)
        self.store = self.make_store()
        self.logs = {}
        self.seed = 0
        self.open_engine()

    @rule()
    def open_engine(self):
        self.seed += 1
        self.engine = Engine(self.store, OPERATOR, randomness=seeded(self.seed))

    # Recording.

    @rule(request=requests)
    def record(self, request):
        self.batch([request])

    @rule(batch=st.lists(requests, min_size=1, max_size=6))
    def batch(self, batch):
        answers = self.engine.record_many(
            [delta(amount, name, reason, idempotency_key=key) for name, amount, key, reason in batch]
        )
        for answer, (name, amount, key, reason) in zip(answers, batch, strict=True):
            log = self.logs.get(name, Log())
            expected = log.expected(amount * NANO, key, reason)
            if expected == "new":
                assert not answer.replayed
                self.logs.setdefault(name, log).accept(answer, amount * NANO, key, reason)
            elif isinstance(expected, bytes):
                assert (answer.replayed, answer.data) == (True, expected)
            else:
                assert_refusal(answer, expected)

    @rule(name=customers, batch=st.lists(st.sampled_from(["0", "1.5", "x", "2"]), min_size=1, max_size=4))
    def batch_with_refusals(self, name, batch):
        answers = self.engine.record_many([delta(amount, name) for amount in batch])
        for answer, amount in zip(answers, batch, strict=True):
            if amount in ("0", "x"):
                assert_refusal(answer, "amount-out-of-range" if amount == "0" else "invalid-field")
            else:
                self.logs.setdefault(name, Log()).accept(answer, answer.entry.amount, None, "usage")

    @rule(name=customers, data=st.data())
    def adjust(self, name, data):
        log = self.logs.get(name)
        index = data.draw(st.integers(0, len(log.rows) + 1 if log else 1))
        request = delta(-1, name, adjusts=f"0x{self.engine.log_of(name).hex()}.{index}")
        if log is None or index >= len(log.rows):
            with refused("record-not-found"):
                self.engine.record(request)
        elif parse_entry(self.stored(name)[index]).type != DELTA:
            with refused("invalid-field"):
                self.engine.record(request)
        else:
            log.accept(self.engine.record(request), -NANO, None, "usage")

    # Checkpoints.

    @rule(name=customers, refresh=st.booleans())
    def checkpoint(self, name, refresh):
        log = self.logs.get(name)
        if log is None:
            with refused("customer-not-found"):
                self.engine.checkpoint(name, refresh=refresh)
            return
        self.settle(name, self.engine.checkpoint(name, refresh=refresh), refresh=refresh)

    @rule()
    def checkpoint_all(self):
        waiting = {
            self.engine.log_of(name): name for name, log in self.logs.items() if len(log.rows) > log.covered
        }
        done = list(self.engine.checkpoint_all())
        assert {each.log for each in done} == set(waiting)
        for each in done:
            self.settle(waiting[each.log], each, refresh=False)

    def settle(self, name, done, *, refresh):
        """Take up what a checkpoint must have done: a pending seal first, then one of its own if there is a reason."""
        log = self.logs[name]
        sizes = [log.sealed] if log.sealed > log.covered else []
        if len(log.rows) > max(log.sealed, log.covered) or refresh:
            sizes.append(len(log.rows) + 1)
            log.rows.append(None)
        assert done.outcome == ("signed" if sizes else "unchanged")
        published = {each.size: each for each in self.engine.checkpoints(name)}
        assert list(published) == [*log.checkpoints, *sizes]
        for size, each in log.checkpoints.items():
            assert published[size] == each
        log.checkpoints = published
        log.sealed = log.covered
        assert done.checkpoint == published[log.covered]
        assert done.verified_through_at >= log.watermark
        log.watermark = done.verified_through_at

    @precondition(lambda self: self.logs)
    @rule(data=st.data(), step=st.integers(0, 2))
    def crash_while_checkpointing(self, data, step):
        """Before the seal, between seal and signature, between signature and publication."""
        name = data.draw(st.sampled_from(sorted(self.logs)))
        log = self.logs[name]
        stepping = Stepping(self.store)
        worker = Engine(stepping, OPERATOR)
        stepping.crash_at(step)
        has_work = len(log.rows) > log.covered
        if has_work or step == 0:
            with pytest.raises(Crash):
                worker.checkpoint(name)
        if has_work and step and log.sealed <= log.covered:
            log.rows.append(None)
            log.sealed = len(log.rows)

    # The world.

    @rule(microseconds=st.integers(-4 * SECOND, 60 * SECOND))
    def move_clock(self, microseconds):
        newest = [row.entry for name in self.logs for row in self.last_rows(name)]
        self.clock.now += microseconds
        # Within what is borne: 5 seconds behind the last entry.
        for data in newest:
            while self.behind(data) > 4 * SECOND:
                self.clock.now += SECOND

    @rule(name=customers)
    def clock_far_behind(self, name):
        self.clock.now -= 3_600 * SECOND
        if name in self.logs:
            with refused("clock-regressed"):
                self.engine.record(delta(customer=name))
            log = self.logs[name]
            if len(log.rows) > log.covered and log.sealed <= log.covered:
                with refused("clock-regressed"):
                    self.engine.checkpoint(name)
        self.clock.now += 3_600 * SECOND

    @precondition(lambda self: self.logs)
    @rule(data=st.data())
    def erase(self, data):
        name = data.draw(st.sampled_from(sorted(self.logs)))
        log = self.logs[name]
        index = data.draw(st.sampled_from(sorted({entry[3] for entry in log.by_key.values()})))
        erase(self.store, self.engine.log_of(name), index)
        log.erased.add(index)

    # Proofs.

    @precondition(lambda self: self.logs)
    @rule(data=st.data())
    def receipt(self, data):
        name = data.draw(st.sampled_from(sorted(self.logs)))
        log = self.logs[name]
        index = data.draw(st.integers(0, len(log.rows)))
        size = data.draw(st.sampled_from([None, *log.checkpoints]))
        record_id = f"0x{self.engine.log_of(name).hex()}.{index}"
        if index >= len(log.rows):
            with refused("record-not-found"):
                self.engine.receipt(record_id, size=size)
        elif index >= (size or log.covered):
            with refused("not-yet-checkpointed" if size is None else "record-not-found"):
                self.engine.receipt(record_id, size=size)
        else:
            proven = self.engine.receipt(record_id, size=size)
            assert proven.data == self.stored(name)[index]
            verified = verify_receipt(proven.receipt, KEYS, customer_id=name)
            assert verified.checkpoint == log.checkpoints[size or log.covered]
            assert (verified.details is None) == (index in log.erased or verified.entry.type == SEAL)

    @precondition(lambda self: any(log.checkpoints for log in self.logs.values()))
    @rule(data=st.data())
    def consistency(self, data):
        name = data.draw(st.sampled_from(sorted(name for name, log in self.logs.items() if log.checkpoints)))
        log = self.logs[name]
        old, new = (data.draw(st.sampled_from(list(log.checkpoints))) for _ in range(2))
        if old > new:
            with refused("invalid-field"):
                self.engine.consistency_file(name, old, size=new)
            return
        file = parse_consistency_file(self.engine.consistency_file(name, old, size=new))
        verify_consistency_file(log.checkpoints[old], file, KEYS)
        assert file.checkpoint == log.checkpoints[new]

    @rule(name=customers)
    def audit(self, name):
        log = self.logs.get(name)
        if log is None:
            with refused("customer-not-found"):
                self.engine.audit(name, KEYS)
            return
        report = self.engine.audit(name, KEYS)
        assert (report.entries, report.deltas) == (len(log.rows), len(log.by_key))
        assert (report.covered, report.checkpoints) == (log.covered, len(log.checkpoints))
        assert report.details_absent == len(log.erased)

    @invariant()
    def totals_are_those_of_the_accepted_amounts(self):
        for name, log in self.logs.items():
            amounts = [amount for amount, *_ in log.by_key.values()]
            record = self.engine.customer(name)
            assert (record.size, record.count) == (len(log.rows), len(amounts))
            assert record.credits == sum(amount for amount in amounts if amount > 0)
            assert record.debits == -sum(amount for amount in amounts if amount < 0)
            assert (record.checkpoint_size, record.verified_through_at or "") == (log.covered, log.watermark)

    @invariant()
    def nothing_that_was_accepted_changes(self):
        for name, log in self.logs.items():
            stored = self.stored(name)
            assert len(stored) == len(log.rows)
            for index, (known, data) in enumerate(zip(log.rows, stored, strict=True)):
                assert known in (None, data)
                log.rows[index] = data

    def teardown(self):
        if not hasattr(self, "engine"):
            return
        for name in self.logs:
            report = self.engine.audit(name, KEYS)
            last = self.engine.checkpoint(name)
            assert last.checkpoint.size >= report.entries

    # Helpers.

    def stored(self, name):
        return [row.entry for row in entries_of(self.store, self.engine.log_of(name))]

    def last_rows(self, name):
        return entries_of(self.store, self.engine.log_of(name))[-1:]

    def behind(self, data):
        return to_microseconds(parse_entry(data).recorded_at) - self.clock.now


class MemoryRecords(Records):
    def make_store(self):
        return MemoryStore(self.clock)


class SqliteRecords(Records):
    """Entries are settled as soon as there are two, and four in a bundle: short histories go through all of it."""

    def make_store(self):
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(checkpoint, "_SETTLED_EVERY", 1)
        self.patch.setattr(transactions, "_SETTLED_MIN", 2)
        self.patch.setattr(bundles, "BUNDLE_ENTRIES_MAX", 4)
        self.folder = Path(tempfile.mkdtemp(prefix="counterfoil-"))
        self.path = shutil.copy(empty_store_file(), self.folder / "store.db")
        return open_store(f"sqlite:///{self.path}", clock=self.clock)

    def teardown(self):
        try:
            super().teardown()
        finally:
            if hasattr(self, "patch"):
                self.patch.undo()
        if hasattr(self, "folder"):
            self.store.close()
            found = fsck(self.path, operator=OPERATOR.name, public_key=OPERATOR.signer.public_key)
            SqliteRecords.settled += found.settled
            shutil.rmtree(self.folder)


TestMemoryStore = MemoryRecords.TestCase
TestMemoryStore.settings = settings(max_examples=300, stateful_step_count=40)


class TestSqliteStore(SqliteRecords.TestCase):
    settings = settings(max_examples=80, stateful_step_count=40)

    def runTest(self):  # noqa: N802  -- unittest's name
        SqliteRecords.settled = 0
        super().runTest()
        # The histories went through bundles, too.
        assert SqliteRecords.settled > 100
