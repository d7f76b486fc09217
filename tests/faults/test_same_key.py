"""The same idempotency key from many threads at once: one entry, and the same answer for all."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext

import pytest

from counterfoil.core.reference import parse_record_id
from counterfoil.engine.clock import HostClock
from counterfoil.engine.engine import Engine
from counterfoil.engine.recorder import Recorder
from counterfoil.storage import open_store
from tests.support import OPERATOR, delta, entries_of

THREADS = 32
ROUNDS = 250
WAIT_SECONDS = 60


@pytest.fixture(params=["sqlite", "postgres"])
def store(request):
    """A store with a clock that goes on by itself."""
    if request.param == "sqlite":
        url = f"sqlite:///{request.getfixturevalue('sqlite_path')}"
    else:
        url = request.getfixturevalue("postgres_store_url")
    with closing(open_store(url, clock=HostClock())) as store:
        yield store


WAYS = {"directly": nullcontext, "through the recorder": Recorder}


def ask(recorder, rounds):
    """Have all threads record the same delta at one moment, again and again; return the answers by round and thread."""
    together = threading.Barrier(THREADS, timeout=WAIT_SECONDS)

    def work(_thread):
        answers = []
        for number in range(rounds):
            request = delta(number + 1, idempotency_key=f"key-{number}")
            together.wait()
            answers.append(recorder.record(request))
        return answers

    with ThreadPoolExecutor(THREADS) as threads:
        return list(zip(*threads.map(work, range(THREADS)), strict=True))


def judge(engine, store, rounds):
    """Hold the answers against each other and against what is stored."""
    stored = [row.entry for row in entries_of(store, engine.log_of("alice"))]
    assert len(stored) == 1 + len(rounds)
    for answers in rounds:
        assert len({answer._replace(replayed=False) for answer in answers}) == 1
        assert sum(not answer.replayed for answer in answers) == 1
        _, index = parse_record_id(answers[0].record_id)
        assert stored[index] == answers[0].data


@pytest.mark.parametrize("way", WAYS)
def test_there_is_one_entry_and_one_answer_for_all(store, way):
    engine = Engine(store, OPERATOR)
    with WAYS[way](engine) as recorder:
        rounds = ask(recorder, ROUNDS)
    judge(engine, store, rounds)
    # They did meet: now this thread was first, now that one.
    first = [[answer.replayed for answer in answers].index(False) for answers in rounds]
    assert len(set(first)) > 1


class Forgetful:
    """The planted fault: a store that finds no key."""

    def __init__(self, store):
        self._store = store

    def read(self):
        return self._store.read()

    @contextmanager
    def write(self):
        with self._store.write() as transaction:
            transaction.find_keys = lambda _wanted: {}
            yield transaction


@pytest.mark.parametrize("way", WAYS)
def test_a_key_that_is_forgotten_is_noticed(store, way):
    """The control.  Asked twice, because all threads may have met in one batch."""
    engine = Engine(Forgetful(store), OPERATOR)
    with WAYS[way](engine) as recorder:
        rounds = [sum(asked, ()) for asked in zip(ask(recorder, 3), ask(recorder, 3), strict=True)]
    with pytest.raises(AssertionError):
        judge(engine, store, rounds)
