"""Packs that are read more than once: what can be read once is copied, as far as it is a pack; what changes is refused."""

import gzip
import io
import sys
from pathlib import Path

import pytest

from counterfoil.cli.auditing import packs
from counterfoil.cli.auditing.files import PackFiles
from tests.cli.test_pack_audit import BOTH, HISTORIES, two_histories
from tests.cli.test_packs import AUDIT, CUSTOMERS, HOSTILE, KEY, engine_of, write

MEBIBYTE = 1_048_576


class Endless(io.RawIOBase):
    """A stream that begins with some bytes and goes on with others for ever."""

    def __init__(self, first, rest):
        super().__init__()
        self._first = io.BytesIO(first)
        self._rest = rest
        self.given = 0

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self._first.read(len(buffer)) or (self._rest * len(buffer))[: len(buffer)]
        buffer[: len(data)] = data
        self.given += len(data)
        return len(data)


@pytest.fixture
def packed(cf):
    """A pack of seven logs of three deltas, in the folder."""
    write(engine_of("5", "-2", "1", customers=CUSTOMERS))
    return cf


class TestStandardInput:
    @pytest.mark.parametrize(
        ("begin", "rest"),
        [
            (lambda _: b"", b"\x00"),
            (lambda _: b"", b"y\n"),
            (lambda whole: whole, b"\x00"),
            (lambda whole: whole[:5_000], b"y"),
            (gzip.compress, b"y\n"),
        ],
        ids=["zeros", "lines", "behind a pack", "behind half of one", "behind a packed one"],
    )
    def test_of_what_is_no_pack_and_has_no_end_little_is_copied(self, packed, monkeypatch, begin, rest):
        del packed
        endless = Endless(begin(Path("p.pack").read_bytes()), rest)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(endless)))
        with PackFiles() as files, files.open("-") as copy:
            assert copy.seek(0, io.SEEK_END) <= MEBIBYTE
        assert endless.given <= MEBIBYTE

    @pytest.mark.parametrize("name", HOSTILE)
    @pytest.mark.parametrize("larger", [False, True], ids=["small", "large"])
    def test_the_verdict_is_that_of_the_file(self, packed, name, larger):
        if larger:
            write(engine_of(*["5"] * 40, customers=[f"c{number}" for number in range(30)]))
        spoil, status, code = HOSTILE[name]
        data = spoil(Path("p.pack").read_bytes())
        Path("p.pack").write_bytes(data)
        wanted = packed(*AUDIT)
        outcome = packed("audit", "-", "--key", KEY, stdin=data)
        assert (outcome.status, outcome.code) == (wanted.status, wanted.code) == (status, code)
        assert outcome.out == wanted.out.replace("p.pack", "-")


class TestPacksThatChange:
    @pytest.mark.parametrize("processes", [1, 2])
    def test_one_that_was_another_when_the_others_were_held_against_it_holds_nothing(
        self, cf, monkeypatch, processes
    ):
        two_histories(*HISTORIES[2])
        good = Path("q.pack").read_bytes()
        bad = Path("p.pack").read_bytes()
        # It shows the history of the other until both were read.
        Path("p.pack").write_bytes(good)

        def sighted(*arguments, real=packs._sighted):  # noqa: SLF001  -- between two readings there is nothing else
            found = real(*arguments)
            Path("p.pack").write_bytes(bad)
            return found

        monkeypatch.setattr(packs, "_sighted", sighted)
        outcome = cf(*BOTH, "--state", "state", "--processes", processes)
        assert outcome.status in {10, 12, 13}
        assert not Path("state").exists()

    def test_a_log_that_was_not_there_before_is_refused(self, cf, monkeypatch):
        write(engine_of("5"), "p.pack")
        write(engine_of("5", customers=["zoe"]), "q.pack")
        later = engine_of("5", customers=["alice", "bob"])

        def sighted(*arguments, real=packs._sighted):  # noqa: SLF001  -- as above
            found = real(*arguments)
            write(later, "p.pack")
            return found

        monkeypatch.setattr(packs, "_sighted", sighted)
        outcome = cf(*BOTH, "--json")
        codes = [finding["result"] for finding in outcome.findings if finding.get("origin")]
        assert sorted(codes) == ["malformed", "ok", "ok"]
        assert outcome.status == 13


class TestResults:
    """What is said of a pack as a whole is no better than its worst log."""

    def test_it_is_ok_where_every_log_is(self, packed):
        [whole] = [one for one in packed(*AUDIT, "--json").findings if one.get("origin", "") is None]
        assert (whole["result"], whole["logs"], whole["refused"]) == ("ok", 7, 0)

    def test_else_it_is_that_of_the_worst(self, packed):
        lines = Path("p.pack").read_bytes().splitlines(keepends=True)
        # An entry that does not read, and a sum that is wrong; each pack answers for its own logs.
        lines[3] = lines[3].replace(b'"amount":"5"', b'"amount":"five"')
        lines[10] = lines[10].replace(b'"amount":"5"', b'"amount":"4"')
        write(engine_of("5", customers=["zoe"]), "q.pack")
        Path("p.pack").write_bytes(b"".join(lines))
        findings = packed(*BOTH, "--json").findings
        found = [(one["result"], one["refused"]) for one in findings if one.get("origin", "") is None]
        assert found == [("totals-mismatch", 2), ("ok", 0)]

    def test_a_pack_with_a_fault_of_its_own_has_that(self, packed):
        lines = Path("p.pack").read_bytes().splitlines(keepends=True)
        Path("p.pack").write_bytes(b"".join(lines[:-1]))
        [whole] = [one for one in packed(*AUDIT, "--json").findings if one.get("origin", "") is None]
        assert whole["result"] == "malformed"
