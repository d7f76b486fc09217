"""Thousands of worlds, each decided by its seed; what each promises, and that a broken promise would be found."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation import planted_checkpoints, planted_records
from tests.simulation.plant import Plant
from tests.simulation.promises import BrokenError
from tests.simulation.world import ALL_FAULTS, World

SHARDS = 20
SEEDS = 2_000
SEEDS_LONG = 50_000
# Of all seeds so many meet each fault, and so many get each of these answers, at least.
FIRED_MIN = 0.05
ANSWERS = (
    "recorded", "replayed", "idempotency-conflict", "record-not-found", "invalid-field",
    "store-unavailable", "commit-outcome-unknown", "out-of-space", "clock-regressed", "key-mismatch", "io-error",
    "signed", "unchanged", "superseded", "receipt", "not-yet-checkpointed", "consistent", "audited",
)  # fmt: skip
PLANTS = [
    kind
    for module in (planted_records, planted_checkpoints)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Plant) and kind is not Plant
]
# A planted bug is found within so many seeds.
BOUND = 60


@pytest.mark.parametrize("shard", range(SHARDS))
def test_whatever_fails_every_promise_is_kept(shard, long):
    count = (SEEDS_LONG if long else SEEDS) // SHARDS
    fired, seen = Counter(), Counter()
    for seed in range(shard * count, (shard + 1) * count):
        world = World(seed).run()
        fired.update(world.fired.keys())
        seen.update(world.seen.keys())
    # A world in which nothing fails proves nothing.
    assert {fault: fired[fault] for fault in ALL_FAULTS if fired[fault] < FIRED_MIN * count} == {}
    assert {answer: seen[answer] for answer in ANSWERS if seen[answer] < FIRED_MIN * count} == {}


@pytest.mark.parametrize("first", range(0, 50, 10))
def test_a_seed_gives_the_same_run_again(first):
    for seed in range(first, first + 10):
        once, again = World(seed).run(), World(seed).run()
        assert once.digest == again.digest
        assert once.trace == again.trace


def test_a_seed_gives_the_same_run_in_another_process():
    """Sets of another process have another order; nothing that happens may depend on it."""
    arguments = [sys.executable, "-m", "tests.simulation", "--digests", "250", "290"]
    digests = [
        subprocess.run(
            arguments,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert digests[0] == digests[1]
    assert len(digests[0].splitlines()) == 40


def test_other_seeds_give_other_runs():
    assert len({World(seed).run().digest for seed in range(10)}) == 10


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant):
    """By one of the promises that it breaks; what else it breaks does not count."""
    for seed in range(BOUND):
        try:
            World(seed, plant=plant()).run()
        except BrokenError as broken:
            if broken.promise in plant.promises:
                return
    pytest.fail(f"not found within {BOUND} seeds: {plant.__doc__}")
