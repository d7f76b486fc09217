"""What every request has: an id, headers, a count; and paths and methods that are not there."""

import asyncio
import json
import logging

import pytest

from counterfoil.errors import EngineError
from counterfoil.storage.memory import MemoryStore
from counterfoil.web.gate import Gate
from counterfoil.web.logs import LOGGER, JsonLines
from tests.web.calling import DELTA, assert_problem


class TestPaths:
    def test_a_path_that_is_not_there_is_not_found(self, quick):
        assert_problem(quick.get("/api/v2/balance"), "not-found", 404, "NOT_FOUND")

    @pytest.mark.parametrize("path", [f"{DELTA}/", "//api/v1/keys", "/api/v1/keys/"])
    def test_a_path_is_not_guessed(self, quick, path):
        assert_problem(quick.get(path), "not-found", 404)

    def test_another_method_is_refused_with_those_that_there_are(self, quick):
        answer = quick.call("PUT", "/healthz")
        assert_problem(answer, "method-not-allowed", 405, "METHOD_NOT_ALLOWED")
        assert answer.headers["allow"] == "GET, HEAD"

    def test_the_express_lane_refuses_other_methods_too(self, quick):
        answer = quick.call("DELETE", DELTA)
        assert_problem(answer, "method-not-allowed", 405)
        assert answer.headers["allow"] == "POST"

    def test_a_method_that_nobody_knows_is_refused(self, quick):
        assert_problem(quick.call("BREW", "/healthz"), "method-not-allowed", 405)

    def test_head_is_get_without_a_body(self, quick):
        head, get = quick.call("HEAD", "/api/v1/keys"), quick.get("/api/v1/keys")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == get.headers["content-length"]


class TestParameters:
    def test_one_that_nobody_reads_is_refused(self, quick):
        assert_problem(
            quick.get("/api/v1/keys?perod=2026-04"), "invalid-field", 400, "VALIDATION_ERROR", "perod"
        )

    def test_the_express_lane_refuses_them_too(self, quick):
        assert_problem(quick.post(f"{DELTA}?a=1", {}), "invalid-field", 400, field="a")

    def test_one_that_stands_twice_is_refused(self, quick):
        path = f"/api/v1/verify/{'00' * 32}?source=db&source=chain"
        assert_problem(quick.get(path), "invalid-field", 400, field="source")

    def test_one_of_another_kind_is_refused_by_its_name(self, quick):
        path = f"/api/v1/verify/{'00' * 32}?source=moon"
        assert_problem(quick.get(path), "invalid-field", 400, field="source")

    def test_one_that_is_missing_is_named(self, quick):
        path = f"/api/v1/checkpoints/0x{'00' * 20}/consistency"
        assert (
            assert_problem(quick.get(path), "invalid-field", 400, field="from")["detail"] == "from is missing"
        )


class TestHeaders:
    def test_every_answer_has_an_id_of_its_own(self, quick):
        ids = [quick.get(path).headers["x-request-id"] for path in ("/healthz", "/nowhere", "/healthz")]
        assert len(set(ids)) == 3

    @pytest.mark.parametrize("path", ["/healthz", "/nowhere", DELTA])
    def test_nothing_is_kept_or_taken_for_something_else(self, quick, path):
        answer = quick.get(path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"

    def test_what_anybody_may_see_for_ever_may_be_kept(self, quick):
        quick.record()
        root = quick.checkpoint().checkpoint.root.hex()
        assert "immutable" in quick.get(f"/api/v1/verify/{root}", key=None).headers["cache-control"]

    @pytest.mark.parametrize("name", ["X-Api-Key", "Idempotency-Key", "Content-Type", "Content-Encoding"])
    def test_one_that_stands_twice_is_refused(self, quick, name):
        sent = [("X-Api-Key", quick.key), ("Content-Type", "application/json"), (name, "a"), (name, "a")]
        request = quick._client.build_request("POST", DELTA, headers=sent, content="{}")  # noqa: SLF001
        assert_problem(quick.run(quick._client.send(request)), "invalid-field", 400, field=name)  # noqa: SLF001


class TestDefects:
    @pytest.fixture
    def broken(self, quick, monkeypatch):
        def fail(*_args, **_named):
            raise RuntimeError("cust_001 owes 5")

        monkeypatch.setattr("counterfoil.engine.engine.Engine.delta", fail)
        monkeypatch.setattr("counterfoil.web.routes.deltas.read_delta", fail)
        return quick

    @pytest.mark.parametrize("call", [
        lambda web: web.get(f"{DELTA}/0x{'00' * 20}.1"), lambda web: web.record(),
    ], ids=["router", "lane"])  # fmt: skip
    def test_one_is_answered_without_its_words(self, broken, call):
        answer = call(broken)
        assert_problem(answer, "internal", 500, "INTERNAL_ERROR")
        assert "owes" not in answer.text

    def test_its_place_is_logged_without_its_words(self, broken, logged):
        answer = broken.record()
        [line] = [json.loads(line) for line in logged()]
        assert line["requestId"] == answer.headers["x-request-id"]
        assert (line["level"], line["code"], line["status"]) == ("warning", "internal", 500)
        assert "RuntimeError in fail" in line["message"]
        assert "owes" not in line["message"]

    def test_half_an_answer_ends_the_connection(self, quick):
        async def half(_scope, _receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            raise RuntimeError("in the middle")

        async def unheard(_message):
            pass

        gate = Gate(half, quick.services, quick.app.metrics, {})
        scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
        with pytest.raises(RuntimeError):
            asyncio.run(gate(scope, None, unheard))


class TestLogs:
    def test_requests_are_logged_where_that_is_wanted(self, quick, logged):
        LOGGER.setLevel(logging.DEBUG)
        quick.record()
        [line] = [json.loads(line) for line in logged()]
        assert line["event"] == "request"
        assert (line["method"], line["route"], line["status"]) == ("POST", DELTA, 201)
        assert (line["tenant"], line["keyId"]) == ("acme", quick.key[8:24])

    def test_nothing_of_a_request_is_logged_that_is_not_ours_to_tell(self, quick, logged):
        LOGGER.setLevel(logging.DEBUG)
        quick.record(customer="cust_secret", reason="secret reason", key="secret-key")
        quick.record("5", customer="cust_secret", reason="secret reason", key="secret-key")
        quick.get("/api/v1/balance/customers/cust_secret?period=2026-04&secret=1")
        quick.get("/api/v1/keys?secret=1")
        lines = logged()
        assert len(lines) == 4
        assert "secret" not in "".join(lines)
        assert quick.key.partition(".")[2] not in "".join(lines)

    def test_a_slow_request_is_a_warning(self, quick, logged, steady, monkeypatch):
        def slow(*_args):
            steady.now += 2
            raise EngineError("record-not-found", "why")

        monkeypatch.setattr("counterfoil.engine.engine.Engine.delta", slow)
        quick.get(f"{DELTA}/0x{'00' * 20}.1")
        [line] = [json.loads(line) for line in logged()]
        assert (line["level"], line["milliseconds"]) == ("warning", 2_000)

    def test_a_traceback_of_others_is_logged_by_its_place(self, logged):
        def fail():
            raise RuntimeError("cust_001 owes 5")

        try:
            fail()
        except RuntimeError:
            LOGGER.exception("bad")
        [line] = [json.loads(line) for line in logged()]
        assert "RuntimeError in fail" in line["error"]
        assert "owes" not in line["error"]


@pytest.fixture
def logged():
    """The lines that were logged."""
    lines = []

    class Kept(logging.Handler):
        def emit(self, record):
            lines.append(JsonLines().format(record))

    handler = Kept()
    LOGGER.addHandler(handler)
    before = LOGGER.level, LOGGER.propagate
    LOGGER.propagate = False
    yield lambda: lines
    LOGGER.level, LOGGER.propagate = before
    LOGGER.removeHandler(handler)


class TestCrowds:
    def test_more_requests_than_are_taken_are_refused(self, serve, clock):
        web = serve(MemoryStore(clock), requests_max=1)

        async def both():
            client = web._client  # noqa: SLF001
            return await asyncio.gather(client.get("/readyz"), client.get("/readyz"))

        first, second = sorted(web.run(both()), key=lambda answer: answer.status_code)
        assert first.status_code == 200
        document = assert_problem(second, "store-unavailable", 503, "SERVICE_UNAVAILABLE")
        assert second.headers["retry-after"] == "1"
        assert document["error"]["retryAfterSeconds"] == 1


@pytest.mark.parametrize(
    "path", ["/metrics", "/healthz", "/readyz", "/api/v1/keys", "/api/v1/balance/limits"]
)
@pytest.mark.parametrize("more", ["%0a", "%0A", "%20", "%00", "%7f", "%0d%0a"])
def test_a_path_with_something_unseen_in_it_is_no_path(quick, path, more):
    """A rule of a proxy for the path would not meet it."""
    assert_problem(quick.get(path + more), "not-found", 404)
