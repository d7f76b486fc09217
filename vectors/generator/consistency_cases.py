"""Consistency proofs of RFC 6962."""

from __future__ import annotations

from typing import Any

from generator.model import Case, Maker, Topic
from generator.mutate import STRAY, flip
from generator.proof_parts import LARGEST, LEAVES, syntax
from generator.tree import consistency_proof, path_length, root, root_of_path, sha256

_MAKER = Maker("consistency", "tree.md")


def _extends(
    old: int,
    new: int,
    *,
    path: list[bytes] | None = None,
    root1: bytes | None = None,
    root2: bytes | None = None,
) -> dict[str, Any]:
    """Return the request for two sizes of the test tree; what is not named is right."""
    leaves = LEAVES[:new]
    return {
        "size1": str(old),
        "size2": str(new),
        "root1": (root(LEAVES[:old]) if root1 is None else root1).hex(),
        "root2": (root(leaves) if root2 is None else root2).hex(),
        "path": [item.hex() for item in (consistency_proof(old, leaves) if path is None else path)],
    }


def _one_to_largest() -> dict[str, Any]:
    """Return the proof from the first leaf to the largest tree: every hash is a right sibling of the first path."""
    path = [sha256(f"made up {level}".encode()) for level in range(path_length(0, LARGEST))]
    return {
        "size1": "1",
        "size2": str(LARGEST),
        "root1": LEAVES[0].hex(),
        "root2": root_of_path(0, LARGEST, LEAVES[0], path).hex(),
        "path": [item.hex() for item in path],
    }


def _accepted() -> list[Case]:
    sizes = [(1, 1), (1, 2), (2, 3), (1, 8), (3, 7), (4, 7), (6, 8), (7, 8), (8, 8), (4, 8), (7, 7)]
    sizes += [(255, 256), (255, 257), (256, 257)]
    last = "consistency-step-6"
    return [
        *(
            _MAKER.accept(f"from-{m}-to-{n}", f"from {m} to {n} leaves", last, _extends(m, n), {})
            for m, n in sizes
        ),
        _MAKER.accept("largest", "from 1 leaf to the largest tree: 63 hashes", last, _one_to_largest(), {}),
    ]


def _syntax() -> list[Case]:
    good = _extends(6, 8)
    step = "consistency-step-1"
    cases = syntax(
        _MAKER, step, good, _one_to_largest(), integers=("size1", "size2"), hashes=("root1", "root2")
    )
    bad = {**_extends(8, 6, path=[], root2=root(LEAVES[:6])), "root1": good["root1"].upper()}
    cases.append(
        _MAKER.refuse(
            "syntax-before-sizes", "a smaller size2, and an upper-case root1", step, bad, "malformed"
        )
    )
    return cases


def _sizes() -> list[Case]:
    empty = sha256(b"")
    nothing = "an empty tree is in every tree: such a proof proves nothing"
    from_empty = [
        ("from-0", f"from size 0 with its right root and no hashes; {nothing}", _extends(0, 8, path=[])),
        ("from-0-to-0", "from size 0 to size 0", _extends(0, 0, path=[])),
        ("from-0-other-root", "from size 0 with another root", _extends(0, 8, path=[], root1=STRAY)),
        (
            "from-0-with-hashes",
            "from size 0 with the hashes from size 1",
            {**_extends(1, 8), "size1": "0", "root1": empty.hex()},
        ),
        (
            "from-0-with-root",
            "from size 0 with the newer root as only hash",
            _extends(0, 8, path=[root(LEAVES[:8])]),
        ),
    ]
    shrinking = [
        ("shrinking", "the newer tree is smaller", {**_extends(6, 8), "size1": "8", "size2": "6"}),
        ("shrinking-roots-too", "sizes and roots have changed places", _swapped(_extends(6, 8))),
        (
            "shrinking-no-hashes",
            "the newer tree is smaller, no hashes",
            {**_swapped(_extends(7, 8)), "path": []},
        ),
        (
            "shrinking-same-root",
            "the newer tree is smaller, with the same root",
            _extends(8, 8) | {"size2": "7"},
        ),
        ("shrinking-to-0", "the newer tree is empty", {**_extends(1, 1), "size2": "0", "root2": empty.hex()}),
    ]
    return [
        *(
            _MAKER.refuse(slug, comment, "consistency-step-2", r, "inconsistent")
            for slug, comment, r in from_empty
        ),
        *(
            _MAKER.refuse(slug, comment, "consistency-step-3", r, "inconsistent")
            for slug, comment, r in shrinking
        ),
    ]


def _swapped(request: dict[str, Any]) -> dict[str, Any]:
    return {
        **request,
        "size1": request["size2"],
        "size2": request["size1"],
        "root1": request["root2"],
        "root2": request["root1"],
    }


def _length() -> list[Case]:
    path = consistency_proof(6, LEAVES[:8])
    four = consistency_proof(4, LEAVES[:8])
    cases = [
        ("path-empty", "all hashes are missing", _extends(6, 8, path=[])),
        ("path-first-missing", "the first hash is missing", _extends(6, 8, path=path[1:])),
        ("path-last-missing", "the last hash is missing", _extends(6, 8, path=path[:-1])),
        ("path-hash-behind", "one more hash behind", _extends(6, 8, path=[*path, STRAY])),
        ("path-hash-before", "one more hash before", _extends(6, 8, path=[STRAY, *path])),
        (
            "path-root-behind",
            "the newer root once more behind",
            _extends(6, 8, path=[*path, root(LEAVES[:8])]),
        ),
        ("equal-with-hash", "equal sizes and roots, and a hash", _extends(8, 8, path=[STRAY])),
        (
            "equal-with-root",
            "equal sizes and roots, and the root as hash",
            _extends(8, 8, path=[root(LEAVES[:8])]),
        ),
        ("equal-one-with-hash", "one leaf twice, and a hash", _extends(1, 1, path=[STRAY])),
        (
            "power-of-two-with-root",
            "from 4, with the older root before the hashes, which a power of two leaves out",
            _extends(4, 8, path=[root(LEAVES[:4]), *four]),
        ),
        ("power-of-two-empty", "from 4 without a hash", _extends(4, 8, path=[])),
        (
            "power-of-two-no-growth",
            "from 4 to 8 without a hash and with the same root",
            _extends(4, 8, path=[], root2=root(LEAVES[:4])),
        ),
        ("size2-doubled", "the same hashes, the newer size doubled", {**_extends(6, 8), "size2": "16"}),
        ("size2-largest", "the same hashes, the largest size", {**_extends(6, 8), "size2": str(LARGEST)}),
    ]
    return [
        _MAKER.refuse(slug, comment, "consistency-step-4", r, "inconsistent") for slug, comment, r in cases
    ]


def _roots() -> list[Case]:
    path = consistency_proof(6, LEAVES[:8])
    forked = [*LEAVES[:5], STRAY, *LEAVES[6:8]]
    older = [
        ("root1-bit", "the older root has one bit changed", _extends(6, 8, root1=flip(root(LEAVES[:6])))),
        ("root1-zero", "the older root is 32 zero bytes", _extends(6, 8, root1=bytes(32))),
        ("root1-other-size", "the older root is that of 5 leaves", _extends(6, 8, root1=root(LEAVES[:5]))),
        ("root1-is-root2", "the newer root as older root", _extends(6, 8, root1=root(LEAVES[:8]))),
        (
            "first-hash-bit",
            "the first hash has one bit changed",
            _extends(6, 8, path=[flip(path[0]), *path[1:]]),
        ),
        (
            "last-hash-bit",
            "the last hash, which both roots rest on, has one bit changed",
            _extends(6, 8, path=[*path[:-1], flip(path[-1])]),
        ),
        ("path-reversed", "the hashes in the opposite order", _extends(6, 8, path=path[::-1])),
        (
            "path-of-other-sizes",
            "the hashes from 5 to 7 leaves, cut to length",
            _extends(6, 8, path=consistency_proof(5, LEAVES[:7])[:3]),
        ),
        (
            "leaf-changed",
            "a leaf below the older size was changed in the newer tree; the hashes are the newer tree's",
            _extends(6, 8, path=consistency_proof(6, forked), root2=root(forked)),
        ),
    ]
    newer = [
        ("root2-bit", "the newer root has one bit changed", _extends(6, 8, root2=flip(root(LEAVES[:8])))),
        ("root2-zero", "the newer root is 32 zero bytes", _extends(6, 8, root2=bytes(32))),
        ("root2-is-root1", "the older root as newer root", _extends(6, 8, root2=root(LEAVES[:6]))),
        ("root2-other-size", "the newer root is that of 7 leaves", _extends(6, 8, root2=root(LEAVES[:7]))),
        (
            "middle-hash-bit",
            "a hash that only the newer root rests on has one bit changed",
            _extends(6, 8, path=[path[0], flip(path[1]), path[2]]),
        ),
        (
            "power-of-two-hash-bit",
            "from 4: the only hash has one bit changed",
            _extends(4, 8, path=[flip(consistency_proof(4, LEAVES[:8])[0])]),
        ),
        (
            "power-of-two-root1-bit",
            "from 4: the older root, on which the newer rests, has one bit changed",
            _extends(4, 8, root1=flip(root(LEAVES[:4]))),
        ),
        ("equal-other-root", "equal sizes with different roots", _extends(8, 8, root2=STRAY)),
        (
            "leaf-changed-behind",
            "the hashes of the older tree for a newer tree with a changed leaf",
            _extends(6, 8, root2=root(forked)),
        ),
    ]
    return [
        *(
            _MAKER.refuse(slug, comment, "consistency-step-5", r, "inconsistent")
            for slug, comment, r in older
        ),
        *(
            _MAKER.refuse(slug, comment, "consistency-step-6", r, "inconsistent")
            for slug, comment, r in newer
        ),
    ]


TOPIC = Topic(
    "consistency",
    "Consistency proofs: that the tree of a size and root begins with the tree of an older size and root.",
    [
        *_accepted(),
        *_syntax(),
        *_sizes(),
        *_length(),
        *_roots(),
    ],
    by_step=True,
)
