"""Differences between two parties: a line each for a person, and members of a JSON object.  Of ours it imports `core` and `output`.

Source: docs/spec/dispute.md#differences, docs/cli.md#counterfoil-compare.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from counterfoil.cli.output import escape, quoted
from counterfoil.core.amount import format_nano
from counterfoil.core.compare import (
    AMOUNT_DIFFERS,
    COUNTED_TWICE,
    MISSING_HERE,
    MISSING_THERE,
    Charge,
    Difference,
    charges_of,
)
from counterfoil.core.entry import Entry
from counterfoil.core.receipt import ProvenEntry
from counterfoil.core.statement import Statement
from counterfoil.core.statement_verify import VerifiedStatement
from counterfoil.core.timestamp import DATE_CHARACTERS

# What the amount of a difference is.
LESS: Final = "ours less theirs"

_WORDS: Final = {
    MISSING_HERE: "missing here",
    MISSING_THERE: "missing there",
    AMOUNT_DIFFERS: "amount differs",
    COUNTED_TWICE: "counted twice",
}
# Differences that are shown to a person; two lists of different things would differ in every row.
_SHOWN_MAX: Final = 100
# Of the columns of a line: texts to the left, amounts to the right.
_SIDES: Final = "<<<>><<"
# Characters of a sender's text within a line.
_TEXT_MAX: Final = 40


@dataclass(frozen=True, slots=True)
class Sides:
    """Where what differences name is looked up.

    Attributes:
        period: its first instant and the first one behind it.
        entries: those of the period, by index.
        ours: the charges among them, by index.
        theirs: the rows, by position.
        elsewhere: entries that the period does not list, by index.
    """

    period: tuple[str, str]
    entries: Mapping[int, ProvenEntry]
    ours: Mapping[int, Charge]
    theirs: Mapping[int, Charge]
    elsewhere: Mapping[int, Entry]


def sides_of(
    statement: Statement | VerifiedStatement, rows: Sequence[Charge], elsewhere: Mapping[int, Entry]
) -> Sides:
    """Return where the differences between a full statement and rows are looked up."""
    inside = statement.inside
    return Sides(
        (statement.start, statement.end),
        {item.entry.index: item for item in inside},
        {charge.place: charge for charge in charges_of(inside)},
        {row.place: row for row in rows},
        elsewhere,
    )


def difference_facts(sides: Sides, found: Difference) -> dict[str, object]:
    """Return a difference with what both sides have of it, for a program."""
    repeats = None
    if found.repeats is not None:
        repeats = _theirs(sides, found.repeats) if found.ours is None else _ours(sides, found.repeats)
    entry = None if found.elsewhere is None else sides.elsewhere[found.elsewhere]
    return {
        "kind": found.kind,
        "amount": format_nano(found.amount),
        "ours": None if found.ours is None else _ours(sides, found.ours),
        "theirs": None if found.theirs is None else _theirs(sides, found.theirs),
        "repeats": repeats,
        "elsewhere": None
        if entry is None
        else {
            "index": entry.index,
            "amount": format_nano(entry.amount),
            "recordedAt": entry.recorded_at,
        },
    }


def _ours(sides: Sides, index: int) -> dict[str, object]:
    charge, item = sides.ours[index], sides.entries[index]
    return {
        "index": index,
        "amount": format_nano(charge.amount),
        "reference": charge.reference,
        "time": charge.time,
        "recordedAt": item.entry.recorded_at,
        "reason": _reason(item),
    }


def _theirs(sides: Sides, place: int) -> dict[str, object]:
    row = sides.theirs[place]
    return {
        "row": place,
        "line": row.line,
        "amount": format_nano(row.amount),
        "reference": row.reference,
        "time": row.time,
    }


def _reason(item: ProvenEntry) -> str | None:
    reason = item.details.value.get("reason") if item.details else None
    return reason if isinstance(reason, str) else None


def difference_lines(sides: Sides, differences: Sequence[Difference]) -> list[str]:
    """Return a line for each of the first hundred differences, in columns, and one that counts the others.

    A packet that was not verified may name charges that it has not: of these the names alone are shown.
    """
    table = [_cells(sides, found) for found in differences[:_SHOWN_MAX]]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for row in table:
        kind, reference, day, ours, theirs, less, places = (
            f"{cell:{side}{width}}" for cell, side, width in zip(row, _SIDES, widths, strict=True)
        )
        lines.append(
            f"{kind}  {reference}  {day}  ours {ours}  theirs {theirs}  {less}  {places}".rstrip(" ")
        )
    if (more := len(differences) - _SHOWN_MAX) > 0:
        lines.append(f"{more:,} more; --json has them all")
    return lines


def _cells(sides: Sides, found: Difference) -> tuple[str, ...]:
    ours = None if found.ours is None else sides.ours.get(found.ours)
    theirs = None if found.theirs is None else sides.theirs.get(found.theirs)
    charge = ours or theirs or Charge(0, 0)
    return (
        _WORDS[found.kind],
        "no reference" if charge.reference is None else _shown(charge.reference),
        "no time" if charge.time is None else charge.time[:DATE_CHARACTERS],
        "none" if ours is None else format_nano(ours.amount),
        "none" if theirs is None else format_nano(theirs.amount),
        f"({LESS} {'+' if found.amount > 0 else ''}{format_nano(found.amount)})",
        ", ".join([*_places(sides, found), *_elsewhere(sides, found)]),
    )


def _places(sides: Sides, found: Difference) -> list[str]:
    """Name the charges of a difference: entries by their index, rows by their line where they have one."""
    names = []
    if found.ours is not None:
        item = sides.entries.get(found.ours)
        reason = _reason(item) if item else None
        names.append(f"entry {found.ours}" + (f" ({_shown(reason)})" if reason else ""))
    if found.theirs is not None:
        names.append(_line(sides, found.theirs))
    if found.repeats is not None:
        repeated = f"entry {found.repeats}" if found.ours is not None else _line(sides, found.repeats)
        names.append(f"as {repeated}")
    return names


def _line(sides: Sides, place: int) -> str:
    row = sides.theirs.get(place)
    return f"row {place}" if row is None or row.line is None else f"line {row.line}"


def _elsewhere(sides: Sides, found: Difference) -> list[str]:
    if found.elsewhere is None:
        return []
    entry = sides.elsewhere.get(found.elsewhere)
    if entry is None:
        return [f"in the log: entry {found.elsewhere}"]
    start, end = sides.period
    # Times are of fixed width and compare as texts.
    where = "behind the statement" if start <= entry.recorded_at < end else "outside the period"
    # Its own amount: it may be another one than that of the row beside which it is named.
    amount, day = format_nano(entry.amount), entry.recorded_at[:DATE_CHARACTERS]
    return [f"in the log {where}: entry {entry.index} of {amount}, recorded {day}"]


def _shown(text: str) -> str:
    """Return a sender's text as one word of a line."""
    cut = text if len(text) <= _TEXT_MAX else text[: _TEXT_MAX - 3] + "..."
    # Escaped before the columns are measured.
    return escape(quoted(cut)) if cut else '""'
