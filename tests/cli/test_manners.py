"""What people and pipes see, whatever the command."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from counterfoil import __version__
from counterfoil.cli import output
from counterfoil.cli.main import LazyGroup, root
from counterfoil.cli.output import Progress, escape, escape_json, plural
from counterfoil.errors import EngineError
from tests.cli.conftest import command, environment, record_id

COMMANDS = [
    "demo", "init", "serve", "apikey create", "apikey list", "apikey rotate", "apikey revoke", "record", "import", "checkpoint", "worker", "customers", "customer", "receipt", "receipts", "statement", "statements", "pack", "compare", "checkpoints",
    "consistency make", "consistency verify", "verify", "inspect", "audit", "webhook add", "webhook list", "webhook remove", "webhook rotate",
    "webhook secret", "webhook deliveries", "webhook retry", "key show", "key check",
    "migrate", "conformance run", "conformance respond",
]  # fmt: skip
VERIFIERS = [
    "verify receipt.json --key operator.vkey",
    "verify receipt.json --key operator.vkey --csv receipts.csv",
    "inspect receipt.json --key operator.vkey",
]
HEAVY = (
    "sqlalchemy",
    "alembic",
    "psycopg",
    "cryptography",
    "rich",
    "counterfoil.engine",
    "counterfoil.storage",
    "sqlite3",
)


def all_commands(group=root, prefix=""):
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, LazyGroup):
            yield from all_commands(found, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", found


class TestCommands:
    def test_they_are_those_of_the_table(self):
        assert [name for name, _ in all_commands()] == COMMANDS

    @pytest.mark.parametrize("name", COMMANDS)
    def test_each_has_help_with_an_example_that_names_it(self, cf, name):
        outcome = cf(*name.split(), "--help")
        assert (outcome.status, outcome.err) == (0, "")
        assert "Example" in outcome.out
        assert f"counterfoil {name}" in outcome.out

    def test_every_option_has_words(self):
        for name, found in all_commands():
            for parameter in found.params:
                assert not isinstance(parameter, click.Option) or parameter.help, (name, parameter.name)

    def test_the_list_of_commands_is_not_cut_off(self, cf):
        outcome = cf("--help")
        listed = outcome.out.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
        assert [line.split()[0] for line in listed] == list(
            dict.fromkeys(name.split()[0] for name in COMMANDS)
        )
        assert not any(line.endswith("...") for line in listed), outcome.out

    def test_the_version_is_printed(self, cf):
        assert cf("--version") == (0, f"counterfoil {__version__}\n", "")

    @pytest.mark.parametrize("line", ["", "consistency", "key", "conformance"])
    def test_without_a_command_the_help_is_a_usage_error(self, cf, line):
        outcome = cf(*line.split())
        assert (outcome.status, outcome.out) == (2, "")
        assert "Commands:" in outcome.err

    def test_the_module_is_the_command(self, tmp_path):
        done = subprocess.run(
            command("--version"), cwd=tmp_path, env=environment(), capture_output=True, check=True, text=True
        )
        assert done.stdout == f"counterfoil {__version__}\n"


class TestUsage:
    @pytest.mark.parametrize(
        "line",
        [
            "nosuch",
            "verify",
            "verify receipt.json",
            "verify --nosuch",
            "record",
            "record cust_001 5",
            "record cust_001 5 --reason",
            "checkpoint --all cust_001",
            "checkpoint",
            "audit",
            "audit --all --customer cust_001",
            "receipts -o out",
            "receipts cust_001",
            "consistency nosuch",
            "consistency make cust_001",
            "key nosuch",
            "customers extra",
            "worker --every 0",
            "worker --processes 0",
            "worker --processes 65",
            "worker cust_001",
            "migrate 0002",
        ],
    )
    def test_a_wrong_call_ends_with_2_and_says_where_help_is(self, book, line):
        outcome = book(*line.split())
        assert (outcome.status, outcome.out, outcome.code) == (2, "", "usage")
        assert "counterfoil: hint: see `counterfoil" in outcome.err
        assert not outcome.err.rstrip("\n").endswith(".")

    @pytest.mark.parametrize(
        "line",
        [
            "verify missing.json --key operator.vkey",
            "verify operator.vkey/x --key operator.vkey",
            "verify receipt.json --key missing.vkey",
            "inspect missing.json",
            "inspect counterfoil-keys",
            "import missing.csv",
            "consistency verify missing missing --key operator.vkey",
            "customers --store sqlite:///missing.db",
            "customers --store mysql://nowhere",
            "customers --store postgresql://nowhere?nosuch=1",
            "customers --store memory:",
            "customers --store sqlite:///receipt.json",
            "customers --keys missing",
            "customers --tenant Not_One",
            "receipt 0xdc4dfc3208759067a112d73bb53467d9375dc42e.1 --keys missing",
        ],
    )
    def test_what_is_missing_ends_with_2(self, kept, line):
        outcome = kept(*line.split())
        assert (outcome.status, outcome.out, outcome.code) == (2, "", "usage")

    def test_a_wrong_store_is_named_and_nothing_is_advised_that_cannot_work(self, kept):
        wrong = kept("customers", "--store", "mysql://nowhere").err
        assert wrong == (
            "counterfoil: error: usage: not the URL of a store that lasts; "
            "use sqlite:///PATH or postgresql://USER@HOST/DATABASE\n"
        )
        junk = kept("customers", "--store", "sqlite:///receipt.json").err
        assert "receipt.json is not a Counterfoil store" in junk
        assert "hint:" not in junk


class TestText:
    def test_control_characters_are_written_out(self):
        assert escape("a\x1b[31m\nb\u202ec\x9b\udcffd") == r"a\x1b[31m\nb\u202ec\x9b\udcffd"
        assert escape("Größe 日本") == "Größe 日本"

    def test_so_is_what_nobody_would_see(self):
        assert escape("a\u3164b\ufe0fc\u034f") == r"a\u3164b\ufe0fc\u034f"

    def test_those_of_a_json_document_become_escapes_of_the_same_value(self):
        document = json.dumps({"reason": "\x7f\x9b31m\u202e\U000e0041é\ufe0f"}, ensure_ascii=False)
        shown = escape_json(document)
        assert shown.isprintable()
        assert "\ufe0f" not in shown
        assert json.loads(shown) == json.loads(document)
        assert "é" in shown

    @pytest.mark.parametrize(
        "line",
        [
            ["customer", "\x1b[31mred"],
            ["record", "\x1b[31mred", "5", "--reason", "x"],
            ["record", "cust_001", "\x1b5", "--reason", "x"],
            ["inspect", "\x1b[31m"],
            ["inspect", "evil\x1b.json"],
            ["verify", "evil\x1b.json", "--key", "operator.vkey"],
            ["import", "evil\x1b.csv"],
            ["customers", "--store", "sqlite:///\x1b[31m.db"],
            ["customers", "--tenant", "\x1b[31m"],
            ["receipt", "\x1b[31m"],
            ["nosuch\x1b"],
            ["verify", "--nosuch\x1b"],
            ["conformance", "run", "--command", "/nosuch\x1b"],
        ],
    )
    def test_no_control_character_of_the_input_reaches_the_terminal(self, book, line):
        Path("evil\x1b.json").write_text('{"type": "\\u001b]0;title\\u0007"}')
        Path("evil\x1b.csv").write_text("\x1b[2J,b\n1,2\n")
        outcome = book(*line)
        assert outcome.status != 0
        assert outcome.out.replace("\n", "").isprintable()
        assert outcome.err.replace("\n", "").isprintable()
        assert r"\x1b" in outcome.out + outcome.err

    def test_details_are_shown_escaped(self, book):
        evil = "\x1b]0;title\x07\u202e"
        book("record", "cust_001", "5", "--reason", evil)
        book("checkpoint", "cust_001")
        record = record_id(book, 1)
        book("receipt", record, "-o", "receipt.json")
        shown = [
            book("receipt", record),
            book("inspect", "receipt.json"),
            book("inspect", "receipt.json", "--json"),
            book("verify", "receipt.json", "--key", "operator.vkey", "--json"),
        ]
        for outcome in shown:
            assert outcome.status == 0
            assert outcome.out.replace("\n", "").isprintable()
        # As a value nothing is lost.
        assert json.loads(shown[0].out)["details"]["value"]["reason"] == evil
        assert json.loads(shown[0].out) == json.loads(Path("receipt.json").read_bytes())

    def test_a_count_agrees_with_its_noun(self):
        counted = [(0, "delta"), (1, "delta"), (1200, "entry"), (1, "hash"), (2, "hash")]
        assert [plural(count, noun) for count, noun in counted] == [
            "0 deltas",
            "1 delta",
            "1,200 entries",
            "1 hash",
            "2 hashes",
        ]

    def test_a_terminal_without_the_character_is_no_reason_to_fail(self, tmp_path, kept):
        kept("record", "cust_001", "1", "--reason", "é")
        kept("checkpoint", "cust_001")
        kept("receipts", "cust_001", "-o", "receipts")
        receipt = max(Path("receipts").iterdir())
        done = subprocess.run(
            command("inspect", str(receipt)),
            cwd=tmp_path,
            env=environment(PYTHONIOENCODING="ascii"),
            capture_output=True,
            check=True,
        )
        assert rb"\xe9" in done.stdout

    def test_a_document_is_the_same_whatever_the_locale(self, tmp_path, kept):
        kept("record", "cust_001", "1", "--reason", "é\u2028")
        kept("checkpoint", "cust_001")
        record = record_id(kept, 4)
        kept("receipt", record, "-o", "receipt.json")
        kept("consistency", "make", "cust_001", "--from", "4", "-o", "growth")
        for line, file in (
            (f"receipt {record}", "receipt.json"),
            ("consistency make cust_001 --from 4", "growth"),
        ):
            printed, *others = (
                subprocess.run(
                    command(*line.split()),
                    cwd=tmp_path,
                    env=environment(PYTHONIOENCODING=encoding),
                    capture_output=True,
                    check=True,
                ).stdout
                for encoding in ("utf-8", "ascii", "utf-16")
            )
            assert others == [printed, printed]
            written = Path(file).read_bytes()
            if file == "receipt.json":
                assert json.loads(printed) == json.loads(written)
            else:
                assert printed == written


class TestSilence:
    def test_success_says_nothing_on_standard_error(self, kept):
        for line in (
            "checkpoint cust_001 --refresh",
            "receipts cust_001 -o receipts",
            "verify receipts --key operator.vkey",
            "audit --all",
            "customers",
            "inspect receipt.json",
            "key show",
            "key check",
        ):
            outcome = kept(*line.split())
            assert (outcome.status, outcome.err) == (0, ""), line
            assert outcome.out

    @pytest.mark.usefixtures("kept")
    def test_progress_is_for_a_terminal_and_leaves_nothing_behind(self, tmp_path):
        primary, secondary = pty.openpty()
        with open(secondary, "wb", closefd=False) as terminal:
            done = subprocess.run(
                command("audit", "--all"),
                cwd=tmp_path,
                env=environment(),
                stdout=subprocess.PIPE,
                stderr=terminal,
                check=True,
            )
        os.close(secondary)
        shown = os.read(primary, 65_536)
        os.close(primary)
        assert b"audit: 4 entries" in shown
        assert shown.endswith(b"\r\x1b[K")
        assert b"audit:" not in done.stdout

    def test_progress_is_drawn_at_most_ten_times_a_second(self, capsys, monkeypatch):
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        now = iter([0.0, 0.05, 0.09, 0.2])
        with Progress("import", "rows", 40, clock=lambda: next(now)) as progress:
            for _ in progress.over(range(4)):
                pass
        shown = capsys.readouterr().err
        assert shown.count("import:") == 2
        assert "import: 4 of 40 rows" in shown

    def test_a_result_wipes_the_line_of_progress_first(self, capsys, monkeypatch):
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        with Progress("import", "rows") as progress:
            progress.advance(3)
            output.say("a result")
            shown = capsys.readouterr()
        assert shown.err.endswith("\r\x1b[K")
        assert shown.out == "a result\n"


class TestEnds:
    def test_a_defect_is_caught_with_a_reference(self, kept, monkeypatch):
        monkeypatch.setattr("counterfoil.engine.engine.Engine.customer_view", defect)
        first, second = kept("customer", "cust_001"), kept("customer", "cust_001")
        assert (first.status, first.out, first.code) == (70, "", "internal")
        assert "ZeroDivisionError in defect" in first.err
        assert "Traceback" not in first.err
        # The same defect has the same reference, and nothing of the data is in it.
        assert first.err == second.err
        assert "secret" not in first.err

    def test_the_traceback_of_a_defect_is_for_who_asks(self, kept, monkeypatch):
        monkeypatch.setattr("counterfoil.engine.engine.Engine.customer_view", defect)
        monkeypatch.setenv("COUNTERFOIL_DEBUG", "1")
        assert "Traceback" in kept("customer", "cust_001").err

    def test_a_file_that_cannot_be_read_is_an_io_error(self, kept, monkeypatch):
        monkeypatch.setattr(
            "counterfoil.cli.files._open",
            lambda *_, **__: raise_(PermissionError(13, "Permission denied", "receipt.json")),
        )
        outcome = kept("inspect", "receipt.json")
        assert (outcome.status, outcome.out, outcome.code) == (74, "", "io-error")
        assert "receipt.json: Permission denied" in outcome.err

    def test_no_room_is_out_of_space(self, kept, monkeypatch):
        monkeypatch.setattr(Path, "replace", lambda *_: raise_(OSError(28, "No space left on device")))
        outcome = kept("receipts", "cust_001", "-o", "receipts")
        assert (outcome.status, outcome.code) == (74, "out-of-space")
        assert not any(Path("receipts").iterdir())

    def test_ctrl_c_ends_with_130_and_no_traceback(self, tmp_path):
        process = subprocess.Popen(
            command("conformance", "respond"),
            cwd=tmp_path,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        process.stdin.write(b'{"id": "1", "op": "amount", "text": "1"}\n')
        process.stdin.flush()
        # Once it has answered it waits for more.
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert (out, err.strip()) == (b"", b"")

    def test_an_interrupt_in_the_middle_of_a_command_ends_with_130(self, kept, monkeypatch):
        monkeypatch.setattr(
            "counterfoil.engine.engine.Engine.customer_view", lambda *_: raise_(KeyboardInterrupt)
        )
        outcome = kept("customer", "cust_001")
        assert (outcome.status, outcome.out) == (130, "")

    def test_a_reader_that_goes_away_is_met_in_silence(self, tmp_path, kept):
        kept("receipts", "cust_001", "-o", "receipts")
        many = ["receipts"] * 2_000
        process = subprocess.Popen(
            command("verify", *many, "--key", "operator.vkey"),
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        process.stdout.read(10)
        process.stdout.close()
        err = process.stderr.read()
        process.stderr.close()
        assert process.wait(60) == 141
        assert err == b""

    def test_output_that_cannot_be_written_is_no_success(self, tmp_path, kept):
        assert kept("verify", "receipt.json", "--key", "operator.vkey").status == 0
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                command("verify", "receipt.json", "--key", "operator.vkey"),
                cwd=tmp_path,
                env=environment(),
                stdout=full,
                stderr=subprocess.PIPE,
                check=False,
                text=True,
            )
        assert done.returncode == 74
        assert done.stderr == "counterfoil: error: out-of-space: No space left on device\n"

    def test_the_store_never_becomes_a_closed_stream(self, tmp_path, kept):
        line = " ".join(command("customers")) + " <&- >&- 2>&-"
        done = subprocess.run(["sh", "-c", line], cwd=tmp_path, env=environment(), check=False)
        assert done.returncode == 0
        assert Path("counterfoil.db").read_bytes().startswith(b"SQLite format 3\0")
        assert kept("audit", "--all").status == 0

    def test_errors_of_a_command_keep_their_exit_status(self, cf, monkeypatch):
        for code, status in (("fork", 12), ("clock-regressed", 20), ("commit-outcome-unknown", 74)):
            monkeypatch.setattr(root, "invoke", lambda _, code=code: raise_(EngineError(code, "words")))
            outcome = cf("customers")
            assert (outcome.status, outcome.code) == (status, code)


class TestStart:
    @pytest.mark.parametrize("line", VERIFIERS)
    def test_verifying_loads_the_core_and_nothing_else(self, kept, tmp_path, line):
        kept("checkpoints", "cust_001", "-o", "notes")
        assert loaded(tmp_path, line) == []

    def test_so_do_consistency_verify_and_conformance_respond(self, kept, tmp_path):
        kept("checkpoints", "cust_001", "-o", "notes")
        kept("consistency", "make", "cust_001", "--from", "4", "-o", "file")
        assert loaded(tmp_path, "consistency verify notes/4.checkpoint file --key operator.vkey") == []
        assert loaded(tmp_path, "conformance respond") == []

    def test_so_does_to_explain_what_holds_many_entries(self, kept, tmp_path):
        years = ("--from", "2020-01-01", "--to", "2100-01-01")
        kept("statement", "cust_001", *years, "-o", "s.json", "--html", "s.html")
        kept("pack", "--all", "-o", "p.pack")
        for name in ("s.html", "p.pack"):
            assert loaded(tmp_path, f"inspect {name} --key operator.vkey") == []

    def test_to_compare_with_a_statement_takes_no_store(self, kept, tmp_path):
        kept("statement", "cust_001", "--from", "2020-01-01", "--to", "2100-01-01", "--full", "-o", "s.json")
        Path("theirs.csv").write_text("delta\n500\n")
        line = "compare theirs.csv --statement s.json --key operator.vkey"
        done = without("sqlalchemy", line, tmp_path)
        assert done.returncode == 0, done.stderr
        assert "agreed" in done.stdout

    @pytest.mark.usefixtures("kept")
    def test_the_probe_sees_what_other_commands_load(self, tmp_path):
        assert {"sqlalchemy", "counterfoil.engine", "counterfoil.storage"} <= set(
            loaded(tmp_path, "customers")
        )

    @pytest.mark.parametrize(
        ("blocked", "line", "extra"),
        [
            ("sqlalchemy", "customers", "store"),
            ("sqlalchemy", "demo", "store"),
            ("sqlalchemy", "worker", "store"),
            ("sqlalchemy", "init --store sqlite:///new.db --keys new", "store"),
            ("alembic", "init --store sqlite:///new.db --keys new", "store"),
            ("alembic", "migrate", "store"),
            ("psycopg", "customers --store postgresql:///x", "postgres"),
            ("psycopg", "worker --store postgres:///x", "postgres"),
            ("psycopg", "migrate --store postgresql:///x", "postgres"),
            ("psycopg", "init --store postgresql:///x --keys new", "postgres"),
            ("sqlalchemy", "init --store postgresql:///x --keys new", "postgres"),
            ("alembic", "init --store postgresql:///x --keys new", "postgres"),
        ],
    )
    @pytest.mark.usefixtures("kept")
    def test_without_the_extra_a_command_says_which_to_install(self, tmp_path, blocked, line, extra):
        done = without(blocked, line, tmp_path)
        assert done.returncode == 2, done.stderr
        assert done.stdout == ""
        assert done.stderr.startswith("counterfoil: error: usage: ")
        assert f"needs {blocked}: pip install 'counterfoil[{extra}]'" in done.stderr
        assert not Path("new").exists()

    @pytest.mark.usefixtures("kept")
    def test_without_the_extra_an_auditor_misses_nothing(self, tmp_path):
        for line in (*VERIFIERS, "--help", "customers --help"):
            done = without("sqlalchemy", line, tmp_path)
            assert (done.returncode, done.stderr) == (0, ""), line

    @pytest.mark.usefixtures("kept")
    def test_a_store_on_sqlite_does_without_the_driver_for_postgresql(self, tmp_path):
        done = without("psycopg", "customers", tmp_path)
        assert (done.returncode, done.stderr) == (0, "")


def defect(*_):
    return 1 / len("") if "secret" else 0


def raise_(error):
    raise error


def loaded(folder, line):
    """Run a command in a fresh interpreter; return which heavy modules it loaded."""
    program = (
        "import sys; from counterfoil.cli.main import run; status = run(sys.argv[1:]);"
        "print('\\n' + ' '.join(sys.modules)); sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *line.split()],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        text=True,
    )
    modules = done.stdout.splitlines()[-1].split()
    return [heavy for heavy in HEAVY if heavy in modules]


def without(module, line, folder):
    """Run a command in an interpreter in which a module cannot be imported."""
    program = f"""
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {module!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
from counterfoil.cli.main import main
main()
"""
    return subprocess.run(
        [sys.executable, "-c", program, *line.split()],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
    )
