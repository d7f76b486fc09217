r"""Statements: a period of a log, proven complete, as a document.

    {"type": "counterfoil/statement@v1",
     "from": time, "to": time,                                        the period [from, to)
     "mode": "light",                                                 or "full"
     "items": [{"entry": {...}, "details"?: {...}, "path"?: [base64]}, ...],
     "open": {"entry": {...}, "details"?: {...}, "path": [base64]},   optional: whose log this is
     "checkpoint": note}

Times strictly increase along a log, so that a period is one range of indices.  The items are, by ascending index: the
entry before the range, the range, the entry after it; at the ends of the log there is none before or after.  A *light*
statement keeps of the range its first and its last entry and proves every item by itself.  A *full* one keeps every
entry; its first and last item carry paths, which prove the whole range.

This module reads and writes them, `core.statement_verify` verifies.

Source: docs/spec/statement.md, step 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from counterfoil.core.checkpoint import Checkpoint, parse_checkpoint
from counterfoil.core.encoding import JsonValue, excerpt, json_string, members, read_json, text_member
from counterfoil.core.entry import require_known_type
from counterfoil.core.receipt import (
    Opening,
    ProvenEntry,
    format_item,
    path_texts,
    read_item,
    read_opening,
)
from counterfoil.core.reference import parse_origin
from counterfoil.core.timestamp import parse_time
from counterfoil.core.tlog_proof import parse_path
from counterfoil.errors import MalformedError, TooLargeError, VerificationError
from counterfoil.limits import FULL_STATEMENT_BYTES_MAX, LIGHT_STATEMENT_BYTES_MAX, STATEMENT_ITEMS_MAX

STATEMENT_TYPE: Final = "counterfoil/statement@v1"
LIGHT: Final = "light"
FULL: Final = "full"

_REQUIRED: Final = frozenset({"type", "from", "to", "mode", "items", "checkpoint"})
_OPTIONAL: Final = frozenset({"open"})
_BARE: Final = frozenset({"entry"})
_PROVEN: Final = frozenset({"entry", "path"})
_DETAILS: Final = frozenset({"details"})
# Of the range a light statement has the first entry and the last.
_LIGHT_INSIDE_MAX: Final = 2


@dataclass(frozen=True, slots=True)
class StatementItem:
    """One entry of a statement.

    Attributes:
        item: the entry with its bytes and details.
        path: its inclusion proof, hashes of 32 bytes; None inside a full statement, where the range proves it.
    """

    item: ProvenEntry
    path: tuple[bytes, ...] | None


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that was read, not verified.

    Attributes:
        start: first instant of the period, a time of 27 characters.
        end: the first instant behind it.
        mode: `LIGHT` or `FULL`.
        items: by ascending index: at most one before `start`, those of the period, at most one at or after `end`.
        opening: the log's `open` entry, None where the statement does not say whose log it is.
        checkpoint: under which all of it stands.
    """

    start: str
    end: str
    mode: str
    items: tuple[StatementItem, ...]
    opening: Opening | None
    checkpoint: Checkpoint

    @property
    def before(self) -> ProvenEntry | None:
        """The entry before the period, None where the log begins within it."""
        first = self.items[0].item
        return first if first.entry.recorded_at < self.start else None

    @property
    def after(self) -> ProvenEntry | None:
        """The entry that follows the period, None where the log ends within it."""
        last = self.items[-1].item
        return last if last.entry.recorded_at >= self.end else None

    @property
    def inside(self) -> tuple[ProvenEntry, ...]:
        """The entries of the period that are listed: all of them in full mode, the first and the last in light mode."""
        end = len(self.items) - (self.after is not None)
        return tuple([found.item for found in self.items[self.before is not None : end]])


def parse_statement(data: bytes | str) -> Statement:
    """Read a statement (step 1, as far as keys are not needed).  Nothing is verified.

    Raises:
        TooLargeError: beyond 33,554,432 bytes, a light one beyond 262,144, beyond 10,000 items, or a bound within.
        MalformedError: where it is no statement.
        VerificationError: `unknown-type`, where it or an entry in it is of a type that this version does not know.
    """
    value = read_json(data, bytes_max=FULL_STATEMENT_BYTES_MAX, what="statement")
    return statement_from(value, len(data) if isinstance(data, bytes) else len(data.encode()))


def statement_from(value: JsonValue, size: int = 0) -> Statement:
    """Read a statement from its JSON value, of a text of so many bytes; otherwise as `parse_statement`."""
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise MalformedError("statement is not a JSON object with a type")
    if value["type"] != STATEMENT_TYPE:
        raise VerificationError(
            "unknown-type", f"document of type {excerpt(value['type'])}, want {STATEMENT_TYPE}"
        )
    members(value, required=_REQUIRED, optional=_OPTIONAL, what="statement")
    mode = value["mode"]
    if mode not in (LIGHT, FULL):
        raise MalformedError(f"mode is {LIGHT} or {FULL}")
    _require_size(mode, size)
    start, end = (text_member(value, name, what="statement") for name in ("from", "to"))
    if parse_time(start) >= parse_time(end):
        raise MalformedError("the period ends before it begins")
    checkpoint = parse_checkpoint(text_member(value, "checkpoint", what="statement"))
    parse_origin(checkpoint.origin)
    items = _items(value["items"], mode)
    opening = read_opening(value["open"]) if "open" in value else None
    statement = Statement(start, end, mode, items, opening, checkpoint)
    _check_roles(statement)
    # Last, since what is malformed outranks what a later version may know.
    for found in items:
        require_known_type(found.item.entry)
    if opening is not None:
        require_known_type(opening.item.entry)
    return statement


def _items(value: JsonValue, mode: str) -> tuple[StatementItem, ...]:
    if not isinstance(value, list) or not value:
        raise MalformedError("items is not a JSON array with something in it")
    if len(value) > STATEMENT_ITEMS_MAX:
        raise TooLargeError(f"statement has over {STATEMENT_ITEMS_MAX} items")
    ends = (0, len(value) - 1)
    return tuple([_item(found, proven=mode == LIGHT or place in ends) for place, found in enumerate(value)])


def _require_size(mode: str, size: int) -> None:
    bytes_max = LIGHT_STATEMENT_BYTES_MAX if mode == LIGHT else FULL_STATEMENT_BYTES_MAX
    if size > bytes_max:
        raise TooLargeError(f"{mode} statement has over {bytes_max} bytes")


def _item(value: JsonValue, *, proven: bool) -> StatementItem:
    found = members(value, required=_PROVEN if proven else _BARE, optional=_DETAILS, what="item")
    texts = path_texts(found["path"], what="item") if proven else None
    return StatementItem(read_item(found, what="item"), None if texts is None else parse_path(texts))


def _check_roles(statement: Statement) -> None:
    """Refuse items that are not by index, or whose times do not make them before, inside and after, in that order."""
    entries = [found.item.entry for found in statement.items]
    # Times are of fixed width and compare as texts.  Before: 0, inside: 1, after: 2.
    roles = [
        (entry.recorded_at >= statement.start) + (entry.recorded_at >= statement.end) for entry in entries
    ]
    indices = [entry.index for entry in entries]
    if any(one >= other for one, other in pairwise(indices)):
        raise MalformedError("the items are not by ascending index")
    before, inside, after = (roles.count(role) for role in range(3))
    if roles != sorted(roles) or before > 1 or after > 1:
        raise MalformedError("the items are not one before the period, those of it, and one after")
    if statement.mode == LIGHT and inside > _LIGHT_INSIDE_MAX:
        raise MalformedError("light statement has more of the period than its first and last entry")


def format_statement(
    period: tuple[str, str], mode: str, items: Sequence[StatementItem], opening: Opening | None, note: str
) -> bytes:
    """Write a statement in canonical form.

    Args:
        period: its first instant and the first one behind it.
        mode: `LIGHT` or `FULL`.
        items: by ascending index; those have a path that the mode wants to have one.
        opening: the `open` entry, or None to leave the customer unnamed.
        note: the checkpoint, byte for byte.

    Raises:
        TooLargeError: beyond the bound of its mode: nobody would read it.
    """
    start, end = period
    written = ",".join([format_item(found.item, found.path) for found in items])
    opened = "" if opening is None else f'"open":{format_item(opening.item, opening.path)},'
    document = (
        f'{{"checkpoint":{json_string(note)},"from":"{start}","items":[{written}],"mode":"{mode}",'
        f'{opened}"to":"{end}","type":"{STATEMENT_TYPE}"}}'
    ).encode()
    _require_size(mode, len(document))
    return document
