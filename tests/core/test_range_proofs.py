"""Range proofs: every range of every tree of up to 40 leaves, and the edges beyond."""

import random

import pytest

from counterfoil.core.merkle import root_from_range_proof, verify_range
from tests import oracle
from tests.core.common import code_of
from tests.support import refused

SIZE = 40
LEAVES = [oracle.leaf_hash(b"entry %d" % index) for index in range(SIZE + 1)]
TREE = oracle.Tree(LEAVES)
STRAY = b"\x55" * 32


def ranges(size):
    return ((start, end) for start in range(size) for end in range(start + 1, size + 1))


def paths_of(start, end, size):
    return TREE.path(start, size), TREE.path(end - 1, size)


def judged(start, size, leaves, paths):
    return code_of(verify_range, start, size, leaves, paths, TREE.root(size))


def matters(start, end, size, paths):
    """Which hashes of the two paths stand for leaves outside the range, on the side that the path is asked for."""
    first = [behind <= start for _, behind in oracle.path_ranges(start, 0, size)]
    last = [begin >= end for begin, _ in oracle.path_ranges(end - 1, 0, size)]
    assert (len(first), len(last)) == (len(paths[0]), len(paths[1]))
    return first, last


@pytest.mark.parametrize("size", range(1, SIZE + 1))
class TestEveryRange:
    def test_it_gives_the_root_and_so_says_the_oracle(self, size):
        for start, end in ranges(size):
            paths = paths_of(start, end, size)
            computed = root_from_range_proof(start, size, LEAVES[start:end], paths)
            assert computed == TREE.root(size)
            assert oracle.root_from_range(start, size, LEAVES[start:end], *paths) == TREE.root(size)

    def test_no_leaf_can_be_another(self, size):
        for start, end in ranges(size):
            paths = paths_of(start, end, size)
            for place in range(end - start):
                leaves = LEAVES[start:end]
                leaves[place] = STRAY
                assert judged(start, size, leaves, paths) == "root-mismatch"

    def test_no_two_leaves_can_change_places(self, size):
        for start, end in ranges(size):
            paths = paths_of(start, end, size)
            for place in range(end - start - 1):
                leaves = LEAVES[start:end]
                leaves[place], leaves[place + 1] = leaves[place + 1], leaves[place]
                assert judged(start, size, leaves, paths) == "root-mismatch"

    def test_a_hash_that_stands_for_what_is_outside_can_be_no_other(self, size):
        for start, end in ranges(size):
            paths = paths_of(start, end, size)
            for side, asked in enumerate(matters(start, end, size, paths)):
                for place, outside in enumerate(asked):
                    changed = [list(path) for path in paths]
                    changed[side][place] = STRAY
                    code = judged(start, size, LEAVES[start:end], tuple(changed))
                    assert code == ("root-mismatch" if outside else "ok")

    def test_no_leaf_and_no_hash_can_be_left_out_or_added(self, size):
        for start, end in ranges(size):
            leaves, paths = LEAVES[start:end], paths_of(start, end, size)
            for spoiled in (leaves[1:], leaves[:-1], [*leaves, STRAY], [STRAY, *leaves]):
                assert judged(start, size, spoiled, paths) in {"malformed", "index-mismatch", "root-mismatch"}
            for side in (0, 1):
                for path in (paths[side][1:], paths[side][:-1], [*paths[side], STRAY]):
                    if path != paths[side]:
                        changed = (path, paths[1]) if side == 0 else (paths[0], path)
                        assert judged(start, size, leaves, changed) == "root-mismatch"

    def test_it_holds_at_no_other_place_and_under_no_other_size(self, size):
        for start, end in ranges(size):
            leaves, paths = LEAVES[start:end], paths_of(start, end, size)
            for other, of in ((start - 1, size), (start + 1, size), (start, size - 1), (start, size + 1)):
                if other >= 0:
                    code = code_of(verify_range, other, of, leaves, paths, TREE.root(size))
                    shaped = code == "ok"
                    # Where the same hashes lead to the same root, the oracle says so too: the size comes from a
                    # checkpoint, and the index from the entry.
                    assert not shaped or oracle_takes(other, of, leaves, paths, TREE.root(size))


def oracle_takes(start, size, leaves, paths, root):
    try:
        return oracle.root_from_range(start, size, leaves, *paths) == root
    except ValueError:
        return False


class TestRefusals:
    def test_no_leaf_is_no_range(self):
        with refused("malformed"):
            root_from_range_proof(0, 1, [], ([], []))

    @pytest.mark.parametrize(
        ("start", "size"), [(-1, 2), (0, -1), (2**63, 2), (0, 2**63), (True, 2), (0, 2.0), ("0", 2)]
    )
    def test_what_is_no_index_or_size_is_malformed(self, start, size):
        with refused("malformed"):
            root_from_range_proof(start, size, LEAVES[:1], ([STRAY], [STRAY]))

    @pytest.mark.parametrize("value", [b"", bytes(31), bytes(33), "0" * 32, None])
    def test_what_is_no_hash_is_malformed(self, value):
        first, last = paths_of(1, 3, 4)
        for leaves, paths, root in (
            ([value, LEAVES[2]], (first, last), TREE.root(4)),
            (LEAVES[1:3], ([value, *first[1:]], last), TREE.root(4)),
            (LEAVES[1:3], (first, [*last[:-1], value]), TREE.root(4)),
            (LEAVES[1:3], (first, last), value),
        ):
            with refused("malformed"):
                verify_range(1, 4, leaves, paths, root)

    def test_a_path_of_64_hashes_is_malformed(self):
        for paths in (([STRAY] * 64, [STRAY]), ([STRAY], [STRAY] * 64)):
            with refused("malformed"):
                root_from_range_proof(0, 2, LEAVES[:1], paths)

    def test_leaves_beyond_the_tree_are_an_index_mismatch(self):
        with refused("index-mismatch"):
            root_from_range_proof(1, 2, LEAVES[1:3], ([LEAVES[0]], [LEAVES[0]]))


class TestLargeTrees:
    @pytest.mark.parametrize("size", [2**62, 2**62 + 1, 2**63 - 1, 2**40 + 12345])
    def test_a_range_of_a_tree_that_nobody_can_hold(self, size):
        leaf = LEAVES[0]
        uniform = oracle.UniformTree(leaf)
        chance = random.Random(size)  # noqa: S311  -- the same places each time
        for _ in range(20):
            count = chance.randrange(1, 50)
            start = chance.choice([0, size - count, chance.randrange(size - count)])
            paths = tuple(
                [uniform.root(end - begin) for begin, end in oracle.path_ranges(index, 0, size)]
                for index in (start, start + count - 1)
            )
            assert root_from_range_proof(start, size, [leaf] * count, paths) == uniform.root(size)

    def test_ten_thousand_leaves_somewhere_in_a_tree(self):
        leaves = [oracle.leaf_hash(b"%d" % index) for index in range(20_001)]
        tree = oracle.Tree(leaves)
        for start, end in ((0, 10_000), (1, 10_001), (4_095, 14_095), (10_001, 20_001)):
            paths = (tree.path(start, 20_001), tree.path(end - 1, 20_001))
            assert root_from_range_proof(start, 20_001, leaves[start:end], paths) == tree.root(20_001)
