"""Requests: tried again where that can help, once carried out, bounded, and to one host alone."""

import datetime as dt
import itertools
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from counterfoil.client import Client, NewDelta, Retries
from counterfoil.client.transport import ANSWER_BYTES_MAX, RETRIED
from counterfoil.errors import EngineError
from tests.client.server import API_KEY, BASE, VKEY, connect, problem, success
from tests.support import operator_named, refused, seeded

LOST = httpx.ReadError("connection reset by peer")
DELTA = ("cust_001", "-12.5", "api_call")


def page(status, body=b"<html>bad gateway</html>", **headers):
    """What a proxy answers by itself."""
    return httpx.Response(status, headers=headers, content=body)


def dated(seconds):
    """The headers of an answer that asks for a pause until a date."""
    start = dt.datetime(2026, 4, 1, tzinfo=dt.UTC)
    spelled = [
        (start + dt.timedelta(seconds=each)).strftime("%a, %d %b %Y %H:%M:%S GMT") for each in (0, seconds)
    ]
    return {"Date": spelled[0], "Retry-After": spelled[1]}


class TestTryingAgain:
    @pytest.mark.parametrize("status", sorted(RETRIED))
    def test_what_may_pass_the_second_time_is_tried_again(self, server, client, status):
        server.faults = [page(status), None]
        assert client.fetch_keys()
        assert len(server.requests) == 2

    @pytest.mark.parametrize("error", [
        httpx.ConnectError("refused"), httpx.ConnectTimeout("late"), httpx.ReadTimeout("late"), LOST,
        httpx.RemoteProtocolError("peer closed connection without sending complete message body"),
    ])  # fmt: skip
    def test_so_is_what_a_connection_lost(self, server, client, error):
        server.faults = [error, None]
        assert client.fetch_keys()

    @pytest.mark.parametrize(
        "code", ["invalid-api-key", "not-found", "idempotency-conflict", "invalid-field"]
    )
    def test_what_is_refused_for_good_is_not(self, server, client, code):
        server.faults = [problem(code)]
        with refused(code):
            client.usage()
        assert len(server.requests) == 1

    @pytest.mark.parametrize("code", ["log-corrupt", "clock-regressed", "root-mismatch", "io-error"])
    def test_nor_is_what_somebody_has_to_look_at(self, server, client, code):
        server.faults = [problem(code)]
        with refused(code):
            client.usage()
        assert len(server.requests) == 1

    def test_pauses_double_and_stay_between_half_and_all_of_that(self, server, time):
        for draw, expected in ((b"\x00", [0.25, 0.5, 1, 2]), (b"\xff", [0.5, 1, 2, 4])):
            time.slept.clear()
            server.faults = [LOST] * 4
            connect(server, time, randomness=lambda count, draw=draw: draw * count).fetch_keys()
            assert time.slept == pytest.approx(expected)

    def test_they_have_a_longest(self, server, time):
        server.faults = [LOST] * 9
        retries = Retries(attempts=10, pause_seconds_max=3)
        connect(server, time, retries=retries, randomness=lambda count: b"\xff" * count).fetch_keys()
        assert max(time.slept) == pytest.approx(3)

    def test_attempts_are_counted(self, server, time):
        server.faults = [LOST] * 10
        with refused("store-unavailable") as caught:
            connect(server, time, retries=Retries(attempts=3)).fetch_keys()
        assert len(server.requests) == 3
        assert caught.value.facts["attempts"] == "3"

    def test_however_many_there_may_be_they_end_with_the_time(self, server, time):
        server.faults = [LOST] * 3_000
        begun = time.now
        with refused("store-unavailable"):
            connect(server, time, retries=Retries(attempts=2_000, total_seconds=60)).fetch_keys()
        assert 50 < time.now - begun <= 60

    def test_one_attempt_is_one(self, server, time):
        server.faults = [LOST]
        with refused("store-unavailable"):
            connect(server, time, retries=Retries(attempts=1)).fetch_keys()
        assert not time.slept


class TestRetryAfter:
    @pytest.mark.parametrize("headers", [{"Retry-After": "17"}, dated(17)])
    def test_it_is_waited_for(self, server, time, client, headers):
        server.faults = [page(503, **headers)]
        client.fetch_keys()
        assert time.slept == [17]

    @pytest.mark.parametrize("headers", [
        {"Retry-After": "soon"}, {"Retry-After": "-1"}, {"Retry-After": "1e9"}, dated(-60),
        {"Retry-After": dated(60)["Retry-After"]}, {"Retry-After": "9" * 400},
    ])  # fmt: skip
    def test_what_says_nothing_leaves_the_pause_as_it_is(self, server, time, client, headers):
        server.faults = [page(503, **headers)]
        client.fetch_keys()
        assert 0.25 <= time.slept[0] <= 0.5

    def test_the_document_is_read_where_the_header_is_missing(self, server, time, client):
        answer = problem("rate-limited")
        document = json.loads(answer.content)
        document["error"]["retryAfterSeconds"] = 9
        server.faults = [httpx.Response(429, content=json.dumps(document))]
        client.fetch_keys()
        assert time.slept == [9]

    def test_nobody_waits_longer_than_the_time_that_there_is(self, server, time, client):
        server.faults = [page(503, **{"Retry-After": "3600"})]
        with refused("store-unavailable") as caught:
            client.fetch_keys()
        assert time.slept == []
        assert caught.value.facts["retryAfterSeconds"] == "3600"


class TestWrites:
    def test_one_whose_answer_is_lost_is_recorded_once(self, server, client):
        server.faults = [server.lose, server.lose]
        recorded = client.record(*DELTA)
        assert recorded.replayed
        assert server.engine.customer("cust_001").count == 1

    def test_all_attempts_bear_one_key_and_one_body(self, server, client):
        server.faults = [LOST, page(502), page(429), server.lose]
        recorded = client.record(*DELTA)
        assert {request.headers["Idempotency-Key"] for request in server.requests} == {
            recorded.idempotency_key
        }
        assert len({request.content for request in server.requests}) == 1
        assert len(server.requests) == 5

    def test_each_call_has_a_key_of_its_own_of_128_bits(self, client):
        keys = {client.record(*DELTA).idempotency_key for _ in range(5)}
        assert len(keys) == 5
        assert all(len(bytes.fromhex(key)) == 16 for key in keys)

    def test_a_key_that_is_given_is_used(self, client):
        assert client.record(*DELTA, idempotency_key="req-0001").idempotency_key == "req-0001"

    @pytest.mark.parametrize("key", ["", "a b", "a\r\nX-Api-Key: b", "é", "k" * 256])
    def test_what_is_no_key_never_reaches_a_header(self, server, client, key):
        with refused("invalid-field", field="idempotencyKey"):
            client.record(*DELTA, idempotency_key=key)
        assert not server.requests

    def test_the_outcome_of_one_that_is_lost_for_good_is_unknown_and_the_key_is_told(self, server, client):
        server.faults = [LOST] * 5
        with refused("commit-outcome-unknown") as caught:
            client.record(*DELTA)
        assert caught.value.facts["idempotencyKey"] == server.requests[0].headers["Idempotency-Key"]
        # And with it the same call is safe.
        assert not client.record(*DELTA, idempotency_key=caught.value.facts["idempotencyKey"]).replayed

    def test_so_it_is_where_a_proxy_answers_in_place_of_the_server(self, server, client):
        server.faults = [page(504)] * 5
        with refused("commit-outcome-unknown"):
            client.record(*DELTA)

    def test_a_server_that_says_that_nothing_was_recorded_is_believed(self, server, client):
        server.faults = [problem("store-unavailable")] * 5
        with refused("store-unavailable"):
            client.record(*DELTA)

    @pytest.mark.parametrize("code", ["store-unavailable", "rate-limited", "invalid-api-key"])
    def test_but_not_of_an_attempt_before(self, server, client, code):
        server.faults = [server.lose, *[problem(code)] * 4]
        with refused("commit-outcome-unknown") as caught:
            client.record(*DELTA)
        assert caught.value.facts["last"] == code

    @pytest.mark.parametrize("code", ["idempotency-conflict", "invalid-field"])
    def test_what_the_request_is_refused_for_holds_for_all_attempts(self, server, client, code):
        server.faults = [LOST, problem(code)]
        with refused(code) as caught:
            client.record(*DELTA)
        assert caught.value.facts["idempotencyKey"]

    @pytest.mark.parametrize("answer", [
        page(400), page(409), httpx.Response(302, headers={"Location": "https://login.example.com"}),
    ])  # fmt: skip
    def test_what_a_proxy_says_settles_nothing(self, server, client, answer):
        server.faults = [
            LOST,
            httpx.Response(answer.status_code, headers=answer.headers, content=answer.content),
        ]
        with refused("commit-outcome-unknown"):
            client.record(*DELTA)

    def test_reads_bear_no_key(self, server, client):
        client.fetch_keys()
        assert "Idempotency-Key" not in server.requests[0].headers

    def test_an_answer_that_cannot_be_read_tells_the_key(self, server, client):
        server.faults = [httpx.Response(201, content=b'{"success":true,"data":{"recordId":"0x')]
        with refused("malformed") as caught:
            client.record(*DELTA)
        assert caught.value.facts["idempotencyKey"] == server.requests[0].headers["Idempotency-Key"]


class TestOneHost:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    @pytest.mark.parametrize(
        "location", ["https://evil.example.com/", "/api/v2/keys", "http://ledger.example.com/"]
    )
    def test_no_redirect_is_followed(self, server, client, status, location):
        server.faults = [httpx.Response(status, headers={"Location": location})]
        with refused("usage") as caught:
            client.record(*DELTA)
        assert len(server.requests) == 1
        assert caught.value.facts["location"] == location

    def test_every_request_goes_to_the_base_url(self, server, client):
        client.fetch_keys()
        client.record("cust_001", 1, "api_call")
        assert {request.url.host for request in server.requests} == {"ledger.example.com"}

    def test_a_name_cannot_lead_to_another_route(self, server, client):
        for name in ("", ".", ".."):
            with refused("invalid-field"):
                client.verify_root(name)
        with refused("not-found"):
            client.verify_root("../../v1/keys?a=b#c")
        assert server.requests[-1].url.raw_path == b"/api/v1/verify/..%2F..%2Fv1%2Fkeys%3Fa%3Db%23c"

    def test_public_routes_are_asked_without_the_api_key(self, server, client):
        server.record()
        client.fetch_keys()
        client.checkpoint_note(f"0x{server.engine.log_of('cust_001').hex()}")
        assert not any("X-Api-Key" in request.headers for request in server.requests)

    def test_no_cookie_comes_back(self, server, client):
        server.faults = [success({"verifiedKeys": []}, **{"Set-Cookie": "a=b"})]
        with refused("malformed"):
            client.fetch_keys()
        client.fetch_keys()
        assert "Cookie" not in server.requests[-1].headers

    def test_without_an_api_key_public_routes_alone_are_open(self, server, time):
        client = connect(server, time, api_key=None)
        assert client.fetch_keys() == (VKEY,)
        with refused("usage"):
            client.usage()
        assert len(server.requests) == 1


class TestBounds:
    def test_an_answer_without_an_end_is_read_to_its_bound(self, server, client):
        read = []

        def endless():
            for _ in itertools.count():
                read.append(1)
                yield b"x" * 1_048_576

        server.faults = [httpx.Response(200, content=endless())]
        with refused("too-large"):
            client.usage()
        assert len(read) == ANSWER_BYTES_MAX // 1_048_576 + 1

    def test_a_document_has_a_smaller_one(self, server, client):
        server.faults = [httpx.Response(200, content=b"x" * 262_145)]
        with refused("too-large"):
            client.receipt(f"0x{'a' * 40}.1")

    def test_of_a_refusal_no_more_is_read_than_of_a_document(self, server, client):
        server.faults = [httpx.Response(404, content=b"x" * 262_145)]
        with refused("not-found"):
            client.usage()

    def test_a_compressed_answer_is_not_unpacked(self, server, client):
        server.faults = [
            httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=iter([b"\x1f\x8b"]))
        ]
        with refused("malformed"):
            client.usage()
        assert server.requests[0].headers["Accept-Encoding"] == "identity"

    def test_an_answer_in_drops_is_given_up(self, server, time, client):
        def drops():
            for _ in range(100):
                time.now += 29
                yield b" "

        server.faults = [lambda _: httpx.Response(200, content=drops())] * 5
        with refused("store-unavailable"):
            client.usage()
        assert time.now < 1_300

    def test_a_request_beyond_the_servers_bound_is_not_sent(self, server, client):
        metadata = {"text": "x" * 16_000}
        deltas = [NewDelta("cust_001", 1, "api_call", metadata=metadata) for _ in range(70)]
        with refused("too-large"):
            client.record_many(deltas)
        assert not server.requests


class TestMaking:
    @pytest.mark.parametrize("url", [
        "ledger.example.com", "ftp://ledger.example.com", "https://", "https://user:password@ledger.example.com",
        "https://ledger.example.com?key=password", "https://ledger.example.com/#password", "", None,
    ])  # fmt: skip
    def test_a_base_url_is_a_server_and_nothing_more(self, url):
        with refused("usage") as caught:
            Client(url, API_KEY, keys=VKEY, state=None)
        assert "password" not in str(caught.value)

    def test_it_may_have_a_path(self, server):
        client = Client(
            f"{BASE}/ledger/", API_KEY, keys=VKEY, state=None, transport=httpx.MockTransport(server)
        )
        with refused("not-found"):
            client.usage()
        assert server.requests[0].url.path == "/ledger/api/v1/balance/usage"

    @pytest.mark.parametrize("key", ["", "pk_a b", "pk_a\nX-Other: b", "pk_é"])
    def test_an_api_key_is_one_word(self, key):
        with refused("usage") as caught:
            Client(BASE, key, keys=VKEY, state=None)
        assert not key or key not in str(caught.value)

    def test_a_pinned_key_is_one(self):
        with refused("malformed"):
            Client(BASE, API_KEY, keys="ledger.example.com+00000000+AAAA", state=None)

    def test_several_keys_may_stand_in_a_text(self, server, time):
        other = operator_named("other.example.com").verifier_key
        [record_id] = server.record()
        assert connect(server, time, keys=f"\n{other}\n{VKEY}\n").receipt(record_id)

    def test_the_api_key_shows_nowhere(self, server, client):
        server.faults = [problem("internal")] * 5
        with pytest.raises(EngineError) as caught:
            client.record(*DELTA)
        shown = [repr(client), str(client), repr(caught.value), str(caught.value.facts), str(vars(client))]
        assert not any("secret" in text for text in shown)

    @pytest.mark.parametrize("call", [lambda client: client.record(*DELTA), lambda client: client.usage()])
    def test_nor_in_what_an_error_was_caused_by(self, server, client, call):
        server.faults = [httpx.ReadError("reset") for _ in range(5)]
        with pytest.raises(EngineError) as caught:
            call(client)
        request = caught.value.__cause__.request
        assert server.requests[-1].headers["X-Api-Key"] == API_KEY
        assert "X-Api-Key" not in request.headers
        assert (request.content, str(request.url)) == (b"", BASE)

    def test_after_its_end_nothing_is_sent(self, server, time):
        with connect(server, time) as client:
            pass
        with refused("usage"):
            client.fetch_keys()
        assert not server.requests

    def test_without_httpx_it_says_what_to_install(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "httpx", None)
        monkeypatch.delitem(sys.modules, "counterfoil.client.transport", raising=False)
        with refused("usage") as caught:
            Client(BASE, API_KEY, keys=VKEY, state=None)
        assert "pip install 'counterfoil[client]'" in caught.value.message

    def test_by_default_no_key_is_pinned_and_nothing_is_kept(self, server, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with Client(BASE, API_KEY, transport=httpx.MockTransport(server)) as client:
            recorded = client.record(*DELTA)
            with refused("unknown-key"):
                client.receipt(recorded)
        assert list(tmp_path.iterdir()) == []

    def test_by_default_it_draws_from_the_system(self, server):
        keys = set()
        for _ in range(2):
            client = Client(BASE, API_KEY, keys=VKEY, state=None, transport=httpx.MockTransport(server))
            keys.add(client.record(*DELTA).idempotency_key)
        assert len(keys) == 2


class TestRefusals:
    def test_the_servers_code_and_facts_come_through(self, server, client):
        answer = problem(
            "idempotency-conflict", recordId="0xabc.1", field="delta", other=["not", "a", "fact"]
        )
        answer.headers["X-Request-Id"] = "5f0c-1"
        server.faults = [answer]
        with refused("idempotency-conflict") as caught:
            client.usage()
        assert caught.value.facts == {
            "recordId": "0xabc.1", "field": "delta", "status": "409", "requestId": "5f0c-1", "attempts": "1",
        }  # fmt: skip
        assert isinstance(caught.value, EngineError)

    @pytest.mark.parametrize(("name", "code"), [
        ("CUSTOMER_NOT_FOUND", "customer-not-found"), ("VALIDATION_ERROR", "invalid-field"),
        ("RATE_LIMITED", "rate-limited"), ("INVALID_API_KEY", "invalid-api-key"),
        ("INVALID_SCOPE_COMBINATION", "invalid-scope-combination"), ("SCOPE_TOO_WIDE", "scope-too-wide"),
        ("NOT_YET_VERIFIED", "not-yet-checkpointed"),
    ])  # fmt: skip
    def test_pacspaces_names_are_known_where_ours_are_missing(self, server, client, name, code):
        body = {"success": False, "error": {"code": name, "message": "why"}}
        server.faults = [httpx.Response(418, json=body)]
        with refused(code) as caught:
            client.usage()
        assert caught.value.message == "why"

    @pytest.mark.parametrize(("status", "code"), [
        (400, "invalid-field"), (401, "invalid-api-key"), (403, "insufficient-scope"), (404, "not-found"),
        (409, "malformed"), (413, "too-large"), (418, "malformed"), (501, "store-unavailable"),
    ])  # fmt: skip
    @pytest.mark.parametrize(
        "body", [b"", b"<html>", b"[]", b'{"code": 7}', b'{"code": "NEVER_HEARD_OF"}', b'{"a":1,"a":2}']
    )
    def test_without_a_code_the_status_decides(self, server, client, status, code, body):
        server.faults = [httpx.Response(status, content=body)]
        with refused(code):
            client.usage()

    def test_a_servers_words_move_no_cursor(self, server, client):
        body = {"code": "not-found", "detail": "a\x1b[2J\u202eb\n" + "c" * 5_000, "field": "\x07d"}
        server.faults = [httpx.Response(404, json=body)]
        with refused("not-found") as caught:
            client.usage()
        assert caught.value.message.startswith("a?[2J?b?ccc")
        assert len(caught.value.message) <= 300
        assert caught.value.facts["field"] == "?d"

    def test_facts_are_bounded_and_bear_no_name_of_the_errors_own(self, server, client):
        body = {"code": "not-found", "self": "x", "message": "x", "no name": "x"} | {
            f"f{n}": n for n in range(99)
        }
        server.faults = [httpx.Response(404, json=body)]
        with refused("not-found") as caught:
            client.usage()
        assert len(caught.value.facts) < 20
        assert not {"self", "message", "no name"} & caught.value.facts.keys()


def test_threads_may_share_a_client(server, time):
    client = connect(server, time, randomness=seeded(3))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: client.record("cust_001", number, "usage"), range(1, 41)))
    assert len({answer.record_id for answer in answers}) == 40
    assert server.engine.customer("cust_001").count == 40
