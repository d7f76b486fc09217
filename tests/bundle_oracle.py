"""Bundles as `bundles.py` describes them, read and written with nothing of it: for whoever examines and for whoever tampers."""

import io
import zlib

LENGTH_BYTES = 2
SALT_BYTES = 32


def split(packed):
    """Return the parts of one column."""
    framed = io.BytesIO(zlib.decompress(packed))
    parts = []
    while length := framed.read(LENGTH_BYTES):
        part = framed.read(int.from_bytes(length, "big"))
        if len(length) < LENGTH_BYTES or len(part) < int.from_bytes(length, "big"):
            raise ValueError("the last part is cut off")
        parts.append(part)
    return parts


def join(parts, level=9):
    """Return a column of parts; whoever unpacks it need not know the level."""
    return zlib.compress(b"".join(len(part).to_bytes(LENGTH_BYTES, "big") + part for part in parts), level)


def opened(part):
    """Return salt and value out of a part of `details`."""
    return (part[:SALT_BYTES], part[SALT_BYTES:]) if part else (None, None)


def rows_of(first, entries, details):
    """Return (index, entry, salt, value) for each entry of a bundle."""
    found, beside = split(entries), split(details)
    return [
        (index, entry, *opened(part))
        for index, (entry, part) in enumerate(zip(found, beside, strict=True), first)
    ]


def emptied(packed, place):
    """Return a column without one of its parts' bytes: of `details`, the erasure of one entry's."""
    parts = split(packed)
    parts[place] = b""
    return join(parts)


def respelled(packed, place, old, new):
    """Return a column with text replaced in one of its parts."""
    parts = split(packed)
    parts[place] = parts[place].replace(old.encode(), new.encode())
    return join(parts)
