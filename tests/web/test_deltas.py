"""Recording over HTTP, one delta at a time, on each of the three stores."""

import asyncio
import json

import pytest

from counterfoil.engine import references
from counterfoil.errors import EngineError
from tests.support import erase, recorded
from tests.web.calling import DELTA, TENANT, assert_problem, data_of

MEMBERS = {
    "recordId", "status", "receiptId", "customerId", "customerReference", "delta", "sequenceNumber", "recordedAt",
    "idempotencyKey", "entry",
}  # fmt: skip


def engine_of(web):
    return web.services.engine(TENANT)


class TestRecording:
    def test_a_delta_is_recorded_and_described(self, web):
        answer = web.record("-12.50", key="req-1", referenceId="line 1", metadata={"tokens": 1200})
        found = data_of(answer)
        assert answer.status_code == 201
        assert "idempotency-replayed" not in answer.headers
        assert found.keys() == MEMBERS
        reference = f"0x{engine_of(web).log_of('cust_001').hex()}"
        assert (found["recordId"], found["receiptId"]) == (f"{reference}.1", f"{reference}.1")
        assert (found["customerReference"], found["customerId"]) == (reference, "cust_001")
        assert (found["status"], found["sequenceNumber"]) == ("QUEUED", 1)
        assert found["idempotencyKey"] == "req-1"
        assert f'"delta":{found["entry"]["amount"]},' in answer.text
        assert found["recordedAt"] == found["entry"]["recordedAt"]

    def test_the_entry_is_the_bytes_of_the_leaf(self, web):
        answer = web.record()
        log = engine_of(web).log_of("cust_001")
        with web.services.store.read() as view:
            [row] = view.entries(log, 1, 2)
        assert row.entry in answer.content

    def test_the_first_delta_of_a_customer_may_name_the_unit(self, web):
        assert data_of(web.record(unit="EUR"))["entry"]["unit"] == "EUR"
        assert_problem(web.record(unit="USD"), "invalid-field", 400, field="unit")
        assert data_of(web.record())["entry"]["unit"] == "EUR"

    def test_when_it_happened_is_brought_to_utc(self, web):
        found = data_of(web.record(effectiveAt="2026-04-02T12:29:59+02:00"))
        assert found["entry"]["effectiveAt"] == "2026-04-02T10:29:59.000000Z"
        assert_problem(web.record(effectiveAt="yesterday"), "invalid-field", 400, field="effectiveAt")

    @pytest.mark.parametrize("customer", ["", "summary", "a b", "../x", "é", "x" * 129])
    def test_a_customer_id_that_is_none_is_refused(self, quick, customer):
        assert_problem(
            quick.record(customer=customer), "invalid-field", 400, "VALIDATION_ERROR", "customerId"
        )

    def test_details_that_are_too_large_are_refused(self, quick):
        assert_problem(quick.record(reason="x" * 20_000), "invalid-field", 400, "VALIDATION_ERROR")


class TestKeys:
    def test_the_same_request_again_is_answered_with_the_first_entry(self, web):
        first, again = web.record("-12.5", key="k"), web.record("-12.500", key="k")
        assert again.status_code == 200
        assert again.headers["idempotency-replayed"] == "true"
        assert data_of(again) == data_of(first)

    def test_a_replay_says_how_the_delta_stands_now(self, web):
        web.record(key="k")
        web.checkpoint()
        assert data_of(web.record(key="k"))["status"] == "VERIFIED"

    def test_another_request_under_the_key_is_a_conflict_that_names_the_record(self, web):
        first = data_of(web.record(key="k"))
        answer = web.record("-13", key="k")
        document = assert_problem(answer, "idempotency-conflict", 409, "IDEMPOTENCY_CONFLICT")
        assert document["recordId"] == first["recordId"]
        assert engine_of(web).customer("cust_001").count == 1

    def test_a_key_counts_within_one_customer(self, web):
        assert [web.record(customer=name, key="k").status_code for name in ("a", "b", "a")] == [201, 201, 200]

    def test_without_a_key_a_random_one_is_made_and_returned(self, web):
        first, second = data_of(web.record()), data_of(web.record())
        assert first["idempotencyKey"] != second["idempotencyKey"]
        again = web.record(key=first["idempotencyKey"])
        assert data_of(again)["recordId"] == first["recordId"]

    def test_after_its_details_were_erased_a_replay_is_one_still(self, web):
        first = data_of(web.record(key="k"))
        erase(web.services.store, engine_of(web).log_of("cust_001"), 1)
        assert data_of(web.record(key="k", reason="something else"))["recordId"] == first["recordId"]

    @pytest.mark.parametrize("key", ["a b", "x" * 256, "é".encode()])
    def test_a_key_that_is_none_is_refused(self, quick, key):
        answer = quick.post(
            DELTA, {"customerId": "a", "delta": 1, "reason": "x"}, headers={"Idempotency-Key": key}
        )
        assert_problem(answer, "invalid-field", 400, field="idempotencyKey")

    @pytest.mark.parametrize("same", [True, False], ids=["one request", "different ones"])
    def test_of_a_crowd_under_one_key_one_is_recorded(self, web, same):
        async def crowd():
            client = web._client  # noqa: SLF001
            headers = {"X-Api-Key": web.key, "Content-Type": "application/json", "Idempotency-Key": "k"}
            bodies = [
                json.dumps({"customerId": "a", "delta": 1 if same else 1 + number, "reason": "x"})
                for number in range(20)
            ]
            return await asyncio.gather(
                *[client.post(DELTA, headers=headers, content=body) for body in bodies]
            )

        statuses = sorted(answer.status_code for answer in web.run(crowd()))
        assert statuses == ([200] * 19 + [201] if same else [201] + [409] * 19)
        assert engine_of(web).customer("a").count == 1


class TestAdjusts:
    def test_a_delta_corrects_an_earlier_one_by_its_record_id(self, web):
        first = data_of(web.record())
        second = data_of(web.record("12.5", adjusts={"recordId": first["recordId"]}))
        assert second["entry"]["adjusts"] == "1"

    def test_or_by_the_senders_own_name_for_it(self, web):
        web.record(referenceId="line_000")
        web.record(referenceId="line_001")
        found = data_of(web.record("12.5", adjusts={"referenceId": "line_001"}))
        assert found["entry"]["adjusts"] == "2"

    def test_of_several_of_one_name_the_oldest_is_meant_so_that_a_retry_is_a_replay(self, web):
        web.record("-1", referenceId="line_001", key="one")
        sent = {"referenceId": "line_001", "adjusts": {"referenceId": "line_001"}, "key": "two"}
        assert web.record("2", **sent).status_code == 201
        assert web.record("2", **sent).status_code == 200

    def test_a_name_within_the_metadata_is_none(self, web):
        web.record(metadata={"referenceId": "line_001"})
        answer = web.record("12.5", adjusts={"referenceId": "line_001"})
        assert_problem(answer, "record-not-found", 404, "NOT_FOUND", "adjusts")

    @pytest.mark.parametrize("reference", ['say "a"', "line\\1", "é\u2028", "\u0000"])
    def test_a_name_is_found_as_it_is_written(self, quick, reference):
        quick.record(referenceId=reference)
        assert data_of(quick.record(adjusts={"referenceId": reference}))["entry"]["adjusts"] == "1"

    def test_only_the_newest_entries_are_searched(self, quick, monkeypatch):
        monkeypatch.setattr(references, "REFERENCE_SEARCH_ENTRIES_MAX", 10)
        quick.record(referenceId="old")
        recorded(engine_of(quick), 9, "cust_001")
        assert quick.record(adjusts={"referenceId": "old"}).status_code == 201
        assert_problem(quick.record(adjusts={"referenceId": "old"}), "record-not-found", 404)

    def test_one_whose_details_were_erased_is_not_found_by_its_name(self, web):
        web.record(referenceId="line_001")
        erase(web.services.store, engine_of(web).log_of("cust_001"), 1)
        assert_problem(
            web.record(adjusts={"referenceId": "line_001"}), "record-not-found", 404, field="adjusts"
        )

    def test_another_customers_delta_cannot_be_corrected(self, web):
        other = data_of(web.record(customer="other", referenceId="theirs"))
        web.record()
        assert_problem(web.record(adjusts={"referenceId": "theirs"}), "record-not-found", 404)
        assert_problem(
            web.record(adjusts={"recordId": other["recordId"]}), "invalid-field", 400, field="adjusts"
        )

    @pytest.mark.parametrize("adjusts", [
        {}, [], "x", 5, {"recordId": None}, {"recordId": "a", "referenceId": "b"}, {"recordId": 5}, {"index": 1},
        {"recordId": "no record"},
    ], ids=str)  # fmt: skip
    def test_what_names_nothing_is_refused(self, quick, adjusts):
        quick.record()
        assert quick.record(adjusts=adjusts).status_code == 400


class TestTheWorld:
    @pytest.mark.parametrize(("code", "status", "retry"), [
        ("store-unavailable", 503, "1"), ("commit-outcome-unknown", 503, "1"), ("out-of-space", 507, "30"),
        ("clock-regressed", 503, "30"), ("log-corrupt", 503, "30"), ("io-error", 503, "30"), ("key-mismatch", 503, "30"),
        ("unsafe-settings", 503, "30"), ("fork-refused", 503, "30"), ("internal", 500, None),
    ])  # fmt: skip
    def test_what_the_store_refuses_is_said_without_its_words(self, quick, monkeypatch, code, status, retry):
        def refuse(*_args, **_named):
            raise EngineError(code, "/var/lib/secret.db is away", file="/var/lib/secret.db")

        monkeypatch.setattr("counterfoil.engine.engine.record_many", refuse)
        answer = quick.record()
        assert_problem(answer, code, status)
        assert answer.headers.get("retry-after") == retry
        assert "secret" not in answer.text

    def test_deltas_are_counted(self, quick):
        quick.record(key="k")
        quick.record(key="k")
        quick.record("0")
        text = quick.get("/metrics").text
        for outcome in ("recorded", "replayed", "refused"):
            assert f'counterfoil_deltas_total{{outcome="{outcome}"}} 1.0' in text
