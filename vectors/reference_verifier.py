#!/usr/bin/env python3
"""A second verifier: the rules of docs/spec in one file that shares no code with Counterfoil.

It follows the pages in the order in which they are read; the numbers in its comments are their steps.  It is
slow, holds everything in memory and explains nothing: it is there to be read beside the pages, to be ported,
and to disagree with Counterfoil where one of the two is wrong.  It needs PyNaCl.

usage: counterfoil conformance run --command "python reference_verifier.py"
"""
# Set by hand: a rule is a line, where it fits.
# fmt: off

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

from nacl.bindings import crypto_core_ed25519_is_valid_point
from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

Value: TypeAlias = Any  # a JSON value; what it has to be, its rule says
Members: TypeAlias = dict[str, Value]
Rule: TypeAlias = Callable[[Value], Value]  # returns what it reads, or refuses it
Range: TypeAlias = tuple[int, int]  # the leaves [start, end)
Keys: TypeAlias = list[tuple[str, bytes]]  # names and public keys


class Refused(Exception):  # noqa: N818  -- a verdict
    """A code of errors.md."""

def require(holds: object, code: str = "malformed") -> None:
    if not holds:
        raise Refused(code)


# ---- conventions.md: JSON
def utf8(value: Value, most: int) -> bytes:
    require(isinstance(value, str) and not re.search("[\ud800-\udfff]", value))
    data = bytes(value.encode())
    require(len(data) <= most, "too-large")
    return data

def read_json(value: Value, most: int) -> Value:
    utf8(value, most)
    try:
        found = json.loads(value, object_pairs_hook=unique,
                           parse_int=number, parse_float=number, parse_constant=number)
        jcs(found).encode()  # an escape may have been a lone surrogate
    except (ValueError, RecursionError):
        raise Refused("malformed") from None
    return found

def unique(pairs: list[tuple[str, Value]]) -> Members:
    require(len(dict(pairs)) == len(pairs))
    return dict(pairs)

def number(token: str) -> float:
    value = float(token)
    require(len(token) <= 40 and abs(value) < 2**53)  # nor do NaN and Infinity pass
    # A zero is known by its digits: its exponent may be beyond every Decimal.
    zero = not re.search("[1-9]", re.split("[eE]", token)[0])
    require(zero if value == 0 else Decimal(jcs(value)) == Decimal(token))
    return value

def jcs(value: Value) -> str:
    """Write canonical JSON (RFC 8785)."""
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


# ---- conventions.md: values
def spelled(pattern: str, meaning: Rule = str) -> Rule:
    """Make the rule of a text: what all of it matches, and what it is read as."""
    def rule(value: Value) -> Value:
        require(isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII))
        return meaning(value)
    return rule

def below_2_63(digits: str) -> int:
    require(int(digits) < 2**63)
    return int(digits)

def nano(decimal: str) -> int:
    whole, _, part = decimal.partition(".")
    return int(whole + part.ljust(9, "0"))

def microseconds(iso: str) -> int:
    try:
        return (datetime.fromisoformat(iso) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    except ValueError:  # a day that no month has
        raise Refused("malformed") from None

OPERATOR, TENANT = r"[a-z0-9]([a-z0-9.-]{0,98}[a-z0-9])?", r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
log_origin = spelled(rf"{OPERATOR}/{TENANT}/0x[0-9a-f]{{40}}")
amount = spelled(r"-?([1-9][0-9]{0,17}(\.[0-9]{0,8}[1-9])?|0\.[0-9]{0,8}[1-9])", nano)
total = spelled(r"(0|[1-9][0-9]{0,28})(\.[0-9]{0,8}[1-9])?", nano)
time = spelled(r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z", microseconds)
integer = spelled(r"0|[1-9][0-9]{0,18}", below_2_63)
hash32 = spelled(r"[0-9a-f]{64}", bytes.fromhex)
base64_text = spelled(r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", base64.b64decode)
text = spelled(r"(?s:.*)")

def unbase64(value: Value, size: int | None = None) -> bytes:
    data = bytes(base64_text(value))
    require(base64.b64encode(data).decode() == value and size in (None, len(data)))
    return data

def an_object(value: Value) -> Members:
    require(isinstance(value, dict))
    return dict(value)

def members(value: Value, names: str) -> Members:
    """Demand an object with these members and no others; those with a `?` may be missing."""
    required = {name for name in names.split() if not name.endswith("?")}
    require(required <= set(an_object(value)) <= set(names.replace("?", "").split()))
    return dict(value)

def read(value: Value, names: str) -> Members:
    """Read such an object, each member by its rule."""
    return {name: RULES[name](found) for name, found in members(value, names).items()}


# ---- reference.md
def reference(request: Value) -> Value:
    require(request["customerId"] != "summary")  # 3
    message = f"counterfoil/customer-reference@v1\n{request['tenant']}\n{request['customerId']}"
    mac = hmac.digest(request["referenceKey"], message.encode(), "sha256")
    return {"customerReference": "0x" + mac[:20].hex()}  # 4


# ---- entry.md, details.md
OPEN, DELTA, SEAL = KNOWN = "counterfoil/open@v1", "counterfoil/delta@v1", "counterfoil/seal@v1"
COMMON, TOTALS = "type index recordedAt unit count credits debits", ("count", "credits", "debits")
FURTHER = {OPEN: " origin details", DELTA: " details amount key effectiveAt? adjusts?", SEAL: ""}
DETAILS = {OPEN: "customerId", DELTA: "reason referenceId? metadata?"}
# The rule of each member of an entry, of its details, and of the first and the last line of a pack.
RULES: dict[str, Rule] = {
    "type": text, "index": integer, "recordedAt": time, "unit": spelled(r"[!-~]{1,32}"), "count": integer,
    "credits": total, "debits": total, "origin": log_origin, "details": hash32, "amount": amount,
    "key": hash32, "effectiveAt": time, "adjusts": integer,
    "salt": hash32, "value": an_object, "customerId": text, "reason": text, "referenceId": text,
    "metadata": an_object, "operator": spelled(OPERATOR), "logs": integer, "entries": integer,
    "checkpoints": integer,
}

def read_entry(value: Members) -> Members:
    """Entry steps 4 to 9; step 6 is the caller's, for whom the common members of an unknown type are read."""
    require(all(isinstance(member, str) for member in value.values()))  # 4
    kind = value.get("type", "")
    if kind not in KNOWN:
        value = {name: value[name] for name in value if name in COMMON.split()}
    found = read(value, COMMON + FURTHER.get(kind, ""))  # 5, 7, 8
    require(found["count"] <= found["index"])
    require(kind != OPEN or found["index"] == found["credits"] == found["debits"] == 0)  # 9
    require(kind not in (DELTA, SEAL) or found["index"] >= 1)
    require(-found["debits"] <= found.get("amount", 0) <= found["credits"])
    require("adjusts" not in found or 1 <= found["adjusts"] < found["index"])
    return found

def check_order(one: Members, other: Members) -> None:
    """Rules 2 to 4 along a log; of two that are no neighbours, statement step 5."""
    distance, change = other["index"] - one["index"], [other[name] - one[name] for name in TOTALS]
    require(other["recordedAt"] - one["recordedAt"] >= distance, "time-order")
    added = other.get("amount", 0)
    exact = [int("amount" in other), max(added, 0), max(-added, 0)]
    possible = change == exact if distance == 1 else min(change) >= 0 and change[0] <= distance
    require(other["unit"] == one["unit"] and possible, "totals-mismatch")

def entry(request: Value) -> Value:
    value = read_json(request["text"], 2048)  # 1, 2
    require(jcs(value) == request["text"])  # 3
    found = read_entry(an_object(value))
    require(found["type"] in KNOWN, "unknown-type")  # 6
    leaf = leaf_hash(request["text"])
    return {"type": found["type"], "index": str(found["index"]), "leafHash": leaf.hex()}

def levels(value: Value) -> int:
    inside = value.values() if isinstance(value, dict) else value
    return 1 + max(map(levels, inside), default=0) if isinstance(value, (dict, list)) else 0

def canonical_details(value: Value) -> bytes:
    require(levels(an_object(value)) <= 8)  # 1, 2
    return utf8(jcs(value), 16_384)  # 3

def details(request: Value) -> Value:
    data = canonical_details(read_json(request["value"], 262_144))
    salt, commitment = hash32(request["salt"]), hash32(request["commitment"])  # 4
    require(sha256(salt + data) == commitment, "details-mismatch")  # 5
    return {"canonical": data.decode()}


# ---- tree.md
def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()

def leaf_hash(entry_text: Value) -> bytes:
    return sha256(b"\x00" + utf8(entry_text, 2048))  # entry step 1

def divide(start: int, end: int) -> int:
    """Return where a tree is divided: behind the largest power of two below its size."""
    return start + (1 << (end - start - 1).bit_length() - 1)

def tree_root(known: dict[Range, bytes], start: int, end: int) -> bytes:
    """MTH(D[start:end]), where the roots of some subtrees are known: leaves, and the hashes of a proof."""
    if (start, end) in known:
        return known[start, end]
    k = divide(start, end)
    return sha256(b"\x01" + tree_root(known, start, k) + tree_root(known, k, end))

def siblings(inner: Range, start: int, end: int) -> list[Range]:
    """PATH(m, D[start:end]) of the leaf [m, m + 1), or of another subtree: what each of its hashes covers."""
    if inner == (start, end):
        return []
    k = divide(start, end)
    if inner[0] < k:
        return [*siblings(inner, start, k), (k, end)]
    return [*siblings(inner, k, end), (start, k)]

def verify_range(items: list[Members], paths: list[list[bytes]], tree: Members) -> None:
    """Range steps 2 to 4 with the paths of the first and the last item; of one, inclusion steps 2 to 4."""
    start, end, size = items[0]["index"], items[0]["index"] + len(items), tree["size"]
    require(end <= size, "index-mismatch")  # 2
    first, last = siblings((start, start + 1), 0, size), siblings((end - 1, end), 0, size)
    require([*map(len, paths)] == [len(first), len(last)], "root-mismatch")  # 3
    known = {(index, index + 1): item["leaf"] for index, item in enumerate(items, start)}  # 4
    known |= {covered: found for covered, found in zip(first, paths[0], strict=True) if covered[1] <= start}
    known |= {covered: found for covered, found in zip(last, paths[1], strict=True) if covered[0] >= end}
    require(tree_root(known, 0, size) == tree["root"], "root-mismatch")

def verify_consistency(one: Members, other: Members, path: list[bytes]) -> None:
    old, new = one["size"], other["size"]
    require(0 < old <= new, "inconsistent")  # 2, 3
    # SUBPROOF: the largest subtree that ends with the old tree, unless it is the old tree, and its siblings.
    seam = (old - (old & -old), old) if old < new else (0, new)
    ranges = [seam, *siblings(seam, 0, new)]
    hashes = path if seam[0] else [one["root"], *path]
    require(len(hashes) == len(ranges), "inconsistent")  # 4
    known = dict(zip(ranges, hashes, strict=True))
    require(tree_root(known, 0, old) == one["root"], "inconsistent")  # 5
    require(tree_root(known, 0, new) == other["root"], "inconsistent")  # 6

def read_path(texts: Value, rule: Rule = lambda text: unbase64(text, 32)) -> list[bytes]:
    require(len(texts) <= 63)
    return [rule(text) for text in texts]

def inclusion(request: Value) -> Value:
    path, item = request["path"], {"index": request["index"], "leaf": request["leafHash"]}
    verify_range([item], [path, path], request)
    return {}

def consistency(request: Value) -> Value:
    old = {"size": request["size1"], "root": request["root1"]}
    new = {"size": request["size2"], "root": request["root2"]}
    verify_consistency(old, new, request["path"])
    return {}


# ---- note.md, checkpoint.md
KEY_NAME = r"[^\s+\ud800-\udfff]+"  # white space is that of Unicode

def key_id(name: str, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n\x01" + public)[:4]

def read_key(key: str) -> tuple[str, bytes]:
    require(len(key) <= 4096, "too-large")
    require(len(parts := key.split("+", 2)) == 3 and re.fullmatch(KEY_NAME, parts[0]))
    name, identifier, typed = parts[0], parts[1], unbase64(parts[2], 33)
    require(typed[0] == 1 and crypto_core_ed25519_is_valid_point(typed[1:]))
    require(key_id(name, typed[1:]).hex() == identifier)
    return name, typed[1:]

def read_note(value: Value) -> Members:
    utf8(value, 262_144)  # 1
    require(not re.search(r"^\ufeff|[\x00-\x09\x0b-\x1f]", value))  # 2
    signed, _, rest = value.rpartition("\n\n")  # without a blank line nothing is signed
    require(signed and rest.endswith("\n"))
    lines = []
    for row in rest[:-1].split("\n"):  # 3
        require(len(parts := row.split(" ")) == 3)
        require(parts[0] == "\u2014" and re.fullmatch(KEY_NAME, parts[1]))
        blob = unbase64(parts[2])
        require(4 < len(blob) <= 4 + 8192)
        lines.append((parts[1], blob[:4], blob[4:]))
    require(len(lines) <= 64 and len({line[:2] for line in lines}) == len(lines))  # 3, 4
    return {"text": signed + "\n", "lines": lines}

def verify_note(note: Members, keys: Keys) -> list[str]:
    """Note steps 5 and 6; return the names of the keys that signed."""
    given = {(name, key_id(name, public)): public for name, public in keys}
    require(len(given) == len(set(keys)))
    known = [line for line in note["lines"] if line[:2] in given]
    require(known, "unknown-key")  # 5
    for name, identifier, signature in known:  # 6
        try:
            VerifyKey(given[name, identifier]).verify(note["text"].encode(), signature)
        except (CryptoError, ValueError):
            raise Refused("bad-signature") from None
    return [name for name, _, _ in known]

def note(request: Value) -> Value:
    found = read_note(request["note"])
    return {"text": found["text"], "signers": verify_note(found, request["keys"])}

def read_checkpoint(value: Value) -> Members:
    found = read_note(value)  # 1
    require(len(lines := found["text"][:-1].split("\n")) == 3)  # 2
    origin, size, root = spelled(r"[!-*,-~]{1,255}")(lines[0]), integer(lines[1]), unbase64(lines[2], 32)
    require(size or root == sha256(b""))
    return {"origin": origin, "size": size, "root": root, "note": found}

def verify_checkpoint(point: Members, keys: Keys) -> None:
    """Checkpoint steps 3 and 4: keys named like the operator or the origin, under the origin as name."""
    names = (point["origin"].split("/")[0], point["origin"])
    verify_note(point["note"], [(point["origin"], public) for name, public in keys if name in names])

def checkpoint(request: Value) -> Value:
    point = read_checkpoint(request["note"])
    verify_checkpoint(point, request["keys"])
    return {"origin": point["origin"], "size": str(point["size"]), "root": point["root"].hex()}


# ---- tlog-proof.md, consistency.md
def read_file(value: Value, words: str) -> tuple[int, list[bytes], Members]:
    """Read words and a number, hashes, an empty line, a checkpoint."""
    utf8(value, 262_144)  # 1
    head, _, rest = value.partition("\n\n")  # without an empty line there is no checkpoint
    require(head.startswith(words))  # 2
    digits, *hashes = head.removeprefix(words).split("\n")
    return integer(digits), read_path(hashes), read_checkpoint(rest)  # 3

def consistency_file(request: Value) -> Value:
    old = read_checkpoint(request["old"])  # 1
    size, path, new = read_file(request["file"], "old ")
    verify_checkpoint(old, request["keys"])  # 2
    verify_checkpoint(new, request["keys"])  # 3
    require(old["origin"] == new["origin"], "wrong-origin")  # 4
    require(old["size"] != new["size"] or old["root"] == new["root"], "fork")  # 5
    require(size == old["size"], "inconsistent")  # 6
    verify_consistency(old, new, path)  # 6, 7
    return {"origin": old["origin"], "oldSize": str(old["size"]), "newSize": str(new["size"])}


# ---- receipt.md
def read_item(found: Members) -> Members:
    """Read an entry with its details and its path: its members, and beside them what is made here."""
    written, texts = an_object(found["entry"]), found.get("path", [])
    require(isinstance(texts, list) and all(isinstance(one, str) for one in texts))
    leaf, entry, value, opens = leaf_hash(jcs(written)), read_entry(written), {}, None
    if "details" in found:
        beside = read(found["details"], "salt value")
        value, opens = beside["value"], sha256(beside["salt"] + canonical_details(beside["value"]))
        if entry["type"] in DETAILS:
            read(value, DETAILS[entry["type"]])
    return {**entry, "leaf": leaf, "opens": opens, "customer": value.get("customerId"),
            "time": written["recordedAt"], "path": read_path(texts)}

def read_open(document: Members) -> list[Members]:
    return [read_item(members(document["open"], "entry details? path"))] if "open" in document else []

def read_document(value: Value, kind: str, names: str, most: int) -> Members:
    document = an_object(read_json(value, most))
    require(text(document.get("type")) == f"counterfoil/{kind}@v1", "unknown-type")
    return members(document, "type " + names)

def verify_details(item: Members) -> None:
    require(item["opens"] in (None, item.get("details")), "details-mismatch")

def verify_customer(items: list[Members], opened: list[Members], point: Members, request: Value) -> Value:
    """Steps 6 and 7; return the customerId that is proven."""
    for item in items:
        verify_details(item)
    require(all(item.get("origin", point["origin"]) == point["origin"] for item in items), "wrong-origin")
    for first in opened:
        require(first["type"] == OPEN, "index-mismatch")
        require(first["origin"] == point["origin"], "wrong-origin")
        verify_range([first], [first["path"]] * 2, point)
        verify_details(first)
        if items[0]["index"] != 0:
            check_order(first, items[0])
    proven = opened[0]["customer"] if opened else None
    if "customer" in request:
        require(proven == request["customer"], "wrong-origin")
    return proven

def receipt(request: Value) -> Value:
    document = read_document(request["receipt"], "receipt", "entry details? open? proof", 262_144)  # 1
    index, path, point = read_file(document["proof"], "c2sp.org/tlog-proof@v1\nindex ")
    log_origin(point["origin"])
    item, opened = read_item(document), read_open(document)
    require(all(one["type"] in KNOWN for one in [item, *opened]), "unknown-type")
    verify_checkpoint(point, request["keys"])  # 2
    require(request.get("origin", point["origin"]) == point["origin"], "wrong-origin")  # 3
    require(item["index"] == index, "index-mismatch")  # 4
    verify_range([item], [path, path], point)  # 4, 5
    customer = verify_customer([item], opened, point, request)  # 6, 7
    return {"origin": point["origin"], "index": str(index), "size": str(point["size"]), "type": item["type"],
            "customer": customer}


# ---- statement.md
def statement(request: Value) -> Value:
    require(isinstance(allowed := request.get("allowProvisional", False), bool))
    names, most = "from to mode items open? checkpoint", 33_554_432
    document = read_document(request["statement"], "statement", names, most)  # 1
    light = document["mode"] == "light"
    require(light or document["mode"] == "full")
    utf8(request["statement"], 262_144 if light else most)
    start, end = time(document["from"]), time(document["to"])
    require(start < end)
    point, values, items = read_checkpoint(document["checkpoint"]), document["items"], []
    log_origin(point["origin"])
    require(isinstance(values, list) and values)
    require(len(values) <= 10_000, "too-large")
    for place, value in enumerate(values):
        has_path = light or place in (0, len(values) - 1)
        items.append(read_item(members(value, "entry details? path" if has_path else "entry details?")))
    opened, first, last = read_open(document), items[0], items[-1]
    indices = [item["index"] for item in items]
    require(all(one < other for one, other in pairwise(indices)))
    roles = [(item["recordedAt"] >= start) + (item["recordedAt"] >= end) for item in items]
    before, inside, after = (roles.count(role) for role in range(3))
    require(roles == sorted(roles) and before <= 1 and after <= 1 and (inside <= 2 or not light))
    require(all(one["type"] in KNOWN for one in [*items, *opened]), "unknown-type")
    verify_checkpoint(point, request["keys"])
    require(request.get("origin", point["origin"]) == point["origin"], "wrong-origin")
    for item in items if light else (first, last):  # 2
        verify_range([item], [item["path"]] * 2, point)
    if not light:
        require(last["index"] - first["index"] == len(items) - 1, "root-mismatch")
        verify_range(items, [first["path"], last["path"]], point)
    require(before or indices[0] == 0, "incomplete-period")  # 3
    require(not before or indices[:2][-1] <= indices[0] + 1, "incomplete-period")
    require(not after or indices[-2:][0] >= indices[-1] - 1, "incomplete-period")
    sealed = last["type"] == SEAL and last["index"] == point["size"] - 1 and inside  # 4
    final = after or last["recordedAt"] == end - 1
    require(after or (sealed and (final or allowed)), "incomplete-period")
    for one, other in pairwise(items):  # 5
        check_order(one, other)
    customer = verify_customer(items, opened, point, request)  # 6
    zero = dict.fromkeys(TOTALS, 0)
    opening = first if before else zero
    closing = items[before + inside - 1] if before + inside else zero
    return {"origin": point["origin"], "size": str(point["size"]), "customer": customer,
            "provisionalThrough": None if final else last["time"], "opening": difference(opening, zero),
            "period": difference(closing, opening), "closing": difference(closing, zero)}

def difference(later: Members, earlier: Members) -> Members:
    """Write the totals of one entry less those of another."""
    count, *sums = (later[name] - earlier[name] for name in TOTALS)
    plus, minus = (f"{value // 10**9}.{value % 10**9:09}".rstrip("0").rstrip(".") for value in sums)
    return {"count": str(count), "credits": plus, "debits": minus}


# ---- audit.md, pack.md
# What a line counts as, by its members.
SHAPES = {"log": "logs", "entry": "entries", "details entry": "entries", "checkpoint": "checkpoints",
          "end": "end"}
# How the findings of a pack meet, the worst first; every other code stands at 1.
MEET = {"fork": 0, "malformed": 2, "too-large": 2, "unknown-type": 3, "unknown-key": 3, "nothing-checked": 3,
        "not-yet-checkpointed": 3}

def audit(log: Members, operator: str, keys: Keys, held: list[Members]) -> Members:
    """Audit a log of a pack, with what is held of its checkpoints; return what was checked."""
    items: list[Members] = []
    points: list[Members] = []
    broken: list[Members] = []
    origin, seen = log["origin"], set()
    require(origin.split("/")[0] == operator, "wrong-origin")  # pack step 3
    for point in held:
        verify_checkpoint(point, keys)
    for kind, line in log["lines"]:
        if kind == "entries":
            item = read_item(line)  # 1, 2
            starts, opens = not items, item["type"] == OPEN  # 3
            require(item["index"] == len(items) and starts == opens, "index-mismatch")
            require(item.get("origin", origin) == origin, "wrong-origin")
            if not starts:
                check_order(items[-1], item)
            require(item.get("key") not in seen, "duplicate-key")  # 4
            if item["type"] == DELTA:
                seen.add(item["key"])
            verify_details(item)  # 5
            items.append(item)
            for point in held:  # 9
                if point["size"] == len(items):
                    compare(items, point, broken)
        elif kind == "checkpoints":
            point = read_checkpoint(line["checkpoint"])  # 6
            verify_checkpoint(point, keys)
            require(point["origin"] == origin, "wrong-origin")  # 7
            require(point["size"] == len(items), "index-mismatch")
            require(items and items[-1]["type"] == SEAL, "missing-seal")  # 8
            signed = [other for other in points + held if other["size"] == len(items)]  # 9
            require(all(other["root"] == point["root"] for other in signed), "fork")
            compare(items, point, broken)
            points.append(point)
        else:
            raise Refused(kind)  # pack step 1
    require(not broken, "root-mismatch")
    require(all(point["size"] <= len(items) for point in held), "index-mismatch")  # 10
    require(points, "not-yet-checkpointed")  # pack step 6
    require(all(item["type"] in KNOWN for item in items), "unknown-type")
    absent = [item for item in items if "details" in item and item["opens"] is None]
    covered = points[-1]["size"]
    return {"origin": origin, "entries": str(len(items)), "deltas": str(len(seen)),
            "checkpoints": str(len({point["size"] for point in points})), "covered": str(covered),
            "detailsAbsent": str(len(absent)), "verifiedThroughAt": items[covered - 1]["time"]}

def compare(items: list[Members], point: Members, broken: list[Members]) -> None:
    """Audit step 9; `broken` takes the checkpoints that have not the root of their entries."""
    leaves = {(place, place + 1): item["leaf"] for place, item in enumerate(items)}
    holds = tree_root(leaves, 0, len(items)) == point["root"]
    require(not (holds and broken), "fork")
    broken += [] if holds else [point]

def read_pack(rows: list[Value]) -> tuple[list[Members], list[str]]:
    """Return the logs, each with its lines, and the faults that are the pack's."""
    logs: list[Members] = []
    faults: list[str] = []
    log: Members = {}  # the one that is being read, empty where there is none
    counts = dict.fromkeys(("logs", "entries", "checkpoints", "end"), 0)
    for row in rows:
        try:
            line = an_object(read_json(row, 262_144))  # 1
            shape = " ".join(sorted(line))
            require(shape in SHAPES and "\n" not in row)
            require(counts["end"] == 0)  # 7
            kind = SHAPES[shape]
            counts[kind] += 1
            if kind == "logs":  # 3
                log = {}
                origin = log_origin(line["log"])
                if logs and origin <= logs[-1]["origin"]:
                    faults.append("malformed")
                log = {"origin": origin, "lines": []}
                logs.append(log)
            elif kind == "end":  # 7
                log = {}
                require(read(line["end"], "logs entries checkpoints") | {"end": 1} == counts)
                require(logs, "nothing-checked")
            else:  # 4, 5
                require(log)
                log["lines"].append((kind, line))
        except Refused as refusal:
            code = str(refusal)
            if log:
                log["lines"].append((code, {}))
            if not log or code == "too-large":
                faults.append(code)
            if code == "too-large":
                break
    return logs, faults if counts["end"] else [*faults, "malformed"]

def pack(request: Value) -> Value:
    held = [read_checkpoint(note) for note in request.get("held", [])]
    require(len({point["origin"] for point in held}) == len(held))
    require(rows := request["lines"])
    header = read(read_document(rows[0], "pack", "operator", 262_144), "type operator")  # 2
    logs, faults = read_pack(rows[1:])
    codes, reports = [], []
    for log in logs:
        try:
            of_log = [point for point in held if point["origin"] == log["origin"]]
            reports.append(audit(log, header["operator"], request["keys"], of_log))
        except Refused as refusal:
            codes.append(str(refusal))
    codes += faults[:1]
    require(not codes, min(codes, key=lambda code: MEET.get(code, 1), default=""))
    absent = {point["origin"] for point in held} - {log["origin"] for log in logs}
    return {"operator": header["operator"], "logs": reports, "absent": sorted(absent)}


# ---- conformance.md
# What is read of a request before its operation, in this order.
ASKED: dict[str, Rule] = {
    "keys": lambda keys: [read_key(key) for key in keys],
    "referenceKey": hash32, "tenant": spelled(TENANT),
    "customerId": spelled(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}"),
    "index": integer, "size": integer, "leafHash": hash32, "root": hash32,
    "size1": integer, "size2": integer, "root1": hash32, "root2": hash32,
    "path": lambda texts: read_path(texts, hash32),
}
OPERATIONS: dict[str, Callable[[Value], Value]] = {
    "base64": lambda request: {"hex": unbase64(request["text"]).hex()},
    "amount": lambda request: {"nano": str(amount(request["text"]))},
    "time": lambda request: {"microseconds": str(time(request["text"]))},
    "leaf": lambda request: {"leafHash": leaf_hash(request["entry"]).hex()},
    "reference": reference, "entry": entry, "details": details, "inclusion": inclusion,
    "consistency": consistency, "note": note, "checkpoint": checkpoint, "consistencyFile": consistency_file,
    "receipt": receipt, "statement": statement, "pack": pack,
}

def answer(request: Value) -> Value:
    if request["op"] not in OPERATIONS:
        return {"id": request["id"], "result": "unsupported"}
    try:
        asked = request | {name: rule(request[name]) for name, rule in ASKED.items() if name in request}
        return {"id": request["id"], "result": "ok", "output": OPERATIONS[request["op"]](asked)}
    except Refused as refusal:
        return {"id": request["id"], "result": str(refusal)}

if __name__ == "__main__":
    for row in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(row))) + "\n")
        sys.stdout.flush()
