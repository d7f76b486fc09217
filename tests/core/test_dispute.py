"""Dispute packets: what they say of a period, and that each of the four steps of docs/spec/dispute.md refuses."""

import copy
import json
import re

import pytest

from counterfoil.core.amount import format_nano
from counterfoil.core.checkpoint import KeySet
from counterfoil.core.compare import (
    AMOUNT_DIFFERS,
    COUNTED_TWICE,
    MISSING_HERE,
    MISSING_THERE,
    Charge,
    Difference,
    charges_of,
)
from counterfoil.core.dispute import (
    compare_period,
    format_dispute,
    parse_dispute,
    proven_of,
    signs_oppose,
    verify_dispute,
)
from counterfoil.core.encoding import canonical_json
from counterfoil.core.receipt import format_receipt
from counterfoil.core.statement_verify import verify_statement
from counterfoil.core.tlog_proof import format_tlog_proof
from counterfoil.limits import COMPARISON_TOLERANCE_SECONDS_MAX, DISPUTE_BYTES_MAX, DISPUTE_ROWS_MAX
from tests.core.common import SPEC, example_blocks, example_values
from tests.core.logs import KEYS, Log
from tests.support import refused


class Billed(Log):
    """A log whose deltas have references."""

    def value_at(self, index):
        return {"reason": "usage", "referenceId": f"line_{index}"}


class Subscribed(Billed):
    """A log in which the reference of 7 comes again behind the period."""

    def value_at(self, index):
        return super().value_at(7 if index == 9 else index)


# The period has the deltas 3, 4, 6, 7 and 8.
LOG = Billed(12, seals={5})
# The same deltas, two of them with one reference.
SUBSCRIBED = Subscribed(12, seals={5})
NEIGHBOUR = Billed(12, customer="c2", seals={5})
PERIOD = (3, 9)
TOLERANCE = 300
OURS = {charge.place: charge for charge in charges_of([LOG.item(index) for index in range(12)])}


def rows_of(*charges):
    return [charge._replace(place=place) for place, charge in enumerate(charges)]


def signed(amount):
    """An amount a little larger, of the same sign."""
    return amount + (1 if amount > 0 else -1)


# They agree about 3; 4 differs; 6 is missing there; 7 is there twice; the last one is missing here.
ROWS = rows_of(
    OURS[7],
    OURS[4]._replace(amount=signed(OURS[4].amount)),
    OURS[3]._replace(reference=None),
    OURS[8],
    OURS[7],
    Charge(0, -77, "line_99"),
)
DIFFERENCES = (
    Difference(AMOUNT_DIFFERS, OURS[4].amount - signed(OURS[4].amount), 4, 1),
    Difference(MISSING_THERE, OURS[6].amount, 6),
    Difference(COUNTED_TWICE, -OURS[7].amount, None, 4, 0),
    Difference(MISSING_HERE, 77, None, 5),
)


def receipt(index, log=LOG):
    return format_receipt(log.item(index), log.opening(), format_tlog_proof(index, log.path(index), log.note))


def made(rows=ROWS, log=LOG, tolerance=TOLERANCE, elsewhere=(), entries=PERIOD, **options):
    """A packet, as a JSON value; `elsewhere` are entries by row."""
    statement = canonical_json(log.statement(*entries, "full", **{"opened": True, **options}))
    found = compare_period(verify_statement(statement, KEYS), rows, tolerance_seconds=tolerance).differences
    found = [one._replace(elsewhere=dict(elsewhere).get(one.theirs)) for one in found]
    receipts = [receipt(index, log) for index in map(proven_of, found) if index is not None]
    return json.loads(format_dispute(statement, rows, found, receipts, tolerance_seconds=tolerance))


PACKET = made()
# The same, and two rows of charges that were recorded behind the period and before it.
ELSEWHERE = made(
    rows_of(*ROWS, OURS[9], OURS[2]._replace(amount=signed(OURS[2].amount))), elsewhere={6: 9, 7: 2}
)


def changed(change, packet=PACKET):
    copied = copy.deepcopy(packet)
    change(copied)
    return copied


def verified(packet, keys=KEYS, **expected):
    return verify_dispute(json.dumps(packet), keys, **expected)


class TestAccepted:
    def test_it_says_the_period_the_differences_and_both_totals(self):
        found = verified(PACKET, origin=LOG.origin, customer_id="c1")
        assert (found.statement.start, found.statement.end) == LOG.period(*PERIOD)
        assert found.statement.customer_id == "c1"
        assert found.rows == tuple(ROWS)
        assert found.comparison.differences == DIFFERENCES
        assert found.comparison.agreed == 3
        assert found.comparison.ours == sum(OURS[place].amount for place in (3, 4, 6, 7, 8))
        assert found.comparison.theirs == sum(row.amount for row in ROWS)

    def test_it_proves_our_side_of_each_difference_that_names_an_entry(self):
        assert [one.entry for one in verified(PACKET).receipts] == [LOG.entries[4], LOG.entries[6]]

    def test_what_is_written_is_canonical(self):
        data = canonical_json(PACKET)
        dispute = parse_dispute(data)
        statement = canonical_json(PACKET["statement"])
        receipts = [canonical_json(one) for one in PACKET["receipts"]]
        again = format_dispute(
            statement,
            dispute.rows,
            dispute.differences,
            receipts,
            tolerance_seconds=dispute.tolerance_seconds,
        )
        assert again == data

    @pytest.mark.parametrize("spelled", [
        json.dumps,
        lambda packet: json.dumps(packet, indent=2, ensure_ascii=False),
        lambda packet: json.dumps(dict(reversed(packet.items()))).encode(),
        lambda packet: parse_dispute(json.dumps(packet)),
    ], ids=["ascii", "indented", "reversed", "read"])  # fmt: skip
    def test_another_spelling_says_the_same(self, spelled):
        assert verify_dispute(spelled(PACKET), KEYS) == verified(PACKET)

    def test_two_sides_that_agree_have_no_differences(self):
        found = verified(made(rows_of(*(OURS[place] for place in (8, 7, 6, 4, 3)))))
        assert (found.comparison.differences, found.receipts, found.comparison.difference) == ((), (), 0)

    def test_without_rows_all_that_we_have_is_missing_there(self):
        found = verified(made([]))
        assert [(one.kind, one.ours) for one in found.comparison.differences] == [
            (MISSING_THERE, place) for place in (3, 4, 6, 7, 8)
        ]

    def test_without_details_charges_are_told_by_amount_and_time(self):
        found = verified(made(details=False))
        assert {one.kind for one in found.comparison.differences if one.ours in (4, 6)} == {MISSING_THERE}
        assert sum(one.amount for one in found.comparison.differences) == found.comparison.difference

    def test_any_text_may_be_a_reference(self):
        rows = rows_of(Charge(0, 5, '"\\\x00\u202e</script>'), Charge(0, 5, ""), Charge(0, 5, "\U0001f600"))
        assert verified(made(rows)).rows == tuple(rows)

    def test_a_period_that_may_still_be_open_is_taken_where_that_is_allowed(self):
        statement = canonical_json(LOG.statement(9, 12, "full"))
        rows = rows_of(OURS[9], OURS[10])
        packet = json.loads(format_dispute(statement, rows, (), [], tolerance_seconds=0))
        with refused("incomplete-period"):
            verified(packet)
        assert verified(packet, allow_provisional=True).comparison.agreed == 2

    def test_a_row_says_on_which_line_it_was_and_a_date_in_place_of_a_time(self):
        rows = rows_of(Charge(0, -77, "line_99", "2026-04-01", line=12))
        assert verified(made(rows)).rows == tuple(rows)

    def test_what_the_log_has_in_another_period_is_proven_and_still_a_difference(self):
        found = verified(ELSEWHERE)
        assert found.comparison.differences == (
            *DIFFERENCES,
            Difference(MISSING_HERE, -OURS[9].amount, None, 6, elsewhere=9),
            Difference(MISSING_HERE, -signed(OURS[2].amount), None, 7, elsewhere=2),
        )
        assert sum(one.amount for one in found.comparison.differences) == found.comparison.difference
        assert [one.entry.index for one in found.receipts] == [4, 6, 9, 2]

    def test_what_was_counted_twice_may_be_elsewhere_too(self):
        found = verified(made(rows_of(OURS[7], OURS[7]), SUBSCRIBED, elsewhere={1: 9}))
        assert found.comparison.differences[-1] == Difference(COUNTED_TWICE, -OURS[7].amount, None, 1, 0, 9)

    def test_a_light_statement_cannot_be_compared(self):
        statement = verify_statement(json.dumps(LOG.statement(*PERIOD, "light")), KEYS)
        with refused("usage"):
            compare_period(statement, [], tolerance_seconds=0)


def listing(difference):
    """The packet with this difference alone, and the receipt of the entry that it names."""
    names = difference if isinstance(difference, dict) else {}
    index = names.get("elsewhere", names.get("index"))
    receipts = [json.loads(receipt(int(index)))] if isinstance(index, str) else []
    return {**PACKET, "differences": [difference], "receipts": receipts}


class TestStep1:
    @pytest.mark.parametrize("member", [*PACKET])
    def test_its_members_are_needed(self, member):
        with refused("malformed"):
            verified(changed(lambda packet: packet.pop(member)))

    @pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"type":1}', "\ufeff{}", "[" * 100_000])
    def test_what_is_no_dispute_is_malformed(self, text):
        with refused("malformed"):
            verify_dispute(text, KEYS)

    def test_another_type_is_unknown(self):
        with refused("unknown-type"):
            verify_dispute('{"type":"counterfoil/dispute@v2"}', KEYS)

    def test_a_member_that_nobody_knows_is_malformed(self):
        with refused("malformed"):
            verified({**PACKET, "verdict": "paid"})

    def test_a_byte_more_than_the_bound_is_too_large(self):
        with refused("too-large"):
            verify_dispute(b" " * (DISPUTE_BYTES_MAX + 1), KEYS)

    def test_a_row_more_than_the_bound_is_too_large(self):
        rows = [{"amount": "1"}] * (DISPUTE_ROWS_MAX + 1)
        with refused("too-large"):
            verified({**PACKET, "rows": rows})
        with refused("too-large"):
            format_dispute(b"{}", [Charge(0, 1)] * len(rows), (), [], tolerance_seconds=0)

    def test_what_nobody_would_read_is_not_written(self):
        with refused("too-large"):
            format_dispute(b" " * DISPUTE_BYTES_MAX, [], (), [], tolerance_seconds=0)

    @pytest.mark.parametrize(
        "tolerance", [300, "-1", "007", "3e2", "", None, str(COMPARISON_TOLERANCE_SECONDS_MAX + 1)]
    )
    def test_the_tolerance_is_an_integer_within_its_bound(self, tolerance):
        with refused("malformed"):
            verified({**PACKET, "toleranceSeconds": tolerance})

    @pytest.mark.parametrize("row", [
        {}, [], "1", {"amount": 1}, {"amount": "0"}, {"amount": "1.50"}, {"amount": "+1"}, {"amount": "1", "unit": "x"},
        {"amount": "1", "reference": 1}, {"amount": "1", "reference": None}, {"amount": "1", "time": "2026-02-30"},
        {"amount": "1", "time": "2026-02-30T00:00:00.000000Z"}, {"amount": "1", "time": None},
        {"amount": "1", "line": "0"}, {"amount": "1", "line": 1}, {"amount": "1", "line": "01"}, {"amount": "1", "line": "-1"},
    ], ids=str)  # fmt: skip
    def test_a_row_is_an_amount_with_a_reference_and_a_time_or_without(self, row):
        with refused("malformed"):
            verified({**PACKET, "rows": [row]})

    @pytest.mark.parametrize("difference", [
        {}, "missing-here", {"kind": "missing-here", "amount": "1"},
        {"kind": "missing", "amount": "1", "row": "0"},
        {"kind": "missing-here", "amount": "1", "index": "0"},
        {"kind": "missing-here", "amount": "1", "row": "0", "repeats": "0"},
        {"kind": "missing-there", "amount": "1", "index": "4", "row": "0"},
        {"kind": "amount-differs", "amount": "1", "row": "0"},
        {"kind": "counted-twice", "amount": "1", "row": "0"},
        {"kind": "counted-twice", "amount": "1", "row": "0", "index": "4", "repeats": "0"},
        {"kind": "missing-here", "amount": "0", "row": "0"}, {"kind": "missing-here", "amount": "-0", "row": "0"},
        {"kind": "missing-here", "amount": "1.0", "row": "0"}, {"kind": "missing-here", "amount": 1, "row": "0"},
        {"kind": "missing-here", "amount": "1", "row": "-1"}, {"kind": "missing-here", "amount": "1", "row": 0},
        {"kind": "missing-here", "amount": "1", "row": "0", "note": ""},
        {"kind": "missing-here", "amount": "1", "elsewhere": "2"},
        {"kind": "missing-here", "amount": "1", "row": "0", "elsewhere": 2},
        {"kind": "missing-there", "amount": "1", "index": "4", "elsewhere": "2"},
        {"kind": "amount-differs", "amount": "1", "index": "4", "row": "0", "elsewhere": "2"},
        {"kind": "counted-twice", "amount": "1", "index": "4", "repeats": "3", "elsewhere": "2"},
    ], ids=str)  # fmt: skip
    def test_a_difference_has_a_kind_an_amount_and_the_charges_of_its_kind(self, difference):
        with refused("malformed"):
            verified(listing(difference))

    @pytest.mark.parametrize("difference", [
        {"kind": "missing-here", "amount": "1", "row": "0"},
        {"kind": "missing-here", "amount": "-1", "row": "0", "elsewhere": "2"},
        {"kind": "missing-there", "amount": "0.000000001", "index": "4"},
        {"kind": "amount-differs", "amount": "-99999999999999999999999999999", "index": "4", "row": "0"},
        {"kind": "counted-twice", "amount": "1", "index": "4", "repeats": "3"},
        {"kind": "counted-twice", "amount": "1", "row": "4", "repeats": "0"},
        {"kind": "counted-twice", "amount": "1", "row": "4", "repeats": "0", "elsewhere": "2"},
    ], ids=str)  # fmt: skip
    def test_one_that_has_all_this_is_read_and_held_against_entries_and_rows(self, difference):
        with refused("details-mismatch"):
            verified(listing(difference))

    @pytest.mark.parametrize("member", ["rows", "differences", "receipts"])
    def test_lists_are_arrays(self, member):
        with refused("malformed"):
            verified({**PACKET, member: {}})

    def test_its_statement_is_a_full_one(self):
        with refused("malformed"):
            verified({**PACKET, "statement": LOG.statement(*PERIOD, "light")})

    @pytest.mark.parametrize("change", [
        lambda packet: packet["receipts"].pop(),
        lambda packet: packet["receipts"].append(json.loads(receipt(7))),
        lambda packet: packet["receipts"].reverse(),
        lambda packet: packet["receipts"].__setitem__(0, json.loads(receipt(7))),
    ], ids=["one-lacks", "one-more", "moved", "another"])  # fmt: skip
    def test_its_receipts_are_those_of_the_entries_that_the_differences_name(self, change):
        with refused("malformed"):
            verified(changed(change))

    @pytest.mark.parametrize("place", [("statement",), ("receipts", 0)])
    def test_a_type_within_that_nobody_knows_is_unknown(self, place):
        def change(packet):
            for step in place:
                packet = packet[step]
            packet["type"] = "counterfoil/other@v9"

        with refused("unknown-type"):
            verified(changed(change))


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

    def oppose(self, rows):
        found = compare_period(self.STATEMENT, rows, tolerance_seconds=TOLERANCE)
        return signs_oppose(self.STATEMENT, rows, found, tolerance_seconds=TOLERANCE)

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


class TestOrder:
    def test_form_is_judged_before_keys_and_keys_before_differences(self):
        broken = changed(lambda packet: packet["differences"].pop())
        with refused("malformed"):
            verified({**broken, "toleranceSeconds": "x"}, KeySet([]))
        with refused("unknown-key"):
            verified(broken, KeySet([]))
        with refused("details-mismatch"):
            verified(broken)

    def test_receipts_are_judged_before_differences(self):
        def change(packet):
            packet["differences"].pop()
            packet["receipts"][0] = json.loads(receipt(4, NEIGHBOUR))

        with refused("wrong-origin"):
            verified(changed(change))


class TestTheExampleOfThePage:
    PAGE = (SPEC / "dispute.md").read_text(encoding="utf-8")
    [DATA] = re.findall(r"^```json\n(.*)\n```$", PAGE, re.MULTILINE)

    def test_it_is_made_of_the_worked_example_and_canonical(self):
        packet = json.loads(self.DATA)
        assert canonical_json(packet["statement"]) == example_blocks()["statement-may"]
        assert [canonical_json(one) for one in packet["receipts"]] == [example_blocks()["receipt-4"]]
        assert canonical_json(packet) == self.DATA.encode()

    def test_it_verifies_and_adds_up_to_what_the_page_says(self):
        keys = KeySet.parse(example_values()["operator key"])
        found = verify_dispute(self.DATA, keys, customer_id="cust_001").comparison
        assert [one.kind for one in found.differences] == [AMOUNT_DIFFERS, MISSING_HERE]
        assert f"Together that is {format_nano(found.difference)}." in self.PAGE
