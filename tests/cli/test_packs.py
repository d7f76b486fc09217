"""`pack` writes whole logs, `audit PACK...` recomputes them offline: a verdict a log, and the same one on every run."""

import gzip
import json
import subprocess
from pathlib import Path

import pytest

from counterfoil.core.encoding import canonical_json
from counterfoil.engine.engine import Engine
from counterfoil.limits import PACK_LINE_BYTES_MAX
from counterfoil.storage.memory import MemoryStore
from tests.cli.conftest import command, environment, record_id
from tests.support import OPERATOR, FakeClock, delta, operator_named, seeded

KEY = str(OPERATOR.verifier_key)
CUSTOMERS = [f"cust_{number}" for number in range(7)]
AUDIT = ("audit", "p.pack", "--key", KEY)


def engine_of(*amounts, customers=("alice",), randomness=1, operator=OPERATOR):
    engine = Engine(MemoryStore(FakeClock()), operator, randomness=seeded(randomness))
    for customer in customers:
        for amount in amounts:
            engine.record(delta(amount, customer))
        engine.checkpoint(customer)
    return engine


def write(engine, name="p.pack"):
    Path(name).write_bytes(b"".join(engine.pack_lines()))


def lines():
    return Path("p.pack").read_bytes().splitlines(keepends=True)


@pytest.fixture
def packed(cf):
    """A pack of seven logs of three deltas, in the folder."""
    write(engine_of("5", "-2", "1", customers=CUSTOMERS))
    return cf


class TestPack:
    def test_what_it_writes_is_audited_without_the_store(self, kept):
        outcome = kept("pack", "cust_001", "-o", "p.pack")
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.out == "1 log, 4 entries, 1 checkpoint in p.pack\n"
        Path("counterfoil.db").unlink()
        outcome = kept("audit", "p.pack", "--key", "operator.vkey")
        assert (outcome.status, outcome.err) == (0, "")
        assert "2 deltas, 1 checkpoint; complete through 20" in outcome.lines[0]
        assert outcome.lines[0].endswith("; customer cust_001, credits 500, debits 12.5, balance 487.5 EUR")
        counted, *_, unchecked = outcome.lines[1:]
        assert counted.startswith("1 log held, 0 refused; 1 pack whole, 0 refused; 4 entries")
        assert "that the packs have all logs" in unchecked

    def test_a_name_that_ends_in_gz_is_compressed_and_the_same_bytes_each_time(self, kept):
        kept("pack", "--all", "-o", "a.pack.gz")
        kept("pack", "--all", "-o", "b.gz")
        assert Path("a.pack.gz").read_bytes() == Path("b.gz").read_bytes()
        kept("pack", "--all", "-o", "p.pack")
        assert gzip.decompress(Path("b.gz").read_bytes()) == Path("p.pack").read_bytes()
        assert kept("audit", "b.gz", "--key", "operator.vkey").status == 0

    def test_a_dash_is_standard_output_which_has_the_pack_and_nothing_else(self, kept):
        kept("pack", "--all", "-o", "p.pack")
        outcome = kept("pack", "cust_001", "-o", "-")
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.out == Path("p.pack").read_text()
        assert not Path("-").exists()

    def test_standard_output_gets_a_whole_pack_or_nothing(self, kept, tamper):
        tamper("DELETE FROM entries WHERE idx = 1")
        outcome = kept("pack", "--all", "-o", "-")
        assert (outcome.code, outcome.out) == ("log-corrupt", "")

    def test_a_file_whose_name_is_a_dash_is_named_with_its_folder(self, kept):
        assert kept("pack", "--all", "-o", "./-").status == 0
        assert Path("-").exists()

    def test_customers_without_a_checkpoint_are_said_to_be_left_out(self, kept):
        kept("record", "cust_002", "5", "--reason", "x")
        outcome = kept("pack", "--all", "-o", "p.pack")
        assert outcome.status == 0
        assert "1 customer without a checkpoint" in outcome.err

    def test_with_nothing_to_prove_nothing_is_written(self, book):
        book("record", "cust_001", "5", "--reason", "x")
        outcome = book("pack", "--all", "-o", "p.pack")
        assert (outcome.status, outcome.code) == (11, "not-yet-checkpointed")
        assert not Path("p.pack").exists()

    def test_a_store_that_is_damaged_leaves_the_old_file(self, kept, tamper):
        kept("pack", "--all", "-o", "p.pack")
        old = Path("p.pack").read_bytes()
        tamper("DELETE FROM entries WHERE idx = 1")
        outcome = kept("pack", "--all", "-o", "p.pack")
        assert (outcome.status, outcome.code) == (20, "log-corrupt")
        assert Path("p.pack").read_bytes() == old
        assert not [path for path in Path().iterdir() if path.name.endswith(".new")]

    @pytest.mark.parametrize("arguments", [(), ("cust_001", "--all")])
    def test_customers_are_named_or_all_of_them(self, kept, arguments):
        assert kept("pack", *arguments, "-o", "p.pack").code == "usage"

    @pytest.mark.parametrize("name", ["counterfoil.db", "counterfoil-keys/p.pack"])
    def test_it_replaces_nothing_that_the_records_rest_on(self, kept, name):
        assert kept("pack", "--all", "-o", name).code == "usage"


class TestDash:
    @pytest.mark.parametrize(
        "arguments",
        [
            ("statement", "cust_001", "--from", "2020-01-01", "--to", "2100-01-01"),
            ("receipt", "RECORD"),
            ("consistency", "make", "cust_001", "--from", "4"),
        ],
    )
    def test_after_o_it_is_standard_output_for_every_document(self, kept, arguments):
        named = [record_id(kept, 2) if argument == "RECORD" else argument for argument in arguments]
        assert kept(*named, "-o", "-").out == kept(*named).out
        assert not Path("-").exists()


class TestAudit:
    @pytest.mark.parametrize("processes", [1, 2, 3])
    def test_every_run_prints_the_same_bytes_whatever_the_processes(self, packed, processes):
        wanted = packed(*AUDIT, "--json")
        outcome = packed(*AUDIT, "--json", "--processes", processes)
        assert (outcome.status, outcome.out, outcome.err) == (0, wanted.out, "")
        *logs, whole, last = outcome.findings
        assert [log["origin"] for log in logs] == sorted(log["origin"] for log in logs)
        assert (len(logs), whole["logs"], whole["entries"], last["summary"]["held"]) == (7, 7, 35, 7)

    @pytest.mark.parametrize("processes", [1, 2])
    def test_a_log_that_is_spoiled_refuses_no_other(self, packed, processes):
        changed = lines()
        changed[10] = changed[10].replace(b'"amount":"5"', b'"amount":"4"')
        assert changed != lines()
        Path("p.pack").write_bytes(b"".join(changed))
        outcome = packed(*AUDIT, "--processes", processes)
        assert (outcome.status, outcome.code) == (10, "totals-mismatch")
        told = [line.split()[0] for line in outcome.lines if line.startswith(("holds", "refused"))]
        assert told == ["holds", "refused", *["holds"] * 5]
        assert "6 logs held, 1 refused; 1 pack whole, 0 refused; 30 entries" in outcome.out

    def test_standard_input_is_one(self, packed):
        data = Path("p.pack").read_bytes()
        for given in (data, gzip.compress(data)):
            assert packed("audit", "-", "--key", KEY, stdin=given).status == 0

    @pytest.mark.usefixtures("packed")
    def test_a_pipe_of_the_shell_is_one_too(self):
        line = 'exec "$@" < <(cat p.pack)'
        arguments = [
            "bash",
            "-c",
            line,
            "bash",
            *command("audit", "/dev/stdin", "--key", KEY, "--processes", "2"),
        ]
        assert subprocess.run(arguments, env=environment(), check=False).returncode == 0

    def test_several_are_audited_in_one_call(self, packed):
        write(engine_of("5", customers=["zoe"]), "q.pack")
        outcome = packed("audit", "p.pack", "q.pack", "--key", KEY, "--json")
        assert [finding["file"] for finding in outcome.findings if "logs" in finding] == ["p.pack", "q.pack"]
        assert outcome.findings[-1]["summary"]["held"] == 8

    def test_keys_come_from_the_caller_alone(self, packed):
        assert packed("audit", "p.pack").code == "usage"
        stranger = operator_named(seed="stranger").verifier_key
        outcome = packed("audit", "p.pack", "--key", stranger)
        assert (outcome.status, outcome.code) == (11, "unknown-key")

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--all",),
            ("--customer", "cust_0"),
        ],
    )
    def test_a_pack_stands_alone(self, packed, arguments):
        assert packed(*AUDIT, *arguments).code == "usage"

    def test_a_file_that_is_not_there_is_refused_and_the_others_are_audited(self, packed):
        outcome = packed("audit", "nothing.pack", "p.pack", "--key", KEY)
        assert (outcome.status, outcome.code) == (2, "usage")
        assert "7 logs held, 0 refused; 1 pack whole, 1 refused" in outcome.out


def bomb():
    return gzip.compress(b'{"operator":"x"' + b" " * 200_000_000)


HOSTILE = {
    "empty": (lambda _: b"", 13, "malformed"),
    "cut": (lambda data: data[: len(data) // 2], 13, "malformed"),
    "no end": (lambda data: data[: data.rindex(b'{"end"')], 13, "malformed"),
    "twice": (lambda data: data + data, 13, "malformed"),
    "bad UTF-8": (lambda data: data.replace(b"usage", b"us\xffge", 1), 13, "malformed"),
    "bomb": (lambda _: bomb(), 13, "too-large"),
    "cut gzip": (lambda data: gzip.compress(data)[:-9], 13, "malformed"),
    "a huge line": (lambda data: data + b"x" * (PACK_LINE_BYTES_MAX + 1), 13, "too-large"),
    "one endless line": (lambda _: b"[" * 30_000_000, 13, "too-large"),
    "no log": (lambda data: data.splitlines()[0] + b'\n{"end":{"checkpoints":"0","entries":"0","logs":"0"}}', 11, "nothing-checked"),
    "another type": (lambda data: data.replace(b"pack@v1", b"pack@v2", 1), 11, "unknown-type"),
}  # fmt: skip


class TestHostilePacks:
    @pytest.mark.parametrize("processes", [1, 2])
    @pytest.mark.parametrize("name", HOSTILE)
    def test_one_is_refused_with_its_code_and_nothing_is_written(self, packed, name, processes):
        spoil, status, code = HOSTILE[name]
        Path("p.pack").write_bytes(spoil(Path("p.pack").read_bytes()))
        before = set(Path().iterdir())
        outcome = packed(*AUDIT, "--state", "state", "--processes", processes)
        assert (outcome.status, outcome.code) == (status, code)
        assert set(Path().iterdir()) == before

    def test_lines_that_changed_places_and_lines_that_stand_twice_are_refused(self, packed):
        whole = lines()
        for spoiled in ([*whole[:3], whole[4], whole[3], *whole[5:]], [*whole[:3], whole[2], *whole[3:]]):
            Path("p.pack").write_bytes(b"".join(spoiled))
            assert packed(*AUDIT).code == "index-mismatch"

    def test_a_checkpoint_of_another_operator_is_refused(self, packed):
        other = engine_of("5", operator=operator_named("other.example.com"))
        [note] = [line for line in other.pack_lines() if b'"checkpoint"' in line and b'"end"' not in line]
        Path("p.pack").write_bytes(b"".join([*lines()[:7], note, *lines()[8:]]))
        assert packed(*AUDIT).status in {10, 11}

    def test_a_key_in_the_pack_is_no_key(self, packed):
        header = json.loads(lines()[0]) | {"key": KEY}
        Path("p.pack").write_bytes(canonical_json(header) + b"\n" + b"".join(lines()[1:]))
        assert packed(*AUDIT).code == "malformed"
