"""Documents of one log are held against each other: every pair that contradicts is found, with its code and both names."""

import random
from itertools import combinations

import pytest

from counterfoil.core.crosscheck import CrossCheck, Proof, proof_of
from counterfoil.core.dispute import dispute_from, proofs_of
from counterfoil.core.entry import SEAL, Entry, check_later
from counterfoil.core.receipt import ProvenEntry, parse_receipt
from counterfoil.core.statement import statement_from
from counterfoil.core.timestamp import format_time
from tests.core.common import code_of, example_blocks
from tests.core.disputes import PACKET
from tests.core.logs import START, Log
from tests.support import refused

LOG = Log(12, seals={5})
NEIGHBOUR = Log(12, customer="c2")


def proof(log, indices, *, under=None, customer=None):
    """What a document with these entries of a log proves."""
    return Proof(under or log.checkpoint(), tuple([log.item(index) for index in indices]), customer)


def taken(*documents):
    """A check that took documents, each a log and the indices of entries of it, under names of their own."""
    check = CrossCheck()
    for number, (log, indices) in enumerate(documents):
        check.take(f"file {number}", proof(log, indices))
    return check


class TestWhatAgrees:
    def test_any_entries_of_one_log_in_any_order_however_often(self):
        check = taken((LOG, [7, 2]), (LOG, [0, 11, 2]), (LOG, range(12)), (LOG, [3]))
        assert (check.checkpoints, check.logs) == (1, 1)

    def test_entries_of_different_logs_have_nothing_to_do_with_each_other(self):
        check = taken((LOG, [7, 2]), (NEIGHBOUR, [7, 2, 3]))
        assert (check.checkpoints, check.logs) == (2, 2)

    def test_documents_under_older_and_newer_checkpoints(self):
        check = CrossCheck()
        for size in (12, 6, 12, 7):
            check.take("file", proof(LOG, [5], under=LOG.checkpoint(size)))
        assert (check.checkpoints, check.logs) == (3, 1)

    def test_a_checkpoint_alone(self):
        check = CrossCheck()
        check.take("file", Proof(LOG.checkpoint()))
        assert check.checkpoints == 1


class TestForks:
    def test_one_size_with_two_roots(self):
        check = taken((LOG, [3]))
        with refused("fork") as caught:
            check.take("other", Proof(LOG.checkpoint(root=bytes(32))))
        assert caught.value.facts == {"first": "file 0", "second": "other"}

    def test_one_index_with_two_entries_under_whatever_checkpoints(self):
        check = taken((LOG, [2, 3]))
        changed = LOG.rewritten({3: {"effectiveAt": LOG.time(0)}})
        with refused("fork") as caught:
            check.take("other", proof(changed, [3], under=LOG.checkpoint(6)))
        assert caught.value.facts == {"first": "file 0", "second": "other"}

    def test_one_customer_with_two_logs_of_one_tenant(self):
        check = CrossCheck()
        check.take("a", proof(LOG, [0], customer="c1"))
        check.take("b", proof(LOG, [3], under=LOG.checkpoint(6), customer="c1"))
        check.take("c", proof(NEIGHBOUR, [0], customer="c2"))
        with refused("fork") as caught:
            check.take("d", proof(NEIGHBOUR, [0], customer="c1"))
        assert caught.value.facts == {"first": "a", "second": "d"}

    def test_under_two_tenants_one_customer_may_have_two(self):
        check = CrossCheck()
        elsewhere = LOG.checkpoint(origin=LOG.origin.replace("/t/", "/u/"))
        check.take("a", proof(LOG, [], customer="c1"))
        check.take("b", proof(LOG, [], under=elsewhere, customer="c1"))
        assert check.logs == 2

    def test_a_fork_comes_before_what_the_order_says(self):
        check = taken((LOG, [2, 9]))
        changed = LOG.rewritten({4: {"unit": "EUR"}, 9: {"unit": "EUR"}})
        with refused("fork"):
            check.take("other", proof(changed, [4, 9], under=LOG.checkpoint()))


class TestOrder:
    @pytest.mark.parametrize(
        ("index", "member", "code"),
        [(6, {"recordedAt": LOG.time(2)}, "time-order"), (6, {"recordedAt": LOG.time(11)}, "time-order"),
         (6, {"unit": "EUR"}, "totals-mismatch"), (6, {"count": "1"}, "totals-mismatch"),
         (6, {"credits": "999999999999999999999"}, "totals-mismatch"),
         (6, {"debits": "999999999999999999999"}, "totals-mismatch")],
    )  # fmt: skip
    def test_an_entry_that_contradicts_one_before_it_or_behind_it(self, index, member, code):
        other = LOG.rewritten({index: member})
        for order in ([2, 10], [10, 2]):
            check = CrossCheck()
            for place in order:
                check.take(f"of {place}", proof(LOG, [place]))
            with refused(code) as caught:
                check.take("other", proof(other, [index], under=LOG.checkpoint()))
            assert caught.value.facts["second"] == "other"
            assert caught.value.facts["first"] in {"of 2", "of 10"}

    def test_the_document_that_it_contradicts_is_named(self):
        other = LOG.rewritten({6: {"recordedAt": LOG.time(11)}})
        check = taken((LOG, [2]), (LOG, [10]))
        with refused("time-order") as caught:
            check.take("other", proof(other, [6], under=LOG.checkpoint()))
        assert caught.value.facts == {"first": "file 1", "second": "other"}

    def test_entries_of_one_document_are_held_against_each_other(self):
        # In whatever order: a receipt names its entry before that of `open`.
        other = LOG.rewritten({6: {"unit": "EUR"}})
        for indices in ([6, 0], [0, 6], [2, 6, 0]):
            with refused("totals-mismatch"):
                CrossCheck().take("one", proof(other, indices))

    def test_that_a_light_statement_and_a_receipt_of_what_it_leaves_out_contradict_is_found(self):
        # The operator signed a log whose middle is of another unit; the statement trusts it, the receipt tells.
        signed = LOG.rewritten({6: {"unit": "EUR"}})
        statement = statement_from(signed.statement(3, 9, "light", details=False))
        check = CrossCheck()
        check.take("statement", proof_of(statement))
        with refused("totals-mismatch"):
            check.take("receipt", proof(signed, [6]))


LATE = LOG.rewritten({6: {"recordedAt": LOG.time(11)}})
CHANGED = LOG.rewritten({index: {"effectiveAt": LOG.time(0)} for index in (2, 6)})
# A size that no document had before, under a root that is wrong.
FORKED = LOG.checkpoint(9, root=bytes(32))


@pytest.mark.parametrize(("wrong", "code"), [
    ([Proof(FORKED), Proof(LOG.checkpoint(root=bytes(32)))], "fork"),
    ([proof(CHANGED, [6, 2], under=FORKED)], "fork"),
    ([proof(NEIGHBOUR, [6], customer="c9"), proof(NEIGHBOUR, [6], customer="c1")], "fork"),
    ([proof(NEIGHBOUR, [6], customer="c9"), proof(LATE, [6], under=FORKED)], "time-order"),
], ids=["root", "leaf", "customer", "order"])  # fmt: skip
def test_of_a_document_that_was_refused_nothing_is_held_against_what_comes(wrong, code):
    check = CrossCheck()
    check.take("before", proof(LOG, [2, 10], customer="c1"))
    with refused(code):
        check.take("wrong", *wrong)
    assert (check.checkpoints, check.logs) == (1, 1)
    other = Log(12, customer="c9")
    check.take(
        "right", proof(LOG, [6], under=LOG.checkpoint(9), customer="c1"), proof(other, [6], customer="c9")
    )
    assert (check.checkpoints, check.logs) == (3, 2)


class TestProofs:
    def test_of_a_receipt_it_is_the_entry_and_that_of_open(self):
        blocks = example_blocks()
        two, four = (proof_of(parse_receipt(blocks[f"receipt-{index}"])) for index in (2, 4))
        assert [item.entry.index for item in two.items] == [2]
        assert [item.entry.index for item in four.items] == [4, 0]
        assert (two.customer_id, four.customer_id) == (None, "cust_001")
        assert (two.checkpoint.size, four.checkpoint.size) == (4, 6)

    def test_of_a_statement_it_is_every_item_and_that_of_open(self):
        for opened, last, customer in ((False, [9], None), (True, [9, 0], "c1")):
            found = proof_of(statement_from(LOG.statement(3, 9, "light", opened=opened)))
            assert [item.entry.index for item in found.items] == [2, 3, 8, *last]
            assert found.customer_id == customer

    def test_an_open_without_details_names_nobody(self):
        value = LOG.statement(3, 9, "light", opened=True)
        del value["open"]["details"]
        assert proof_of(statement_from(value)).customer_id is None

    def test_of_a_dispute_packet_it_is_its_statement_and_each_of_its_receipts(self):
        packet = dispute_from(PACKET)
        assert proofs_of(packet) == [proof_of(packet.statement), *map(proof_of, packet.receipts)]
        assert len(packet.receipts) > 1
        assert proofs_of(packet.statement) == [proof_of(packet.statement)]
        assert proofs_of(packet.receipts[0]) == [proof_of(packet.receipts[0])]


def random_entry(chance):
    """A seal that says anything, in so small a world that some contradict each other and some do not."""
    index = chance.randrange(1, 30)
    time = format_time(START + index * 3 + chance.randrange(-4, 4))
    count = min(index, max(0, index // 2 + chance.choice([0, 0, 0, 1, -1])))
    return Entry(SEAL, index, time, "credits", count, count * 10, count + chance.choice([0, 0, 0, 1]))


def contradicts(one, other):
    earlier, later = sorted((one, other), key=lambda entry: entry.index)
    return code_of(check_later, earlier, later) != "ok"


@pytest.mark.parametrize("seed", range(300))
def test_looking_at_neighbours_finds_what_looking_at_every_pair_finds(seed):
    chance = random.Random(seed)  # noqa: S311  -- the same entries each time
    kept, check = {}, CrossCheck()
    refusals = 0
    for number in range(12):
        entry = random_entry(chance)
        if entry.index in kept:
            continue
        wrong = any(contradicts(entry, other) for other in kept.values())
        item = ProvenEntry(entry, b"%d %d" % (seed, entry.index), None)
        code = code_of(check.take, f"file {number}", Proof(LOG.checkpoint(), (item,)))
        assert (code != "ok") == wrong
        refusals += wrong
        if not wrong:
            kept[entry.index] = entry
    assert not any(contradicts(*pair) for pair in combinations(kept.values(), 2))
    assert len(kept) > 1
    assert refusals < 12
