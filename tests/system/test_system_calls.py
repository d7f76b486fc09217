"""What the commands ask of the system, seen from outside by strace.

`make test-system` runs these; they fail, and are not skipped, where strace is missing.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from counterfoil.engine.engine import Engine
from counterfoil.storage.memory import MemoryStore
from tests.support import OPERATOR, FakeClock, delta, seeded

_WRITABLE = re.compile(
    r'openat\([^,]+, "(?P<path>[^"]*)", (?P<flags>[A-Z_|]*(?:O_WRONLY|O_RDWR|O_CREAT)[A-Z_|]*)'
)


def traced(folder: Path, arguments, *, syscalls, program=("-m", "counterfoil")):
    """Run the command under strace; return its output and the trace, a line a call."""
    trace = folder / "trace"
    done = subprocess.run(
        # -B: an interpreter that writes byte code would write files of its own.
        [
            "strace",
            "-f",
            "-qq",
            "-o",
            trace,
            "-e",
            f"trace={syscalls}",
            sys.executable,
            "-B",
            *program,
            *arguments,
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "COUNTERFOIL_STORE": "sqlite:///store.db", "COUNTERFOIL_KEYS": "keys"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, trace.read_text().splitlines()


def written_paths(trace):
    opened = [match["path"] for line in trace if (match := _WRITABLE.search(line)) and " = -1 " not in line]
    return [path for path in opened if path not in {"/dev/null", "/dev/tty"}]


@pytest.fixture
def receipt(tmp_path):
    engine = Engine(MemoryStore(FakeClock()), OPERATOR, randomness=seeded())
    recorded = engine.record(delta("-12.5"))
    engine.checkpoint("alice")
    path = tmp_path / "receipt.json"
    path.write_bytes(engine.receipt(recorded.record_id).receipt)
    return path


def test_verifying_opens_no_socket_and_writes_no_file(tmp_path, receipt):
    arguments = ["verify", str(receipt), "--key", str(OPERATOR.verifier_key)]
    output, trace = traced(tmp_path, arguments, syscalls="network,openat")
    assert "alice" in output
    # The trace did see the command at work.
    assert any("receipt.json" in line for line in trace)
    assert not [line for line in trace if re.search(r"\b(socket|connect|bind|sendto)\(", line)]
    assert written_paths(trace) == []


def test_the_look_at_written_files_sees_a_command_that_writes(tmp_path):
    _, trace = traced(tmp_path, ["init", "--operator", "ledger.example.com"], syscalls="network,openat")
    assert any(path.endswith("store.db") for path in written_paths(trace))


def _calls(trace):
    """The calls that matter, in order: what is written to the store or its journal, synced, and acknowledged."""
    order = []
    for line in trace:
        if re.search(r"\b(fsync|fdatasync)\(", line):
            order.append("sync")
        elif re.search(r"\bpwrite64\(", line):
            order.append("store")
        elif re.search(r"\bwrite\(1,", line):
            order.append("answer")
    return order


def test_a_delta_is_acknowledged_after_what_was_written_is_synced(tmp_path):
    traced(tmp_path, ["init", "--operator", "ledger.example.com"], syscalls="none")
    arguments = ["record", "cust_001", "-12.5", "--reason", "api_call"]
    _, trace = traced(tmp_path, arguments, syscalls="write,pwrite64,fsync,fdatasync")
    order = _calls(trace)
    answered = order.index("answer")
    before = order[:answered]
    assert "store" in before
    # The journal, the store and the truncated journal are each synced; nothing is written after the last sync.
    assert before.count("sync") >= 3
    assert before[-1] == "sync"


def test_the_order_of_calls_shows_a_store_that_does_not_sync(tmp_path):
    unsafe = (
        "import sqlite3, sys\n"
        "store = sqlite3.connect('unsafe.db', isolation_level=None)\n"
        "store.execute('PRAGMA synchronous = OFF')\n"
        "store.execute('CREATE TABLE t (x)')\n"
        "store.execute('INSERT INTO t VALUES (1)')\n"
        "sys.stdout.write('recorded')\n"
    )
    _, trace = traced(tmp_path, [], syscalls="write,pwrite64,fsync,fdatasync", program=("-c", unsafe))
    order = _calls(trace)
    assert "answer" in order
    assert "sync" not in order[: order.index("answer")]
