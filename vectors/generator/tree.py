"""Merkle trees by the definitions of RFC 6962, section 2.1, word for word.

Every function recurses from the whole tree and keeps nothing, which is slow and easy to check against the text.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def sha256(data: bytes) -> bytes:
    """Return SHA-256(data)."""
    return hashlib.sha256(data).digest()


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256(0x00 || entry)."""
    return sha256(b"\x00" + entry)


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right)


def split(size: int) -> int:
    """Return k, "the largest power of two smaller than n" (k < n <= 2k)."""
    k = 1
    while k * 2 < size:
        k *= 2
    return k


def root(leaves: Sequence[bytes]) -> bytes:
    """Return MTH(D[n]) of leaf hashes (2.1)."""
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node_hash(root(leaves[:k]), root(leaves[k:]))


def audit_path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return PATH(m, D[n]) (2.1.1), the hash beside the leaf first."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*audit_path(m, leaves[:k]), root(leaves[k:])]
    return [*audit_path(m - k, leaves[k:]), root(leaves[:k])]


def consistency_proof(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return PROOF(m, D[n]) (2.1.2)."""
    return _subproof(m, leaves, whole=True)


def _subproof(m: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    if m == len(leaves):
        return [] if whole else [root(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*_subproof(m, leaves[:k], whole=whole), root(leaves[k:])]
    return [*_subproof(m - k, leaves[k:], whole=False), root(leaves[:k])]


def path_length(index: int, size: int) -> int:
    """Return how many hashes PATH(index, D[size]) has, for trees too large to build."""
    if size == 1:
        return 0
    k = split(size)
    return 1 + (path_length(index, k) if index < k else path_length(index - k, size - k))


def root_of_path(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """Return the root that a leaf and a path of the right length give, for trees too large to build."""
    if size == 1:
        return leaf
    k = split(size)
    if index < k:
        return node_hash(root_of_path(index, k, leaf, path[:-1]), path[-1])
    return node_hash(path[-1], root_of_path(index - k, size - k, leaf, path[:-1]))
