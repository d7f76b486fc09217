"""RFC 6962 trees: hashes, which subtrees a proof consists of, and verifying.

    leaf hash = SHA-256( 0x00 || entry bytes )     node = SHA-256( 0x01 || left || right )     empty = SHA-256( "" )

A tree splits at the largest power of two smaller than its size; an odd node is never duplicated.  Building a proof
has two halves: `inclusion_ranges` and `consistency_ranges` say which subtrees it is made of, `core.tiles` says where
their hashes are and folds them.  Computing a root and comparing it are two functions.

A range proof shows neighbouring leaves at once: the inclusion proofs of the first and the last, and the leaves.

Source: RFC 6962 section 2.1, RFC 9162 sections 2.1.3 and 2.1.4, docs/spec/tree.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Final

from counterfoil.errors import MalformedError, VerificationError
from counterfoil.limits import INTEGER_MAX, PROOF_HASHES_MAX

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

_sha256 = hashlib.sha256


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256( 0x00 || entry )."""
    return _sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256( 0x01 || left || right )."""
    return _sha256(b"\x01" + left + right).digest()


def fold_peaks(peaks: Iterable[bytes]) -> bytes:
    """Return the root above perfect subtrees that stand side by side, largest first; at least one."""
    # The smallest pair is joined first: RFC 6962 leaves the ragged part on the right.
    return reduce(lambda right, left: node_hash(left, right), reversed(list(peaks)))


def perfect_subtrees(start: int, end: int) -> list[tuple[int, int]]:
    """Split the leaves `[start, end)` into perfect subtrees, left to right.

    Each is (level, number) and holds the leaves `[number << level, (number + 1) << level)`.  Requires that the
    range is one that a proof names: `start` is a multiple of the power of two that is not below `end - start`.
    """
    subtrees = []
    while start < end:
        level = (end - start).bit_length() - 1
        subtrees.append((level, start >> level))
        start += 1 << level
    return subtrees


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """Return the leaves under each hash of an inclusion proof, the leaf's sibling first.

    Requires 0 <= index < size.  RFC 6962 calls the proof a Merkle audit path.
    """
    ranges = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(old_size: int, new_size: int) -> list[tuple[int, int]]:
    """Return the leaves under each hash of a consistency proof, in the order of RFC 6962 section 2.1.2.

    Requires 0 < old_size <= new_size.
    """
    ranges: list[tuple[int, int]] = []
    start, end = 0, new_size
    # SUBPROOF(m, D[n], b): walk towards the last leaf of the old tree.
    while old_size != end:
        middle = start + _split(end - start)
        if old_size <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    if start:  # The old tree itself needs no hash: its root is known.
        ranges.append((start, end))
    return ranges[::-1]


def _split(size: int) -> int:
    """Return the largest power of two smaller than a size above 1."""
    return 1 << ((size - 1).bit_length() - 1)


def root_from_inclusion_proof(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """Compute the root that an inclusion proof leads to.

    Args:
        index: of the leaf, from 0.
        size: leaves of the tree.
        leaf: the leaf hash, 32 bytes.
        path: hashes of 32 bytes, the leaf's sibling first.

    Raises:
        MalformedError: where a number or a hash is none.
        VerificationError: `index-mismatch` where the leaf is not in a tree of this size, `root-mismatch` where the
            path has another length than this leaf's (it leads to no root).
    """
    _check_number(index)
    _check_number(size)
    _check_hashes(leaf)
    _check_path(path)
    if index >= size:
        raise VerificationError(
            "index-mismatch", f"leaf {index} is not in a tree of {size}", index=index, size=size
        )
    inner = _check_path_length(index, size, path)
    computed = leaf
    for level in range(inner):
        sibling = path[level]
        computed = node_hash(sibling, computed) if index >> level & 1 else node_hash(computed, sibling)
    for sibling in path[inner:]:
        computed = node_hash(sibling, computed)
    return computed


def verify_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> None:
    """Verify that a leaf hash stands at an index of the tree of this size and root.

    Raises:
        MalformedError, VerificationError: as `root_from_inclusion_proof`, and `root-mismatch` where it leads elsewhere.
    """
    _check_hashes(root)
    computed = root_from_inclusion_proof(index, size, leaf, path)
    if computed != root:
        raise VerificationError(
            "root-mismatch", "the proof leads to another root", computed=computed.hex(), signed=root.hex()
        )


def root_from_range_proof(
    start: int, size: int, leaves: Sequence[bytes], paths: tuple[Sequence[bytes], Sequence[bytes]]
) -> bytes:
    """Compute the root that neighbouring leaves lead to, with the paths of the first and of the last of them.

    What stands left of the range comes from the first path, what stands right of it from the last one, all else from
    the leaves.  The other hashes of the paths are not looked at: `verify_inclusion` is for these.

    Args:
        start: index of the first leaf.
        size: leaves of the tree.
        leaves: leaf hashes of 32 bytes, those of the indices `[start, start + len(leaves))`.
        paths: inclusion proofs of the first leaf and of the last one; with one leaf, twice the same.

    Raises:
        MalformedError: where a number or a hash is none, or there is no leaf.
        VerificationError: `index-mismatch` where the leaves are not all in a tree of this size, `root-mismatch` where
            a path has another length than its leaf's.
    """
    _check_number(start)
    _check_number(size)
    _check_hashes(*leaves)
    for path in paths:
        _check_path(path)
    if not leaves:
        raise MalformedError("a range has at least one leaf")
    end = start + len(leaves) - 1
    if end >= size:
        raise VerificationError(
            "index-mismatch", f"leaf {end} is not in a tree of {size}", index=end, size=size
        )
    _check_path_length(start, size, paths[0])
    _check_path_length(end, size, paths[1])
    lefts, rights = iter(paths[0]), iter(paths[1])
    row, last = list(leaves), size - 1
    # Row by row upwards: `start`, `end` and `last` are the places of the row's ends and of the tree's last node in it.
    while last:
        if start & 1:
            row.insert(0, next(lefts))
        elif start < last:
            next(lefts)
        if end & 1:
            next(rights)
        elif end < last:
            row.append(next(rights))
        # The last node of a row of odd length has no sibling: it goes up as it is.
        alone = [row.pop()] if len(row) & 1 else []
        row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=True)] + alone
        start, end, last = start >> 1, end >> 1, last >> 1
    return row[0]


def verify_range(
    start: int,
    size: int,
    leaves: Sequence[bytes],
    paths: tuple[Sequence[bytes], Sequence[bytes]],
    root: bytes,
) -> None:
    """Verify that leaf hashes stand side by side from an index on, in the tree of this size and root.

    Raises:
        MalformedError, VerificationError: as `root_from_range_proof`, and `root-mismatch` where it leads elsewhere.
    """
    _check_hashes(root)
    computed = root_from_range_proof(start, size, leaves, paths)
    if computed != root:
        raise VerificationError(
            "root-mismatch", "the range leads to another root", computed=computed.hex(), signed=root.hex()
        )


def verify_consistency(
    old_size: int, new_size: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Verify that the tree of `new_size` and `new_root` extends that of `old_size` and `old_root`.

    From size 0 is refused: every tree extends the empty one, so that such a proof shows nothing.

    Raises:
        MalformedError: where a number or a hash is none.
        VerificationError: `inconsistent`.
    """
    _check_number(old_size)
    _check_number(new_size)
    _check_hashes(old_root, new_root)
    _check_path(path)
    if not 0 < old_size <= new_size:
        raise VerificationError("inconsistent", f"no proof leads from size {old_size} to {new_size}")
    if old_size == new_size:
        if path:
            raise VerificationError("inconsistent", f"proof has {len(path)} hashes, want 0")
        if old_root != new_root:
            raise _other_root("same size, other root", old_root, new_root)
        return
    _check_consistency_length(old_size, new_size, path)
    from_old, from_new = _roots_from_consistency_proof(old_size, new_size, old_root, path)
    if from_old != old_root:
        raise _other_root("the proof starts from another root", from_old, old_root)
    if from_new != new_root:
        raise _other_root("the proof leads to another root", from_new, new_root)


def _roots_from_consistency_proof(
    old_size: int, new_size: int, old_root: bytes, path: Sequence[bytes]
) -> tuple[bytes, bytes]:
    # RFC 9162, 2.1.4.2.  A perfect old tree is itself the first hash, and the proof leaves it out.
    hashes = list(path) if old_size & (old_size - 1) else [old_root, *path]
    number, last = old_size - 1, new_size - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    from_old = from_new = hashes[0]
    for sibling in hashes[1:]:
        if number & 1 or number == last:
            from_old = node_hash(sibling, from_old)
            from_new = node_hash(sibling, from_new)
            while number and not number & 1:
                number, last = number >> 1, last >> 1
        else:
            from_new = node_hash(from_new, sibling)
        number, last = number >> 1, last >> 1
    return from_old, from_new


def _check_path_length(index: int, size: int, path: Sequence[bytes]) -> int:
    """Refuse a path that is not as long as this leaf's; return how far up its way differs from the last leaf's."""
    # Above `inner` every sibling is on the left.
    inner = (index ^ (size - 1)).bit_length()
    border = (index >> inner).bit_count()
    if len(path) != inner + border:
        raise VerificationError("root-mismatch", f"proof has {len(path)} hashes, want {inner + border}")
    return inner


def _check_consistency_length(old_size: int, new_size: int, path: Sequence[bytes]) -> None:
    wanted = len(consistency_ranges(old_size, new_size))
    if len(path) != wanted:
        raise VerificationError("inconsistent", f"proof has {len(path)} hashes, want {wanted}")


def _check_number(value: int) -> None:
    # bool is an int in Python; a float would compare and shift wrongly or not at all.
    if type(value) is not int or not 0 <= value <= INTEGER_MAX:
        raise MalformedError("an index or a size is an integer of 0 to 2^63-1")


def _check_path(path: Sequence[bytes]) -> None:
    if len(path) > PROOF_HASHES_MAX:
        raise MalformedError(f"a proof has at most {PROOF_HASHES_MAX} hashes")
    _check_hashes(*path)


def _check_hashes(*hashes: bytes) -> None:
    for value in hashes:
        if type(value) is not bytes or len(value) != HASH_BYTES:
            raise MalformedError("a hash has 32 bytes")


def _other_root(why: str, computed: bytes, wanted: bytes) -> VerificationError:
    return VerificationError("inconsistent", why, computed=computed.hex(), wanted=wanted.hex())
