"""A server that shows another history than before is found out, and both checkpoints are handed out as evidence."""

import pickle

import httpx
import pytest

from counterfoil.client import ContradictionError
from counterfoil.core.checkpoint import KeySet, parse_checkpoint, sign_checkpoint
from counterfoil.core.tlog_proof import parse_consistency_file
from tests.client.server import BALANCE, VKEY, Server, connect, new_engine, problem, success, text
from tests.support import OPERATOR, operator_named, refused

REFERENCE = f"0x{OPERATOR.log_of('acme', 'cust_001').hex()}"
NOTE = f"/checkpoints/{REFERENCE}"


def contradiction(caught, first, second):
    """Assert that an error holds these two notes, each signed by the operator."""
    error = caught.value
    assert isinstance(error, ContradictionError)
    assert error.evidence == (first, second)
    for note in error.evidence:
        KeySet.parse(VKEY).verify(parse_checkpoint(note))


def rewrite(server, count):
    """Give the server another history of the customer: other deltas, signed by the same key; return the newest note."""
    server.engine, server.store = new_engine(seed=99)
    server.record(count, amount="7")
    return server.note()


@pytest.fixture
def seen(server, client):
    """The note of a checkpoint of size 3 that the client has seen."""
    server.record()
    return client.checkpoint_note(REFERENCE).note


class TestAnHonestServer:
    def test_a_first_checkpoint_is_remembered_without_a_proof(self, server, seen):
        assert parse_checkpoint(seen).size == 3
        assert not server.asked("/consistency")

    @pytest.mark.usefixtures("seen")
    def test_the_same_one_needs_none(self, server, client):
        client.checkpoint_note(REFERENCE)
        assert not server.asked("/consistency")

    @pytest.mark.usefixtures("seen")
    def test_a_newer_one_comes_with_the_proof_that_it_extends_it(self, server, client):
        server.record(3)
        assert client.checkpoint_note(REFERENCE).size == 7
        [request] = server.asked("/consistency")
        assert dict(request.url.params) == {"from": "3", "to": "7"}

    @pytest.mark.usefixtures("seen")
    def test_it_is_the_one_that_is_remembered_then(self, server, client):
        for _ in range(3):
            server.record()
            client.checkpoint_note(REFERENCE)
        assert [request.url.params["from"] for request in server.asked("/consistency")] == ["3", "5", "7"]

    def test_an_older_one_is_proven_to_lead_to_it(self, server, client, seen):
        server.record(3)
        client.checkpoint_note(REFERENCE)
        assert client.checkpoint_note(REFERENCE, 3).note == seen
        assert len(server.asked("/consistency")) == 2

    @pytest.mark.usefixtures("seen")
    def test_which_stays_the_one_that_is_remembered(self, server, client):
        server.record(3)
        client.checkpoint_note(REFERENCE)
        client.checkpoint_note(REFERENCE, 3)
        asked = len(server.asked("/consistency"))
        client.checkpoint_note(REFERENCE)
        assert len(server.asked("/consistency")) == asked

    @pytest.mark.usefixtures("seen")
    def test_a_receipt_counts_as_seen(self, server, client):
        [record_id] = server.record()
        client.receipt(record_id)
        assert len(server.asked("/consistency")) == 1

    @pytest.mark.usefixtures("seen")
    def test_so_does_a_checkpoint_that_was_asked_for(self, server, client):
        client.record("cust_001", 1, "usage")
        made = client.checkpoint("cust_001")
        assert made.checkpoint.size == 5
        assert len(server.asked("/consistency")) == 1

    @pytest.mark.usefixtures("seen")
    def test_each_log_has_a_memory_of_its_own(self, server, client):
        [record_id] = server.record(customer="cust_002")
        client.receipt(record_id)
        assert not server.asked("/consistency")

    def test_a_consistency_file_can_be_had_by_itself(self, server, client):
        server.record()
        server.record(3)
        file = parse_consistency_file(client.consistency_file(REFERENCE, 3, 7))
        assert (file.old_size, file.checkpoint.size) == (3, 7)

    def test_a_checkpoint_of_all_is_the_servers_word(self, server, client):
        client.record("cust_001", 1, "usage")
        assert client.checkpoint().checkpoint is None
        assert server.engine.customer("cust_001").checkpoint_size == 3

    def test_without_a_pinned_key_so_is_that_of_one(self, server, time):
        client = connect(server, time, keys=None)
        client.record("cust_001", 1, "usage")
        made = client.checkpoint("cust_001")
        assert (made.checkpoint, made.raw["size"]) == (None, 3)


class TestARewrittenHistory:
    def test_of_the_same_size_it_is_a_fork(self, server, client, seen):
        other = rewrite(server, 1)
        with refused("fork") as caught:
            client.checkpoint_note(REFERENCE)
        contradiction(caught, seen, other)

    def test_of_a_larger_size_nothing_can_prove_it(self, server, client, seen):
        other = rewrite(server, 4)  # it has no checkpoint of size 3
        with refused("inconsistent") as caught:
            client.checkpoint_note(REFERENCE)
        contradiction(caught, seen, other)

    def test_a_proof_from_its_own_checkpoint_of_that_size_does_not_verify(self, server, client, seen):
        rewrite(server, 1)
        server.record(2)
        with refused("inconsistent") as caught:
            client.checkpoint_note(REFERENCE)
        contradiction(caught, seen, server.note())

    def test_of_a_smaller_size_it_is_a_newest_one_that_went_back(self, server, client):
        server.record(4)
        seen = client.checkpoint_note(REFERENCE).note
        other = rewrite(server, 1)
        with refused("inconsistent") as caught:
            client.checkpoint_note(REFERENCE)
        contradiction(caught, seen, other)

    @pytest.mark.usefixtures("seen")
    def test_a_receipt_under_it_is_not_handed_out(self, server, client):
        rewrite(server, 1)
        [record_id, *_] = server.record(2)
        with refused("inconsistent"):
            client.receipt(record_id)

    def test_one_under_a_smaller_one_neither(self, server, client):
        server.record(4)
        seen = client.checkpoint_note(REFERENCE).note
        other = rewrite(server, 1)
        with refused("inconsistent") as caught:
            client.receipt(f"{REFERENCE}.1")
        contradiction(caught, seen, other)

    def test_what_was_remembered_stays(self, server, client, seen):
        honest = server.engine
        rewrite(server, 4)
        for _ in range(2):
            with refused("inconsistent"):
                client.checkpoint_note(REFERENCE)
        server.engine = honest
        assert client.checkpoint_note(REFERENCE).note == seen

    @pytest.mark.usefixtures("seen")
    def test_a_fork_behind_the_proof_is_a_fork(self, server, client):
        # The checkpoint is of one history and the proof leads to the other, of the same size.
        server.record()
        honest, note = server.engine, server.note()
        other = rewrite(server, 3)
        server.engine = honest
        server.lies[NOTE] = lambda _: text(other)
        with refused("fork") as caught:
            client.checkpoint_note(REFERENCE)
        contradiction(caught, other, note)


def test_evidence_passes_from_process_to_process(server, client, seen):
    rewrite(server, 1)
    with refused("fork") as caught:
        client.checkpoint_note(REFERENCE)
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  -- our own bytes
    assert (type(again), again.evidence.first) == (ContradictionError, seen)


class TestABadProof:
    @pytest.mark.parametrize("lie", [
        text(b""), text(b"old 3\n\n"), text(b"<html>"), problem("not-found"), problem("record-not-found"),
        problem("customer-not-found"), problem("fork-refused"), problem("log-corrupt"), problem("invalid-field"),
        httpx.Response(200, content=b"x" * 300_000),
    ])  # fmt: skip
    def test_no_proof_is_no_proof(self, server, client, seen, lie):
        server.record()
        server.lies["/consistency"] = lambda _: httpx.Response(lie.status_code, content=lie.content)
        with refused("inconsistent") as caught:
            client.checkpoint_note(REFERENCE)
        contradiction(caught, seen, server.note())

    def test_one_of_another_log_is_none(self, server, client, seen):
        server.record()
        server.record(customer="cust_002")
        server.record(customer="cust_002")
        other = server.engine.consistency_file("cust_002", 3)
        server.lies["/consistency"] = lambda _: text(other)
        with refused("inconsistent") as caught:
            client.checkpoint_note(REFERENCE)
        contradiction(caught, seen, server.note())

    @pytest.mark.usefixtures("seen")
    def test_one_of_other_sizes_is_none(self, server, client):
        server.record()
        server.record()
        server.lies["/consistency"] = lambda _: text(server.engine.consistency_file("cust_001", 5))
        with refused("inconsistent"):
            client.checkpoint_note(REFERENCE)

    @pytest.mark.usefixtures("seen")
    def test_one_that_leads_to_an_older_checkpoint_is_none(self, server, client):
        server.record()
        server.record()
        server.lies["/consistency"] = lambda _: text(server.engine.consistency_file("cust_001", 3, size=5))
        with refused("inconsistent"):
            client.checkpoint_note(REFERENCE)

    @pytest.mark.usefixtures("seen")
    def test_one_with_a_wrong_hash_is_none(self, server, client):
        server.record(3)
        good = server.engine.consistency_file("cust_001", 3)
        hashes = good.split("\n")
        hashes[1] = "A" * 43 + "="
        server.lies["/consistency"] = lambda _: text("\n".join(hashes))
        with refused("inconsistent"):
            client.checkpoint_note(REFERENCE)

    @pytest.mark.usefixtures("seen")
    def test_one_that_another_key_signed_is_none(self, server, client):
        server.record()
        stranger, _ = new_engine(operator=operator_named(seed="another"))
        honest, server.engine = server.engine, stranger
        server.record()
        server.record()
        server.engine = honest
        server.lies["/consistency"] = lambda _: text(stranger.consistency_file("cust_001", 3))
        with refused("inconsistent"):
            client.checkpoint_note(REFERENCE)

    @pytest.mark.usefixtures("seen")
    @pytest.mark.parametrize(
        "fault", [httpx.ReadError("reset"), problem("store-unavailable"), problem("rate-limited")]
    )
    def test_a_server_that_cannot_answer_now_is_not_accused_and_not_believed(self, server, client, fault):
        server.record()
        server.lies["/consistency"] = fault if isinstance(fault, Exception) else lambda _: fault
        with refused(fault.json()["code"] if isinstance(fault, httpx.Response) else "store-unavailable"):
            client.checkpoint_note(REFERENCE)
        server.lies.clear()
        client.checkpoint_note(REFERENCE)
        assert len({request.url.query for request in server.asked("/consistency")}) == 1


class TestANote:
    def test_a_newest_one_that_is_older_than_before_is_refused_although_it_is_consistent(
        self, server, client, seen
    ):
        server.record()
        newest = client.checkpoint_note(REFERENCE).note
        server.lies[NOTE] = lambda _: text(seen)
        with refused("inconsistent") as caught:
            client.checkpoint_note(REFERENCE)
        contradiction(caught, newest, seen)

    def test_what_another_thread_saw_meanwhile_is_no_accusation(self, server, time):
        server.record()
        client = connect(server, time)
        client.checkpoint_note(REFERENCE)

        def slow(request):
            answer = server.answer(request)
            server.record()
            server.lies.clear()
            client.checkpoint_note(REFERENCE)  # another thread, as it were
            return answer

        server.lies[NOTE] = slow
        assert client.checkpoint_note(REFERENCE).size == 3

    def test_one_of_another_log_is_refused(self, server, client):
        server.record()
        server.record(customer="cust_002")
        other = server.note("cust_002")
        server.lies[NOTE] = lambda _: text(other)
        with refused("wrong-origin"):
            client.checkpoint_note(REFERENCE)

    def test_one_of_another_tenant_under_the_same_reference_is_refused_once_the_log_is_known(
        self, server, client, seen
    ):
        held = parse_checkpoint(seen)
        forged = sign_checkpoint(held.origin.replace("/acme/", "/acme2/"), 9, held.root, OPERATOR.signer)
        server.lies[NOTE] = lambda _: text(forged.note)
        with refused("wrong-origin"):
            client.checkpoint_note(REFERENCE)

    def test_one_of_no_customers_log_is_refused(self, server, client):
        odd = sign_checkpoint("ledger.example.com", 9, bytes(32), OPERATOR.signer)
        server.lies[NOTE] = lambda _: text(odd.note)
        with refused("malformed"):
            client.checkpoint_note(REFERENCE)

    def test_one_of_another_size_than_was_asked_for_is_refused(self, server, client):
        server.record()
        server.record()
        server.lies["/3"] = lambda _: text(server.note())
        with refused("malformed"):
            client.checkpoint_note(REFERENCE, 3)

    def test_one_that_is_not_signed_is_refused(self, server, client):
        server.record()
        note = server.note()
        place = note.rindex("=")
        server.lies[NOTE] = lambda _: text(note[: place - 3] + "AAA" + note[place:])
        with refused("bad-signature"):
            client.checkpoint_note(REFERENCE)

    @pytest.mark.parametrize("reference", ["", "0x1", "cust_001", "../keys", None])
    def test_what_is_no_reference_is_not_asked_for(self, server, client, reference):
        with refused("invalid-field"):
            client.checkpoint_note(reference)
        assert not server.requests

    def test_of_no_log_there_is_none(self, client):
        with refused("customer-not-found"):
            client.checkpoint_note(REFERENCE)

    def test_a_checkpoint_whose_answer_names_another_root_is_refused(self, server, client):
        client.record("cust_001", 1, "usage")
        data = {"customerReference": REFERENCE, "size": 3, "proofRoot": f"0x{'0' * 64}"}

        def lie(request):
            server.answer(request)
            return success(data, 201)

        server.lies[f"{BALANCE}/checkpoint"] = lie
        with refused("malformed"):
            client.checkpoint("cust_001")


def test_two_servers_that_show_two_histories_are_found_out_by_a_memory_in_common(tmp_path, time):
    one, other = Server(), Server()
    one.record()
    rewrite(other, 1)
    state = tmp_path / "seen.json"
    connect(one, time, state=state).checkpoint_note(REFERENCE)
    with refused("fork") as caught:
        connect(other, time, state=state).checkpoint_note(REFERENCE)
    contradiction(caught, one.note(), other.note())
