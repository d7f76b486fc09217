"""Closing a month: the index of the statements of all customers, and what `verify` adds them up to."""

import csv
from pathlib import Path

import pytest

from counterfoil.cli.statement_index import StatementIndex
from counterfoil.engine.statements import Stated
from tests.cli.conftest import record_id

KEY = ("--key", "operator.vkey", "--allow-provisional")
YEARS = ("--from", "2020-01-01", "--to", "2100-01-01")
TOTAL = "total  3 statements  opening 0  credits 600.000000001  debits 12.5  closing 587.500000001 EUR"


@pytest.fixture
def month(kept):
    """The statements of three customers, with their pages."""
    for customer, amount in (("cust_002", "100"), ("cust_003", "0.000000001")):
        assert kept("record", customer, amount, "--reason", "deposit").status == 0
    kept("checkpoint", "--all")
    assert kept("statements", "--all", *YEARS, "--html", "-o", "m").status == 0
    return kept


def index():
    with Path("m/statements.csv").open(encoding="utf-8", newline="") as stream:
        return {row["customerId"]: row for row in csv.DictReader(stream, strict=True)}


class TestIndex:
    def test_it_says_whose_each_file_is_and_what_it_adds_up_to(self, month):
        row = index()["cust_001"]
        reference = record_id(month, 0).partition(".")[0]
        assert row == {
            "customerId": "cust_001", "reference": reference, "file": f"{reference}.json", "opening": "0",
            "credits": "500", "debits": "12.5", "closing": "487.5", "unit": "EUR", "isFinal": "false",
        }  # fmt: skip
        assert {found["file"] for found in index().values()} == {
            path.name for path in Path("m").glob("*.json")
        }

    def test_it_is_written_anew(self, month):
        assert month("statements", "cust_002", *YEARS, "-o", "m").status == 0
        assert [*index()] == ["cust_002"]

    @pytest.mark.usefixtures("month")
    def test_no_cell_is_a_formula(self):
        document = Path("m", index()["cust_001"]["file"]).read_bytes()
        Path("m/statements.csv").unlink()
        of_somebody = StatementIndex(Path("m"))
        of_somebody.take("=1+1", "0x", "@f.json", Stated(document, is_final=True, sealed_at=""))
        of_somebody.write()
        [row] = index().values()
        assert (row["customerId"], row["file"], row["isFinal"]) == ("'=1+1", "'@f.json", "true")

    def test_another_file_of_that_name_is_not_replaced(self, month):
        Path("m/statements.csv").write_text("mine")
        outcome = month("statements", "--all", *YEARS, "-o", "m")
        assert (outcome.status, outcome.code) == (2, "usage")
        assert Path("m/statements.csv").read_text() == "mine"


class TestTotal:
    def test_it_is_that_of_the_logs_however_many_documents_each_has(self, month):
        outcome = month("verify", "m", *KEY)
        assert outcome.status == 0
        assert f"{TOTAL}  (3 provisional)" in outcome.lines

    def test_a_program_gets_it_too(self, month):
        [total] = month("verify", "m", *KEY, "--json").findings[-1]["summary"]["totals"]
        assert total == {
            "unit": "EUR", "statements": 3, "provisional": 3, "openingBalance": "0", "credits": "600.000000001",
            "debits": "12.5", "closingBalance": "587.500000001",
        }  # fmt: skip

    def test_of_one_log_the_newest_checkpoint_counts(self, month):
        assert month("record", "cust_001", "1", "--reason", "deposit").status == 0
        month("checkpoint", "--all")
        assert month("statement", "cust_001", *YEARS, "-o", "new.json").status == 0
        for names in (["m", "new.json"], ["new.json", "m"]):
            [total] = month("verify", *names, *KEY, "--json").findings[-1]["summary"]["totals"]
            assert (total["statements"], total["closingBalance"]) == (3, "588.500000001")

    def test_periods_that_differ_do_not_add_up(self, month):
        assert month("statement", "cust_001", "--period", "2020-02", "-o", "other.json").status == 0
        assert month("verify", "m", "other.json", *KEY, "--json").findings[-1]["summary"]["totals"] == []
        assert "total  " not in month("verify", "m", "other.json", *KEY).out

    def test_of_one_statement_it_is_not_said_twice(self, month):
        [name] = [row["file"] for row in index().values() if row["customerId"] == "cust_001"]
        assert "total  " not in month("verify", f"m/{name}", *KEY).out
