"""What anybody may ask, without a key."""

import base64

import pytest

from counterfoil.core.checkpoint import KeySet, parse_checkpoint
from counterfoil.core.tlog_proof import parse_consistency_file, verify_consistency_file
from tests.support import KEYS
from tests.web.calling import TENANT, assert_problem, data_of


@pytest.fixture
def published(web):
    """A customer with two checkpoints."""
    web.record(reason="a reason")
    first = web.checkpoint().checkpoint
    web.record()
    return web, first, web.checkpoint().checkpoint


def reference_of(web):
    return f"0x{web.services.engine(TENANT).log_of('cust_001').hex()}"


def ask(web, path):
    return web.get(path, key=None)


class TestRoots:
    def test_a_root_leads_to_the_facts_of_its_checkpoint(self, published):
        web, _, newest = published
        found = data_of(ask(web, f"/api/v1/verify/0x{newest.root.hex()}"))
        assert (found["verified"], found["size"], found["origin"]) == (True, newest.size, newest.origin)
        assert found["summary"] == {"recordCount": 2}
        assert found["records"] == []
        verification = found["verification"]
        assert verification["verificationReference"] == f"chk_{reference_of(web)}.{newest.size}"
        assert verification["checkpoint"] == newest.note
        KEYS.verify(parse_checkpoint(verification["checkpoint"]))

    @pytest.mark.parametrize("spell", [
        lambda root: root.hex(), lambda root: f"0x{root.hex()}", lambda root: root.hex().upper(),
        lambda root: base64.urlsafe_b64encode(root).decode(), lambda root: base64.urlsafe_b64encode(root).decode().rstrip("="),
    ], ids=["hex", "0x", "upper", "base64url", "unpadded"])  # fmt: skip
    def test_it_may_be_spelled_in_several_ways(self, published, spell):
        web, first, _ = published
        assert data_of(ask(web, f"/api/v1/verify/{spell(first.root)}"))["size"] == first.size

    def test_nothing_is_said_of_the_customer(self, published):
        web, first, newest = published
        for path in (
            f"/api/v1/verify/{newest.root.hex()}", f"/api/v1/checkpoints/{reference_of(web)}",
            f"/api/v1/checkpoints/{reference_of(web)}/consistency?from={first.size}",
        ):  # fmt: skip
            text = ask(web, path).text
            for secret in ("cust_001", "a reason", "api_call", "12.5", "-25", '"25"'):
                assert secret not in text, path

    @pytest.mark.parametrize("source", ["db", "chain", "both"])
    def test_who_asks_for_a_chain_is_told_that_there_is_none(self, published, source):
        web, _, newest = published
        verification = data_of(ask(web, f"/api/v1/verify/{newest.root.hex()}?source={source}"))[
            "verification"
        ]
        assert (verification["chain"] is None) == (source == "db")
        assert verification["source"] == "db"

    @pytest.mark.parametrize("root", ["x", "0x12", "00" * 33, "=" * 44, "A" * 42 + "B", "chk_x"])
    def test_what_is_no_root_is_refused(self, quick, root):
        assert_problem(ask(quick, f"/api/v1/verify/{root}"), "invalid-field", 400, field="proofRoot")

    def test_a_root_that_nobody_published_is_not_found(self, published):
        web, *_ = published
        assert_problem(ask(web, f"/api/v1/verify/{'00' * 32}"), "record-not-found", 404, "NOT_FOUND")

    def test_links_lead_to_where_clients_reach_the_server(self, serve, store):
        web = serve(store, public_url="https://ledger.example.com")
        web.record()
        newest = web.checkpoint().checkpoint
        found = data_of(ask(web, f"/api/v1/verify/{newest.root.hex()}"))
        url = found["verification"]["checkpointUrl"]
        assert url == f"https://ledger.example.com/api/v1/checkpoints/{reference_of(web)}/{newest.size}"
        assert ask(web, url.removeprefix("https://ledger.example.com")).text == newest.note


class TestCheckpoints:
    def test_the_newest_is_sent_byte_for_byte(self, published):
        web, _, newest = published
        answer = ask(web, f"/api/v1/checkpoints/{reference_of(web)}")
        assert answer.content == newest.note.encode()
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"

    def test_one_of_a_size_is_sent_and_may_be_kept(self, published):
        web, first, _ = published
        answer = ask(web, f"/api/v1/checkpoints/{reference_of(web)}/{first.size}")
        assert answer.content == first.note.encode()
        assert "immutable" in answer.headers["cache-control"]

    @pytest.mark.parametrize("to", ["", "&to={size}"])
    def test_a_consistency_file_shows_that_one_extends_the_other(self, published, to):
        web, first, newest = published
        path = f"/api/v1/checkpoints/{reference_of(web)}/consistency?from={first.size}"
        answer = ask(web, path + to.format(size=newest.size))
        file = parse_consistency_file(answer.text)
        verify_consistency_file(first, file, KEYS)
        assert file.checkpoint == newest

    @pytest.mark.parametrize(("path", "code", "status"), [
        ("", "record-not-found", 404), ("/2", "record-not-found", 404), ("/consistency?from=2", "record-not-found", 404),
        ("/0", "invalid-field", 400), ("/x", "invalid-field", 400), ("/consistency?from=0", "invalid-field", 400),
        ("/consistency", "invalid-field", 400), ("/9223372036854775808", "invalid-field", 400),
    ])  # fmt: skip
    def test_what_is_not_there_is_refused(self, web, path, code, status):
        web.record()
        assert_problem(ask(web, f"/api/v1/checkpoints/{reference_of(web)}{path}"), code, status)

    def test_a_checkpoint_extends_smaller_ones(self, published):
        web, first, newest = published
        path = f"/api/v1/checkpoints/{reference_of(web)}/consistency?from={newest.size}&to={first.size}"
        assert_problem(ask(web, path), "invalid-field", 400, field="from")

    @pytest.mark.parametrize("reference", ["x", "0x12", f"0x{'AB' * 20}", f"0x{'00' * 20}", "00" * 20])
    @pytest.mark.parametrize("part", ["", "/2", "/consistency?from=2"])
    def test_a_reference_of_nobody_is_not_found(self, quick, reference, part):
        path = f"/api/v1/checkpoints/{reference}{part}"
        assert_problem(ask(quick, path), "customer-not-found", 404, "CUSTOMER_NOT_FOUND")


class TestKeysOfTheOperator:
    def test_they_verify_what_was_signed(self, published):
        web, first, _ = published
        found = data_of(ask(web, "/api/v1/keys"))
        assert found["operator"] == "ledger.example.com"
        KeySet.parse(*found["verifierKeys"]).verify(first)


class TestOperations:
    def test_a_process_that_answers_is_alive_though_its_store_is_away(self, quick, monkeypatch):
        monkeypatch.delattr(quick.services, "store")
        assert data_of(ask(quick, "/healthz")) == {"status": "ok"}

    def test_it_is_ready_where_the_store_is_its_operators(self, web):
        assert data_of(ask(web, "/readyz")) == {"status": "ok"}

    def test_counters_tell_nothing_of_customers(self, published):
        web, *_ = published
        web.get("/api/v1/balance/customers/cust_001")
        text = ask(web, "/metrics").text
        assert (
            'counterfoil_http_request_seconds_count{method="POST",route="/api/v1/balance/delta",status="201"} 2.0'
            in text
        )
        assert "/api/v1/balance/customers/{customerId}" in text
        assert "cust_001" not in text

    def test_methods_that_nobody_knows_share_a_count(self, quick):
        quick.call("BREW", "/healthz")
        assert 'method="OTHER"' in ask(quick, "/metrics").text
