"""A power cut after every call that changes files: whatever of the unsynced writes is left, nothing acknowledged is lost.

The run is recorded once; what the disk may hold after each call is worked out from the record (`disk.py`).
"""

import shutil

import pytest

from tests.fsck import BrokenError
from tests.system import disk, script, spoilt
from tests.system.memory import stages
from tests.system.tracing import run_traced

ROUNDS, ROUNDS_LONG = 2, 10
# For each call, besides the least and the most that may be left.
CHANCES, CHANCES_LONG = 4, 32
IMAGES, IMAGES_LONG = 2_500, 50_000
# Side by side, where there are several workers.
PARTS = 4
# Of so many images one is gone on with; all are examined.
RESUME_EVERY = 16


def cut(stage, folder, chances, spoil=spoilt.safe):
    """Yield what a power cut may leave of a chapter: an image, and what was told by then."""
    home, _ = stage.play_in(folder / "home")
    ran = run_traced(
        folder, script.play_chapter, home, stage.chapter, spoil, names=disk.CALLS, options=disk.OPTIONS
    )
    shutil.rmtree(home)
    assert ran.status == 0
    home, memory = stage.play_in(folder / "home")
    heard = 0
    for answers, image in disk.images(home, ran.trace, stage.number, chances):
        for answer in ran.answers[heard:answers]:
            memory.hear(answer)
        heard = answers
        told = memory.copy()
        told.cut(stage.chapter)
        yield image, told
    shutil.rmtree(home)
    # The record is complete.
    assert heard == len(ran.answers)


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_a_power_cut_leaves_what_was_acknowledged_is_there(tmp_path, long, part, record_property):
    every = examined = resumed = 0
    for stage in stages(tmp_path / "stages", ROUNDS_LONG if long else ROUNDS):
        for image, memory in cut(stage, tmp_path, CHANCES_LONG if long else CHANCES):
            every += 1
            if every % PARTS != part:
                continue
            home = disk.lay_out(image, tmp_path / "image")
            # As the disk has it, not as a copy: the journal is rolled back here.
            if memory.was_told:
                memory.examine(home / "store.db")
                examined += 1
            if every // PARTS % RESUME_EVERY == 0:
                stage.resume(home, memory)
                resumed += 1
            shutil.rmtree(home)
    record_property("examined", examined)
    record_property("resumed", resumed)
    record_property("images", every)
    assert every >= (IMAGES_LONG if long else IMAGES)
    assert resumed > every // (2 * PARTS * RESUME_EVERY)


def test_a_store_that_does_not_sync_is_caught(tmp_path):
    """The control: without syncing, the least that may be left lacks what was acknowledged."""
    *_, stage, _ = stages(tmp_path / "stages", 1)

    def run():
        for image, memory in cut(stage, tmp_path, 0, spoilt.without_syncing):
            memory.examine(disk.lay_out(image, tmp_path / "image") / "store.db")
            shutil.rmtree(tmp_path / "image")

    with pytest.raises(BrokenError, match="I1: acknowledged delta"):
        run()
