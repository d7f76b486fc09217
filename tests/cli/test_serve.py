"""`serve`, as processes of their own."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest

from counterfoil.cli.keys import read_keys
from counterfoil.core.receipt import verify_receipt
from tests.cli.conftest import command, environment
from tests.postgres import children

PATIENCE_SECONDS = 120
DELTA = "/api/v1/balance/delta"
LISTENING = re.compile(r"listening     (http://\S+)")
API_KEY = re.compile(r"api key       (pk_test_\S+)  \(may read and write for tenant (\S+); not shown again\)")


class Served:
    """A server in processes of its own."""

    def __init__(self, folder, *arguments, **more):
        self.process = subprocess.Popen(
            [*command("serve", "--port", "0"), *map(str, arguments)],
            cwd=folder,
            env=environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._watchdog = threading.Timer(PATIENCE_SECONDS, self.process.kill)
        self._watchdog.start()
        self.said = []
        self.key = None
        self.client = None

    def ready(self):
        """Wait until it listens; return itself."""
        while not (match := LISTENING.match(line := self._line())):
            self.said.append(line)
            if found := API_KEY.match(line):
                self.key = found[1]
        self.url = match[1]
        self.client = httpx.Client(base_url=self.url, timeout=30)
        return self

    def _line(self):
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return line.rstrip("\n")

    def record(self, amount="1", *, key=None, **headers):
        headers = {"X-Api-Key": key or self.key, **headers}
        body = {"customerId": "cust_001", "delta": amount, "reason": "x"}
        return self.client.post(DELTA, json=body, headers=headers)

    def get(self, path):
        return self.client.get(path, headers={"X-Api-Key": self.key or ""})

    def workers(self):
        return children(self.process.pid)

    def ended(self, how=None):
        """Its exit status, and what else it wrote."""
        if how is not None:
            self.process.send_signal(how)
        out, err = self.process.stdout.read(), self.process.stderr.read()
        return self.process.wait(), out, err

    def close(self):
        self._watchdog.cancel()
        for each in [self.process.pid, *self.workers()]:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        if self.client is not None:
            self.client.close()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture
def serve(cf, tmp_path):
    """Start a server in the folder of the test, which is empty."""
    del cf
    started = []

    def begin(*arguments, **more):
        started.append(Served(tmp_path, *arguments, **more))
        return started[-1]

    yield begin
    for each in started:
        each.close()


def until(happened):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := happened()):
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.02)
    return found


def is_verified(server, record_id):
    return server.get(f"{DELTA}/{record_id}").json()["data"]["status"] == "VERIFIED"


class TestFromAnEmptyFolder:
    @pytest.mark.parametrize("database", ["sqlite", "postgres"])
    def test_one_command_leads_to_a_verified_receipt(self, request, serve, database):
        more = {}
        if database == "postgres":
            more["COUNTERFOIL_STORE"] = request.getfixturevalue("postgres_url")
        server = serve("--checkpoint-every", "0.05", "--operator", "ledger.example.com", **more).ready()
        answer = server.record("-12.5")
        assert answer.status_code == 201
        record_id = answer.json()["data"]["recordId"]
        until(lambda: is_verified(server, record_id))
        receipt = server.get(f"{DELTA}/{record_id}/receipt").json()["data"]["receipt"]
        keys = read_keys(["counterfoil-keys/operator.vkey"])
        assert (
            verify_receipt(json.dumps(receipt), keys, customer_id="cust_001").entry.amount == -12_500_000_000
        )
        assert server.ended(signal.SIGTERM)[0] == 0

    def test_keys_store_and_a_first_api_key_are_made_and_shown(self, serve, tmp_path):
        server = serve("--tenant", "acme").ready()
        assert [line.split()[0] for line in server.said] == ["verifier", "key", "store", "api"]
        assert API_KEY.match(server.said[-1])[2] == "acme"
        assert (tmp_path / "counterfoil-keys").is_dir()
        status, out, err = server.ended(signal.SIGTERM)
        assert (status, out) == (0, "")
        assert server.key not in err

    def test_the_key_is_shown_this_once(self, serve):
        first = serve().ready()
        first.ended(signal.SIGTERM)
        second = serve().ready()
        assert second.said == []
        assert second.record(key=first.key).status_code == 201

    def test_a_store_that_is_missing_is_not_made_for_keys_that_are_there(self, serve, book, tmp_path):
        book("record", "cust_001", "1", "--reason", "x")
        (tmp_path / "counterfoil.db").unlink()
        status, _, err = serve().ended()
        assert status == 2
        assert "there is no store at counterfoil.db" in err
        assert not (tmp_path / "counterfoil.db").exists()

    def test_an_operator_that_is_another_one_is_refused(self, serve, book):
        assert book("key", "check").status == 0
        status, _, err = serve("--operator", "other.example.com").ended()
        assert status == 2
        assert "of ledger.example.com" in err

    def test_a_store_that_is_there_gets_an_api_key(self, serve, book):
        book("record", "cust_001", "1", "--reason", "x")
        server = serve().ready()
        assert server.record().json()["data"]["sequenceNumber"] == 2


class TestRefusals:
    def test_a_port_that_is_taken_is_refused_before_anything_is_made(self, serve, tmp_path):
        with closing(socket.create_server(("127.0.0.1", 0))) as other:
            status, out, err = serve("--port", other.getsockname()[1]).ended()
        assert (status, out) == (74, "")
        assert "error: io-error: cannot listen on 127.0.0.1 port" in err
        assert "--port" in err
        assert names_in(tmp_path) == []

    @pytest.mark.parametrize("url", ["ledger.example.com", "ftp://x", "https://x?y", "https://a b"])
    def test_a_public_url_that_is_none_is_refused(self, serve, tmp_path, url):
        status, _, err = serve("--public-url", url).ended()
        assert (status, "error: usage: --public-url" in err) == (2, True)
        assert names_in(tmp_path) == []

    def test_without_the_extra_it_says_what_to_install(self, serve, tmp_path):
        missing = tmp_path / "missing"
        missing.mkdir()
        (missing / "uvicorn.py").write_text("raise ModuleNotFoundError('no', name='uvicorn')\n")
        status, _, err = serve(
            PYTHONPATH=os.pathsep.join([str(missing), environment()["PYTHONPATH"]])
        ).ended()
        assert status == 2
        assert "pip install 'counterfoil[server]'" in err


class TestRunning:
    def test_links_lead_to_the_public_url(self, serve):
        server = serve("--public-url", "https://ledger.example.com/", "--checkpoint-every", "0.05").ready()
        record_id = server.record().json()["data"]["recordId"]
        until(lambda: is_verified(server, record_id))
        root = server.get(f"{DELTA}/{record_id}").json()["data"]["proofRoot"]
        url = server.get(f"/api/v1/verify/{root}").json()["data"]["verification"]["checkpointUrl"]
        assert url.startswith("https://ledger.example.com/api/v1/checkpoints/0x")

    def test_a_rate_is_kept(self, serve):
        server = serve("--rate-limit", "0.001").ready()
        assert [server.record().status_code for _ in range(2)] == [201, 429]

    def test_requests_are_logged_as_json_where_that_is_wanted(self, serve):
        server = serve("--log-level", "debug").ready()
        server.record()
        _, _, err = server.ended(signal.SIGTERM)
        lines = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
        [request] = [line for line in lines if line["event"] == "request"]
        assert (request["route"], request["status"]) == (DELTA, 201)
        assert server.key.partition(".")[2] not in err

    def test_several_processes_answer_and_count_together(self, serve):
        server = serve("--processes", "2").ready()
        assert len(until(lambda: len(server.workers()) == 3 and server.workers())) == 3
        for _ in range(40):
            # A connection of its own each time, so that both get some.
            with httpx.Client(base_url=server.url) as client:
                assert client.get("/healthz").status_code == 200
        count = re.search(
            r'_count\{method="GET",route="/healthz",status="200"\} (\d+)', server.get("/metrics").text
        )
        assert count[1] == "40"

    def test_one_that_is_killed_is_replaced(self, serve):
        server = serve().ready()
        server.record()
        before = server.workers()
        for each in before:
            os.kill(each, signal.SIGKILL)
        until(lambda: len(server.workers()) == 2 and not set(server.workers()) & set(before))
        with httpx.Client(base_url=server.url, timeout=30) as client:
            assert client.get("/readyz").status_code == 200
        assert server.ended(signal.SIGTERM)[0] == 0


class TestEnding:
    @pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
    def test_it_ends_when_it_is_asked_to(self, serve, how):
        server = serve("--processes", "2").ready()
        workers = until(lambda: len(server.workers()) == 3 and server.workers())
        assert server.ended(how)[0] == 0
        assert not [each for each in workers if Path(f"/proc/{each}").exists()]

    def test_what_is_in_flight_is_answered_first(self, serve):
        server = serve().ready()
        host, port = server.url.removeprefix("http://").split(":")
        body = b'{"customerId":"cust_001","delta":1,"reason":"x"}'
        with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as connection:
            head = f"POST {DELTA} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {server.key}\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:10])
            # A whole request behind it on another connection shows that this one has come in.
            assert server.record().status_code == 201
            server.process.send_signal(signal.SIGTERM)
            until(lambda: not accepts(host, int(port)))
            connection.sendall(body[10:])
            answer = b""
            while piece := connection.recv(65_536):
                answer += piece
        assert answer.startswith(b"HTTP/1.1 201")
        assert server.ended()[0] == 0

    def test_when_the_first_process_is_killed_the_others_end(self, serve):
        server = serve().ready()
        workers = until(lambda: len(server.workers()) == 2 and server.workers())
        server.process.kill()
        until(lambda: not [each for each in workers if is_running(each)])

    def test_nothing_is_left_behind(self, serve, tmp_path):
        temporary = tmp_path / "temporary"
        temporary.mkdir()
        server = serve("--processes", "2", TMPDIR=str(temporary)).ready()
        assert len(names_in(temporary)) == 1
        server.ended(signal.SIGTERM)
        assert names_in(temporary) == []


def names_in(folder):
    return [path.name for path in folder.iterdir()]


def accepts(host, port):
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def is_running(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False
