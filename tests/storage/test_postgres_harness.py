"""What the tests' PostgreSQL promises: whose it is, what it keeps through a kill, and that nothing of it stays behind."""

import importlib.util
import os
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from tests.postgres import PATIENCE_SECONDS, Cluster, children, find_programs, quick_folder, server_user

# What Debian's packages installed, of the versions that are supported, is tested beside the one that tests use.
DEBIAN = [
    program.parent
    for program in sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if int(program.parts[-3]) >= 15
]
CYCLES = 5
# Enough that one of them comes before the log is written, which happens every 200 ms; nearly each one does.
CYCLES_MAX = 50
COMMITS = 50

OWNER = """
import signal, sys
from tests.postgres import Cluster, find_programs, quick_folder
# In the background of a script it would be ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
cluster = Cluster(find_programs(), quick_folder())
cluster.start()
pid = cluster.process.pid
if sys.argv[1:] == ["kill"]:
    cluster.kill()
print(cluster.folder, cluster.data, pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module", params=[None, *DEBIAN], ids=str)
def cluster(request):
    with Cluster(request.param or find_programs(), quick_folder()) as made:
        made.start()
        made.create_database("kept")
        with connected(made.url("kept")) as connection:
            connection.execute("CREATE TABLE kept (number int)")
        yield made


def connected(url):
    return closing(psycopg.connect(url, autocommit=True))


def kept(url):
    with connected(url) as connection:
        return {number for (number,) in connection.execute("SELECT number FROM kept")}


def keep(connection, number):
    connection.execute("INSERT INTO kept VALUES (%s)", [number])


def recoveries(cluster):
    return cluster.log.read_text().count("automatic recovery in progress")


def lost_by_a_kill(cluster, **settings):
    """Commit some rows, kill the server at once, start it again; return the acknowledged rows that are gone."""
    url = cluster.url("kept")
    first = max(kept(url), default=0) + 1
    before = recoveries(cluster)
    with connected(url) as connection:
        for number in range(first, first + COMMITS):
            keep(connection, number)
        cluster.kill()
    cluster.start(**settings)
    assert recoveries(cluster) == before + 1
    return set(range(first, first + COMMITS)) - kept(url)


def processes(cluster):
    return [cluster.process.pid, *children(cluster.process.pid)]


def network_sockets(cluster):
    """Return the server's sockets that have a network address, whatever they do."""
    kinds = ("tcp", "tcp6", "udp", "udp6", "raw", "raw6")
    tables = [Path("/proc", str(cluster.process.pid), "net", kind) for kind in kinds]
    inodes = {line.split()[9] for table in tables for line in table.read_text().splitlines()[1:]}
    folders = " ".join(f"/proc/{pid}/fd/*" for pid in processes(cluster))
    # Not everywhere may root look into another user's process.
    links = subprocess.run(
        ["/bin/sh", "-c", f"readlink {folders}"], check=False, capture_output=True, text=True, **server_user()
    ).stdout.split()
    sockets = {
        link.removeprefix("socket:[").removesuffix("]") for link in links if link.startswith("socket:")
    }
    assert sockets, "the socket in the folder is not found either"
    return sockets & inodes


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


# The programs.


def test_a_folder_that_is_named_is_taken_rather_than_the_wheel(tmp_path, monkeypatch):
    for name in ("initdb", "postgres"):
        (tmp_path / name).touch()
    monkeypatch.setenv("COUNTERFOIL_TEST_POSTGRES", str(tmp_path))
    assert find_programs() == tmp_path


def test_a_folder_without_the_programs_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("COUNTERFOIL_TEST_POSTGRES", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="has no initdb"):
        find_programs()


def test_where_there_is_no_server_the_way_to_one_is_named(monkeypatch):
    monkeypatch.delenv("COUNTERFOIL_TEST_POSTGRES", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(FileNotFoundError, match="COUNTERFOIL_TEST_POSTGRES"):
        find_programs()


def test_an_installation_in_a_folder_closed_to_the_servers_user_works(tmp_path):
    programs = find_programs()
    tmp_path.chmod(0o700)
    (tmp_path / "closed").symlink_to(programs.parents[2])
    with Cluster(tmp_path / "closed" / programs.relative_to(programs.parents[2])) as cluster:
        cluster.start()
        assert cluster.programs.is_relative_to(cluster.folder) == (os.geteuid() == 0)
        assert cluster.backends() == []


# The server.


def test_no_process_of_it_is_roots(cluster):
    owners = []
    for pid in processes(cluster):
        # A helper of the server's may have ended meanwhile.
        with suppress(FileNotFoundError, ProcessLookupError):
            status = Path("/proc", str(pid), "status").read_text().splitlines()
            owners += next(line.split()[1:] for line in status if line.startswith("Uid:"))
    assert len(owners) > 4
    assert "0" not in owners


def test_it_has_no_network_address(cluster):
    assert network_sockets(cluster) == set()


def test_a_network_address_would_be_seen(cluster):
    """The control of the test above."""
    cluster.stop()
    cluster.start(listen_addresses="127.0.0.1", port=free_port())
    try:
        assert network_sockets(cluster) != set()
    finally:
        cluster.stop()
        cluster.start()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("listen_addresses", ""),
        ("dynamic_shared_memory_type", "mmap"),
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("server_encoding", "UTF8"),
        ("lc_messages", "C"),
    ],
)
def test_it_is_set_as_promised(cluster, name, value):
    with connected(cluster.url("kept")) as connection:
        assert connection.execute("SELECT current_setting(%s)", [name]).fetchone() == (value,)


def test_a_server_that_does_not_start_says_why_and_can_be_started_otherwise(cluster):
    cluster.stop()
    with pytest.raises(RuntimeError, match='invalid value for parameter "shared_buffers"'):
        cluster.start(shared_buffers="some")
    cluster.start()
    assert cluster.backends() == []


# The databases.


def test_a_database_is_a_copy_of_its_template_and_is_dropped_under_whoever_is_connected(cluster):
    cluster.create_database("template")
    with connected(cluster.url("template")) as connection:
        connection.execute("CREATE TABLE kept (number int)")
    with cluster.database("template") as url:
        left = psycopg.connect(url, autocommit=True)
        keep(left, 1)
        assert kept(url) == {1}
    left.close()
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)
    assert kept(cluster.url("template")) == set()
    cluster.drop_database("template")


def test_a_database_without_a_template_is_empty(cluster):
    with cluster.database() as url, connected(url) as connection:
        tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        assert connection.execute(tables).fetchone() == (0,)


def test_a_connection_is_listed_and_can_be_cut_off(cluster):
    with connected(cluster.url("kept")) as connection:
        connection.execute("BEGIN")
        (backend,) = cluster.backends()
        pid = connection.info.backend_pid
        assert (backend.pid, backend.datname, backend.state) == (pid, "kept", "idle in transaction")
        assert cluster.terminate(pid)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert cluster.backends() == []
    assert not cluster.terminate(pid)


# The kill.


def test_a_kill_leaves_no_process_and_the_files_as_they_are(cluster):
    handles = []
    for pid in processes(cluster):
        # One that vacuums comes and goes by itself.
        with suppress(ProcessLookupError):
            handles.append(os.pidfd_open(pid))
    assert len(handles) > 4
    assert cluster.kill() > 4
    for handle in handles:
        assert select.select([handle], [], [], 0)[0]
        os.close(handle)
    assert (cluster.data / "postmaster.pid").exists()
    assert cluster.socket.exists()
    cluster.start()


def test_what_was_committed_is_there_after_a_kill(cluster):
    for _ in range(CYCLES):
        assert lost_by_a_kill(cluster) == set()


def test_a_commit_that_does_not_wait_for_the_disk_is_lost_by_a_kill(cluster):
    """The control of the test above."""
    unsafe = {"synchronous_commit": "off"}
    cluster.stop()
    cluster.start(**unsafe)
    try:
        assert any(lost_by_a_kill(cluster, **unsafe) for _ in range(CYCLES_MAX))
    finally:
        cluster.stop()
        cluster.start()


def test_it_starts_though_another_process_has_the_number_of_the_killed_one(cluster):
    killed = str(cluster.process.pid)
    cluster.kill()
    with subprocess.Popen(["sleep", "infinity"], **server_user()) as other:
        for lock in (cluster.data / "postmaster.pid", Path(f"{cluster.socket}.lock")):
            lock.write_text(lock.read_text().replace(killed, str(other.pid), 1))
        try:
            cluster.start()
        finally:
            other.kill()
    assert cluster.backends() == []


# The end.


def segments():
    """Return the numbers of the shared memory segments there are."""
    return {line.split()[1] for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]}


def wait_until_removed(*folders):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(folder.exists() for folder in folders):
        assert time.monotonic() < deadline, f"still there: {folders}"
        time.sleep(0.01)


@contextmanager
def owner_of_a_cluster(*arguments):
    """Run a process that has a cluster; give it, the cluster's two folders, and its first process's number."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, *arguments],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as owner:
        folder, data, pid = owner.stdout.readline().split()
        yield owner, Path(folder), Path(data), int(pid)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_the_tests_end_neither_server_nor_folder_stays(how):
    with owner_of_a_cluster() as (owner, folder, data, pid):
        server = os.pidfd_open(pid)
        assert (data / "postmaster.pid").exists()
        owner.send_signal(how)
    assert owner.returncode == -how
    wait_until_removed(folder, data)
    assert select.select([server], [], [], 0)[0]
    os.close(server)


def test_of_a_server_that_was_killed_no_shared_memory_stays():
    with owner_of_a_cluster("kill") as (_, folder, data, _):
        segment = (data / "postmaster.pid").read_text().splitlines()[6].split()[1]
        assert segment in segments()
    wait_until_removed(folder, data)
    assert segment not in segments()
