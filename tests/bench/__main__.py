"""The benchmark command: `make bench`, or `make bench-full` for the long runs.

Every figure stands beside a yardstick that was measured in the same run: the limit that the machine sets (the database
alone, bare libsodium, a bare interpreter) or a peer.  Each measure runs in a process of its own on a store of its own,
the short ones several times, and the median counts.  Machines differ and are noisy: compare ratios, not figures.

One measure alone: `.venv/bin/python tests/bench --only stored --database postgres`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

# The measures are modules of the package `tests`, wherever this is run from.
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.measures import DATABASES, MEASURES
from tests.bench.world import Watch


def main() -> None:
    """Run the measures that are asked for, and print the table."""
    given = _arguments()
    if given.measure:
        measure = MEASURES[given.measure]
        on = [given.database] if measure.databases else []
        figures = measure.run(given.count, *on)
        json.dump([figure.as_dict() for figure in figures], sys.stdout)
        return
    rows: list[dict[str, str]] = []
    try:
        for name in given.only or MEASURES:
            measure = MEASURES[name]
            count = given.count or (measure.full if given.full else measure.count)
            runs = given.repeat or (measure.runs + 2 if given.full else measure.runs)
            for database in measure.databases or [""]:
                if given.database in (None, database):
                    rows += _run(name, database, count, runs)
    finally:
        # Also what was found before a failure or Ctrl-C.
        if rows:
            sys.stdout.write(_table(rows) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", action="store_true", help="larger counts, and two runs more of each")
    parser.add_argument(
        "--only", nargs="+", choices=MEASURES, metavar="MEASURE", help=f"these alone: {', '.join(MEASURES)}"
    )
    parser.add_argument("--database", choices=DATABASES, help="what is measured on this database alone")
    parser.add_argument("--repeat", type=int, metavar="RUNS", help="so many runs of each measure")
    parser.add_argument("--count", type=int, help="how much each measure does, in place of its own count")
    parser.add_argument("--measure", choices=MEASURES, help=argparse.SUPPRESS)
    return parser.parse_args()


def _run(name: str, database: str, count: int, runs: int) -> list[dict[str, str]]:
    """Run one measure so often, each time in a fresh process; return its rows with medians."""
    command = [sys.executable, str(Path(__file__).parent), "--measure", name, "--count", str(count)]
    if database:
        command += ["--database", database]
    found = []
    for _ in range(runs):
        sys.stderr.write(f"{name} {database} ...")
        sys.stderr.flush()
        with Watch() as watch:
            done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
        if done.returncode:
            raise SystemExit(f"{name} failed")
        sys.stderr.write(f" {watch.seconds:.0f} s\n")
        found.append(json.loads(done.stdout))
    return [_row(database, figures) for figures in zip(*found, strict=True)]


def _row(database: str, figures: tuple[dict[str, object], ...]) -> dict[str, str]:
    """Make a row of what each run found."""
    first = figures[0]

    def shown(number: float) -> str:
        return f"{number:,.{first['decimals']}f}"

    values = [figure["value"] for figure in figures]
    yardsticks = [figure["yardstick"] for figure in figures]
    ratios = [value / yardstick for value, yardstick in zip(values, yardsticks, strict=True) if yardstick]
    return {
        "work": first["work"],
        "on": database,
        "median": f"{shown(statistics.median(values))} {first['unit']}",
        "min .. max": f"{shown(min(values))} .. {shown(max(values))}" if len(values) > 1 else "one run",
        "reach": first["reach"],
        "aim": first["aim"],
        "yardstick": f"{first['yardstick_name']}: {shown(statistics.median(yardsticks))}" if ratios else "",
        "ratio": f"{statistics.median(ratios):.2f}" if ratios else "",
    }


def _table(rows: list[dict[str, str]]) -> str:
    names = list(rows[0])
    widths = [max(len(name), *(len(row[name]) for row in rows)) for name in names]
    lines = [
        " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        for cells in [
            names,
            ["-" * width for width in widths],
            *([row[name] for name in names] for row in rows),
        ]
    ]
    return "\n".join(f"| {line} |" for line in lines)


if __name__ == "__main__":
    main()
