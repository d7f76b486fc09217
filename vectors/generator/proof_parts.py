"""What inclusion and consistency cases share: the test tree, and requests that are not of their form."""

from __future__ import annotations

from typing import Any

from generator.model import Case, Maker
from generator.mutate import BAD_HASHES, BAD_INTEGERS, STRAY
from generator.tree import leaf_hash

LEAVES = [leaf_hash(f"leaf {n}".encode()) for n in range(257)]
LARGEST = 2**63 - 1


def syntax(
    maker: Maker,
    step: str,
    good: dict[str, Any],
    longest: dict[str, Any],
    *,
    integers: tuple[str, str],
    hashes: tuple[str, str],
) -> list[Case]:
    """Return the cases that are refused for their form alone.

    Args:
        maker: of the operation.
        step: the anchor of the step that reads the members.
        good: a right request whose path has three hashes.
        longest: a right request whose path has 63.
        integers: the members that are integers.
        hashes: the members that are hashes; `path` comes by itself.
    """
    cases = [
        maker.refuse(
            f"{member}-{slug}",
            f"{member}: {comment}",
            step,
            {**good, member: text.format(good[member])},
            "malformed",
        )
        for member in integers
        for slug, comment, text in BAD_INTEGERS
    ]
    first, second, third = good["path"]
    for slug, comment, change in BAD_HASHES:
        for member in hashes:
            request = {**good, member: change(good[member])}
            cases.append(maker.refuse(f"{member}-{slug}", f"{member}: {comment}", step, request, "malformed"))
        request = {**good, "path": [first, change(second), third]}
        cases.append(maker.refuse(f"path-{slug}", f"path: {comment}", step, request, "malformed"))
    long = {**longest, "path": [*longest["path"], STRAY.hex()]}
    cases.append(maker.refuse("path-64", "64 hashes, more than any tree needs", step, long, "malformed"))
    return cases
