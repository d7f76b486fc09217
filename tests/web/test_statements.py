"""Statements over HTTP: they verify offline, and asking for one signs nothing."""

import json

import pytest

from counterfoil.core.statement_verify import verify_statement
from counterfoil.engine.windows import parse_month
from tests.support import KEYS, delta, recorded
from tests.web.api import BALANCE, in_memory

APRIL, MAY = parse_month("2026-04"), parse_month("2026-05")
STATEMENT = "application/vnd.counterfoil.statement+json"
PATH = f"{BALANCE}/customers/alice/statement"
pytestmark = in_memory


@pytest.fixture
def april(engine, clock):
    """Two deltas of April, one of May; all under a checkpoint of May."""
    clock.tick = 0
    engine.record(delta("500"))
    engine.record(delta("-12.5"))
    clock.now = MAY.start
    engine.record(delta("1"))
    engine.checkpoint("alice")


@pytest.mark.usefixtures("april")
class TestAStatement:
    @pytest.mark.parametrize(("mode", "items"), [("light", 3), ("full", 4)])
    def test_it_verifies_offline(self, api, mode, items):
        found = api.get("customers/alice/statement", period="2026-04", mode=mode).data
        assert (found["period"], found["mode"], found["isFinal"]) == ("2026-04", mode, True)
        verified = verify_statement(json.dumps(found["statement"]), KEYS, customer_id="alice")
        assert (verified.deltas, verified.credits, verified.debits) == (2, 500 * 10**9, 125 * 10**8)
        assert len(verified.items) >= items

    def test_its_own_bytes_come_by_its_media_type(self, api, engine, clock):
        answer = api.call("GET", f"{PATH}?period=2026-04", headers={"Accept": STATEMENT})
        assert answer.headers["content-type"] == STATEMENT
        stated = engine.statement("alice", APRIL, now=clock.now)
        assert answer.text.encode() == stated.document

    def test_a_period_that_goes_on_is_not_final(self, api):
        found = api.get("customers/alice/statement", period="2026-05").data
        assert found["isFinal"] is False
        verified = verify_statement(json.dumps(found["statement"]), KEYS, allow_provisional=True)
        assert verified.provisional_through == found["verifiedThroughAt"]


def test_asking_signs_nothing(api, engine, clock):
    recorded(engine, 2)
    clock.now = MAY.start
    api.get("customers/alice/statement", period="2026-04").refused(
        "not-yet-checkpointed", 409, "NOT_YET_VERIFIED"
    )
    assert list(engine.checkpoints("alice")) == []


def test_a_customer_that_is_not_there_is_refused(api):
    api.get("customers/nobody/statement", period="2026-04").refused(
        "customer-not-found", 404, "CUSTOMER_NOT_FOUND"
    )


def test_a_mode_that_is_none_is_refused(api):
    api.get("customers/alice/statement", mode="half").invalid("mode")


def test_a_full_one_of_too_many_entries_is_refused(api, engine, monkeypatch):
    monkeypatch.setattr("counterfoil.engine.statements.STATEMENT_ITEMS_MAX", 20)
    recorded(engine, 20)
    engine.checkpoint("alice")
    api.get("customers/alice/statement", mode="full").refused("scope-too-wide", 400, "SCOPE_TOO_WIDE")
