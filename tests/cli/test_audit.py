"""`audit`, `demo`, `conformance`."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from counterfoil.conformance.vectors import load_vectors
from counterfoil.engine.engine import Engine
from tests.cli.conftest import command, environment
from tests.support import OPERATOR

AMOUNT = 'UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), \'"amount":"500"\', \'"amount":"400"\') AS BLOB) WHERE idx = 1'


class TestAudit:
    def test_a_log_that_holds_is_said_to(self, kept):
        outcome = kept("audit", "--customer", "cust_001")
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.lines[0].startswith("holds    0x")
        assert "2 deltas, 1 checkpoint; complete through 20" in outcome.lines[0]
        assert outcome.lines[1] == "1 log held, 0 refused; 4 entries recomputed from their bytes"

    def test_entries_that_no_checkpoint_covers_are_said_to_be_unsigned(self, kept):
        kept("record", "cust_001", "5", "--reason", "x")
        outcome = kept("audit", "--all")
        assert outcome.status == 0
        assert "1 behind them unsigned" in outcome.lines[0]
        assert "1 entries that no checkpoint covers yet" in outcome.lines[2]
        finding = kept("audit", "--all", "--json").findings[0]
        assert (finding["result"], finding["notCovered"]) == ("ok", 1)

    def test_details_that_were_erased_are_not_checked_and_said_so(self, kept, tamper):
        tamper("UPDATE entries SET salt = NULL, value = NULL WHERE idx = 1")
        outcome = kept("audit", "--all")
        assert outcome.status == 0
        assert "1 details that were erased" in outcome.lines[2]

    @pytest.mark.parametrize(
        ("statement", "status", "code"),
        [
            (AMOUNT, 10, "totals-mismatch"),
            ("UPDATE entries SET value = CAST('{\"reason\":\"x\"}' AS BLOB) WHERE idx = 1", 10, "details-mismatch"),
            ("UPDATE entries SET entry = X'7B7D' WHERE idx = 1", 13, "malformed"),
            ("UPDATE entries SET key_prefix = 1 WHERE idx = 1", 20, "log-corrupt"),
            ("UPDATE tiles SET hashes = randomblob(length(hashes))", 20, "log-corrupt"),
            ("UPDATE checkpoints SET note = CAST(replace(CAST(note AS TEXT), char(10)||'4'||char(10), char(10)||'5'||char(10)) AS BLOB)", 10, "bad-signature"),
        ],
    )  # fmt: skip
    def test_a_store_that_was_changed_is_found_out(self, kept, tamper, statement, status, code):
        tamper(statement)
        outcome = kept("audit", "--all")
        assert (outcome.status, outcome.code) == (status, code)
        assert outcome.lines[0].startswith("refused  0x")
        assert outcome.lines[1].startswith("0 logs held, 1 refused")

    def test_the_others_are_audited_all_the_same(self, kept, tamper):
        kept("record", "cust_002", "7", "--reason", "x")
        kept("checkpoint", "--all")
        tamper(AMOUNT)
        outcome = kept("audit", "--all", "--json")
        assert sorted(finding["result"] for finding in outcome.findings[:2]) == ["ok", "totals-mismatch"]
        assert outcome.status == 10

    def test_keys_come_from_the_caller(self, kept):
        assert kept("audit", "--all", "--key", "operator.vkey").status == 0
        outcome = kept("audit", "--all", "--key", str(OPERATOR.verifier_key))
        assert (outcome.status, outcome.code) == (11, "unknown-key")

    def test_without_a_signature_nothing_is_decided(self, book):
        book("record", "cust_001", "5", "--reason", "x")
        outcome = book("audit", "--all")
        assert (outcome.status, outcome.code) == (11, "not-yet-checkpointed")

    def test_entries_of_a_later_version_leave_the_verdict_open(self, kept, monkeypatch):
        audit_log = Engine.audit_log
        monkeypatch.setattr(
            Engine, "audit_log", lambda *given, **named: replace(audit_log(*given, **named), unknown_types=1)
        )
        outcome = kept("audit", "--all")
        assert (outcome.status, outcome.code) == (11, "unknown-type")

    def test_without_a_log_nothing_is_checked(self, book):
        outcome = book("audit", "--all")
        assert (outcome.status, outcome.code) == (11, "nothing-checked")

    def test_a_customer_that_is_not_there_is_refused(self, kept):
        outcome = kept("audit", "--customer", "nobody", "--customer", "cust_001")
        assert (outcome.status, outcome.code) == (14, "customer-not-found")
        assert outcome.lines[1].startswith("holds")


class TestDemo:
    def test_it_replays_proves_and_catches_both_lies(self, cf):
        outcome = cf("demo")
        assert (outcome.status, outcome.err) == (0, "")
        months = [line.split()[0] for line in outcome.lines if line.startswith("  199")]
        assert len(months) == 18
        assert (months[0], months[-1]) == ("1997-01", "1998-06")
        assert sum(int(line.split()[1]) for line in outcome.lines if line.startswith("  199")) == 112
        assert "112 receipts issued; each verified" in outcome.out
        # The same lies in every run.
        assert "in a receipt of customer 00004 the amount -26.48 becomes -0.01." in outcome.out
        assert "somebody changes a row, from -29.33 to -0.01." in outcome.out
        lies = [line for line in outcome.lines if "error:" in line]
        assert [line.split()[2] for line in lies] == ["root-mismatch:", "totals-mismatch:"]

    def test_it_leaves_nothing_behind(self, cf, monkeypatch, tmp_path):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        assert cf("demo").status == 0
        assert list(tmp_path.iterdir()) == []

    def test_a_lie_that_is_believed_is_a_defect(self, cf, monkeypatch):
        monkeypatch.setattr("counterfoil.cli.demo.verify_receipt", lambda *_, **__: None)
        outcome = cf("demo")
        assert (outcome.status, outcome.code) == (70, "internal")

    def test_what_it_says_to_do_next_works(self, cf):
        commands = [line.split() for line in cf("demo").out.partition("Your own:\n")[2].splitlines()]
        assert len(commands) == 7
        for words in commands:
            if words[-2:-1] == [">"]:
                Path(words[-1]).write_text(cf(*words[1:-2]).out)
            else:
                assert cf(*words[1:]).status == 0, words


class TestConformance:
    def test_ours_conforms(self, cf, monkeypatch):
        for name, value in environment().items():
            monkeypatch.setenv(name, value)
        outcome = cf("conformance", "run", "--command", " ".join(command("conformance", "respond")))
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.lines[-1].split() == ["all", str(len(load_vectors())), "0", "0"]

    def test_one_that_does_not_ends_with_10(self, cf):
        program = 'import sys, json\nfor line in sys.stdin: print(json.dumps({"id": json.loads(line)["id"], "result": "ok"}), flush=True)'
        Path("wrong.py").write_text(program)
        line = ["conformance", "run", "--command", f"{sys.executable} wrong.py"]
        outcome = cf(*line)
        assert (outcome.status, outcome.err) == (10, "")
        assert outcome.lines[0].startswith("FAIL ")
        findings = cf(*line, "--json").findings
        assert {"id", "want", "got", "comment", "spec"} == set(findings[0])
        assert {"topic", "passed", "failed", "unsupported"} == set(findings[-1])

    def test_a_person_is_not_shown_thousands_of_failures_and_a_program_is(self, cf):
        line = ["conformance", "run", "--command", "false"]
        outcome = cf(*line)
        assert outcome.status == 10
        shown = [text for text in outcome.lines if text.startswith("FAIL ")]
        assert shown[-1] == f"FAIL +{len(load_vectors()) - 20:,} more; --json lists them all"
        assert len(shown) == 21
        findings = cf(*line, "--json").findings
        assert [finding["id"] for finding in findings if "id" in finding] == [
            case.id for case in load_vectors()
        ]

    @pytest.mark.parametrize("options", [["--command", ""], ["--command", "'"], ["--command", "/nosuch"], []])
    def test_a_command_that_is_none_is_misuse(self, cf, options):
        assert cf("conformance", "run", *options).code == "usage"

    @pytest.mark.parametrize("seconds", ["0", "-1", "nan", "0.5", "86401", ""])
    def test_a_time_that_is_none_is_misuse(self, cf, seconds):
        assert cf("conformance", "run", "--command", "true", "--timeout", seconds).code == "usage"

    def test_a_run_that_takes_too_long_is_ended(self, cf):
        outcome = cf("conformance", "run", "--command", "sleep 600", "--timeout", "1", "--json")
        assert outcome.status == 10
        got = [finding["got"] for finding in outcome.findings if "got" in finding]
        # What is left of the second when the first answer is waited for.
        assert re.fullmatch(r"the process gave no answer within (1|0\.\d+) seconds", got[0])
        assert set(got[1:]) == {"not asked: the time for the run was over"}

    def test_a_folder_without_vectors_is_misuse(self, cf):
        outcome = cf("conformance", "run", "--command", "true", "--vectors", ".")
        assert (outcome.status, outcome.code) == (2, "usage")

    def test_a_topic_alone_is_asked_for(self, cf):
        outcome = cf(
            "conformance", "run", "--command", "false", "--topic", "amount", "--topic", "time", "--json"
        )
        asked = [case.id for case in load_vectors() if case.topic in ("amount", "time")]
        assert [finding["id"] for finding in outcome.findings if "id" in finding] == asked
        assert asked

    def test_a_topic_that_there_is_not_is_misuse(self, cf):
        assert cf("conformance", "run", "--command", "true", "--topic", "nosuch").code == "usage"

    def test_requests_are_lines_of_utf_8_whatever_the_locale(self, cf):
        requests = (
            '{"id": "é\u2028", "op": "amount", "text": "1"}\n\n{"id": "2", "op": "nosuch"}\n'.encode()
            + b"\xff\n"
        )
        outcome = cf("conformance", "respond", stdin=requests)
        assert outcome.status == 0
        assert [json.loads(line)["result"] for line in outcome.out.split("\n")[:-1]] == [
            "ok", "malformed", "unsupported", "malformed",
        ]  # fmt: skip
        assert json.loads(outcome.out.split("\n")[0])["id"] == "é\u2028"
