"""`compare` names each difference to the other party's charges, and the packet of it verifies offline."""

from pathlib import Path

import pytest

from tests.cli.conftest import rewrite

YEARS = ("--from", "2020-01-01", "--to", "2100-01-01")
COMPARE = ("compare", "cust_001", "theirs.csv", *YEARS)
AGREED = "delta,referenceId\n500,\n-12.5,line 1\n"
DISPUTED = "delta,referenceId,effectiveAt\n500,,\n-12,line 1,\n-3,line 2,2026-04-05\n"


@pytest.fixture
def other(kept):
    """Write the other party's file; return the commands."""

    def write(text=DISPUTED):
        Path("theirs.csv").write_text(text)
        return kept

    return write


def times(call):
    """When our charges were recorded, by index."""
    found = call("compare", "cust_001", "-", *YEARS, "--json", stdin=b"delta\n").findings[:-1]
    return {one["ours"]["index"]: one["ours"]["recordedAt"] for one in found}


class TestCompare:
    def test_lists_that_agree_have_no_difference(self, other):
        outcome = other(AGREED)(*COMPARE)
        assert outcome.status == 0
        assert outcome.lines[2:] == [
            "ours                           487.5 EUR in 2 deltas",
            "theirs                         487.5 EUR in 2 rows",
            "difference (ours less theirs)  0 EUR in 0 differences",
            "agreed                         2 charges",
        ]

    def test_it_begins_with_whose_statement_and_which_period_it_compares(self, other):
        first, second, *_ = other(AGREED)(*COMPARE).lines
        assert first.startswith("statement, full, provisional, complete through ")
        assert first.endswith("; customer cust_001")
        assert second.split() == [
            *("period", "2020-01-01T00:00:00.000000Z", "to", "2100-01-01T00:00:00.000000Z"),
            *("(by", "time", "of", "recording)"),
        ]

    @pytest.mark.parametrize(("time", "outside"), [
        ("2019-12-31", True),
        ("2019-12-31T23:59:59.999999Z", True),
        ("2020-01-01", False),
        ("2020-01-01T00:00:00Z", False),
        ("2099-12-31", False),
        ("2099-12-31T23:59:59.999999Z", False),
        ("2100-01-01", True),
        ("2100-01-01T00:00:00Z", True),
    ])  # fmt: skip
    def test_rows_of_another_time_than_the_period_are_counted(self, other, time, outside):
        hints = other(f"delta,effectiveAt\n500,\n-3,{time}\n")(*COMPARE).err
        assert ("1 row has a time outside the period" in hints) is outside

    def test_each_difference_is_a_line_with_what_both_sides_have_of_it(self, other):
        call = other(DISPUTED)
        outcome = call(*COMPARE)
        assert outcome.status == 0
        day = times(call)[2][:10]
        assert [" ".join(line.split()) for line in outcome.lines[2:4]] == [
            f'amount differs "line 1" {day} ours -12.5 theirs -12 (ours less theirs -0.5) entry 2 (api_call), line 3',
            'missing here "line 2" 2026-04-05 ours none theirs -3 (ours less theirs +3) line 4',
        ]
        assert outcome.lines[6] == "difference (ours less theirs)  2.5 EUR in 2 differences"

    def test_the_columns_of_the_lines_stand_below_each_other(self, other):
        first, second = other(DISPUTED)(*COMPARE).lines[2:4]
        for name in ("ours", "theirs", "(ours less theirs"):
            assert first.index(name) == second.index(name)

    def test_json_says_the_same(self, other):
        call = other(DISPUTED)
        first, second, last = call(*COMPARE, "--json").findings
        ours, theirs = first.pop("ours"), first.pop("theirs")
        assert first == {"kind": "amount-differs", "amount": "-0.5", "repeats": None, "elsewhere": None}
        assert ours.pop("time") == ours.pop("recordedAt")
        assert ours == {"index": 2, "amount": "-12.5", "reference": "line 1", "reason": "api_call"}
        assert theirs == {"row": 1, "line": 3, "amount": "-12", "reference": "line 1", "time": None}
        assert (second["kind"], second["ours"]) == ("missing-here", None)
        assert second["theirs"] == {
            "row": 2,
            "line": 4,
            "amount": "-3",
            "reference": "line 2",
            "time": "2026-04-05",
        }
        assert last["summary"].pop("provisionalThrough") > times(call)[2]
        assert last["summary"] == {
            "customer": "cust_001",
            "from": "2020-01-01T00:00:00.000000Z",
            "to": "2100-01-01T00:00:00.000000Z",
            "ours": "487.5",
            "theirs": "485",
            "difference": "2.5",
            "unit": "EUR",
            "agreed": 1,
            "differences": 2,
            "rows": 3,
            "zeroRows": 0,
            "emptyRows": 0,
        }

    def test_a_charge_that_stands_there_twice_is_named_with_the_one_that_it_repeats(self, other):
        call = other(AGREED + "-12.5,line 1\n")
        line = call(*COMPARE).lines[2]
        assert line.startswith("counted twice")
        assert line.endswith("  line 4, as line 3")
        assert call(*COMPARE, "--json").findings[0]["repeats"]["line"] == 3

    def test_a_date_is_any_time_of_its_day(self, other):
        days = [time[:10] for time in times(other()).values()]
        call = other("delta,effectiveAt\n500,{}\n-12.5,{}\n".format(*days))
        outcome = call(*COMPARE, "--tolerance-seconds", "0")
        assert outcome.lines[-1] == "agreed                         2 charges"

    def test_columns_may_be_named_and_signs_turned(self, other):
        call = other("line,total\n,-500\nline 1,12.5\n")
        outcome = call(*COMPARE, "--negate", "--map", "delta=total", "--map", "referenceId=line")
        assert outcome.lines[-1] == "agreed                         2 charges"

    def test_standard_input_is_one(self, kept):
        outcome = kept("compare", "cust_001", "-", *YEARS, stdin=AGREED.encode())
        assert outcome.lines[-1] == "agreed                         2 charges"

    def test_a_text_of_theirs_cannot_pass_for_words_of_ours(self, other):
        text = "\u202e\ufe0f  ours 1  theirs 1"
        lines = other(f'delta,referenceId\n7,"{text}"\n')(*COMPARE).lines
        assert r'missing here   "\u202e\ufe0f  ours 1  theirs 1"  no time' in lines[4]
        long = other("delta,referenceId\n7," + "x" * 5_000 + "\n")(*COMPARE)
        assert max(map(len, long.lines)) < 200

    def test_of_many_differences_the_first_are_shown_and_the_others_counted(self, other):
        call = other("delta\n" + "7\n" * 120)
        lines = call(*COMPARE).lines
        assert sum(line.startswith(("missing", "counted")) for line in lines) == 100
        assert lines[102] == "22 more; --json has them all"
        assert len(call(*COMPARE, "--json").findings) == 123

    @pytest.mark.parametrize(("text", "options", "way"), [
        ("delta,referenceId\n-500,\n12.5,line 1\n", (), "with --negate"),
        (AGREED, ("--negate",), "without --negate"),
    ])  # fmt: skip
    def test_signs_that_oppose_ours_are_told(self, other, text, options, way):
        hints = other(text)(*COMPARE, *options).err
        assert f"most rows would pair {way}" in hints
        assert "--negate" not in other(DISPUTED)(*COMPARE).err

    def test_rows_that_are_no_charges_are_passed_over_and_counted(self, other):
        call = other(AGREED + "0,line 3\n,\n0.00,\n")
        assert call(*COMPARE).lines[-3:] == [
            "agreed                         2 charges",
            "skipped                        2 rows of amount zero",
            "skipped                        1 row with neither amount nor reference",
        ]
        summary = call(*COMPARE, "--json").findings[-1]["summary"]
        assert (summary["zeroRows"], summary["emptyRows"], summary["rows"]) == (2, 1, 2)

    def test_columns_may_be_separated_by_semicolons_or_tabs(self, other):
        for delimiter in ";\t":
            outcome = other(AGREED.replace(",", delimiter))(*COMPARE)
            assert outcome.lines[-1] == "agreed                         2 charges"

    def test_the_table_of_our_statement_agrees_with_it(self, kept):
        kept("statement", "cust_001", *YEARS, "--full", "--csv", "theirs.csv", "-o", "s.json")
        outcome = kept(*COMPARE, "--map", "delta=amount")
        assert outcome.lines[-1] == "agreed                         2 charges"

    @pytest.mark.parametrize("text", ["", "amount\n5\n", "amount;ref\n5;x\n", "delta,delta\n5,5\n"])
    def test_a_file_without_the_columns_is_refused(self, other, text):
        outcome = other(text)(*COMPARE, "--dispute", "d.json")
        assert (outcome.status, outcome.code, outcome.out) == (2, "usage", "")
        assert not Path("d.json").exists()

    def test_of_rows_that_do_not_read_each_is_told_and_nothing_is_compared(self, other):
        text = 'delta,effectiveAt\nfive,\n1,\n1e40,\n1,soon\n1\n"1,5",\n'
        outcome = other(text)(*COMPARE, "--dispute", "d.json")
        assert (outcome.status, outcome.code) == (14, "rows-refused")
        assert [line.split(": ")[0].split() for line in outcome.lines] == [
            ["refused", "line", "2", "invalid-field"],
            ["refused", "line", "4", "amount-out-of-range"],
            ["refused", "line", "5", "invalid-field"],
            ["refused", "line", "6", "malformed"],
            ["refused", "line", "7", "invalid-field"],
        ]
        assert not Path("d.json").exists()

    def test_of_a_row_all_faults_are_told_and_what_a_file_looks_like_that_reads(self, other):
        outcome = other("delta;effectiveAt\n-12,5;02.10.2026\n5;\n")(*COMPARE, "--json")
        assert [(found["line"], found["code"]) for found in outcome.findings] == [(2, "invalid-field")] * 2
        assert "rows-refused: 1 row does not read" in outcome.err
        [line] = [line for line in outcome.err.splitlines() if "hint: " in line]
        assert "CSV UTF-8, with amounts like 1234.56 and dates like 2026-10-02" in line

    @pytest.mark.parametrize("codec", ["cp1252", "utf-16", "utf-16-le"])
    @pytest.mark.parametrize("text", ["delta;gebühr\n1;\n", "delta;referenceId\n1;gebühr\n"])
    def test_a_file_in_another_encoding_is_refused_with_the_same_advice(self, other, codec, text):
        call = other()
        Path("theirs.csv").write_bytes(text.encode(codec))
        outcome = call(*COMPARE)
        assert outcome.code in {"usage", "rows-refused"}
        assert "hint: save it as CSV UTF-8" in outcome.err
        assert "import" not in outcome.err

    def test_of_many_such_rows_the_first_are_told_and_the_others_counted(self, other):
        call = other("delta\n" + "x\n" * 30)
        assert call(*COMPARE).lines[20:] == ["refused  10 more; --json has them all"]
        findings = call(*COMPARE, "--json").findings
        assert [(found["line"], found["code"]) for found in findings] == [
            (line, "invalid-field") for line in range(2, 32)
        ]

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
        assert "what the other party says in 1 dispute packet" in outcome.lines[-1]

    def test_whoever_gets_it_sees_the_differences_as_the_sender_does(self, packet):
        sent, outcome = packet(*COMPARE), packet(*self.VERIFY)
        received = [line.strip() for line in outcome.lines]
        assert set(sent.lines[1:4]) <= set(received)
        assert "difference       2.5 EUR (ours less theirs), named by 2 differences" in received

    def test_json_says_the_same(self, packet):
        finding = packet(*self.VERIFY, "--json").findings[0]
        *differences, last = packet(*COMPARE, "--json").findings
        assert finding["kind"] == "dispute"
        assert finding["differences"] == differences
        for name in ("ours", "theirs", "difference", "agreed", "rows", "unit"):
            assert finding[name] == last["summary"][name]

    def test_inspect_shows_them_before_anything_is_verified(self, packet):
        shown = " ".join(packet("inspect", "d.json").out.split())
        assert "(ours less theirs -0.5) entry 2 (api_call), line 3" in shown

    def test_what_a_packet_names_and_has_not_is_shown_by_its_place_until_it_is_verified(self, packet):
        rewrite("d.json", lambda d: d["differences"][1].update(row="99"))
        assert "(ours less theirs +3)    row 99" in packet("inspect", "d.json").out
        assert packet(*self.VERIFY).code == "details-mismatch"

    def test_a_row_that_was_in_no_file_is_named_by_its_position(self, packet):
        rewrite("d.json", lambda d: [row.pop("line") for row in d["rows"]])
        assert "(ours less theirs +3)    row 2\n" in packet(*self.VERIFY).out

    def test_what_the_log_has_outside_the_period_is_named_and_proven(self, packet):
        time = times(packet)[2]
        period = ("--from", "2020-01-01", "--to", time)
        outcome = packet("compare", "cust_001", "theirs.csv", *period, "--dispute", "d.json")
        [line] = [line for line in outcome.lines if "in the log" in line]
        assert line.startswith("missing here")
        assert line.endswith(f"line 3, in the log outside the period: entry 2 of -12.5, recorded {time[:10]}")
        assert line in [shown.strip() for shown in packet(*self.VERIFY).lines]
        [found] = [
            one for one in packet(*self.VERIFY, "--json").findings[0]["differences"] if one["elsewhere"]
        ]
        assert found["elsewhere"] == {"index": 2, "amount": "-12.5", "recordedAt": time}

    def test_what_no_checkpoint_covers_yet_is_named_so(self, packet):
        packet("record", "cust_001", "-3", "--reason", "api_call", "--reference", "line 2")
        [line] = [line for line in packet(*COMPARE).lines if "in the log" in line]
        assert "in the log behind the statement: entry 4 of -3, recorded " in line

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


class TestWithoutAStore:
    STATEMENT = ("--statement", "s.json", "--key", "operator.vkey")
    HERE = ("compare", "theirs.csv", *STATEMENT)

    @pytest.fixture
    def away(self, other, tmp_path):
        """Write the file in a folder that has a statement, the key, and no store."""

        def write(text=DISPUTED, *options):
            call = other(text)
            call("statement", "cust_001", *YEARS, "--full", "-o", "s.json", "--html", "s.html", *options)
            Path("counterfoil.db").rename(tmp_path / "gone.db")
            Path("counterfoil-keys").rename(tmp_path / "gone-keys")
            return call

        return write

    def test_it_says_what_the_store_says(self, other, away):
        call = other(DISPUTED)
        shown, facts = call(*COMPARE), call(*COMPARE, "--json")
        call = away()
        assert call(*self.HERE, "--customer", "cust_001") == shown
        assert call(*self.HERE, "--json") == facts

    def test_it_says_where_nobody_named_the_customer(self, away):
        named = "; customer cust_001 (named in the file, not compared)"
        call = away()
        assert call(*self.HERE).lines[0].endswith(named)
        assert call(*self.HERE, "--customer", "cust_001").lines[0].endswith("; customer cust_001")

    def test_the_statement_may_be_in_a_page_or_come_by_standard_input(self, away):
        call = away()
        wanted = call(*self.HERE)
        assert wanted.status == 0
        assert call("compare", "theirs.csv", "--statement", "s.html", "--key", "operator.vkey") == wanted
        data = Path("s.json").read_bytes()
        piped = call("compare", "theirs.csv", "--statement", "-", "--key", "operator.vkey", stdin=data)
        assert piped == wanted

    def test_what_does_not_verify_is_not_compared(self, away):
        call = away()
        assert call(*self.HERE, "--customer", "cust_002").code == "wrong-origin"
        rewrite("s.json", lambda document: document["items"][1]["entry"].update(amount="1"))
        outcome = call(*self.HERE)
        assert (outcome.status, outcome.out, outcome.code) == (10, "", "root-mismatch")

    def test_a_light_statement_has_not_every_charge(self, other):
        call = other()
        call("statement", "cust_001", *YEARS, "-o", "s.json")
        outcome = call(*self.HERE)
        assert (outcome.status, outcome.out, outcome.code) == (2, "", "usage")

    def test_another_document_is_no_statement(self, other):
        call = other()
        for name in ("receipt.json", "operator.vkey"):
            assert (
                call("compare", "theirs.csv", "--statement", name, "--key", "operator.vkey").code == "usage"
            )

    @pytest.mark.parametrize("line", [
        "theirs.csv --statement s.json",
        "cust_001 theirs.csv --statement s.json --key operator.vkey",
        "theirs.csv --statement s.json --key operator.vkey --period 2026-04",
        "theirs.csv --statement s.json --key operator.vkey --dispute d.json",
        "- --statement - --key operator.vkey",
        "theirs.csv --period 2026-04",
        "cust_001 cust_002 theirs.csv --period 2026-04",
        "cust_001 theirs.csv",
        "cust_001 theirs.csv --period 2026-04 --from 2026-04-01 --to 2026-05-01",
        "cust_001 theirs.csv --period 2026-04 --key operator.vkey",
        "cust_001 theirs.csv --period 2026-04 --customer cust_001",
    ])  # fmt: skip
    def test_what_does_not_go_together_is_refused(self, away, line):
        outcome = away()("compare", *line.split())
        assert (outcome.status, outcome.out, outcome.code) == (2, "", "usage")
        assert not Path("d.json").exists()
