"""`compare` names each difference to the other party's charges, and the packet of it verifies offline."""

from pathlib import Path

import pytest

from tests.cli.conftest import rewrite

YEARS = ("--from", "2020-01-01", "--to", "2100-01-01")
COMPARE = ("compare", "cust_001", "theirs.csv", *YEARS)
AGREED = "delta,referenceId\n500,\n-12.5,line 1\n"
DISPUTED = "delta,referenceId\n500,\n-12,line 1\n-3,line 2\n"


@pytest.fixture
def other(kept):
    """Write the other party's file; return the commands."""

    def write(text=DISPUTED):
        Path("theirs.csv").write_text(text)
        return kept

    return write


class TestCompare:
    def test_lists_that_agree_have_no_difference(self, other):
        outcome = other(AGREED)(*COMPARE)
        assert outcome.status == 0
        assert outcome.lines == [
            "ours        487.5 EUR in 2 deltas",
            "theirs      487.5 EUR in 2 rows",
            "difference  0 EUR, in 0 differences",
            "agreed      2 charges",
        ]

    def test_each_difference_is_named_and_they_add_up(self, other):
        outcome = other()(*COMPARE)
        assert outcome.status == 0
        assert [line.split() for line in outcome.lines[:2]] == [
            ["amount", "differs", "-0.5", "EUR", "entry", "2,", "row", "2"],
            ["missing", "here", "3", "EUR", "row", "3"],
        ]
        assert outcome.lines[4] == "difference  2.5 EUR, in 2 differences"

    def test_json_says_the_same(self, other):
        first, second, last = other()(*COMPARE, "--json").findings
        assert first == {"kind": "amount-differs", "amount": "-0.5", "index": 2, "row": 1, "repeats": None}
        assert (second["kind"], second["row"]) == ("missing-here", 2)
        assert last["summary"] == {
            "ours": "487.5",
            "theirs": "485",
            "difference": "2.5",
            "unit": "EUR",
            "agreed": 1,
            "differences": 2,
            "rows": 3,
        }

    def test_a_charge_that_stands_there_twice_is_named_with_the_one_that_it_repeats(self, other):
        outcome = other(AGREED + "-12.5,line 1\n")(*COMPARE)
        assert outcome.lines[0].split()[:2] == ["counted", "twice"]
        assert outcome.lines[0].endswith("row 3, as row 2")

    def test_columns_may_be_named_and_signs_turned(self, other):
        call = other("line,total\n,-500\nline 1,12.5\n")
        outcome = call(*COMPARE, "--negate", "--map", "delta=total", "--map", "referenceId=line")
        assert outcome.lines[-1] == "agreed      2 charges"

    def test_standard_input_is_one(self, kept):
        outcome = kept("compare", "cust_001", "-", *YEARS, stdin=AGREED.encode())
        assert outcome.lines[-1] == "agreed      2 charges"

    @pytest.mark.parametrize(
        ("text", "status", "code"),
        [
            ("", 2, "usage"),
            ("amount\n5\n", 2, "usage"),
            ("delta,delta\n5,5\n", 2, "usage"),
            ("delta\nfive\n", 14, "invalid-field"),
            ("delta\n0\n", 14, "amount-out-of-range"),
            ("delta,referenceId\n,x\n", 14, "invalid-field"),
            ("delta,effectiveAt\n5,soon\n", 14, "invalid-field"),
            ("delta\n5,6\n", 13, "malformed"),
            ("delta\n1e40\n", 14, "amount-out-of-range"),
        ],
    )
    def test_a_file_that_does_not_read_is_refused_and_nothing_is_written(self, other, text, status, code):
        outcome = other(text)(*COMPARE, "--dispute", "d.json")
        assert (outcome.status, outcome.code) == (status, code)
        assert not Path("d.json").exists()

    @pytest.mark.parametrize("maps", [["delta"], ["x=y"], ["delta=", ""], ["delta=a", "delta=b"]])
    def test_a_map_that_is_none_is_refused(self, other, maps):
        arguments = [part for text in maps for part in ("--map", text)]
        assert other(AGREED)(*COMPARE, *arguments).code == "usage"

    def test_a_packet_does_not_replace_the_store(self, other):
        assert other()(*COMPARE, "--dispute", "counterfoil.db").code == "usage"


class TestDispute:
    VERIFY = ("verify", "d.json", "--key", "operator.vkey", "--allow-provisional")

    @pytest.fixture
    def packet(self, other):
        call = other()
        assert call(*COMPARE, "--dispute", "d.json").status == 0
        return call

    def test_it_verifies_offline(self, packet):
        outcome = packet(*self.VERIFY, "--customer", "cust_001")
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.lines[0].startswith(
            "verified  d.json  dispute packet with a statement, full, provisional"
        )
        assert "difference       2.5 EUR, named by 2 differences" in outcome.out
        assert "what the other party says in 1 dispute packet" in outcome.lines[-1]

    def test_json_says_the_same(self, packet):
        finding = packet(*self.VERIFY, "--json").findings[0]
        assert finding["kind"] == "dispute"
        assert [finding[name] for name in ("ours", "theirs", "difference", "differences")] == [
            "487.5",
            "485",
            "2.5",
            2,
        ]

    def test_a_period_that_goes_on_has_to_be_allowed(self, packet):
        assert packet("verify", "d.json", "--key", "operator.vkey").code == "incomplete-period"

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            (lambda d: d["rows"][1].update(amount="-11"), "details-mismatch"),
            (lambda d: d["differences"].pop(), "details-mismatch"),
            (lambda d: d["statement"]["items"][1]["entry"].update(amount="1"), "root-mismatch"),
            (lambda d: d["receipts"].pop(), "malformed"),
            (lambda d: d["receipts"][0]["details"]["value"].update(reason="x"), "details-mismatch"),
        ],
    )
    def test_one_that_was_changed_is_refused(self, packet, change, code):
        rewrite("d.json", change)
        assert packet(*self.VERIFY).code == code
