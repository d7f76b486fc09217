"""`audit PACK --evidence`: what lies in the folder already takes nothing from the finding."""

import errno
import os
from pathlib import Path

import pytest

from counterfoil.cli.auditing import evidence
from tests.cli.test_pack_audit import BOTH, HISTORIES, two_histories

AUDIT = (*BOTH, "--evidence", "evidence")


@pytest.fixture
def names(cf):
    """The names of the files of two histories, in an empty folder."""
    two_histories(*HISTORIES[2])
    assert cf(*AUDIT).status == 12
    found = sorted(path.name for path in Path("evidence").iterdir())
    for name in found:
        Path("evidence", name).unlink()
    return found


# What may have the name of a file that is to be written.
MAKE = {
    "text": lambda path: path.write_text("mine"),
    "long text": lambda path: path.write_bytes(bytes(2_000_000)),
    "nothing": Path.touch,
    "link": lambda path: path.symlink_to("elsewhere"),
    "link to a file": lambda path: path.symlink_to(Path("p.pack").absolute()),
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
}


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
class TestWhatHasTheName:
    def test_it_is_said_beside_the_fork_and_the_other_file_is_written(self, cf, names, make):
        taken, other = (Path("evidence", name) for name in names)
        make(taken)
        before = taken.lstat(), Path("p.pack").read_bytes()
        outcome = cf(*AUDIT, "--json")
        assert (outcome.status, outcome.code) == (12, "fork")
        [refused] = [finding for finding in outcome.findings if "notWritten" in finding]
        assert refused["evidence"] == [str(other)]
        [reason] = refused["notWritten"]
        assert reason.startswith("usage: ")
        assert str(taken) in reason
        assert (taken.lstat()[:9], Path("p.pack").read_bytes()) == (before[0][:9], before[1])
        assert not Path("elsewhere").exists()

    def test_it_is_said_in_words_too(self, cf, names, make):
        make(Path("evidence", names[0]))
        outcome = cf(*AUDIT)
        assert outcome.code == "fork"
        assert outcome.out.count("not written: usage: ") == 1
        assert outcome.out.count("written to evidence/") == 1


class TestFolder:
    @pytest.mark.parametrize("name", ["p.pack", "p.pack/evidence", "p.pack/a/b", "link", "link/evidence"])
    def test_one_that_cannot_be_is_refused_before_anything_is_audited(self, cf, name):
        two_histories(*HISTORIES[0])
        Path("link").symlink_to("nowhere")
        outcome = cf(*BOTH, "--evidence", name)
        assert (outcome.code, outcome.out) == ("usage", "")

    def test_one_in_folders_that_are_not_there_yet_is_made_with_them(self, cf):
        two_histories(*HISTORIES[0])
        assert cf(*BOTH, "--evidence", "a/b/c").status == 12
        assert len(list(Path("a/b/c").iterdir())) == 2

    def test_one_that_went_away_meanwhile_takes_nothing_from_the_fork(self, cf, monkeypatch):
        two_histories(*HISTORIES[0])

        def refuse(_):
            raise PermissionError(errno.EACCES, "Permission denied", "evidence")

        monkeypatch.setattr(evidence, "make_folder", refuse)
        outcome = cf(*AUDIT)
        assert outcome.code == "fork"
        assert outcome.out.count("not written: io-error: ") == 2 * outcome.out.count("refused ")
        assert "written to" not in outcome.out


def test_what_could_not_be_written_whole_is_not_there_and_the_next_call_writes_it(cf, names, monkeypatch):
    def refuse(path, _):
        assert path.stat().st_size
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", refuse)
        outcome = cf(*AUDIT)
    assert outcome.code == "fork"
    assert outcome.out.count("not written: out-of-space: ") == 2
    assert list(Path("evidence").iterdir()) == []
    assert cf(*AUDIT).status == 12
    assert sorted(path.name for path in Path("evidence").iterdir()) == names
