"""Runs work in forked processes under strace: to count their calls, to record them, and to have them fail.

Forked, because starting Python and importing takes longer than everything else.  strace counts from 1 in each process,
so every run makes the same calls under the same numbers.
"""

import multiprocessing
import pickle
import re
import shutil
import socket
import subprocess
from collections import Counter
from functools import cache
from typing import NamedTuple

import pytest

from tests.system import commands, script, spoilt

# What changes files.  strace leaves out those with `?` that a machine does not have.
CHANGES = (
    "write", "pwrite64", "fsync", "fdatasync", "?rename", "?renameat", "renameat2", "?unlink", "unlinkat", "ftruncate", "?mkdir", "mkdirat",
)  # fmt: skip
_CALL = re.compile(r"\d+ +(\w+)\(")
INJECTED = "(INJECTED)"


class Ran(NamedTuple):
    """What became of a process: its exit status as Python tells it, what it told, and the trace."""

    status: int
    answers: list
    trace: list[str]

    @property
    def injected(self):
        return sum(line.endswith(INJECTED) for line in self.trace)


@cache
def _processes():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([script.__name__, spoilt.__name__, commands.__name__])
    return context


def run_traced(folder, work, *arguments, inject=None, names=CHANGES, options=()):
    """Run `script.play` with some work under strace, to its end.

    Args:
        folder: where the trace goes.
        work: a function of a module, called with the arguments and with what sends an answer.
        arguments: see above.
        inject: as strace has it: `pwrite64:signal=KILL:when=7`.
        names: the calls to trace.
        options: of strace.
    """
    if shutil.which("strace") is None:
        pytest.fail("strace is missing (Debian: apt-get install strace)")
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with mine:
        with its:
            child = _processes().Process(target=script.play, args=(its, work, *arguments))
            child.start()
        trace = folder / "trace"
        command = ["strace", "-f", "-qq", *options, "-o", trace, "-p", str(child.pid)]
        command += ["-e", f"trace=getppid,{','.join(names)}"]
        command += ["-e", f"inject=getppid:retval={script.TRACED_PARENT}"]
        if inject:
            command += ["-e", f"inject={inject}"]
        strace = subprocess.run(command, capture_output=True, text=True, check=False)
        if strace.returncode:
            child.kill()
            child.join()
            pytest.fail(f"strace cannot trace the process: {strace.stderr}")
        child.join()
        answers = list(_drain(mine))
    lines = [line for line in trace.read_text().splitlines() if " getppid(" not in line]
    trace.unlink()
    return Ran(child.exitcode, answers, lines)


def _drain(channel):
    while message := channel.recv(1 << 20):
        yield pickle.loads(message)  # noqa: S301  -- from our own child


def count(ran):
    """Return how often a process made each call."""
    return Counter(match[1] for line in ran.trace if (match := _CALL.match(line)))
