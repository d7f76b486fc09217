#!/usr/bin/env python3
"""A second verifier: the rules of docs/spec in one file that shares no code with Counterfoil.

It answers the conformance protocol.  It is slow, holds everything in memory and explains nothing: it is there to be read
beside the specification, to be ported, and to disagree with Counterfoil where one of the two is wrong.  Needs PyNaCl.

usage: counterfoil conformance run --command "python reference_verifier.py"
"""
# One rule a line, where it fits.
# fmt: off

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, TypeAlias

from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_sign_open
from nacl.exceptions import CryptoError

Value: TypeAlias = Any  # a JSON value; each rule says what it has to be
Keys: TypeAlias = list[tuple[str, bytes]]
OPEN, DELTA, SEAL = KNOWN = tuple(f"counterfoil/{name}@v1" for name in ("open", "delta", "seal"))
OPERATOR, TENANT = r"[a-z0-9]([a-z0-9.-]{0,98}[a-z0-9])?", r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
LOG_ORIGIN, ANY_ORIGIN = rf"{OPERATOR}/{TENANT}/0x[0-9a-f]{{40}}", r"[!-*,-~]{1,255}"
AMOUNT, TOTAL = r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{0,8}[1-9])?", r"(0|[1-9][0-9]{0,28})(\.[0-9]{0,8}[1-9])?"
TIME = r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z"
# How the verdicts of a pack meet: what is not named is 1.
RANK = {"fork": 0, "too-large": 2, "malformed": 2, **dict.fromkeys(
    ("unknown-type", "unknown-key", "incomplete-period", "not-yet-checkpointed", "nothing-checked"), 3)}


class Refused(Exception):  # noqa: N818  -- a verdict
    """A code of docs/spec/errors.md."""


def require(holds: object, code: str = "malformed") -> None:
    """Refuse with a code what does not hold."""
    if not holds:
        raise Refused(code)


# ---- conventions.md

def matched(pattern: str, value: Value) -> str:
    require(isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII))
    return str(value)

def integer(value: Value) -> int:
    require(int(matched(r"0|[1-9][0-9]{0,18}", value)) < 2**63)
    return int(value)

def moment(value: Value) -> int:
    matched(TIME, value)
    try:
        return (datetime.fromisoformat(value) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    except ValueError:
        raise Refused("malformed") from None

def nano(value: Value, pattern: str = AMOUNT) -> int:
    return int(Decimal(matched(pattern, value)).scaleb(9))

def decimal(value: int) -> str:
    return f"{value // 10**9}.{value % 10**9:09}".rstrip("0").rstrip(".")

def unhex(value: Value, size: int = 32) -> bytes:
    return bytes.fromhex(matched(rf"[0-9a-f]{{{2 * size}}}", value))

def unbase64(value: Value, size: int = 0) -> bytes:
    matched(r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", value)
    data = base64.b64decode(value)
    require(base64.b64encode(data).decode() == value and size in (0, len(data)))
    return data

def utf8(text: Value) -> bytes:
    require(isinstance(text, str) and not any("\ud800" <= character <= "\udfff" for character in text))
    return str(text).encode()

def json_number(token: str) -> int | float:
    require(len(token) <= 40)
    value = int(token) if token.lstrip("-").isdigit() else float(token)
    require(abs(value) < 2**53)
    # A zero is known by its digits: its exponent may be beyond every Decimal.
    require(Decimal(repr(value)) == Decimal(token) if value else not re.split("[eE]", token)[0].strip("-0."))
    return value

def json_object(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    require(len(dict(pairs)) == len(pairs))
    return dict(pairs)

def read_json(text: Value, most: int) -> Value:
    require(isinstance(text, str))
    require(len(text.encode("utf-8", "surrogatepass")) <= most, "too-large")
    require(utf8(text) and not text.startswith("\ufeff"))
    try:
        value = json.loads(text, object_pairs_hook=json_object, parse_int=json_number, parse_float=json_number,
                           parse_constant=lambda _: require(0))
        utf8(json.dumps(value, ensure_ascii=False))  # an escape may have been a lone surrogate
    except (ValueError, RecursionError):
        raise Refused("malformed") from None
    return value

def members(value: Value, required: str, optional: str = "") -> dict[str, Value]:
    require(isinstance(value, dict) and set(required.split()) <= set(value) <= {*required.split(), *optional.split()})
    return dict(value)

def jcs(value: Value) -> str:
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{jcs(name)}:{jcs(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(jcs, value)) + "]"
    if not isinstance(value, float):
        return json.dumps(value, ensure_ascii=False)
    # ECMAScript's spelling of a double below 2^53, of which repr() has the digits.
    if value == int(value):
        return str(int(value))
    return repr(value).replace("e-0", "e-") if abs(value) < 1e-6 else f"{Decimal(repr(value)):f}"


# ---- tree.md, by the recursive definitions

def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()

def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right)

def split(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1

def tree_root(leaves: list[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"")
    return node(tree_root(leaves[:split(len(leaves))]), tree_root(leaves[split(len(leaves)):]))

def path_ranges(index: int, start: int, end: int) -> list[tuple[int, int]]:
    if end - start == 1:
        return []
    middle = start + split(end - start)
    if index < middle:
        return [*path_ranges(index, start, middle), (middle, end)]
    return [*path_ranges(index, middle, end), (start, middle)]

def verify_leaves(start: int, leaves: list[bytes], paths: list[list[bytes]], size: int, root: bytes) -> None:
    """Range steps 2 to 4; of one leaf, inclusion steps 2 to 4."""
    end = start + len(leaves)
    require(end <= size, "index-mismatch")
    places = [path_ranges(index, 0, size) for index in (start, end - 1)]
    require([*map(len, paths)] == [*map(len, places)], "root-mismatch")
    # What is left of the range comes from the first path, what is right of it from the last.
    known = {place: found for place, found in zip(places[0], paths[0], strict=True) if place[1] <= start}
    known |= {place: found for place, found in zip(places[1], paths[1], strict=True) if place[0] >= end}
    def over(first: int, behind: int) -> bytes:
        if start <= first and behind <= end:
            return tree_root(leaves[first - start:behind - start])
        if (first, behind) in known:
            return known[first, behind]
        middle = first + split(behind - first)
        return node(over(first, middle), over(middle, behind))
    require(over(0, size) == root, "root-mismatch")

def verify_consistency(old: int, new: int, roots: list[bytes], path: list[bytes]) -> None:
    require(0 < old <= new, "inconsistent")
    left_over = list(path)
    def take() -> bytes:
        require(left_over, "inconsistent")
        return left_over.pop(0)
    def walk(size: int, whole: int, *, root_known: bool) -> tuple[bytes, bytes]:
        """SUBPROOF: return the root of the first `size` leaves of a subtree, and that of the `whole` subtree."""
        if size == whole:
            found = roots[0] if root_known else take()
            return found, found
        k = split(whole)
        if size <= k:
            first, left = walk(size, k, root_known=root_known)
            return first, node(left, take())
        first, right = walk(size - k, whole - k, root_known=False)
        left = take()
        return node(left, first), node(left, right)
    require([*walk(old, new, root_known=True)] == roots and not left_over, "inconsistent")

def read_path(texts: Value, read: Callable[[Value, int], bytes] = unbase64) -> list[bytes]:
    require(isinstance(texts, list) and len(texts) <= 63)
    return [read(text, 32) for text in texts]


# ---- note.md, checkpoint.md, tlog-proof.md, consistency.md

def key_id(name: str, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n\x01" + public)[:4]

def read_key(text: Value) -> tuple[str, bytes]:
    require(len(text) <= 4096, "too-large")
    require(len(parts := text.split("+", 2)) == 3)
    name, typed = parts[0], unbase64(parts[2], 33)
    require(name and utf8(name) and not re.search(r"\s", name))
    require(typed[0] == 1 and crypto_core_ed25519_is_valid_point(typed[1:]))
    require(unhex(parts[1], 4) == key_id(name, typed[1:]))
    return name, typed[1:]

def read_keys(request: Value) -> Keys:
    return [read_key(text) for text in request["keys"]]

class Note:
    """A signed note (steps 1 to 4)."""

    def __init__(self, note: Value) -> None:
        require(len(utf8(note)) <= 262_144, "too-large")
        require(not re.search(r"^\ufeff|[\x00-\x09\x0b-\x1f]", note))
        body, blank, rest = note.rpartition("\n\n")
        require(blank and body and rest.endswith("\n"))
        self.text, self.lines = body + "\n", [self.line(row) for row in rest[:-1].split("\n")]
        require(len(self.lines) <= 64 and len({line[:2] for line in self.lines}) == len(self.lines))

    def line(self, row: str) -> tuple[str, bytes, bytes]:
        """Read a signature line: name, key id, signature."""
        name = matched(r"\u2014 [^ +]+ [^ ]+", row).split(" ")[1]
        blob = unbase64(row.split(" ")[2])
        require(not re.search(r"\s", name) and 4 < len(blob) <= 4 + 8192)
        return name, blob[:4], blob[4:]

    def verify(self, keys: Keys) -> list[str]:
        """Note steps 5 and 6; return the names of the keys that signed."""
        named = {(name, key_id(name, public)): public for name, public in keys}
        require(len(named) == len(set(keys)))
        known = [line for line in self.lines if line[:2] in named]
        require(known, "unknown-key")
        for name, identifier, signature in known:
            require(len(signature) == 64, "bad-signature")
            try:
                crypto_sign_open(signature + self.text.encode(), named[name, identifier])
            except (CryptoError, ValueError):
                raise Refused("bad-signature") from None
        return [line[0] for line in known]

class Checkpoint(Note):
    """A checkpoint (steps 1 and 2)."""

    def __init__(self, note: Value, origin: str = ANY_ORIGIN) -> None:
        super().__init__(note)
        require(len(lines := self.text[:-1].split("\n")) == 3)
        self.origin, self.size, self.root = matched(ANY_ORIGIN, lines[0]), integer(lines[1]), unbase64(lines[2], 32)
        require((self.size or self.root == sha256(b"")) and matched(origin, self.origin))

    def verify(self, keys: Keys) -> list[str]:
        """Steps 3 and 4: a key named like the operator or the origin, under the origin as name."""
        usable = (self.origin, self.origin.split("/")[0])
        return super().verify([(self.origin, public) for name, public in keys if name in usable])

def read_file(text: Value, first: str, origin: str = ANY_ORIGIN) -> tuple[int, list[bytes], Checkpoint]:
    """Read a tlog-proof or a consistency file: words, a number, hashes, an empty line, a checkpoint."""
    require(len(utf8(text)) <= 262_144, "too-large")
    head, blank, note = text.partition("\n\n")
    require(blank and head.startswith(first))
    number, *hashes = head.removeprefix(first).split("\n")
    return integer(number), read_path(hashes), Checkpoint(note, origin)


# ---- entry.md, details.md, receipt.md

def check_entry(entry: Value) -> None:
    """Entry steps 4, 5 and 7 to 9."""
    require(isinstance(entry, dict) and all(isinstance(value, str) for value in entry.values()))
    common = "type index recordedAt unit count credits debits"
    require(set(common.split()) <= set(entry))
    kind, index, plus, minus = entry["type"], integer(entry["index"]), *(nano(entry[n], TOTAL) for n in ("credits", "debits"))
    require(matched(r"[!-~]{1,32}", entry["unit"]) and integer(entry["count"]) <= index)
    moment(entry["recordedAt"])
    if kind in KNOWN:
        members(entry, common + {OPEN: " origin details", DELTA: " details amount key", SEAL: ""}[kind],
                "effectiveAt adjusts" if kind == DELTA else "")
        require(index == plus == minus == 0 if kind == OPEN else index >= 1)
    if kind == OPEN:
        require(matched(LOG_ORIGIN, entry["origin"]) and unhex(entry["details"]))
    if kind == DELTA:
        amount = nano(entry["amount"])
        require(amount and amount <= plus and -amount <= minus and unhex(entry["key"]) and unhex(entry["details"]))
        moment(entry.get("effectiveAt", entry["recordedAt"]))
        require("adjusts" not in entry or 1 <= integer(entry["adjusts"]) < index)

def canonical_details(value: Value) -> bytes:
    """Details steps 1 to 3."""
    row, levels = [value], 0
    while row := [one for one in row if isinstance(one, (dict, list))]:
        row = [inside for one in row for inside in (one.values() if isinstance(one, dict) else one)]
        levels += 1
    require(isinstance(value, dict) and levels <= 8)
    require(len(data := utf8(jcs(value))) <= 16_384, "too-large")
    return data

class Item:
    """An entry with its details and path, as documents have it (receipt step 1)."""

    def __init__(self, value: dict[str, Value]) -> None:
        require(isinstance(value["entry"], dict))
        require(isinstance(texts := value.get("path", []), list) and all(isinstance(text, str) for text in texts))
        data, self.entry = utf8(jcs(value["entry"])), value["entry"]
        require(len(data) <= 2048, "too-large")
        check_entry(self.entry)
        self.leaf, self.type, self.index = sha256(b"\x00" + data), self.entry["type"], int(self.entry["index"])
        self.at, self.known, self.value, self.opens = moment(self.entry["recordedAt"]), self.type in KNOWN, None, None
        if "details" in value:
            details = members(value["details"], "salt value")
            salt, self.value = unhex(details["salt"]), details["value"]
            self.opens = sha256(salt + canonical_details(self.value)).hex()
            if self.type in (OPEN, DELTA):
                names = ("customerId", "") if self.type == OPEN else ("reason", "referenceId metadata")
                found = members(self.value, *names)
                require(isinstance(found.pop("metadata", {}), dict) and all(isinstance(one, str) for one in found.values()))
        self.path = read_path(texts)
        self.sums = [int(self.entry["count"]), nano(self.entry["credits"], TOTAL), nano(self.entry["debits"], TOTAL)]

    def verify_details(self) -> None:
        """Receipt step 6."""
        commitment = self.entry.get("details") if self.known else None
        require(self.opens is None or self.opens == commitment, "details-mismatch")

    def verify_path(self, point: Checkpoint) -> None:
        """Inclusion steps 2 to 4."""
        verify_leaves(self.index, [self.leaf], [self.path, self.path], point.size, point.root)

def read_document(request: Value, name: str, required: str, optional: str, most: int) -> dict[str, Value]:
    document = read_json(request[name], most)
    require(isinstance(document, dict) and isinstance(document.get("type"), str))
    require(document["type"] == f"counterfoil/{name}@v1", "unknown-type")
    return members(document, "type " + required, optional)

def read_opened(document: dict[str, Value]) -> list[Item]:
    return [Item(members(document["open"], "entry path", "details"))] if "open" in document else []

def verify_key_and_origin(point: Checkpoint, request: Value) -> None:
    point.verify(read_keys(request))
    require(point.origin == request.get("origin", point.origin), "wrong-origin")

def verify_customer(items: list[Item], opened: list[Item], point: Checkpoint, request: Value) -> Value:
    """Receipt step 7; return the customerId that is proven."""
    require(all(item.type != OPEN or item.entry["origin"] == point.origin for item in items), "wrong-origin")
    for first in opened:
        require(first.type == OPEN, "index-mismatch")
        require(first.entry["origin"] == point.origin, "wrong-origin")
        first.verify_path(point)
        first.verify_details()
    customer = next((first.value["customerId"] for first in opened if first.value), None)
    require("customer" not in request or (customer is not None and customer == request["customer"]), "wrong-origin")
    return customer

def receipt(request: Value) -> Value:
    document = read_document(request, "receipt", "entry proof", "details open", 262_144)
    index, path, point = read_file(document["proof"], "c2sp.org/tlog-proof@v1\nindex ", LOG_ORIGIN)
    item, opened = Item(document), read_opened(document)
    require(all(one.known for one in [item, *opened]), "unknown-type")
    verify_key_and_origin(point, request)
    require(item.index == index < point.size, "index-mismatch")
    verify_leaves(index, [item.leaf], [path, path], point.size, point.root)
    item.verify_details()
    customer = verify_customer([item], opened, point, request)
    return {"origin": point.origin, "index": str(index), "size": str(point.size), "type": item.type, "customer": customer}


# ---- statement.md

def check_order(one: Item, other: Item) -> None:
    """Rules 2 to 4 along a log; statement step 5 where the two are no neighbours."""
    distance, change = other.index - one.index, [b - a for a, b in zip(one.sums, other.sums, strict=True)]
    require(other.at - one.at >= distance, "time-order")
    amount = nano(other.entry["amount"]) if other.type == DELTA else 0
    exact = [other.type == DELTA, max(amount, 0), max(-amount, 0)]
    possible = change == exact if distance == 1 else min(change) >= 0 and change[0] <= distance
    require(one.entry["unit"] == other.entry["unit"] and possible, "totals-mismatch")

def totals(sums: list[int]) -> dict[str, str]:
    return {"count": str(sums[0]), "credits": decimal(sums[1]), "debits": decimal(sums[2])}

def statement(request: Value) -> Value:
    document = read_document(request, "statement", "from to mode items checkpoint", "open", 33_554_432)
    light, allowed = document["mode"] == "light", request.get("allowProvisional", False)
    require((light or document["mode"] == "full") and isinstance(allowed, bool))
    require(not light or len(utf8(request["statement"])) <= 262_144, "too-large")
    start, end = moment(document["from"]), moment(document["to"])
    require(start < end)
    point, values = Checkpoint(document["checkpoint"], LOG_ORIGIN), document["items"]
    require(isinstance(values, list) and values)
    require(len(values) <= 10_000, "too-large")
    proven = [light or place in (0, len(values) - 1) for place in range(len(values))]
    items = [Item(members(value, "entry" + " path" * has_path, "details"))
             for value, has_path in zip(values, proven, strict=True)]
    opened, first, last = read_opened(document), items[0], items[-1]
    roles = [(item.at >= start) + (item.at >= end) for item in items]  # 0 before, 1 inside, 2 after
    require(all(one.index < other.index for one, other in pairwise(items)) and roles == sorted(roles))
    require(roles.count(0) <= 1 and roles.count(2) <= 1 and (not light or roles.count(1) <= 2))
    require(all(item.known for item in [*items, *opened]), "unknown-type")
    verify_key_and_origin(point, request)
    for item, has_path in zip(items, proven, strict=True):  # step 2
        if has_path:
            item.verify_path(point)
    if not light:
        require(last.index - first.index == len(items) - 1, "root-mismatch")
        verify_leaves(first.index, [item.leaf for item in items], [first.path, last.path], point.size, point.root)
    before, after = roles[0] == 0, roles[-1] == 2  # step 3
    require(before or first.index == 0, "incomplete-period")
    require(not before or items[:2][-1].index <= first.index + 1, "incomplete-period")
    require(not after or items[-2:][0].index >= last.index - 1, "incomplete-period")
    provisional = not after and last.at < end - 1  # step 4
    sealed = last.type == SEAL and last.index == point.size - 1 and last.at >= start
    require(after or (sealed and allowed >= provisional), "incomplete-period")
    for one, other in pairwise(items):  # step 5
        check_order(one, other)
    for item in items:  # step 6
        item.verify_details()
    customer = verify_customer(items, opened, point, request)
    opening = first.sums if before else [0, 0, 0]
    closing = ([[0, 0, 0]] + [item.sums for item, role in zip(items, roles, strict=True) if role < 2])[-1]
    return {"origin": point.origin, "size": str(point.size), "customer": customer,
            "provisionalThrough": last.entry["recordedAt"] if provisional else None, "opening": totals(opening),
            "period": totals([b - a for a, b in zip(opening, closing, strict=True)]), "closing": totals(closing)}


# ---- audit.md, pack.md

class Judged:
    """What is refused at its first fault: a log, a pack."""

    fault = ""

    def blame(self, code: str) -> None:
        """Remember a fault, unless there was one before."""
        self.fault = self.fault or code

    def attempt(self, step: Callable[..., object], *given: Value) -> None:
        """Take a step, unless there was a fault before."""
        try:
            _ = self.fault or step(*given)
        except Refused as refusal:
            self.blame(str(refusal))

class Log(Judged):
    """A log of a pack, audited as its lines come."""

    def __init__(self, origin: str, operator: str, keys: Keys, held: Checkpoint | None) -> None:
        self.origin, self.keys, self.held, self.broken, self.covered, self.absent = origin, keys, held, False, 0, 0
        self.items: list[Item] = []
        self.seen: set[str] = set()
        self.points: list[Checkpoint] = []
        self.attempt(require, origin.startswith(operator + "/"), "wrong-origin")
        self.attempt(held.verify if held else require, keys if held else 1)

    def root(self) -> bytes:
        """Return the root of the entries so far."""
        return tree_root([item.leaf for item in self.items])

    def entry(self, line: dict[str, Value]) -> None:
        """Audit steps 1 to 5, and 9 for the held checkpoint."""
        item = Item(line)
        require(item.index == self.items[-1].index + 1 if self.items else item.type == OPEN, "index-mismatch")
        require(self.items or item.entry["origin"] == self.origin, "wrong-origin")
        if self.items:
            check_order(self.items[-1], item)
        if item.type == DELTA:
            require(item.entry["key"] not in self.seen, "duplicate-key")
            self.seen.add(item.entry["key"])
        item.verify_details()
        self.absent += item.type in (OPEN, DELTA) and item.opens is None
        self.items.append(item)
        if self.held and self.held.size == len(self.items):
            self.broken |= self.root() != self.held.root

    def checkpoint(self, line: dict[str, Value]) -> None:
        """Audit steps 6 to 9."""
        point = Checkpoint(line["checkpoint"])
        point.verify(self.keys)
        require(point.origin == self.origin, "wrong-origin")
        require(point.size == len(self.items), "index-mismatch")
        require(self.items and self.items[-1].type == SEAL, "missing-seal")
        same_size = [other for other in [*self.points, self.held] if other and other.size == point.size]
        require(all(other.root == point.root for other in same_size), "fork")
        holds = self.root() == point.root
        require(not (holds and self.broken), "fork")
        self.broken |= not holds
        self.covered = point.size if holds else self.covered
        self.points.append(point)

    def finish(self) -> None:
        """Pack step 6."""
        require(not self.broken, "root-mismatch")
        require(not self.held or self.held.size <= len(self.items), "index-mismatch")
        require(self.points, "not-yet-checkpointed")
        require(all(item.known for item in self.items), "unknown-type")

    def report(self) -> dict[str, Value]:
        """Return what was checked."""
        counts = {"entries": len(self.items), "deltas": len(self.seen), "checkpoints": len(self.points),
                  "covered": self.covered, "detailsAbsent": self.absent}
        watermark = self.items[self.covered - 1].entry["recordedAt"]
        return {"origin": self.origin, "verifiedThroughAt": watermark} | {name: str(one) for name, one in counts.items()}

class Pack(Judged):
    """A pack, read line by line."""

    def __init__(self, keys: Keys, held: list[Checkpoint]) -> None:
        self.keys, self.held = keys, {point.origin: point for point in held}
        require(len(self.held) == len(held))
        self.logs: list[Log] = []
        self.log: Log | None = None
        self.operator, self.latest, self.ended = "", "", False
        self.counts = dict.fromkeys(("log", "entry", "checkpoint", "end"), 0)

    def read(self, lines: list[str]) -> None:
        """Judge the lines; raise what ends the reading."""
        require(lines)
        header = read_json(lines[0], 262_144)  # step 2
        require(isinstance(header, dict) and isinstance(header.get("type"), str))
        require(header["type"] == "counterfoil/pack@v1", "unknown-type")
        self.operator = matched(OPERATOR, members(header, "type operator")["operator"])
        for text in lines[1:]:
            require(not self.ended)
            try:
                line = read_json(text, 262_144)  # step 1
                require(isinstance(line, dict) and "\n" not in text)
                kind = next((kind for kind in self.counts if kind in line), "none")
                self.take(kind, members(line, kind, "details" if kind == "entry" else ""))
            except Refused as refusal:
                (self.log or self).blame(str(refusal))
                require(str(refusal) != "too-large", "too-large")
        require(self.ended)

    def take(self, kind: str, line: dict[str, Value]) -> None:
        """Steps 3 to 5 and 7."""
        self.counts[kind] += 1
        if kind in ("entry", "checkpoint"):
            require(self.log)
            (self.log or self).attempt(getattr(self.log, kind), line)
            return
        self.log, self.ended = None, kind == "end"
        if self.ended:
            said = members(line["end"], "logs entries checkpoints")
            require([integer(said[name]) for name in ("logs", "entries", "checkpoints")] == [*self.counts.values()][:3])
            require(self.logs, "nothing-checked")
            return
        origin = matched(LOG_ORIGIN, line["log"])
        if origin <= self.latest:
            self.blame("malformed")
        self.latest, self.log = origin, Log(origin, self.operator, self.keys, self.held.get(origin))
        self.logs.append(self.log)

def pack(request: Value) -> Value:
    found = Pack(read_keys(request), [Checkpoint(note) for note in request.get("held", [])])
    found.attempt(found.read, request["lines"])
    for log in found.logs:
        log.attempt(log.finish)
    codes = [one.fault for one in [*found.logs, found] if one.fault]
    require(not codes, min(codes, key=lambda code: RANK.get(code, 1), default=""))
    absent = sorted(set(found.held) - {log.origin for log in found.logs})
    return {"operator": found.operator, "logs": [log.report() for log in found.logs], "absent": absent}


# ---- conformance.md

def reference(request: Value) -> Value:
    key, tenant = unhex(request["referenceKey"]), matched(TENANT, request["tenant"])
    customer = matched(r"(?!summary$)[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}", request["customerId"])
    message = f"counterfoil/customer-reference@v1\n{tenant}\n{customer}".encode()
    return {"customerReference": "0x" + hmac.digest(key, message, "sha256")[:20].hex()}

def leaf(request: Value) -> Value:
    require(len(data := utf8(request["entry"])) <= 2048, "too-large")
    return {"leafHash": sha256(b"\x00" + data).hex()}

def inclusion(request: Value) -> Value:
    leaf, root, path = unhex(request["leafHash"]), unhex(request["root"]), read_path(request["path"], unhex)
    verify_leaves(integer(request["index"]), [leaf], [path, path], integer(request["size"]), root)
    return {}

def consistency(request: Value) -> Value:
    path, roots = read_path(request["path"], unhex), [unhex(request["root1"]), unhex(request["root2"])]
    verify_consistency(integer(request["size1"]), integer(request["size2"]), roots, path)
    return {}

def entry(request: Value) -> Value:
    value = read_json(request["text"], 2048)
    require(jcs(value) == request["text"])
    check_entry(value)
    require(value["type"] in KNOWN, "unknown-type")
    return {"type": value["type"], "index": value["index"], "leafHash": sha256(b"\x00" + utf8(request["text"])).hex()}

def details(request: Value) -> Value:
    data = canonical_details(read_json(request["value"], 262_144))
    require(unhex(request["commitment"]) == sha256(unhex(request["salt"]) + data), "details-mismatch")
    return {"canonical": data.decode()}

def note(request: Value) -> Value:
    keys, found = read_keys(request), Note(request["note"])
    return {"text": found.text, "signers": found.verify(keys)}

def checkpoint(request: Value) -> Value:
    keys, point = read_keys(request), Checkpoint(request["note"])
    point.verify(keys)
    return {"origin": point.origin, "size": str(point.size), "root": point.root.hex()}

def consistency_file(request: Value) -> Value:
    keys, old = read_keys(request), Checkpoint(request["old"])
    size, path, new = read_file(request["file"], "old ")
    old.verify(keys)
    new.verify(keys)
    require(old.origin == new.origin, "wrong-origin")
    require(old.size != new.size or old.root == new.root, "fork")
    require(size == old.size, "inconsistent")
    verify_consistency(old.size, new.size, [old.root, new.root], path)
    return {"origin": old.origin, "oldSize": str(old.size), "newSize": str(new.size)}

OPERATIONS: dict[str, Callable[[Value], Value]] = {
    "base64": lambda request: {"hex": unbase64(request["text"]).hex()},
    "amount": lambda request: {"nano": str(nano(request["text"]) or require(0))},
    "time": lambda request: {"microseconds": str(moment(request["text"]))}, "reference": reference, "leaf": leaf,
    "inclusion": inclusion, "consistency": consistency, "entry": entry, "details": details, "note": note,
    "checkpoint": checkpoint, "consistencyFile": consistency_file, "receipt": receipt, "statement": statement,
    "pack": pack,
}

def answer(request: Value) -> Value:
    """Answer one request of the conformance protocol."""
    if request["op"] not in OPERATIONS:
        return {"id": request["id"], "result": "unsupported"}
    try:
        return {"id": request["id"], "result": "ok", "output": OPERATIONS[request["op"]](request)}
    except Refused as refusal:
        return {"id": request["id"], "result": str(refusal)}


if __name__ == "__main__":
    for asked in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(asked))) + "\n")
        sys.stdout.flush()
