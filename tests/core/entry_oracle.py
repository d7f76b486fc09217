"""What docs/spec/entry.md lets through, written from the page: slow, obvious, and without anything of core."""

import json
from datetime import datetime
from decimal import Decimal

import rfc8785

OPEN, DELTA, SEAL = (f"counterfoil/{name}@v1" for name in ("open", "delta", "seal"))


def judge(data):
    """docs/spec/entry.md, steps 1 to 9, with the standard library's JSON and the decimals of `decimal`."""
    if len(data) > 2_048:
        return "too-large"
    members = canonical_texts(data)
    if members is None or not common_members_hold(members):
        return "malformed"
    if members["type"] not in KINDS:
        return "unknown-type"
    return "ok" if members_of_the_type_hold(members) and amounts_and_places_hold(members) else "malformed"


def canonical_texts(data):
    """Steps 2 to 4: the members of a canonical object of texts, or None."""
    try:
        pairs = json.loads(data.decode("utf-8"), object_pairs_hook=lambda found: ("object", found))
        if pairs[0] != "object":
            return None
        members = dict(pairs[1])
        canonical = len(members) == len(pairs[1]) and rfc8785.dumps(members) == data
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        RecursionError,
        rfc8785.CanonicalizationError,
    ):
        return None
    return members if canonical and all(type(value) is str for value in members.values()) else None


def common_members_hold(members):
    """Step 5."""
    return (
        members.keys() >= COMMON
        and all(RULES[name](members[name]) for name in COMMON)
        and int(members["count"]) <= int(members["index"])
    )


def members_of_the_type_hold(members):
    """Steps 7 and 8."""
    required, optional = KINDS[members["type"]]
    return COMMON | required <= members.keys() <= COMMON | required | optional and all(
        RULES[name](value) for name, value in members.items()
    )


def amounts_and_places_hold(members):
    """Step 9."""
    index = int(members["index"])
    if members["type"] == OPEN:
        return [members[name] for name in ("index", "count", "credits", "debits")] == ["0"] * 4
    if members["type"] == DELTA:
        amount = Decimal(members["amount"])
        if amount > Decimal(members["credits"]) or -amount > Decimal(members["debits"]):
            return False
        if "adjusts" in members and not 1 <= int(members["adjusts"]) < index:
            return False
    return index >= 1


def is_integer(text):
    return text.isascii() and text.isdigit() and str(int(text)) == text and int(text) <= 2**63 - 1


def is_decimal(text, digits):
    whole, point, fraction = text.partition(".")
    return (
        text.isascii()
        and whole.isdigit()
        and len(whole) <= digits
        and (whole == "0" or whole[0] != "0")
        and (not point or (fraction.isdigit() and len(fraction) <= 9 and fraction[-1] != "0"))
    )


def is_time(text):
    try:
        read = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")  # noqa: DTZ007  -- the Z is a letter of the pattern
    except ValueError:
        return False
    # It also takes fewer digits and those of other scripts: write it again.
    return (
        text
        == f"{read.year:04}-{read.month:02}-{read.day:02}T{read.hour:02}:{read.minute:02}:{read.second:02}.{read.microsecond:06}Z"
    )


def is_label(text, more):
    inner = set("abcdefghijklmnopqrstuvwxyz0123456789")
    return bool(text) and set(text) <= inner | set(more) and text[0] in inner and text[-1] in inner


def is_origin(text):
    parts = text.split("/")
    return (
        len(parts) == 3
        and is_label(parts[0], ".-")
        and len(parts[0]) <= 100
        and is_label(parts[1], "-")
        and len(parts[1]) <= 63
        and len(parts[2]) == 42
        and parts[2].startswith("0x")
        and set(parts[2][2:]) <= set("0123456789abcdef")
    )


def is_hash(text):
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


RULES = {
    "type": lambda _: True,
    "index": is_integer,
    "count": is_integer,
    "adjusts": is_integer,
    "recordedAt": is_time,
    "effectiveAt": is_time,
    "unit": lambda text: 1 <= len(text) <= 32 and all("!" <= character <= "~" for character in text),
    "credits": lambda text: is_decimal(text, 29),
    "debits": lambda text: is_decimal(text, 29),
    "amount": lambda text: is_decimal(text.removeprefix("-"), 18) and text.strip("-") != "0",
    "origin": is_origin,
    "details": is_hash,
    "key": is_hash,
}
COMMON = {"type", "index", "recordedAt", "unit", "count", "credits", "debits"}
KINDS = {
    OPEN: ({"origin", "details"}, set()),
    DELTA: ({"details", "amount", "key"}, {"effectiveAt", "adjusts"}),
    SEAL: (set(), set()),
}
