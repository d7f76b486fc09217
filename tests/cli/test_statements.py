"""`statement` makes what `verify` proves, and files of one log are held against each other."""

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from counterfoil.core.checkpoint import KeySet
from counterfoil.core.statement_verify import verify_statement
from counterfoil.engine.engine import Engine
from counterfoil.engine.windows import Window
from counterfoil.errors import TooLargeError
from counterfoil.storage.memory import MemoryStore
from tests.cli.conftest import record_id, rewrite
from tests.cli.test_verify import OF_LOGS
from tests.core.logs import Log
from tests.support import OPERATOR, SECOND, START, FakeClock, delta, seeded

KEY = str(OPERATOR.verifier_key)
VERIFY = ("verify", "s.json", "--key", "operator.vkey")


def now():
    return datetime.now(UTC).isoformat()


@pytest.fixture
def stated(kept):
    """A statement of all until now, closed."""
    assert kept("statement", "cust_001", "--from", "2026-01-01", "--to", now(), "-o", "s.json").status == 0
    return kept


class TestStatements:
    def test_each_customer_gets_a_statement_and_a_page_that_verify(self, kept):
        assert kept("record", "cust_002", "7", "--reason", "deposit").status == 0
        period = ("--from", "2026-01-01", "--to", now())
        outcome = kept("statements", "--all", *period, "--html", "-o", "all")
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.lines == ["2 statements in all, 0 refused"]
        assert sorted(path.suffix for path in Path("all").iterdir()) == [
            ".csv", ".html", ".html", ".json", ".json",
        ]  # fmt: skip
        paths = [path for path in Path("all").iterdir() if path.suffix != ".csv"]
        found = [kept("verify", path, "--key", "operator.vkey", "--json") for path in paths]
        assert {one.status for one in found} == {0}
        assert {one.findings[0]["customer"] for one in found} == {"cust_001", "cust_002"}

    def test_one_is_what_statement_makes(self, stated):
        before = json.loads(Path("s.json").read_text())
        period = ("--from", before["from"], "--to", before["to"])
        assert stated("statements", "cust_001", *period, "-o", "all").status == 0
        [path] = Path("all").glob("*.json")
        assert path.read_bytes() == Path("s.json").read_bytes()
        assert path.stem == record_id(stated, 0).partition(".")[0]

    def test_who_came_later_gets_none(self, kept):
        outcome = kept("statements", "--all", "--period", "2020-02", "-o", "all")
        assert (outcome.status, outcome.code) == (11, "nothing-checked")
        assert "no customer's log begins before the end of the period" in outcome.err
        assert not Path("all").exists()

    def test_a_refusal_is_said_and_the_others_are_made(self, kept):
        outcome = kept("statements", "cust_001", "nobody", "--from", "2026-01-01", "--to", now(), "-o", "all")
        assert (outcome.status, outcome.code) == (14, "customer-not-found")
        assert outcome.lines[0].startswith("refused  nobody  customer-not-found: ")
        assert outcome.lines[1] == "1 statement in all, 1 refused"

    def test_a_name_that_is_taken_by_something_else_is_refused_and_the_others_are_made(self, kept):
        assert kept("record", "cust_002", "7", "--reason", "deposit").status == 0
        Path("all", f"{record_id(kept, 0).partition('.')[0]}.html").mkdir(parents=True)
        outcome = kept("statements", "--all", "--from", "2026-01-01", "--to", now(), "--html", "-o", "all")
        assert (outcome.status, outcome.code) == (2, "usage")
        [refused] = [line for line in outcome.lines if line.startswith("refused")]
        assert refused.startswith("refused  cust_001  usage: ")
        assert "1 statement in all, 1 refused" in outcome.lines
        assert Path("all/statements.csv").read_text().count("cust_00") == 1

    def test_a_period_that_goes_on_is_said(self, kept):
        outcome = kept("statements", "--all", "--from", "2026-01-01", "--to", "2100-01-01", "-o", "all")
        assert outcome.status == 0
        assert "1 statement verified with --allow-provisional" in outcome.err

    def test_one_in_the_future_is_refused_once(self, kept):
        outcome = kept("statements", "--all", "--period", "2099-01", "-o", "all")
        assert (outcome.status, outcome.code, outcome.out) == (14, "invalid-field", "")

    @pytest.mark.parametrize("whom", [(), ("cust_001", "--all")])
    def test_it_is_about_customers_that_are_named_or_all(self, kept, whom):
        outcome = kept("statements", *whom, "--period", "2020-02", "-o", "all")
        assert (outcome.status, outcome.code) == (2, "usage")


class TestStatement:
    def test_it_is_written_to_a_file_without_a_word(self, kept):
        outcome = kept("statement", "cust_001", "--from", "2026-01-01", "--to", now(), "-o", "s.json")
        assert (outcome.status, outcome.out, outcome.err) == (0, "", "")
        keys = KeySet.parse(Path("operator.vkey").read_text().strip())
        assert verify_statement(Path("s.json").read_bytes(), keys, customer_id="cust_001").deltas == 2

    def test_without_a_file_it_goes_to_standard_output(self, kept):
        arguments = ("statement", "cust_001", "--from", "2026-01-01", "--to", now())
        assert kept(*arguments, "-o", "s.json").status == 0
        assert kept(*arguments).findings == [json.loads(Path("s.json").read_text())]

    def test_a_full_one_has_every_entry(self, kept):
        [found] = kept("statement", "cust_001", "--from", "2026-01-01", "--to", now(), "--full").findings
        assert found["mode"] == "full"
        assert [item["entry"]["index"] for item in found["items"]] == ["0", "1", "2", "3", "4"]

    def test_its_entries_may_be_written_as_a_table(self, kept):
        period = ("--from", "2026-01-01", "--to", now())
        assert kept("statement", "cust_001", *period, "--full", "-o", "s.json", "--csv", "s.csv").status == 0
        with Path("s.csv").open(encoding="utf-8", newline="") as stream:
            rows = [*csv.DictReader(stream)]
        assert [row["amount"] for row in rows] == ["500", "-12.5"]
        assert rows[1]["referenceId"] == "line 1"
        assert {row["customerId"] for row in rows} == {"cust_001"}

    def test_a_table_wants_every_entry(self, kept):
        outcome = kept("statement", "cust_001", "--period", "2026-01", "--csv", "s.csv")
        assert (outcome.status, outcome.code) == (2, "usage")
        assert not Path("s.csv").exists()

    @pytest.mark.parametrize(
        "names",
        [
            ("-o", "same", "--html", "same"),
            ("-o", "same", "--csv", "./same"),
            ("--html", "f/../same", "--csv", "same"),
            ("-o", "same", "--html", "p.html", "--csv", "link"),
        ],
    )
    def test_two_of_its_files_are_not_one(self, kept, names):
        Path("f").mkdir()
        Path("link").symlink_to("same")
        outcome = kept("statement", "cust_001", "--period", "2020-02", "--full", *names)
        assert (outcome.status, outcome.code) == (2, "usage")
        assert not Path("same").exists()
        assert not Path("p.html").exists()

    def test_where_one_of_its_files_cannot_be_made_none_is_written(self, kept, monkeypatch):
        def failing(*_, **__):
            raise TooLargeError("report has too many bytes")

        monkeypatch.setattr("counterfoil.cli.statements.format_report", failing)
        line = ("statement", "cust_001", "--period", "2020-02", "--full", "-o", "s.json", "--csv", "s.csv")
        assert kept(*line, "--html", "s.html").code == "too-large"
        assert not {Path("s.json"), Path("s.csv"), Path("s.html")} & {*Path().iterdir()}

    def test_a_period_that_goes_on_is_made_with_a_hint(self, kept):
        tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        outcome = kept("statement", "cust_001", "--from", "2026-01-01", "--to", tomorrow, "-o", "s.json")
        assert outcome.status == 0
        assert "--allow-provisional" in outcome.err
        outcome = kept(*VERIFY)
        assert (outcome.status, outcome.code) == (11, "incomplete-period")
        assert "hint: " in outcome.err
        assert "--allow-provisional" in outcome.err
        [finding, _] = kept(*VERIFY, "--json").findings
        assert outcome.err.count(finding["facts"]["through"]) == 1
        outcome = kept(*VERIFY, "--allow-provisional")
        assert outcome.status == 0
        assert "provisional, complete through 20" in outcome.lines[0]
        assert kept(*VERIFY, "--allow-provisional", "--json").findings[0]["provisionalThrough"]

    @pytest.mark.parametrize(("end", "hinted"), [("2026-03-31", True), ("2024-02-29", True), ("2024-02-28", False),
        ("2026-04-01", False), ("2026-03-31T00:00:00Z", False)])  # fmt: skip
    def test_the_last_day_of_a_month_as_the_end_is_hinted_at(self, kept, end, hinted):
        outcome = kept("statement", "cust_001", "--from", "2020-01-01", "--to", end, "-o", "s.json")
        assert outcome.status == 0
        assert (f"hint: {end} itself is not in the period" in outcome.err) is hinted

    def test_a_month_may_be_named(self, kept):
        found = kept("statement", "cust_001", "--period", "2020-02").findings[0]
        assert (found["from"], found["to"]) == ("2020-02-01T00:00:00.000000Z", "2020-03-01T00:00:00.000000Z")

    @pytest.mark.parametrize(
        ("arguments", "status", "code"),
        [
            ((), 2, "usage"),
            (("--from", "2026-01-01"), 2, "usage"),
            (("--period", "2026-01", "--to", "2026-03-01"), 2, "usage"),
            (("--period", "2026-13"), 14, "invalid-field"),
            (("--from", "2026-03-01", "--to", "2026-03-01"), 14, "invalid-field"),
            (("--from", "yesterday", "--to", "2026-03-01"), 14, "invalid-field"),
            (("--period", "2099-01"), 14, "invalid-field"),
        ],
    )
    def test_what_names_no_period_is_refused_and_nothing_is_written(self, kept, arguments, status, code):
        outcome = kept("statement", "cust_001", *arguments, "-o", "s.json")
        assert (outcome.status, outcome.code) == (status, code)
        assert not Path("s.json").exists()

    def test_a_customer_that_is_not_there_is_refused(self, kept):
        assert kept("statement", "nobody", "--period", "2026-01").code == "customer-not-found"

    def test_it_does_not_replace_the_store(self, kept):
        assert kept("statement", "cust_001", "--period", "2020-01", "-o", "counterfoil.db").code == "usage"


class TestVerify:
    def test_the_verdict_says_what_the_period_adds_up_to(self, stated):
        outcome = stated(*VERIFY)
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.lines[0].startswith("verified  s.json  statement, light, final; customer cust_001 ")
        assert outcome.lines[1].endswith(" (by time of recording)")
        assert [line.split("  ")[-1].strip() for line in outcome.lines[2:7]] == [
            "0 EUR",
            "500 EUR",
            "12.5 EUR",
            "487.5 EUR",
            "2",
        ]
        assert "are taken on trust" in outcome.lines[7]
        assert "0 receipts and 1 statement under 1 checkpoint of 1 log" in outcome.lines[8]
        assert "what is not in 1 light statement" in outcome.lines[9]

    @pytest.mark.parametrize(("entries", "mode", "trusted"), [
        ((3, 9), "light", True), ((3, 6), "light", True), ((3, 5), "light", False), ((3, 4), "light", False), ((4, 4), "light", False),
        ((3, 9), "full", False),
    ])  # fmt: skip
    def test_what_is_taken_on_trust_is_said_where_anything_is(self, cf, entries, mode, trusted):
        Path("s.json").write_text(json.dumps(Log(12, seals={5}).statement(*entries, mode)))
        outcome = cf("verify", "s.json", "--key", OF_LOGS)
        assert outcome.status == 0
        assert ("are taken on trust" in outcome.out) is trusted
        assert ("what is not in 1 light statement" in outcome.out) is trusted

    def test_a_customer_that_nobody_named_was_not_compared(self, stated):
        for names in (["s.json"], ["receipt.json"]):
            line = ("verify", *names, "--key", "operator.vkey")
            assert stated(*line).lines[0].endswith("; customer cust_001 (named in the file, not compared)")
            assert stated(*line, "--customer", "cust_001").lines[0].endswith("; customer cust_001")

    def test_of_a_period_before_the_log_it_says_when_the_log_begins(self, kept):
        kept("statement", "cust_001", "--period", "2020-02", "-o", "s.json")
        [opened] = json.loads(Path("s.json").read_text())["items"]
        begins = f"; the log begins behind the period, at {opened['entry']['recordedAt']}; "
        assert begins in kept(*VERIFY).lines[0]

    def test_of_a_period_without_entries_within_the_log_it_says_nothing_of_that(self, cf):
        Path("s.json").write_text(json.dumps(Log(12, seals={5}).statement(4, 4, "full")))
        outcome = cf("verify", "s.json", "--key", OF_LOGS)
        assert outcome.status == 0
        assert "the log begins" not in outcome.out

    def test_json_says_the_same(self, stated):
        finding, last = stated(*VERIFY, "--json").findings
        assert finding["kind"] == "statement"
        amounts = ("openingBalance", "credits", "debits", "closingBalance", "deltas")
        assert [finding[name] for name in amounts] == ["0", "500", "12.5", "487.5", 2]
        assert (finding["mode"], finding["provisionalThrough"]) == ("light", None)
        assert last["summary"]["statements"] == 1

    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            (lambda s: s["items"].pop(), 11, "incomplete-period"),
            (lambda s: s["items"][1]["entry"].update(credits="600"), 10, "root-mismatch"),
            (lambda s: s.update(mode="half"), 13, "malformed"),
            (lambda s: s.update(type="counterfoil/statement@v2"), 11, "unknown-type"),
            (lambda s: s["open"]["details"]["value"].update(customerId="x"), 10, "details-mismatch"),
        ],
    )
    def test_one_that_was_changed_is_refused_with_its_code(self, stated, change, status, code):
        rewrite("s.json", change)
        outcome = stated(*VERIFY)
        assert (outcome.status, outcome.code) == (status, code)

    def test_one_of_which_an_entry_is_missing_is_not_taken_as_provisional_either(self, stated):
        rewrite("s.json", lambda s: s["items"].pop())
        for more in ((), ("--allow-provisional",)):
            outcome = stated(*VERIFY, *more)
            assert outcome.code == "incomplete-period"
            assert "--allow-provisional" not in outcome.err

    def test_the_caller_may_name_origin_and_customer(self, stated):
        assert stated(*VERIFY, "--customer", "cust_001").status == 0
        for option in ("--origin", "--customer"):
            assert stated(*VERIFY, option, "another").code == "wrong-origin"

    def test_those_of_a_folder_are_verified(self, stated):
        Path("f").mkdir()
        Path("f/s.json").write_bytes(Path("s.json").read_bytes())
        assert stated("verify", "f", "receipt.json", "--key", "operator.vkey").status == 0


class TestAgainstEachOther:
    @pytest.fixture
    def write(self, cf):
        """Write a receipt and a statement of one of two histories of one log."""

        def write(name, randomness, amounts):
            engine = Engine(MemoryStore(clock := FakeClock()), OPERATOR, randomness=seeded(randomness))
            for amount in amounts:
                engine.record(delta(amount))
            clock.now = START + 60 * SECOND
            window = Window(START, START + 30 * SECOND)
            stated = engine.statement("alice", window, now=clock.now)
            Path(f"{name}.statement.json").write_bytes(stated.document)
            proven = engine.receipt(f"0x{engine.log_of('alice').hex()}.1")
            Path(f"{name}.receipt.json").write_bytes(proven.receipt)
            return cf

        return write

    def test_a_statement_and_a_receipt_of_one_history_agree(self, write):
        cf = write("a", 1, ["5", "7"])
        assert cf("verify", "a.statement.json", "a.receipt.json", "--key", KEY).status == 0

    def test_a_statement_that_contradicts_a_receipt_is_refused_with_both_names(self, write):
        cf = write("a", 1, ["5", "7"])
        write("b", 2, ["6", "7"])
        outcome = cf("verify", "a.receipt.json", "b.statement.json", "--key", KEY, "--json")
        assert (outcome.status, outcome.code) == (12, "fork")
        assert outcome.findings[1]["facts"] == {"first": "a.receipt.json", "second": "b.statement.json"}

    def test_entries_whose_times_contradict_their_order_are_evidence(self, write):
        # The one log has three deltas before its seal, the other one five: no index and no size is common to both.
        cf = write("a", 1, ["5", "7", "9"])
        write("b", 1, ["5", "1", "1", "1", "1"])
        outcome = cf("verify", "a.statement.json", "b.statement.json", "--key", KEY)
        assert (outcome.status, outcome.code) == (10, "time-order")
