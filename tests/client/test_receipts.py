"""A receipt that comes out of the client verified, for the record that was asked for; a server cannot pass another off."""

import json

import httpx
import pytest

from counterfoil.core.receipt import parse_receipt
from counterfoil.engine.request import Delta
from tests.client.server import OPERATOR, VKEY, Time, connect, new_engine, problem, text
from tests.support import erase, operator_named, refused


def reference_of(server, customer="cust_001"):
    return f"0x{server.engine.log_of(customer).hex()}"


class TestAGoodOne:
    def test_it_comes_with_its_bytes_and_what_they_prove(self, server, client):
        recorded = client.record("cust_001", "-12.5", "api_call", reference_id="line_001")
        server.engine.checkpoint("cust_001")
        receipt = client.receipt(recorded)
        assert receipt.data == server.engine.receipt(recorded.record_id).receipt
        assert receipt.amount == recorded.amount
        assert receipt.verified.customer_id == "cust_001"
        assert receipt.verified.details == {"reason": "api_call", "referenceId": "line_001"}

    def test_it_can_be_had_by_its_record_id(self, server, client):
        [record_id] = server.record()
        assert client.receipt(record_id, customer_id="cust_001").verified.entry.index == 1

    def test_or_under_an_older_checkpoint(self, server, client):
        [record_id] = server.record()
        server.record()
        assert client.receipt(record_id).verified.checkpoint.size == 5
        assert client.receipt(record_id, size=3).verified.checkpoint.size == 3

    def test_after_erasure_it_proves_the_entry_alone(self, server, client):
        recorded = client.record("cust_001", 1, "api_call")
        server.engine.checkpoint("cust_001")
        erase(server.store, server.engine.log_of("cust_001"), 1)
        assert client.receipt(recorded).verified.details is None

    def test_before_a_checkpoint_there_is_none(self, client):
        recorded = client.record("cust_001", 1, "api_call")
        with refused("not-yet-checkpointed"):
            client.receipt(recorded)

    def test_of_no_record_there_is_none(self, client):
        with refused("record-not-found"):
            client.receipt(f"0x{'a' * 40}.1")

    @pytest.mark.parametrize("record_id", ["", "0x1", "cust_001", None])
    def test_what_is_no_record_id_is_not_asked_for(self, server, client, record_id):
        with refused("invalid-field", field="recordId"):
            client.receipt(record_id)
        assert not server.requests


class TestWithoutAKey:
    @pytest.mark.parametrize("call", [
        lambda client, record_id: client.receipt(record_id),
        lambda client, record_id: client.wait_for_verified(record_id),
        lambda client, record_id: client.checkpoint_note(record_id.partition(".")[0]),
        lambda client, record_id: client.consistency_file(record_id.partition(".")[0], 1, 2),
    ])  # fmt: skip
    def test_nothing_is_verified_and_no_key_asked_for(self, server, time, call):
        [record_id] = server.record()
        with refused("unknown-key"):
            call(connect(server, time, keys=None), record_id)
        assert not server.requests

    def test_a_server_can_be_asked_for_its_key_by_itself(self, server, time):
        assert connect(server, time, keys=None).fetch_keys() == (VKEY,)

    @pytest.mark.parametrize("keys", [["nonsense"], [7], None, {}])
    def test_what_is_none_is_malformed(self, server, client, keys):
        body = {"success": True, "data": {"verifierKeys": keys}}
        server.faults = [httpx.Response(200, json=body)]
        with refused("malformed"):
            client.fetch_keys()


class TestALyingServer:
    def test_the_receipt_of_another_record_is_refused(self, server, client):
        first, second = server.record(2)
        server.lies["/receipt"] = lambda _: text(server.engine.receipt(second).receipt)
        with refused("index-mismatch"):
            client.receipt(first)

    def test_so_is_one_of_another_customer(self, server, client):
        [mine] = server.record()
        [other] = server.record(customer="cust_002")
        server.lies["/receipt"] = lambda _: text(server.engine.receipt(other).receipt)
        with refused("wrong-origin"):
            client.receipt(mine)

    def test_and_a_record_id_of_another_customer_in_place_of_the_own_one(self, server, client):
        [other] = server.record(customer="cust_002")
        with refused("wrong-origin"):
            client.receipt(other, customer_id="cust_001")

    def test_and_one_that_names_no_customer_where_one_is_expected(self, server, client):
        [mine] = server.record()
        server.lies["/receipt"] = lambda _: text(server.engine.receipt(mine, with_open=False).receipt)
        with refused("wrong-origin"):
            client.receipt(mine, customer_id="cust_001")

    def test_of_what_was_recorded_the_customer_is_known(self, server, client):
        recorded = client.record("cust_001", 1, "api_call")
        server.engine.checkpoint("cust_001")
        server.lies["/receipt"] = lambda _: text(
            server.engine.receipt(recorded.record_id, with_open=False).receipt
        )
        with refused("wrong-origin"):
            client.receipt(recorded)

    def test_one_that_another_key_signed_is_refused(self, server, client):
        server.engine, _ = new_engine(operator=operator_named(seed="another"))
        [record_id] = server.record()
        with refused("unknown-key"):
            client.receipt(record_id)

    def test_one_whose_signature_is_none(self, server, client):
        [record_id] = server.record()
        good = server.engine.receipt(record_id).receipt
        place = good.rindex(b"=\\n")
        server.lies["/receipt"] = lambda _: text(good[: place - 3] + b"AAA" + good[place:])
        with refused("bad-signature"):
            client.receipt(record_id)

    def test_one_without_a_signature(self, server, client):
        [record_id] = server.record()
        receipt = json.loads(server.engine.receipt(record_id).receipt)
        receipt["proof"] = receipt["proof"].partition("\u2014")[0]
        server.lies["/receipt"] = lambda _: text(json.dumps(receipt))
        with refused("malformed"):
            client.receipt(record_id)

    def test_one_whose_amount_was_changed(self, server, client):
        [record_id] = server.record(amount="100")
        good = server.engine.receipt(record_id).receipt
        server.lies["/receipt"] = lambda _: text(good.replace(b'"amount":"100"', b'"amount":"10"'))
        with refused("root-mismatch"):
            client.receipt(record_id)

    def test_one_whose_reason_was_changed(self, server, client):
        [record_id] = server.record()
        good = server.engine.receipt(record_id).receipt
        server.lies["/receipt"] = lambda _: text(good.replace(b'"usage"', b'"other"'))
        with refused("details-mismatch"):
            client.receipt(record_id)

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"success":true,"data":{}}', b"<html>"])
    def test_what_is_no_receipt(self, server, client, body):
        [record_id] = server.record()
        server.lies["/receipt"] = lambda _: text(body)
        with refused("malformed"):
            client.receipt(record_id)

    def test_one_of_another_type(self, server, client):
        [record_id] = server.record()
        server.lies["/receipt"] = lambda _: text(b'{"type":"counterfoil/receipt@v9"}')
        with refused("unknown-type"):
            client.receipt(record_id)

    def test_one_under_another_checkpoint_than_was_asked_for(self, server, client):
        [record_id] = server.record()
        server.record()
        server.lies["/receipt"] = lambda _: text(server.engine.receipt(record_id).receipt)
        with refused("malformed"):
            client.receipt(record_id, size=3)

    def test_a_server_that_acknowledges_one_entry_and_proves_another_is_found_out(self, server, client):
        recorded = client.record("cust_001", "-12.5", "api_call")
        # It forgets what it acknowledged, and records the like later.
        server.engine, _ = new_engine(seed=9)
        server.engine.record(Delta("cust_001", "-12.5", "api_call"))
        server.engine.checkpoint("cust_001")
        assert client.receipt(recorded.record_id, customer_id="cust_001")
        with refused("root-mismatch"):
            client.receipt(recorded)

    def test_and_so_is_one_that_records_other_details_than_were_sent(self, server, client):
        def bent(request):
            body = json.loads(request.content) | {"reason": "something else"}
            return server.answer(
                httpx.Request(request.method, request.url, headers=request.headers, json=body)
            )

        server.lies["/delta"] = bent
        recorded = client.record("cust_001", "-12.5", "api_call")
        server.engine.checkpoint("cust_001")
        with refused("details-mismatch"):
            client.receipt(recorded)


class TestWaiting:
    def test_it_ends_with_the_receipt(self, server):
        class Busy(Time):
            def sleep(self, seconds):
                super().sleep(seconds)
                if len(self.slept) == 3:
                    server.engine.checkpoint("cust_001")

        time = Busy()
        client = connect(server, time)
        recorded = client.record("cust_001", 1, "api_call")
        assert client.wait_for_verified(recorded).verified.entry.index == 1
        assert len(time.slept) == 3

    def test_what_the_server_calls_verified_is_not_believed(self, server, client):
        recorded = client.record("cust_001", 1, "api_call")
        server.lies[f"/{recorded.record_id}"] = lambda _: text(b'{"status": "VERIFIED"}')
        with refused("not-yet-checkpointed"):
            client.wait_for_verified(recorded, timeout_seconds=10)

    def test_it_lasts_no_longer_than_was_said(self, time, client):
        recorded = client.record("cust_001", 1, "api_call")
        begun = time.now
        with refused("not-yet-checkpointed"):
            client.wait_for_verified(recorded, timeout_seconds=10, poll_seconds=3)
        assert 6 <= time.now - begun <= 10

    def test_a_server_is_asked_no_sooner_than_it_says(self, server, time, client):
        recorded = client.record("cust_001", 1, "api_call")
        answer = problem("not-yet-checkpointed")
        answer.headers["Retry-After"] = "7"
        server.lies["/receipt"] = lambda _: answer
        with refused("not-yet-checkpointed"):
            client.wait_for_verified(recorded, timeout_seconds=20)
        assert time.slept == [7, 7]

    def test_another_refusal_ends_it(self, time, client):
        with refused("record-not-found"):
            client.wait_for_verified(f"0x{'a' * 40}.1")
        assert not time.slept

    def test_the_wrong_receipt_ends_it(self, server, time, client):
        first, second = server.record(2)
        server.lies["/receipt"] = lambda _: text(server.engine.receipt(second).receipt)
        with refused("index-mismatch"):
            client.wait_for_verified(first)
        assert not time.slept


def test_the_operator_of_these_tests_is_the_one_that_is_pinned(server):
    [record_id] = server.record()
    receipt = parse_receipt(server.engine.receipt(record_id).receipt)
    assert receipt.proof.checkpoint.origin == f"{OPERATOR.name}/acme/{reference_of(server)}"
