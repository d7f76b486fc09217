"""The bytes of an evidence pack as lines: compressed or not, in chunks of any size, within bounds.

A pack may be gzip; its first two bytes say so.  What a chunk expands to comes in pieces, so that a bomb fills no memory;
and where more comes out than an honest pack can give, it is refused, so that it takes no hours either.

Source: docs/spec/pack.md, step 1.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from counterfoil.errors import MalformedError, TooLargeError
from counterfoil.limits import PACK_EXPANSION_MAX, PACK_LINE_BYTES_MAX

GZIP_MAGIC: Final = b"\x1f\x8b"
# zlib's name for a gzip wrapper around a window of 32 KiB.
_GZIP: Final = 31
_PIECE_BYTES: Final = 262_144
# Below this nothing is said of how far something expands: a short text may well compress a lot.
_EXPANSION_FREE_BYTES: Final = 16_777_216


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a pack without their newlines; the last one need not have one.

    Of a line beyond the bound of a pack's lines the beginning is yielded, too long still, and nothing behind it.

    Raises:
        MalformedError: where it is gzip and damaged or cut.
        TooLargeError: where it expands further than any pack does.
    """
    rest = b""
    for piece in _pieces(chunks):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line
            if len(line) > PACK_LINE_BYTES_MAX:
                return
        if len(rest) > PACK_LINE_BYTES_MAX:
            break
    if rest:
        yield rest


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what the chunks hold, each piece of a bounded size."""
    waiting = iter(chunks)
    first = b""
    for chunk in waiting:
        first += chunk
        if len(first) >= len(GZIP_MAGIC):
            break
    if first.startswith(GZIP_MAGIC):
        yield from _inflated(_with(first, waiting))
    else:
        yield from _with(first, waiting)


def _with(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _inflated(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what gzip holds, member behind member."""
    taken = given = 0
    inflater = None
    for chunk in chunks:
        taken += len(chunk)
        data = chunk
        while data or inflater is not None:
            inflater = inflater or zlib.decompressobj(_GZIP)
            try:
                piece = inflater.decompress(data, _PIECE_BYTES)
            except zlib.error as error:
                raise MalformedError("the pack is damaged gzip") from error
            given += len(piece)
            if given > max(_EXPANSION_FREE_BYTES, PACK_EXPANSION_MAX * taken):
                raise TooLargeError(f"the pack expands over {PACK_EXPANSION_MAX} times")
            if piece:
                yield piece
            if inflater.eof:
                data, inflater = inflater.unused_data, None
            elif len(piece) < _PIECE_BYTES:
                break  # it wants more input
            else:
                data = inflater.unconsumed_tail
    if inflater is not None:
        raise MalformedError("the pack is gzip that was cut")
