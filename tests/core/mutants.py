"""Everything small that can be done to a receipt: to its bytes, and to its members.

A receipt is taken apart down to the lines of its proof.  Members of one type change places, within it and with those
of other receipts; each is removed, doubled, made null, made another type.
"""

import json
from functools import wraps
from itertools import combinations, permutations

HANDFUL = b'\x00 "0\\'
EVERY_BYTE = bytes(range(256))


def bit_flips(data):
    for place, byte in enumerate(data):
        before, after = data[:place], data[place + 1 :]
        for bit in range(8):
            yield before + bytes((byte ^ 1 << bit,)) + after


def deletions(data):
    for place in range(len(data)):
        yield data[:place] + data[place + 1 :]


def insertions(data, inserted=HANDFUL):
    for place in range(len(data) + 1):
        before, after = data[:place], data[place:]
        for byte in inserted:
            yield before + bytes((byte,)) + after


def truncations(data):
    """All that is left when the end is cut off, and when the beginning is."""
    for place in range(len(data)):
        yield data[:place]
    for place in range(1, len(data)):
        yield data[place:]


class Lines(list):
    """A text, as the list of its lines."""


class Pairs(list):
    """An object that may hold a name twice, as the list of its members."""


def taken_apart(data):
    tree = json.loads(data)
    tree["proof"] = Lines(tree["proof"].split("\n"))
    return tree


def written(value):
    if isinstance(value, Lines):
        return json.dumps(
            "\n".join(line if isinstance(line, str) else written(line) for line in value), ensure_ascii=False
        )
    if isinstance(value, dict | Pairs):
        items = value.items() if isinstance(value, dict) else value
        return "{" + ",".join(f"{written(name)}:{written(member)}" for name, member in items) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    text = json.dumps(value, ensure_ascii=False)
    # 5e-7 and not 5e-07: a tree that was not touched comes back byte for byte.
    return text.replace("e-0", "e-") if isinstance(value, float) else text


def put_together(tree):
    return written(tree).encode()


def places(tree, above=()):
    """The way to every member, line and element, outermost first."""
    for name, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield (*above, name)
        if isinstance(value, dict | list):
            yield from places(value, (*above, name))


def at(tree, place):
    for name in place:
        tree = tree[name]
    return tree


def has(tree, place):
    try:
        at(tree, place)
    except (LookupError, TypeError):  # no such name or element, or nothing that holds any
        return False
    return True


def changed(tree, place, change):
    """A copy in which `change` was done to a copy of what holds the member."""
    copy = type(tree)(tree)
    if len(place) == 1:
        return change(copy, place[0])
    copy[place[0]] = changed(copy[place[0]], place[1:], change)
    return copy


def put(tree, place, value):
    def change(holder, name):
        holder[name] = value
        return holder

    return changed(tree, place, change)


def removed(tree, place):
    def change(holder, name):
        del holder[name]
        return holder

    return changed(tree, place, change)


def doubled(tree, place, value, *, first):
    """The member stands twice, its second value before or behind the first."""

    def change(holder, name):
        if isinstance(holder, dict):
            items = Pairs(holder.items())
            items.insert(0 if first else len(items), (name, value))
            return items
        holder.insert(name if first else name + 1, value)
        return holder

    return changed(tree, place, change)


def other_types(value):
    """The same thing, as far as it can be said, in every other type."""
    text = value if isinstance(value, str) else written(value)
    number = float(text) if isinstance(value, str) and text.replace(".", "", 1).lstrip("-").isdigit() else 1
    candidates = [
        text, [], [value], {}, {"value": value}, True, False, int(number) if abs(number) < 2**53 else 0,
        number,
        list(value) if isinstance(value, dict) else [],
        dict(enumerate(value)) if isinstance(value, list) else {},
    ]  # fmt: skip
    return [candidate for candidate in candidates if kind(candidate) != kind(value)]


def kind(value):
    if isinstance(value, bool) or value is None:
        return "literal"
    return {
        str: "text",
        int: "number",
        float: "number",
        dict: "object",
        list: "array",
        Lines: "lines",
        Pairs: "object",
    }[type(value)]


def as_bytes(make):
    """Write the trees that a generator makes, and leave out what came out as it was."""

    @wraps(make)
    def made(data, *others):
        return (mutant for tree in make(data, *others) if (mutant := put_together(tree)) != data)

    return made


@as_bytes
def spoiled_members(data):
    """Each member removed, doubled, null, or of another type."""
    tree = taken_apart(data)
    for place in places(tree):
        value = at(tree, place)
        yield removed(tree, place)
        yield put(tree, place, None)
        for second in (value, None, "x"):
            yield doubled(tree, place, second, first=False)
            yield doubled(tree, place, second, first=True)
        for other in other_types(value):
            yield put(tree, place, other)


@as_bytes
def swaps_within(data):
    """For each ordered pair of members of one type, the one in the place of the other; for each pair, both at once."""
    tree = taken_apart(data)
    alike = list(places(tree))
    for one, other in permutations(alike, 2):
        if kind(at(tree, one)) == kind(at(tree, other)) and at(tree, one) != at(tree, other):
            yield put(tree, one, at(tree, other))
    for one, other in combinations(alike, 2):
        inside = other[: len(one)] == one
        if not inside and kind(at(tree, one)) == kind(at(tree, other)) and at(tree, one) != at(tree, other):
            yield put(put(tree, one, at(tree, other)), other, at(tree, one))


@as_bytes
def swaps_between(data, other):
    """Each member replaced by the one that stands at the same place of another receipt."""
    tree, source = taken_apart(data), taken_apart(other)
    for place in places(tree):
        if has(source, place) and at(tree, place) != at(source, place):
            yield put(tree, place, at(source, place))


@as_bytes
def all_swaps_between(data, other):
    """Each member replaced by every member of its type of another receipt."""
    tree, source = taken_apart(data), taken_apart(other)
    values = [at(source, place) for place in places(source)]
    for place in places(tree):
        value = at(tree, place)
        for found in values:
            if kind(found) == kind(value) and found != value:
                yield put(tree, place, found)
