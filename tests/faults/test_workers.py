"""Two workers on the same logs, one stopped or killed between seal, sign and store: one checkpoint a size, no fork."""

import multiprocessing
import os
import random
import signal
import sqlite3
import time
from contextlib import closing, contextmanager

import psycopg
import pytest

from counterfoil.engine.engine import Engine
from counterfoil.engine.worker import CLAIM_SECONDS
from tests.faults import workers
from tests.faults.workload import acknowledged, published
from tests.fsck import BrokenError, fsck_rows
from tests.support import OPERATOR, delta

ROUNDS = 100
ROUNDS_LONG = 1_000
ROUNDS_EXAMINED = 20
KILLS = 15
CUSTOMERS = 3
WAIT_SECONDS = 60


class Shop:
    """A store, the worker of this process, and what both sides were told."""

    def __init__(self, url):
        self.url = url
        self.store = workers.open_at(url)
        self.engine = Engine(self.store, OPERATOR)
        self.chances = random.Random(0)  # noqa: S311  -- no secret
        self.acks, self.notes = [], []

    def record(self, prefix="customer"):
        answers = self.engine.record_many(
            [
                delta("1", f"{prefix}-{number}")
                for number in range(CUSTOMERS)
                for _ in range(self.chances.randrange(1, 4))
            ]
        )
        self.acks += map(acknowledged, answers)

    def work(self, way):
        done = way(self.store)
        self.notes += map(published, done)
        return done

    def examine(self):
        with closing(connect(self.url)) as connection:
            return fsck_rows(
                connection,
                operator=OPERATOR.name,
                public_key=OPERATOR.signer.public_key,
                acknowledged=self.acks,
                published=self.notes,
                mark="?" if self.url.startswith("sqlite") else "%s",
            )


def connect(url):
    return (
        sqlite3.connect(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else psycopg.connect(url)
    )


@pytest.fixture(params=["sqlite", "postgres"])
def shop(request):
    if request.param == "sqlite":
        url = f"sqlite:///{request.getfixturevalue('sqlite_path')}"
    else:
        url = request.getfixturevalue("postgres_store_url")
    shop = Shop(url)
    yield shop
    shop.store.close()


@contextmanager
def other_worker(url, *, careless=False):
    """Start a worker that can be stopped; give the connection to it and its process."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=workers.stop_and_go_on, args=(url, careless, theirs), daemon=True)
    process.start()
    try:
        assert ours.poll(WAIT_SECONDS)
        ours.recv()
        yield ours, process
        ours.send(None)
        process.join(WAIT_SECONDS)
        assert process.exitcode == 0
    finally:
        process.kill()


def run_round(shop, other, way, place):
    """Let the other worker be stopped, this one pass it, and the other go on; return what that was told."""
    connection, process = other
    shop.record()
    connection.send((way, place))
    wait_until_stopped(process)
    for _ in range(shop.chances.randrange(3)):
        shop.record()
        shop.work(way)
    shop.record()
    shop.work(way)
    os.kill(process.pid, signal.SIGCONT)
    assert connection.poll(WAIT_SECONDS)
    told = connection.recv()
    shop.notes += [note for _, note in told]
    return [outcome for outcome, _ in told]


def wait_until_stopped(process):
    until = time.monotonic() + WAIT_SECONDS
    look = os.WSTOPPED | os.WEXITED | os.WNOWAIT | os.WNOHANG
    while (state := os.waitid(os.P_PID, process.pid, look)) is None:
        assert time.monotonic() < until, "the worker did not come to the place"
        time.sleep(0.001)
    assert (state.si_code, state.si_status) == (os.CLD_STOPPED, signal.SIGSTOP)


def test_a_worker_that_was_stopped_finds_that_another_was_first(shop, long):
    with other_worker(shop.url) as other:
        for number in range(ROUNDS_LONG if long else ROUNDS):
            way = list(workers.WAYS)[number // len(workers.PLACES) % len(workers.WAYS)]
            place = workers.PLACES[number % len(workers.PLACES)]
            told = run_round(shop, other, way, place)
            # Before its seal nothing was left to do; behind it, all was done.
            assert told == ["unchanged" if place == "seal" else "superseded"] * CUSTOMERS
            with shop.store.read() as view:
                assert view.logs_with_work("default", limit=CUSTOMERS) == []
            if number % ROUNDS_EXAMINED == 0:
                shop.examine()
    found = shop.examine()
    assert (found.logs, found.deltas, found.unsigned, found.pending) == (CUSTOMERS, len(shop.acks), 0, 0)
    assert found.checkpoints > ROUNDS * CUSTOMERS


def test_a_checkpoint_that_is_stored_without_looking_is_caught(shop):
    """The control."""
    with other_worker(shop.url, careless=True) as other:
        run_round(shop, other, workers.directly, "store")
    with pytest.raises(BrokenError, match="I7"):
        shop.examine()


def test_the_logs_of_a_worker_that_died_are_taken_up_again(shop):
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.faults.workers"])
    for number in range(KILLS):
        place = workers.PLACES[number % len(workers.PLACES)]
        # Customers of their own: the worker that comes later is ahead in time.
        shop.record(f"customer-{number}")
        process = processes.Process(target=workers.die, args=(shop.url, place))
        process.start()
        process.join(WAIT_SECONDS)
        assert process.exitcode == -signal.SIGKILL
        # Nothing is half done: a seal that waits for its checkpoint is a whole step.
        assert shop.examine().pending == (0 if place == "seal" else CUSTOMERS)
        # Its claim holds as long as it may be alive.
        assert not [each for each in shop.work(workers.by_claim) if each.outcome == "signed"]
        done = workers.by_claim(workers.Ahead(shop.store, CLAIM_SECONDS + 1))
        shop.notes += map(published, done)
        mine = {shop.engine.log_of(f"customer-{number}-{each}") for each in range(CUSTOMERS)}
        assert {each.log for each in done if each.outcome == "signed"} >= mine
        found = shop.examine()
        assert (found.unsigned, found.pending) == (0, 0)
