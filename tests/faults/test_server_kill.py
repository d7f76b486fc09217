"""SIGKILL of `counterfoil serve` under 64 clients: what was acknowledged is there, and once, however it is killed."""

import os
import random
import shutil
import signal
import time

import psycopg
import pytest

from tests.faults.clients import CLIENTS, Clients
from tests.fsck import BrokenError, fsck, fsck_rows
from tests.web.serving import Served

# Kills; each second one is of the process that answers alone.
ROUNDS = {"sqlite": 12, "postgres": 8}
ROUNDS_LONG = 200
ROUNDS_EXAMINED = 4
# Until a client learns of a kill that its delta was recorded nevertheless.
ROUNDS_MAX = 60
ROUNDS_CONTROL = 10
# Acknowledgements that come between two kills, at least.
PROGRESS = 2 * CLIENTS
UP_SECONDS_MAX = 0.5
ENDS = 2


class Sqlite:
    """A store in a file, looked at as a kill left it; the store itself is left for the next start to mend."""

    def __init__(self, folder):
        self.url = f"sqlite:///{folder / 'store.db'}"
        self._path = folder / "store.db"

    def examine(self, operator, told):
        copy = self._path.with_name("copy.db")
        journal, copied_journal = (path.with_name(f"{path.name}-journal") for path in (self._path, copy))
        shutil.copy(self._path, copy)
        if journal.exists():
            shutil.copy(journal, copied_journal)
        try:
            return fsck(copy, **expected(operator, told))
        finally:
            copy.unlink()
            copied_journal.unlink(missing_ok=True)


class Postgres:
    """A store in a database, which nobody kills here."""

    def __init__(self, url):
        self.url = url

    def examine(self, operator, told):
        with psycopg.connect(self.url) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            return fsck_rows(connection, mark="%s", **expected(operator, told))


def expected(operator, told):
    return {"operator": operator.operator, "public_key": operator.signer.public_key, "acknowledged": told}


@pytest.fixture(params=["sqlite", "postgres"])
def store(request, tmp_path):
    if request.param == "sqlite":
        return Sqlite(tmp_path)
    return Postgres(request.getfixturevalue("postgres_url"))


class Ordeal:
    """A server, clients that work with it, and kills."""

    def __init__(self, folder, store, **how):
        self.store = store
        self.served = Served(folder, store=store.url, **how)
        self.chances = random.Random(0)  # noqa: S311  -- no secret
        self.kills = 0

    def kill_all(self, clients):
        """Kill every process of the server, and start it again."""
        self._let_work(clients)
        self.served.kill()

    def kill_answering(self, clients):
        """Kill the process that answers; the server puts another in its place."""
        self._let_work(clients)
        os.kill(self.served.answering, signal.SIGKILL)

    def _let_work(self, clients):
        clients.wait_for(PROGRESS)
        time.sleep(self.chances.uniform(0, UP_SECONDS_MAX))
        self.kills += 1

    def examine(self, clients):
        return self.store.examine(self.served.operator, list(clients.told))


def test_what_was_acknowledged_outlives_every_kill(store, tmp_path, long):
    ordeal = Ordeal(tmp_path, store, options=("--checkpoint-every", 0.2))
    served = ordeal.served
    rounds = ROUNDS_LONG if long else ROUNDS[type(store).__name__.lower()]
    with served, Clients(served) as clients:
        while ordeal.kills < rounds or not clients.counts["replayed"]:
            assert ordeal.kills < max(rounds, ROUNDS_MAX)
            if ordeal.kills % 2:
                ordeal.kill_answering(clients)
            else:
                ordeal.kill_all(clients)
                if ordeal.kills % ROUNDS_EXAMINED == 1:
                    ordeal.examine(clients)
                served.start()
        clients.end()
        assert served.end() == 0
        found = ordeal.examine(clients)

    # Each request is there once, whatever became of the first attempts.
    assert len(set(clients.told)) == len(clients.told) == clients.asked == found.deltas
    # They hit: of each kill some client had no answer.
    assert clients.counts["lost"] >= ordeal.kills
    assert served.log.count("a server process was ended by signal 9") == ordeal.kills // 2


def test_a_server_that_answers_before_the_commit_is_caught(tmp_path):
    """The control."""
    store = Sqlite(tmp_path)
    program = ("-m", "tests.faults.hasty")
    ordeal = Ordeal(tmp_path, store, options=("--checkpoint-every", 0), program=program)

    def run(clients):
        while ordeal.kills < ROUNDS_CONTROL:
            ordeal.kill_all(clients)
            ordeal.examine(clients)
            ordeal.served.start()

    with ordeal.served, Clients(ordeal.served) as clients:
        with pytest.raises(BrokenError, match="I1"):
            run(clients)
        ordeal.served.start()


@pytest.mark.parametrize("way", ["SIGTERM", "Ctrl-C"])
def test_a_server_that_is_asked_to_end_answers_what_it_is_at(store, tmp_path, way):
    """What is recorded is answered: who gets no answer knows that there was nothing to be told."""
    served = Served(tmp_path, store=store.url, options=("--checkpoint-every", 0.2))
    told = []
    for end in range(ENDS):
        with served, Clients(served, name=end, insist=False) as clients:
            clients.wait_for(PROGRESS)
            before = len(clients.told)
            if way == "SIGTERM":
                status = served.end()
            else:
                os.killpg(served.process.pid, signal.SIGINT)
                status = served.process.wait()
            clients.end()
        assert status == 0
        # It came in the middle of something.
        assert len(clients.told) > before
        told += clients.told
        assert store.examine(served.operator, told).deltas == len(set(told)) == len(told)
