"""SIGKILL of PostgreSQL under writers and a worker: nothing that was acknowledged is lost, repeated or forked."""

import random
import time

import psycopg
import pytest

from counterfoil.engine.engine import Engine
from counterfoil.storage import open_store
from tests.faults import crowd
from tests.faults.workload import published
from tests.fsck import BrokenError, fsck_rows
from tests.postgres import Cluster, find_programs, quick_folder
from tests.support import OPERATOR

WRITERS = 8
CUSTOMERS = 5
CYCLES = 30
CYCLES_LONG = 300
CYCLES_EXAMINED = 6
# Acknowledgements that come between two kills, at least: each start is one that the work goes on after.
PROGRESS = 20
UP_SECONDS_MAX = 1.0
# In how many kills a server that does not wait for its disk shows it.
CYCLES_CONTROL = 10


class Ordeal:
    """A store on a server of its own, a crowd that works on it, and what that was told."""

    def __init__(self, cluster, folder, *, unsafe=False):
        self.cluster = cluster
        cluster.start()
        cluster.create_database("store")
        self.url = cluster.url("store")
        self.store = open_store(self.url, clock=None, create=True)
        self.engine = Engine(self.store, OPERATOR)
        self.processes = crowd.Processes(self.url, folder, unsafe=unsafe)
        self.chances = random.Random(0)  # noqa: S311  -- no secret
        self.known = 0
        for _ in range(WRITERS):
            self.processes.start(crowd.write, CUSTOMERS)
        self.processes.start(crowd.work)

    def run_and_kill(self):
        """Wait until there was progress, and a little, and kill; return how many processes that were."""
        goal = self.known + PROGRESS
        until = time.monotonic() + crowd.PATIENCE_SECONDS
        while (known := self.processes.progress()) < goal:
            self.processes.require_running()
            assert time.monotonic() < until, "no progress"
            time.sleep(0.05)
        time.sleep(self.chances.uniform(0, UP_SECONDS_MAX))
        self.known = known
        killed = self.cluster.kill()
        self.cluster.start()
        return killed

    def examine(self):
        """Hold the store against what the processes were told up to now; they go on meanwhile."""
        acks = [told.ack for told in self.processes.told()]
        notes = self.processes.published()
        with psycopg.connect(self.url) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            return fsck_rows(
                connection,
                operator=OPERATOR.name,
                public_key=OPERATOR.signer.public_key,
                acknowledged=acks,
                published=notes,
                mark="%s",
            )


@pytest.fixture
def cluster():
    with Cluster(find_programs(), data_in=quick_folder()) as cluster:
        yield cluster


def test_what_was_acknowledged_outlives_the_server(cluster, tmp_path, long):
    ordeal = Ordeal(cluster, tmp_path)
    cycles = CYCLES_LONG if long else CYCLES
    for cycle in range(1, cycles + 1):
        # The server's first process, those of its own work, and one for each client.
        assert ordeal.run_and_kill() > WRITERS
        if cycle % CYCLES_EXAMINED == 0:
            ordeal.examine()
    ordeal.processes.require_running()
    ordeal.processes.end()
    list(map(published, ordeal.engine.checkpoint_all()))
    found = ordeal.examine()
    ordeal.store.close()

    told = ordeal.processes.told()
    assert (found.unsigned, found.pending) == (0, 0)
    # With retries under the same keys each request is there once, whatever became of the first attempt.
    asked = sum(line["asked"] for line in ordeal.processes.lines("write") if "asked" in line)
    assert len({each.ack for each in told}) == found.deltas == asked
    missed = ordeal.processes.counts("write")
    assert missed["store-unavailable"] > cycles
    assert missed["commit-outcome-unknown"] > 0
    assert ordeal.processes.published()


def test_a_server_that_does_not_wait_for_its_disk_is_caught(cluster, tmp_path):
    """The control: the same run on sessions that no store is opened with otherwise."""
    ordeal = Ordeal(cluster, tmp_path, unsafe=True)

    def run():
        for _ in range(CYCLES_CONTROL):
            ordeal.run_and_kill()
            ordeal.examine()

    with pytest.raises(BrokenError, match=r"I1|I5"):
        run()
    ordeal.processes.end()
    ordeal.store.close()
