"""Dispute packets that read well and do not hold: steps 2 to 4 of docs/spec/dispute.md."""

import json

import pytest

from counterfoil.core.checkpoint import KeySet
from counterfoil.core.compare import (
    AMOUNT_DIFFERS,
    Charge,
)
from counterfoil.core.dispute import (
    compare_period,
    signs_oppose,
)
from counterfoil.core.encoding import canonical_json
from counterfoil.core.statement_verify import verify_statement
from tests.core.disputes import (
    ELSEWHERE,
    GROWN,
    LOG,
    NEIGHBOUR,
    OURS,
    PACKET,
    PERIOD,
    TOLERANCE,
    Billed,
    changed,
    made,
    receipt,
    rows_of,
    signed,
    verified,
)
from tests.core.logs import KEYS
from tests.support import refused


class TestStep2:
    def test_without_the_key_nothing_is_decided(self):
        with refused("unknown-key"):
            verified(PACKET, KeySet([]))

    def test_the_log_and_the_customer_are_those_that_the_caller_expects(self):
        with refused("wrong-origin"):
            verified(PACKET, origin=NEIGHBOUR.origin)
        with refused("wrong-origin"):
            verified(PACKET, customer_id="c2")

    def test_an_entry_that_was_altered_gives_another_root(self):
        def change(packet):
            packet["statement"]["items"][3]["entry"]["recordedAt"] = LOG.time(5)[:-2] + "1Z"

        with refused("root-mismatch"):
            verified(changed(change))

    def test_an_entry_that_was_left_out_is_missed(self):
        with refused("root-mismatch"):
            verified(changed(lambda packet: packet["statement"]["items"].pop(3)))


class TestStep3:
    def test_a_receipt_of_another_log_is_refused(self):
        def change(packet):
            packet["receipts"][0] = json.loads(receipt(4, NEIGHBOUR))

        with refused("wrong-origin"):
            verified(changed(change))

    def test_a_receipt_that_was_altered_is_refused(self):
        def change(packet):
            packet["receipts"][1]["entry"]["amount"] = "1"
            packet["receipts"][1]["entry"]["credits"] = "1000000000000"

        with refused("root-mismatch"):
            verified(changed(change))

    def test_details_that_were_altered_are_refused(self):
        def change(packet):
            packet["receipts"][1]["details"]["value"]["referenceId"] = "line_7"

        with refused("details-mismatch"):
            verified(changed(change))

    def test_a_receipt_of_another_history_is_a_fork(self):
        other = LOG.rewritten({6: {"key": "ab" * 32}})

        def change(packet):
            packet["receipts"][1] = json.loads(receipt(6, other))

        with refused("fork") as caught:
            verified(changed(change))
        assert caught.value.facts == {"first": "the statement", "second": "receipt 2"}

    @staticmethod
    def under_another_checkpoint(index, log):
        """The packet whose last difference but one names this entry, with its receipt under a newer checkpoint."""

        def change(packet):
            packet["differences"][-2]["elsewhere"] = str(index)
            packet["receipts"][-2] = json.loads(receipt(index, log))

        return changed(change, ELSEWHERE)

    def test_a_receipt_may_stand_under_a_newer_checkpoint_than_the_statement(self):
        found = verified(self.under_another_checkpoint(9, GROWN))
        assert [one.checkpoint.size for one in found.receipts] == [12, 12, 14, 12]

    @pytest.mark.parametrize(("index", "change", "code"), [
        (6, {"key": "ab" * 32}, "fork"),
        (2, {"key": "ab" * 32}, "fork"),
        (12, {"recordedAt": LOG.time(8)}, "time-order"),
        (12, {"count": "2"}, "totals-mismatch"),
    ], ids=["of-the-period", "before-the-period", "time", "totals"])  # fmt: skip
    def test_an_entry_that_cannot_stand_in_one_log_with_the_statement_is_refused(self, index, change, code):
        told = GROWN.rewritten({index: change})
        with refused(code) as caught:
            verified(self.under_another_checkpoint(index, told))
        assert caught.value.facts == {"first": "the statement", "second": "receipt 3"}

    def test_two_receipts_that_cannot_stand_in_one_log_are_refused(self):
        told = GROWN.rewritten({12: {"recordedAt": LOG.time(10)}})

        def change(packet):
            packet["differences"][-1]["elsewhere"] = "12"
            packet["receipts"][-1] = json.loads(receipt(12, told))

        with refused("time-order") as caught:
            verified(changed(change, self.under_another_checkpoint(10, told)))
        assert caught.value.facts == {"first": "receipt 3", "second": "receipt 4"}


class TestStep4:
    @pytest.mark.parametrize("change", [
        lambda packet: packet["rows"].pop(5),
        lambda packet: packet["rows"].append({"amount": "-1"}),
        lambda packet: packet["rows"][5].update(amount="-1"),
        lambda packet: packet["rows"][3].update(reference="line_8 "),
        lambda packet: packet["rows"].reverse(),
        lambda packet: packet["differences"].pop(),
        lambda packet: packet["differences"].append(packet["differences"][-1]),
        lambda packet: packet["differences"].insert(2, packet["differences"].pop()),
        lambda packet: packet["differences"][0].update(amount="0.000000002"),
        lambda packet: packet["differences"][0].update(row="0"),
        lambda packet: packet["differences"][2].update(repeats="3"),
        lambda packet: packet.update(differences=[], receipts=[]),
        lambda packet: (packet["differences"].pop(1), packet["receipts"].pop(1)),
    ], ids=["a-row-less", "a-row-more", "amount", "reference", "order-of-rows", "one-less", "one-twice",
            "order", "amount-of-one", "row-of-one", "repeats-of-one", "none", "one-of-ours-less"])  # fmt: skip
    def test_differences_that_are_not_those_of_entries_and_rows_are_refused(self, change):
        with refused("details-mismatch"):
            verified(changed(change))

    def test_the_tolerance_counts(self):
        late = OURS[3]._replace(reference=None, time=LOG.time(4))
        packet = made(rows_of(late), tolerance=1)
        assert verified(packet).comparison.agreed == 1
        with refused("details-mismatch"):
            verified({**packet, "toleranceSeconds": "0"})

    def test_a_difference_may_be_larger_than_any_amount(self):
        rows = rows_of(OURS[3]._replace(amount=(10**27 - 1) * (1 if OURS[3].amount > 0 else -1)))
        found = verified(made(rows)).comparison.differences[0]
        assert found.kind == AMOUNT_DIFFERS
        assert abs(found.amount) > 10**26

    def test_details_that_are_withheld_make_other_differences(self):
        def change(packet):
            del packet["statement"]["items"][2]["details"]

        with refused("details-mismatch"):
            verified(changed(change))


class TestElsewhere:
    @pytest.mark.parametrize("change", [
        lambda packet: (packet["differences"][-1].update(elsewhere="9"),
                        packet["receipts"].__setitem__(-1, json.loads(receipt(9)))),
        lambda packet: (packet["differences"][-1].update(elsewhere="1"),
                        packet["receipts"].__setitem__(-1, json.loads(receipt(1)))),
        lambda packet: (packet["differences"][-2].update(elsewhere="11"),
                        packet["receipts"].__setitem__(-2, json.loads(receipt(11)))),
        lambda packet: packet["receipts"][-1].pop("details"),
    ], ids=["twice", "another-reference", "no-delta", "no-details"])  # fmt: skip
    def test_an_entry_that_is_not_the_charge_of_the_row_is_refused(self, change):
        with refused("details-mismatch"):
            verified(changed(change, ELSEWHERE))

    def test_one_that_the_period_lists_is_refused(self):
        packet = made(rows_of(OURS[8], OURS[8]), elsewhere={1: 8})
        with refused("details-mismatch") as caught:
            verified(packet)
        assert caught.value.facts == {"index": "8", "row": "1"}

    def test_one_that_is_named_twice_is_refused(self):
        twice = rows_of(OURS[9], OURS[9])
        assert verified(made(twice, elsewhere={0: 9})).comparison.differences[-2].elsewhere == 9
        with refused("details-mismatch") as caught:
            verified(made(twice, elsewhere={0: 9, 1: 9}))
        assert caught.value.facts == {"index": "9", "row": "1"}

    def test_a_refund_of_the_charge_is_not_the_charge(self):
        refund = OURS[9]._replace(amount=-OURS[9].amount)
        with refused("details-mismatch"):
            verified(made(rows_of(refund), elsewhere={0: 9}))

    def test_its_receipt_is_verified_as_any_other(self):
        def change(packet):
            packet["receipts"][-1]["details"]["value"]["reason"] = "other"

        with refused("details-mismatch"):
            verified(changed(change, ELSEWHERE))

    def test_not_to_name_it_says_nothing(self):
        assert verified(made(rows_of(OURS[9]))).comparison.differences[-1].elsewhere is None


class TestSigns:
    STATEMENT = verify_statement(canonical_json(LOG.statement(*PERIOD, "full")), KEYS)

    def oppose(self, rows, statement=STATEMENT):
        found = compare_period(statement, rows, tolerance_seconds=TOLERANCE)
        return signs_oppose(statement, rows, found, tolerance_seconds=TOLERANCE)

    @staticmethod
    def turned(*places):
        return [OURS[place]._replace(amount=-OURS[place].amount) for place in places]

    def test_they_oppose_where_most_rows_would_pair_with_their_signs_turned(self):
        assert self.oppose(rows_of(*self.turned(3, 4, 6), OURS[7]))
        assert self.oppose(rows_of(self.turned(3)[0]._replace(amount=-signed(OURS[3].amount))))

    def test_they_do_not_where_half_pair_as_they_are_or_none_either_way(self):
        assert not self.oppose(rows_of(*self.turned(3, 4), OURS[6], OURS[7]))
        assert not self.oppose(rows_of(Charge(0, 77, "line_99"), Charge(0, -78)))
        assert not self.oppose([])

    def test_they_do_not_where_most_pair_either_way(self):
        log = Billed(12, seals={5}, seed=13)
        assert [log.entries[index].amount for index in (3, 4)] == [-7, 7]
        statement = verify_statement(canonical_json(log.statement(*PERIOD, "full")), KEYS)
        assert not self.oppose(rows_of(Charge(0, 7), Charge(0, -7)), statement)
