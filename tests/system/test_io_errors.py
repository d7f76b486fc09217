"""Calls that fail: no success is ever reported for a write that failed, and when the disk is well again it goes on.

Every call that writes, syncs, renames, removes or truncates fails once, or from some moment on.
"""

import contextlib
import json
import shutil
from collections import Counter
from itertools import takewhile

import pytest

from counterfoil.cli.main import run
from counterfoil.errors import CODES, EXIT_IO, EXIT_OK, EXIT_USAGE
from tests.system import script, spoilt
from tests.system.commands import PLACE, play_command
from tests.system.memory import WORLD_CODES, stages
from tests.system.tracing import count, run_traced

ROUNDS, ROUNDS_LONG = 1, 5
POINTS, POINTS_LONG = 700, 7_000
# What fails, and whether it goes on failing; `+` is strace's.  Each point has all of them in a long run, and else one.
FAILURES = (("EIO", ""), ("ENOSPC", "+"), ("EINTR", ""), ("EIO", "+"), ("ENOSPC", ""))
# Side by side, where there are several workers.
PARTS = 4


def faults(ran, *, long, place=0):
    """Yield what to inject: for each call of a run its failures, in turn or all."""
    for name, calls in sorted(count(ran).items()):
        for number in range(1, calls + 1):
            for error, on in FAILURES if long else [FAILURES[place % len(FAILURES)]]:
                yield f"{name}:error={error}:when={number}{on}"
            place += 1


def fired(ran, inject):
    """Check that the fault was one: once, or again and again."""
    assert ran.injected == 1 or (ran.injected > 1 and inject.endswith("+")), inject


def failing(stage, folder, inject, spoil=spoilt.safe):
    """Run a chapter with a fault, hold what was told against the store, and run it again; return the refusals."""
    home, memory = stage.play_in(folder / "failing")
    ran = run_traced(folder, script.play_chapter, home, stage.chapter, spoil, inject=inject)
    fired(ran, inject)
    # What it raises but refusals ends the process with another status.
    assert ran.status == 0, inject
    for answer in ran.answers:
        memory.hear(answer)
    codes = tuple(memory.codes)
    assert set(codes) <= WORLD_CODES, inject
    if memory.was_told:
        memory.examine_copy(home, folder)
    stage.resume(home, memory)
    shutil.rmtree(home)
    return codes


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_fails_what_was_acknowledged_is_there_and_what_was_refused_is_not(
    tmp_path, long, part, record_property
):
    points, injected, codes = 0, 0, Counter()
    for stage in stages(tmp_path, ROUNDS_LONG if long else ROUNDS):
        home, _ = stage.play_in(tmp_path / "counted")
        every = list(
            faults(run_traced(tmp_path, script.play_chapter, home, stage.chapter, spoilt.safe), long=long)
        )
        points += len(every)
        for inject in every[part::PARTS]:
            codes.update(failing(stage, tmp_path, inject))
            injected += 1
        shutil.rmtree(tmp_path / "counted")
    record_property("injected", injected)
    record_property("points", points)
    record_property("refusals", dict(codes))
    assert points >= (POINTS_LONG if long else POINTS)
    assert {"io-error", "out-of-space", "commit-outcome-unknown"} <= codes.keys()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [(spoilt.Deaf, "was acknowledged, and is recorded again"), (spoilt.Sure, "was refused, and is there")],
)
def test_a_store_that_says_the_wrong_thing_of_a_commit_is_caught(tmp_path, spoil, why):
    """The control: a COMMIT that failed is taken for a good one; one that may have failed, for one that surely did."""
    *_, stage, _ = stages(tmp_path, 1)
    home, _ = stage.play_in(tmp_path / "counted")
    ran = run_traced(tmp_path, script.play_chapter, home, stage.chapter, spoil)

    def run():
        for inject in faults(ran, long=True):
            failing(stage, tmp_path, inject, spoil)
            shutil.rmtree(tmp_path / "failing", ignore_errors=True)

    with pytest.raises(AssertionError, match=why):
        run()


# The command line: what each command is called with, and how it shows afterwards that all of it was done.

ROWS = "".join(
    json.dumps(
        {
            "customerId": f"cust_{number % 2}",
            "delta": "-1.5",
            "reason": "usage",
            "idempotencyKey": f"row-{number}",
        }
    )
    + "\n"
    for number in range(4)
)
RECORD = ("record", "cust_1", "-12.5", "--reason", "usage", "--idempotency-key", "k", "--json")
IMPORT = ("import", "rows.ndjson", "--json")
CHECKPOINT = ("checkpoint", "--all")
VERIFY = ("verify", "receipts", "--key", "keys/operator.vkey")
COMMANDS = {
    "init": (("init", "--operator", "ledger.example.com"), ("key", "check"), "holds  keys"),
    "record": (RECORD, RECORD, '"replayed": true'),
    "import": (IMPORT, IMPORT, '"recorded": 0, "replayed": 4'),
    "checkpoint": (CHECKPOINT, CHECKPOINT, "0 checkpoints signed, 0 refused"),
    "receipts": (("receipts", "cust_0", "-o", "receipts"), VERIFY, "2 verified, 0 refused"),
}


@pytest.fixture
def call(capsys, monkeypatch):
    """Call a command in this process, in a folder; its place is as in the processes with faults."""
    for name, value in PLACE.items():
        monkeypatch.setenv(name, value)

    def call(folder, arguments):
        capsys.readouterr()
        with contextlib.chdir(folder):
            status = run(arguments)
        return status, *capsys.readouterr()

    return call


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_ends_with_0_has_done_all_of_it(tmp_path, long, call, name, record_property):
    arguments, question, answer = COMMANDS[name]
    before = tmp_path / "before"
    before.mkdir()
    (before / "rows.ndjson").write_text(ROWS)
    for earlier in takewhile(lambda other: other != name, COMMANDS):
        assert call(before, COMMANDS[earlier][0])[0] == EXIT_OK
    home = tmp_path / "home"
    shutil.copytree(before, home)
    # The last of them makes few calls.
    every = list(faults(run_traced(tmp_path, play_command, home, arguments), long=long or name == "receipts"))
    statuses = Counter()
    for inject in every:
        shutil.rmtree(home)
        shutil.copytree(before, home)
        ran = run_traced(tmp_path, play_command, home, arguments, inject=inject)
        fired(ran, inject)
        assert ran.status == 0, inject
        (status,) = ran.answers
        statuses[status] += 1
        assert status in {EXIT_OK, EXIT_IO}, inject
        check_refusal(status, (home / "err").read_text(), inject)
        if status != EXIT_OK:
            # The same again: either there is still something to do, or `init` finds that it was through.
            assert call(home, arguments)[0] in ({EXIT_OK, EXIT_USAGE} if name == "init" else {EXIT_OK}), (
                inject
            )
        said = call(home, question)
        assert said[0] == EXIT_OK, (inject, said)
        assert answer in said[1], (inject, said)
    record_property("statuses", dict(statuses))
    assert statuses[EXIT_IO]


def check_refusal(status, err, inject):
    """Check that a refusal is one line with its code, and no traceback; standard error may have failed itself."""
    if status == EXIT_OK or (not err and inject.startswith("write:")):
        assert err == ""
        return
    lines = err.splitlines()
    assert all(line.startswith(("counterfoil: error: ", "counterfoil: hint: ")) for line in lines), err
    (code,) = (line.split(": ")[2] for line in lines if line.startswith("counterfoil: error: "))
    assert code in WORLD_CODES
    assert CODES[code] == status
