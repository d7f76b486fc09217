"""Records over HTTP: how they stand, their receipts, and that verifying looks at the bytes."""

import json

import pytest

from counterfoil.core.receipt import verify_receipt
from counterfoil.core.tlog_proof import parse_tlog_proof
from tests.support import KEYS, erase, respelled_settled, sql
from tests.web.calling import DELTA, TENANT, assert_problem, data_of

RECEIPT = "application/vnd.counterfoil.receipt+json"
PROOF = "application/vnd.c2sp.tlog-proof"


def recorded(web, **members):
    return data_of(web.record(**members))["recordId"]


def standing(web, record_id):
    return data_of(web.get(f"{DELTA}/{record_id}"))


class TestStanding:
    def test_a_delta_is_queued_until_a_checkpoint_covers_it(self, web):
        record_id = recorded(web, referenceId="line_001", metadata={"n": 1.5}, effectiveAt="2026-04-01")
        found = standing(web, record_id)
        assert found["status"] == "QUEUED"
        assert [found[name] for name in ("verifiedAt", "verificationReference", "proofRoot")] == [None] * 3
        assert (found["reason"], found["referenceId"]) == ("api_call", "line_001")
        assert found["effectiveAt"] == "2026-04-01T00:00:00.000000Z"
        assert (found["customerId"], found["unit"], found["dataPurged"]) == ("cust_001", "credits", False)

    def test_then_it_is_verified_by_the_first_that_does_for_ever(self, web):
        record_id = recorded(web)
        first = web.checkpoint()
        recorded(web)
        web.checkpoint()
        found = standing(web, record_id)
        reference = record_id.partition(".")[0]
        assert (found["status"], found["verifiedAt"]) == ("VERIFIED", first.verified_through_at)
        assert found["verificationReference"] == f"chk_{reference}.{first.checkpoint.size}"
        assert found["proofRoot"] == f"0x{first.checkpoint.root.hex()}"

    def test_what_it_corrects_is_named(self, web):
        first = recorded(web)
        second = recorded(web, adjusts={"recordId": first})
        assert standing(web, second)["adjusts"] == {"recordId": first}

    def test_after_erasure_the_amount_stands_and_the_words_are_gone(self, web):
        record_id = recorded(web, referenceId="line_001", metadata={"n": 1})
        erase(web.services.store, web.services.engine(TENANT).log_of("cust_001"), 1)
        found = standing(web, record_id)
        assert found["dataPurged"] is True
        assert [found[name] for name in ("reason", "referenceId", "metadata")] == [None] * 3
        assert found["entry"]["amount"] == "-12.5"

    @pytest.mark.parametrize(
        "record_id",
        [
            "x",
            "0x00.1",
            "{log}.2",
            "{log}.3",
            "{log}.99999999999999999999",
            "{log}.-1",
            "{log}.01",
        ],
    )
    @pytest.mark.parametrize("part", ["", "/receipt", "/verify"])
    def test_what_is_no_delta_is_not_found(self, web, record_id, part):
        recorded(web)
        log = f"0x{web.services.engine(TENANT).log_of('cust_001').hex()}"
        assert_problem(
            web.get(f"{DELTA}/{record_id.format(log=log)}{part}"), "record-not-found", 404, "NOT_FOUND"
        )

    def test_the_entries_that_open_and_seal_a_log_are_no_deltas_and_have_receipts(self, web):
        log = recorded(web).partition(".")[0]
        web.checkpoint()
        for index in (0, 2):
            assert_problem(web.get(f"{DELTA}/{log}.{index}"), "record-not-found", 404, "NOT_FOUND")
            assert web.get(f"{DELTA}/{log}.{index}/receipt").status_code == 200
            assert data_of(web.get(f"{DELTA}/{log}.{index}/verify"))["delta"] is None


class TestReceipts:
    @pytest.mark.parametrize("part", ["receipt", "verify"])
    def test_before_a_checkpoint_there_is_none_yet(self, web, part):
        answer = web.get(f"{DELTA}/{recorded(web)}/{part}")
        assert_problem(answer, "not-yet-checkpointed", 409, "NOT_YET_VERIFIED")
        assert answer.headers["retry-after"] == "1"

    def test_a_receipt_verifies_offline(self, web):
        record_id = recorded(web)
        web.checkpoint()
        found = data_of(web.get(f"{DELTA}/{record_id}/receipt"))
        verified = verify_receipt(json.dumps(found["receipt"]), KEYS, customer_id="cust_001")
        assert verified.entry.amount == -12_500_000_000
        assert parse_tlog_proof(found["tlogProof"]).index == 1
        assert found["entry"] == found["receipt"]["entry"]

    def test_its_own_bytes_are_sent_to_who_asks_for_them(self, web):
        record_id = recorded(web)
        web.checkpoint()
        answer = web.get(f"{DELTA}/{record_id}/receipt", headers={"Accept": RECEIPT})
        assert answer.headers["content-type"] == RECEIPT
        assert answer.content == web.services.engine(TENANT).receipt(record_id).receipt

    @pytest.mark.parametrize(("accept", "kind"), [
        (PROOF, PROOF), ("text/plain", "text/plain; charset=utf-8"), ("text/html, text/plain;q=0.5", "text/plain; charset=utf-8"),
        (PROOF.upper(), PROOF), ("*/*", "application/json"), ("", "application/json"), ("image/png", "application/json"),
        ("text/plain;q=0", "application/json"), ("text/plain;q=0.0, */*", "application/json"), ("application/json", "application/json"),
    ])  # fmt: skip
    def test_the_form_is_the_one_that_is_asked_for(self, quick, accept, kind):
        record_id = recorded(quick)
        quick.checkpoint()
        answer = quick.get(f"{DELTA}/{record_id}/receipt", headers={"Accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
        if kind != "application/json":
            assert answer.text == quick.services.engine(TENANT).receipt(record_id).tlog_proof

    def test_it_can_be_had_under_an_older_checkpoint(self, web):
        record_id = recorded(web)
        old = web.checkpoint().checkpoint.size
        recorded(web)
        web.checkpoint()
        found = data_of(web.get(f"{DELTA}/{record_id}/receipt?size={old}"))
        assert verify_receipt(json.dumps(found["receipt"]), KEYS).checkpoint.size == old
        assert_problem(web.get(f"{DELTA}/{record_id}/receipt?size={old + 1}"), "record-not-found", 404)
        assert_problem(web.get(f"{DELTA}/{record_id}/receipt?size={old + 100}"), "not-yet-checkpointed", 409)
        for size in ("0", "-1", "x", "9223372036854775808"):
            assert_problem(
                web.get(f"{DELTA}/{record_id}/receipt?size={size}"), "invalid-field", 400, field="size"
            )


class TestVerifying:
    def test_the_steps_that_were_taken_are_those_of_the_page(self, web):
        record_id = recorded(web)
        checkpointed = web.checkpoint()
        found = data_of(web.get(f"{DELTA}/{record_id}/verify"))
        assert found["verified"] is True
        assert [(each["step"], each["name"]) for each in found["steps"]] == list(
            enumerate(["form", "key", "origin", "index", "root", "details", "customer"], start=1)
        )
        assert found["proofRoot"] == f"0x{checkpointed.checkpoint.root.hex()}"
        assert found["verifierKey"] == str(web.services.operator.verifier_key)
        assert found["customerId"] == "cust_001"

    def test_it_looks_at_the_stored_bytes_and_not_at_a_flag(self, sqlite_store, serve):
        web = serve(sqlite_store)
        ids = [recorded(web) for _ in range(70)]
        web.checkpoint()
        assert standing(web, ids[4])["status"] == "VERIFIED"
        assert sql(sqlite_store, respelled_settled("entries", '"amount":"-12.5"', '"amount":"-12.6"', 5)) == 1
        assert_problem(web.get(f"{DELTA}/{ids[4]}/verify"), "log-corrupt", 503, "SERVICE_UNAVAILABLE")
        assert web.get(f"{DELTA}/{ids[60]}/verify").status_code == 200
