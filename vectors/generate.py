#!/usr/bin/env python3
"""Write the test vectors again, byte for byte.

usage: python vectors/generate.py [--check]

With --check nothing is written; the exit status is 1 where a file differs, is missing or is left over.
"""

from __future__ import annotations

import sys
from pathlib import Path

from generator import (
    amount_cases,
    base64_cases,
    checkpoint_cases,
    consistency_cases,
    consistency_file_cases,
    details_cases,
    entry_cases,
    hashing_cases,
    inclusion_cases,
    note_cases,
    pack_cases,
    receipt_cases,
    reference_cases,
    statement_cases,
    time_cases,
)
from generator.model import files

FOLDER = Path(__file__).resolve().parent
TOPICS = (
    base64_cases.TOPIC,
    amount_cases.TOPIC,
    time_cases.TOPIC,
    reference_cases.TOPIC,
    hashing_cases.TOPIC,
    inclusion_cases.TOPIC,
    consistency_cases.TOPIC,
    note_cases.TOPIC,
    checkpoint_cases.TOPIC,
    consistency_file_cases.TOPIC,
    entry_cases.TOPIC,
    details_cases.TOPIC,
    receipt_cases.TOPIC,
    statement_cases.TOPIC,
    pack_cases.TOPIC,
)


def main(arguments: list[str]) -> int:
    """Write the files, or compare them; return the exit status."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write(__doc__)
        return 2
    wanted = {FOLDER / path: data for path, data in files(TOPICS)}
    present = {path for topic in TOPICS for path in (FOLDER / topic.name).glob("*.json")}
    if arguments:
        wrong = [path for path, data in wanted.items() if path not in present or path.read_bytes() != data]
        wrong += sorted(present - wanted.keys())
        for path in wrong:
            sys.stderr.write(f"differs: {path.relative_to(FOLDER)}\n")
        return 1 if wrong else 0
    for path in present - wanted.keys():
        path.unlink()
    for path, data in wanted.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
