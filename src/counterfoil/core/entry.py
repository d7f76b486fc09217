r"""Entries: the items of a log, whose bytes are the leaves of its tree.

    {"amount":"-12.5","count":"2","credits":"500","debits":"12.5","details":"0de0...","index":"2","key":"bc75...",
     "recordedAt":"2026-04-02T10:30:00.250000Z","type":"counterfoil/delta@v1","unit":"credits"}      (on one line)

An entry is a JSON object of strings in canonical form (RFC 8785).  Its members stand in alphabetical order and their
values come from small alphabets, so that the canonical entries of a type are a regular language: one pattern
reads, checks and proves canonical in one pass.

Every entry carries the totals *after* it, so that any two entries prove the totals of what lies between.
`check_next` is the rule that leads from one entry to the next, `check_later` what it leaves possible between two that
are no neighbours.

Source: docs/spec/entry.md.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

from counterfoil.core.amount import AMOUNT_PATTERN, TOTAL_PATTERN, format_nano, to_nano
from counterfoil.core.encoding import JsonValue, canonical_json, excerpt, json_string, read_json
from counterfoil.core.reference import ORIGIN_PATTERN
from counterfoil.core.timestamp import TIME_PATTERN, check_instant, to_microseconds
from counterfoil.errors import MalformedError, TooLargeError, VerificationError
from counterfoil.limits import ENTRY_BYTES_MAX, INTEGER_MAX, UNIT_CHARACTERS_MAX

OPEN: Final = "counterfoil/open@v1"
DELTA: Final = "counterfoil/delta@v1"
SEAL: Final = "counterfoil/seal@v1"

# As a JSON string has them: 0x21 to 0x7E, the quote and the backslash escaped.
_UNIT: Final = rf'(?:[\x21\x23-\x5b\x5d-\x7e]|\\["\\]){{1,{UNIT_CHARACTERS_MAX}}}'
_INTEGER: Final = r"0|[1-9][0-9]{0,18}"
_HASH: Final = r"[0-9a-f]{64}"

# Members in canonical order.  The named groups bear the members' names, where Python allows it.
_DELTA_PATTERN: Final = re.compile(
    rf'\{{(?:"adjusts":"(?P<adjusts>{_INTEGER})",)?"amount":"(?P<amount>{AMOUNT_PATTERN})",'
    rf'"count":"(?P<count>{_INTEGER})","credits":"(?P<credits>{TOTAL_PATTERN})","debits":"(?P<debits>{TOTAL_PATTERN})",'
    rf'"details":"(?P<details>{_HASH})",(?:"effectiveAt":"(?P<effectiveAt>{TIME_PATTERN})",)?'
    rf'"index":"(?P<index>{_INTEGER})","key":"(?P<key>{_HASH})","recordedAt":"(?P<recordedAt>{TIME_PATTERN})",'
    rf'"type":"{re.escape(DELTA)}","unit":"(?P<unit>{_UNIT})"\}}',
    re.ASCII,
)
_OPEN_PATTERN: Final = re.compile(
    rf'\{{"count":"0","credits":"0","debits":"0","details":"(?P<details>{_HASH})","index":"0",'
    rf'"origin":"(?P<origin>{ORIGIN_PATTERN})","recordedAt":"(?P<recordedAt>{TIME_PATTERN})",'
    rf'"type":"{re.escape(OPEN)}","unit":"(?P<unit>{_UNIT})"\}}',
    re.ASCII,
)
_SEAL_PATTERN: Final = re.compile(
    rf'\{{"count":"(?P<count>{_INTEGER})","credits":"(?P<credits>{TOTAL_PATTERN})","debits":"(?P<debits>{TOTAL_PATTERN})",'
    rf'"index":"(?P<index>{_INTEGER})","recordedAt":"(?P<recordedAt>{TIME_PATTERN})",'
    rf'"type":"{re.escape(SEAL)}","unit":"(?P<unit>{_UNIT})"\}}',
    re.ASCII,
)
_COMMON: Final = {
    "count": re.compile(_INTEGER, re.ASCII),
    "credits": re.compile(TOTAL_PATTERN, re.ASCII),
    "debits": re.compile(TOTAL_PATTERN, re.ASCII),
    "index": re.compile(_INTEGER, re.ASCII),
    "recordedAt": re.compile(TIME_PATTERN, re.ASCII),
    "unit": re.compile(rf"[\x21-\x7e]{{1,{UNIT_CHARACTERS_MAX}}}", re.ASCII),
}


@dataclass(
    slots=True
)  # not frozen: a frozen one costs a third of reading an entry; nothing here writes to it
class Entry:
    """One entry that keeps to the member rules.

    Attributes:
        type: `OPEN`, `DELTA`, `SEAL`, or a type that this version does not know.
        index: position in the log, from 0.
        recorded_at: when it was accepted, a time of 27 characters.
        unit: of all amounts of the log.
        count: deltas so far, this one included.
        credits: sum of the positive amounts so far, in nano (10^-9).
        debits: sum of the negated negative amounts so far, in nano.
        details: commitment, 64 hex digits; None where the type has none.
        amount: of a delta, in nano, not zero.
        key: of a delta, 64 hex digits: stands for its idempotency key.
        effective_at: of a delta, when it happened as the sender says.
        adjusts: of a delta, the index of the earlier one that it corrects.
        origin: of `open`, the origin of the log.
    """

    type: str
    index: int
    recorded_at: str
    unit: str
    count: int
    credits: int
    debits: int
    details: str | None = None
    amount: int = 0
    key: str = ""
    effective_at: str | None = None
    adjusts: int | None = None
    origin: str = ""

    @property
    def balance(self) -> int:
        """Credits less debits, in nano."""
        return self.credits - self.debits


def parse_entry(data: bytes) -> Entry:
    """Read an entry from its exact bytes.

    An entry of an unknown type is returned where its common members are valid: it may have been written by a later
    version.  What to make of it is the caller's to say (`require_known_type`).

    Raises:
        TooLargeError: above 2,048 bytes.
        MalformedError: where the bytes are not canonical or a member breaks its rule.
    """
    if len(data) > ENTRY_BYTES_MAX:
        raise TooLargeError(f"entry has {len(data)} bytes, at most {ENTRY_BYTES_MAX}")
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        return _parse_other(data)
    if match := _DELTA_PATTERN.fullmatch(text):
        return _delta(match)
    if match := _SEAL_PATTERN.fullmatch(text):
        return _seal(match)
    if match := _OPEN_PATTERN.fullmatch(text):
        details, origin, recorded_at, unit = match.groups()
        check_instant(recorded_at)
        return Entry(OPEN, 0, recorded_at, _unit(unit), 0, 0, 0, details=details, origin=origin)
    return _parse_other(data)


def _delta(match: re.Match[str]) -> Entry:
    adjusts, amount_text, count, plus, minus, details, effective_at, index_text, key, recorded_at, unit = (
        match.groups()
    )
    check_instant(recorded_at)
    if effective_at is not None:
        check_instant(effective_at)
    index, amount = _position(index_text, count), to_nano(amount_text)
    credits_, debits = to_nano(plus), to_nano(minus)
    if not amount or amount > credits_ or -amount > debits:
        raise MalformedError("amount is zero, or more than the total it is part of")
    if adjusts is not None and not 1 <= int(adjusts) < index:
        raise MalformedError("adjusts names no earlier entry")
    return Entry(
        DELTA,
        index,
        recorded_at,
        _unit(unit),
        int(count),
        credits_,
        debits,
        details,
        amount,
        key,
        effective_at,
        None if adjusts is None else int(adjusts),
    )


def _seal(match: re.Match[str]) -> Entry:
    count, plus, minus, index, recorded_at, unit = match.groups()
    check_instant(recorded_at)
    return Entry(
        SEAL, _position(index, count), recorded_at, _unit(unit), int(count), to_nano(plus), to_nano(minus)
    )


def _position(index_text: str, count: str, *, lowest: int = 1) -> int:
    """Return the index of an entry; only `open` stands at 0."""
    index = int(index_text)
    if not lowest <= index <= INTEGER_MAX:
        raise MalformedError(f"index {index_text} of an entry that does not open a log")
    if int(count) > index:
        raise MalformedError(f"count {count} above index {index_text}")
    return index


def _unit(text: str) -> str:
    return json.loads(f'"{text}"') if "\\" in text else text


def _parse_other(data: bytes) -> Entry:
    """Say what is wrong with an entry that no pattern takes, or return it where its type is unknown."""
    value = read_json(data, bytes_max=ENTRY_BYTES_MAX, what="entry")
    if not isinstance(value, dict) or not all(isinstance(member, str) for member in value.values()):
        raise MalformedError("entry is not a JSON object of strings")
    if canonical_json(value) != data:
        raise MalformedError("entry is not in canonical form")
    found = {name: str(member) for name, member in value.items()}
    kind = found.get("type")
    if kind is None or kind in (OPEN, DELTA, SEAL):
        raise MalformedError(f"members of an entry of type {excerpt(kind)} break its rules")
    for name, pattern in _COMMON.items():
        if not pattern.fullmatch(found.get(name, "")):
            raise MalformedError(f"{name} of an entry of type {excerpt(kind)} breaks its rule")
    check_instant(found["recordedAt"])
    return Entry(
        kind,
        _position(found["index"], found["count"], lowest=0),
        found["recordedAt"],
        found["unit"],
        int(found["count"]),
        to_nano(found["credits"]),
        to_nano(found["debits"]),
    )


def read_entry(value: JsonValue) -> tuple[Entry, bytes]:
    """Read the entry object of a receipt; return it with its canonical bytes, which are the leaf.

    Raises:
        TooLargeError, MalformedError: as `parse_entry`.
    """
    if not isinstance(value, dict):
        raise MalformedError("entry is not a JSON object")
    data = canonical_json(value)
    return parse_entry(data), data


def require_known_type(entry: Entry) -> None:
    """Refuse to decide about an entry of a later version.

    Raises:
        VerificationError: `unknown-type`.
    """
    if entry.type not in (OPEN, DELTA, SEAL):
        raise VerificationError("unknown-type", f"entry of type {excerpt(entry.type)}", index=entry.index)


def format_open(*, recorded_at: str, unit: str, details: str, origin: str) -> bytes:
    """Write the entry that opens a log."""
    return (
        f'{{"count":"0","credits":"0","debits":"0","details":"{details}","index":"0","origin":"{origin}",'
        f'"recordedAt":"{recorded_at}","type":"{OPEN}","unit":{json_string(unit)}}}'
    ).encode("ascii")


def format_delta(entry: Entry) -> bytes:
    """Write a delta; the members are valid."""
    adjusts = "" if entry.adjusts is None else f'"adjusts":"{entry.adjusts}",'
    effective = "" if entry.effective_at is None else f'"effectiveAt":"{entry.effective_at}",'
    return (
        f'{{{adjusts}"amount":"{format_nano(entry.amount)}","count":"{entry.count}",'
        f'"credits":"{format_nano(entry.credits)}","debits":"{format_nano(entry.debits)}","details":"{entry.details}",'
        f'{effective}"index":"{entry.index}","key":"{entry.key}","recordedAt":"{entry.recorded_at}",'
        f'"type":"{DELTA}","unit":{json_string(entry.unit)}}}'
    ).encode("ascii")


def format_seal(previous: Entry, recorded_at: str) -> bytes:
    """Write the seal that follows an entry."""
    return (
        f'{{"count":"{previous.count}","credits":"{format_nano(previous.credits)}",'
        f'"debits":"{format_nano(previous.debits)}","index":"{previous.index + 1}","recordedAt":"{recorded_at}",'
        f'"type":"{SEAL}","unit":{json_string(previous.unit)}}}'
    ).encode("ascii")


def check_first(entry: Entry, origin: str) -> None:
    """Refuse an entry that cannot stand at the beginning of a log.

    Raises:
        VerificationError: `index-mismatch` where it is not at index 0, `wrong-origin` where it opens another log.
    """
    if entry.type != OPEN:
        raise VerificationError("index-mismatch", "a log starts with its open entry", index=entry.index)
    if entry.origin != origin:
        raise VerificationError(
            "wrong-origin", "the open entry is of another log", found=entry.origin, wanted=origin
        )


def check_next(previous: Entry, entry: Entry) -> None:
    """Refuse an entry that does not follow from the one before it.

    Raises:
        VerificationError: `index-mismatch` where it is not the next index, `time-order` where its time is not later,
            `totals-mismatch` where unit, count, credits or debits do not follow.
    """
    if entry.index != previous.index + 1:
        raise VerificationError("index-mismatch", f"entry {entry.index} stands behind entry {previous.index}")
    # Times are of fixed width and compare as texts.
    if entry.recorded_at <= previous.recorded_at:
        raise VerificationError("time-order", f"entry {entry.index} is not later than the one before it")
    plus, minus, one = previous.credits, previous.debits, 0
    if entry.type == DELTA:
        one = 1
        if entry.amount > 0:
            plus += entry.amount
        else:
            minus -= entry.amount
    # Every other type, one of a later version too, leaves the totals as they are.
    if (
        entry.unit != previous.unit
        or entry.count != previous.count + one
        or entry.credits != plus
        or entry.debits != minus
    ):
        raise VerificationError("totals-mismatch", f"the totals of entry {entry.index} do not follow")


def check_later(earlier: Entry, later: Entry) -> None:
    """Refuse two entries of one log, the second at a higher index, that cannot both stand in it.

    Neighbours follow from one another.  Of others the rules between leave this: each index takes at least a
    microsecond and adds at most one delta, and no total falls.

    Raises:
        VerificationError: `time-order`, `totals-mismatch`.
    """
    distance = later.index - earlier.index
    if distance == 1:
        check_next(earlier, later)
        return
    if to_microseconds(later.recorded_at) - to_microseconds(earlier.recorded_at) < distance:
        raise VerificationError(
            "time-order", f"entry {later.index} is too early for one {distance} behind entry {earlier.index}"
        )
    if (
        later.unit != earlier.unit
        or not 0 <= later.count - earlier.count <= distance
        or later.credits < earlier.credits
        or later.debits < earlier.debits
    ):
        raise VerificationError(
            "totals-mismatch",
            f"the totals of entry {later.index} cannot come after those of entry {earlier.index}",
        )
