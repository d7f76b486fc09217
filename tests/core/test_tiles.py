"""Tiles: grown in any chunks, taken up at any size, read at any older size, they hold the one tree."""

import random
from collections.abc import Mapping

import pytest

from counterfoil.core.merkle import consistency_ranges, inclusion_ranges, verify_inclusion
from counterfoil.core.tiles import (
    TILE_BYTES,
    TILE_HEIGHT,
    TILE_WIDTH,
    Edge,
    Tile,
    edge_tiles,
    fold,
    subtree_root,
    tiles_for,
)
from tests import oracle
from tests.support import refused

SIZE = 1_000
LEAVES = [oracle.leaf_hash(b"entry %d" % index) for index in range(SIZE)]
TREE = oracle.Tree(LEAVES)
ROOTS = [TREE.root(size) for size in range(SIZE + 1)]


def joined(start, end):
    return b"".join(LEAVES[start:end])


def one_shot(size):
    """The tiles of a tree that is made in one go."""
    edge = Edge()
    return {**edge.append(joined(0, size)), **edge.partial_tiles()}


def obvious_tiles(size):
    """The tiles by their definition: hash i of level L is the root over the i-th 256^L leaves."""
    tiles = {}
    level, span = 0, 1
    while span <= size:
        hashes = [TREE.range(i * span, (i + 1) * span) for i in range(size // span)]
        for number in range(0, len(hashes), 256):
            tiles[Tile(level, number // 256)] = b"".join(hashes[number : number + 256])
        level, span = level + 1, span * 256
    return tiles


def chunks(start, end, draw):
    while start < end:
        step = draw.choice([1, 2, 3, 7, 100, 255, 256, 257, 511, 512, 1000])
        yield start, min(start + step, end)
        start = min(start + step, end)


class TestGrowing:
    def test_the_tiles_of_every_size_are_those_of_the_definition(self):
        for size in range(SIZE + 1):
            assert one_shot(size) == obvious_tiles(size)

    def test_an_edge_taken_up_at_every_size_and_grown_in_chunks_is_the_tree_made_in_one_go(self):
        whole = one_shot(SIZE)
        draw = random.Random(1)  # noqa: S311  -- the same chunks each time
        for size in range(SIZE + 1):
            edge = Edge(size, {tile: whole[tile] for tile in edge_tiles(size)})
            assert edge.root() == ROOTS[size]
            # A second later size on the way, and the end.
            end = min(size + draw.randrange(1, 600), SIZE)
            completed = {}
            for start, stop in chunks(size, end, draw):
                made = edge.append(joined(start, stop))
                assert all(len(tile) == TILE_BYTES for tile in made.values())
                assert not made.keys() & completed.keys()
                completed |= made
            assert edge.size == end
            assert edge.root() == ROOTS[end]
            # What the growth handed out, over what was there, is exactly what the larger tree has.
            assert {**one_shot(size), **completed, **edge.partial_tiles()} == one_shot(end)

    def test_one_leaf_at_a_time_gives_every_root(self):
        edge = Edge()
        for size, leaf in enumerate(LEAVES, start=1):
            edge.append(leaf)
            assert edge.root() == ROOTS[size]

    def test_nothing_appended_changes_nothing(self):
        edge = Edge(300, one_shot(300))
        assert edge.append(b"") == {}
        assert (edge.size, edge.root()) == (300, ROOTS[300])

    def test_the_last_leaf_is_known_unless_its_tile_is_complete(self):
        for size in range(SIZE + 1):
            known = Edge(size, one_shot(SIZE)).last_leaf()
            assert known == (LEAVES[size - 1] if size % TILE_WIDTH else None)

    @pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 65_791, 65_792, 65_793, 66_000])
    def test_the_third_level_is_begun_at_256_squared(self, size):
        leaves = [oracle.leaf_hash(b"%d" % index) for index in range(size)]
        edge = Edge()
        tiles = edge.append(b"".join(leaves[:65_500]))
        tiles |= edge.append(b"".join(leaves[65_500:]))
        tiles |= edge.partial_tiles()
        tree = oracle.Tree(leaves)
        assert edge.root() == tree.root(size)
        assert (Tile(2, 0) in tiles) == (size >= 65_536)
        again = Edge(size, {tile: tiles[tile] for tile in edge_tiles(size)})
        assert again.root() == tree.root(size)
        for index in (0, 255, 256, 32_767, 65_279, 65_534, size - 1):
            ranges = inclusion_ranges(index, size)
            path = [
                subtree_root(*leaf_range, {t: tiles[t] for t in tiles_for(ranges)}) for leaf_range in ranges
            ]
            assert path == tree.path(index, size)


class TestOlderSizes:
    def test_longer_tiles_serve_every_smaller_size(self):
        whole = one_shot(SIZE)
        for size in range(SIZE + 1):
            for tile, hashes in one_shot(size).items():
                assert whole[tile][: len(hashes)] == hashes
            assert Edge(size, whole).root() == ROOTS[size]

    def test_a_complete_tile_never_changes(self):
        whole = one_shot(SIZE)
        for size in range(SIZE + 1):
            for tile, hashes in one_shot(size).items():
                if len(hashes) == TILE_BYTES:
                    assert whole[tile] == hashes
                    assert tile.end <= SIZE

    def test_proofs_of_older_sizes_come_out_of_newer_tiles(self):
        whole = one_shot(SIZE)
        draw = random.Random(2)  # noqa: S311  -- the same places each time
        for size in range(1, SIZE + 1):
            index = draw.randrange(size)
            assert [subtree_root(*r, whole) for r in inclusion_ranges(index, size)] == TREE.path(index, size)
            assert [subtree_root(*r, whole) for r in consistency_ranges(index + 1, size)] == TREE.proof(
                index + 1, size
            )


class TestMissing:
    @pytest.mark.parametrize("size", [1, 2, 255, 257, 300, 513, 1000])
    def test_an_edge_is_not_taken_up_from_missing_or_short_tiles(self, size):
        tiles = one_shot(size)
        for tile in edge_tiles(size):
            for damaged in ({k: v for k, v in tiles.items() if k != tile}, {**tiles, tile: tiles[tile][:-1]}):
                with refused("root-mismatch"):
                    Edge(size, damaged)
        with refused("root-mismatch"):
            Edge(size)

    def test_a_proof_is_not_folded_from_missing_or_short_tiles(self):
        tiles = one_shot(SIZE)
        ranges = inclusion_ranges(700, SIZE)
        refusals = 0
        for tile in tiles_for(ranges):
            for damaged in ({k: v for k, v in tiles.items() if k != tile}, {**tiles, tile: tiles[tile][:32]}):
                with refused("root-mismatch"):
                    [subtree_root(*leaf_range, damaged) for leaf_range in ranges]
                refusals += 1
        assert refusals >= 6

    def test_a_complete_size_needs_no_partial_tile_below(self):
        assert edge_tiles(0) == []
        assert edge_tiles(256) == [Tile(1, 0)]
        assert edge_tiles(65_536) == [Tile(2, 0)]
        # The example of docs/spec/tree.md.
        assert edge_tiles(70_000) == [Tile(0, 273), Tile(1, 1), Tile(2, 0)]


class UniformTiles(Mapping):
    """The tiles of a tree of one repeated leaf, made when they are asked for; remembers what was asked."""

    def __init__(self, tree, size):
        self.tree, self.size, self.asked = tree, size, set()

    def __getitem__(self, tile):
        self.asked.add(tile)
        span = 256**tile.level
        width = min(self.size // span - tile.number * 256, 256)
        if width < 1:
            raise KeyError(tile)
        return self.tree.root(span) * width

    def __iter__(self):
        raise NotImplementedError

    def __len__(self):
        return self.size


class TestHugeSizes:
    LEAF = oracle.leaf_hash(b"the same")
    TREE = oracle.UniformTree(LEAF)
    SIZES = sorted(
        {
            base**k + d
            for base, ks in ((2, (20, 33, 47, 61, 62)), (256, (2, 3, 5, 7)))
            for k in ks
            for d in (-1, 0, 1)
        }
    )

    @pytest.mark.parametrize("size", SIZES, ids=hex)
    def test_the_plan_names_exactly_the_tiles_that_the_proof_reads(self, size):
        for index in (0, 1, 255, 256, size // 3, size // 2, size - 2, size - 1):
            for ranges in (inclusion_ranges(index, size), consistency_ranges(index + 1, size)):
                tiles = UniformTiles(self.TREE, size)
                path = [subtree_root(start, end, tiles) for start, end in ranges]
                assert tiles.asked == tiles_for(ranges)
                assert path == [self.TREE.root(end - start) for start, end in ranges]
            path = [subtree_root(*r, UniformTiles(self.TREE, size)) for r in inclusion_ranges(index, size)]
            verify_inclusion(index, size, self.LEAF, path, self.TREE.root(size))

    @pytest.mark.parametrize("size", SIZES, ids=hex)
    def test_an_edge_is_taken_up_and_grown_at_any_size(self, size):
        edge = Edge(size, UniformTiles(self.TREE, size))
        assert edge.root() == self.TREE.root(size)
        completed = edge.append(self.LEAF * 300)
        assert edge.root() == self.TREE.root(size + 300)
        for tile, hashes in completed.items():
            assert hashes == UniformTiles(self.TREE, size + 300)[tile]
            assert size < tile.end <= size + 300
        assert all(
            hashes == UniformTiles(self.TREE, size + 300)[tile]
            for tile, hashes in edge.partial_tiles().items()
        )


def test_a_fold_is_the_root_over_its_hashes():
    for height in range(TILE_HEIGHT + 1):
        assert fold(joined(0, 1 << height)) == TREE.range(0, 1 << height)
