"""Batches over HTTP: each item for itself, the same again, and whose key is whose."""

import hashlib

import pytest

from counterfoil.errors import EngineError
from tests.web.calling import DELTA, TENANT, assert_problem, data_of

BATCH = f"{DELTA}/batch"


def item(customer="cust_001", delta=-1, **members):
    return {"customerId": customer, "delta": delta, "reason": "api_call", **members}


def send(web, *items, key=None):
    return web.post(BATCH, {"deltas": list(items)}, headers={} if key is None else {"Idempotency-Key": key})


def summary(reference="sum_1", delta=-1, **members):
    return item(delta=delta, referenceId=reference, metadata={"submissionType": "tenant_summary", **members})


class TestItems:
    def test_each_succeeds_or_fails_by_itself(self, web):
        answer = send(web, item("a", "1.5"), item("b", 0), item("", 1), "text", item("a", 2), {"delta": 3})
        found = data_of(answer)
        assert answer.status_code == 201
        assert (found["totalQueued"], found["totalFailed"]) == (2, 4)
        results = found["results"]
        assert [each["index"] for each in results] == list(range(6))
        assert [each["status"] for each in results] == [
            "QUEUED",
            "FAILED",
            "FAILED",
            "FAILED",
            "QUEUED",
            "FAILED",
        ]
        assert [each.get("code") for each in results] == [
            None, "amount-out-of-range", "invalid-field", "invalid-field", None, "invalid-field",
        ]  # fmt: skip
        assert [each["customerId"] for each in results] == ["a", "b", "", None, "a", None]
        assert [each.get("sequenceNumber") for each in results] == [1, None, None, None, 2, None]
        assert all(each["error"] for each in results if each["status"] == "FAILED")

    def test_one_that_is_recorded_is_described(self, web):
        [result] = data_of(send(web, item(idempotencyKey="k", referenceId="r")))["results"]
        assert result.keys() == {
            "index", "customerId", "delta", "status", "recordId", "receiptId", "sequenceNumber", "recordedAt",
            "idempotencyKey", "idempotent", "entry",
        }  # fmt: skip
        single = data_of(web.get(f"{DELTA}/{result['recordId']}"))
        assert (single["referenceId"], single["entry"]) == ("r", result["entry"])

    def test_unknown_members_are_refused_of_their_item_alone(self, web):
        results = data_of(send(web, item(), item(vendorAccountId="v"), item(amount=1)))["results"]
        assert [each["status"] for each in results] == ["QUEUED", "FAILED", "FAILED"]

    def test_with_nothing_new_the_answer_is_200(self, web):
        assert send(web, item(delta=0)).status_code == 200
        assert "idempotency-replayed" not in send(web, item(delta=0)).headers

    def test_corrections_name_a_record_id(self, web):
        [first] = data_of(send(web, item(referenceId="line")))["results"]
        results = data_of(
            send(web, item(adjusts={"recordId": first["recordId"]}), item(adjusts={"referenceId": "line"}))
        )["results"]
        assert [each["status"] for each in results] == ["QUEUED", "FAILED"]

    @pytest.mark.parametrize(
        "body",
        [{}, {"deltas": None}, {"deltas": []}, {"deltas": {}}, {"deltas": "x"}, {"deltas": [{}] * 1_001}],
        ids=lambda body: str(body)[:20],
    )
    def test_what_is_no_batch_is_refused_whole(self, quick, body):
        assert_problem(quick.post(BATCH, body), "invalid-field", 400, field="deltas")

    def test_unknown_members_of_the_batch_are_refused(self, quick):
        assert_problem(
            quick.post(BATCH, {"deltas": [item()], "atomic": True}), "invalid-field", 400, field="atomic"
        )

    def test_the_largest_batch_is_recorded(self, quick):
        found = data_of(send(quick, *[item(f"c{number % 7}") for number in range(1_000)]))
        assert found["totalQueued"] == 1_000

    @pytest.mark.parametrize("code", ["store-unavailable", "commit-outcome-unknown", "out-of-space"])
    def test_what_the_store_refuses_is_of_the_whole_batch(self, quick, monkeypatch, code):
        def refuse(*_args, **_named):
            raise EngineError(code, "away")

        monkeypatch.setattr("counterfoil.engine.engine.record_many", refuse)
        answer = send(quick, item())
        assert answer.json()["code"] == code
        assert answer.status_code >= 500


class TestKeys:
    def test_the_same_batch_again_under_its_key_is_a_replay(self, web):
        first, again = (send(web, item("a"), item("b"), item("a"), key="hour-1") for _ in range(2))
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.headers["idempotency-replayed"] == "true"
        one, two = data_of(first)["results"], data_of(again)["results"]
        assert [each["recordId"] for each in one] == [each["recordId"] for each in two]
        assert [each["idempotent"] for each in two] == [True] * 3
        assert data_of(again)["totalQueued"] == 3

    def test_an_items_key_follows_from_that_of_the_batch_and_its_place(self, web):
        results = data_of(send(web, "not a delta", item(), key="hour-1"))["results"]
        assert results[1]["idempotencyKey"] == hashlib.sha256(b"hour-1\n1").hexdigest()

    def test_as_record_many_has_it(self, web):
        [result] = data_of(send(web, item(), key="hour-1"))["results"]
        web.services.engine(TENANT).record_many([], batch_key="hour-1")
        assert result["idempotencyKey"] == hashlib.sha256(b"hour-1\n0").hexdigest()

    def test_an_items_own_key_comes_first(self, web):
        results = data_of(send(web, item(idempotencyKey="own"), summary(), key="hour-1"))["results"]
        assert results[0]["idempotencyKey"] == "own"
        assert results[1]["idempotencyKey"] == hashlib.sha256(b"hour-1\n1").hexdigest()

    def test_items_of_one_key_are_one_delta(self, web):
        results = data_of(
            send(web, item(idempotencyKey="k"), item(idempotencyKey="k"), item(delta=-2, idempotencyKey="k"))
        )["results"]
        assert [each["status"] for each in results] == ["QUEUED", "QUEUED", "FAILED"]
        assert [each["idempotent"] for each in results] == [False, True, False]
        assert results[2]["code"] == "idempotency-conflict"

    def test_a_summary_without_a_key_is_recorded_once_under_its_reference(self, web):
        """PacSpace's queue of summaries sends no keys, and sends again what got no answer."""
        first, again = (send(web, summary("sum_abc")) for _ in range(2))
        assert (first.status_code, again.status_code) == (201, 200)
        [result] = data_of(again)["results"]
        assert (result["idempotencyKey"], result["idempotent"]) == ("sum_abc", True)

    @pytest.mark.parametrize("delta", [
        item(referenceId="r"), item(referenceId="r", metadata={"submissionType": "other"}),
        item(metadata={"submissionType": "tenant_summary"}), item(referenceId="r", metadata={"submissionType": 5}),
    ], ids=["plain", "other type", "no reference", "number"])  # fmt: skip
    def test_anything_else_without_a_key_is_recorded_each_time(self, web, delta):
        assert [send(web, delta).status_code for _ in range(2)] == [201, 201]

    def test_a_reference_of_a_summary_that_is_no_key_is_refused(self, web):
        [result] = data_of(send(web, summary("two words")))["results"]
        assert (result["status"], result["code"]) == ("FAILED", "invalid-field")

    @pytest.mark.parametrize("key", ["a b", "x" * 256])
    def test_a_key_that_is_none_is_refused_and_the_batch_with_it(self, quick, key):
        answer = send(quick, item(idempotencyKey="own"), item(), key=key)
        assert_problem(answer, "invalid-field", 400, "VALIDATION_ERROR", "idempotencyKey")
