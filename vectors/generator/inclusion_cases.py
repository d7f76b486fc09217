"""Inclusion proofs of RFC 6962."""

from __future__ import annotations

from typing import Any

from generator.example import EXAMPLE
from generator.model import Case, Maker, Topic
from generator.mutate import STRAY, flip
from generator.proof_parts import LARGEST, LEAVES, syntax
from generator.tree import audit_path, leaf_hash, node_hash, path_length, root, root_of_path, sha256

_MAKER = Maker("inclusion", "tree.md")


def _included(
    index: int,
    size: int,
    *,
    leaf: bytes | None = None,
    path: list[bytes] | None = None,
    top: bytes | None = None,
) -> dict[str, Any]:
    """Return the request for a leaf of the test tree; what is not named is right."""
    leaves = LEAVES[:size]
    return {
        "index": str(index),
        "size": str(size),
        "leafHash": (LEAVES[index] if leaf is None else leaf).hex(),
        "path": [item.hex() for item in (audit_path(index, leaves) if path is None else path)],
        "root": (root(leaves) if top is None else top).hex(),
    }


def _huge(index: int, size: int) -> dict[str, Any]:
    """Return the request for a leaf of a tree too large to build: its path is made up, its root follows."""
    path = [sha256(f"made up {level}".encode()) for level in range(path_length(index, size))]
    top = root_of_path(index, size, LEAVES[0], path)
    return {
        "index": str(index),
        "size": str(size),
        "leafHash": LEAVES[0].hex(),
        "path": [item.hex() for item in path],
        "root": top.hex(),
    }


def _accepted() -> list[Case]:
    places = [(0, 1), (0, 2), (1, 2), (0, 3), (2, 3), (4, 7), (6, 7), (0, 8), (5, 8), (7, 8)]
    places += [(254, 255), (255, 256), (0, 257), (256, 257)]
    last = "inclusion-step-4"
    leaves = EXAMPLE.leaves(4)
    example = {
        "index": "2",
        "size": "4",
        "leafHash": leaves[2].hex(),
        "path": [item.hex() for item in audit_path(2, leaves)],
        "root": root(leaves).hex(),
    }
    return [
        _MAKER.accept("example", "the worked example: index 2 of 4", last, example, {}),
        *(
            _MAKER.accept(f"index-{m}-size-{n}", f"leaf {m} of {n}", last, _included(m, n), {})
            for m, n in places
        ),
        _MAKER.accept(
            "largest-first", "the first leaf of the largest tree: 63 hashes", last, _huge(0, LARGEST), {}
        ),
        _MAKER.accept(
            "largest-last", "the last leaf of the largest tree", last, _huge(LARGEST - 1, LARGEST), {}
        ),
        _MAKER.accept(
            "size-not-in-root",
            "a path of a tree of 8 also fits a size of 7: the root does not hold the size, so the checkpoint signs both",
            last,
            {**_included(0, 8), "size": "7"},
            {},
        ),
        _MAKER.accept("two-to-62", "a leaf of a tree of 2^62 + 1", last, _huge(2**62, 2**62 + 1), {}),
    ]


def _syntax() -> list[Case]:
    good = _included(5, 8)
    step = "inclusion-step-1"
    cases = syntax(
        _MAKER, step, good, _huge(0, LARGEST), integers=("index", "size"), hashes=("leafHash", "root")
    )
    bad_and_outside = {**good, "index": "8", "root": good["root"][:-2]}
    cases.append(
        _MAKER.refuse(
            "syntax-before-index", "index 8 of 8, and a root of 31 bytes", step, bad_and_outside, "malformed"
        )
    )
    return cases


def _index() -> list[Case]:
    good = _included(5, 8)
    one = _included(0, 1)
    cases = [
        ("index-is-size", "the index is the size", {**good, "index": "8"}),
        ("index-beyond-size", "the index is 5 more than the size", {**good, "index": "13"}),
        ("index-largest", "the largest integer as index", {**good, "index": str(LARGEST)}),
        ("size-0", "an empty tree has no leaf", {**one, "size": "0", "root": sha256(b"").hex()}),
        ("size-1-index-1", "index 1 of a tree of one leaf", {**one, "index": "1"}),
        ("size-5-index-5", "the tree is said to be smaller", {**good, "size": "5"}),
        (
            "index-before-root",
            "the index is the size, and the path is empty",
            {**good, "index": "8", "path": []},
        ),
    ]
    return [
        _MAKER.refuse(slug, comment, "inclusion-step-2", r, "index-mismatch") for slug, comment, r in cases
    ]


def _length() -> list[Case]:
    path = audit_path(5, LEAVES[:8])
    cases = [
        ("path-empty", "all hashes are missing", _included(5, 8, path=[])),
        ("path-first-missing", "the first hash is missing", _included(5, 8, path=path[1:])),
        ("path-last-missing", "the last hash is missing", _included(5, 8, path=path[:-1])),
        ("path-hash-behind", "one more hash behind", _included(5, 8, path=[*path, STRAY])),
        ("path-hash-before", "one more hash before", _included(5, 8, path=[STRAY, *path])),
        ("path-root-behind", "the root once more behind", _included(5, 8, path=[*path, root(LEAVES[:8])])),
        ("path-leaf-before", "the leaf once more before", _included(5, 8, path=[LEAVES[5], *path])),
        (
            "path-hash-twice",
            "the middle hash twice",
            _included(5, 8, path=[path[0], path[1], path[1], path[2]]),
        ),
        ("single-leaf-with-path", "a tree of one leaf, and a hash", _included(0, 1, path=[STRAY])),
        (
            "single-leaf-as-two",
            "the path of a tree of two, for a tree of one",
            {**_included(0, 2), "size": "1"},
        ),
        (
            "last-of-odd-too-long",
            "the last leaf of 7 with a path as long as its neighbours'",
            _included(6, 7, path=path),
        ),
        ("size-doubled", "the same path, the size doubled", {**_included(5, 8), "size": "16"}),
        (
            "size-halved-index-too",
            "the same path, size and index halved",
            {**_included(4, 8), "size": "4", "index": "2"},
        ),
        ("size-largest", "the same path, the largest size", {**_included(5, 8), "size": str(LARGEST)}),
        ("64-leaf-path", "63 hashes for a tree of 8", _included(5, 8, path=[STRAY] * 63)),
        (
            "node-as-leaf",
            "an inner node passed off as a leaf, its path one shorter",
            _included(5, 8, leaf=node_hash(LEAVES[4], LEAVES[5]), path=path[1:]),
        ),
    ]
    return [
        _MAKER.refuse(slug, comment, "inclusion-step-3", r, "root-mismatch") for slug, comment, r in cases
    ]


def _root() -> list[Case]:
    path = audit_path(5, LEAVES[:8])
    # An odd node is moved up, never paired with itself (CVE-2012-2459).
    doubled = node_hash(node_hash(LEAVES[0], LEAVES[1]), node_hash(LEAVES[2], LEAVES[2]))
    plain = sha256(LEAVES[0] + LEAVES[1])
    cases = [
        (
            "first-hash-bit",
            "the first hash of the path has one bit changed",
            _included(5, 8, path=[flip(path[0]), *path[1:]]),
        ),
        (
            "middle-hash-bit",
            "the middle hash has one bit changed",
            _included(5, 8, path=[path[0], flip(path[1]), path[2]]),
        ),
        (
            "last-hash-bit",
            "the last hash of the path has one bit changed",
            _included(5, 8, path=[*path[:-1], flip(path[-1])]),
        ),
        ("leaf-bit", "the leaf hash has one bit changed", _included(5, 8, leaf=flip(LEAVES[5]))),
        ("root-bit", "the root has one bit changed", _included(5, 8, top=flip(root(LEAVES[:8])))),
        ("path-reversed", "the path in the opposite order", _included(5, 8, path=path[::-1])),
        (
            "path-two-swapped",
            "the last two hashes in the opposite order",
            _included(5, 8, path=[path[0], path[2], path[1]]),
        ),
        ("path-of-neighbour", "the path of leaf 4", _included(5, 8, path=audit_path(4, LEAVES[:8]))),
        (
            "index-of-neighbour",
            "the index of the neighbour: left and right change places",
            {**_included(5, 8), "index": "4"},
        ),
        ("index-0", "the index 0", {**_included(5, 8), "index": "0"}),
        (
            "index-other-half",
            "the index of the same place in the other half",
            {**_included(5, 8), "index": "1"},
        ),
        ("leaf-of-neighbour", "the leaf hash of leaf 4", _included(5, 8, leaf=LEAVES[4])),
        ("leaf-is-root", "the root as leaf hash", _included(5, 8, leaf=root(LEAVES[:8]))),
        ("root-of-smaller-tree", "the root of a tree of 7", _included(5, 8, top=root(LEAVES[:7]))),
        ("root-zero", "a root of 32 zero bytes", _included(5, 8, top=bytes(32))),
        ("root-empty-tree", "the root of the empty tree", _included(5, 8, top=sha256(b""))),
        ("root-is-leaf", "the leaf hash as root", _included(5, 8, top=LEAVES[5])),
        (
            "hashes-zero",
            "all hashes zero",
            _included(5, 8, leaf=bytes(32), path=[bytes(32)] * 3, top=bytes(32)),
        ),
        (
            "odd-node-doubled",
            "the root of a tree that pairs its odd leaf with itself",
            _included(0, 3, top=doubled),
        ),
        ("no-node-prefix", "the root of a tree whose nodes lack the byte 0x01", _included(0, 2, top=plain)),
        ("single-leaf-other-root", "a tree of one leaf with another root", _included(0, 1, top=STRAY)),
        (
            "single-leaf-rehashed",
            "a tree of one leaf whose root is a hash of the leaf hash",
            _included(0, 1, top=leaf_hash(LEAVES[0])),
        ),
        ("largest-bit", "the 63rd hash of the largest tree has one bit changed", _flipped_largest()),
    ]
    return [
        _MAKER.refuse(slug, comment, "inclusion-step-4", r, "root-mismatch") for slug, comment, r in cases
    ]


def _flipped_largest() -> dict[str, Any]:
    request = _huge(0, LARGEST)
    return {**request, "path": [*request["path"][:-1], flip(bytes.fromhex(request["path"][-1])).hex()]}


TOPIC = Topic(
    "inclusion",
    "Inclusion proofs: that a leaf hash stands at an index of the tree of a size and root.",
    [
        *_accepted(),
        *_syntax(),
        *_index(),
        *_length(),
        *_root(),
    ],
    by_step=True,
)
