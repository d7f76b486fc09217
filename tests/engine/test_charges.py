"""Reading the other party's list: which rows are charges, which are none, and which refuse the file."""

import io

import pytest

from counterfoil.core.compare import Charge
from counterfoil.engine import charges
from counterfoil.engine.charges import read_charges
from counterfoil.limits import DISPUTE_ROWS_MAX
from tests.support import refused

NANO = 10**9


def read(text, columns=(), **options):
    data = text if isinstance(text, bytes) else text.encode()
    return read_charges(io.BytesIO(data), dict(columns), **{"negate": False, **options})


def bad_rows(text, **options):
    """The lines and codes of the rows that do not read."""
    found = []
    with refused("rows-refused"):
        read(text, on_bad=lambda bad: found.append((bad.line, bad.error.code)), **options)
    return found


class TestRows:
    def test_a_row_has_an_amount_a_reference_a_time_and_its_line(self):
        found = read("x,referenceId,delta,effectiveAt\n,a,-1.5,2026-04-01T12:00:00+02:00\n,,2,\n")
        assert found.rows == [
            Charge(0, -15 * NANO // 10, "a", "2026-04-01T10:00:00.000000Z", 2),
            Charge(1, 2 * NANO, None, None, 3),
        ]
        assert (found.zero, found.empty) == (0, 0)

    def test_a_date_stays_a_date(self):
        assert read("delta,effectiveAt\n1,2026-04-01\n").rows == [Charge(0, NANO, None, "2026-04-01", 2)]

    def test_signs_may_be_turned(self):
        assert read("delta\n-3\n", negate=True).rows == [Charge(0, 3 * NANO, line=2)]

    def test_the_line_is_the_one_on_which_the_row_begins(self):
        found = read('delta,referenceId\n\n1,"a\nb"\n2,c\n')
        assert [(row.place, row.line, row.reference) for row in found.rows] == [(0, 3, "a\nb"), (1, 5, "c")]

    @pytest.mark.parametrize("zero", ["0", "0.00", "-0", "0e5", "+0"])
    def test_a_row_of_zero_is_passed_over_and_counted(self, zero):
        found = read(f"delta,referenceId\n{zero},a\n5,b\n")
        assert (found.zero, found.empty) == (1, 0)
        assert [(row.place, row.line) for row in found.rows] == [(0, 3)]

    def test_so_is_one_with_neither_amount_nor_reference(self):
        found = read("delta,referenceId,effectiveAt,type\n,,2026-04-01,seal\n5,b,,\n,,,\n")
        assert (found.zero, found.empty) == (0, 2)
        assert len(found.rows) == 1

    def test_no_file_has_more_rows_than_the_bound_whatever_they_are(self):
        with refused("too-large"):
            read("delta,b\n" + ",x\n" * (DISPUTE_ROWS_MAX + 1))
        assert read("delta,b\n" + ",x\n" * DISPUTE_ROWS_MAX).empty == DISPUTE_ROWS_MAX

    def test_nor_do_references_add_up_to_more_than_a_packet_holds(self, monkeypatch):
        monkeypatch.setattr(charges, "DISPUTE_BYTES_MAX", 10)
        read("delta,referenceId\n1,xxxxx\n2,xxxxx\n")
        with refused("too-large"):
            read("delta,referenceId\n1,xxxxx\n2,xxxxxx\n")


class TestBadRows:
    def test_all_are_told_with_their_lines_in_order(self):
        text = "delta,referenceId,effectiveAt\nfive,,\n1,a,\n,b,\n1,,soon\n1\n1e40,,\n2,c,\n"
        assert bad_rows(text) == [
            (2, "invalid-field"),
            (4, "invalid-field"),
            (5, "invalid-field"),
            (6, "malformed"),
            (7, "amount-out-of-range"),
        ]

    def test_of_a_row_all_faults_are_told_and_the_row_counts_once(self):
        text = 'delta,referenceId,effectiveAt\n"1,5",a,02.10.2026\n,b,soon\n1,c,soon\n'
        assert [line for line, _ in bad_rows(text)] == [2, 2, 3, 3, 4]
        with refused("rows-refused") as caught:
            read(text)
        assert caught.value.message.startswith("3 rows ")

    def test_a_time_that_does_not_read_is_no_fault_of_a_row_that_is_no_charge(self):
        assert read("delta,effectiveAt\n,soon\n").empty == 1

    def test_without_anybody_to_tell_they_refuse_the_file_all_the_same(self):
        with refused("rows-refused"):
            read("delta\nfive\n")

    @pytest.mark.parametrize("amount", ['"-9,10"', '"1,000"', '"0,00"'])
    def test_what_a_comma_in_an_amount_means_is_not_guessed(self, amount):
        assert bad_rows(f"delta\n{amount}\n") == [(2, "invalid-field")]

    def test_a_time_that_does_not_read_is_bad_in_a_row_of_zero_too(self):
        assert bad_rows("delta,effectiveAt\n0,soon\n") == [(2, "invalid-field")]


class TestColumns:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    def test_the_header_tells_what_separates_columns(self, delimiter):
        rows = [["note", "delta", "referenceId"], ["x", "-9.1", "a"], ['"y"', "2", '"b;c,d\te"']]
        found = read("\r\n".join(delimiter.join(row) for row in rows))
        assert [(row.amount, row.reference) for row in found.rows] == [
            (-91 * NANO // 10, "a"),
            (2 * NANO, "b;c,d\te"),
        ]

    def test_every_column_that_is_named_counts(self):
        text = "amount;ref;a,delta\n1;x;y,z\n"
        assert read(text, {"delta": "amount", "referenceId": "ref"}).rows == [Charge(0, NANO, "x", line=2)]

    def test_a_mark_of_byte_order_and_quotes_are_no_part_of_a_name(self):
        assert read(b'\xef\xbb\xbf"delta";"referenceId"\r\n"1";"x"\r\n').rows == [
            Charge(0, NANO, "x", line=2)
        ]

    def test_empty_lines_may_stand_before_the_header(self):
        assert read("\n\r\ndelta;b\n1;\n").rows == [Charge(0, NANO, line=4)]

    @pytest.mark.parametrize(
        ("text", "columns"),
        [
            ("", {}),
            ("\n\n", {}),
            ("\r\r\n", {}),
            ("amount;ref\n1;x\n", {}),
            ("delta;ref\n1;x\n", {"referenceId": "line"}),
            ("delta,delta\n1,1\n", {}),
            ("delta;delta\n1;1\n", {}),
            ('"delta\n', {}),
        ],
        ids=str,
    )
    def test_a_file_without_the_columns_is_refused(self, text, columns):
        with refused("usage"):
            read(text, columns)

    def test_of_a_file_without_them_the_columns_are_named_one_by_one(self):
        with refused("usage") as caught:
            read("amount;ref\n1;x\n")
        assert caught.value.message.endswith("it has 'amount', 'ref'")
