"""`checkpoint`, `checkpoints`, `receipt`, `receipts`, `consistency make`: from the store to files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from counterfoil.cli.files import write_output
from counterfoil.core.checkpoint import parse_checkpoint, sign_checkpoint
from counterfoil.core.tlog_proof import parse_consistency_file
from counterfoil.storage.key_folder import load_key_folder
from tests.cli.conftest import record_id
from tests.support import OPERATOR, refused


class TestCheckpoint:
    def test_named_customers_are_sealed_and_signed(self, book):
        book("record", "cust_001", "5", "--reason", "x")
        book("record", "cust_002", "5", "--reason", "x")
        outcome = book("checkpoint", "cust_002")
        assert outcome.status == 0
        assert outcome.lines[0].startswith("signed      cust_002  size 3, verified through 20")
        assert outcome.lines[1] == "1 checkpoint signed, 0 refused"
        assert book("customer", "cust_001", "--json").findings[0]["verifiedThroughAt"] is None

    def test_with_nothing_new_nothing_is_signed_unless_a_fresh_one_is_asked_for(self, kept):
        assert kept("checkpoint", "cust_001", "--json").findings[0]["outcome"] == "unchanged"
        assert kept("checkpoint", "--all").lines == ["0 checkpoints signed, 0 refused"]
        fresh = kept("checkpoint", "cust_001", "--refresh", "--json").findings[0]
        assert (fresh["outcome"], fresh["size"]) == ("signed", 5)
        assert kept("checkpoint", "--all", "--refresh", "--json").findings[0]["size"] == 6

    def test_all_takes_every_customer_with_something_new(self, kept):
        for customer in ("a", "b"):
            kept("record", customer, "5", "--reason", "x")
        assert kept("checkpoint", "--all").lines == ["2 checkpoints signed, 0 refused"]

    def test_a_customer_that_is_not_there_is_refused_and_the_others_are_done(self, book):
        book("record", "cust_001", "5", "--reason", "x")
        outcome = book("checkpoint", "nobody", "cust_001", "--json")
        assert (outcome.status, outcome.code) == (14, "customer-not-found")
        assert [finding["result"] for finding in outcome.findings] == ["customer-not-found", "ok"]
        assert [finding["customerId"] for finding in outcome.findings] == ["nobody", "cust_001"]
        assert "error: customer-not-found: nobody: " in outcome.err

    def test_a_log_that_was_changed_is_not_signed(self, book, tamper):
        book("record", "cust_001", "5", "--reason", "x")
        book("record", "cust_001", "6", "--reason", "x")
        tamper(
            'UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), \'"amount":"5"\', \'"amount":"4"\') AS BLOB)'
        )
        outcome = book("checkpoint", "--all")
        assert (outcome.status, outcome.code) == (20, "log-corrupt")
        assert "0 checkpoints signed, 1 refused" in outcome.out

    def test_a_refusal_says_of_which_log_it_is(self, kept, tamper):
        kept("record", "cust_001", "5", "--reason", "x")
        reference = kept("customer", "cust_001", "--json").findings[0]["customerReference"]
        tamper("UPDATE tiles SET hashes = randomblob(length(hashes))")
        for who, customer in ((["--all"], None), (["cust_001"], "cust_001")):
            outcome = kept("checkpoint", *who)
            assert (outcome.status, outcome.code) == (20, "log-corrupt")
            assert outcome.lines[0].startswith(f"refused     {customer or reference}  log-corrupt: ")
            finding = kept("checkpoint", *who, "--json").findings[0]
            assert (finding["customerId"], finding["customerReference"]) == (customer, reference)


class TestCheckpoints:
    def test_they_are_listed_by_size(self, kept):
        kept("checkpoint", "cust_001", "--refresh")
        assert [line.split()[:2] for line in kept("checkpoints", "cust_001").lines] == [
            ["size", "4"],
            ["size", "5"],
        ]
        assert [finding["size"] for finding in kept("checkpoints", "cust_001", "--json").findings] == [4, 5]

    def test_there_may_be_none(self, book):
        book("record", "cust_001", "5", "--reason", "x")
        assert book("checkpoints", "cust_001") == (0, "no checkpoints yet\n", "")

    def test_they_are_written_as_notes(self, kept):
        assert kept("checkpoints", "cust_001", "-o", "a/notes").lines == ["1 checkpoint in a/notes"]
        assert parse_checkpoint(Path("a/notes/4.checkpoint").read_bytes()).size == 4
        # Again is no harm.
        assert kept("checkpoints", "cust_001", "-o", "a/notes").status == 0

    def test_another_customers_note_is_not_overwritten(self, kept):
        for amount in ("1", "2"):
            kept("record", "cust_002", amount, "--reason", "x")
        kept("checkpoint", "cust_002")
        kept("checkpoints", "cust_001", "-o", "notes")
        before = Path("notes/4.checkpoint").read_bytes()
        outcome = kept("checkpoints", "cust_002", "-o", "notes")
        assert (outcome.status, outcome.code) == (2, "usage")
        assert Path("notes/4.checkpoint").read_bytes() == before

    def test_a_customer_that_is_not_there_is_refused(self, kept):
        assert kept("checkpoints", "nobody").code == "customer-not-found"


class TestReceipt:
    def test_it_goes_to_standard_output_or_a_file(self, kept):
        printed = kept("receipt", record_id(kept, 2))
        assert json.loads(printed.out) == json.loads(Path("receipt.json").read_bytes())
        assert kept("verify", "-", "--key", "operator.vkey", stdin=printed.out.encode()).status == 0

    def test_the_proof_for_other_tools_is_a_pair_of_files(self, kept):
        record = record_id(kept, 2)
        assert kept("receipt", record, "-o", "r.json", "--tlog-proof", "proofs").out == ""
        assert sorted(path.name for path in Path("proofs").iterdir()) == [
            f"{record}.entry",
            f"{record}.tlog-proof",
        ]
        receipt = json.loads(Path("r.json").read_bytes())
        assert Path(f"proofs/{record}.tlog-proof").read_text() == receipt["proof"]
        assert json.loads(Path(f"proofs/{record}.entry").read_bytes()) == receipt["entry"]

    def test_a_tool_of_others_verifies_it_with_the_key_of_the_log(self, kept):
        record = record_id(kept, 2)
        kept("receipt", record, "-o", "r.json", "--tlog-proof", "proofs")
        key = kept("key", "show", "--customer", "cust_001").out.strip()
        origin = kept("customer", "cust_001", "--json").findings[0]["origin"]
        line = [
            str(Path(sys.executable).with_name("proofbundle")),
            "verify-proof",
            f"proofs/{record}.tlog-proof",
        ]
        trusted = ["--payload-file", f"proofs/{record}.entry", "--log-vkey", key, "--expected-origin", origin]
        subprocess.run([*line, *trusted], check=True, capture_output=True)
        Path(f"proofs/{record}.entry").write_text("{}")
        assert subprocess.run([*line, *trusted], check=False, capture_output=True).returncode != 0

    @pytest.mark.parametrize(
        ("record", "status", "code"),
        [
            ("0x{0}.9", 14, "record-not-found"),
            ("cust_001", 14, "record-not-found"),
            ("../x", 14, "record-not-found"),
        ],
    )
    def test_a_record_that_is_not_there_is_refused(self, kept, record, status, code):
        outcome = kept("receipt", record.format("0" * 40), "-o", "r.json", "--tlog-proof", "proofs")
        assert (outcome.status, outcome.out, outcome.code) == (status, "", code)
        assert not Path("r.json").exists()
        assert not Path("proofs").exists()

    def test_before_a_checkpoint_there_is_none(self, kept):
        kept("record", "cust_001", "5", "--reason", "x")
        outcome = kept("receipt", record_id(kept, 4))
        assert (outcome.status, outcome.out, outcome.code) == (11, "", "not-yet-checkpointed")
        assert "counterfoil checkpoint" in outcome.err


class TestReceipts:
    def test_there_is_one_a_delta(self, kept):
        kept("record", "cust_001", "5", "--reason", "x")
        outcome = kept("receipts", "cust_001", "-o", "out")
        assert outcome.lines == ["2 receipts in out; 1 delta not under a checkpoint yet"]
        assert {path.name for path in Path("out").iterdir()} == {
            f"{record_id(kept, index)}.json" for index in (1, 2)
        }

    def test_those_of_several_customers_go_to_one_folder(self, kept):
        kept("record", "cust_002", "5", "--reason", "x")
        kept("checkpoint", "cust_002")
        assert kept("receipts", "cust_001", "cust_002", "-o", "out").lines == ["3 receipts in out"]
        assert kept("receipts", "--all", "-o", "all").lines == ["3 receipts in all"]

    @pytest.mark.parametrize("who", [["cust_002"], ["--all"]])
    def test_without_a_checkpoint_there_is_none(self, book, who):
        book("record", "cust_002", "5", "--reason", "x")
        outcome = book("receipts", *who, "-o", "out")
        assert (outcome.status, outcome.code) == (11, "not-yet-checkpointed")

    def test_all_passes_over_customers_without_a_checkpoint(self, kept):
        kept("record", "cust_002", "5", "--reason", "x")
        assert kept("receipts", "--all", "-o", "out").lines == [
            "2 receipts in out; 1 delta not under a checkpoint yet"
        ]

    def test_a_store_that_was_changed_gives_none(self, kept, tamper):
        tamper(
            "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), '500', '400') AS BLOB) WHERE idx = 1"
        )
        outcome = kept("receipts", "cust_001", "-o", "out")
        assert (outcome.status, outcome.code) == (20, "log-corrupt")


class TestWriting:
    def test_a_name_stands_for_old_bytes_or_new_ones(self, tmp_path, monkeypatch):
        file = tmp_path / "file"
        write_output(file, b"old")
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("as planned")))
            with pytest.raises(OSError, match="as planned"):
                write_output(file, b"new")
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]
        write_output(file, b"new")
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"new"]

    def test_what_is_no_plain_file_is_not_touched(self, tmp_path):
        target = tmp_path / "target"
        target.write_bytes(b"somebody else's")
        link, folder, dangling = tmp_path / "link", tmp_path / "folder", tmp_path / "dangling"
        link.symlink_to(target)
        dangling.symlink_to(tmp_path / "nothing")
        folder.mkdir()
        for path in (link, dangling, folder, Path("/dev/null")):
            with refused("usage"):
                write_output(path, b"new")
        assert target.read_bytes() == b"somebody else's"
        assert link.is_symlink()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "folder", "link", "target"]

    @pytest.mark.parametrize("output", ["nowhere/r.json", "operator.vkey/r.json", "counterfoil-keys"])
    def test_a_place_that_cannot_be_written_is_misuse(self, kept, output):
        assert kept("receipt", record_id(kept, 2), "-o", output).status in (2, 74)
        outcome = kept("receipts", "cust_001", "-o", "operator.vkey")
        assert (outcome.status, outcome.code) == (2, "usage")


class TestConsistencyMake:
    def test_from_a_size(self, kept):
        kept("checkpoint", "cust_001", "--refresh")
        outcome = kept("consistency", "make", "cust_001", "--from", "4")
        assert (outcome.status, outcome.err) == (0, "")
        assert parse_consistency_file(outcome.out).checkpoint.size == 5
        kept("consistency", "make", "cust_001", "--from", "4", "-o", "file")
        assert Path("file").read_text() == outcome.out

    def test_from_a_checkpoint_that_somebody_holds(self, kept):
        kept("checkpoints", "cust_001", "-o", "notes")
        kept("checkpoint", "cust_001", "--refresh")
        outcome = kept("consistency", "make", "cust_001", "--from", "notes/4.checkpoint", "-o", "file")
        assert (outcome.status, outcome.out, outcome.err) == (0, "", "")
        line = "consistency verify notes/4.checkpoint file --key operator.vkey"
        assert kept(*line.split()).status == 0

    @pytest.mark.parametrize(
        ("old", "status", "code"),
        [
            ("3", 14, "record-not-found"),
            ("0", 14, "record-not-found"),
            ("99", 14, "record-not-found"),
            ("99999999999999999999", 2, "usage"),
            ("-4", 2, "usage"),
            ("receipt.json", 13, "malformed"),
            ("missing", 2, "usage"),
        ],
    )
    def test_from_what_is_no_checkpoint_of_it_is_refused(self, kept, old, status, code):
        outcome = kept("consistency", "make", "cust_001", "--from", old)
        assert (outcome.status, outcome.out, outcome.code) == (status, "", code)

    def test_a_checkpoint_of_another_log_is_refused(self, kept):
        kept("record", "cust_002", "5", "--reason", "x")
        kept("checkpoint", "cust_002")
        kept("checkpoints", "cust_002", "-o", "notes")
        outcome = kept("consistency", "make", "cust_001", "--from", "notes/3.checkpoint")
        assert (outcome.status, outcome.code) == (10, "wrong-origin")
        assert kept("consistency", "make", "nobody", "--from", "4").code == "customer-not-found"

    def test_a_checkpoint_of_another_key_is_refused(self, kept):
        # Whatever it says: even a size that there is none of is not looked up.
        for size in (4, 3):
            outcome = made_from(kept, OPERATOR.signer, root=None, size=size)
            assert (outcome.status, outcome.code) == (11, "unknown-key")

    def test_a_checkpoint_with_another_root_is_evidence_of_a_fork(self, kept):
        signer = load_key_folder(Path("counterfoil-keys")).signer
        assert made_from(kept, signer, root=None).status == 0
        outcome = made_from(kept, signer, root=b"\1" * 32)
        assert (outcome.status, outcome.out, outcome.code) == (12, "", "fork")


def made_from(call, signer, root, size=4):
    """Make a consistency file from a checkpoint that this signer signed."""
    finding = call("checkpoints", "cust_001", "--json").findings[0]
    held = sign_checkpoint(finding["origin"], size, root or bytes.fromhex(finding["root"]), signer)
    Path("held").write_text(held.note)
    call("checkpoint", "cust_001", "--refresh")
    return call("consistency", "make", "cust_001", "--from", "held")


@pytest.mark.parametrize(
    "name", ["counterfoil.db", "counterfoil.db-journal", "counterfoil-keys/reference-key.txt"]
)
def test_a_document_does_not_replace_what_the_records_rest_on(kept, name):
    before = Path(name).read_bytes()
    for command_line in (("receipt", record_id(kept, 1)), ("consistency", "make", "cust_001", "--from", "4")):
        outcome = kept(*command_line, "-o", name)
        assert (outcome.status, outcome.code) == (2, "usage")
        assert Path(name).read_bytes() == before
