"""Bundles: up to 256 settled entries of one log in two columns of one row.

`entries` is the entry bundle of C2SP tlog-tiles, each entry behind its length as two big-endian bytes; `details` has
for each entry, behind the same kind of length, its salt and the canonical JSON of its details, and nothing where there
are none or they were erased.  So an entry never changes, and details go one by one: the row gets another `details`.
Both are compressed (RFC 1950).  Why: docs/decisions/0008-bundles.md.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from counterfoil.core.entry import parse_entry
from counterfoil.core.timestamp import to_microseconds
from counterfoil.engine.store import StoredEntry
from counterfoil.limits import DETAILS_BYTES_MAX, ENTRY_BYTES_MAX, INTEGER_MAX, SALT_BYTES

BUNDLE_ENTRIES_MAX: Final = 256

_LENGTH_BYTES: Final = 2
# Read back from a store that somebody may have written to: no more is unpacked than could have been packed.
_ENTRIES_BYTES_MAX: Final = BUNDLE_ENTRIES_MAX * (_LENGTH_BYTES + ENTRY_BYTES_MAX)
_DETAILS_BYTES_MAX: Final = BUNDLE_ENTRIES_MAX * (_LENGTH_BYTES + SALT_BYTES + DETAILS_BYTES_MAX)
# Of the levels 1 to 9 the one behind which bundles shrink by less than a tenth and take twice as long.
_COMPRESSION_LEVEL: Final = 1


class Bundle(NamedTuple):
    """One row of the table; `last` and `first` are the indices of its last and first entry."""

    log: bytes
    last: int
    first: int
    entries: bytes
    details: bytes


def is_packable(entry: StoredEntry) -> bool:
    """Whether an entry keeps to the bounds of what is recorded, so that `unpack` gives it back."""
    return (
        len(entry.entry) <= ENTRY_BYTES_MAX
        and (entry.salt is None) == (entry.value is None)
        and (entry.salt is None or len(entry.salt) == SALT_BYTES)
        and (entry.value is None or len(entry.value) <= DETAILS_BYTES_MAX)
    )


def pack(entries: Sequence[StoredEntry]) -> Iterator[Bundle]:
    """Pack entries of one log with consecutive indices, each of them packable."""
    for start in range(0, len(entries), BUNDLE_ENTRIES_MAX):
        part = entries[start : start + BUNDLE_ENTRIES_MAX]
        details = (
            b"" if entry.salt is None or entry.value is None else entry.salt + entry.value for entry in part
        )
        yield Bundle(
            part[0].log,
            part[-1].index,
            part[0].index,
            _compress(entry.entry for entry in part),
            _compress(details),
        )


def end_of(entry: StoredEntry) -> tuple[int, int]:
    """Return how a bundle that ends with this entry is found: by its time in microseconds, and by its count.

    Raises:
        MalformedError: it does not read.
    """
    read = parse_entry(entry.entry)
    return to_microseconds(read.recorded_at), read.count


def unpack(
    bundle: Bundle, start: int = 0, end: int = INTEGER_MAX, *, with_details: bool = True
) -> list[StoredEntry]:
    """Return the entries `[start, end)` of a bundle, those that it holds, ascending; salt and value where they are wanted.

    A column that is looked at is inflated whole, whatever is wanted of it: so the checksum at its end is held against
    the whole, and what is damaged is refused wherever the damage is.  Of the time for a whole bundle that is half; the other half is making values of
    what nobody asked for.

    Raises:
        ValueError: the bytes are not those of a bundle.
    """
    count = bundle.last - bundle.first + 1
    if not 1 <= count <= BUNDLE_ENTRIES_MAX:
        raise ValueError("a bundle of no entries, or of too many")
    places = range(count)[max(start - bundle.first, 0) : max(end - bundle.first, 0)]
    entries = _parts(bundle.entries, count, _ENTRIES_BYTES_MAX, places)
    if not with_details:
        return [
            StoredEntry(bundle.log, bundle.first + place, entry, None, None)
            for place, entry in zip(places, entries, strict=True)
        ]
    details = _parts(bundle.details, count, _DETAILS_BYTES_MAX, places)
    opened = ((part[:SALT_BYTES], part[SALT_BYTES:]) if part else (None, None) for part in details)
    return [
        StoredEntry(bundle.log, bundle.first + place, entry, salt, value)
        for place, entry, (salt, value) in zip(places, entries, opened, strict=True)
    ]


def _compress(parts: Iterable[bytes]) -> bytes:
    framed = b"".join(len(part).to_bytes(_LENGTH_BYTES, "big") + part for part in parts)
    return zlib.compress(framed, _COMPRESSION_LEVEL)


def _parts(packed: bytes, count: int, bytes_max: int, places: range) -> list[bytes]:
    """Return the parts at some places of a column that has `count` of them."""
    reading = zlib.decompressobj()
    try:
        framed = reading.decompress(packed, bytes_max)
    except zlib.error as error:
        raise ValueError("a bundle that is not compressed as one") from error
    if not reading.eof or reading.unused_data:
        raise ValueError("a bundle that is cut off, too long, or has something behind it")
    position = 0
    ends = [position]
    try:
        for _ in range(count):
            position += _LENGTH_BYTES + (framed[position] << 8 | framed[position + 1])
            ends.append(position)
    except IndexError as error:
        raise ValueError("a bundle of fewer entries than it says") from error
    if position != len(framed):
        raise ValueError("a bundle of another number of entries, or whose last part is cut off")
    return [framed[ends[place] + _LENGTH_BYTES : ends[place + 1]] for place in places]
