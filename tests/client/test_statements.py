"""Statements that the client fetches: verified, and of what was asked for."""

import json

import httpx
import pytest

from counterfoil.client import Client
from counterfoil.core.statement import parse_statement
from counterfoil.engine.engine import Engine
from counterfoil.engine.windows import Window, parse_month
from counterfoil.storage.memory import MemoryStore
from tests.support import OPERATOR, FakeClock, delta, operator_named, refused, seeded

VKEY = str(OPERATOR.verifier_key)
APRIL, MAY = parse_month("2026-04"), parse_month("2026-05")
STATEMENT = "application/vnd.counterfoil.statement+json"


@pytest.fixture
def engine():
    """Two deltas of April and one of May."""
    engine = Engine(MemoryStore(clock := FakeClock()), OPERATOR, randomness=seeded())
    engine.record(delta("500"))
    engine.record(delta("-12.5"))
    clock.now = MAY.start
    engine.record(delta("1"))
    engine.checkpoint("alice")
    return engine


@pytest.fixture
def asked():
    return []


@pytest.fixture
def given(asked):
    """A client that is answered with these bytes."""

    def given(data, keys=VKEY):
        def answer(request):
            asked.append(request)
            return httpx.Response(200, content=data, headers={"content-type": STATEMENT})

        return Client(
            "https://ledger.example.com",
            "pk_test_0123456789abcdef." + "0" * 64,
            keys=keys,
            state=None,
            transport=httpx.MockTransport(answer),
        )

    return given


def stated(engine, window=APRIL, **options):
    return engine.statement("alice", window, now=None, **options).document


class TestWhatComes:
    @pytest.mark.parametrize("full", [False, True])
    def test_it_comes_with_its_bytes_and_what_they_prove(self, given, engine, asked, full):
        data = stated(engine, full=full)
        found = given(data).statement("alice", period="2026-04", full=full)
        assert found.data == data
        assert (found.verified.deltas, found.verified.closing.balance) == (2, 4875 * 10**8)
        [request] = asked
        assert request.url.path == "/api/v1/balance/customers/alice/statement"
        assert dict(request.url.params) == {
            "startDate": "2026-04-01T00:00:00.000000Z",
            "endDate": "2026-05-01T00:00:00.000000Z",
            "mode": "full" if full else "light",
        }
        assert request.headers["accept"] == STATEMENT

    def test_two_instants_name_a_period_too(self, given, engine):
        client = given(stated(engine))
        found = client.statement("alice", start_date="2026-04-01", end_date="2026-05-01T02:00:00+02:00")
        assert found.verified.deltas == 2

    def test_a_period_that_goes_on_has_to_be_allowed(self, given, engine):
        client = given(stated(engine, MAY))
        with refused("incomplete-period"):
            client.statement("alice", period="2026-05")
        found = client.statement("alice", period="2026-05", allow_provisional=True)
        assert found.verified.provisional_through is not None


class TestWhatIsRefused:
    def test_one_of_another_customer(self, given, engine):
        with refused("wrong-origin"):
            given(stated(engine)).statement("bob", period="2026-04")

    def test_one_that_names_no_customer(self, given, engine):
        with refused("wrong-origin"):
            given(stated(engine, with_open=False)).statement("alice", period="2026-04")

    @pytest.mark.parametrize(
        "window", [MAY, Window(APRIL.start, APRIL.end - 1), Window(APRIL.start + 1, APRIL.end)]
    )
    def test_one_of_another_period(self, given, engine, window):
        with refused("malformed"):
            given(stated(engine, window)).statement("alice", period="2026-04", allow_provisional=True)

    def test_one_of_another_mode(self, given, engine):
        with refused("malformed"):
            given(stated(engine)).statement("alice", period="2026-04", full=True)

    def test_one_that_was_changed(self, given, engine):
        changed = json.loads(stated(engine))
        changed["items"][-1]["entry"]["credits"] = "600"
        with refused("root-mismatch"):
            given(json.dumps(changed).encode()).statement("alice", period="2026-04")

    def test_one_under_a_key_that_is_not_pinned(self, given, engine):
        with refused("unknown-key"):
            given(stated(engine), keys=None).statement("alice", period="2026-04")
        stranger = str(operator_named(seed="stranger").verifier_key)
        with refused("unknown-key"):
            given(stated(engine), keys=stranger).statement("alice", period="2026-04")

    def test_one_under_a_checkpoint_that_contradicts_what_was_seen(self, engine):
        other = Engine(MemoryStore(clock := FakeClock()), OPERATOR, randomness=seeded(1))
        other.record(delta("400"))
        other.record(delta("-12.5"))
        clock.now = MAY.start
        other.record(delta("1"))
        other.checkpoint("alice")
        one, two = stated(engine), stated(other)
        sizes = {parse_statement(data).checkpoint.size for data in (one, two)}
        assert len(sizes) == 1
        answers = iter([one, two])
        with Client(
            "https://ledger.example.com",
            "pk_test_0123456789abcdef." + "0" * 64,
            keys=VKEY,
            state=None,
            transport=httpx.MockTransport(
                lambda _: httpx.Response(200, content=next(answers), headers={"content-type": STATEMENT})
            ),
        ) as client:
            client.statement("alice", period="2026-04")
            with refused("fork"):
                client.statement("alice", period="2026-04")

    @pytest.mark.parametrize(
        ("named", "code"),
        [
            ({}, "usage"),
            ({"start_date": "2026-04-01"}, "usage"),
            ({"period": "2026-04", "end_date": "2026-05-01"}, "usage"),
            ({"period": "2026-13"}, "invalid-field"),
            ({"start_date": "soon", "end_date": "2026-05-01"}, "invalid-field"),
        ],
    )
    def test_what_names_no_period_is_not_asked_for(self, given, engine, asked, named, code):
        with refused(code):
            given(stated(engine)).statement("alice", **named)
        assert asked == []
