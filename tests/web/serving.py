"""`counterfoil serve` in processes of its own, seen from outside: started, spoken to byte by byte, killed, measured."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from counterfoil.storage.key_folder import load_key_folder
from counterfoil.web.server import answer_requests
from tests.postgres import children

OPERATOR_NAME = "ledger.example.com"
# Whatever takes longer hangs.
PATIENCE_SECONDS = 60
PROGRAM = ("-m", "counterfoil")
ROOT = Path(__file__).resolve().parents[2]
JSON = {"Content-Type": "application/json"}
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class Served:
    """A server over a store; started once or again and again.

    Attributes:
        store: URL of the store.
        port: where it listens.
        key: an API key that opens everything.
    """

    def __init__(self, folder, *, options=(), store=None, program=PROGRAM):
        self.folder = folder
        self.store = store or f"sqlite:///{folder / 'counterfoil.db'}"
        self.port = self.key = self.process = None
        self._log = folder / "server.log"
        place = ["--keys", str(folder / "keys"), "--store", self.store]
        self._command = [sys.executable, *program, "serve", "--port", "0", *place, *map(str, options)]
        # What a developer's shell names is kept from it.
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PG", "COUNTERFOIL"))
        }

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()

    def start(self):
        """Start it; return when it listens."""
        made = [] if (self.folder / "keys").exists() else ["--operator", OPERATOR_NAME]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._command, *made],
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                env=self._environment,
                # So that all of it can be killed at once.
                start_new_session=True,
                # No line is read before it is asked for, so that `select` sees whether there is one.
                bufsize=0,
            )
        until = time.monotonic() + PATIENCE_SECONDS
        while not (line := self._line(until)).startswith("listening"):
            if line.startswith("api key"):
                self.key = line.split()[2]
        self.port = int(line.rpartition(":")[2])

    def _line(self, until):
        ready, _, _ = select.select([self.process.stdout], [], [], max(0, until - time.monotonic()))
        line = self.process.stdout.readline().decode() if ready else ""
        assert line, f"the server does not listen: {self.log}"
        return line

    # How it ends.

    def kill(self):
        """Kill all of its processes at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_SECONDS)
        self.process.stdout.close()

    def end(self, number=signal.SIGTERM):
        """Ask it to end; return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    # What it is.

    @property
    def log(self):
        return self._log.read_text(encoding="utf-8")

    @property
    def answering(self):
        """The process that answers, of a server with one."""
        (found,) = self.all_answering(1)
        return found

    def all_answering(self, count):
        """Return the processes that answer: they are started before the one in the background."""
        until = time.monotonic() + PATIENCE_SECONDS
        while len(found := sorted(children(self.process.pid))) <= count:
            assert time.monotonic() < until
            time.sleep(0.01)
        return found[:count]

    @property
    def cpu_seconds(self):
        """What the process that answers has computed for."""
        fields = Path(f"/proc/{self.answering}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND

    @property
    def memory_bytes(self):
        """What of the process that answers lies in memory."""
        pages = Path(f"/proc/{self.answering}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    @property
    def operator(self):
        """Who signs."""
        return load_key_folder(self.folder / "keys")

    # How it is spoken to.

    def connect(self):
        return connect(self.port)

    def tell(self, data):
        """Send bytes over a connection of their own; return what is answered first."""
        with closing(self.connect()) as connection:
            connection.send(data)
            return connection.answer()

    def ask(self, method, path, body=None, key=..., **headers):
        """Make an ordinary request."""
        return self.tell(request(method, path, body, self.key if key is ... else key, **headers))


def connect(port):
    """Connect to a server of this host."""
    return Connection(socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS))


class Reply(NamedTuple):
    """An answer.

    Attributes:
        status: as a number.
        headers: by their names in lower case.
        body: its bytes.
    """

    status: int
    headers: dict
    body: bytes

    @property
    def document(self):
        return json.loads(self.body)

    @property
    def data(self):
        assert self.status in (200, 201), self
        return self.document["data"]

    @property
    def code(self):
        """The code of a refusal, which is written as refusals are."""
        assert self.headers["content-type"] == "application/problem+json", self
        document = self.document
        assert document["type"] == f"urn:counterfoil:error:{document['code']}"
        assert document["status"] == self.status
        return document["code"]


class Connection:
    """A connection on which any bytes are sent, and answers are read."""

    def __init__(self, sock):
        self.socket = sock
        self._reader = sock.makefile("rb")

    def send(self, data):
        """Send bytes; a server that has closed its side by now is no error."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def answers(self):
        """Return all answers until the server closes."""
        return list(iter(self.answer, None))

    def answer(self, method="GET"):
        """Return the next answer, None where the server closes instead; one to HEAD has no body."""
        try:
            start = self._reader.readline()
        except ConnectionResetError:
            return None
        if not start:
            return None
        version, status, _ = start.decode("ascii").split(" ", 2)
        assert version == "HTTP/1.1", start
        headers = {}
        while (line := self._reader.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            assert name.lower() not in headers, line
            headers[name.lower()] = value.strip()
        length = 0 if method == "HEAD" else int(headers.get("content-length", 0))
        return Reply(int(status), headers, self._reader.read(length))

    def close(self):
        self._reader.close()
        self.socket.close()


def request(method, path, body=None, key=None, **headers):
    """Return the bytes of an ordinary request; a header's name has _ for -, and one that is None is left out."""
    all_headers = {"Host": "ledger.example.com", "X-Api-Key": key}
    if body is not None:
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        all_headers |= JSON | {"Content-Length": len(body)}
    all_headers |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in all_headers.items() if value is not None]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1") + (body or b"")


class Wish:
    """A server's wish to end, that a test has."""

    def __init__(self):
        self._wanted = threading.Event()

    def is_wanted(self):
        return self._wanted.is_set()

    def wait(self, seconds):
        self._wanted.wait(seconds)

    def want(self):
        self._wanted.set()


@contextmanager
def answering(services):
    """Answer requests in a thread of this process, so that a test can change what the server is patient with."""
    stop = Wish()
    with socket.create_server(("127.0.0.1", 0), backlog=2_048) as listener:
        thread = threading.Thread(target=answer_requests, args=(listener, services, stop))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stop.want()
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()
