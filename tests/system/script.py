"""The scripted run that faults are injected into, and the process that it is run in.

It works on a folder with `keys` and `store.db`, in chapters: the first makes both, each other one goes on where the
one before ended.  What it is answered goes out at once, to a process that outlives it.  A chapter that is run again
sends the same rows under the same idempotency keys.
"""

import ctypes
import hashlib
import os
import pickle
import time
from contextlib import closing, suppress
from typing import NamedTuple

from counterfoil import CounterfoilError, Delta, Engine, EngineError, Operator, open_store
from counterfoil.engine.worker import work_through
from counterfoil.storage.key_folder import create_key_folder, load_key_folder
from counterfoil.storage.sql import migrations as _migrations  # noqa: F401  -- loaded once for all that are forked
from tests.faults.workload import acknowledged, published
from tests.fsck import Acknowledged, Published
from tests.support import START, FakeClock, seeded

OPERATOR = "ledger.example.com"
CUSTOMERS = 3
# After the first chapter one log is brought to just below a full tile, so that the next ones fill it.
GROWN_ENTRIES = 243
HOUR = 3_600_000_000
MONTH = 31 * 24 * HOUR

# What a tracer makes `getppid` return: so the process knows that from now on its calls are seen.
TRACED_PARENT = 4_194_305
TRACER_SECONDS_MAX = 60
_PR_SET_PTRACER = 0x59616D61
_PTRACER_ANY = ctypes.c_ulong(-1)


class Record(NamedTuple):
    """Record rows, in one batch or by one call each."""

    rows: tuple[int, ...]
    single: bool = False


class Checkpoint(NamedTuple):
    """Make checkpoints: of one customer, or of all that have something new."""

    customer: int | None = None


class Work(NamedTuple):
    """Do as a worker does: make the checkpoints that are due, those that close a month among them."""


class Answer(NamedTuple):
    """What came of a step.

    Attributes:
        rows: number of the row, what was acknowledged, whether as a replay.
        refused: numbers of the rows that were refused.
        notes: checkpoints that were published.
        codes: of all refusals.
        key: the public key, where it was loaded.
    """

    rows: tuple[tuple[int, Acknowledged, bool], ...] = ()
    refused: tuple[int, ...] = ()
    notes: tuple[Published, ...] = ()
    codes: tuple[str, ...] = ()
    key: str | None = None


class Chapter(NamedTuple):
    """Some steps, and the time at which they begin."""

    steps: tuple[Record | Checkpoint | Work, ...]
    start: int
    create: bool = False

    def later(self):
        """The same again after something went wrong."""
        return self._replace(start=self.start + HOUR // 2)

    @property
    def rows(self):
        return {row for step in self.steps if isinstance(step, Record) for row in step.rows}


def row(number):
    return Delta(
        f"customer-{number % CUSTOMERS}",
        f"{'-' if number % 4 else ''}{number % 97 + 1}.{number % 9 + 1}",
        "scripted",
        reference_id=str(number),
        idempotency_key=f"row-{number}",
    )


def chapters(rounds):
    """The run: keys, store and first rows; rounds of batches, single records, checkpoints and replays; a month's end."""
    made = [Chapter((Record(tuple(range(4))), Checkpoint()), START, create=True)]
    first = 1_000
    for place in range(rounds):
        batch = tuple(range(first, first + 12))
        singles = (first + 12, first + 13)
        steps = (
            Record(batch),
            Record(singles[:1], single=True),
            Checkpoint(),
            # As a sender does who did not hear the answer: an old batch with a new row in it.
            Record((*batch, first + 14)),
            Record(singles, single=True),
            Checkpoint(customer=place % CUSTOMERS),
        )
        made.append(Chapter(steps, START + (place + 1) * HOUR))
        first += 15
    # The month is over: each log gets one more seal, one with nothing new, too.
    made.append(Chapter((Work(), Record((first, first + 1), single=True), Work()), START + MONTH))
    return made


def growth():
    """What happens after the first chapter, without faults."""
    return Chapter(
        (Record(tuple(range(CUSTOMERS * 2, CUSTOMERS * (GROWN_ENTRIES + 2), CUSTOMERS))), Checkpoint()),
        START + HOUR // 2,
    )


def run(folder, chapter, tell, spoil=lambda store: store):
    """Run a chapter; tell each answer when it is there.  A refusal ends the step, not the chapter.

    For the controls `spoil` may put an unsafe store in place of ours.
    """
    try:
        keys = _keys(folder / "keys", chapter.start)
        tell(Answer(key=str(keys.verifier_key)))
        store = open_store(
            f"sqlite:///{folder / 'store.db'}", clock=FakeClock(chapter.start), create=chapter.create
        )
        with closing(spoil(store)) as opened:
            operator = Operator(keys.operator, keys.signer, keys.reference_key)
            engine = Engine(opened, operator, randomness=seeded(chapter.start))
            for step in chapter.steps:
                for answer in _DO[type(step)](engine, opened, step):
                    tell(answer)
    except EngineError as error:
        tell(Answer(codes=(error.code,)))


def _keys(path, seed):
    if path.is_dir():
        return load_key_folder(path)
    # Others at each attempt: whoever made new ones in place of those that were told would be found out.
    signing_seed, reference_key = (
        hashlib.sha256(f"{what} {seed}".encode()).digest() for what in ("sign", "name")
    )
    return create_key_folder(path, OPERATOR, signing_seed=signing_seed, reference_key=reference_key)


def _record(engine, _, step):
    for numbers in [(number,) for number in step.rows] if step.single else [step.rows]:
        try:
            answers = engine.record_many([row(number) for number in numbers])
        except EngineError as error:
            yield Answer(refused=numbers, codes=(error.code,))
            continue
        told = zip(numbers, answers, strict=True)
        # A row is refused by itself only where something is wrong with it, or with its log: `acknowledged` raises.
        yield Answer(rows=tuple((number, acknowledged(answer), answer.replayed) for number, answer in told))


def _checkpoint(engine, _, step):
    try:
        if step.customer is None:
            yield _checkpointed(engine.checkpoint_all())
        else:
            yield _checkpointed(engine.checkpoint_many([f"customer-{step.customer}"]))
    except EngineError as error:
        yield Answer(codes=(error.code,))


def _work(engine, store, _):
    try:
        yield _checkpointed(worked.outcome for worked in work_through(store, engine.operator))
    except EngineError as error:
        yield Answer(codes=(error.code,))


def _checkpointed(outcomes):
    done = list(outcomes)
    return Answer(
        notes=tuple(published(each) for each in done if not isinstance(each, CounterfoilError)),
        codes=tuple(each.code for each in done if isinstance(each, CounterfoilError)),
    )


_DO = {Record: _record, Checkpoint: _checkpoint, Work: _work}


# In a process of its own.


def play(channel, work, *arguments):
    """Wait for the tracer, then do the work, with a function that sends what it is given."""
    with suppress(AttributeError, OSError):
        # Where only parents may trace, let the test's strace do it: it is no parent.
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _PTRACER_ANY, 0, 0, 0)
    until = time.monotonic() + TRACER_SECONDS_MAX
    while os.getppid() != TRACED_PARENT:
        if time.monotonic() > until:
            raise TimeoutError("nobody traces this process")
        time.sleep(0.001)
    # `sendto` and not `write`, which goes to files.
    work(*arguments, lambda answer: channel.send(pickle.dumps(answer)))


def play_chapter(folder, chapter, spoil, tell):
    run(folder, chapter, tell, spoil)
