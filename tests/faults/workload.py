"""What the processes under test do: import rows and make checkpoints, and say what they were answered.

A row has its own idempotency key and bears its number as reference, so that a row that is lost, or stands twice, shows.
"""

import json
import random
import sqlite3
import time
from contextlib import closing, contextmanager
from itertools import islice

from counterfoil.core.reference import parse_record_id
from counterfoil.engine.clock import HostClock
from counterfoil.engine.engine import Engine
from counterfoil.engine.request import Delta
from counterfoil.errors import CounterfoilError
from counterfoil.storage.sql.sqlite import SqliteDatabase
from counterfoil.storage.sql.store import SqlStore
from tests.bundle_oracle import rows_of
from tests.fsck import Acknowledged, Published, fsck
from tests.support import OPERATOR

CUSTOMERS = 5
BATCH_ROWS = 5


def row(number):
    amount = f"{'-' if number % 3 else ''}{number % 97 + 1}.{number % 9 + 1}"
    return Delta(
        f"customer-{number % CUSTOMERS}",
        amount,
        "imported",
        reference_id=str(number),
        idempotency_key=f"row-{number}",
    )


def open_engine(path, wrap=lambda store: store):
    store = SqlStore.open(SqliteDatabase(path), clock=HostClock(), create=False)
    return Engine(wrap(store), OPERATOR)


def acknowledged(answer):
    """Say what somebody was told; a refusal ends the run."""
    if isinstance(answer, CounterfoilError):
        raise answer
    return Acknowledged(*parse_record_id(answer.record_id), answer.data)


def published(done):
    if isinstance(done, CounterfoilError):
        raise done
    return Published(done.log, done.checkpoint.note, done.verified_through_at)


def examine(path, acks=(), notes=()):
    return fsck(
        path,
        operator=OPERATOR.name,
        public_key=OPERATOR.signer.public_key,
        acknowledged=acks,
        published=notes,
    )


def rows_in(path):
    """Return the numbers of all rows that a store holds, ascending; one that stands twice stands twice."""
    with closing(sqlite3.connect(path)) as connection:
        return rows_over(connection)


def rows_over(connection):
    """As `rows_in`, over a connection of the driver."""
    values = [value for (value,) in connection.execute("SELECT value FROM entries WHERE value IS NOT NULL")]
    for bundle in connection.execute("SELECT first, entries, details FROM bundles"):
        values += [value for *_, value in rows_of(*bundle) if value is not None]
    references = (json.loads(value).get("referenceId") for value in values)
    return sorted(int(number) for number in references if number is not None)


# A run that is killed.


def import_and_checkpoint(path, first, sender, *, careless=False):
    """Import rows from `first` on for ever, with checkpoints in between; send each answer when it is there.

    The first message says that the process is up: what comes next is opening the store, and mending it after a kill.
    """
    sender.send((first, [], []))
    engine = open_engine(path, (lambda store: Careless(store, sender)) if careless else lambda store: store)
    number = first
    batches = 0
    while True:
        answers = engine.record_many([row(number + place) for place in range(BATCH_ROWS)])
        number += BATCH_ROWS
        sender.send((number, [acknowledged(answer) for answer in answers], []))
        batches += 1
        if batches % 3 == 0:
            sender.send((number, [], [published(done) for done in engine.checkpoint_all()]))


class Careless:
    """The planted fault: a store that has the answer sent before the COMMIT."""

    def __init__(self, store, sender):
        self._store = store
        self._sender = sender

    def read(self):
        return self._store.read()

    @contextmanager
    def write(self):
        with self._store.write() as transaction:
            appended = []
            append = transaction.append

            def overheard(entries, moves):
                appended.extend(Acknowledged(entry.log, entry.index, entry.entry) for entry in entries)
                append(entries, moves)

            transaction.append = overheard
            yield transaction
            self._sender.send((0, appended, []))


# Processes side by side.  SQLite hands its lock to whoever asks at the right moment, which can be the same process for
# seconds; so they take breaks, and wait for each other from time to time.

PHASES = 32
PHASE_BATCHES = 50
PHASE_ROUNDS = 4
BREAK_SECONDS_MAX = 0.02


def write_rows(path, starts, barrier, answers):
    """Import batches of rows, in the order of their starts, and write each answer to a file when it is there."""
    engine = open_engine(path)
    waiting = iter(starts)
    with answers.open("w", encoding="ascii") as file:
        for _ in range(PHASES):
            barrier.wait()
            for start in islice(waiting, PHASE_BATCHES):
                for answer in engine.record_many([row(start + place) for place in range(BATCH_ROWS)]):
                    ack = acknowledged(answer)
                    print(ack.log.hex(), ack.index, ack.entry.hex(), answer.replayed, file=file, flush=True)
        barrier.wait()


def make_checkpoints(path, seed, barrier, notes):
    """Make checkpoints, a last time when all is written, and write each to a file when it is there."""
    engine = open_engine(path)
    breaks = random.Random(seed)  # noqa: S311  -- the same breaks each time
    with notes.open("w", encoding="ascii") as file:

        def checkpoint_all():
            for done in engine.checkpoint_all():
                told = published(done)
                note = told.note.encode().hex()
                print(told.log.hex(), done.outcome, note, told.verified_through_at, file=file, flush=True)

        for _ in range(PHASES):
            barrier.wait()
            for _ in range(PHASE_ROUNDS):
                time.sleep(breaks.uniform(0, BREAK_SECONDS_MAX))
                checkpoint_all()
        barrier.wait()
        checkpoint_all()
