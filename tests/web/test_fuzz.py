"""Thousands of requests that follow from the description, good and bad: each is answered as it says."""

import pytest

from counterfoil.engine.engine import Engine
from counterfoil.web import problems
from counterfoil.web.access import Access
from counterfoil.web.routes import customers
from tests.support import seeded
from tests.web.api import in_memory, key_of
from tests.web.fuzzing import fuzz, lists_of

REQUESTS_MIN = 5_000
# Requests of an operation that are drawn by lot; what the description says of each value is tried besides.
EXAMPLES = 140
EXAMPLES_LONG = 3_000
EXAMPLES_PLANTED = 5
# The same requests each time, so that what they reach is no matter of luck; with --long others each time.
SEED = 0


@pytest.fixture
def lists(store):
    return lists_of(store)


@pytest.fixture
def key(store):
    return key_of(store, randomness=seeded("key"))


@pytest.mark.parametrize("store", ["sqlite", "postgres"], indirect=True)
def test_every_answer_is_as_it_is_described(app, lists, key, long):
    found = fuzz(
        app, key, examples=EXAMPLES_LONG if long else EXAMPLES, seed=None if long else SEED, lists=lists
    )
    assert not found.failures, str(found)
    assert found.requests >= REQUESTS_MIN
    for path, item in app.openapi()["paths"].items():
        for method, operation in item.items():
            label = f"{method.upper()} {path}"
            for status in operation["responses"]:
                if status.startswith("2"):
                    assert found.statuses[label][int(status)] > 0, (label, status)


@in_memory
class TestPlantedFaults:
    @pytest.fixture
    def find(self, app, lists, key):
        def run():
            found = fuzz(
                app,
                key,
                examples=EXAMPLES_PLANTED,
                seed=SEED,
                lists=lists,
                only="/api/v1/balance/customers/{customerId}",
            )
            return {what[1] for what in found.failures}

        return run

    def test_without_one_nothing_is_found(self, find):
        assert find() == set()

    def test_a_defect_is_found(self, find, monkeypatch):
        def fail(*_):
            raise KeyError("customer")

        monkeypatch.setattr(Engine, "customer_view", fail)
        assert "not_a_server_error" in find()

    def test_a_member_that_is_not_described_is_found(self, find, monkeypatch):
        of_view = customers.of_view
        monkeypatch.setattr(customers, "of_view", lambda view: {**of_view(view), "tenant": "default"})
        assert "response_schema_conformance" in find()

    def test_a_member_of_another_type_is_found(self, find, monkeypatch):
        of_view = customers.of_view
        monkeypatch.setattr(customers, "of_view", lambda view: {**of_view(view), "computedBalance": "5"})
        assert "response_schema_conformance" in find()

    def test_a_refusal_that_is_no_problem_is_found(self, find, monkeypatch):
        monkeypatch.setattr(problems, "MEDIA_TYPE", "application/json")
        assert "a refusal is no problem document" in find()

    def test_a_code_of_another_status_is_found(self, find, monkeypatch):
        kinds = problems.KINDS
        monkeypatch.setitem(kinds, "customer-not-found", kinds["customer-not-found"]._replace(status=409))
        assert {"customer-not-found is not described", "status_code_conformance"} <= find()

    def test_a_route_that_asks_for_no_key_is_found(self, find, monkeypatch, key):
        admit = Access.admit

        async def let_in(access, headers, scope):
            return await admit(access, {**headers, b"x-api-key": key.encode()}, scope)

        monkeypatch.setattr(Access, "admit", let_in)
        assert "ignored_auth" in find()
