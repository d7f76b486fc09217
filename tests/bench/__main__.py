"""The benchmark command: `make bench`, or `make bench-full` for the long runs.

Every figure stands beside a yardstick that was measured in the same run: the limit that the machine sets (raw SQLite,
bare libsodium, a bare interpreter) or a peer.  Each measure runs in a process of its own, several times, and the
median counts.  Machines differ and are noisy: compare ratios, not figures.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from measures import MEASURES


def _table(rows: list[dict[str, str]]) -> str:
    names = list(rows[0])
    widths = [max(len(name), *(len(row[name]) for row in rows)) for name in names]
    lines = [
        " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        for cells in [
            names,
            ["-" * width for width in widths],
            *([row[name] for name in names] for row in rows),
        ]
    ]
    return "\n".join(f"| {line}" for line in lines)


def _run(name: str, *, full: bool, repeat: int) -> list[dict[str, str]]:
    """Run one measure `repeat` times, each in a fresh process; return its rows with medians."""
    command = [sys.executable, str(Path(__file__).parent), "--measure", name, *(["--full"] if full else [])]
    runs = []
    for _ in range(repeat):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{name} failed:\n{done.stderr}")
        runs.append(json.loads(done.stdout))
    rows = []
    for figures in zip(*runs, strict=True):
        values = [figure["value"] for figure in figures]
        yardsticks = [figure["yardstick"] for figure in figures]
        first = figures[0]
        ratios = [
            value / yardstick if yardstick else 0.0
            for value, yardstick in zip(values, yardsticks, strict=True)
        ]
        rows.append(
            {
                "work": first["work"],
                "median": f"{statistics.median(values):,.{first['decimals']}f} {first['unit']}",
                "min .. max": f"{min(values):,.{first['decimals']}f} .. {max(values):,.{first['decimals']}f}",
                "reach": first["reach"],
                "aim": first["aim"],
                "yardstick": f"{first['yardstick_name']}: {statistics.median(yardsticks):,.{first['decimals']}f}"
                if first["yardstick_name"]
                else "",
                "ratio": f"{statistics.median(ratios):.2f}" if first["yardstick_name"] else "",
            }
        )
    return rows


def main() -> None:
    """Run the measures that are asked for, and print the table."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="ten times the entries, and five runs")
    parser.add_argument("--only", nargs="*", choices=MEASURES, help="these measures alone")
    parser.add_argument("--repeat", type=int, help="runs of each measure (3, with --full 5)")
    parser.add_argument("--measure", choices=MEASURES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        json.dump([figure.as_dict() for figure in MEASURES[given.measure](full=given.full)], sys.stdout)
        return
    rows = []
    for name in given.only or MEASURES:
        sys.stderr.write(f"{name} ...\n")
        rows += _run(name, full=given.full, repeat=given.repeat or (5 if given.full else 3))
    sys.stdout.write(_table(rows) + "\n")


if __name__ == "__main__":
    main()
