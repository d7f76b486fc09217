"""256-wide tiles: how the hashes of a tree are kept, grown and read back (C2SP tlog-tiles).

A tile of level L and number N holds up to 256 hashes side by side; its i-th is the root of the perfect subtree of
256^L leaves that starts at leaf (N * 256 + i) * 256^L.  A complete tile never changes.  The last tile of a level may
be partial, and a longer one serves every smaller size, since a prefix of it is what stood there before.

A tile is bytes, 32 a hash.  The hashes between two tile levels are computed when they are needed, at most 255 a tile.

Growing: `Edge` holds the incomplete last tiles of a tree, takes leaf hashes and hands out the tiles that they change.
Proving: `tiles_for` plans the reads for some subtrees, `subtree_root` folds them.

Source: docs/spec/tree.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from struct import iter_unpack
from typing import Final, NamedTuple

from counterfoil.core.merkle import EMPTY_ROOT, HASH_BYTES, fold_peaks, perfect_subtrees
from counterfoil.errors import VerificationError

# log2 of the hashes of a tile.
TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
TILE_BYTES: Final = TILE_WIDTH * HASH_BYTES


class Tile(NamedTuple):
    """The place of a tile."""

    level: int
    number: int

    @property
    def end(self) -> int:
        """The first leaf behind those that the tile covers when it is complete."""
        return (self.number + 1) << (TILE_HEIGHT * (self.level + 1))


def fold(hashes: bytes) -> bytes:
    """Return the root of a perfect subtree over 1, 2, 4, ... 256 hashes that stand side by side."""
    while len(hashes) > HASH_BYTES:
        # The formula of merkle.node_hash over all pairs of one row; a call a pair would cost half as much again.
        hashes = b"".join([sha256(b"\x01" + pair).digest() for (pair,) in iter_unpack("64s", hashes)])
    return hashes


def _peaks(hashes: bytes) -> list[bytes]:
    """Return the roots of the perfect subtrees over any number of hashes, left to right."""
    peaks = []
    for level, number in perfect_subtrees(0, len(hashes) // HASH_BYTES):
        start = (number << level) * HASH_BYTES
        peaks.append(fold(hashes[start : start + (HASH_BYTES << level)]))
    return peaks


class Edge:
    """The right edge of a growing tree: of each level the last tile, as long as it is incomplete.

    Attributes:
        size: leaves of the tree.
    """

    __slots__ = ("_rows", "size")

    def __init__(self, size: int = 0, tiles: Mapping[Tile, bytes] | None = None) -> None:
        """Take up a tree of `size` leaves from the tiles that `edge_tiles(size)` names.

        Raises:
            VerificationError: `root-mismatch`, where a tile is missing or shorter than the size needs.
        """
        self.size = size
        self._rows: list[bytes] = [
            _prefix(tiles or {}, tile, width) if width else b"" for tile, width in _edge(size)
        ]

    def append(self, leaf_hashes: bytes) -> dict[Tile, bytes]:
        """Add leaf hashes, 32 bytes each; return the tiles that became complete."""
        completed: dict[Tile, bytes] = {}
        added = leaf_hashes
        self.size += len(leaf_hashes) // HASH_BYTES
        level = 0
        while added:
            if level == len(self._rows):
                self._rows.append(b"")
            row = self._rows[level] + added
            number = (self.size >> (TILE_HEIGHT * (level + 1))) - len(row) // TILE_BYTES
            roots = []
            for start in range(0, len(row) - TILE_BYTES + 1, TILE_BYTES):
                tile = row[start : start + TILE_BYTES]
                completed[Tile(level, number)] = tile
                roots.append(fold(tile))
                number += 1
            self._rows[level] = row[len(roots) * TILE_BYTES :]
            added = b"".join(roots)
            level += 1
        return completed

    def partial_tiles(self) -> dict[Tile, bytes]:
        """Return the incomplete last tiles; with the complete ones they hold the whole tree."""
        return {
            Tile(level, self.size >> (TILE_HEIGHT * (level + 1))): row
            for level, row in enumerate(self._rows)
            if row
        }

    def last_leaf(self) -> bytes | None:
        """Return the last leaf hash, or None where it stands in a complete tile."""
        return self._rows[0][-HASH_BYTES:] if self._rows and self._rows[0] else None

    def root(self) -> bytes:
        """Return the root of the tree."""
        if not self.size:
            return EMPTY_ROOT
        # The compact range: upper levels hold the larger subtrees, which stand further left.
        return fold_peaks([peak for row in reversed(self._rows) for peak in _peaks(row)])


def _edge(size: int) -> list[tuple[Tile, int]]:
    """Return the last tile of every level with its number of hashes, which may be 0, lowest level first."""
    edge = []
    level = 0
    while size:
        edge.append((Tile(level, size >> TILE_HEIGHT), size % TILE_WIDTH))
        size >>= TILE_HEIGHT
        level += 1
    return edge


def edge_tiles(size: int) -> list[Tile]:
    """Return the tiles that `Edge` needs to take up a tree of this size."""
    return [tile for tile, width in _edge(size) if width]


def tiles_for(ranges: Iterable[tuple[int, int]]) -> set[Tile]:
    """Plan: return the tiles that hold what `subtree_root` needs for these ranges of leaves."""
    return {
        _place(level, number)[0] for start, end in ranges for level, number in perfect_subtrees(start, end)
    }


def subtree_root(start: int, end: int, tiles: Mapping[Tile, bytes]) -> bytes:
    """Return the root over the leaves `[start, end)`, a range that a proof names.

    Raises:
        VerificationError: `root-mismatch`, where a tile is missing or too short.
    """
    return fold_peaks([_perfect_root(level, number, tiles) for level, number in perfect_subtrees(start, end)])


def _place(level: int, number: int) -> tuple[Tile, int, int]:
    """Return the tile below a perfect subtree, the first of its hashes there and how many they are."""
    tile_level, height = divmod(level, TILE_HEIGHT)
    first = number << height
    return Tile(tile_level, first >> TILE_HEIGHT), first % TILE_WIDTH, 1 << height


def _perfect_root(level: int, number: int, tiles: Mapping[Tile, bytes]) -> bytes:
    tile, first, count = _place(level, number)
    return fold(_prefix(tiles, tile, first + count)[first * HASH_BYTES :])


def _prefix(tiles: Mapping[Tile, bytes], tile: Tile, width: int) -> bytes:
    hashes = tiles.get(tile, b"")
    if len(hashes) < width * HASH_BYTES:
        raise VerificationError(
            "root-mismatch",
            f"tile {tile.number} of level {tile.level} has not the {width} hashes that the tree needs",
        )
    return hashes[: width * HASH_BYTES]
