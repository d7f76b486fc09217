"""`import`; what a row is and how it is recorded once is tested in tests/engine/test_importing.py."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from counterfoil.engine.engine import Engine
from counterfoil.errors import EngineError
from counterfoil.limits import IMPORT_BATCH_ITEMS

CDNOW = Path(__file__).parent.parent / "data" / "cdnow_sample.csv"
MAPPED = [
    "--map", "customerId=customer_id", "--map", "delta=amount", "--map", "effectiveAt=date", "--negate",
    "--reason", "purchase",
]  # fmt: skip
GOOD = '{"customerId": "c", "delta": 1, "reason": "x"}\n'


def counts(outcome):
    """Rows, recorded, already recorded, refused, customers."""
    return [*json.loads(outcome.lines[-1]).values()]


class TestRealInput:
    def test_the_whole_way_from_a_file_of_purchases_to_verified_receipts(self, book):
        shutil.copy(CDNOW, "cdnow.csv")
        first = book("import", "cdnow.csv", *MAPPED, "--errors", "refused.ndjson")
        assert (first.status, first.code) == (14, "rows-refused")
        assert first.lines[-1] == (
            "6,919 rows read: 6,911 recorded, 0 already recorded, 8 refused; 2,349 customers"
        )
        refused = [json.loads(line) for line in Path("refused.ndjson").read_text().splitlines()]
        assert len(refused) == 8
        assert {row["code"] for row in refused} == {"amount-out-of-range"}
        lines = CDNOW.read_text().splitlines()
        assert [row["row"] for row in refused] == [lines[row["line"] - 1] for row in refused]

        again = book("import", "cdnow.csv", *MAPPED, "--json")
        assert counts(again) == [6919, 0, 6911, 8, 2349]

        assert book("checkpoint", "--all").lines == ["2,349 checkpoints signed, 0 refused"]
        assert book("receipts", "--all", "-o", "receipts").lines == ["6,911 receipts in receipts"]
        verified = book("verify", "receipts", "--key", "operator.vkey")
        assert (verified.status, verified.err) == (0, "")
        assert verified.lines[-2] == (
            "6,911 verified, 0 refused; 6,911 receipts under 2,349 checkpoints of 2,349 logs"
        )
        audited = book("audit", "--all")
        assert (audited.status, audited.err) == (0, "")
        assert audited.lines[-2].startswith("2,349 logs held, 0 refused; 11,609 entries")

    def test_a_longer_file_records_only_what_is_new(self, book):
        lines = CDNOW.read_text().splitlines(keepends=True)[:200]
        Path("cdnow.csv").write_text("".join(lines))
        assert counts(book("import", "cdnow.csv", *MAPPED, "--json"))[:4] == [199, 199, 0, 0]
        # In the middle: two new rows and one that repeats its neighbour exactly.
        lines[100:100] = [lines[99], "99999,1998-01-01,1,9.99\n", "99999,1998-01-02,1,9.99\n"]
        Path("cdnow.csv").write_text("".join(lines))
        assert counts(book("import", "cdnow.csv", *MAPPED, "--json"))[:4] == [202, 3, 199, 0]
        assert book("customer", "99999", "--json").findings[0]["totalDeltas"] == 2


class TestFiles:
    @pytest.mark.parametrize("name", ["rows.ndjson", "rows.jsonl", "rows.NDJSON", "rows", "rows.txt"])
    def test_json_lines_are_known_by_name_or_beginning(self, book, name):
        Path(name).write_text(GOOD)
        assert counts(book("import", name, "--json")) == [1, 1, 0, 0, 1]

    @pytest.mark.parametrize("name", ["rows.csv", "rows.CSV", "rows"])
    def test_csv_is_known_by_name_or_beginning(self, book, name):
        Path(name).write_text("customerId,delta,reason\nc,1,x\n")
        assert counts(book("import", name, "--json")) == [1, 1, 0, 0, 1]

    @pytest.mark.parametrize("rows", [GOOD, "customerId,delta,reason\nc,1,x\n"])
    def test_standard_input_is_read_under_a_label(self, book, rows):
        assert counts(book("import", "-", "--source", "s", "--json", stdin=rows.encode())) == [1, 1, 0, 0, 1]
        assert counts(book("import", "-", "--source", "s", "--json", stdin=rows.encode())) == [1, 0, 1, 0, 1]

    def test_standard_input_without_a_label_is_refused(self, book):
        assert book("import", "-", stdin=GOOD.encode()).code == "usage"

    def test_the_label_is_the_name_of_the_file_wherever_it_lies(self, book):
        Path("a").mkdir()
        for name in ("rows.ndjson", "a/rows.ndjson", "a/other.ndjson"):
            Path(name).write_text(GOOD)
        assert counts(book("import", "rows.ndjson", "--json"))[1:3] == [1, 0]
        assert counts(book("import", "a/rows.ndjson", "--json"))[1:3] == [0, 1]
        assert counts(book("import", "a/other.ndjson", "--json"))[1:3] == [1, 0]
        assert counts(book("import", "a/other.ndjson", "--source", "rows.ndjson", "--json"))[1:3] == [0, 1]

    def test_the_key_of_a_row_is_what_the_reference_says(self, book):
        # docs/cli.md#row-key
        Path("rows.csv").write_bytes(b'\xef\xbb\xbfcustomerId,delta,reason\r\nc,1,"a\r\nb"\r\nc,2,x\nc,2,x')
        assert counts(book("import", "rows.csv", "--source", "\u00e9", "--json"))[:4] == [3, 3, 0, 0]
        for occurrence, data, delta, reason in (
            (b"1", b'c,1,"a\r\nb"', "1", "a\r\nb"),
            (b"1", b"c,2,x", "2", "x"),
            (b"2", b"c,2,x", "2", "x"),
        ):
            key = hashlib.sha256(b"\xc3\xa9\n" + occurrence + b"\n" + data).hexdigest()
            again = book("record", "c", delta, "--reason", reason, "--idempotency-key", key, "--json")
            assert again.findings[0]["replayed"] is True

    def test_a_file_of_the_same_name_that_records_nothing_is_remarked_on(self, book):
        for month in ("jan", "feb"):
            Path(month).mkdir()
            Path(month, "usage.csv").write_text("customerId,delta,reason\nc,1,x\nc,0,x\n")
        assert "hint: rows without a key" not in book("import", "jan/usage.csv").err
        second = book("import", "feb/usage.csv")
        assert "0 recorded, 1 already recorded" in second.out
        assert (
            "counterfoil: hint: rows without a key are known by the file's name: "
            "another file of the same name needs --source\n"
        ) in second.err
        assert "hint: rows without a key" not in book("import", "feb/usage.csv", "--source", "feb").err
        # Who named the source knows.
        assert "hint: rows without a key" not in book("import", "feb/usage.csv", "--source", "feb").err

    @pytest.mark.parametrize(
        "more", ['{"customerId": "c", "delta": 2, "reason": "x"}\n', '{"customerId": "d"}\n' + GOOD]
    )
    def test_a_file_of_which_something_is_new_is_not(self, book, more):
        Path("rows.ndjson").write_text(GOOD)
        book("import", "rows.ndjson")
        Path("rows.ndjson").write_text(GOOD + more)
        assert "rows without a key" not in book("import", "rows.ndjson").err

    def test_neither_are_rows_with_keys_of_their_own(self, book):
        Path("rows.ndjson").write_text(GOOD.replace("}", ', "idempotencyKey": "K"}'))
        book("import", "rows.ndjson")
        assert book("import", "rows.ndjson").err == ""

    def test_a_file_without_rows_is_no_error(self, book):
        Path("rows.csv").write_text("customerId,delta,reason\n")
        outcome = book("import", "rows.csv")
        assert outcome == (0, "0 rows read: 0 recorded, 0 already recorded, 0 refused; 0 customers\n", "")

    @pytest.mark.parametrize(
        "options",
        [
            "--map",
            "--map delta",
            "--map =x",
            "--map delta=",
            "--map amount=x",
            "--map delta=x --map delta=y",
            "--map delta=nosuch",
            "--source ",
            "--errors nowhere/refused.ndjson",
            "--errors counterfoil-keys",
            "--errors rows.csv",
            "--errors ./counterfoil-keys/../rows.csv",
            "--errors rows.csv/refused.ndjson",
        ],
    )
    def test_a_wrong_option_is_refused_before_anything_is_written(self, book, options):
        Path("rows.csv").write_text("customerId,delta,reason\nc,1,x\n")
        outcome = book("import", "rows.csv", *options.split(" "))
        assert (outcome.status, outcome.out, outcome.code) == (2, "", "usage")
        assert book("customers", "--json").out == ""
        assert Path("rows.csv").read_text() == "customerId,delta,reason\nc,1,x\n"


class TestRefusedRows:
    def test_each_is_named_by_line_and_code(self, book):
        Path("rows.csv").write_text("customerId,delta,reason\nc,1,x\nc,0,x\nc\nc,y,x\n")
        outcome = book("import", "rows.csv")
        assert (outcome.status, outcome.code) == (14, "rows-refused")
        assert [line.split(":")[0] for line in outcome.lines[:3]] == [
            "refused  line 3  amount-out-of-range",
            "refused  line 4  malformed",
            "refused  line 5  invalid-field",
        ]
        assert outcome.lines[3] == "4 rows read: 1 recorded, 0 already recorded, 3 refused; 1 customer"
        assert "rows-refused: 3 of 4 rows were refused" in outcome.err

    def test_the_file_of_errors_holds_them_whole(self, book):
        Path("rows.csv").write_bytes(b'customerId,delta,reason\nc,0,"a\nb"\nc,1,\xff\x1b\n')
        assert book("import", "rows.csv", "--errors", "refused.ndjson").status == 14
        rows = [json.loads(line) for line in Path("refused.ndjson").read_text().splitlines()]
        assert [(row["line"], row["code"], row["row"]) for row in rows] == [
            (2, "amount-out-of-range", 'c,0,"a\nb"'),
            (4, "malformed", "c,1,\\xff\x1b"),
        ]
        assert all(row["message"] for row in rows)

    def test_the_file_of_errors_replaces_the_one_before_as_a_whole(self, book):
        Path("rows.csv").write_text("customerId,delta,reason\nc,0,x\n")
        Path("refused.ndjson").write_text("old\n" * 1000)
        Path("link.ndjson").hardlink_to("refused.ndjson")
        assert book("import", "rows.csv", "--errors", "refused.ndjson").code == "rows-refused"
        assert len(Path("refused.ndjson").read_text().splitlines()) == 1
        # What had the old bytes under another name has them still.
        assert Path("link.ndjson").read_text() == "old\n" * 1000

    @pytest.mark.parametrize(
        "name",
        [
            "counterfoil.db",
            "counterfoil.db-journal",
            "counterfoil.db-wal",
            "counterfoil-keys/../counterfoil.db",
            "counterfoil-keys/operator.vkey",
            "counterfoil-keys/new.ndjson",
            "to-store",
            "to-key",
            "to-input",
            "to-nowhere",
            "to-itself",
            "pipe",
            "/dev/null",
        ],
    )
    def test_what_is_needed_or_is_no_plain_file_is_not_replaced(self, book, name):
        Path("rows.csv").write_text("customerId,delta,reason\nc,0,x\nc,1,x\n")
        os.mkfifo("pipe")
        for link, target in (
            ("store", "counterfoil.db"),
            ("key", "counterfoil-keys/operator.vkey"),
            ("input", "rows.csv"),
            ("nowhere", "nosuch"),
            ("itself", "to-itself"),
        ):
            Path(f"to-{link}").symlink_to(target)
        before = folder()
        outcome = book("import", "rows.csv", "--errors", name)
        assert (outcome.status, outcome.code) == (2, "usage")
        assert outcome.out == ""
        assert folder() == before
        assert book("import", "rows.csv", "--json").findings[-1]["recorded"] == 1

    def test_a_person_is_not_shown_thousands_and_a_program_is(self, book):
        Path("rows.ndjson").write_text("{\n" * 100)
        outcome = book("import", "rows.ndjson")
        assert len(outcome.lines) == 22
        assert outcome.lines[20] == "refused  80 more; --errors FILE lists them all"
        assert len(book("import", "rows.ndjson", "--json").findings) == 101

    def test_control_characters_of_a_row_are_shown_escaped(self, book):
        Path("rows.ndjson").write_bytes(
            b'{"customerId": "\\u001b[31m", "delta": 1, "reason": "x"}\n{"\x1b[2J\n'
        )
        for options in ([], ["--json"]):
            outcome = book("import", "rows.ndjson", *options)
            assert outcome.out.replace("\n", "").isprintable()


class TestCutShort:
    def test_what_the_store_acknowledged_is_said_and_the_next_run_goes_on(self, book, monkeypatch):
        Path("rows.ndjson").write_text(GOOD * (IMPORT_BATCH_ITEMS + 5))
        with monkeypatch.context() as patch:
            patch.setattr(Engine, "record_many", failing_after(1, EngineError("out-of-space", "as planned")))
            outcome = book("import", "rows.ndjson")
        assert (outcome.status, outcome.code) == (74, "out-of-space")
        assert outcome.lines[-1].startswith("2,000 rows read: 2,000 recorded")
        assert counts(book("import", "rows.ndjson", "--json")) == [2005, 5, 2000, 0, 1]

    def test_so_it_is_after_an_interrupt(self, book, monkeypatch):
        Path("rows.ndjson").write_text(GOOD * (IMPORT_BATCH_ITEMS + 5))
        monkeypatch.setattr(Engine, "record_many", failing_after(1, KeyboardInterrupt()))
        outcome = book("import", "rows.ndjson")
        assert outcome.status == 130
        assert outcome.lines[-1].startswith("2,000 rows read: 2,000 recorded")

    def test_the_file_of_errors_is_left_as_it_was(self, book, monkeypatch):
        Path("rows.ndjson").write_text("{\n" + GOOD * (IMPORT_BATCH_ITEMS + 5))
        Path("refused.ndjson").write_text("old")
        before = folder().keys()
        monkeypatch.setattr(
            Engine, "record_many", failing_after(1, EngineError("out-of-space", "as planned"))
        )
        outcome = book("import", "rows.ndjson", "--errors", "refused.ndjson")
        assert (outcome.code, "1 refused" in outcome.out) == ("out-of-space", True)
        assert Path("refused.ndjson").read_text() == "old"
        assert folder().keys() == before

    def test_a_store_that_stays_busy_is_given_up(self, book, monkeypatch):
        Path("rows.ndjson").write_text(GOOD)
        monkeypatch.setattr(
            Engine, "record_many", failing_after(0, EngineError("store-unavailable", "as planned"))
        )
        monkeypatch.setattr("counterfoil.engine.importing._PAUSES_SECONDS", (0.0, 0.0))
        outcome = book("import", "rows.ndjson")
        assert (outcome.status, outcome.code) == (74, "store-unavailable")
        assert "0 rows read: 0 recorded" in outcome.out


def folder():
    """The names below the folder, links and pipes too, and the bytes of plain files."""
    return {
        str(path): path.read_bytes() if path.is_file() and not path.is_symlink() else None
        for path in Path().rglob("*")
    }


def failing_after(batches, error):
    record_many = Engine.record_many
    asked = []

    def record(engine, deltas):
        asked.append(deltas)
        if len(asked) > batches:
            raise error
        return record_many(engine, deltas)

    return record
