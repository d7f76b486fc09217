"""kill -9 at random moments of an import with checkpoints: nothing that was acknowledged is lost, repeated or forked."""

import multiprocessing
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.faults import workload
from tests.fsck import BrokenError
from tests.support import empty_store_file

# Each kind of run, on a store of its own; all together at least 200 kills.
STORES = 4
KILLS = 55
# Of these so many must hit a transaction.  How often one does depends on the disk: where it is fast, more are needed.
KILLS_IN_TRANSACTION = 8
KILLS_MAX = 6 * KILLS
IMPORT_ROWS = 1_000
SILENCE_SECONDS_MAX = 60


class Harness:
    """Starts the child, listens to it, kills it, and remembers from outside what it was told."""

    def __init__(self, folder, seed, *, careless=False):
        self.path = Path(shutil.copy(empty_store_file(), folder / "store.db"))
        self.random = random.Random(seed)  # noqa: S311  -- the same moments each time, as far as the machine allows
        self.careless = careless
        self.acks, self.notes = [], []
        self.next_row = 0
        self.gap_seconds = 0.0
        self.kills = 0
        self.in_transaction = 0
        self.processes = multiprocessing.get_context("forkserver")
        self.processes.set_forkserver_preload(["tests.faults.workload"])

    def run_and_kill(self):
        """Start where the last run was cut off, or a little before, as an import that is repeated does."""
        first = max(0, self.next_row - self.random.randrange(4 * workload.BATCH_ROWS))
        receiver, sender = self.processes.Pipe(duplex=False)
        child = self.processes.Process(
            target=workload.import_and_checkpoint,
            args=(self.path, first, sender),
            kwargs={"careless": self.careless},
        )
        child.start()
        sender.close()
        self.listen(receiver)
        child.kill()
        child.join()
        # It never ends by itself: another end than by the kill is a fault of the engine.
        assert child.exitcode == -signal.SIGKILL
        self.kills += 1
        self.drain(receiver)

    def listen(self, receiver):
        """Hear some messages, then wait for about as long as the next one takes: however fast the disk is."""
        for _ in range(self.random.randrange(1, 10)):
            since = time.monotonic()
            assert receiver.poll(SILENCE_SECONDS_MAX)
            self.take(receiver.recv())
            self.gap_seconds += (time.monotonic() - since - self.gap_seconds) / 8
        time.sleep(self.random.uniform(0, 2 * self.gap_seconds))

    def take(self, message):
        next_row, acks, notes = message
        self.next_row = max(self.next_row, next_row)
        self.acks += acks
        self.notes += notes

    def drain(self, receiver):
        """Take what was sent before the kill; a message that was cut off was not."""
        try:
            while True:
                self.take(receiver.recv())
        except (EOFError, OSError):
            receiver.close()

    def examine_copy(self):
        """Examine the file as the kill left it, journal included; the store itself is left for the next run to mend."""
        copy = self.path.with_name("copy.db")
        journal = self.path.with_name(self.path.name + "-journal")
        shutil.copy(self.path, copy)
        if journal.exists() and journal.stat().st_size:
            self.in_transaction += 1
            shutil.copy(journal, copy.with_name(copy.name + "-journal"))
        try:
            return workload.examine(copy, self.acks, self.notes)
        finally:
            copy.unlink()
            copy.with_name(copy.name + "-journal").unlink(missing_ok=True)


@pytest.mark.parametrize("seed", range(STORES))
def test_whatever_the_moment_what_was_acknowledged_is_there_once(tmp_path, seed):
    harness = Harness(tmp_path, seed)
    pending = 0
    while harness.kills < KILLS or harness.in_transaction < KILLS_IN_TRANSACTION or not pending:
        # The faults fire where it hurts, too: within a transaction, and between a seal and its checkpoint.
        assert harness.kills < KILLS_MAX
        harness.run_and_kill()
        pending += harness.examine_copy().pending
    assert STORES * harness.kills >= 200
    # There was progress in spite of them.
    assert harness.next_row > KILLS
    assert harness.notes

    engine = workload.open_engine(harness.path)
    answers = [
        answer
        for start in range(0, harness.next_row, IMPORT_ROWS)
        for answer in engine.record_many(
            [workload.row(number) for number in range(start, min(start + IMPORT_ROWS, harness.next_row))]
        )
    ]
    assert all(answer.replayed for answer in answers)
    harness.acks += map(workload.acknowledged, answers)
    harness.notes += map(workload.published, engine.checkpoint_all())
    found = workload.examine(harness.path, harness.acks, harness.notes)
    assert (found.unsigned, found.pending) == (0, 0)
    # Behind the acknowledged rows there may be those whose acknowledgement was cut off; none stands twice.
    rows = workload.rows_in(harness.path)
    assert rows == list(range(len(rows)))
    assert len(rows) >= harness.next_row


def test_an_acknowledgement_before_the_commit_is_caught(tmp_path):
    """The control: the same harness finds a planted fault."""
    harness = Harness(tmp_path, seed=1, careless=True)

    def run():
        while harness.kills < KILLS_MAX:
            harness.run_and_kill()
            harness.examine_copy()

    with pytest.raises(BrokenError, match="I1"):
        run()
