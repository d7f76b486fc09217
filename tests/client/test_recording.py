"""Recording: exact amounts, what a server would refuse refused at once, and answers held against what was sent."""

import json
from decimal import Decimal

import pytest

from counterfoil.client import NewDelta
from counterfoil.core.amount import format_nano
from counterfoil.engine.request import batch_item_key
from counterfoil.errors import CounterfoilError, EngineError
from tests.client.server import connect, success
from tests.support import assert_refusal, refused


class TestOne:
    @pytest.mark.parametrize(("amount", "sent"), [
        ("-12.5", "-12.5"), (500, "500"), (Decimal("0.100"), "0.1"), ("+1e3", "1000"), (-7, "-7"),
        ("999999999999999999.999999999", "999999999999999999.999999999"), (Decimal("1E-9"), "0.000000001"),
    ])  # fmt: skip
    def test_an_amount_is_sent_and_recorded_exactly(self, server, client, amount, sent):
        # The answer's own number is a double in this little server; what is recorded is in the entry.
        server.lies["/delta"] = lambda request: _with_delta(server.answer(request), sent)
        recorded = client.record("cust_001", amount, "api_call")
        assert json.loads(server.requests[0].content)["delta"] == sent
        assert recorded.amount == Decimal(sent)
        assert format_nano(server.engine.customer("cust_001").balance) == sent

    @pytest.mark.parametrize(
        "amount", [0.1, 1.0, True, None, b"1", "", "NaN", "1,5", "0x1", float("nan"), [1]]
    )
    def test_what_is_no_exact_decimal_is_not_sent(self, server, client, amount):
        with refused("invalid-field", field="delta"):
            client.record("cust_001", amount, "api_call")
        assert not server.requests

    @pytest.mark.parametrize(
        "amount",
        [0, "0.0", 10**18, pytest.param(10**5_000, id="huge"), "1e18", "0.0000000001", Decimal("1e-10")],
    )
    def test_what_is_no_amount_neither(self, server, client, amount):
        with refused("amount-out-of-range"):
            client.record("cust_001", amount, "api_call")
        assert not server.requests

    @pytest.mark.parametrize("members", [
        {"customer_id": "no id"}, {"customer_id": "summary"}, {"customer_id": None}, {"reason": ""}, {"reason": None},
        {"reason": "\ud800"}, {"reason": "x" * 20_000}, {"reference_id": 7}, {"metadata": ["a"]}, {"metadata": {"a": Decimal(1)}},
        {"metadata": {"a": 2**53}}, {"metadata": {"a": float("inf")}}, {"metadata": {"a": {1}}}, {"metadata": {1: "a"}},
        {"effective_at": "yesterday"}, {"effective_at": 7},
    ])  # fmt: skip
    def test_nor_is_what_a_server_would_refuse(self, server, client, members):
        with pytest.raises(CounterfoilError) as caught:
            client.record(**{"customer_id": "cust_001", "amount": 1, "reason": "api_call"} | members)
        assert caught.value.code == "invalid-field"
        assert not server.requests

    def test_all_that_is_said_of_it_arrives(self, server, client):
        first = client.record("cust_001", "500", "deposit", unit="EUR")
        client.record(
            "cust_001", "-12.5", "correction", reference_id="line_001", metadata={"model": "aé", "tokens": 1200, "x": 0.5},
            idempotency_key="req-0002", effective_at="2026-04-02T12:29:59+02:00", adjusts=first.record_id, unit="EUR",
        )  # fmt: skip
        assert json.loads(server.requests[-1].content) == {
            "customerId": "cust_001", "delta": "-12.5", "reason": "correction", "referenceId": "line_001",
            "metadata": {"model": "aé", "tokens": 1200, "x": 0.5}, "effectiveAt": "2026-04-02T10:29:59.000000Z",
            "adjusts": {"recordId": first.record_id}, "unit": "EUR",
        }  # fmt: skip
        assert server.requests[-1].headers["Idempotency-Key"] == "req-0002"

    def test_the_answer_says_where_it_is(self, client):
        recorded = client.record("cust_001", "-12.5", "api_call", idempotency_key="req-0001")
        assert recorded.record_id.endswith(".1")
        assert (recorded.customer_id, recorded.sequence_number, recorded.status) == ("cust_001", 1, "QUEUED")
        assert recorded.recorded_at == recorded.raw["entry"]["recordedAt"]
        assert not recorded.replayed
        assert client.record("cust_001", "-12.5", "api_call", idempotency_key="req-0001").replayed

    @pytest.mark.parametrize("change", [
        {"customerId": "cust_002"}, {"idempotencyKey": "another"}, {"delta": 1}, {"delta": "1"}, {"recordId": None},
        {"recordId": "0x1"}, {"entry": None}, {"entry": {}}, {"status": None}, {"entry.amount": "0.5"},
        {"entry.amount": 7}, {"entry.index": "3"}, {"entry.effectiveAt": "2026-04-02T10:29:59.000000Z"},
        {"entry.unit": "EUR"}, {"entry.adjusts": "1"}, {"entry.type": "counterfoil/seal@v1"},
    ])  # fmt: skip
    def test_an_answer_of_another_delta_is_refused(self, server, client, change):
        client.record("cust_001", 1, "first")
        server.lies["/delta"] = lambda request: _changed(server.answer(request), change)
        with refused("malformed") as caught:
            client.record("cust_001", "-0.5", "api_call", unit="credits", idempotency_key="req-0001")
        assert caught.value.facts["idempotencyKey"] == "req-0001"

    def test_so_is_one_that_adjusts_another(self, server, client):
        ids = [client.record("cust_001", 1, "first").record_id for _ in range(2)]
        server.lies["/delta"] = lambda request: _changed(server.answer(request), {"entry.adjusts": "1"})
        with refused("malformed"):
            client.record("cust_001", -1, "correction", adjusts=ids[1])

    def test_whichever_way_that_is_named(self, server, client):
        ids = [client.record("cust_001", 1, "first").record_id for _ in range(2)]
        assert client.record("cust_001", -1, "correction", adjusts={"recordId": ids[1]})
        server.lies["/delta"] = lambda request: _changed(server.answer(request), {"entry.adjusts": "1"})
        with refused("malformed"):
            client.record("cust_001", -1, "correction", adjusts={"recordId": ids[1]})

    def test_or_adjusts_none_where_one_was_named(self, server, client):
        client.record("cust_001", 1, "first", reference_id="line_001")
        with refused("malformed"):  # this little server knows no references
            client.record("cust_001", -1, "correction", adjusts={"referenceId": "line_001"})
        assert json.loads(server.requests[-1].content)["adjusts"] == {"referenceId": "line_001"}


class TestMany:
    def test_each_succeeds_or_fails_by_itself_in_its_place(self, server, client):
        client.record("cust_001", 1, "first", idempotency_key="taken")
        answers = client.record_many([
            NewDelta("cust_001", 1, "usage"), NewDelta("cust_001", 0.5, "usage"), NewDelta("no id", 1, "usage"),
            NewDelta("cust_002", "2", "usage", idempotency_key="mine"), NewDelta("cust_001", 2, "x", idempotency_key="taken"),
            {"customer_id": "cust_001"}, NewDelta("cust_001", 1, "usage", idempotency_key="not one"),
        ])  # fmt: skip
        assert [answers[place].customer_id for place in (0, 3)] == ["cust_001", "cust_002"]
        assert answers[3].idempotency_key == "mine"
        for place in (1, 2, 5, 6):
            assert_refusal(answers[place], "invalid-field")
        assert_refusal(answers[4], "idempotency-conflict")
        assert answers[4].facts["idempotencyKey"] == "taken"
        assert [server.engine.customer(name).count for name in ("cust_001", "cust_002")] == [2, 1]

    def test_one_whose_answer_is_lost_is_recorded_once(self, server, client):
        server.faults = [server.lose]
        answers = client.record_many([NewDelta("cust_001", 1, "usage")] * 3)
        assert all(answer.replayed for answer in answers)
        assert len({answer.idempotency_key for answer in answers}) == 3
        assert server.engine.customer("cust_001").count == 3

    def test_under_its_own_key_it_is_the_same_again(self, client):
        deltas = [
            NewDelta("cust_001", 1, "usage"),
            NewDelta("cust_001", 0.5, "usage"),
            NewDelta("cust_001", 3, "usage"),
        ]
        first, again = (client.record_many(deltas, idempotency_key="batch-1") for _ in range(2))
        assert [answer.record_id for answer in first[::2]] == [answer.record_id for answer in again[::2]]
        assert all(answer.replayed for answer in again[::2])

    def test_an_item_without_a_key_gets_the_one_that_the_server_would_give_it(self, server, client):
        client.record_many([NewDelta("cust_001", 1, "usage")] * 2, idempotency_key="batch-1")
        keys = [item["idempotencyKey"] for item in json.loads(server.requests[0].content)["deltas"]]
        assert keys == [batch_item_key("batch-1", position) for position in range(2)]

    def test_one_with_nothing_to_send_is_not_sent(self, server, client):
        assert client.record_many([]) == []
        assert_refusal(client.record_many([NewDelta("cust_001", 0.5, "usage")])[0], "invalid-field")
        assert not server.requests

    def test_it_has_at_most_1000_items(self, server, client):
        with refused("invalid-field"):
            client.record_many([NewDelta("cust_001", 1, "usage")] * 1_001)
        assert not server.requests

    @pytest.mark.parametrize("results", [
        None, [], [{"index": 0, "status": "QUEUED"}], [{"index": 1, "status": "FAILED"}] * 2, [7, 7],
        [{"index": True, "status": "FAILED"}] * 2,
    ])  # fmt: skip
    def test_an_answer_of_another_batch_is_refused(self, server, client, results):
        server.lies["/batch"] = lambda _: success({"results": results}, 201)
        with refused("malformed") as caught:
            client.record_many([NewDelta("cust_001", 1, "usage")] * 2, idempotency_key="batch-1")
        assert caught.value.facts["idempotencyKey"] == "batch-1"

    def test_a_refusal_in_it_is_the_servers(self, server, client):
        result = {"index": 0, "status": "FAILED", "code": "never-heard-of", "error": "why\x07"}
        server.lies["/batch"] = lambda _: success({"results": [result]}, 201)
        [answer] = client.record_many([NewDelta("cust_001", 1, "usage")])
        assert isinstance(answer, EngineError)
        assert (answer.code, answer.message) == ("invalid-field", "why?")


class TestState:
    def test_it_is_what_the_server_says(self, server, client):
        recorded = client.record("cust_001", 1, "usage")
        assert client.delta(recorded.record_id).status == "QUEUED"
        server.engine.checkpoint("cust_001")
        state = client.delta(recorded.record_id)
        assert state.status == "VERIFIED"
        assert state.verified_at == state.raw["verifiedAt"]

    def test_one_of_another_record_is_refused(self, server, client):
        first, second = server.record(2)
        server.lies[f"/{first}"] = lambda _: success({"recordId": second, "status": "VERIFIED"})
        with refused("malformed"):
            client.delta(first)

    @pytest.mark.parametrize("record_id", ["", "0x1", "../keys", 7, None])
    def test_what_is_no_record_id_is_not_asked_for(self, server, client, record_id):
        with refused("invalid-field", field="recordId"):
            client.delta(record_id)
        assert not server.requests

    def test_a_customer_of_another_name_or_month_is_refused(self, server, client):
        for said in (
            {"customerId": "cust_002", "period": "2026-04"},
            {"customerId": "cust_001", "period": "2026-05"},
        ):
            server.lies["/cust_001"] = lambda _, said=said: success(said)
            with refused("malformed") as caught:
                client.customer("cust_001", period="2026-04")
            assert "another" in caught.value.message


class TestBalances:
    @pytest.mark.parametrize("balance", [0.5, True, None, "x", b"1"])
    def test_a_balance_is_exact_too(self, server, client, balance):
        with refused("invalid-field"):
            client.compare("cust_001", yours=balance, theirs=1) if balance is not None else client.derive(
                "no id"
            )
        assert not server.requests

    @pytest.mark.parametrize("balance", [10**29, pytest.param(10**5_000, id="huge"), "1e29", "0.0000000001"])
    def test_and_in_its_bounds(self, server, client, balance):
        with refused("amount-out-of-range"):
            client.derive("cust_001", starting_balance=balance)
        assert not server.requests

    def test_it_is_sent_as_it_is(self, server, client):
        server.lies["/compare"] = lambda _: success({"neutralBalance": 1})
        client.compare("cust_001", yours=Decimal("0.10"), theirs=0, period="2026-04")
        assert json.loads(server.requests[0].content) == {
            "customerId": "cust_001", "yourBalance": "0.1", "theirBalance": "0", "startingBalance": "0", "period": "2026-04",
        }  # fmt: skip
        # It writes nothing.
        assert "Idempotency-Key" not in server.requests[0].headers

    def test_a_scope_has_no_other_members(self, server, client):
        with refused("usage"):
            client.derive("cust_001", perod="2026-04")
        assert not server.requests


def _with_delta(response, number):
    document = response.json()
    document["data"]["delta"] = "@"
    return _replaced(response, json.dumps(document).replace('"@"', number))


def _changed(response, change):
    document = response.json()
    for name, value in change.items():
        target, _, member = name.rpartition(".")
        (document["data"][target] if target else document["data"])[member] = value
    return _replaced(response, json.dumps(document))


def _replaced(response, content):
    return type(response)(response.status_code, content=content)


def test_nothing_is_shared_between_two_clients(server, time):
    one, other = connect(server, time), connect(server, time)
    one.record("cust_001", 1, "usage")
    assert other.record("cust_001", 1, "usage", idempotency_key="other").sequence_number == 2
