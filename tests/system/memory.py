"""What somebody outside remembers of what a store told it, and holds against it; and where the scripted run can begin."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from counterfoil.core.note import parse_verifier_key
from tests.fsck import fsck
from tests.system import script

# After these nobody can tell whether it was done; after any other refusal it surely was not.
UNSURE = "commit-outcome-unknown"
WORLD_CODES = {"io-error", "out-of-space", "store-unavailable", UNSURE}


class Memory:
    """The answers so far.

    Attributes:
        acks: number of a row -> what was acknowledged.
        unsure: rows that may be there or not.
        notes: the checkpoints that were published.
        codes: of every refusal, in order.
        key: the public key.
        replays: how many rows were answered as replays.
    """

    def __init__(self):
        self.acks, self.unsure, self.notes, self.codes = {}, set(), [], []
        self.key = None
        self.replays = 0

    def copy(self):
        other = Memory()
        other.acks, other.unsure, other.notes = dict(self.acks), set(self.unsure), list(self.notes)
        other.key = self.key
        return other

    def hear(self, answer):
        """Take an answer, which must not contradict those before."""
        if answer.key is not None:
            assert self.key in {None, answer.key}, "other keys than before"
            self.key = answer.key
        for number, ack, replayed in answer.rows:
            if replayed:
                assert number in self.acks or number in self.unsure, f"row {number} was refused, and is there"
            else:
                assert number not in self.acks, f"row {number} was acknowledged, and is recorded again"
            assert self.acks.setdefault(number, ack) == ack, f"row {number} stands in two places"
            self.unsure.discard(number)
            self.replays += replayed
        self.notes += answer.notes
        self.codes += answer.codes
        if UNSURE in answer.codes:
            self.unsure |= set(answer.refused) - self.acks.keys()

    def cut(self, chapter):
        """The process is gone: of rows without an answer nobody knows."""
        self.unsure |= chapter.rows - self.acks.keys()

    @property
    def was_told(self):
        """Whether it was told anything that a store must hold."""
        return bool(self.acks or self.notes)

    def examine(self, path):
        """Hold all of it against a store file; return what the file holds."""
        found = fsck(
            path,
            operator=script.OPERATOR,
            public_key=parse_verifier_key(self.key).public_key,
            acknowledged=self.acks.values(),
            published=self.notes,
        )
        assert len(self.acks) <= found.deltas <= len(self.acks) + len(self.unsure)
        return found

    def examine_copy(self, folder, scratch):
        """The same with a copy of the files as they lie there: they themselves are left for the next run to mend."""
        copy = scratch / "copy"
        copy.mkdir()
        for file in folder.glob("store.db*"):
            shutil.copy(file, copy)
        try:
            return self.examine(copy / "store.db")
        finally:
            shutil.rmtree(copy)

    def examine_end(self, folder):
        """The same after a chapter that went well: everything is recorded, and under a checkpoint."""
        found = self.examine(folder / "store.db")
        assert not self.unsure
        assert (found.unsigned, found.pending) == (0, 0)
        return found


class Stage(NamedTuple):
    """A chapter of the run, the files that it begins with, and what is remembered by then."""

    number: int
    chapter: script.Chapter
    files: Path
    memory: Memory

    def play_in(self, folder):
        """Lay the files out in a new folder; return it with what is remembered."""
        return Path(shutil.copytree(self.files, folder)), self.memory.copy()

    def resume(self, folder, memory):
        """Run the chapter once more, and see that it ends well."""
        chapter = self.chapter.later()
        before = len(memory.codes)
        script.run(folder, chapter._replace(steps=(*chapter.steps, script.Checkpoint())), memory.hear)
        assert memory.codes[before:] == []
        assert chapter.rows <= memory.acks.keys()
        return memory.examine_end(folder)


def stages(folder, rounds) -> Iterator[Stage]:
    """Run the script once, without faults; yield each chapter with what it begins with."""
    home = folder / "home"
    home.mkdir(parents=True)
    memory = Memory()
    for number, chapter in enumerate(script.chapters(rounds)):
        yield Stage(number, chapter, Path(shutil.copytree(home, folder / str(number))), memory.copy())
        parts = (chapter,) if number else (chapter, script.growth())
        for part in parts:
            script.run(home, part, memory.hear)
    assert memory.codes == []
    # The run came by everything that a store does: entries were settled, too.
    assert memory.examine_end(home).settled
