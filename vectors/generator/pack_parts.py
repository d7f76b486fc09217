"""What pack cases are made of: packs of three logs, as lists of lines that are taken apart and put together again."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from generator.example import GROWN, KEY, NEIGHBOUR, OPERATOR, VKEY, WEEK
from generator.ledger import jcs, pack_lines
from generator.model import Case, Maker
from generator.signing import checkpoint_text, note

if TYPE_CHECKING:
    from collections.abc import Callable

    from generator.ledger import Log
    from generator.signing import Key

MAKER = Maker("pack", "pack.md")
# Each log with the sizes of its checkpoints, by ascending origin.
SIZES = {"cust_001": (4, 6), "cust_002": (4,), "cust_004": (6, 12)}
LOGS = sorted([GROWN, NEIGHBOUR, WEEK], key=lambda log: log.origin)
FIRST, MIDDLE, LAST = LOGS

Line = dict[str, Any] | str


def lines_of(log: Log) -> list[Line]:
    """Return a log's lines, new ones each time."""
    return copy.deepcopy(list[Line](log.pack(*SIZES[log.customer_id])))


def ended(lines: list[Line]) -> list[Line]:
    """Return the lines of logs as a pack, with a first line and an end that counts them right."""
    found = [line for line in lines if isinstance(line, dict)]
    first, *_, end = pack_lines(OPERATOR, [found])
    return [first, *lines, end]


def pack(*logs: list[Line]) -> list[Line]:
    """Return a pack of logs, each given by its lines; without any, that of all three."""
    chosen = logs or tuple(lines_of(log) for log in LOGS)
    return ended([line for log in chosen for line in log])


def all_but(other: dict[str, list[Line]]) -> list[Line]:
    """Return a pack of all logs, some, named by origin, with other lines."""
    return pack(*(other.get(log.origin, lines_of(log)) for log in LOGS))


def signed(size: int, root: bytes, log: Log = WEEK, key: Key = KEY) -> str:
    """Return a checkpoint of a log that the operator, or another key, signed, true or not."""
    text = checkpoint_text(log.origin, size, root)
    return note(text, key.line(log.origin, text))


def later_end() -> list[Line]:
    """Return the end of the log of twelve entries as a later version would go on: an entry of another type and a seal."""
    log = WEEK.rewritten({})
    # A copy of its own: the lists of the log itself stay as they are.
    log.entries = [*log.entries]
    seal = log.entries[11]
    for second, kind in ((12, "redaction"), (13, "seal")):
        log.entries.append({
            **seal, "type": f"counterfoil/{kind}@v1", "index": str(second),
            "recordedAt": f"2026-06-01T00:00:{second}.000000Z",
        })  # fmt: skip
    return [
        {"entry": log.entries[12]},
        {"entry": log.entries[13]},
        {"checkpoint": signed(14, log.root(14))},
    ]


def spoiled(change: Callable[[list[Any]], object], log: Log = WEEK) -> list[Line]:
    """Return a pack of a log whose lines were changed, and of a small one that is right."""
    small = NEIGHBOUR if log is WEEK else GROWN
    chosen = {each.origin: lines_of(each) for each in (small, log)}
    change(chosen[log.origin])
    return pack(*(chosen[origin] for origin in sorted(chosen)))


def written(line: Line) -> str:
    """Write a line in canonical form; one that is text already is as it is."""
    return line if isinstance(line, str) else jcs(line).decode()


def request(
    lines: list[Line], *, keys: list[str] | None = None, held: list[str] | None = None
) -> dict[str, Any]:
    """Return the request for a pack; the operator's key is given if no other is."""
    asked: dict[str, Any] = {
        "lines": [written(line) for line in lines],
        "keys": [VKEY] if keys is None else keys,
    }
    return asked if held is None else {**asked, "held": held}


def refuse(step: int, code: str, cases: list[tuple[str, str, list[Line]]]) -> list[Case]:
    """Return cases that a step refuses, each named by slug, comment and lines."""
    return [
        MAKER.refuse(slug, comment, f"step-{step}", request(lines), code) for slug, comment, lines in cases
    ]


def spaced(line: Line) -> str:
    """Write a line with white space and with every character outside ASCII as an escape."""
    return json.dumps(line, indent=None, ensure_ascii=True) if isinstance(line, dict) else line
