"""A server under requests that nobody sends in good faith: each is refused by a code, at little cost, and nothing stays.

Spoken byte by byte to `counterfoil serve`, in processes of its own.
"""

import json
import threading
from contextlib import ExitStack, closing

import pytest

from counterfoil.errors import CODES
from tests.web import hostile
from tests.web.hostile import BALANCE, BODY_ROUTES, DELTA, EVENT, bodies_of, path_of
from tests.web.serving import Served, request

# What answers and refusals bear.
HEADERS = {
    "allow", "cache-control", "connection", "content-length", "content-type", "date", "retry-after",
    "x-content-type-options", "x-request-id",
}  # fmt: skip
HEALTH = request("GET", "/healthz")
# What one of them may take at the most.  An ordinary request takes a thousandth of it.
CPU_SECONDS_MAX = 1.0
MEMORY_BYTES_MAX = 48 << 20
BAD_KEYS = 10_000
CLIENTS = 50
# A request with a key that nobody has may take as much as so many with one that opens.
BAD_KEYS_COST_MAX = 10


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    with Served(folder, options=("--checkpoint-every", 0, "--log-level", "debug")) as served:
        assert served.ask("POST", DELTA, {"customerId": "alice", "delta": 5, "reason": "usage"}).status == 201
        assert served.ask("POST", f"{BALANCE}/checkpoint", {"customerId": "alice"}).status == 201
        yield served


@pytest.fixture
def connection(served):
    with closing(served.connect()) as connection:
        yield connection


def each(table):
    return pytest.mark.parametrize("name", table)


def assert_plain(answer):
    """Hold a refusal to be one of ours, with nothing in it that was sent and could do something."""
    assert 400 <= answer.status < 500, answer
    assert answer.code in CODES
    assert answer.headers.keys() <= HEADERS
    assert answer.body.isascii()
    assert answer.body.decode("ascii").isprintable()


def assert_answered(answer, expected):
    if isinstance(expected, int):
        assert answer.status == expected, answer
        return
    assert_plain(answer)
    assert answer.code == expected, answer


def assert_meets(connection, sent):
    """Hold the server to what bytes are answered; where it closes, what stands behind them is no request."""
    if sent.closes:
        connection.send(sent.data + HEALTH)
        answers = connection.answers()
        assert len(answers) == 1, answers
        assert answers[0].headers["connection"] == "close"
        assert_answered(answers[0], sent.expected)
        return
    connection.send(sent.data)
    assert_answered(connection.answer(), sent.expected)
    connection.send(HEALTH)
    assert connection.answer().status == 200


class TestHeads:
    @each(hostile.LINES)
    def test_a_request_line(self, connection, name):
        assert_meets(connection, hostile.LINES[name])

    @each(hostile.HEADERS)
    def test_headers(self, connection, name):
        assert_meets(connection, hostile.HEADERS[name])

    @pytest.mark.parametrize("host", [[], [b"Host: a", b"Host: b"], [b"Host: evil.example"], [b"Host: \xff"]])
    def test_a_host_means_nothing(self, connection, host):
        connection.send(hostile.start(b"GET /healthz HTTP/1.1", *host))
        assert connection.answer().status == 200

    @pytest.mark.parametrize("name", ["X-Api-Key", "Idempotency-Key", "Content-Type", "Content-Encoding"])
    def test_one_that_has_to_stand_alone(self, served, name):
        twice = f"{name}: a".encode()
        data = hostile.framed(b"Content-Length: 49", twice, twice, key=served.key)
        assert_answered(served.tell(data), "invalid-field")

    @pytest.mark.parametrize(
        "key",
        [b"", b" ", b"a b", b"\xc3\xa9", b"\xff", b"a" * 256, b"a\tb", "\N{FULLWIDTH DIGIT ONE}".encode()],
    )
    def test_an_idempotency_key_that_is_none(self, served, key):
        data = hostile.framed(b"Content-Length: 49", b"Idempotency-Key: " + key, key=served.key)
        assert_answered(served.tell(data), "invalid-field")


class TestFraming:
    @each(hostile.framings(""))
    def test_where_a_body_ends(self, served, connection, name):
        assert_meets(connection, hostile.framings(served.key)[name])

    @each(hostile.kinds(""))
    def test_a_body_of_another_kind(self, served, connection, name):
        assert_meets(connection, hostile.kinds(served.key)[name])

    def test_requests_one_behind_the_other_are_answered_in_their_order(self, served, connection):
        paths = ["/healthz", "/nowhere", f"{BALANCE}/limits", "/api/v1/keys"] * 5
        connection.send(b"".join(request("GET", path, key=served.key) for path in paths))
        assert [connection.answer().status for _ in paths] == [200, 404, 200, 200] * 5

    def test_a_request_that_was_whole_gets_its_own_answer_whatever_comes_behind_it(self, served, connection):
        whole = request("POST", DELTA, {"customerId": "whole", "delta": 1, "reason": "usage"}, served.key)
        connection.send(whole + b"\x00 noise\r\n\r\n")
        (answer,) = connection.answers()
        assert answer.status == 201
        assert answer.headers["connection"] == "close"

    def test_and_so_do_several(self, served, connection):
        whole = request("POST", DELTA, {"customerId": "whole", "delta": 1, "reason": "usage"}, served.key)
        broken = hostile.framings(served.key)["pieces without a size"].data
        connection.send(HEALTH + whole + broken + HEALTH)
        answers = connection.answers()
        assert [answer.status for answer in answers] == [200, 201, 400]
        assert answers[-1].code == "malformed"

    def test_head_is_answered_without_a_body_and_the_connection_goes_on(self, connection):
        for path, status in (("/healthz", 200), ("/nowhere", 404)):
            connection.send(request("HEAD", path))
            answer = connection.answer("HEAD")
            assert (answer.status, answer.body) == (status, b"")
            assert int(answer.headers["content-length"]) > 0
        connection.send(HEALTH)
        assert connection.answer().status == 200


def operations(served):
    """Yield method, path and parameters of what the description has."""
    document = served.ask("GET", "/openapi.json").document
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation.get("parameters", [])


class TestPaths:
    @each(hostile.IDS)
    def test_an_id_that_is_none(self, served, name):
        asked = 0
        for method, path, _ in operations(served):
            if "{" in path:
                asked += 1
                assert_plain(served.ask(method, path_of(path, hostile.IDS[name])))
        assert asked > 10

    @each(hostile.IDS)
    def test_a_query_that_is_none(self, served, name):
        """Some are good for something; none is answered otherwise than by a refusal or a success."""
        asked = 0
        for method, path, parameters in operations(served):
            target = path_of(path, "alice")
            for parameter in parameters:
                if parameter["in"] == "query":
                    asked += 1
                    answer = served.ask(method, f"{target}?{parameter['name']}={hostile.IDS[name]}")
                    assert answer.status == 200 or assert_plain(answer) is None
        assert asked > 30

    @pytest.mark.parametrize("path", [
        f"/{BALANCE}/limits", f"{BALANCE}/limits/", f"{BALANCE}//limits", f"{BALANCE}/./limits", f"{BALANCE}/x/../limits",
        f"{BALANCE}/%6cimits%2f", f"{BALANCE}/limits;x", f"{BALANCE}/limits%00", f"{BALANCE.upper()}/limits",
        "/%2e%2e/%2e%2e/etc/passwd", "/../../etc/passwd", "/static/..%5c..", "/%", "/" + "a" * 20_000, "/" + "/" * 20_000,
    ], ids=lambda path: path[:40])  # fmt: skip
    def test_a_path_that_nearly_is_one(self, served, path):
        assert_answered(served.ask("GET", path), "not-found")

    @pytest.mark.parametrize(
        "query", ["x" * 10_000, "&".join(["a=1"] * 5_000), "%00=1", "=", "%ff=%fe", "period[]=1"]
    )
    def test_a_query_of_nothing_that_we_know(self, served, query):
        assert_answered(served.ask("GET", f"{BALANCE}/limits?{query}"), "invalid-field")


class TestBodies:
    @each(hostile.BODIES)
    def test_a_body_that_is_none(self, served, name):
        for path in BODY_ROUTES:
            before = served.cpu_seconds
            assert_plain(served.ask("POST", path.format(event=EVENT), hostile.BODIES[name]))
            assert served.cpu_seconds - before < CPU_SECONDS_MAX

    @each(hostile.AMOUNTS)
    def test_an_amount_that_is_none(self, served, name):
        for path, body in bodies_of(hostile.AMOUNTS[name]):
            before = served.cpu_seconds
            answer = served.ask("POST", path, body)
            if answer.status == 200 and path.endswith("/batch"):
                (result,) = answer.data["results"]
                assert (result["status"], result["code"] in CODES) == ("FAILED", True)
            elif name == "0e999999999999999999" and path.endswith("/compare"):
                # A balance may be zero, however it is written.
                assert answer.status == 200
            else:
                assert_plain(answer)
            assert served.cpu_seconds - before < CPU_SECONDS_MAX

    def test_nothing_of_it_is_kept(self, served):
        def round_of_all():
            for body in hostile.BODIES.values():
                for path in BODY_ROUTES:
                    served.ask("POST", path.format(event=EVENT), body)

        round_of_all()
        before = served.memory_bytes
        for _ in range(3):
            round_of_all()
        assert served.memory_bytes - before < MEMORY_BYTES_MAX

    def test_nor_of_heads_and_paths(self, served):
        heads = [sent.data for sent in (hostile.LINES | hostile.HEADERS).values()]
        paths = [request("GET", f"/{number}/{'a' * 1_000}") for number in range(2_000)]

        def tell(data):
            with closing(served.connect()) as connection:
                connection.send(data)
                connection.answer()

        for data in heads:
            tell(data)
        before = served.memory_bytes
        labels = served.ask("GET", "/metrics").body.count(b"\n")
        for data in [*heads * 5, *paths]:
            tell(data)
        assert served.memory_bytes - before < MEMORY_BYTES_MAX
        # Nor is any of it counted by itself.
        assert served.ask("GET", "/metrics").body.count(b"\n") < labels + 100


class TestKeys:
    def test_many_that_open_nothing_cost_little_and_keep_nobody_else_out(self, served):
        def ask(keys):
            requests = [request("GET", f"{BALANCE}/limits", key=key) for key in keys]
            with ExitStack() as stack:
                clients = [stack.enter_context(closing(served.connect())) for _ in range(CLIENTS)]
                for number, client in enumerate(clients):
                    client.send(b"".join(requests[number::CLIENTS]))
                return [
                    client.answer().status
                    for number, client in enumerate(clients)
                    for _ in requests[number::CLIENTS]
                ]

        def cost(keys):
            before = served.cpu_seconds
            return ask(keys), (served.cpu_seconds - before) / len(keys)

        good, cost_of_good = cost([served.key] * 1_000)
        assert set(good) == {200}
        memory = served.memory_bytes
        bad_keys = [f"pk_test_{number:016x}.{'0' * 64}" for number in range(BAD_KEYS)]
        found = []
        crowd = threading.Thread(target=lambda: found.append(cost(bad_keys)))
        crowd.start()
        while crowd.is_alive():
            assert served.ask("GET", f"{BALANCE}/limits").status == 200
        ((bad, cost_of_bad),) = found
        assert (set(bad), len(bad)) == ({401}, BAD_KEYS)
        assert cost_of_bad < BAD_KEYS_COST_MAX * cost_of_good
        assert served.memory_bytes - memory < MEMORY_BYTES_MAX


class TestLogs:
    def test_nothing_that_was_sent_stands_in_the_log(self, served):
        marks = [f"canary{number}x" for number in range(9)]
        customer, reason, key, query, header, path, noise, member, secret = marks
        body = {"customerId": customer, "delta": 1, "reason": reason, "metadata": {"a": reason}}
        wrong = f"pk_test_{'a' * 16}.{secret}"
        asked = [
            served.ask("POST", DELTA, body, Idempotency_Key=key, X_Other=header),
            served.ask("POST", DELTA, body | {member: 1}),
            served.ask("POST", DELTA, json.dumps(body)[:-1].encode()),
            served.ask("POST", DELTA, body, key=wrong),
            served.ask("GET", f"{BALANCE}/customers/{customer}?{query}={query}"),
            served.ask("GET", f"{BALANCE}/customers/{customer}", Authorization=f"Bearer {secret}"),
            served.ask("GET", f"/{path}/{customer}"),
            served.ask("POST", f"{DELTA}/batch", {"deltas": [body | {"delta": 0}]}),
            served.tell(noise.encode() + b"\x00\r\n\r\n"),
            served.tell(hostile.get(b"/healthz", noise.encode() * 50_000)),
        ]
        assert [answer.status for answer in asked] == [201, 400, 400, 401, 400, 200, 404, 200, 400, 413]
        log = served.log
        assert log.count("\n") > len(asked)
        for mark in [*marks, served.key.partition(".")[2], "pk_test"]:
            assert mark not in log
        assert all(json.loads(line)["level"] != "error" for line in log.splitlines())
