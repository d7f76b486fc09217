"""Every method of the client, over the network, against the application itself."""

import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from pathlib import Path

import httpx
import pytest
import uvicorn

from counterfoil import web
from counterfoil.client import Client, NewDelta
from counterfoil.client.answers import AMOUNTS
from counterfoil.core.tlog_proof import parse_consistency_file
from counterfoil.engine import apikeys
from counterfoil.errors import CounterfoilError
from counterfoil.storage.memory import MemoryStore
from counterfoil.web.app import create_app
from counterfoil.web.state import Services
from tests.engine.outbox import event_id, hook, spread_all, stored
from tests.support import OPERATOR, FakeClock, refused, seeded

TENANT = "acme"
VKEY = str(OPERATOR.verifier_key)
MONTH = "2026-04"


class Counting(httpx.HTTPTransport):
    """The network, with the requests that went over it."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def handle_request(self, request):
        self.asked.append((request.method, request.url.path))
        return super().handle_request(request)


class Served:
    """A server on a port of its own, and what is behind it."""

    def __init__(self):
        self.clock = FakeClock()
        self.store = MemoryStore(self.clock)
        self.services = Services(self.store, OPERATOR, now=lambda: self.clock.now, randomness=seeded())
        self.app = create_app(self.services)
        self.engine = self.services.engine(TENANT)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        config = uvicorn.Config(self.app, log_config=None, access_log=False, lifespan="on")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]})

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()

    def connect(self, state=None, *, scopes=("read", "write"), tenant=TENANT, **named):
        count = len(apikeys.list_keys(self.store))
        issued = apikeys.create(self.store, tenant=tenant, scopes=scopes, randomness=seeded(count))
        return Client(self.url, issued.text, keys=VKEY, state=state, **named)


@pytest.fixture
def served():
    with Served() as server:
        yield server


@pytest.fixture
def client(served, tmp_path):
    with served.connect(tmp_path / "seen.json") as client:
        yield client


@pytest.fixture
def verified(served, client):
    """A delta under a checkpoint."""
    recorded = client.record("cust_001", "-12.5", "api_call", reference_id="line_001")
    served.engine.checkpoint("cust_001")
    return recorded


def reference_of(recorded):
    return recorded.record_id.partition(".")[0]


class TestRecording:
    @pytest.mark.parametrize(
        "amount", ["-12.5", 500, Decimal("0.1"), "999999999999999999.999999999", "-0.000000001"]
    )
    def test_an_amount_goes_there_and_back_exactly(self, client, amount):
        recorded = client.record("cust_001", amount, "api_call")
        assert recorded.raw["delta"] == recorded.amount == Decimal(amount)
        assert client.customer("cust_001", period=MONTH).computed_balance == Decimal(amount)

    def test_all_that_can_be_said_of_it_arrives(self, client):
        first = client.record("cust_001", 500, "deposit", reference_id="line_001", unit="EUR")
        by_id = client.record(
            "cust_001", -1, "fix", metadata={"model": "aé", "x": 0.5}, effective_at="2026-04-02", adjusts=first.record_id
        )  # fmt: skip
        by_name = client.record(
            "cust_001", -1, "fix", adjusts={"referenceId": "line_001"}, idempotency_key="k"
        )
        assert [each.raw["entry"]["adjusts"] for each in (by_id, by_name)] == ["1", "1"]
        assert client.delta(by_id.record_id).raw["metadata"] == {"model": "aé", "x": Decimal("0.5")}
        assert client.delta(by_id.record_id).raw["effectiveAt"] == "2026-04-02T00:00:00.000000Z"

    def test_the_same_again_is_a_replay_and_another_a_conflict(self, client, verified):
        key = verified.idempotency_key
        again = client.record("cust_001", "-12.50", "api_call", reference_id="line_001", idempotency_key=key)
        assert (again.replayed, again.record_id, again.status) == (True, verified.record_id, "VERIFIED")
        with refused("idempotency-conflict") as caught:
            client.record("cust_001", 1, "api_call", idempotency_key=key)
        assert caught.value.facts["recordId"] == verified.record_id

    def test_many_at_once(self, client):
        deltas = [
            NewDelta("cust_001", 1, "usage"),
            NewDelta("cust_002", 0.5, "usage"),
            NewDelta("cust_002", 2, "usage"),
        ]
        for replayed in (False, True):
            first, second, third = client.record_many(deltas, idempotency_key="batch-1")
            assert second.code == "invalid-field"
            assert (first.customer_id, third.customer_id) == ("cust_001", "cust_002")
            assert first.replayed is third.replayed is replayed

    @pytest.mark.usefixtures("verified")
    def test_one_that_the_server_refuses_in_a_batch(self, client):
        deltas = [NewDelta("cust_001", 1, "usage", unit="EUR"), NewDelta("cust_001", 1, "usage")]
        wrong, right = client.record_many(deltas)
        assert isinstance(wrong, CounterfoilError)
        assert wrong.code == "invalid-field"
        assert client.delta(right.record_id).status == "QUEUED"

    def test_threads_may_share_a_client(self, served, client):
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda n: client.record("cust_001", n, "usage"), range(1, 65)))
        assert len({answer.record_id for answer in answers}) == 64
        assert served.engine.customer("cust_001").count == 64

    def test_a_key_that_may_only_read_does_not_record(self, served):
        with served.connect(scopes=("read",)) as reader, refused("insufficient-scope"):
            reader.record("cust_001", 1, "usage")


class TestVerifying:
    def test_a_receipt_is_of_the_entry_that_was_acknowledged(self, client, verified):
        receipt = client.receipt(verified)
        assert receipt.amount == Decimal("-12.5")
        assert receipt.verified.customer_id == "cust_001"

    def test_it_is_waited_for(self, served, client):
        recorded = client.record("cust_001", 1, "usage")
        with refused("not-yet-checkpointed"):
            client.wait_for_verified(recorded, timeout_seconds=0)
        served.engine.checkpoint("cust_001")
        assert client.wait_for_verified(recorded).verified.entry.index == 1

    def test_a_log_that_grows_is_followed(self, served, client, verified):
        for size in (3, 5, 7):
            assert client.checkpoint_note(reference_of(verified)).size == size
            client.record("cust_001", 1, "usage")
            served.engine.checkpoint("cust_001")
        assert client.receipt(verified, size=5).verified.checkpoint.size == 5
        assert client.checkpoint_note(reference_of(verified), 3).size == 3
        file = parse_consistency_file(client.consistency_file(reference_of(verified), 3, 9))
        assert (file.old_size, file.checkpoint.size) == (3, 9)

    def test_a_checkpoint_can_be_asked_for(self, client):
        recorded = client.record("cust_001", 1, "usage")
        made = client.checkpoint("cust_001")
        assert made.checkpoint.size == 3
        assert client.receipt(recorded).verified.checkpoint == made.checkpoint
        client.record("cust_002", 1, "usage")
        assert client.checkpoint().checkpoint is None

    def test_what_another_server_of_the_same_operator_shows_is_held_against_it(
        self, client, verified, tmp_path
    ):
        client.receipt(verified)
        with Served() as other, other.connect(tmp_path / "seen.json") as confused:
            confused.record("cust_001", 7, "usage")
            with refused("fork"):
                confused.checkpoint("cust_001")

    def test_a_record_of_another_tenant_is_none(self, served, verified):
        with served.connect(tenant="other") as stranger, refused("record-not-found"):
            stranger.receipt(verified)

    def test_the_servers_own_check_has_its_steps(self, client, verified):
        answer = client.verify(verified.record_id)
        assert answer["verified"] is True
        assert [step["step"] for step in answer["steps"]] == [1, 2, 3, 4, 5, 6, 7]

    def test_a_root_is_known(self, client, verified):
        root = client.receipt(verified).verified.checkpoint.root.hex()
        assert client.verify_root(root)["size"] == 3

    def test_keys_can_be_seen(self, client):
        assert client.fetch_keys() == (VKEY,)


class TestReports:
    @pytest.mark.usefixtures("verified")
    def test_customers(self, client):
        answer = client.customers(search="cust", page=1, limit=10, period=MONTH)
        [found] = answer["customers"]
        assert found["computedBalance"] == Decimal("-12.5")
        assert answer["pagination"]["total"] == 1
        assert client.summary()["totalDeltas"] == 1
        assert client.usage()["totalDeltas"] == 1

    def test_a_customer(self, client, verified):
        view = client.customer("cust_001", period=MONTH, delta_page=1, delta_limit=5)
        assert (view.customer_id, view.customer_reference) == ("cust_001", reference_of(verified))
        assert (view.period, view.total_deltas, view.recorded_this_period, view.verified_this_period) == (
            MONTH,
            1,
            1,
            1,
        )
        assert view.recorded_amount_this_period == view.cumulative_balance == Decimal("-12.5")
        assert (view.unit, view.verified_deltas) == ("credits", 1)
        assert (view.opening_balance, view.closing_balance) == (0, Decimal("-12.5"))
        assert view.verified_through_at > verified.recorded_at
        assert view.raw["recentActivity"]["items"][0]["recordId"] == verified.record_id
        with refused("customer-not-found"):
            client.customer("nobody")

    def test_balances(self, client, verified):
        derived = client.derive(
            "cust_001", period=MONTH, granularity="day", starting_balance="0.5", limit=1, offset=0
        )
        assert derived["computedBalance"] == Decimal(-12)
        assert type(derived["computedBalance"]) is Decimal
        assert derived["deltas"][0]["recordId"] == verified.record_id
        start = client.derive(
            "cust_001", starting_checkpoint=verified.record_id, starting_checkpoint_type="recordId"
        )
        assert start["deltaCount"] == 0
        compared = client.compare("cust_001", yours="-12.5", theirs=Decimal("-12.4"), period=MONTH)
        assert (compared["matchesYours"], compared["matchesTheirs"]) == (True, False)
        assert compared["theirDifference"] == Decimal("0.1")
        assert client.limits()["maxScopeMonths"] == 24

    @pytest.mark.usefixtures("verified")
    def test_scopes(self, client):
        for scope in (
            {"period": MONTH},
            {"time_preset": "current_month"},
            {"start_date": "2026-04-01", "end_date": "2026-05-01"},
        ):
            assert client.derive("cust_001", **scope)["deltaCount"] == 1
            assert client.period_receipt("cust_001", **scope)["finalBalance"] == Decimal("-12.5")
            assert client.invoice_proof("cust_001", **scope)["deltaCount"] == 1
            assert client.checkpoints("cust_001", limit=5, offset=0, **scope)["checkpoints"][0]["size"] == 3
        assert len(client.checkpoints()["checkpoints"]) == 1
        with refused("invalid-scope-combination"):
            client.derive("cust_001", period=MONTH, time_preset="current_month")

    @pytest.mark.usefixtures("verified")
    def test_gaps(self, client):
        assert client.gaps("cust_001", from_sequence=1, to_sequence=9, limit=10)["gaps"] == []

    def test_webhooks(self, served, client):
        hook(served.store, tenant=TENANT)
        client.record("cust_001", 1, "usage")
        client.checkpoint("cust_001")
        spread_all(served.store)
        assert client.webhook_deliveries(status="pending", limit=10, offset=0)["total"] == 3
        [first, *_] = [event_id(each) for each in stored(served.store, TENANT)]
        assert client.retry_webhook(first)["eventId"] == first
        with refused("record-not-found"):
            client.retry_webhook(f"delta.verified.0x{'0' * 40}.1")


def calls(client, record_id, event):
    """A call of each method."""
    reference = record_id.partition(".")[0]
    root = client.receipt(record_id).verified.checkpoint.root.hex()
    return {
        "record": partial(client.record, "cust_001", 1, "usage"),
        "record_many": partial(client.record_many, [NewDelta("cust_001", 1, "usage")]),
        "delta": partial(client.delta, record_id),
        "receipt": partial(client.receipt, record_id),
        "statement": partial(client.statement, "cust_001", period=MONTH, allow_provisional=True),
        "wait_for_verified": partial(client.wait_for_verified, record_id),
        "verify": partial(client.verify, record_id),
        "verify_root": partial(client.verify_root, root),
        "customers": client.customers,
        "customer": partial(client.customer, "cust_001"),
        "summary": client.summary,
        "derive": partial(client.derive, "cust_001"),
        "compare": partial(client.compare, "cust_001", yours=1, theirs=2),
        "limits": client.limits,
        "usage": client.usage,
        "gaps": partial(client.gaps, "cust_001"),
        "period_receipt": partial(client.period_receipt, "cust_001"),
        "invoice_proof": partial(client.invoice_proof, "cust_001"),
        "checkpoint": partial(client.checkpoint, "cust_001"),
        "checkpoints": client.checkpoints,
        "checkpoint_note": partial(client.checkpoint_note, reference),
        "consistency_file": partial(client.consistency_file, reference, 3, 3),
        "fetch_keys": client.fetch_keys,
        "webhook_deliveries": client.webhook_deliveries,
        "retry_webhook": partial(client.retry_webhook, event),
    }


def test_every_route_has_a_method_and_every_method_a_route(served):
    network = Counting()
    hook(served.store, tenant=TENANT)
    with served.connect(transport=network) as client:
        record_id = client.record("cust_001", 1, "usage").record_id
        client.checkpoint("cust_001")
        spread_all(served.store)
        found = calls(client, record_id, event_id(stored(served.store, TENANT)[0]))
        assert found.keys() == {name for name in dir(Client) if not name.startswith("_")} - {"close"}
        network.asked.clear()
        for call in found.values():
            call()
    routes = {
        (method.upper(), path)
        for path, methods in served.app.openapi()["paths"].items()
        for method in methods
        if path.startswith("/api/v1/")
    }
    reached = {route for route in routes if any(matches(route, asked) for asked in network.asked)}
    assert reached == routes
    assert not [asked for asked in network.asked if not any(matches(route, asked) for route in routes)]


def matches(route, asked):
    pattern = re.sub(r"\{\w+\}", "[^/]+", route[1])
    return route[0] == asked[0] and re.fullmatch(pattern, asked[1]) is not None


def test_every_amount_that_the_server_writes_is_read_as_a_decimal():
    folder = Path(web.__file__).parent
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*.py")]
    names = {name for text in texts for name in re.findall(r'"(\w+)": amount\(', text)}
    assert names <= AMOUNTS
    assert names >= {"computedBalance", "finalBalance", "netChange"}
