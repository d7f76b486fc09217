"""Dispute packets: what they say of a period, how they read, and which refusal comes first.

Source: docs/spec/dispute.md.
"""

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
)
from counterfoil.core.dispute import (
    compare_period,
    format_dispute,
    parse_dispute,
    verify_dispute,
)
from counterfoil.core.encoding import canonical_json
from counterfoil.core.statement_verify import verify_statement
from counterfoil.limits import COMPARISON_TOLERANCE_SECONDS_MAX, DISPUTE_BYTES_MAX, DISPUTE_ROWS_MAX
from tests.core.common import SPEC, example_blocks, example_values
from tests.core.disputes import (
    DIFFERENCES,
    ELSEWHERE,
    LOG,
    NEIGHBOUR,
    OURS,
    PACKET,
    PERIOD,
    ROWS,
    SUBSCRIBED,
    changed,
    made,
    receipt,
    rows_of,
    signed,
    verified,
)
from tests.core.logs import KEYS
from tests.support import refused


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

    def test_what_is_as_large_as_it_may_be_is_written_and_read(self):
        rest = len(format_dispute(b"", [], (), [], tolerance_seconds=0))
        data = format_dispute(b" " * (DISPUTE_BYTES_MAX - rest), [], (), [], tolerance_seconds=0)
        assert len(data) == DISPUTE_BYTES_MAX
        rows = [Charge(0, 1)] * DISPUTE_ROWS_MAX
        assert format_dispute(b"", rows, (), [], tolerance_seconds=0).count(b'"amount"') == DISPUTE_ROWS_MAX
        with refused("malformed"):
            verified({**PACKET, "rows": ["none"] * DISPUTE_ROWS_MAX})
        longest = {**PACKET, "toleranceSeconds": str(COMPARISON_TOLERANCE_SECONDS_MAX)}
        assert parse_dispute(json.dumps(longest)).tolerance_seconds == COMPARISON_TOLERANCE_SECONDS_MAX

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
