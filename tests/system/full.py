"""The scripted run on a file system that is really full: works in a mount namespace of its own, prints what it met.

    python -m tests.system.full SMALL LARGE STEP

SMALL is an empty folder on a small file system, LARGE one elsewhere.  Every chapter of the run is tried with no page
free, then with STEP pages more each time, until there is room enough for all of it.
"""

import json
import os
import shutil
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

from counterfoil import Engine, Operator, open_store
from counterfoil.storage.key_folder import load_key_folder
from tests.support import FakeClock
from tests.system import script
from tests.system.memory import WORLD_CODES, stages

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def main(small, large, step):
    met = Counter()
    for stage in stages(large, 1):
        free = 0
        while try_with(stage, small, large, free, met):
            free += step
        met["chapters"] += 1
    sys.stdout.write(json.dumps(met))


def try_with(stage, small, large, free, met):
    """Run a chapter with so many free pages, then with room; return whether they were too few."""
    home, memory = stage.play_in(small / "home")
    ballast = fill(small / "ballast", free)
    script.run(home, stage.chapter, memory.hear)
    codes = list(memory.codes)
    assert set(codes) <= WORLD_CODES, codes
    met.update(codes)
    met["tries"] += 1
    if not free:
        assert set(codes) == {"out-of-space"}
    if memory.was_told:
        memory.examine_copy(home, large)
        read(home, memory)
        met["reads while full"] += 1
    ballast.unlink()
    stage.resume(home, memory)
    shutil.rmtree(home)
    return bool(codes)


def fill(ballast, free):
    """Write a file until the file system takes not one byte more; then give so many pages back."""
    with ballast.open("wb", buffering=0) as file:
        for piece in (b"x" * PAGE_BYTES, b"x"):
            try:
                while file.write(piece):
                    pass
            except OSError:
                continue
        file.truncate(file.tell() - free * PAGE_BYTES)
    return ballast


def read(home, memory):
    """See that readers need no room: the balances are there, and what is under a checkpoint verifies."""
    keys = load_key_folder(home / "keys")
    store = open_store(f"sqlite:///{home / 'store.db'}", clock=FakeClock())
    with closing(store):
        engine = Engine(store, Operator(keys.operator, keys.signer, keys.reference_key))
        records = [engine.customer(f"customer-{number}") for number in range(script.CUSTOMERS)]
        assert sum(record.count for record in records) >= len(memory.acks)
        for note in memory.notes[-1:]:
            engine.verify_record(f"0x{note.log.hex()}.1")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
