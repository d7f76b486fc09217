"""A worker process that halts between two transactions of a checkpoint: it is stopped there, or dies."""

import os
import signal
from contextlib import closing, contextmanager

from sqlalchemy import delete, update

from counterfoil.engine import checkpoint, worker
from counterfoil.engine.clock import HostClock
from counterfoil.engine.engine import Engine
from counterfoil.storage import open_store
from counterfoil.storage.sql.schema import CHECKPOINTS, LOGS
from tests.engine.stepping import Stepping
from tests.faults.workload import published
from tests.support import OPERATOR

# What the halted transaction would have been for: the transactions of a checkpoint in their order.
PLACES = ("seal", "sign", "store")


def open_at(url):
    return open_store(url, clock=HostClock())


def directly(store):
    """Checkpoint what has work, whoever claimed it."""
    return list(Engine(store, OPERATOR).checkpoint_all())


def by_claim(store):
    """Checkpoint what nobody has claimed."""
    return [worked.outcome for worked in worker.work_through(store, OPERATOR)]


# Way -> transactions that come before that of the seal.
WAYS = {directly: 2, by_claim: 1}


def halted(store, way, place, sign):
    """Return the store as a process meets it that gets a signal at a place."""
    stepping = Stepping(store)
    number = WAYS[way] + PLACES.index(place)
    stepping.before = lambda step: os.kill(os.getpid(), sign) if step == number else None
    return stepping


def stop_and_go_on(url, careless, connection):
    """Checkpoint once for each (way, place) that comes, with a stop there; send what was told."""
    # The other one need not wait until the claims of this one have run out.
    worker.CLAIM_SECONDS = 0
    if careless:
        checkpoint._publish = publish_carelessly  # noqa: SLF001  -- the planted fault
    with closing(open_at(url)) as store:
        connection.send("ready")
        while order := connection.recv():
            way, place = order
            outcomes = way(halted(store, way, place, signal.SIGSTOP))
            connection.send([(done.outcome, published(done)) for done in outcomes])


def die(url, place):
    """Claim what there is, and die at a place."""
    with closing(open_at(url)) as store:
        by_claim(halted(store, by_claim, place, signal.SIGKILL))


def publish_carelessly(transaction, signed):
    """The planted fault: store a checkpoint whatever was stored meanwhile."""
    logs = [item.work.head.log for item in signed]
    transaction.lock_heads(logs)
    connection = transaction._connection  # noqa: SLF001  -- no store would do it by itself
    for item in signed:
        log, size = item.work.head.log, item.checkpoint.size
        connection.execute(delete(CHECKPOINTS).where(CHECKPOINTS.c.log == log, CHECKPOINTS.c.size == size))
        connection.execute(
            CHECKPOINTS.insert().values(log=log, size=size, note=item.checkpoint.note.encode())
        )
        connection.execute(update(LOGS).where(LOGS.c.log == log).values(checkpoint_size=size))
    return set(logs)


class Ahead:
    """A store whose clock has gone on: claims have run out."""

    def __init__(self, store, seconds):
        self._store = store
        self._seconds = seconds

    def read(self):
        return self._store.read()

    @contextmanager
    def write(self):
        with self._store.write() as transaction:
            now = transaction.now
            transaction.now = lambda: now() + self._seconds * 1_000_000
            yield transaction
