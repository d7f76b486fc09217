"""`audit PACK...`: packs against each other, against what was kept, and what is told of them: figures, counts, places."""

import gzip
import json
import re
import shutil
from pathlib import Path

import pytest

from counterfoil.core.encoding import canonical_json
from tests.cli.conftest import record_id, rewrite
from tests.cli.test_packs import KEY, engine_of, write
from tests.core.logs import KEYS, Log, pack_of
from tests.support import delta, operator_named

AUDIT = ("audit", "p.pack", "--key", KEY)
BOTH = ("audit", "p.pack", "q.pack", "--key", KEY)
# Two histories of one log: as long as each other, the first longer, the second longer.
HISTORIES = [(("5", "1"), ("6", "1")), (("5", "1", "1"), ("6", "1")), (("5", "1"), ("6", "1", "1"))]


def two_histories(one, other, first="p.pack", second="q.pack"):
    """Packs of a log that was set back and went on differently."""
    write(engine_of(*one), first)
    write(engine_of(*other, randomness=2), second)


def went_on(customer="alice"):
    """An older pack of a log, and a newer one."""
    engine = engine_of("5", "-2", customers=[customer])
    write(engine, "old.pack")
    engine.record(delta("3", customer))
    engine.checkpoint(customer)
    write(engine, "new.pack")
    return engine


class TestSeveralPacks:
    @pytest.mark.parametrize("processes", [1, 2])
    @pytest.mark.parametrize(("one", "other"), HISTORIES)
    def test_two_histories_are_a_fork_without_a_state_in_either_order(self, cf, one, other, processes):
        two_histories(one, other)
        before = set(Path().iterdir())
        for names in (("p.pack", "q.pack"), ("q.pack", "p.pack")):
            outcome = cf("audit", *names, "--key", KEY, "--processes", processes)
            assert (outcome.status, outcome.code) == (12, "fork")
            assert outcome.out.count("— ledger.example.com/") in {2, 4}
        assert set(Path().iterdir()) == before

    @pytest.mark.parametrize(("one", "other"), HISTORIES)
    def test_every_run_prints_the_same_bytes_whatever_the_processes(self, cf, one, other):
        two_histories(one, other)
        outcomes = [cf(*BOTH, "--json", "--processes", processes) for processes in (1, 1, 2, 3)]
        assert len(set(outcomes)) == 1

    def test_the_file_that_contradicts_is_named(self, cf):
        two_histories(("5", "1"), ("6", "1", "1"))
        refused = next(finding for finding in cf(*BOTH, "--json").findings if finding.get("result") == "fork")
        assert (refused["file"], refused["against"]) == ("q.pack", "p.pack")
        assert "first, of p.pack:" in cf(*BOTH).out

    def test_an_older_and_a_newer_one_hold_in_either_order(self, cf):
        went_on()
        for names in (("old.pack", "new.pack"), ("new.pack", "old.pack")):
            outcome = cf("audit", *names, "--key", KEY)
            assert (outcome.status, outcome.err) == (0, "")

    def test_the_newest_checkpoint_is_remembered_whatever_the_order(self, cf):
        went_on()
        cf("audit", "old.pack", "new.pack", "--key", KEY, "--state", "one")
        cf("audit", "new.pack", "old.pack", "--key", KEY, "--state", "other")
        assert Path("one").read_bytes() == Path("other").read_bytes()
        assert cf("audit", "new.pack", "--key", KEY, "--state", "one").status == 0
        # The newer one reaches what was seen, so nobody asks that the older does.
        assert cf("audit", "old.pack", "new.pack", "--key", KEY, "--state", "one").status == 0
        assert cf("audit", "old.pack", "--key", KEY, "--state", "one").code == "index-mismatch"

    def test_a_fork_leaves_the_state_as_it_was(self, cf):
        two_histories(*HISTORIES[0])
        assert cf(*BOTH, "--state", "state").status == 12
        assert not Path("state").exists()

    def test_lines_name_the_file_where_there_are_several(self, cf):
        went_on()
        outcome = cf("audit", "old.pack", "new.pack", "--key", KEY)
        held = [line.split()[1] for line in outcome.lines if line.startswith("holds")]
        assert held == ["old.pack", "new.pack"]
        alone = cf("audit", "new.pack", "--key", KEY)
        assert alone.lines[0].split()[1].startswith("ledger.example.com/")

    def test_standard_input_is_held_against_the_others_too(self, cf):
        two_histories(*HISTORIES[1])
        outcome = cf("audit", "-", "q.pack", "--key", KEY, stdin=gzip.compress(Path("p.pack").read_bytes()))
        assert outcome.status == 12

    def test_a_checkpoint_of_another_operator_is_held_against_nobody(self, cf):
        two_histories(*HISTORIES[2])
        write(engine_of("6", "1", "1", operator=operator_named(seed="stranger")), "q.pack")
        outcome = cf(*BOTH, "--json")
        assert [finding["result"] for finding in outcome.findings if finding.get("origin")] == [
            "ok",
            "unknown-key",
        ]


@pytest.fixture
def set_back(book):
    """Documents of every kind that somebody kept, and packs: of the log as it was then, as it went on, and as it went
    on differently after the store was set back."""

    def record(amount):
        assert book("record", "cust_001", amount, "--reason", "usage").status == 0
        assert book("checkpoint", "cust_001").status == 0

    record("+500")
    shutil.copy("counterfoil.db", "old.db")
    record("-1")
    assert book("receipt", record_id(book, 3), "-o", "receipt.json", "--html", "receipt.html").status == 0
    period = ("--from", "2020-01-01", "--to", "2100-01-01")
    assert book("statement", "cust_001", *period, "-o", "statement.json").status == 0
    Path("theirs.csv").write_text("delta\n500\n")
    assert book("compare", "cust_001", "theirs.csv", *period, "--dispute", "dispute.json").status == 0
    assert book("checkpoints", "cust_001", "-o", "notes").status == 0
    shutil.copy("notes/5.checkpoint", "kept.checkpoint")
    assert book("pack", "--all", "-o", "then.pack").status == 0
    record("-1")
    assert book("pack", "--all", "-o", "good.pack").status == 0
    shutil.copy("old.db", "counterfoil.db")
    record("-2")
    record("-2")
    assert book("pack", "--all", "-o", "bad.pack").status == 0
    return book


KEPT = ["receipt.json", "receipt.html", "statement.json", "dispute.json", "kept.checkpoint"]
HOLD = ("--key", "operator.vkey")


class TestHeld:
    def test_any_signed_document_is_held_against_its_log(self, set_back):
        for name in KEPT:
            assert set_back("audit", "good.pack", *HOLD, "--held", name).status == 0
            outcome = set_back("audit", "bad.pack", *HOLD, "--held", name, "--json")
            assert (outcome.status, outcome.code) == (12, "fork")
            assert outcome.findings[0]["against"] == name

    def test_several_of_one_log_are_held_and_one_that_contradicts_is_enough(self, set_back):
        every = [argument for name in KEPT for argument in ("--held", name)]
        assert set_back("audit", "good.pack", *HOLD, *every, "--held", "notes/3.checkpoint").status == 0
        assert set_back("audit", "bad.pack", *HOLD, "--held", "notes/3.checkpoint").status == 0
        assert set_back("audit", "bad.pack", *HOLD, "--held", "notes/3.checkpoint", *every).status == 12

    def test_of_several_packs_the_one_that_has_most_must_reach_it(self, set_back):
        assert set_back("checkpoints", "cust_001", "-o", "later").status == 0
        assert set_back("audit", "bad.pack", *HOLD, "--held", "later/7.checkpoint").status == 0
        outcome = set_back("audit", "then.pack", *HOLD, "--held", "later/7.checkpoint")
        assert outcome.code == "index-mismatch"
        assert "an older pack? audit it without --held" in outcome.err
        assert outcome.out.count("held, of later/7.checkpoint:") == 1

    def test_one_whose_log_is_in_no_pack_is_named_among_what_was_not_checked(self, set_back):
        assert set_back("record", "cust_002", "1", "--reason", "x").status == 0
        assert set_back("checkpoint", "cust_002").status == 0
        assert set_back("pack", "cust_002", "-o", "other.pack").status == 0
        outcome = set_back("audit", "other.pack", *HOLD, "--held", "receipt.json", "--json")
        assert outcome.status == 0
        summary = outcome.findings[-1]["summary"]
        assert any(
            words.startswith("receipt.json, whose log is in no pack:") for words in summary["notChecked"]
        )
        # A document is not what a state remembers.
        assert summary["absent"] == []

    def test_one_that_does_not_verify_is_refused_before_anything_is_audited(self, set_back):
        rewrite("receipt.json", lambda receipt: receipt["details"]["value"].update(reason="gift"))
        outcome = set_back("audit", "good.pack", *HOLD, "--held", "receipt.json")
        assert (outcome.code, outcome.out) == ("details-mismatch", "")
        stranger = operator_named(seed="stranger").verifier_key
        assert (
            set_back("audit", "good.pack", "--key", stranger, "--held", "receipt.json").code == "unknown-key"
        )

    @pytest.mark.parametrize(
        ("name", "code"),
        [("nothing.json", "usage"), ("then.pack", "malformed"), ("operator.vkey", "malformed")],
    )
    def test_what_is_no_signed_document_is_none_to_hold(self, set_back, name, code):
        assert set_back("audit", "good.pack", *HOLD, "--held", name).code == code

    def test_a_proof_without_its_record_is_none(self, set_back):
        assert (
            set_back("receipt", record_id(set_back, 1), "--tlog-proof", "proofs", "-o", "r.json").status == 0
        )
        [proof] = Path("proofs").glob("*.tlog-proof")
        assert set_back("audit", "bad.pack", *HOLD, "--held", proof).code == "nothing-checked"

    def test_it_is_remembered_by_no_state(self, set_back):
        set_back("audit", "good.pack", *HOLD, "--state", "one")
        set_back("audit", "good.pack", *HOLD, "--state", "other", "--held", "receipt.json")
        assert Path("one").read_bytes() == Path("other").read_bytes()


class TestEvidence:
    NAME = re.compile(r"0x[0-9a-f]{40}\.[0-9]+\.[0-9a-f]{64}\.checkpoint")

    @pytest.mark.parametrize(("one", "other"), HISTORIES)
    def test_both_checkpoints_of_a_contradiction_are_files_that_verify_takes(self, cf, one, other):
        two_histories(one, other)
        outcome = cf(*BOTH, "--evidence", "evidence")
        assert outcome.status == 12
        files = sorted(Path("evidence").iterdir())
        assert len(files) == 2
        assert all(self.NAME.fullmatch(file.name) for file in files)
        verified = cf("verify", *files, "--key", KEY, "--json")
        # Of one size they contradict each other by themselves.
        assert verified.status == (12 if len(one) == len(other) else 0)
        assert all(f"written to {file}" in outcome.out for file in files)

    def test_a_program_is_told_their_names(self, cf):
        two_histories(*HISTORIES[2])
        findings = cf(*BOTH, "--evidence", "evidence", "--json").findings
        [refused] = [finding for finding in findings if "evidence" in finding]
        assert sorted(refused["evidence"]) == sorted(map(str, Path("evidence").iterdir()))
        for name, note in zip(
            refused["evidence"], (refused["facts"]["first"], refused["facts"]["second"]), strict=True
        ):
            assert Path(name).read_text(encoding="utf-8") == note

    def test_a_second_run_finds_them_there(self, cf):
        two_histories(*HISTORIES[0])
        first = cf(*BOTH, "--evidence", "evidence", "--json")
        assert cf(*BOTH, "--evidence", "evidence", "--json") == first

    def test_nothing_is_replaced(self, cf):
        two_histories(*HISTORIES[2])
        cf(*BOTH, "--evidence", "evidence")
        file = min(Path("evidence").iterdir())
        file.write_text("mine")
        outcome = cf(*BOTH, "--evidence", "evidence")
        assert outcome.code == "fork"
        assert "not written: usage: " in outcome.out
        assert file.read_text() == "mine"

    def test_without_a_contradiction_nothing_is_written(self, cf):
        went_on()
        assert cf("audit", "old.pack", "new.pack", "--key", KEY, "--evidence", "evidence").status == 0
        cf("audit", "new.pack", "--key", KEY, "--state", "state")
        # That a log ends earlier is none.
        behind = cf("audit", "old.pack", "--key", KEY, "--state", "state", "--evidence", "evidence")
        assert behind.code == "index-mismatch"
        assert not Path("evidence").exists()

    def test_what_is_no_folder_is_refused_before_anything_is_audited(self, cf):
        two_histories(*HISTORIES[0])
        Path("evidence").write_text("mine")
        outcome = cf(*BOTH, "--evidence", "evidence")
        assert (outcome.code, outcome.out) == ("usage", "")

    @pytest.mark.parametrize("option", ["--evidence", "--held", "--state"])
    def test_what_is_about_packs_goes_with_packs(self, kept, option):
        assert kept("audit", "--all", option, "x").code == "usage"


def withheld(name):
    """Take the details out of a pack."""
    lines = [json.loads(line) for line in Path(name).read_bytes().splitlines()]
    for line in lines:
        line.pop("details", None)
    Path(name).write_text("".join(json.dumps(line) + "\n" for line in lines))


class TestFigures:
    def test_each_log_has_its_own_and_each_unit_its_sum(self, book):
        for customer, unit, amounts in (
            ("a", "EUR", ("0.000000001", "-12.5")),
            ("b", "EUR", ("999999999999999999.999999999", "-0.5")),
            ("c", "credits", ("7",)),
        ):
            for amount in amounts:
                assert book("record", customer, amount, "--reason", "x", "--unit", unit).status == 0
        book("checkpoint", "--all")
        book("pack", "--all", "-o", "p.pack")
        findings = book("audit", "p.pack", *HOLD, "--json").findings
        names = ("unit", "deltas", "credits", "debits", "balance")
        told = {
            one["customer"]: tuple(one[name] for name in names) for one in findings if one.get("customer")
        }
        assert told == {
            "a": ("EUR", 2, "0.000000001", "12.5", "-12.499999999"),
            "b": ("EUR", 2, "999999999999999999.999999999", "0.5", "999999999999999999.499999999"),
            "c": ("credits", 1, "7", "0", "7"),
        }
        assert findings[-1]["summary"]["totals"] == [
            {"unit": "EUR", "logs": 2, "deltas": 4, "credits": "1000000000000000000", "debits": "13",
             "balance": "999999999999999987"},
            {"unit": "credits", "logs": 1, "deltas": 1, "credits": "7", "debits": "0", "balance": "7"},
        ]  # fmt: skip
        words = book("audit", "p.pack", *HOLD).out
        assert "customer a, credits 0.000000001, debits 12.5, balance -12.499999999 EUR" in words
        assert (
            "2 logs, 4 deltas, credits 1000000000000000000, debits 13, balance 999999999999999987 EUR"
            in words
        )

    def test_a_customer_that_no_details_name_is_null(self, cf):
        write(engine_of("5"))
        withheld("p.pack")
        assert cf(*AUDIT, "--json").findings[0]["customer"] is None
        assert "customer not named" in cf(*AUDIT).out

    def test_what_no_checkpoint_covers_is_in_no_figure(self, cf):
        engine = went_on()
        newer = Path("new.pack").read_bytes().splitlines(keepends=True)
        [*rest, note, _] = newer
        assert b'"checkpoint"' in note
        counts = {"end": {"checkpoints": "1", "entries": str(len(rest) - 3), "logs": "1"}}
        Path("p.pack").write_bytes(b"".join([*rest, json.dumps(counts).encode()]))
        finding, _, last = cf(*AUDIT, "--json").findings
        assert (finding["notCovered"], finding["deltas"], finding["balance"]) == (2, 2, "3")
        assert last["summary"]["totals"][0]["balance"] == "3"
        words = cf(*AUDIT).lines[0]
        assert "3 deltas, 1 checkpoint, 2 behind them unsigned" in words
        assert "2 deltas signed; customer alice, credits 5, debits 2, balance 3 credits" in words
        assert engine.customer("alice").balance == 6 * 10**9

    def test_a_log_of_two_packs_counts_once_with_the_most_that_is_signed(self, cf):
        went_on()
        for names in (("old.pack", "new.pack"), ("new.pack", "old.pack")):
            summary = cf("audit", *names, "--key", KEY, "--json").findings[-1]["summary"]
            assert (summary["held"], summary["packsWhole"], summary["entries"]) == (1, 2, 6)
            assert [total["balance"] for total in summary["totals"]] == ["6"]

    def test_a_log_that_is_refused_in_one_pack_is_in_no_sum(self, cf):
        two_histories(*HISTORIES[2])
        summary = cf(*BOTH, "--json").findings[-1]["summary"]
        assert (summary["held"], summary["refused"], summary["totals"]) == (0, 1, [])

    def test_a_name_that_goes_on_as_a_finding_does_stands_in_quotes(self, cf):
        log = Log(4, customer="x; 9 deltas, credits 9")
        Path("p.pack").write_bytes(b"".join(canonical_json(line) + b"\n" for line in pack_of(log)))
        [key] = KEYS.keys
        assert 'customer "x; 9 deltas, credits 9", credits' in cf("audit", "p.pack", "--key", key).out


class TestCounts:
    @pytest.fixture
    def three(self, cf):
        """A pack of three logs."""
        write(engine_of("5", "-2", "1", customers=["a", "b", "c"]))
        return cf

    def counts(self, cf):
        summary = cf(*AUDIT, "--json").findings[-1]["summary"]
        return tuple(summary[name] for name in ("held", "refused", "packsWhole", "packsRefused", "entries"))

    def test_logs_and_packs_are_counted_apart(self, three):
        assert self.counts(three) == (3, 0, 1, 0, 15)
        data = Path("p.pack").read_bytes()
        Path("p.pack").write_bytes(
            data.replace(b'"amount":"5"', b'"amount":"4"', 1)[: data.rindex(b'{"end"')]
        )
        assert self.counts(three) == (2, 1, 0, 1, 10)
        assert (
            "2 logs held, 1 refused; 0 packs whole, 1 refused; 10 entries of logs that hold"
            in three(*AUDIT).out
        )

    def test_a_log_in_gzip_that_was_cut_is_one_log_and_one_pack(self, cf):
        write(engine_of("5"))
        Path("p.pack").write_bytes(gzip.compress(Path("p.pack").read_bytes())[:-200])
        assert self.counts(cf) == (0, 1, 0, 1, 0)

    def test_entries_are_those_of_logs_that_hold(self, cf):
        write(engine_of("5", "1"))
        data = Path("p.pack").read_bytes()
        Path("p.pack").write_bytes(data.replace(b'"amount":"1"', b'"amount":"2"'))
        assert "0 entries of logs that hold" in cf(*AUDIT).out

    def test_a_file_that_is_not_there_is_a_pack_that_is_refused(self, three):
        summary = three("audit", "p.pack", "nothing.pack", "--key", KEY, "--json").findings[-1]["summary"]
        assert (summary["held"], summary["refused"], summary["packsWhole"], summary["packsRefused"]) == (
            3,
            0,
            1,
            1,
        )

    def test_of_many_units_some_are_shown(self, book):
        for number in range(23):
            book("record", f"c{number}", "1", "--reason", "x", "--unit", f"unit{number:02}")
        book("checkpoint", "--all")
        book("pack", "--all", "-o", "p.pack")
        shown = [line for line in book("audit", "p.pack", *HOLD).lines if line.startswith("total ")]
        assert len(shown) == 21
        assert "3 more units" in shown[-1]


class TestPlaces:
    def test_a_refusal_names_line_and_index_in_words_facts_and_error(self, cf):
        write(engine_of("5", "-2", "1"))
        data = Path("p.pack").read_bytes()
        Path("p.pack").write_bytes(data.replace(b'"amount":"-2"', b'"amount":"two"'))
        outcome = cf(*AUDIT)
        assert outcome.code == "malformed"
        assert outcome.lines[0].endswith("(line 5, index 2)")
        assert "(line 5, index 2)" in outcome.err
        facts = cf(*AUDIT, "--json").findings[0]["facts"]
        assert (facts["line"], facts["index"]) == ("5", "2")

    def test_so_does_one_of_a_pack(self, cf):
        Path("p.pack").write_text("{}\n")
        assert cf(*AUDIT).lines[0].endswith("(line 1)")

    @pytest.mark.parametrize("processes", [1, 2, 3])
    def test_they_are_the_same_in_every_process(self, cf, processes):
        write(engine_of("5", "-2", customers=["a", "b", "c"]))
        data = Path("p.pack").read_bytes()
        Path("p.pack").write_bytes(data.replace(b'"amount":"-2"', b'"amount":"two"'))
        findings = cf(*AUDIT, "--json", "--processes", processes).findings
        assert [finding["facts"]["line"] for finding in findings[:3]] == ["5", "11", "17"]
