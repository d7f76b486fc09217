"""Importing: rows become deltas, each once, whatever the file looks like."""

import hashlib
import io
import json

import pytest

from counterfoil.engine.importing import Imported, import_rows
from counterfoil.engine.request import Delta
from counterfoil.engine.rows import Reading, is_ndjson, read_csv, read_metadata, read_ndjson
from counterfoil.errors import CounterfoilError, EngineError
from counterfoil.limits import IMPORT_BATCH_ITEMS, IMPORT_LINE_BYTES_MAX
from tests.support import refused

READING = Reading("usage", reason="usage")


def csv_rows(text, **members):
    data = text if isinstance(text, bytes) else text.encode()
    return list(read_csv(io.BytesIO(data), Reading(**{"source": "usage", "reason": "usage", **members})))


def json_rows(*rows, **members):
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    reading = Reading(**{"source": "usage", "reason": "usage", **members})
    return list(read_ndjson(io.BytesIO(b"".join(line + b"\n" for line in lines)), reading))


def one_json(row, **members):
    (found,) = json_rows(row, **members)
    return found


def outcome(row):
    return row.delta.code if isinstance(row.delta, CounterfoilError) else "ok"


def key_of(source, occurrence, row):
    return hashlib.sha256(source.encode() + b"\n" + str(occurrence).encode() + b"\n" + row).hexdigest()


class TestCsv:
    def test_all_members_are_read(self):
        (row,) = csv_rows(
            "customerId,delta,reason,referenceId,idempotencyKey,effectiveAt,adjusts,metadata\n"
            'c,-1.50,r,R,K,2026-04-01,0xab.1,"{""a"": 1.5}"\n'
        )
        assert row.delta == Delta(
            "c", "-1.50", "r", reference_id="R", metadata={"a": 1.5}, idempotency_key="K", effective_at="2026-04-01",
            adjusts="0xab.1",
        )  # fmt: skip

    def test_columns_can_be_renamed_and_others_are_ignored(self):
        columns = {"customerId": "who", "delta": "how much"}
        (row,) = csv_rows("how much,customerId,who,color\n5,x,c,red\n", columns=columns)
        assert (row.delta.customer_id, row.delta.amount) == ("c", "5")

    def test_an_empty_cell_is_no_value(self):
        (row,) = csv_rows("customerId,delta,reason,referenceId,idempotencyKey,metadata\nc,5,,,,\n")
        assert row.delta.reason == "usage"
        assert (row.delta.reference_id, row.delta.metadata) == (None, None)
        assert row.delta.idempotency_key == key_of("usage", 1, b"c,5,,,,")

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "no header"),
            ("\n\n", "no header"),
            ("who,delta\nc,5\n", "no column customerId"),
            ("customerId,amount\nc,5\n", "no column delta"),
            ("customerId;delta\nc;5\n", "no column customerId"),
            ("customerId,delta,delta\nc,5,6\n", "two columns delta"),
            (b"customerId,delta,\xff\nc,5,6\n", "not UTF-8"),
            ('customerId,delta,"\nc,5,6\n', "header"),
        ],
    )
    def test_a_header_without_what_is_needed_is_refused_before_anything_is_read(self, text, words):
        with refused("usage") as caught:
            csv_rows(text)
        assert words in caught.value.message

    def test_a_column_that_was_mapped_must_be_there(self):
        with refused("usage"):
            csv_rows("customerId,delta\nc,5\n", columns={"referenceId": "invoice"})

    def test_a_reason_must_come_from_somewhere(self):
        with refused("usage"):
            csv_rows("customerId,delta\nc,5\n", reason=None)
        assert outcome(csv_rows("customerId,delta,reason\nc,5,r\n", reason=None)[0]) == "ok"

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_line_ends_of_both_kinds_give_the_same_rows(self, end):
        rows = csv_rows(end.join(["customerId,delta", "c,5", "", "d,6", ""]))
        assert [(row.line, row.data) for row in rows] == [(2, b"c,5"), (4, b"d,6")]
        assert rows[0].delta.idempotency_key == key_of("usage", 1, b"c,5")

    def test_the_last_line_needs_no_end(self):
        assert [row.data for row in csv_rows("customerId,delta\nc,5")] == [b"c,5"]

    def test_a_byte_order_mark_is_taken_for_what_it_is(self):
        assert outcome(csv_rows(b"\xef\xbb\xbfcustomerId,delta\nc,5\n")[0]) == "ok"

    def test_a_quoted_field_may_hold_line_ends_commas_and_quotes(self):
        rows = csv_rows('customerId,delta,reason\nc,5,"a, ""b""\r\nc"\nd,6,x\n')
        assert rows[0].delta.reason == 'a, "b"\r\nc'
        assert rows[0].data == b'c,5,"a, ""b""\r\nc"'
        assert [row.line for row in rows] == [2, 4]

    @pytest.mark.parametrize("row", ["c", "c,5,6", "c;5", "   "])
    def test_a_row_with_another_number_of_columns_is_refused(self, row):
        rows = csv_rows(f"customerId,delta\n{row}\nd,6\n")
        assert [outcome(row) for row in rows] == ["malformed", "ok"]

    def test_a_stray_quote_costs_its_own_row_only(self):
        rows = csv_rows('customerId,delta\nc,"5\nd,6\ne,7\n')
        assert [(row.line, outcome(row)) for row in rows] == [(2, "malformed"), (3, "ok"), (4, "ok")]

    def test_a_stray_quote_before_a_long_file_costs_its_own_row_only(self):
        many = "d,6\n" * 40_000
        rows = csv_rows(f'customerId,delta\nc,"5\n{many}')
        assert outcome(rows[0]) == "too-large"
        assert len(rows) == 40_001
        assert all(outcome(row) == "ok" for row in rows[1:])

    def test_text_behind_a_closing_quote_is_refused(self):
        assert [outcome(row) for row in csv_rows('customerId,delta\n"c"x,5\nd,6\n')] == ["malformed", "ok"]

    def test_bytes_that_are_not_utf_8_are_refused_with_their_row(self):
        rows = csv_rows(b"customerId,delta,reason\nc,5,\xff\xfe\nd,6,\xc3\xa9\n")
        assert [outcome(row) for row in rows] == ["malformed", "ok"]
        assert rows[0].data == b"c,5,\xff\xfe"
        assert rows[1].delta.reason == "é"

    def test_metadata_that_is_no_json_object_is_an_invalid_field(self):
        for cell in ("x", "[]", '"{""a"":1,""a"":2}"', "{", '"{""a"":0.10000000000000001}"'):
            (row,) = csv_rows(f"customerId,delta,metadata\nc,5,{cell}\n")
            assert (outcome(row), row.delta.facts["field"]) == ("invalid-field", "metadata")


class TestJsonLines:
    def test_all_members_are_read(self):
        row = {
            "customerId": "c", "delta": "-1.50", "reason": "r", "referenceId": "R", "idempotencyKey": "K",
            "effectiveAt": "2026-04-01", "adjusts": "0xab.1", "metadata": {"a": [1, 2.5, {"b": None}]}, "other": 1e999,
        }  # fmt: skip
        assert one_json(json.dumps(row).replace("Infinity", "1e999").encode()).delta == Delta(
            "c", "-1.50", "r", reference_id="R", metadata={"a": [1, 2.5, {"b": None}]}, idempotency_key="K",
            effective_at="2026-04-01", adjusts="0xab.1",
        )  # fmt: skip

    @pytest.mark.parametrize(
        "token", ["123456789012345678.123456789", "0.1", "-0.10", "1e3", "999999999999999999", "1E-9"]
    )
    def test_an_amount_is_the_decimal_that_was_written(self, token):
        row = one_json(b'{"customerId": "c", "delta": ' + token.encode() + b"}")
        assert row.delta.amount == token

    @pytest.mark.parametrize("token", ["true", "null", "[]", "{}"])
    def test_what_is_no_number_is_no_amount(self, token):
        row = one_json(b'{"customerId": "c", "delta": ' + token.encode() + b"}")
        assert (outcome(row), row.delta.facts["field"]) == ("invalid-field", "delta")

    @pytest.mark.parametrize(
        "member", ["customerId", "reason", "referenceId", "idempotencyKey", "effectiveAt", "adjusts"]
    )
    @pytest.mark.parametrize("value", [4, True, ["x"], {"recordId": "x"}])
    def test_other_members_are_text(self, member, value):
        row = one_json({"customerId": "c", "delta": 1, member: value})
        assert (outcome(row), row.delta.facts["field"]) == ("invalid-field", member)

    def test_null_is_no_value(self):
        row = one_json(
            {"customerId": "c", "delta": 1, "reason": None, "metadata": None, "idempotencyKey": None}
        )
        assert (row.delta.reason, row.delta.metadata) == ("usage", None)
        assert row.delta.idempotency_key == key_of("usage", 1, row.data)

    @pytest.mark.parametrize("member", ["customerId", "delta"])
    def test_a_row_without_customer_or_delta_is_refused(self, member):
        row = {"customerId": "c", "delta": 1}
        del row[member]
        refusal = one_json(row).delta
        assert (refusal.code, refusal.facts["field"]) == ("invalid-field", member)

    @pytest.mark.parametrize(
        "line",
        [
            b"{",
            b"5",
            b"[]",
            b'"c"',
            b'{"customerId": "c", "delta": 1} x',
            b'{"customerId": "c", "customerId": "d", "delta": 1}',
            b'{"customerId": "c", "delta": NaN}',
            b'{"customerId": "\\ud800", "delta": 1}',
            b'{"customerId": "\xff", "delta": 1}',
            b"[" * 30_000,
        ],
    )
    def test_a_line_that_is_no_json_object_is_refused(self, line):
        rows = json_rows(line, {"customerId": "c", "delta": 1})
        assert [outcome(row) for row in rows] == ["malformed", "ok"]

    @pytest.mark.parametrize("number", ["0.10000000000000001", "9007199254740993", "1e400"])
    def test_a_number_in_metadata_must_be_exact(self, number):
        row = one_json(b'{"customerId": "c", "delta": 1, "metadata": {"a": [' + number.encode() + b"]}}")
        assert (outcome(row), row.delta.facts["field"]) == ("invalid-field", "metadata")

    def test_metadata_is_an_object(self):
        assert outcome(one_json({"customerId": "c", "delta": 1, "metadata": [1]})) == "invalid-field"

    def test_members_can_be_renamed(self):
        row = one_json({"customerId": "x", "who": "c", "delta": 1}, columns={"customerId": "who"})
        assert row.delta.customer_id == "c"

    def test_lines_of_white_space_are_no_rows_and_are_counted_as_lines(self):
        rows = json_rows(b"", {"customerId": "c", "delta": 1}, b"  \t\r", {"customerId": "d", "delta": 1})
        assert [row.line for row in rows] == [2, 4]

    def test_a_byte_order_mark_is_taken_for_what_it_is(self):
        assert outcome(one_json(b'\xef\xbb\xbf{"customerId": "c", "delta": 1}')) == "ok"

    def test_the_two_kinds_are_told_apart_by_their_beginning(self):
        assert is_ndjson(b' \n{"a":1}')
        assert is_ndjson(b'\xef\xbb\xbf{"a":1}')
        assert not is_ndjson(b"a,b\n")
        assert not is_ndjson(b"")


class TestBounds:
    @pytest.mark.parametrize("more", [1, 2, 3, 100, IMPORT_LINE_BYTES_MAX, 3 * IMPORT_LINE_BYTES_MAX])
    @pytest.mark.parametrize("end", [b"\n", b"\r\n"])
    def test_a_line_beyond_the_bound_is_refused_and_the_next_is_read(self, more, end):
        long = b"c,5," + b"x" * (IMPORT_LINE_BYTES_MAX - 4 + more)
        rows = csv_rows(b"customerId,delta,reason\n" + long + end + b"d,6,r" + end)
        assert [(row.line, outcome(row)) for row in rows] == [(2, "too-large"), (3, "ok")]
        # What is kept of it is bounded, too.
        assert len(rows[0].data) <= IMPORT_LINE_BYTES_MAX + 1

    @pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
    def test_a_line_at_the_bound_is_read(self, end):
        long = b"c,5," + b"x" * (IMPORT_LINE_BYTES_MAX - 4)
        (row,) = csv_rows(b"customerId,delta,reason\n" + long + end)
        assert outcome(row) == "ok"
        assert len(row.data) == IMPORT_LINE_BYTES_MAX

    def test_a_long_line_of_json_is_refused_and_the_next_is_read(self):
        rows = json_rows(b'{"a": "' + b"x" * IMPORT_LINE_BYTES_MAX + b'"}', {"customerId": "c", "delta": 1})
        assert [outcome(row) for row in rows] == ["too-large", "ok"]

    def test_a_long_line_that_is_cut_within_a_character_is_too_large_and_not_malformed(self):
        rows = csv_rows(b"customerId,delta,reason\nc,5," + "é".encode() * IMPORT_LINE_BYTES_MAX + b"\n")
        assert [outcome(row) for row in rows] == ["too-large"]

    def test_a_file_that_is_one_endless_line_is_read_piece_by_piece(self):
        stream = Endless(100 * IMPORT_LINE_BYTES_MAX)
        assert [outcome(row) for row in read_ndjson(stream, READING)] == ["too-large"]
        assert stream.asked <= IMPORT_LINE_BYTES_MAX + 3


class TestKeys:
    def test_a_row_without_one_gets_that_of_source_occurrence_and_bytes(self):
        rows = csv_rows("customerId,delta\nc,5\nd,6\nc,5\nc,5\n", source="a label")
        assert [row.delta.idempotency_key for row in rows] == [
            key_of("a label", 1, b"c,5"),
            key_of("a label", 1, b"d,6"),
            key_of("a label", 2, b"c,5"),
            key_of("a label", 3, b"c,5"),
        ]

    def test_a_key_of_the_row_itself_stands(self):
        rows = csv_rows("customerId,delta,idempotencyKey\nc,5,K\nc,5,\n")
        assert [row.delta.idempotency_key for row in rows] == ["K", key_of("usage", 1, b"c,5,")]

    def test_rows_added_in_the_middle_leave_the_others_their_keys(self):
        before = csv_rows("customerId,delta\na,1\nb,2\nb,2\nc,3\n")
        after = csv_rows("customerId,delta\na,1\nz,9\nb,2\nb,2\nb,2\nc,3\n")
        keys = {row.delta.idempotency_key for row in before}
        new = [row.data for row in after if row.delta.idempotency_key not in keys]
        assert new == [b"z,9", b"b,2"]
        assert keys < {row.delta.idempotency_key for row in after}

    def test_a_spelling_that_differs_in_one_byte_is_another_row(self):
        rows = json_rows(b'{"customerId":"c","delta":1}', b'{"customerId":"c","delta": 1}')
        assert len({row.delta.idempotency_key for row in rows}) == 2

    @pytest.mark.parametrize("label", ["", "a\nb", "a\x1bb", "\ud800"])
    def test_a_label_is_visible_text_on_one_line(self, label):
        with refused("usage"):
            Reading(label)

    def test_a_member_that_is_none_cannot_be_mapped(self):
        with refused("usage"):
            Reading("usage", {"amount": "delta"})


class TestNegate:
    @pytest.mark.parametrize(
        ("written", "read"),
        [
            ("5", "-5"),
            ("-5.50", "5.5"),
            ("+1e3", "-1000"),
            ("123456789012345678.123456789", "-123456789012345678.123456789"),
        ],
    )
    def test_the_sign_changes_and_nothing_else(self, written, read):
        (row,) = csv_rows(f"customerId,delta\nc,{written}\n", negate=True)
        assert row.delta.amount == read
        assert (
            one_json(b'{"customerId":"c","delta":"' + written.encode() + b'"}', negate=True).delta.amount
            == read
        )

    @pytest.mark.parametrize(
        ("written", "code"), [("0.00", "amount-out-of-range"), ("five", "invalid-field")]
    )
    def test_what_is_no_amount_is_refused_as_ever(self, written, code):
        assert outcome(csv_rows(f"customerId,delta\nc,{written}\n", negate=True)[0]) == code


class TestImport:
    def test_good_rows_go_in_and_bad_ones_are_told(self, engine):
        rows = csv_rows("customerId,delta\nc,5\nc,0\nnot one!,5\nd\nd,6\nc,1.0000000001\n")
        imported, told = run(engine.record_many, rows)
        assert (imported.rows, imported.recorded, imported.replayed, imported.refused) == (6, 2, 0, 4)
        assert imported.customers == {"c", "d"}
        assert [(refusal.line, refusal.data, refusal.error.code) for refusal in told] == [
            (3, b"c,0", "amount-out-of-range"),
            (4, b"not one!,5", "invalid-field"),
            (5, b"d", "malformed"),
            (7, b"c,1.0000000001", "amount-out-of-range"),
        ]
        assert engine.customer("c").count == 1

    def test_the_same_rows_again_record_nothing(self, engine):
        text = "customerId,delta\nc,5\nc,5\nd,6\n"
        run(engine.record_many, csv_rows(text))
        imported, _ = run(engine.record_many, csv_rows(text))
        assert (imported.recorded, imported.replayed) == (0, 3)
        assert (engine.customer("c").count, engine.customer("d").count) == (2, 1)

    def test_the_same_rows_with_another_sign_are_a_conflict_and_not_recorded_twice(self, engine):
        text = "customerId,delta\nc,5\n"
        run(engine.record_many, csv_rows(text))
        _, told = run(engine.record_many, csv_rows(text, negate=True))
        assert [refusal.error.code for refusal in told] == ["idempotency-conflict"]

    def test_a_batch_has_a_bounded_number_of_rows(self):
        sizes = []
        rows = json_rows(*[{"customerId": "c", "delta": 1}] * (2 * IMPORT_BATCH_ITEMS + 1))
        run(
            lambda deltas: sizes.append(len(deltas)) or [EngineError("invalid-field", "x")] * len(deltas),
            rows,
        )
        assert sizes == [IMPORT_BATCH_ITEMS, IMPORT_BATCH_ITEMS, 1]

    def test_a_batch_has_a_bounded_number_of_bytes(self):
        sizes = []
        rows = json_rows(*[{"customerId": "c", "delta": 1, "x": "x" * 65_000}] * 100)
        run(
            lambda deltas: sizes.append(len(deltas)) or [EngineError("invalid-field", "x")] * len(deltas),
            rows,
        )
        assert sum(sizes) == 100
        assert max(sizes) * 65_000 < 5_000_000

    def test_a_batch_of_bad_rows_asks_nothing_of_the_store(self):
        imported, _ = run(None, json_rows(b"{", b"["))
        assert imported.refused == 2

    @pytest.mark.parametrize("code", ["store-unavailable", "commit-outcome-unknown"])
    def test_what_may_pass_is_tried_again_with_the_same_keys(self, engine, code):
        flaky = Flaky(engine.record_many, code, failures=4)
        imported, _ = run(flaky, csv_rows("customerId,delta\nc,5\nc,5\n"), pause=flaky.pauses.append)
        assert imported.recorded == 2
        assert flaky.pauses == [0.1, 0.5, 2.0, 5.0]
        assert len({tuple(batch) for batch in flaky.asked}) == 1

    def test_an_unknown_outcome_that_was_a_commit_is_counted_once(self, engine):
        flaky = Flaky(engine.record_many, "commit-outcome-unknown", failures=1, commits=True)
        imported, _ = run(flaky, csv_rows("customerId,delta\nc,5\n"), pause=flaky.pauses.append)
        assert (imported.recorded, imported.replayed) == (0, 1)
        assert engine.customer("c").count == 1

    def test_after_five_attempts_it_gives_up_and_what_was_acknowledged_is_known(self, engine):
        rows = json_rows(*[{"customerId": "c", "delta": 1}] * (IMPORT_BATCH_ITEMS + 1))
        flaky = Flaky(engine.record_many, "store-unavailable", failures=99, after=1)
        imported = Imported()
        with refused("store-unavailable"):
            list(import_rows(flaky, rows, imported, on_refused=None, pause=flaky.pauses.append))
        assert (imported.rows, imported.recorded) == (IMPORT_BATCH_ITEMS, IMPORT_BATCH_ITEMS)
        assert len(flaky.asked) == 1 + 5

    def test_what_does_not_pass_is_not_tried_again(self, engine):
        flaky = Flaky(engine.record_many, "out-of-space", failures=1)
        with refused("out-of-space"):
            run(flaky, csv_rows("customerId,delta\nc,5\n"), pause=flaky.pauses.append)
        assert flaky.pauses == []


class TestMetadata:
    def test_it_is_a_json_object_with_exact_numbers(self):
        assert read_metadata('{"a": 1.5}') == {"a": 1.5}
        for text in (
            "",
            "5",
            "[]",
            "{",
            '{"a": 1, "a": 2}',
            '{"a": 0.10000000000000001}',
            '{"a": "' + "x" * 20_000 + '"}',
        ):
            with refused("invalid-field", "metadata"):
                read_metadata(text)


def run(record_many, rows, pause=None):
    imported, told = Imported(), []
    counts = list(import_rows(record_many, rows, imported, on_refused=told.append, pause=pause))
    assert sum(counts) == imported.rows == imported.recorded + imported.replayed + imported.refused
    assert len(told) == imported.refused
    return imported, told


class Endless:
    """A stream that is one line, and notes how much was asked for at once."""

    def __init__(self, size):
        self.left = size
        self.asked = 0

    def readline(self, size):
        self.asked = max(self.asked, size)
        given = min(size, self.left)
        self.left -= given
        return b"x" * given


class Flaky:
    """A store that fails a few times, before or after it has committed."""

    def __init__(self, record_many, code, *, failures, after=0, commits=False):
        self.record_many = record_many
        self.code = code
        self.failures = failures
        self.after = after
        self.commits = commits
        self.asked = []
        self.pauses = []

    def __call__(self, deltas):
        self.asked.append([delta.idempotency_key for delta in deltas])
        if self.after < len(self.asked) <= self.after + self.failures:
            if self.commits:
                self.record_many(deltas)
            raise EngineError(self.code, "as planned")
        return self.record_many(deltas)
