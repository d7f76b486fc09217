"""`verify` and `consistency verify`: a verdict for every file, and the worst decides."""

import json
import os
import shutil
from pathlib import Path

import pytest

from counterfoil.core.checkpoint import sign_checkpoint
from counterfoil.core.note import verifier_key
from counterfoil.engine.engine import Engine
from counterfoil.limits import KEY_FILE_BYTES_MAX, RECEIPT_BYTES_MAX, REPORT_BYTES_MAX
from counterfoil.storage.memory import MemoryStore
from tests.cli.conftest import record_id, rewrite
from tests.core.disputes import Billed, made, receipt
from tests.core.logs import OPERATOR as OF_OTHERS
from tests.core.logs import SIGNER
from tests.support import OPERATOR, FakeClock, delta, operator_named, seeded

KEY = str(OPERATOR.verifier_key)
# Of the logs that are put together by hand.
OF_LOGS = str(verifier_key(OF_OTHERS, SIGNER.public_key))


def history(*amounts, randomness=1, operator=OPERATOR, customer="alice"):
    """One history of one log, under a checkpoint; with another seed it is another history."""
    engine = Engine(MemoryStore(FakeClock()), operator, randomness=seeded(randomness))
    for amount in amounts:
        engine.record(delta(amount, customer))
    engine.checkpoint(customer)
    return engine


def receipt_of(engine, index, name, customer="alice", **options):
    proven = engine.receipt(f"0x{engine.log_of(customer).hex()}.{index}", **options)
    Path(name).write_bytes(proven.receipt)
    return name


def note_of(engine, name):
    (checkpoint,) = engine.checkpoints("alice")
    Path(name).write_text(checkpoint.note)
    return name


class TestReceipts:
    def test_one_that_holds_is_explained(self, kept):
        outcome = kept("verify", "receipt.json", "--key", "operator.vkey")
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.lines[0].startswith(
            "verified  receipt.json  delta -12.5 EUR, index 2 of 4, recorded 20"
        )
        assert "; customer cust_001" in outcome.lines[0]
        assert outcome.lines[1] == "1 verified, 0 refused; 1 receipt under 1 checkpoint of 1 log"
        assert outcome.lines[2].startswith("not checked: ")

    def test_json_gives_one_object_a_file_and_a_summary(self, kept):
        outcome = kept("verify", "receipt.json", "operator.vkey", "--key", "operator.vkey", "--json")
        good, bad, last = outcome.findings
        assert (good["file"], good["result"], good["kind"], good["index"]) == (
            "receipt.json",
            "ok",
            "receipt",
            2,
        )
        assert good["details"] == {"reason": "api_call", "referenceId": "line 1"}
        assert (bad["file"], bad["result"]) == ("operator.vkey", "malformed")
        assert (last["summary"]["verified"], last["summary"]["refused"]) == (1, 1)

    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            (lambda r: r["entry"].update(amount="-12"), 10, "root-mismatch"),
            (lambda r: r["entry"].update(amount="-12.50"), 13, "malformed"),
            (lambda r: r["entry"].update(type="counterfoil/later@v9"), 11, "unknown-type"),
            (lambda r: r.update(type="counterfoil/receipt@v2"), 11, "unknown-type"),
            (lambda r: r["details"]["value"].update(reason="another"), 10, "details-mismatch"),
            (lambda r: r["open"]["details"]["value"].update(customerId="another"), 10, "details-mismatch"),
            (lambda r: r.update(proof=r["proof"].replace("index 2", "index 1")), 10, "index-mismatch"),
            (lambda r: r.update(proof=r["proof"].replace("\n4\n", "\n5\n")), 10, "bad-signature"),
            (lambda r: r.update(extra="member"), 13, "malformed"),
            (
                lambda r: r.update(details={"salt": "00" * 32, "value": {"reason": "x" * 20_000}}),
                13,
                "too-large",
            ),
        ],
    )
    def test_one_that_was_changed_is_refused_with_its_code(self, kept, change, status, code):
        rewrite("receipt.json", change)
        outcome = kept("verify", "receipt.json", "--key", "operator.vkey")
        assert (outcome.status, outcome.code) == (status, code)
        assert outcome.lines[0].startswith(f"refused   receipt.json  {code}: ")
        assert outcome.lines[1].startswith("0 verified, 1 refused")
        assert outcome.err.startswith(f"counterfoil: error: {code}: receipt.json: ")
        assert (
            kept("verify", "receipt.json", "--key", "operator.vkey", "--json").findings[0]["result"] == code
        )

    def test_one_that_is_too_large_is_not_read(self, kept):
        Path("big.json").write_bytes(b"{}" + b" " * RECEIPT_BYTES_MAX)
        with Path("huge.json").open("wb") as stream:
            stream.truncate(REPORT_BYTES_MAX + 1)
        for name in ("big.json", "huge.json"):
            outcome = kept("verify", name, "--key", "operator.vkey")
            assert (outcome.status, outcome.code) == (13, "too-large")

    def test_a_key_of_somebody_else_decides_nothing(self, kept):
        outcome = kept("verify", "receipt.json", "--key", KEY)
        assert (outcome.status, outcome.code) == (11, "unknown-key")
        assert "by a way that you trust" in outcome.err

    def test_the_caller_may_name_origin_and_customer(self, kept):
        origin = kept("customer", "cust_001", "--json").findings[0]["origin"]
        line = ["verify", "receipt.json", "--key", "operator.vkey"]
        assert kept(*line, "--origin", origin, "--customer", "cust_001").status == 0
        for option, value in (("--origin", "ledger.example.com/x"), ("--customer", "cust_002")):
            outcome = kept(*line, option, value)
            assert (outcome.status, outcome.code) == (10, "wrong-origin")
            assert f"wanted {value}" in outcome.err

    def test_one_that_names_no_customer_says_so(self, cf):
        engine = history("5")
        receipt_of(engine, 1, "r.json", with_open=False)
        outcome = cf("verify", "r.json", "--key", KEY)
        assert outcome.lines[0].endswith("; customer not checked")
        assert "the customer of 1 document" in outcome.lines[2]
        outcome = cf("verify", "r.json", "--key", KEY, "--customer", "alice")
        assert outcome.code == "wrong-origin"
        assert outcome.err.endswith("the receipt names no customer (wanted alice)\n")

    def test_open_and_seal_have_receipts_too(self, cf):
        engine = history("5")
        outcome = cf("verify", receipt_of(engine, 0, "o.json"), receipt_of(engine, 2, "s.json"), "--key", KEY)
        assert outcome.status == 0
        assert "counterfoil/open@v1, index 0 of 3" in outcome.lines[0]
        assert "counterfoil/seal@v1, index 2 of 3" in outcome.lines[1]

    def test_standard_input_is_one(self, kept):
        assert (
            kept("verify", "-", "--key", "operator.vkey", stdin=Path("receipt.json").read_bytes()).status == 0
        )


class TestFolders:
    def test_what_is_ours_in_them_is_verified_in_order(self, kept):
        kept("receipts", "cust_001", "-o", "f/b/receipts")
        kept("checkpoints", "cust_001", "-o", "f/a/notes")
        kept("receipt", record_id(kept, 1), "-o", "f/z.json", "--tlog-proof", "f/proofs")
        Path("f/README").write_text("other")
        outcome = kept("verify", "f", "--key", "operator.vkey")
        assert (outcome.status, outcome.err) == (0, "")
        assert [line.split()[1].rpartition("/")[0] for line in outcome.lines[:-2]] == [
            "f", "f/a/notes", "f/b/receipts", "f/b/receipts", "f/proofs",
        ]  # fmt: skip
        assert "1 other file in the folders" in outcome.lines[-1]

    def test_an_empty_one_is_no_success(self, kept):
        Path("empty").mkdir()
        Path("empty/other.txt").write_text("x")
        outcome = kept("verify", "empty", "--key", "operator.vkey")
        assert (outcome.status, outcome.code) == (11, "nothing-checked")
        assert outcome.lines == ["0 verified, 0 refused; 0 receipts under 0 checkpoints of 0 logs"]

    def test_a_file_that_is_missing_stops_before_the_first_verdict(self, kept):
        outcome = kept("verify", "receipt.json", "missing.json", "--key", "operator.vkey")
        assert (outcome.status, outcome.out, outcome.code) == (2, "", "usage")

    def test_one_that_cannot_be_read_was_not_checked(self, kept, monkeypatch):
        Path("f").mkdir()
        shutil.copy("receipt.json", "f/a.json")
        shutil.copy("receipt.json", "f/b.json")
        original = os.open

        def failing(path, *arguments, **options):
            if path == "f/b.json":
                raise PermissionError(13, "Permission denied", path)
            return original(path, *arguments, **options)

        monkeypatch.setattr(os, "open", failing)
        outcome = kept("verify", "f", "--key", "operator.vkey")
        assert (outcome.status, outcome.code) == (74, "io-error")
        assert outcome.lines[0].startswith("verified  f/a.json")
        assert outcome.lines[1] == "refused   f/b.json  io-error: f/b.json: Permission denied"

    def test_symbolic_links_in_them_are_not_followed_and_said_so(self, kept):
        Path("f/sub").mkdir(parents=True)
        shutil.copy("receipt.json", "f/a.json")
        Path("secret").write_text("a secret of the reader")
        Path("f/b.json").symlink_to("../secret")
        Path("f/sub/up").symlink_to("..")
        outcome = kept("verify", "f", "--key", "operator.vkey")
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.lines[1].startswith("1 verified, 0 refused")
        assert outcome.lines[-1].endswith("; 2 symbolic links in the folders")
        # One that the caller names is the caller's.
        Path("g").symlink_to("f")
        assert kept("verify", "g", "--key", "operator.vkey").status == 0

    def test_a_record_beside_a_proof_is_no_link_and_no_pipe(self, kept):
        record = record_id(kept, 2)
        kept("receipt", record, "-o", "r.json", "--tlog-proof", "p")
        Path("secret").write_text("a secret of the reader")
        entry = Path(f"p/{record}.entry")
        for make, words in (
            (lambda: entry.symlink_to("../secret"), "is a symbolic link, not a file"),
            (lambda: os.mkfifo(entry), "is no plain file"),
        ):
            entry.unlink()
            make()
            outcome = kept("verify", "p", "--key", "operator.vkey")
            assert (outcome.status, outcome.code) == (2, "usage")
            assert words in outcome.err
            assert "secret" not in outcome.out + outcome.err

    def test_they_may_be_nested_as_deep_as_the_system_lets_them(self, kept):
        deep = "d"
        for _ in range(1_200):
            Path(deep).mkdir()
            deep += "/d"
        deep = deep[:-2]
        shutil.copy("receipt.json", f"{deep}/r.json")
        outcome = kept("verify", "d", "--key", "operator.vkey")
        # Not left to who cleans up: that the standard library does with a recursion.
        Path(deep, "r.json").unlink()
        os.removedirs(deep)
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.lines[1].startswith("1 verified")

    def test_the_worst_decides_and_is_named(self, kept):
        for name in ("a", "b", "c", "d"):
            shutil.copy("receipt.json", f"{name}.json")
        rewrite("b.json", lambda r: r.update(type="counterfoil/receipt@v2"))
        Path("c.json").write_text("{")
        assert kept("verify", "a.json", "b.json", "--key", "operator.vkey").status == 11
        assert kept("verify", "a.json", "b.json", "c.json", "--key", "operator.vkey").status == 13
        rewrite("d.json", lambda r: r["entry"].update(amount="-12"))
        outcome = kept("verify", "a.json", "b.json", "c.json", "d.json", "--key", "operator.vkey")
        assert (outcome.status, outcome.code) == (10, "root-mismatch")
        assert "3 of 4 were refused; the worst: d.json: " in outcome.err


class TestNames:
    def test_a_pipe_is_no_file(self, kept):
        os.mkfifo("pipe")
        for line in (
            "verify pipe --key operator.vkey",
            "verify receipt.json --key pipe",
            "inspect pipe",
        ):
            outcome = kept(*line.split())
            assert (outcome.status, outcome.code) == (2, "usage")
            assert "pipe is no plain file" in outcome.err

    def test_what_this_process_was_started_with_may_be_a_pipe(self, kept):
        reader, writer = os.pipe()
        os.write(writer, Path("operator.vkey").read_bytes())
        os.close(writer)
        outcome = kept("verify", "receipt.json", "--key", f"/dev/fd/{reader}")
        os.close(reader)
        assert (outcome.status, outcome.err) == (0, "")

    def test_one_cannot_go_on_as_a_verdict(self, kept):
        name = 'good.json  delta 5 EUR; customer "x'
        Path(name).write_text("{")
        Path("it's a receipt.json").write_bytes(Path("receipt.json").read_bytes())
        outcome = kept("verify", name, "it's a receipt.json", "--key", "operator.vkey")
        shown = r'"good.json  delta 5 EUR; customer \"x"'
        assert outcome.lines[0].startswith(f"refused   {shown}  malformed: ")
        assert outcome.lines[1].startswith('verified  "it\'s a receipt.json"  delta ')
        assert f"error: malformed: {shown}: " in outcome.err
        # A program gets it as it is.
        assert kept("verify", name, "--key", "operator.vkey", "--json").findings[0]["file"] == name

    @pytest.mark.parametrize(
        ("name", "data", "words"),
        [
            ("r.json", b"\xef\xbb\xbf{}", "document starts with a byte order mark"),
            ("r.txt", b"\xef\xbb\xbf{}", "document starts with a byte order mark"),
            ("r.txt", b"[1]", "receipt is not a JSON object with a type"),
            ("r.json", b"", "document is not JSON: expecting value, line 1 column 1"),
            ("r.json", b'{"type": 1,\n]', "document is not JSON: expecting property name"),
            ("r.json", b"[" * 100_000, "document nests too deeply"),
        ],
    )
    def test_what_should_be_a_receipt_is_refused_as_one(self, kept, name, data, words):
        Path(name).write_bytes(data)
        outcome = kept("verify", name, "--key", "operator.vkey")
        assert (outcome.status, outcome.code) == (13, "malformed")
        assert f"{name}: {words}" in outcome.err

    def test_a_record_is_verified_with_its_proof(self, kept):
        record = record_id(kept, 2)
        kept("receipt", record, "-o", "r.json", "--tlog-proof", "p")
        outcome = kept("verify", f"p/{record}.entry", "--key", "operator.vkey")
        assert (outcome.status, outcome.code) == (11, "nothing-checked")
        assert "a record is verified with its proof: name the .tlog-proof file" in outcome.err


class TestOtherDocuments:
    def test_of_a_checkpoint_the_signature_is_verified(self, kept):
        kept("checkpoints", "cust_001", "-o", "notes")
        outcome = kept("verify", "notes/4.checkpoint", "--key", "operator.vkey")
        assert outcome.status == 0
        assert outcome.lines[0].endswith("size 4; only its signature is checked")
        text = Path("notes/4.checkpoint").read_text()
        Path("notes/4.checkpoint").write_text(text.replace("\n4\n", "\n5\n"))
        outcome = kept("verify", "notes/4.checkpoint", "--key", "operator.vkey")
        assert (outcome.status, outcome.code) == (10, "bad-signature")

    def test_a_checkpoint_names_no_customer(self, kept):
        kept("checkpoints", "cust_001", "-o", "notes")
        line = ["verify", "notes/4.checkpoint", "--key", "operator.vkey"]
        assert kept(*line, "--customer", "cust_001").code == "wrong-origin"
        assert kept(*line, "--origin", "ledger.example.com/x").code == "wrong-origin"

    def test_a_proof_stands_beside_its_record(self, kept):
        record = record_id(kept, 2)
        kept("receipt", record, "-o", "r.json", "--tlog-proof", "p")
        line = ["verify", f"p/{record}.tlog-proof", "--key", "operator.vkey"]
        outcome = kept(*line)
        assert (outcome.status, outcome.err) == (0, "")
        assert "delta -12.5 EUR, index 2 of 4" in outcome.lines[0]
        entry = Path(f"p/{record}.entry")
        entry.write_bytes(entry.read_bytes().replace(b"-12.5", b"-12.4"))
        assert kept(*line).code == "root-mismatch"
        entry.unlink()
        assert kept(*line).code == "usage"
        Path(f"p/{record}.tlog-proof").rename("p/proof")
        assert kept("verify", "p/proof", "--key", "operator.vkey").code == "nothing-checked"

    def test_a_consistency_file_alone_proves_nothing(self, kept):
        kept("consistency", "make", "cust_001", "--from", "4", "-o", "file")
        outcome = kept("verify", "file", "--key", "operator.vkey")
        assert (outcome.status, outcome.code) == (11, "nothing-checked")
        assert "counterfoil consistency verify" in outcome.err


class TestForks:
    def test_two_receipts_of_one_index_with_different_leaves(self, cf):
        one, other = history("5", "6"), history("5", "7", "8", randomness=2)
        names = receipt_of(one, 2, "a.json"), receipt_of(other, 2, "b.json")
        for name in names:
            assert cf("verify", name, "--key", KEY).status == 0
        outcome = cf("verify", *names, "--key", KEY)
        assert (outcome.status, outcome.code) == (12, "fork")
        assert outcome.lines[1].startswith("refused   b.json  fork: ")
        assert "first a.json, second b.json" in outcome.err
        assert "keep both documents" in outcome.err

    def test_two_receipts_with_different_beginnings(self, cf):
        one, other = history("5"), history("5", "7", randomness=2)
        outcome = cf("verify", receipt_of(one, 1, "a.json"), receipt_of(other, 2, "b.json"), "--key", KEY)
        assert (outcome.status, outcome.code) == (12, "fork")
        assert "at index 0" in outcome.err

    def test_two_checkpoints_of_one_size_with_different_roots(self, cf):
        names = note_of(history("5"), "a.checkpoint"), note_of(history("6"), "b.checkpoint")
        outcome = cf("verify", *names, "--key", KEY)
        assert (outcome.status, outcome.code) == (12, "fork")

    def test_a_checkpoint_and_a_receipt_under_another_of_its_size(self, cf):
        names = note_of(history("5"), "a.checkpoint"), receipt_of(history("6"), 1, "b.json")
        assert cf("verify", *names, "--key", KEY).code == "fork"

    def test_two_logs_of_one_customer(self, cf):
        other = operator_named(reference="another")
        names = receipt_of(history("5"), 1, "a.json"), receipt_of(history("5", operator=other), 1, "b.json")
        outcome = cf("verify", *names, "--key", KEY)
        assert (outcome.status, outcome.code) == (12, "fork")
        assert "two logs of customer alice" in outcome.err

    def test_the_receipts_of_a_dispute_packet_are_held_against_other_documents(self, cf):
        # One log up to entry 8; behind it two histories, of which the one stands in the packet.
        early, late = Billed(9, seals={5}), Billed(12, seals={5, 8})
        other = late.rewritten({10: {"effectiveAt": late.time(0)}})
        packet = made([], early, entries=(3, 8))
        packet["receipts"] = [json.loads(receipt(index, other)) for index in (3, 4, 6, 7)]
        Path("d.json").write_text(json.dumps(packet))
        Path("r.json").write_bytes(receipt(2, late))
        for name in ("d.json", "r.json"):
            assert cf("verify", name, "--key", OF_LOGS).status == 0
        outcome = cf("verify", "d.json", "r.json", "--key", OF_LOGS)
        assert (outcome.status, outcome.code) == (12, "fork")
        assert cf("verify", "r.json", "d.json", "--key", OF_LOGS).code == "fork"

    def test_a_document_that_is_refused_is_no_evidence_against_the_next(self, cf):
        one, other = history("5", "6"), history("5", "7", "8", "9", randomness=2)
        names = [receipt_of(one, 2, "a.json"), receipt_of(other, 2, "b.json")]
        one.record(delta("7", "alice"))
        one.checkpoint("alice")
        # Of the size of the one that was refused.
        names.append(receipt_of(one, 2, "c.json"))
        outcome = cf("verify", *names, "--key", KEY)
        assert [line.split()[0] for line in outcome.lines[:3]] == ["verified", "refused", "verified"]
        assert "2 verified, 1 refused; 2 receipts under 2 checkpoints of 1 log" in outcome.out

    def test_a_fork_outranks_everything_that_was_decided(self, cf):
        names = note_of(history("5"), "a.checkpoint"), note_of(history("6"), "b.checkpoint")
        Path("c.json").write_text("{")
        shutil.copy(receipt_of(history("5"), 1, "d.json"), "e.json")
        rewrite("e.json", lambda r: r["entry"].update(amount="4"))
        assert cf("verify", "c.json", "e.json", *names, "--key", KEY).status == 12

    def test_what_does_not_verify_is_no_evidence(self, cf):
        names = note_of(history("5"), "a.checkpoint"), receipt_of(history("6"), 1, "b.json")
        rewrite("b.json", lambda r: r["entry"].update(amount="5"))
        assert cf("verify", *names, "--key", KEY).code == "root-mismatch"

    def test_the_same_twice_and_two_of_one_history_are_none(self, cf):
        engine = history("5", "6")
        names = [receipt_of(engine, index, f"{index}.json") for index in (0, 1, 2, 3)]
        other = history("5", customer="bob")
        names.append(receipt_of(other, 1, "bob.json", "bob"))
        assert cf("verify", *names, *names, "--key", KEY).status == 0


class TestKeys:
    def test_a_file_may_hold_several_and_remarks(self, kept):
        text = Path("operator.vkey").read_text()
        Path("keys").write_text(f"# trusted\r\n\n  {KEY}  \n{text}")
        assert kept("verify", "receipt.json", "--key", "keys").status == 0

    def test_several_may_be_given(self, kept):
        assert kept("verify", "receipt.json", "--key", KEY, "--key", "operator.vkey").status == 0

    def test_a_key_may_be_given_itself(self, kept):
        assert kept("verify", "receipt.json", "--key", Path("operator.vkey").read_text().strip()).status == 0

    @pytest.mark.parametrize("sign", ["\f", "\v", "\r", "\x1c", "\x85", "\u2028", "\u2029"])
    def test_nothing_but_a_newline_ends_a_remark(self, kept, sign):
        Path("keys").write_bytes(f"# not trusted any more:{sign}{KEY}\n".encode())
        outcome = kept("verify", "receipt.json", "--key", "keys")
        assert (outcome.status, outcome.code) == (2, "usage")
        assert "the file holds no key" in outcome.err
        assert kept("inspect", "keys").code == "malformed"

    def test_what_is_neither_a_key_nor_a_file_is_said_to_be_neither(self, kept):
        outcome = kept("verify", "receipt.json", "--key", "ledger.example.com")
        assert (outcome.status, outcome.code) == (2, "usage")
        assert "--key ledger.example.com: neither a verifier key nor a file" in outcome.err

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"# nothing\n",
            b"nonsense\n",
            KEY.replace("+", "-").encode(),
            b"\xff",
            b"#" * (KEY_FILE_BYTES_MAX + 1),
        ],
    )
    def test_a_file_without_a_key_is_misuse(self, kept, content):
        Path("keys").write_bytes(content)
        outcome = kept("verify", "receipt.json", "--key", "keys")
        assert (outcome.status, outcome.out, outcome.code) == (2, "", "usage")

    @pytest.mark.parametrize("key", [f"{KEY}x", "a+b+c", KEY.replace("ledger", "other")])
    def test_a_key_that_is_none_is_misuse(self, kept, key):
        outcome = kept("verify", "receipt.json", "--key", key)
        assert (outcome.status, outcome.out, outcome.code) == (2, "", "usage")


class TestConsistency:
    def test_that_a_log_only_grew_is_said(self, kept):
        grown(kept)
        line = "consistency verify notes/4.checkpoint file --key operator.vkey"
        outcome = kept(*line.split())
        assert (outcome.status, outcome.err) == (0, "")
        assert "size 6 extends size 4" in outcome.out
        finding = kept(*line.split(), "--json").findings[0]
        assert (finding["oldSize"], finding["newSize"]) == (4, 6)

    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            (lambda text: text.replace("old 4", "old 3"), 10, "inconsistent"),
            (lambda text: text.replace("\n\n", "\n\n\n", 1), 13, "malformed"),
            (lambda text: text.replace("\n6\n", "\n7\n"), 10, "bad-signature"),
            (lambda text: "old 4\n\n" + text.partition("\n\n")[2], 10, "inconsistent"),
        ],
    )
    def test_a_file_that_was_changed_is_refused(self, kept, change, status, code):
        grown(kept)
        Path("file").write_text(change(Path("file").read_text()))
        outcome = kept("consistency", "verify", "notes/4.checkpoint", "file", "--key", "operator.vkey")
        assert (outcome.status, outcome.out, outcome.code) == (status, "", code)

    def test_a_key_of_somebody_else_decides_nothing(self, kept):
        grown(kept)
        outcome = kept("consistency", "verify", "notes/4.checkpoint", "file", "--key", KEY)
        assert (outcome.status, outcome.code) == (11, "unknown-key")

    def test_two_roots_of_one_size_are_a_fork(self, cf):
        engine = history("5")
        note_of(engine, "old")
        (checkpoint,) = engine.checkpoints("alice")
        other = sign_checkpoint(checkpoint.origin, checkpoint.size, b"\1" * 32, OPERATOR.signer)
        Path("file").write_text(f"old {checkpoint.size}\n\n{other.note}")
        outcome = cf("consistency", "verify", "old", "file", "--key", KEY)
        assert (outcome.status, outcome.code) == (12, "fork")


def grown(call):
    call("checkpoints", "cust_001", "-o", "notes")
    call("record", "cust_001", "5", "--reason", "x")
    call("checkpoint", "cust_001")
    call("consistency", "make", "cust_001", "--from", "4", "-o", "file")


def test_a_receipt_that_went_through_somebodys_json_still_verifies(kept):
    Path("receipt.json").write_text(
        json.dumps(json.loads(Path("receipt.json").read_text()), indent=4, sort_keys=False)
    )
    assert kept("verify", "receipt.json", "--key", "operator.vkey").status == 0
