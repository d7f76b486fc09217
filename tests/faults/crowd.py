"""Many processes on one PostgreSQL store, hindered in every way, and what they were told, in a file each.

A writer asks under the same idempotency key until it has an answer, so that at the end what it was told is exactly
what it asked for.  The files are written by the clients: a server that is killed takes none of it along.
"""

import json
import multiprocessing
import random
import time
from collections import Counter
from contextlib import contextmanager
from typing import NamedTuple

from counterfoil.core.reference import parse_record_id
from counterfoil.engine import worker
from counterfoil.engine.engine import Engine
from counterfoil.engine.request import Delta
from counterfoil.errors import CounterfoilError, EngineError
from counterfoil.storage import open_store
from counterfoil.storage.sql import postgres
from tests.fsck import Acknowledged, Published
from tests.support import OPERATOR

DELAY_SECONDS_MEAN = 0.004
GIVEN_UP_SHARE = 0.05
LOST_ANSWERS_SHARE = 0.02
BATCHES_SHARE = 0.2
BATCH_ROWS = 5
# Of a worker under test: the logs of one whose connection was cut off are due again soon.
CLAIM_SECONDS = 1
PATIENCE_SECONDS = 120
# After these the same request again is right.
AGAIN = {"store-unavailable", "commit-outcome-unknown"}


class GivenUpError(Exception):
    """Whoever wrote thinks better of it, in the middle of the block."""


class Hindered:
    """A store whose transactions dawdle before COMMIT, are given up now and then, and whose answers get lost."""

    def __init__(self, store, seed):
        self._store = store
        self._random = random.Random(seed)  # noqa: S311  -- the same delays each time

    def read(self):
        return self._store.read()

    @contextmanager
    def write(self):
        fate = self._random.random()
        with self._store.write() as transaction:
            yield transaction
            # All is written and nothing committed: the locks are held.
            time.sleep(self._random.expovariate(1 / DELAY_SECONDS_MEAN))
            if fate < GIVEN_UP_SHARE:
                raise GivenUpError
        if fate > 1 - LOST_ANSWERS_SHARE:
            raise EngineError("commit-outcome-unknown", "the answer was lost on its way")


def insist(work, counts):
    """Run something until there is an answer; count what came instead."""
    while True:
        try:
            return work()
        except GivenUpError:
            counts["given up"] += 1
        except CounterfoilError as error:
            if error.code not in AGAIN:
                raise
            counts[error.code] += 1
            time.sleep(0.01)


def customer(number):
    return f"customer-{number}"


def now_ns():
    """One clock for all processes of a host; the server's is another."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


class Processes:
    """Starts the crowd, ends it, and reads what it was told."""

    def __init__(self, url, folder, *, unsafe=False):
        self.url = f"{url}&options=-csynchronous_commit%3Doff" if unsafe else url
        self.folder = folder
        self._unsafe = unsafe
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.faults.crowd"])
        self._stop = self._context.Event()
        self._running = []

    def start(self, target, *arguments):
        name = f"{target.__name__}-{len(self._running)}"
        process = self._context.Process(
            target=_run,
            args=(target, self.url, self.folder / name, self._stop, len(self._running), *arguments),
            kwargs={"unsafe": self._unsafe},
            daemon=True,  # none outlives a test that failed
        )
        process.start()
        self._running.append(process)

    def require_running(self):
        assert [process.exitcode for process in self._running] == [None] * len(self._running)

    def end(self):
        self._stop.set()
        for process in self._running:
            process.join(PATIENCE_SECONDS)
        assert [process.exitcode for process in self._running] == [0] * len(self._running)

    def lines(self, name):
        """Return what was told to the processes of a kind so far; a line that is being written was not told yet."""
        return [
            json.loads(line)
            for path in sorted(self.folder.glob(f"{name}-*"))
            for line in path.read_text(encoding="ascii").splitlines(keepends=True)
            if line.endswith("\n")
        ]

    def progress(self):
        """Return how much the writers were told so far: no more than a number to watch grow."""
        return sum(path.read_bytes().count(b"\n") for path in self.folder.glob("write-*"))

    def told(self):
        return [Told.read(line) for line in self.lines("write") if "entry" in line]

    def published(self):
        return [
            Published(bytes.fromhex(line["log"]), line["note"], line["time"])
            for line in self.lines("work")
            if "note" in line
        ]

    def counts(self, name):
        """Return what came in place of answers."""
        return sum((Counter(line["counts"]) for line in self.lines(name) if "counts" in line), Counter())


class Told(NamedTuple):
    """A delta that a writer was told is recorded, and when it began to ask."""

    ack: Acknowledged
    began: int
    replayed: bool

    @classmethod
    def read(cls, line):
        ack = Acknowledged(bytes.fromhex(line["log"]), line["index"], line["entry"].encode("ascii"))
        return cls(ack, line["began"], line["replayed"])

    @property
    def time(self):
        return json.loads(self.ack.entry)["recordedAt"]


def _run(target, url, path, stop, number, *arguments, unsafe):
    if unsafe:
        # The planted fault: sessions do not wait until a COMMIT is on the disk, and nobody refuses to work so.
        postgres._UNSAFE.clear()  # noqa: SLF001  -- see above
    with path.open("w", encoding="ascii") as file:
        diary = Diary(file)
        store = insist(lambda: open_store(url, clock=None), diary.counts)
        target(store, number, stop, diary, *arguments)
        diary.tell(counts=diary.counts)


class Diary:
    """What a process was told, a line each, and how often something came in place of an answer."""

    def __init__(self, file):
        self._file = file
        self.counts = Counter()

    def tell(self, **line):
        print(json.dumps(line), file=self._file, flush=True)


# The kinds of processes.


def write(store, number, stop, diary, customers):
    """Record deltas of customers drawn by lot, single ones and batches."""
    engine = insist(lambda: Engine(Hindered(store, seed=number), OPERATOR), diary.counts)
    lots = random.Random(number)  # noqa: S311  -- the same customers each time
    asked = 0
    while not stop.is_set():
        rows = BATCH_ROWS if lots.random() < BATCHES_SHARE else 1
        deltas = [
            Delta(
                customer(lots.randrange(customers)),
                str(lots.randrange(1, 100)),
                "usage",
                idempotency_key=f"{number}-{asked + row}",
            )
            for row in range(rows)
        ]
        asked += rows
        began = now_ns()
        for answer in insist(lambda: engine.record_many(deltas), diary.counts):  # noqa: B023  -- called at once
            if isinstance(answer, CounterfoilError):
                raise answer
            log, index = parse_record_id(answer.record_id)
            entry = answer.data.decode("ascii")
            diary.tell(log=log.hex(), index=index, entry=entry, began=began, replayed=answer.replayed)
    diary.tell(asked=asked)


def work(store, number, stop, diary, claiming=True):  # noqa: FBT002  -- handed on by position
    """Make checkpoints of whatever is due, or without `claiming` whoever claimed it."""
    worker.CLAIM_SECONDS = CLAIM_SECONDS
    breaks = random.Random(number)  # noqa: S311  -- the same breaks each time

    def work_through():
        claimed = (each.outcome for each in worker.work_through(store, OPERATOR, stopped=stop.is_set))
        for done in claimed if claiming else Engine(store, OPERATOR).checkpoint_all():
            if isinstance(done, CounterfoilError):
                raise done
            diary.counts[done.outcome] += 1
            diary.tell(log=done.log.hex(), note=done.checkpoint.note, time=done.verified_through_at)

    while not stop.is_set():
        insist(work_through, diary.counts)
        time.sleep(breaks.uniform(0, 0.05))


def watch(store, number, stop, diary, customers):
    """Look at the watermarks again and again; say when each was seen first."""
    del number
    logs = [OPERATOR.log_of("default", customer(each)) for each in range(customers)]
    seen = {}

    def look():
        with store.read() as view:
            newest = view.newest_checkpoints(logs)
            seals = view.entries_of([(log, each.size - 1, each.size) for log, each in newest.items()])
        diary.counts["looks"] += 1
        return {
            log: (newest[log].size, json.loads(seal.entry)["recordedAt"]) for log, (seal,) in seals.items()
        }

    while not stop.is_set():
        found = insist(look, diary.counts)
        at = now_ns()
        for log, (size, time_) in found.items():
            if seen.get(log) != (size, time_):
                diary.tell(log=log.hex(), size=size, time=time_, at=at)
        seen = found
        time.sleep(0.002)
