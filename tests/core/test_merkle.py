"""Every inclusion and consistency proof of every tree of up to 256 leaves, and the edges beyond."""

import itertools
import random
from decimal import Decimal
from fractions import Fraction

import pytest

from counterfoil.core.merkle import (
    EMPTY_ROOT,
    consistency_ranges,
    fold_peaks,
    inclusion_ranges,
    leaf_hash,
    node_hash,
    perfect_subtrees,
    root_from_inclusion_proof,
    verify_consistency,
    verify_inclusion,
)
from counterfoil.core.tiles import Edge, subtree_root, tiles_for
from tests import oracle
from tests.core.common import code_of
from tests.support import refused

SIZE = 256
ENTRIES = [b"entry %d" % index for index in range(SIZE + 1)]
LEAVES = [oracle.leaf_hash(entry) for entry in ENTRIES]
TREE = oracle.Tree(LEAVES)
ROOTS = [TREE.root(size) for size in range(SIZE + 2)]
# As a store holds it: the tiles of the largest size serve all smaller ones.
EDGE = Edge()
TILES = {**EDGE.append(b"".join(LEAVES)), **EDGE.partial_tiles()}

HASH = bytes(32)
NO_NUMBERS = [
    -1, -(2**63), 2**63, 2**64, 10**5000, -(10**5000), True, False, 0.0, 1.0, 1e300, float("nan"),
    float("inf"),
    "0", "1", b"1", None, [], (), Decimal(1), Fraction(1), 1j,
]  # fmt: skip
NO_HASHES = [b"", bytes(31), bytes(33), bytes(64), bytearray(32), "0" * 32, "00" * 32, None, 0, [0] * 32]


def built(ranges):
    """A proof as the engine builds it: plan, read the planned tiles and no others, fold."""
    planned = {tile: TILES[tile] for tile in tiles_for(ranges)}
    return [subtree_root(start, end, planned) for start, end in ranges]


def includes(index, size, leaf, path, root):
    """Whether `verify_inclusion` takes it; what it refuses it refuses with one of its two codes."""
    code = code_of(verify_inclusion, index, size, leaf, path, root)
    assert code in ("ok", "index-mismatch", "root-mismatch")
    return code == "ok"


def extends(old_size, new_size, old_root, new_root, path):
    code = code_of(verify_consistency, old_size, new_size, old_root, new_root, path)
    assert code in ("ok", "inconsistent")
    return code == "ok"


def size_one_mutations(path):
    """Every path that differs from this one by one hash dropped, added, swapped with another, or by one bit."""
    for place in range(len(path)):
        yield [*path[:place], *path[place + 1 :]]
        flipped = bytearray(path[place])
        flipped[place % 32] ^= 1 << place % 8
        yield [*path[:place], bytes(flipped), *path[place + 1 :]]
    for place in range(len(path) + 1):
        yield [*path[:place], HASH, *path[place:]]
        if path:
            yield [*path[:place], path[place - 1], *path[place:]]
    for one, other in itertools.combinations(range(len(path)), 2):
        swapped = list(path)
        swapped[one], swapped[other] = swapped[other], swapped[one]
        yield swapped


class TestKnownAnswers:
    # The eight leaves of RFC 6962's own tests, as in docs/spec/tree.md.
    LEAVES = (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
    ROOTS = (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )

    def test_the_oracle_and_the_edge_give_the_published_roots(self):
        hashes = [leaf_hash(bytes.fromhex(leaf)) for leaf in self.LEAVES]
        for size, root in enumerate(self.ROOTS, start=1):
            edge = Edge()
            edge.append(b"".join(hashes[:size]))
            assert edge.root().hex() == oracle.Tree(hashes).root(size).hex() == root

    def test_the_empty_tree_has_the_hash_of_nothing(self):
        assert EMPTY_ROOT == Edge().root() == oracle.Tree([]).root(0)

    def test_leaves_and_nodes_are_told_apart(self):
        left, right = leaf_hash(b"a"), leaf_hash(b"b")
        assert leaf_hash(left + right) != node_hash(left, right)
        assert leaf_hash(b"\x01" + left + right) != node_hash(left, right)

    def test_an_odd_leaf_is_not_duplicated(self):
        assert oracle.Tree([*LEAVES[:3], LEAVES[2]]).root(4) != ROOTS[3]
        assert not includes(3, 4, LEAVES[2], built(inclusion_ranges(2, 3)), ROOTS[3])


class TestEveryTree:
    def test_every_inclusion_proof_from_tiles_is_the_oracles_and_verifies(self):
        count = 0
        for size in range(1, SIZE + 1):
            for index in range(size):
                path = built(inclusion_ranges(index, size))
                assert path == TREE.path(index, size)
                verify_inclusion(index, size, LEAVES[index], path, ROOTS[size])
                assert root_from_inclusion_proof(index, size, leaf_hash(ENTRIES[index]), path) == ROOTS[size]
                count += 1
        assert count == SIZE * (SIZE + 1) // 2

    def test_every_consistency_proof_from_tiles_is_the_oracles_and_verifies(self):
        count = 0
        for new in range(1, SIZE + 1):
            for old in range(1, new + 1):
                path = built(consistency_ranges(old, new))
                assert path == TREE.proof(old, new)
                verify_consistency(old, new, ROOTS[old], ROOTS[new], path)
                count += 1
        assert count == SIZE * (SIZE + 1) // 2

    def test_an_inclusion_proof_is_taken_for_a_neighbouring_index_or_size_only_where_the_oracle_takes_it(
        self,
    ):
        refusals = 0
        for size in range(1, SIZE + 1):
            for index in range(size):
                path = TREE.path(index, size)
                for i, n in ((index - 1, size), (index + 1, size), (index, size - 1), (index, size + 1)):
                    if i < 0:
                        continue
                    # With the root of the other tree, as a signed checkpoint has it, and with the old one.
                    for root in {ROOTS[n], ROOTS[size]}:
                        wanted = oracle.root_from_path(i, n, LEAVES[index], path) == root
                        assert includes(i, n, LEAVES[index], path, root) == wanted
                        refusals += not wanted
                    assert not includes(i, n, LEAVES[index], path, ROOTS[n])
        assert refusals > 100_000

    def test_a_consistency_proof_is_taken_for_a_neighbouring_size_only_where_the_oracle_takes_it(self):
        refusals = 0
        for new in range(1, SIZE + 1):
            for old in range(1, new + 1):
                path = TREE.proof(old, new)
                for a, b in ((old - 1, new), (old + 1, new), (old, new - 1), (old, new + 1)):
                    for old_root, new_root in {(ROOTS[a], ROOTS[b]), (ROOTS[old], ROOTS[new])}:
                        wanted = oracle.roots_from_proof(a, b, old_root, path) == (old_root, new_root)
                        assert extends(a, b, old_root, new_root, path) == wanted
                        refusals += not wanted
        assert refusals > 100_000

    def test_a_path_with_one_hash_dropped_added_swapped_or_flipped_is_refused(self):
        count = 0
        for size in [*range(1, 34), 63, 64, 65, 100, 127, 128, 129, 255, 256]:
            for index in range(size):
                path = TREE.path(index, size)
                for mutant in size_one_mutations(path):
                    assert not includes(index, size, LEAVES[index], mutant, ROOTS[size])
                    count += 1
        assert count > 60_000

    def test_a_path_of_another_length_is_refused_also_where_its_hashes_lead_to_the_root(self):
        # The root of a tree that is one level higher, and a node in the place of the leaf.
        for size in range(1, 65):
            for index in range(size):
                path = TREE.path(index, size)
                for higher in (node_hash(HASH, ROOTS[size]), node_hash(ROOTS[size], HASH)):
                    assert not includes(index, size, LEAVES[index], [*path, HASH], higher)
                if path:
                    for node in (node_hash(LEAVES[index], path[0]), node_hash(path[0], LEAVES[index])):
                        assert not includes(index, size, node, path[1:], ROOTS[size])
                        assert not includes(index >> 1, size, node, path[1:], ROOTS[size]) or (
                            oracle.root_from_path(index >> 1, size, node, path[1:]) == ROOTS[size]
                        )

    def test_a_consistency_proof_with_one_hash_dropped_added_swapped_or_flipped_is_refused(self):
        count = 0
        for new in [*range(1, 34), 63, 64, 65, 100, 127, 128, 129, 255, 256]:
            for old in range(1, new + 1):
                path = TREE.proof(old, new)
                for mutant in size_one_mutations(path):
                    assert not extends(old, new, ROOTS[old], ROOTS[new], mutant)
                    count += 1
        assert count > 60_000

    def test_another_root_or_leaf_is_refused(self):
        for size in range(1, 65):
            for index in range(size):
                path = TREE.path(index, size)
                assert not includes(index, size, HASH, path, ROOTS[size])
                assert not includes(index, size, LEAVES[index], path, HASH)
                proof = TREE.proof(index + 1, size)
                assert not extends(index + 1, size, HASH, ROOTS[size], proof)
                assert not extends(index + 1, size, ROOTS[index + 1], HASH, proof)


class TestRefusals:
    @pytest.mark.parametrize("number", NO_NUMBERS, ids=lambda value: type(value).__name__)
    def test_what_is_no_index_or_size_is_malformed(self, number):
        calls = [
            lambda: verify_inclusion(number, 4, HASH, [HASH, HASH], HASH),
            lambda: verify_inclusion(0, number, HASH, [HASH, HASH], HASH),
            lambda: verify_inclusion(number, number, HASH, [], HASH),
            lambda: root_from_inclusion_proof(number, 4, HASH, []),
            lambda: root_from_inclusion_proof(0, number, HASH, []),
            lambda: verify_consistency(number, 4, HASH, HASH, [HASH]),
            lambda: verify_consistency(1, number, HASH, HASH, [HASH]),
            lambda: verify_consistency(number, number, HASH, HASH, []),
        ]
        for call in calls:
            with refused("malformed"):
                call()

    @pytest.mark.parametrize("value", NO_HASHES, ids=lambda value: type(value).__name__)
    def test_what_is_no_hash_is_malformed(self, value):
        calls = [
            lambda: verify_inclusion(0, 2, value, [HASH], HASH),
            lambda: verify_inclusion(0, 2, HASH, [value], HASH),
            lambda: verify_inclusion(0, 2, HASH, [HASH], value),
            lambda: verify_consistency(1, 2, value, HASH, [HASH]),
            lambda: verify_consistency(1, 2, HASH, value, [HASH]),
            lambda: verify_consistency(1, 2, HASH, HASH, [value]),
        ]
        for call in calls:
            with refused("malformed"):
                call()

    def test_a_path_of_64_hashes_is_malformed_and_one_of_63_has_the_wrong_length(self):
        with refused("malformed"):
            verify_inclusion(0, 2, HASH, [HASH] * 64, HASH)
        with refused("root-mismatch"):
            verify_inclusion(0, 2, HASH, [HASH] * 63, HASH)
        with refused("malformed"):
            verify_consistency(1, 2, HASH, HASH, [HASH] * 64)
        with refused("inconsistent"):
            verify_consistency(1, 2, HASH, HASH, [HASH] * 63)

    def test_an_index_that_is_not_below_the_size_is_an_index_mismatch(self):
        for index, size in ((0, 0), (1, 1), (5, 4), (2**63 - 1, 2**63 - 1), (2**63 - 1, 0)):
            with refused("index-mismatch"):
                verify_inclusion(index, size, HASH, [], HASH)

    def test_consistency_from_size_0_shows_nothing_and_is_refused(self):
        for new, path in ((0, []), (1, []), (4, [HASH]), (2**63 - 1, [])):
            with refused("inconsistent"):
                verify_consistency(0, new, EMPTY_ROOT, EMPTY_ROOT, path)

    def test_a_smaller_tree_extends_no_larger_one(self):
        with refused("inconsistent"):
            verify_consistency(3, 2, ROOTS[3], ROOTS[2], TREE.proof(2, 3))

    def test_equal_sizes_need_equal_roots_and_no_hashes(self):
        verify_consistency(5, 5, ROOTS[5], ROOTS[5], [])
        with refused("inconsistent"):
            verify_consistency(5, 5, ROOTS[5], ROOTS[4], [])
        with refused("inconsistent"):
            verify_consistency(5, 5, ROOTS[5], ROOTS[5], [HASH])

    def test_a_mismatch_names_both_roots(self):
        with refused("root-mismatch") as caught:
            verify_inclusion(0, 2, LEAVES[0], [LEAVES[1]], HASH)
        assert caught.value.facts == {"computed": ROOTS[2].hex(), "signed": HASH.hex()}
        with refused("inconsistent") as caught:
            verify_consistency(2, 4, ROOTS[2], HASH, TREE.proof(2, 4))
        assert caught.value.facts == {"computed": ROOTS[4].hex(), "wanted": HASH.hex()}


class TestHugeTrees:
    """Sizes that no memory holds: all leaves are equal, so that a root depends on the number of leaves alone."""

    LEAF = oracle.leaf_hash(b"the same")
    UNIFORM = oracle.UniformTree(LEAF)
    SIZES = sorted(
        {
            2**k + d
            for k in (1, 7, 8, 9, 15, 16, 17, 24, 31, 32, 40, 48, 53, 56, 61, 62)
            for d in (-1, 0, 1)
            if k > 1
        }
        | {2**63 - 1, 0x5555555555555555, 0x2AAAAAAAAAAAAAAA, 3 * 2**60}
    )

    def places(self, size):
        draw = random.Random(size)  # noqa: S311  -- the same places each time
        edges = {
            0,
            1,
            size // 2 - 1,
            size // 2,
            oracle.split(size) - 1,
            oracle.split(size),
            size - 2,
            size - 1,
        }
        return sorted(
            {place for place in edges if 0 <= place < size} | {draw.randrange(size) for _ in range(20)}
        )

    @pytest.mark.parametrize("size", SIZES, ids=hex)
    def test_inclusion_proofs_have_the_right_shape_and_verify(self, size):
        for index in self.places(size):
            ranges = inclusion_ranges(index, size)
            assert len(ranges) == oracle.path_length(index, size) <= 63
            # The leaf and the ranges are the whole tree, and nothing twice.
            covered = sorted([*ranges, (index, index + 1)])
            assert covered[0][0] == 0
            assert covered[-1][1] == size
            assert all(left[1] == right[0] for left, right in itertools.pairwise(covered))
            path = [self.UNIFORM.root(end - start) for start, end in ranges]
            verify_inclusion(index, size, self.LEAF, path, self.UNIFORM.root(size))
            assert len(tiles_for(ranges)) <= 2 * 8 + 1

    @pytest.mark.parametrize("size", SIZES, ids=hex)
    def test_consistency_proofs_have_the_right_shape_and_verify(self, size):
        for place in self.places(size):
            old = place + 1
            ranges = consistency_ranges(old, size)
            path = [self.UNIFORM.root(end - start) for start, end in ranges]
            if len(path) > 63:
                # Deeper than any log will be: docs/spec/tree.md allows 63 hashes, as C2SP tlog-witness does.
                assert size > 2**62
                assert len(path) == 64
                with refused("malformed"):
                    verify_consistency(old, size, self.UNIFORM.root(old), self.UNIFORM.root(size), path)
                continue
            verify_consistency(old, size, self.UNIFORM.root(old), self.UNIFORM.root(size), path)
            if path:
                assert not extends(old, size, self.UNIFORM.root(old), self.UNIFORM.root(size), path[1:])
                assert not extends(old, size, HASH, self.UNIFORM.root(size), path)
            # Behind the beginning that the two trees share every hash covers what the larger one adds.
            assert all(end <= old or start >= old for start, end in ranges)

    def test_a_size_above_2_to_the_62_has_paths_of_63_hashes(self):
        assert len(inclusion_ranges(0, 2**62 + 1)) == 63
        assert len(inclusion_ranges(2**62, 2**62 + 1)) == 1


def test_perfect_subtrees_cover_their_range_largest_first():
    for size in range(1, 600):
        subtrees = perfect_subtrees(0, size)
        assert [1 << level for level, _ in subtrees] == [
            1 << bit for bit in range(9, -1, -1) if size >> bit & 1
        ]
        position = 0
        for level, number in subtrees:
            assert number << level == position
            position += 1 << level
        assert position == size


def test_peaks_fold_to_the_root():
    for size in range(1, SIZE + 1):
        peaks = [TREE.range(n << level, (n + 1) << level) for level, n in perfect_subtrees(0, size)]
        assert fold_peaks(peaks) == ROOTS[size]
