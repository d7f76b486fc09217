"""Clients that take their time, or all of it: each is let go, and nobody else waits for them."""

import json
import socket
import time
from contextlib import ExitStack, closing

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from counterfoil.engine import apikeys
from counterfoil.storage.memory import MemoryStore
from counterfoil.web import server
from counterfoil.web.state import Services, Settings
from tests.support import OPERATOR, FakeClock, seeded
from tests.web.serving import PATIENCE_SECONDS, answering, connect, request

DELTA = "/api/v1/balance/delta"
BODY = {"customerId": "alice", "delta": 1, "reason": "usage"}
TEXT = json.dumps(BODY).encode()
HEALTH = request("GET", "/healthz")
# What a server of these tests waits for; a client waits for a minute.
SHORT_SECONDS = 0.5
CONNECTIONS = 40
# The description has over 100 kB; all of these are more than what lies between two sockets.
DESCRIPTIONS = 200
REST_BYTES_MAX = 1 << 16
STATUS = b"HTTP/1.1 200 OK"


@pytest.fixture(scope="module")
def services():
    return Services(
        MemoryStore(FakeClock()), OPERATOR, Settings(body_seconds_max=SHORT_SECONDS), randomness=seeded()
    )


@pytest.fixture(scope="module")
def key(services):
    issued = apikeys.create(
        services.store, tenant="default", scopes=("read", "write"), randomness=seeded("key")
    )
    return issued.text


@pytest.fixture(scope="module")
def port(services):
    """A server with little patience."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_HEAD_SECONDS_MAX", "_REST_SECONDS_MAX", "_WRITE_SECONDS_MAX"):
            patch.setattr(server, name, SHORT_SECONDS)
        patch.setattr(server, "_CONNECTIONS_MAX", CONNECTIONS)
        patch.setattr(server, "_REST_BYTES_MAX", REST_BYTES_MAX)
        with answering(services) as port:
            yield port


@pytest.fixture
def connection(port):
    with closing(connect(port)) as connection:
        yield connection


def drip(connection, data):
    """Send a byte now and then, until the server closes; return whether all of it could be sent."""
    for byte in data:
        try:
            connection.socket.sendall(bytes([byte]))
        except OSError:
            return False
        time.sleep(SHORT_SECONDS / 10)
    return True


def head(key=None, **headers):
    """Return a head that announces a body."""
    return request("POST", DELTA, key=key, **{"Content-Type": "application/json", **headers})


def assert_timed_out(connection):
    answer = connection.answer()
    assert (answer.status, answer.code) == (408, "request-timeout")
    assert answer.headers["connection"] == "close"
    assert connection.answer() is None


class TestHeads:
    def test_a_client_that_says_nothing_is_let_go_without_a_word(self, connection):
        assert connection.answer() is None

    def test_a_head_that_stops_is_refused(self, connection):
        connection.send(HEALTH[:-2])
        assert_timed_out(connection)

    def test_a_head_that_comes_byte_by_byte_is_refused(self, connection):
        assert not drip(connection, HEALTH[:-2] + b"X-Header: " + b"a" * 1_000)
        assert_timed_out(connection)

    def test_the_second_head_of_a_connection_has_its_own_time(self, connection):
        connection.send(HEALTH)
        assert connection.answer().status == 200
        # Between two requests nothing is waited for.
        time.sleep(2 * SHORT_SECONDS)
        connection.send(HEALTH)
        assert connection.answer().status == 200
        connection.send(HEALTH[:10])
        assert_timed_out(connection)


class TestBodies:
    def test_a_body_that_stops_is_refused(self, connection, key):
        connection.send(head(key, Content_Length=len(TEXT)) + TEXT[:5])
        assert_timed_out(connection)

    def test_a_body_that_does_not_begin_is_refused(self, connection, key):
        connection.send(head(key, Content_Length=len(TEXT)))
        assert_timed_out(connection)

    def test_a_body_that_comes_byte_by_byte_is_refused(self, connection, key):
        connection.send(head(key, Content_Length=1_000))
        assert not drip(connection, b" " * 1_000)
        assert_timed_out(connection)

    def test_one_in_pieces_that_does_not_end_is_refused(self, connection, key):
        connection.send(head(key, Transfer_Encoding="chunked") + b"2\r\n{}\r\n")
        assert_timed_out(connection)

    def test_one_that_nobody_reads_has_its_time_too(self, connection):
        connection.send(head(Content_Length=1_000))
        assert connection.answer().code == "invalid-api-key"
        assert not drip(connection, b" " * 1_000)
        assert connection.answer() is None

    @pytest.mark.parametrize("start", [
        head(Content_Length=1_000_000), head(Transfer_Encoding="chunked") + b"f4240\r\n",
        head(Transfer_Encoding="chunked") + b"1\r\n \r\n0\r\nX-Behind: ", head(Transfer_Encoding="chunked") + b"1;",
    ], ids=["counted", "in pieces", "a header behind it", "an extension of a piece"])  # fmt: skip
    def test_of_one_that_nobody_reads_no_more_than_so_much_is_taken(self, connection, start):
        connection.send(start)
        assert connection.answer().code == "invalid-api-key"
        for _ in range(16):
            connection.send(b"a" * REST_BYTES_MAX)
        assert connection.answer() is None

    def test_what_is_refused_for_its_time_is_not_recorded(self, connection, key, services):
        body = json.dumps({**BODY, "customerId": "late"}).encode()
        connection.send(head(key, Content_Length=len(body)) + body[:-1])
        assert_timed_out(connection)
        log = OPERATOR.log_of("default", "late")
        with services.store.read() as view:
            assert not view.heads([log])


class TestReaders:
    @pytest.fixture
    def asked(self, port):
        """A client that asks for more than lies between two sockets."""
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            sock.settimeout(PATIENCE_SECONDS)
            sock.connect(("127.0.0.1", port))
            sock.sendall(request("GET", "/openapi.json") * DESCRIPTIONS)
            yield sock

    def test_one_that_reads_gets_everything(self, asked):
        assert read_all(asked) == DESCRIPTIONS

    def test_one_that_does_not_read_is_let_go(self, asked):
        until = time.monotonic() + PATIENCE_SECONDS
        while is_open(asked):
            assert time.monotonic() < until
            time.sleep(SHORT_SECONDS / 10)
        assert read_all(asked) < DESCRIPTIONS


def is_open(sock):
    try:
        # Between two requests a line end means nothing.
        sock.sendall(b"\r\n")
    except OSError:
        return False
    return True


def read_all(sock):
    """Return how many answers come, until the server closes or falls silent."""
    found, rest = 0, b""
    sock.settimeout(4 * SHORT_SECONDS)
    try:
        while found < DESCRIPTIONS and (data := sock.recv(1 << 20)):
            rest += data
            found += rest.count(STATUS)
            rest = rest[1 - len(STATUS) :]
    except OSError:
        pass
    return found


class TestCrowds:
    def test_the_others_are_served_meanwhile(self, port, key):
        slow = [
            b"",
            HEALTH[:-2],
            head(key, Content_Length=1_000),
            head(key, Transfer_Encoding="chunked") + b"5\r\n",
            head(Content_Length=1_000),
        ]
        with ExitStack() as stack:
            for number in range(CONNECTIONS // 2):
                client = stack.enter_context(closing(connect(port)))
                client.send(slow[number % len(slow)])
            client = stack.enter_context(closing(connect(port)))
            for number in range(20):
                client.send(request("POST", DELTA, {**BODY, "delta": number + 1}, key))
                assert client.answer().status == 201

    def test_a_connection_too_many_is_told_so(self, port):
        with ExitStack() as stack:
            clients = [stack.enter_context(closing(connect(port))) for _ in range(CONNECTIONS + 1)]
            for client in clients:
                client.send(HEALTH)
            answers = [client.answer() for client in clients]
        refused = [answer for answer in answers if answer.status != 200]
        assert refused
        assert {(answer.status, answer.code) for answer in refused} == {(503, "store-unavailable")}
        assert all(answer.headers["connection"] == "close" for answer in refused)
        # When these have gone there is room again.
        until = time.monotonic() + PATIENCE_SECONDS
        while ask(port, HEALTH).status != 200:
            assert time.monotonic() < until


def ask(port, data):
    with closing(connect(port)) as client:
        client.send(data)
        return client.answer()


def test_a_server_without_these_bounds_is_noticed(services, monkeypatch):
    """The control: the protocol as it comes with the web server."""
    monkeypatch.setattr(server, "_BoundedProtocol", HttpToolsProtocol)
    with answering(services) as port, closing(connect(port)) as client:
        client.socket.settimeout(4 * SHORT_SECONDS)
        client.send(HEALTH[:-2])
        with pytest.raises(TimeoutError):
            assert_timed_out(client)
