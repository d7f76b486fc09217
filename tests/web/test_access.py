"""API keys over HTTP: what opens, what does not, for how long, and how often."""

import pytest

from counterfoil.engine import apikeys
from counterfoil.storage.memory import MemoryStore
from tests.support import SECOND, seeded
from tests.web.calling import DELTA, assert_problem, data_of

ROUTES = {
    "lane": lambda web, key: web.post(DELTA, {}, key=key),
    "read": lambda web, key: web.get(f"{DELTA}/0x{'00' * 20}.1", key=key),
    "write": lambda web, key: web.post("/api/v1/balance/delta/batch", {}, key=key),
}
each_route = pytest.mark.parametrize("call", ROUTES.values(), ids=ROUTES)


def wrong_keys(web):
    """Keys of every kind that opens nothing."""
    good = web.key
    public, _, secret = good.partition(".")
    revoked, expired = web.new_key("read", "write"), web.new_key("read", "write", lifetime_seconds=0)
    apikeys.revoke(web.services.store, revoked[8:24])
    return {
        "none": None,
        "empty": "",
        "not one": "open sesame",
        "not ascii": "pk_test_é".encode(),
        "not utf-8": b"pk_test_\xff",
        "without secret": public,
        "too long": good + "0",
        "upper case": f"{public}.{secret.upper()}" if secret.upper() != secret else public,
        "unknown": f"pk_test_{'0' * 16}.{secret}",
        "wrong secret": f"{public}.{'0' * 64}",
        "other environment": good.replace("_test_", "_live_"),
        "revoked": revoked,
        "expired": expired,
        "a list": f"{good}, {good}",
    }


class TestKeys:
    @each_route
    def test_every_key_that_opens_nothing_gets_the_same_answer(self, web, call):
        texts = set()
        for kind, key in wrong_keys(web).items():
            answer = call(web, key)
            assert_problem(answer, "invalid-api-key", 401, "INVALID_API_KEY")
            texts.add(answer.text)
            assert answer.headers.keys() == call(web, None).headers.keys(), kind
        assert len(texts) == 1

    def test_a_key_is_for_one_tenant(self, web):
        theirs = web.new_key("read", "write", tenant="theirs")
        record_id = data_of(web.record())["recordId"]
        mine, other = web.get(f"{DELTA}/{record_id}"), web.get(f"{DELTA}/{record_id}", key=theirs)
        assert mine.status_code == 200
        nothing = web.get(f"{DELTA}/0x{'00' * 20}.1", key=theirs)
        assert_problem(other, "record-not-found", 404, "NOT_FOUND")
        assert other.text == nothing.text

    def test_another_tenants_customer_is_another_customer(self, web):
        theirs = web.new_key("write", tenant="theirs")
        mine = data_of(web.record(key="k"))
        other = data_of(web.post(DELTA, {"customerId": "cust_001", "delta": 1, "reason": "x"}, key=theirs))
        assert mine["customerReference"] != other["customerReference"]
        assert other["sequenceNumber"] == 1

    @pytest.mark.parametrize(("scope", "route"), [("read", "lane"), ("read", "write"), ("write", "read")])
    def test_a_key_without_the_scope_is_refused(self, quick, scope, route):
        answer = ROUTES[route](quick, quick.new_key(scope))
        assert_problem(answer, "insufficient-scope", 403, "INSUFFICIENT_SCOPE")

    def test_both_keys_of_a_rotation_open_until_the_old_one_ends(self, quick, clock):
        store, old = quick.services.store, quick.new_key("write")
        new = apikeys.rotate(store, old[8:24], overlap_seconds=60, randomness=seeded("new")).text
        for key in (old, new):
            assert ROUTES["lane"](quick, key).status_code == 400
        clock.now += 61 * SECOND
        assert ROUTES["lane"](quick, old).status_code == 401
        assert ROUTES["lane"](quick, new).status_code == 400

    def test_a_revoked_key_opens_nothing_after_two_seconds(self, quick, steady):
        assert quick.record().status_code == 201
        apikeys.revoke(quick.services.store, quick.key[8:24])
        steady.now += 2
        assert_problem(quick.record(), "invalid-api-key", 401)

    def test_a_key_that_is_in_use_is_looked_up_every_two_seconds(self, quick, steady, monkeypatch):
        asked = []
        reader = apikeys.find_key
        monkeypatch.setattr(
            "counterfoil.web.access.find_key", lambda *given: asked.append(1) or reader(*given)
        )
        for _ in range(5):
            quick.record()
        assert len(asked) == 1
        steady.now += 2
        quick.record()
        assert len(asked) == 2

    def test_what_is_remembered_of_ids_that_nobody_has_is_bounded(self, quick, monkeypatch):
        monkeypatch.setattr("counterfoil.web.access._KEPT_MAX", 10)
        for number in range(50):
            quick.post(DELTA, {}, key=f"pk_test_{number:016x}.{'0' * 64}")
        assert len(quick.app.access._nobody) <= 10  # noqa: SLF001  -- nothing else shows it

    def test_ids_that_nobody_has_push_out_no_key(self, quick, monkeypatch):
        monkeypatch.setattr("counterfoil.web.access._KEPT_MAX", 3)
        quick.record()
        asked = []
        reader = apikeys.find_key
        monkeypatch.setattr(
            "counterfoil.web.access.find_key", lambda *given: asked.append(1) or reader(*given)
        )
        for number in range(5):
            quick.post(DELTA, {}, key=f"pk_test_{number:016x}.{'0' * 64}")
        quick.record()
        assert len(asked) == 5

    @pytest.mark.parametrize("path", [DELTA, f"{DELTA}/batch", "/api/v1/balance/checkpoint"])
    def test_a_key_that_is_revoked_while_a_body_comes_opens_nothing(self, quick, steady, path):
        async def body():
            yield b'{"customerId": "cust_001", '
            apikeys.revoke(quick.services.store, quick.key[8:24])
            steady.now += 3
            yield b'"delta": 1, "reason": "late"}'

        headers = {"Content-Type": "application/json"}
        assert_problem(quick.call("POST", path, content=body(), headers=headers), "invalid-api-key", 401)


class TestRate:
    @pytest.fixture
    def slow(self, serve, clock):
        return serve(MemoryStore(clock), rate_per_second=0.5)

    @each_route
    def test_a_key_that_asks_too_often_is_told_when_to_come_again(self, slow, steady, call):
        assert call(slow, slow.key).status_code != 429
        answer = call(slow, slow.key)
        document = assert_problem(answer, "rate-limited", 429, "RATE_LIMITED")
        assert answer.headers["retry-after"] == "2"
        assert document["error"]["retryAfterSeconds"] == 2
        steady.now += 2
        assert call(slow, slow.key).status_code != 429

    def test_each_key_has_its_own(self, slow):
        assert slow.record().status_code == 201
        assert slow.record().status_code == 429
        assert slow.post(DELTA, {}, key=slow.new_key("write")).status_code == 400

    def test_a_key_that_opens_nothing_takes_nothing_of_another(self, slow):
        for _ in range(5):
            slow.post(DELTA, {}, key=f"{slow.key[:-1]}0")
        assert slow.record().status_code == 201

    def test_as_many_as_a_second_allows_may_come_at_once(self, serve, clock, steady):
        web = serve(MemoryStore(clock), rate_per_second=3)
        assert [web.record().status_code for _ in range(4)] == [201, 201, 201, 429]
        steady.now += 100
        assert [web.record().status_code for _ in range(4)] == [201, 201, 201, 429]

    def test_the_time_that_it_takes_to_look_a_key_up_brings_no_request_more(
        self, serve, clock, steady, monkeypatch
    ):
        web, reader = serve(MemoryStore(clock), rate_per_second=1), apikeys.find_key

        def read_slowly(*given):
            steady.now += 1.5
            return reader(*given)

        monkeypatch.setattr("counterfoil.web.access.find_key", read_slowly)
        assert [web.record().status_code for _ in range(2)] == [201, 429]
