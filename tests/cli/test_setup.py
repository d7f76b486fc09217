"""`init`, `key show`, `key check`."""

import shutil
import stat
from pathlib import Path

import pytest

from counterfoil.core.note import parse_verifier_key
from tests.support import empty_store_file


class TestInit:
    def test_it_makes_keys_and_a_store_and_prints_the_public_key(self, cf):
        outcome = cf("init", "--operator", "ledger.example.com", "--unit", "EUR")
        assert (outcome.status, outcome.err) == (0, "")
        key = outcome.lines[0].split()[-1]
        assert parse_verifier_key(key).name == "ledger.example.com"
        assert Path("counterfoil-keys/operator.vkey").read_text() == f"{key}\n"
        assert cf("record", "cust_001", "5", "--reason", "x", "--json").findings[0]["unit"] == "EUR"

    def test_it_warns_where_the_name_is_left_at_localhost(self, cf):
        outcome = cf("init")
        assert outcome.status == 0
        assert outcome.err.startswith("counterfoil: hint: the operator's name was left at localhost")
        assert "never be changed" in outcome.err
        assert outcome.lines[0].split()[-1].startswith("localhost+")

    def test_who_names_localhost_means_it(self, cf):
        assert cf("init", "--operator", "localhost").err == ""

    def test_nothing_is_overwritten(self, book):
        before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
        outcome = book("init")
        assert (outcome.status, outcome.out, outcome.code) == (2, "", "usage")
        assert "belongs to ledger.example.com" in outcome.err
        assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before

    def test_a_missing_store_is_made_for_keys_that_are_there(self, book):
        key = Path("counterfoil-keys/operator.vkey").read_text()
        Path("counterfoil.db").unlink()
        outcome = book("init")
        assert outcome.status == 0
        assert key.strip() in outcome.out
        assert book("key", "check").status == 0

    def test_a_second_store_for_the_same_keys_and_tenant_is_warned_of(self, book):
        outcome = book("init", "--store", "sqlite:///other.db", "--tenant", "acme")
        assert outcome.status == 0
        assert outcome.err.startswith("counterfoil: hint: the keys were there before this store")
        assert "tenant acme" in outcome.err
        assert "fork" in outcome.err

    def test_keys_of_another_operator_are_not_taken(self, book):
        outcome = book("init", "--operator", "other.example.com", "--store", "sqlite:///other.db")
        assert (outcome.status, outcome.code) == (2, "usage")
        assert not Path("other.db").exists()

    def test_a_key_folder_that_others_may_enter_is_refused_before_a_store_is_made(self, cf):
        Path("counterfoil-keys").mkdir(mode=0o755)
        outcome = cf("init")
        assert (outcome.status, outcome.code) == (20, "unsafe-settings")
        assert [path.name for path in Path().rglob("*")] == ["counterfoil-keys"]

    @pytest.mark.parametrize(
        ("store", "status"),
        [
            ("sqlite:///junk.db", 2),
            ("sqlite:///nowhere/new.db", 74),
            ("sqlite:///folder", 74),
            ("postgresql://a/b?nosuch=1", 2),
            ("postgresql:///b?host=/nowhere", 74),
            ("memory:", 2),
        ],
    )
    def test_a_store_that_cannot_be_made_is_refused_before_keys_are(self, cf, store, status):
        Path("junk.db").write_bytes(b"no database at all, " * 100)
        Path("folder").mkdir()
        outcome = cf("init", "--store", store)
        assert (outcome.status, outcome.out) == (status, "")
        assert {path.name for path in Path().iterdir()} == {"junk.db", "folder"}

    @pytest.mark.parametrize("cut", ["Engine", "open_place"])
    def test_it_goes_on_where_it_was_cut_off(self, cf, monkeypatch, cut):
        with monkeypatch.context() as patch:
            patch.setattr(f"counterfoil.cli.setup.{cut}", lambda *_, **__: 1 // 0)
            assert cf("init", "--operator", "ledger.example.com").status == 70
        key = Path("counterfoil-keys/operator.vkey").read_text()
        outcome = cf("init", "--operator", "ledger.example.com")
        assert outcome.status == 0
        assert key.strip() in outcome.out
        assert cf("key", "check").status == 0

    def test_a_store_that_was_left_empty_is_finished(self, cf):
        Path("counterfoil.db").touch()
        assert cf("init").status == 0
        assert cf("key", "check").status == 0

    @pytest.mark.parametrize(
        "options", ["--operator Not_One", "--operator a/b", "--unit two\tunits", "--unit é"]
    )
    def test_a_name_that_breaks_its_rule_is_refused_before_anything_is_made(self, cf, options):
        outcome = cf("init", *options.split(" "))
        assert (outcome.status, outcome.code) == (2, "usage")
        assert "not an operator name: " in outcome.err or "not a unit: " in outcome.err
        assert list(Path().iterdir()) == []

    def test_the_place_comes_from_the_environment(self, cf, monkeypatch):
        monkeypatch.setenv("COUNTERFOIL_STORE", "sqlite:///here.db")
        monkeypatch.setenv("COUNTERFOIL_KEYS", "my-keys")
        monkeypatch.setenv("COUNTERFOIL_TENANT", "acme")
        assert cf("init").status == 0
        assert Path("here.db").exists()
        assert Path("my-keys/operator.vkey").exists()
        cf("record", "cust_001", "5", "--reason", "x")
        assert "/acme/0x" in cf("customer", "cust_001").out
        # What stands on the command line goes first; another tenant's customer does not exist.
        assert cf("customer", "cust_001", "--tenant", "other").code == "customer-not-found"


class TestPassphrase:
    def test_it_comes_from_a_file_and_encrypts_the_key(self, cf, monkeypatch):
        Path("secret").write_text("correct horse\nsecond line\n")
        monkeypatch.setenv("COUNTERFOIL_PASSPHRASE_FILE", "secret")
        assert cf("init").status == 0
        assert b"ENCRYPTED" in Path("counterfoil-keys/signing-key.pem").read_bytes()
        assert cf("record", "cust_001", "5", "--reason", "x").status == 0
        # The first line is the passphrase, whatever ends it.
        Path("secret").write_bytes(b"correct horse\r\n")
        assert cf("customers").status == 0
        Path("secret").write_text("wrong\n")
        outcome = cf("customers")
        assert (outcome.status, outcome.code) == (2, "usage")
        assert "wrong" not in outcome.err

    @pytest.mark.parametrize("content", [b"", b"\n", b"\xff\n", None])
    def test_a_file_without_one_is_refused(self, cf, monkeypatch, content):
        if content is not None:
            Path("secret").write_bytes(content)
        monkeypatch.setenv("COUNTERFOIL_PASSPHRASE_FILE", "secret")
        assert cf("init").code == "usage"
        assert not Path("counterfoil-keys").exists()

    def test_one_that_is_too_long_is_misuse(self, cf, monkeypatch):
        Path("secret").write_text("x" * 2_000)
        monkeypatch.setenv("COUNTERFOIL_PASSPHRASE_FILE", "secret")
        outcome = cf("init")
        assert (outcome.status, outcome.out, outcome.code) == (2, "", "usage")
        assert "the passphrase has over 1023 bytes" in outcome.err

    def test_without_file_and_terminal_it_is_refused(self, cf):
        outcome = cf("init", "--passphrase")
        assert (outcome.status, outcome.code) == (2, "usage")
        assert "COUNTERFOIL_PASSPHRASE_FILE" in outcome.err

    def test_a_terminal_is_asked(self, cf, monkeypatch):
        monkeypatch.setattr("click.prompt", lambda *_, **__: "correct horse")
        assert ask(cf, monkeypatch, "init", "--passphrase").status == 0
        assert ask(cf, monkeypatch, "customers").status == 0
        assert cf("customers").code == "usage"

    def test_a_key_that_is_not_encrypted_needs_none(self, book, monkeypatch):
        Path("secret").write_text("correct horse\n")
        monkeypatch.setenv("COUNTERFOIL_PASSPHRASE_FILE", "secret")
        assert book("customers").status == 0

    def test_the_public_key_is_shown_without_it(self, cf, monkeypatch):
        Path("secret").write_text("correct horse\n")
        with monkeypatch.context() as patch:
            patch.setenv("COUNTERFOIL_PASSPHRASE_FILE", "secret")
            assert cf("init").status == 0
        assert cf("key", "show") == (0, Path("counterfoil-keys/operator.vkey").read_text(), "")
        Path("counterfoil-keys/signing-key.pem").unlink()
        named = cf("key", "show", "--customer", "cust_001")
        assert (named.status, named.err) == (0, "")
        assert named.out.startswith("localhost/default/0x")


class TestKey:
    def test_show_prints_the_verifier_key_and_nothing_else(self, book):
        assert book("key", "show") == (0, Path("operator.vkey").read_text(), "")

    def test_show_names_the_key_after_a_log(self, kept):
        outcome = kept("key", "show", "--customer", "cust_001")
        key = parse_verifier_key(outcome.out.strip())
        assert key.name == kept("customer", "cust_001", "--json").findings[0]["origin"]
        assert key.public_key == parse_verifier_key(Path("operator.vkey").read_text().strip()).public_key
        # With it alone, the receipt verifies.
        assert kept("verify", "receipt.json", "--key", outcome.out.strip()).status == 0

    def test_show_refuses_what_is_no_customer(self, book):
        assert book("key", "show", "--customer", "not one").code == "invalid-field"

    def test_show_refuses_what_is_no_key(self, book):
        Path("counterfoil-keys/operator.vkey").write_text("none\n")
        assert book("key", "show").code == "key-mismatch"
        assert book("key", "show", "--keys", "missing").code == "usage"

    def test_show_refuses_the_reference_key_of_another_operator(self, book):
        key = Path("counterfoil-keys/reference-key.txt")
        key.write_text(key.read_text().replace("ledger.example.com", "other.example"))
        assert book("key", "show", "--customer", "cust_001").code == "key-mismatch"

    def test_check_holds_keys_and_store_together(self, book):
        outcome = book("key", "check")
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.out.count("holds") == 2
        assert book("key", "check", "--json").findings[0]["operator"] == "ledger.example.com"

    def test_keys_that_others_may_read_are_unsafe(self, book):
        Path("counterfoil-keys/signing-key.pem").chmod(0o644)
        outcome = book("key", "check")
        assert (outcome.status, outcome.out, outcome.code) == (20, "", "unsafe-settings")
        assert "chmod 0600" in outcome.err

    @pytest.mark.usefixtures("book")
    def test_made_keys_are_the_owners_alone(self):
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in Path("counterfoil-keys").iterdir()}
        assert (modes["signing-key.pem"], modes["reference-key.txt"]) == (0o600, 0o600)

    def test_a_store_that_others_may_read_is_warned_of(self, book):
        Path("counterfoil.db").chmod(0o640)
        for line in ("key check", "customers"):
            outcome = book(*line.split())
            assert outcome.status == 0
            assert outcome.err.startswith("counterfoil: hint: ")
            assert "counterfoil.db is open to others" in outcome.err
            assert "chmod 0600" in outcome.err

    @pytest.mark.parametrize("option", [["--keys", "missing"], ["--store", "sqlite:///missing.db"]])
    def test_what_is_missing_may_be_lost_and_then_init_is_not_the_way(self, book, option):
        outcome = book("customers", *option)
        assert (outcome.status, outcome.code) == (2, "usage")
        assert (
            "`counterfoil init` makes a new one; one that was lost is restored from its backup" in outcome.err
        )

    def test_a_public_key_of_another_is_found(self, book):
        assert book("init", "--keys", "others", "--store", "sqlite:///others.db").status == 0
        Path("counterfoil-keys/operator.vkey").write_bytes(Path("others/operator.vkey").read_bytes())
        assert book("key", "check").code == "key-mismatch"

    def test_a_store_that_is_nobodys_is_not_the_keys_own(self, book):
        shutil.copy(empty_store_file(), "counterfoil.db")
        outcome = book("key", "check")
        assert (outcome.status, outcome.code) == (20, "key-mismatch")
        assert "belongs to nobody yet" in outcome.err

    @pytest.mark.parametrize(
        "line", ["key check", "customers", "record cust_001 5 --reason x", "audit --all"]
    )
    def test_keys_of_another_store_are_refused_everywhere(self, book, line):
        assert book("init", "--keys", "others", "--store", "sqlite:///others.db").status == 0
        outcome = book(*line.split(), "--keys", "others")
        assert (outcome.status, outcome.out, outcome.code) == (20, "", "key-mismatch")

    def test_private_bytes_are_shown_by_no_command(self, kept):
        secrets = [
            Path("counterfoil-keys/reference-key.txt").read_text().splitlines()[-1],
            Path("counterfoil-keys/signing-key.pem").read_text().splitlines()[1],
        ]
        Path("counterfoil-keys/broken").mkdir()
        for line in (
            "key show",
            "key check",
            "inspect counterfoil-keys/signing-key.pem",
            "inspect counterfoil-keys/reference-key.txt",
            "verify counterfoil-keys/signing-key.pem --key operator.vkey",
            "verify counterfoil-keys/reference-key.txt --key operator.vkey",
            "verify receipt.json --key counterfoil-keys/reference-key.txt",
            "customers --json",
        ):
            outcome = kept(*line.split())
            assert not any(secret in outcome.out + outcome.err for secret in secrets), line


def ask(cf, monkeypatch, *arguments):
    """Call a command at a terminal."""
    with monkeypatch.context() as patch:
        patch.setattr("counterfoil.cli.context._at_terminal", lambda: True)
        return cf(*arguments)


class TestAnotherTenant:
    def test_it_gets_its_unit_once(self, book):
        assert book("init", "--tenant", "second", "--unit", "EUR").status == 0
        recorded = book("record", "alice", "1", "--reason", "r", "--tenant", "second", "--json")
        assert recorded.findings[0]["unit"] == "EUR"
        assert book("init", "--tenant", "second", "--unit", "USD").code == "usage"

    def test_one_that_has_records_keeps_the_unit_that_they_have(self, book):
        book("record", "alice", "1", "--reason", "r", "--tenant", "second")
        assert book("init", "--tenant", "second", "--unit", "EUR").code == "usage"

    def test_the_keys_must_be_those_of_the_store(self, book):
        assert book("init", "--unit", "EUR", "--tenant", "second", "--keys", "nowhere").code == "usage"
