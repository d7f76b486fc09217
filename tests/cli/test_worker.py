"""`worker`, as processes of their own."""

import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import command, environment
from tests.postgres import Cluster, children, find_programs

# What has not happened by then never will.
PATIENCE_SECONDS = 120
HINT = "counterfoil: hint: "
ERROR = "counterfoil: error: "
QUICK = ("--every", "0.02")
both = pytest.mark.parametrize("processes", ["1", "2"])


class Running:
    """A worker in a process of its own."""

    def __init__(self, folder, *arguments, program=()):
        line = [sys.executable, "-c", *program] if program else command()
        self.process = subprocess.Popen(
            [*line, "worker", *QUICK, *arguments],
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._watchdog = threading.Timer(PATIENCE_SECONDS, self.process.kill)
        self._watchdog.start()

    def line(self):
        """The next line of its output, waited for."""
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return line.rstrip("\n")

    def complaint(self):
        """The next line that it writes to standard error, waited for."""
        line = self.process.stderr.readline()
        assert line, "it ended and said nothing"
        return line.rstrip("\n")

    def ended(self, how=None):
        """Its exit status, and the rest of what it wrote; `how` is the signal that it is to end at."""
        if how is not None:
            self.process.send_signal(how)
        # Not communicate(), which knows nothing of what was read ahead of a line.
        out, err = self.process.stdout.read(), self.process.stderr.read()
        return self.process.wait(), out.splitlines(), err.splitlines()

    def close(self):
        self._watchdog.cancel()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture
def start(tmp_path):
    """Start workers in the folder of the test."""
    started = []

    def begin(*arguments, **named):
        started.append(Running(tmp_path, *arguments, **named))
        return started[-1]

    yield begin
    for worker in started:
        worker.close()


@pytest.fixture(params=["sqlite", "postgres"])
def shop(request, book, monkeypatch):
    """Call a command on a new store, on either database."""
    if request.param == "postgres":
        monkeypatch.setenv("COUNTERFOIL_STORE", request.getfixturevalue("postgres_url"))
        assert book("init").status == 0
    return book


def store_of():
    """The options of the store that the commands of a test go to."""
    return ("--store", os.environ.get("COUNTERFOIL_STORE", "sqlite:///counterfoil.db"))


def fill(call, customers, source="some"):
    """Record a delta of each of so many customers."""
    rows = "".join(f"c{number},1,x\n" for number in range(customers))
    assert (
        call("import", "-", "--source", source, stdin=f"customerId,delta,reason\n{rows}".encode()).status == 0
    )


def until(happened):
    """Wait until something is so; return it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := happened()):
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.01)
    return found


def verified(call):
    """Whether all that was recorded is under a checkpoint."""
    return all(each["verifiedDeltas"] == each["totalDeltas"] for each in call("customers", "--json").findings)


def sealed_without_checkpoint():
    with closing(sqlite3.connect("counterfoil.db")) as database:
        return database.execute("SELECT count(*) FROM logs WHERE sealed_size <> checkpoint_size").fetchone()[
            0
        ]


class TestOne:
    @pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
    def test_it_checkpoints_what_comes_until_it_is_asked_to_end(self, shop, start, how):
        worker = start(*store_of())
        for _ in range(3):
            assert shop("record", "cust_001", "1", "--reason", "x").status == 0
            assert worker.line() == "1 checkpoint signed, 0 refused"
        assert worker.ended(how) == (0, [], [])
        assert verified(shop)
        assert shop("audit", "--all").status == 0

    @both
    def test_it_does_not_sleep_through_a_signal(self, book, start, processes):
        book("record", "cust_001", "1", "--reason", "x")
        worker = start("--processes", processes, "--every", "3600")
        worker.line()
        assert worker.ended(signal.SIGTERM) == (0, [], [])

    def test_it_says_what_it_signed_as_checkpoint_says_it(self, book, start):
        book("record", "cust_001", "5", "--reason", "x")
        worker = start("--json")
        said = json.loads(worker.line())
        assert worker.ended(signal.SIGTERM) == (0, [], [])
        [again] = book("checkpoint", "cust_001", "--json").findings
        assert said == {**again, "outcome": "signed", "customerId": None}

    def test_all_tenants_are_its_own(self, book, start):
        for tenant in ("acme", "umbrella"):
            book("record", "cust_001", "5", "--reason", "x", "--tenant", tenant)
        worker = start("--json", "--tenant", "other")
        origins = {json.loads(worker.line())["origin"].split("/")[1] for _ in range(2)}
        assert origins == {"acme", "umbrella"}

    def test_asked_in_the_middle_of_the_work_it_leaves_nothing_half_done(self, book, start):
        fill(book, 2_500)
        worker = start("--json")
        first = worker.line()
        status, rest, err = worker.ended(signal.SIGTERM)
        assert (status, err) == (0, [])
        said = [json.loads(line)["customerReference"] for line in (first, *rest)]
        found = book("customers", "--json").findings
        assert sorted(said) == sorted(each["customerReference"] for each in found if each["checkpointSize"])
        assert sealed_without_checkpoint() == 0
        assert book("checkpoint", "--all").status in (0, 11)
        assert verified(book)

    def test_a_log_that_is_refused_is_named_and_the_others_go_on(self, kept, start, tamper):
        kept("record", "cust_001", "1", "--reason", "x")
        kept("record", "cust_002", "1", "--reason", "x")
        log = kept("customer", "cust_001", "--json").findings[0]["customerReference"]
        tamper("UPDATE tiles SET hashes = zeroblob(length(hashes)) WHERE log = ?", bytes.fromhex(log[2:]))
        worker = start()
        assert worker.line().startswith(f"refused     {log}  log-corrupt: ")
        assert worker.line() == "1 checkpoint signed, 1 refused"
        worker.ended(signal.SIGTERM)
        worker = start("--json")
        # What is claimed is not tried again at once: here a minute has to pass, in the table.
        tamper("UPDATE logs SET claimed_until = 0 WHERE log = ?", bytes.fromhex(log[2:]))
        finding = json.loads(worker.line())
        assert (finding["result"], finding["customerReference"]) == ("log-corrupt", log)
        assert worker.ended(signal.SIGTERM) == (0, [], [])


class TestTeam:
    def test_several_processes_share_the_work_and_each_line_comes_whole(self, shop, start):
        fill(shop, 3_000)
        worker = start("--processes", "2", "--json", *store_of())
        said = [json.loads(worker.line()) for _ in range(3_000)]
        assert {each["outcome"] for each in said} == {"signed"}
        assert len({each["customerReference"] for each in said}) == 3_000
        assert worker.ended(signal.SIGTERM) == (0, [], [])
        assert verified(shop)

    def test_ctrl_c_reaches_all_of_them_at_once_and_ends_all(self, book, tmp_path):
        assert book("record", "cust_001", "1", "--reason", "x").status == 0
        process = subprocess.Popen(
            command("worker", *QUICK, "--processes", "2"),
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stdout.readline() == "1 checkpoint signed, 0 refused\n"
        until(lambda: len(children(process.pid)) == 2)
        os.killpg(process.pid, signal.SIGINT)
        assert process.communicate(timeout=PATIENCE_SECONDS) == ("", "")
        assert process.returncode == 0

    def test_a_process_that_is_killed_is_replaced(self, book, start):
        worker = start("--processes", "2")
        pids = until(lambda: found if len(found := children(worker.process.pid)) == 2 else None)
        os.kill(pids[0], signal.SIGKILL)
        assert worker.complaint() == f"{HINT}a worker process was ended by signal 9; another takes its place"
        new = until(lambda: found if len(found := children(worker.process.pid)) == 2 else None)
        assert pids[1] in new
        assert pids[0] not in new
        # The other one ends as well, in good order: what is recorded now is the new one's.
        os.kill(pids[1], signal.SIGTERM)
        assert worker.complaint() == f"{HINT}a worker process ended with 0; another takes its place"
        book("record", "cust_001", "1", "--reason", "x")
        assert worker.line() == "1 checkpoint signed, 0 refused"
        assert worker.ended(signal.SIGTERM) == (0, [], [])

    def test_when_the_first_process_is_killed_the_others_end_by_themselves(self, book, start):
        worker = start("--processes", "3", "--every", "3600")
        pids = until(lambda: found if len(found := children(worker.process.pid)) == 3 else None)
        handles = [os.pidfd_open(pid) for pid in pids]
        worker.process.kill()
        for handle in handles:
            assert select.select([handle], [], [], PATIENCE_SECONDS)[0]
            os.close(handle)
        book("record", "cust_001", "1", "--reason", "x")
        assert not verified(book)

    def test_a_passphrase_is_asked_for_once(self, cf, monkeypatch, tmp_path):
        Path("secret").write_text("correct horse\n")
        with monkeypatch.context() as patch:
            patch.setenv("COUNTERFOIL_PASSPHRASE_FILE", "secret")
            assert cf("init").status == 0
            assert cf("record", "cust_001", "1", "--reason", "x").status == 0
        # A pipe gives it to the first reader alone.
        process = subprocess.Popen(
            command("worker", *QUICK, "--processes", "2"),
            cwd=tmp_path,
            env=environment(COUNTERFOIL_PASSPHRASE_FILE="/dev/stdin"),  # noqa: S106  -- a file's name
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        process.stdin.write("correct horse\n")
        process.stdin.close()
        assert process.stdout.readline() == "1 checkpoint signed, 0 refused\n"
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0
        process.stdout.close()
        process.stderr.close()


# A host's clock that is set while the worker runs, and a defect; both show in the middle of the work.
CLOCK = """
import sys
from counterfoil.cli import worker
from counterfoil.errors import EngineError
class Clock:
    def __init__(self):
        self._left = 5
    def __call__(self):
        self._left -= 1
        if not self._left:
            raise EngineError("clock-regressed", "the host's clock was set")
        return 1_800_000_000_000_000
worker.HostClock = Clock
from counterfoil.cli.main import main
main()
"""
DEFECT = """
from counterfoil.cli import worker
def work_through(*_, **__):
    return iter([1 / 0])
worker.work_through = work_through
from counterfoil.cli.main import main
main()
"""
IMPATIENT = """
from counterfoil.storage.sql import sqlite
sqlite.LOCK_WAIT_SECONDS = 0.05
from counterfoil.cli.main import main
main()
"""


class TestEnds:
    @both
    def test_a_worker_with_the_keys_of_another_gives_up_before_it_begins(self, book, start, processes):
        assert book("init", "--keys", "others", "--store", "sqlite:///others.db").status == 0
        status, out, err = start("--keys", "others", "--processes", processes).ended()
        assert (status, out) == (20, [])
        assert [line.split(": ")[2] for line in err if line.startswith(ERROR)] == ["key-mismatch"]

    @both
    @pytest.mark.usefixtures("book")
    def test_a_clock_that_is_set_while_it_runs_ends_it_with_one_error_line(self, start, processes):
        status, out, err = start("--processes", processes, program=[CLOCK]).ended()
        assert (status, out) == (20, [])
        assert [line for line in err if not line.startswith(HINT)] == [
            f"{ERROR}clock-regressed: the host's clock was set"
        ]

    @both
    def test_a_file_that_breaks_under_it_ends_it(self, book, start, processes):
        fill(book, 300)
        worker = start("--processes", processes)
        worker.line()
        with Path("counterfoil.db").open("r+b") as file:
            # The file change counter: what was read before counts no more.
            file.seek(24)
            file.write(b"\xff" * 4)
            # All pages but the first.
            file.seek(8_192)
            file.write(b"\xff" * (Path("counterfoil.db").stat().st_size - 8_192))
        status, _, err = worker.ended()
        assert status == 20
        assert [line.split(": ")[2] for line in err if line.startswith(ERROR)] == ["log-corrupt"]

    @both
    def test_a_server_that_takes_no_more_writes_ends_it(self, book, start, processes, postgres, postgres_url):
        assert book("init", "--store", postgres_url).status == 0
        worker = start("--store", postgres_url, "--processes", processes)
        book("record", "cust_001", "1", "--reason", "x", "--store", postgres_url)
        worker.line()
        # As after a failover to a replica.
        name = postgres_url.partition("@/")[2].partition("?")[0]
        postgres._execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")  # noqa: SLF001
        for backend in postgres.backends():
            if backend.datname == name:
                postgres.terminate(backend.pid)
        status, _, err = worker.ended()
        assert status == 20
        codes = [line.split(": ")[2] for line in err if line.startswith(ERROR)]
        # Those that were cut off may say so before.
        assert codes[-1] == "unsafe-settings"
        assert set(codes[:-1]) <= {"store-unavailable", "commit-outcome-unknown"}

    @both
    @pytest.mark.usefixtures("book")
    def test_a_defect_ends_it_with_a_reference(self, start, processes):
        status, out, err = start("--processes", processes, program=[DEFECT]).ended()
        assert (status, out) == (70, [])
        [line] = [line for line in err if not line.startswith(HINT)]
        assert line.startswith(f"{ERROR}internal: ZeroDivisionError in work_through line ")

    @both
    def test_where_nobody_reads_any_more_it_ends_as_shells_have_it(self, book, start, processes):
        worker = start("--json", "--processes", processes)
        worker.process.stdout.close()
        book("record", "cust_001", "1", "--reason", "x")
        assert worker.process.wait() == 141
        assert worker.process.stderr.read() == ""

    @both
    def test_a_store_that_somebody_holds_is_waited_for(self, book, start, processes):
        book("record", "cust_001", "1", "--reason", "x")
        with closing(sqlite3.connect("counterfoil.db", isolation_level=None)) as other:
            worker = start("--processes", processes, program=[IMPATIENT])
            worker.line()
            other.execute("BEGIN EXCLUSIVE")
            assert worker.complaint().startswith(f"{ERROR}store-unavailable: ")
            other.execute("COMMIT")
        book("record", "cust_001", "1", "--reason", "x")
        assert worker.line() == "1 checkpoint signed, 0 refused"
        status, out, _ = worker.ended(signal.SIGTERM)
        assert (status, out) == (0, [])

    def test_a_server_that_is_away_for_a_while_is_waited_for(self, book, start):
        with Cluster(find_programs()) as cluster:
            cluster.start()
            cluster.create_database("store")
            url = cluster.url("store")
            assert book("init", "--store", url).status == 0
            worker = start("--store", url, "--processes", "2")
            book("record", "cust_001", "1", "--reason", "x", "--store", url)
            worker.line()
            cluster.stop()
            # Whoever was at a COMMIT cannot know; here it was a claim of nothing.
            assert worker.complaint().split(": ")[2] in {"store-unavailable", "commit-outcome-unknown"}
            cluster.start()
            assert book("record", "cust_001", "1", "--reason", "x", "--store", url).status == 0
            assert worker.line() == "1 checkpoint signed, 0 refused"
            status, out, _ = worker.ended(signal.SIGTERM)
            assert (status, out) == (0, [])
