"""kill -9 at every call that writes, syncs, renames, removes or truncates, and at every answer.

Nothing that was acknowledged is lost or repeated, no two histories are signed, and the next run goes on.
"""

import shutil
import signal
import sqlite3
from collections import Counter

import pytest

from tests.fsck import BrokenError
from tests.system import script, spoilt
from tests.system.memory import stages
from tests.system.tracing import CHANGES, count, run_traced

# An answer is a point, too: before it what is committed was acknowledged to nobody.
CALLS = (*CHANGES, "sendto")
ROUNDS, ROUNDS_LONG = 3, 20
POINTS, POINTS_LONG = 1_000, 5_000
# Side by side, where there are several workers.
PARTS = 4


def counted(stage, folder, spoil=spoilt.safe):
    """Return all points of a chapter, as names of calls with how many of this name there were."""
    home, _ = stage.play_in(folder / "counted")
    ran = run_traced(folder, script.play_chapter, home, stage.chapter, spoil, names=CALLS)
    shutil.rmtree(home)
    assert ran.status == 0
    return [(name, number) for name, calls in sorted(count(ran).items()) for number in range(1, calls + 1)]


def killed(stage, folder, point, spoil=spoilt.safe):
    """Run a chapter and kill it at a point; return its folder and what was told before."""
    name, number = point
    home, memory = stage.play_in(folder / "killed")
    ran = run_traced(
        folder,
        script.play_chapter,
        home,
        stage.chapter,
        spoil,
        inject=f"{name}:signal=KILL:when={number}",
        names=CALLS,
    )
    # Nothing but the kill ends it before its end, and a kill that did not come leaves it to end well.
    assert ran.status == -signal.SIGKILL, f"{name} {number} of chapter {stage.number}: {ran.status}"
    for answer in ran.answers:
        memory.hear(answer)
    assert memory.codes == []
    memory.cut(stage.chapter)
    return home, memory


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_the_call_what_was_acknowledged_is_there_once(tmp_path, long, part, record_property):
    every, due, kills, replays = Counter(), 0, 0, 0
    for stage in stages(tmp_path, ROUNDS_LONG if long else ROUNDS):
        points = counted(stage, tmp_path)
        every.update(name for name, _ in points)
        due += len(points[part::PARTS])
        for point in points[part::PARTS]:
            home, memory = killed(stage, tmp_path, point)
            # Before the first answer there may be no tables to look at; the resumed run is looked at in any case.
            if memory.was_told:
                memory.examine_copy(home, tmp_path)
            stage.resume(home, memory)
            shutil.rmtree(home)
            kills += 1
            replays += memory.replays
    record_property("kills", kills)
    record_property("points", every.total())
    assert every.total() >= (POINTS_LONG if long else POINTS)
    assert kills == due
    assert replays
    # What a new key folder, a new store and a transaction are made of; SQLite syncs files with either call.
    assert {"write", "pwrite64", "fsync", "rename", "ftruncate", "sendto"} <= every.keys()


@pytest.mark.parametrize("spoil", [spoilt.without_journal_on_disk, spoilt.Hasty])
def test_a_store_that_a_kill_breaks_is_caught(tmp_path, spoil):
    """The control: half a transaction that cannot be undone; an answer before the COMMIT."""
    *_, stage, _ = stages(tmp_path, 1)

    def run():
        for point in counted(stage, tmp_path, spoil):
            home, memory = killed(stage, tmp_path, point, spoil)
            memory.examine_copy(home, tmp_path)
            shutil.rmtree(home)

    with pytest.raises((BrokenError, sqlite3.DatabaseError)) as caught:
        run()
    if spoil is spoilt.Hasty:
        assert "I1: acknowledged delta" in str(caught.value) or "I5: published checkpoint" in str(
            caught.value
        )
