"""Run the simulation by hand.

python -m tests.simulation --seed 17             one run, with all that happened in it
python -m tests.simulation --seeds 0 2000        many, with what failed and how often each fault struck
python -m tests.simulation --digests 0 10        what a run is known by: SHA-256 of its trace
"""

import argparse
import sys
import time
from collections import Counter

from tests.simulation.world import ALL_FAULTS, World


def say(*lines):
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def show(seed):
    """Print a run; return whether it kept all promises."""
    world = World(seed)
    try:
        world.run()
    except Exception:  # noqa: BLE001  -- the last line of the trace says what it was
        return False
    finally:
        say(*world.trace)
    return True


def survey(seeds):
    """Print what became of many runs; return whether all kept all promises."""
    fired, seen, broken, events = Counter(), Counter(), 0, 0
    began = time.process_time()
    for seed in seeds:
        world = World(seed)
        try:
            world.run()
        except Exception as error:  # noqa: BLE001  -- shown, and the next seed goes on
            broken += 1
            say(f"seed {seed}: {error}")
        fired.update(dict.fromkeys(world.fired, 1))
        seen.update(dict.fromkeys(world.seen, 1))
        events += len(world.trace)
    seconds = time.process_time() - began
    say(
        f"{len(seeds)} seeds, {broken} broken",
        f"{len(seeds) / seconds:.1f} seeds/s of processor time, {events / len(seeds):.0f} events a seed",
    )
    for title, counts in (
        ("faults", {fault: fired[fault] for fault in ALL_FAULTS}),
        ("answers", dict(sorted(seen.items()))),
    ):
        say(f"{title}, in how many of the seeds:")
        say(*(f"  {count / len(seeds):6.1%}  {name}" for name, count in counts.items()))
    return not broken


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="Simulate the engine.")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--seed", type=int, metavar="N", help="print the run of one seed")
    which.add_argument(
        "--seeds", type=int, nargs=2, metavar=("A", "B"), help="run the seeds from A to before B"
    )
    which.add_argument(
        "--digests", type=int, nargs=2, metavar=("A", "B"), help="print the digests of their traces"
    )
    options = parser.parse_args()
    if options.seed is not None:
        return show(options.seed)
    if options.seeds is not None:
        return survey(range(*options.seeds))
    for seed in range(*options.digests):
        say(f"{seed} {World(seed).run().digest}")
    return True


if __name__ == "__main__":
    sys.exit(not main())
