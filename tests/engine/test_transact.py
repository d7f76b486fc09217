"""A transaction that the database asks to be repeated is repeated, whole and not for ever; no other one is."""

from contextlib import contextmanager

import pytest

from counterfoil.engine.engine import Engine
from counterfoil.engine.transact import transact
from counterfoil.errors import ConflictError, CounterfoilError, EngineError
from counterfoil.storage.memory import MemoryStore
from tests.support import (
    KEYS,
    OPERATOR,
    FakeClock,
    assert_refusal,
    delta,
    entries_of,
    recorded,
    refused,
    seeded,
)


class Contended:
    """A store where some blocks fail, at their end as PostgreSQL's COMMIT does or within them."""

    def __init__(self, failures, *, within=False):
        self.store = MemoryStore(FakeClock())
        self.failures = list(failures)
        self.within = within
        self.blocks = 0

    def read(self):
        return self.store.read()

    @contextmanager
    def write(self):
        self.blocks += 1
        failure = self.failures.pop(0) if self.failures else None
        with self.store.write() as transaction:
            if failure and self.within:
                transaction.now = lambda: raise_it(failure)
            yield transaction
            if failure:
                raise failure

    def units(self):
        with self.read() as view:
            return [view.tenant_unit(f"tenant-{number}") for number in range(1, 12)]


def raise_it(failure):
    raise failure


def conflict():
    return ConflictError("deadlock detected")


class Work:
    """Writes the number of its run; what stays is what the last one wrote."""

    def __init__(self):
        self.runs = 0

    def __call__(self, transaction):
        self.runs += 1
        transaction.set_tenant_unit(f"tenant-{self.runs}", "credits")
        transaction.now()
        return self.runs


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("conflicts", [0, 1, 2, 9])
def test_after_a_conflict_it_runs_again_and_nothing_of_the_failed_runs_stays(conflicts, within):
    store = Contended([conflict() for _ in range(conflicts)], within=within)
    work = Work()
    assert transact(store, work) == conflicts + 1 == work.runs == store.blocks
    assert store.units() == [None] * conflicts + ["credits"] + [None] * (10 - conflicts)


@pytest.mark.parametrize("within", [False, True])
def test_the_tenth_conflict_in_a_row_comes_out(within):
    store = Contended([conflict() for _ in range(99)], within=within)
    work = Work()
    with refused("store-unavailable") as caught:
        transact(store, work)
    assert isinstance(caught.value, ConflictError)
    assert work.runs == store.blocks == 10
    assert store.units() == [None] * 11


@pytest.mark.parametrize(
    "failure",
    [
        EngineError("store-unavailable", "another transaction holds the store"),
        EngineError("commit-outcome-unknown", "the connection was lost"),
        EngineError("log-corrupt", "entry 1 is there already"),
        ValueError("a fault of the program"),
        KeyboardInterrupt(),
    ],
    ids=repr,
)
@pytest.mark.parametrize("conflicts", [0, 3])
def test_what_is_no_conflict_comes_out_at_once(failure, conflicts):
    store = Contended([*(conflict() for _ in range(conflicts)), failure])
    work = Work()
    with pytest.raises(type(failure)) as caught:
        transact(store, work)
    assert caught.value is failure
    assert work.runs == store.blocks == conflicts + 1
    assert store.units() == [None] * 11


def test_a_refusal_of_the_work_itself_undoes_it_and_is_not_repeated():
    store = Contended([])
    runs = []

    def work(transaction):
        runs.append(1)
        transaction.set_tenant_unit("tenant-1", "credits")
        raise EngineError("clock-regressed", "the clock was set back")

    with refused("clock-regressed"):
        transact(store, work)
    assert len(runs) == 1
    assert store.units() == [None] * 11


def test_a_conflict_is_a_store_that_is_unavailable_to_whoever_does_not_repeat():
    error = conflict()
    assert isinstance(error, CounterfoilError)
    assert error.code == "store-unavailable"


class EachFailsOnce:
    """A store whose every write block meets a conflict at its end, the first time."""

    def __init__(self, store):
        self._store = store
        self.blocks = None

    def read(self):
        return self._store.read()

    @contextmanager
    def write(self):
        with self._store.write() as transaction:
            yield transaction
            if self.blocks is not None:
                self.blocks += 1
                if self.blocks % 2:
                    raise conflict()


class TestEngine:
    @pytest.fixture
    def contended(self, store):
        return EachFailsOnce(store)

    @pytest.fixture
    def worker(self, contended):
        engine = Engine(contended, OPERATOR, randomness=seeded(1))
        contended.blocks = 0
        return engine

    def test_deltas_are_recorded_once_and_the_answers_are_those_that_stayed(self, worker, store):
        requests = [delta(str(n + 1), name, idempotency_key="k") for n, name in enumerate(("alice", "bob"))]
        answers = worker.record_many([*requests, delta("3"), delta("4", idempotency_key="k"), delta("0")])
        assert [answer.replayed for answer in answers[:3]] == [False] * 3
        assert [answer.entry.index for answer in answers[:3]] == [1, 1, 2]
        assert_refusal(answers[3], "idempotency-conflict")
        assert_refusal(answers[4], "amount-out-of-range")
        rows = [row.entry for row in entries_of(store, worker.log_of("alice"))]
        assert rows[1:] == [answers[0].data, answers[2].data]
        assert worker.audit("alice", KEYS).details_checked == 3

    def test_a_checkpoint_is_sealed_and_published_once(self, worker, contended, store):
        recorded(worker, 3)
        contended.blocks = 0
        done = worker.checkpoint("alice")
        assert contended.blocks == 4
        assert (done.outcome, done.checkpoint.size) == ("signed", 5)
        assert len(entries_of(store, worker.log_of("alice"))) == 5
        assert worker.audit("alice", KEYS).checkpoints == 1
