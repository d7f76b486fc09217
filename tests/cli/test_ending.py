"""A command that is asked to end leaves nothing behind: no half of a file, and no process."""

import os
import select
import signal
import subprocess
from pathlib import Path

import pytest

from counterfoil.engine.engine import Engine
from tests.cli.conftest import command, environment
from tests.cli.test_packs import KEY
from tests.cli.test_worker import PATIENCE_SECONDS, fill
from tests.postgres import children
from tests.support import OPERATOR

ASKED = {signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGINT: 130, signal.SIGKILL: -signal.SIGKILL}
# More findings than fit into the pipes between the processes, and in the one that nobody reads to its end.
LOGS = 20_000


def pack_of_empty_logs():
    lines = [f'{{"operator":"{OPERATOR.name}","type":"counterfoil/pack@v1"}}']
    lines += [f'{{"log":"{OPERATOR.name}/acme/0x{number:040x}"}}' for number in range(LOGS)]
    lines.append(f'{{"end":{{"checkpoints":"0","entries":"0","logs":"{LOGS}"}}}}')
    return "\n".join(lines)


def members_of(process, count):
    """Handles of the processes that a command has started, at work since it has printed something."""
    assert process.stdout.readline()
    found = children(process.pid)
    assert len(found) == count
    return [os.pidfd_open(pid) for pid in found]


@pytest.fixture
def start(tmp_path):
    """Start a command whose output nobody reads but for what the test does."""
    started = []

    def begin(*arguments):
        started.append(
            subprocess.Popen(
                command(*arguments),
                cwd=tmp_path,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def end_with(process, handles, how):
    """Ask a process to end; see that it does, and those that it has started too."""
    process.send_signal(how)
    for handle in handles:
        assert select.select([handle], [], [], PATIENCE_SECONDS)[0]
        os.close(handle)
    assert process.wait(PATIENCE_SECONDS) == ASKED[how]
    assert not process.stderr.read().strip()


class TestProcesses:
    """They end with the one that started them, whatever ends it."""

    @pytest.mark.parametrize("how", ASKED)
    def test_those_of_an_audit_of_a_pack(self, cf, start, how):
        del cf
        Path("p.pack").write_text(pack_of_empty_logs())
        process = start("audit", "p.pack", "--key", KEY, "--processes", "3")
        end_with(process, members_of(process, 3), how)

    @pytest.mark.parametrize("how", ASKED)
    def test_those_of_an_audit_of_a_store(self, book, start, how):
        fill(book, 1_000)
        process = start("audit", "--all", "--processes", "2")
        end_with(process, members_of(process, 2), how)

    def test_they_end_with_an_audit_that_found_everything(self, cf, start):
        del cf
        Path("p.pack").write_text(pack_of_empty_logs())
        process = start("audit", "p.pack", "--key", KEY, "--processes", "2")
        handles = members_of(process, 2)
        # What was read ahead of the first line is counted too.
        assert process.stdout.read().count(b"\n") == LOGS
        assert process.wait(PATIENCE_SECONDS) == 11
        for handle in handles:
            assert select.select([handle], [], [], 0)[0]
            os.close(handle)

    def test_one_that_is_killed_ends_the_audit(self, cf, start):
        del cf
        Path("p.pack").write_text(pack_of_empty_logs())
        process = start("audit", "p.pack", "--key", KEY, "--processes", "2")
        handles = members_of(process, 2)
        signal.pidfd_send_signal(handles[1], signal.SIGKILL)
        _, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 70
        assert b"a process of the audit was killed" in err
        for handle in handles:
            assert select.select([handle], [], [], PATIENCE_SECONDS)[0]
            os.close(handle)


class TestFiles:
    """What was being written is gone, and what stood there before still stands."""

    @pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
    @pytest.mark.parametrize("name", ["p.pack", "p.pack.gz"])
    def test_half_a_pack_is_none(self, kept, monkeypatch, how, name):
        def lines(engine, *arguments, real=Engine.pack_lines, **options):
            for line in real(engine, *arguments, **options):
                yield line
                os.kill(os.getpid(), how)

        assert kept("pack", "--all", "-o", name).status == 0
        old = Path(name).read_bytes()
        monkeypatch.setattr(Engine, "pack_lines", lines)
        before = set(Path().iterdir())
        outcome = kept("pack", "--all", "-o", name)
        assert (outcome.status, outcome.out, outcome.err.strip()) == (ASKED[how], "", "")
        assert set(Path().iterdir()) == before
        assert Path(name).read_bytes() == old

    @pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
    def test_a_signal_that_is_ignored_ends_nothing(self, kept, monkeypatch, how):
        # As nohup has it.
        monkeypatch.setattr(
            "counterfoil.engine.engine.Engine.customer_view",
            lambda *_, real=Engine.customer_view, **options: (os.kill(os.getpid(), how), real(*_, **options))[
                1
            ],
        )
        before = signal.signal(how, signal.SIG_IGN)
        try:
            assert kept("customer", "cust_001").status == 0
            assert signal.getsignal(how) is signal.SIG_IGN
        finally:
            signal.signal(how, before)

    def test_afterwards_signals_mean_what_they_did(self, cf):
        before = [signal.getsignal(how) for how in ASKED]
        cf("--version")
        assert [signal.getsignal(how) for how in ASKED] == before
