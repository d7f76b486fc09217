"""`verify --csv`: the deltas that were proven as a table, each once, and nothing else replaced."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from counterfoil.core.table import COLUMNS
from tests.cli.conftest import record_id, rewrite
from tests.cli.test_verify import OF_LOGS
from tests.core.disputes import ELSEWHERE

KEY = ("--key", "operator.vkey")
HEADER = f"{','.join(COLUMNS)}\r\n".encode()


def rows(name="r.csv"):
    with Path(name).open(encoding="utf-8", newline="") as stream:
        return [*csv.DictReader(stream, strict=True)]


@pytest.fixture
def receipts(kept):
    """Receipts of two deltas of one customer and of eleven of another."""
    for _ in range(11):
        kept("record", "cust_002", "1", "--reason", "=1+1")
    kept("checkpoint", "--all")
    assert kept("receipts", "--all", "-o", "receipts").status == 0
    return kept


class TestTable:
    def test_it_has_the_receipts_that_hold_by_log_and_index(self, receipts):
        outcome = receipts("verify", "receipts", *KEY, "--csv", "r.csv")
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.out == receipts("verify", "receipts", *KEY).out
        found = rows()
        of_first = [row for row in found if row["customerId"] == "cust_001"]
        assert [(row["index"], row["amount"], row["unit"], row["balance"]) for row in of_first] == [
            ("1", "500", "EUR", "500"),
            ("2", "-12.5", "EUR", "487.5"),
        ]
        assert of_first[1]["referenceId"] == "line 1"
        of_second = [int(row["index"]) for row in found if row["customerId"] == "cust_002"]
        assert of_second == list(range(1, 12))
        assert [row["origin"] for row in found] == sorted(row["origin"] for row in found)

    def test_no_cell_of_a_sender_is_a_formula(self, receipts):
        receipts("verify", "receipts", *KEY, "--csv", "r.csv")
        assert {row["reason"] for row in rows() if row["customerId"] == "cust_002"} == {"'=1+1"}

    def test_a_record_has_one_row_and_that_says_most(self, kept):
        record = record_id(kept, 2)
        kept("receipt", record, "-o", "b.json", "--html", "b.html", "--tlog-proof", "p")
        rewrite("b.json", lambda r: r.pop("details"))
        names = [f"p/{record}.tlog-proof", "b.json", "receipt.json", "b.html"]
        for given in (names, names[::-1]):
            outcome = kept("verify", *given, *KEY, "--csv", "r.csv")
            assert "4 verified, 0 refused; 4 receipts" in outcome.out
            [row] = rows()
            assert (row["customerId"], row["reason"]) == ("cust_001", "api_call")

    def test_it_has_the_deltas_of_full_statements_and_of_their_pages(self, kept):
        years = ("--from", "2020-01-01", "--to", "2100-01-01")
        kept("statement", "cust_001", *years, "--full", "-o", "s.json", "--html", "s.html", "--csv", "o.csv")
        for names in (["s.json"], ["s.html"], ["receipt.json", "s.json"], ["s.json", "receipt.json"]):
            assert kept("verify", *names, *KEY, "--allow-provisional", "--csv", "r.csv").status == 0
            assert Path("r.csv").read_bytes() == Path("o.csv").read_bytes()
        assert [row["amount"] for row in rows()] == ["500", "-12.5"]

    def test_a_light_statement_adds_nothing_since_it_has_not_all(self, kept):
        kept("statement", "cust_001", "--from", "2020-01-01", "--to", "2100-01-01", "-o", "s.json")
        given = ("verify", "receipt.json", "s.json", *KEY, "--allow-provisional")
        outcome = kept(*given, "--csv", "r.csv")
        assert (outcome.status, len(rows())) == (0, 1)
        assert "hint: 1 light statement added no rows: ask for a full one" in outcome.err

    def test_alone_it_fills_none(self, kept):
        kept("statement", "cust_001", "--from", "2020-01-01", "--to", "2100-01-01", "-o", "s.json")
        outcome = kept("verify", "s.json", *KEY, "--allow-provisional", "--csv", "r.csv")
        assert (outcome.status, outcome.code) == (2, "usage")
        assert "ask for a full one" in outcome.err
        assert not Path("r.csv").exists()

    def test_that_a_period_had_no_deltas_is_a_table_without_rows(self, kept):
        kept("statement", "cust_001", "--period", "2020-02", "--full", "-o", "s.json")
        assert kept("verify", "s.json", *KEY, "--csv", "r.csv").status == 0
        assert Path("r.csv").read_bytes() == HEADER

    def test_it_has_what_both_parts_of_a_dispute_packet_prove(self, cf):
        # The period has 3 to 8; 9 and 2 are proven as what is elsewhere in the log.
        Path("d.json").write_text(json.dumps(ELSEWHERE))
        assert cf("verify", "d.json", "--key", OF_LOGS, "--csv", "r.csv").status == 0
        assert [row["index"] for row in rows()] == ["2", "3", "4", "6", "7", "8", "9"]

    def test_what_opens_and_what_seals_has_no_row(self, kept):
        for index in (0, 3):
            kept("receipt", record_id(kept, index), "-o", f"{index}.json")
        assert kept("verify", "0.json", "3.json", *KEY, "--csv", "r.csv").code == "usage"
        assert kept("verify", "0.json", "3.json", "receipt.json", *KEY, "--csv", "r.csv").status == 0
        assert [row["index"] for row in rows()] == ["2"]

    def test_with_json_it_is_the_same(self, receipts):
        receipts("verify", "receipts", *KEY, "--csv", "a.csv")
        receipts("verify", "receipts", *KEY, "--json", "--csv", "b.csv")
        assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()


class TestFile:
    def test_where_anything_is_refused_it_is_left_as_it_was(self, receipts):
        Path("bad.json").write_text("{")
        assert receipts("verify", "receipts", "bad.json", *KEY, "--csv", "r.csv").status == 13
        assert not Path("r.csv").exists()
        receipts("verify", "receipt.json", *KEY, "--csv", "r.csv")
        before = Path("r.csv").read_bytes()
        receipts("verify", "receipts", "bad.json", *KEY, "--csv", "r.csv")
        assert Path("r.csv").read_bytes() == before

    def test_a_table_of_before_is_replaced(self, receipts):
        receipts("verify", "receipt.json", *KEY, "--csv", "r.csv")
        assert len(rows()) == 1
        receipts("verify", "receipts", *KEY, "--csv", "r.csv")
        assert len(rows()) == 13

    @pytest.mark.parametrize(
        "name",
        [
            "counterfoil.db",
            "counterfoil-keys/signing-key.pem",
            "receipt.json",
            "operator.vkey",
            "link",
            "dir",
        ],
    )
    def test_nothing_else_is(self, kept, name):
        Path("dir").mkdir()
        Path("table.csv").write_bytes(HEADER)
        Path("link").symlink_to("table.csv")
        before = Path(name).read_bytes() if name != "dir" else None
        outcome = kept("verify", "receipt.json", *KEY, "--csv", name)
        assert (outcome.status, outcome.out, outcome.code) == (2, "", "usage")
        assert name == "dir" or Path(name).read_bytes() == before

    def test_it_may_lie_in_the_folder_that_is_verified(self, receipts):
        for _ in range(2):
            outcome = receipts("verify", "receipts", *KEY, "--csv", "receipts/r.csv")
            assert outcome.status == 0
            assert len(rows("receipts/r.csv")) == 13
        assert outcome.lines[-1].endswith("; 1 other file in the folders (receipts/r.csv)")

    def test_a_folder_that_is_not_there_is_named(self, kept):
        outcome = kept("verify", "receipt.json", *KEY, "--csv", "nowhere/r.csv")
        assert (outcome.status, outcome.code) == (2, "usage")

    def test_it_takes_no_store(self, receipts):
        Path("counterfoil.db").unlink()
        shutil.rmtree("counterfoil-keys")
        assert receipts("verify", "receipts", *KEY, "--csv", "r.csv").status == 0
