"""Tables: what a spreadsheet reads of them, and that no cell of a sender is a formula, whoever reads it and how."""

import csv
import io
import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from counterfoil.core.amount import format_nano
from counterfoil.core.checkpoint import Checkpoint
from counterfoil.core.entry import DELTA, Entry
from counterfoil.core.receipt import Verified, verify_receipt
from counterfoil.core.statement_verify import verify_statement
from counterfoil.core.table import COLUMNS, delta_table, deltas_of
from tests.core.disputes import receipt
from tests.core.logs import KEYS, Log
from tests.support import refused

LOG = Log(12, seals={5})
# The columns that nobody but us writes into.
NUMBERS = {"index", "adjusts", "amount", "balance", "countSoFar", "creditsSoFar", "debitsSoFar", "size"}
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?", re.ASCII)
FORMULAS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"


def statement(start=0, end=9, mode="full"):
    return verify_statement(json.dumps(LOG.statement(start, end, mode)), KEYS)


def read(lines):
    return [*csv.DictReader(io.StringIO("".join(lines), newline=""), strict=True)]


def of_details(value, unit="credits", customer="c1", amount=-5):
    """A verified receipt that says so."""
    entry = Entry(DELTA, 7, LOG.time(7), unit, 3, 5, 10, None, amount)
    return Verified(entry, value, customer, Checkpoint("op.example/t/0x00", 12, bytes(32), "", ()))


class TestStatement:
    def test_its_header_is_always_the_same(self):
        first, *_ = delta_table(deltas_of(statement()))
        assert first == (
            "customerId,index,recordedAt,effectiveAt,amount,unit,balance,reason,referenceId,adjusts,"
            "countSoFar,creditsSoFar,debitsSoFar,metadata,origin,size,root\r\n"
        )
        assert tuple(first.strip().split(",")) == COLUMNS

    def test_it_has_the_deltas_of_the_period_and_neither_what_opens_nor_what_seals(self):
        for period in ((3, 9), (0, 9)):
            rows = read(delta_table(deltas_of(statement(*period))))
            entries = [entry for entry in LOG.entries[slice(*period)] if entry.type == DELTA]
            assert [int(row["index"]) for row in rows] == [entry.index for entry in entries]
            assert [row["recordedAt"] for row in rows] == [entry.recorded_at for entry in entries]
            assert [row["amount"] for row in rows] == [format_nano(entry.amount) for entry in entries]
            assert [row["reason"] for row in rows] == [f"number {entry.index}" for entry in entries]

    def test_what_its_amounts_add_up_to_is_what_the_statement_says(self):
        verified = statement(3, 9)
        amounts = [delta.entry.amount for delta in deltas_of(verified)]
        assert sum(amounts) == verified.closing.balance - verified.opening.balance != 0
        assert len(amounts) == verified.deltas

    def test_what_the_log_adds_up_to_is_said_to_be_so_far(self):
        for row in read(delta_table(deltas_of(statement(3, 9)))):
            entry = LOG.entries[int(row["index"])]
            assert row["balance"] == format_nano(entry.credits - entry.debits)
            assert row["countSoFar"] == str(entry.count)
            assert (row["creditsSoFar"], row["debitsSoFar"]) == (
                format_nano(entry.credits),
                format_nano(entry.debits),
            )

    @pytest.mark.parametrize("index", [3, 4, 6, 7, 8])
    def test_a_row_is_that_of_a_receipt_of_the_delta_under_the_same_checkpoint(self, index):
        verified = verify_statement(json.dumps(LOG.statement(3, 9, "full", opened=True)), KEYS)
        [delta] = [one for one in deltas_of(verified) if one.entry.index == index]
        assert delta == verify_receipt(receipt(index, LOG), KEYS)

    def test_a_light_one_is_misuse(self):
        with refused("usage"):
            deltas_of(statement(mode="light"))

    def test_a_period_without_entries_is_a_header(self):
        assert len([*delta_table(deltas_of(statement(4, 4)))]) == 1


class TestReceipts:
    def test_they_say_whose_they_are_and_under_which_checkpoint(self):
        verified = verify_receipt(receipt(7, LOG), KEYS)
        [row] = read(delta_table([verified]))
        assert tuple(row) == COLUMNS
        assert (row["origin"], row["customerId"], row["size"]) == (LOG.origin, "c1", "12")
        assert row["root"] == LOG.tree.root(12).hex()
        assert (row["index"], row["reason"]) == ("7", "number 7")

    def test_without_details_and_customer_these_cells_are_empty(self):
        [row] = read(delta_table([of_details(None, customer=None)]))
        assert [row[name] for name in ("customerId", "reason", "referenceId", "metadata")] == [""] * 4

    def test_metadata_are_their_canonical_json(self):
        value = {"reason": "r", "metadata": {"b": [1, 0.5], "a": 'x"y'}}
        [row] = read(delta_table([of_details(value)]))
        assert json.loads(row["metadata"]) == value["metadata"]

    def test_each_is_one_line_of_utf_8(self):
        value = {"reason": "a\r\nb\x00é", "referenceId": "\u2028", "metadata": {"\n": "\n"}}
        lines = [*delta_table([of_details(value)] * 2)]
        assert len(lines) == 3
        assert "".join(lines).encode().decode().splitlines() == [line.removesuffix("\r\n") for line in lines]

    def test_there_is_no_table_without_its_header(self):
        assert len([*delta_table([])]) == 1


class TestFormulas:
    @pytest.mark.parametrize(
        "text",
        ["=1+1", "+1", "-1", "@SUM(A1)", "\uff1d1", "\uff0b1", "\uff0d1", "\uff20x", "=cmd|' /C calc'!A0"],
    )
    def test_what_would_begin_one_gets_an_apostrophe(self, text):
        [row] = read(delta_table([of_details({"reason": text})]))
        assert row["reason"] == f"'{text}"

    @pytest.mark.parametrize("first", ["\t", "\r", "\n"])
    def test_tab_and_line_ends_are_written_as_escapes(self, first):
        [row] = read(delta_table([of_details({"reason": f"{first}=1"})]))
        assert row["reason"] == json.dumps(first)[1:-1] + "=1"

    @pytest.mark.parametrize("text", ['a",=1', "a;=1", "a|@x", "a'-1", "a;-1", '"=1'])
    def test_behind_what_may_end_a_cell_too(self, text):
        [row] = read(delta_table([of_details({"reason": text})]))
        assert row["reason"] == re.sub(r"(?=[=@-])", "'", text)

    @pytest.mark.parametrize("text", ["a-b", "a - b", "1+1", "x@y.example", "a=b", "", "'", "plain", "日本"])
    def test_other_texts_stay_as_they_are(self, text):
        [row] = read(delta_table([of_details({"reason": text})]))
        assert row["reason"] == text

    def test_a_negative_amount_stays_a_number(self):
        [row] = read(delta_table([of_details(None, amount=-12_500_000_000)]))
        assert row["amount"] == "-12.5"

    def test_unit_and_customer_are_texts_of_a_sender_too(self):
        [row] = read(delta_table([of_details(None, unit="=1+1", customer="@x")]))
        assert (row["unit"], row["customerId"]) == ("'=1+1", "'@x")


PIECES = st.sampled_from([*FORMULAS, *",;|\"'", "a", "1", " ", "\x00", "\x0b", "\u202e"])
TEXTS = st.lists(PIECES, max_size=8).map("".join) | st.text(st.characters(exclude_categories=["Cs"]))


@given(reason=TEXTS, reference=TEXTS, unit=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1),
       customer=TEXTS, metadata=st.dictionaries(TEXTS, TEXTS, max_size=2))  # fmt: skip
@example(reason='",=1', reference=";=1", unit='"=1', customer="\t=1", metadata={"=1": "=1"})
def test_no_cell_begins_a_formula_whatever_the_separator(reason, reference, unit, customer, metadata):
    value = {"reason": reason, "referenceId": reference, "metadata": metadata}
    text = "".join(delta_table([of_details(value, unit, customer)]))
    [row] = read([text])
    assert {name: cell for name, cell in row.items() if name not in NUMBERS and cell[:1] in {*FORMULAS}} == {}
    assert all(NUMBER.fullmatch(row[name]) for name in NUMBERS - {"adjusts"})
    # Readers that take another separator, and do not know quotes.
    for separator in ",;|\t":
        for line in text.split("\r\n")[1:]:
            cells = [cell.strip('"') if cell[:1] == '"' else cell for cell in line.split(separator)]
            assert not [cell for cell in cells if cell[:1] in {*FORMULAS} and not NUMBER.fullmatch(cell)]
