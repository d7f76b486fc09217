"""RFC 6962 trees, slow and obvious: every function is the recursion of section 2.1, word for word.

It shares nothing with `counterfoil.core`.  Roots of ranges are remembered, since all pairs (index, size) are asked for.
"""

import hashlib


def leaf_hash(entry):
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(size):
    """The largest power of two smaller than a size above 1."""
    k = 1
    while k * 2 < size:
        k *= 2
    return k


class Tree:
    """A tree over leaf hashes."""

    def __init__(self, leaves):
        self.leaves = leaves
        self._known = {}

    def root(self, size):
        """MTH(D[0:size])."""
        return hashlib.sha256(b"").digest() if size == 0 else self.range(0, size)

    def range(self, start, end):
        """MTH(D[start:end])."""
        if end - start == 1:
            return self.leaves[start]
        found = self._known.get((start, end))
        if found is None:
            middle = start + split(end - start)
            found = node_hash(self.range(start, middle), self.range(middle, end))
            self._known[start, end] = found
        return found

    def path(self, index, size):
        """PATH(index, D[0:size])."""
        return self._path(index, 0, size)

    def _path(self, index, start, end):
        if end - start == 1:
            return []
        k = split(end - start)
        if index < k:
            return [*self._path(index, start, start + k), self.range(start + k, end)]
        return [*self._path(index - k, start + k, end), self.range(start, start + k)]

    def proof(self, old_size, new_size):
        """PROOF(old_size, D[0:new_size])."""
        return self._subproof(old_size, 0, new_size, whole=True)

    def _subproof(self, old_size, start, end, *, whole):
        if old_size == end - start:
            return [] if whole else [self.range(start, end)]
        k = split(end - start)
        if old_size <= k:
            return [*self._subproof(old_size, start, start + k, whole=whole), self.range(start + k, end)]
        return [*self._subproof(old_size - k, start + k, end, whole=False), self.range(start, start + k)]


def root_from_path(index, size, leaf, path):
    """The root that a path leads to, or None where the tree of this size has no such path."""
    if not 0 <= index < size:
        return None
    if size == 1:
        return leaf if not path else None
    if not path:
        return None
    k = split(size)
    if index < k:
        below = root_from_path(index, k, leaf, path[:-1])
        return below and node_hash(below, path[-1])
    below = root_from_path(index - k, size - k, leaf, path[:-1])
    return below and node_hash(path[-1], below)


def roots_from_proof(old_size, new_size, old_root, proof):
    """The two roots that a consistency proof leads to, or None where there is no such proof for these sizes."""
    if not 0 < old_size <= new_size:
        return None
    return _roots_from_subproof(old_size, new_size, old_root, proof, whole=True)


def _roots_from_subproof(old_size, new_size, old_root, proof, *, whole):
    if old_size == new_size:
        if whole:
            return (old_root, old_root) if not proof else None
        return (proof[0], proof[0]) if len(proof) == 1 else None
    if not proof:
        return None
    k = split(new_size)
    if old_size <= k:
        below = _roots_from_subproof(old_size, k, old_root, proof[:-1], whole=whole)
        return below and (below[0], node_hash(below[1], proof[-1]))
    below = _roots_from_subproof(old_size - k, new_size - k, old_root, proof[:-1], whole=False)
    return below and (node_hash(proof[-1], below[0]), node_hash(proof[-1], below[1]))


def path_length(index, size):
    """Hashes of an inclusion proof, for sizes whose tree nobody can hold."""
    if size == 1:
        return 0
    k = split(size)
    return 1 + (path_length(index, k) if index < k else path_length(index - k, size - k))


class UniformTree:
    """A tree whose leaves are all the same, of any size: a root depends on nothing but the number of leaves."""

    def __init__(self, leaf):
        self._roots = {1: leaf}

    def root(self, size):
        found = self._roots.get(size)
        if found is None:
            k = split(size)
            found = self._roots[size] = node_hash(self.root(k), self.root(size - k))
        return found


def path_ranges(index, start, end):
    """The leaves `[start, end)` under each hash of PATH(index, D[start:end]), in its order."""
    if end - start == 1:
        return []
    middle = start + split(end - start)
    if index < middle:
        return [*path_ranges(index, start, middle), (middle, end)]
    return [*path_ranges(index, middle, end), (start, middle)]


def root_from_range(start, size, leaves, first_path, last_path):
    """The root over neighbouring leaves, with what the paths of the first and the last say of the rest."""
    end = start + len(leaves)
    left = dict(zip(path_ranges(start, 0, size), first_path, strict=True))
    right = dict(zip(path_ranges(end - 1, 0, size), last_path, strict=True))

    def over(first, behind):
        if behind <= start:
            return left[first, behind]
        if first >= end:
            return right[first, behind]
        if behind - first == 1:
            return leaves[first - start]
        middle = first + split(behind - first)
        return node_hash(over(first, middle), over(middle, behind))

    return over(0, size)
