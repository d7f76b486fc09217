"""Evidence packs: whole logs as lines of JSON.

    {"type": "counterfoil/pack@v1", "operator": "ledger.example.com"}
    {"log": origin}                                       for each log, origins ascending
    {"entry": {...}, "details"?: {...}}                   its entries from index 0, in order
    {"checkpoint": note}                                  behind the entry that it covers
    {"end": {"logs": "1", "entries": "6", "checkpoints": "2"}}

This module reads and writes single lines, `core.pack.audit` audits what they say.

Source: docs/spec/pack.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from counterfoil.core.encoding import (
    JsonValue,
    canonical_json,
    decode_integer,
    excerpt,
    json_string,
    members,
    read_json,
    text_member,
)
from counterfoil.core.reference import check_operator, parse_origin
from counterfoil.errors import CounterfoilError, MalformedError, TooLargeError, VerificationError
from counterfoil.limits import PACK_LINE_BYTES_MAX

PACK_TYPE: Final = "counterfoil/pack@v1"
# How a line with an entry begins; one that is spelled in another way is read as a whole.
ENTRY: Final = (b'{"details"', b'{"entry"')
# A line that begins so begins no log and ends no pack, whatever follows: a log that is passed over is passed over faster.
INNER: Final = (*ENTRY, b'{"checkpoint"')
# What the last line counts, by the member that says what a line is.
COUNTED: Final = {"log": "logs", "entry": "entries", "checkpoint": "checkpoints"}

Lines = Iterable[bytes | str]
"""The lines of a pack, without their newlines."""

_NONE: Final[frozenset[str]] = frozenset()
_HEADER: Final = frozenset({"type", "operator"})
_END: Final = frozenset(COUNTED.values())
# The member that says what a line is, and those that it may have beside.
_KINDS: Final = {
    "entry": frozenset({"details"}),
    "checkpoint": _NONE,
    "log": _NONE,
    "end": _NONE,
}


def at_line(error: CounterfoilError, line: int) -> CounterfoilError:
    """Return a refusal with the line of the pack, counted from 1, among its facts; one that it names already stands."""
    error.facts.setdefault("line", str(line))
    return error


def bounded_line(line: bytes | str) -> bytes:
    """Return a line as bytes.

    Raises:
        TooLargeError: beyond 262,144 bytes.
    """
    # A lone surrogate passes as what is no UTF-8, and is refused with the line.
    data = line if isinstance(line, bytes) else line.encode("utf-8", "surrogatepass")
    if len(data) > PACK_LINE_BYTES_MAX:
        raise TooLargeError(f"a line has over {PACK_LINE_BYTES_MAX} bytes")
    return data


def read_header(line: bytes) -> str:
    """Read the first line (step 2); return the operator.

    Raises:
        MalformedError: where it is none.
        VerificationError: `unknown-type`.
    """
    value = _read_json(line)
    kind = value.get("type")
    if not isinstance(kind, str):
        raise MalformedError("the first line of a pack has no type")
    if kind != PACK_TYPE:
        raise VerificationError("unknown-type", f"document of type {excerpt(kind)}, want {PACK_TYPE}")
    members(value, required=_HEADER, optional=_NONE, what="first line")
    return check_operator(text_member(value, "operator", what="first line"))


def read_line(line: bytes) -> tuple[str, dict[str, JsonValue]]:
    """Read a line that is not the first (step 1); return the member that says what it is, and its members.

    Raises:
        MalformedError: where it is no JSON object, or one of another shape.
    """
    value = _read_json(line)
    for kind, optional in _KINDS.items():
        if kind in value:
            return kind, members(value, required=frozenset({kind}), optional=optional, what="line")
    raise MalformedError("a line is none of those that a pack has")


def _read_json(line: bytes) -> dict[str, JsonValue]:
    if b"\n" in line:
        raise MalformedError("a line holds a newline")
    value = read_json(line, bytes_max=PACK_LINE_BYTES_MAX, what="line")
    if not isinstance(value, dict):
        raise MalformedError("a line is not a JSON object")
    return value


def read_origin(line: dict[str, JsonValue]) -> str:
    """Read the origin of a line that begins a log (step 3).

    Raises:
        MalformedError: where it is no customer's.
    """
    origin = text_member(line, "log", what="line")
    parse_origin(origin)
    return origin


def read_end(line: dict[str, JsonValue]) -> dict[str, int]:
    """Read the last line (step 7); return the counts by the member that says what a line is.

    Raises:
        MalformedError: where it is none.
    """
    counts = members(line["end"], required=_END, optional=_NONE, what="end")
    return {kind: decode_integer(text_member(counts, name, what="end")) for kind, name in COUNTED.items()}


class PackWriter:
    """Writes the lines of a pack, each with its newline, and counts them for the last one."""

    __slots__ = ("_counts", "_origin")

    def __init__(self) -> None:
        self._counts = dict.fromkeys(COUNTED, 0)
        self._origin = ""

    def header(self, operator: str) -> bytes:
        """Write the first line."""
        return b'{"operator":"%b","type":"%b"}\n' % (operator.encode(), PACK_TYPE.encode())

    def log(self, origin: str) -> bytes:
        """Write the line that begins a log; origins ascend.

        Raises:
            MalformedError: where this one does not stand behind the last.
        """
        if origin <= self._origin:
            raise MalformedError(f"log {origin} does not stand behind {self._origin}")
        self._origin = origin
        self._counts["log"] += 1
        return b'{"log":"%b"}\n' % origin.encode()

    def entry(self, data: bytes, salt: bytes | None, value: bytes | None) -> bytes:
        """Write an entry: its exact bytes, and salt and canonical value of its details where they are there."""
        self._counts["entry"] += 1
        if salt is None or value is None:
            return b'{"entry":%b}\n' % data
        return b'{"details":{"salt":"%b","value":%b},"entry":%b}\n' % (salt.hex().encode(), value, data)

    def checkpoint(self, note: str) -> bytes:
        """Write the checkpoint that covers the entries so far."""
        self._counts["checkpoint"] += 1
        return b'{"checkpoint":%b}\n' % json_string(note).encode()

    def end(self) -> bytes:
        """Write the last line."""
        counts: dict[str, JsonValue] = {name: str(self._counts[kind]) for kind, name in COUNTED.items()}
        return canonical_json({"end": counts}) + b"\n"
